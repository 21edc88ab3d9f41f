"""Gradients as values, and their check by finite differences."""

import warnings

import numpy as np

from pyml.autograd import forward_ad, function, functional, graph
from pyml.autograd.anomaly import detect_anomaly, set_detect_anomaly
from pyml.autograd.function import Function
from pyml.backward import run_backward
from pyml.errors import ArgumentError
from pyml.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from pyml.ops import stack, zeros_like
from pyml.ops.arrays import checked_tensor
from pyml.tensor import Node, Tensor

__all__ = [
    "Function",
    "GradcheckError",
    "Node",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_grad_enabled",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]


def as_tuple(tensors):
    """One tensor or several as a tuple; a GradientEdge is taken for its tensor."""
    one = tensors is None or isinstance(tensors, (Tensor, graph.GradientEdge))
    return tuple(
        t.node._stand_in() if isinstance(t, graph.GradientEdge) else t
        for t in ((tensors,) if one else tensors)
    )


def matched(outputs, gradients, name):
    """A gradient, or None, for each output."""
    gradients = (None,) * len(outputs) if gradients is None else as_tuple(gradients)
    if len(gradients) != len(outputs):
        raise ArgumentError(
            f"{name}: {len(gradients)} gradients for {len(outputs)} outputs; one for each is needed"
        )
    return gradients


def backward(
    tensors,
    grad_tensors=None,
    retain_graph=None,
    create_graph=False,
    grad_variables=None,
    inputs=None,
):
    """Adds the gradients of `tensors` together to the .grad of every leaf.

    Args:
        tensors: one tensor or several.
        grad_tensors: a gradient for each; None for a scalar.
        retain_graph: keep what the graph saved, for another backward. Default: create_graph.
        create_graph: record the gradient computation, for second derivatives.
        grad_variables: an old name of grad_tensors, with a warning.
        inputs: leaves to accumulate into. Default: all.
    """
    if grad_variables is not None:
        if grad_tensors is not None:
            raise TypeError("backward: grad_variables and grad_tensors mean the same, give one")
        warnings.warn("backward: grad_variables is now called grad_tensors", stacklevel=2)
        grad_tensors = grad_variables
    tensors = as_tuple(tensors)
    gradients = matched(tensors, grad_tensors, "backward")
    retain = create_graph if retain_graph is None else retain_graph
    inputs = None if inputs is None else as_tuple(inputs)
    run_backward(tensors, gradients, retain, create_graph, inputs, True)


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
):
    """The gradients of `outputs` by `inputs`, a tuple; no .grad is touched.

    Args:
        outputs: one tensor or several; the gradient is that of their sum, weighted by grad_outputs.
        inputs: one tensor or several that require grad.
        grad_outputs: a gradient for each output; None for a scalar.
        retain_graph: keep what the graph saved, for another backward. Default: create_graph.
        create_graph: record the gradient computation, for second derivatives. They are zero by what
            the outputs were computed from and a gradient does not depend on, as the slope of a
            linear function.
        only_inputs: True: gradients of other leaves are not accumulated.
        allow_unused: None instead of an error for an input that the outputs do not depend on.
            Default: materialize_grads.
        is_grads_batched: each of grad_outputs has a first dimension more, over which backward is
            repeated; so have the gradients.
        materialize_grads: zeros instead of None for such an input; with create_graph they require
            grad, so that derivatives of them are zeros again.

    Raises:
        RuntimeError: for an input that was not used, or does not require grad.

    Example:
        >>> x = pyml.tensor(3.0, requires_grad=True)
        >>> (dx,) = pyml.autograd.grad(x**3, x, create_graph=True)
        >>> pyml.autograd.grad(dx, x)
        (tensor(18.),)
    """
    if not only_inputs:
        raise ArgumentError("grad: only_inputs is False; backward() accumulates into all leaves")
    outputs, inputs = as_tuple(outputs), as_tuple(inputs)
    if not inputs:
        raise ArgumentError("grad: inputs cannot be empty; give the tensors to derive by")
    if materialize_grads and allow_unused is False:
        raise ArgumentError(
            "grad: Expected allow_unused to be True or not passed when materialize_grads is True: "
            "it makes zeros of what allow_unused=False refuses"
        )
    gradients = matched(outputs, grad_outputs, "grad")
    retain = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        results = batched_gradients(outputs, gradients, retain, create_graph, inputs)
    else:
        results = run_backward(outputs, gradients, retain, create_graph, inputs, False)
    if any(dx is None for dx in results):
        results = completed(results, inputs, slopes_reach(outputs), allow_unused, materialize_grads)
    return tuple([as_slope(dx, outputs) for dx in results]) if create_graph else results


