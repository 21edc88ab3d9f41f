"""Python threads on objects of their own, and on shared ones that they read: GIL or not."""

import copy
import gc
import os
import queue
import subprocess
import sys
import sysconfig

import numpy as np
import pytest

import pyml
from helpers.compare import assert_same_bits
from helpers.together import together
from pyml import func, nn
from pyml.nn import functional as F

THREADS = 4


@pytest.fixture(autouse=True)
def often():
    """Where there is a GIL, it changes hands as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def check(work, *shared):
    """work(k, *shared), which returns arrays, gives on threads what it gives alone."""
    wanted = [work(k, *shared) for k in range(THREADS)]
    got = together([lambda k=k: work(k, *shared) for k in range(THREADS)])
    for k in range(THREADS):
        for i, (a, b) in enumerate(zip(got[k], wanted[k], strict=True)):
            assert_same_bits(a, b, f"thread {k}, array {i}")


def drawn(k, *shape):
    return pyml.tensor(np.random.default_rng(k).normal(size=shape).astype(np.float32))


def network(k, *, generator=None):
    model = nn.Sequential(
        nn.Linear(6, 16),
        nn.BatchNorm1d(16),
        nn.Tanh(),
        nn.Linear(16, 12),
        nn.LayerNorm(12),
        nn.GELU(),
        nn.Linear(12, 3),
    )
    for i, p in enumerate(model.parameters()):
        p.data = drawn(100 * k + i, *p.shape) * 0.3
    return model


# ---- objects of their own -----------------------------------------------------------------------


def trained(k, record=None, optimizer=pyml.optim.AdamW, steps=25, rounds=4):
    """Again and again a new network, trained for a few steps."""
    found = []
    for turn in range(rounds):
        model, generator = network(k + turn), pyml.Generator(k)
        optim = optimizer(model.parameters(), lr=0.01)
        x, y = drawn(k, 20, 6), pyml.from_numpy(np.random.default_rng(k).integers(0, 3, 20))

        def step(x, y, model=model, optim=optim, generator=generator):
            optim.zero_grad()
            logits = F.dropout(model(x), 0.1, generator=generator)
            loss = F.cross_entropy(logits, y) + 0.01 * (logits * logits).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optim.step()
            return loss

        call = step if record is None else record(step)
        found += [call(x, y).item() for _ in range(steps)]
        found += [p.detach().numpy().copy() for p in model.parameters()]
    return [np.asarray(each) for each in found]


def test_networks_of_their_own():
    check(trained)


def test_recorded_steps_of_their_own():
    check(lambda k: trained(k, pyml.record, rounds=2))


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adagrad", "NAdam", "Muon"])
def test_optimizers_of_their_own(name):
    kind = getattr(pyml.optim, name)
    if name == "Muon":
        kind = lambda params, lr: pyml.optim.Muon([p for p in params if p.ndim == 2], lr=lr)  # noqa: E731
    check(lambda k: trained(k, optimizer=kind, rounds=2))


def test_views_and_changes_in_place():
    def work(k):
        found = []
        for _ in range(40):
            x = drawn(k, 5, 4).requires_grad_()
            y = x * 1.5
            rows, column = y[1:3], y[:, 2]
            rows.mul_(2)
            y[0] = column[:4] * 3
            column.add_(1)
            (y.T.reshape(-1).square().sum() + rows.sum() + y.detach()[0].sum()).backward()
            found += [x.grad.numpy().copy(), y.detach().numpy().copy()]
        return found

    check(work)


def test_second_derivatives_and_hooks():
    def work(k):
        found = []
        for _ in range(25):
            x, w = drawn(k, 4, 3), drawn(k + 9, 3, 3).requires_grad_()
            seen = []
            y = (x @ w).tanh()
            y.register_hook(lambda g, seen=seen: seen.append(g.sum().item()))
            y.retain_grad()
            (g,) = pyml.autograd.grad(y.square().sum(), w, create_graph=True)
            g.square().sum().backward()
            found += [
                w.grad.numpy().copy(),
                np.array(seen),
                np.array(str(type(g.grad_fn).__name__)),
            ]
        return [each for each in found if each.dtype.kind == "f"]

    check(work)


def test_vmap_and_functions_of_derivatives():
    def work(k):
        x, w = drawn(k, 6, 3), drawn(k + 5, 3)
        one = lambda w, x: (w * x).sum().tanh()  # noqa: E731
        return [
            each.numpy().copy()
            for _ in range(8)
            for each in (
                func.vmap(func.grad(one), in_dims=(None, 0))(w, x),
                func.hessian(lambda w: one(w, x[0]))(w),
                func.jvp(lambda w: one(w, x[1]), (w,), (w,))[1],
            )
        ]

    check(work)


def test_modules_of_their_own():
    """Made, called, copied, saved as a dict and dropped."""

    def work(k):
        found = []
        for turn in range(15):
            model = network(k)
            model.register_forward_hook(lambda module, args, y: y * 2)
            other = copy.deepcopy(model)
            other.load_state_dict(model.state_dict())
            x = drawn(turn, 5, 6)
            found.append(other.eval()(x).detach().numpy().copy())
            model.cycle = [model]  # for the collector, which may run on another thread
            del model, other
        return found

    check(work)
    gc.collect()


def test_random_numbers_of_a_generator_of_their_own():
    def work(k):
        generator = pyml.Generator(k)
        return [pyml.randn(50, generator=generator).numpy().copy() for _ in range(100)]

    check(work)


def test_memory_that_one_thread_takes_and_another_frees():
    """The values of a tensor are those that its thread wrote, whoever freed the memory before."""
    pipe, before = queue.Queue(maxsize=64), pyml.memory.stats()["used"]

    def make(k):
        for i in range(2000):
            pipe.put((k * 10_000 + i, pyml.full((1 + i % 70,), float(k * 10_000 + i))))
        pipe.put(None)

    def drop():
        for number, t in iter(pipe.get, None):
            assert (t.numpy() == number).all()
            assert (pyml.full((t.numel(),), -1.0).numpy() == -1).all()

    together([lambda: make(1), lambda: make(2), drop, drop])
    gc.collect()
    assert pyml.memory.stats()["used"] == before


# ---- what is only read --------------------------------------------------------------------------


def test_one_network_predicts_on_many_threads():
    model = network(0).eval()

    def work(k, model):
        x = drawn(k, 7, 6)
        with pyml.no_grad():
            return [model(x).numpy().copy() for _ in range(100)]

    check(work, model)


def test_gradients_by_inputs_of_one_network():
    """Of parameters that all read; views of one of them begin and end on every thread."""
    model = network(0).eval()
    weight = nn.Parameter(drawn(1, 3, 6))

    def work(k, model, weight):
        found = []
        for _ in range(60):
            x = drawn(k, 7, 6).requires_grad_()
            y = (
                (model(x) * (x @ weight.T)).sum()
                + (weight[1] * x[0]).sum()
                + weight.detach()[0].sum()
            )
            found += [g.numpy().copy() for g in pyml.autograd.grad(y, [x, weight])]
        return found

    for _ in range(5):  # the first threads that come find no view of it yet
        weight = nn.Parameter(drawn(1, 3, 6))
        check(work, model, weight)
    assert weight.grad is None


def test_views_of_a_base_that_was_changed():
    """Who reads such a view first gives it a new node: once."""

    def shared(k, views, base):
        return [
            pyml.autograd.grad(view.square().sum(), base, retain_graph=True)[0].numpy().copy()
            for view in views
        ]

    for _ in range(20):
        base = drawn(0, 8, 3).requires_grad_()
        y = base * 2
        views = [y[i] for i in range(8)]
        y.mul_(3)
        wanted = [
            np.where(np.arange(8)[:, None] == i, 72 * base.detach().numpy(), 0) for i in range(8)
        ]
        for got in together([lambda k=k: shared(k, views, base) for k in range(THREADS)]):  # noqa: B023
            for a, b in zip(got, wanted, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-6)


def test_names_of_one_graph():
    for _ in range(30):
        y = (drawn(0, 3).requires_grad_() * 2).tanh()
        names = together([lambda: type(y.grad_fn).__name__ for _ in range(THREADS)])  # noqa: B023
        assert names == ["TanhBackward0"] * THREADS


def test_one_recorded_function_on_many_threads():
    model = network(0).eval()
    predict = pyml.record(lambda x: model(x) * 2)

    def work(k, predict):
        x = drawn(k, 4 + k % 2, 6)
        with pyml.no_grad():
            return [predict(x).numpy().copy() for _ in range(60)]

    check(work, predict)


SCALE = 2.5


def test_recorded_functions_that_read_the_same():
    """Each thread has a step of its own. Guards of all look at one module, and at one global, which
    threads replace by others of its value, among names that come and go."""
    model = network(0).eval()

    def work(k, model):
        predict = pyml.record(lambda x: model(x) * SCALE if type(x) is pyml.Tensor else x)
        x, found = drawn(k, 5, 6), []
        with pyml.no_grad():
            for i in range(80):
                if i % 20 == 19:
                    predict.clear()
                globals()["SCALE"] = float("2.5")
                globals()[f"_passing_{k}_{i % 40}"] = [i]
                found.append(predict(x).numpy().copy())
        for i in range(40):
            del globals()[f"_passing_{k}_{i}"]
        return found

    check(work, model)


def test_the_default_generator_gives_each_number_once():
    """Four threads draw what one would, in some order."""
    wanted = np.sort(
        pyml.manual_seed(3) and pyml.rand(4 * 250 * 8, dtype=pyml.float64).numpy().copy()
    )
    pyml.manual_seed(3)
    draw = lambda: [pyml.rand(8, dtype=pyml.float64).numpy().copy() for _ in range(250)]  # noqa: E731
    got = np.sort(np.concatenate([y for of_one in together([draw] * 4) for y in of_one]))
    assert_same_bits(got, wanted, "drawn")


def test_nodes_are_numbered_once():
    """A number that two nodes had would mix up the order of a backward."""
    x = drawn(0, 3).requires_grad_()
    made = together([lambda: [(x * 2).grad_fn.seq for _ in range(500)]] * THREADS)
    assert len({seq for of_one in made for seq in of_one}) == THREADS * 500


# ---- whether there is a GIL ---------------------------------------------------------------------


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="a GIL is built in")
def test_the_import_leaves_the_gil_off():
    script = "import sys, pyml; print(sys._is_gil_enabled())"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={name: value for name, value in os.environ.items() if name != "PYTHON_GIL"},
        capture_output=True,
        text=True,
    )
    assert (result.stdout.strip(), result.stderr) == ("False", "")
