"""The base of all optimizers: parameter groups, state, hooks, and saving them."""

import functools
import math
import warnings
from collections import defaultdict
from collections.abc import Hashable, Mapping
from copy import copy, deepcopy
from itertools import chain
from types import SimpleNamespace

import numpy as np

from pyml import recorder
from pyml.grad_mode import enable_grad
from pyml.hooks import HookHandle
from pyml.ops import optim as kernels
from pyml.ops.creation import full, tensor
from pyml.ops.outside import arrived
from pyml.options import check_options, is_number, one_number
from pyml.tensor import Tensor

__all__ = [
    "Optimizer",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
    "required",
]


WORDS = {  # PyTorch's for an option out of range; for others "Invalid <name> value: ..."
    "lr": "Invalid learning rate: {lr}",
    "eps": "Invalid epsilon value: {eps}",
    "betas[0]": "Invalid beta parameter at index 0: {betas[0]}",
    "betas[1]": "Invalid beta parameter at index 1: {betas[1]}",
}


class _Required:
    """Default of an option that every parameter group must set."""

    def __repr__(self):
        return "<required parameter>"


required = _Required()

PRE_STEP, POST_STEP = "step pre-hook", "step post-hook"
PRE_STATE, POST_STATE = "state_dict pre-hook", "state_dict post-hook"
PRE_LOAD, POST_LOAD = "load_state_dict pre-hook", "load_state_dict post-hook"
KINDS = PRE_STEP, POST_STEP, PRE_STATE, POST_STATE, PRE_LOAD, POST_LOAD

hooks_of_all = {PRE_STEP: [], POST_STEP: []}  # of the steps of every optimizer


def _hooked(step):
    """`step` with the optimizer's hooks around it."""

    @functools.wraps(step)
    def hooked(self, *args, **kwargs):
        args = (self, *args)
        recorder.stepping(self)
        own, every = self._hooks, hooks_of_all
        if every[PRE_STEP] or own[PRE_STEP]:  # most have none: that is asked in every step
            args, kwargs = passed_on(self, (*every[PRE_STEP], *own[PRE_STEP]), args, kwargs)
        result = step(*args, **kwargs)
        self._stepped = True
        if own[POST_STEP] or every[POST_STEP]:
            for hook in (*own[POST_STEP], *every[POST_STEP]):
                hook(self, args, kwargs)
        return result

    return hooked


def passed_on(optimizer, hooks, args, kwargs):
    """The arguments of a step, as the hooks before it leave them."""
    for hook in hooks:
        changed = hook(optimizer, args, kwargs)
        if changed is not None:
            if not (isinstance(changed, tuple) and len(changed) == 2):
                raise RuntimeError(f"a {PRE_STEP} returned {changed!r}, not None or (args, kwargs)")
            args, kwargs = changed
    return args, kwargs


def register_optimizer_step_pre_hook(hook):
    """Calls hook(optimizer, args, kwargs) before each step of every optimizer, and before its own.

    As Optimizer.register_step_pre_hook, also in what the hook may return.
    """
    return added(hooks_of_all[PRE_STEP], PRE_STEP, hook)


def register_optimizer_step_post_hook(hook):
    """Calls hook(optimizer, args, kwargs) after each step of every optimizer, and after its own.

    As Optimizer.register_step_post_hook.
    """
    return added(hooks_of_all[POST_STEP], POST_STEP, hook)