def completed(results, inputs, is_zero, allow_unused, materialize_grads):
    """The results, with zeros in place of None for x if is_zero(x), or for all."""
    completed = []
    for i, (x, dx) in enumerate(zip(inputs, results, strict=True)):
        if dx is None and (materialize_grads or is_zero(x)):
            dx = zeros_like(x)
        elif dx is None and not allow_unused:
            raise RuntimeError(
                f"grad: input {i} appears to not have been used in the graph of the outputs. Set "
                "allow_unused=True for None as its gradient, materialize_grads=True for zeros"
            )
        completed.append(dx)
    return tuple(completed)


def batched_gradients(outputs, gradients, retain, create_graph, inputs):
    """The gradients for each item of the first dimension of `gradients`, stacked."""
    shapes = [g if g is None else g.shape for g in gradients]
    sizes = {shape[0] if shape else None for shape in shapes}
    if len(sizes) != 1 or None in sizes or 0 in sizes:
        raise ArgumentError(
            "grad: with is_grads_batched each of grad_outputs must be a Tensor with a first "
            f"dimension of one size >= 1; their shapes are {shapes}"
        )
    (size,) = sizes
    rows = [
        run_backward(
            outputs,
            tuple(g[i] for g in gradients),
            retain or i < size - 1,
            create_graph,
            inputs,
            False,
        )
        for i in range(size)
    ]
    return tuple(None if column[0] is None else stack(column) for column in zip(*rows, strict=True))


# ---- derivatives of gradients --------------------------------------------------------------------


class Slope(Node):
    """A gradient: the first input is the gradient itself, the others what it is the gradient of.

    The slope of a linear function or of a ReLU does not depend on where it is taken, and nothing
    flows to the others. They say that it is a slope of all that they were computed from: a second
    derivative by those is zero; by others it is an error, as an input that was forgotten.
    """

    def _operation(self):
        first = self.inputs[0]
        return first.name() if isinstance(first, Node) else "slope"

    def _gradients(self, dy):
        return (dy,) + (None,) * (len(self.inputs) - 1)


def as_slope(dx, outputs):
    """A gradient of outputs, as a Slope. None and tensors of vmap stay as they are."""
    if type(dx) is not Tensor:
        return dx
    with enable_grad():
        return Slope()._connect(dx.detach(), (dx, *outputs))


def slopes_reach(outputs):
    """A function of a tensor: is any slope that outputs were computed from one of the tensor?"""
    graph = reached([edge_of(y) for y in outputs])
    slopes = [edge for edge in graph if isinstance(edge, Slope)]
    below = {id(edge) for edge in reached([e for slope in slopes for e in slope.inputs[1:]])}
    return lambda x: id(edge_of(x)) in below


def edge_of(tensor):
    return tensor if tensor.is_leaf else tensor.grad_fn


def reached(edges):
    """These and all edges of the graph below them."""
    found = {}
    while edges:
        edge = edges.pop()
        if edge is not None and id(edge) not in found:
            found[id(edge)] = edge
            if isinstance(edge, Node):
                edges += edge.inputs
    return found.values()


# ---- Variable ------------------------------------------------------------------------------------


class _IsTensor(type):
    def __instancecheck__(cls, value):
        return isinstance(value, Tensor)

    def __call__(cls, data=None, requires_grad=False, volatile=False):
        if volatile:
            warnings.warn(
                "Variable: volatile has no effect, as in PyTorch; use `with pyml.no_grad():`",
                stacklevel=2,
            )
        data = Tensor() if data is None else data
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable: data must be a Tensor, not {type(data).__name__}")
        return data.detach().requires_grad_(bool(requires_grad))


class Variable(metaclass=_IsTensor):
    """What a tensor with gradients was called once: a tensor on the memory of `data`.

    Args:
        data: a Tensor. Default: an empty one.
        requires_grad: compute its gradient. Default: False.

    Example:
        >>> pyml.autograd.Variable(pyml.ones(2), requires_grad=True)
        tensor([1., 1.], requires_grad=True)
    """


# ---- gradcheck -----------------------------------------------------------------------------------


class GradcheckError(RuntimeError):
    """An analytical derivative differs from the numerical one."""


