"""A recorded training that serves many members: their values are copied into its tensors.

A step is recorded for tensors where they lie. So of members that differ in nothing but values, one
is recorded, and the others take its place: weights, state, options and schedule are written into
its objects, which costs microseconds where a recording costs milliseconds.
"""

from functools import partial
from types import FunctionType, MethodType

import numpy as np

from pyml.grad_mode import no_grad
from pyml.nn.module import Module
from pyml.optim.lr_scheduler import LRScheduler
from pyml.optim.optimizer import Optimizer
from pyml.tensor import Tensor

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, np.dtype, type)


class Slot:
    """A Trainer that other Trainers of the same form are bound to, one after the other.

    Args:
        trainer: a Trainer that has not trained, and that nobody else uses.
    """

    def __init__(self, trainer):
        self.trainer = trainer
        if is_shared(trainer.optimizer):
            self.places = Places(trainer.optimizer)
            trainer.optimizer.register_load_state_dict_post_hook(self.places)

    def takes(self, other):
        """Binds to another Trainer, one that has not trained. False if their forms differ."""
        pairs = []
        if not same_form(self.trainer, other, pairs):
            return False
        with no_grad():
            for mine, theirs in pairs:
                mine.copy_(theirs)
        mine, theirs = self.trainer, other
        if theirs.optimizer.state:
            mine.optimizer.load_state_dict(theirs.optimizer.state_dict())
        else:
            self.places.begin(mine.optimizer, theirs.optimizer.param_groups)
        if mine.scheduler is not None:
            mine.scheduler.load_state_dict(theirs.scheduler.state_dict())
        mine.metrics, mine.callbacks = theirs.metrics, theirs.callbacks
        return True


class Places:
    """The dicts and tensors that recorded calls point to; what an optimizer loads goes into them.

    It knows nothing of the Trainer: what a step reaches, a recording compares at each replay.
    """

    def __init__(self, optimizer):
        self.groups, self.state = optimizer.param_groups, optimizer.state

    def __call__(self, optimizer):
        groups, state = optimizer.param_groups, optimizer.state
        for mine, loaded in zip(self.groups, groups, strict=True):
            mine.clear()
            mine.update(loaded)
        self.keep(optimizer, state)
        optimizer.param_groups, optimizer.state = self.groups, self.state

    def begin(self, optimizer, groups):
        """Takes the options of groups of this form, whose Tensors are copied already; no step."""
        for mine, others in zip(self.groups, groups, strict=True):
            for name, value in others.items():
                if name != "params" and not isinstance(value, Tensor):
                    mine[name] = value
        self.keep(optimizer, {})

    def keep(self, optimizer, state):
        """Takes over the state of a parameter, or what it is before the first step."""
        with no_grad():
            for group in self.groups:
                for p in group["params"]:
                    loaded = state.get(p) or begun(optimizer, group, self.state.get(p, {}))
                    keep(self.state, p, loaded)


def is_shared(optimizer):
    """Whether the state of an optimizer is known: what it begins with, and that nothing hooks."""
    return (
        isinstance(optimizer, Optimizer)
        and optimizer._kernel is not None
        and not optimizer.defaults.get("differentiable")
        and not any(optimizer._hooks.values())
    )


def begun(optimizer, group, names):
    """The state of a parameter before its first step, of these names."""
    return {
        name: optimizer._numbers[name]
        if name in optimizer._numbers
        else group.get(optimizer._starts.get(name), 0.0)
        for name in names
    }


def keep(state, p, loaded):
    """The state of a parameter: values go into tensors that are there."""
    mine = state.get(p, {})
    if mine.keys() != loaded.keys():
        state[p] = loaded
        return
    for name, value in loaded.items():
        if not isinstance(mine[name], Tensor):
            mine[name] = value
        elif isinstance(value, Tensor):
            mine[name].copy_(value)
        else:
            mine[name].fill_(value)


# ---- forms ---------------------------------------------------------------------------------------


