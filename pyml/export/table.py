"""A TabularModel as a graph: from a value for each column to predictions.

Columns are inputs without a dimension: float64 for numbers and truth values, NaN where one is
missing; text for categories, None; int64 for dates, microseconds since 1970, the smallest one.
"""

import math
from itertools import count

import numpy as np

from pyml.errors import ArgumentError
from pyml.export import graph as g
from pyml.export.graph import TEXT, Graph
from pyml.export.modules import Tracer, clamped, log_softmax, rule, softmax
from pyml.tabular.model import Categories, TabularEnsemble, TabularModel
from pyml.tabular.networks import CategoryCodes, Within
from pyml.tabular.preprocessor import LARGEST_FLOAT32, PARTS, QUANTILES
from pyml.tabular.reading import as_table
from pyml.tabular.scaling import CLIP, LARGEST, NEVER, SMALLEST
from pyml.tabular.table import Table
from pyml.tabular.values import NAT, dates_of, key_of

__all__ = ["graph_of", "tried"]

MICROSECONDS_OF_A_DAY, MICROSECONDS_OF_AN_HOUR = 86_400_000_000, 3_600_000_000
UNSEEN = "not in a training row"
SHOWN = 4  # of the categories of a column, in its note


# ---- columns -------------------------------------------------------------------------------------


def columns_of(model):
    """The Columns that predictions depend on: the others are the same in all training rows."""
    used = {f.column for f in model.preprocessor.features} | {*model.preprocessor.categories}
    return [column for column in model.schema.inputs if column.name in used]


def are_numbers(levels):
    """Are the names of categories those of numbers, which float64 tells apart?"""
    try:
        return all(level is None or key_of(float(level)) == level for level in levels)
    except ValueError:
        return False


def is_numeric(model, column):
    """Is a category or truth value given as a number?"""
    was_number = column.kind == "boolean" or column.arrived == "number"
    return was_number and are_numbers(model.preprocessor.categories[column.name])


def placeholder_of(model, column):
    """The input of a column."""
    if column.kind == "number":
        return g.placeholder(column.name, (), np.float64, "a number")
    if column.kind == "date":
        return g.placeholder(column.name, (), np.int64, "microseconds since 1970")
    levels = [level for level in model.preprocessor.categories[column.name] if level is not None]
    numeric = is_numeric(model, column)
    shown = [level if numeric else repr(level) for level in levels[:SHOWN]]
    note = f"{', '.join(shown)}{', ...' if len(levels) > SHOWN else ''}"
    return g.placeholder(column.name, (), np.float64 if numeric else TEXT, note)


# ---- rows ----------------------------------------------------------------------------------------


def rows_of(model, table):
    """Arrays of a table's rows, one for each of columns_of()."""
    preprocessor = model.preprocessor
    numbers = {name: x for name, part, x in preprocessor._numeric(table, "transform") if not part}
    names = {column.name: found for column, found in preprocessor._named(table, "transform")}
    rows = []
    for column in columns_of(model):
        if column.kind == "number":
            rows.append(numbers[column.name])
        elif column.kind == "date":
            rows.append(dates_of(table[column.name], column.format)[0].view(np.int64))
        elif is_numeric(model, column):
            levels = preprocessor.categories[column.name]
            codes = {level: math.nan if level is None else float(level) for level in levels}
            codes[None] = math.nan
            other = next(float(n) for n in count() if str(n) not in levels)
            rows.append(np.array([codes.get(name, other) for name in names[column.name]], float))
        else:
            rows.append(names[column.name])
    return tuple(rows)


def drawn_table(model, rows):
    """A Table of random rows between the ends that the training rows have; some values are missing,
    some categories not seen.
    """
    random, columns = np.random.RandomState(0), {}
    features = {(f.column, f.part): f for f in model.preprocessor.features}
    gone = np.arange(rows) % 4 == 1
    for column in model.schema.inputs:
        levels = model.preprocessor.categories.get(column.name)
        if column.kind in ("number", "date"):
            ends = features.get((column.name, "days" if column.kind == "date" else ""))
            x = random.uniform(ends.low, ends.high, rows) if ends else np.zeros(rows)
            x = np.where(gone, np.nan, x)
            if column.kind == "date":
                missing = np.isnan(x)
                x = (np.where(missing, 0, x) * MICROSECONDS_OF_A_DAY).astype("datetime64[us]")
                x[missing] = np.datetime64("NaT", "us")
        elif levels is None or is_numeric(model, column):
            known = [math.nan if level is None else float(level) for level in levels or [None]]
            x = np.array([known[place] for place in random.randint(0, len(known), rows)])
        else:
            known = [*levels, UNSEEN]
            x = np.array([known[place] for place in random.randint(0, len(known), rows)], object)
        columns[column.name] = x
    return Table(columns)


