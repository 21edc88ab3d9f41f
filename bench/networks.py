"""The training steps that are timed: those of `pyml bench`, and one beside SimpleChains."""

from pyml.cli import networks
from pyml.cli.networks import DIFFERENT, Network

__all__ = ["DIFFERENT", "NETWORKS", "Network"]

NETWORKS = {
    **networks.NETWORKS,
    "simplechains": Network((4, 32, 16, 4), "Tanh", False, 10_000, "MSELoss"),
}
