"""Derivatives of derivatives: equations, inner loops, and what is learned through them."""

import math

import pyml as torch
from pyml import nn, optim
from pyml.autograd import grad
from pyml.nn import functional as F
from record.loops.common import batches, final, inputs, regressor, targets, train, update
from record.loops.harness import loop


def field(inputs=1):
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, 1))


def slope(u, x):
    return grad(u.sum(), x, create_graph=True)[0]


@loop
def oscillator(record):
    """u'' + u = 0, u(0) = 1, u'(0) = 0."""
    net = field()
    optimizer = optim.Adam(net.parameters(), lr=0.02)
    zero = torch.zeros(1, 1, requires_grad=True)

    @record
    def step(t):
        t = t.detach().requires_grad_(True)
        u = net(t)
        residual = slope(slope(u, t), t) + u
        u0 = net(zero)
        start = (u0 - 1).square().mean() + slope(u0, zero).square().mean()
        return update(optimizer, residual.square().mean() + start)

    yield from train(step, torch.rand(192, 1) * 3)
    yield from final(net)


@loop(each={"detach": False, "from_numpy": True})
def oscillator_on_points_that_stay(record, is_array):
    """No argument: the tensor that gets a gradient is made in the step, on their memory."""
    net = field()
    optimizer = optim.Adam(net.parameters(), lr=0.02)
    points = torch.rand(16, 1).numpy() * 3
    here = torch.from_numpy(points)

    @record
    def step():
        t = torch.from_numpy(points) if is_array else here.detach()
        t.requires_grad_(True)
        u = net(t)
        residual = slope(slope(u, t), t) + u
        return update(optimizer, residual.square().mean())

    for i in range(24):
        if i in (5, 9):
            points *= 0.9
        yield step()
    yield from final(net)


@loop
def heat_equation_with_points_drawn_inside(record):
    net = field(2)
    optimizer = optim.Adam(net.parameters(), lr=0.02)

    @record
    def step():
        x, t = torch.rand(8, 1, requires_grad=True), torch.rand(8, 1, requires_grad=True)
        u = net(torch.cat([x, t], dim=1))
        u_t, u_x = grad(u.sum(), (t, x), create_graph=True)
        residual = u_t - 0.1 * slope(u_x, x)
        edge = net(torch.cat([x.detach(), torch.zeros(8, 1)], 1)) - (math.pi * x.detach()).sin()
        return update(optimizer, (residual**2).mean() + (edge**2).mean())

    for _ in range(24):
        yield step()
    yield from final(net)


@loop
def burgers_with_a_weight_that_grows(record):
    class PINN:
        def __init__(self):
            self.net, self.iteration = field(2), 0
            self.optimizer = optim.Adam(self.net.parameters(), lr=0.01)

        def residual(self, xt):
            xt = xt.clone().requires_grad_(True)
            u = self.net(xt)
            du = slope(u, xt)
            u_x, u_t = du[:, 0:1], du[:, 1:2]
            return u_t + u * u_x - 0.01 * slope(u_x, xt)[:, 0:1]

        @record
        def step(self, xt, u):
            self.iteration += 1
            weight = min(1.0, self.iteration / 20)
            loss = F.mse_loss(self.net(xt), u) + weight * self.residual(xt).pow(2).mean()
            return update(self.optimizer, loss)

    pinn, XT = PINN(), torch.rand(192, 2)
    yield from train(pinn.step, XT, -torch.sin(math.pi * XT[:, :1]))
    yield pinn.iteration
    yield from final(pinn.net)


@loop
def unknown_coefficient(record):
    """y' = -k y, and k is learned."""
    net, k = field(), nn.Parameter(torch.tensor(0.1))
    optimizer = optim.Adam([{"params": net.parameters()}, {"params": [k], "lr": 0.05}], lr=0.01)

    @record
    def step(t, y):
        t = t.detach().requires_grad_()
        u = net(t)
        loss = F.mse_loss(u, y) + (slope(u, t) + k * u).square().mean()
        update(optimizer, loss)
        return loss, k.detach()

    T = torch.rand(192, 1) * 2
    yield from train(step, T, (-0.7 * T).exp())
    yield k


