"""Hooks of a module: what they are, and the call of a module that has some."""

import warnings
from typing import Any, NamedTuple

from pyml.autograd.joint import Branch, Joint
from pyml.errors import ArgumentError
from pyml.grad_mode import is_grad_enabled
from pyml.hooks import HookHandle, of_every_module
from pyml.recorder import altered, refuse
from pyml.tensor import Tensor

__all__ = [
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

FORWARD_PRE, FORWARD = "forward pre-hook", "forward hook"
BACKWARD_PRE, BACKWARD = "backward pre-hook", "backward hook"
PRE_STATE, POST_STATE = "state_dict pre-hook", "state_dict post-hook"
REPLACING_STATE = "state_dict hook"  # what it returns replaces the dict
NEW_PARAMETER, NEW_BUFFER = "parameter registration hook", "buffer registration hook"
NEW_MODULE = "module registration hook"
PRE_LOAD, POST_LOAD = "load_state_dict pre-hook", "load_state_dict post-hook"


registrations = []  # hooks that are called before any module gets a part


class Hook(NamedTuple):
    """One registered function; `kind` says when it runs."""

    kind: str
    function: Any
    with_kwargs: bool = False
    always_call: bool = False


def call_with_hooks(module, args, kwargs):
    """module.forward(*args, **kwargs) with the hooks of the module around it."""
    if of_every_module:
        refuse("a hook of every module")
    hooks = (*of_every_module, *module._hooks)
    due = [hook for hook in hooks if hook.always_call]
    result = None
    try:
        for hook in of_kind(hooks, FORWARD_PRE):
            args, kwargs = run_forward_pre(hook, module, args, kwargs)
        watch = BackwardWatch(module, hooks)
        result = module.forward(*watch.enter(args), **kwargs)
        for hook in of_kind(hooks, FORWARD):
            if hook.always_call:
                due.remove(hook)
            changed = run_forward(hook, module, args, kwargs, result)
            result = result if changed is None else changed
        return watch.leave(result)
    except Exception:
        for hook in due:
            try:
                run_forward(hook, module, args, kwargs, result)
            except Exception as error:
                warnings.warn(
                    "a forward hook with always_call=True raised an exception, silenced because "
                    f"forward raised one: {error}",
                    stacklevel=3,
                )
        raise


def of_kind(hooks, kind):
    return [hook for hook in hooks if hook.kind == kind]


def added(hooks, hook, owner, prepend=False):
    """Puts a hook, checked, among those of its owner; the handle."""
    if not callable(hook.function):
        raise TypeError(
            f"a {hook.kind} must be a function, not of type {type(hook.function).__name__}"
        )
    hooks.insert(0 if prepend else len(hooks), hook)
    altered(owner, "hooks", None)
    return HookHandle(hooks, hook)


def pre_hooks(module):
    """The functions of a module's own forward pre-hooks."""
    return [hook.function for hook in of_kind(module._hooks, FORWARD_PRE)]


def without_pre_hook(module, function):
    """Takes a function from the forward pre-hooks of a module."""
    module._hooks[:] = [
        hook for hook in module._hooks if hook.kind != FORWARD_PRE or hook.function is not function
    ]
    altered(module, "hooks", None)


def run_forward_pre(hook, module, args, kwargs):
    """The arguments, as the hook changed them."""
    if not hook.with_kwargs:
        changed = hook.function(module, args)
        return args if changed is None else as_tuple(changed), kwargs
    changed = hook.function(module, args, kwargs)
    if changed is None:
        return args, kwargs
    if not (isinstance(changed, tuple) and len(changed) == 2 and isinstance(changed[1], dict)):
        raise RuntimeError(
            f"a forward pre-hook with kwargs must return None or (args, kwargs), not {changed}"
        )
    return as_tuple(changed[0]), changed[1]


def run_forward(hook, module, args, kwargs, result):
    if hook.with_kwargs:
        return hook.function(module, args, kwargs, result)
    return hook.function(module, args, result)


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


# ---- of every module -----------------------------------------------------------------------------


def register_module_forward_pre_hook(hook):
    """Calls hook(module, args) before the forward of every module, and before its own hooks.

    The rest as for Module.register_forward_pre_hook.
    """
    return added(of_every_module, Hook(FORWARD_PRE, hook), None)


def register_module_forward_hook(hook, *, with_kwargs=False, always_call=False):
    """Calls hook(module, args, output) after the forward of every module, before its own hooks.

    The rest as for Module.register_forward_hook.
    """
    return added(of_every_module, Hook(FORWARD, hook, with_kwargs, always_call), None)


def register_module_full_backward_pre_hook(hook):
    """Calls hook(module, grad_output) before the backward of every module.

    The rest as for Module.register_full_backward_pre_hook.
    """
    return added(of_every_module, Hook(BACKWARD_PRE, hook), None)


def register_module_full_backward_hook(hook):
    """Calls hook(module, grad_input, grad_output) after the backward of every module.

    The rest as for Module.register_full_backward_hook.
    """
    return added(of_every_module, Hook(BACKWARD, hook), None)


def register_module_backward_hook(hook):
    """The same as register_module_full_backward_hook; see Module.register_backward_hook."""
    warn_of_last_operation("register_module_backward_hook", stacklevel=3)
    return register_module_full_backward_hook(hook)


def warn_of_last_operation(name, stacklevel):
    """Warns of a hook that PyTorch calls with other gradients."""
    warnings.warn(
        f"{name}: grad_input has the gradients of the module's inputs, as for the full hooks; in "
        "PyTorch, where it is deprecated, those of the inputs of its last operation. Use "
        f"{name.replace('backward', 'full_backward')}",
        FutureWarning,
        stacklevel=stacklevel,
    )


def register_module_parameter_registration_hook(hook):
    """Calls hook(module, name, parameter) before any module gets a parameter.

    What it returns takes the place of the parameter, unless None. A TypeError is raised if that is
    not a Parameter.

    Returns:
        A handle; handle.remove() takes the hook away.
    """
    return added(registrations, Hook(NEW_PARAMETER, hook), None)


def register_module_buffer_registration_hook(hook):
    """As register_module_parameter_registration_hook, of buffers, which are Tensors."""
    return added(registrations, Hook(NEW_BUFFER, hook), None)


def register_module_module_registration_hook(hook):
    """As register_module_parameter_registration_hook, of child modules, which are Modules."""
    return added(registrations, Hook(NEW_MODULE, hook), None)


# ---- backward -----------------------------------------------------------------------------------


class BackwardWatch:
    """One call of a module whose backward hooks wait for the gradients of its output and input."""

    def __init__(self, module, hooks):
        self.module = module
        self.pre = of_kind(hooks, BACKWARD_PRE)
        self.full = of_kind(hooks, BACKWARD)
        self.inputs = 0
        self.sees_inputs = False
        self.grad_output = None

    def enter(self, args):
        """The arguments of forward; in backward their gradients pass through `input_gradients`."""
        if self.full:
            self.inputs = len(args)
            args, self.sees_inputs = gate(args, self.input_gradients)
        return args

    def leave(self, result):
        """The result of the call; in backward its gradients pass through `output_gradients`."""
        if not self.pre and not self.full:
            return result
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                f"{type(self.module).__name__} has backward hooks, which run for a Tensor or a "
                f"tuple of Tensors; its output is {type(result).__name__}",
                stacklevel=4,
            )
            return result
        results, _ = gate(as_tuple(result), self.output_gradients)
        return results if isinstance(result, tuple) else results[0]

    def output_gradients(self, gradients):
        for hook in self.pre:
            changed = hook.function(self.module, gradients)
            gradients = gradients if changed is None else self.checked(changed, gradients, hook)
        self.grad_output = gradients
        if not self.sees_inputs:
            gradients_of_inputs = (None,) * self.inputs
            for hook in self.full:
                changed = hook.function(self.module, gradients_of_inputs, gradients)
                if changed is not None and any(dx is not None for dx in as_tuple(changed)):
                    raise RuntimeError(
                        "a backward hook must return None where no input requires grad"
                    )
        return gradients

    def input_gradients(self, gradients):
        if self.grad_output is None:  # reached around the output, as in a second backward
            return gradients
        for hook in self.full:
            changed = hook.function(self.module, gradients, self.grad_output)
            gradients = gradients if changed is None else self.checked(changed, gradients, hook)
        self.grad_output = None
        return gradients

    @staticmethod
    def checked(changed, gradients, hook):
        changed = as_tuple(changed)
        if len(changed) != len(gradients):
            raise RuntimeError(
                f"a {hook.kind} returned {len(changed)} gradients, {len(gradients)} are expected"
            )
        for i, (new, old) in enumerate(zip(changed, gradients, strict=True)):
            check_gradient(new, old, f"gradient {i} that a {hook.kind} returned")
        return changed


