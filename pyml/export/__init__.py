"""Networks in other languages and files: C, NumPy, ONNX, PyTorch's, Keras', Arrow's."""

from pyml.export.arrow import from_arrow, to_arrow
from pyml.export.c_file import Exported, c
from pyml.export.keras_file import load_keras
from pyml.export.modules import Tracer, rule
from pyml.export.npz_file import load_npz, save_npz
from pyml.export.numpy_module import numpy
from pyml.export.onnx_file import onnx
from pyml.export.onnx_reader import load_onnx
from pyml.export.torch_file import load_torch, save_torch

__all__ = [
    *("Exported", "Tracer", "c", "from_arrow", "load_keras", "load_npz", "load_onnx"),
    *("load_torch", "numpy", "onnx", "rule", "save_npz", "save_torch", "to_arrow"),
]
