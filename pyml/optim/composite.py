"""Optimizers whose steps are made of operations, where a kernel's lanes do not suffice."""

import numpy as np

from pyml.grad_mode import enable_grad, no_grad
from pyml.ops.creation import tensor, zeros
from pyml.optim.optimizer import Optimizer
from pyml.tensor import Tensor, unwritable

__all__ = ["Composite"]


class Composite(Optimizer):
    """Base of optimizers that update one parameter after another, by operations.

    A subclass declares its state as one with a kernel does (`_states`, `_numbers`), of which it
    tells the shapes, and writes the update of a parameter. A recorded step replays its operations,
    so an update reads no value of a Tensor; options that `_options` names are Tensors for it, which
    replays read anew, and a change of another one is recorded anew.
    """

    _numbers = {}
    _options = ("lr",)

    def _shapes(self, param):
        """{name: shape} of the arrays of a parameter's state."""
        return dict.fromkeys(self._states, tuple(param.shape))

    def _update(self, group, options, param, grad, state):
        """One update of param and its state, in place; gradients are not recorded.

        Args:
            group: the param_group.
            options: the options that `_options` names, float64 Tensors of shape ().
        """
        raise NotImplementedError(f"{type(self).__name__} has no _update()")

    def step(self, closure=None):
        """Updates all parameters that have a gradient.

        Args:
            closure: a function that clears the gradients, computes the loss, calls backward and
                returns the loss; called first, with gradients recorded.

        Returns:
            What closure returned, or None.

        Raises:
            TypeError, ValueError: if a gradient or a state does not fit its parameter. No
                parameter has changed then.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            updates = [
                (group, options, p, p.grad, self._checked_state(i, p, p.grad))
                for group, options in self._groups_and_options()
                for i, p in enumerate(group["params"])
                if p.grad is not None
            ]
            for group, options, p, grad, state in updates:
                self.state[p] = state
                self._update(group, options, p, grad, state)
        return loss

    def _checked_state(self, i, p, grad):
        """The state of a parameter, made if there is none; raises if it or grad does not fit."""
        who = f"{type(self).__name__}: parameter {i}"
        if not p.is_floating_point():
            raise TypeError(f"{who} has dtype {p.dtype}, it must be float32 or float64")
        check_writable(who, p)
        check_array(f"{who}: its gradient", grad, tuple(p.shape), p.dtype)
        shapes = self._shapes(p).items()
        state = self.state.get(p)
        if not state:
            numbers = self._numbers.items()
            made = {name: tensor(float(n), dtype=np.float64) for name, n in numbers}
            return made | {name: zeros(shape, dtype=p.dtype) for name, shape in shapes}
        wanted = {name: (shape, p.dtype) for name, shape in shapes}
        wanted |= dict.fromkeys(self._numbers, ((), np.dtype(np.float64)))
        for name, (shape, dtype) in wanted.items():
            if state.get(name) is None:
                raise ValueError(f"{who}: its state lacks {name!r}; load a whole state_dict")
            check_array(f"{who}: its state {name!r}", state[name], shape, dtype)
            check_writable(f"{who}: its state {name!r}", state[name])
        return state

    def _state_names(self):
        return (*self._numbers, *self._states)

    def _state_shape(self, param, name):
        return self._shapes(param).get(name, tuple(param.shape))


def check_writable(what, tensor):
    why = unwritable(tensor.array)
    if why is not None:
        raise ValueError(f"{what} {why} and cannot be changed in place; clone() it before")


def check_array(what, value, shape, dtype):
    if not isinstance(value, Tensor):
        raise TypeError(f"{what} is a {type(value).__name__}, it must be a Tensor")
    if tuple(value.shape) != shape or value.dtype != dtype:
        kind = TypeError if tuple(value.shape) == shape else ValueError
        raise kind(
            f"{what} has shape {tuple(value.shape)} and dtype {value.dtype}, "
            f"it must have shape {shape} and dtype {dtype}"
        )
