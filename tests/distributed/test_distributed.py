"""Data parallel: the same bits for any number of ranks. mpiexec is started, with small programs."""

import re
import sys
from concurrent.futures import thread
from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest

import pyml
from distributed.starting import needs_mpi, output, run
from pyml import distributed, nn
from pyml.distributed.group import Group
from pyml.distributed.tree import cut, owned, tree_sum, turns_of

PROGRAM = "random_net.py"


def digests(*words, ranks=None):
    return output(PROGRAM, *words, ranks=ranks).split()


@pytest.fixture
def group():
    distributed.init_process_group(shard_size=4)
    yield
    distributed.destroy_process_group()


# ---- the tree ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shards", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7, 8, 11])
def test_all_ranks_have_the_sum_of_one(shards, ranks):
    """Sums as texts, and messages as they go: every rank ends with the text of one rank alone."""

    def added(a, b):
        return f"({a}+{b})"

    whole = tree_sum({i: str(i) for i in range(shards)}, 0, shards, added)
    places = [owned(shards, ranks, rank) for rank in range(ranks)]
    assert [i for place in places for i in range(*place)] == list(range(shards))
    sums = [
        None
        if begin == end
        else tree_sum({i: str(i) for i in range(begin, end)}, begin, end, added)
        for begin, end in places
    ]
    todo = [list(turns_of(shards, ranks, rank)) for rank in range(ranks)]
    sent, letters = [False] * ranks, {}
    while any(todo):
        before = sum(map(len, todo))
        for rank, turns in enumerate(todo):
            if turns and not sent[rank]:
                for to in turns[0].to:
                    letters.setdefault((rank, to), []).append(sums[rank])
                sent[rank] = True
            if turns and (turns[0].source is None or letters.get((turns[0].source, rank))):
                turn = turns.pop(0)
                sent[rank] = False
                if turn.source is not None:
                    got = letters[turn.source, rank].pop(0)
                    pair = (sums[rank], got) if turn.is_left else (got, sums[rank])
                    sums[rank] = added(*pair) if turn.adds else got
        assert before > sum(map(len, todo)), "ranks wait for one another"
    assert sums == [whole] * ranks
    assert not any(letters.values())


@pytest.mark.parametrize("rows", [0, 1, 4, 5, 8, 65])
def test_shards_are_all_rows(rows):
    shards = cut(rows, 4)
    sizes = [end - begin for begin, end in shards]
    assert sum(sizes) == rows and shards[0][0] == 0 and shards[-1][1] == rows
    assert max(sizes) <= 4 and max(sizes) - min(sizes) <= 1


# ---- one process ---------------------------------------------------------------------------------


def test_gradients_are_those_of_the_batch(group):
    pyml.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    x, y = pyml.randn(10, 3, dtype=pyml.float64), pyml.randn(10, 1, dtype=pyml.float64)
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    expected = [p.grad for p in net.parameters()]
    net.zero_grad()
    model = distributed.DistributedDataParallel(net)
    own = model.loss(lambda x, y: nn.functional.mse_loss(net(x), y), x, y)
    own.backward()
    assert abs(own.item() - loss.item()) < 1e-14
    for p, gradient in zip(net.parameters(), expected, strict=True):
        assert (p.grad - gradient).abs().max().item() < 1e-14
    with pytest.raises(RuntimeError, match="backward runs once"):
        own.backward()


def test_running_statistics_are_the_mean_over_shards(group):
    norm = nn.BatchNorm1d(2, momentum=1.0)
    model = distributed.DistributedDataParallel(norm)
    x = pyml.arange(16.0).reshape(8, 2)
    model.loss(lambda x: norm(x).sum(), x).backward()
    assert pyml.equal(norm.running_mean, x.mean(0))
    assert norm.num_batches_tracked.item() == 1
    assert pyml.equal(norm.running_var, x[:4].var(0))  # of a shard, and all are the same


def test_what_is_refused(group):
    net, other = nn.Linear(2, 1), nn.Linear(2, 1)
    model = distributed.DistributedDataParallel(net)
    x = pyml.ones(6, 2)
    with pytest.raises(RuntimeError, match="not of the module"):
        model.loss(lambda x: (net(x) + other(x)).mean(), x).backward()
    with pytest.raises(ValueError, match="must return one number"):
        model.loss(net, x)
    with pytest.raises(ValueError, match="same number of rows"):
        model.loss(lambda x, y: net(x).mean(), x, x[:3])
    with pytest.raises(RuntimeError, match="there is a process group"):
        distributed.init_process_group()
    assert all(p.grad is None for p in net.parameters())


