"""Data sets, their readers, how to split them, and batches of them."""

from pyml.data.collate import default_collate, default_convert
from pyml.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from pyml.data.digits import load_digits
from pyml.data.fashion_mnist import load_fashion_mnist
from pyml.data.idx import read_idx
from pyml.data.loader import DataLoader
from pyml.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from pyml.data.split import stratified_split
from pyml.data.worker import get_worker_info

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "load_digits",
    "load_fashion_mnist",
    "random_split",
    "read_idx",
    "stratified_split",
]
