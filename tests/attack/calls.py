"""One random call of something public, and what is to be seen after it.

Allowed is a result, or an exception of ALLOWED with words of its own, not Python's about something
inside, as "object has no attribute" is. A call that raised has changed nothing of its arguments; a
result is well formed; the same call again, with another number of threads, has the same bits, also
on contiguous copies of its arguments; and the mode of gradients and the number of threads are as
before.
"""

import contextlib
import io
import os
import re
import signal
import traceback
import warnings

import numpy as np

import pyml
from attack import arguments
from attack.arguments import ONE, Hostile, Maker, bits_of, describe, parameters_of
from attack.children import Fault
from attack.surface import Target, one_of, targets
from pyml import config, distributed, nn, optim
from pyml.autograd import forward_ad
from pyml.hooks import HookHandle, of_every_module
from pyml.nn.hooks import registrations
from pyml.optim.optimizer import hooks_of_all

ALLOWED = (
    TypeError,
    ValueError,
    RuntimeError,
    IndexError,
    KeyError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    AttributeError,
    FloatingPointError,
    OSError,
    ImportError,
    StopIteration,
    ArithmeticError,
    BufferError,  # of DLPack's protocol
    Hostile,
)
REFUSED = (SystemError, AssertionError, NameError, UnicodeError, RecursionError, ZeroDivisionError)
HOSTILITY = (0, 0.2, 0.6, ONE, ONE)  # of an argument
SECONDS = 2  # after which a call is interrupted; if that does not help, it hangs
WORDLESS = (MemoryError, KeyError, StopIteration, Hostile)  # which say enough by their names

# what may leave a mark when it raises: it runs functions of the caller, one after the other
PARTIAL = (".apply", ".fit", ".evaluate", ".run", "__call__", ".forward", ".gradcheck", ".__init__")
MODES = ("set_grad_enabled", "__enter__", "__exit__", "no_grad", "enable_grad", "set_num_threads")
LAYOUT = (
    "_",
    "stride",
    "is_contiguous",
    "data_ptr",
    "bits",
    "i__",
    "view",
    "__setitem__",
)  # is seen
ANYTHING = (
    "empty",
    "resize_",
    "seed",
    "stats",
    "rng_state",
    "show_config",
    "enter_dual_level",  # not within another
)  # other values each time


UNKNOWN = (np.float16, np.longdouble)  # to the kernels


# what Python and NumPy say of something inside that the caller does not know
OF_THE_INSIDE = re.compile(
    r"^('\S+' object|type object '\S+'|module '\S+') has no attribute"
    r"|^(tuple|list) index out of range|^pop from empty|too large to convert to C|^Python integer"
    r"|^Cannot cast ufunc|is not subscriptable|^cannot unpack"
)
# whose errors Python has words for, and what pyml alone makes
NO_WORDS_OF_OURS = ("__delattr__", "(set)", "(get)", "__enter__", "__exit__", "__deepcopy__")
NO_WORDS_OF_OURS += ("__reduce_ex__", "Fitted.__repr__", "group.ReduceOp")  # an Enum's
NO_WORDS_OF_OURS += tuple(
    f"stats.Stats{name}" for name in ("", ".__init__", ".__str__", ".__repr__")
)
NO_WORDS_OF_OURS += ("Size.__getitem__", "Size.__mul__", "Size.__rmul__")  # a tuple's are told
ASSERTIONS = (".assert_close",)  # which promise an AssertionError


class Slow(BaseException):
    """The call was interrupted."""


def _interrupt(signum, frame):
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return  # a module would be there in halves, and the next case at fault; see limited()
        frame = frame.f_back
    raise Slow


def attack(rng, tell):
    attack_target(one_of(targets(), rng), rng, tell)


def attack_target(target, rng, tell):
    seed = int(rng.integers(2**62))
    first = outcome(target, seed, 1, tell)
    if first is None:
        return
    second = outcome(target, seed, 2, lambda text: None)
    if second not in (None, first):
        raise Fault(f"{target}: twice the same call: {first!r:.150} and {second!r:.150}")
    if isinstance(first, tuple) and not target.name.endswith(LAYOUT):
        third = outcome(target, seed, 1, lambda text: None, plain=True)
        if isinstance(third, tuple) and third != first:
            raise Fault(
                f"{target}: other bits for contiguous arguments: {difference(first, third)}"
            )