def predictions(model, table):
    """{name: array} of what the model gives of a table."""
    outputs = model.outputs(table)
    found = {"prediction": model.target.decode(outputs)}
    if model.target.classes is not None or model.target.task == "multilabel":
        found["probability"] = model.target.probabilities(outputs)
    return found


# ---- numbers -------------------------------------------------------------------------------------


def stacked(values):
    """Values without a dimension as one with one."""
    return g.concat([g.reshape(value, (1,)) for value in values], 0)


def date_parts(x):
    """{part: Value} of microseconds since 1970, each float64, NaN where it is missing.

    The civil calendar by whole numbers: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    """
    gone = x.equals(NAT)
    x = g.where(gone, 0, x)
    days = x // MICROSECONDS_OF_A_DAY
    since = days + 719468  # the first of March of the year 0
    era = since // 146097  # of 400 years
    day_of_era = since - era * 146097
    leap_days = day_of_era // 1460 - day_of_era // 36524 + day_of_era // 146096
    year = (day_of_era - leap_days) // 365
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    month = (5 * day_of_year + 2) // 153  # from March on
    whole = {
        "month": g.where(month < 10, month + 3, month - 9),
        "day": day_of_year - (153 * month + 2) // 5 + 1,
        "weekday": (days + 3) % 7,
    }
    parts = {name: g.cast(value, np.float64) for name, value in whole.items()}
    parts["days"] = g.cast(x, np.float64) / float(MICROSECONDS_OF_A_DAY)
    parts["hour"] = g.cast(x % MICROSECONDS_OF_A_DAY, np.float64) / float(MICROSECONDS_OF_AN_HOUR)
    return {name: g.where(gone, math.nan, parts[name]) for name in PARTS}


def numbers_of(preprocessor, inputs):
    """What Preprocessor.transform gives of numbers and dates, None if there are none."""
    features = preprocessor.features
    if not features:
        return None
    dates = {f.column: date_parts(inputs[f.column]) for f in features if f.part}
    x = stacked([dates[f.column][f.part] if f.part else inputs[f.column] for f in features])

    def each(name):
        return g.constant(np.array([getattr(f, name) for f in features], float), name)

    gone = g.call("isnan", x)
    filled = g.where(gone, each("median"), x)
    filled = g.where(filled.equals(math.inf), each("high"), filled)
    filled = g.where(filled.equals(-math.inf), each("low"), filled)
    filled = g.where(g.call("abs", filled) < SMALLEST, 0, clamped(filled, -LARGEST, LARGEST))
    scaled = SCALES[preprocessor.scale](filled, [f.scale for f in features])
    values = g.cast(clamped(scaled, -LARGEST_FLOAT32, LARGEST_FLOAT32), np.float32)
    gaps = [i for i, feature in enumerate(features) if feature.gaps]
    return g.concat([values, g.cast(g.take(gone, gaps, 0), np.float32)]) if gaps else values


def standard(x, scales, clip=False):
    """What Standard computes of each."""
    units = np.array([scale.unit for scale in scales])
    if units.any():
        logarithm = g.call("log1p", g.maximum(x, 0) / g.constant(np.where(units, units, 1), "unit"))
        x = g.where(g.constant(units > 0, "skewed"), logarithm, x)
    center, factor = (
        g.constant(np.array([getattr(scale, name) for scale in scales]), name)
        for name in ("center", "factor")
    )
    z = (x - center) * factor
    return z / g.call("sqrt", 1 + (z / CLIP) * (z / CLIP)) if clip else z


