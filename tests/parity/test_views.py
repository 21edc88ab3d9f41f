"""Random programs of views and changes in place: values, gradients and requires_grad of torch.

An error is an error in both, but for three: torch refuses a backward through the result of `tanh_`
or `exp_` that was changed again, and pyml has kept that result; pyml refuses to change views of
what `expand` gave, and torch only where their elements share memory; torch refuses an operand that
overlaps what is written, and pyml reads it before.
"""

import numpy as np
import pytest
import torch

import pyml

PROGRAMS = 240
LENGTH = 14
LONG_PROGRAMS, LONG = 120, 30

VIEWS = {
    "slice": lambda x, d, n: x[(slice(None),) * d + (slice(n % 2, None),)],
    "step": lambda x, d, n: x[(slice(None),) * d + (slice(None, None, 2),)],
    "select": lambda x, d, n: x.select(d, n % x.shape[d]),
    "narrow": lambda x, d, n: x.narrow(d, 0, max(1, x.shape[d] - 1)),
    "last": lambda x, d, n: x[..., -1],
    "new": lambda x, d, n: x[None],
    "view": lambda x, d, n: x.view(-1),
    "reshape": lambda x, d, n: x.reshape(-1),
    "transpose": lambda x, d, n: x.transpose(d, x.ndim - 1),
    "permute": lambda x, d, n: x.permute(*range(x.ndim)[::-1]),
    "unsqueeze": lambda x, d, n: x.unsqueeze(d),
    "squeeze": lambda x, d, n: x.squeeze(),
    "expand": lambda x, d, n: x.unsqueeze(0).expand(2, *x.shape),
}


def at(x, index, change):
    """x[index] of what has dimensions, changed by `change`, or set to it."""
    if x.ndim:
        x[index] = change(x[index])


def added(part, number):
    part += number
    return part


WRITES = {
    "add_ number": lambda x, a, w: x.add_(1.5),
    "add_": lambda x, a, w: x.add_(a),
    "sub_": lambda x, a, w: x.sub_(a, alpha=2),
    "mul_": lambda x, a, w: x.mul_(a),
    "mul_ itself": lambda x, a, w: x.mul_(x),
    "copy_": lambda x, a, w: x.copy_(a),
    "fill_": lambda x, a, w: x.fill_(0.25),
    "zero_": lambda x, a, w: x.zero_(),
    "neg_": lambda x, a, w: x.neg_(),
    "relu_": lambda x, a, w: x.relu_(),
    "clamp_": lambda x, a, w: x.clamp_(-0.5, 0.8),
    "exp_": lambda x, a, w: x.exp_(),
    "tanh_": lambda x, a, w: x.tanh_(),
    "square_": lambda x, a, w: x.square_(),
    "addcmul_": lambda x, a, w: x.addcmul_(a, a, value=0.5),
    "masked_fill_": lambda x, a, w: x.masked_fill_(x > 0.5, 0.1),
    "x[0] = number": lambda x, a, w: at(x, 0, lambda part: 0.75),
    "x[..., 0] = w": lambda x, a, w: at(x, (..., 0), lambda part: w.sum()),
    "x[..., -1] += w": lambda x, a, w: at(x, (..., -1), lambda part: added(part, w.mean())),
    "x[0] += 1": lambda x, a, w: at(x, 0, lambda part: added(part, 1)),
}
USES = {  # torch's results keep the order in memory of a transposed operand, pyml's are in rows:
    # what is a view of one may be a copy of the other
    "product": lambda x: (x * x).contiguous(),
    "sum": lambda x: (x * 2 + 1).contiguous(),
    "clone": lambda x: x.clone().contiguous(),
}


def play(m, seed, length):
    """What a program leaves: [(array, requires_grad)], the gradients or an error, and errors."""
    rng = np.random.default_rng(seed)

    def tensor(array):
        return m.tensor(np.asarray(array), dtype=m.float64)

    w, p = (tensor(rng.standard_normal((4, 6))).requires_grad_() for _ in range(2))
    pool = [w * 1.0, tensor(rng.standard_normal((4, 6))), p * 2.0, p]
    errors = []
    for _ in range(length):
        kind, dim, n, place, source, word = rng.integers(0, 2**31, 6)
        x = pool[place % len(pool)]
        _ = x.grad_fn  # until it is asked, torch takes a view made before its base for a leaf
        try:
            if kind % 20 < 8 and 0 < x.ndim < 5:
                name = [*VIEWS][word % len(VIEWS)]
                pool.append(VIEWS[name](x, int(dim) % x.ndim, int(n)))
            elif kind % 20 < 17:
                numbers = tensor(rng.standard_normal(tuple(x.shape)))
                others = [y for y in pool if y.shape == x.shape and y is not x]
                other = [numbers, numbers * w[0, 0], *others][source % (2 + len(others))]
                WRITES[[*WRITES][word % len(WRITES)]](x, other, w)
            else:
                pool.append(USES[[*USES][word % len(USES)]](x))
        except (RuntimeError, ValueError, IndexError) as error:
            errors.append(str(error))
    total = sum((x * (0.1 + 0.3 * (k % 5))).sum() for k, x in enumerate(pool))
    try:
        gradients = m.autograd.grad(total, (w, p), allow_unused=True)
    except RuntimeError as error:
        gradients = str(error)
    return [(x.detach().numpy().copy(), x.requires_grad) for x in pool], gradients, errors


def compared(seed, length):
    """Whether there was a gradient to compare."""
    with np.errstate(all="ignore"):
        theirs, wanted, refused = play(torch, seed, length)
        ours, got, errors = play(pyml, seed, length)
    if len(errors) > len(refused) and any("read-only" in message for message in errors):
        return False  # a view of what was expanded
    if any("some elements of the input tensor" in message for message in refused):
        return False  # an operand that overlaps
    where = f"program {seed}: {errors} {refused}"
    assert len(errors) == len(refused) and len(ours) == len(theirs), where
    for (a, a_requires), (b, b_requires) in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=where)
        assert a_requires == b_requires, where
    if isinstance(wanted, str):
        assert "modified by an inplace operation" in wanted, where
        return False
    assert not isinstance(got, str), f"{where} {got}"
    for a, b in zip(got, wanted, strict=True):
        assert (a is None) == (b is None), where
        if b is not None:
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-8, atol=1e-8, err_msg=where)
    return True


@pytest.mark.parametrize("block", range(4))
@pytest.mark.filterwarnings("ignore:Use of masked_fill_ on expanded tensors")
def test_programs(block):
    seeds = range(block * PROGRAMS // 4, (block + 1) * PROGRAMS // 4)
    assert sum(compared(seed, LENGTH) for seed in seeds) > PROGRAMS / 4 / 3


@pytest.mark.filterwarnings("ignore:Use of masked_fill_ on expanded tensors")
def test_long_programs():
    """Most of torch's have no gradient: something that backward needs was changed."""
    seeds = range(10000, 10000 + LONG_PROGRAMS)
    assert sum(compared(seed, LONG) for seed in seeds) > LONG_PROGRAMS / 10
