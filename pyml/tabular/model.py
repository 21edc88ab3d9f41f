"""TabularModel: from raw rows to predictions, in one Module and one file."""

import math
from itertools import pairwise

import numpy as np

from pyml import io, nn, ops
from pyml.grad_mode import no_grad
from pyml.ops.arrays import checked_tensor
from pyml.options import Range, check_choice, check_counts, check_integer, check_number
from pyml.tabular.networks import ACTIVATIONS, KINDS, CategoryCodes
from pyml.tabular.preprocessor import Preprocessor
from pyml.tabular.reading import as_table, read_batches
from pyml.tabular.schema import Schema, checked_state
from pyml.tabular.table import check_type
from pyml.tabular.target import Target
from pyml.tensor import Tensor

__all__ = ["Categories", "TabularEnsemble", "TabularModel"]

FORMAT, VERSION = "pyml.tabular", 1
PREDICTED_ROWS = 8192  # at a time, of all members together,
LAYER_ROWS = 1024  # and so many of one: its activations stay in a cache
EMBEDDINGS = (None, "piecewise", "periodic", "periodic-lite", "pbld")

NAMES = {  # what an architecture is made of, and its types in a file
    "hidden": tuple,
    "dropout": float,
    "activation": str,
    "embedding": (str, type(None)),
    "embedding_dim": int,
    "num_frequencies": int,
    "sigma": float,
    "bins": (list, type(None)),
    "one_hot": int,
    "category_dim": int,
}
ADDED = {"kind": "mlp", "members": 1}  # files without them are of these
NAMES |= {name: type(value) for name, value in ADDED.items()}


class Categories(nn.Module):
    """Numbers of categories as vectors: one-hot where they are few, learned where they are many.

    0, a category that is in no training row, is a vector of zeros.

    Args:
        sizes: how many categories each column has, without 0.
        one_hot: the most categories that are one-hot. Default: 64.
        category_dim: the size of a learned vector; it begins as N(0, 1). Default: 8.

    Attributes:
        widths: numbers that each column gives, in the order in which they stand.
        size: numbers that a row gives.

    Shape:
        int64 (n, columns) to (n, size): the one-hot ones first.

    Raises:
        TypeError, ValueError: if a size is not a positive integer; ValueError in forward, for
            another shape.

    Example:
        >>> tabular.Categories([2, 3])(pyml.tensor([[1, 3], [2, 0]]))
        tensor([[1., 0., 0., 0., 1.],
                [0., 1., 0., 0., 0.]])
    """

    def __init__(self, sizes, one_hot=64, category_dim=8):
        super().__init__()
        counts = {f"sizes[{i}]": size for i, size in enumerate(sizes)}
        check_counts("Categories", least=1, **counts, category_dim=category_dim)
        check_integer("Categories", "one_hot", one_hot)
        few = [i for i, size in enumerate(sizes) if size <= one_hot]
        many = [i for i, size in enumerate(sizes) if size > one_hot]
        place = [i for i in few for _ in range(sizes[i])]
        value = [level for i in few for level in range(1, sizes[i] + 1)]
        begins = np.cumsum([0, *(sizes[i] for i in many)])[:-1]
        for name, numbers in (
            ("place", place),
            ("value", value),
            ("learned", many),
            ("begins", begins),
        ):
            numbers = ops.tensor(np.array(numbers, np.int64))
            setattr(self, name, nn.Buffer(numbers, persistent=False))
        total = sum(sizes[i] for i in many)
        self.table = nn.Embedding(total, category_dim) if many else None
        self.columns = len(sizes)
        self.widths = [sizes[i] for i in few] + [category_dim] * len(many)
        self.size = sum(self.widths)

    def forward(self, categories):
        """(n, columns) to (n, size)."""
        columns = self.columns
        if checked_tensor(categories, "Categories").dim() != 2 or categories.shape[1] != columns:
            raise ValueError(
                f"Categories: categories has shape {tuple(categories.shape)}, it must be (n, "
                f"{columns}), as there are sizes"
            )
        parts, dtype = [], np.dtype("float32") if self.table is None else self.table.weight.dtype
        if len(self.place):
            hot = categories.T.index_select(0, self.place) == self.value.unsqueeze(1)
            parts.append(hot.to(dtype).T)
        if self.table is not None:
            numbers = categories.index_select(1, self.learned)
            known = numbers > 0
            rows = (numbers - 1).clamp(min=0) + self.begins
            vectors = self.table(rows) * known.unsqueeze(2).to(dtype)
            parts.append(vectors.flatten(1))
        return ops.cat(parts, 1)

    def extra_repr(self):
        """How many columns there are of both sorts, and the size."""
        return f"one_hot={len(self.place)}, learned={len(self.learned)}, size={self.size}"


