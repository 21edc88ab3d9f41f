"""OpenMP, which is not used: pyml has its own threads."""

from pyml.backends.mps import is_available

__all__ = ["is_available"]
