import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pyml
from pyml import _kernels, config


def test_threads():
    config.set_num_threads(3)
    assert config.get_num_threads() == 3 == _kernels.get_num_threads()


@pytest.mark.parametrize("count", [0, -1, 2**31, 2**80])
def test_threads_out_of_range(count):
    before = config.get_num_threads()
    with pytest.raises(ValueError, match="count is"):
        config.set_num_threads(count)
    assert config.get_num_threads() == before


@pytest.mark.parametrize("count", [1.5, "2", None])
def test_threads_of_another_type(count):
    with pytest.raises(TypeError, match="must be an integer"):
        config.set_num_threads(count)


def test_show_config_prints_what_it_returns(capsys):
    values = pyml.show_config(mode="dicts")
    assert values["pyml"] == pyml.__version__
    assert values["isa"] in values["isas available"]
    assert values["compiler"][0].isalpha()
    assert pyml.show_config() is None
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == list(values)
    assert lines[0].split() == ["pyml", pyml.__version__]


def test_show_config_unknown_mode():
    with pytest.raises(ValueError, match="mode is 'json'"):
        pyml.show_config(mode="json")


def test_importing_leaves_out_what_takes_long():
    """numpy.ma takes as long as half of pyml."""
    code = "import sys, pyml; from pyml import nn, optim; print('numpy.ma' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout == "False\n", found.stderr


ELSEWHERE = """
import sys
from importlib.machinery import PathFinder
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, [{!r}]) if name.count(".") == 1 else None
sys.meta_path.append(Finder)
"""


@pytest.mark.parametrize("code", ["", ELSEWHERE.format(str(Path(pyml.__file__).parent))])
def test_the_source_that_is_not_compiled_says_so(tmp_path, code):
    """As for who stands in the folder of the source, where Python looks first; also where another
    one is installed editable, by a finder that gives all modules of the package `pyml` itself."""
    (tmp_path / "pyml").mkdir()
    shutil.copy(Path(pyml.__file__), tmp_path / "pyml")
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-S", "-c", f"{code}import pyml"]  # -S: no other finder
    found = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert found.returncode == 1 and "Traceback" in found.stderr
    last = found.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: {tmp_path / 'pyml'} is pyml's source, which is not compi")


def test_words_of_what_is_so_anyway():
    """Programs set them; they are checked, and what is said of them is true."""
    pyml.set_num_interop_threads(2)
    assert pyml.get_num_interop_threads() == 1
    with pytest.raises(ValueError, match="set_num_interop_threads: count is 0"):
        pyml.set_num_interop_threads(0)
    with pytest.raises(TypeError, match="set_num_interop_threads: count is '2'"):
        pyml.set_num_interop_threads("2")
    for mode in ("default", 0, "error"):
        pyml.set_deterministic_debug_mode(mode)
    assert pyml.get_deterministic_debug_mode() == 2
    assert not pyml.is_deterministic_algorithms_warn_only_enabled()
    with pytest.raises(ValueError, match="debug_mode is 'no'"):
        pyml.set_deterministic_debug_mode("no")
    assert pyml.set_flush_denormal(True) is True
    assert pyml.set_flush_denormal(False) is False
    assert pyml.nn.functional.relu(pyml.tensor([1e-40])) == 0
