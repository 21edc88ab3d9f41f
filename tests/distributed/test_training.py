"""A Trainer, and `pyml train`, of several processes: one result, one that writes, one end."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import pyml
from distributed.starting import HERE, MPIEXEC, needs_mpi, output, run
from pyml import distributed, nn, optim
from pyml.train import Checkpoint, Trainer

PROGRAM = "training.py"
CHECKPOINT = "checkpoint.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a training prints that nothing has interrupted, of one process without mpiexec."""
    return output(PROGRAM, tmp_path_factory.mktemp("whole"))


@needs_mpi
def test_a_rank_is_killed_and_others_go_on(whole, tmp_path):
    """The checkpoint of two ranks is whole, and three end with the bits of one."""
    done = run(PROGRAM, tmp_path, "killed", ranks=2)
    assert done.returncode != 0
    assert "Killed" in done.stdout + done.stderr  # by mpiexec
    progress = pyml.load_checkpoint(tmp_path / CHECKPOINT, generator=False).progress
    assert len(progress["history"]) == 2
    assert output(PROGRAM, tmp_path, ranks=3) == whole
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", *"12345678"]


@needs_mpi
@pytest.mark.exhaustive
def test_what_one_rank_wants_all_do(tmp_path):
    said = output(PROGRAM, tmp_path, "stops", ranks=2).strip().split("|")
    assert said[1:] == ["3", "the last rank stops"]


@needs_mpi
@pytest.mark.exhaustive
@pytest.mark.parametrize("ranks", [1, 2, 4, 8])
@pytest.mark.parametrize("how", [(), ("weighted",), ("stream",)])
def test_the_same_bits(ranks, how, tmp_path):
    alone, several = tmp_path / "alone", tmp_path / "several"
    alone.mkdir()
    several.mkdir()
    assert output(PROGRAM, several, *how, ranks=ranks) == output(PROGRAM, alone, *how)


@needs_mpi
@pytest.mark.exhaustive
@pytest.mark.parametrize("ranks", [2, 3])
def test_ends(ranks, tmp_path):
    done = run(PROGRAM, tmp_path, "raises", ranks=ranks)
    assert done.returncode != 0
    assert f"rank {ranks - 1} of {ranks} ends by ArithmeticError, and with it" in done.stderr
    done = run(PROGRAM, tmp_path, "interrupted", ranks=ranks)
    assert done.returncode != 0
    assert "KeyboardInterrupt: fit: stopped by Ctrl-C in epoch 3, batch 4" in done.stderr
    (tmp_path / CHECKPOINT).unlink()
    assert output(PROGRAM, tmp_path, "timed", ranks=ranks).endswith("0.2 seconds are over\n")
    (tmp_path / CHECKPOINT).unlink(missing_ok=True)
    done = run(PROGRAM, tmp_path, "other rows", ranks=ranks)
    assert done.returncode != 0
    assert "fit: data: rank 0 has " in done.stderr
    assert not (tmp_path / CHECKPOINT).exists()


@needs_mpi
@pytest.mark.exhaustive
@pytest.mark.parametrize("first", range(0, 100, 10))
def test_killed_at_random_and_resumed(first, whole, tmp_path):
    """A rank, or mpiexec, at any moment; then another number of ranks, until all is done."""
    kills = 0
    for seed in range(first, 10**6):
        choose = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        while (ended := killed_after(choose, folder)) is None:
            kills += 1
            if (folder / CHECKPOINT).exists():
                pyml.load_checkpoint(folder / CHECKPOINT, generator=False)
        assert ended == whole
        if kills >= 10:
            return


def killed_after(choose, folder):
    """What a training prints if it ends before a rank of it is killed; else None."""
    ranks = choose.choice([1, 2, 3, 4])
    words = [MPIEXEC, "-n", str(ranks), sys.executable, str(HERE / PROGRAM), str(folder), "slow"]
    job = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(choose.uniform(0.0, 3.0 + ranks))
    started = children_of(job.pid)
    victims = [job.pid, *(pid for pid in started if is_rank(pid))]
    if job.poll() is None:
        with suppress(ProcessLookupError):
            os.kill(choose.choice(victims), signal.SIGKILL)
    said, error = job.communicate(timeout=300)
    assert not any(is_alive(pid) for pid in started), "a process is left"
    if job.returncode != 0:
        assert "Traceback" not in error, error
        return None
    return said


def children_of(pid):
    """The processes of ours that a starter has started, and those that these have."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    children = [int(word) for word in found.stdout.split()]
    return [*children, *(pid for child in children for pid in children_of(child))]


def is_rank(pid):
    """Whether a process is not one of mpiexec's own."""
    with suppress(OSError):
        return PROGRAM in Path(f"/proc/{pid}/cmdline").read_text()
    return False


