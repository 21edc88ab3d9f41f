"""Networks in other languages: C, NumPy, ONNX."""

from pyml.export.c_file import Exported, c
from pyml.export.modules import Tracer, rule
from pyml.export.numpy_module import numpy
from pyml.export.onnx_file import onnx

__all__ = ["Exported", "Tracer", "c", "numpy", "onnx", "rule"]