@loop
def hamiltonian_network(record):
    """Greydanus et al. 2019."""
    H = field(2)
    optimizer = optim.Adam(H.parameters(), lr=0.01)

    @record
    def step(qp, change):
        qp = qp.detach().requires_grad_(True)
        dH = slope(H(qp), qp)
        field = torch.stack([dH[:, 1], -dH[:, 0]], dim=1)
        return update(optimizer, F.mse_loss(field, change))

    QP = torch.randn(192, 2)
    yield from train(step, QP, torch.stack([QP[:, 1], -QP[:, 0]], 1))
    yield from final(H)


@loop
def euler_steps_through_a_network(record):
    f, X = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 4)), inputs()
    optimizer = optim.Adam(f.parameters(), lr=0.01)
    config = {"steps": 4}

    @record
    def step(x, y):
        h = 1.0 / config["steps"]
        for _ in range(config["steps"]):
            x = x + h * f(x)
        return update(optimizer, F.mse_loss(x, y))

    for i, (x, y) in enumerate(batches(X, X.flip(1))):
        config["steps"] = 4 if i < 12 else 2
        yield step(x, y)


@loop
def sobolev_training(record):
    net, X = field(4), inputs()
    optimizer = optim.Adam(net.parameters(), lr=0.01)

    @record
    def step(x):
        x = x.detach().requires_grad_()
        y = x.sin().sum(1, keepdim=True)
        u = net(x)
        return update(optimizer, F.mse_loss(u, y) + F.mse_loss(slope(u, x), x.detach().cos()))

    yield from train(step, X)
    yield from final(net)


@loop
def hessian_vector_product_for_newton(record):
    """A few conjugate-gradient steps, of fixed number."""
    X = inputs()
    Y, w = targets(X)[:, 0], torch.zeros(4, requires_grad=True)

    @record
    def step(x, y):
        loss = ((x @ w).tanh() - y).square().mean() + 0.01 * (w * w).sum()
        (g,) = grad(loss, w, create_graph=True)
        d, r = torch.zeros(4), -g.detach()
        p = r.clone()
        for _ in range(3):
            (Hp,) = grad((g * p).sum(), w, retain_graph=True)
            a = (r @ r) / (p @ Hp + 1e-6)
            d = d + a * p
            new = r - a * Hp
            p = new + (new @ new) / (r @ r + 1e-6) * p
            r = new
        with torch.no_grad():
            w.add_(0.5 * d)
        return loss

    yield from train(step, X, Y)
    yield w


# ---- inner loops ---------------------------------------------------------------------------------


def functional(weights, x):
    return torch.tanh(x @ weights[0] + weights[1]) @ weights[2] + weights[3]


def new_weights():
    sizes = (4, 8), (8,), (8, 1), (1,)
    return [(0.5 * torch.randn(*s)).requires_grad_(True) for s in sizes]


@loop(each={"first_order": False, "second_order": True})
def maml(record, second):
    weights = new_weights()
    optimizer = optim.Adam(weights, lr=0.01)

    @record
    def step(x, y):
        fast = weights
        for _ in range(2):
            inner = F.mse_loss(functional(fast, x[:4]), y[:4])
            slopes = grad(inner, fast, create_graph=second)
            if not second:
                slopes = [s.detach() for s in slopes]
            fast = [w - 0.1 * s for w, s in zip(fast, slopes, strict=True)]
        return update(optimizer, F.mse_loss(functional(fast, x[4:]), y[4:]))

    X = inputs()
    yield from train(step, X, targets(X))
    yield weights


@loop
def maml_with_a_learned_rate(record):
    weights, rate = new_weights(), nn.Parameter(torch.tensor(0.1))
    optimizer = optim.SGD([*weights, rate], lr=0.05)

    @record
    def step(x, y):
        slopes = grad(F.mse_loss(functional(weights, x[:4]), y[:4]), weights, create_graph=True)
        fast = [w - rate * s for w, s in zip(weights, slopes, strict=True)]
        loss = F.mse_loss(functional(fast, x[4:]), y[4:])
        update(optimizer, loss)
        return {"loss": loss, "rate": rate.detach().clone()}

    X = inputs()
    yield from train(step, X, targets(X))
    yield rate