def is_alive(pid):
    """Whether a process still runs, a few seconds after its job has ended."""
    for _ in range(100):
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return False
        except OSError:
            return False
        time.sleep(0.1)
    return True


@needs_mpi
def test_the_command(tmp_path):
    options = ("train", "--epochs", "1", "--batch-size", "64", "--no-plot", "--out")
    one = output("pyml", *options, "one", ranks=1, cwd=tmp_path)
    two = output("pyml", *options, "two", ranks=2, cwd=tmp_path)
    assert one.splitlines()[-1] == two.splitlines()[-1]
    assert two.count("test accuracy") == two.count("1,295 images to train") == 1
    name = "model.safetensors"
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert [path.name for path in (tmp_path / "two").iterdir()] == [name]


@needs_mpi
@pytest.mark.exhaustive
def test_the_command_fails_once(tmp_path):
    (tmp_path / "model.safetensors").write_text("")
    done = run("pyml", "train", "--no-plot", "--out", tmp_path, ranks=2)
    assert done.returncode == 2
    assert done.stderr.count("--out names another folder") == 1
    done = run("pyml", "train", "--epocs", ranks=2)
    assert done.returncode == 2 and "did you mean '--epochs'" in done.stderr


# ---- one process ---------------------------------------------------------------------------------


def trainer_of(net, **options):
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    return Trainer(net, nn.MSELoss(), optimizer, **options)


def test_a_trainer_of_a_group_is_the_loop_by_hand(tmp_path):
    x, y = pyml.randn(20, 3), pyml.randn(20, 1)
    made = [nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1)) for _ in range(3)]
    for other in made[1:]:
        other.load_state_dict(made[0].state_dict())
    distributed.init_process_group(shard_size=3)
    try:
        first, second, third = made
        model = distributed.DistributedDataParallel(first)

        def loss_of(x, y):
            return nn.functional.mse_loss(first(x), y)

        optimizer = optim.SGD(first.parameters(), lr=0.1)
        pyml.manual_seed(5)
        for _ in range(2):
            for rows in pyml.randperm(20).split(8):
                optimizer.zero_grad()
                loss = model.loss(
                    lambda x, y: nn.functional.mse_loss(first(x), y), x[rows], y[rows]
                )
                loss.backward()
                optimizer.step()
        callbacks = [Checkpoint(tmp_path / "checkpoint.safetensors")]
        trainer_of(second, callbacks=callbacks).fit(x, y, epochs=2, batch_size=8, seed=5)
        given = trainer_of(distributed.DistributedDataParallel(third))
        assert given.model is third
        given.fit(x, y, epochs=2, batch_size=8, seed=5)
    finally:
        distributed.destroy_process_group()
    for mine, by_trainer, by_given in zip(*(net.parameters() for net in made), strict=True):
        assert pyml.equal(mine, by_trainer) and pyml.equal(mine, by_given)
    state = trainer_of(second)
    state.load_checkpoint(tmp_path / "checkpoint.safetensors")  # without a group it is the same


def test_weights_and_sums_are_of_the_batch():
    x, y, weight = pyml.randn(10, 3).double(), pyml.randn(10, 1).double(), pyml.rand(10)
    for reduction in ("mean", "sum"):
        nets = [nn.Linear(3, 1).double() for _ in range(2)]
        nets[1].load_state_dict(nets[0].state_dict())
        for net, is_of_group in zip(nets, (False, True), strict=True):
            if is_of_group:
                distributed.init_process_group(shard_size=3)
            optimizer = optim.SGD(net.parameters(), lr=0.01)
            trainer = Trainer(net, nn.MSELoss(reduction=reduction), optimizer)
            trainer.fit(x, y, epochs=2, batch_size=10, sample_weight=weight, shuffle=False)
        distributed.destroy_process_group()
        assert (nets[0].weight - nets[1].weight).abs().max().item() < 1e-14


def test_members_are_alone():
    x, y = pyml.randn(12, 3), pyml.randn(12, 1)

    def trained():
        pyml.manual_seed(0)
        net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))
        member = pyml.train.Member(net, lambda p: optim.SGD(p, lr=0.1), seed=1)
        (result,) = pyml.fit_many([member], x, y, loss=nn.MSELoss(), epochs=2, progress=False)
        return result.state["0.weight"].tobytes()

    alone = trained()
    distributed.init_process_group(shard_size=3)
    try:
        assert trained() == alone
    finally:
        distributed.destroy_process_group()
