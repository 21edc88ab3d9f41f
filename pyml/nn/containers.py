"""Modules made of modules: Sequential, ModuleList, ModuleDict; of parameters: ParameterList and
ParameterDict.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import index as as_index
from reprlib import recursive_repr

from pyml.errors import ArgumentError
from pyml.nn.module import MODULE, Module, indented
from pyml.nn.parameter import Parameter
from pyml.tensor import Tensor

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


def place_of(index, size):
    """An index of `size` items, counted from the front.

    Raises:
        IndexError: if there is no such item.
    """
    index = as_index(index)
    if not -size <= index < size:
        raise IndexError(f"index {index} is out of range")
    return index % size


class ModuleSequence(Module):
    """What Sequential and ModuleList share: children in an order, named "0", "1", ..."""

    def __len__(self):
        return len(self._members(MODULE))

    def __iter__(self):
        return iter([module for _, module in self._members(MODULE)])

    def _name_at(self, index):
        names = [name for name, _ in self._members(MODULE)]
        return names[place_of(index, len(names))]

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
            raise ArgumentError(
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
            raise ArgumentError(
                f"Sequential * {times}: the number of repetitions must be at least 1"
            )
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

    def _children(self):
        return dict(self._members(MODULE))

    def __getitem__(self, key):
        return self._children()[key]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __delitem__(self, key):
        if key not in self:
            raise KeyError(key)
        delattr(self, key)

    def __len__(self):
        return len(self._children())

    def __iter__(self):
        return iter(self._children())

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
        return self._children().keys()

    def items(self):
        """(name, module) pairs."""
        return self._children().items()

    def values(self):
        """The modules."""
        return self._children().values()

    def update(self, modules):
        """Adds modules, in place of those of the same name.

        Args:
            modules: a mapping, a ModuleDict, or an iterable of (name, module).

        Raises:
            TypeError: if modules, or an element of it, is not iterable.
            ValueError: if an element is not a pair.
        """
        pairs = pairs_of(modules, "ModuleDict", "module")
        for name, module in pairs:  # of all, before the first is added
            self._check_child(name, module)
        for name, module in pairs:
            self[name] = module


def pairs_of(given, name, what):
    """(name, value) pairs of a mapping or an iterable, a list.

    Raises:
        TypeError: if it, or an element of it, is not iterable.
        ValueError: if an element is not a pair.
    """
    if not isinstance(given, Iterable):
        raise TypeError(
            f"{name}.update should be called with an iterable of key/value pairs, but got "
            f"{type(given).__name__}"
        )
    if isinstance(given, (Mapping, ModuleDict, ParameterDict)):
        given = given.items()
    pairs = []
    for i, pair in enumerate(given):
        if not isinstance(pair, Iterable):
            raise TypeError(
                f"{name}.update: element #{i} must be a pair (name, {what}), not "
                f"{type(pair).__name__}"
            )
        pair = tuple(pair)
        if len(pair) != 2:
            raise ArgumentError(
                f"{name}.update: element #{i} has length {len(pair)}; 2 is required"
            )
        pairs.append(pair)
    return pairs


class Values(Module):
    """What ParameterList and ParameterDict share: tensors among the values become Parameters."""

    def _put(self, name, value):
        if isinstance(value, Tensor) and not isinstance(value, Parameter):
            value = Parameter(value)
        if name not in self.__dict__ and hasattr(type(self), name):
            raise KeyError(f"attribute '{name}' already exists")
        setattr(self, name, value)

    def extra_repr(self):
        """The shapes of the parameters."""
        return "\n".join(f"({name}): {described(value)}" for name, value in self._named())

    def forward(self, *input):
        """There is nothing to compute.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(f"{self._get_name()} should not be called.")


def described(value):
    """What repr() shows of a value."""
    if not isinstance(value, Tensor):
        return f"Object of type: {type(value).__name__}"
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return f"{kind} containing: [{value.dtype} of size {'x'.join(map(str, value.shape))}]"


