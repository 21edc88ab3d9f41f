"""What a recorded step depends on besides its arguments, and the check that it is unchanged.

A replay reads the values of tensors and the options of optimizers anew. All else that the function could see is here:
the places that its code can reach, which tensors they hold, the attributes of modules, the groups of optimizers.
"""
import random
from types import FunctionType

cimport cython
from cpython.dict cimport PyDict_CheckExact, PyDict_Contains, PyDict_Next, PyDict_Size
from cpython.ref cimport PyObject
from libc.math cimport copysign
from libc.stdint cimport uint64_t

from pyml cimport no_gil, recorder
from pyml.dict_version cimport PYML_DICT_VERSION
from pyml.tensor cimport Tensor

from pyml.attributes import Size
from pyml.hooks import of_every_module

from pyml.recording.formula import Type
from pyml.recording.dependencies import ABSENT, ARRAY, ASKED, ATTRIBUTE, CELL, ITEM, KEYS, SEQUENCE, Reach
from pyml.recording.objects import MISSING, bytes_of, lineage

cdef extern from "Python.h":
    dict PyObject_GenericGetDict(object, void *)
    PyObject *PyFunction_GetCode(object)
    PyObject *PyFunction_GetDefaults(object)
    PyObject *PyFunction_GetKwDefaults(object)
    PyObject *PyTuple_GET_ITEM(tuple, Py_ssize_t)

cdef extern from *:
    """
    /* What stands at a place, for a look at it: a reference that is borrowed; without a GIL, where another thread may put
     * something else there, one of our own. */
    #ifdef Py_GIL_DISABLED
    static PyObject *pyml_item(PyObject *dict, PyObject *key) {
        PyObject *value;
        return PyDict_GetItemRef(dict, key, &value) > 0 ? value : NULL;
    }
    #define pyml_content(cell) PyCell_Get(cell)
    #define pyml_looked(value) Py_XDECREF(value)
    #define pyml_look(value) Py_XNewRef(value)
    #else
    #define pyml_item(dict, key) PyDict_GetItemWithError(dict, key)
    #define pyml_content(cell) PyCell_GET(cell)
    #define pyml_looked(value) ((void)(value))
    #define pyml_look(value) (value)
    #endif
    #define pyml_lineage(object) (Py_TYPE(object)->tp_mro)   /* the class of an object and its bases: borrowed */
    """
    PyObject *pyml_item(object, object) except? NULL
    PyObject *pyml_content(object) noexcept
    PyObject *pyml_lineage(object) noexcept
    PyObject *pyml_look(PyObject *) noexcept
    void pyml_looked(PyObject *) noexcept

cdef object LINEAGE = lineage
ANY = object()
cdef int AT_ABSENT = ABSENT, AT_ARRAY = ARRAY, AT_ASKED = ASKED, AT_ATTRIBUTE = ATTRIBUTE, AT_CELL = CELL, AT_ITEM = ITEM
cdef int AT_KEYS = KEYS, AT_SEQUENCE = SEQUENCE

cdef enum:   # how a Check finds what is at its place now
    BY_KIND
    BY_ITEM   # of a dict
    BY_CELL
    BY_CODE   # of a function
    BY_DEFAULTS
    BY_KEYWORDS

cdef dict STORED_IN_FUNCTION = {"__code__": BY_CODE, "__defaults__": BY_DEFAULTS, "__kwdefaults__": BY_KEYWORDS}


