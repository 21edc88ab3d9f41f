"""The names of nodes against torch: of what each row of tests/derivatives.py computes last."""

import functools
import types

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import derivatives  # noqa: E402
from ops.cases import arrays_of  # noqa: E402

import pyml  # noqa: E402
from pyml.node_names import NAMES  # noqa: E402

# what pyml makes of several operations, by the name of the last one: torch's names for it
COMPOSED = {
    "AddBackward0": """
        AddbmmBackward0 AddcdivBackward0 AddcmulBackward0 AddmmBackward0 AddmvBackward0
        AddrBackward0 BaddbmmBackward0 LerpBackward0 LinalgLuFactorExBackward0 LogaddexpBackward0
        LuUnpackBackward0 MvlgammaBackward0""",
    "AddmmBackward0": "ViewBackward0",
    "AmaxBackward0": "AminmaxBackward0 CdistBackward0 LinalgVectorNormBackward0 NormBackward1",
    "AminBackward0": "AminmaxBackward0 LinalgVectorNormBackward0",
    "BmmBackward0": "CloneBackward0 UnsafeViewBackward0",
    "Branch": "BackwardHookFunctionBackward",
    "CatBackward0": """
        BlockDiagBackward0 FlipBackward0 RollBackward0 SqueezeBackward4 StackBackward0
        torch::autograd::CopySlices""",
    "ClampBackward1": "ClampMaxBackward0 ClampMinBackward0",
    "CloneBackward0": """
        DiagonalBackward0_copy DiagonalScatterBackward0
        NarrowCopyBackward0 RepeatBackward0 Rot90Backward0 ToCopyBackward0
        torch::autograd::CopyBackwards""",
    "CosineSimilarity": "SumBackward1",
    "CumsumBackward0": "DivBackward1",
    "DiagonalBackward0": "PermuteBackward0",
    "DigammaBackward0": "PolygammaBackward0",
    "DivBackward0": """
        DivBackward1 IndexReduceBackward0 Logaddexp2Backward0 MulBackward1
        ScatterReduceBackward0 SqueezeBackward0 SqueezeBackward1""",
    "FlipBackward0": "Rot90Backward0",
    "GatherBackward0": """
        CummaxBackward0 CumminBackward0 KthvalueBackward0 MedianBackward1 ModeBackward0
        NanmedianBackward1 SortBackward0 TopkBackward0""",
    "HingeEmbedding": "AddBackward0 MeanBackward0 SumBackward0",
    "IndexBackward0": "MaskedSelectBackward0",
    "IndexPutBackward0": """
        FillBackward1 IndexCopyBackward0 IndexFillBackward0 ScatterBackward0 ScatterBackward1
        SelectScatterBackward0 SliceScatterBackward0 torch::autograd::CopyBackwards
        torch::autograd::CopySlices""",
    "IndexSelectBackward0": "IndexBackward0 ViewBackward0",
    "L1": "AbsBackward0 MeanBackward0 SumBackward0",
    "LinalgSolveExBackward0": """
        CholeskyInverseBackward0 CholeskySolveBackward0 LinalgLuSolveBackward0
        LinalgSolveTriangularBackward0 TriangularSolveBackward0""",
    "LinalgVectorNormBackward0": "CdistBackward0 DistBackward0 NormBackward1 PdistBackward0",
    "MaxBackward0": "EmbeddingBagBackward0",
    "MeanBackward0": "MeanBackward1",
    "MmBackward0": "LinalgLuSolveBackward0 SqueezeBackward4 UnsafeViewBackward0 ViewBackward0",
    "MulBackward0": """
        Deg2RadBackward0 GluBackward0 LdexpBackward0 NanToNumBackward0 Rad2DegBackward0
        RenormBackward0 SpecialXlog1PyBackward0 XlogyBackward0""",
    "NativeBatchNormBackward0": "ViewBackward0",
    "NativeGroupNormBackward0": "ViewBackward0",
    "NativeLayerNormBackward0": "NativeGroupNormBackward0 ViewBackward0",
    "NllLossBackward0": "AddBackward0 DivBackward1 NegBackward0 NllLoss2DBackward0",
    "PairwiseDistance": "NormBackward1",
    "PermuteBackward0": """
        CatBackward0 DiagEmbedBackward0 DiagonalScatterBackward0 LogcumsumexpBackward0
        ViewBackward0""",
    "PowBackward1": "PowBackward2",
    "RMSNorm": "MulBackward0",
    "ReciprocalBackward0": "RsqrtBackward0",
    "RemainderBackward0": "RemainderBackward1",
    "ScatterAddBackward0": """
        IndexAddBackward0 ScatterReduceBackward0 torch::autograd::NotImplemented""",
    "ScatterReduceBackward0": "IndexReduceBackward0",
    "SelectBackward0": "UnbindBackward0",
    "SliceBackward0": """
        AliasBackward0 SelectBackward0 SplitBackward0 SplitWithSizesBackward0 UnsqueezeBackward0
        ViewBackward0""",
    "SmoothL1LossBackward0": "AbsBackward0 MeanBackward0 SumBackward0",
    "SqueezeBackward1": """
        DotBackward0 KthvalueBackward0 ModeBackward0 MvBackward0
        NanmedianBackward1 SqueezeBackward0 SqueezeBackward2 SqueezeBackward4
        UnsafeViewBackward0 VdotBackward0""",
    "StdBackward0": "StdMeanBackward0",
    "SubBackward0": """
        FracBackward0 LerpBackward0 LinalgCrossBackward0 LinalgHouseholderProductBackward0
        LogitBackward0 RsubBackward0""",
    "SumBackward0": """
        LinalgVectorNormBackward0 NegBackward0 SumBackward1
        TraceBackward0""",
    "SumBackward1": """
        CdistBackward0 DivBackward1 LinalgVectorNormBackward0 MulBackward1 NansumBackward0
        NormBackward1 ViewBackward0""",
    "TransposeBackward0": """
        LinalgCholeskyExBackward0 LinalgLuSolveBackward0 LinalgSolveExBackward0
        LinalgSolveTriangularBackward0""",
    "UnsqueezeBackward0": "PermuteBackward0",
    "VarBackward0": "VarMeanBackward0",
    "ViewBackward0": """
        AddBackward0 AsStridedScatterBackward0 MulBackward0 NegBackward0 NllLossBackward0
        PutBackward0 ReshapeAliasBackward0 RollBackward0 SqueezeBackward4 StackBackward0
        TakeBackward0 UnsafeViewBackward0""",
    "WhereBackward0": """
        ClampBackward0 CtcLossBackward0 EmbeddingBagBackward0 FmaxBackward0 FminBackward0
        LerpBackward1 MaskedFillBackward0 MaskedScatterBackward0 NanToNumBackward0 TrilBackward0
        TriuBackward0 torch::autograd::CopySlices""",
    "softsign": "DivBackward0",
    "tanhshrink": "SubBackward0",
}
WITHIN = {  # no row ends with one
    *("AsStridedBackward0", "DiagonalBackward0", "ToCopyBackward0"),
    "torch::autograd::AccumulateGrad",
}


