from contextlib import AbstractContextManager
from pyml import Generator
from typing import Any
from pyml import Generator as Generator
default_generator: Generator
def fork_rng(devices: Any = (), enabled: bool = True, device_type: str = 'cuda') -> AbstractContextManager[None]: ...
from pyml import get_rng_state as get_rng_state
from pyml import initial_seed as initial_seed
from pyml import manual_seed as manual_seed
from pyml import seed as seed
from pyml import set_rng_state as set_rng_state
