"""oneDNN, which is not used: pyml has its own kernels. The flags can be set, and do nothing."""

from pyml.backends.mps import is_available

__all__ = ["allow_tf32", "deterministic", "enabled", "is_available"]

enabled = True
deterministic = False
allow_tf32 = True
