"""The base of all optimizers: parameter groups, state, hooks, and saving them."""

import functools
from collections import defaultdict
from copy import deepcopy
from itertools import chain, pairwise

import numpy as np

from pyml import recorder
from pyml.ops import optim as kernels
from pyml.tensor import HookHandle, Tensor, enable_grad

__all__ = ["Optimizer", "required"]


class _Required:
    """Default of an option that every parameter group must set."""

    def __repr__(self):
        return "<required parameter>"


required = _Required()


def _hooked(step):
    """`step` with the optimizer's hooks around it."""

    @functools.wraps(step)
    def hooked(self, *args, **kwargs):
        recorder.stepping(self)
        for hook in tuple(self._step_pre_hooks):
            changed = hook(self, args, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"a step pre-hook returned {changed!r}, not None or (args, kwargs)"
                    )
                args, kwargs = changed
        result = step(self, *args, **kwargs)
        self._stepped = True
        for hook in tuple(self._step_post_hooks):
            hook(self, args, kwargs)
        return result

    return hooked


class Optimizer:
    """Base class of the optimizers.

    A subclass gives `_update`, the kernel's side of its step in pyml.ops.optim, and checks its
    options in `_check`. An optimizer written in Python overrides `step` instead, as in PyTorch.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts with such a list under "params" and options
            of their own, one dict a group.
        defaults: the options of groups that do not set them.

    Raises:
        TypeError: if params is a Tensor or holds something else than the above.
        ValueError: if params is empty, has a Tensor twice or one that is not a leaf, or an option
            is out of range.
    """

    _update = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _hooked(cls.step)

    def __init__(self, params, defaults):
        if isinstance(params, Tensor):
            raise TypeError(
                "params must be an iterable of Tensors or dicts, not a Tensor; pass [tensor]"
            )
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
        self._step_pre_hooks = []
        self._step_post_hooks = []
        self._stepped = False  # has step() run? Schedulers warn if they go first
        self._updates = []  # the kernel's memory, one for each group

    def _check(self, options):
        """Raises ValueError if an option is out of range."""

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
        params = group["params"]
        if isinstance(params, set):
            raise TypeError("params is a set, whose order changes from run to run; use a list")
        params = [params] if isinstance(params, Tensor) else list(params)
        names = [item[0] for item in params if isinstance(item, tuple)]
        params = [item[1] if isinstance(item, tuple) else item for item in params]
        if names and len(names) != len(params):
            raise ValueError(f"params: {len(names)} of {len(params)} have a name; name all or none")
        for i, p in enumerate(params):
            if not isinstance(p, Tensor):
                raise TypeError(f"params[{i}] is a {type(p).__name__}, it must be a Tensor")
            if not (p.is_leaf or p.retains_grad):
                raise ValueError(
                    f"params[{i}] is not a leaf Tensor: an operation computed it, "
                    "so backward leaves it no gradient"
                )
        group["params"] = params
        if names:
            group["param_names"] = names
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(f"a parameter group must set {name}")
            group.setdefault(name, default)
        self._check(group)
        self._check_distinct(group)
        self.param_groups.append(group)

    def _check_distinct(self, group):
        """Raises if a parameter is there twice, also in other groups, or names unlike theirs."""
        params = group["params"]
        if len(set(params)) != len(params):
            raise ValueError("params has the same Tensor twice")
        known = set(chain.from_iterable(other["params"] for other in self.param_groups))
        if not known.isdisjoint(params):
            raise ValueError("some parameters are in more than one parameter group")
        if any(("param_names" in group) != ("param_names" in other) for other in self.param_groups):
            raise ValueError("either all parameter groups have names or none has")
        blocks = sorted(  # the kernel updates them side by side
            (p.data_ptr(), p.data_ptr() + p.numel() * p.element_size())
            for p in params
            if p.numel() > 0 and p.is_contiguous()
        )
        if any(second[0] < first[1] for first, second in pairwise(blocks)):
            raise ValueError("params: two parameters share memory; pass one of them")

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
                dtype. No parameter has changed then.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if self._update is None:
            raise NotImplementedError(f"{type(self).__name__} has no step()")
        while len(self._updates) < len(self.param_groups):
            self._updates.append(self._update(type(self).__name__))
        kernels.step(self._updates, self.param_groups, self.state)
        return loss

    step = _hooked(step)

    def register_step_pre_hook(self, hook):
        """Calls hook(optimizer, args, kwargs) before each step; it may return other (args, kwargs).

        Returns:
            A handle; handle.remove() takes the hook away.
        """
        self._step_pre_hooks.append(hook)
        return HookHandle(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook):
        """Calls hook(optimizer, args, kwargs) after each step.

        Returns:
            A handle; handle.remove() takes the hook away.
        """
        self._step_post_hooks.append(hook)
        return HookHandle(self._step_post_hooks, hook)

    def state_dict(self):
        """The state and the options, with parameters as indices, in PyTorch's format.

        Returns:
            {"state": {index: {name: Tensor}}, "param_groups": [{option: value, "params": [index]}]}
            with the Tensors of the optimizer, not copies. "step" is float64, in PyTorch float32.
        """
        params = chain.from_iterable(group["params"] for group in self.param_groups)
        index = {p: i for i, p in enumerate(params)}
        return {
            "state": {index.get(key, key): value for key, value in self.state.items()},
            "param_groups": [
                {**group, "params": [index[p] for p in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict):
        """Takes over what state_dict() gave, here or in PyTorch.

        Parameters are matched by their order. State is copied, as the dtype of its parameter. An
        option that the groups of state_dict lack gets its default.

        Args:
            state_dict: its arrays may be Tensors, NumPy arrays, or anything NumPy can read.

        Raises:
            ValueError: if the number of groups, or of the parameters of one, is not that of this
                optimizer. Nothing has changed then.
        """
        saved_groups = state_dict["param_groups"]
        sizes = [len(group["params"]) for group in self.param_groups]
        saved_sizes = [len(group["params"]) for group in saved_groups]
        if sizes != saved_sizes:
            raise ValueError(
                f"state_dict has groups of {saved_sizes} parameters, this optimizer of {sizes}; "
                "make it for the same model and groups first"
            )
        groups = []
        for group, saved in zip(self.param_groups, saved_groups, strict=True):
            new = {  # in the order of saved: what is saved again is the same
                name: group["params"] if name == "params" else deepcopy(value)
                for name, value in saved.items()
            }
            if "param_names" in group:
                new.setdefault("param_names", group["param_names"])
            groups.append(new | {k: v for k, v in self.defaults.items() if k not in new})
        param_of = dict(
            zip(
                chain.from_iterable(saved["params"] for saved in saved_groups),
                chain.from_iterable(group["params"] for group in self.param_groups),
                strict=True,
            )
        )
        state = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in param_of:
                state[param_of[key]] = self._convert(value, param_of[key])
            else:
                state[key] = deepcopy(value)
        self.state, self.param_groups = state, groups
        self._stepped = True  # where it was saved, for all we know

    def _convert(self, value, param, name=None):
        """A copy of loaded state: arrays as Tensors of the parameter's dtype, the step float64."""
        if isinstance(value, dict):
            return {key: self._convert(item, param, key) for key, item in value.items()}
        if isinstance(value, Tensor):
            value = value.detach().numpy()
        is_count = name == "step" and self._update is not None
        if not (hasattr(value, "__array__") or (is_count and isinstance(value, (int, float)))):
            return deepcopy(value)
        array = np.asarray(value).copy()
        if is_count:
            array = array.astype(np.float64).reshape(())
        elif array.dtype.kind == "f" and param.is_floating_point():
            array = array.astype(param.dtype)
        return Tensor._on(array)

    def __getstate__(self):
        return {name: self.__dict__[name] for name in ("defaults", "state", "param_groups")}

    def __setstate__(self, state):
        self._start()
        self.__dict__.update(state)

    def __repr__(self):
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


def check_range(who, options, name, low=0, high=None):
    """Raises ValueError unless low <= options[name], and < high where there is one."""
    value = options[name]
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(f"{who}: {name} has {value.numel()} elements, it must have one")
    if not low <= float(value) or (high is not None and not float(value) < high):
        rule = f">= {low}" if high is None else f"in [{low}, {high})"
        raise ValueError(f"{who}: {name} is {value}, it must be {rule}")


def check_differentiable(who, differentiable):
    """Raises ValueError for differentiable=True, which steps in a kernel cannot be."""
    if differentiable:
        raise ValueError(
            f"{who}: differentiable=True is not supported: "
            "a step is one kernel call, which autograd does not see"
        )
