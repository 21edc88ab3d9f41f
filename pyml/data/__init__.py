"""Data sets, their readers, and how to split them."""

from pyml.data.digits import load_digits
from pyml.data.fashion_mnist import load_fashion_mnist
from pyml.data.idx import read_idx
from pyml.data.split import stratified_split

__all__ = ["load_digits", "load_fashion_mnist", "read_idx", "stratified_split"]
