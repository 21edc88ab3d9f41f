"""The command line: pyml train, pyml info."""

import argparse
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from pyml import config, data, io, nn, optim, plot, random
from pyml.train import Callback, ProgressBar, Trainer, mlp

__all__ = ["main"]

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it

WEIGHTS = "model.safetensors"
CURVES = "curves.png"

CLASSES = 10
HELD_OUT = 0.2  # of the bundled digits, for the test
VALIDATION = 0.1  # of what is left
SPLIT_SEED = 0  # fixed: every run is tested on the same rows
LAST_RATE = 0.01  # the learning rate falls linearly towards this part of --lr


class Recipe(NamedTuple):
    """The options of `pyml train` that have another default for each data set."""

    epochs: int
    batch_size: int
    lr: float
    hidden: tuple
    dropout: float


DIGITS = Recipe(epochs=30, batch_size=32, lr=1e-3, hidden=(256, 128), dropout=0.2)
FASHION_MNIST = Recipe(epochs=10, batch_size=128, lr=2e-3, hidden=(512, 256), dropout=0.2)


class DataSet(NamedTuple):
    """Images of ten classes; each part is (images, labels)."""

    name: str
    train: tuple
    validation: tuple
    test: tuple


def main(argv=None):
    """Runs the command line `argv` (default: the process's) and returns its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    for name, value in vars(options).items():
        if value == []:  # what argparse makes of "--lr=--"
            options.command_parser.error(f"argument --{name.replace('_', '-')}: has no value")
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print("pyml: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _parser():
    parser = argparse.ArgumentParser(
        prog="pyml", description="Neural networks on a CPU.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"pyml {config.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)

    train = commands.add_parser(
        "train",
        allow_abbrev=False,
        help="train a network on images",
        description="Trains a multi-layer perceptron with BatchNorm and dropout on the bundled "
        "handwritten digits, or on Fashion-MNIST; tests it on rows that had no part in training; "
        f"writes {WEIGHTS} and {CURVES}, replacing what has these names.",
    )
    train.set_defaults(run=_train, command_parser=train)
    train.add_argument(
        "--fashion-mnist",
        metavar="DIR",
        type=Path,
        help="train on Fashion-MNIST: DIR has the original four .gz files",
    )
    train.add_argument(
        "--seed", type=_integer(0, 2**64 - 1), default=0, help="of all random numbers (default: 0)"
    )
    train.add_argument(
        "--threads",
        type=_integer(1),
        help=f"threads to compute with (default here: {config.get_num_threads()}); "
        "the result does not depend on it",
    )
    train.add_argument("--epochs", type=_integer(1), help=_default("epochs"))
    train.add_argument("--batch-size", type=_integer(2), help=_default("batch_size"))
    train.add_argument(
        "--lr",
        type=_number(above=0),
        help=f"learning rate of the first epoch, from which it falls linearly; {_default('lr')}",
    )
    train.add_argument(
        "--hidden", metavar="N,N,...", type=_widths, help=f"hidden widths; {_default('hidden')}"
    )
    train.add_argument(
        "--dropout",
        type=_number(least=0, below=1),
        help=f"probability of dropping an activation; {_default('dropout')}",
    )
    train.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path(),
        help="where to write; made if missing (default: the current directory)",
    )
    train.add_argument("--no-plot", action="store_true", help=f"do not draw {CURVES}")

    info = commands.add_parser(
        "info", help="show instruction set, threads, build and versions", allow_abbrev=False
    )
    info.set_defaults(run=_info)
    return parser


# ---- pyml train ----------------------------------------------------------------------------------


def _train(options):
    defaults = DIGITS if options.fashion_mnist is None else FASHION_MNIST
    recipe = Recipe(
        *(
            default if getattr(options, name) is None else getattr(options, name)
            for name, default in defaults._asdict().items()
        )
    )
    if options.threads is not None:
        config.set_num_threads(options.threads)
    try:
        dataset = _digits() if options.fashion_mnist is None else _fashion_mnist(options)
        options.out.mkdir(parents=True, exist_ok=True)
        outputs = tempfile.TemporaryDirectory(prefix=".pyml-", dir=options.out)
    except (OSError, ValueError) as error:
        return _fail(error, EXIT_USAGE)

    with outputs:
        try:
            trainer = _fit(dataset, recipe, options.seed)
        except (FloatingPointError, MemoryError) as error:
            return _fail(error, EXIT_FAILED)
        accuracy = trainer.evaluate(*dataset.test)["accuracy"]

        try:
            unfinished = Path(outputs.name)
            io.save(trainer.model.state_dict(), unfinished / WEIGHTS)
            if not options.no_plot:
                try:
                    title = f"{dataset.name}: {_architecture(dataset, recipe)}"
                    rows = len(dataset.validation[1])
                    plot.learning_curves(
                        trainer.history, unfinished / CURVES, title, accuracy, rows=rows
                    )
                except ImportError as error:
                    print(f"no {CURVES}: {error}", file=sys.stderr)
            written = [options.out / path.name for path in sorted(unfinished.iterdir())]
            for path in written:
                os.replace(unfinished / path.name, path)
        except OSError as error:
            return _fail(error, EXIT_FAILED)

    print(f"\nwrote {' and '.join(map(str, written))}; to load the network:\n")
    features = dataset.train[0].shape[1]
    print("    import pyml")
    print("    from pyml.train import mlp")
    print(f"    model = mlp({features}, {recipe.hidden}, {CLASSES}, {recipe.dropout}).eval()")
    print(f"    model.load_state_dict(pyml.load({str(options.out / WEIGHTS)!r}))\n")
    print(f"test accuracy {accuracy:.4f}", flush=True)
    return 0


def _digits():
    images, labels = data.load_digits()
    rest, test = data.stratified_split(labels, HELD_OUT, SPLIT_SEED)
    train, validation = data.stratified_split(labels[rest], VALIDATION, SPLIT_SEED)
    parts = (rest[train], rest[validation], test)
    return DataSet("digits", *((images[rows], labels[rows]) for rows in parts))


def _fashion_mnist(options):
    images, labels = data.load_fashion_mnist(options.fashion_mnist, "train")
    test = data.load_fashion_mnist(options.fashion_mnist, "test")
    parts = data.stratified_split(labels, VALIDATION, SPLIT_SEED)
    if min(map(len, parts)) < 2:
        raise ValueError(f"{options.fashion_mnist}: {len(labels)} training images are too few")
    return DataSet("Fashion-MNIST", *((images[rows], labels[rows]) for rows in parts), test)


def _fit(dataset, recipe, seed):
    """Trains a network by the recipe, telling of it; returns the Trainer."""
    random.manual_seed(seed)
    features = dataset.train[0].shape[1]
    rows = [len(labels) for _, labels in dataset[1:]]
    model = mlp(features, recipe.hidden, CLASSES, recipe.dropout)
    parameters = sum(p.numel() for p in model.parameters())
    print(
        "{}: {:,} images to train, {:,} to validate, {:,} to test".format(dataset.name, *rows),
        f"network: {_architecture(dataset, recipe)}; {parameters:,} parameters\n",
        "epoch  train loss  validation loss  validation accuracy  learning rate  seconds",
        sep="\n",
        flush=True,
    )
    optimizer = optim.AdamW(model.parameters(), lr=recipe.lr)
    trainer = Trainer(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        optim.lr_scheduler.LinearLR(optimizer, 1, LAST_RATE, recipe.epochs),
        metrics=[_accuracy],
        callbacks=[_Lines(), ProgressBar(leave=False)],
    )
    trainer.fit(
        *dataset.train,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        validation=dataset.validation,
        progress=False,
    )
    return trainer


def _accuracy(prediction, target):
    return (prediction == target).mean()


_accuracy.__name__ = "accuracy"


class _Lines(Callback):
    """A line for each epoch."""

    def on_epoch_end(self, epoch, logs=None):
        with tqdm.external_write_mode(file=sys.stdout):
            print(
                f"{epoch:5}  {logs.train_loss:10.4f}  {logs.validation_loss:15.4f}"
                f"  {logs.validation_accuracy:19.4f}  {logs.learning_rate:13.6f}"
                f"  {logs.seconds:7.3f}",
                flush=True,
            )


def _architecture(dataset, recipe):
    widths = (dataset.train[0].shape[1], *recipe.hidden, CLASSES)
    return f"{'-'.join(map(str, widths))}, BatchNorm, ReLU, dropout {recipe.dropout:g}"


def _fail(error, code):
    """Says in one line what is wrong, and returns the exit code."""
    message = error
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, MemoryError):
        message = f"not enough memory ({error})" if str(error) else "not enough memory"
    print(f"pyml train: error: {message}", file=sys.stderr)
    return code


# ---- pyml info -----------------------------------------------------------------------------------


def _info(options):
    config.show_config()
    return 0


# ---- values of options ---------------------------------------------------------------------------


def _default(option):
    text = [
        ",".join(map(str, value)) if isinstance(value, tuple) else f"{value:g}"
        for value in (getattr(DIGITS, option), getattr(FASHION_MNIST, option))
    ]
    return f"default: {text[0]} for digits, {text[1]} for Fashion-MNIST"


def _integer(least, most=config.INT_MAX):
    def parse(text):
        try:
            value = int(text)
        except ValueError:  # also for thousands of digits
            raise argparse.ArgumentTypeError(f"{_short(text)!r} is not an integer") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{_short(value)} is less than {least}")
        if value > most:
            raise argparse.ArgumentTypeError(f"{_short(value)} is more than {most}")
        return value

    return parse


def _short(value):
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _number(least=-math.inf, above=-math.inf, below=math.inf):
    def parse(text):
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{_short(text)!r} is not a number") from None
        if not (value >= least and above < value < below):
            bound = f"above {above:g}" if above > least else f"at least {least:g}"
            limit = f" and below {below:g}"
            raise argparse.ArgumentTypeError(f"{_short(text)} must be {bound}{limit}")
        return value

    return parse


def _widths(text):
    width = _integer(1, 2**62)  # what is too wide for the memory, the memory says
    return tuple(width(part) for part in text.split(","))
