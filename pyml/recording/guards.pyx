"""What a recorded step depends on beside its arguments, and the look whether it is still so.

A replay reads the values of tensors and the options of optimizers anew. All else that the function would see is here:
what its names mean, the attributes of the modules it called, which tensors they hold, the groups of optimizers.
"""
import random

from numpy cimport ndarray

from pyml cimport recorder
from pyml.tensor cimport Tensor

from pyml.recording.watches import ATTRIBUTE, CELL, ITEM, SEQUENCE, watches_of, watches_of_module

cdef object MISSING = object()


cdef class Guards:
    """As things were at the end of a recording."""

    def __init__(self, function, objects):
        """Before the function runs: what its names mean. Afterwards, complete() adds the rest.

        Args:
            function: is to be recorded.
            objects: that it is called with, beside Tensors and plain values.
        """
        self.watches = watches_of(function, needs_no_look, objects)
        self.objects = [each for each in objects if hasattr(each, "_registered")]
        owner = getattr(function, "__self__", None)
        if hasattr(owner, "_registered"):
            self.objects.append(owner)
        self.generators = [
            (value, state_of(value)) for value in {id(watch[3]): watch[3] for watch in self.watches}.values()
            if state_of(value) is not None
        ]
        self.modules, self.tensors, self.optimizers, self.options = [], [], [], []
        for each in {id(watch[3]): watch[3] for watch in self.watches if hasattr(watch[3], "param_groups")}.values():
            self.options += watches_of_groups(each)

    cdef str change(self, bint scheduled):
        """What the function itself has changed of what it depends on, or None.

        Args:
            scheduled: schedulers made steps in it, which a replay repeats: they may change options.
        """
        cdef tuple watch
        for generator, state in self.generators:
            if state_of(generator) != state:
                return f"the random numbers of a {type(generator).__name__}"
        for watch in self.watches if scheduled else self.watches + self.options:
            if watch[0] != SEQUENCE and not holds(watch):   # to append to a list is no harm, if nothing else is kept
                return "a variable of its closure" if watch[2] is None else repr(watch[2])
        return None

    def complete(self, modules, optimizers):
        """
        Args:
            modules: that the function called.
            optimizers: that made a step in it.
        """
        cdef dict below = {}, tensors = {}
        cdef Tensor t
        # a list that the function appends to is what it writes, not what it depends on
        self.watches = [watch for watch in self.watches if watch[0] != SEQUENCE or holds(watch)]
        named = [watch[3] for watch in self.watches if hasattr(watch[3], "_registered")]
        for module in [*modules, *named, *self.objects]:
            for each in module.modules():
                below[id(each)] = each
        self.modules = [(module, dict(module.__dict__), tuple(module._hooks)) for module in below.values()]
        for module in below.values():
            self.watches += watches_of_module(module, needs_no_look)
            for hook in module._hooks:
                self.watches += watches_of(hook.function, needs_no_look)
        self.optimizers = [(each, each.param_groups, tuple(each.param_groups), each.state) for each in optimizers]
        for each in optimizers:
            if each._update is None:   # its step is Python: what it read of the groups is in the calls
                self.watches += watches_of_groups(each) + [
                    (ITEM, vars(each), name, value) for name, value in vars(each).items()
                    if isinstance(value, (int, float, str, bool))]
        for _, held, _ in self.modules:
            tensors.update({id(value): value for value in held.values() if isinstance(value, Tensor)})
        for _, groups, _, _ in self.optimizers:
            tensors.update({id(value): value for group in groups for value in group["params"]})
        tensors.update({id(watch[3]): watch[3] for watch in self.watches if isinstance(watch[3], Tensor)})
        self.tensors = [(t, t.array, bool(t._requires_grad), tuple(t.hooks or ())) for t in tensors.values()]
        for _, _, _, hooks in self.tensors:
            for hook in hooks:
                self.watches += watches_of(hook, needs_no_look)
        self.structure = recorder.structure

    cdef bint hold(self) except -1:
        """Whether all is as it was."""
        return self.names_hold() and self.structure_holds() and self.optimizers_hold()

    cdef bint names_hold(self) except -1:
        cdef tuple watch
        for watch in self.watches:
            if not holds(watch):
                self.broken = "a variable of its closure" if watch[2] is None else repr(watch[2])
                return False
        return True

    cdef bint structure_holds(self) except -1:
        """Modules and tensors: looked at only if some were altered somewhere."""
        cdef Tensor t
        cdef unsigned long now = recorder.structure
        if self.structure == now:
            return True
        for module, held, hooks in self.modules:
            if not same_attributes(module.__dict__, held) or not same_items(module._hooks, hooks):
                self.broken = f"an attribute of a {type(module).__name__}"
                return False
        for t, array, requires_grad, hooks in self.tensors:
            if t.array is not array or t._requires_grad != requires_grad or not same_items(t.hooks or (), hooks):
                self.broken = f"a tensor of shape {t.shape}"
                return False
        self.structure = now
        return True

    cdef bint optimizers_hold(self) except -1:
        for optimizer, groups, each, state in self.optimizers:
            if optimizer.param_groups is not groups or not same_items(groups, each) or optimizer.state is not state:
                self.broken = f"the groups of {type(optimizer).__name__}"
                return False
            if optimizer._step_pre_hooks or optimizer._step_post_hooks:
                self.broken = f"the hooks of {type(optimizer).__name__}"
                return False
        return True


cdef object state_of(value):
    """What a random number generator of Python or NumPy would draw next; None for anything else."""
    if isinstance(value, random.Random):
        return value.getstate()
    if not type(value).__module__.startswith("numpy.random"):
        return None
    bits = getattr(value, "bit_generator", value)   # a RandomState has none
    return repr(bits.state) if hasattr(bits, "state") else repr(value.get_state()) if hasattr(value, "get_state") else None


cdef list watches_of_groups(optimizer):
    return [(ITEM, group, name, value) for group in optimizer.param_groups for name, value in group.items()]


cdef bint holds(tuple watch) except -1:
    """Whether a place holds what it held."""
    kind, container, key, before = watch
    if kind == ITEM:
        now = (<dict>container).get(key, MISSING)
    elif kind == ATTRIBUTE:
        now = container.__dict__.get(key, MISSING) if isinstance(container, type) else getattr(container, key, MISSING)
    elif kind == CELL:
        try:
            now = container.cell_contents
        except ValueError:   # it is empty
            return False
    else:
        return same_items(container, before)
    return now is before or equal_values(now, before)


def needs_no_look(value):
    """Objects that are guarded as a whole."""
    return isinstance(value, (Tensor, ndarray)) or hasattr(value, "_registered") or hasattr(value, "param_groups")


cdef bint equal_values(object a, object b) except -1:
    """Plain values may be other objects."""
    kind = type(a)
    return kind is type(b) and kind in (int, float, str, bool, bytes) and a == b


cdef bint same_items(items, tuple_) except -1:
    cdef Py_ssize_t i
    if len(items) != len(tuple_):
        return False
    for i in range(len(tuple_)):
        if items[i] is not tuple_[i] and not equal_values(items[i], tuple_[i]):
            return False
    return True


cdef bint same_attributes(dict now, dict before) except -1:
    if len(now) != len(before):
        return False
    for name, value in before.items():
        other = now.get(name, MISSING)
        if other is not value and not equal_values(other, value):
            return False
    return True