# ---- a row's function, with torch in place of pyml -----------------------------------------------


def as_torch(value, made):
    """What a function of a row reads, of torch. `made`: the functions that were made."""
    if isinstance(value, pyml.Tensor):
        return torch.tensor(np.array(value.detach().numpy()))
    if isinstance(value, pyml.Generator):
        return torch.Generator()
    if isinstance(value, types.ModuleType):
        return module_of_torch(value)
    if isinstance(value, functools.partial):
        parts = as_torch((value.func, value.args, value.keywords), made)
        return functools.partial(parts[0], *parts[1], **parts[2])
    if type(value) in (list, tuple):
        return type(value)(as_torch(each, made) for each in value)
    if type(value) is dict:
        return {name: as_torch(each, made) for name, each in value.items()}
    if isinstance(value, types.FunctionType) and not is_of_pyml(value):
        return made[value] if value in made else function_of_torch(value, made)
    if isinstance(value, types.MethodDescriptorType):
        return getattr(torch.Tensor, value.__name__)
    if isinstance(value, type):
        return getattr(torch.nn, value.__name__) if is_of_pyml(value) else value
    return named_in_torch(value) if callable(value) and is_of_pyml(value) else value


def is_of_pyml(value):
    return (getattr(value, "__module__", None) or "").startswith("pyml")


