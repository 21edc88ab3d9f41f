"""DataLoader with workers: the same batches, errors, and what is left behind (nothing)."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import pyml
from pyml.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info

# Python 3.12 warns of any fork in a process with threads.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

DATA = TensorDataset(pyml.arange(46.0).reshape(23, 2), pyml.arange(23))


class Item(Dataset):
    """23 samples, each what function(index) is."""

    def __init__(self, function):
        self.function = function

    def __len__(self):
        return 23

    def __getitem__(self, index):
        return self.function(index)


class Numbers(IterableDataset):
    def __init__(self, size=11):
        self.size = size

    def __iter__(self):
        info = get_worker_info()
        return iter(range(info.id, self.size, info.num_workers))


class Unpicklable(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


@pytest.fixture(autouse=True)
def no_process_is_left():
    yield
    gc.collect()
    assert multiprocessing.active_children() == []


def pids(loader):
    """The iterator, and the processes of its workers."""
    iterator = iter(loader)
    return iterator, [process.pid for process in iterator._workers]


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("options", [{}, {"prefetch_factor": 1}, {"persistent_workers": True}])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("dataset", [DATA, Item(lambda i: DATA[i])], ids=["rows", "samples"])
def test_the_same_batches_as_without_workers(dataset, count, options):
    def epochs(**options):
        pyml.manual_seed(1)
        loader = DataLoader(dataset, 4, shuffle=True, **options)
        return [[(x.tolist(), y.tolist()) for x, y in loader] for _ in range(2)]

    assert epochs(num_workers=count, **options) == epochs()


def test_batches_can_be_written_to_and_large():
    loader = DataLoader(TensorDataset(pyml.ones(8, 300_000)), 4, num_workers=2)
    for (x,) in loader:
        x.add_(1)
        assert x.shape == (4, 300_000) and x.amin() == x.amax() == 2


@pytest.mark.parametrize("count", [1, 3])
def test_iterable(count):
    batches = list(DataLoader(Numbers(), 2, num_workers=count))
    assert sorted(i for batch in batches for i in batch.tolist()) == list(range(11))
    assert sorted(DataLoader(Numbers(), None, num_workers=count)) == list(range(11))
    loader = DataLoader(Numbers(), 2, drop_last=True, num_workers=count, persistent_workers=True)
    first = [batch.tolist() for batch in loader]
    assert [batch.tolist() for batch in loader] == first
    assert all(len(batch) == 2 for batch in first)


def test_what_a_worker_is():
    def what(index):
        info = get_worker_info()
        threads = pyml.get_num_threads()
        return info.id, info.num_workers, info.seed, pyml.initial_seed(), threads, os.getpid()

    rows = list(DataLoader(Item(what), None, num_workers=2, collate_fn=tuple))
    assert {row[:2] for row in rows} == {(0, 2), (1, 2)} and len({row[-1] for row in rows}) == 2
    assert all(seed == initial and threads == 1 for _, _, seed, initial, threads, _ in rows)
    seeds = {row[0]: row[2] for row in rows}
    assert seeds[1] == seeds[0] + 1


def test_workers_have_random_numbers_of_their_own():
    def drawn(index):
        return pyml.rand(1).item(), np.random.rand()

    def epoch():
        return list(DataLoader(Item(drawn), None, num_workers=2, collate_fn=tuple))

    pyml.manual_seed(1)
    first, second = epoch(), epoch()
    assert len({*first, *second}) == 46
    pyml.manual_seed(1)
    assert [epoch(), epoch()] == [first, second]


def test_worker_init_fn():
    def init(number):
        get_worker_info().dataset.function = lambda index: 100 * number + index

    got = list(DataLoader(Item(None), None, num_workers=2, worker_init_fn=init))
    assert got == [100 * (i % 2) + i for i in range(23)]

    def fails(number):
        raise OSError("no file")

    with pytest.raises(OSError, match="no file"):
        list(DataLoader(DATA, num_workers=2, worker_init_fn=fails))


def fail(error):
    def function(index):
        if index == 9:
            raise error
        return index

    return function


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize(
    "error",
    [ValueError("sample 9"), KeyError("key"), FileNotFoundError(2, "no", "x.png")],
    ids=repr,
)
def test_an_error_is_raised_as_it_was(error, persistent):
    loader = DataLoader(Item(fail(error)), 2, num_workers=2, persistent_workers=persistent)
    iterator, processes = pids(loader)
    for batch in ([0, 1], [2, 3], [4, 5], [6, 7]):
        assert next(iterator).tolist() == batch
    with pytest.raises(type(error)) as caught:
        next(iterator)
    assert caught.value.args == error.args
    cause = str(caught.value.__cause__)
    assert "in worker 0 of a DataLoader" in cause and "in function" in cause
    assert next(iterator).tolist() == [10, 11]
    assert all(map(lives, processes))
    del iterator, caught
    assert next(iter(loader)).tolist() == [0, 1]
    loader._iterator = None
    gc.collect()
    assert not any(map(lives, processes))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (fail(Unpicklable(1, 2)), "Unpicklable: 1 and 2"),
        (lambda index: lambda: index, "local object"),
    ],
)
def test_what_cannot_be_pickled(function, message):
    loader = DataLoader(Item(function), None, num_workers=1)
    with pytest.raises(Exception, match=message) as caught:
        list(loader)
    assert "worker 0" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (lambda: os._exit(3), "worker 1 .* ended with exit code 3; num_workers=0"),
        (lambda: sys.exit(4), "worker 1 .* ended with exit code 4"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "killed by SIGKILL.*memory is short"),
    ],
)
def test_a_worker_that_dies(end, message, capfd):
    loader = DataLoader(Item(lambda index: end() if index == 9 else index), None, num_workers=2)
    with pytest.raises(RuntimeError, match=message):
        list(loader)


def test_timeout():
    slow = Item(lambda index: time.sleep(60))
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r"worker 0 .*within 0.2 s; set timeout higher"):
        next(iter(DataLoader(slow, num_workers=1, timeout=0.2)))
    assert time.monotonic() - start < 20


def test_as_they_are_ready():
    def sample(index):
        time.sleep(1 if index == 0 else 0)
        return index

    options = {"batch_size": None, "sampler": range(6), "num_workers": 2}
    got = list(DataLoader(Item(sample), in_order=False, **options))
    assert sorted(got) == list(range(6)) and got[0] != 0
    assert list(DataLoader(Item(sample), **options)) == list(range(6))


def test_an_iterator_that_is_dropped():
    iterator, processes = pids(DataLoader(DATA, num_workers=2))
    next(iterator)
    del iterator
    assert not any(map(lives, processes))
    for _ in DataLoader(Item(lambda index: index), num_workers=2):
        break
    stubborn = Item(lambda index: signal.signal(signal.SIGTERM, signal.SIG_IGN) or time.sleep(60))
    iterator, processes = pids(DataLoader(stubborn, num_workers=1))
    time.sleep(0.3)
    del iterator
    assert not any(map(lives, processes))


def test_persistent_workers_stay():
    loader = DataLoader(DATA, 4, num_workers=2, persistent_workers=True)
    iterator, processes = pids(loader)
    next(iterator)
    again, same = pids(loader)  # begins anew
    assert same == processes and len(list(again)) == 6
    assert len(list(loader)) == 6 and all(map(lives, processes))
    del iterator, again, loader
    assert not any(map(lives, processes))


def test_an_iterator_in_a_fork_of_its_process():
    iterator = iter(DataLoader(DATA, num_workers=1))
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            next(iterator)
        except RuntimeError:
            del iterator
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    assert len(list(iterator)) == 23


def test_loaders_side_by_side_and_in_a_thread():
    first, second = (iter(DataLoader(DATA, 4, num_workers=2)) for _ in range(2))
    assert len(list(zip(first, second, strict=True))) == 6
    found = []
    thread = threading.Thread(
        target=lambda: found.extend(DataLoader(DATA, 4, num_workers=1)), daemon=True
    )
    thread.start()
    thread.join(60)
    assert len(found) == 6


SCRIPT = """
import os, sys, time
import pyml as torch
from pyml.utils.data import DataLoader, TensorDataset

