"""Newton's method by conjugate gradients in a trust region."""

import math
from typing import NamedTuple

import numpy as np

from pyml.autograd.hessian import LossHessian
from pyml.autograd.lanczos import extreme_eigenpairs
from pyml.backward import retained_graphs
from pyml.optim.whole import Whole, move_by, put, trainable
from pyml.options import Range, check_counts, check_number
from pyml.tensor import Tensor

__all__ = ["NewtonCG"]

MAX_TRIES = 12  # moves that a step may undo, the region a quarter as large each time
ACCEPTED, POOR, GOOD = 1e-4, 0.25, 0.75  # of the decrease foretold: Nocedal & Wright, algorithm 4.1
ROUNDING = 10  # eps of the loss: what it may rise by and count as unchanged


class NewtonCG(Whole):
    r"""Newton's method with exact second derivatives, which leaves saddle points.

    With w all parameters as one vector, g the gradient and H the Hessian there, a step moves by the
    d that lowers the parabola of the loss in a region of radius r::

        m(d) = g . d + d . H d / 2     |d| <= r

    Conjugate gradients find it by products H v, each a backward of a backward; where they meet a
    direction of negative curvature, d goes along it to the edge (Steihaug 1983, "The conjugate
    gradient method and trust regions in large scale optimization"). Where the gradient is zero, d
    is the direction in which the loss falls away the most, if there is one: Lanczos' method finds
    it also from the ridge of a saddle, from which no gradient leads. A move that does not lower the
    loss as foretold is undone and the region made smaller; one that does makes it larger (Nocedal &
    Wright 2006, "Numerical optimization", algorithms 4.1 and 7.2).

    There is one group of parameters, and no learning rate. A step makes one move; it calls the
    closure before and after it: a function that computes the loss and returns it, whether it calls
    backward or not. It decides by numbers, so a recorded step refuses it.

    Args:
        params: Tensors or (name, Tensor) pairs.
        radius: of the region at first, > 0. Default: 10.
        max_radius: what it grows to at most, > 0. Default: 1000.
        max_iter: products H v for a move, an integer >= 1; each keeps a vector of all parameters
            until the step ends. Default: 100.
        tolerance_cg: conjugate gradients end where |g + H d| <= tolerance_cg * |g|, >= 0; None for
            min(1/2, sqrt |g|), which makes convergence superlinear. Default: None.
        tolerance_grad: where |g| is no longer, the step looks for a negative eigenvalue, >= 0.
            Default: 1e-5.
        tolerance_curvature: an eigenvalue above -tolerance_curvature * the largest is none, > 0.
            Default: 1e-4.

    Raises:
        TypeError: if an option is of a wrong type.
        ValueError: if an option is out of range, or there is a second group.

    Example:
        >>> w = pyml.tensor([1.0, 0.0], requires_grad=True)
        >>> optimizer = pyml.optim.NewtonCG([w])
        >>> def saddle():  # w[1] = 0 is its ridge
        ...     return w[0] ** 2 - w[1] ** 2 + w[1] ** 4 / 2
        >>> for _ in range(10):
        ...     _ = optimizer.step(saddle)
        >>> saddle().item()
        -0.5
    """

    _ranges = {
        "radius": Range(0, math.inf, "()"),
        "max_radius": Range(0, math.inf, "()"),
        "tolerance_grad": Range(0),
        "tolerance_curvature": Range(0, math.inf, "()"),
    }

    _kept = {"radius": float, "n_iter": int, "func_evals": int, "products": int}

    def __init__(
        self,
        params,
        radius=10.0,
        max_radius=1000.0,
        max_iter=100,
        tolerance_cg=None,
        tolerance_grad=1e-5,
        tolerance_curvature=1e-4,
    ):
        defaults = {
            "radius": radius,
            "max_radius": max_radius,
            "max_iter": max_iter,
            "tolerance_cg": tolerance_cg,
            "tolerance_grad": tolerance_grad,
            "tolerance_curvature": tolerance_curvature,
        }
        super().__init__(params, defaults)

    def _check(self, options):
        super()._check(options)
        check_counts("NewtonCG", least=1, max_iter=options["max_iter"])
        if options["tolerance_cg"] is not None:
            check_number("NewtonCG", "tolerance_cg", options["tolerance_cg"], Range(0))

    def _minimize(self, params, state, closure):
        group, params = self.param_groups[0], trainable("NewtonCG", params)
        with retained_graphs():
            first_loss = closure()
        loss = checked_loss(first_loss)
        hessian = LossHessian(first_loss, params)
        if not (math.isfinite(loss) and np.isfinite(hessian.gradient).all()):
            raise ValueError(
                f"NewtonCG: the loss is {loss}, with a gradient that is not finite or so itself; "
                "begin elsewhere, or scale the data"
            )
        calls = Counted(hessian.product)
        slack = ROUNDING * np.finfo(params[0].dtype).eps * abs(loss)
        radius = state.get("radius", float(group["radius"]))
        segments, evaluations = None, 1
        if np.linalg.norm(hessian.gradient) <= group["tolerance_grad"]:
            segments = falling_away(hessian, calls, group["tolerance_curvature"])
        segments = segments or way_down(hessian.gradient, calls, radius, group)
        for _ in range(MAX_TRIES if segments else 0):
            d, decrease = along(segments, radius)
            before = [p.detach().clone() for p in params]
            move_by(params, d)
            evaluations += 1
            gain = (loss - checked_loss(closure()) + slack) / (decrease + slack)
            length = float(np.linalg.norm(d))
            if not gain >= POOR:  # NaN too
                radius = length / 4
            elif gain > GOOD and length > 0.99 * radius:
                radius = min(2 * radius, float(group["max_radius"]))
            if gain > ACCEPTED:
                break
            put(params, before)
        state["radius"] = radius
        state["n_iter"] = state.get("n_iter", 0) + 1
        state["func_evals"] = state.get("func_evals", 0) + evaluations
        state["products"] = state.get("products", 0) + calls.count
        return first_loss


