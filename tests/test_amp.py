import subprocess
import sys
import threading

import numpy as np
import pytest

import pyml
from pyml import _kernels, nn, optim
from pyml.nn import functional as F

SELECTED = _kernels.selected_bfloat16()
needs_instructions = pytest.mark.skipif(
    SELECTED is None, reason="this processor multiplies no bfloat16"
)


@pytest.fixture(autouse=True)
def off():
    yield
    _kernels.set_autocast_enabled(False)
    _kernels.select_bfloat16(SELECTED or "none")


def trained(way, cast, steps=12):
    """Weights after some steps; cast "around" the step, "inside" of it, or None."""
    pyml.manual_seed(0)
    model = nn.Sequential(nn.Linear(40, 70), nn.BatchNorm1d(70), nn.ReLU(), nn.Linear(70, 5))
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    rng = np.random.default_rng(0)
    x = pyml.from_numpy(rng.normal(size=(steps * 32, 40)).astype("float32"))
    y = pyml.from_numpy(rng.integers(0, 5, steps * 32))

    def step(x, y):
        optimizer.zero_grad()
        with pyml.autocast(enabled=cast == "inside" or pyml.is_autocast_enabled()):
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    recorded = step if way == "eager" else pyml.record(step)
    with pyml.autocast(enabled=cast == "around"):
        if way == "run":
            recorded.run(x, y, batch_size=32, epochs=1, shuffle=False, progress=False)
        else:
            for i in range(0, len(x), 32):
                recorded(x[i : i + 32], y[i : i + 32])
    return b"".join(t.numpy().tobytes() for t in model.state_dict().values()), recorded


@needs_instructions
@pytest.mark.parametrize("cast", ["around", "inside"])
def test_steps(cast):
    """Eager, recorded and run have the same bits, which are not those of float32."""
    eager, _ = trained("eager", cast)
    recorded, step = trained("recorded", cast)
    run, _ = trained("run", cast)
    assert eager == recorded == run != trained("eager", None)[0]
    names = {kernel.name for kernel in step.stats().kernels}
    assert "linear_forward_bfloat16" in names and "linear_forward" not in names
    assert f"bfloat16: {SELECTED}" in str(step.stats())


@needs_instructions
def test_stats_name_the_instructions_of_products_that_all_finish():
    layer = nn.Sequential(nn.Linear(64, 64), nn.ReLU())

    @pyml.record
    def predict(x):
        with pyml.no_grad():
            return layer(x)

    with pyml.autocast():
        for _ in range(3):
            predict(pyml.ones(64, 64))
    assert {kernel.name for kernel in predict.stats().kernels} == {
        "linear_forward_bfloat16+relu_forward"
    }
    assert f"bfloat16: {SELECTED}" in str(predict.stats())


@needs_instructions
def test_alpha():
    """The product is scaled after the sum, in the backward too."""
    x, w = pyml.randn(9, 33), pyml.randn(17, 33, requires_grad=True)
    with pyml.autocast():
        one, scaled = F.linear(x, w), pyml.ops.scaled_linear(x, w, alpha=0.25)
    assert (scaled.detach().numpy() == 0.25 * one.detach().numpy()).all()
    dy = pyml.randn(9, 17)
    (plain,) = pyml.autograd.grad(one, w, dy)
    for options in ({"retain_graph": True}, {"create_graph": True}):
        (quarter,) = pyml.autograd.grad(scaled, w, dy, **options)
        assert (quarter.detach().numpy() == 0.25 * plain.numpy()).all()


@needs_instructions
def test_a_recorded_step_has_a_variant_for_each_mode():
    layer = nn.Linear(30, 20).requires_grad_(False)
    step = pyml.record(lambda x: layer(x))
    x = pyml.randn(8, 30)
    for _ in range(3):
        with pyml.autocast():
            assert (step(x).numpy() == layer(x).numpy()).all()
            inside = step(x).numpy().copy()
        assert (step(x).numpy() == layer(x).numpy()).all()
        assert (step(x).numpy() != inside).any()
    assert step.stats().variants == 2


