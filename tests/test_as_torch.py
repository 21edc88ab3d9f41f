"""pyml under the name torch: what can be imported, what refuses, and what tells the truth."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pyml

PLACE = Path(pyml.__file__).parents[1]  # of the pyml under test: here, or where a wheel lies


def run(*words, code=0, folder=None):
    """What python prints, and its errors."""
    environment = {**os.environ, "PYTHONPATH": f"{PLACE}{os.pathsep}{folder or ''}"}
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


# Each runs after `import pyml.as_torch, pytest`, all of them in one process.
PROGRAMS = {
    "modules": """
import torch, torch.nn as nn, torch.nn.functional as F, torch.optim as optim
import pyml
assert torch.nn is nn and torch.nn.functional is F and torch.optim is optim
assert torch.Tensor is pyml.Tensor and nn.Linear is pyml.nn.Linear
assert F.relu is pyml.nn.functional.relu and torch.float32 == pyml.float32
assert optim.Adam is pyml.optim.Adam and torch.load is pyml.load
assert torch.no_grad is pyml.no_grad and torch.randn is pyml.randn
""",
    "bases of what programs define": """
import math, torch
from torch.nn.modules.loss import _WeightedLoss
from torch.optim.lr_scheduler import _LRScheduler
class Focal(_WeightedLoss):
    def __init__(self, weight=None, reduction="mean"):
        super().__init__(weight, reduction=reduction)
focal = Focal(torch.ones(3))
assert list(focal.state_dict()) == ["weight"] and focal.reduction == "mean"
assert isinstance(torch.nn.NLLLoss(), _WeightedLoss)
class Warmup(_LRScheduler):
    def get_lr(self):
        assert self._get_lr_called_within_step
        return [rate * min(1, (self.last_epoch + 1) / 4) for rate in self.base_lrs]
optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], 0.4)
scheduler = Warmup(optimizer)
optimizer.step(); scheduler.step()
assert scheduler.get_last_lr() == [0.2]
""",
    "the state of random numbers": """
import io, torch
state = torch.get_rng_state()
first = torch.rand(3)
assert state.dtype == torch.uint8 and torch.is_tensor(state.cpu())
file = io.BytesIO()
torch.save({"rng": state}, file)
file.seek(0)
torch.set_rng_state(torch.load(file)["rng"].cpu())
assert torch.equal(torch.rand(3), first)
torch.random.set_rng_state(torch.random.get_rng_state())
""",
    "words of PyTorch's inside": """
import torch
from torch import layout, memory_format, newaxis
from torch.autograd.function import InplaceFunction
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils.convert_parameters import parameters_to_vector
from torch.nn.utils.stateless import functional_call
from torch.optim.optimizer import Optimizer, _use_grad_for_differentiable
from torch.utils.checkpoint import checkpoint_sequential
x = torch.ones(1, 2, requires_grad=True)
assert isinstance(x.layout, layout) and x[newaxis].shape == (1, 1, 2)
assert isinstance(torch.contiguous_format, memory_format)
class Round(InplaceFunction):
    @staticmethod
    def forward(ctx, x):
        return x.round()
    @staticmethod
    def backward(ctx, dy):
        return dy
Round.apply(x).sum().backward()
assert x.grad.tolist() == [[1, 1]] and isinstance(torch.nn.BatchNorm1d(2), _NormBase)
class Descent(Optimizer):
    def __init__(self, params):
        super().__init__(params, {})
    @_use_grad_for_differentiable
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p -= p.grad
Descent([x]).step()
layers = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Identity())
assert checkpoint_sequential(layers, 2, x, use_reentrant=False).tolist() == [[0, 0]]
assert functional_call(layers, {}, x).shape == (1, 2) and parameters_to_vector([x]).shape == (2,)
assert torch.jit.annotate(int, 3) == 3
torch._dynamo.reset()
""",
    "names of dtypes": """
import torch
x = torch.ones(2)
assert str(x.dtype) == "torch.float32" and repr(torch.int64) == "torch.int64"
assert x.type() == torch.typename(x) == "torch.FloatTensor"
assert x.type("torch.DoubleTensor").type() == "torch.DoubleTensor"
assert getattr(torch, str(x.bool().dtype).split(".")[1]) is torch.bool
""",
    "every module": """
