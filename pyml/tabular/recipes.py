"""Recipes of published networks for tables: how rows are prepared, the network, how it is trained.

A recipe is a row of RECIPES; tabular.fit(recipe=) takes its name, or a Recipe of your own:

    >>> recipe = tabular.RECIPES["mlp-plr"].replace(hidden=(832,), sigma=0.47, lr=7e-4)
    >>> fitted = tabular.fit("houses.csv", "price", recipe=recipe)
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from pyml import nn, ops, optim
from pyml.options import check_choice, check_counts
from pyml.tabular.defaults import BATCHES, EPOCHS, LARGEST_BATCH, STEPS, up_to
from pyml.tabular.model import TabularModel
from pyml.tabular.networks import CategoryCodes, Within, begin_by_data
from pyml.train import EarlyStopping, Trainer

__all__ = ["RECIPES", "ByTask", "Recipe"]

MEMBERS = 32
ROLES = ("scale", "activation", "embedding", "embedding bias", "linear", "bias", "weight")
BEGIN_ROWS = 16_384  # at most so many say how a network begins

# What ends a training. Of more than 1,000 rows an epoch has 16 steps, so that the patience is the
# published one, and a tenth of them are enough to count.
PATIENCE, PATIENT_STEPS = 16, 256
COUNTED_ROWS = 100  # of fewer, an accuracy is the same in many epochs


class ByTask(NamedTuple):
    """A value that differs between tasks of classes and of numbers."""

    classes: Any
    numbers: Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network for a table is made and trained. A value may be a ByTask.

    Attributes:
        numbers, log: see Preprocessor.
        network: options of a TabularModel.
        num_bins: at most so many for each number, of embedding="piecewise".
        lr, weight_decay, betas: of AdamW.
        factors: {role: (factor of lr, factor of weight_decay)} of parameters. Roles are "scale" (of
            ScalingLayer), "activation", "embedding" and "embedding bias" (of numbers), "linear"
            (frequencies, and the part of an embedding of numbers that is not piecewise), "bias",
            "weight". Default of a role: (1, 1).
        schedule: None; or "coslog4": see optim.lr_scheduler.CosLogLR.
        flat_cos: whether weight_decay and dropout fall to 0 in the second half.
        begins_by_data: whether the training rows say how weights begin.
        label_smoothing: of classes.
        clip: the largest norm of the gradients, or None.
        batch_size: rows of a step; None: by the number of rows.
        drop_last: whether what is left of an epoch for a smaller batch is left out.
        shares_batches: whether members are trained on the same batch; else each on one of its own,
            at the price of embedding so many times the rows.
        epochs: how many; None: until `patience` epochs in a row were no better, by the accuracy of
            classes or the loss of numbers. Of classes it is the loss, too, if there are less than
            100 rows to validate on.
        patience: how many; None: 16, and of few rows as many as have 256 steps.
        ties: "first" or "last" of epochs that are equally good is kept.
        source: the paper.

    Raises:
        TypeError, ValueError: for a schedule, ties, epochs, patience, batch_size or role of another
            kind; for a schedule without epochs, or flat_cos without a schedule. Other values are
            checked where they are used.
    """

    numbers: str = "noisy-quantile"
    log: bool | None = None
    network: Mapping = dataclasses.field(default_factory=dict)
    num_bins: int = 48
    lr: float | ByTask = 1e-3
    weight_decay: float = 0.0
    betas: tuple = (0.9, 0.999)
    factors: Mapping = dataclasses.field(default_factory=dict)
    schedule: str | None = None
    flat_cos: bool = False
    begins_by_data: bool = False
    label_smoothing: float = 0.0
    clip: float | None = None
    batch_size: int | None = None
    drop_last: bool = False
    shares_batches: bool = True
    epochs: int | None = None
    patience: int | None = None
    ties: str = "first"
    source: str = ""

    def __post_init__(self):
        check_choice("Recipe", "schedule", self.schedule, (None, "coslog4"))
        check_choice("Recipe", "ties", self.ties, ("first", "last"))
        for name in ("epochs", "patience", "batch_size", "num_bins"):
            value = getattr(self, name)
            if value is not None or name == "num_bins":
                check_counts("Recipe", least=1, **{name: value})
        for role in self.factors:
            check_choice("Recipe", "a role in factors", role, ROLES)
        if self.schedule is not None and self.epochs is None:
            raise ValueError(f"Recipe: schedule {self.schedule!r} needs epochs, how many there are")
        if self.flat_cos and self.schedule is None:
            raise ValueError("Recipe: flat_cos needs a schedule; pass schedule='coslog4'")

    def replace(self, **options):
        """A copy with other values: of attributes, or of options of the network."""
        names = {field.name for field in dataclasses.fields(self)}
        of_network = {n: value for n, value in options.items() if n not in names}
        options = {n: value for n, value in options.items() if n in names}
        network = {**self.network, **options.pop("network", {}), **of_network}
        return dataclasses.replace(self, network=network, **options)

    def for_task(self, has_classes):
        """A copy in which each ByTask is the value of the task."""

        def chosen(value):
            return value[0 if has_classes else 1] if isinstance(value, ByTask) else value

        network = {name: chosen(value) for name, value in self.network.items()}
        values = {f.name: chosen(getattr(self, f.name)) for f in dataclasses.fields(self)}
        return Recipe(**{**values, "network": network})


