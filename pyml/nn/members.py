"""What a module has registered of one kind, as libraries of PyTorch's reach it: as a dict."""

import weakref
from collections import OrderedDict
from collections.abc import MutableMapping

from pyml.recorder import altered

__all__ = ["Members", "MembersOf"]


class Members(MutableMapping):
    """The attributes of a module that are registered as one of `kinds`, and None, by their names.

    What is written into it is the module's attribute from then on, whatever it is: a tensor that
    was computed in place of a Parameter, as libraries put there that learn how to learn.

    Args:
        module: the module.
        kinds: as `Module._registered` has them; a new name is of the first.
        is_weak: do not keep the module alive, and leave out what is None. Default: False.
    """

    def __init__(self, module, kinds, is_weak=False):
        self._reference = weakref.ref(module)
        self._held = None if is_weak else module
        self._kinds = kinds

    def is_of(self, module):
        """Whether these are the attributes of that module."""
        return self._reference() is module

    def _read(self):
        """The module's attributes, and of which kind those are that it has registered."""
        module = self._reference()
        if module is None:
            raise RuntimeError("the module whose attributes these were is no more")
        attributes = module.__dict__
        return attributes, attributes["_registered"]

    def __getitem__(self, name):
        attributes, registered = self._read()
        if registered.get(name) not in self._kinds or not self._has(attributes, name):
            raise KeyError(name)
        return attributes[name]

    def _has(self, attributes, name):
        return name in attributes and (self._held is not None or attributes[name] is not None)

    def __setitem__(self, name, value):
        attributes, registered = self._read()
        module = self._reference()
        if registered.get(name) not in self._kinds:
            others = {key: kind for key, kind in registered.items() if key != name}
            attributes["_registered"] = others | {name: self._kinds[0]}
        before = attributes.get(name)
        attributes[name] = value
        if before is not value:
            altered(module, name, before)

    def __delitem__(self, name):
        before = self[name]
        attributes, registered = self._read()
        attributes["_registered"] = {k: kind for k, kind in registered.items() if k != name}
        del attributes[name]
        altered(self._reference(), name, before)

    def __iter__(self):
        attributes, registered = self._read()
        of_kind = [name for name, kind in registered.items() if kind in self._kinds]
        return iter([name for name in of_kind if self._has(attributes, name)])

    def __len__(self):
        return len(list(iter(self)))

    def copy(self):
        """A dict of its own."""
        return OrderedDict(self)

    def __repr__(self):
        return repr(self.copy())

    def __reduce__(self):
        return OrderedDict, (list(self.items()),)


class MembersOf:
    """The attribute of modules that gives the Members of some kinds, and takes others from a dict.

    Libraries look for it in the module's __dict__, too: so it is there when it was asked for, and
    in modules whose class has a __setattr__ of its own from the beginning. From there, attributes
    are copied one by one to a module that has the same registered: None is not in it, or it would
    be taken for a parameter that the copy has.
    """

    def __init__(self, *kinds):
        self._kinds = kinds

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, module, cls):
        if module is None:
            return self
        found = module.__dict__.get(self._name)
        if not (isinstance(found, Members) and found.is_of(module)):
            module.__dict__[self._name] = Members(module, self._kinds, is_weak=True)
        return Members(module, self._kinds)

    def __set__(self, module, members):
        members = dict(members)
        attributes = module.__dict__
        for name, kind in attributes["_registered"].items():
            if kind in self._kinds and name not in members:
                attributes.pop(name, None)
        attributes["_registered"] = {
            name: kind
            for name, kind in attributes["_registered"].items()
            if kind not in self._kinds or name in members
        }
        self.__get__(module, type(module)).update(members)