class Counted:
    """A function that counts its calls."""

    def __init__(self, function):
        self.function, self.count = function, 0

    def __call__(self, vector):
        self.count += 1
        return self.function(vector)


def checked_loss(loss):
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        got = f"one of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else repr(loss)
        raise TypeError(f"NewtonCG: closure must return a tensor of one element, not {got}")
    return float(loss)


def falling_away(hessian, product, tolerance):
    """A Segment along the eigenvector of the smallest eigenvalue if that is negative; or none."""
    pairs = extreme_eigenpairs(product, hessian.size, 1, tolerance=tolerance / 10)
    curvature = float(pairs.values[0])
    if curvature >= -tolerance * np.abs(pairs.values).max():
        return []
    d, slope = pairs.vectors[:, 0], hessian.gradient @ pairs.vectors[:, 0]
    return [Segment(-d if slope > 0 else d, abs(slope), curvature, math.inf)]


class Segment(NamedTuple):
    """A piece of the way of conjugate gradients: t * d, with t from 0 to length.

    Attributes:
        d: the direction.
        slope, curvature: along it the parabola falls by t * slope - t^2 * curvature / 2.
        length: to its lowest point, inf where the curvature is not positive.
    """

    d: np.ndarray
    slope: float
    curvature: float
    length: float


def way_down(g, product, radius, options):
    """The Segments within the region: Steihaug 1983; Nocedal & Wright 2006, algorithm 7.2."""
    norm = np.linalg.norm(g)
    share = options["tolerance_cg"]
    tolerance = norm * (min(0.5, math.sqrt(norm)) if share is None else share)
    segments, z, r, d = [], np.zeros_like(g), g, -g
    for _ in range(min(options["max_iter"], g.size)):
        if not d.any():
            break
        hd = product(d)
        slope, curvature = r @ r, d @ hd
        length = slope / curvature if curvature > 0 else math.inf
        segments.append(Segment(d, slope, curvature, length))
        if length == math.inf:
            break
        z, r = z + length * d, r + length * hd
        if np.linalg.norm(z) >= radius or np.linalg.norm(r) <= tolerance:
            break
        d = -r + (r @ r) / slope * d
    return segments


def along(segments, radius):
    """(where the way ends in a region, how far the parabola falls). It leads outward only."""
    z, decrease = 0.0, 0.0
    for d, slope, curvature, length in segments:
        inside = length < math.inf and np.linalg.norm(z + length * d) < radius
        t = length if inside else to_edge(z, d, radius)
        z, decrease = z + t * d, decrease + t * slope - t * t * curvature / 2
        if not inside:
            break
    return z, decrease


def to_edge(z, d, radius):
    """The t > 0 with |z + t d| = radius."""
    z = np.zeros_like(d) + z
    a, b, c = d @ d, z @ d, z @ z - radius**2
    return (-b + math.sqrt(max(b * b - a * c, 0.0))) / a