# ---- the rows ------------------------------------------------------------------------------------

NO_DECAY = dict.fromkeys(("bias", "embedding bias", "linear"), (1, 0))

REALMLP_TD_S = Recipe(
    numbers="robust",
    log=False,
    network={
        "kind": "realmlp",
        "hidden": (256, 256, 256),
        "activation": ByTask("SELU", "Mish"),
        "one_hot": 2**31,
    },
    lr=ByTask(0.04, 0.07),
    betas=(0.9, 0.95),
    factors={"scale": (6, 1), "bias": (0.1, 1)},
    schedule="coslog4",
    label_smoothing=0.1,
    batch_size=256,
    drop_last=True,
    epochs=256,
    ties="last",
    source="Holzmueller et al. 2024 (arXiv:2407.04491)",
)

REALMLP_TD = REALMLP_TD_S.replace(
    kind="realmlp-td",
    dropout=0.15,
    embedding="pbld",
    embedding_dim=4,
    num_frequencies=16,
    sigma=0.1,
    one_hot=8,
    category_dim=8,
    lr=ByTask(0.04, 0.2),
    weight_decay=0.02,
    factors={  # the decay has the square of lr's factor, as in the authors' optimizer
        "scale": (6, 6),
        "bias": (0.1, 0),
        "activation": (0.1, 0.1),
        "embedding": (0.1, 0.1),
        "embedding bias": (0.1, 0.1),
        "linear": (0.1, 0.1),
    },
    flat_cos=True,
    begins_by_data=True,
)

MLP = Recipe(
    network={"hidden": (256, 256, 256), "dropout": 0.1},
    weight_decay=1e-4,
    factors=NO_DECAY,
    clip=1.0,
    source="Gorishniy et al. 2022 (arXiv:2203.05556)",
)
MLP_PLR = MLP.replace(
    hidden=(512,),
    dropout=0.4,
    embedding="periodic",
    embedding_dim=24,
    num_frequencies=60,
    sigma=0.45,
    lr=5e-4,
)
MLP_PLE = MLP.replace(
    hidden=(512, 512), dropout=0.2, embedding="piecewise", embedding_dim=16, lr=5e-4
)

TABM = Recipe(
    network={
        "kind": "tabm",
        "hidden": (512, 512),
        "dropout": 0.1,
        "members": MEMBERS,
        "embedding": "piecewise",
        "embedding_dim": 16,
    },
    lr=2e-3,
    weight_decay=3e-4,
    factors=NO_DECAY,
    clip=1.0,
    source="Gorishniy et al. 2024 (arXiv:2410.24210)",
)
TABM_MINI = TABM.replace(kind="tabm-mini")

