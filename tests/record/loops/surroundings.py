"""Environment, context, files and libraries are changed between two calls."""

import contextvars
import functools
import gc
import logging
import operator
import os
import queue
import sys
import threading
import time
import types
import typing
from types import SimpleNamespace

import numpy as np

import pyml
from pyml import nn, optim
from record.loops.changing import Setting, of_setting, refused, seen

HELD = {"value": 1.0}
THIS = sys.modules[__name__]


# ---- the surroundings ----------------------------------------------------------------------------

VARIABLE = contextvars.ContextVar("variable", default=1.0)
LOCAL = threading.local()


@seen
def context_variable():
    VARIABLE.set(1.0)
    return lambda x: x * VARIABLE.get(), lambda: VARIABLE.set(2.0)


@seen
def context_variable_bound_get():
    VARIABLE.set(1.0)
    get = VARIABLE.get
    return lambda x: x * get(), lambda: VARIABLE.set(2.0)


@refused
def context_copied():
    VARIABLE.set(1.0)
    return lambda x: x * contextvars.copy_context()[VARIABLE], lambda: VARIABLE.set(2.0)


@seen
def thread_local():
    LOCAL.value = 1.0

    def change():
        LOCAL.value = 2.0

    return lambda x: x * LOCAL.value, change


@seen
def thread_local_by_getattr():
    LOCAL.value = 1.0

    def change():
        LOCAL.value = 2.0

    return lambda x: x * getattr(LOCAL, "val" + "ue".lower()), change


@seen
def derived_thread_local():
    class Own(threading.local):
        value = 1.0

    local = Own()

    def change():
        local.value = 2.0

    return lambda x: x * local.value, change


def of_environment(step):
    os.environ["PYML_TEST_ODD"] = "1"

    def change():
        os.environ["PYML_TEST_ODD"] = "2"

    return step, change, lambda: os.environ.pop("PYML_TEST_ODD")


@seen
def environment():
    return of_environment(lambda x: x * float(os.environ["PYML_TEST_ODD"]))


@seen
def environment_by_getenv():
    return of_environment(lambda x: x * float(os.getenv("PYML_TEST_ODD")))


@seen
def environment_by_a_name():
    environ = os.environ
    return of_environment(lambda x: x * float(environ["PYML_TEST_ODD"]))


@seen
def environment_by_a_bound_get():
    get = os.environ.get
    return of_environment(lambda x: x * float(get("PYML_TEST_ODD")))


@seen
def getenv_by_a_name():
    getenv = os.getenv
    return of_environment(lambda x: x * float(getenv("PYML_TEST_ODD")))


@seen
def environment_copied():
    return of_environment(lambda x: x * float(dict(os.environ)["PYML_TEST_ODD"]))


@seen
def arguments_of_the_program():
    return lambda x: x * len(sys.argv), lambda: sys.argv.append("more"), sys.argv.pop


@refused
def recursion_limit():
    limit = sys.getrecursionlimit()

    def change():
        sys.setrecursionlimit(limit + 1)

    return lambda x: x * sys.getrecursionlimit(), change, lambda: sys.setrecursionlimit(limit)


@refused
def working_directory():
    before = os.getcwd()
    return lambda x: x * len(os.getcwd()), lambda: os.chdir("/"), lambda: os.chdir(before)


@refused
def a_file_that_exists():
    import tempfile

    path = os.path.join(tempfile.mkdtemp(), "flag")

    def change():
        open(path, "w").close()

    return lambda x: x * (2.0 if os.path.exists(path) else 1.0), change


@refused
def a_file_that_is_read():
    import pathlib
    import tempfile

    path = pathlib.Path(tempfile.mkdtemp()) / "value"
    path.write_text("1")
    return lambda x: x * float(path.read_text()), lambda: path.write_text("2")


@refused
def a_file_that_is_opened():
    import pathlib
    import tempfile

    path = pathlib.Path(tempfile.mkdtemp()) / "value"
    path.write_text("1")

    def step(x):
        with open(path) as file:
            return x * float(file.read())

    return step, lambda: path.write_text("2")


@refused
def state_of_numpy():
    before = np.geterr()

    def step(x):
        return x * (2.0 if np.geterr()["over"] == "ignore" else 1.0)

    return step, lambda: np.seterr(over="ignore"), lambda: np.seterr(**before)


@refused
def current_thread_name():
    thread = threading.current_thread()
    name = thread.name

    def change():
        thread.name = "longer " + name

    def undo():
        thread.name = name

    return lambda x: x * len(threading.current_thread().name), change, undo


