"""Generators, critics, encoders, flows."""

import math
from types import SimpleNamespace

import pyml as torch
from pyml import nn, optim
from pyml.nn import functional as F
from record.loops.common import (
    batches,
    final,
    inputs,
    train,
    update,
)
from record.loops.harness import loop


def generator():
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4))


def critic():
    return nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))


def bce(logits, target):
    """Binary cross entropy of logits with a constant target."""
    return F.softplus(-logits).mean() if target else F.softplus(logits).mean()


def pair():
    G, D = generator(), critic()
    return G, D, optim.Adam(G.parameters(), lr=0.01), optim.Adam(D.parameters(), lr=0.01)


@loop
def gan_in_one_step(record):
    G, D, g_opt, d_opt = pair()
    X = inputs()

    @record
    def step(real):
        z = torch.randn(len(real), 2)
        fake = G(z)
        d_opt.zero_grad()
        d_loss = bce(D(real), 1) + bce(D(fake.detach()), 0)
        d_loss.backward()
        d_opt.step()
        g_opt.zero_grad()
        g_loss = bce(D(fake), 1)
        g_loss.backward()
        g_opt.step()
        return d_loss, g_loss

    yield from train(step, X)
    yield from final(G, D, g_opt, d_opt)


@loop
def gan_in_two_steps(record):
    G, D, g_opt, d_opt = pair()
    X = inputs()

    @record
    def d_step(real, z):
        with torch.no_grad():
            fake = G(z)
        return update(d_opt, bce(D(real), 1) + bce(D(fake), 0))

    @record
    def g_step(z):
        return update(g_opt, bce(D(G(z)), 1))

    for (real,) in batches(X):
        z = torch.randn(len(real), 2)
        yield d_step(real, z), g_step(z)
    yield from final(G, D)


@loop
def gan_that_freezes_the_other(record):
    G, D, g_opt, d_opt = pair()
    X = inputs()

    def set_requires_grad(net, value):
        for p in net.parameters():
            p.requires_grad = value

    @record
    def step(real):
        set_requires_grad(D, True)
        fake = G(torch.randn(len(real), 2))
        d_loss = update(d_opt, bce(D(real), 1) + bce(D(fake.detach()), 0))
        set_requires_grad(D, False)
        g_loss = update(g_opt, bce(D(fake), 1))
        return d_loss, g_loss

    yield from train(step, X)
    yield from final(G, D)


@loop
def gan_whose_generator_learns_every_third_step(record):
    class GAN:
        def __init__(self):
            self.G, self.D, self.g_opt, self.d_opt = pair()
            self.i, self.n_critic = 0, 3

        @record
        def step(self, real):
            z = torch.randn(real.size(0), 2)
            d_loss = update(self.d_opt, bce(self.D(real), 1) + bce(self.D(self.G(z).detach()), 0))
            self.i += 1
            if self.i % self.n_critic == 0:
                update(self.g_opt, bce(self.D(self.G(z)), 1))
            return d_loss

    gan = GAN()
    yield from train(gan.step, inputs(48))
    yield from final(gan.G, gan.D)


@loop
def gan_with_a_flag(record):
    G, D, g_opt, d_opt = pair()

    @record
    def step(real, train_generator):
        fake = G(torch.randn(len(real), 2))
        if train_generator:
            return update(g_opt, bce(D(fake), 1))
        return update(d_opt, bce(D(real), 1) + bce(D(fake.detach()), 0))

    for i, (real,) in enumerate(batches(inputs())):
        yield step(real, train_generator=i % 2 == 1)
    yield from final(G, D)


@loop
def gan_with_labels_made_inside(record):
    G, D, g_opt, d_opt = pair()

    @record
    def step(real):
        n = real.shape[0]
        ones, zeros = torch.ones(n, 1), torch.zeros(n, 1)
        fake = G(torch.randn(n, 2))
        a, b = D(real).sigmoid(), D(fake.detach()).sigmoid()
        d_loss = F.mse_loss(a, ones * 0.9) + F.mse_loss(b, zeros)
        update(d_opt, d_loss)
        return d_loss, update(g_opt, F.mse_loss(D(fake).sigmoid(), ones))

    yield from train(step, inputs())
    yield from final(G, D)


@loop(expect="refused")
def gan_that_skips_a_critic_that_is_too_good(record):
    G, D, g_opt, d_opt = pair()

    @record
    def step(real):
        fake = G(torch.randn(len(real), 2))
        d_loss = bce(D(real), 1) + bce(D(fake.detach()), 0)
        if d_loss.item() > 0.5:
            update(d_opt, d_loss)
        return update(g_opt, bce(D(fake), 1))

    yield from train(step, inputs())


