"""The graph that backward walks: its nodes, and what it keeps."""

import threading
from contextlib import contextmanager
from typing import NamedTuple

from pyml.backward import state_of_walk, watch
from pyml.options import check_choice
from pyml.tensor import Node, Tensor, _node_of, _switch_saved_hooks

__all__ = [
    *("GradientEdge", "Node", "disable_saved_tensors_hooks", "get_gradient_edge"),
    *("increment_version", "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks"),
]


class saved_tensors_hooks:
    """Within it, what backward needs of tensors is what pack_hook makes of them.

    backward gets it by unpack_hook: to keep less, or elsewhere. Numbers, tensors without dimensions
    that do not require grad, are kept as they are. A tensor that pack_hook returns
    must not be changed in place before backward: that is an error then. Recorded steps refuse it.

    Args:
        pack_hook: a function of a tensor, which it must not change, that returns anything.
        unpack_hook: a function of that, which must return a tensor of the same shape, dtype and
            values; it is called each time that backward needs them.

    Raises:
        TypeError: if a hook is no function.
        RuntimeError: on entering, within disable_saved_tensors_hooks.

    Example:
        >>> x = pyml.tensor([1.0, 2.0], requires_grad=True)
        >>> with pyml.autograd.graph.saved_tensors_hooks(lambda t: t.numpy(), pyml.tensor):
        ...     y = x.exp()
        >>> y.sum().backward()
        >>> x.grad
        tensor([2.7183, 7.3891])
    """

    def __init__(self, pack_hook, unpack_hook):
        for name, hook in (("pack_hook", pack_hook), ("unpack_hook", unpack_hook)):
            if not callable(hook):
                raise TypeError(
                    f"saved_tensors_hooks: {name} is a {type(hook).__name__}, it must be a function"
                )
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self):
        if disabled.message is not None:
            raise RuntimeError(disabled.message)
        before = _switch_saved_hooks(None)
        _switch_saved_hooks((self.pack_hook, self.unpack_hook, before))

    def __exit__(self, *exc):
        hooks = _switch_saved_hooks(None)
        if hooks is not None:  # an unpack_hook may have left others, or none
            _switch_saved_hooks(hooks[2])


class Disabled(threading.local):
    """The message of disable_saved_tensors_hooks on this thread; None outside."""

    message = None


disabled = Disabled()


@contextmanager
def save_on_cpu(pin_memory=False, device_type="cuda"):
    """Within it what backward needs is kept on the CPU: as everywhere, so that it does nothing.

    Args:
        pin_memory, device_type: of no effect.
    """
    yield


@contextmanager
def disable_saved_tensors_hooks(error_message):
    """Within it saved_tensors_hooks is an error.

    Args:
        error_message: what the RuntimeError says.
    """
    before, disabled.message = disabled.message, error_message
    try:
        if (hooks := _switch_saved_hooks(None)) is not None:
            _switch_saved_hooks(hooks)
            raise RuntimeError(error_message)
        yield
    finally:
        disabled.message = before


class GradientEdge(NamedTuple):
    """To what the gradient of a tensor goes, without the tensor: an input or output of grad().

    Attributes:
        node: the Node that computed it, or what accumulates into a leaf.
        output_nr: 0, as a Node has one output.
        ownership_token: None.
    """

    node: Node
    output_nr: int = 0
    ownership_token: object = None


def get_gradient_edge(tensor):
    """The GradientEdge of a tensor; autograd.grad and backward take it in place of the tensor.

    The memory of the tensor may be freed then, where backward has no need of it.

    Raises:
        TypeError: if it is no Tensor.
        RuntimeError: if it does not require grad.

    Example:
        >>> x = pyml.tensor(3.0, requires_grad=True)
        >>> y = x * x
        >>> edge = pyml.autograd.graph.get_gradient_edge(y)
        >>> pyml.autograd.grad(y.exp().log(), edge)
        (tensor(1.),)
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"get_gradient_edge: tensor is a {type(tensor).__name__}, not a Tensor")
    if not tensor.requires_grad:
        raise RuntimeError("get_gradient_edge: the tensor does not require grad")
    return GradientEdge(_node_of(tensor))


def increment_version(tensor):
    """Says that a tensor was changed by what is none of pyml's operations, as through NumPy.

    A backward that needs its values of before is then an error.

    Args:
        tensor: a Tensor, or an iterable of several.

    Raises:
        TypeError: if it is neither.

    Example:
        >>> x = pyml.ones(2)
        >>> x.numpy()[0] = 5.0
        >>> pyml.autograd.graph.increment_version(x)
        >>> x._version
        1
    """
    tensors = [tensor] if isinstance(tensor, Tensor) else list(tensor)
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            raise TypeError(f"increment_version: item {i} is a {type(t).__name__}, not a Tensor")
    for t in tensors:
        t._mark_changed()


def nothing(gradients):
    """What is called after a backward where the hook was called within it."""


class HookHandles:
    """Takes a hook of several tensors away again; as a context manager, at the end of the block."""

    def __init__(self, handles):
        self._handles = handles
        watch(1)

    def remove(self):
        """Removes the hook; a second call does nothing."""
        if self._handles:
            watch(-1)
        for handle in self._handles:
            handle.remove()
        self._handles = ()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


def register_multi_grad_hook(tensors, fn, *, mode="all"):
    """Calls a function in each backward that computes gradients of some tensors.

    Args:
        tensors: of which each requires grad.
        fn: with mode "all" it is called after a backward, with a list of the gradients, None for a
            tensor that it did not reach; with "any" within it, with the first of the gradients. It
            must not change them.
        mode: "all" or "any". Default: "all".

    Returns:
        A handle; handle.remove() takes the hook away.

    Raises:
        RuntimeError: if a tensor does not require grad.
        ValueError: for another mode.

    Example:
        >>> a, b = (pyml.ones(2, requires_grad=True) for _ in range(2))
        >>> hook = register_multi_grad_hook((a, b), print)
        >>> (a * 3).sum().backward()
        [tensor([3., 3.]), None]
        >>> hook.remove()
    """
    check_choice("register_multi_grad_hook", "mode", mode, ("all", "any"))
    if not callable(fn):
        raise TypeError(
            f"register_multi_grad_hook: fn is a {type(fn).__name__}, it must be a function"
        )
    tensors, key = tuple(tensors), object()

    def hook_of(i):
        def hook(grad):
            state = state_of_walk()
            if state is None:
                return
            if key not in state:
                state[key] = (fn if mode == "all" else nothing, [None] * len(tensors))
                if mode == "any":
                    fn(grad)
            state[key][1][i] = grad

        return hook

    handles = []
    try:
        for i, tensor in enumerate(tensors):
            handles.append(tensor.register_hook(hook_of(i)))
    except BaseException:
        for handle in handles:
            handle.remove()
        raise
    return HookHandles(handles)