import importlib, importlib.util
from pyml.as_torch import MODULES
from pyml.stand_ins import STAND_INS
for name in sorted({*MODULES, *STAND_INS}):
    if "tensorboard" in name and not importlib.util.find_spec("tensorboard"):
        continue
    module = importlib.import_module(name)
    assert module.__name__ == name and all(hasattr(module, n) for n in dir(module)), name
""",
    "what pyml has": """
import importlib, sys, pyml
from pyml.as_torch import OF_TORCH
for package in sorted(OF_TORCH):
    importlib.import_module(f"pyml.{package}")
own = [name for name in sys.modules if name[:5] == "pyml." and name.split(".")[1] in OF_TORCH]
assert len(own) > 50
for name in own:
    if "._" not in name and (names := getattr(sys.modules[name], "__all__", ())):
        module = importlib.import_module("torch" + name[4:])
        for n in names:
            value = getattr(sys.modules[name], n)
            assert getattr(module, n) is value or isinstance(value, type(sys)), (name, n)
""",
    "modules of the same name in pyml": """
from torch.optim.sgd import SGD
from torch.optim.adamw import AdamW
from torch.optim.optimizer import Optimizer
from torch.optim.lr_scheduler import StepLR, LRScheduler, _LRScheduler
from torch.nn.parameter import Parameter
from torch.nn.utils.parametrize import register_parametrization
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.clip_grad import clip_grad_value_
from torch.nn.init import xavier_uniform_
from torch.nn.modules import Module
from torch.nn.modules.loss import _Loss, MSELoss
from torch.nn.modules.container import Sequential
from torch.nn.modules.activation import ReLU
from torch.utils.data import DataLoader, TensorDataset, DistributedSampler
from torch.utils.data.dataset import Dataset
from torch.utils.data.distributed import DistributedSampler as Same
from torch.autograd import Variable, grad
from torch.utils.hooks import RemovableHandle
from torch.random import get_rng_state
import pyml
assert _LRScheduler is LRScheduler is pyml.optim.lr_scheduler.LRScheduler
assert issubclass(MSELoss, _Loss) and Same is DistributedSampler
assert isinstance(Variable(pyml.ones(1)), pyml.Tensor)
assert isinstance(pyml.nn.Linear(1, 1).register_forward_hook(print), RemovableHandle)
""",
    "a function beside the module of its name": """
from torch.autograd.gradcheck import gradcheck
import torch
assert torch.autograd.gradcheck is gradcheck
""",
    "names in the inside of torch": """
import torch
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present
from torch.nn.parameter import is_lazy
assert issubclass(torch.nn.LazyLinear, LazyModuleMixin)
assert is_lazy(torch.nn.LazyLinear(1).weight) and not is_lazy(None)
state = torch.nn.Sequential(torch.nn.Linear(1, 1)).state_dict(prefix="module.")
state._metadata = {"": {}, **{name or "module": v for name, v in state._metadata.items()}}
state["other"] = 1
consume_prefix_in_state_dict_if_present(state, "module.")
assert list(state) == ["0.weight", "0.bias", "other"]
assert list(state._metadata)[0] == "" and "0" in state._metadata
assert "isa: " in torch.__config__.show() and "threads: " in torch.__config__.parallel_info()
assert torch.sparse is not None and torch.sparse.FloatTensor is torch.sparse.FloatTensor
with pytest.raises(NotImplementedError, match="pyml has dense tensors alone"):
    torch.sparse.mm(torch.eye(2), torch.eye(2))
assert torch.__future__.get_swap_module_params_on_conversion() is False
torch.__future__.set_swap_module_params_on_conversion(True)
assert torch.__future__.get_swap_module_params_on_conversion() is True
assert torch.__future__.get_overwrite_module_params_on_conversion() is False
""",
    "a star": """
from torch.nn import *
from torch.nn.functional import *
assert Linear and Conv2d and relu and conv2d
""",
    "the version": """
import torch, pyml
from torch.torch_version import TorchVersion
assert torch.__version__ == "2.13.0" and isinstance(torch.__version__, str)
assert torch.version.__version__ == torch.__version__ and torch.version.cuda is None
assert torch.__version__ >= "2.0" and torch.__version__ > "2.4" and not torch.__version__ < "2.9"
assert torch.__version__ >= (2, 4) and torch.__version__ < "2.13.1" and torch.__version__ == "2.13"
assert torch.__version__ != "2.14" and not torch.__version__ > "2.13.0+cpu"
assert torch.__version__ <= TorchVersion("3.0") and (torch.__version__ == 2) is False
assert torch.__version__.split(".") == ["2", "13", "0"] and f"{torch.__version__}" == "2.13.0"
assert len({torch.__version__, "2.13.0"}) == 1
assert torch.__pyml__ == pyml.__version__
""",
    "what pyml has not": """
