"""PyTorch's table of modules, which its test/test_modules.py walks, on pyml beside torch."""

import copy
import inspect
import io
import pickle

import numpy as np
import pytest

pytest.importorskip("expecttest")

import torch

import pyml
from helpers.compare import assert_same_bits
from parity.tables import ModuleErrorEnum, fresh, leaves, mapped, module_db, older_rows, to_pyml
from parity.torch_side import assert_parity, assert_state_parity, load_from_torch
from pyml import nn
from pyml.left_out import family_of

K = 100  # terms in the longest sums
MANY = 140  # rows of one module: with more of them those that are spread evenly
INFOS = {name: info for info in module_db if hasattr(nn, name := info.name.removeprefix("nn."))}
CASES = [
    pytest.param(name, dtype, training, id=f"{name} {dtype} {'train' if training else 'eval'}")
    for name, info in INFOS.items()
    for dtype in ("float32", "float64")
    for training in ([True, False] if info.train_and_eval_differ else [True])
]
each = pytest.mark.parametrize(("name", "dtype", "training"), CASES)
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*reduction.*'mean' divides"),
    pytest.mark.filterwarnings("ignore:linear_cross_entropy. ``options`` ignored"),
    pytest.mark.filterwarnings("ignore:Possible nested set"),  # in a pattern of torch's
]

# torch's have no second derivative
ONCE = {"LinearCrossEntropyLoss", "MultiLabelMarginLoss", "MultiMarginLoss"}


def test_every_module_is_here_or_left_out():
    others = {info.name.removeprefix("nn.") for info in module_db} - set(INFOS)
    assert {name for name in others if family_of("nn", name) is None} == set()


class Case:
    """A module of torch and pyml's, alike, and what they are called with."""

    def __init__(self, name, row, dtype, training):
        self.row, self.dtype, self.training = row, dtype, training
        self.args, self.kwargs = row.constructor_input.args, row.constructor_input.kwargs
        self.cls = getattr(nn, name)
        self.reference = INFOS[name].module_cls(*self.args, **self.kwargs)
        self.reference.to(getattr(torch, dtype)).train(training)
        self.module = self.made().to(getattr(pyml, dtype)).train(training)
        load_from_torch(self.module, self.reference)

    def made(self, **more):
        return self.cls(*to_pyml(self.args), **(to_pyml(self.kwargs) | more))

    def inputs(self):
        """(arguments, keyword arguments) of torch, with tensors of their own."""
        given = self.row.forward_input
        return fresh((given.args, given.kwargs))


