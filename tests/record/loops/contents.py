"""Containers, arrays and modules are changed between two calls, past their methods."""

import types
import weakref
from types import SimpleNamespace

import numpy as np

import pyml
from pyml import nn
from record.loops.changing import Setting, refused, seen

# ---- containers ----------------------------------------------------------------------------------


@seen
def chain_map():
    import collections

    d = {"a": 1.0}
    m = collections.ChainMap({}, d)
    return lambda x: x * m["a"], lambda: d.update(a=2.0)


@seen
def user_dict():
    import collections

    d = collections.UserDict(a=1.0)
    return lambda x: x * d["a"], lambda: d.update(a=2.0)


@seen
def user_list():
    import collections

    d = collections.UserList([1.0])
    return lambda x: x * d[0], lambda: d.__setitem__(0, 2.0)


@seen
def counter():
    import collections

    d = collections.Counter(a=1)
    return lambda x: x * d["a"], lambda: d.update(a=1)


@seen
def default_dict():
    import collections

    box = [1.0]
    d = collections.defaultdict(lambda: box[0])

    def step(x):
        d.clear()
        return x * d.get("a", 1.0) * d.default_factory()

    def change():
        box[0] = 2.0

    return step, change


@seen
def default_factory_is_replaced():
    import collections

    d = collections.defaultdict(lambda: 1.0)

    def change():
        d.default_factory = lambda: 2.0

    return lambda x: x * d.default_factory(), change


@seen
def ordered_dict_moved():
    import collections

    d = collections.OrderedDict(a=1.0, b=2.0)
    return lambda x: x * next(iter(d.values())), lambda: d.move_to_end("a")


@seen
def dict_in_another_order():
    d = {"a": 1.0, "b": 2.0}

    def change():
        d["a"] = d.pop("a")

    return lambda x: x * next(iter(d.values())), change


@seen
def view_of_a_dict():
    d = {"a": 1.0}
    values = d.values()
    return lambda x: x * sum(values), lambda: d.update(a=2.0)


@seen
def keys_of_a_dict():
    d = {"a": 1.0}
    keys = d.keys()
    return lambda x: x * len(keys), lambda: d.update(b=2.0)


@seen
def items_of_a_dict():
    d = {"a": 1.0}
    items = d.items()
    return lambda x: x * sum(v for _, v in items), lambda: d.update(a=2.0)


@seen
def mapping_proxy():
    d = {"a": 1.0}
    m = types.MappingProxyType(d)
    return lambda x: x * m["a"], lambda: d.update(a=2.0)


@seen
def memory_view():
    b = bytearray(b"\x01")
    m = memoryview(b)

    def change():
        b[0] = 2

    return lambda x: x * m[0], change


@seen
def array_of_the_standard_library():
    import array

    a = array.array("d", [1.0])

    def change():
        a[0] = 2.0

    return lambda x: x * a[0], change


@seen
def deque():
    import collections

    d = collections.deque([1.0])
    return lambda x: x * d[0], lambda: d.appendleft(2.0)


@seen
def list_subclass_with_attributes():
    class Named(list):
        pass

    s = Named([1.0])
    s.scale = 1.0

    def change():
        s.scale = 2.0

    return lambda x: x * s[0] * s.scale, change


@seen
def dict_subclass_with_attributes():
    class Named(dict):
        pass

    s = Named(a=1.0)
    s.scale = 1.0

    def change():
        s.scale = 2.0

    return lambda x: x * s["a"] * s.scale, change


@seen
def tuple_subclass_with_attributes():
    class Named(tuple):
        pass

    s = Named([1.0])
    s.scale = 1.0

    def change():
        s.scale = 2.0

    return lambda x: x * s[0] * s.scale, change


@seen
def str_subclass_with_attributes():
    class Text(str):
        pass

    s = Text("a")
    s.scale = 1.0

    def change():
        s.scale = 2.0

    return lambda x: x * len(s) * s.scale, change


@seen
def float_subclass_with_attributes():
    class Amount(float):
        pass

    s = Amount(1.0)
    s.scale = 1.0

    def change():
        s.scale = 2.0

    return lambda x: x * float(s) * s.scale, change


@seen
def set_subclass_with_attributes():
    class Named(set):
        pass

    s = Named([1])
    s.scale = 1.0

    def change():
        s.scale = 2.0

    return lambda x: x * len(s) * s.scale, change


@seen
def set_with_equal_members():
    s = {1.0}

    def change():
        s.clear()
        s.add(True)

    return lambda x: x * (2.0 if isinstance(next(iter(s)), bool) else 1.0), change


@seen
def set_with_other_zero():
    s = {0.0}

    def change():
        s.clear()
        s.add(-0.0)

    return lambda x: x * next(iter(s)), change


@seen
def set_in_another_order():
    s = {0, 8}

    def change():
        s.clear()
        s.update([8, 0])

    return lambda x: x * next(iter(s)), change