def quantile(x, scales):
    """What Quantile computes of each."""
    begins = np.cumsum([0, *(len(scale.quantiles) for scale in scales)])
    quantiles = g.constant(np.concatenate([scale.quantiles for scale in scales]), "quantiles")
    return normal_quantile(clamped(g.share(x, quantiles, begins), NEVER, 1 - NEVER))


SCALES = {
    **dict.fromkeys(QUANTILES, quantile),
    "robust": lambda x, scales: standard(x, scales, clip=True),
    "standard": standard,
    "none": lambda x, scales: x,
}

# Wichura 1988, Algorithm AS 241, PPND16: numerators and denominators, from the constant on. What is
# nearer to 0 or 1 than exp(-25) has others; NEVER keeps away from it.
CENTRAL = (
    (
        *(3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3),
        *(1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4),
        *(3.3430575583588128105e4, 2.5090809287301226727e3),
    ),
    (
        *(1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3),
        *(2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4),
        5.2264952788528545610e3,
    ),
)
TAIL = (
    (
        *(1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0),
        *(3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1),
        *(2.27238449892691845833e-2, 7.74545014278341407640e-4),
    ),
    (
        *(1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1),
        *(1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4),
        1.05075007164441684324e-9,
    ),
)


def rational(x, coefficients):
    """A quotient of polynomials, from their constants on."""
    above, below = coefficients

    def polynomial(factors):
        *others, result = factors
        for factor in reversed(others):
            result = result * x + factor
        return result

    return polynomial(above) / polynomial(below)


def normal_quantile(share):
    """The number below which a share of the standard normal distribution lies."""
    middle = share - 0.5
    central = middle * rational(0.180625 - middle * middle, CENTRAL)
    root = g.call("sqrt", -g.call("log", g.minimum(share, 1 - share)))
    tail = rational(root - 1.6, TAIL)
    tail = g.where(middle < 0, -tail, tail)
    return g.where(g.call("abs", middle) < 0.425, central, tail)


# ---- categories ----------------------------------------------------------------------------------


def codes_of(model, inputs):
    """What Preprocessor.transform gives of categories, None if there are none."""
    categories = model.preprocessor.categories
    if not categories:
        return None
    columns = model.schema.columns
    return stacked(
        [
            numeric_code(inputs[name], levels)
            if is_numeric(model, columns[name])
            else g.code(inputs[name], levels)
            for name, levels in categories.items()
        ]
    )


def numeric_code(x, levels):
    """The place of a number in a list of names, counted from 1; 0 if it is not there."""
    known = np.array([math.nan if level is None else float(level) for level in levels])
    is_known = g.reshape(x, (1,)).equals(g.constant(known, "levels"))
    places = g.constant(np.arange(1, len(levels) + 1), "places")
    code = g.reshape(g.reduce("sum", g.cast(is_known, np.int64) * places, 0), ())
    if None not in levels:
        return code
    return g.where(g.call("isnan", x), levels.index(None) + 1, code)


@rule(Categories)
def _(tracer, module, x):
    parts = []
    table = None if module.table is None else module.table.weight
    dtype = np.dtype(np.float32) if table is None else np.dtype(table.detach().numpy().dtype)
    if len(module.place):
        taken = g.take(x, module.place.tolist(), 0)
        parts.append(g.cast(taken.equals(tracer.weight(module.value, "value")), dtype))
    if table is not None:
        numbers = g.take(x, module.learned.tolist(), 0)
        rows = g.where(numbers > 0, numbers - 1, 0) + tracer.weight(module.begins, "begins")
        vectors = tracer(module.table, rows, name="table")
        known = g.reshape(g.cast(numbers > 0, dtype), (*numbers.shape, 1))
        parts.append(flat(vectors * known))
    return g.concat(parts)


@rule(CategoryCodes)
def _(tracer, module, x):
    parts = [
        g.lookup(tracer.weight(getattr(module, f"codes_{i}"), f"codes_{i}"), g.take(x, [i], 0))
        for i in module.coded
    ]
    parts += [
        tracer(getattr(module, f"table_{i}"), g.take(x, [i], 0), name=f"table_{i}")
        for i in module.learned
    ]
    return g.concat(list(map(flat, parts)))


# ---- the network ---------------------------------------------------------------------------------


def flat(x):
    """The numbers of a row in one dimension."""
    return g.reshape(x, (x.size,))


