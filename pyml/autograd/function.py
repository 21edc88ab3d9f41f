"""Functions with a backward of their own."""

import functools
import inspect
import warnings
import weakref

from pyml.autograd.joint import Branch, Joint
from pyml.dispatch import entry
from pyml.grad_mode import is_grad_enabled, no_grad
from pyml.ops import zeros
from pyml.ops.operands import broadcast_shapes, cast, sum_to
from pyml.tensor import Tensor

__all__ = ["Function", "FunctionCtx", "once_differentiable"]


class FunctionCtx:
    """What forward of a Function hands to its backward.

    Set attributes as you like, and save tensors by `save_for_backward`. `needs_input_grad` has a
    bool for each argument of forward: whether its gradient is asked for.
    """

    def __init__(self):
        self.needs_input_grad = ()
        self._to_save = ()
        self._dirty = self._without_gradient = ()
        self._materialize = True
        self._node = None  # a weak reference, once there is one: the node holds this

    def save_for_backward(self, *tensors):
        """Keeps tensors, or None, for backward; a change in place before it is then an error.

        A second call takes the place of the first.
        """
        for i, t in enumerate(tensors):
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    f"save_for_backward: argument {i} is of type {type(t).__name__}, it must be a "
                    "Tensor or None; set other values as attributes of ctx"
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors):
        """Keeps nothing: derivatives along a direction come from backward, not from a jvp."""

    def mark_dirty(self, *args):
        """Says which arguments forward has changed in place. They must be among its outputs."""
        self._dirty = checked_marks(args, "mark_dirty")

    def mark_non_differentiable(self, *args):
        """Says which outputs have no gradient."""
        self._without_gradient = checked_marks(args, "mark_non_differentiable")

    def set_materialize_grads(self, value):
        """Whether backward is given zeros (the default) or None for an output that was not used."""
        self._materialize = bool(value)

    @property
    def saved_tensors(self):
        """What `save_for_backward` was given.

        Raises:
            RuntimeError: if a tensor was changed in place since, or an earlier backward freed them.
        """
        if self._node is None:
            return tuple(self._to_save)
        node = self._node()
        if node is None:
            raise RuntimeError(
                "saved_tensors: the graph of this call is gone, and what it saved with it; keep "
                "the output, or take saved_tensors before"
            )
        return node.saved_tensors


def checked_marks(tensors, name):
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            raise TypeError(f"{name}: argument {i} is of type {type(t).__name__}, not a Tensor")
    return tensors


def is_one_of(t, tensors):
    return any(t is other for other in tensors)