@refused
def loaded_modules():
    def step(x):
        return x * (2.0 if "odd_module" in sys.modules else 1.0)

    def change():
        sys.modules["odd_module"] = THIS

    return step, change, lambda: sys.modules.pop("odd_module", None)


@seen
def tracing():
    box = [1.0]

    def change():
        box[0] = 2.0

    return lambda x: x * functools.reduce(operator.mul, box), change


@refused
def referrers():
    import gc

    s = Setting()
    held = []

    def change():
        held.append([s])

    return lambda x: x * (1.0 + sum(isinstance(r, list) for r in gc.get_referrers(s))), change


# ---- libraries -----------------------------------------------------------------------------------


@refused
def patched_library_function():
    import colorsys

    before = colorsys.rgb_to_hsv
    colorsys.rgb_to_hsv = lambda *a: 1.0

    def change():
        colorsys.rgb_to_hsv = lambda *a: 2.0

    def undo():
        colorsys.rgb_to_hsv = before

    return lambda x: x * colorsys.rgb_to_hsv(1, 1, 1), change, undo


@seen
def patched_builtin():
    import builtins

    builtins.odd_builtin = 1.0

    def change():
        builtins.odd_builtin = 2.0

    def undo():
        del builtins.odd_builtin

    return lambda x: x * odd_builtin, change, undo  # noqa: F821


@seen
def shadowed_builtin():
    def change():
        globals()["abs"] = lambda v: 2.0

    return lambda x: x * abs(1.0), change, lambda: globals().pop("abs", None)


@seen
def builtins_by_its_module():
    import builtins

    builtins.odd_builtin = 1.0

    def change():
        builtins.odd_builtin = 2.0

    def undo():
        del builtins.odd_builtin

    return lambda x: x * builtins.odd_builtin, change, undo


@seen
def numpy_constant_patched():
    np.odd = 1.0

    def change():
        np.odd = 2.0

    def undo():
        del np.odd

    return lambda x: x * np.odd, change, undo


@seen
def a_date_held():
    import datetime

    s = [datetime.date(2020, 1, 1)]

    def change():
        s[0] = datetime.date(2021, 1, 1)

    return lambda x: x * s[0].year, change


@seen
def a_path_held():
    import pathlib

    s = SimpleNamespace(path=pathlib.Path("a"))

    def change():
        s.path = pathlib.Path("aaa")

    return lambda x: x * len(str(s.path)), change


@seen
def argparse_namespace():
    import argparse

    s = argparse.Namespace(value=1.0)

    def change():
        s.value = 2.0

    return lambda x: x * s.value, change


@seen
def argparse_namespace_as_data():
    import argparse

    s = argparse.Namespace(value=1.0)

    def change():
        s.value = 2.0

    return lambda x: x * vars(s)["value"], change


@seen
def configparser():
    import configparser as c

    s = c.ConfigParser()
    s.read_dict({"a": {"v": "1"}})

    def change():
        s["a"]["v"] = "2"

    return lambda x: x * s.getfloat("a", "v"), change


@refused
def string_buffer():
    import io

    s = io.StringIO("1")

    def change():
        s.seek(0)
        s.truncate()
        s.write("2")

    return lambda x: x * float(s.getvalue()), change


@seen
def event_of_threading():
    e = threading.Event()
    return lambda x: x * (2.0 if e.is_set() else 1.0), lambda: e.set()


@seen
def queue_size():
    import queue

    q = queue.Queue()
    return lambda x: x * (1.0 + q.qsize()), lambda: q.put(1)


@seen
def heap():
    import heapq

    h = [1.0]
    return lambda x: x * heapq.nsmallest(1, h)[0], lambda: heapq.heappush(h, 0.5)


@seen
def stack_of_contexts():
    import contextlib

    @contextlib.contextmanager
    def scale():
        yield box[0]

    box = [1.0]

    def step(x):
        with scale() as v:
            return x * v

    def change():
        box[0] = 2.0

    return step, change


@seen
def dataclass_field():
    import dataclasses

    @dataclasses.dataclass
    class Config:
        value: float = 1.0

    s = Config()

    def change():
        s.value = 2.0

    return lambda x: x * dataclasses.asdict(s)["value"], change


@seen
def dataclass_with_slots():
    import dataclasses

    @dataclasses.dataclass(slots=True)
    class Config:
        value: float = 1.0

    s = Config()

    def change():
        s.value = 2.0

    return lambda x: x * dataclasses.astuple(s)[0], change