def gradcheck(
    func,
    inputs,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_batched_forward_grad=False,
    check_forward_ad=False,
    check_backward_ad=True,
    fast_mode=False,
    masked=None,
):
    """Compares the gradients of func(*inputs) with central differences.

    Args:
        func: a function of tensors that returns a tensor or several.
        inputs: its arguments; the tensors among them that require grad are checked. They should be
            of float64: in float32 differences have few digits, and a warning says so.
        eps: step of the differences.
        atol, rtol: |analytical - numerical| <= atol + rtol * |numerical| passes.
        raise_exception: raise at the first difference; otherwise return False.
        nondet_tol: how much two runs of backward may differ.
        check_backward_ad: whether to check; False goes with check_forward_ad alone, which checks
            nothing. Default: True.
        check_batched_grad, check_batched_forward_grad, check_forward_ad: there is nothing of these
            to check; True gives a warning.
        check_undefined_grad, check_grad_dtypes, fast_mode, masked: of no effect. Gradients are
            always defined, of the dtype of their input, and dense; all elements are checked.

    Returns:
        True, or False without raise_exception.

    Raises:
        GradcheckError: with the output, input, element and both values.
        ValueError: if no input is a tensor that requires grad, or one repeats memory.
    """
    warn_of_unchecked(
        "gradcheck",
        check_batched_grad=check_batched_grad,
        check_batched_forward_grad=check_batched_forward_grad,
        check_forward_ad=check_forward_ad,
    )
    if not (check_backward_ad or check_forward_ad):
        raise ArgumentError(
            "gradcheck: Expected at least one of check_forward_ad or check_backward_ad to be True"
        )
    if not check_backward_ad:
        return True
    inputs = as_tuple(inputs)
    checked = checked_inputs(inputs, "gradcheck")
    try:
        outputs = differentiable(func(*inputs))
        if not outputs:
            refuse_unrecorded(func, inputs, checked, eps, atol)
        for o, output in enumerate(outputs):

            def again(o=o, output=output):
                return output_again(differentiable(func(*inputs)), o, output)

            numerical = [numerical_jacobian(again, x, output, eps) for x in checked]
            analytical = analytical_jacobians(output, checked)
            repeated = analytical_jacobians(output, checked)
            for i in range(len(checked)):
                where = (
                    f"output {o} with respect to input {i} (shapes {output.shape} and "
                    f"{checked[i].shape})"
                )
                compare(analytical[i], numerical[i], output, checked[i], atol, rtol, where)
                if not np.allclose(
                    repeated[i], analytical[i], rtol=0, atol=nondet_tol, equal_nan=True
                ):
                    raise GradcheckError(
                        "gradcheck: Backward is not reentrant, it gave different gradients in two "
                        f"runs: {where}"
                    )
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def warn_of_unchecked(name, **wanted):
    """A warning for each check that is asked for and is of what pyml does not have."""
    for option, value in wanted.items():
        if value:
            warnings.warn(
                f"{name}: {option} checks nothing here: gradients are of one backward at a time",
                stacklevel=3,
            )


def gradgradcheck(
    func,
    inputs,
    grad_outputs=None,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    gen_non_contig_grad_outputs=False,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_fwd_over_rev=False,
    check_rev_over_rev=True,
    fast_mode=False,
    masked=False,
):
    """Compares the second derivatives of func(*inputs) with central differences of its gradients.

    Args:
        grad_outputs: the gradients that backward starts from. Default: fixed random ones.
        gen_non_contig_grad_outputs: make these non-contiguous.
        check_rev_over_rev: whether to check; False goes with check_fwd_over_rev alone.
        check_batched_grad, check_fwd_over_rev: there is nothing of these to check; True gives a
            warning.

    The others, what is returned and raised: see gradcheck.
    """
    warn_of_unchecked(
        "gradgradcheck",
        check_batched_grad=check_batched_grad,
        check_fwd_over_rev=check_fwd_over_rev,
    )
    if not (check_rev_over_rev or check_fwd_over_rev):
        raise ArgumentError(
            "gradgradcheck: Expected at least one of check_fwd_over_rev or check_rev_over_rev to "
            "be True"
        )
    if not check_rev_over_rev:
        return True
    inputs = as_tuple(inputs)
    checked_inputs(inputs, "gradgradcheck")
    outputs = differentiable(func(*inputs))
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        arrays = [rng.standard_normal((*output.shape, 2)) for output in outputs]
        arrays = [a[..., 0] if gen_non_contig_grad_outputs else a[..., 0].copy() for a in arrays]
        grad_outputs = [
            Tensor._on(np.asarray(a, y.dtype)) for a, y in zip(arrays, outputs, strict=True)
        ]
    grad_outputs = as_tuple(grad_outputs)
    if len(grad_outputs) != len(outputs):
        raise ArgumentError(
            f"gradgradcheck: grad_outputs has {len(grad_outputs)} tensors, func returns "
            f"{len(outputs)} that have gradients"
        )
    grad_outputs = tuple(
        checked_tensor(g, "gradgradcheck", "grad_outputs").detach().to(y.dtype).requires_grad_()
        for g, y in zip(grad_outputs, outputs, strict=True)
    )

    def gradients(*args):
        args, weights = args[: len(inputs)], args[len(inputs) :]
        sources = [x for x in args if isinstance(x, Tensor) and x.requires_grad]
        with enable_grad():
            outputs = differentiable(func(*args))
            return grad(outputs, sources, weights, create_graph=True, materialize_grads=True)

    return gradcheck(
        gradients,
        (*inputs, *grad_outputs),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
    )


