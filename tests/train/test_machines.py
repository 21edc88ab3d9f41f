"""fit_many and tune on joblib's workers: threads, processes, Dask and Ray; the same bits on each.

Those of Dask and Ray, which have to be installed, and of processes are outside of the ordinary run:
`make machines`.
"""

import functools
import logging
import operator
import os
import pickle
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV

import pyml
from pyml import nn, optim
from pyml.estimators import MLPClassifier
from pyml.optim import lr_scheduler
from pyml.train import EarlyStopping, Member, Uniform, fit_many, mlp, tune

ROWS, MEMBERS, KILLS = 400, 8, 100
OPTIONS = {
    **{"loss": nn.CrossEntropyLoss(), "epochs": 4, "batch_size": 16, "progress": False},
    "validation": 0.25,
}


@pytest.fixture
def data(rng):
    x = rng.normal(size=(ROWS, 5)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] > 0).astype(np.int64)


def members(count=MEMBERS, slow=False):
    return [
        Member(
            functools.partial(mlp, 5, (8,), 2, 0.2),
            functools.partial(optim.Adam, lr=0.01 * (1 + i)),
            functools.partial(lr_scheduler.CosineAnnealingLR, T_max=4),
            callbacks=[
                EarlyStopping(patience=1 + i),
                *([lambda epoch: time.sleep(0.02)] if slow else []),
            ],
            rows=None if i % 2 else np.arange(i, ROWS),
            ema=0.9 if i == 3 else None,
        )
        for i in range(count)
    ]


def same_trained(got, wanted):
    for a, b in zip(got, wanted, strict=True):
        assert a.finished and a.error == b.error and a.history.stopped == b.history.stopped
        for mine, theirs in ((a.state, b.state), (a.averaged or {}, b.averaged or {})):
            assert mine.keys() == theirs.keys()
            for name, value in theirs.items():
                np.testing.assert_array_equal(mine[name], value)
        for name in set(b.history.columns) - {"seconds"}:
            np.testing.assert_array_equal(a.history.column(name), b.history.column(name))


# ---- backends ------------------------------------------------------------------------------------


@contextmanager
def by_name(name):
    with parallel_config(name):
        yield


THEIRS = {}  # modules of the library distributed; tests/ has a package of that name


@contextmanager
def library_distributed():
    """The library, which Dask and its workers import; the package of the tests steps aside."""
    ours = {n: sys.modules.pop(n) for n in [*sys.modules] if n.split(".")[0] == "distributed"}
    path, tests = sys.path[:], Path(__file__).parents[1]
    sys.path[:] = [each for each in path if Path(each).resolve() != tests]
    sys.modules.update(THEIRS)
    try:
        yield pytest.importorskip("distributed", reason="distributed is not installed")
    finally:
        for name in [n for n in sys.modules if n.split(".")[0] == "distributed"]:
            THEIRS[name] = sys.modules.pop(name)
        sys.modules.update(ours)
        sys.path[:] = path


@contextmanager
def dask(n_workers=2):
    options = {"n_workers": n_workers, "threads_per_worker": 1, "dashboard_address": None}
    options["silence_logs"] = logging.CRITICAL
    with (
        library_distributed() as distributed,
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster) as client,
        parallel_config("dask"),
    ):
        yield client


@contextmanager
def ray():
    os.environ["RAY_AUTH_MODE"] = "disabled"
    machines = pytest.importorskip("ray", reason="ray is not installed")
    from ray.util.joblib import register_ray

    register_ray()
    machines.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        with parallel_config("ray"):
            yield
    finally:
        machines.shutdown()


HEAVY = [pytest.mark.exhaustive, pytest.mark.filterwarnings("default")]
BACKENDS = [
    pytest.param(functools.partial(by_name, "threading"), id="threading"),
    pytest.param(functools.partial(by_name, "loky"), id="loky", marks=HEAVY),
    pytest.param(functools.partial(by_name, "multiprocessing"), id="multiprocessing", marks=HEAVY),
    pytest.param(dask, id="dask", marks=HEAVY),
    pytest.param(ray, id="ray", marks=HEAVY),
]
SPACE = {"lr": Uniform(1e-3, 1.0, log=True), "width": [4, 8]}
SEARCHES = [
    {"trials": 6},
    {"trials": 9, "halving": 2, "at_once": 4},
]


def member_of(config):
    make = functools.partial(optim.SGD, lr=config["lr"])
    return Member(functools.partial(mlp, 5, (config["width"],), 2), make)