def same_form(mine, other, pairs):
    """Whether two Trainers differ in values alone; `pairs` gets (tensor, tensor) of those."""
    hooks = mine.optimizer._hooks if isinstance(mine.optimizer, Optimizer) else None
    own = sum(map(len, hooks.values())) if hooks is not None else 0
    if own != 1 or not is_shared(other.optimizer):  # the one hook is its Places
        return False
    if (mine.clip, mine.scheduler_every, mine._averages_steps) != (
        *(other.clip, other.scheduler_every, other._averages_steps),
    ):
        return False
    walk = Walk(pairs)
    return (
        all(
            walk.same(getattr(mine, name), getattr(other, name))
            for name in ("model", "loss", "averaged")
        )
        and walk.same_optimizer(mine.optimizer, other.optimizer)
        and walk.same_scheduler(mine, other)
    )


class Walk:
    """Compares two trees of objects, of which tensors stand for each other in pairs."""

    def __init__(self, pairs):
        self.pairs, self.partner, self.seen = pairs, {}, set()

    def same(self, a, b, free=False):
        """Whether two values are of one form.

        Args:
            free: numbers may differ, as they are loaded afterwards. Default: False.
        """
        if a is b and not isinstance(a, Tensor):
            return True
        if type(a) is not type(b):
            return False
        if isinstance(a, Tensor):
            return self.same_tensor(a, b)
        if isinstance(a, PLAIN):
            return (free and isinstance(a, (int, float)) and type(a) is not bool) or a == b
        if (id(a), id(b)) in self.seen:
            return True
        self.seen.add((id(a), id(b)))
        if isinstance(a, np.ndarray):
            return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        if isinstance(a, dict):
            return list(a) == list(b) and all(self.same(a[key], b[key], free) for key in a)
        if isinstance(a, (list, tuple)):
            return len(a) == len(b) and all(
                self.same(x, y, free) for x, y in zip(a, b, strict=True)
            )
        if isinstance(a, (set, frozenset)):
            return a == b
        if isinstance(a, partial):
            return self.same(
                (a.func, a.args, a.keywords, vars(a)), (b.func, b.args, b.keywords, vars(b))
            )
        if isinstance(a, MethodType):
            return a.__func__ is b.__func__ and self.same(a.__self__, b.__self__, free)
        if isinstance(a, FunctionType):
            return self.same_function(a, b)
        if isinstance(a, Optimizer):
            return self.same_optimizer(a, b)
        if isinstance(a, (Module, LRScheduler)) or type(a).__module__.startswith("pyml."):
            return hasattr(a, "__dict__") and self.same(vars(a), vars(b), free)
        return False

    def same_tensor(self, a, b):
        """The same shape and dtype, and always the same one in a's place."""
        if self.partner.setdefault(id(a), b) is not b or self.partner.setdefault(id(b), a) is not a:
            return False
        if (a.shape, a.dtype, a.requires_grad) != (b.shape, b.dtype, b.requires_grad):
            return False
        if a is not b:
            self.pairs.append((a, b))
        return a.is_contiguous() and b.is_contiguous()

    def same_function(self, a, b):
        """The same code, and all that it is closed over."""
        if a.__code__ is not b.__code__ or a.__globals__ is not b.__globals__:
            return False
        closed = [
            [
                *(f.__defaults__, f.__kwdefaults__, vars(f)),
                *(cell.cell_contents for cell in f.__closure__ or ()),
            ]
            for f in (a, b)
        ]
        return self.same(*closed)

    def same_optimizer(self, a, b):
        """The same parameters in the same groups, whose numbers may differ."""
        if type(a) is not type(b) or len(a.param_groups) != len(b.param_groups):
            return False
        return all(
            mine.keys() == other.keys() and all(self.same(mine[k], other[k], True) for k in mine)
            for mine, other in zip(a.param_groups, b.param_groups, strict=True)
        )

    def same_scheduler(self, mine, other):
        """The same functions and kinds; numbers are what state_dict() has, if it is pyml's."""
        a, b = mine.scheduler, other.scheduler
        if type(a) is not type(b):
            return False
        free = type(a).__module__.startswith("pyml.")
        skipped = {"optimizer"}
        return a is b or self.same(
            {k: v for k, v in vars(a).items() if k not in skipped},
            {k: v for k, v in vars(b).items() if k not in skipped},
            free,
        )
