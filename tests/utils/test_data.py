import subprocess
import sys

import pyml
import pyml.data
from pyml.utils import data


def test_the_names_are_those_of_pyml_data():
    assert pyml.utils.data is data
    for name in data.__all__:
        assert getattr(data, name) is getattr(pyml.data, name)


def test_it_is_imported_when_it_is_used_and_cheap():
    code = (
        "import sys, pyml; before = 'pyml.utils' in sys.modules; pyml.utils.data.DataLoader; "
        "print(before, 'multiprocessing' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
