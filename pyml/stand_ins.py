"""Names that programs for PyTorch import and pyml leaves out: honest classes and functions.

Importing them and asking isinstance() works. What does no wrong by doing nothing does nothing, as
compile(); what cannot work raises NotImplementedError with the cure.
"""

import multiprocessing
import warnings
from collections.abc import Iterable
from contextlib import ContextDecorator, contextmanager, nullcontext
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

import numpy as np

from pyml import hooks, nn, optim, random
from pyml.amp import autocast
from pyml.attributes import dtype
from pyml.config import show_config
from pyml.device_names import device
from pyml.grad_mode import no_grad
from pyml.left_out import FAMILIES, family_of
from pyml.ops.creation import from_numpy, randn
from pyml.tensor import Tensor

__all__ = ["ALIASES", "STAND_INS", "get_rng_state", "stand_in", "whole"]

CLASSES_OF = {  # families whose classes can be imported
    *("convolution", "pooling", "images", "recurrent", "attention", "sparse", "device"),
    "distributed",
}
FUNCTIONS_OF = {"convolution", "pooling", "images", "recurrent"}  # and whose functions
WHOLE = {  # packages that are left out with all their names, by families
    "distributed": """
        distributed.algorithms distributed.checkpoint distributed.device_mesh distributed.elastic
        distributed.distributed_c10d distributed.fsdp distributed.nn distributed.optim
        distributed.pipelining distributed.rpc distributed.tensor""",
    "machinery": """
        _higher_order_ops _inductor _prims_common autograd.profiler fx hub library onnx overrides
        profiler utils.flop_counter utils.module_tracker""",
    "complex": "fft",
    "sparse": "sparse",
    "storage": "storage",
}


def whole(module):
    """The family of a package that is left out whole, where torch's `module` is one or in one."""
    for family, packages in WHOLE.items():
        if any(f"{module}.".startswith(f"{package}.") for package in packages.split()):
            return family
    return None


@cache  # one class for a name, wherever it is imported from
def stand_in(module, name):
    """What stands for a name that is left out; None if nothing does.

    Functions that programs look for before they use another have none.

    Args:
        module: the module of torch, as "nn.functional".
        name: the name there.
    """
    if module == "torch" and name.startswith("_foreach_"):
        method = name.removeprefix("_foreach_")
        return partial(foreach, method) if hasattr(Tensor, method) else None
    all_left_out = whole(module)
    family = all_left_out or family_of(module, name)
    if (all_left_out or family in CLASSES_OF) and name.lstrip("_")[:1].isupper():
        return refusing_class(module, name, FAMILIES[family])
    if all_left_out or family in FUNCTIONS_OF:
        return refused(f"{module}.{name}", FAMILIES[family].why)
    return None


def refusing_class(module, name, family):
    """A class of PyTorch's name and kind that cannot be built."""

    def __init__(self, *args, **kwargs):
        raise NotImplementedError(f"{module}.{type(self).__name__}: {family.why}")

    base = optim.Optimizer if module == "optim" else nn.Module if module[:2] == "nn" else object
    if "Conv" in name:
        base = ConvNd
    elif name in ("RNN", "LSTM", "GRU"):
        base = RNNBase
    doc = f"Left out: {family.reason}."
    return type(name, (base,), {"__init__": __init__, "__doc__": doc, "__module__": __name__})


def refused(name, why, error=NotImplementedError):
    """A function that raises `error`."""

    def function(*args, **kwargs):
        raise error(f"{name}: {why}")

    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    function.__doc__ = f"Not there: {why}."
    return function


class ConvNd(nn.Module):
    """What convolutions are instances of."""


class RNNBase(nn.Module):
    """What recurrent layers are instances of."""

    __init__ = refused("nn.RNNBase", FAMILIES["recurrent"].why)


# ---- compile, jit --------------------------------------------------------------------------------


def compile(model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None, **options):
    """The model or function itself; pyml.record is what makes steps fast."""
    return passed_through if model is None else model


def passed_through(obj, *args, **kwargs):
    """The object itself."""
    return obj


def jit_ignore(drop=False, **kwargs):
    """The function itself, also as `@ignore(drop=True)`."""
    return drop if callable(drop) else passed_through


def disable(fn=None, recursive=True, **kwargs):
    """The function itself, also as `@disable()`."""
    return passed_through if fn is None else fn


def no(*args, **kwargs):
    """False."""
    return False


def nothing(*args, **kwargs):
    """Nothing to do on a CPU."""


def foreach(method, tensors, *others, **options):
    """PyTorch's _foreach_add_ and the like: a method of each tensor; lists of others go along."""
    columns = [x if isinstance(x, (list, tuple)) else [x] * len(tensors) for x in others]
    rows = zip(tensors, *columns, strict=True)
    return [getattr(x, method)(*given, **options) for x, *given in rows]


