"""The training of one network, which can be gone on with."""

import math
import time
from copy import deepcopy

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from pyml import nn, ops
from pyml.data.split import stratified_split
from pyml.estimators.networks import architecture, as_tensor, init_bound, linear, linears, network
from pyml.estimators.rows import Rows, outputs_of
from pyml.estimators.solvers import is_descent, optimizer_for, set_rate
from pyml.grad_mode import no_grad
from pyml.ops.creation import randperm
from pyml.ops.elementwise import where
from pyml.ops.shape import cat
from pyml.random import Generator
from pyml.recording import record

SEEDS = 2**31 - 1
TICK = 0.05  # seconds between two looks at the clock
WORTH = 30  # evaluations, from which on L-BFGS records
LEAST_RATE = 1e-6  # of learning_rate="adaptive"
OF_OPTIMIZER = (  # parameters by which an optimizer is another
    *("solver", "optimizer", "learning_rate", "learning_rate_init", "power_t", "momentum"),
    *("nesterovs_momentum", "beta_1", "beta_2", "epsilon", "schedule"),
)
OF_STEP = ("alpha", "loss", "quantile", "delta", "label_smoothing")  # a step is another


class Training:
    """A network, and where its training stands.

    Args:
        options: the estimator.
        coding: of the targets.
        inputs: columns.
        dtype: of all numbers.
        random: a RandomState.

    Attributes:
        network: what is trained.
        architecture: the parameters that it was made by.
        predictor: what predicts: with early stopping a copy with the best weights.
        loss_curve, scores: of each iteration.
        loss, best_loss, best_score: numbers.
        n_iter: iterations of the last call.
        t: rows seen.
    """

    def __init__(self, options, coding, inputs, dtype, random):
        self.generator = Generator()
        self.dtype = np.dtype(dtype)
        self.network = network(
            options, inputs, coding.outputs, self.dtype.name, random, self.generator
        ).eval()
        self.predictor = self.network
        self.architecture = architecture(options)
        seed, self.split_seed = (int(each) for each in random.randint(SEEDS, size=2))
        self.generator.manual_seed(seed)
        self.optimizer = self.rate = self._made_of = None
        self.loss_curve, self.scores = [], []
        self.loss, self.best_loss, self.best_score = math.inf, math.inf, -math.inf
        self.n_iter = self.t = self.count = 0
        self.is_over = False  # the last call ended as nothing got better
        self.warnings = []  # (words, category) of the last call
        self._steps = {}

    def __getstate__(self):
        """Of a copy and of a pickle: steps are of the network that they were made for."""
        return {**self.__dict__, "_steps": {}}

    # ---- one call --------------------------------------------------------------------------------

    def fit(self, options, coding, loss, x, y, weight, *, limit=None, says=print, is_partial=False):
        """Trains on, until nothing gets better, or for a single iteration.

        Args:
            options: the estimator.
            coding, loss: of its targets.
            x: an array or a sparse matrix.
            y: as coding.numbers gives it.
            weight: (n,), or None.
            limit: a Limit that says when to stop, or None.
            says: what is called with the lines of `verbose`.
            is_partial: whether it is one iteration on all rows.
        """
        self.warnings = []
        self.loss_curve, self.scores = list(self.loss_curve), list(self.scores)
        says = says if options.verbose else lambda words: None
        is_stopping = options.early_stopping and not (is_partial or is_descent(options))
        if is_descent(options):
            x = x.toarray() if sparse.issparse(x) else x
            rows = self._rows(options, coding, x, y, weight)
            call = Descent(self, options, coding, loss, rows, limit, says)
        else:
            held = None
            if is_stopping:
                train, out = self._split(options, coding, y, weight)
                held = [each if each is None else each[out] for each in (x, y, weight)]
                x, y, weight = (each if each is None else each[train] for each in (x, y, weight))
            if self.is_over:
                self.is_over, self.count = False, 0
            rows = self._rows(options, coding, x, y, weight)
            size = self._batch_size(options, rows.count)
            call = Epochs(self, options, coding, loss, rows, held, size, limit, says, is_partial)
            self._make_optimizer(options, options.max_iter * call.steps, is_partial)
        # what can raise is above, as networks change in place
        if is_partial and self.predictor is not self.network:
            self.network.load_state_dict(self.predictor.state_dict())
        if not is_stopping:
            self.predictor = self.network
        elif self.predictor is self.network:
            self.best_score = -math.inf  # of weights that have been trained on
        call.go()

    def _rows(self, options, coding, x, y, weight):
        target = coding.encode(y, self.dtype, getattr(options, "label_smoothing", 0))
        return Rows(x, target, None if weight is None else as_tensor(weight, self.dtype))

    def _split(self, options, coding, y, weight=None):
        """Numbers of rows to train on, and to validate on; the same in each call.

        Rows of weight 0 are in neither.
        """
        counts = np.arange(len(y)) if weight is None else np.flatnonzero(weight)
        fraction, strata = options.validation_fraction, coding.strata(y)
        alike = np.zeros(len(counts), int)
        train, held = stratified_split(
            alike if strata is None else strata[counts], fraction, self.split_seed
        )
        if len(held) == 0 and strata is not None:  # too few of each class
            train, held = stratified_split(alike, fraction, self.split_seed)
        if len(held) == 0 or len(train) == 0:
            named = coding.named(np.unique(strata[counts])) if strata is not None else None
            classes = "" if named is None else f", of the classes {named}"
            raise ValueError(
                f"fit: validation_fraction is {fraction}, which leaves {len(train)} rows of "
                f"n_samples={len(counts)} to train on and {len(held)} to validate on{classes}: The "
                "validation set is too small. Increase 'validation_fraction' or the size of your "
                "dataset."
            )
        return counts[train], counts[held]

    def _make_optimizer(self, options, total, is_partial):
        """A new one, unless it is that of the last call.

        Each fit has a schedule of its own; iterations of partial_fit go through one together.
        """
        made_of = {name: getattr(options, name) for name in OF_OPTIMIZER}
        if self.optimizer is None or made_of != self._made_of:
            self._made_of, self._steps = made_of, {}
            self.optimizer, self.rate = optimizer_for(options, self.network.parameters(), total)
        elif options.schedule is not None and (self.rate.is_over or not is_partial):
            self.rate.begin(total)

    def _batch_size(self, options, rows):
        """Rows of a step."""
        wanted = 200 if options.batch_size == "auto" else int(options.batch_size)
        if options.batch_size != "auto" and wanted > rows:
            words = f"batch_size is {wanted}, there are {rows} rows: it is {rows} here"
            self.warn(words)
        size = min(wanted, rows)
        if options.batch_norm and size == 1:
            raise ValueError(
                f"fit: batch_norm needs batches of 2 rows or more; batch_size is "
                f"{options.batch_size!r}, n_samples={rows}"
            )
        return size

    def warn(self, words, category=UserWarning):
        """Keeps a warning, which the estimator gives when its trainings are done."""
        self.warnings.append((words, category))

    def step_for(self, options, loss, is_weighted):
        """The recorded step."""
        key = (is_weighted, *(getattr(options, name, None) for name in OF_STEP))
        if key not in self._steps:
            step = make_step(self.network, loss, options.alpha, self.optimizer, self.rate)
            self._steps[key] = record(step, unrecordable="eager")
            self._steps[key]._is_confirmed = is_own(self.network, self.optimizer)
        return self._steps[key]

    def widen(self, options, before, after):
        """Outputs for more classes; those of the classes before are what they were.

        Args:
            options: the estimator.
            before, after: codings, the second of more classes.
        """
        if before.outputs != after.outputs:
            old = self.predictor[-1]
            random = np.random.RandomState(self.split_seed)
            bound = init_bound(options.activation)
            new = linear(old.in_features, after.outputs, self.dtype.name, random, bound)
            columns = ops.tensor(np.searchsorted(after.classes, before.classes))
            with no_grad():
                for mine, theirs in ((new.weight, old.weight), (new.bias, old.bias)):
                    if before.outputs == 1:  # sigmoid(z) is the softmax of -z/2 and z/2
                        theirs = cat([-theirs / 2, theirs / 2])[: len(before.classes)]
                    mine[columns] = theirs
            self.network = nn.Sequential(*self.predictor[:-1], new).eval()
            self.predictor = self.network
            self.optimizer = None

    def keep_best(self):
        """What predicts is the network as it is now."""
        if self.predictor is self.network:
            self.predictor = deepcopy(self.network).eval()
            return
        with no_grad():
            for mine, new in zip(values(self.predictor), values(self.network), strict=True):
                mine.copy_(new)