class Function:
    """An operation with a backward of its own: derive from it, and call `apply`.

    `forward(ctx, *args)` computes the result, a Tensor or a tuple, of any arguments; gradients do
    not go through what it does. `backward(ctx, *grad_outputs)` is given a gradient for each output
    and returns one for each argument of forward, None for what has none: made of operations of
    pyml it can be differentiated again, and recorded steps take it. With
    `setup_context(ctx, inputs, output)`, which keeps what backward needs, forward is given no ctx.

    Example:
        >>> class Exp(pyml.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         y = x.exp()
        ...         ctx.save_for_backward(y)
        ...         return y
        ...
        ...     @staticmethod
        ...     def backward(ctx, dy):
        ...         (y,) = ctx.saved_tensors
        ...         return dy * y
        >>> x = pyml.zeros(2, requires_grad=True)
        >>> Exp.apply(x).sum().backward()
        >>> x.grad
        tensor([1., 1.])
    """

    def __init__(self, *args, **kwargs):
        raise RuntimeError(
            f"{type(self).__name__}: forward and backward of a Function are static, there are no "
            f"objects of it; call {type(self).__name__}.apply(...)"
        )

    @staticmethod
    def forward(*args, **kwargs):
        """forward(ctx, *args), or with setup_context forward(*args): the result."""
        raise NotImplementedError(
            "a Function must implement the forward: a static method forward(ctx, *args)"
        )

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Keeps in ctx what backward needs of the arguments, a tuple, and of the result."""
        raise NotImplementedError("setup_context is there to be overridden")

    @staticmethod
    def backward(ctx, *grad_outputs):
        """The gradients of the arguments of forward, from those of its outputs."""
        raise NotImplementedError(
            "a Function must implement either the backward or the vjp method to be differentiated: "
            "static, backward(ctx, *grad_outputs)"
        )

    vjp = backward

    @staticmethod
    def jvp(ctx, *grad_inputs):
        """Refused: derivatives along a direction come from backward."""
        raise NotImplementedError("jvp: derivatives along a direction come from backward")

    @classmethod
    def apply(cls, *args, **kwargs):
        """The result of forward, connected to the graph by backward.

        With setup_context, forward may have defaults and be given arguments by name.

        Raises:
            RuntimeError: if an argument that was marked dirty is not returned, or is a leaf that
                requires grad.
        """
        if cls.setup_context is not Function.setup_context:
            args = in_order(cls.forward, args, kwargs)
        elif kwargs:
            raise TypeError(
                f"{cls.__name__}.apply() takes no keyword arguments without setup_context(), as "
                f"{', '.join(kwargs)}; give them in order"
            )
        return applied(cls, *args)


signature_of = functools.cache(inspect.signature)


def in_order(forward, args, kwargs):
    """All arguments of forward in their order, defaults included."""
    signature = signature_of(forward)
    if not kwargs and len(args) == len(signature.parameters):
        return args
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.args


@entry  # vmap calls it for each sample
def applied(cls, *args):
    ctx = FunctionCtx()
    ctx.needs_input_grad = tuple([isinstance(a, Tensor) and a.requires_grad for a in args])
    with no_grad():
        if cls.setup_context is Function.setup_context:
            result = cls.forward(ctx, *args)
        else:
            result = cls.forward(*args)
            cls.setup_context(ctx, args, result)
    outputs = result if isinstance(result, tuple) else (result,)
    for t in ctx._dirty:
        if not is_one_of(t, args):
            warnings.warn(
                f"{cls.__name__}: mark_dirty was given a tensor that is not an input; it is for "
                "inputs that forward changed in place",
                stacklevel=3,
            )
        if not is_one_of(t, outputs):
            raise RuntimeError(
                f"{cls.__name__}: Some elements marked as dirty during the forward method were not "
                "returned as output. The inputs that are modified inplace must all be outputs of "
                "the Function; return them too"
            )
    if is_grad_enabled() and any(ctx.needs_input_grad):
        outputs = connected(cls, ctx, args, outputs)
    else:
        outputs = tuple(
            y.detach()
            if isinstance(y, Tensor) and is_one_of(y, args) and not is_one_of(y, ctx._dirty)
            else y
            for y in outputs
        )
    ctx._to_save = ()
    return outputs if isinstance(result, tuple) else outputs[0]


def connected(function, ctx, args, outputs):
    """The outputs, with the Node of the call."""
    results = list(outputs)
    places = []  # of the outputs that have a gradient
    for i, y in enumerate(outputs):
        if not isinstance(y, Tensor):
            continue
        first = next(k for k, other in enumerate(outputs) if other is y)
        if first < i:
            results[i] = results[first]
            continue
        if is_one_of(y, ctx._dirty):
            check_changed(y, function.__name__)
            y._mark_changed()  # by what is none of pyml's operations, maybe
        elif is_one_of(y, args) or y.requires_grad:
            results[i] = y._gated()
        if y.is_floating_point() and not is_one_of(y, ctx._without_gradient):
            places.append(i)
    if not places:
        return tuple(results)
    inputs = tuple([a for a in args if isinstance(a, Tensor)])
    node = FunctionNode(function, ctx, args, outputs, places)
    if len(places) == 1:
        node._connect(results[places[0]], inputs)
        nodes = {id(results[places[0]]): node}
    else:
        joint = node.join(inputs)
        nodes = {}
        for k, i in enumerate(places):
            nodes[id(results[i])] = branch = OutputOfFunction(k)
            branch._connect(results[i], (joint,))
    for i in places:
        if is_one_of(results[i], ctx._dirty):
            results[i]._pass_to_base()
    for t in ctx._to_save:
        own = nodes.get(id(t))
        node.outputs_saved.append(None if own is None else weakref.ref(own))
        node._keep(t if own is None or own is node else t.detach())
    ctx._node = weakref.ref(node)
    return tuple(results)


def check_changed(t, name):
    """Raises unless autograd allows that `t` was changed by the function `name`."""
    base = t._viewed()
    if base is None:
        t._will_change(True)
    elif base.requires_grad and base.is_leaf:
        raise RuntimeError(
            f"{name}: a view of a leaf Variable that requires grad is being used in an in-place "
            "operation; use .clone()"
        )


class FunctionNode(Joint):
    """A call of a Function. That of one with a single output is its node, and no Joint."""

    def __init__(self, function, ctx, args, outputs, places):
        super().__init__(len(places))
        self._function, self._ctx = function, ctx
        self._args = tuple([(a.shape, a.dtype) if isinstance(a, Tensor) else None for a in args])
        self._outputs = tuple(
            [(y.shape, y.dtype) if isinstance(y, Tensor) else None for y in outputs]
        )
        self._places = places
        self.outputs_saved = []

    def name(self):
        return f"{self._function.__name__}Backward"

    @property
    def saved_tensors(self):
        """What forward saved, as tensors of the graph."""
        return tuple([self.saved_tensor(i) for i in range(len(self.outputs_saved))])

    def saved_tensor(self, i):
        own = None if self.outputs_saved[i] is None else self.outputs_saved[i]()
        t = self._saved(i)
        return t if own is None else own._as_output(t)

    def _gradients(self, dy):
        gradients = [None] * len(self._outputs)
        received = (dy,) if len(self._places) == 1 else self.received_with(dy)
        for i, gradient in zip(self._places, received, strict=True):
            gradients[i] = gradient
        if self._ctx._materialize:
            gradients = [
                zeros(y[0], dtype=y[1]) if dy is None and y is not None else dy
                for dy, y in zip(gradients, self._outputs, strict=True)
            ]
        function = self._function
        own = function.vjp if function.backward is Function.backward else function.backward
        if own is function.backward and function.vjp is not Function.vjp:
            raise RuntimeError(
                f"{self.name()}: Implementing both 'backward' and 'vjp' for a custom Function is "
                "not allowed, they mean the same; leave one out"
            )
        results = own(self._ctx, *gradients)
        results = results if isinstance(results, tuple) else (results,)
        count = len(self._args)
        if len(results) > count and all(dx is None for dx in results[count:]):
            results = results[:count]
        if len(results) != count:
            raise RuntimeError(
                f"{self.name()} returned an incorrect number of gradients (expected {count}, got "
                f"{len(results)}): one for each argument of forward, None for what has none"
            )
        for i, dx in enumerate(results):
            if self._args[i] is None and dx is not None:
                raise RuntimeError(
                    f"{self.name()} returned a gradient for argument {i}, which is no Tensor; "
                    "return None for it"
                )
        edges = iter(self.inputs)
        return tuple(
            [
                None if next(edges) is None or dx is None else self.fitted(i, dx)
                for i, dx in enumerate(results)
                if self._args[i] is not None
            ]
        )

    def fitted(self, i, dx):
        """A gradient of the shape and dtype of argument i."""
        shape, dtype = self._args[i]
        if not isinstance(dx, Tensor):
            raise TypeError(
                f"{self.name()} returned {type(dx).__name__} as the gradient of argument {i}, it "
                "must be a Tensor or None"
            )
        if dx.shape != shape:
            try:
                fits = broadcast_shapes(dx.shape, shape) == dx.shape
            except ValueError:
                fits = False
            if not fits:
                raise RuntimeError(
                    f"{self.name()} returned an invalid gradient for argument {i}: its shape is "
                    f"{dx.shape}, expected shape {shape}, or one that sums to it"
                )
            dx = sum_to(dx, shape)
        return dx if dx.dtype == dtype else cast(dx, dtype)


class OutputOfFunction(Branch):
    """One of several outputs of a Function."""

    def name(self):
        return self.inputs[0].name()

    @property
    def saved_tensors(self):
        return self.inputs[0].saved_tensors


def once_differentiable(fn):
    """Decorator of a backward that cannot be differentiated: a second derivative is an error.

    Example:
        >>> class Square(pyml.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x
        ...
        ...     @staticmethod
        ...     @pyml.autograd.function.once_differentiable
        ...     def backward(ctx, dy):
        ...         (x,) = ctx.saved_tensors
        ...         return pyml.from_numpy(2 * x.detach().numpy() * dy.numpy())
        >>> x = pyml.tensor([3.0], requires_grad=True)
        >>> Square.apply(x).sum().backward()
        >>> x.grad
        tensor([6.])
    """

    @functools.wraps(fn)
    def wrapper(ctx, *args):
        given = tuple([x for x in args if isinstance(x, Tensor) and x.requires_grad])
        if not is_grad_enabled() or not given:
            with no_grad():
                return fn(ctx, *map(outside, args))
        with no_grad():
            outputs = fn(ctx, *map(outside, args))
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return tuple(
            [OnceDifferentiable.apply(y, *given) if isinstance(y, Tensor) else y for y in outputs]
        )

    return wrapper


def outside(x):
    return x.detach() if isinstance(x, Tensor) else x


class OnceDifferentiable(Function):
    """A gradient that cannot be differentiated."""

    @staticmethod
    def forward(ctx, gradient, *sources):
        """The gradient itself."""
        return gradient

    @staticmethod
    def backward(ctx, *grad_outputs):
        """Raises."""
        raise RuntimeError(
            "a function whose backward is marked as once_differentiable cannot be differentiated "
            "twice"
        )
