"""Parts of functions, and operators, are changed between two calls."""

import functools
import os
import types

import numpy as np

import pyml
from record.loops.changing import refused, seen

# ---- functions -----------------------------------------------------------------------------------


def defaults(a=1.0, *, b=1.0):
    return a * b


@seen
def defaults_of_a_helper():
    defaults.__defaults__ = (1.0,)

    def change():
        defaults.__defaults__ = (2.0,)

    return lambda x: x * defaults(), change


@seen
def keyword_defaults_of_a_helper():
    defaults.__kwdefaults__ = {"b": 1.0}

    def change():
        defaults.__kwdefaults__["b"] = 2.0

    return lambda x: x * defaults(), change


@seen
def keyword_defaults_are_replaced():
    defaults.__kwdefaults__ = {"b": 1.0}

    def change():
        defaults.__kwdefaults__ = {"b": 2.0}

    return lambda x: x * defaults(), change


@seen
def keyword_defaults_appear():
    def f(*, b):
        return b

    f.__kwdefaults__ = None

    def step(x):
        try:
            return x * f()
        except TypeError:
            return x

    def change():
        f.__kwdefaults__ = {"b": 2.0}

    return step, change


@seen
def defaults_that_are_read():
    defaults.__defaults__ = (1.0,)

    def change():
        defaults.__defaults__ = (2.0,)

    return lambda x: x * defaults.__defaults__[0], change


@seen
def cell_that_is_read():
    a = 1.0

    def inner():
        return a

    def change():
        nonlocal a
        a = 2.0

    return lambda x: x * inner.__closure__[0].cell_contents, change


@seen
def cell_of_a_change():
    a = 1.0

    def inner():
        nonlocal a
        a = a + 1

    cell = inner.__closure__[0]

    def change():
        nonlocal a
        a = 2.0

    return lambda x: x * cell.cell_contents, change


@seen
def a_cell_by_hand():
    cell = types.CellType(1.0)

    def change():
        cell.cell_contents = 2.0

    return lambda x: x * cell.cell_contents, change


@seen
def code_of_a_helper():
    def f():
        return 1.0

    def g():
        return 2.0

    def change():
        f.__code__ = g.__code__

    return lambda x: x * f(), change


@seen
def attribute_of_a_function():
    def f():
        return f.scale

    f.scale = 1.0

    def change():
        f.scale = 2.0

    return lambda x: x * f(), change


@seen
def attribute_of_a_function_by_dict():
    def f():
        return vars(f)["scale"]

    f.scale = 1.0

    def change():
        f.scale = 2.0

    return lambda x: x * f(), change


@seen
def annotations_of_a_function():
    def f() -> 1:
        pass

    def change():
        f.__annotations__["return"] = 2

    return lambda x: x * f.__annotations__["return"], change


@seen
def documentation_of_a_function():
    def f():
        """1"""

    def change():
        f.__doc__ = "2"

    return lambda x: x * int(f.__doc__), change


@seen
def name_of_a_function():
    def f():
        pass

    f.__name__ = "one"

    def change():
        f.__name__ = "three"

    return lambda x: x * len(f.__name__), change


@seen
def name_of_a_class():
    class One:
        pass

    def change():
        One.__name__ = "Three"

    return lambda x: x * len(One.__name__), change


@seen
def class_of_an_object():
    class One:
        factor = 1.0

    class Two:
        factor = 2.0

    s = One()

    def change():
        s.__class__ = Two

    return lambda x: x * s.factor, change


@seen
def class_of_an_object_is_asked():
    class One:
        pass

    class Two:
        pass

    s = One()

    def change():
        s.__class__ = Two

    return lambda x: x * (1.0 if isinstance(s, One) else 2.0), change


@seen
def bases_of_a_class():
    class One:
        factor = 1.0

    class Two:
        factor = 2.0

    class Derived(One):
        pass

    def change():
        Derived.__bases__ = (Two,)

    return lambda x: x * Derived.factor, change


@seen
def partial_arguments():
    p = functools.partial(lambda a, b=1.0: a * b, b=1.0)

    def change():
        p.keywords["b"] = 2.0

    return lambda x: p(x), change


@seen
def partial_set_state():
    p = functools.partial(lambda a, b=1.0: a * b, b=1.0)

    def change():
        p.__setstate__((p.func, (), {"b": 2.0}, {}))

    return lambda x: p(x), change


@seen
def cache_of_a_function():
    box = {"a": 1.0}

    @functools.cache
    def f():
        return box["a"]

    def change():
        box["a"] = 2.0
        f.cache_clear()

    return lambda x: x * f(), change


