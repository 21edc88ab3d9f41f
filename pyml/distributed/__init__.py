"""Training by several processes: torch.distributed's names on MPI, and data parallel."""

from pyml.distributed.group import (
    ReduceOp,
    all_reduce,
    barrier,
    broadcast,
    broadcast_object_list,
    destroy_process_group,
    get_rank,
    get_world_size,
    init_process_group,
    is_available,
    is_initialized,
)
from pyml.distributed.parallel import DistributedDataParallel

__all__ = [
    "DistributedDataParallel",
    "ReduceOp",
    "all_reduce",
    "barrier",
    "broadcast",
    "broadcast_object_list",
    "destroy_process_group",
    "get_rank",
    "get_world_size",
    "init_process_group",
    "is_available",
    "is_initialized",
]