def outcome(target, seed, threads, tell, plain=False):
    """What one call gave, to the bit: a name, or the numbers; None if it can be anything."""
    begin_anew()
    if "distributed" in target.name and seed % 4:  # a job of one process
        distributed.init_process_group(shard_size=seed % 4)
    pyml.manual_seed(seed % 2**32)
    config.set_num_threads(threads)
    maker = Maker(np.random.default_rng(seed), HOSTILITY[seed % len(HOSTILITY)], plain)
    with quiet():
        try:
            with limited():
                receiver = instance(maker, target) if target.classes else ()
                parameters = parameters_of(target.function)
                if target.classes and parameters:
                    parameters = parameters[1:]
                args, kwargs = maker.call(parameters)
        except (Slow, *ALLOWED):
            return None
        args = (*receiver, *args)
        given = ", ".join(
            [*map(describe, args), *(f"{k}={describe(v)}" for k, v in kwargs.items())]
        )
        tell(f"{target}({given})")
        before = bits_of((args, kwargs))
        if maker.mischief:
            return None
        result = error = None
        try:
            with limited():
                result = target.function(*args, **kwargs)
                if hasattr(type(result), "__next__"):
                    before = None  # the call is done: what it draws for items stays drawn
                    result = [item for item, _ in zip(result, range(5))]  # noqa: B905
        except Slow:
            return None
        except SystemExit:
            raise Fault(f"{target}: SystemExit") from None
        except BaseException as caught:
            error = caught
        try:
            look(target, maker, args, kwargs, before, result, error, threads)
            if any(word in target.name for word in ANYTHING) or maker.mischief:
                return None
            if isinstance(error, MemoryError):
                return None
            return type(error).__name__ if error is not None else numbers_of(result)
        except MemoryError:  # of us, who look: the result is there
            return None


def begin_anew():
    """Takes back what another case has set for all, so that a case is what its number says."""
    if distributed.is_initialized():
        distributed.destroy_process_group()
    pyml.set_grad_enabled(True)
    pyml.set_default_dtype(pyml.float32)
    pyml.autograd.set_detect_anomaly(False)
    pyml.distributions.Distribution.set_default_validate_args(True)
    forward_ad.current.duals = None
    of_every_module.clear()
    registrations.clear()
    for hooks in hooks_of_all.values():
        hooks.clear()