@seen
def cache_that_hides_a_change():
    box = {"a": 1.0}

    @functools.cache
    def f():
        return box["a"]

    def change():
        box["a"] = 2.0

    return lambda x: x * f(), change


@seen
def cached_property():
    class Cached:
        def __init__(self):
            self.base = 1.0

        @functools.cached_property
        def value(self):
            return self.base

    s = Cached()

    def change():
        s.base = 2.0
        del s.value

    return lambda x: x * s.value, change


@seen
def single_dispatch():
    @functools.singledispatch
    def f(value):
        return 1.0

    def change():
        f.register(int, lambda value: 2.0)

    return lambda x: x * f(1), change


@seen
def single_dispatch_of_a_registered_function():
    box = {"a": 1.0}

    @functools.singledispatch
    def f(value):
        return 5.0

    @f.register(int)
    def _(value):
        return box["a"]

    return lambda x: x * f(1), lambda: box.update(a=2.0)


# the first releases of Python 3.13 kept what they found in weak references
def single_dispatch_method():
    class Dispatching:
        def __init__(self):
            self.number, self.text = 1.0, 3.0

        @functools.singledispatchmethod
        def of(self, value):
            return self.text

        @of.register
        def _(self, value: int):
            return self.number

    s = Dispatching()

    def change():
        s.number = 2.0

    return lambda x: x * s.of(1), change


seen(
    single_dispatch_method,
    "refused" if hasattr(functools.singledispatchmethod(abs), "_method_cache") else "recorded",
)


@seen
def partial_method():
    class Partial:
        def __init__(self):
            self.number = 1.0

        def times(self, by):
            return self.number * by

        twice = functools.partialmethod(times, 2)

    s = Partial()

    def change():
        s.number = 2.0

    return lambda x: x * s.twice(), change


@seen
def wrapped_by_a_class():
    class Wrapper:
        def __init__(self, function):
            functools.update_wrapper(self, function)
            self.function, self.scale = function, 1.0

        def __call__(self, x):
            return self.function(x) * self.scale

    w = Wrapper(lambda x: x)

    def change():
        w.scale = 2.0

    return lambda x: w(x), change


# ---- operators that Python calls -----------------------------------------------------------------


def with_operator(name, use, reads=lambda self, *args: HELD["value"]):
    """A step that uses an operator of an object whose method reads a global dict."""
    HELD["value"] = 1.0
    s = type("Operator", (), {name: reads})()
    return lambda x: use(x, s), lambda: HELD.update(value=2.0)


HELD = {"value": 1.0}


@seen
def operator_add():
    return with_operator("__add__", lambda x, s: x * (s + 1))


@seen
def operator_radd():
    return with_operator("__radd__", lambda x, s: x * (1 + s))


@seen
def operator_matmul():
    return with_operator("__matmul__", lambda x, s: x * (s @ 1))


@seen
def operator_neg():
    return with_operator("__neg__", lambda x, s: x * -s)


@seen
def operator_round():
    return with_operator("__round__", lambda x, s: x * round(s))


@seen
def operator_abs():
    return with_operator("__abs__", lambda x, s: x * abs(s))


@refused
def operator_format():
    return with_operator(
        "__format__", lambda x, s: x * float(f"{s}"), lambda self, spec: str(HELD["value"])
    )


@refused
def operator_str():
    return with_operator("__str__", lambda x, s: x * float(str(s)), lambda self: str(HELD["value"]))


@refused
def operator_repr():
    return with_operator(
        "__repr__", lambda x, s: x * float(repr(s)), lambda self: str(HELD["value"])
    )


@seen
def operator_hash():
    return with_operator("__hash__", lambda x, s: x * hash(s), lambda self: int(HELD["value"]))


@seen
def operator_missing():
    HELD["value"] = 1.0

    class Missing(dict):
        def __missing__(self, key):
            return HELD["value"]

    d = Missing()
    return lambda x: x * d["a"], lambda: HELD.update(value=2.0)


@seen
def operator_fspath():
    return with_operator(
        "__fspath__", lambda x, s: x * float(os.fspath(s)), lambda self: str(HELD["value"])
    )


@seen
def operator_enter():
    HELD["value"] = 1.0

    class Context:
        def __enter__(self):
            return HELD["value"]

        def __exit__(self, *args):
            pass

    c = Context()

    def step(x):
        with c as v:
            return x * v

    return step, lambda: HELD.update(value=2.0)


@seen
def operator_reversed():
    return with_operator(
        "__reversed__", lambda x, s: x * sum(reversed(s)), lambda self: iter([HELD["value"]])
    )


@refused
def operator_array():
    return with_operator(
        "__array__",
        lambda x, s: x * pyml.tensor(np.asarray(s)),
        lambda self, *a, **k: np.full(3, HELD["value"], np.float32),
    )