def values(model):
    """The Tensors of a network, without the work of a state_dict."""
    return [*model.parameters(), *model.buffers()]


class Limit:
    """When a training is to end: until somebody says so, never."""

    def __init__(self):
        self.deadline = math.inf

    def end(self):
        self.deadline = -math.inf

    def take_share(self, end, rounds):
        """Its share of the time until the end, in which there are so many rounds of trainings."""
        now = time.monotonic()
        self.deadline = min(self.deadline, now + (end - now) / rounds)

    @property
    def is_over(self):
        return time.monotonic() >= self.deadline


# ---- steps ---------------------------------------------------------------------------------------


def is_own(network, *others):
    """Whether a step runs pyml's code alone: then its recording is not compared with Python again.

    networks_ may be given modules of one's own before a fit goes on, and `optimizer` a function.
    """
    parts = *network.modules(), *others
    return all(type(part).__module__.split(".")[0] == "pyml" for part in parts)


def make_forward_and_backward(network, loss, alpha):
    """The two halves of a step before the optimizer's: what is minimised, and its gradients.

    forward(x, target, weight) gives the loss, the penalty and what the penalty was divided by;
    backward(loss, that) leaves the gradients of both.

    The penalty is alpha / 2 of the sum of the squared weights, over the rows (their weights) of the
    batch. Its gradient is added to those that backward leaves.
    """
    weights = [layer.weight for layer in linears(network)]

    def penalty(count):
        return sum(w.square().sum() for w in weights) * (0.5 * alpha / count)

    def forward(x, target, weight=None):
        total = loss.total(network(x), target, weight)
        with no_grad():
            if weight is None:
                count = len(x)
            else:
                count = weight.sum()
                count = where(count > 0, count, ops.ones_like(count))
            added = penalty(count) if alpha else ops.zeros_like(total)
        return total, added, count

    def backward(total, count):
        total.backward()
        if alpha:
            with no_grad():
                for w in weights:
                    w.grad.add_(w * (alpha / count))

    return forward, backward