import torch
for name in ("train", "np", "importlib", "nothing_like_it"):
    with pytest.raises(AttributeError, match=f"{name}'; it is pyml .* under the name of torch"):
        getattr(torch, name)
with pytest.raises(AttributeError, match="no attribute 'scaled_dot_product_attention': left out"):
    torch.nn.functional.scaled_dot_product_attention
with pytest.raises(ModuleNotFoundError, match="No module named 'torch.train'"):
    import torch.train
with pytest.raises(ImportError, match="cannot import name 'nothing' from 'torch.nn'"):
    from torch.nn import nothing
""",
    "the package torch": """
import torch
from importlib import metadata
assert metadata.version("torch") == metadata.version("Torch") == torch.__version__
assert "pyml" in metadata.metadata("torch")["Summary"] and not metadata.files("torch")
[name] = [d.metadata["Name"] for d in metadata.distributions(name="torch")][:1]
assert name == "torch" and metadata.version("numpy")
assert "torch" in {d.metadata["Name"] for d in metadata.distributions()}
with pytest.raises(metadata.PackageNotFoundError):
    metadata.version("torch-nothing")
""",
    "a whole module": """
import io, inspect, pickle, torch
model, f = torch.nn.Linear(2, 1), io.BytesIO()
torch.save({"model": model, "rng": torch.get_rng_state()}, f)
with pytest.raises(ValueError, match="weights_only=False"):
    torch.load(io.BytesIO(f.getvalue()))
again = torch.load(io.BytesIO(f.getvalue()), weights_only=False)["model"]
assert type(again) is torch.nn.Linear and torch.equal(again.weight, model.weight)
assert inspect.signature(torch.save).parameters["pickle_module"].default is pickle
torch.save(model.state_dict(), f := io.BytesIO())
assert torch.equal(torch.load(io.BytesIO(f.getvalue()))["weight"], model.weight)
""",
    "looking for torch": """
import importlib, importlib.util
spec = importlib.util.find_spec("torch")
assert spec.name == "torch" and spec.origin.endswith("as_torch.py")
assert importlib.util.find_spec("torch.nothing") is None
import torch
assert importlib.reload(torch) is torch and "as_torch" in repr(torch)
""",
    "layers that are left out": """
import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd, Conv2d
from torch.nn.parallel import DataParallel, DistributedDataParallel as DDP
from torch.nn.parallel.distributed import DistributedDataParallel
from torch.nn.utils.rnn import PackedSequence
assert Conv2d is nn.Conv2d and issubclass(Conv2d, (_ConvNd,)) and issubclass(Conv2d, nn.Module)
assert issubclass(nn.LSTM, nn.RNNBase) and DDP is DistributedDataParallel
layer = nn.Linear(2, 1)
assert not isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.MaxPool2d, nn.LSTM, DDP, PackedSequence))
with pytest.raises(NotImplementedError, match="nn.Conv2d: .* dense layers; use nn.Linear on nn.Fl"):
    nn.Conv2d(1, 2, kernel_size=3)
class Own(nn.Conv2d):
    pass
with pytest.raises(NotImplementedError, match="nn.Own: "):
    Own(1, 2, 3)
with pytest.raises(NotImplementedError, match="nn.functional.max_pool2d: .*; use Tensor.mean"):
    nn.functional.max_pool2d(torch.ones(1, 1, 2, 2), 2)
with pytest.raises(NotImplementedError, match="DistributedDataParallel: .*; use the module itself"):
    DDP(layer)
with pytest.raises(NotImplementedError, match="optim.SparseAdam"):
    torch.optim.SparseAdam(layer.parameters())
for name in ("RNN", "RNNBase", "GRU", "Transformer", "MultiheadAttention"):
    with pytest.raises(NotImplementedError, match=name):
        getattr(nn, name)(1, 2)
assert torch.utils.data.DistributedSampler is torch.utils.data.DistributedSampler
with pytest.raises(RuntimeError, match="DistributedSampler: there is no process group"):
    torch.utils.data.DistributedSampler([1])