@needs_instructions
def test_what_is_rounded():
    """Operands, of linear and matmul, and of their backwards wherever these run."""
    x, leaf = pyml.randn(9, 33), pyml.randn(17, 33, requires_grad=True)
    w = leaf.detach()
    with pyml.autocast():
        y, same, double = F.linear(x, w), x @ w.T, x.double() @ w.double().T
    assert y.dtype == same.dtype == pyml.float32
    assert (y.numpy() == same.numpy()).all() and (y.numpy() != (x @ w.T).numpy()).any()
    assert (double.numpy() == (x.double() @ w.double().T).numpy()).all()
    with pyml.autocast():
        y = F.linear(x, leaf)
    (fused,) = pyml.autograd.grad(y.square().sum(), leaf, retain_graph=True)
    (composed,) = pyml.autograd.grad(y.square().sum(), leaf, create_graph=True)
    (plain,) = pyml.autograd.grad(F.linear(x, leaf).square().sum(), leaf)
    assert (fused.numpy() == composed.detach().numpy()).all()
    assert (fused.numpy() != plain.numpy()).any()


@pytest.mark.filterwarnings("ignore:autocast. this processor")
def test_modes():
    assert not pyml.is_autocast_enabled()
    with pyml.autocast("cpu", dtype=pyml.bfloat16) as outer:
        assert pyml.is_autocast_enabled() and pyml.is_autocast_enabled("cpu")
        assert not pyml.is_autocast_enabled("cuda")
        with pyml.autocast(enabled=False):
            assert not pyml.is_autocast_enabled()
            with outer:
                assert pyml.is_autocast_enabled()
        assert pyml.is_autocast_enabled()
        seen = []
        thread = threading.Thread(target=lambda: seen.append(pyml.is_autocast_enabled()))
        thread.start()
        thread.join()
        assert seen == [False]
    assert not pyml.is_autocast_enabled()
    assert pyml.amp.autocast("cpu")(pyml.is_autocast_enabled)()
    with pytest.raises(KeyError), pyml.autocast():
        raise KeyError
    assert not pyml.is_autocast_enabled()
    pyml.set_autocast_enabled("cpu", True)
    assert pyml.is_autocast_enabled()
    assert pyml.get_autocast_dtype("cpu") == pyml.bfloat16
    assert pyml.amp.is_autocast_available("cpu") and not pyml.amp.is_autocast_available("cuda")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("cuda",), "there is no cuda"), (("cpu", pyml.float16), "bfloat16 alone: it is off")],
)
def test_off_with_a_warning(arguments, words):
    with pytest.warns(UserWarning, match=words), pyml.autocast(*arguments):
        assert not pyml.is_autocast_enabled()


def test_without_instructions():
    """float32 and a word."""
    _kernels.select_bfloat16("none")
    x, w = pyml.randn(9, 33), pyml.randn(17, 33)
    with pytest.warns(UserWarning, match="multiplies no bfloat16"), pyml.autocast():
        y = F.linear(x, w)
    assert (y.numpy() == F.linear(x, w).numpy()).all()
    forced = np.empty((9, 17), "float32")
    _kernels.linear_forward(forced, x.numpy(), w.numpy(), None, 1, True)
    assert (forced == y.numpy()).all()  # the kernel, as a recording may hold it
    assert pyml.show_config("dicts")["bfloat16"].startswith("none")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: pyml.autocast(3), TypeError),
        (lambda: pyml.autocast(dtype="bfloat16"), TypeError),
        (lambda: pyml.is_autocast_enabled(None), TypeError),
        (lambda: pyml.set_autocast_enabled("cuda", True), ValueError),
        (lambda: pyml.get_autocast_dtype("cuda"), ValueError),
    ],
)
def test_refused(call, error):
    with pytest.raises(error, match="autocast"):
        call()


def test_variable():
    code = "import pyml; print(pyml.show_config('dicts')['bfloat16'])"
    for value, words in (("none", "none: autocast"), ("tpu", "PYML_BFLOAT16: 'tpu' is unknown")):
        environment = {"PYML_BFLOAT16": value}
        found = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert words in found.stdout + found.stderr
