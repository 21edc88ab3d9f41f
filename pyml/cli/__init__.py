"""The command line, a file a command: pyml train, predict, evaluate, inspect, bench, info."""

from pyml.cli.commands import main

__all__ = ["main"]