@seen
def frozen_dataclass():
    import dataclasses

    @dataclasses.dataclass(frozen=True)
    class Config:
        value: float = 1.0

    s = Config()

    def change():
        object.__setattr__(s, "value", 2.0)

    return lambda x: x * s.value, change


@seen
def replaced_dataclass():
    import dataclasses

    @dataclasses.dataclass(frozen=True)
    class Config:
        value: float = 1.0

    s = [Config()]

    def change():
        s[0] = dataclasses.replace(s[0], value=2.0)

    return lambda x: x * s[0].value, change


@seen
def pickled_state():
    import pickle

    return of_setting(lambda s: lambda x: x * pickle.loads(pickle.dumps(s)).value)


@seen
def deep_copied_state():
    import copy

    return of_setting(lambda s: lambda x: x * copy.deepcopy(s).value)


@seen
def copied_state_by_vars():
    import copy

    return of_setting(lambda s: lambda x: x * vars(copy.copy(s))["val" + "ue"])


@seen
def match_by_attributes():
    class Point:
        __match_args__ = ("hidden",)

        def __init__(self):
            self.hidden = 1.0

    s = Point()

    def step(x):
        match s:
            case Point(v):
                return x * v

    def change():
        s.hidden = 2.0

    return step, change


@seen
def match_by_keyword():
    s = Setting()

    def step(x):
        match s:
            case Setting(value=v):
                return x * v

    def change():
        s.value = 2.0

    return step, change


@seen
def formatted_field():
    return of_setting(lambda s: lambda x: x * float("{0.value}".format(s)))  # noqa: UP030, UP032


@seen
def formatted_by_a_template():
    template = "{s.value}"
    return of_setting(lambda s: lambda x: x * float(template.format(s=s)))


@seen
def unpacked_object():
    class Unpacked:
        def __init__(self):
            self.inner = [1.0, 1.0]

        def __iter__(self):
            return iter(self.inner)

    s = Unpacked()

    def step(x):
        a, b = s
        return x * a * b

    def change():
        s.inner[0] = 2.0

    return step, change


@seen
def mapping_unpacked():
    class Map:
        def __init__(self):
            self.inner = {"a": 1.0}

        def keys(self):
            return self.inner.keys()

        def __getitem__(self, k):
            return self.inner[k]

    s = Map()

    def f(a):
        return a

    return lambda x: x * f(**s), lambda: s.inner.update(a=2.0)


@seen
def nested_in_a_frozen_set():
    class Key:
        def __init__(self):
            self.value = 1.0

    k = Key()
    s = frozenset([k])

    def change():
        k.value = 2.0

    return lambda x: x * sum(each.value for each in s), change


@seen
def key_of_a_dict():
    class Key:
        def __init__(self):
            self.value = 1.0

    k = Key()
    s = {k: 1}

    def change():
        k.value = 2.0

    return lambda x: x * sum(each.value for each in s), change


@seen
def instance_of_an_exception():
    e = ValueError(1.0)

    def change():
        e.args = (2.0,)

    return lambda x: x * e.args[0], change


@seen
def slice_held():
    s = [slice(0, 1)]

    def change():
        s[0] = slice(0, 2)

    return lambda x: x[s[0]].sum(), change


@seen
def generic_alias():
    class Box:
        def __init__(self):
            self.value = [1.0]

    b = Box()
    values = b.value.__iter__
    return lambda x: x * sum(values()), lambda: b.value.append(1.0)


@seen
def zip_made_in_the_step():
    a, b = [1.0], [1.0]
    pairs = functools.partial(zip, a, b)
    return lambda x: x * sum(u * v for u, v in pairs()), lambda: b.__setitem__(0, 2.0)


@seen
def super_attribute():
    class Base:
        scale = 1.0

    class Derived(Base):
        scale = 9.0

        def get(self):
            return super().scale

    s = Derived()

    def change():
        Base.scale = 2.0

    return lambda x: x * s.get(), change


@seen
def module_getattr():
    def found(name):
        if name == "odd_late":
            return HELD["value"]
        raise AttributeError(name)

    HELD["value"] = 1.0
    THIS.__getattr__ = found

    def undo():
        del THIS.__getattr__

    return lambda x: x * THIS.odd_late, lambda: HELD.update(value=2.0), undo


@seen
def nested_recorded():
    box = [1.0]
    inner = pyml.record(lambda x: x * box[0])

    def change():
        box[0] = 2.0

    return lambda x: inner(x) * 1.0, change


# ---- what Python and libraries say of themselves -------------------------------------------------


@typing.runtime_checkable
class HasSize(typing.Protocol):
    def size(self): ...


