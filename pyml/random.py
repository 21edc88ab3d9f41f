"""Random numbers: a counter-based generator, the same on every machine and any number of threads.

Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the i-th
number is a function of (seed, counter) alone, so the whole state is two integers.
"""

import os
import threading
from contextlib import contextmanager

import numpy as np

from pyml.device_names import CPU, only_cpu
from pyml.device_names import device as Device
from pyml.errors import ArgumentError
from pyml.recorder import refuse

__all__ = [
    "Generator",
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]


class Generator:
    """A source of random numbers.

    Args:
        seed: an integer from -2**63 to 2**64 - 1. Default: 0. A device may stand in its place, as
            in PyTorch.
        device: the CPU.

    Attributes:
        device: the CPU.
        state: a NumPy array of two uint64, seed and counter; a copy, as what is assigned is copied.
    """

    device = CPU

    def __init__(self, seed=0, device=CPU):
        if isinstance(seed, (str, Device)):
            seed, device = 0, seed
        if Device(device).type != "cpu":
            raise ArgumentError(f"Generator: device is {str(device)!r}, {only_cpu(device)}")
        self._state = np.zeros(2, np.uint64)
        self.manual_seed(seed)

    @property
    def state(self):
        return self.get_state()

    @state.setter
    def state(self, state):
        self.set_state(state)

    def __getstate__(self):  # of a copy and of a pickle: the memory is not shared
        return {**self.__dict__, "_state": self._state.copy()}

    def __setstate__(self, state):  # a pickle's memory may be a file that cannot be written
        self.__dict__.update(state)
        self._state = self._state.copy()

    def manual_seed(self, seed):
        """Starts again from `seed`. Returns the generator."""
        try:
            value = int(seed)
        except (TypeError, ValueError, np.ma.MaskError):
            raise TypeError(f"seed: {seed!r} is not an integer") from None
        if not -(2**63) <= value < 2**64:
            raise ArgumentError(f"seed: {value} is outside -2**63 .. 2**64 - 1")
        refuse("manual_seed")
        self._state[:] = value % 2**64, 0
        return self

    def seed(self):
        """Starts again from a seed of the operating system's randomness, and returns it."""
        value = int.from_bytes(os.urandom(8), "little")
        self.manual_seed(value)
        return value

    def initial_seed(self):
        """The seed it started from."""
        refuse("initial_seed of a random generator")
        return int(self._state[0])

    def get_state(self):
        """A copy of the state, for set_state."""
        refuse("get_state of a random generator")
        return self._state.copy()

    def set_state(self, state):
        """Continues from a state that get_state gave."""
        refuse("set_state of a random generator")
        state = np.asarray(state)
        if state.dtype == np.uint8 and state.shape == (16,):  # as PyTorch's are, bytes
            state = state.view(np.uint64)
        if state.shape != (2,) or state.dtype != np.uint64:
            raise ArgumentError(
                f"state: two uint64 as get_state gives, not {state.dtype} of shape {state.shape}"
            )
        self._state[:] = state
        return self

    def __repr__(self):
        refuse("the text of a random generator")
        return f"Generator(seed={self._state[0]}, counter={self._state[1]})"


default_generator = Generator()


class Draws(threading.local):
    """What a thread draws from.

    Attributes:
        count: how often it asked for a generator.
        generator: what it has in place of the default generator, or None.
        state: a function that gives the memory which stands for the default generator's, for a part
            of a batch that draws for itself; None: there is none.
    """

    count, generator, state = 0, None, None


draws = Draws()


def generator_of_thread():
    """The default generator, or what this thread has in its place."""
    return default_generator if draws.generator is None else draws.generator


@contextmanager
def drawing_from(generator):
    """A `with` in which this thread has a generator of its own in place of the default one."""
    before, draws.generator = draws.generator, generator
    try:
        yield
    finally:
        draws.generator = before


def state_of(generator, name):
    """The memory of a generator, or of the default one for None, for the kernels of `name`."""
    draws.count += 1
    if draws.state is not None:
        if generator not in (None, default_generator):
            raise RuntimeError(
                f"{name}: generator is given, and a shard of a batch draws from a seed of its own; "
                "leave it out"
            )
        return draws.state()
    if generator is None:
        return generator_of_thread()._state
    if not isinstance(generator, Generator):
        raise TypeError(
            f"{name}: generator is a {type(generator).__name__}, it must be a Generator"
        )
    return generator._state


def manual_seed(seed):
    """Seeds the default generator: initialisation, dropout and every random function use it."""
    return generator_of_thread().manual_seed(seed)


def seed():
    """Seeds the default generator from the operating system and returns the seed."""
    return generator_of_thread().seed()


def initial_seed():
    """The seed of the default generator."""
    return generator_of_thread().initial_seed()


def get_rng_state():
    """A copy of the default generator's state."""
    return generator_of_thread().get_state()


def set_rng_state(state):
    """Sets the default generator's state to one that get_rng_state gave."""
    generator_of_thread().set_state(state)


@contextmanager
def fork_rng(devices=(), enabled=True, device_type="cuda"):
    """A `with` after which the default generator goes on as if nothing had been drawn inside it.

    Args:
        devices, device_type: of no effect, as there is the CPU alone.
        enabled: False lets what is drawn inside count. Default: True.
    """
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)