def configuration():
    """What pyml.show_config() prints, as text."""
    return "\n".join(f"{name}: {value}" for name, value in show_config("dicts").items())


NO_GRAPH = "pyml keeps no graph; pass the function itself, and pyml.record to make it fast"
ONE_PROCESS = "a program is one process; leave it out where distributed.is_available() is False"
NO_FUTURES = "use concurrent.futures.Future"
COLLECTIVES = """
    init_process_group destroy_process_group get_rank get_world_size get_backend new_group
    barrier monitored_barrier broadcast reduce scatter gather send recv all_reduce all_gather
    all_to_all reduce_scatter broadcast_object_list all_gather_object gather_object
    scatter_object_list"""


class ScriptModule(nn.Module):
    """What no module is an instance of: script() gives the module itself."""

    __init__ = refused("jit.ScriptModule", NO_GRAPH)


class ScriptFunction:
    """What no function is an instance of: script() gives the function itself."""

    __init__ = refused("jit.ScriptFunction", NO_GRAPH)


class TracerWarning(Warning):
    """Of a tracer, which there is none of."""


# ---- mixed precision -----------------------------------------------------------------------------


class GradScaler:
    """Scaling of losses, which is off: scale() gives the loss, step() makes the optimizer's step.

    Args:
        device, init_scale, growth_factor, backoff_factor, growth_interval: of no effect.
        enabled: on, where it could be. Default: True.
    """

    def __init__(
        self,
        device="cuda",
        init_scale=2.0**16,
        growth_factor=2.0,
        backoff_factor=0.5,
        growth_interval=2000,
        enabled=True,
    ):
        if enabled:
            warnings.warn("GradScaler: there is no device that needs it, it is off", stacklevel=2)

    def scale(self, outputs):
        """The outputs themselves."""
        return outputs

    def step(self, optimizer, *args, **kwargs):
        """optimizer.step()."""
        return optimizer.step(*args, **kwargs)

    def unscale_(self, optimizer):
        """Nothing to do."""

    def update(self, new_scale=None):
        """Nothing to do."""

    def is_enabled(self):
        """False."""
        return False

    def get_scale(self):
        """1.0."""
        return 1.0

    def state_dict(self):
        """{}, as of PyTorch's where it is off."""
        return {}

    def load_state_dict(self, state_dict):
        """Nothing to do."""


def get_rng_state():
    """The state of the default generator, a tensor of bytes as PyTorch's."""
    return from_numpy(random.get_rng_state().view(np.uint8))


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    """The functions, one after another: what is kept for the backward is kept."""
    for function in functions:
        input = function(input)
    return input


def checkpoint(function, *args, use_reentrant=None, **kwargs):
    """function(*args): what is kept for the backward is kept."""
    known = ("context_fn", "determinism_check", "debug", "early_stop", "preserve_rng_state")
    kwargs = {name: value for name, value in kwargs.items() if name not in known}
    return function(*args, **kwargs)


# ---- parallel ------------------------------------------------------------------------------------


class DataParallel(nn.Module):
    """The module itself: without devices to spread a batch over, PyTorch's does no more.

    Args:
        module: the module, which is the sub-module `module` here.
        device_ids, output_device, dim: None and 0, as there are no devices.
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        if device_ids:
            raise ValueError(f"DataParallel: device_ids is {device_ids!r}; leave it out on a CPU")
        self.module, self.device_ids, self.dim = module, [], dim

    def forward(self, *inputs, **kwargs):
        """module(*inputs, **kwargs)."""
        return self.module(*inputs, **kwargs)


def spawn(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn"):
    """Not there: children would not find torch."""
    raise NotImplementedError(
        "multiprocessing.spawn: start processes by Python's multiprocessing, whose function begins "
        "with `import pyml.as_torch`"
    )


def set_sharing_strategy(new_strategy):
    """Does nothing: shared tensors are sent by their descriptor, others as copies, without one."""
    if new_strategy not in ("file_descriptor", "file_system"):
        raise ValueError(
            f"set_sharing_strategy: new_strategy is {new_strategy!r}, it must be 'file_descriptor' "
            "or 'file_system'"
        )


class Future(Generic[TypeVar("T")]):
    """Not there; concurrent.futures.Future is Python's."""

    __init__ = refused("futures.Future", NO_FUTURES)


# ---- arguments -----------------------------------------------------------------------------------


def parse_to(*args, non_blocking=False, memory_format=None, **named):
    """(device, dtype, non_blocking, memory_format) of the arguments of Tensor.to().

    None stands for a device or dtype that is not given.
    """
    for arg in args:
        if isinstance(arg, Tensor):
            named |= {"device": arg.device, "dtype": arg.dtype}
        elif isinstance(arg, dtype):
            named["dtype"] = arg
        elif isinstance(arg, (str, device)):
            named["device"] = device(arg)
    return named.get("device"), named.get("dtype"), non_blocking, memory_format


