"""pyml.export.numpy: every module in plain NumPy."""

import stat
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest

import pyml
from export.nets import CASES, LAYERS, net, output_of, rows
from pyml import export, nn
from pyml.export.modules import REFUSED, RULES

ULP = 64  # of the largest output


def close(found, wanted, ulp=ULP):
    eps = np.finfo(wanted.dtype).eps
    scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=0)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=ulp * eps * max(scale, 1e-30))


def test_every_module_has_a_row_or_a_refusal():
    classes = {name: getattr(nn, name) for name in nn.__all__}
    modules = {n: c for n, c in classes.items() if isinstance(c, type) and issubclass(c, nn.Module)}
    missing = []
    for name, cls in modules.items():
        if cls is nn.Module:
            continue
        known = any(base in RULES for base in cls.__mro__)
        refused = any(base in REFUSED for base in cls.__mro__)
        if refused:
            assert name not in LAYERS
        elif not known or name not in LAYERS:
            missing.append(name)
    assert missing == []


@pytest.mark.parametrize("name", CASES)
def test_equals_the_model(name):
    model, given = CASES[name]
    module = export.numpy(model, inputs=tuple(given))
    wanted = output_of(model, given)
    with np.errstate(all="ignore"):
        found = module.predict(*given)
    assert found.dtype == wanted.dtype
    close(found, wanted)
    close(module.predict(*(x[:1] for x in given)), wanted[:1], 2 * ULP)


def test_no_row_of_an_embedding():
    predict = export.numpy(net(nn.Embedding(7, 2)), inputs=np.zeros((3, 2), int)).predict
    for rows_of_none in ([[-1, 0]], [[0, 7]]):
        with pytest.raises(IndexError):
            predict(np.array(rows_of_none))


def test_float64():
    model = net(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2)).double()
    x = rows(4).astype(np.float64)
    found = export.numpy(model).predict(x)
    assert found.dtype == np.float64
    close(found, output_of(model, [x]))


def test_files_need_numpy_alone(tmp_path):
    model = net(nn.Linear(4, 8), nn.GELU(), nn.Sigmoid(), nn.Linear(8, 2))
    x = rows(4)
    export.numpy(model, tmp_path / "mine.py")
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys, numpy as np, mine; np.save('y.npy', mine.predict(np.load('x.npy'))); "
        "assert 'pyml' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    close(np.load(tmp_path / "y.npy"), output_of(model, [x]))


def test_files_that_cannot_be_written_change_nothing(tmp_path):
    model = net(nn.Linear(4, 2))
    for folder, other in (("n.py", "n.npz"), ("n.npz", "n.py")):
        (tmp_path / folder).mkdir()
        (tmp_path / other).write_text("old")
        with pytest.raises(IsADirectoryError):
            export.numpy(model, tmp_path / "n.py")
        assert (tmp_path / other).read_text() == "old"
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([folder, other])
        (tmp_path / folder).rmdir()
        (tmp_path / other).unlink()
    with pytest.raises(FileNotFoundError, match=r"no[/\\]n\.py"):
        export.numpy(model, tmp_path / "no" / "n.py")


def test_files_that_are_replaced_keep_their_modes(tmp_path):
    for name in ("n.py", "n.npz"):
        (tmp_path / name).write_text("old")
        (tmp_path / name).chmod(0o640)
    export.numpy(net(nn.Linear(4, 2)), tmp_path / "n.py")
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert found == {"n.py": 0o640, "n.npz": 0o640}


def test_the_model_stays_in_its_mode():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5).eval(), nn.RandomCrop(1))
    model[2].training = True
    model[0].training = False
    export.numpy(nn.Sequential(model[0], model[1]))
    assert [m.training for m in model.modules()] == [True, False, False, True]


def test_the_model_keeps_its_numbers():
    model = nn.Sequential(nn.Embedding(7, 3, max_norm=0.5), nn.Linear(3, 2)).eval()
    before = {name: values.clone() for name, values in model.state_dict().items()}
    x = np.zeros((3, 2), int)
    module = export.numpy(model, inputs=x)
    assert all((before[name] == values).all() for name, values in model.state_dict().items())
    close(module.predict(x), output_of(model, [x]))


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, input):
        return input + self.layer(input).relu()


class Renamed(nn.Linear):
    """A Linear that computes something else."""

    def forward(self, input):
        return super().forward(input) * 2


def test_a_child_of_the_name_of_an_estimators_model():
    model = nn.Sequential(OrderedDict(model_=nn.Linear(4, 4), last=nn.Linear(4, 2))).eval()
    x = rows(4)
    close(export.numpy(model).predict(x), output_of(model, [x]))


