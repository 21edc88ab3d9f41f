"""L-BFGS."""

import math

from pyml.ops.creation import zeros
from pyml.ops.shape import cat
from pyml.optim.whole import Whole, check_kept, put
from pyml.options import Range, check_choice, check_integer, one_number
from pyml.tensor import Tensor

__all__ = ["LBFGS"]

ARMIJO, CURVATURE = 1e-4, 0.9  # c1 and c2 of the strong Wolfe conditions
LEAST_CURVATURE = 1e-10  # of a pair that enters the history
ANY = Range(-math.inf, math.inf)


class LBFGS(Whole):
    r"""L-BFGS: Newton steps with an inverse Hessian made of the last changes of gradient and place.

    With w all parameters as one vector, g the gradient there, and pairs s = w' - w, y = g' - g of
    the last history_size moves for which y . s > 1e-10, an iteration is::

        d = -H g      H: from (y . s) / (y . y) * I by the BFGS update of each pair, oldest first
        t = lr        min(1, 1 / sum |g|) * lr at the first iteration of all
        w = w + t * d

    With line_search_fn="strong_wolfe", t is where a search that begins there finds, with f the
    loss and by cubic interpolation in a bracket,
    f(w + t d) <= f(w) + 1e-4 t g . d and |g(w + t d) . d| <= -0.9 g . d.

    Liu & Nocedal 1989, "On the limited memory BFGS method for large scale optimization"; the
    search: Nocedal & Wright 2006, "Numerical optimization", algorithms 3.5 and 3.6, with the
    interpolation and the ends of Schmidt's minFunc, as in PyTorch.

    There is one group of parameters. A step makes up to max_iter moves and calls the closure for
    each: a function that clears the gradients, computes the loss, calls backward and returns the
    loss. It decides by numbers, so a recorded step refuses it: record what the closure computes.

    Args:
        params: Tensors or (name, Tensor) pairs.
        lr: length of a move in units of d, a number or a Tensor of one element. Default: 1.
        max_iter: iterations of a step, an integer >= 1. Default: 20.
        max_eval: calls of the closure after which a step ends, an integer >= 1. Default:
            max_iter * 5 // 4.
        tolerance_grad: a step ends where no |g| is larger. Default: 1e-7.
        tolerance_change: it ends after a move in which no parameter, or the loss, changes by more,
            and where g . d > -tolerance_change. Default: 1e-9.
        history_size: pairs that are kept, an integer >= 1. Default: 100.
        line_search_fn: None or "strong_wolfe". Default: None.

    Raises:
        TypeError: if an option is of a wrong type.
        ValueError: if an option is out of range, or there is a second group.

    Example:
        >>> w = pyml.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = pyml.optim.LBFGS([w], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = ((w - 3) ** 2).sum()
        ...     loss.backward()
        ...     return loss
        >>> _ = optimizer.step(closure)
        >>> w
        tensor([3., 3.], requires_grad=True)
    """

    _ranges = {"lr": Range(0), "tolerance_grad": ANY, "tolerance_change": ANY}
    _vectors = ("d", "prev_flat_grad")  # state: all parameters as one
    _histories = ("old_dirs", "old_stps", "ro")  # lists of one length

    def __init__(
        self,
        params,
        lr=1,
        max_iter=20,
        max_eval=None,
        tolerance_grad=1e-7,
        tolerance_change=1e-9,
        history_size=100,
        line_search_fn=None,
    ):
        if max_eval is None:
            check_count("max_iter", max_iter)
            max_eval = max_iter * 5 // 4
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)

    def _check(self, options):
        super()._check(options)
        for name in ("max_iter", "max_eval", "history_size"):
            check_count(name, options[name])
        check_choice("LBFGS", "line_search_fn", options["line_search_fn"], (None, "strong_wolfe"))

    def _minimize(self, params, state, closure):
        group = self.param_groups[0]
        lr, max_iter, max_eval = float(group["lr"]), group["max_iter"], group["max_eval"]
        tolerance_grad, tolerance_change = group["tolerance_grad"], group["tolerance_change"]
        history_size, searches = group["history_size"], group["line_search_fn"] is not None

        first_loss = closure()
        loss, g = float(first_loss), flat_gradient(params)
        evaluations = 1
        state["func_evals"] = state.get("func_evals", 0) + 1
        state.setdefault("n_iter", 0)
        if is_flat(g, tolerance_grad):
            return first_loss

        d, t = state.get("d"), state.get("t")
        ys, ss, ro = (list(state.get(name) or ()) for name in self._histories)
        h, g_before, loss_before = (
            state.get(name) for name in ("H_diag", "prev_flat_grad", "prev_loss")
        )
        for i in range(1, max_iter + 1):
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                ys, ss, ro, h = [], [], [], 1
                d = -g
            else:
                y, s = g - g_before, d * t
                curvature = dot(y, s)
                if curvature > LEAST_CURVATURE:
                    if len(ys) == history_size:
                        del ys[0], ss[0], ro[0]
                    ys.append(y)
                    ss.append(s)
                    ro.append(1 / curvature)
                    h = curvature / dot(y, y)
                d = direction(g, ys, ss, ro, h)
            g_before, loss_before = g, loss

            t = lr
            if state["n_iter"] == 1:
                t = 1 / max(1.0, float(g.abs().sum())) * lr
            slope = dot(g, d)
            if slope > -tolerance_change:
                break

            spent, flat = 0, False
            if searches:
                start = [p.detach().clone() for p in params]

                def evaluate(t, d=d, start=start):
                    move(params, t, d)
                    result = float(closure()), flat_gradient(params)
                    put(params, start)
                    return result

                loss, g, t, spent = strong_wolfe(
                    evaluate, t, d, loss, g, slope, tolerance_change, max_eval - evaluations
                )
                move(params, t, d)
                flat = is_flat(g, tolerance_grad)
            else:
                move(params, t, d)
                if i != max_iter:  # what the last move leads to, the next step looks at
                    loss, g = float(closure()), flat_gradient(params)
                    flat = is_flat(g, tolerance_grad)
                    spent = 1
            evaluations += spent
            state["func_evals"] += spent
            if (
                evaluations >= max_eval
                or flat
                or is_flat(d * t, tolerance_change)
                or abs(loss - loss_before) < tolerance_change
            ):
                break
        state.update(
            {"d": d, "t": t, "old_dirs": ys, "old_stps": ss, "ro": ro, "H_diag": h}
            | {"prev_flat_grad": g_before, "prev_loss": loss_before}
        )
        return first_loss

    def _checked(self, values, size, place):
        kept = {name: value for name, value in values.items() if name != "al"}  # of PyTorch
        for name in ("func_evals", "n_iter"):
            kept[name] = one_number(kept.get(name, 0), f"{place}: {name}", int)
        if kept["n_iter"] == 0:
            return kept
        needed = (*self._vectors, *self._histories, "t", "H_diag", "prev_loss")
        check_kept(kept, needed, place)
        for name in ("t", "H_diag", "prev_loss"):
            kept[name] = one_number(kept[name], f"{place}: {name}")
        for name in self._histories:
            if not isinstance(kept[name], (list, tuple)):
                raise TypeError(f"{place}: {name} is {kept[name]!r}, it must be a list")
        for name in self._histories:
            if len(kept[name]) != len(kept["ro"]):
                raise ValueError(
                    f"{place}: {name} has {len(kept[name])} items, ro {len(kept['ro'])}; "
                    "they must have as many"
                )
        kept["ro"] = [one_number(value, f"{place}: ro") for value in kept["ro"]]
        vectors = [(name, kept[name]) for name in self._vectors]
        vectors += [(name, value) for name in self._histories[:2] for value in kept[name]]
        for name, value in vectors:
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"{place}: {name} has a {type(value).__name__}, it must be a Tensor"
                )
            if value.shape != (size,):
                raise ValueError(
                    f"{place}: {name} has shape {tuple(value.shape)}, the parameters have {size} "
                    "elements together"
                )
        return kept


