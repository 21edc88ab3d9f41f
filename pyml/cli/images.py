"""Training on images: the bundled digits, Fashion-MNIST."""

from typing import NamedTuple

from pyml import data, distributed, io, nn, optim, plot, random
from pyml.cli.epochs import EpochLines
from pyml.cli.failures import refusing
from pyml.cli.output import RunFolder, can_draw, default_folder, say, say_json
from pyml.train import EarlyStopping, ProgressBar, Trainer, mlp

OPTIONS = ("fashion_mnist", "dropout")  # that tables do not have

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


def default(option):
    """What the help says of an option's default."""
    text = [
        ",".join(map(str, value)) if isinstance(value, tuple) else f"{value:g}"
        for value in (getattr(DIGITS, option), getattr(FASHION_MNIST, option))
    ]
    return f"default: {text[0]} for digits, {text[1]} for Fashion-MNIST"


PARTS = ("train", "validation", "test")


class DataSet(NamedTuple):
    """Images of ten classes; each part is (images, labels)."""

    name: str
    train: tuple
    validation: tuple
    test: tuple


def run(options):
    """pyml train without a table."""
    defaults = DIGITS if options.fashion_mnist is None else FASHION_MNIST
    recipe = Recipe(
        *(
            default if getattr(options, name) is None else getattr(options, name)
            for name, default in defaults._asdict().items()
        )
    )
    with refusing():
        dataset = digits() if options.fashion_mnist is None else fashion_mnist(options)
    name = "digits" if options.fashion_mnist is None else "fashion-mnist"
    with_pictures = can_draw(options.plot)
    files = (WEIGHTS, CURVES) if with_pictures else (WEIGHTS,)
    with RunFolder(options.out or default_folder(name, options.force), files, options.force) as out:
        trainer, interrupted = fit(dataset, recipe, options)
        accuracy = trainer.evaluate(*dataset.test)["accuracy"]
        out.write(WEIGHTS, lambda path: io.save(trainer.model.state_dict(), path))
        if with_pictures:
            title = f"{dataset.name}: {architecture(dataset, recipe)}"
            rows = len(dataset.validation[1])
            out.write(
                CURVES,
                lambda path: plot.learning_curves(
                    trainer.history, path, title, accuracy, rows=rows
                ),
            )
    if options.json:
        say_json(
            {
                "data": dataset.name,
                "rows": {
                    name: len(labels) for name, (_, labels) in zip(PARTS, dataset[1:], strict=True)
                },
                **recipe._asdict(),
                "seed": options.seed,
                "interrupted": interrupted,
                "history": trainer.history,
                "test": {"accuracy": accuracy},
                "files": out.written,
            }
        )
    elif not options.quiet:
        features = dataset.train[0].shape[1]
        say(
            f"\nwrote {' and '.join(map(str, out.written))}; to load the network:\n",
            "    import pyml",
            "    from pyml.train import mlp",
            f"    model = mlp({features}, {recipe.hidden}, {CLASSES}, {recipe.dropout}).eval()",
            f"    model.load_state_dict(pyml.load({str(out.path / WEIGHTS)!r}))\n",
            f"test accuracy {accuracy:.4f}",
        )
    if interrupted:
        raise KeyboardInterrupt(f"the best weights so far are in {out.path / WEIGHTS}")
    return 0


def digits():
    """The bundled digits; their test rows are the same in every run."""
    images, labels = data.load_digits()
    rest, test = data.stratified_split(labels, HELD_OUT, SPLIT_SEED)
    train, validation = data.stratified_split(labels[rest], VALIDATION, SPLIT_SEED)
    parts = (rest[train], rest[validation], test)
    return DataSet("digits", *((images[rows], labels[rows]) for rows in parts))


def fashion_mnist(options):
    """Fashion-MNIST from its files."""
    images, labels = data.load_fashion_mnist(options.fashion_mnist, "train")
    test = data.load_fashion_mnist(options.fashion_mnist, "test")
    parts = data.stratified_split(labels, VALIDATION, SPLIT_SEED)
    if min(map(len, parts)) < 2:
        raise ValueError(f"{options.fashion_mnist}: {len(labels)} training images are too few")
    return DataSet("Fashion-MNIST", *((images[rows], labels[rows]) for rows in parts), test)


def fit(dataset, recipe, options):
    """Trains a network by the recipe.

    Returns:
        The Trainer; whether Ctrl-C has ended the training: the weights are then the best ones.
    """
    random.manual_seed(options.seed)
    features = dataset.train[0].shape[1]
    rows = [len(labels) for _, labels in dataset[1:]]
    model = mlp(features, recipe.hidden, CLASSES, recipe.dropout)
    if distributed.is_initialized():  # a batch is normalised as a whole, as in one process
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    best = EarlyStopping(model, recipe.epochs)
    callbacks = [lambda epoch: best(epoch.validation_loss)]
    if not (options.quiet or options.json):
        parameters = sum(p.numel() for p in model.parameters())
        say(
            "{}: {:,} images to train, {:,} to validate, {:,} to test".format(dataset.name, *rows),
            f"network: {architecture(dataset, recipe)}; {parameters:,} parameters\n",
        )
        callbacks += [EpochLines(), ProgressBar(leave=False)]
    optimizer = optim.AdamW(model.parameters(), lr=recipe.lr)
    trainer = Trainer(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        optim.lr_scheduler.LinearLR(optimizer, 1, LAST_RATE, recipe.epochs),
        metrics=[accuracy_of],
        callbacks=callbacks,
    )
    try:
        trainer.fit(
            *dataset.train,
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
            validation=dataset.validation,
            progress=False,
        )
    except KeyboardInterrupt:
        if best.best is None:
            raise KeyboardInterrupt("in the first epoch, nothing was written") from None
        best.restore()
        return trainer, True
    return trainer, False


def accuracy_of(prediction, target):
    return (prediction == target).mean()


accuracy_of.__name__ = "accuracy"


def architecture(dataset, recipe):
    """The network in words."""
    widths = (dataset.train[0].shape[1], *recipe.hidden, CLASSES)
    return f"{'-'.join(map(str, widths))}, BatchNorm, ReLU, dropout {recipe.dropout:g}"
