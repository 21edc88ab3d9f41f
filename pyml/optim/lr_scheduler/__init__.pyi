from collections.abc import Callable, Iterable, Sequence
from pyml import Tensor
from pyml._types import Call, State
from pyml.optim import Optimizer
class ChainedScheduler(LRScheduler):
    def __init__(self, schedulers: Iterable[LRScheduler], optimizer: Optimizer | None = None) -> None: ...
    @property
    def last_epoch(self) -> int: ...
    @property
    def base_lrs(self) -> list[float]: ...
    def step(self) -> None: ...
class ConstantLR(LRScheduler):
    def __init__(self, optimizer: Optimizer, factor: float = 0.3333333333333333, total_iters: int = 5, last_epoch: int = -1) -> None: ...
    factor: float
    total_iters: int
class CosLogLR(LRScheduler):
    def __init__(self, optimizer: Optimizer, total_steps: int, num_cycles: int = 4, flat_cos_decay: bool = False, last_epoch: int = -1) -> None: ...
    num_cycles: int
    flat_cos_decay: bool
    total_steps: int
class CosineAnnealingLR(LRScheduler):
    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None: ...
    T_max: int
    eta_min: float
class CosineAnnealingWarmRestarts(LRScheduler):
    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1) -> None: ...
    T_0: int
    T_i: int
    T_mult: int
    eta_min: float
    T_cur: float
class CyclicLR(LRScheduler):
    def __init__(self, optimizer: Optimizer, base_lr: float | Sequence[float], max_lr: float | Sequence[float], step_size_up: int = 2000, step_size_down: int | None = None, mode: str = 'triangular', gamma: float = 1.0, scale_fn: Callable[[float], float] | None = None, scale_mode: str = 'cycle', cycle_momentum: bool = True, base_momentum: float | Sequence[float] = 0.8, max_momentum: float | Sequence[float] = 0.9, last_epoch: int = -1) -> None: ...
    def scale_fn(self, x: float) -> float: ...
    max_lrs: list[float]
    scale_mode: str
    total_size: float
    step_ratio: float
    mode: str
    gamma: float
    cycle_momentum: bool
    use_beta1: bool
    base_momentums: list[float]
    max_momentums: list[float]
class ExponentialLR(LRScheduler):
    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None: ...
    gamma: float
class FlatCosLR(LRScheduler):
    def __init__(self, optimizer: Optimizer, total_steps: int, last_epoch: int = -1) -> None: ...
    total_steps: int
class LRScheduler:
    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None: ...
    def get_lr(self) -> list[float]: ...
    def get_last_lr(self) -> list[float]: ...
    def step(self, epoch: float | None = None) -> None: ...
    def state_dict(self) -> State: ...
    def load_state_dict(self, state_dict: State) -> None: ...
    optimizer: Optimizer
    last_epoch: int
    base_lrs: list[float]
class LambdaLR(LRScheduler):
    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]], last_epoch: int = -1) -> None: ...
    lr_lambdas: list[Call | None]
class LinearLR(LRScheduler):
    def __init__(self, optimizer: Optimizer, start_factor: float = 0.3333333333333333, end_factor: float = 1.0, total_iters: int = 5, last_epoch: int = -1) -> None: ...
    start_factor: float
    end_factor: float
    total_iters: int
class MultiStepLR(LRScheduler):
    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1) -> None: ...
    milestones: Iterable[int]
    gamma: float
class MultiplicativeLR(LRScheduler):
    def __init__(self, optimizer: Optimizer, lr_lambda: Call | Sequence[Call], last_epoch: int = -1) -> None: ...
    lr_lambdas: list[Call | None]
class OneCycleLR(LRScheduler):
    def __init__(self, optimizer: Optimizer, max_lr: float | Sequence[float], total_steps: int | None = None, epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy: str = 'cos', cycle_momentum: bool = True, base_momentum: float | Sequence[float] = 0.85, max_momentum: float | Sequence[float] = 0.95, div_factor: float = 25.0, final_div_factor: float = 10000.0, three_phase: bool = False, last_epoch: int = -1) -> None: ...
    total_steps: int | None
    cycle_momentum: bool
    use_beta1: bool
class PolynomialLR(LRScheduler):
    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None: ...
    total_iters: int
    power: float
class ReduceLROnPlateau(LRScheduler):
    def __init__(self, optimizer: Optimizer, mode: str = 'min', factor: float = 0.1, patience: int = 10, threshold: float = 0.0001, threshold_mode: str = 'rel', cooldown: int = 0, min_lr: float | Sequence[float] = 0, eps: float = 1e-08) -> None: ...
    @property
    def in_cooldown(self) -> bool: ...
    def step(self, metrics: float | Tensor | None = None, epoch: float | None = None) -> None: ...
    default_min_lr: float | None
    min_lrs: list[float]
    cooldown_counter: int
    num_bad_epochs: int
    mode_worse: float
    best: float
    mode: str
    factor: float
    patience: int
    threshold: float
    threshold_mode: str
    cooldown: int
    eps: float
class SequentialLR(LRScheduler):
    def __init__(self, optimizer: Optimizer, schedulers: Iterable[LRScheduler], milestones: Iterable[int], last_epoch: int = -1) -> None: ...
    @property
    def base_lrs(self) -> list[float]: ...
    def step(self) -> None: ...
class StepLR(LRScheduler):
    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None: ...
    step_size: int
    gamma: float