def check_count(name, value):
    check_integer("LBFGS", name, value)
    if value < 1:
        raise ValueError(f"LBFGS: {name} is {value}, it must be >= 1")


def dot(a, b):
    return a.dot(b).item()


def is_flat(vector, tolerance):
    """Whether no element is larger than the tolerance; NaN is."""
    return vector.numel() == 0 or vector.abs().max().item() <= tolerance


def flat_gradient(params):
    """All gradients as one vector; zeros for a parameter that has none."""
    parts = [
        zeros(p.numel(), dtype=p.dtype) if p.grad is None else p.grad.detach().reshape(-1)
        for p in params
    ]
    return cat(parts) if len(parts) > 1 else parts[0].clone()


def move(params, t, d):
    """w <- w + t d"""
    offset = 0
    for p in params:
        n = p.numel()
        p.add_(d[offset : offset + n].view(p.shape), alpha=t)
        offset += n


def direction(g, ys, ss, ro, h):
    """-H g, by the two loops over the pairs: Nocedal & Wright 2006, algorithm 7.4."""
    q = -g
    shares = [0.0] * len(ys)
    for i in range(len(ys) - 1, -1, -1):
        shares[i] = dot(ss[i], q) * ro[i]
        q.add_(ys[i], alpha=-shares[i])
    q = q * h
    for i in range(len(ys)):
        q.add_(ss[i], alpha=shares[i] - dot(ys[i], q) * ro[i])
    return q