def test_refusals_say_which_module_and_why():
    for model, words in (
        (nn.Sequential(nn.Linear(3, 3), Own()), r"Own \(1\) has a forward that is not known"),
        (nn.Sequential(Renamed(3, 3)), r"Renamed \(0\) has a forward that is not known"),
        (nn.Sequential(nn.LazyLinear(3)), "call the model once"),
        (nn.Sequential(nn.Linear(3, 3), nn.Softmax(0)), "over the batch"),
        (nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False)), "running statistics"),
        (nn.Sequential(nn.Linear(3, 3), nn.MSELoss()), "is a loss"),
    ):
        with pytest.raises(TypeError, match=words):
            export.numpy(model, inputs=rows(3))
    hooked = nn.Sequential(nn.Linear(3, 3))
    hooked[0].register_forward_hook(lambda module, args, output: output * 2)
    with pytest.raises(TypeError, match="has forward hooks"):
        export.numpy(hooked)
    with pytest.raises(ValueError, match="give a few rows of inputs"):
        export.numpy(nn.Sequential(nn.ReLU()))
    with pytest.raises(TypeError, match="must be a Module"):
        export.numpy(3)


def test_inputs_are_rows():
    for layer, shape in (
        (nn.Linear(4, 8), (4,)),
        (nn.Linear(4, 4), (4,)),
        (nn.Linear(4, 8), (3, 5)),
        (nn.LayerNorm(4), (4,)),
        (nn.LayerNorm((4, 2)), (4, 2)),
        (nn.Softmax(-1), (4,)),
        (nn.GLU(), (4,)),
        (nn.ScalingLayer(4), (4,)),
        (nn.LinearEnsemble(4, 2, k=3), (3, 4)),
        (nn.PBLDEmbedding(4), (4,)),
    ):
        words = r"give rows, \(n,|rows would not be by themselves"
        with pytest.raises((TypeError, ValueError), match=words):
            export.numpy(nn.Sequential(layer), inputs=np.ones(shape, np.float32))
    with pytest.raises(ValueError, match=r"export\.c: inputs has shape \(4,\): .* rows, \(n, 4\)"):
        export.c(nn.Linear(4, 8), "net.h", inputs=pyml.ones(4))
    for model in (
        nn.Sequential(nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(12, 2)),
        nn.Sequential(nn.Unflatten(1, (2, 2)), nn.InstanceNorm1d(2, affine=True), nn.Flatten()),
    ):
        words = r"^export\.numpy: the model does not take rows of \d numbers, .* give a few rows"
        with pytest.raises(ValueError, match=words):
            export.numpy(model)
        export.numpy(
            model, inputs=np.ones((3, 3, 4) if len(model[0].state_dict()) else (3, 4), "f")
        )


class Branches(nn.ModuleList):
    """A list with a forward."""

    def forward(self, input):
        return self[0](input) + self[1](input)


def test_a_rule_for_what_is_made_of_a_class_that_is_refused():
    model, x = net(nn.Linear(4, 3), Branches([nn.Linear(3, 2), nn.Linear(3, 2)])).eval(), rows(4)
    with pytest.raises(TypeError, match=r"Branches \(1\) has no forward"):
        export.numpy(model)

    @export.rule(Branches)
    def branches(tracer, module, x):
        return tracer(module[0], x, name="0") + tracer(module[1], x, name="1")

    try:
        close(export.numpy(model).predict(x), output_of(model, [x]))
    finally:
        del RULES[Branches]


def test_rules_of_users():
    @export.rule(Own)
    def own(tracer, module, x):
        return x + tracer(nn.ReLU(), tracer(module.layer, x, name="layer"))

    try:
        model = net(nn.Linear(4, 3), Own())
        module = export.numpy(model)
        assert "1.layer.weight" in module.WEIGHTS
        x = rows(4)
        close(module.predict(x), output_of(model, [x]))
        RULES[Own] = lambda tracer, module, x: x
        with pytest.raises(ValueError, match=r"is a rule of export\.rule wrong"):
            export.numpy(model)
    finally:
        del RULES[Own]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda tracer, module, x: x if x > 0 else -x, r"truth value.*export\.graph\.where"),
        (lambda tracer, module, x: 1.5, r"Own \(1\) has a rule that gives a float"),
        (lambda tracer, module, x: None, r"Own \(1\) has a rule that gives a NoneType"),
    ],
)
def test_rules_that_give_no_value(function, words):
    export.rule(Own)(function)
    try:
        with pytest.raises(TypeError, match=words):
            export.numpy(net(nn.Linear(4, 3), Own()))
    finally:
        del RULES[Own]


def test_parametrized_weights_are_computed():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    with pyml.no_grad():
        model[0].parametrizations.weight.original0.fill_(2.0)
    x = rows(3)
    close(export.numpy(model).predict(x), output_of(model, [x]))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda tracer: tracer(nn.Tanh()), "there are no values"),
        (lambda tracer: tracer(nn.Tanh(), 1.5), r"values\[0\] is a float"),
        (lambda tracer: tracer.refuse(1.5, "is none"), "module is a float, not a Module"),
    ],
)
def test_a_tracer_says_what_it_takes(call, words):
    with pytest.raises(TypeError, match=words):
        call(pyml.export.Tracer())