class TabularModel(nn.Module):
    """A network with all that makes raw rows its inputs, and its outputs predictions.

    TabularModel.for_table(schema, rows) makes one. In training, `inputs` and `targets` give Tensors
    for a hand-written loop:

        >>> model = tabular.TabularModel.for_table(schema, train, hidden=(256, 256))
        >>> inputs, y = model.inputs(train), model.targets(train)
        >>> loss = model.loss()(model(*inputs), y)

    and `predict` takes what read() does: a path, a frame, a dict of arrays. `save` writes schema,
    preprocessor, network and target to one file, from which `load` makes the model on another
    machine: the predictions have the same bits on the same instruction set.

    Args:
        schema: a Schema with a target.
        preprocessor: a Preprocessor of it that is fitted.
        target: a Target of it that is fitted.
        hidden: widths of the hidden layers, which may be none. Default: (256, 256).
        dropout: after each hidden layer. Default: 0.
        activation: "ReLU", "SELU", "GELU", "SiLU", "Mish" or "Tanh". Default: "ReLU".
        embedding: of numbers: None; "piecewise", nn.PiecewiseLinearEmbedding; "periodic" or
            "periodic-lite", nn.PeriodicEmbedding; "pbld", nn.PBLDEmbedding. Default: None.
        embedding_dim: the size of each number's vector. Default: 16.
        num_frequencies, sigma: of "periodic" and "pbld". Default: 48, 0.1.
        bins: of "piecewise": see nn.quantile_bins. Default: none.
        one_hot: categories are one-hot up to so many, then learned vectors. Default: 64.
        category_dim: the size of these. Default: 8.
        kind: of the network: "mlp"; "tabm" or "tabm-mini", members that share weights, each with
            an output; "realmlp", a ScalingLayer and NTPLinear; "realmlp-td", the same with dropout
            that is annealed and activations that are learned. Default: "mlp".
        members: of "tabm" and "tabm-mini". In training outputs are those of each, (n, members,
            ...), and loss() is the mean over them; else their mean, as of a TabularEnsemble.
            Default: 1.
        network: a Module of (n, features) to (n, target.outputs), in place of the one that hidden,
            dropout and activation describe; a function of (features, outputs) that makes it, too.
            load() must be given it. Default: none.

    Shape:
        numbers (n, d) and categories (n, c), as Preprocessor.transform gives, to outputs as in
        Target.

    Raises:
        TypeError, ValueError: for options that are not as said.
        RuntimeError: if preprocessor or target are not fitted.
    """

    def __init__(
        self,
        schema,
        preprocessor,
        target,
        *,
        hidden=(256, 256),
        dropout=0.0,
        activation="ReLU",
        embedding=None,
        embedding_dim=16,
        num_frequencies=48,
        sigma=0.1,
        bins=None,
        one_hot=64,
        category_dim=8,
        kind="mlp",
        members=1,
        network=None,
    ):
        super().__init__()
        check_type("TabularModel", "schema", schema, Schema)
        check_type("TabularModel", "preprocessor", preprocessor, Preprocessor)
        check_type("TabularModel", "target", target, Target)
        self.preprocessor, self.target = preprocessor, target
        self.schema = preprocessor.schema
        given = locals()
        self.architecture = checked_architecture({name: given[name] for name in NAMES})
        for name, fitted in (
            ("preprocessor", preprocessor.features is not None),
            ("target", target.is_fitted),
        ):
            if not fitted:
                raise RuntimeError(f"TabularModel: {name} is not fitted; call its fit()")
        values, others = preprocessor.values, len(preprocessor.numbers) - preprocessor.values
        self.numbers = number_embedding(values, **self.architecture)
        self.categories = category_module(preprocessor, **self.architecture)
        parts = [1 if self.numbers is None else embedding_dim] * values + [1] * others
        parts += [] if self.categories is None else self.categories.widths
        features = sum(parts)
        if network is None:
            options = {
                **self.architecture,
                "embedding": None if self.numbers is None else embedding,
            }
            network = KINDS[kind](parts, target.outputs, **options)
        elif not isinstance(network, nn.Module):
            network = network(features, target.outputs)
        self.network = network

    @classmethod
    def for_table(cls, schema, table, *, numbers="quantile", log=None, num_bins=48, **options):
        """A model of the training rows of a table, not yet trained.

        Args:
            schema: a Schema with a target.
            table: the training rows.
            numbers, log: see Preprocessor.
            num_bins: of each number, for embedding="piecewise". Default: 48.
            options: see TabularModel.

        Raises:
            As Preprocessor.fit, Target.fit and TabularModel.
        """
        target = Target(schema).fit(table)
        preprocessor = Preprocessor(schema, numbers, log).fit(table)
        if options.get("embedding") == "piecewise" and options.get("bins") is None:
            values = preprocessor.transform(table)[0][:, : preprocessor.values]
            if preprocessor.values:
                options = {**options, "bins": nn.quantile_bins(values, num_bins)}
        return cls(schema, preprocessor, target, **options)

    @property
    def members(self):
        """The models whose predictions are averaged: itself alone."""
        return [self]

    # ---- forward ---------------------------------------------------------------------------------

    def forward(self, numbers, categories):
        """Outputs of rows; see Target."""
        outputs = self.network(self.features(numbers, categories))
        outputs = outputs.squeeze(-1) if self.target.is_single else outputs
        if self.is_ensemble and not self.training:
            return self.target.averaged(outputs.transpose(0, 1))
        return outputs

    def features(self, numbers, categories):
        """What the network is given of rows, (n, features)."""
        parts, values = [], self.preprocessor.values
        if self.numbers is not None:
            parts.append(self.numbers(numbers[:, :values]).flatten(1))
            numbers = numbers[:, values:]
        if numbers.shape[1]:
            parts.append(numbers)
        if self.categories is not None:
            parts.append(self.categories(categories).to(numbers.dtype))
        return parts[0] if len(parts) == 1 else ops.cat(parts, 1)

    def inputs(self, table):
        """numbers and categories of a table's rows, Tensors, for forward()."""
        return tuple(map(ops.tensor, self.preprocessor.transform(as_table(table, self.schema))))

    def targets(self, table):
        """y of a table's rows, a Tensor for loss()."""
        return ops.tensor(self.target.encode(as_table(table, self.schema)))

    @property
    def is_ensemble(self):
        """Whether the network has members."""
        return self.architecture["kind"].startswith("tabm")

    def loss(self, label_smoothing=0.0):
        """The loss of the task, a Module of (outputs, y).

        Args:
            label_smoothing: of classes. Default: 0.
        """
        return self.target.loss(label_smoothing, self.is_ensemble)

    # ---- predict ---------------------------------------------------------------------------------

    def predict(self, source):
        """Predictions of rows: classes as they were in the table, or numbers; see Target.decode.

        The rows are read and predicted some thousand at a time, so that a file may be of any size.

        Args:
            source: what read() takes. It needs the inputs of the schema, in any order.

        Raises:
            ValueError: if a column is missing, or has values that are not of its kind.
        """
        return self._batchwise(source, self.target.decode)

    def predict_proba(self, source):
        """Probabilities of rows, float64: (n, classes), or (n, k) for several labels.

        Args:
            source: as for predict().

        Raises:
            ValueError: for a task of numbers; else as predict().
        """
        return self._batchwise(source, self.target.probabilities)

    def outputs(self, source):
        """Outputs of the network for rows, an array; see Target.

        Args:
            source: as for predict().
        """
        return self._batchwise(source, lambda outputs: outputs.numpy())

    @no_grad()
    def _batchwise(self, source, function):
        training = self.training
        if training:
            self.eval()
        try:
            batches = read_batches(source, PREDICTED_ROWS, schema=self.schema)
            dtype = next((p.dtype for p in self.parameters()), np.dtype("float32"))
            rows = min(max(PREDICTED_ROWS // self.architecture["members"], 1), LAYER_ROWS)
            results = []
            for batch in batches:
                numbers, categories = self.inputs(batch)
                parts = zip(numbers.to(dtype).split(rows), categories.split(rows), strict=True)
                results += [function(self(*part)) for part in parts]
        finally:
            if training:
                self.train()
        return np.concatenate(results)

    # ---- files -----------------------------------------------------------------------------------

    def save(self, path, metadata=None):
        """Writes the model to one safetensors file, which holds nothing that could run.

        Args:
            path: the file, and one of that name is replaced; or an object with write(bytes).
            metadata: {name: text} to keep beside it; io.load_metadata() reads it. Default: none.
        """
        content = {
            "format": FORMAT,
            "version": VERSION,
            "schema": self.schema.state_dict(),
            "preprocessor": self.preprocessor.state_dict(),
            "target": self.target.state_dict(),
            "architecture": self.architecture,
            "weights": [dict(member.state_dict()) for member in self.members],
        }
        io.save(content, path, metadata)

    @classmethod
    def load(cls, path, *, network=None):
        """Reads a model that save() wrote, also a TabularEnsemble. It is in evaluation mode.

        Args:
            path: the file, or an object with read().
            network: for a model that was made with one: the same, or a function that makes it, as
                an ensemble needs.

        Raises:
            ValueError: if the file is none of a model, or is damaged.
            OSError: if there is no such file.
        """
        content = io.load(path)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"{path}: is no model of a table; TabularModel.save() writes one")
        if content.get("version") != VERSION:
            raise ValueError(
                f"{path}: is of version {content.get('version')!r}, pyml here reads {VERSION}; a "
                "newer pyml may read it"
            )
        try:
            return cls._of(content, network)
        except (ValueError, TypeError, RuntimeError) as error:
            raise ValueError(f"{path}: is damaged: {error}") from None

    @staticmethod
    def _of(content, network):
        parts = checked_state(
            content,
            "the model",
            format=str,
            version=int,
            schema=dict,
            preprocessor=dict,
            target=dict,
            architecture=dict,
            weights=list,
        )
        schema = Schema.from_state_dict(parts["schema"])
        preprocessor = Preprocessor.from_state_dict(schema, parts["preprocessor"])
        target = Target.from_state_dict(schema, parts["target"])
        options = checked_architecture(
            checked_state({**ADDED, **parts["architecture"]}, "architecture", **NAMES)
        )
        if len(parts["weights"]) > 1 and isinstance(network, nn.Module):
            raise ValueError("network is a Module; an ensemble needs a function that makes one")
        members = []
        for weights in parts["weights"]:
            check_size(options, preprocessor, weights)
            made = TabularModel(schema, preprocessor, target, network=network, **options)
            dtypes = {value.dtype for value in weights.values() if value.dtype.kind == "f"}
            if dtypes == {np.dtype("float64")}:
                made.double()
            made.load_state_dict(weights)
            members.append(made)
        return (members[0] if len(members) == 1 else TabularEnsemble(members)).eval()


class TabularEnsemble(TabularModel):
    """Models of one table as one, whose predictions are averaged: probabilities, numbers, counts.

    Lakshminarayanan et al. 2017 (arXiv:1612.01474). It predicts and is saved as a TabularModel is,
    and TabularModel.load() reads it.

    Args:
        models: TabularModels, one or more, of one preprocessor, target and architecture. They are
            the members themselves, not copies; of an ensemble its members.

    Raises:
        TypeError: if one is no TabularModel.
        ValueError: if there is none, or they are of different ones.

    Example:
        >>> len(tabular.fit(table, "price", epochs=2, ensemble=5).model.members)
        5
    """

    def __init__(self, models):
        nn.Module.__init__(self)
        models = list(models)
        if not models:
            raise ValueError("TabularEnsemble: models is empty, there must be one or more")
        for i, model in enumerate(models):
            check_type("TabularEnsemble", f"models[{i}]", model, TabularModel)
        first = models[0]
        parts = {"preprocessor": id, "target": id, "architecture": comparable}
        for i, model in enumerate(models):
            for name, key in parts.items():
                if key(getattr(model, name)) != key(getattr(first, name)):
                    raise ValueError(
                        f"TabularEnsemble: models[{i}] has another {name} than models[0]; make "
                        "them of the same one, as tabular.fit(ensemble=) does"
                    )
        models = [member for model in models for member in model.members]
        self.models = nn.ModuleList(models)
        self.schema, self.architecture = first.schema, first.architecture
        self.preprocessor, self.target = first.preprocessor, first.target

    @property
    def members(self):
        """The models whose predictions are averaged."""
        return list(self.models)

    def forward(self, numbers, categories):
        """Outputs of rows, whose predictions are the means of the members'."""
        outputs = [model(numbers, categories) for model in self.models]
        return self.target.averaged(ops.stack(outputs))


def checked_architecture(options):
    """The options of a network, checked, as a file keeps them."""
    hidden = options["hidden"]
    if isinstance(hidden, (str, bytes)) or not hasattr(hidden, "__iter__"):
        raise TypeError(f"TabularModel: hidden is {hidden!r}, it must be widths, as (256, 256)")
    hidden = tuple(hidden)
    counts = {f"hidden[{i}]": width for i, width in enumerate(hidden)}
    for name in ("embedding_dim", "num_frequencies", "category_dim", "members"):
        counts[name] = options[name]
    check_counts("TabularModel", least=1, **counts)
    check_integer("TabularModel", "one_hot", options["one_hot"])
    check_number("TabularModel", "dropout", options["dropout"], Range(0, 1, "[)"))
    check_number("TabularModel", "sigma", options["sigma"], Range(0, math.inf, "()"))
    check_choice("TabularModel", "activation", options["activation"], tuple(ACTIVATIONS))
    check_choice("TabularModel", "embedding", options["embedding"], EMBEDDINGS)
    check_choice("TabularModel", "kind", options["kind"], tuple(KINDS))
    if options["kind"].startswith("tabm") and not hidden:
        raise ValueError("TabularModel: hidden is empty, kind 'tabm' needs a layer that is shared")
    bins = options["bins"]
    return {
        **options,
        "hidden": tuple(map(int, hidden)),
        "dropout": float(options["dropout"]),
        "sigma": float(options["sigma"]),
        "bins": None if bins is None else [np.asarray(edges, np.float64) for edges in bins],
    }


def comparable(architecture):
    """An architecture without arrays."""
    bins = architecture["bins"]
    return {**architecture, "bins": None if bins is None else [each.tolist() for each in bins]}


def check_size(options, preprocessor, weights):
    """Raises ValueError if a network of these options has more weights than a file holds."""
    if not isinstance(weights, dict) or not all(
        isinstance(value, Tensor) for value in weights.values()
    ):
        raise ValueError("weights are no tensors by name")
    there = sum(value.numel() for value in weights.values())
    widths, size = options["hidden"], options["embedding_dim"]
    wanted = sum(widths) + sum(a * b for a, b in pairwise(widths))
    wanted += options["category_dim"] * sum(n for n in preprocessor.sizes if n > options["one_hot"])
    if options["kind"].startswith("tabm"):
        wanted += options["members"] * widths[-1]
    if options["embedding"] == "piecewise":
        bins = max(map(np.size, options["bins"] or [()]))
        wanted += preprocessor.values * max(bins - 1, 0) * size
    elif options["embedding"] == "pbld":
        wanted += preprocessor.values * options["num_frequencies"] * (size + 1)
    elif options["embedding"] is not None and preprocessor.values:
        waves = options["num_frequencies"]
        wanted += preprocessor.values * waves + 2 * waves * size
    if wanted > there:
        raise ValueError(f"its network has {wanted} weights or more, it holds {there}")


def number_embedding(count, embedding, embedding_dim, num_frequencies, sigma, bins, **options):
    """The embedding of so many numbers, None for none."""
    if embedding is None or count == 0:
        return None
    if embedding == "piecewise":
        if bins is None or len(bins) != count:
            raise ValueError(
                f"TabularModel: bins must have edges for each of {count} numbers; "
                "TabularModel.for_table() makes them"
            )
        return nn.PiecewiseLinearEmbedding(bins, embedding_dim)
    if embedding == "pbld":
        return nn.PBLDEmbedding(count, embedding_dim, num_frequencies, sigma)
    lite = embedding == "periodic-lite"
    return nn.PeriodicEmbedding(count, embedding_dim, num_frequencies, sigma, lite=lite)


def category_module(preprocessor, kind, one_hot, category_dim, **options):
    """What makes numbers of categories vectors, None for none."""
    if not preprocessor.categories:
        return None
    if kind.startswith("realmlp"):
        return CategoryCodes(preprocessor.categories.values(), one_hot, category_dim)
    return Categories(preprocessor.sizes, one_hot, category_dim)
