from collections.abc import Iterator, Sized
from pyml.data import Sampler
from pyml.data import BatchSampler as BatchSampler
from pyml.data import ChainDataset as ChainDataset
from pyml.data import ConcatDataset as ConcatDataset
from pyml.data import DataLoader as DataLoader
from pyml.data import Dataset as Dataset
class DistributedSampler(Sampler[int]):
    def __init__(self, dataset: Sized, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = True, seed: int = 0, drop_last: bool = False) -> None: ...
    @property
    def num_samples(self) -> int: ...
    @property
    def total_size(self) -> int: ...
    def set_epoch(self, epoch: int) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[int]: ...
    dataset: Sized
    num_replicas: int
    shuffle: bool
    drop_last: bool
    rank: int
    seed: int
    epoch: int
from pyml.data import IterableDataset as IterableDataset
from pyml.data import RandomSampler as RandomSampler
from pyml.data import Sampler as Sampler
from pyml.data import SequentialSampler as SequentialSampler
from pyml.data import StackDataset as StackDataset
from pyml.data import Subset as Subset
from pyml.data import SubsetRandomSampler as SubsetRandomSampler
from pyml.data import TensorDataset as TensorDataset
from pyml.data import WeightedRandomSampler as WeightedRandomSampler
from pyml.data import default_collate as default_collate
from pyml.data import default_convert as default_convert
from pyml.data import get_worker_info as get_worker_info
from pyml.data import random_split as random_split