cdef class Guards:
    """As things were at the recording."""

    def __init__(self, function, objects, hosts):
        """Before the function runs.

        Args:
            function: is to be recorded.
            objects: that it is called with, beside Tensors and plain values.
            hosts: what replays call on the host, see Reach.
        """
        without = ()
        while True:
            self.reach = Reach(Tensor, function_of, hosts, without)
            self.reach.add([(function, ""), *[(each, "an argument") for each in objects]])
            if without or not hosts or not (without := self.reach.only_for_hosts()):
                break
        self.before = [Check(*place) for place in self.reach.places]
        self.states = {key: state_of(each) for key, each in self.reach.generators.items()}

    cdef list changes(self):
        """The places that the function itself has changed."""
        cdef list found = []
        cdef Check each
        for each in [check for check in self.before if not (<Check>check).holds()]:
            if each.kind == AT_SEQUENCE and isinstance(each.container, list) and len(each.container) == len(each.before):
                found += [Target(ITEM, each.container, i, value, f"{each.name}[{i}]") for i, value in enumerate(each.before)
                          if (now := now_at(AT_ITEM, each.container, i)) is not value and not equal_values(now, value)]
            else:
                found.append(Target(each.kind, each.container, each.key, each.before, each.name))
        return found

    cdef tuple drawn(self):
        """(its class, where it is reached) of a generator of Python or NumPy that the function has drawn from, or None."""
        for key, state in self.states.items():
            generator = self.reach.generators[key]
            if state_of(generator) != state:
                names = [place[4] for place in self.reach.places if place[3] is generator] or ["random"]
                return type(generator).__name__, self.reach.line_of(names[0])
        return None

    cdef object strayed(self, dict ran):
        """The first code of the step that ran and is not guarded, or None."""
        return self.reach.strayed(ran)

    cdef tuple line_of(self, str name):
        """(file, line) of the code that uses a name, or None."""
        return self.reach.line_of(name)

    cdef str where(self, Target target):
        """The line that changes a place, as far as its name tells, for a message."""
        place = self.reach.line_of(target.name)
        return "" if place is None else f" at {place[0]}:{place[1]}"

    def complete(self, modules, optimizers, effects):
        """Afterwards.

        Args:
            modules: that the function called.
            optimizers: that made a step in it.
            effects: Target.at() of what each replay changes again -> what must be there before, or ANY.
        """
        cdef dict tensors = {}
        cdef Tensor t
        self.reach.look_again()
        self.reach.add([(module, type(module).__name__) for module in modules])
        self.modules = []
        for module in self.reach.modules.values():
            held = dict(module.__dict__)
            for name in held:
                held[name] = effects.get((ITEM, id(module.__dict__), name), held[name])
            self.modules.append(HeldModule(module, held))
        self.optimizers = [(each, each.param_groups, tuple(each.param_groups), each.state) for each in optimizers]
        for each in self.modules:
            tensors.update({id(value): value for value in (<HeldModule>each).values if isinstance(value, Tensor)})
        for _, groups, _, _ in self.optimizers:
            tensors.update({id(value): value for group in groups for value in group["params"]})
        tensors.update(self.reach.tensors)
        self.tensors = [(t, t.array, bool(t._requires_grad), tuple(t.hooks or ())) for t in tensors.values()]
        self.reach.add([(hook, "a hook") for _, _, _, hooks in self.tensors for hook in hooks])
        self.checks = []
        for kind, container, key, value, name in self.reach.places:
            if kind == SEQUENCE and isinstance(container, list):
                value = tuple([effects.get((ITEM, id(container), i), each) for i, each in enumerate(value)])
            else:
                value = effects.get((kind, id(container), key), value)
            self.checks.append(Check(kind, container, key, value, name))
        for each in optimizers:
            if each._kernel is None:   # its step is Python: what it read of the groups is in the calls
                self.checks += [
                    Check(ITEM, group, name, value, name) for group in each.param_groups for name, value in group.items()
                    if name not in each._options]
                self.checks += [
                    Check(SEQUENCE, group["params"], None, tuple(group["params"]), "params") for group in each.param_groups]
        self.checks += [Check(*place) for place in self.reach.absent()]
        self.structure = no_gil.now(recorder.structure) - (1 if effects else 0)   # look at them again

    cdef bint hold(self) except -1:
        """Whether all is as it was."""
        return self.checks_hold() and self.modules_hold() and self.structure_holds() and self.optimizers_hold()

    cdef bint checks_hold(self) except -1:
        cdef Check check
        for check in self.checks:
            if not check.holds():
                self.broken = repr(check.name)
                return False
        return True

    cdef bint modules_hold(self) except -1:
        cdef HeldModule each
        for each in self.modules:
            if not each.holds():
                self.broken = f"an attribute of a {type(each.module).__name__}"
                return False
        return True

    cdef bint structure_holds(self) except -1:
        """Hooks and tensors: looked at only if some were altered somewhere."""
        cdef Tensor t
        cdef HeldModule each
        cdef unsigned long now = no_gil.now(recorder.structure)
        if self.structure == now:
            return True
        if of_every_module:
            self.broken = "a hook of every module"
            return False
        for each in self.modules:
            if not same_items(each.module._hooks, each.hooks):
                self.broken = f"the hooks of a {type(each.module).__name__}"
                return False
        for t, array, requires_grad, hooks in self.tensors:
            if t.array is not array or t._requires_grad != requires_grad or not same_items(t.hooks or (), hooks):
                self.broken = f"a tensor of shape {t.shape}"
                return False
        for optimizer, _, _, _ in self.optimizers:
            if optimizer._has_step_hooks():
                self.broken = f"the hooks of {type(optimizer).__name__}"
                return False
        self.structure = now
        return True

    cdef bint optimizers_hold(self) except -1:
        for optimizer, groups, each, state in self.optimizers:
            if optimizer.param_groups is not groups or not same_items(groups, each) or optimizer.state is not state:
                self.broken = f"the groups of {type(optimizer).__name__}"
                return False
        return True