# ---- draws ---------------------------------------------------------------------------------------


def standard_normal(shape, dtype, device):
    """Numbers of the normal distribution: randn."""
    return randn(shape, dtype=dtype, device=device)


# ---- profiling -----------------------------------------------------------------------------------


class record_function(ContextDecorator):
    """A name for a part of a profile, of which there is none: does nothing.

    Args:
        name, args: of no effect.
    """

    def __init__(self, name, args=None):
        self.name, self.args = name, args

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False


# ---- the tables ----------------------------------------------------------------------------------


@contextmanager
def safe_globals(safe_globals):
    """A `with` for classes that load may make: it makes none of them."""
    yield


@contextmanager
def flags(**changes):
    """Settings of a backend inside a `with`: they change nothing."""
    yield


def kept_flags(*names):
    """{get_name, set_name} of switches that are remembered: what they choose is one here.

    A parameter is converted in place: it stays the same object, as PyTorch's does with either.
    """
    values = dict.fromkeys(names, False)
    functions = {}
    for name in names:
        functions[f"get_{name}"] = partial(values.get, name)
        functions[f"set_{name}"] = partial(values.__setitem__, name)
    return functions


STAND_INS = {
    "torch": {
        **{
            name: refusing_class("torch", name, FAMILIES["half precision"])
            for name in ("BFloat16Tensor", "HalfTensor")
        },
        "Future": Future,
        "GradScaler": GradScaler,
        "ScriptFunction": ScriptFunction,
        "ScriptModule": ScriptModule,
        "layout": str,
        "memory_format": str,
        "newaxis": None,
        **{
            name: stand_in("storage", name)
            for name in ("PyTorchFileReader", "PyTorchFileWriter", "TypedStorage", "UntypedStorage")
        },
        "compile": compile,
        "get_float32_matmul_precision": lambda: "highest",
        "is_deterministic_algorithms_warn_only_enabled": no,
        "set_float32_matmul_precision": nothing,
    },
    "torch.__config__": {"parallel_info": configuration, "show": configuration},
    "torch.__future__": kept_flags(
        "overwrite_module_params_on_conversion", "swap_module_params_on_conversion"
    ),
    "torch._C": {
        "Generator": random.Generator,
        "TensorBase": Tensor,
        "_disabled_torch_function_impl": nothing,
        "_get_tracing_state": nothing,
        "_TensorMeta": type(Tensor),
        "_log_api_usage_once": nothing,
    },
    "torch._C._nn": {"_parse_to": parse_to},
    "torch._dynamo": {
        "OptimizedModule": stand_in("fx", "OptimizedModule"),
        "config": SimpleNamespace(),
        "disable": disable,
        "is_compiling": no,
        "reset": nothing,
    },
    "torch._utils": {"is_compiling": no},
    "torch.amp": {"GradScaler": GradScaler},
    "torch.amp.grad_scaler": {"GradScaler": GradScaler},
    "torch.autograd.profiler": {"record_function": record_function},
    "torch.backends.cudnn": {"flags": flags},
    "torch.compiler": {
        "disable": disable,
        "is_compiling": no,
        "is_dynamo_compiling": no,
        "is_exporting": no,
        "reset": nothing,
    },
    "torch.cuda": {"_is_in_bad_fork": no},
    "torch.cuda.amp": {"autocast": partial(autocast, "cuda"), "GradScaler": GradScaler},
    "torch.distributed": {
        "is_available": no,
        "is_initialized": no,
        "is_nccl_available": no,
        "is_gloo_available": no,
        "is_mpi_available": no,
        "is_torchelastic_launched": no,
        **{
            name: refused(f"distributed.{name}", ONE_PROCESS, RuntimeError)
            for name in COLLECTIVES.split()
        },
        **{
            name: refusing_class("distributed", name, FAMILIES["distributed"])
            for name in ("Backend", "GroupMember", "ProcessGroup", "ReduceOp", "Store")
        },
    },
    "torch.distributions.utils": {"_standard_normal": standard_normal},
    "torch.futures": {
        "Future": Future,
        **{name: refused(f"futures.{name}", NO_FUTURES) for name in ("collect_all", "wait_all")},
    },
    "torch.jit": {
        "annotate": lambda the_type, the_value: the_value,
        "script": passed_through,
        "unused": passed_through,
        "export": passed_through,
        "ignore": jit_ignore,
        "is_scripting": no,
        "is_tracing": no,
        "TracerWarning": TracerWarning,
        "ScriptModule": ScriptModule,
        "ScriptFunction": ScriptFunction,
        **{
            name: refused(f"jit.{name}", NO_GRAPH)
            for name in ("trace", "trace_module", "save", "load", "freeze")
        },
    },
    "torch.multiprocessing": {
        **{name: getattr(multiprocessing, name) for name in multiprocessing.__all__},
        "spawn": spawn,
        "start_processes": spawn,
        "get_all_sharing_strategies": lambda: {"file_descriptor"},
        "get_sharing_strategy": lambda: "file_descriptor",
        "set_sharing_strategy": set_sharing_strategy,
    },
    "torch.nn": {"DataParallel": DataParallel, "RNNBase": RNNBase},
    "torch.nn.modules.conv": {"_ConvNd": ConvNd},
    "torch.nn.modules.rnn": {"RNNBase": RNNBase},
    "torch.nn.parallel": {"DataParallel": DataParallel},
    "torch.nn.parallel.data_parallel": {"DataParallel": DataParallel},
    "torch.nn.parallel.distributed": {},
    "torch.nn.parallel.scatter_gather": {
        name: refused(f"nn.parallel.scatter_gather.{name}", FAMILIES["device"].why)
        for name in ("gather", "scatter", "scatter_kwargs")
    },
    "torch.nn.utils.rnn": {},
    "torch.optim.optimizer": {  # words of type hints, but for the last
        "DeviceDict": dict,
        "ParamsT": Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]],
        "StateDict": dict[str, Any],
        "_use_grad_for_differentiable": no_grad(),
    },
    "torch.overrides": {
        "get_ignored_functions": frozenset,
        "has_torch_function": no,
        "has_torch_function_unary": no,
        "has_torch_function_variadic": no,
    },
    "torch.profiler": {"kineto_available": no, "record_function": record_function},
    "torch.serialization": {  # load makes nothing but what save took: all of it is safe
        "MAP_LOCATION": Any,
        "add_safe_globals": nothing,
        "clear_safe_globals": nothing,
        "get_safe_globals": list,
        "safe_globals": safe_globals,
    },
    "torch.types": {
        "Device": str | device | int | None,
        "Number": int | float | bool,
        "Tensor": Tensor,
        "_bool": bool,
        "_device": device,
        "_dtype": dtype,
        "_float": float,
        "_int": int,
        "_size": list[int] | tuple[int, ...],
    },
    "torch.utils.checkpoint": {
        "checkpoint": checkpoint,
        "checkpoint_sequential": checkpoint_sequential,
        "set_checkpoint_debug_enabled": nullcontext,
        "set_checkpoint_early_stop": nullcontext,
    },
    "torch.utils.hooks": {"RemovableHandle": hooks.HookHandle},
    "torch.version": {"cuda": None, "hip": None, "debug": False, "git_version": None},
}

