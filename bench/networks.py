"""The training steps that are timed: those of `pyml bench`, and some of papers and programs."""

from pyml.cli import networks
from pyml.cli.networks import DIFFERENT, Network

__all__ = ["DIFFERENT", "NETWORKS", "Network"]

NETWORKS = {
    **networks.NETWORKS,
    # Hinton & Salakhutdinov 2006 (doi:10.1126/science.1127647), of digits
    "autoenc": Network(
        (784, 1000, 500, 250, 30, 250, 500, 1000, 784), "ReLU", False, 128, "MSELoss", 16
    ),
    # an actor of TD3 (arXiv:1802.09477) on HalfCheetah
    "rl": Network((17, 400, 300, 6), "ReLU", False, 100, "MSELoss"),
    "letter": Network((16, 512, 256, 26), "ReLU", False, 100, "CrossEntropyLoss"),
    "simplechains": Network((4, 32, 16, 4), "Tanh", False, 10_000, "MSELoss"),
}
