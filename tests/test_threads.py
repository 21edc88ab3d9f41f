"""The pool of threads: how many, from where, after a fork, and from many callers."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from helpers.compare import assert_same_bits
from helpers.forks import HANG, in_child
from pyml import _kernels

PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
linux = pytest.mark.skipif(sys.platform != "linux", reason="affinity and /proc are Linux's")


def run(script, preamble="", **environment):
    clean = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    result = subprocess.run(
        [sys.executable, "-c", preamble + script],
        capture_output=True,
        text=True,
        env={**clean, **environment},
        timeout=HANG,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


PRINT_COUNT = "from pyml import _kernels; print(_kernels.get_num_threads())"


def test_set_and_get():
    for count in (1, 2, 3, 7):
        _kernels.set_num_threads(count)
        assert _kernels.get_num_threads() == count


@linux
def test_the_default_honours_affinity():
    assert 1 <= int(run(PRINT_COUNT)) <= PROCESSORS
    one = f"import os; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}});"
    assert int(run(PRINT_COUNT, one)) == 1


@pytest.mark.parametrize(("asked", "count"), [("1", 1), ("3", 3), ("5,2", 5), (" 2 ", 2)])
def test_omp_num_threads(asked, count):
    assert int(run(PRINT_COUNT, OMP_NUM_THREADS=asked)) == count


@pytest.mark.parametrize("nonsense", ["", "0", "-2", "many", "2x"])
def test_omp_num_threads_that_is_no_count_is_ignored(nonsense):
    assert run(PRINT_COUNT, OMP_NUM_THREADS=nonsense) == run(PRINT_COUNT)


def work(seed=0, n=300):
    """A product large enough for several threads, and its operands."""
    rng = np.random.default_rng(seed)
    x, w, b = rng.normal(size=(n, 256)), rng.normal(size=(n, 256)), rng.normal(size=n)
    return np.empty((n, n)), x, w, b


def check_work(operands):
    y, x, w, b = operands
    y.fill(np.nan)
    _kernels.linear_forward(y, x, w, b)
    np.testing.assert_allclose(
        y, x @ w.T + b, rtol=0, atol=1e-11
    )  # 256 terms of size 1, in another order


@linux
def test_threads_are_made_when_there_is_work_for_them():
    script = """
import os, numpy as np
from pyml import _kernels
threads = lambda: len(os.listdir("/proc/self/task"))
before = threads()
_kernels.set_num_threads(3)
x = np.ones((4, 4)); y = np.empty((4, 4))
_kernels.linear_forward(y, x, x, None)
small = threads() - before
x = np.ones((600, 600)); y = np.empty((600, 600))
_kernels.linear_forward(y, x, x, None)
print(small, threads() - before)
"""
    assert run(script, OMP_NUM_THREADS="1") == "0 2"


# Python 3.12 warns of any fork in a process with threads: that is what is tested here.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
class TestFork:
    def test_a_child_computes_in_parallel_and_so_does_its_parent_afterwards(self):
        _kernels.set_num_threads(3)
        for _ in range(5):
            check_work(work())
            assert in_child(lambda: [check_work(work(seed)) for seed in range(5)]) == 0
            check_work(work(1))

    def test_a_child_of_a_child(self):
        _kernels.set_num_threads(2)
        check_work(work())

        def child():
            check_work(work())
            assert in_child(lambda: check_work(work())) == 0

        assert in_child(child) == 0

    def test_a_fork_while_another_thread_is_in_a_kernel(self):
        _kernels.set_num_threads(2)
        stop = threading.Event()

        def busy():
            operands = work()
            while not stop.is_set():
                _kernels.linear_forward(*operands)

        thread = threading.Thread(target=busy)
        thread.start()
        try:
            codes = [in_child(lambda: check_work(work())) for _ in range(20)]
        finally:
            stop.set()
            thread.join()
        assert codes == [0] * 20


@pytest.mark.parametrize("callers", [2, 8])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_many_python_threads_at_once(callers, threads):
    """Each gets its own right result, with the bits of a lone caller, and none waits for ever."""
    _kernels.set_num_threads(1)
    wanted = []
    for seed in range(callers):
        operands = work(seed, 200)
        _kernels.linear_forward(*operands)
        wanted.append(operands[0].copy())
    _kernels.set_num_threads(threads)
    errors = []

    def caller(seed):
        try:
            operands = work(seed, 200)
            for _ in range(30):
                operands[0].fill(np.nan)
                _kernels.linear_forward(*operands)
                assert_same_bits(operands[0], wanted[seed], f"caller {seed}")
        except BaseException as error:
            errors.append(error)

    workers = [
        threading.Thread(target=caller, args=(seed,), daemon=True) for seed in range(callers)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(HANG)
        assert not worker.is_alive(), "a caller hangs"
    assert not errors, errors[0]


@linux
def test_many_callers_do_not_multiply_the_threads():
    script = """
import os, threading, numpy as np
from pyml import _kernels
_kernels.set_num_threads(3)
before = len(os.listdir("/proc/self/task"))
gate, most = threading.Barrier(6), []
def caller():
    x = np.ones((400, 400)); y = np.empty((400, 400))
    gate.wait()
    for _ in range(20):
        _kernels.linear_forward(y, x, x, None)
        most.append(len(os.listdir("/proc/self/task")))
callers = [threading.Thread(target=caller) for _ in range(6)]
for c in callers: c.start()
for c in callers: c.join()
print(max(most) - before - 6)
"""
    assert int(run(script, OMP_NUM_THREADS="1")) <= 2


def test_the_count_may_change_at_any_time():
    operands = work()
    _kernels.set_num_threads(1)
    _kernels.linear_forward(*operands)
    wanted = operands[0].copy()
    for threads in [2, 5, 1, 3, 2, 16, 1, 4]:
        _kernels.set_num_threads(threads)
        check_work(operands)
        assert_same_bits(operands[0], wanted, f"{threads} threads")


def test_the_gil_is_released():
    """Another Python thread runs while a long kernel does."""
    _kernels.set_num_threads(1)
    x, y = np.ones((1500, 1500)), np.empty((1500, 1500))
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(1)

    thread = threading.Thread(target=tick)
    thread.start()
    ticks.clear()
    _kernels.linear_forward(y, x, x, None)
    during = len(ticks)
    stop.set()
    thread.join()
    assert during > 100