class Optimizer:
    """Base class of the optimizers.

    A subclass with a kernel declares what the kernel reads, which is compared with it when the
    class is made::

        _kernel = "rmsprop"                 # in csrc/kernel_list.h
        _options = ("lr", "alpha", ...)     # of a group: the fields of rmsprop_options
        _states = {"square_avg": True, "momentum_buffer": "momentum", ...}
                                            # arrays: True, or the option that needs it
        _numbers = {"step": 0}              # the rest of the state, and what it begins with
        _starts = {}                        # {array: the option that it begins with}; else zeros
        _ranges = {"lr": Range(0), ...}     # of options, in the order in which they are checked

    Rules for several options together are in `_check`. An optimizer written in Python overrides
    `step` instead, as in PyTorch.

    With differentiable=True a step is made of operations, which `_updated` writes: the parameters
    are then what it computed from them, their gradients, the state and the options, of which those
    that require grad get gradients. A parameter is not a leaf that requires grad, but a clone.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts with such a list under "params" and options
            of their own, one dict a group.
        defaults: the options of groups that do not set them.
        differentiable: make steps a part of the graph. Default: False.

    Raises:
        TypeError: if params is a Tensor or holds something else than the above.
        ValueError: if params is empty, has a Tensor in two groups or one that is not a leaf, or an
            option is out of range.

    A Tensor that a group has twice is kept once, with PyTorch's warning; PyTorch updates it twice.
    """

    _kernel = None
    _options = ()
    _states = {}
    _numbers = {"step": 0}
    _starts = {}
    _ranges = {}
    _words = {}  # PyTorch's for an option out of range, where they are not those of WORDS

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _hooked(cls.step)
        if cls._kernel is not None:
            cls._algorithm = kernels.Algorithm(
                cls.__name__, cls._kernel, cls._options, cls._states, cls._numbers, cls._starts
            )
            unknown = set(cls._ranges) - {*cls._options, *cls._starts.values()}
            if unknown:
                raise TypeError(f"{cls.__name__}: _ranges has {sorted(unknown)}, not in _options")

    _hooks = dict.fromkeys(KINDS, ())  # of a wrapper that does not call __init__

    def __init__(self, params, defaults, differentiable=False):
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                "not a Tensor; pass [tensor]"
            )
        if not isinstance(defaults, dict):
            raise TypeError(f"defaults must be a dict of options, not {type(defaults).__name__}")
        lacking = {*self._options, *self._starts.values()} - set(defaults)
        if lacking:
            raise TypeError(f"{type(self).__name__}: defaults lacks {sorted(lacking)}")
        if differentiable:
            defaults = {**defaults, "differentiable": True}
        self.defaults = defaults
        self.state = defaultdict(dict)
        self.param_groups = []
        self._start()
        self._check(defaults)
        groups = list(params)
        if not groups:
            raise ValueError("params is empty: there is nothing to optimize")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _start(self):
        """Sets what belongs to this object alone: neither copies nor files have it."""
        self._hooks = {kind: [] for kind in KINDS}
        self._stepped = False  # has step() run? Schedulers warn if they go first
        self._step_of_its_own = None  # what it had in place of step() when a scheduler was made
        self._updates = []  # the kernel's memory, one for each group

    def _check(self, options):
        """Raises ValueError if an option is out of range."""
        check_options(type(self).__name__, options, self._ranges, {**WORDS, **self._words})

    def add_param_group(self, param_group):
        """Adds a group of parameters, with options of its own.

        Args:
            param_group: a dict with "params", and any of the options; the others are the defaults.

        Raises:
            TypeError, ValueError: as the constructor. Nothing has been added then.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, not {type(param_group).__name__}")
        group = dict(param_group)
        if "params" not in group:
            raise KeyError("param_group has no 'params', the Tensors to optimize")
        params = group["params"]
        if isinstance(params, set):
            raise TypeError("params is a set, whose order changes from run to run; use a list")
        params = [params] if isinstance(params, Tensor) else list(params)
        names = [item[0] for item in params if isinstance(item, tuple) and item]
        params = [item[1] if isinstance(item, tuple) and item[1:] else item for item in params]
        if names and len(names) != len(params):
            raise ValueError(
                "all optimizer params should be with/without names. Some param names are missing: "
                f"{len(names)} of {len(params)} have a name; name all or none"
            )
        for i, p in enumerate(params):
            if not isinstance(p, Tensor):
                raise TypeError(f"params[{i}] is a {type(p).__name__}, it must be a Tensor")
            if not (p.is_leaf or p.retains_grad or self.defaults.get("differentiable")):
                raise ValueError(
                    f"params[{i}] is not a leaf Tensor: an operation computed it, "
                    "so backward leaves it no gradient"
                )
        once = sorted({id(p): i for i, p in reversed([*enumerate(params)])}.values())
        if len(once) < len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; each is kept once",
                UserWarning,
                stacklevel=4,
            )
        group["params"] = [params[i] for i in once]
        if names:
            group["param_names"] = [names[i] for i in once]
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(f"a parameter group must set {name}")
            group.setdefault(name, default)
        self._check(group)
        self._check_distinct(group)
        self.param_groups.append(group)

    def _check_distinct(self, group):
        """Raises if a parameter is in another group, too, or names are unlike theirs."""
        others = self.param_groups
        kernels.check_distinct([*(other["params"] for other in others), group["params"]])
        named = "param_names" in group
        if any(named != ("param_names" in other) for other in others):
            raise ValueError(
                "all optimizer param groups should be with/without names. cannot add param group "
                f"{'with' if named else 'without'} names to the optimizer, whose groups are "
                f"{'without' if named else 'with'}"
            )

    def zero_grad(self, set_to_none=True):
        """Drops the gradients of all parameters, or with set_to_none=False fills them with zeros.

        A parameter without a gradient is skipped by step(); one with a gradient of zeros is not:
        momentum and weight decay still move it.
        """
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad = p.grad.detach()
                    p.grad.zero_()

    def step(self, closure=None):
        """Updates all parameters that have a gradient: one kernel call for each group and dtype.

        Args:
            closure: a function that clears the gradients, computes the loss, calls backward and
                returns the loss; called first, with gradients recorded.

        Returns:
            What closure returned, or None.

        Raises:
            TypeError, ValueError: if a gradient or a state does not have its parameter's shape and
                dtype; or if what was changed in param_groups is not what the constructor takes, as
                one that is in two groups. No parameter has changed then.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if self._kernel is None:
            raise NotImplementedError(f"{type(self).__name__} has no step()")
        if self.defaults.get("differentiable"):
            self._step_in_graph()
            return loss
        while len(self._updates) < len(self.param_groups):
            self._updates.append(kernels.Update(self._algorithm, type(self).__name__))
        kernels.step(self._updates, self.param_groups, self.state)
        return loss

    step = _hooked(step)

    @enable_grad()
    def _step_in_graph(self):
        """Updates all parameters that have a gradient, by operations that are recorded."""
        recorder.refuse("the step of an optimizer with differentiable=True")
        kernels.check_distinct([group["params"] for group in self.param_groups])
        updates = [
            (p, *self._update_in_graph(group, i, p))
            for group in self.param_groups
            for i, p in enumerate(group["params"])
            if p.grad is not None
        ]
        for p, updated, state in updates:
            p.copy_(updated)
            self.state[p].update(state)

    def _update_in_graph(self, group, i, p):
        """The new value of a parameter and its new state; nothing is changed."""
        if p.is_leaf and p.requires_grad:
            raise RuntimeError(
                f"{type(self).__name__}: parameter {i} is a leaf that requires grad, which a step "
                "with differentiable=True would change in the graph; optimize p.clone() of it"
            )
        options = SimpleNamespace(**{key: one(group[key]) for key in group if key != "params"})
        state = {key: value for key, value in self.state.get(p, {}).items() if value is not None}
        is_new = not any(name in state for name in self._states)
        t = 1 + float(state.get("step", 0 if is_new else 1))
        for name, first in self._numbers.items():
            state.setdefault(name, tensor(float(first), dtype=np.float64))
        for name, need in self._states.items():
            if need is True or is_on(getattr(options, need)):
                start = float(getattr(options, self._starts[name])) if name in self._starts else 0.0
                state.setdefault(name, full(p.shape, start, dtype=p.dtype))
                if state[name].shape != p.shape:
                    raise ValueError(
                        f"{type(self).__name__}: parameter {i} has shape {tuple(p.shape)}, its "
                        f"state {name!r} {tuple(state[name].shape)}; they must be the same"
                    )
        if "step" in self._numbers:
            state["step"] = tensor(t, dtype=np.float64)
        g = -p.grad if options.maximize else p.grad.clone()
        updated = self._updated(p.clone(), g, state, options, t)
        return updated, state | {
            name: state[name].to(p.dtype) for name in self._states if name in state
        }

    def _updated(self, w, g, state, options, t):
        """The new value of a parameter, of operations that can be differentiated.

        Args:
            w: its value.
            g: its gradient, negative with maximize.
            state: a dict, {name: Tensor}, in which the new state is put.
            options: those of its group, as attributes.
            t: the count of updates, this one included; where the state has none, 1 or more.
        """
        raise NotImplementedError(f"{type(self).__name__} has no _updated()")

    def _groups_and_options(self):
        """For a step of operations: (group, {name: Tensor} of the options that `_options` names).

        Recorded steps look into the code of such a step, and guard what it reads; not into this.
        """
        kernels.check_distinct([group["params"] for group in self.param_groups])
        return [
            (group, {name: kernels.option(group, name) for name in self._options})
            for group in self.param_groups
        ]

    # ---- hooks -----------------------------------------------------------------------------------

    def _has_step_hooks(self):
        return any(hooks[kind] for hooks in (hooks_of_all, self._hooks) for kind in hooks_of_all)

    def register_step_pre_hook(self, hook):
        """Calls hook(optimizer, args, kwargs) before each step; it may return other (args, kwargs).

        The first of args is the optimizer.

        Returns:
            A handle; handle.remove() takes the hook away.
        """
        return added(self._hooks[PRE_STEP], PRE_STEP, hook)

    def register_step_post_hook(self, hook):
        """Calls hook(optimizer, args, kwargs) after each step; the first of args is the optimizer.

        Returns:
            A handle; handle.remove() takes the hook away.
        """
        return added(self._hooks[POST_STEP], POST_STEP, hook)

    def register_state_dict_pre_hook(self, hook, prepend=False):
        """Calls hook(optimizer) before state_dict() reads the state.

        Args:
            hook: a function.
            prepend: call it before the hooks that are there. Default: False.

        Returns:
            A handle; handle.remove() takes the hook away.
        """
        return added(self._hooks[PRE_STATE], PRE_STATE, hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend=False):
        """Calls hook(optimizer, state_dict) with what state_dict() gives.

        The hook may change the dict, or return another one in its place. Arguments and what is
        returned: as for register_state_dict_pre_hook.
        """
        return added(self._hooks[POST_STATE], POST_STATE, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend=False):
        """Calls hook(optimizer, state_dict) before load_state_dict() reads the dict.

        The hook may change the dict, which is a shallow copy, or return another one in its place.
        Arguments and what is returned: as for register_state_dict_pre_hook.
        """
        return added(self._hooks[PRE_LOAD], PRE_LOAD, hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend=False):
        """Calls hook(optimizer) after load_state_dict(). Arguments: as for the pre-hook."""
        return added(self._hooks[POST_LOAD], POST_LOAD, hook, prepend)

    def _passed(self, kind, state_dict):
        """A state_dict as the hooks of a kind leave it."""
        for hook in tuple(self._hooks[kind]):
            changed = hook(self, state_dict)
            if changed is not None:
                state_dict = changed
        return state_dict

    # ---- state -----------------------------------------------------------------------------------

    def state_dict(self):
        """The state and the options, with parameters as indices, in PyTorch's format.

        Returns:
            {"state": {index: {name: Tensor}}, "param_groups": [{option: value, "params": [index]}]}
            with the Tensors of the optimizer, not copies. "step" is float64, in PyTorch float32.
        """
        for hook in tuple(self._hooks[PRE_STATE]):
            hook(self)
        index, start = {}, 0
        for group in self.param_groups:
            index |= {p: i for i, p in enumerate(group["params"], start) if p not in index}
            start += len(group["params"])
        state = {
            "state": {index.get(key, key): value for key, value in self.state.items()},
            "param_groups": [
                {**group, "params": [index[p] for p in group["params"]]}
                for group in self.param_groups
            ],
        }
        return self._passed(POST_STATE, state)

    def load_state_dict(self, state_dict):
        """Takes over what state_dict() gave, here or in PyTorch.

        Parameters are matched by their order. State is copied, as the dtype of its parameter. An
        option that the groups of state_dict lack gets its default.

        Args:
            state_dict: its arrays may be Tensors, NumPy arrays, or what has __array__().

        Raises:
            TypeError: if it is not a dict, or has an option or an array of a wrong type.
            ValueError: if it is not of such an optimizer: by its groups, the number of parameters
                of one, the range of an option, or the shape of a state. Nothing has changed then.
        """
        if self._hooks[PRE_LOAD]:
            state_dict = self._passed(PRE_LOAD, copy(state_dict))
        self.state, self.param_groups = self._read(state_dict)
        self._stepped = True  # where it was saved, for all we know
        for hook in tuple(self._hooks[POST_LOAD]):
            hook(self)

    def _read(self, state_dict):
        """(state, param_groups) from what state_dict() gave, all of it checked."""
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict must be a dict, not {type(state_dict).__name__}")
        saved_groups = self._read_groups(state_dict)
        groups = []
        for i, (group, saved) in enumerate(zip(self.param_groups, saved_groups, strict=True)):
            new = {  # in the order of saved: what is saved again is the same
                name: group["params"] if name == "params" else deepcopy(value)
                for name, value in saved.items()
            }
            if "param_names" in group:
                new.setdefault("param_names", group["param_names"])
            new |= {name: value for name, value in self.defaults.items() if name not in new}
            self._check_types(new, f"state_dict: param_groups[{i}]")
            self._check(new)
            groups.append(new)
        keys = list(chain.from_iterable(saved["params"] for saved in saved_groups))
        params = list(chain.from_iterable(group["params"] for group in self.param_groups))
        if not all(isinstance(key, Hashable) for key in keys):
            raise ValueError("state_dict: params of param_groups must be numbers")
        param_of = dict(zip(keys, params, strict=True))
        if any(param_of[key] is not p for key, p in zip(keys, params, strict=True)):
            raise ValueError(
                "state_dict: params of param_groups has a number twice, for parameters that differ"
            )
        saved_state = state_dict.get("state")
        if not isinstance(saved_state, Mapping):
            raise ValueError(
                f"state_dict: 'state' must be a dict, as of an optimizer like "
                f"{type(self).__name__}, not {type(saved_state).__name__}"
            )
        state = defaultdict(dict)
        for key, value in saved_state.items():
            if key in param_of:
                place = f"state_dict: state of parameter {key}"
                if self._state_names():
                    self._check_state(value, place)
                try:
                    state[param_of[key]] = self._convert(value, param_of[key], place)
                except RecursionError:
                    raise ValueError(f"{place} holds itself, or is nested too deeply") from None
            else:
                state[key] = deepcopy(value)
        return state, groups

    def _read_groups(self, state_dict):
        """The groups of a state_dict, which have as many parameters as those here."""
        groups = state_dict.get("param_groups")
        if not (
            isinstance(groups, (list, tuple))
            and all(isinstance(group, Mapping) for group in groups)
            and all(isinstance(group.get("params"), (list, tuple)) for group in groups)
        ):
            raise ValueError(
                "state_dict: 'param_groups' must be a list of dicts with a list 'params', as of an "
                f"optimizer like {type(self).__name__}"
            )
        sizes = [len(group["params"]) for group in self.param_groups]
        saved_sizes = [len(group["params"]) for group in groups]
        if sizes != saved_sizes:
            raise ValueError(
                f"state_dict has groups of {saved_sizes} parameters, this optimizer of {sizes}; "
                "make it for the same model and groups first"
            )
        return groups

    def _check_types(self, options, place):
        """Raises TypeError for an option that is not of the type of its default."""
        for name, default in self.defaults.items():
            value, kind = options[name], type(default)
            is_flag = isinstance(value, (bool, np.bool_))
            if kind is bool and not is_flag:
                raise TypeError(f"{place}: {name} is {value!r}, it must be True or False")
            if kind in (int, float) and (is_flag or not is_number(value)):
                raise TypeError(f"{place}: {name} is {value!r}, it must be a number")

    def _check_state(self, values, place):
        """Raises ValueError for the state of a parameter that the kernel could not go on from."""
        if not isinstance(values, Mapping):
            raise ValueError(f"{place} is a {type(values).__name__}, it must be a dict")
        there = [name for name in self._state_names() if values.get(name) is not None]
        needed = [name for name in self._state_names() if self._states.get(name, True) is True]
        lacking = [name for name in needed if name not in there]
        if there and lacking:
            raise ValueError(
                f"{place} lacks {', '.join(lacking)}, which {type(self).__name__} needs beside "
                f"{', '.join(there)}"
            )

    def _state_names(self):
        """The names of a parameter's state, as far as a kernel reads it."""
        return () if self._kernel is None else (*self._numbers, *self._states)

    def _state_shape(self, param, name):
        """The shape of an array of a parameter's state."""
        return param.shape

    def _convert(self, value, param, place, name=None):
        """A copy of loaded state: arrays as Tensors of the parameter's dtype, numbers float64."""
        is_state = name in self._state_names()
        if isinstance(value, Mapping) and not is_state:
            return {
                key: self._convert(item, param, f"{place}: {key}", key)
                for key, item in value.items()
            }
        is_one = is_state and name in self._numbers
        if is_one and isinstance(value, (int, float)):
            value = np.float64(one_number(value, place))
        if not is_state and type(value) in (list, tuple):
            return type(value)(
                self._convert(item, param, f"{place}[{i}]") for i, item in enumerate(value)
            )
        if not is_state and not hasattr(value, "__array__"):
            return deepcopy(value)
        if is_state and value is None:  # PyTorch keeps the place of a velocity
            return None
        array = np.array(arrived(value, place))
        if is_one:
            if array.size != 1 or not 0 <= array.item() < math.inf:
                raise ValueError(f"{place} is {value}, it must be one number >= 0")
            array = array.astype(np.float64).reshape(())
        elif is_state:
            shape = self._state_shape(param, name)
            if array.shape != shape:
                raise ValueError(
                    f"{place} has shape {array.shape}, the parameter has shape {param.shape}"
                    + ("" if shape == param.shape else f", its {name} is {shape}")
                )
            array = array.astype(param.dtype)
        elif array.dtype.kind == "f" and param.is_floating_point():
            array = array.astype(param.dtype)
        return Tensor._on(array)

    def __getstate__(self):
        return {name: self.__dict__[name] for name in ("defaults", "state", "param_groups")}

    def __setstate__(self, state):
        if type(state) is not dict or not state.keys() >= {"param_groups", "state"}:
            raise TypeError("the state of an optimizer is a dict, as its pickle has it")
        self._start()
        self.__dict__.update(state)

    def __repr__(self):
        recorder.refuse("the text of an optimizer")
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