def module_of_torch(module):
    package, _, path = module.__name__.partition(".")
    if package != "pyml":
        return module
    return functools.reduce(getattr, path.split(".") if path not in ("", "ops") else (), torch)


def named_in_torch(function):
    for place in (torch.nn.functional, torch, torch.linalg, torch.special, torch.Tensor):
        if hasattr(place, function.__name__):
            return getattr(place, function.__name__)
    raise AttributeError(function.__name__)


def function_of_torch(function, made):
    cells = function.__closure__
    scope = {"__builtins__": function.__globals__["__builtins__"]}
    copy = types.FunctionType(
        function.__code__, scope, function.__name__, None, cells and tuple(map(empty_cell, cells))
    )
    made[function] = copy
    copy.__defaults__ = as_torch(function.__defaults__, made)
    copy.__kwdefaults__ = as_torch(function.__kwdefaults__, made)
    for new, old in zip(copy.__closure__ or (), cells or (), strict=True):
        new.cell_contents = as_torch(old.cell_contents, made)
    for name in names_in(function.__code__) & function.__globals__.keys():
        scope[name] = as_torch(function.__globals__[name], made)
    return copy


def empty_cell(_):
    return types.CellType()


def names_in(code):
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return set(code.co_names).union(*map(names_in, inner))


# ---- the names -----------------------------------------------------------------------------------


def name_in_torch(case):
    """None where torch has no such function, or no derivative of it."""
    inputs = [torch.tensor(a, requires_grad=True) for a in arrays_of(case)]
    try:
        y = as_torch(case.function, {})(*inputs)
    except (AttributeError, TypeError, RuntimeError, NotImplementedError, IndexError):
        return None
    return None if y.grad_fn is None else y.grad_fn.name()


@pytest.fixture(scope="module")
def pairs():
    """{(pyml's name, torch's): a row with it}."""
    found = {}
    for case in derivatives.ALL:
        wanted = name_in_torch(case)
        if wanted is None:
            continue
        y = case.function(*[pyml.tensor(a, requires_grad=True) for a in arrays_of(case)])
        if y.grad_fn is not None:
            assert type(y.grad_fn).__name__ == y.grad_fn.name().rpartition("::")[2]
            found.setdefault((y.grad_fn.name(), wanted), str(case))
    return found


@pytest.mark.filterwarnings("ignore")
def test_names(pairs):
    composed = {(last, name) for last, names in COMPOSED.items() for name in names.split()}
    unlike = {pair: case for pair, case in pairs.items() if pair[0] != pair[1]}
    assert {pair: case for pair, case in unlike.items() if pair not in composed} == {}
    assert composed - unlike.keys() == set()


@pytest.mark.filterwarnings("ignore")
def test_every_name_is_met(pairs):
    met = {name for name, wanted in pairs if name == wanted}
    assert set(NAMES.values()) - met == WITHIN


def test_a_graph_is_shown_as_in_torch():
    shown = []
    for m in (torch, pyml):
        x, b = m.ones(2, 3, requires_grad=True), m.ones(3)
        y = (x + b).relu().sum()
        relu = y.grad_fn.next_functions[0][0]
        add = relu.next_functions[0][0]
        leaf, nothing = (edge for edge, _ in add.next_functions)
        assert leaf.variable is x and nothing is None and leaf.next_functions == ()
        assert leaf == add.next_functions[0][0] and y.grad_fn is y.grad_fn
        nodes = (y.grad_fn, relu, add, leaf)
        shown.append(
            [f"{type(n).__name__} {n.name()} {repr(n).partition(' at ')[0]}" for n in nodes]
        )
        shown[-1].append(repr(y))
        y.backward()
    assert shown[0] == shown[1]
