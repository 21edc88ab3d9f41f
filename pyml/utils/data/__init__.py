"""Data sets and batches of them: pyml.data, by the names of torch.utils.data."""

from pyml.data import collate, dataset, get_worker_info, loader, sampler
from pyml.data.collate import *
from pyml.data.dataset import *
from pyml.data.loader import *
from pyml.data.sampler import *
from pyml.utils.data import distributed
from pyml.utils.data.distributed import DistributedSampler

_FAMILIES = collate, dataset, distributed, loader, sampler

__all__ = ["get_worker_info", *(name for family in _FAMILIES for name in family.__all__)]
