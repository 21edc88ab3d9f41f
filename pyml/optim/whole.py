"""Optimizers that see all parameters as one vector and call the closure themselves."""

from pyml import recorder
from pyml.autograd.hessian import parts_of
from pyml.grad_mode import enable_grad, no_grad
from pyml.optim.optimizer import Optimizer
from pyml.options import one_number
from pyml.tensor import Tensor

__all__ = ["Whole", "check_kept", "move_by", "trainable"]


class Whole(Optimizer):
    """Base of optimizers with one group of parameters, whose steps make moves that they may undo.

    A subclass writes `_minimize`. Its state is that of the first parameter, and made of the numbers
    that `_kept` names, {name: float or int}, or what its own `_checked` reads.
    """

    _kept = {}

    def add_param_group(self, param_group):
        """Adds the group of parameters; there is one.

        Raises:
            ValueError: if there is one already.
        """
        super().add_param_group(param_group)
        if self.param_groups[1:]:
            del self.param_groups[1:]
            raise ValueError(
                f"{type(self).__name__}: there is one group of parameters, with the same options "
                "for all; pass all parameters as one list"
            )

    def _minimize(self, params, state, closure):
        """Moves the parameters, in place, and changes the state, a dict; returns the first result.

        Gradients are recorded while the closure runs, and not else.
        """
        raise NotImplementedError(f"{type(self).__name__} has no _minimize()")

    def _read(self, state_dict):
        state, groups = super()._read(state_dict)
        size = sum(p.numel() for p in groups[0]["params"])
        for p, values in state.items():
            if isinstance(p, Tensor):
                place = f"{type(self).__name__}: state_dict: state"
                if not isinstance(values, dict):
                    raise ValueError(f"{place} is a {type(values).__name__}, it must be a dict")
                state[p] = self._checked(values, size, place)
        return state, groups

    def _checked(self, values, size, place):
        """The state of a state_dict, a dict, its numbers as numbers; raises if it is of another.

        Args:
            size: how many elements the parameters have together.
            place: for messages.
        """
        check_kept(values, self._kept if values else (), place)
        return {
            name: one_number(values[name], f"{place}: {name}", kind, least=0)
            for name, kind in self._kept.items()
            if values
        }

    @no_grad()
    def step(self, closure):
        """Makes the moves of a step.

        Args:
            closure: the function that the class describes, which computes anew; called several
                times, with gradients recorded.

        Returns:
            The first loss.

        Raises:
            TypeError: if closure is no function, or what it returns is of another kind.
            RecordError: in a step that is recorded.

        If the closure raises, the parameters and the state are as before.
        """
        name = type(self).__name__
        recorder.refuse(f"{name}.step(), which decides by numbers,")
        if not callable(closure):
            raise TypeError(
                f"{name}: closure is {closure!r}, it must be a function that computes the loss anew"
            )
        self._check(self.param_groups[0])
        params = self.param_groups[0]["params"]
        if not params:
            raise ValueError(f"{name}: the group has no parameters, there is nothing to optimize")
        before = [p.detach().clone() for p in params]
        state = dict(self.state.get(params[0], {}))
        try:
            first_loss = self._minimize(params, state, enable_grad()(closure))
        except BaseException:
            put(params, before)
            raise
        self.state[params[0]] = state
        return first_loss


def trainable(who, params):
    """The parameters that require grad; there must be one."""
    params = [p for p in params if p.requires_grad]
    if not params:
        raise ValueError(f"{who}: no parameter requires grad, there is nothing to optimize")
    return params


def move_by(params, vector):
    """w <- w + vector, a float64 array of all elements."""
    for p, part in zip(params, parts_of(vector, params), strict=True):
        p.add_(part)


def put(params, values):
    for p, value in zip(params, values, strict=True):
        p.copy_(value)


def check_kept(values, names, place):
    """Raises ValueError if one of the names is not there."""
    lacking = [name for name in names if values.get(name) is None]
    if lacking:
        raise ValueError(f"{place} lacks {', '.join(lacking)}; it is of another optimizer")