def make_step(network, loss, alpha, optimizer, rate):
    """A step as a function of rows, which gives the loss as it is shown."""
    forward, backward = make_forward_and_backward(network, loss, alpha)
    outputs = linears(network)[-1].out_features

    def step(*rows):
        optimizer.zero_grad()
        total, added, count = forward(*rows)
        with no_grad():
            shown = loss.shown(total, outputs) + added
        backward(total, count)
        optimizer.step()
        if rate is not None:
            rate.step()
        return shown

    return step


# ---- iterations ----------------------------------------------------------------------------------


class Epochs:
    """The iterations of one call with solver "adam", "sgd" or an optimizer."""

    def __init__(self, training, options, coding, loss, rows, held, size, limit, says, is_partial):
        self.training, self.options, self.coding, self.loss = training, options, coding, loss
        self.rows, self.held, self.size, self.limit, self.says = rows, held, size, limit, says
        self.is_partial = is_partial
        self.epochs = 1 if is_partial else options.max_iter
        self.drops_last = bool(options.batch_norm) and rows.count % size == 1 < rows.count
        full, left = divmod(rows.count, size)
        self.full, self.left = full, 0 if self.drops_last else left
        self.steps = self.full + bool(self.left)  # of an iteration
        self.begin = 0  # of the iteration, in steps

    def go(self):
        training = self.training
        training.n_iter = 0
        step = training.step_for(self.options, self.loss, len(self.rows.others) == 2)
        training.network.train()
        try:
            if self.rows.is_dense:
                timed = {"every_seconds": TICK, "every_epoch": True}
                step.run(
                    *self.rows.tensors,
                    batch_size=self.size,
                    epochs=self.epochs,
                    shuffle=bool(self.options.shuffle),
                    drop_last=self.drops_last,
                    generator=training.generator,
                    callback=self.between,
                    **({} if self.limit is None else timed),
                )
            else:
                self.run_sparse(step)
        except KeyboardInterrupt:
            training.warn("Training interrupted by user.")
        except FloatingPointError as error:
            self.infinite(error)
        finally:
            training.network.eval()
        if training.n_iter == self.options.max_iter and not (training.is_over or self.is_partial):
            training.warn(
                f"Stochastic Optimizer: Maximum iterations ({training.n_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
            )

    def run_sparse(self, step):
        """The same of rows that are made dense batch by batch."""
        count, generator = self.rows.count, self.training.generator
        for _ in range(self.epochs):
            order = randperm(count, generator=generator) if self.options.shuffle else None
            order = ops.arange(count) if order is None else order
            losses = []
            for rows in order.split(self.size)[: self.steps]:
                losses.append(step(*self.rows.batch(rows)).item())
                if not math.isfinite(losses[-1]):
                    raise FloatingPointError(f"run: the result is {losses[-1]}")
                if self.is_late:
                    break
            if self.end_epoch(np.array(losses)) or self.is_late:
                return

    def between(self, progress):
        """Looks at the clock, and ends iterations."""
        is_late = self.is_late
        if progress.batch and not is_late:
            return False
        losses = progress.losses.numpy()[self.begin :]
        self.begin = progress.step
        return self.end_epoch(losses) or is_late

    def end_epoch(self, losses):
        """Returns whether the training is over."""
        training, options = self.training, self.options
        total, count = self.size * float(np.add.reduce(losses, dtype=np.float64)), len(losses)
        if count <= self.full:
            training.loss = total / (self.size * count)
        else:  # the last batch is smaller
            total -= (self.size - self.left) * float(losses[-1])
            training.loss = total / (self.size * self.full + self.left)
        training.loss_curve.append(training.loss)
        training.n_iter += 1
        training.t += self.rows.count
        self.says(f"Iteration {training.n_iter}, loss = {training.loss:.8f}")
        self.look_for_better()
        if self.has_rates and options.learning_rate == "invscaling":
            self.set_rate(options.learning_rate_init / (training.t + 1) ** options.power_t)
        if training.count <= options.n_iter_no_change:
            return False
        kind = "Training loss" if self.held is None else "Validation score"
        reason = (
            f"{kind} did not improve more than tol={options.tol:f} for "
            f"{options.n_iter_no_change} consecutive epochs."
        )
        if self.has_rates and options.learning_rate == "adaptive" and self.rate > LEAST_RATE:
            self.set_rate(self.rate / 5)
            training.count = 0
            self.says(f"{reason} Setting learning rate to {self.rate:f}")
            return False
        self.says(f"{reason} Stopping.")
        training.is_over = True
        return True

    @property
    def is_late(self):
        return self.limit is not None and self.limit.is_over

    @property
    def has_rates(self):
        """Whether learning_rate is of effect."""
        return self.options.optimizer is not None or self.options.solver == "sgd"

    @property
    def rate(self):
        training = self.training
        if training.rate is not None:
            return training.rate.base_lrs[0]
        return float(training.optimizer.param_groups[0]["lr"])

    def set_rate(self, value):
        set_rate(self.training.optimizer, self.training.rate, value)

    def look_for_better(self):
        """Counts iterations without a better loss or, with early stopping, score."""
        training, tol = self.training, self.options.tol
        if self.held is None:
            is_no_better = training.loss > training.best_loss - tol
            training.best_loss = min(training.best_loss, training.loss)
        else:
            score = self.score()
            training.scores.append(score)
            self.says(f"Validation score: {score:f}")
            is_no_better = not score >= training.best_score + tol
            if score > training.best_score:
                training.best_score = score
                training.keep_best()
        training.count = training.count + 1 if is_no_better else 0

    def score(self):
        """Of the rows that were held out."""
        (x, y, weight), model = self.held, self.training.network
        model.eval()
        outputs = self.loss.link(outputs_of(model, x)).numpy()
        model.train()
        if not np.isfinite(outputs).all():
            return math.nan
        return self.coding.score(y, self.coding.decide(outputs), weight)

    def infinite(self, error):
        """The loss of a step is no number: the best weights are kept, if there are."""
        training = self.training
        words = (
            f"the training loss is not finite in iteration {training.n_iter + 1}, at learning rate "
            f"{self.rate:g}: Solver produced non-finite parameter weights. The input data may "
            "contain large values and need to be preprocessed, or learning_rate_init be smaller"
        )
        if self.held is None or training.best_score == -math.inf:
            raise ValueError(f"fit: {words}") from error
        training.is_over = True
        training.warn(f"fit: {words}; the best weights are kept", ConvergenceWarning)


