"""What every test starts from: one seed, the best ISA, the default number of threads."""

import gc
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))  # helpers

from helpers.files import module_of
from helpers.sweep import selection
from pyml import _kernels
from pyml.random import default_generator

DOCS = Path(__file__).parent.parent / "docs"

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_addoption(parser):
    group = parser.getgroup("pyml", "a part of the kernel sweeps")
    group.addoption("--isa", help="only this ISA")
    group.addoption("--dtype", choices=["float32", "float64"], help="only this dtype")
    group.addoption("--size", type=int, help="only this size")
    group.addoption("--values", help="only values of this kind: normal, offset, special")
    group.addoption("--kills", type=int, default=5, help="how often a training is killed")
    group.addoption("--attack-seconds", type=float, help="how long each attack lasts")
    group.addoption("--attack-seed", type=int, default=0, help="of what the attacks do")
    group.addoption("--clients", help="the Python whose libraries tests/clients are to play")
    group.addoption(
        "--exhaustive", action="store_true", help="also run the tests marked exhaustive"
    )


def pytest_configure(config):
    config.addinivalue_line("markers", "exhaustive: every float32; minutes; runs with --exhaustive")
    for axis in ("isa", "dtype", "size", "values"):
        setattr(selection, axis, config.getoption(axis))


def pytest_collection_modifyitems(config, items):
    if not config.getoption("exhaustive"):
        skip = pytest.mark.skip(reason="runs with --exhaustive")
        for item in items:
            if "exhaustive" in item.keywords:
                item.add_marker(skip)


def pytest_collection_finish():
    """What is there now stays: the collector, which takes half a second, need not look at it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def stubs():
    """docs/stubs.py, which finds what is public."""
    sys.path.insert(0, str(DOCS))
    try:
        yield module_of(DOCS / "stubs.py")
    finally:
        sys.path.remove(str(DOCS))


@pytest.fixture(autouse=True)
def restored():
    """Each test begins with the same random numbers and leaves the ISA and threads as they were."""
    isa, threads = _kernels.selected_isa(), _kernels.get_num_threads()
    np.random.seed(0)
    default_generator.manual_seed(0)
    yield
    _kernels.select_isa(isa)
    _kernels.set_num_threads(threads)


@pytest.fixture
def interruptible():
    """Ctrl-C interrupts this process and those that it starts.

    Where tests run in the background, as by `nohup` or `&`, it is ignored, and children inherit it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(params=_kernels.available_isas())
def isa(request):
    """Each ISA of this machine, selected."""
    if not selection.keeps(isa=request.param):
        pytest.skip("--isa")
    _kernels.select_isa(request.param)
    return request.param


@pytest.fixture(params=["avx512_bf16", "amx_bf16", "amx_model", "bfmmla"])
def unit(request):
    """What multiplies bfloat16, one after another, selected."""
    before = _kernels.selected_bfloat16()
    try:
        _kernels.select_bfloat16(request.param)
    except ValueError:
        pytest.skip(f"there is no {request.param} here")
    yield request.param
    _kernels.select_bfloat16(before or "none")


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    if not selection.keeps(dtype=request.param):
        pytest.skip("--dtype")
    return np.dtype(request.param)
