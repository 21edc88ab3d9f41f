"""Module: what every layer and every network is.

Parameters, buffers and children are ordinary attributes in the instance's __dict__. `_registered`
knows which names they are and of what kind, in the order of assignment; a name stays known while
its value is None.
"""

import inspect
import threading
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import contextmanager
from itertools import chain
from reprlib import recursive_repr
from typing import NamedTuple

import numpy as np

from pyml.errors import ArgumentError
from pyml.grad_mode import no_grad
from pyml.nn.call import Callable
from pyml.nn.hooks import (
    BACKWARD,
    BACKWARD_PRE,
    FORWARD,
    FORWARD_PRE,
    NEW_BUFFER,
    NEW_MODULE,
    NEW_PARAMETER,
    POST_LOAD,
    POST_STATE,
    PRE_LOAD,
    PRE_STATE,
    REPLACING_STATE,
    Hook,
    added,
    of_kind,
    registrations,
    warn_of_last_operation,
)
from pyml.nn.members import MembersOf
from pyml.nn.parameter import Buffer, Parameter, is_lazy
from pyml.ops.arrays import empty
from pyml.ops.creation import empty_like
from pyml.ops.outside import arrived
from pyml.ops.shape import is_device
from pyml.recorder import altered, refuse, unwatched
from pyml.tensor import Tensor, unwritable

__all__ = ["Module"]

PARAMETER, MODULE = "parameter", "child module"
BUFFER, TRANSIENT_BUFFER = "buffer", "non-persistent buffer"
BUFFERS = (BUFFER, TRANSIENT_BUFFER)
DICTS = "_parameters", "_buffers", "_modules"
EXTRA_STATE = "_extra_state"  # the key of what get_extra_state() gives
ASSIGN = "assign_to_params_buffers"  # in the metadata of a load that assigns, as in PyTorch


class IncompatibleKeys(NamedTuple):
    """What load_state_dict did not load: keys that the state dict lacks or the module does."""

    missing_keys: list
    unexpected_keys: list

    def problems(self):
        """What is wrong with the keys, as messages."""
        missing, unexpected = self
        return [
            *([f"Missing key(s) in state_dict: {quoted(missing)}."] if missing else []),
            *([f"Unexpected key(s) in state_dict: {quoted(unexpected)}."] if unexpected else []),
        ]

    def __repr__(self):
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"IncompatibleKeys(missing_keys={self.missing_keys}, "
            f"unexpected_keys={self.unexpected_keys})"
        )


class SignatureOfForward:
    """What inspect.signature(module) finds: forward's; of a class that of its __init__.

    Without it Python before 3.11.3 finds Module.__new__'s where __init__ is inherited.
    """

    def __get__(self, module, cls):
        if module is not None:
            return inspect.signature(module.forward)
        if cls.__new__ is not Module.__new__:
            raise AttributeError(f"type object {cls.__name__!r} has no attribute '__signature__'")
        signature = inspect.signature(cls.__init__)
        return signature.replace(parameters=[*signature.parameters.values()][1:])