def added(hooks, kind, hook, prepend=False):
    """The handle of a hook that is put behind the others of its kind, or before them."""
    if not callable(hook):
        raise TypeError(f"a {kind} must be a function, not {type(hook).__name__}")
    hooks.insert(0 if prepend else len(hooks), hook)
    recorder.altered(hooks, "hooks", None)
    return HookHandle(hooks, hook)


def is_on(option):
    """Whether an option has an effect: it is not 0, or a Tensor that gradients go to."""
    return isinstance(option, Tensor) or option != 0


def one(option):
    """An option as operations take it: a Tensor of one element has no dimensions."""
    if isinstance(option, Tensor):
        return option.reshape(())
    return type(option)(map(one, option)) if type(option) in (tuple, list) else option


def decayed(g, w, options):
    """The gradient with that of the L2 penalty, weight_decay."""
    return g + options.weight_decay * w if is_on(options.weight_decay) else g


def shrunk(w, options):
    """w with AdamW's decay."""
    return w - options.lr * options.weight_decay * w if is_on(options.weight_decay) else w


def with_decay(w, g, options):
    """w and the gradient with weight_decay: AdamW's, or that of the L2 penalty."""
    if options.decoupled_weight_decay:
        return shrunk(w, options), g
    return w, decayed(g, w, options)


def moments(state, g, beta1, beta2):
    """Adam's averages of the gradients and of their squares, which the state takes."""
    state["exp_avg"] = beta1 * state["exp_avg"] + (1 - beta1) * g
    state["exp_avg_sq"] = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g
    return state["exp_avg"], state["exp_avg_sq"]