def strong_wolfe(evaluate, t, d, f0, g0, slope0, tolerance_change, max_evaluations):
    """The search for a length t of the move d.

    Args:
        evaluate: t -> (loss, gradient) there.
        t: the first to try.
        f0, g0, slope0: the loss, the gradient and g . d at t = 0.
        tolerance_change: the search ends in a bracket in which no parameter changes by more.
        max_evaluations: after the first.

    Returns:
        (loss, gradient, t, number of evaluations).
    """

    def at(t):
        f, g = evaluate(t)
        return t, f, g, dot(g, d)

    def is_steep(point):
        """The curvature condition does not hold."""
        return not abs(point[3]) <= -CURVATURE * slope0

    def is_high(point):
        """The condition of sufficient decrease does not hold."""
        return point[1] > f0 + ARMIJO * point[0] * slope0

    largest = d.abs().max().item()
    start = previous = (0, f0, g0, slope0)
    point, tried = at(t), 0
    bracket = None
    while tried < max_evaluations:
        if is_high(point) or (tried > 1 and point[1] >= previous[1]):
            bracket = [previous, point]
            break
        if not is_steep(point):
            return point[1], point[2], point[0], tried + 1
        if point[3] >= 0:
            bracket = [previous, point]
            break
        ends = point[0] + 0.01 * (point[0] - previous[0]), point[0] * 10
        t = cubic_minimum(previous, point, ends)
        previous, point = point, at(t)
        tried += 1
    if tried == max_evaluations:
        bracket = [start, point]

    # In the bracket there is such a t. It is made smaller; the lower end is the best so far.
    low = 0 if bracket[0][1] <= bracket[1][1] else 1
    was_at_an_end = False
    while tried < max_evaluations:
        first, last = sorted((bracket[0][0], bracket[1][0]))
        if (last - first) * largest < tolerance_change:
            break
        t = cubic_minimum(*bracket)
        margin = 0.1 * (last - first)
        is_at_an_end = min(last - t, t - first) < margin
        if is_at_an_end and (was_at_an_end or t >= last or t <= first):
            t = last - margin if abs(t - last) < abs(t - first) else first + margin
            is_at_an_end = False
        was_at_an_end = is_at_an_end
        point = at(t)
        tried += 1
        if is_high(point) or point[1] >= bracket[low][1]:
            bracket[1 - low] = point
            low = 0 if bracket[0][1] <= bracket[1][1] else 1
            continue
        steep = is_steep(point)
        if steep and point[3] * (bracket[1 - low][0] - bracket[low][0]) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = point
        if not steep:
            break
    t, f, g, _ = bracket[low]
    return f, g, t, tried + 1


def cubic_minimum(a, b, ends=None):
    """Where the cubic through two points with their slopes is least, between ends.

    Nocedal & Wright 2006, eq. 3.59; the middle, if it has no minimum.
    """
    (x1, f1, _, slope1), (x2, f2, _, slope2) = (a, b) if a[0] <= b[0] else (b, a)
    low, high = ends or (x1, x2)
    if x1 == x2:
        return (low + high) / 2
    d1 = slope1 + slope2 - 3 * (f1 - f2) / (x1 - x2)
    square = d1 * d1 - slope1 * slope2
    if not square >= 0:
        return (low + high) / 2
    d2 = math.sqrt(square)
    divisor = slope2 - slope1 + 2 * d2
    if divisor == 0:
        return (low + high) / 2
    least = x2 - (x2 - x1) * ((slope2 + d2 - d1) / divisor)
    return min(max(least, low), high)