class Slow(TensorDataset):
    def __getitem__(self, index):
        time.sleep(SECONDS)
        return super().__getitem__(index)

if __name__ == "__main__":
    iterator = iter(DataLoader(Slow(torch.arange(1000)), num_workers=2))
    print(*[process.pid for process in iterator._workers], flush=True)
    WHAT
"""


@pytest.mark.parametrize(
    ("what", "seconds", "number"),
    [
        ("list(iterator)", 0.01, signal.SIGINT),
        ("list(iterator)", 30, signal.SIGINT),
        ("list(iterator)", 0.01, signal.SIGKILL),
        ("next(iterator)", 0, None),
        ("raise SystemExit(3)", 0.01, None),
    ],
)
def test_no_process_outlives_the_loaders(what, seconds, number, interruptible, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("WHAT", what).replace("SECONDS", str(seconds)))
    with subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        workers = [int(pid) for pid in process.stdout.readline().split()]
        assert len(workers) == 2
        if number == signal.SIGINT:
            time.sleep(0.5)
            os.killpg(process.pid, number)  # as a terminal does
        elif number is not None:
            process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert errors.count("Traceback") == 1 and errors.strip().endswith("KeyboardInterrupt")
    until = time.monotonic() + 30
    while any(map(lives, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(lives, workers))


def test_spawn():
    loader = DataLoader(DATA, 12, num_workers=1, multiprocessing_context="spawn")
    assert [y.tolist() for _, y in loader] == [list(range(12)), list(range(12, 23))]
