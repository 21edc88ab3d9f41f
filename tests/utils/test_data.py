import subprocess
import sys

import pytest

import pyml
import pyml.data
from pyml import distributed
from pyml.utils import data


def test_the_names_are_those_of_pyml_data():
    assert pyml.utils.data is data
    for name in set(data.__all__) - {"DistributedSampler"}:
        assert getattr(data, name) is getattr(pyml.data, name)


def test_it_is_imported_when_it_is_used_and_cheap():
    code = (
        "import sys, pyml; before = 'pyml.utils' in sys.modules; pyml.utils.data.DataLoader; "
        "print(before, 'multiprocessing' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


# ---- DistributedSampler --------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 7, 8])
@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
@pytest.mark.parametrize("options", [{"drop_last": True}, {"shuffle": False}, {"seed": 4}])
def test_parts_are_all_rows(rows, ranks, options):
    parts = [data.DistributedSampler(range(rows), ranks, rank, **options) for rank in range(ranks)]
    orders = [list(part) for part in parts]
    assert [len(order) for order in orders] == [len(part) for part in parts]
    assert len({len(order) for order in orders}) == 1
    assert parts[0].total_size == sum(map(len, orders))
    taken = sorted(i for order in orders for i in order)
    if options.get("drop_last"):
        assert len(taken) == rows // ranks * ranks and len(set(taken)) == len(taken)
    else:
        assert set(taken) == set(range(rows)) and len(taken) < rows + ranks


def test_orders_are_of_the_epoch():
    sampler = data.DistributedSampler(range(50), num_replicas=2, rank=1)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert list(data.DistributedSampler(range(50), 2, 1, seed=1)) == list(sampler)


def test_its_group_and_what_is_refused():
    with pytest.raises(RuntimeError, match="DistributedSampler: there is no process group"):
        data.DistributedSampler([1])
    distributed.init_process_group()
    try:
        sampler = data.DistributedSampler("abc", shuffle=False)
    finally:
        distributed.destroy_process_group()
    assert (sampler.num_replicas, sampler.rank, list(sampler)) == (1, 0, [0, 1, 2])
    assert list(data.DistributedSampler([], 2, 0)) == []
    with pytest.raises(ValueError, match="Invalid rank 2: with num_replicas=2 it must be 0 to 1"):
        data.DistributedSampler([1], 2, 2)
    with pytest.raises(TypeError, match="dataset"):
        data.DistributedSampler(iter([1]), 2, 1)
    with pytest.raises(TypeError, match="epoch"):
        sampler.set_epoch("1")
