"""Networks in other languages and files: C, NumPy, ONNX, PyTorch's."""

from pyml.export.c_file import Exported, c
from pyml.export.modules import Tracer, rule
from pyml.export.numpy_module import numpy
from pyml.export.onnx_file import onnx
from pyml.export.onnx_reader import load_onnx
from pyml.export.torch_file import load_torch, save_torch

__all__ = [
    "Exported",
    "Tracer",
    "c",
    "load_onnx",
    "load_torch",
    "numpy",
    "onnx",
    "rule",
    "save_torch",
]
