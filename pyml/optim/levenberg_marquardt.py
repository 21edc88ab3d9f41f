"""Sums of squares by Levenberg and Marquardt's method."""

import math

import numpy as np

from pyml.autograd.functional import columns_of, rows_of
from pyml.autograd.hessian import joined
from pyml.grad_mode import enable_grad
from pyml.optim.whole import Whole, move_by, put, trainable
from pyml.options import Range
from pyml.tensor import Tensor

__all__ = ["LevenbergMarquardt"]

MAX_TRIES = 12  # moves that a step may undo
ROUNDING = 10  # eps of the sum: what it may rise by and count as unchanged
LEAST_DAMPING, LEAST_SCALE = 1e-15, 1e-12  # the latter relative to the largest column


class LevenbergMarquardt(Whole):
    r"""Minimizes a sum of squares by the Jacobian of what is squared: for small nets.

    With r the residuals and J their Jacobian by all parameters as one vector, a step solves::

        (J^T J + damping * D) d = -J^T r     D: the diagonal of J^T J

    which is Newton's step but for the second derivatives of r, and moves by d. A move that does not
    lower r . r is undone and the damping raised, by 2, 4, 8, ...; one that does lowers it, as far
    as the decrease is that foretold: Marquardt 1963, "An algorithm for least-squares estimation of
    nonlinear parameters"; Nielsen's rule for the damping, in Madsen, Nielsen & Tingleff 2004,
    "Methods for non-linear least squares problems", algorithm 3.16.

    There is one group of parameters, and no learning rate. A step costs a backward for each
    residual, or two for each parameter if they are fewer, and memory for the Jacobian. The closure
    computes and returns the residuals, a tensor of any shape, and does not call backward. The step
    decides by numbers, so a recorded step refuses it.

    Args:
        params: Tensors or (name, Tensor) pairs.
        damping: at first, > 0. Default: 1e-3.

    Raises:
        TypeError: if an option is of a wrong type.
        ValueError: if an option is out of range, or there is a second group.

    Example:
        >>> x, y = pyml.tensor([0.0, 1.0, 2.0]), pyml.tensor([2.0, 1.0, 0.5])
        >>> w = pyml.tensor([1.0, 0.0], requires_grad=True)
        >>> optimizer = pyml.optim.LevenbergMarquardt([w])
        >>> for _ in range(20):
        ...     _ = optimizer.step(lambda: w[0] * pyml.exp(w[1] * x) - y)
        >>> w
        tensor([ 2.    , -0.6931], requires_grad=True)
    """

    _ranges = {"damping": Range(0, math.inf, "()")}

    _kept = {"damping": float, "factor": float, "n_iter": int, "func_evals": int}

    def __init__(self, params, damping=1e-3):
        super().__init__(params, {"damping": damping})

    def _minimize(self, params, state, closure):
        params = trainable("LevenbergMarquardt", params)
        residuals = checked_residuals(closure())
        if not residuals.requires_grad:
            raise ValueError(
                "LevenbergMarquardt: the residuals do not depend on the parameters; compute them "
                "from these, with gradients recorded"
            )
        r = joined([residuals])
        jacobian = jacobian_of(residuals, params)
        total = float(r @ r)
        if not (math.isfinite(total) and np.isfinite(jacobian).all()):
            raise ValueError(
                f"LevenbergMarquardt: the sum of squares is {total}, with a Jacobian that is not "
                "finite or so itself; begin elsewhere, or scale the data"
            )
        damping = state.get("damping", float(self.param_groups[0]["damping"]))
        factor = state.get("factor", 2.0)
        slack = ROUNDING * np.finfo(params[0].dtype).eps * total
        scale = np.linalg.norm(jacobian, axis=0)
        scale = np.maximum(scale, LEAST_SCALE * max(scale.max(), 1.0))
        evaluations = 1
        for _ in range(MAX_TRIES):
            rows = np.vstack([jacobian, np.diag(math.sqrt(damping) * scale)])
            d = np.linalg.lstsq(rows, np.concatenate([-r, np.zeros(scale.size)]), rcond=None)[0]
            decrease = total - float(np.sum((r + jacobian @ d) ** 2))
            before = [p.detach().clone() for p in params]
            move_by(params, d)
            now = joined([checked_residuals(closure())])
            evaluations += 1
            gain = (
                (total - float(now @ now) + slack) / (decrease + slack) if decrease + slack else 1.0
            )
            if gain > 0:
                damping = max(damping * max(1 / 3, 1 - (2 * gain - 1) ** 3), LEAST_DAMPING)
                factor = 2.0
                break
            put(params, before)
            damping, factor = damping * factor, factor * 2
        state.update({"damping": damping, "factor": factor})
        state["n_iter"] = state.get("n_iter", 0) + 1
        state["func_evals"] = state.get("func_evals", 0) + evaluations
        return residuals.detach().square().sum()


def checked_residuals(residuals):
    if not isinstance(residuals, Tensor) or not residuals.is_floating_point():
        got = residuals.dtype if isinstance(residuals, Tensor) else repr(residuals)
        raise TypeError(
            "LevenbergMarquardt: closure must return the residuals, a floating-point tensor, not "
            f"{got}"
        )
    if residuals.numel() == 0:
        raise ValueError("LevenbergMarquardt: closure returned no residuals; the tensor is empty")
    return residuals


def jacobian_of(residuals, params):
    """(residuals, elements of the parameters) as float64, by the fewer of rows and columns."""
    size = sum(p.numel() for p in params)
    blocks_of = rows_of if residuals.numel() <= 2 * size else columns_of
    with enable_grad():
        blocks = blocks_of(residuals.reshape(-1), tuple(params), False, False)
    count = residuals.numel()
    parts = [block.detach().numpy().reshape(count, -1) for block in blocks]
    return np.concatenate(parts, axis=1, dtype=np.float64)