def checked_inputs(inputs, name):
    """The inputs to differentiate by."""
    checked = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ArgumentError(f"{name}: no input is a tensor that requires grad")
    for i, x in enumerate(checked):
        if x.dtype != np.float64:
            warnings.warn(
                f"{name}: input {i} has dtype {x.dtype}, in which differences have few digits: the "
                "check will likely fail. x.double() converts it, module.double() a module",
                stacklevel=3,
            )
        if (
            0 in x.array.strides
            and x.numel() > 1
            and any(n > 1 and s == 0 for n, s in zip(x.shape, x.array.strides, strict=True))
        ):
            raise ArgumentError(
                f"{name}: input {i} repeats memory (strides {x.stride()}); use x.clone()"
            )
    return checked


def differentiable(outputs):
    """The outputs that require grad."""
    return tuple(y for y in as_tuple(outputs) if isinstance(y, Tensor) and y.requires_grad)


def refuse_unrecorded(func, inputs, checked, eps, atol):
    """An output outside the graph must not depend on the inputs."""
    for o, output in enumerate(as_tuple(func(*inputs))):
        if not isinstance(output, Tensor) or not output.is_floating_point():
            continue

        def again(o=o, output=output):
            return output_again(as_tuple(func(*inputs)), o, output)

        for i, x in enumerate(checked):
            numerical = numerical_jacobian(again, x, output, eps)
            if np.abs(numerical).max(initial=0) > atol:
                raise GradcheckError(
                    f"gradcheck: Numerical gradient for function expected to be zero: output {o} "
                    f"does not require grad, but it changes with input {i}; an operation on the "
                    "way is not recorded"
                )


def output_again(outputs, o, first):
    """Output o of another run of the function, of the shape that it had."""
    if o >= len(outputs) or getattr(outputs[o], "shape", None) != first.shape:
        raise GradcheckError(
            f"gradcheck: func must return outputs with the same shape when inputs are perturbed; "
            f"output {o} (shape {first.shape}) is not there or has another when it is called again"
        )
    return outputs[o]


def numerical_jacobian(evaluate, x, output, eps):
    """d output[j] / d x[i] by central differences of evaluate(), (x.numel(), output.numel())."""
    jacobian = np.empty((x.numel(), output.numel()))
    for i, place in enumerate(np.ndindex(x.shape)):
        value = x.array[place]
        try:
            x.array[place] = value + eps
            above = evaluate().array.astype(np.float64).reshape(-1)
            x.array[place] = value - eps
            below = evaluate().array.astype(np.float64).reshape(-1)
        finally:
            x.array[place] = value
        jacobian[i] = (above - below) / (2 * eps)
    return jacobian


def analytical_jacobians(output, inputs):
    """For each input, d output[j] / d x[i] by one backward for each j."""
    jacobians = [np.empty((x.numel(), output.numel())) for x in inputs]
    for j, place in enumerate(np.ndindex(output.shape)):
        weight = zeros_like(output)
        weight.array[place] = 1
        gradients = grad(output, inputs, weight, retain_graph=True, allow_unused=True)
        for jacobian, dx in zip(jacobians, gradients, strict=True):
            jacobian[:, j] = 0 if dx is None else dx.detach().array.reshape(-1)
    return jacobians


def compare(analytical, numerical, output, x, atol, rtol, where):
    """Raises at the first element where the two differ."""
    close = np.abs(analytical - numerical) <= atol + rtol * np.abs(numerical)  # False for NaN
    if not close.all():
        i, j = np.argwhere(~close)[0]
        raise GradcheckError(
            f"gradcheck: Jacobian mismatch for {where}: "
            f"d output{element(j, output.shape)} / d input{element(i, x.shape)} is "
            f"{analytical[i, j]:.10g} analytical, {numerical[i, j]:.10g} numerical "
            f"({(~close).sum()} of {close.size} elements differ)"
        )


def element(i, shape):
    """The index of the i-th element as it is written."""
    return "".join(f"[{n}]" for n in np.unravel_index(i, shape)) if shape else ""
