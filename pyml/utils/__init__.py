"""What PyTorch has in torch.utils."""

from pyml.utils import data

__all__ = ["data"]
