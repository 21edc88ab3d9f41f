"""Optimizers and schedules of the estimators, by name."""

import math

from pyml import optim
from pyml.optim.lr_scheduler import LRScheduler

NEEDS_CLOSURE = {"LBFGS", "NewtonCG", "LevenbergMarquardt"}
OF_MATRICES = {"Muon"}  # has no place for biases
OPTIMIZERS = {
    name.lower(): each
    for name in optim.__all__
    if isinstance(each := getattr(optim, name), type)
    and issubclass(each, optim.Optimizer)
    and name not in {"Optimizer"} | NEEDS_CLOSURE | OF_MATRICES
}
SCHEDULES = {  # the factor of the rate, where a share of the training is done
    "linear": lambda share: 1 - share,
    "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
    "warmup_cosine": lambda share: (
        share / 0.1 if share < 0.1 else 0.5 * (1 + math.cos(math.pi * (share - 0.1) / 0.9))
    ),
    "exponential": lambda share: 0.01**share,
}
MANY = 2.0**53  # updates, after which nothing of a bias is left


class SklearnAdam(optim.Adam):
    """Adam with epsilon beside the uncorrected root, as scikit-learn's; Rate corrects the bias.

    Kingma & Ba 2015 (arXiv:1412.6980), the last lines of section 2.
    """

    _numbers = {"step": MANY}  # noqa: RUF012 (what a class declares: nothing changes it)


class Rate(LRScheduler):
    """The learning rate of each step: base * factor(done / total) * correction of Adam's bias.

    The correction goes by all steps, the factor by those since the schedule was begun.

    Args:
        optimizer: its groups' rates are set.
        total: steps of the schedule.
        schedule: a name of SCHEDULES. Default: a factor of 1.
        betas: of Adam; the correction is sqrt(1 - beta2^t) / (1 - beta1^t). Default: none.
    """

    first = 0  # step of the schedule

    def __init__(self, optimizer, total, schedule=None, betas=None):
        self.total, self.schedule, self.betas = total, schedule, betas
        super().__init__(optimizer)

    @property
    def is_over(self):
        return self.last_epoch - self.first >= self.total

    def begin(self, total):
        """The schedule from its beginning on, over so many steps; the optimizer goes on."""
        self.first, self.total = self.last_epoch, total
        self._set_rates()

    def get_lr(self):
        """The rates of the next step."""
        factor, done = 1.0, self.last_epoch
        if self.schedule is not None:
            factor = SCHEDULES[self.schedule](min((done - self.first) / self.total, 1.0))
        if self.betas is not None:
            beta1, beta2 = self.betas
            factor *= math.sqrt(1 - beta2 ** (done + 1)) / (1 - beta1 ** (done + 1))
        return [rate * factor for rate in self.base_lrs]

    def _step(self):
        """As a schedule's, without what all have in common: it is made for each step of a run."""
        self._step_count += 1
        self.last_epoch += 1
        self._set_rates()

    def _set_rates(self):
        self._last_lr = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate

    def state_dict(self):
        """Not copied deeply, as a run asks for it in each of its slices: no value is changed."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}


def is_descent(options):
    """Whether an estimator trains by SciPy's L-BFGS-B."""
    return options.solver == "lbfgs" and options.optimizer is None


def optimizer_for(options, parameters, total):
    """The optimizer of an estimator, and its Rate or None.

    Args:
        options: the estimator.
        parameters: what is trained.
        total: steps of the training, for a schedule.
    """
    rate, betas = options.learning_rate_init, None
    if options.optimizer is not None:
        made = OPTIMIZERS.get(str(options.optimizer).lower(), options.optimizer)
        optimizer = made(parameters, lr=rate)
        if not isinstance(optimizer, optim.Optimizer):
            raise TypeError(
                f"{type(options).__name__}: optimizer gave a {type(optimizer).__name__}, it must "
                "give an Optimizer of pyml.optim"
            )
    elif options.solver == "sgd":
        nesterov = bool(options.nesterovs_momentum and options.momentum > 0)
        optimizer = optim.SGD(parameters, rate, options.momentum, nesterov=nesterov)
    else:
        betas = options.beta_1, options.beta_2
        optimizer = SklearnAdam(parameters, rate, betas, options.epsilon)
    if options.schedule is None and betas is None:
        return optimizer, None
    return optimizer, Rate(optimizer, total, options.schedule, betas)


def set_rate(optimizer, rate, value):
    """Another learning rate from now on.

    A velocity of scikit-learn's SGD is a step, which has the rates it was made of; pyml's, as
    PyTorch's, is of gradients. So it is scaled here, for the steps to be the same.
    """
    if rate is not None:
        rate.base_lrs = [value for _ in rate.base_lrs]
        return
    for group in optimizer.param_groups:
        before, group["lr"] = group["lr"], value
        for p in group["params"]:
            velocity = optimizer.state.get(p, {}).get("momentum_buffer")
            if velocity is not None and isinstance(optimizer, optim.SGD):
                velocity.mul_(before / value)