ALIASES = {  # names of PyTorch's inside that programs use: where pyml has what they are
    "torch.distributions.constraints": {
        "_CorrCholesky": "pyml.distributions.constraints.CorrCholesky",
        "_IndependentConstraint": "pyml.distributions.constraints.IndependentConstraint",
        "_Real": "pyml.distributions.constraints.Real",
    },
    "torch.distributions.transforms": {
        "_InverseTransform": "pyml.distributions.transforms.InverseTransform"
    },
    "torch.distributions.utils": {
        "_sum_rightmost": "pyml.distributions.utils.sum_rightmost",
    },
    "torch.nn.init": {"_calculate_fan_in_and_fan_out": "pyml.nn.init.fans"},
    "torch.nn.parameter": {"is_lazy": "pyml.nn.parameter.is_lazy"},
    "torch.nn.modules.module": {"_IncompatibleKeys": "pyml.nn.module.IncompatibleKeys"},
    "torch.nn.modules.loss": {
        "_Loss": "pyml.nn.loss.Loss",
        "_WeightedLoss": "pyml.nn.loss.WeightedLoss",
    },
    "torch.autograd.function": {"InplaceFunction": "pyml.autograd.Function"},
    "torch.nn.modules.batchnorm": {
        "_BatchNorm": "pyml.nn.norm.BatchNorm",
        "_NormBase": "pyml.nn.norm.BatchNorm",
    },
    "torch.optim.lr_scheduler": {
        "EPOCH_DEPRECATION_WARNING": "pyml.optim.lr_scheduler.base.EPOCH_DEPRECATION_WARNING",
        "_LRScheduler": "pyml.optim.lr_scheduler.LRScheduler",
    },
    "torch.utils._pytree": {"_get_node_type": "pyml.pytree.node_type"},
    "torch.utils.data.dataloader": {
        "_BaseDataLoaderIter": "pyml.data.pool.WorkerIterator",
        "_MultiProcessingDataLoaderIter": "pyml.data.pool.WorkerIterator",
    },
}