def look(target, maker, args, kwargs, before, result, error, threads):
    """Raises a Fault if the call left something that it must not."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the smallest number that is free
            raise Fault(f"{target}: closes file descriptor {number}") from None
    modes = any(word in target.name for word in MODES)
    if not modes and not maker.mischief:
        if not pyml.is_grad_enabled():
            raise Fault(f"{target}: leaves gradients disabled")
        if config.get_num_threads() != threads:
            raise Fault(f"{target}: leaves {config.get_num_threads()} threads, not {threads}")
    if error is None:
        well_formed(target, result)
        well_formed(target, args)
        return
    if isinstance(error, REFUSED) or not isinstance(error, ALLOWED):
        excused = isinstance(error, RecursionError) and maker.endless
        excused |= type(error) is AssertionError and target.name.endswith(ASSERTIONS)
        if not excused and not (isinstance(error, ZeroDivisionError) and ": " in words(error)):
            raise Fault(f"{target}: {type(error).__name__}: {words(error):.300}")
    if not words(error).strip() and not isinstance(error, WORDLESS):
        raise Fault(f"{target}: {type(error).__name__} without words")
    if is_bare(error) and not maker.lies and not target.name.endswith(NO_WORDS_OF_OURS):
        raise Fault(f"{target}: of something inside: {type(error).__name__}: {words(error):.200}")
    is_abstract = isinstance(error, NotImplementedError)
    if before and not maker.mischief and not is_abstract and not target.name.endswith(PARTIAL):
        after = bits_of((args, kwargs))
        if after != before:
            raise Fault(f"{target}: raised {error!r:.150}, and changed {difference(before, after)}")


def words(error):
    """Its message. A KeyError has the repr() of a key, which may be an object without one."""
    try:
        return str(error)
    except Exception:
        return "no words"


def is_bare(error):
    """Is it Python's own complaint, of pyml's code and not of a function of the caller?"""
    files = {frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)}
    return arguments.__file__ not in files and OF_THE_INSIDE.search(words(error)) is not None


def instance(maker, target):
    """(an instance of one of the target's classes,), made as a user would."""
    cls = one_of(target.classes, maker.rng)
    if maker.chance(0.03):
        maker.lies = True
        return (cls.__new__(cls),)
    if issubclass(cls, pyml.Tensor):
        t = maker.tensor()
        return (t if cls is pyml.Tensor else cls(t.detach()),)
    if issubclass(cls, pyml.autograd.Node):
        x = pyml.from_numpy(maker.numbers(maker.shape, "float32")).requires_grad_()
        return (maker.choose([x * 2, x.exp(), x.sum(), x + 1, x.reshape(-1), x[...]]).grad_fn,)
    if issubclass(cls, pyml.recording.Recorded):
        return (recorded(maker),)
    if issubclass(cls, HookHandle):
        t = maker.tensor(dtype="float32").detach().requires_grad_()
        return (t.register_hook(maker.function()),)
    for _ in range(6):
        args, kwargs = maker.call(parameters_of(cls), hostility=0)
        with contextlib.suppress(*ALLOWED):
            made = cls(*args, **kwargs)
            if isinstance(made, cls):  # no_grad(function) is a function
                return (made,)
    raise ValueError("no instance")


def recorded(maker):
    """A recorded step: one of the caller's functions, or a training that was called already."""
    function, how = maker.function(), maker.choose(["error", "eager"])
    if maker.chance(0.4):
        return pyml.record(function, unrecordable=how)
    layer = nn.Linear(3, 2)
    optimizer = optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)

    def step(x, *more):
        optimizer.zero_grad()
        loss = (layer(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    result = pyml.record(step, unrecordable=how)
    for _ in range(maker.integer(0, 4)):
        result(maker.tensor((6, 3), "float32").detach())
    return result


def well_formed(target, value, depth=0):
    """Every tensor in a value is what it says that it is, and its memory can be read."""
    if depth > 4:
        return
    if isinstance(value, pyml.Tensor):
        array = value.array
        if nn.parameter.is_lazy(value):  # it has no shape yet
            return
        if value.shape != array.shape or value.dtype != array.dtype or value.ndim != array.ndim:
            raise Fault(f"{target}: a tensor of shape {value.shape} on an array of {array.shape}")
        if array.dtype.kind not in "biuf" or not array.dtype.isnative or array.dtype in UNKNOWN:
            raise Fault(f"{target}: a tensor of dtype {array.dtype!r}")
        if value.is_contiguous() != array.flags.c_contiguous:
            raise Fault(f"{target}: is_contiguous() is {value.is_contiguous()}")
        if value.numel() != array.size or len(value.stride()) != array.ndim:
            raise Fault(f"{target}: numel {value.numel()}, stride {value.stride()}, {array.shape}")
        if value.requires_grad and array.dtype.kind != "f":
            raise Fault(f"{target}: a tensor of {array.dtype} that requires grad")
        if value.grad is not None:
            if value.grad.shape != value.shape or value.grad.dtype != value.dtype:
                raise Fault(f"{target}: gradient {describe(value.grad)} of {describe(value)}")
            well_formed(target, value.grad, depth + 1)
        array.tobytes()
        if value.grad_fn is not None and len(value.grad_fn.next_functions) > 1000:
            raise Fault(f"{target}: a node of {len(value.grad_fn.next_functions)} inputs")
    elif isinstance(value, np.ndarray):
        if not value.dtype.hasobject:
            value.tobytes()
    elif isinstance(value, (list, tuple)):
        for item in value[:50]:
            well_formed(target, item, depth + 1)
    elif isinstance(value, dict):
        for item in list(value.values())[:50]:
            well_formed(target, item, depth + 1)
    elif type(value).__module__.startswith("pyml"):
        well_formed(target, getattr(value, "__dict__", {}), depth + 1)


def numbers_of(value, depth=0):
    """The bits of the tensors and arrays of a result, NaN as one NaN."""
    if isinstance(value, pyml.Tensor):
        value = value.array
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "fc":
            value = np.where(np.isnan(value), np.nan, value).astype(value.dtype)
        padded = value.dtype.hasobject or value.dtype.itemsize > 8 or value.dtype.fields
        return (str(value.dtype), value.shape, b"" if padded else value.tobytes())
    if isinstance(value, (list, tuple)) and depth < 4:
        return tuple(numbers_of(item, depth + 1) for item in value)
    return type(value).__name__


def difference(before, after):
    """Where two of bits_of() first differ."""
    if isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after):
        for i, (a, b) in enumerate(zip(before, after, strict=True)):
            if a != b:
                return f"[{i}]{difference(a, b)}"
    return f": {before!r:.80} -> {after!r:.80}"


@contextlib.contextmanager
def limited(of_processor=False):
    """Interrupts what takes longer than SECONDS; again and again, if something swallows that.

    of_processor: seconds that this process has computed, however busy the machine is.
    """
    timer, number = signal.ITIMER_REAL, signal.SIGALRM
    if of_processor:
        timer, number = signal.ITIMER_PROF, signal.SIGPROF
    before = signal.signal(number, _interrupt)
    signal.setitimer(timer, SECONDS, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(timer, 0)
        signal.signal(number, before)


@contextlib.contextmanager
def quiet():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(io.StringIO()):
            yield


def planted(function):
    """An attack on one function, to see that it is found out."""
    return lambda rng, tell: attack_target(Target(function.__name__, function), rng, tell)