@pytest.mark.filterwarnings("ignore:autocast:UserWarning")  # where nothing multiplies bfloat16
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_on_all_workers(backend, data, tmp_path):
    """Members, failures, files, double precision, autocast, searches, and an estimator."""
    wanted, double = fit_many(members(), *data, **OPTIONS), data[0].astype(np.float64)
    given, frozen = OPTIONS | {"epochs": 1}, {"n_jobs": 2, "checkpoint": tmp_path}
    with backend():
        same_trained(fit_many(members(), *data, n_jobs=2, **OPTIONS), wanted)
        for _ in range(2):  # the second time from files
            same_trained(fit_many(members(), *data, **OPTIONS, **frozen), wanted)
        assert len([*tmp_path.glob("member-*")]) == MEMBERS
        models = [mlp(5, (8,), 2) for _ in range(2)]
        given_models = [
            Member(m, functools.partial(optim.SGD, lr=1e38 * i)) for i, m in enumerate(models)
        ]
        trained = fit_many(given_models, *data, n_jobs=2, **given)
        assert trained[0].error is None and "training loss is" in trained[1].error
        assert trained[0].member is given_models[0]
        for name, tensor in models[0].state_dict().items():
            np.testing.assert_array_equal(tensor.numpy(), trained[0].state[name])
        with pytest.raises(KeyError, match="mine"):
            fit_many(
                [Member(models[0], optim.Adam, callbacks=[operator.itemgetter("mine")])],
                *data,
                n_jobs=2,
                **given,
            )
        with pyml.autocast():
            found = fit_many(members(2), *data, n_jobs=2, **given)
            same_trained(found, fit_many(members(2), *data, **given))
        dtype = pyml.get_default_dtype()
        pyml.set_default_dtype(pyml.float64)
        try:
            found = fit_many(members(2), double, data[1], n_jobs=2, **given)
            same_trained(found, fit_many(members(2), double, data[1], **given))
        finally:
            pyml.set_default_dtype(dtype)
        for search in SEARCHES:
            both = [
                tune(SPACE, member_of, *data, **search, **how, **OPTIONS)
                for how in ({"n_jobs": 2}, {})
            ]
            assert both[0].table() == both[1].table()
        options = {"hidden_layer_sizes": (8,), "max_iter": 400, "tol": 0.01, "random_state": 0}
        search = GridSearchCV(MLPClassifier(**options, n_ensemble=2), {"alpha": [1e-4, 1]}, cv=2)
        scores = [search.set_params(n_jobs=n).fit(*data).cv_results_ for n in (2, None)]
        assert np.array_equal(*(each["mean_test_score"] for each in scores))


def test_callbacks_that_train_members_on_their_thread(data):
    """The only worker is this thread: members inside have recordings and draws of their own."""
    [wanted] = fit_many(members(1), *data, **OPTIONS)
    inside = []

    def train(epoch):
        inside.extend(fit_many(members(1), *data, n_jobs=1, **OPTIONS))

    [outer] = members(1)
    outer.callbacks.append(train)
    same_trained(fit_many([outer], *data, n_jobs=1, **OPTIONS), [wanted])
    same_trained(inside, [wanted] * len(inside))
    assert len(inside) == len(wanted.history)


def test_time_ends_members_on_workers(data):
    options = OPTIONS | {"epochs": 10**6, "max_seconds": 0.5}
    with parallel_config("threading"):
        trained = fit_many([Member(plain, optim.Adam)] * 4, *data, n_jobs=2, **options)
    assert not trained.finished
    assert {each.history.stopped for each in trained} <= {"0.5 seconds are over", ""}


def plain():
    return mlp(5, (8,), 2)


def test_members_are_small():
    """Those that wait, and what comes back: weights and history."""
    [member] = members(1)
    member.rows, rows = None, member.rows
    assert len(pickle.dumps(member)) < 1000
    member.rows = rows
    assert len(pickle.dumps(member)) < 1000 + rows.nbytes


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_jobs": 0}, ValueError, "n_jobs is 0"),
        ({"n_jobs": 1.5}, TypeError, "n_jobs"),
        ({"n_jobs": 2, "threads": 2}, ValueError, "threads and n_jobs are given"),
    ],
)
def test_wrong_arguments(options, error, message, data):
    with pytest.raises(error, match=message):
        fit_many(members(1), *data, **OPTIONS, **options)
    with pytest.raises(error, match=message):
        tune(SPACE, member_of, *data, trials=1, **OPTIONS, **options)


# ---- workers that die ----------------------------------------------------------------------------


class Workers:
    """Two workers of Dask, as they are started on machines, which are killed at random.

    Another is started in the place of each.
    """

    def __init__(self, address):
        self.command = [sys.executable, "-m", "distributed.cli.dask_worker", address]
        self.command += ["--no-nanny", "--no-dashboard", "--nthreads=1"]
        self.running = [self.start() for _ in range(2)]
        self.kills, self.draw, self.over = 0, random.Random(0), threading.Event()
        self.killer = threading.Thread(target=self.kill_some)

    def start(self):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(self.command, **quiet, cwd="/")

    def kill_some(self):
        while self.kills < KILLS and not self.over.wait(self.draw.uniform(0.2, 2)):
            i = self.draw.randrange(2)
            self.running[i].kill()
            self.running[i].wait()
            self.kills += 1
            self.running[i] = self.start()

    def __enter__(self):
        self.killer.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.killer.join()
        for each in self.running:
            each.kill()
            each.wait()


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("default")
def test_killed_workers_of_dask_lose_nothing(data, tmp_path):
    """A call ends where all that had its data are dead, or none is there; the next one goes on."""
    pytest.importorskip("dask", reason="dask is not installed")
    from dask import config

    wanted, calls, resumed = fit_many(members(16), *data, **OPTIONS), 0, []
    many = config.set({"distributed.scheduler.allowed-failures": 10**6})
    with many, dask(n_workers=0) as client, Workers(client.scheduler.address) as workers:
        while workers.kills < KILLS:
            folder, found = tmp_path / str(calls), None
            calls += 1
            while found is None:
                before = finished_in(folder)
                try:
                    found = fit_many(
                        members(16, slow=True), *data, n_jobs=2, checkpoint=folder, **OPTIONS
                    )
                except Exception as error:  # of dask and joblib, of several kinds
                    resumed.append(type(error).__name__)
                assert before.items() <= finished_in(folder).items()  # none is written again
            same_trained(found, wanted)
            print(
                workers.kills, "kills,", calls, "calls, resumed after", Counter(resumed), flush=True
            )


def finished_in(folder):
    """{file of a member: when it was written}"""
    return {path: path.stat().st_mtime_ns for path in folder.glob("member-*.safetensors")}
