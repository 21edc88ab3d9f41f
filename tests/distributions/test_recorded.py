"""Distributions in recorded steps: the bits of eager ones."""

import numpy as np
import pytest

import pyml
from distributions.cases import CASES
from distributions.test_families import known
from helpers.compare import assert_same_bits
from pyml import distributions, nn, optim

CALLS = 6  # Python runs 1, 2 and 4, the others are replays


def bits_of(step, inputs, leaves):
    """Results, gradients and the generator after each call."""
    pyml.manual_seed(0)
    seen = []
    for each in inputs:
        results = step(*each)
        seen += [y.detach().numpy().copy() for y in results]
        seen += [leaf.grad.numpy().copy() for leaf in leaves if leaf.grad is not None]
        seen.append(pyml.get_rng_state())
    return seen


def assert_same(got, wanted):
    assert len(got) == len(wanted)
    for i, (a, b) in enumerate(zip(got, wanted, strict=True)):
        assert_same_bits(a, b, f"array {i}:")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_families(case, dtype):
    """Draws, their log-probabilities, entropies, moments, and gradients by the parameters."""
    arrays = case.parameter_arrays(dtype)
    leaves = [
        pyml.zeros(*array.shape, dtype=dtype, requires_grad=True) for array in arrays.values()
    ]
    names = list(arrays)

    def step(*tensors):
        for leaf in leaves:
            leaf.grad = None
        given = {name: x + leaf for name, x, leaf in zip(names, tensors, leaves, strict=True)}
        p = case.of(distributions, given)
        draw = p.rsample((2,)) if p.has_rsample else p.sample((2,))
        terms = [p.log_prob(draw.detach())]
        for term in (p.entropy, lambda: p.mean, lambda: p.variance):
            value = known(term)
            terms += [] if value is None or case.name == "Categorical" else [value]
        if p.has_rsample:
            terms.append(draw)
        sum(term.square().sum() for term in terms).backward()
        return draw, *terms

    scales = np.linspace(0.9, 1, CALLS).tolist()
    inputs = [
        [pyml.tensor(np.array(array * scale, dtype)) for array in arrays.values()]
        for scale in scales
    ]
    wanted = bits_of(step, inputs, leaves)
    assert_same(bits_of(pyml.record(step), inputs, leaves), wanted)


def trained(make_step, record, inputs):
    """Losses and weights after training eagerly or recorded."""
    pyml.manual_seed(0)
    step, modules = make_step()
    step = pyml.record(step) if record else step
    losses = [step(*each).item() for each in inputs]
    weights = [p.detach().numpy().copy() for m in modules for p in m.parameters()]
    return [np.array(losses), *weights, pyml.get_rng_state()]


def assert_trains_alike(make_step, inputs):
    assert_same(trained(make_step, True, inputs), trained(make_step, False, inputs))


def drawn(count, *shapes):
    rng = np.random.default_rng(0)
    return [
        [pyml.from_numpy(rng.normal(size=shape).astype("float32")) for shape in shapes]
        for _ in range(count)
    ]


def test_policy_gradient():
    """REINFORCE with a baseline and an entropy bonus: the drawn actions train the policy."""

    def make_step():
        policy = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
        optimizer = optim.Adam(policy.parameters(), lr=0.01)

        def step(states, rewards):
            actions = distributions.Categorical(logits=policy(states))
            action = actions.sample()
            returns = rewards.gather(1, action.unsqueeze(1)).squeeze(1)
            loss = -(actions.log_prob(action) * (returns - returns.mean())).mean()
            loss = loss - 0.01 * actions.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step, [policy]

    assert_trains_alike(make_step, drawn(20, (16, 4), (16, 3)))


def test_variational_autoencoder():
    """A reparametrised Normal, its divergence from the prior, and a Bernoulli likelihood."""

    def make_step():
        encoder, decoder = nn.Linear(6, 4), nn.Linear(2, 6)
        optimizer = optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.01)
        prior = distributions.Normal(pyml.zeros(2), pyml.ones(2))

        def step(x):
            mean, log_scale = encoder(x).chunk(2, 1)
            posterior = distributions.Normal(mean, log_scale.exp())
            z = posterior.rsample()
            likelihood = distributions.Independent(distributions.Bernoulli(logits=decoder(z)), 1)
            divergence = distributions.kl_divergence(posterior, prior).sum(1)
            loss = (divergence - likelihood.log_prob((x > 0).float())).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step, [encoder, decoder]

    assert_trains_alike(make_step, drawn(20, (16, 6)))


def test_squashed_policy():
    """A tanh of a Normal with the log-probability of its own draw, by the transform's cache."""

    def make_step():
        actor = nn.Linear(4, 4)
        optimizer = optim.SGD(actor.parameters(), lr=0.05)

        def step(states):
            mean, log_scale = actor(states).chunk(2, 1)
            base = distributions.Normal(mean, log_scale.clamp(-3, 1).exp())
            squashed = distributions.Independent(
                distributions.TransformedDistribution(
                    base, [distributions.TanhTransform(cache_size=1)]
                ),
                1,
            )
            action = squashed.rsample()
            loss = (0.2 * squashed.log_prob(action) + action.square().sum(1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step, [actor]

    assert_trains_alike(make_step, drawn(20, (16, 4)))


def test_numbers_that_a_step_changes():
    """A scale that a counter gives is that of each call."""

    def make():
        state = {"calls": 0}

        def step(x):
            state["calls"] += 1
            return (distributions.Normal(x, 1.0 / state["calls"]).log_prob(x + 1.0),)

        return step

    inputs = drawn(CALLS, (3,))
    assert_same(bits_of(pyml.record(make()), inputs, []), bits_of(make(), inputs, []))