class Module(Callable):
    """The base of every layer and network.

    A subclass assigns Parameters and other Modules to attributes in __init__, which makes them
    known to parameters(), state_dict() and the rest, and writes forward().

    Attributes:
        training: True in training mode, which Dropout and BatchNorm1d heed. Default: True.

    Example:
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.hidden = nn.Linear(8, 4)
        ...         self.output = nn.Linear(4, 1)
        ...
        ...     def forward(self, x):
        ...         return self.output(F.relu(self.hidden(x)))
        >>> Net()(pyml.zeros(2, 8)).shape
        (2, 1)
    """

    __signature__ = SignatureOfForward()
    training = True
    call_super_init = False  # a subclass sets it that has bases behind Module
    _hooks = _state_hooks = ()  # a list once there was one
    _version = 1  # of the keys of state_dict(), for those who write _load_from_state_dict
    _contexts = ()  # ContextVars that forward() reads: another value is another recorded step

    def __new__(cls, *args, **kwargs):
        module = super().__new__(cls)
        module.__dict__.update(_registered={}, training=True)
        if cls.__setattr__ is not Module.__setattr__:  # which may look there, as PyTorch's does
            for name in DICTS:
                getattr(module, name)
        return module

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        own = cls.__dict__
        if "__getattr__" in own and "__getattribute__" not in own and not issubclass(cls, Asked):
            cls.__bases__ = (*[base for base in cls.__bases__ if base is not Module], Asked)

    def __init__(self, *args, **kwargs):
        """Takes no arguments: those of a subclass are its own.

        With `call_super_init` True they are for the class that follows in the order of bases.
        """
        if self.call_super_init:
            super().__init__(*args, **kwargs)
        elif args or kwargs:
            raise TypeError(
                f"{self._get_name()}: Module.__init__() takes no arguments, it was given "
                f"{', '.join([*map(repr, args), *kwargs])}; keep them in the subclass"
            )

    def __setstate__(self, state):
        self.__dict__.update(state)
        for name in DICTS:
            if self.__dict__.pop(name, None) is not None:  # the original's
                getattr(self, name)
        # copy.copy hands over the original's containers: the copy gets its own
        self.__dict__["_registered"] = dict(self._registered)
        for name in ("_hooks", "_state_hooks"):
            if hooks := getattr(self, name):
                self.__dict__[name] = list(hooks)

    # ---- calling ---------------------------------------------------------------------------------

    def forward(self, *input):
        """Computes the output. A subclass writes it; call the module itself, so that hooks run."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def compile(self, *args, **kwargs):
        """Does nothing; pyml.record is what makes steps fast. It takes PyTorch's arguments."""

    # ---- attributes ------------------------------------------------------------------------------

    def __setattr__(self, name, value):
        if isinstance(value, Parameter):
            if hasattr(type(self), name):
                raise KeyError(f"attribute '{name}' already exists")
            self._register(name, value, PARAMETER)
        elif isinstance(value, Module):
            self._register(name, value, MODULE)
        elif isinstance(value, Buffer) and self._registered.get(name) not in (PARAMETER, MODULE):
            self._check_name(name, BUFFERS)
            self._register(name, value, BUFFER if value.persistent else TRANSIENT_BUFFER)
        else:
            kind = self._registered.get(name)
            fits = value is None or (kind in BUFFERS and isinstance(value, Tensor))
            if kind is not None and not fits:
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' as {kind} '{name}' "
                    f"({EXPECTED[kind]} or None expected)"
                )
            before = self.__dict__.get(name)
            object.__setattr__(self, name, value)
            if before is not value:
                altered(self, name, before)

    def __delattr__(self, name):
        before = self.__dict__.get(name)
        object.__delattr__(self, name)
        altered(self, name, before)
        self._registered.pop(name, None)

    def __dir__(self):
        return sorted(name for name in super().__dir__() if not name[0].isdigit())

    def _register(self, name, value, kind):
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type(name).__name__}")
        for hook in of_kind(registrations, NEW[kind]):
            changed = hook.function(self, name, value)
            if changed is not None and not isinstance(changed, CLASSES[kind]):
                raise TypeError(
                    f"{self._get_name()}: a {hook.kind} returns a '{type(changed).__name__}' for "
                    f"'{name}' ({EXPECTED[kind]} or None expected)"
                )
            value = value if changed is None else changed
        if self._registered.get(name) != kind:
            self._registered.pop(name, None)  # a name of a new kind comes last
            self._registered[name] = kind
        before = self.__dict__.get(name)
        self.__dict__[name] = value
        if before is not value:
            altered(self, name, before)

    def _check_name(self, name, kinds):
        """Raises if `name` cannot be registered; one registered as one of `kinds` before can be."""
        kind = kinds[0]
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type(name).__name__}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and self._registered.get(name) not in kinds:
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name, param):
        """Adds a parameter; it is then the attribute `name`.

        Args:
            name: the attribute, without dots.
            param: a Parameter, or None for one that this configuration does not have.

        Raises:
            TypeError: if param is not a Parameter or None.
            KeyError: if the name is taken, empty, or contains a dot.
        """
        self._check_name(name, (PARAMETER,))
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{type(param).__name__}' object to parameter '{name}' "
                "(nn.Parameter or None required)"
            )
        if param is not None and not param.is_leaf:
            raise ArgumentError(
                f"cannot assign a tensor that was computed as parameter '{name}', it must be a "
                "leaf; compute the value in forward()"
            )
        self._register(name, param, PARAMETER)

    def register_buffer(self, name, tensor, persistent=True):
        """Adds a buffer: a tensor that belongs to the module's state but is not trained.

        Args:
            name: the attribute, without dots.
            tensor: a Tensor, or None for one that this configuration does not have.
            persistent: is it part of state_dict()? Default: True.

        Raises:
            TypeError: if tensor is not a Tensor or None.
            KeyError: if the name is taken, empty, or contains a dot.
        """
        self._check_name(name, BUFFERS)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type(tensor).__name__}' object to buffer '{name}' "
                "(Tensor or None required)"
            )
        self._register(name, tensor, BUFFER if persistent else TRANSIENT_BUFFER)

    def add_module(self, name, module):
        """Adds a child; it is then the attribute `name`.

        Args:
            name: the attribute, without dots.
            module: a Module, or None.

        Raises:
            TypeError: if module is not a Module or None.
            KeyError: if the name is taken, empty, or contains a dot.
        """
        self._check_child(name, module)
        self._register(name, module, MODULE)

    def _check_child(self, name, module):
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._check_name(name, (MODULE,))

    def register_module(self, name, module):
        """The same as add_module."""
        self.add_module(name, module)

    def _members(self, *kinds):
        """(name, value) of what is registered here as one of `kinds`, None included."""
        values = self.__dict__
        return [(name, values[name]) for name, kind in self._registered.items() if kind in kinds]

    _parameters = MembersOf(PARAMETER)
    _buffers = MembersOf(*BUFFERS)
    _modules = MembersOf(MODULE)

    @property
    def _non_persistent_buffers_set(self):
        return {name for name, kind in self._registered.items() if kind == TRANSIENT_BUFFER}

    # ---- walking ---------------------------------------------------------------------------------

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """(name, module) of this module and all below it, parents first.

        Args:
            memo: modules seen already, which are left out. Default: none.
            prefix: goes before the names. Default: "".
            remove_duplicate: give a module that occurs twice once only. Default: True.
                One that is in itself comes once only all the same, or there would be no end.
        """
        memo = set() if memo is None else memo
        if not isinstance(memo, set):
            raise TypeError(f"named_modules: memo must be a set, not {type(memo).__name__}")
        ahead = [(prefix, self, ())]  # (name, module, the modules that it is in)
        while ahead:
            path, module, above = ahead.pop()
            if module is None or module in memo or module in above:
                continue
            if remove_duplicate:
                memo.add(module)
            yield path, module
            within = (*above, module)
            for name, child in reversed(module._members(MODULE)):
                ahead.append((joined(path, name), child, within))

    def modules(self, remove_duplicate=True):
        """This module and all below it, parents first.

        Args:
            remove_duplicate: give a module that occurs twice once only. Default: True.
        """
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self):
        """(name, module) of the direct children, each module once."""
        seen = set()
        for name, module in self._members(MODULE):
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self):
        """The direct children, each once."""
        for _, module in self.named_children():
            yield module

    def _named_tensors(self, kinds, prefix, recurse, remove_duplicate):
        """(name, tensor) of `kinds` here, or with `recurse` here and below."""
        seen = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, module in modules:
            for name, tensor in module._members(*kinds):
                if tensor is None or tensor in seen:
                    continue
                if remove_duplicate:
                    seen.add(tensor)
                yield joined(path, name), tensor

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """(name, Parameter) of this module and all below it.

        Args:
            prefix: goes before the names. Default: "".
            recurse: also of the modules below. Default: True.
            remove_duplicate: give a shared parameter once only. Default: True.

        Example:
            >>> [name for name, _ in nn.Sequential(nn.Linear(2, 1)).named_parameters()]
            ['0.weight', '0.bias']
        """
        return self._named_tensors((PARAMETER,), prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        """The parameters of this module and all below it, each once: what an optimizer takes.

        Args:
            recurse: also of the modules below. Default: True.
        """
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """(name, tensor) of the buffers; arguments as for named_parameters."""
        return self._named_tensors(BUFFERS, prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        """The buffers of this module and, with `recurse`, all below it, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target):
        """The module below with the dotted name `target`; "" is this module.

        Raises:
            AttributeError: if there is none.
        """
        check_dotted(target)
        module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target, module, strict=False):
        """Puts a module at the dotted name `target`.

        Args:
            target: the name, as for get_submodule, not "".
            module: the Module.
            strict: there must be a module of that name. Default: False.

        Raises:
            ValueError: if target is "", or module not a Module.
            AttributeError: if there is no module to put it into, or what is there is none.
        """
        check_dotted(target)
        if not target:
            raise ArgumentError(
                "set_submodule: target is '', it must be the name of a module below"
            )
        if not isinstance(module, Module):
            raise ArgumentError(
                f"set_submodule: module is a {type(module).__name__}, it must be an nn.Module"
            )
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict or hasattr(parent, name):
            parent.get_submodule(name)
        setattr(parent, name, module)

    def _get_tensor(self, target, kinds):
        check_dotted(target)
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        if module._registered.get(name) not in kinds or getattr(module, name) is None:
            raise AttributeError(f"`{name}` is not a {kinds[0]}")
        return getattr(module, name)

    def get_parameter(self, target):
        """The parameter with the dotted name `target`.

        Raises:
            AttributeError: if there is none.
        """
        return self._get_tensor(target, (PARAMETER,))

    def get_buffer(self, target):
        """The buffer with the dotted name `target`.

        Raises:
            AttributeError: if there is none.
        """
        return self._get_tensor(target, BUFFERS)

    def apply(self, fn):
        """Calls fn(module) for every module below and then for this one. Returns self.

        Example:
            >>> def zero(module):
            ...     if isinstance(module, nn.Linear):
            ...         nn.init.zeros_(module.weight)
            >>> net = nn.Sequential(nn.Linear(2, 1)).apply(zero)
        """
        with walk(self, ("apply", id(fn)), self.named_children()) as children:
            for _, module in children:
                module.apply(fn)
        fn(self)
        return self

    # ---- modes and gradients ---------------------------------------------------------------------

    def train(self, mode=True):
        """Sets training mode, or with mode=False evaluation mode, here and below. Returns self.

        Raises:
            ValueError: if mode is not a bool.
        """
        if not isinstance(mode, bool):
            raise ArgumentError(f"train: mode is {mode!r}, it must be True or False")
        self.training = mode
        with walk(self, ("train", mode), self.named_children()) as children:
            for _, module in children:
                module.train(mode)
        return self

    def eval(self):
        """Sets evaluation mode: train(False). Returns self."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        """Sets requires_grad of every parameter. Returns self."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        """Takes the gradients of all parameters away.

        Args:
            set_to_none: set them to None, which costs nothing; False fills them with zeros.
                Default: True.
        """
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                if parameter.grad.requires_grad:
                    parameter.grad = parameter.grad.detach()
                parameter.grad.zero_()

    # ---- dtype -----------------------------------------------------------------------------------

    def _apply(self, fn, recurse=True):
        """Gives every parameter, gradient and buffer the values and dtype of fn(tensor)."""
        with no_grad():
            converted = [
                (tensor, fn(tensor), None if tensor.grad is None else fn(tensor.grad))
                for tensor in chain(self.parameters(recurse), self.buffers(recurse))
            ]
            for tensor, value, _ in converted:
                if tensor.requires_grad and not value.is_floating_point():
                    raise TypeError(
                        f"dtype {value.dtype} is not floating point, as a parameter's must be"
                    )
            for tensor, value, grad in converted:
                if value is tensor:
                    continue
                tensor.grad = None  # its dtype is that of the tensor, at all times
                tensor.data = value
                tensor.grad = grad
        return self

    def to(self, *args, device=None, dtype=None, non_blocking=False, memory_format=None):
        """Converts floating point parameters and buffers in place. Returns self.

        to(dtype), to("cpu"), to("cpu", dtype) and to(tensor) as for a Tensor.

        Raises:
            TypeError: if the dtype is not floating point, or for arguments of another form.
            ValueError: for another device.
        """
        first, *others = args or (None,)
        if isinstance(first, Tensor) or (first is not None and not is_device(first)):
            first, others = None, [first, *others]  # the dtype, or a tensor that has it
        elif others and isinstance(others[0], (bool, Tensor)):
            raise TypeError(f"to: after a device comes a dtype, not {others[0]!r}")
        if len(others) > 2 or (len(others) == 2 and not isinstance(others[1], bool)):
            raise TypeError("to: the forms are to(device, dtype), to(dtype) and to(tensor)")
        kwargs = {"device": device, "dtype": dtype, "memory_format": memory_format}

        def convert(tensor):
            if not tensor.is_floating_point():
                return tensor
            converted = tensor.to(*args, **kwargs)
            if not converted.is_floating_point():
                raise TypeError(
                    f"to: dtype {converted.dtype} is not floating point, as a module's must be"
                )
            return converted

        return self._apply(convert)

    def to_empty(self, *, device, recurse=True):
        """Gives parameters and buffers new memory, whose values are not defined. Returns self.

        Args:
            device: "cpu".
            recurse: also those of the modules below. Default: True.
        """
        return self._apply(lambda tensor: empty_like(tensor, device=device), recurse)

    def type(self, dst_type):
        """Converts all parameters and buffers in place, those of integers too. Returns self."""
        return self._apply(lambda tensor: tensor.to(dst_type))

    def float(self):
        """Converts floating point parameters and buffers to float32. Returns self."""
        return self.to(np.dtype("float32"))

    def double(self):
        """Converts floating point parameters and buffers to float64. Returns self."""
        return self.to(np.dtype("float64"))

    def share_memory(self):
        """Moves parameters, buffers and gradients to memory that processes share; returns self.

        See Tensor.share_memory_.
        """
        return self._apply(lambda tensor: tensor.share_memory_())

    def cpu(self):
        """self: every tensor is on the CPU."""
        return self

    # ---- state -----------------------------------------------------------------------------------

    def _saved_tensors(self):
        """(name, tensor) of what state_dict() has of this module."""
        members = self._members(PARAMETER) + self._members(BUFFER)
        return [(name, tensor) for name, tensor in members if tensor is not None]

    def _writes(self, name):
        """Does a subclass write this method?"""
        return getattr(type(self), name) is not getattr(Module, name)

    def state_dict(self, destination=None, prefix="", keep_vars=False):
        """The parameters and persistent buffers by name. They share memory with the module.

        Args:
            destination: a dict to put them into. Default: a new OrderedDict, whose attribute
                `_metadata` has {"version": _version} of each module by its name.
            prefix: goes before the names. Default: "".
            keep_vars: give the Parameters themselves, not detached tensors. Default: False.

        Example:
            >>> list(nn.Linear(2, 1).state_dict())
            ['weight', 'bias']
        """
        if not isinstance(prefix, str):
            raise TypeError(f"state_dict: prefix is {prefix!r}, it must be a string")
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in of_kind(self._state_hooks, PRE_STATE):
            hook.function(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        with walk(self, "state_dict", self._members(MODULE)) as children:
            for name, module in children:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        for hook in self._state_hooks:
            if hook.kind in (POST_STATE, REPLACING_STATE):
                changed = hook.function(self, destination, prefix, metadata)
                if changed is not None and hook.kind == POST_STATE:
                    raise RuntimeError(f"a {POST_STATE} must return None; it may change the dict")
                destination = destination if changed is None else changed
        return destination

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        """Puts what state_dict() has of this module alone into a dict; a subclass may write it."""
        for name, tensor in self._saved_tensors():
            as_it_is = keep_vars or is_lazy(tensor)
            destination[prefix + name] = tensor if as_it_is else tensor.detach()
        if self._writes("get_extra_state"):
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def get_extra_state(self):
        """What state_dict() keeps beside parameters and buffers; a subclass may write it.

        Together with set_extra_state. What it returns, files must be able to hold: see pyml.save.
        """
        raise RuntimeError(f"{self._get_name()} has no get_extra_state(); a subclass writes it")

    def set_extra_state(self, state):
        """Takes over what get_extra_state() returned; a subclass may write it."""
        raise RuntimeError(f"{self._get_name()} has no set_extra_state(); a subclass writes it")

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copies the values of a state dict into the parameters and buffers, in their dtypes.

        Args:
            state_dict: a mapping from names to Tensors or NumPy arrays.
            strict: the names must be exactly those of state_dict(). Default: True.
            assign: put the tensors of the state dict in place of the module's own, dtype included.
                Default: False.

        Returns:
            The missing and the unexpected keys, as (missing_keys, unexpected_keys).

        Raises:
            RuntimeError: with all that does not fit; nothing has been loaded then, but where hooks
                after loading have a word about the keys, and of modules that write
                _load_from_state_dict.
            TypeError: if state_dict is not a mapping.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(
                f"load_state_dict: state_dict must be a mapping, not {type(state_dict).__name__}"
            )
        metadata = getattr(state_dict, "_metadata", None) or {}
        keys, problems, found, modules = IncompatibleKeys([], []), [], [], []

        def read(module, path, state_dict):
            modules.append(module)
            given = (state_dict, path, dict(metadata.get(path[:-1], {})))
            if assign:
                given[-1][ASSIGN] = True
            if module._writes("_load_from_state_dict"):
                module._load_from_state_dict(*given, True, *keys, problems)
            else:
                found.append((module, module._found_in(*given, True, *keys, problems)))
                keys.unexpected_keys.extend(unknown_here(module, state_dict, path))
            with walk(module, "load_state_dict", module._members(MODULE)) as children:
                for name, child in children:
                    start = f"{path}{name}."
                    own = {k: v for k, v in state_dict.items() if str(k).startswith(start)}
                    read(child, start, own)

        read(self, "", dict(state_dict))
        hooks = [
            (hook, module)
            for module in reversed(modules)
            for hook in of_kind(module._state_hooks, POST_LOAD)
        ]
        self._refuse_state(problems + (keys.problems() if strict and not hooks else []))
        for module, values in found:
            module._take_over(values, assign)
        for hook, module in hooks:
            if hook.function(module, keys) is not None:
                raise RuntimeError(f"a {POST_LOAD} must return None; it may change the keys")
        if strict and hooks:
            self._refuse_state(keys.problems())
        return keys

    def _load_from_state_dict(
        self,
        state_dict,
        prefix,
        local_metadata,
        strict,
        missing_keys,
        unexpected_keys,
        error_msgs,
    ):
        """Takes over what a dict has of this module alone; a subclass may write it.

        Args:
            state_dict: what begins with the prefix, a copy: of it the parts of this module are
                loaded, too. The subclass may change it.
            prefix: what the keys of this module begin with.
            local_metadata: {"version": _version} of the module that was saved, if that is known.
            strict: append to missing_keys and unexpected_keys.
            missing_keys, unexpected_keys: the lists of load_state_dict().
            error_msgs: what does not fit, a list of messages.
        """
        given = (state_dict, prefix, local_metadata, strict, missing_keys)
        values = self._found_in(*given, unexpected_keys, error_msgs)
        if strict:
            unexpected_keys += unknown_here(self, state_dict, prefix)
        self._take_over(values, local_metadata.get(ASSIGN, False))

    def _found_in(self, state_dict, prefix, metadata, strict, missing, unexpected, problems):
        """(name, value) of what a dict has of this module alone and fits into it."""
        for hook in of_kind(self._state_hooks, PRE_LOAD):
            given = (state_dict, prefix, metadata, strict, missing, unexpected, problems)
            hook.function(self, *given)
        values = []
        for name in known_here(self):
            key = prefix + name
            if key not in state_dict:
                missing += [key] if strict else []
            elif name == EXTRA_STATE:
                values.append((name, state_dict[key]))
            else:
                value, problem = mismatch(
                    key, state_dict[key], self.__dict__[name], metadata.get(ASSIGN, False)
                )
                problems += [] if problem is None else [problem]
                values += [(name, value)] if problem is None else []
        return values

    def _take_over(self, values, assign):
        """Makes values that fit the module's own."""
        for name, value in values:
            if name == EXTRA_STATE:
                self.set_extra_state(value)
                continue
            target = self.__dict__[name]
            if is_lazy(target) and (is_lazy(value) or value.shape == (0,)):  # neither has a shape
                continue
            if assign:
                self.__dict__[name] = in_place_of(target, value)
                altered(self, name, target)
            else:
                if is_lazy(target):
                    target = materialized(self, name, value.shape)
                with no_grad():
                    target.copy_(value if isinstance(value, Tensor) else Tensor._on(value))

    def _refuse_state(self, problems):
        if problems:
            raise RuntimeError(
                f"Error(s) in loading state_dict for {self._get_name()}:\n\t"
                + "\n\t".join(problems)
            )

    # ---- hooks -----------------------------------------------------------------------------------

    def _add_hook(self, hook, prepend=False, place="_hooks"):
        hooks = getattr(self, place) or []
        handle = added(hooks, hook, self, prepend)
        self.__dict__[place] = hooks
        return handle

    def register_state_dict_pre_hook(self, hook):
        """Calls hook(module, prefix, keep_vars) before state_dict() reads this module.

        Also where it is a part of a larger one, whose keys of this module begin with the prefix.

        Returns:
            A handle; handle.remove() takes the hook away.
        """
        return self._add_hook(Hook(PRE_STATE, hook), place="_state_hooks")

    def register_state_dict_post_hook(self, hook):
        """Calls hook(module, state_dict, prefix, metadata) with what state_dict() gives.

        The metadata is {"version": _version}. The hook may change the dict and returns None. The
        rest as for register_state_dict_pre_hook.
        """
        return self._add_hook(Hook(POST_STATE, hook), place="_state_hooks")

    def _register_state_dict_hook(self, hook):
        """As register_state_dict_post_hook; what the hook returns replaces the dict, unless None.

        Libraries call it, as PyTorch's.
        """
        return self._add_hook(Hook(REPLACING_STATE, hook), place="_state_hooks")

    def _register_load_state_dict_pre_hook(self, hook, with_module=False):
        """As register_load_state_dict_pre_hook, the module not among the hook's arguments.

        Libraries call it, as PyTorch's.
        """
        if with_module or not callable(hook):
            return self.register_load_state_dict_pre_hook(hook)
        return self.register_load_state_dict_pre_hook(lambda module, *given: hook(*given))

    def register_load_state_dict_pre_hook(self, hook):
        """Calls a hook before load_state_dict() reads the dict.

        Called as hook(module, state_dict, prefix, metadata, True, missing_keys, unexpected_keys,
        error_msgs), where metadata is {"version": _version} of the module that was saved and the
        dict has what begins with the prefix. It may change the dict, a copy of which this module
        and its parts are loaded, and append to the lists: to the keys that lack or are too many,
        and to the messages of the error. The rest as for register_state_dict_pre_hook.
        """
        return self._add_hook(Hook(PRE_LOAD, hook), place="_state_hooks")

    def register_load_state_dict_post_hook(self, hook):
        """Calls hook(module, incompatible_keys) after load_state_dict() took the values over.

        The hook may change the lists incompatible_keys.missing_keys and .unexpected_keys, by which
        a strict load_state_dict() then judges, and returns None. The rest as for
        register_state_dict_pre_hook.
        """
        return self._add_hook(Hook(POST_LOAD, hook), place="_state_hooks")

    def _hooks_of(self, kind):
        return dict(enumerate(hook.function for hook in self._hooks if hook.kind == kind))

    # libraries ask by PyTorch's names for what there is; a change of these dicts changes nothing
    _forward_pre_hooks = property(lambda self: self._hooks_of(FORWARD_PRE))
    _forward_hooks = property(lambda self: self._hooks_of(FORWARD))
    _backward_pre_hooks = property(lambda self: self._hooks_of(BACKWARD_PRE))
    _backward_hooks = property(lambda self: self._hooks_of(BACKWARD))

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Calls hook(module, args) before forward; what it returns replaces args, unless None.

        Args:
            hook: a function. With `with_kwargs` it gets (module, args, kwargs) and returns None or
                (args, kwargs).
            prepend: run it before the hooks there are. Default: False.
            with_kwargs: give it the keyword arguments too. Default: False.

        Returns:
            A handle; handle.remove() takes the hook away.
        """
        return self._add_hook(Hook(FORWARD_PRE, hook, with_kwargs), prepend)

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Calls hook(module, args, output) after forward; what it returns replaces output.

        None leaves the output as it is.

        Args:
            hook: a function. With `with_kwargs` it gets (module, args, kwargs, output).
            prepend: run it before the hooks there are. Default: False.
            with_kwargs: give it the keyword arguments too. Default: False.
            always_call: call it also when forward raises, with None for the output. Default: False.

        Returns:
            A handle; handle.remove() takes the hook away.
        """
        return self._add_hook(Hook(FORWARD, hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Calls hook(module, grad_output) before the backward of the module.

        grad_output is a tuple with the gradient of each output; what the hook returns replaces it,
        unless None.

        Returns:
            A handle; handle.remove() takes the hook away.
        """
        return self._add_hook(Hook(BACKWARD_PRE, hook), prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """Calls hook(module, grad_input, grad_output) when the gradients of the inputs are known.

        Both are tuples, of the gradients of the positional inputs and of the outputs; what the hook
        returns replaces grad_input, unless None. Where no input requires grad, grad_input is all
        None and the hook runs when the gradient of the output is known.

        Returns:
            A handle; handle.remove() takes the hook away.
        """
        return self._add_hook(Hook(BACKWARD, hook), prepend)

    def register_backward_hook(self, hook):
        """The same as register_full_backward_hook, with a FutureWarning.

        PyTorch gives such a hook the gradients of the inputs of the last operation alone.
        """
        warn_of_last_operation("register_backward_hook", stacklevel=3)
        return self.register_full_backward_hook(hook)

    # ---- repr ------------------------------------------------------------------------------------

    def _get_name(self):
        return type(self).__name__

    def extra_repr(self):
        """What repr() shows of this module between its parentheses; a subclass may write it."""
        return ""

    @recursive_repr()
    def __repr__(self):
        extra = self.extra_repr()
        children = [f"({name}): {indented(repr(child))}" for name, child in self._members(MODULE)]
        if not children and "\n" not in extra:
            return f"{self._get_name()}({extra})"
        lines = extra.split("\n") if extra else []
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"


class Asked(Module):
    """A base that a class with a __getattr__ gets: it is asked for what is registered, too.

    In PyTorch it is, as parameters, buffers and modules are not in the __dict__. To other modules
    this would be a call of Python for each of their attributes.
    """

    def __getattribute__(self, name):
        get = object.__getattribute__
        if name[:2] != "__" and name in get(self, "__dict__").get("_registered", ()):
            return type(self).__getattr__(self, name)
        return get(self, name)

    def __getattr__(self, name):
        attributes = object.__getattribute__(self, "__dict__")
        if name in attributes:
            return attributes[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


NEW = {
    PARAMETER: NEW_PARAMETER,
    MODULE: NEW_MODULE,
    BUFFER: NEW_BUFFER,
    TRANSIENT_BUFFER: NEW_BUFFER,
}
CLASSES = {PARAMETER: Parameter, MODULE: Module, BUFFER: Tensor, TRANSIENT_BUFFER: Tensor}
EXPECTED = {
    PARAMETER: "nn.Parameter",
    MODULE: "nn.Module",
    BUFFER: "Tensor",
    TRANSIENT_BUFFER: "Tensor",
}


class Walks(threading.local):
    """The modules that walks on this thread are in."""

    def __init__(self):
        self.entered = set()


walks = Walks()


@contextmanager
def walk(module, purpose, children):
    """(name, child) of a module's, without those that the walk of this purpose came through.

    A walk calls a method of each module, which a subclass may write: the way that it came cannot be
    handed over as an argument.
    """
    entry = (purpose, id(module))
    is_first = entry not in walks.entered
    walks.entered.add(entry)
    try:
        yield [
            (name, child)
            for name, child in children
            if child is not None and (purpose, id(child)) not in walks.entered
        ]
    finally:
        if is_first:
            walks.entered.discard(entry)


def joined(path, name):
    return f"{path}.{name}" if path else name


def quoted(keys):
    return ", ".join(f'"{key}"' for key in keys)


def indented(text):
    return text.replace("\n", "\n  ")


def materialized(module, name, shape):
    """Gives an uninitialized parameter or buffer of a module its shape; the tensor it then is."""
    before = module.__dict__[name]
    if isinstance(before, Parameter):
        before.materialize(shape)
    else:
        module.__dict__[name] = Tensor._on(empty(tuple(shape), before.dtype))
    altered(module, name, before)
    return module.__dict__[name]


def in_place_of(target, value):
    """A tensor on the memory of `value`, a Parameter if `target` is one."""
    if not isinstance(value, Tensor):
        refuse("load_state_dict with a NumPy array")
        value = Tensor._on(unwatched(value))
    if isinstance(target, Parameter) and not isinstance(value, Parameter):
        return Parameter(value, requires_grad=target.requires_grad)
    return value


def known_here(module):
    """The names that load_state_dict() asks a dict for, of a module alone."""
    names = [name for name, _ in module._saved_tensors()]
    return [*names, EXTRA_STATE] if module._writes("set_extra_state") else names


def unknown_here(module, state_dict, prefix):
    """The keys that begin with a prefix and name nothing of the module, nor a part of it."""
    names, parts = set(known_here(module)), {name for name, _ in module._members(MODULE)}
    unknown = []
    for key in state_dict:
        if not isinstance(key, str):
            unknown.append(key)
        elif key.startswith(prefix):
            first, dot, _ = key[len(prefix) :].partition(".")
            if first not in (parts if dot else names):
                unknown.append(key)
    return unknown


def mismatch(key, value, target, assign):
    """(an array for `value`, why it cannot be loaded into `target`), one of them None."""
    if not isinstance(value, (Tensor, np.ndarray, np.generic)):
        return None, f"{key}: a Tensor or a NumPy array is expected, not {type(value).__name__}."
    if is_lazy(value) and not is_lazy(target):
        return None, f"{key}: the state dict has an uninitialized parameter, without a shape."
    if is_lazy(value):
        return value, None
    if not is_lazy(target) and value.shape != target.shape:
        return None, (
            f"size mismatch for {key}: the state dict has shape {value.shape}, "
            f"the module has shape {target.shape}."
        )
    try:
        array = arrived(value, key, shared=assign)
    except TypeError as error:
        return None, f"{error}."
    if assign and target.is_floating_point() and array.dtype.kind != "f":
        return None, (
            f"{key}: dtype {array.dtype} cannot be assigned, it must be float32 or float64."
        )
    if not assign and (why := unwritable(target.array)):
        return None, f"{key}: the module's tensor {why}."
    return value if isinstance(value, Tensor) else array, None


def check_dotted(target):
    if not isinstance(target, str):
        raise TypeError(
            f"target must be a str, a name such as 'layer.weight', not {type(target).__name__}"
        )
