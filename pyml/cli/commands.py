"""From the words of a command line to a command, and from its errors to a line."""

import sys
import warnings
from contextlib import contextmanager

from pyml import config
from pyml.cli import bench, evaluate, export, info, inspect, predict, train
from pyml.cli.failures import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    Refused,
    sentence,
    warn,
)
from pyml.cli.options import Parser, parsed
from pyml.cli.output import flush
from pyml.cli.ranks import end_with, is_first

__all__ = ["main"]

COMMANDS = (train, predict, evaluate, inspect, export, bench, info)


def main(argv=None):
    """Runs the command line `argv` (default: the process's) and returns its exit code."""
    words = sys.argv[1:] if argv is None else list(map(str, argv))
    name = "pyml"
    if hasattr(sys.stdout, "reconfigure"):  # names that it cannot show are no error
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            options = parsed(*parsers(), words)
            name = f"pyml {options.command}"
            with warnings_in_lines():
                return options.run(options)
        finally:
            flush()
    except KeyboardInterrupt as interrupt:
        message, code = "; ".join(["interrupted", *map(str, interrupt.args)]), EXIT_INTERRUPTED
    except (Refused, ValueError, TypeError, ImportError) as error:
        message, code = f"error: {sentence(error)}", EXIT_USAGE
    except (OSError, FloatingPointError, MemoryError) as error:
        message, code = f"error: {sentence(error)}", EXIT_FAILED
    if code == EXIT_INTERRUPTED:  # of which all ranks know
        if is_first():
            print(f"{name}: {message}", file=sys.stderr)
        return code
    return end_with(code, lambda: print(f"{name}: {message}", file=sys.stderr))


def parsers():
    """The Parser of all, and {name: Parser} of the commands."""
    parser = Parser(prog="pyml", description="Neural networks on a CPU.")
    parser.add_argument("--version", action="version", version=f"pyml {config.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        command = commands.add_parser(name, help=module.HELP, description=module.DESCRIPTION)
        command.set_defaults(run=module.run, parser=command)
        module.add_options(command)
    return parser, commands.choices


def parser():
    """The Parser of all, of which shtab makes completions."""
    return parsers()[0]


@contextmanager
def warnings_in_lines():
    """Warnings for users as lines, each once; others, as of libraries, are not shown."""
    said = set()

    def show(message, *place):
        text = str(message)
        if text.startswith("Glyph "):  # of matplotlib, for each letter
            text = "the font of the pictures lacks some letters"
        if text not in said:
            said.add(text)
            warn(text)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", category=UserWarning)
        warnings.showwarning = show
        yield
