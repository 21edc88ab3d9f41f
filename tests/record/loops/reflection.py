"""Values are read by computed names, and by functions made elsewhere."""

import functools
import importlib
import inspect
import operator
import sys
import types
import weakref
from types import SimpleNamespace

from record.loops.changing import Setting, of_setting, refused, seen

# ---- globals by their names ----------------------------------------------------------------------

FACTOR = 1.0
THIS = sys.modules[__name__]
NAME = "FACTOR"


def set_factor(value):
    global FACTOR
    FACTOR = value


def of_factor(step):
    """A step that reads the global FACTOR."""
    set_factor(1.0)
    return step, lambda: set_factor(2.0)


@refused
def item_of_globals():
    return of_factor(lambda x: x * globals()["FACTOR"])


@refused
def get_of_globals():
    return of_factor(lambda x: x * globals().get("FACTOR", 3.0))


@refused
def globals_by_another_name():
    g = globals
    return of_factor(lambda x: x * g()["FACTOR"])


@refused
def globals_taken_outside():
    g = globals()
    return of_factor(lambda x: x * g["FACTOR"])


@refused
def item_of_globals_with_a_computed_name():
    return of_factor(lambda x: x * globals()["FAC" + "TOR".upper()])


@seen
def vars_of_this_module():
    return of_factor(lambda x: x * vars(THIS)["FACTOR"])


@refused
def evaluated():
    return of_factor(lambda x: x * eval("FACTOR"))


@refused
def evaluated_compiled():
    code = compile("FACTOR", "<text>", "eval")
    return of_factor(lambda x: x * eval(code))


@refused
def executed():
    def step(x):
        found = {}
        exec("y = FACTOR", globals(), found)
        return x * found["y"]

    return of_factor(step)


@refused
def dunder_import():
    return of_factor(lambda x: x * __import__(__name__, fromlist=["a"]).FACTOR)


@refused
def import_module():
    return of_factor(lambda x: x * importlib.import_module(__name__).FACTOR)


@seen
def import_in_the_step():
    def step(x):
        from record.loops import reflection

        return x * reflection.FACTOR

    return of_factor(step)


@refused
def module_by_sys_modules():
    return of_factor(lambda x: x * sys.modules[__name__].FACTOR)


@refused
def module_by_a_bound_get_of_sys_modules():
    get = sys.modules.get
    return of_factor(lambda x: x * get(__name__).FACTOR)


@seen
def getattr_of_a_module_by_a_computed_name():
    return of_factor(lambda x: x * getattr(THIS, "FAC" + "tor".upper()))


@seen
def getattr_of_a_module_by_a_global_name():
    return of_factor(lambda x: x * getattr(THIS, NAME))


@seen
def getattr_taken_outside():
    get = getattr
    return of_factor(lambda x: x * get(THIS, "fac".upper() + "TOR"))


@seen
def getattribute_of_object():
    return of_factor(lambda x: x * object.__getattribute__(THIS, "FAC" + "tor".upper()))


@seen
def dict_of_this_module():
    return of_factor(lambda x: x * THIS.__dict__["FACTOR"])


@refused
def globals_of_a_function():
    return of_factor(lambda x: x * set_factor.__globals__["FACTOR"])


@refused
def globals_of_a_frame():
    return of_factor(lambda x: x * sys._getframe().f_globals["FACTOR"])


@refused
def globals_of_a_frame_by_inspect():
    return of_factor(lambda x: x * inspect.currentframe().f_globals["FACTOR"])


@seen
def getmembers_of_a_module():
    return of_factor(lambda x: x * dict(inspect.getmembers(THIS))["FACTOR"])


@seen
def locals_of_a_step():
    def step(x):
        y = FACTOR
        return x * locals()["y"] * (y / y)

    return of_factor(step)


@seen
def a_function_of_another_globals():
    space = {"FACTOR": 1.0}
    exec("def f(): return FACTOR", space)
    f = space["f"]
    return lambda x: x * f(), lambda: space.update(FACTOR=2.0)


