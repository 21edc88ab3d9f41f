from pyml import autocast as autocast
from pyml import get_autocast_dtype as get_autocast_dtype
def is_autocast_available(device_type: str) -> bool: ...
from pyml import is_autocast_enabled as is_autocast_enabled
from pyml import set_autocast_enabled as set_autocast_enabled
