"""The second derivatives of a loss by the parameters of a model: where training stands."""

import math
from dataclasses import dataclass

import numpy as np

from pyml.autograd.hessian import LossHessian, parts_of
from pyml.autograd.lanczos import extreme_eigenpairs
from pyml.backward import run_backward
from pyml.errors import ArgumentError
from pyml.func.modules import functional_call
from pyml.grad_mode import enable_grad
from pyml.nn.module import Module
from pyml.ops import from_numpy
from pyml.options import Range, check_counts, check_integer, check_number
from pyml.recorder import refuse
from pyml.tensor import Tensor

__all__ = [
    *("Curvature", "Trace", "curvature", "gauss_newton_diagonal", "hessian_trace"),
    "loss_hessian",
]


@dataclass(frozen=True)
class Curvature:
    """What curvature() found. str() gives it as text.

    Attributes:
        loss: the loss.
        gradient_norm: the length of the gradient by all parameters.
        eigenvalues: of the Hessian, ascending: the k smallest and the k largest.
        eigenvectors: for each of them {name of a parameter: tensor of its shape}, of length 1
            together.
        residuals: for each of them |H v - eigenvalue v|, which bounds its error.
        parameters: how many elements the parameters have.
        tolerance: an eigenvalue is zero up to tolerance * the largest in size; the gradient, up to
            tolerance.
    """

    loss: float
    gradient_norm: float
    eigenvalues: tuple
    eigenvectors: tuple
    residuals: tuple
    parameters: int
    tolerance: float

    @property
    def is_stationary(self):
        """Whether the gradient is zero up to the tolerance."""
        return self.gradient_norm <= self.tolerance

    @property
    def zero(self):
        """The size up to which an eigenvalue counts as zero."""
        return self.tolerance * max(map(abs, self.eigenvalues))

    @property
    def negative(self):
        """How many of the eigenvalues are negative: directions in which the loss falls away."""
        return sum(value < -self.zero for value in self.eigenvalues)

    @property
    def verdict(self):
        """Where that is: in words.

        "near a minimum", "near a minimum or a saddle, flat in a direction" (an eigenvalue is zero:
        second derivatives do not tell), "near a saddle, n negative directions found", "near a
        maximum", "flat", or "not stationary, n negative directions found".
        """
        found = (
            "1 negative direction" if self.negative == 1 else f"{self.negative} negative directions"
        )
        if not self.is_stationary:
            return f"not stationary, {found} found"
        low, high = self.eigenvalues[0], self.eigenvalues[-1]
        if self.negative and high > self.zero:
            return f"near a saddle, {found} found"
        if self.negative:
            return "near a maximum" if high < -self.zero else f"near a saddle, {found} found"
        if high == low == 0:
            return "flat"
        return (
            "near a minimum"
            if low > self.zero
            else "near a minimum or a saddle, flat in a direction"
        )

    def __str__(self):
        values = ", ".join(f"{value:.4g}" for value in self.eigenvalues)
        return (
            f"{self.verdict}: loss {self.loss:.6g}, gradient {self.gradient_norm:.3g}, "
            f"eigenvalues {values} of {self.parameters}, errors up to {max(self.residuals):.1g}, "
            f"tolerance {self.tolerance:g}"
        )


@dataclass(frozen=True)
class Trace:
    """An estimate of a trace, and its standard error."""

    value: float
    error: float