def check_gradient(new, old, place):
    """Raises unless a hook's gradient can take the place of the one it was given."""
    if new is None:
        return
    if not isinstance(new, Tensor):
        raise TypeError(f"{place} is of type {type(new).__name__}, not a Tensor or None")
    if old is None:
        return
    if new.shape != old.shape:
        raise ArgumentError(f"{place} has shape {new.shape}, it must have shape {old.shape}")
    if new.dtype != old.dtype:
        raise TypeError(f"{place} has dtype {new.dtype}, it must have dtype {old.dtype}")


def gate(values, through):
    """`values`, a tuple or a named one, whose tensors in the graph pass a gate, and whether there
    was such a tensor.

    In backward, through(gradients) is called once, when all are known; what it returns goes on.
    """
    watched = [
        i for i, value in enumerate(values) if isinstance(value, Tensor) and value.requires_grad
    ]
    if not watched or not is_grad_enabled():
        return values, False
    join = Join(len(values), watched, through)
    joint = join.join(tuple(values[i] for i in watched))
    passed = list(values)
    for i in watched:
        passed[i] = Branch(i)._connect(values[i]._gated(), (joint,))
    named = type(values) is not tuple
    return type(values)(*passed) if named else tuple(passed), True


class Join(Joint):
    """The gate's side towards the inputs."""

    def __init__(self, count, watched, through):
        super().__init__(count)
        self.watched = watched
        self.through = through

    def name(self):
        return f"a backward hook of {type(self.through.__self__.module).__name__}"

    def _gradients(self, dy):
        gradients = self.through(self.received_with(dy))
        return tuple(gradients[i] for i in self.watched)
