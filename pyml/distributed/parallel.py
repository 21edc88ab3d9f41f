"""Data parallel: a batch is cut into micro-shards, and ranks compute some of them each."""

from contextlib import contextmanager
from functools import partial
from itertools import chain

import numpy as np

from pyml.backward import run_backward
from pyml.distributed import group as groups
from pyml.distributed.together import Together
from pyml.distributed.tree import cut, nodes_of, owned, tree_sum
from pyml.grad_mode import is_grad_enabled, no_grad
from pyml.nn.module import Module
from pyml.nn.norm import SyncBatchNorm
from pyml.ops import add, stack
from pyml.ops.arrays import checked_tensor
from pyml.ops.numpys import by_numpy
from pyml.options import check_choice
from pyml.random import default_generator, draws
from pyml.tensor import Node, Tensor

__all__ = ["DistributedDataParallel"]

BUCKET_BYTES = 256 << 10  # of gradients that are one message: its latency is then a small part
BUCKET_ARRAYS = 15  # of what one call of a program takes
SHARD_SEED = 0x9E3779B97F4A7C15  # between the seeds of two shards: 2**64 / golden ratio, odd
STEP_WORDS = 1 << 32  # of the generator, between two steps: a shard draws fewer


class DistributedDataParallel(Module):
    """A module that several processes train together, with the bits of one.

    Each process is given the whole batch. It is cut into micro-shards of at most the rows that
    init_process_group says, each rank computes some of them, and gradients are added up in a binary
    tree over the shards, of which each rank has one node: for 1, 2, 3, 4, 8, ... ranks, and any
    number of threads, the bits are the same. While backward goes on, gradients that are whole are
    on their way already, by layer. `loss` is recorded by pyml.record, and so are its messages.

    A shard is a batch of its own: BatchNorm normalises by the statistics of the shard, as
    PyTorch's does by those of the process, and running statistics are the mean of what the shards
    make of them; nn.SyncBatchNorm normalises by those of the whole batch. Dropout draws for each
    shard from a seed of its own, so that a row's mask depends on where the row lies in the batch.

    Weights and buffers begin as those of rank 0, and so does the default generator.

    Args:
        module: a Module.

    Attributes:
        module: it.

    Raises:
        RuntimeError: if there is no process group; if modules of ranks differ in form.
        TypeError: if module is no Module.

    Example:
        >>> from pyml import distributed
        >>> distributed.init_process_group()
        >>> net = nn.Linear(2, 1)
        >>> model = distributed.DistributedDataParallel(net)
        >>> x, y = pyml.ones(4, 2), pyml.zeros(4, 1)
        >>> model.loss(lambda x, y: nn.functional.mse_loss(net(x), y), x, y).backward()
        >>> net.weight.grad.shape
        (1, 2)
        >>> distributed.destroy_process_group()
    """

    def __init__(self, module):
        super().__init__()
        if not isinstance(module, Module):
            raise TypeError(
                f"DistributedDataParallel: module is a {type(module).__name__}, not a Module"
            )
        group = groups.the_group("DistributedDataParallel")
        named = chain(module.named_parameters(), module.named_buffers())
        form = [(name, t.shape, str(t.dtype), t.requires_grad) for name, t in named]
        group.check_same("DistributedDataParallel", module=form)
        self.module = module
        if group.size > 1:
            with no_grad():
                for t in chain(module.parameters(), module.buffers()):
                    groups.broadcast(t.detach())
            state = [default_generator.get_state()]
            groups.broadcast_object_list(state)
            default_generator.set_state(state[0])

    def forward(self, *args, **kwargs):
        """module(*args, **kwargs), in this process alone: to predict and to evaluate."""
        return self.module(*args, **kwargs)

    def loss(self, function, *batch, reduction="mean"):
        """The loss of a batch, a Tensor of one number, the same in all ranks; backward() follows.

        Args:
            function: called with the rows of a shard of each of `batch`; returns the loss of these
                rows, one number. It computes with `module`, and has no other parameters.
            batch: Tensors of the whole batch, a row each.
            reduction: "mean": losses of the shards are means over rows, and so is the result; or
                "sum". Default: "mean".

        Raises:
            TypeError: if one of the batch is no Tensor.
            ValueError: if they differ in rows, or the loss is not one number.
            RuntimeError: if there is no process group; if parameters take part that are not of the
                module; for second derivatives; if ranks have batches of other sizes, or backward
                reaches other parameters.
        """
        who = "loss"
        group = groups.the_group(who)
        batch = [checked_tensor(t, who, "one of the batch") for t in batch]
        rows = {len(t) if t.ndim else None for t in batch}
        if len(rows) != 1 or None in rows:
            raise ValueError(
                f"{who}: the batch has the shapes {', '.join(str(t.shape) for t in batch)}, all "
                "must have the same number of rows"
            )
        check_choice(who, "reduction", reduction, ("mean", "sum"))
        (rows,) = rows
        group.check_same(who, rows_of_the_batch=rows)
        shards = cut(rows, group.shard_size)
        begin, end = owned(len(shards), group.size, group.rank)
        # who has no shard computes the first again, so that all ranks make the same calls
        local = range(begin, end) if begin < end else range(1)
        run = Run(self.module, group, len(shards), begin, end)

        def loss_of(shard):
            first, last = shards[shard]
            value = checked_tensor(
                function(*(t[first:last] for t in batch)), who, "what function returns"
            )
            if value.numel() != 1:
                raise ValueError(
                    f"{who}: function returns shape {value.shape}, it must return one number"
                )
            share = (last - first) / rows if reduction == "mean" and rows else 1.0
            return value.reshape(()) * share

        values = run.values_of({shard: partial(loss_of, shard) for shard in local}, rows)
        run.settle_generator()
        run.settle_buffers()
        return run.joined(values)


