"""Data sets, their readers, how to split them, and batches of them."""

from pyml.data import (
    collate,
    dataset,
    digits,
    fashion_mnist,
    idx,
    loader,
    mixing,
    sampler,
    split,
)
from pyml.data.collate import *
from pyml.data.dataset import *
from pyml.data.digits import *
from pyml.data.fashion_mnist import *
from pyml.data.idx import *
from pyml.data.loader import *
from pyml.data.mixing import *
from pyml.data.sampler import *
from pyml.data.split import *
from pyml.data.worker import get_worker_info

_FAMILIES = collate, dataset, digits, fashion_mnist, idx, loader, mixing, sampler, split

__all__ = ["get_worker_info", *(name for family in _FAMILIES for name in family.__all__)]