@loop(each={"data": lambda p: p.data.clamp_(-0.1, 0.1), "no_grad": lambda p: p.clamp_(-0.1, 0.1)})
def wgan_with_clipping(record, clip):
    G, D, g_opt, d_opt = pair()

    @record
    def d_step(real):
        fake = G(torch.randn(len(real), 2)).detach()
        loss = update(d_opt, D(fake).mean() - D(real).mean())
        with torch.no_grad():
            for p in D.parameters():
                clip(p)
        return loss

    @record
    def g_step(n):
        return update(g_opt, -D(G(torch.randn(n, 2))).mean())

    for i, (real,) in enumerate(batches(inputs())):
        yield d_step(real)
        if i % 2:
            yield g_step(8)
    yield from final(G, D)


@loop
def wgan_with_a_gradient_penalty(record):
    G, D, g_opt, d_opt = pair()
    lambda_gp = 10.0

    @record
    def step(real):
        fake = G(torch.randn(len(real), 2)).detach()
        a = torch.rand(len(real), 1)
        mixed = (a * real + (1 - a) * fake).requires_grad_(True)
        (slope,) = torch.autograd.grad(D(mixed).sum(), mixed, create_graph=True)
        penalty = ((slope.norm(dim=1) - 1) ** 2).mean()
        d_loss = update(d_opt, D(fake).mean() - D(real).mean() + lambda_gp * penalty)
        g_loss = update(g_opt, -D(G(torch.randn(len(real), 2))).mean())
        return d_loss, g_loss, penalty

    for i, (real,) in enumerate(batches(inputs())):
        lambda_gp = 10.0 if i < 12 else 1.0
        yield step(real)
    yield from final(G, D)


@loop
def two_learning_rates_that_decay_differently(record):
    G, D, g_opt, d_opt = pair()

    @record
    def step(real):
        fake = G(torch.randn(len(real), 2))
        d_loss = update(d_opt, bce(D(real), 1) + bce(D(fake.detach()), 0))
        g_loss = update(g_opt, bce(D(fake), 1))
        return d_loss + g_loss

    for real in inputs().split(8):
        yield step(real)
        g_opt.param_groups[0]["lr"] *= 0.9
        d_opt.param_groups[0]["lr"] *= 0.8
    yield from final(G, D, g_opt, d_opt)


# ---- variational autoencoders --------------------------------------------------------------------


class VAE(nn.Module):
    """Kingma & Welling 2013."""

    def __init__(self, latent=2):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(4, 2 * latent), nn.Linear(latent, 4)

    def reparametrise(self, mean, logvar):
        std = torch.exp(0.5 * logvar)
        return mean + torch.randn_like(std) * std

    def forward(self, x):
        mean, logvar = self.encoder(x).chunk(2, dim=1)
        z = self.reparametrise(mean, logvar) if self.training else mean
        return self.decoder(z), mean, logvar


def elbo(x, output, mean, logvar, beta=1.0):
    kl = -0.5 * (1 + logvar - mean.pow(2) - logvar.exp()).sum(1).mean()
    return F.mse_loss(output, x, reduction="sum") / len(x) + beta * kl


@loop
def vae(record):
    model = VAE()
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    @record
    def step(x):
        return update(optimizer, elbo(x, *model(x)))

    for i, (x,) in enumerate(batches(inputs(48))):
        model.train(i % 4 != 3)
        yield step(x)
    yield from final(model, optimizer)


@loop(each={"between_calls": False, "by_a_counter": True})
def vae_with_annealing(record, inside):
    model, state = VAE(), SimpleNamespace(beta=0.0, step=0)
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    @record
    def step(x):
        if inside:
            state.step += 1
            beta = min(1.0, state.step / 12)
        else:
            beta = state.beta
        return update(optimizer, elbo(x, *model(x), beta=beta))

    for i, (x,) in enumerate(batches(inputs())):
        state.beta = 0.0 if i < 8 else 0.5 if i < 16 else 1.0
        yield step(x)
    yield from final(model)


@loop
def vae_of_several_samples(record):
    model = VAE()
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    @record
    def step(x):
        mean, logvar = model.encoder(x).chunk(2, 1)
        logs = []
        for _ in range(3):
            z = model.reparametrise(mean, logvar)
            log_p = -((model.decoder(z) - x) ** 2).sum(1) - 0.5 * (z**2).sum(1)
            log_q = -0.5 * (logvar + (z - mean) ** 2 / logvar.exp()).sum(1)
            logs.append(log_p - log_q)
        return update(optimizer, -(torch.logsumexp(torch.stack(logs), 0) - math.log(3)).mean())

    yield from train(step, inputs())
    yield from final(model)