RECIPES = {
    "realmlp-td-s": REALMLP_TD_S,
    "realmlp-td": REALMLP_TD,
    "mlp": MLP,
    "mlp-plr": MLP_PLR,
    "mlp-ple": MLP_PLE,
    "tabm": TABM,
    "tabm-mini": TABM_MINI,
}


def recipe_named(recipe):
    """A Recipe by its name, or as it is.

    Raises:
        TypeError, ValueError: if it is none.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if not isinstance(recipe, str):
        raise TypeError(
            f"fit: recipe is a {type(recipe).__name__}, it must be a name, one of "
            f"{', '.join(RECIPES)}, or a Recipe"
        )
    check_choice("fit", "recipe", recipe, tuple(RECIPES))
    return RECIPES[recipe]


# ---- training ------------------------------------------------------------------------------------


def trained_by(recipe, prepared, callbacks, resume, progress):
    """A model, its History, and whether Ctrl-C has ended it.

    Args:
        recipe: a Recipe.
        prepared: the table, as fitting.Prepared has it.
        callbacks: of the Trainer.
        resume: the checkpoint from which it goes on, None for none.
        progress: show a bar.
    """
    has_classes = prepared.target.classes is not None
    recipe = recipe.for_task(has_classes)
    rows, values = len(prepared.y), prepared.preprocessor.values
    options = dict(recipe.network)
    if options.get("embedding") == "piecewise" and "bins" not in options and values:
        options["bins"] = nn.quantile_bins(prepared.inputs[0][:, :values], recipe.num_bins)
    model = TabularModel(
        prepared.preprocessor.schema, prepared.preprocessor, prepared.target, **options
    )
    batch_size = min(recipe.batch_size or up_to(rows, BATCHES, LARGEST_BATCH), rows)
    steps = rows // batch_size if recipe.drop_last else -(-rows // batch_size)
    epochs = recipe.epochs
    if epochs is None and prepared.held is None:
        epochs = min(EPOCHS, -(-STEPS // steps))
    begin(model, recipe, prepared, steps * (epochs or 0))
    optimizer = optim.AdamW(groups(model, recipe), lr=recipe.lr, betas=recipe.betas)
    scheduler = None
    if recipe.schedule is not None:
        scheduler = optim.lr_scheduler.CosLogLR(
            optimizer, steps * epochs, flat_cos_decay=recipe.flat_cos
        )
    best = None
    if prepared.held is not None:
        best = stopping(recipe, has_classes, steps, len(prepared.held[1]))
    trained, data = model, None
    if model.is_ensemble and not recipe.shares_batches and prepared.weight is None:
        trained = OwnBatches(model, prepared)
        data = trained.data(prepared)
    trainer = Trainer(
        trained,
        model.loss(recipe.label_smoothing),
        optimizer,
        scheduler,
        metrics=["accuracy"] if has_classes else [],
        callbacks=[*([] if best is None else [best]), *callbacks],
        clip=recipe.clip,
        scheduler_every="step",
    )
    is_interrupted = prepared.run(
        trainer,
        best,
        data,
        epochs=epochs,
        batch_size=batch_size,
        drop_last=recipe.drop_last,
        resume=resume,
        progress=progress,
    )
    return model, trainer.history, is_interrupted


def stopping(recipe, has_classes, steps, held):
    """What keeps the best weights and ends the training.

    Args:
        recipe: a Recipe.
        has_classes: whether the task has.
        steps: of an epoch.
        held: how many rows there are to validate on.
    """
    patience = recipe.epochs or recipe.patience or max(PATIENCE, -(-PATIENT_STEPS // steps))
    is_counted = has_classes and (recipe.epochs is not None or held >= COUNTED_ROWS)
    monitor = "validation_accuracy" if is_counted else "validation_loss"
    return EarlyStopping(patience=patience, monitor=monitor, ties=recipe.ties)


class OwnBatches(nn.Module):
    """A model of members, each of which is trained on other rows of an epoch than the others.

    It takes numbers of rows, (n, members): in training those of each member, in evaluation the
    first is meant. Each member has an order of its own, which is drawn once; in each epoch all of
    them are shuffled as one, so that a member sees each row once, in any order.
    """

    def __init__(self, model, prepared):
        super().__init__()
        self.model, self.members = model, model.architecture["members"]
        parts = [prepared.inputs, *([] if prepared.held is None else [prepared.held[0]])]
        for i, name in enumerate(("numbers", "categories")):
            rows = ops.cat([part[i] for part in parts])
            setattr(self, name, nn.Buffer(rows, persistent=False))

    def data(self, prepared):
        """Inputs, y and what to validate on, for Trainer.fit."""
        count = len(prepared.y)
        rows = ops.stack([ops.randperm(count) for _ in range(self.members)], 1)
        held = prepared.held
        if held is not None:
            after = ops.arange(count, count + len(held[1]))
            held = after.unsqueeze(1).expand(-1, self.members).contiguous(), held[1]
        return rows, prepared.y[rows.flatten()].unflatten(0, (count, self.members)), held

    def forward(self, rows):
        """Numbers of rows (n, members) to outputs, as of the model."""
        chosen = rows.flatten() if self.training else rows[:, 0].contiguous()
        given = self.numbers.index_select(0, chosen), self.categories.index_select(0, chosen)
        if not self.training:
            return self.model(*given)
        features = self.model.features(*given).unflatten(0, (-1, self.members))
        outputs = self.model.network(features)
        return outputs.squeeze(-1) if self.model.target.is_single else outputs


def begin(model, recipe, prepared, total_steps):
    """Sets what the training rows and the length of the training say of the network."""
    numbers, categories = prepared.inputs
    dropouts = [each for each in model.modules() if isinstance(each, nn.AnnealedDropout)]
    for dropout in dropouts:
        dropout.total_steps = max(total_steps, 1)
    if isinstance(model.categories, CategoryCodes):
        model.categories.begin(categories)
    if recipe.begins_by_data:
        if len(numbers) > BEGIN_ROWS:  # of all, as the table may be sorted
            chosen = ops.randperm(len(numbers))[:BEGIN_ROWS]
            numbers, categories = numbers[chosen], categories[chosen]
        begin_by_data(model.network, model.features(numbers, categories))
    for dropout in dropouts:
        dropout.count.zero_()
    if isinstance(model.network[-1], Within) and model.target.mean is not None:
        model.network[-1].begin(prepared.y)


def groups(model, recipe):
    """Groups of parameters of the same role, with their rates and decays."""
    by_role = {}
    for name, module in model.named_modules():
        for own, parameter in module.named_parameters(recurse=False):
            role = role_of(module, own, name.startswith("numbers"))
            by_role.setdefault(role, []).append(parameter)
    made = []
    for role, parameters in by_role.items():
        of_lr, of_decay = recipe.factors.get(role, (1, 1))
        group = {"lr": recipe.lr * of_lr, "weight_decay": recipe.weight_decay * of_decay}
        made.append({"params": parameters, **group})
    return made


def role_of(module, name, is_embedding):
    """What a parameter is: see Recipe.factors."""
    if isinstance(module, nn.ScalingLayer):
        return "scale"
    if isinstance(module, nn.ParametricActivation):
        return "activation"
    if isinstance(module, (nn.PeriodicEmbedding, nn.PiecewiseLinearEmbedding, nn.PBLDEmbedding)):
        return "linear"
    if is_embedding:
        return "embedding bias" if name == "bias" else "embedding"
    return "bias" if name == "bias" else "weight"