@seen
def instance_of_a_protocol():
    s = Setting()
    return lambda x: x * (2.0 if isinstance(s, HasSize) else 1.0), lambda: setattr(s, "size", len)


def of_module(step):
    """A step that imports a module, which is replaced."""
    modules = [types.ModuleType("replaced_settings") for _ in range(2)]
    modules[0].W, modules[1].W = 1.0, 2.0
    sys.modules["replaced_settings"] = modules[0]

    def change():
        sys.modules["replaced_settings"] = modules[1]

    return step, change, lambda: sys.modules.pop("replaced_settings")


@seen
def import_of_a_module_that_is_replaced():
    def step(x):
        import replaced_settings

        return x * replaced_settings.W

    return of_module(step)


@seen
def import_from_a_module_that_is_replaced():
    def step(x):
        from replaced_settings import W

        return x * W

    return of_module(step)


@seen
def relative_import_in_the_step():
    def step(x):
        from . import surroundings

        return x * surroundings.HELD["value"]

    HELD["value"] = 1.0
    return step, lambda: HELD.update(value=2.0)


@seen
def relative_import_of_a_module_that_is_replaced():
    def step(x):
        from .replaced import W

        return x * W

    name = f"{__package__}.replaced"
    modules = [types.ModuleType(name) for _ in range(2)]
    modules[0].W, modules[1].W = 1.0, 2.0
    sys.modules[name] = modules[0]
    return step, lambda: sys.modules.update({name: modules[1]}), lambda: sys.modules.pop(name)


@seen
def path_of_modules():
    return (
        lambda x: x * (2.0 if "/other" in sys.path else 1.0),
        lambda: sys.path.append("/other"),
        sys.path.pop,
    )


LOGGER = logging.getLogger("pyml.test.below")


@seen
def level_of_a_logger_above():
    above = logging.getLogger("pyml.test")
    above.setLevel(10)
    return lambda x: x * LOGGER.getEffectiveLevel(), lambda: above.setLevel(20)


@seen
def logging_disabled():
    logging.getLogger("pyml.test").setLevel(10)
    return (
        lambda x: x * (1.0 if LOGGER.isEnabledFor(20) else 2.0),
        lambda: logging.disable(50),
        lambda: logging.disable(0),
    )


def of_optimizer(step):
    optimizer = optim.SGD([nn.Parameter(pyml.ones(1))], lr=0.1)
    return lambda x: step(x, optimizer), lambda: optimizer.param_groups[0].update(lr=0.5)


@refused
def text_of_an_optimizer():
    return of_optimizer(lambda x, optimizer: x * (2.0 if "0.5" in str(optimizer) else 1.0))


@refused
def seed_of_pyml():
    pyml.manual_seed(1)
    return lambda x: x * pyml.initial_seed(), lambda: pyml.manual_seed(2)


@refused
def seed_of_a_generator():
    generator = pyml.Generator().manual_seed(1)
    return lambda x: x * generator.initial_seed(), lambda: generator.manual_seed(2)


@refused
def threads_of_pyml():
    before = pyml.get_num_threads()
    return (
        lambda x: x * pyml.get_num_threads(),
        lambda: pyml.set_num_threads(before + 1),
        lambda: pyml.set_num_threads(before),
    )


@refused
def locked():
    lock = threading.Lock()
    return lambda x: x * (1.0 + lock.locked()), lock.acquire


@refused
def empty_queue():
    q = queue.SimpleQueue()
    return lambda x: x * (1.0 + q.empty()), lambda: q.put(1)


@refused
def process():
    return lambda x: x * os.getpid(), lambda: None


@refused
def collects_garbage():
    return lambda x: x * (1.0 + gc.isenabled()), gc.disable, gc.enable


@refused
def number_of_threads():
    return lambda x: x * threading.active_count(), lambda: None


@refused
def local_time():
    return lambda x: x * (1.0 + time.localtime(0).tm_year), lambda: None


@refused
def identity_of_an_argument():
    return lambda x: x * (1.0 if id(x) == id(HELD) else 2.0), lambda: None


@refused
def address_of_an_argument():
    return lambda x: x * (1.0 if x.data_ptr() == 1 else 2.0), lambda: None


@seen
def identity_and_address_of_a_parameter():
    """What a step looks up by them is ordinary."""
    w = nn.Parameter(pyml.ones(1))
    factors = {id(w): 1.0, w.data_ptr(): 1.0}
    return (
        lambda x: x * factors[id(w)] * factors[w.data_ptr()],
        lambda: factors.update({id(w): 2.0}),
    )