""",
    "DataParallel is the module": """
import torch
from torch import nn
layer = nn.Linear(2, 1)
parallel = nn.DataParallel(layer)
x = torch.ones(3, 2)
assert parallel.module is layer and torch.equal(parallel(x), layer(x))
assert list(parallel.state_dict()) == ["module.weight", "module.bias"]
with pytest.raises(ValueError, match="device_ids is"):
    nn.DataParallel(layer, device_ids=[0])
""",
    "compile and jit": """
import torch
def f(x):
    return x + 1
assert torch.compile(f) is f and torch.compile(mode="max-autotune")(f) is f
assert torch.jit.script(f) is f and torch.jit.unused(f) is f and torch.jit.export(f) is f
assert torch.jit.ignore(f) is f and torch.jit.ignore(drop=True)(f) is f
assert not torch.jit.is_scripting() and not isinstance(f, torch.jit.ScriptFunction)
for call in (torch.jit.trace, torch.jit.save, torch.jit.load, torch.jit.ScriptModule):
    with pytest.raises(NotImplementedError, match="pass the function itself"):
        call(f)
""",
    "devices": """
import torch
assert not torch.cuda.is_available() and torch.cuda.device_count() == 0
assert not torch.backends.mps.is_available() and not torch.backends.cudnn.is_available()
assert not torch.backends.cuda.is_built()
torch.backends.cudnn.deterministic = True
torch.backends.cudnn.benchmark = False
torch.backends.cuda.matmul.allow_tf32 = True
with torch.backends.cudnn.flags(enabled=False):
    torch.cuda.manual_seed_all(0)
torch.cuda.empty_cache()
torch.cuda.synchronize()
torch.cuda.set_rng_state_all(torch.cuda.get_rng_state_all())
assert torch.cuda.max_memory_allocated() == 0
with pytest.raises(RuntimeError, match="cuda.current_device: there is no such device"):
    torch.cuda.current_device()
""",
    "one method of many tensors": """
import torch
with pytest.raises(AttributeError, match="_foreach_nonsense"):
    torch._foreach_nonsense
a, b = [torch.ones(2), torch.zeros(3)], [torch.full((2,), 4.0), torch.ones(3)]
torch._foreach_mul_(a, 0.5)
torch._foreach_add_(a, b, alpha=2)
assert [x.tolist() for x in a] == [[8.5, 8.5], [2.0, 2.0, 2.0]]
assert [x.item() for x in torch._foreach_norm(b, 1)] == [8.0, 3.0]
assert torch._foreach_mul(b, [2.0, 3.0])[1].tolist() == [3.0, 3.0, 3.0]
torch._foreach_lerp_(a, b, 1.0)
torch._foreach_zero_(b)
assert a[0].tolist() == [4.0, 4.0] and not b[0].any()
with pytest.raises(ValueError, match="shorter"):
    torch._foreach_copy_(a, b[:1])
""",
    "mixed precision is off": """
import torch, warnings
from torch.cuda.amp import GradScaler, autocast
layer = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(layer.parameters(), 0.1)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    scaler = GradScaler()
    with autocast(), torch.amp.autocast("cuda", dtype=None):
        loss = layer(torch.ones(3, 2)).sum()
assert [str(w.message).partition(":")[0] for w in caught] == ["GradScaler", "autocast", "autocast"]
before = layer.bias.item()
scaler.scale(loss).backward()
scaler.unscale_(optimizer)
scaler.step(optimizer)
scaler.update()
assert abs(layer.bias.item() - (before - 0.3)) < 1e-6 and not scaler.is_enabled()
assert torch.GradScaler is torch.amp.GradScaler is GradScaler
@torch.amp.autocast("cpu", enabled=False)
def f(x):
    return x + 1
assert f(1) == 2
with torch.autocast("cpu", dtype=torch.bfloat16):
    assert torch.is_autocast_enabled("cpu") and layer(torch.ones(3, 2)).dtype == torch.float32
""",
    "checkpoint and compiler": """
import torch, torch._dynamo
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop
with set_checkpoint_early_stop(False):
    assert checkpoint(lambda x: x + 1, 1, use_reentrant=False) == 2
assert checkpoint(lambda x, y: x + y, 1, y=2, use_reentrant=False, preserve_rng_state=True) == 3
def f(x):
    return x