class Descent:
    """One call with solver "lbfgs": SciPy's L-BFGS-B on all rows at once."""

    def __init__(self, training, options, coding, loss, rows, limit, says):
        self.training, self.options, self.loss = training, options, loss
        self.rows, self.limit, self.says = rows, limit, says
        self.parameters = list(training.network.parameters())
        self.sizes = np.cumsum([p.numel() for p in self.parameters])[:-1]
        forward, backward = make_forward_and_backward(training.network, loss, options.alpha)
        self.outputs = coding.outputs

        def value_and_gradients(*data):
            for p in self.parameters:
                p.grad = None
            total, added, count = forward(*data)
            backward(total, count)
            return total.detach(), added

        self.eager, self.recorded = value_and_gradients, record(value_and_gradients)
        self.recorded._is_confirmed = is_own(training.network)
        self.evaluations = self.done = 0

    @no_grad()
    def put(self, vector):
        """Sets the parameters to the parts of a vector."""
        for p, part in zip(self.parameters, np.split(vector, self.sizes), strict=True):
            p.copy_(as_tensor(part.reshape(p.shape), self.training.dtype))

    def evaluate(self, *data):
        """The loss and the penalty; few evaluations are not worth a recording."""
        self.evaluations += 1
        return (self.recorded if self.evaluations > WORTH else self.eager)(*data)

    def __call__(self, vector):
        self.put(vector)
        total, added = self.evaluate(*self.rows.tensors)
        gradient = np.concatenate([p.grad.numpy().ravel() for p in self.parameters])
        return total.item() + added.item(), gradient.astype(np.float64)

    def after(self, intermediate_result):
        """After each iteration."""
        self.done += 1
        self.says(f"Iteration {self.done}, loss = {intermediate_result.fun:.8f}")
        if self.limit is not None and self.limit.is_over:
            raise StopIteration

    def go(self):
        from scipy.optimize import minimize

        training, options = self.training, self.options
        start = np.concatenate([p.detach().numpy().ravel() for p in self.parameters])
        training.network.train()
        try:
            found = minimize(
                self,
                start.astype(np.float64),
                method="L-BFGS-B",
                jac=True,
                callback=self.after,
                options={
                    "maxfun": options.max_fun,
                    "maxiter": options.max_iter,
                    "gtol": options.tol,
                },
            )
            if not (np.isfinite(found.x).all() and np.isfinite(found.fun)):
                raise ValueError(
                    "fit: the training loss is not finite: Solver produced non-finite parameter "
                    "weights. The input data may contain large values and need to be preprocessed."
                )
            self.put(found.x)
            total, added = self.evaluate(*self.rows.tensors)
        except BaseException:
            self.put(start)
            raise
        finally:
            training.network.eval()
        training.loss = (self.loss.shown(total, self.outputs) + added).item()
        training.n_iter = int(found.nit)
        training.best_loss = min(training.best_loss, training.loss)
        if found.status == 1:
            training.warn(
                f"lbfgs failed to converge after {training.n_iter} iteration(s) (status=1): "
                f"{found.message}; increase max_iter or max_fun, or scale the data",
                ConvergenceWarning,
            )