@seen
def list_with_equal_members():
    s = [1.0]

    def change():
        s[0] = True

    return lambda x: x * (2.0 if isinstance(s[0], bool) else 1.0), change


@seen
def simple_namespace_by_vars():
    s = SimpleNamespace(value=1.0)

    def change():
        s.value = 2.0

    return lambda x: x * vars(s)["value"], change


@seen
def numpy_scalar_0d():
    a = np.array(1.0)

    def change():
        a[()] = 2.0

    return lambda x: x * float(a), change


@seen
def numpy_structured():
    a = np.zeros(1, dtype=[("v", "f8")])
    a["v"] = 1.0

    def change():
        a["v"] = 2.0

    return lambda x: x * float(a["v"][0]), change


@seen
def numpy_record_view():
    a = np.zeros(1, dtype=[("v", "f8")])
    a["v"] = 1.0
    r = a[0]

    def change():
        a["v"] = 2.0

    return lambda x: x * float(r["v"]), change


@refused
def numpy_flat():
    a = np.ones(2)
    f = a.flat

    def change():
        a[0] = 2.0

    return lambda x: x * float(f[0]), change


@seen
def numpy_matrix_attribute():
    class Named(np.ndarray):
        pass

    a = np.ones(2).view(Named)
    a.scale = 1.0

    def change():
        a.scale = 2.0

    return lambda x: x * a.scale, change


@seen
def numpy_bound_item():
    a = np.ones(2)
    get = a.item

    def change():
        a[0] = 2.0

    return lambda x: x * get(0), change


@seen
def numpy_in_an_object():
    s = SimpleNamespace(a=np.ones(2))

    def change():
        s.a[0] = 2.0

    return lambda x: x * float(s.a[0]), change


@seen
def numpy_shape_in_place():
    a = np.ones((2, 3))

    def change():
        a.shape = (3, 2)

    return lambda x: x * a.shape[0], change


@seen
def numpy_dtype_in_place():
    a = np.ones(2)

    def change():
        a.dtype = np.int64

    return lambda x: x * float(a[0] > 1), change


@seen
def numpy_strides_in_place():
    whole = np.array([[1.0, 2.0], [2.0, 5.0]])
    a = whole[:1]

    def change():
        a.shape = (2, 1)

    return lambda x: x * a.shape[0], change


@seen
def numpy_writeable_flag():
    a = np.ones(2)

    def change():
        a.flags.writeable = False

    return lambda x: x * (1.0 if a.flags.writeable else 2.0), change


@refused
def numpy_object_with_equal_members():
    a = np.array([1.0], dtype=object)

    def change():
        a[0] = True

    return lambda x: x * (2.0 if isinstance(a[0], bool) else 1.0), change


@refused
def numpy_object_with_other_zero():
    a = np.array([0.0], dtype=object)

    def change():
        a[0] = -0.0

    return lambda x: x * a[0], change


@refused
def numpy_object_that_is_changed():
    s = Setting()
    a = np.array([s], dtype=object)

    def change():
        s.value = 2.0

    return lambda x: x * a[0].value, change


@refused
def numpy_object_that_equals_all():
    class Equal:
        def __init__(self, value):
            self.value = value

        def __eq__(self, other):
            return True

        __hash__ = None

    a = np.array([Equal(1.0)], dtype=object)

    def change():
        a[0] = Equal(2.0)

    return lambda x: x * a[0].value, change


@seen
def numpy_masked():
    a = np.ma.array([1.0, 2.0], mask=[False, False])

    def change():
        a.mask = [True, False]

    return lambda x: x * float(a.sum()), change


@seen
def iterator_made_in_the_step_of_a_generator_function():
    box = [1.0]

    def generate():
        yield box[0]

    def change():
        box[0] = 2.0

    return lambda x: x * next(generate()), change


# ---- modules of pyml -----------------------------------------------------------------------------


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = 1.0

    def forward(self, x):
        return x * self.scale


@seen
def vars_of_a_module():
    m = Scaled()

    def change():
        vars(m)["scale"] = 2.0

    return lambda x: m(x), change


@seen
def dict_of_a_module():
    m = Scaled()

    def change():
        m.__dict__["scale"] = 2.0

    return lambda x: m(x), change


@seen
def dict_of_a_module_updated():
    m = Scaled()

    def change():
        m.__dict__.update(scale=2.0)

    return lambda x: m(x), change


@seen
def object_setattr_of_a_module():
    m = Scaled()

    def change():
        object.__setattr__(m, "scale", 2.0)

    return lambda x: m(x), change


@seen
def dict_of_a_module_is_replaced():
    m = Scaled()

    def change():
        m.__dict__ = {**m.__dict__, "scale": 2.0}

    return lambda x: m(x), change


@seen
def training_of_a_module_by_its_dict():
    m = nn.Dropout(0.5)

    def change():
        m.__dict__["training"] = False

    return lambda x: m(x), change


