"""Choosing the ISA, once a process."""

import os
import subprocess
import sys

import numpy as np
import pytest

from pyml import _kernels


def run(script, **environment):
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


PRINT_ISA = "from pyml import _kernels; print(_kernels.selected_isa())"


@pytest.mark.parametrize("isa", _kernels.available_isas())
def test_pyml_isa_forces_one(isa):
    result = run(PRINT_ISA, PYML_ISA=isa)
    assert result.stdout.strip() == isa, result.stderr


@pytest.mark.parametrize("unset", ["", None])
def test_the_default_is_the_best(unset):
    environment = {} if unset is None else {"PYML_ISA": unset}
    os.environ.pop("PYML_ISA", None)
    assert run(PRINT_ISA, **environment).stdout.strip() == _kernels.available_isas()[0]


@pytest.mark.parametrize("name", ["sse9", "AVX2", "avx2 ", "neon512"])
def test_an_unknown_name_is_an_error_that_lists_what_is_available(name):
    result = run(PRINT_ISA, PYML_ISA=name)
    assert result.returncode != 0
    message = result.stderr.strip().splitlines()[-1]
    assert message.startswith("ImportError: PYML_ISA") and repr(name) in message
    assert all(isa in message for isa in _kernels.available_isas())


def test_select_isa():
    for isa in _kernels.available_isas():
        _kernels.select_isa(isa)
        assert _kernels.selected_isa() == isa
    with pytest.raises(ValueError, match=r"available: .*baseline"):
        _kernels.select_isa("none")
    assert _kernels.selected_isa() == isa
    _kernels.select_isa(None)
    assert _kernels.selected_isa() == _kernels.available_isas()[0]


def test_baseline_is_everywhere_and_best_comes_first():
    isas = _kernels.available_isas()
    assert "baseline" in isas and len(set(isas)) == len(isas)
    order = [isa for isa in ("avx512", "avx2", "neon", "baseline") if isa in isas]
    assert [isa for isa in isas if isa in order] == order


def test_lanes():
    for isa, size in [("baseline", 16), ("avx2", 32), ("avx512", 64), ("neon", 16)]:
        if isa in _kernels.available_isas():
            _kernels.select_isa(isa)
            assert (_kernels.lanes("float32"), _kernels.lanes("float64")) == (size // 4, size // 8)


def test_kernel_names_are_distinct():
    names = _kernels.kernel_names()
    assert len(set(names)) == len(names) and "gemm" in names


def test_the_flushing_of_subnormals_stays_inside_kernels(isa):
    """The caller's floating-point state is as before: NumPy still has subnormals."""
    tiny = np.full(1000, 1e-40, np.float32)
    y = np.empty_like(tiny)
    _kernels.unary(_kernels.kernel_names().index("sqrt"), y, tiny, 0, 0)
    assert (y == 0).all()
    assert (tiny * np.float32(0.5) > 0).all()
    assert np.float32(1e-40) + np.float32(0) > 0
