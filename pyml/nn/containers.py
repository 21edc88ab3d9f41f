"""Modules made of modules: Sequential, ModuleList, ModuleDict."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import index as as_index
from reprlib import recursive_repr

from pyml.nn.module import MODULE, Module, indented

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


class ModuleSequence(Module):
    """What Sequential and ModuleList share: children in an order, named "0", "1", ..."""

    def __len__(self):
        return len(self._members(MODULE))

    def __iter__(self):
        return iter([module for _, module in self._members(MODULE)])

    def _name_at(self, index):
        names = [name for name, _ in self._members(MODULE)]
        index = as_index(index)
        if not -len(names) <= index < len(names):
            raise IndexError(f"index {index} is out of range")
        return names[index]

    def _replace(self, modules):
        """Makes `modules` the children."""
        for name, _ in self._members(MODULE):
            delattr(self, name)
        for i, module in enumerate(modules):
            self.add_module(str(i), module)

    def __setitem__(self, index, module):
        self.add_module(self._name_at(index), module)

    def __delitem__(self, index):
        modules = list(self)
        if not isinstance(index, slice):
            self._name_at(index)  # raises if there is none
        del modules[index]
        self._replace(modules)

    def pop(self, key):
        """Removes the child at index `key`, or the slice `key`, and returns it."""
        removed = self[key]
        del self[key]
        return removed

    def append(self, module):
        """Adds a module at the end. Returns self."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules):
        """Adds the modules of an iterable at the end. Returns self.

        Raises:
            TypeError: if modules is not iterable.
        """
        if not isinstance(modules, Iterable):
            raise TypeError(
                f"{self._get_name()}.extend should be called with an iterable, but got "
                f"{type(modules).__name__}"
            )
        modules = list(modules)
        named = [(str(len(self) + i), module) for i, module in enumerate(modules)]
        for name, module in named:  # of all, before the first is added
            self._check_child(name, module)
        for name, module in named:
            self.add_module(name, module)
        return self

    def insert(self, index, module):
        """Adds a module before the one at `index`. Returns self.

        Raises:
            IndexError: if index is outside -len .. len.
            TypeError: if module is not a Module.
        """
        if not isinstance(module, Module):
            raise TypeError(f"insert: module must be a Module, not {type(module).__name__}")
        modules = list(self)
        if not -len(modules) <= index <= len(modules):
            raise IndexError(f"index {index} is out of range")
        modules.insert(index, module)
        self._replace(modules)
        return self


class Sequential(ModuleSequence):
    """A chain: the output of each module is the input of the next.

    Args:
        *args: modules, which are named "0", "1", ...; or one OrderedDict from names to modules.

    Example:
        >>> net = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 1))
        >>> net[0]
        Linear(in_features=8, out_features=4, bias=True)
        >>> net(pyml.zeros(2, 8)).shape
        (2, 1)
    """

    def __init__(self, *args):
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            self.extend(args)

    def forward(self, input):
        """The last module's output."""
        attributes = self.__dict__
        for name, kind in self._registered.items():
            if kind == MODULE:
                input = attributes[name](input)
        return input

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(OrderedDict(self._members(MODULE)[index]))
        return getattr(self, self._name_at(index))

    def __add__(self, other):
        return Sequential(*self).__iadd__(other)

    def __iadd__(self, other):
        if not isinstance(other, Sequential):
            raise ValueError(
                f"a Sequential can be added to a Sequential only, not to {type(other).__name__}"
            )
        return self.extend(other)

    def __mul__(self, times):
        return Sequential(*self)._repeat(times)

    def __rmul__(self, times):
        return self * times

    def __imul__(self, times):
        return self._repeat(times)

    def _repeat(self, times):
        if not isinstance(times, int):
            raise TypeError(
                f"unsupported operand types for *: Sequential and {type(times).__name__}"
            )
        if times <= 0:
            raise ValueError(f"Sequential * {times}: the number of repetitions must be at least 1")
        return self.extend(list(self) * (times - 1))


class ModuleList(ModuleSequence):
    """A list of modules, each a child.

    Args:
        modules: an iterable of modules. Default: none.

    Example:
        >>> layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        >>> len(list(layers.parameters()))
        6
    """

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, self._name_at(index))

    def __add__(self, other):
        return ModuleList([*self, *other])

    def __iadd__(self, modules):
        return self.extend(modules)

    @recursive_repr()
    def __repr__(self):
        if len(self) == 0:
            return f"{self._get_name()}()"
        lines, first = [], 0
        for text, group in groupby(map(repr, self)):
            count = len(list(group))
            last = first + count - 1
            place = f"({first})" if count == 1 else f"({first}-{last})"
            times = "" if count == 1 else f"{count} x "
            lines.append(f"  {place}: {times}{indented(text)}")
            first = last + 1
        return f"{self._get_name()}(\n" + "\n".join(lines) + "\n)"


class ModuleDict(Module):
    """A dictionary of modules by name, each a child, in the order of insertion.

    Args:
        modules: a mapping, or an iterable of (name, module). Default: none.

    Example:
        >>> choices = nn.ModuleDict({"relu": nn.ReLU(), "tanh": nn.Tanh()})
        >>> choices["tanh"]
        Tanh()
    """

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key):
        return self._modules[key]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __delitem__(self, key):
        if key not in self:
            raise KeyError(key)
        delattr(self, key)

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules)

    def __contains__(self, key):
        return self._registered.get(key) == MODULE

    def clear(self):
        """Removes all modules."""
        for key in self:
            del self[key]

    def pop(self, key):
        """Removes the module named `key` and returns it."""
        removed = self[key]
        del self[key]
        return removed

    def keys(self):
        """The names."""
        return self._modules.keys()

    def items(self):
        """(name, module) pairs."""
        return self._modules.items()

    def values(self):
        """The modules."""
        return self._modules.values()

    def update(self, modules):
        """Adds modules, in place of those of the same name.

        Args:
            modules: a mapping, a ModuleDict, or an iterable of (name, module).

        Raises:
            TypeError: if modules, or an element of it, is not iterable.
            ValueError: if an element is not a pair.
        """
        if not isinstance(modules, Iterable):
            raise TypeError(
                "ModuleDict.update should be called with an iterable of key/value pairs, but got "
                f"{type(modules).__name__}"
            )
        if isinstance(modules, (Mapping, ModuleDict)):
            modules = modules.items()
        pairs = []
        for i, pair in enumerate(modules):
            if not isinstance(pair, Iterable):
                raise TypeError(
                    f"ModuleDict.update: element #{i} must be a pair (name, module), not "
                    f"{type(pair).__name__}"
                )
            pair = tuple(pair)
            if len(pair) != 2:
                raise ValueError(
                    f"ModuleDict.update: element #{i} has length {len(pair)}; 2 is required"
                )
            self._check_child(*pair)
            pairs.append(pair)
        for name, module in pairs:
            self[name] = module