@seen
def parameter_of_a_module_by_its_dict():
    m = nn.Linear(3, 3)

    def change():
        m.__dict__["bias"] = nn.Parameter(pyml.ones(3))

    return lambda x: m(x), change


@seen
def child_of_a_module_by_its_dict():
    m = nn.Sequential(nn.ReLU())

    def change():
        m.__dict__["0"] = nn.Sigmoid()

    return lambda x: m(x), change


@seen
def class_of_a_module():
    m = nn.Sequential(nn.ReLU())

    def change():
        m[0].__class__ = nn.Sigmoid

    return lambda x: m(x), change


@seen
def forward_of_a_class_of_pyml():
    before = nn.ReLU.forward
    m = nn.ReLU()
    assert before

    def change():
        m.forward = lambda x: x * 2

    return lambda x: m(x), change


@seen
def slot_of_a_module():
    class Slotted(nn.Module):
        __slots__ = ("scale",)

        def forward(self, x):
            return x * self.scale

    m = Slotted()
    m.scale = 1.0

    def change():
        m.scale = 2.0

    return lambda x: m(x), change


@seen
def property_of_a_module():
    class Proper(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = {"a": 1.0}

        @property
        def scale(self):
            return self.hidden["a"]

        def forward(self, x):
            return x * self.scale

    m = Proper()
    return lambda x: m(x), lambda: m.hidden.update(a=2.0)


@seen
def class_attribute_of_a_module():
    class Classy(nn.Module):
        scale = 1.0

        def forward(self, x):
            return x * self.scale

    m = Classy()

    def change():
        Classy.scale = 2.0

    return lambda x: m(x), change


@refused
def module_in_a_weak_reference():
    m = Scaled()
    r = weakref.ref(m)

    def change():
        m.scale = 2.0

    return lambda x: r()(x), change


@seen
def module_in_a_module_hidden_in_a_closure():
    m = Scaled()

    class Outer(nn.Module):
        def forward(self, x):
            return m(x)

    o = Outer()

    def change():
        m.scale = 2.0

    return lambda x: o(x), change


@seen
def parameter_requires_grad_by_another_name():
    m = nn.Linear(3, 3)

    def change():
        m.weight.requires_grad = False

    def step(x):
        y = m(x).sum()
        m.zero_grad()
        y.backward()
        return y * (2.0 if m.weight.grad is None else 1.0)

    return step, change


@seen
def attribute_of_a_tensor():
    t = nn.Parameter(pyml.ones(3))
    try:
        t.scale = 1.0
    except AttributeError:
        return lambda x: x, lambda: None

    def change():
        t.scale = 2.0

    return lambda x: x * t.scale, change


@seen
def scheduler_attribute():
    model = nn.Linear(3, 1)
    optimizer = pyml.optim.SGD(model.parameters(), lr=1.0)
    scheduler = pyml.optim.lr_scheduler.StepLR(optimizer, step_size=1)
    optimizer.step()
    return lambda x: x * scheduler.last_epoch, lambda: scheduler.step()


@seen
def option_of_an_optimizer_by_a_name():
    model = nn.Linear(3, 1)
    optimizer = pyml.optim.SGD(model.parameters(), lr=1.0)

    def change():
        optimizer.param_groups[0]["lr"] = 2.0

    return lambda x: x * getattr(optimizer, "param" + "_groups".lower())[0]["lr"], change


@seen
def option_of_an_optimizer_by_a_group_held():
    model = nn.Linear(3, 1)
    optimizer = pyml.optim.SGD(model.parameters(), lr=1.0)
    group = optimizer.param_groups[0]

    def change():
        optimizer.param_groups[0]["lr"] = 2.0

    return lambda x: x * group["lr"], change


@seen
def state_dict_of_a_module():
    m = nn.Linear(3, 3)

    def change():
        m.weight.data = pyml.zeros(3, 3)

    return lambda x: x @ m.state_dict()["weight"], change


@refused
def extra_state_of_a_module():
    class Extra(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = {"a": 1.0}

        def get_extra_state(self):
            return self.hidden["a"]

    m = Extra()
    return lambda x: x * m.state_dict().get("_extra_state", 1.0), lambda: m.hidden.update(a=2.0)


@seen
def grad_mode_by_the_step():
    m = nn.Linear(3, 3)

    def change():
        m.weight.grad = pyml.ones(3, 3)

    m.weight.grad = None
    return lambda x: x * (2.0 if m.weight.grad is not None else 1.0), change


@seen
def training_of_a_child_is_asked():
    m = nn.Sequential(nn.ReLU())

    def change():
        m[0].eval()

    return lambda x: x * (1.0 if m[0].training else 2.0), change


@seen
def number_of_hooks():
    m = nn.ReLU()

    def change():
        m.register_forward_hook(lambda module, args, output: output * 2)

    return lambda x: m(x), change
