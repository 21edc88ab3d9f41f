"""Intel's library, which is not used: pyml has its own kernels."""

from pyml.backends.mps import is_available

__all__ = ["is_available"]