@rule(Within)
def _(tracer, module, x):
    return clamped(x, tracer.weight(module.low, "low"), tracer.weight(module.high, "high"))


@rule(TabularModel)
def _(tracer, model, numbers, categories):
    parts, values = [], model.preprocessor.values
    if model.numbers is not None:
        size = numbers.size
        parts.append(flat(tracer(model.numbers, g.take(numbers, range(values), 0), name="numbers")))
        numbers = g.take(numbers, range(values, size), 0) if size > values else None
    if numbers is not None:
        parts.append(numbers)
    if model.categories is not None:
        vectors = tracer(model.categories, categories, name="categories")
        parts.append(g.cast(vectors, parts[0].dtype) if parts else vectors)
    outputs = tracer(model.network, g.concat(parts), name="network")
    if model.target.is_single:
        outputs = g.reshape(outputs, outputs.shape[:-1])
    return averaged(model.target, outputs) if model.is_ensemble else outputs


@rule(TabularEnsemble)
def _(tracer, model, numbers, categories):
    outputs = [
        tracer(member, numbers, categories, name=f"models.{i}")
        for i, member in enumerate(model.models)
    ]
    return averaged(model.target, g.concat([g.reshape(x, (1, *x.shape)) for x in outputs], 0))


def averaged(target, outputs):
    """Outputs of members, (members, ...), as one: see Target.averaged."""
    if target.classes is not None:
        return log_mean_exp(log_softmax(outputs, 1))
    if target.task == "multilabel":
        yes, no = (-g.call("softplus", x) for x in (-outputs, outputs))
        return log_mean_exp(yes) - log_mean_exp(no)
    return log_mean_exp(outputs) if target.task == "counts" else without_first("mean", outputs)


def without_first(kind, x):
    """A reduction over the first dimension, which goes."""
    return g.reshape(g.reduce(kind, x, 0), x.shape[1:])


def log_mean_exp(x):
    """log(mean(exp(x))) over the first dimension, which goes."""
    highest = g.reduce("max", x, 0)
    total = g.call("log", g.reduce("sum", g.exp(x - highest), 0)) + highest
    return g.reshape(total - math.log(x.shape[0]), x.shape[1:])


def decoded(target, outputs):
    """{name: Value} of predictions and probabilities."""
    outputs = g.cast(outputs, np.float64)
    if target.classes is not None:
        place = g.largest(outputs)
        if target.classes.dtype.kind == "O":
            prediction = g.choose(place, target.classes)
        else:
            classes = g.constant(target.classes.reshape(-1, 1), "classes")
            prediction = g.reshape(g.lookup(classes, g.reshape(place, (1,))), ())
        return {"prediction": prediction, "probability": softmax(outputs, 0)}
    if target.task == "multilabel":
        return {"prediction": outputs > 0, "probability": g.call("sigmoid", outputs)}
    if target.task == "counts":
        return {"prediction": g.exp(outputs)}
    mean, std = target._scale
    return {"prediction": outputs * std + mean}


def graph_of(model):
    """The Graph of a TabularModel."""
    columns = columns_of(model)
    values = [placeholder_of(model, column) for column in columns]
    inputs = {column.name: value for column, value in zip(columns, values, strict=True)}
    numbers, codes = numbers_of(model.preprocessor, inputs), codes_of(model, inputs)
    for value in (numbers, codes):
        if value is not None:
            g.mark(value, "Preprocessor", values)
    dtype = next((p.dtype for p in model.parameters()), np.dtype("float32"))
    numbers = None if numbers is None else g.cast(numbers, dtype)
    outputs = decoded(model.target, Tracer()(model, numbers, codes))
    for value in outputs.values():
        g.mark(value, "Target", ())
    return Graph(values, outputs)


def tried(model, inputs, rows, who):
    """Arrays for the inputs of the graph, and {name: array} of what the model gives of them.

    Args:
        inputs: a table; None: one that is drawn, of so many rows.
        who: the public function, for messages.
    """
    table = drawn_table(model, rows) if inputs is None else as_table(inputs, model.schema)
    if table.rows == 0:
        raise ArgumentError(f"{who}: inputs is a table of 0 rows, it must have rows")
    with np.errstate(all="ignore"):
        return rows_of(model, table), predictions(model, table)
