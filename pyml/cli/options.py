"""Options: their parser, whose errors are one line, and their values."""

import argparse
import math

from pyml import config
from pyml.cli.failures import EXIT_USAGE, line_of
from pyml.tabular.table import near

__all__ = ["Parser", "integer", "number", "pair", "parsed", "widths"]


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that says in one line what is wrong."""

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, **options)

    def error(self, message):
        self.exit(EXIT_USAGE, f"{self.prog}: error: {line_of(message)}\n")


def parsed(parser, commands, argv):
    """The options that a command line says.

    Args:
        parser: a Parser with a command below it.
        commands: {name: Parser} of the commands.
        argv: the words.
    """
    words = [word for word in argv if not word.startswith("-")]
    if words and words[0] not in commands:
        parser.error(f"there is no command {short(words[0])!r}; {near(words[0], commands)}")
    options, unknown = parser.parse_known_args(argv)
    command = commands[options.command]
    options.words = argv
    for name, value in vars(options).items():
        if value == [] or (isinstance(value, list) and [] in value):  # what "--lr=--" becomes
            command.error(f"argument --{name.replace('_', '-')}: has no value")
    if unknown:
        there = [option for option in command._option_string_actions if option.startswith("--")]
        names = (word.partition("=")[0] for word in unknown if word.startswith("-"))
        name = next((name for name in names if name not in there), None)
        if name is None:
            command.error(f"there is no place for {short(unknown[0])!r}")
        command.error(f"there is no option {short(name)}; {near(name, there)}")
    return options


def short(value):
    """A value in no more than 40 letters."""
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


# ---- values --------------------------------------------------------------------------------------


def integer(least, most=config.INT_MAX):
    """The type of an option that is a whole number in a range."""

    def parse(text):
        try:
            value = int(text)
        except ValueError:  # also for thousands of digits
            raise argparse.ArgumentTypeError(f"{short(text)!r} is not an integer") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{short(value)} is less than {least}")
        if value > most:
            raise argparse.ArgumentTypeError(f"{short(value)} is more than {most}")
        return value

    return parse


def number(least=-math.inf, above=-math.inf, below=math.inf):
    """The type of an option that is a number in a range."""

    def parse(text):
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{short(text)!r} is not a number") from None
        if not (value >= least and above < value < below):
            bound = f"above {above:g}" if above > least else f"at least {least:g}"
            limit = f" and below {below:g}"
            raise argparse.ArgumentTypeError(f"{short(text)} must be {bound}{limit}")
        return value

    return parse


def pair(text):
    """The type of an option that is a name and a value: (name, value)."""
    name, sign, value = text.rpartition("=")
    if not (sign and name and value):
        raise argparse.ArgumentTypeError(f"{short(text)!r} must be COLUMN=KIND")
    return name, value


def widths(text):
    """The type of an option that is whole numbers with commas between."""
    width = integer(1, 2**62)  # what is too wide for the memory, the memory says
    return tuple(width(part) for part in text.split(","))