@refused
def a_function_made_by_the_step():
    def step(x):
        return x * types.FunctionType(code_of_factor.__code__, globals())()

    return of_factor(step)


def code_of_factor():
    return FACTOR


# ---- the caller's frame --------------------------------------------------------------------------


@refused
def locals_of_the_caller():
    box = [1.0]

    def step(x):
        frame = sys._getframe()
        while frame is not None and "hidden" not in frame.f_locals:
            frame = frame.f_back
        return x * (1.0 if frame is None else frame.f_locals["hidden"])

    return step, lambda: box.append(2.0)


# ---- objects by other ways -----------------------------------------------------------------------


@refused
def weak_reference():
    s = Setting()
    r = weakref.ref(s)

    def change():
        s.value = 2.0

    return lambda x: x * r().value, change


@refused
def weak_proxy():
    s = Setting()
    r = weakref.proxy(s)

    def change():
        s.value = 2.0

    return lambda x: x * r.value, change


@refused
def weak_value_dictionary():
    s = Setting()
    d = weakref.WeakValueDictionary(a=s)

    def change():
        s.value = 2.0

    return lambda x: x * d["a"].value, change


@refused
def weak_key_dictionary():
    s = Setting()
    d = weakref.WeakKeyDictionary()
    d[s] = 1.0

    def change():
        d[s] = 2.0

    return lambda x: x * d[s], change


@refused
def weak_set():
    s, t = Setting(), Setting(2.0)
    d = weakref.WeakSet([s])

    def change():
        d.add(t)

    return lambda x: x * sum(each.value for each in d), change


@refused
def weak_method():
    s = Setting()
    s.__class__ = type("Other", (Setting,), {"get": lambda self: self.value})
    r = weakref.WeakMethod(s.get)

    def change():
        s.value = 2.0

    return lambda x: x * r()(), change


@seen
def attrgetter_made_outside():
    get = operator.attrgetter("value")
    return of_setting(lambda s: lambda x: x * get(s))


@seen
def attrgetter_of_two_names():
    get = operator.attrgetter("inner.value")
    s = SimpleNamespace(inner=Setting())

    def change():
        s.inner.value = 2.0

    return lambda x: x * get(s), change


@seen
def attrgetter_of_a_module():
    get = operator.attrgetter("FACTOR")
    return of_factor(lambda x: x * get(THIS))


@seen
def attrgetter_in_a_partial():
    s = Setting()
    get = functools.partial(operator.attrgetter("value"), s)

    def change():
        s.value = 2.0

    return lambda x: x * get(), change


@seen
def itemgetter_made_outside():
    d = {"a": 1.0}
    get = operator.itemgetter("a")
    return lambda x: x * get(d), lambda: d.update(a=2.0)


@seen
def itemgetter_of_an_object():
    class Items:
        def __init__(self):
            self.hidden = [1.0]

        def __getitem__(self, i):
            return self.hidden[i]

    s = Items()
    get = operator.itemgetter(0)

    def change():
        s.hidden[0] = 2.0

    return lambda x: x * get(s), change


@seen
def methodcaller_made_outside():
    class Speaking:
        def __init__(self):
            self.word = 1.0

        def speak(self):
            return self.word

    s = Speaking()
    call = operator.methodcaller("speak")

    def change():
        s.word = 2.0

    return lambda x: x * call(s), change


@seen
def reduce_with_an_outside_function():
    values = [1.0, 1.0]
    box = Setting()

    def add(a, b):
        return (a + b) * box.value

    def change():
        box.value = 2.0

    def step(x):
        return x * functools.reduce(add, values)

    return step, change


@seen
def map_with_a_getter():
    settings = [Setting(), Setting()]
    get = operator.attrgetter("value")

    def change():
        settings[1].value = 2.0

    return lambda x: x * sum(map(get, settings)), change


@seen
def sorted_with_a_key_by_name():
    settings = [Setting(1.0), Setting(2.0)]
    get = operator.attrgetter("value")

    def change():
        settings[0].value = 3.0

    return lambda x: x * get(sorted(settings, key=get)[0]), change