def curvature(model, loss, x, y, k=1, *, tolerance=1e-4, max_steps=300):
    """Where training stands: the loss's gradient and the extreme eigenvalues of its Hessian.

    The Hessian is that of loss(model(x), y) by the parameters that require grad. It is not formed:
    Lanczos' method takes exact products with vectors, each a backward of a backward.

    Args:
        model: a Module. It is as before afterwards, buffers too; draws of a Dropout in training are
            fixed while they are looked at.
        loss: a function of the model's output and y that returns a tensor of one element.
        x, y: a batch; x may be a tuple of arguments.
        k: how many eigenvalues at each end, at least 1. Default: 1.
        tolerance: of zero, for the gradient's length and for eigenvalues in units of the largest,
            > 0; eigenvalues are computed to a tenth of that. Default: 1e-4.
        max_steps: products at most, at least 1. Default: 300.

    Returns:
        A Curvature, with .eigenvalues, .eigenvectors, .gradient_norm and .verdict.

    Raises:
        TypeError, ValueError: for options that are not as above; ValueError also if no parameter
            requires grad, or the loss, or a derivative, is not finite.
        RecordError: in a step that is recorded.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> x, y = pyml.tensor([[1.0], [2.0]]), pyml.tensor([[3.0], [6.0]])
        >>> with pyml.no_grad():
        ...     _ = model.weight.fill_(3.0)
        >>> found = func.curvature(model, nn.MSELoss(), x, y)
        >>> found.verdict, found.eigenvalues
        ('near a minimum', (5.0,))
    """
    check_integer("curvature", "k", k)
    check_integer("curvature", "max_steps", max_steps)
    check_number("curvature", "k", k, Range(1))
    check_number("curvature", "max_steps", max_steps, Range(1))
    check_number("curvature", "tolerance", tolerance, Range(0, math.inf, "()"))
    params = parameters_of("curvature", model)
    value = loss_of("curvature", model, loss, x, y)
    hessian = hessian_of("curvature", value, params.values())
    pairs = extreme_eigenpairs(
        hessian.product, hessian.size, k, tolerance=tolerance / 10, max_steps=max_steps
    )
    vectors = tuple(
        dict(zip(params, parts_of(vector, hessian.params), strict=True))
        for vector in pairs.vectors.T
    )
    return Curvature(
        loss=value.item(),
        gradient_norm=float(np.linalg.norm(hessian.gradient)),
        eigenvalues=tuple(pairs.values.tolist()),
        eigenvectors=vectors,
        residuals=tuple(pairs.residuals.tolist()),
        parameters=hessian.size,
        tolerance=float(tolerance),
    )


def loss_hessian(model, loss, x, y, *, by_layer=False):
    """The Hessian of loss(model(x), y) by the parameters that require grad, all of it.

    For small nets: it costs a product, and a row of memory, for each element of the parameters.

    Args:
        model, loss, x, y: as for curvature.
        by_layer: only the blocks of single modules, those of second derivatives by their own
            parameters. Default: False.

    Returns:
        A float64 tensor (p, p), with elements in the order of named_parameters(); by_layer: {name
        of the module: such a tensor}, without modules that have no parameters.

    Raises:
        TypeError, ValueError: as curvature.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> x = pyml.tensor([[1.0, 2.0]])
        >>> func.loss_hessian(model, nn.MSELoss(), x, pyml.zeros(1, 1))
        tensor([[2., 4., 2.],
                [4., 8., 4.],
                [2., 4., 2.]], dtype=float64)
    """
    params = parameters_of("loss_hessian", model)
    value = loss_of("loss_hessian", model, loss, x, y)
    if not by_layer:
        return from_numpy(hessian_of("loss_hessian", value, params.values()).matrix())
    layers = {}
    for name, p in params.items():
        layers.setdefault(name.rpartition(".")[0], []).append(p)
    return {
        name: from_numpy(hessian_of("loss_hessian", value, each).matrix())
        for name, each in layers.items()
    }


def hessian_trace(model, loss, x, y, samples=100, *, seed=0):
    """The trace of the Hessian of loss(model(x), y), estimated: the sum of its eigenvalues.

    The mean of v^T H v over random v with elements 1 and -1: Hutchinson 1990, "A stochastic
    estimator of the trace of the influence matrix for Laplacian smoothing splines".

    Args:
        model, loss, x, y: as for curvature.
        samples: products, at least 2. Default: 100.
        seed: of the random vectors, from a generator of their own. Default: 0.

    Returns:
        A Trace: .value, and .error, the standard error.

    Raises:
        TypeError, ValueError: as curvature.
    """
    check_counts("hessian_trace", least=2, samples=samples)
    params = parameters_of("hessian_trace", model)
    value = loss_of("hessian_trace", model, loss, x, y)
    hessian = hessian_of("hessian_trace", value, params.values())
    rng = np.random.default_rng(seed)
    found = np.empty(samples)
    for i in range(samples):
        v = rng.choice((-1.0, 1.0), hessian.size)
        found[i] = v @ hessian.product(v)
    return Trace(float(found.mean()), float(found.std(ddof=1) / math.sqrt(samples)))