class ParameterList(Values):
    """A list of parameters, which a Module that has it knows.

    Tensors that are put in become Parameters; other values stay what they are.

    Args:
        values: an iterable. Default: none.

    Example:
        >>> class Powers(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.factors = nn.ParameterList([pyml.ones(1), pyml.ones(1)])
        ...
        ...     def forward(self, x):
        ...         return sum(factor * x**i for i, factor in enumerate(self.factors))
        >>> [name for name, _ in Powers().named_parameters()]
        ['factors.0', 'factors.1']
    """

    def __init__(self, values=None):
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _named(self):
        return [(str(i), value) for i, value in enumerate(self)]

    def _name_at(self, index):
        return str(place_of(index, self._size))

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)([self[i] for i in range(*index.indices(self._size))])
        return getattr(self, self._name_at(index))

    def __setitem__(self, index, value):
        self._put(self._name_at(index), value)

    def __len__(self):
        return self._size

    def __iter__(self):
        return iter([getattr(self, str(i)) for i in range(self._size)])

    def __iadd__(self, values):
        return self.extend(values)

    def append(self, value):
        """Adds a value at the end. Returns self."""
        self._put(str(self._size), value)
        self._size += 1
        return self

    def extend(self, values):
        """Adds the values of an iterable at the end. Returns self.

        Raises:
            TypeError: if values is not iterable, or a Tensor.
        """
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(
                "ParameterList.extend should be called with an iterable, but got "
                f"{type(values).__name__}"
            )
        for value in list(values):
            self.append(value)
        return self


class ParameterDict(Values):
    """A dictionary of parameters by name, which a Module that has it knows; in order of insertion,
    but for the names of a plain dict, which come sorted.

    Tensors that are put in become Parameters; other values stay what they are.

    Args:
        parameters: a mapping, or an iterable of (name, value). Default: none.

    Example:
        >>> choices = nn.ParameterDict({"left": pyml.ones(2), "right": pyml.zeros(2)})
        >>> choices["left"].requires_grad
        True
        >>> list(choices.state_dict())
        ['left', 'right']
    """

    def __init__(self, parameters=None):
        super().__init__()
        self._keys = {}
        if parameters is not None:
            self.update(parameters)

    def _named(self):
        return list(self.items())

    def __getitem__(self, key):
        if key not in self:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key, value):
        if not isinstance(key, str):
            raise TypeError(
                f"ParameterDict: a key must be a string, not {key!r} of type {type(key).__name__}"
            )
        if key in ("_keys", "training", "_registered"):
            raise KeyError(f"attribute '{key}' already exists")
        keys = {**self._keys, key: None}
        self._put(key, value)
        self._keys = keys

    def __delitem__(self, key):
        if key not in self:
            raise KeyError(key)
        delattr(self, key)
        self._keys = {each: None for each in self._keys if each != key}

    def __len__(self):
        return len(self._keys)

    def __iter__(self):
        return iter(self._keys)

    def __reversed__(self):
        return reversed(self._keys)

    def __contains__(self, key):
        return key in self._keys

    def __or__(self, other):
        made = self.copy()
        made.update(other)
        return made

    def __ror__(self, other):
        made = ParameterDict(other)
        made.update(self)
        return made

    def __ior__(self, other):
        self.update(other)
        return self

    def copy(self):
        """Another one with the same values."""
        return ParameterDict(self.items())

    def setdefault(self, key, default=None):
        """The value of `key`, which is `default` from now on if there was none."""
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self):
        """Removes all values."""
        for key in list(self):
            del self[key]

    def pop(self, key):
        """Removes the value of `key` and returns it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self):
        """Removes the last (name, value) and returns it.

        Raises:
            KeyError: if there is none.
        """
        if not self._keys:
            raise KeyError("popitem: the ParameterDict is empty")
        key = next(reversed(self))
        return key, self.pop(key)

    def get(self, key, default=None):
        """The value of `key`, or `default` if there is none."""
        return getattr(self, key) if key in self else default

    def fromkeys(self, keys, default=None):
        """A ParameterDict with these names and one value."""
        return ParameterDict([(key, default) for key in keys])

    def keys(self):
        """The names."""
        return self._keys.keys()

    def items(self):
        """(name, value) pairs."""
        return [(key, self[key]) for key in self._keys]

    def values(self):
        """The values."""
        return [self[key] for key in self._keys]

    def update(self, parameters):
        """Adds values, in place of those of the same name.

        Args:
            parameters: a ParameterDict, an OrderedDict or an iterable of (name, value), whose order
                is kept; or another mapping, whose names are sorted first, as PyTorch does.

        Raises:
            TypeError: if parameters, or an element of it, is not iterable.
            ValueError: if an element is not a pair.
        """
        pairs = pairs_of(parameters, "ParameterDict", "value")
        if isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict):
            pairs.sort(key=lambda pair: str(pair[0]))
        for key, value in pairs:
            self[key] = value