assert torch.compiler.disable(f) is f and torch.compiler.disable(recursive=False)(f) is f
assert not torch.compiler.is_compiling() and not torch._dynamo.is_compiling()
""",
    "one process": """
import torch.distributed as dist, torch.multiprocessing as mp, multiprocessing, torch.futures
assert not dist.is_available() and not dist.is_initialized() and mp.Queue
assert mp.get_context("fork").Queue and mp.cpu_count() == multiprocessing.cpu_count()
for call in (dist.get_rank, dist.init_process_group, dist.all_reduce):
    with pytest.raises(RuntimeError, match="one process; leave it out where distributed.is_av"):
        call("gloo")
with pytest.raises(NotImplementedError, match="import pyml.as_torch"):
    mp.spawn(print)
with pytest.raises(NotImplementedError, match="concurrent.futures"):
    torch.futures.Future()
""",
    "packages that are left out whole": """
import torch, torch.fx, torch.distributed.fsdp.anything as anything
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP, fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.fft import fft
from torch.overrides import TorchFunctionMode, has_torch_function
layer = torch.nn.Linear(2, 1)
assert not isinstance(layer, (FSDP, torch.fx.GraphModule, torch.ScriptModule))
assert not isinstance(torch.optim.SGD(layer.parameters(), 0.1), ZeroRedundancyOptimizer)
assert not has_torch_function((1,)) and not torch.profiler.kineto_available()
class Mode(TorchFunctionMode):
    pass
for call, why in {
    lambda: FSDP(layer): "FullyShardedDataParallel: .*; use the module itself",
    lambda: fully_shard(layer): "distributed.fsdp.fully_shard: .*; use the module itself",
    lambda: anything.more(): "distributed.fsdp.anything.more",
    lambda: fft(torch.ones(2)): "fft.fft: pyml has no complex numbers; keep",
    lambda: torch.UntypedStorage(3): "memory is NumPy's",
    Mode: "overrides.Mode",
}.items():
    with pytest.raises(NotImplementedError, match=why):
        call()
with pytest.raises(AttributeError, match="has no attribute 'nothing_like_it'"):
    torch.distributed.nothing_like_it
""",
    "profiles, futures and precisions": """
import torch
from torch.autograd import profiler
for record_function in (profiler.record_function, torch.profiler.record_function):
    with record_function("a part"):
        pass
@record_function("all of it")
def f(x):
    return x + 1
assert f(1) == 2 and torch.Future[int] and torch.futures.Future is torch.Future
with pytest.raises(NotImplementedError, match="futures.collect_all: use concurrent.futures"):
    torch.futures.collect_all([])
with torch.serialization.safe_globals([dict]):
    torch.serialization.add_safe_globals([dict])
assert torch.serialization.get_safe_globals() == []
torch.set_float32_matmul_precision("high")
assert torch.get_float32_matmul_precision() == "highest"
assert not isinstance(torch.ones(1), (torch.HalfTensor, torch.BFloat16Tensor))
assert torch.autocast is torch.amp.autocast
""",
    "names of PyTorch's inside": """
import torch
from torch.distributions import constraints, transforms, utils
from torch.utils._pytree import SUPPORTED_NODES, _get_node_type, tree_map
from torch.utils.data.dataloader import _BaseDataLoaderIter, _MultiProcessingDataLoaderIter
from torch.nn.init import _calculate_fan_in_and_fan_out
from torch.nn.modules.module import _IncompatibleKeys, register_module_forward_hook
assert utils._sum_rightmost(torch.ones(2, 3, 4), 2).tolist() == [12.0, 12.0]
assert utils._standard_normal((2, 3), torch.float64, torch.device("cpu")).shape == (2, 3)
assert isinstance(transforms.ExpTransform().inv, transforms._InverseTransform)
assert isinstance(constraints.real_vector, constraints._IndependentConstraint)
assert isinstance(constraints.real, constraints._Real)
assert _get_node_type([1]) in SUPPORTED_NODES and tree_map(abs, [-1]) == [1]
layer = torch.nn.Linear(2, 5)
assert _calculate_fan_in_and_fan_out(layer.weight) == (2, 5)
with torch.nn.modules.module.register_module_forward_hook(lambda module, args, y: y * 0):
    assert layer(torch.ones(2)).tolist() == [0] * 5