class Run:
    """One step of a rank: its shards, and the parameters and buffers that each of them has."""

    def __init__(self, module, group, shards, begin, end):
        self.group, self.shards, self.begin, self.end = group, shards, begin, end
        named = chain(
            module.named_parameters(remove_duplicate=False),
            module.named_buffers(remove_duplicate=False),
        )
        self.places = []  # (owner, name, tensor)
        for key, t in named:
            path, _, name = key.rpartition(".")
            self.places.append((module.get_submodule(path), name, t))
        self.parameters = list({id(t): t for *_, t in self.places if t.requires_grad}.values())
        common = [m for m in module.modules() if isinstance(m, SyncBatchNorm)]
        self.waits = bool(common)  # whether shards wait for one another
        common = {id(b) for m in common for b in m.buffers(recurse=False)}  # the same in all shards
        own = {id(t): t for *_, t in self.places if not t.requires_grad and id(t) not in common}
        self.buffers = list(own.values())
        self.followed = []  # (SyncBatchNorm, mean, variance) of the batch
        self.copies = {}  # shard -> [of the buffers]
        self.own = {}  # shard -> {id of a parameter or buffer: what the shard has in its place}
        self.generators, self.draws = {}, draws.count

    def values_of(self, functions, rows):
        """What {shard: function} return, each called as its shard, in the order of the shards."""
        if self.waits and rows:
            return Together(self, functions).values()
        values = []
        for shard, function in functions.items():
            with self.as_shard(shard):
                values.append(function())
        return values

    @contextmanager
    def as_shard(self, shard):
        """The module computes with this shard's own parameters and buffers, and draws its own."""
        if shard not in self.own:
            self.own[shard] = self.made_for(shard)
        mine = self.own[shard]
        before = draws.state
        draws.state = lambda: self.generator_of(shard)
        try:
            for owner, name, t in self.places:
                owner.__dict__[name] = mine.get(id(t), t)
            yield
        finally:
            draws.state = before
            for owner, name, t in self.places:
                owner.__dict__[name] = t

    def made_for(self, shard):
        """{id: tensor} of a shard's own parameters and buffers."""
        mine = {}
        for i, p in enumerate(self.parameters):
            t = mine[id(p)] = p.detach()
            if is_grad_enabled():
                Share(i, shard)._connect(t, (p,))
        with no_grad():
            copies = self.copies[shard] = [b.clone() for b in self.buffers]
        mine.update((id(b), copy) for b, copy in zip(self.buffers, copies, strict=True))
        return mine

    def generator_of(self, shard):
        """The state that a shard draws from."""
        if shard not in self.generators:
            state = default_generator._state
            self.generators[shard] = by_numpy("loss", shard_state, (state,), shard)
        return self.generators[shard]

    def settle_generator(self):
        """The default generator goes on behind what the shards have drawn."""
        if self.generators:
            by_numpy("loss", advance, (default_generator._state,), changes=True)

    @no_grad()
    def settle_buffers(self):
        """Buffers that shards have changed become the mean over the shards, counts the same."""
        for layer, mean, var in self.followed:
            layer._follow(mean, var)
        group = self.group
        versions = next(iter(self.copies.values()))
        changed = [i for i, copy in enumerate(versions) if copy._changes() > 0]
        if self.buffers:
            group.check_same("loss", buffers_that_change=changed)
        totals = {}
        for i in changed:
            if not self.buffers[i].is_floating_point():
                self.buffers[i].copy_(versions[i])
            elif self.begin < self.end:
                parts = {shard: copies[i] for shard, copies in self.copies.items()}
                totals[i] = tree_sum(parts, self.begin, self.end, add)
            else:
                totals[i] = versions[i]
        kinds = {}
        for i, t in totals.items():
            if t is versions[i]:
                totals[i] = t = t.clone()
            kinds.setdefault(t.dtype, []).append(t)
        if group.size > 1:
            for same in kinds.values():
                for k in range(0, len(same), BUCKET_ARRAYS):
                    arrays = tuple(t.array for t in same[k : k + BUCKET_ARRAYS])
                    n = len(arrays)
                    by_numpy("loss", group.add_at_once, arrays, self.shards, changes=n)
        for i, t in totals.items():
            self.buffers[i].copy_(t * (1 / self.shards))

    def joined(self, values):
        """The loss of the batch, from those of this rank's shards, connected to the parameters."""
        with no_grad():
            own = stack(values)
            place = self.begin, self.end, self.shards
            total = by_numpy("loss", self.group.loss_of, (own.array,), *place)
        value = Tensor._on(total)
        tracked = [v for v in values if v.requires_grad]
        if tracked and len(tracked) == len(values):
            Batch(self, values)._connect(value, tuple(self.parameters))
        return value

    # ---- backward --------------------------------------------------------------------------------

    def gradients(self, values, dy):
        """Those of the parameters, of the whole batch; None of one that no shard has used."""
        used = self.order(values)
        self.collected = [None] * len(self.parameters)
        self.arrived = [{} for _ in self.parameters]
        self.buckets = self.in_buckets(used)
        self.bucket_of = {i: b for b, bucket in enumerate(self.buckets) for i in bucket}
        self.missing = [len(bucket) for bucket in self.buckets]
        run_backward(tuple(values), (dy,) * len(values), False, False, None, True)
        if self.group.size > 1:
            for b, bucket in enumerate(self.buckets):
                arrays = self.arrays_of(bucket)
                by_numpy("backward", self.group.wait, arrays, b, changes=len(arrays))
        return tuple(self.collected)

    def order(self, values):
        """Puts each Share behind the nodes that use it, so that a gradient is handed over as soon
        as it is whole. Returns the numbers of the parameters, in the order of the handing over."""
        known = {id(p) for p in self.parameters}
        last = {}  # Share -> number of the first node that uses it
        seen, todo = set(), [v.grad_fn for v in values]
        while todo:
            node = todo.pop()
            if node in seen:
                continue
            seen.add(node)
            for edge in node.inputs:
                if isinstance(edge, Share):
                    last[edge] = min(last.get(edge, node.seq), node.seq)
                elif isinstance(edge, Node):
                    todo.append(edge)
                elif edge is not None:
                    cure = (
                        "take it from the module inside of the function"
                        if id(edge) in known
                        else "make it a parameter of the module"
                    )
                    raise RuntimeError(
                        f"loss: function uses a tensor that requires grad, of shape {edge.shape}, "
                        f"which is not of the module as the shard has it; {cure}"
                    )
        used = {}
        for share, seq in last.items():
            share.seq = seq - 1
            share.run = self
            used.setdefault(share.number, {})[share.shard] = seq
        for number, of_shards in used.items():
            if len(of_shards) != len(values):
                raise RuntimeError(
                    f"loss: a parameter of shape {self.parameters[number].shape} is used by some "
                    "shards of the batch and not by others; all must compute the same"
                )
        order = sorted(used, key=lambda number: -min(used[number].values()))
        self.group.check_same("loss", parameters_with_gradients=order)
        return order

    def in_buckets(self, used):
        """[[parameters]] whose gradients are one message each, in the order of their first.

        A long one goes alone, as it lies in memory; short ones are packed.
        """
        buckets, opened = [], {}  # dtype -> (bucket that takes more, its bytes)
        for i in used:
            p = self.parameters[i]
            bucket, size = opened.get(p.dtype, (None, 0))
            if p.nbytes >= BUCKET_BYTES:
                buckets.append([i])
                continue
            if bucket is None or size >= BUCKET_BYTES or len(bucket) >= BUCKET_ARRAYS:
                bucket, size = [], 0
                buckets.append(bucket)
            bucket.append(i)
            opened[p.dtype] = bucket, size + p.nbytes
        return buckets

    def arrays_of(self, bucket):
        return tuple(self.collected[i].array for i in bucket)

    def hand_over(self, number, shard, dy):
        """The gradient of a parameter by a shard's loss."""
        if self.begin == self.end:  # computed for nothing: others have it
            total = dy.clone()
        else:
            arrived = self.arrived[number]
            node = shard, shard + 1
            arrived[node] = dy
            self.add_children(arrived)
            total = arrived.pop((self.begin, self.end), None)
            if total is None:
                return
            total = total.clone() if total is dy else total
        self.collected[number] = total
        if self.group.size > 1:
            b = self.bucket_of[number]
            self.missing[b] -= 1
            if self.missing[b] == 0:
                arrays = self.arrays_of(self.buckets[b])
                options = b, self.shards
                by_numpy("backward", self.group.start, arrays, *options, changes=len(arrays))

    def add_children(self, arrived):
        """Adds up nodes of the tree whose children are there."""
        for parent, (left, right) in reversed(nodes_of(self.begin, self.end).items()):
            if left in arrived and right in arrived:
                arrived[parent] = add(arrived.pop(left), arrived.pop(right))


class Share(Node):
    """A parameter as one shard has it: its gradient goes into the tree."""

    def __init__(self, number, shard):
        self.number, self.shard, self.run = number, shard, None

    def _gradients(self, dy):
        self.run.hand_over(self.number, self.shard, dy)
        return (None,)


class Batch(Node):
    """The loss of a batch: the sum of its shards' shares."""

    def __init__(self, run, values):
        self.run, self.values = run, values

    def _gradients(self, dy):
        if is_grad_enabled():
            raise RuntimeError(
                "loss: there are no second derivatives of a loss over ranks; leave out create_graph"
            )
        if self.values is None:
            raise RuntimeError("loss: backward runs once; compute the loss again")
        values, self.values = self.values, None
        return self.run.gradients(values, dy)


# ---- what recorded steps call: functions of arrays and numbers -----------------------------------


def shard_state(state, shard):
    """The state of a generator for a shard: another seed, the same counter."""
    seed = (int(state[0]) + (shard + 1) * SHARD_SEED) % 2**64
    return np.array([seed, state[1]], np.uint64)


def advance(state):
    state[1] += np.uint64(STEP_WORDS)