def function_of(value):
    """What a recorded function records; None for anything else."""
    return getattr(value, "function", None) if type(value).__module__ == "pyml.recording.recorded" else None


def state_of(generator):
    """What a random number generator of Python or NumPy would draw next."""
    if isinstance(generator, random.SystemRandom):
        return None
    if isinstance(generator, random.Random):
        return generator.getstate()
    bits = getattr(generator, "bit_generator", generator)   # a RandomState has none
    return repr(bits.state) if hasattr(bits, "state") else repr(generator.get_state()) \
        if hasattr(generator, "get_state") else None


cdef class Target:
    def __init__(self, int kind, container, key, before, str name, owner=None):
        self.kind, self.container, self.key, self.before, self.name, self.owner = \
            kind, container, key, before, name, owner

    cdef tuple at(self):
        """What names the place."""
        return self.kind, id(self.container), self.key

    cdef object get(self):
        return now_at(self.kind, self.container, self.key)

    cdef int put(self, object value) except -1:
        if self.owner is not None:
            setattr(self.owner, self.key, value)
        elif self.kind == AT_ITEM:
            self.container[self.key] = value
        elif self.kind == AT_CELL:
            self.container.cell_contents = value
        else:
            setattr(self.container, self.key, value)
        return 0


cdef object now_at(int kind, object container, object key):
    """What a place holds now: of one that holds one thing."""
    if kind == AT_ITEM:
        if isinstance(container, list):
            return list.__getitem__(container, key) if key < len(container) else MISSING
        return container.get(key, MISSING)
    if kind == AT_ATTRIBUTE:
        if type(container) is FunctionType:
            return stored_in(container, key)
        return container.__dict__.get(key, MISSING) if isinstance(container, type) else getattr(container, key, MISSING)
    if kind != AT_CELL:   # it is what is in it
        return container
    try:
        return container.cell_contents
    except ValueError:   # it is empty
        return None


cdef object stored_in(function, key):
    """An attribute of a function of Python. getattr() would make an audit event of some, which takes a while."""
    cdef PyObject *value
    if key == "__code__":
        return <object>PyFunction_GetCode(function)
    if key == "__defaults__":
        value = PyFunction_GetDefaults(function)
    elif key == "__kwdefaults__":
        value = PyFunction_GetKwDefaults(function)
    else:
        return getattr(function, key, MISSING)
    return None if value == NULL else <object>value


@cython.final
cdef class Check:
    def __init__(self, int kind, container, key, before, str name):
        self.kind, self.container, self.key, self.before, self.name = kind, container, key, before, name
        self.how = BY_KIND
        if kind == AT_ITEM and PyDict_CheckExact(container):
            self.how = BY_ITEM
        elif kind == AT_CELL:
            self.how = BY_CELL
        elif kind == AT_ATTRIBUTE and type(container) is FunctionType:
            self.how = STORED_IN_FUNCTION.get(key, BY_KIND)
        elif kind == AT_ABSENT:
            self.key = tuple(key)

    cdef bint holds(self) except -1:
        """Whether the place holds what it held."""
        cdef PyObject *now
        cdef bint same
        if self.how == BY_KIND or self.before is ANY:
            return self.holds_by_kind()
        if self.how == BY_ITEM:
            now = pyml_item(self.container, self.key)
        elif self.how == BY_CELL:
            now = pyml_content(self.container)
        elif self.how == BY_CODE:
            now = pyml_look(PyFunction_GetCode(self.container))
        elif self.how == BY_DEFAULTS:
            now = pyml_look(PyFunction_GetDefaults(self.container))
        else:
            now = pyml_look(PyFunction_GetKwDefaults(self.container))
        if now == NULL:
            return plain(self.before) is (MISSING if self.how == BY_ITEM else None)
        same = now == <PyObject *>self.before or equal_values(<object>now, self.before)
        pyml_looked(now)
        return same

    cdef bint holds_by_kind(self) except -1:
        cdef int kind = self.kind
        container, before = self.container, self.before
        if before is ANY:
            return True
        if kind == AT_SEQUENCE:
            return same_items(container, before)
        if kind == AT_KEYS:
            return len(container) == len(before) and same_items(tuple(container), before)
        if kind == AT_ABSENT:
            return has_none_of(container, self.key)
        if kind == AT_ASKED:
            if self.key is LINEAGE:
                return pyml_lineage(container) == <PyObject *>before
            now = self.key(container)
            return now is before or (
                same_items(now, before) if type(now) is type(before) and type(now) in (tuple, Size) else equal_values(now, before))
        if kind == AT_ARRAY:
            return bytes_of(container) == before
        now = now_at(kind, container, self.key)
        return now is before or equal_values(now, before)


