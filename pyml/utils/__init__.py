"""What PyTorch has in torch.utils."""

from pyml.utils import data, dlpack

__all__ = ["data", "dlpack"]
