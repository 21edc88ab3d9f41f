"""CUDA, which is not there: is_available() is False, and there are no devices.

What scripts call in any case does nothing; what needs a device says that there is none.
"""

from pyml.absent_devices import missing, nothing

__all__ = [
    *("Event", "OutOfMemoryError", "Stream", "current_device", "device", "device_count"),
    *("empty_cache", "get_device_capability", "mem_get_info"),
    *("get_device_name", "get_device_properties", "init", "is_available", "is_bf16_supported"),
    *("is_initialized", "manual_seed", "manual_seed_all", "max_memory_allocated"),
    *("max_memory_reserved", "memory_allocated", "memory_reserved", "reset_peak_memory_stats"),
    *("seed", "seed_all", "set_device", "synchronize", "get_rng_state_all", "set_rng_state_all"),
]


def is_available():
    """False: tensors are on the CPU."""
    return False


def device_count():
    """0."""
    return 0


def is_initialized():
    """False."""
    return False


def is_bf16_supported(including_emulation=True):
    """False."""
    return False


def memory_allocated(device=None):
    """0 bytes."""
    return 0


def get_rng_state_all():
    """[]: there are no generators."""
    return []


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated

empty_cache = nothing("empty_cache", "Nothing is cached.")
init = nothing("init", "Nothing is started.")
manual_seed = nothing("manual_seed", "There is no generator but those of pyml; use that function.")
manual_seed_all = manual_seed
seed_all = seed = manual_seed
set_rng_state_all = nothing("set_rng_state_all", "There are no generators.")
reset_peak_memory_stats = nothing("reset_peak_memory_stats", "There are none.")
synchronize = nothing("synchronize", "Nothing runs on another device.")

device = missing("cuda.device")
mem_get_info = missing("cuda.mem_get_info")
current_device = missing("cuda.current_device")
get_device_capability = missing("cuda.get_device_capability")
get_device_name = missing("cuda.get_device_name")
get_device_properties = missing("cuda.get_device_properties")
set_device = missing("cuda.set_device")


class OutOfMemoryError(RuntimeError):
    """Of a device, which there is none of."""


Event = missing("cuda.Event")
Stream = missing("cuda.Stream")