def gauss_newton_diagonal(model, loss, x, y):
    """The diagonal of the generalised Gauss-Newton matrix of loss(model(x), y), exact.

    J^T H J with J the Jacobian of the model's output by the parameters and H the Hessian of the
    loss by the output: the Hessian of the loss without the curvature of the model. It is never
    negative for a convex loss. One backward for each element of the output that the loss curves in.

    Args:
        model, loss, x, y: as for curvature; the model returns one tensor.

    Returns:
        {name of a parameter: tensor of its shape}.

    Raises:
        TypeError, ValueError: as curvature.

    Schraudolph 2002, "Fast curvature matrix-vector products for second-order gradient descent";
    Dangel, Kunstner & Hennig 2020, "BackPACK" (arXiv:1912.10985): DiagGGNExact.

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> x, y = pyml.tensor([[1.0, 2.0]]), pyml.zeros(1, 1)
        >>> func.gauss_newton_diagonal(model, nn.MSELoss(), x, y)
        {'weight': tensor([[2., 8.]])}
    """
    who = "gauss_newton_diagonal"
    params = parameters_of(who, model)
    with enable_grad():
        output = output_of(model, x)
        if not isinstance(output, Tensor):
            raise TypeError(f"{who}: the model returned {output!r}, it must return a Tensor")
        place = output.detach().requires_grad_()
        value = checked_loss(who, loss(place, y))
    diagonals = {name: p.new_zeros(p.shape) for name, p in params.items()}
    if not (value.requires_grad and output.requires_grad):
        return diagonals
    sizes, directions = np.linalg.eigh(LossHessian(value, [place]).matrix())
    for size, direction in zip(sizes, directions.T, strict=True):
        if size != 0:
            weights = from_numpy(direction.reshape(output.shape)).to(output.dtype)
            rows = run_backward((output,), (weights,), True, False, tuple(params.values()), False)
            for diagonal, row in zip(diagonals.values(), rows, strict=True):
                if row is not None:
                    diagonal.add_(row.square(), alpha=float(size))
    return diagonals


# ---- what they share -----------------------------------------------------------------------------


def parameters_of(who, model):
    """{name: parameter} of those that require grad."""
    refuse(f"{who}(), which computes in NumPy,")
    if not isinstance(model, Module):
        raise TypeError(f"{who}: model is a {type(model).__name__}, it must be a Module")
    params = {name: p for name, p in model.named_parameters() if p.requires_grad and p.numel()}
    if not params:
        raise ArgumentError(f"{who}: no parameter of the model requires grad")
    return params


def loss_of(who, model, loss, x, y):
    """loss(model(x), y) in the graph of the parameters; buffers of the model stay as they are."""
    with enable_grad():
        return checked_loss(who, loss(output_of(model, x), y))


def output_of(model, x):
    """model(x); buffers of the model stay as they are."""
    args = x if isinstance(x, tuple) else (x,)
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    return functional_call(model, buffers, args)


def checked_loss(who, value):
    if not isinstance(value, Tensor) or value.numel() != 1:
        got = f"one of shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
        raise TypeError(f"{who}: loss must return a tensor of one element, not {got}")
    if not math.isfinite(value.item()):
        raise ArgumentError(f"{who}: the loss is {value.item()}; there is no curvature to look at")
    return value.reshape(())


def hessian_of(who, value, params):
    if not value.requires_grad:
        raise ArgumentError(f"{who}: the loss does not depend on the parameters that require grad")
    return LossHessian(value, params)
