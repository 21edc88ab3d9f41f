"""The shards of a rank, computed side by side, where a layer needs all of them: SyncBatchNorm."""

from pyml import ops
from pyml._kernels import is_autocast_enabled, set_autocast_enabled
from pyml.grad_mode import is_grad_enabled, is_tracked, no_grad, set_grad_enabled
from pyml.nn import functional as F
from pyml.nn.norm import shards as parts_of_thread
from pyml.ops.numpys import by_numpy
from pyml.tensor import Node, Tensor

__all__ = ["Together"]


class Together:
    """The functions of a rank's shards, each of which waits at a SyncBatchNorm for all others.

    Each runs in a coroutine of its own, all on this thread, one at a time: a shard goes on until it
    comes to such a layer, then the next one does.

    Args:
        run: the Run.
        functions: {shard: function}, of which each returns a loss.
    """

    def __init__(self, run, functions):
        try:
            from contextvars import copy_context

            import greenlet
        except ImportError as error:
            raise ImportError(
                f"SyncBatchNorm: shards that wait for one another need greenlet, which cannot be "
                f"imported ({error}); pip install 'pyml-nn[mpi]'"
            ) from error
        self.run, self.here = run, greenlet.getcurrent()
        self.strands = {}
        for shard, function in functions.items():
            strand = self.strands[shard] = greenlet.greenlet(function)
            strand.gr_context = copy_context()

    def values(self):
        """What the functions return, in the order of the shards."""
        before, parts_of_thread.wait = parts_of_thread.wait, self.wait
        try:
            given = dict.fromkeys(self.strands, ())
            while True:
                got = {shard: self.advanced(shard, *what) for shard, what in given.items()}
                if all(strand.dead for strand in self.strands.values()):
                    return list(got.values())
                given = self.moments_for(got)
        finally:
            parts_of_thread.wait = before
            for shard, strand in self.strands.items():
                if strand:  # has begun, and not ended
                    with self.run.as_shard(shard):
                        strand.throw()

    def advanced(self, shard, *what):
        """Runs a shard's function until it waits, or returns."""
        modes = modes_of_thread()
        try:
            with self.run.as_shard(shard):
                return self.strands[shard].switch(*what)
        finally:
            set_modes(*modes)

    def wait(self, layer, x):
        """In a shard: its input, and the mean and variance of all, when all have come there."""
        modes = modes_of_thread()
        found = self.here.switch((layer, x))
        set_modes(*modes)
        return found

    def moments_for(self, got):
        """{shard: (output,)} of {shard: (layer, input)}."""
        layers = {None if self.strands[shard].dead else id(each[0]) for shard, each in got.items()}
        if len(layers) > 1:
            raise RuntimeError(
                "SyncBatchNorm: some shards of the batch come to a layer, and others do not; all "
                "must compute the same"
            )
        layer = next(iter(got.values()))[0]
        xs, mean, var = over_shards(self.run, layer, [x for _, x in got.values()])
        return {shard: ((x, mean, var),) for shard, x in zip(got, xs, strict=True)}


def modes_of_thread():
    return is_grad_enabled(), is_autocast_enabled()


def set_modes(grad, autocast):
    set_grad_enabled(grad)
    set_autocast_enabled(autocast)


# ---- the statistics ------------------------------------------------------------------------------


def over_shards(run, layer, xs):
    """What a SyncBatchNorm computes with, of the inputs of a rank's shards: these, and the mean and
    variance of all shards, as constants. That they depend on the inputs is what Statistics adds."""
    place = run.begin, run.end, run.shards
    with no_grad():
        own = ops.stack([moments(x) for x in xs])
        dtype = xs[0].dtype
        found = by_numpy("SyncBatchNorm", run.group.moments_of, (own.array,), *place, dtype)
        count, mean, var, unbiased = (Tensor._on(a) for a in found)
    run.followed.append((layer, mean, unbiased))
    if is_tracked(*xs):
        xs = Statistics(run, xs, count, mean, var, layer.eps).passing()
    return xs, mean, var


def moments(x):
    """(1 + 3 c): how many values a channel has, their means, and the sums and sums of squares of
    their deviations from these. The sums are what the means lack by rounding."""
    rows = [d for d in range(x.ndim) if d != 1]
    mean = x.mean(rows, keepdim=True)
    deviations = x - mean
    sums = deviations.sum(rows), (deviations * deviations).sum(rows)
    count = ops.full((1,), x.numel() // x.shape[1], dtype=x.dtype)
    return ops.cat([count, mean.reshape(-1), *sums])


class Statistics(Node):
    """The mean and variance of a batch, from the inputs of its shards x_i.

    With g_i the gradients of the x_i where these are constants, and h_i = (x_i - mean) / sqrt(var +
    eps), the gradients are g_i - mean(g) - h_i mean(g h), with means over all n rows of the batch:
    Ioffe & Szegedy 2015 (arXiv:1502.03167), section 3, collected by x.
    """

    def __init__(self, run, xs, count, mean, var, eps):
        self.run, self.xs, self.moments = run, xs, (count, mean, var, eps)
        self.given = {}

    def passing(self):
        """The inputs, whose gradients come here before they go on."""
        self.mark = ops.zeros((), dtype=self.xs[0].dtype)
        self._connect(self.mark, tuple(self.xs))
        passed = []
        for i, x in enumerate(self.xs):
            y = x.detach()
            Passed(self, i)._connect(y, (self.mark,))
            passed.append(y)
        return passed

    def _gradients(self, _):
        """Called when all Passed have been: they lead here, and were made later."""
        run, xs, (count, mean, var, eps) = self.run, self.xs, self.moments
        gs = [self.given.get(i) for i in range(len(xs))]
        gs = [ops.zeros_like(x) if g is None else g for x, g in zip(xs, gs, strict=True)]
        with no_grad():
            own = []
            for x, g in zip(xs, gs, strict=True):
                rows = [d for d in range(x.ndim) if d != 1]
                h = F.batch_norm(x, mean, var, eps=eps)
                own.append(ops.stack([g.sum(rows), (g * h).sum(rows)]))
            place = run.begin, run.end, run.shards
            total = by_numpy("SyncBatchNorm", run.group.total_of, (ops.stack(own).array,), *place)
            bias, weight = (Tensor._on(total) / count).unbind()
            return tuple(
                g - F.batch_norm(x, mean, var, weight, bias, eps=eps)
                for x, g in zip(xs, gs, strict=True)
            )


class Passed(Node):
    """An input of a layer, whose gradient waits for those of the other shards."""

    def __init__(self, statistics, number):
        self.statistics, self.number = statistics, number

    def _gradients(self, dy):
        self.statistics.given[self.number] = dy
        return (ops.zeros((), dtype=dy.dtype),)