assert isinstance(layer.load_state_dict(layer.state_dict()), _IncompatibleKeys)
parse, cpu = torch._C._nn._parse_to, torch.device("cpu")
assert parse("cpu") == (cpu, None, False, None)
assert parse(torch.float64) == (None, torch.float64, False, None)
assert parse(device=cpu, dtype=torch.float32)[:2] == (cpu, torch.float32)
assert parse(torch.ones(1), non_blocking=True) == (cpu, torch.float32, True, None)
assert parse("cpu", torch.float64, memory_format=1) == (cpu, torch.float64, False, 1)
assert isinstance(layer, torch.nn.Module) and type(torch.Tensor) is torch._C._TensorMeta
""",
    "the logs of TensorBoard": """
try:
    import tensorboard
except ModuleNotFoundError:  # as PyTorch's
    for name in ("torch.utils.tensorboard", "torch.utils.tensorboard.summary"):
        with pytest.raises(ModuleNotFoundError, match="No module named 'tensorboard'"):
            __import__(name)
else:
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams
""",
    "an optimizer around another": """
import torch
class Around(torch.optim.Optimizer):
    def __init__(self, inner):
        self.inner = inner
    def step(self, closure=None):
        return self.inner.step(closure)
layer = torch.nn.Linear(2, 1)
layer.bias.data.fill_(0.25)
layer(torch.ones(1, 2)).sum().backward()
Around(torch.optim.SGD(layer.parameters(), 0.5)).step()
assert layer.bias.item() == -0.25
""",
    "types": """
from torch.types import Device, Number, _size
import torch
assert isinstance(3, Number) and isinstance(None, Device) and isinstance(torch.device(0), Device)
assert torch._C.Generator is torch.Generator
""",
    "installing twice": """
import sys, torch
import pyml.as_torch
before = list(sys.meta_path)
pyml.as_torch.install()
assert sys.meta_path == before and sys.modules["torch"] is torch
""",
    "pickle": """
import pickle, torch
layer = torch.nn.Linear(2, 1)
assert type(pickle.loads(pickle.dumps(layer))) is torch.nn.Linear
""",
}
RUNNER = """
import json, sys, traceback
import pyml.as_torch, pytest
failures = {}
for name, text in json.load(open(sys.argv[1])).items():
    try:
        exec(compile(text, name, "exec"), {"pytest": pytest})
    except BaseException:
        failures[name] = traceback.format_exc()
print(json.dumps(failures))
"""


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("as_torch")
    (folder / "programs.json").write_text(json.dumps(PROGRAMS))
    (folder / "runner.py").write_text(RUNNER)
    printed, _ = run(folder / "runner.py", folder / "programs.json")
    return json.loads(printed)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name, failures):
    assert name not in failures, failures[name]


SCRIPT = """
import sys, torch
from torch import nn
print(__name__, sys.argv[1:], torch.__pyml__, nn.Linear(2, 1)(torch.ones(3, 2)).shape[0])
import neighbour
"""


@pytest.fixture
def script(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "neighbour.py").write_text("print('neighbour')")
    path = tmp_path / "folder" / "script.py"
    path.write_text(SCRIPT)
    return path


def test_a_script(script, tmp_path):
    wanted = f"__main__ ['a', '-b'] {pyml.__version__} 3\nneighbour\n"
    assert run("-m", "pyml.as_torch", script, "a", "-b", folder=tmp_path)[0] == wanted
    printed, _ = run("-m", "pyml.as_torch", "-m", "script", "a", "-b", folder=script.parent)
    assert printed == wanted


@pytest.mark.parametrize(
    ("words", "code", "match"),
    [
        ([], 2, "usage"),
        (["-h"], 0, "usage"),
        (["-m"], 2, "usage"),
        (["no.py"], 2, "no file 'no.py'"),
    ],
    ids=lambda value: str(value),
)
def test_usage(words, code, match):
    printed, errors = run("-m", "pyml.as_torch", *words, code=code)
    assert match in (errors if code else printed)


def test_another_torch_is_refused(tmp_path):
    (tmp_path / "torch.py").write_text("")
    _, errors = run("-c", "import torch, pyml.as_torch", code=1, folder=tmp_path)
    assert "RuntimeError: pyml.as_torch: another torch is imported already" in errors
    assert "torch.py); import pyml.as_torch before anything that imports torch" in errors
    run("-c", "import pyml.as_torch, torch; torch.__pyml__", folder=tmp_path)