def cases(name, dtype, training):
    torch.manual_seed(0)
    info = INFOS[name]
    rows = info.module_inputs_func(
        info,
        device="cpu",
        dtype=getattr(torch, dtype),
        requires_grad=True,
        training=training,
    )
    rows = [row for row in rows if row.forward_input is not None]
    rows += older_rows(name, getattr(torch, dtype))
    assert rows
    rows = rows[:: 1 + len(rows) // MANY]  # of LinearCrossEntropyLoss there are 857
    return [Case(name, row, dtype, training) for row in rows]


def weights_of(tensors):
    """Random numbers of torch's, which require grad, for a weighted sum of torch's tensors."""
    return [torch.randn_like(y, requires_grad=True) for y in tensors]


@each
def test_outputs_and_derivatives(name, dtype, training):
    """Outputs, gradients of a weighted sum of them, and of a weighted sum of those gradients."""
    for case in cases(name, dtype, training):
        given = {torch: case.inputs()}
        given[pyml] = to_pyml(given[torch])
        modules = {torch: case.reference, pyml: case.module}
        sources = {
            library: [x for x in leaves(inputs, library.Tensor) if x.requires_grad]
            + list(modules[library].parameters())
            for library, inputs in given.items()
        }
        summed = {
            library: leaves(module(*given[library][0], **given[library][1]), library.Tensor)
            for library, module in modules.items()
        }
        orders = 1 if name in ONCE or not INFOS[name].supports_gradgrad else 2
        if name == "CTCLoss":
            orders = 0  # torch's gradient is right behind log_softmax alone: test_losses.py
        if name == "CrossEntropyLoss" and summed[torch][0].isnan().any():
            orders = 1  # all targets ignored: the gradient is 0, torch's by the weight of 0 NaN
        for order in range(orders + 1):
            for got, wanted in zip(summed[pyml], summed[torch], strict=True):
                if wanted._is_zerotensor():
                    wanted = torch.zeros(wanted.shape, dtype=wanted.dtype)
                assert got.requires_grad == wanted.requires_grad or order == orders
                assert_parity(got, wanted, K, least=0.1)  # of inputs and weights near 1
            chosen = [i for i, y in enumerate(summed[torch]) if y.requires_grad]
            if order == orders or not chosen:
                break
            weights = weights_of(summed[torch][i] for i in chosen)
            more = {torch: weights, pyml: to_pyml(weights)}
            for library in (torch, pyml):
                summed[library] = library.autograd.grad(
                    [summed[library][i] for i in chosen],
                    sources[library],
                    more[library],
                    create_graph=order + 1 < orders,
                    allow_unused=True,
                    materialize_grads=True,
                )
                sources[library] += more[library]
        assert_state_parity(case.module, case.reference, K)  # running statistics


@each
def test_text_copies_and_files(name, dtype, training):
    for case in cases(name, dtype, training):
        module, (args, kwargs) = case.module, to_pyml(case.inputs())
        assert str(module) == str(case.reference)
        module(*args, **kwargs)  # running statistics
        file = io.BytesIO()
        pyml.save(module.state_dict(), file)
        file.seek(0)
        loaded = case.made().to(getattr(pyml, dtype))
        assert loaded.load_state_dict(pyml.load(file)) == ([], [])
        pickled = pickle.loads(pickle.dumps(module))
        module.eval()
        wanted = leaves(module(*args, **kwargs), pyml.Tensor)
        for copied in (loaded, pickled, copy.deepcopy(module), copy.copy(module)):
            assert type(copied) is type(module)
            assert str(copied) == str(module)
            got = leaves(copied.eval()(*args, **kwargs), pyml.Tensor)
            for y, w in zip(got, wanted, strict=True):
                assert_same_bits(y.detach().numpy(), w.detach().numpy())


def spread(tensor):
    """The same values, every other place of twice the memory."""
    if tensor.numel() < 2:
        return tensor
    array = np.stack([tensor.detach().numpy()] * 2, -1)
    apart = pyml.tensor(array)[..., 0].requires_grad_(tensor.requires_grad)
    assert not apart.is_contiguous()
    return apart


@each
def test_inputs_that_are_not_contiguous(name, dtype, training):
    for case in cases(name, dtype, training):
        near = to_pyml(case.inputs())
        far = mapped(lambda x: spread(x) if isinstance(x, pyml.Tensor) else x, near)
        results = []
        for apart, inputs in ((False, near), (True, far)):
            module = copy.deepcopy(case.module)
            pyml.manual_seed(0)
            outputs = leaves(module(*inputs[0], **inputs[1]), pyml.Tensor)
            weights = [pyml.randn_like(y) for y in outputs]
            if apart:
                weights = [spread(g) for g in weights]
            pyml.autograd.backward(outputs, weights)
            sources = [x for x in leaves(inputs, pyml.Tensor) if x.requires_grad]
            grads = [x.grad for x in (*sources, *module.parameters())]
            results.append([*outputs, *grads])
        for y, w in zip(*results, strict=True):
            assert (y is None) == (w is None)
            if y is not None:
                assert_parity(y, torch.tensor(w.detach().numpy()), K)


@each
def test_factory_arguments(name, dtype, training):
    for case in cases(name, dtype, training):
        if "dtype" not in inspect.signature(case.reference.__class__).parameters:
            assert "dtype" not in inspect.signature(case.cls).parameters
            continue
        module = case.made(device="cpu", dtype=getattr(pyml, dtype))
        for key, tensor in module.state_dict().items():
            assert tensor.device == pyml.device("cpu")
            assert tensor.dtype == (dtype if tensor.is_floating_point() else "int64"), key


@pytest.mark.parametrize(
    "name", [n for n in INFOS if "inplace" in inspect.signature(getattr(nn, n)).parameters]
)
def test_in_place(name):
    """Of no leaf the same values and gradients; a leaf that requires grad is refused."""
    for case in cases(name, "float64", True):
        inputs, outputs = [], []
        for module in (case.module, case.made(inplace=True)):
            (x,), kwargs = to_pyml(case.inputs())
            assert not kwargs
            inputs.append(x)
            before = x.clone()
            outputs.append(module(before))
            outputs[-1].sum().backward()
            assert (outputs[-1] is before) == (module is not case.module)
        assert_same_bits(*(y.detach().numpy() for y in outputs))
        assert_same_bits(*(x.grad.numpy() for x in inputs))
        with pytest.raises(RuntimeError, match="leaf"):
            case.made(inplace=True)(inputs[0])


def half_precision(row):
    """Is there a tensor of a dtype that pyml leaves out?"""
    made = row.constructor_input
    given = [row.forward_input.args] if row.forward_input else []
    return any(
        x.dtype == torch.half for x in leaves([made.args, made.kwargs, *given], torch.Tensor)
    )


@pytest.mark.parametrize("name", [n for n in INFOS if INFOS[n].module_error_inputs_func])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_errors(name, dtype):
    """Of PyTorch's kinds, with PyTorch's words among pyml's."""
    info = INFOS[name]
    rows = info.module_error_inputs_func(
        info, device="cpu", dtype=getattr(torch, dtype), requires_grad=False, training=True
    )
    assert rows
    for row in rows:
        if half_precision(row.module_error_input):
            continue
        made, given = row.module_error_input.constructor_input, row.module_error_input.forward_input

        def build(made=made):
            return getattr(nn, name)(*to_pyml(made.args), **to_pyml(made.kwargs))

        if row.error_on == ModuleErrorEnum.CONSTRUCTION_ERROR:
            with pytest.raises(row.error_type, match=row.error_regex):
                build()
        else:
            module = build().to(getattr(pyml, dtype))
            with pytest.raises(row.error_type, match=row.error_regex):
                module(*to_pyml(given.args), **to_pyml(given.kwargs))