@loop
def maml_over_tasks_in_one_step(record):
    weights = new_weights()
    optimizer = optim.Adam(weights, lr=0.01)
    tasks = [torch.randn(4, 1) for _ in range(3)]

    @record
    def step(x):
        optimizer.zero_grad()
        total = torch.zeros(())
        for task in tasks:
            y = (x @ task).tanh()
            slopes = grad(F.mse_loss(functional(weights, x), y), weights, create_graph=True)
            fast = [w - 0.1 * s for w, s in zip(weights, slopes, strict=True)]
            loss = F.mse_loss(functional(fast, x), y)
            loss.backward()
            total = total + loss.detach()
        optimizer.step()
        return total

    for i, (x,) in enumerate(batches(inputs())):
        if i == 12:
            tasks[0] = torch.randn(4, 1)
        yield step(x)
    yield weights


@loop
def reptile(record):
    """Nichol et al. 2018: a few steps of SGD, then back a part of the way."""
    model, X = regressor(), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @record
    def step(x, y):
        before = [p.detach().clone() for p in model.parameters()]
        for _ in range(3):
            loss = update(optimizer, F.mse_loss(model(x), y))
        with torch.no_grad():
            for p, b in zip(model.parameters(), before, strict=True):
                p.copy_(b + 0.3 * (p - b))
        return loss

    yield from train(step, X, targets(X))
    yield from final(model)


@loop
def reptile_by_state_dicts(record):
    model, X = regressor(), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @record
    def step(x, y):
        before = {k: v.clone() for k, v in model.state_dict().items()}
        for _ in range(3):
            loss = update(optimizer, F.mse_loss(model(x), y))
        after = model.state_dict()
        model.load_state_dict({k: before[k] + 0.3 * (after[k] - before[k]) for k in before})
        return loss

    yield from train(step, X, targets(X))
    yield from final(model)


@loop
def rate_learned_by_hypergradients(record):
    """Baydin et al. 2018: the product of two successive gradients moves the rate."""
    model, X = nn.Linear(4, 1), inputs()
    lr = torch.tensor(0.05)
    last = [torch.zeros_like(p) for p in model.parameters()]

    @record
    def step(x, y):
        model.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        with torch.no_grad():
            for p, g in zip(model.parameters(), last, strict=True):
                lr.add_(0.01 * (p.grad * g).sum())
                p.sub_(lr * p.grad)
                g.copy_(p.grad)
        return loss, lr.clone()

    yield from train(step, X, targets(X))
    yield lr


@loop
def adversarial_examples(record):
    """Goodfellow et al. 2015."""
    model, X = regressor(), inputs()
    optimizer, epsilon = optim.SGD(model.parameters(), lr=0.05), 0.1

    @record
    def step(x, y):
        x = x.detach().requires_grad_(True)
        (dx,) = grad(F.mse_loss(model(x), y), x)
        worse = (x + epsilon * dx.sign()).detach()
        return update(optimizer, F.mse_loss(model(worse), y))

    for i, (x, y) in enumerate(batches(X, targets(X))):
        epsilon = 0.1 if i < 12 else 0.3
        yield step(x, y)
    yield from final(model)


@loop
def projected_attack_of_several_steps(record):
    model, X = regressor(), inputs()
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    @record
    def step(x, y):
        delta = torch.zeros_like(x).uniform_(-0.1, 0.1)
        for _ in range(3):
            delta.requires_grad_(True)
            (g,) = grad(F.mse_loss(model(x + delta), y), delta)
            delta = (delta.detach() + 0.05 * g.sign()).clamp(-0.1, 0.1)
        return update(optimizer, F.mse_loss(model(x + delta), y))

    yield from train(step, X, targets(X))
    yield from final(model)


@loop(expect="either")
def gradient_of_an_argument(record):
    """`x.grad` of what the step is called with."""
    model, X = regressor(), inputs()

    @record
    def saliency(x):
        x.requires_grad_(True)
        model(x).sum().backward()
        return x.grad.abs()

    yield from train(saliency, X)
