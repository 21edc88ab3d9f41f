"""Steps that are recorded once and replayed in C."""

from pyml.recording.diagnostics import Diagnostics
from pyml.recording.host_calls import host
from pyml.recording.progress import Progress
from pyml.recording.recorded import Recorded, record
from pyml.recording.refusal import RecordError
from pyml.recording.stats import KernelStats, Stats

__all__ = [
    "Diagnostics",
    "KernelStats",
    "Progress",
    "RecordError",
    "Recorded",
    "Stats",
    "host",
    "record",
]