@cython.final
cdef class HeldModule:
    def __init__(self, module, dict held):
        self.module, self.lineage, self.hooks = module, type(module).__mro__, tuple(module._hooks)
        self.names, self.values = tuple(held), tuple(held.values())

    cdef bint holds(self) except -1:
        """Whether it has the attributes that it had, which vars(module)["scale"] = 2 also changes."""
        cdef dict now
        cdef uint64_t version
        if pyml_lineage(self.module) != <PyObject *>self.lineage:
            return False
        now = PyObject_GenericGetDict(self.module, NULL)
        version = PYML_DICT_VERSION(now)
        if version == self.version and version != 0:
            return True
        if not has_objects(now, self.names, self.values) and not has_values(now, self.names, self.values):
            return False
        self.version = version
        return True


cdef bint has_none_of(dict items, tuple names) except -1:
    if PyDict_Size(items) == 0:
        return True
    for name in names:
        if PyDict_Contains(items, name) and plain(items.get(name, MISSING)) is not MISSING:
            return False
    return True


cdef bint equal_values(object a, object b) except -1:
    """Plain values may be other objects. -0 is not 0, and NaN is itself."""
    kind = type(a)
    if kind is type(b):
        if kind is float:
            return (a == b and (a != 0 or copysign(1.0, a) == copysign(1.0, b))) or (a != a and b != b)
        if kind in (int, str, bool, bytes):
            return a == b
        if kind is complex:
            return equal_values(a.real, b.real) and equal_values(a.imag, b.imag)
    return plain(a) is plain(b)


cdef object plain(object value):
    """What is at a place while no step is recorded: on another thread one may be."""
    if value is Type:
        return MISSING
    return getattr(value, "__wrapped__", value) if type(value) is FunctionType and value.__module__ == "math" else value


cdef bint same_items(items, before) except -1:
    """Whether a list has the items of a tuple; None of them is where ANY stands."""
    cdef Py_ssize_t i
    if len(items) != len(before):
        return False
    now = tuple(list.__iter__(items)) if isinstance(items, list) and type(items) is not list \
        else items if isinstance(items, (list, tuple)) else tuple(items)
    for i in range(len(before)):
        if now[i] is not before[i] and before[i] is not ANY and not equal_values(now[i], before[i]):
            return False
    return True


cdef bint has_objects(dict now, tuple names, tuple values) noexcept:
    """Whether a dict has these objects in this order: the fast answer, which may be no where values are equal."""
    cdef Py_ssize_t at = 0, i = 0, n = len(names)
    cdef PyObject *name
    cdef PyObject *value
    if PyDict_Size(now) != n:
        return False
    with cython.critical_section(now):
        while i < n and PyDict_Next(now, &at, &name, &value):
            if name != PyTuple_GET_ITEM(names, i) or (
                    value != PyTuple_GET_ITEM(values, i) and PyTuple_GET_ITEM(values, i) != <PyObject *>ANY):
                break
            i += 1
    return i == n


cdef bint has_values(dict now, tuple names, tuple values) except -1:
    if len(now) != len(names):
        return False
    for name, value in zip(names, values):
        other = now.get(name, MISSING)
        if other is not value and value is not ANY and not equal_values(other, value):
            return False
    return True