@loop
def vector_quantisation(record):
    """The nearest code by argmin, straight through."""
    encoder, decoder, codes = nn.Linear(4, 2), nn.Linear(2, 4), nn.Parameter(torch.randn(6, 2))
    parameters = [*encoder.parameters(), *decoder.parameters(), codes]
    optimizer = optim.Adam(parameters, lr=0.01)

    @record
    def step(x):
        z = encoder(x)
        distance = ((z.unsqueeze(1) - codes.detach()) ** 2).sum(2)
        nearest = codes[distance.argmin(1)]
        straight = z + (nearest - z).detach()
        loss = F.mse_loss(decoder(straight), x) + F.mse_loss(nearest, z.detach())
        return update(optimizer, loss + 0.25 * F.mse_loss(z, nearest.detach()))

    yield from train(step, inputs())
    yield parameters


@loop
def gumbel_softmax_with_a_temperature(record):
    encoder, decoder, config = nn.Linear(4, 3), nn.Linear(3, 4), {"tau": 1.0}
    optimizer = optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.01)

    @record
    def step(x):
        logits = encoder(x)
        gumbel = -torch.log(-torch.log(torch.rand_like(logits) * 0.999 + 5e-4))
        y = F.softmax((logits + gumbel) / config["tau"], dim=-1)
        return update(optimizer, F.mse_loss(decoder(y), x))

    for i, (x,) in enumerate(batches(inputs())):
        if i % 8 == 7:
            config["tau"] *= 0.5
        yield step(x)


# ---- flows, diffusion, energies ------------------------------------------------------------------


class Coupling(nn.Module):
    """Dinh et al. 2017."""

    def __init__(self, flip):
        super().__init__()
        self.net, self.flip = nn.Linear(2, 4), flip

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, dim=1)
        s = s.tanh()
        b = b * s.exp() + t
        return torch.cat([b, a] if self.flip else [a, b], dim=1), s.sum(1)


@loop
def normalising_flow(record):
    flow = nn.ModuleList(Coupling(i % 2 == 1) for i in range(4))
    optimizer = optim.Adam(flow.parameters(), lr=0.01)

    @record
    def step(x):
        log_det = torch.zeros(len(x))
        for layer in flow:
            x, d = layer(x)
            log_det = log_det + d
        log_p = -0.5 * (x**2).sum(1) - 2 * math.log(2 * math.pi)
        return update(optimizer, -(log_p + log_det).mean())

    for i, (x,) in enumerate(batches(inputs())):
        if i == 12:
            flow[0].flip = True
        yield step(x)
    yield from final(flow)


@loop(expect="either")
def diffusion(record):
    """Ho et al. 2020: a noise level is drawn for each row."""
    model = nn.Sequential(nn.Linear(5, 8), nn.SiLU(), nn.Linear(8, 4))
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    alphas = torch.linspace(0.99, 0.1, 10)

    @record
    def step(x):
        t = torch.randint(0, 10, (len(x),))
        a = alphas[t].unsqueeze(1)
        noise = torch.randn_like(x)
        noisy = a.sqrt() * x + (1 - a).sqrt() * noise
        t = t.float().unsqueeze(1) / 10
        return update(optimizer, F.mse_loss(model(torch.cat([noisy, t], 1)), noise))

    yield from train(step, inputs())
    yield from final(model)


@loop
def flow_matching(record):
    model = nn.Sequential(nn.Linear(5, 8), nn.SiLU(), nn.Linear(8, 4))
    optimizer = optim.AdamW(model.parameters(), lr=0.01)

    @record
    def step(x):
        z, t = torch.randn_like(x), torch.rand(len(x), 1)
        path = (1 - t) * z + t * x
        return update(optimizer, F.mse_loss(model(torch.cat([path, t], dim=1)), x - z))

    yield from train(step, inputs())
    yield from final(model)


@loop
def langevin_samples_that_persist(record):
    """An energy model whose chains go on from step to step, in place."""
    energy, chains = critic(), torch.randn(8, 4)
    optimizer = optim.Adam(energy.parameters(), lr=0.01)

    @record
    def step(x):
        for _ in range(2):
            point = chains.detach().requires_grad_()
            (slope,) = torch.autograd.grad(energy(point).sum(), point)
            chains.sub_(0.1 * slope).add_(0.05 * torch.randn_like(chains))
        return update(optimizer, energy(x).mean() - energy(chains).mean())

    yield from train(step, inputs())
    yield chains
