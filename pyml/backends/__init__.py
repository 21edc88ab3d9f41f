"""Libraries that PyTorch computes with, and pyml does not. Flags do nothing."""

from pyml.backends import cuda, cudnn, mkl, mkldnn, mps, openmp

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
