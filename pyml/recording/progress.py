"""Where a run stands, and what resumes it."""

CURE = "pass the Progress of a run, or what its state_dict() gave, as it is"


class Progress:
    """Where a run stands: what its callback is given, and what resumes it.

    Attributes:
        epoch: epochs that are done.
        batch: batches of the next epoch that are done.
        step: steps that are done in all.
        epochs, batches, steps: how many there are: of the run, of an epoch, in all.
        losses: the first result of the steps of this run so far, a Tensor, if it is one number.
    """

    def __init__(self, epochs, batches, rows, batch_size, shuffle):
        self.epoch = self.batch = 0
        self.epochs, self.batches = epochs, batches
        self.losses = None
        self._rows, self._batch_size, self._shuffle = rows, batch_size, shuffle
        self._order_state = None

    @property
    def step(self):
        return self.epoch * self.batches + self.batch

    @property
    def steps(self):
        return self.epochs * self.batches

    def state_dict(self):
        """Plain values with which run(resume=...) goes on from here, also in another process."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "order_state": self._order_state,
            "rows": self._rows,
            "batch_size": self._batch_size,
            "shuffle": self._shuffle,
        }

    def _resume(self, state):
        if hasattr(state, "progress"):
            raise TypeError("run: resume is a checkpoint; pass its .progress")
        if not isinstance(state, (Progress, dict)):
            raise TypeError(
                f"run: resume is a {type(state).__name__}, "
                "it must be a Progress or what its state_dict() gave"
            )
        state = state.state_dict() if isinstance(state, Progress) else state
        mine = self.state_dict()
        words = {"rows": "rows of data", "batch_size": "batch_size", "shuffle": "shuffle"}
        for name, word in words.items():
            if state.get(name) != mine[name]:
                raise ValueError(
                    f"run: resume is of a run with {word} {state.get(name)}, "
                    f"here it is {mine[name]}"
                )
        epoch, batch, order = (state.get(name) for name in ("epoch", "batch", "order_state"))
        if not is_count(epoch):
            raise ValueError(
                f"run: resume stands at epoch {epoch!r}, it must be an integer >= 0; {CURE}"
            )
        if not is_count(batch) or batch >= max(1, self.batches):
            raise ValueError(
                f"run: resume stands at batch {batch!r}, it must be an integer >= 0 and less than "
                f"{max(1, self.batches)}, the batches of an epoch; {CURE}"
            )
        if order is not None and not is_order(order):
            raise ValueError(
                f"run: resume has order_state {order!r}, it must be None or two integers from 0 to "
                f"2**64 - 1, the state of a generator; {CURE}"
            )
        self.epoch, self.batch, self._order_state = epoch, batch, order

    def __repr__(self):
        return f"<epoch {self.epoch} of {self.epochs}, batch {self.batch} of {self.batches}>"


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_order(value):
    """Whether it is the state of a generator, from which the order of the rows is drawn."""
    return (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(is_count(word) and word < 2**64 for word in value)
    )
