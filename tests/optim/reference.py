"""The optimizers in plain NumPy, from the papers that their docstrings name; in long double."""

import numpy as np

from optim.cases import LR_CHANGE, LR_FACTOR, SECOND_GROUP, SECOND_OPTIONS, gradients, starts


def sgd(w, g, s, o):
    if o["momentum"]:
        first = "momentum_buffer" not in s
        b = g if first else o["momentum"] * s["momentum_buffer"] + (1 - o["dampening"]) * g
        s["momentum_buffer"] = b
        g = g + o["momentum"] * b if o["nesterov"] else b
    return w - o["lr"] * g


def adagrad(w, g, s, o):
    s["sum"] = s.get("sum", o["initial_accumulator_value"]) + g**2
    rate = o["lr"] / (1 + (s["step"] - 1) * o["lr_decay"])
    return w - rate * g / (np.sqrt(s["sum"]) + o["eps"])


def rmsprop(w, g, s, o):
    v = s["square_avg"] = o["alpha"] * s.get("square_avg", 0) + (1 - o["alpha"]) * g**2
    if o["centered"]:
        a = s["grad_avg"] = o["alpha"] * s.get("grad_avg", 0) + (1 - o["alpha"]) * g
        v = v - a**2
    u = g / (np.sqrt(v) + o["eps"])
    if o["momentum"]:
        u = s["momentum_buffer"] = o["momentum"] * s.get("momentum_buffer", 0) + u
    return w - o["lr"] * u


def adam(w, g, s, o):
    beta1, beta2 = o["betas"]
    m = s["exp_avg"] = beta1 * s.get("exp_avg", 0) + (1 - beta1) * g
    v = s["exp_avg_sq"] = beta2 * s.get("exp_avg_sq", 0) + (1 - beta2) * g**2
    if o["amsgrad"]:
        v = s["max_exp_avg_sq"] = np.maximum(s.get("max_exp_avg_sq", 0), v)
    m_hat, v_hat = m / (1 - beta1 ** s["step"]), v / (1 - beta2 ** s["step"])
    return w - o["lr"] * m_hat / (np.sqrt(v_hat) + o["eps"])


def nadam(w, g, s, o):
    beta1, beta2 = o["betas"]
    mu, mu_next = (
        beta1 * (1 - np.longdouble(0.96) ** ((s["step"] + k) * o["momentum_decay"]) / 2)
        for k in (0, 1)
    )
    product = s["mu_product"] = s.get("mu_product", 1) * mu
    m = s["exp_avg"] = beta1 * s.get("exp_avg", 0) + (1 - beta1) * g
    v = s["exp_avg_sq"] = beta2 * s.get("exp_avg_sq", 0) + (1 - beta2) * g**2
    u = (1 - mu) / (1 - product) * g + mu_next / (1 - product * mu_next) * m
    return w - o["lr"] * u / (np.sqrt(v / (1 - beta2 ** s["step"])) + o["eps"])


def adamax(w, g, s, o):
    beta1, beta2 = o["betas"]
    m = s["exp_avg"] = beta1 * s.get("exp_avg", 0) + (1 - beta1) * g
    u = s["exp_inf"] = np.maximum(beta2 * s.get("exp_inf", 0), np.abs(g) + o["eps"])
    return w - o["lr"] / (1 - beta1 ** s["step"]) * m / u


def adadelta(w, g, s, o):
    v = s["square_avg"] = o["rho"] * s.get("square_avg", 0) + (1 - o["rho"]) * g**2
    x = s.get("acc_delta", 0)
    u = np.sqrt(x + o["eps"]) / np.sqrt(v + o["eps"]) * g
    s["acc_delta"] = o["rho"] * x + (1 - o["rho"]) * u**2
    return w - o["lr"] * u


def radam(w, g, s, o):
    (beta1, beta2), t = o["betas"], s["step"]
    m = s["exp_avg"] = beta1 * s.get("exp_avg", 0) + (1 - beta1) * g
    v = s["exp_avg_sq"] = beta2 * s.get("exp_avg_sq", 0) + (1 - beta2) * g**2
    u = m / (1 - beta1**t)
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * t * beta2**t / (1 - beta2**t)
    if length > 5:
        over = (length - 4) * (length - 2) * longest
        r = np.sqrt(over / ((longest - 4) * (longest - 2) * length))
        u = u * r * np.sqrt(1 - beta2**t) / (np.sqrt(v) + o["eps"])
    return w - o["lr"] * u


def rprop(w, g, s, o):
    turn = np.sign(g) * np.sign(s.get("prev", 0))
    factor = np.where(turn > 0, o["etas"][1], np.where(turn < 0, o["etas"][0], 1))
    d = s["step_size"] = np.clip(s.get("step_size", o["lr"]) * factor, *o["step_sizes"])
    g = s["prev"] = np.where(turn < 0, 0, g)
    return w - d * np.sign(g)


def asgd(w, g, s, o):
    eta, mu, a = s.get("eta", o["lr"]), s.get("mu", 1), s.get("ax", 0)
    w = w - eta * (o["lambd"] * w + g)
    s["ax"] = a + mu * (w - a)
    s["eta"] = o["lr"] / (1 + o["lambd"] * o["lr"] * s["step"]) ** o["alpha"]
    s["mu"] = 1 / max(1, s["step"] - o["t0"])
    return w


def lion(w, g, s, o):
    (beta1, beta2), m = o["betas"], s.get("exp_avg", 0)
    s["exp_avg"] = beta2 * m + (1 - beta2) * g
    return w - o["lr"] * np.sign(beta1 * m + (1 - beta1) * g)


UPDATES = {
    **{"SGD": sgd, "Adagrad": adagrad, "RMSprop": rmsprop},
    **{"Adam": adam, "AdamW": adam, "NAdam": nadam, "Adamax": adamax},
    **{"Adadelta": adadelta, "RAdam": radam, "Rprop": rprop, "ASGD": asgd, "Lion": lion},
}


def decayed(name, o, w, g):
    """The parameter and the gradient after weight decay."""
    decay = o["weight_decay"] if name != "Rprop" else 0
    if name in ("AdamW", "Lion") or o.get("decoupled_weight_decay"):
        return w - o["lr"] * decay * w, g
    return w, g + decay * w


def train(name, options, dtype):
    """The parameters and their states after the run of `cases`, from inputs rounded to dtype."""
    params = [w.astype(dtype).astype(np.longdouble) for w in starts()]
    states = [{"step": 0} for _ in params]
    for step, grads in enumerate(gradients()):
        for i, g in enumerate(grads):
            if g is None:
                continue
            o = options | (SECOND_OPTIONS if i >= SECOND_GROUP else {})
            if step >= LR_CHANGE:
                o = o | {"lr": o["lr"] * LR_FACTOR}
            w, g = params[i], g.astype(dtype).astype(np.longdouble)
            if o["maximize"]:
                g = -g
            w, g = decayed(name, o, w, g)
            states[i]["step"] += 1
            params[i] = UPDATES[name](w, g, states[i], o)
    return params, states