def test_the_thread_behind_keeps_no_array(monkeypatch):
    """When its result is there, a recorded step looks who still has what the step computed."""
    group, goes_on, run = Group(None, 4), Event(), thread._WorkItem.run

    def run_slowly(item):
        run(item)
        goes_on.wait(10)

    monkeypatch.setattr(thread._WorkItem, "run", run_slowly)
    group.behind = SimpleNamespace(size=1, rank=0)
    with thread.ThreadPoolExecutor(1) as group.pool:
        arrays = [np.ones(3, "f"), np.ones(2, "f")]
        before = [sys.getrefcount(a) for a in arrays]
        group.start(*arrays, 0, 1)
        group.wait(*arrays, 0)
        assert [sys.getrefcount(a) for a in arrays] == before
        goes_on.set()


@needs_mpi
def test_mpiexec_of_another_mpi(monkeypatch):
    """Each process would train alone, and write the files of the others."""
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "1")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    done = run("mistakes.py", "plain")
    assert done.returncode != 0
    assert "started 2 processes, each of which is alone to the MPI of mpi4py, " in done.stderr


def test_without_a_group():
    with pytest.raises(RuntimeError, match="call init_process_group"):
        distributed.get_rank()
    with pytest.raises(RuntimeError, match="call init_process_group"):
        distributed.DistributedDataParallel(nn.Linear(1, 1))


# ---- several -------------------------------------------------------------------------------------


@needs_mpi
def test_the_same_bits_for_any_number_of_ranks():
    seeds = "1,4,7,9"
    alone = digests(seeds, "eager")
    assert len(set(alone)) == 4
    for ranks, how in ((2, "recorded"), (3, "eager"), (4, "recorded")):
        assert digests(seeds, how, ranks=ranks) == alone, (ranks, how)


@needs_mpi
@pytest.mark.exhaustive
@pytest.mark.parametrize("first", range(0, 100, 10))
def test_the_same_bits_of_many_nets(first):
    seeds = ",".join(map(str, range(first, first + 10)))
    alone = digests(seeds, "eager")
    for ranks in (1, 2, 4, 8):
        for how in ("eager", "recorded"):
            assert digests(seeds, how, ranks=ranks) == alone, (ranks, how)


@needs_mpi
@pytest.mark.parametrize("how", ["raises", "killed", "leaves"])
def test_a_rank_that_dies_ends_the_job(how):
    done = run(PROGRAM, 1, "eager", how, ranks=3)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    if how == "raises":
        assert "ArithmeticError: of one rank" in said
        assert "rank 1 of 3 ends by ArithmeticError, and with it the job" in said
        assert "from the last checkpoint" in said
    if how == "leaves":
        assert re.search("rank . of 3 waits for rank 1, which has ended, and with it the job", said)


@needs_mpi
def test_ranks_that_leave_one_after_another(tmp_path):
    """Nobody waits for one that has left: the job ends well."""
    program = tmp_path / "leaving.py"
    program.write_text(LEAVING)
    said = output(str(program), ranks=3)
    assert sorted(said.split()) == ["0", "1", "2"]


LEAVING = """
import time
from pyml import distributed

distributed.init_process_group()
distributed.barrier()
distributed.destroy_process_group()
distributed.init_process_group()
distributed.barrier()
print(f"{distributed.get_rank()}\\n", end="", flush=True)  # one write: others print, too
time.sleep(0.3 * distributed.get_rank())
"""


MISTAKES = {  # what one rank does, and what is said of it
    "modules": r"DistributedDataParallel: module: rank 0 has \('0.weight', \(4, 3\)",
    "frozen": "DistributedDataParallel: module: rank 0 has .*True.*, rank . has .*False",
    "rows": "loss: rows of the batch: rank 0 has 20, rank . has 19; all ranks must have the same",
    "other parameters": "loss: buffers that change: rank 0 has .0, 1, 2., rank . has ..; all",
    "no backward": "loss: call: rank 0 has .loss, parameters_with_gradients., rank . has .loss",
    "raises": "ArithmeticError: of one rank",
}


@needs_mpi
@pytest.mark.exhaustive
@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("what", MISTAKES)
def test_mistakes_of_one_rank(what, ranks):
    done = run("mistakes.py", what, ranks=ranks)
    assert done.returncode != 0
    assert re.search(MISTAKES[what], done.stderr), done.stderr
    assert "and with it the job" in done.stderr


@needs_mpi
@pytest.mark.exhaustive
@pytest.mark.parametrize("what", ["plain", "unused", "accumulated", "two losses", "clipped"])
def test_by_hand(what):
    alone = output("mistakes.py", what)
    for ranks in (2, 3, 4, 8):  # there are 5 shards, and 1 of the second loss
        assert output("mistakes.py", what, ranks=ranks) == alone