@seen
def bound_getitem():
    d = {"a": 1.0}
    get = d.__getitem__
    return lambda x: x * get("a"), lambda: d.update(a=2.0)


@seen
def bound_getattribute():
    s = Setting()
    get = s.__getattribute__

    def change():
        s.value = 2.0

    return lambda x: x * get("value"), change


@seen
def bound_len_of_a_list():
    values = [1.0]
    count = values.__len__
    return lambda x: x * count(), lambda: values.append(2.0)


@seen
def descriptor_of_a_slot():
    class Slotted:
        __slots__ = ("value",)

    s = Slotted()
    s.value = 1.0
    member = Slotted.__dict__["value"]

    def change():
        s.value = 2.0

    return lambda x: x * member.__get__(s), change


@seen
def slot_of_an_object():
    class Slotted:
        __slots__ = ("value",)

    s = Slotted()
    s.value = 1.0

    def change():
        s.value = 2.0

    return lambda x: x * s.value, change


@seen
def slot_by_getattr():
    class Slotted:
        __slots__ = ("value",)

    s = Slotted()
    s.value = 1.0

    def change():
        s.value = 2.0

    return lambda x: x * getattr(s, "val" + "ue".lower()), change


@seen
def slot_of_a_base():
    class Base:
        __slots__ = ("value",)

    class Derived(Base):
        __slots__ = ()

    s = Derived()
    s.value = 1.0

    def change():
        s.value = 2.0

    return lambda x: x * s.value, change


@seen
def slot_behind_a_getitem():
    class Slotted:
        __slots__ = ("hidden",)

        def __getitem__(self, name):
            return object.__getattribute__(self, "hid" + name)

    s = Slotted()
    s.hidden = 1.0

    def change():
        s.hidden = 2.0

    return lambda x: x * s["den"], change


@seen
def slots_of_a_class():
    class Slotted:
        __slots__ = ["a"]

    def change():
        Slotted.__slots__ = ["a", "b"]

    return lambda x: x * len(Slotted.__slots__), change


@seen
def slot_that_appears():
    class Slotted:
        __slots__ = ("value",)

    s = Slotted()

    def change():
        s.value = 2.0

    return lambda x: x * (s.value if hasattr(s, "value") else 1.0), change


@seen
def dict_of_an_object():
    return of_setting(lambda s: lambda x: x * s.__dict__["value"])


@seen
def vars_of_an_object():
    return of_setting(lambda s: lambda x: x * vars(s)["value"])


@seen
def vars_by_another_name():
    v = vars
    return of_setting(lambda s: lambda x: x * v(s)["value"])


@seen
def dict_by_a_getter():
    get = operator.attrgetter("__dict__")
    return of_setting(lambda s: lambda x: x * get(s)["value"])


@seen
def getattr_static():
    return of_setting(lambda s: lambda x: x * inspect.getattr_static(s, "val" + "ue"))


@seen
def members_by_inspect():
    return of_setting(lambda s: lambda x: x * dict(inspect.getmembers(s))["value"])


@seen
def dir_of_an_object():
    s = Setting()

    def change():
        s.more = 1

    return lambda x: x * len([n for n in dir(s) if n[0] != "_"]), change


@seen
def hasattr_by_a_computed_name():
    s = Setting()

    def change():
        s.more = 1

    return lambda x: x * (2.0 if hasattr(s, "mo" + "re".lower()) else 1.0), change


@seen
def hasattr_taken_outside():
    s, has = Setting(), hasattr

    def change():
        s.more = 1

    return lambda x: x * (2.0 if has(s, "mo" + "re".lower()) else 1.0), change


@seen
def reflection_by_the_operators():
    get = functools.partial(getattr, Setting, "late", 1.0)

    def change():
        Setting.late = 2.0

    if hasattr(Setting, "late"):
        del Setting.late
    return lambda x: x * get(), change
