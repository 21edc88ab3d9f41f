"""Without PyTorch there is nothing to compare with: these tests are then left out."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["*.py"]
