"""What the tests of optimizers made of operations share: options, shapes, a run, the references."""

import math
from itertools import product

import numpy as np

STEPS, LR_CHANGE, RELOAD = 12, 4, 7
SHAPES = {
    "Adafactor": [(5, 3), (7,), (), (2, 1, 9), (1, 1)],
    "Muon": [(5, 3), (3, 8), (4, 4), (1, 6)],
}
VALUES = {
    "Adafactor": {
        "lr": [0.3],
        "beta2_decay": [-0.8, -0.3],
        "eps": [(None, 1e-3), (0.7, 0.5)],
        "d": [1.0, 1.5],
        "weight_decay": [0, 0.05],
        "maximize": [False, True],
    },
    "Muon": {
        "lr": [0.1],
        "weight_decay": [0, 0.1],
        "momentum": [0.95, 0.5],
        "nesterov": [False, True],
        "ns_coefficients": [(3.4445, -4.775, 2.0315), (1.5, -0.5, 0.0)],
        "eps": [1e-7, 10.0],
        "ns_steps": [5, 2],
        "adjust_lr_fn": [None, "original", "match_rms_adamw"],
    },
}
SECOND = {"lr": 0.05, "weight_decay": 0.02}  # options of the second group, from the third parameter


def is_chosen(name, options):
    """Each option of Muon beside the defaults, not with all others."""
    usual = [values[0] for values in VALUES[name].values()]
    changed = sum(options[key] != first for key, first in zip(VALUES[name], usual, strict=True))
    return name != "Muon" or changed <= 2


CASES = [
    (name, options)
    for name, values in VALUES.items()
    for combination in product(*values.values())
    if is_chosen(name, options := dict(zip(values, combination, strict=True)))
]


def starts(name):
    rng = np.random.default_rng(1)
    return [np.asarray(rng.normal(size=shape)) for shape in SHAPES[name]]


def gradients(name):
    """For each step a list of arrays; None for no gradient."""
    rng = np.random.default_rng(2)
    for step in range(STEPS):
        grads = [np.asarray(rng.normal(0.3, 1, size=shape)) for shape in SHAPES[name]]
        grads[step % 5 % len(grads)] = None
        yield grads


def groups(params):
    return [{"params": params[:2]}, {"params": params[2:], **SECOND}]


def train(name, make, params, make_tensor):
    """Runs the steps with make(groups), of pyml or torch; returns the last optimizer."""
    optimizer = make(groups(params))
    for step, grads in enumerate(gradients(name)):
        if step == LR_CHANGE:
            for group in optimizer.param_groups:
                group["lr"] *= 0.5
        if step == RELOAD:
            saved = optimizer.state_dict()
            optimizer = make(groups(params))
            optimizer.load_state_dict(saved)
        for p, grad in zip(params, grads, strict=True):
            p.grad = None if grad is None else make_tensor(grad)
        optimizer.step()
    return optimizer


def rms(x):
    return np.sqrt(np.mean(x**2))


def adafactor(w, g, s, o, dtype):
    least, least_size = o["eps"]
    least = np.finfo(dtype).eps if least is None else least
    g, t = (-g if o["maximize"] else g), s["step"]
    share = t ** o["beta2_decay"]
    rate = max(least_size, rms(w)) * min(o["lr"], 1 / math.sqrt(t))
    w = w - o["lr"] * o["weight_decay"] * w
    if w.ndim < 2:
        v = s["variance"] = (1 - share) * s.get("variance", 0) + share * g**2
    else:
        square = g**2
        rows = (1 - share) * s.get("row_var", 0) + share * square.mean(-1, keepdims=True)
        columns = (1 - share) * s.get("col_var", 0) + share * square.mean(-2, keepdims=True)
        s["row_var"], s["col_var"] = rows, columns
        v = rows @ columns / np.maximum(rows.mean(-2, keepdims=True), least)
    u = g / np.sqrt(np.maximum(v, least**2))
    return w - rate * u / max(1, rms(u) / o["d"])


def muon(w, g, s, o, dtype):
    momentum, (a, b, c) = o["momentum"], o["ns_coefficients"]
    m = s["momentum_buffer"] = momentum * s.get("momentum_buffer", 0) + (1 - momentum) * g
    u = momentum * m + (1 - momentum) * g if o["nesterov"] else m
    x = u / max(np.sqrt((u**2).sum()), o["eps"])
    for _ in range(o["ns_steps"]):  # of x, not of its transpose: x p(x'x) = p(xx') x
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    n, k = w.shape
    ratio = 0.2 * math.sqrt(max(n, k)) if o["adjust_lr_fn"] == "match_rms_adamw" else None
    ratio = math.sqrt(max(1, n / k)) if ratio is None else ratio
    return w - o["lr"] * o["weight_decay"] * w - o["lr"] * ratio * x


UPDATES = {"Adafactor": adafactor, "Muon": muon}


def reference(name, options, dtype):
    """The parameters and their states after the run, from inputs rounded to dtype."""
    params = [w.astype(dtype).astype(np.longdouble) for w in starts(name)]
    states = [{"step": 0} for _ in params]
    for step, grads in enumerate(gradients(name)):
        for i, g in enumerate(grads):
            if g is None:
                continue
            o = options | (SECOND if i >= 2 else {})
            o = o | {"lr": o["lr"] * (0.5 if step >= LR_CHANGE else 1)}
            states[i]["step"] += 1
            g = g.astype(dtype).astype(np.longdouble)
            params[i] = UPDATES[name](params[i], g, states[i], o, dtype)
    return params, states
