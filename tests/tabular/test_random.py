"""Frames of random kinds: inferred, fitted, transformed, saved, loaded and predicted; where that is
refused, a ValueError says so with the name of a column or of what is wrong.
"""

import datetime
import io
import re
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyml.tabular import Preprocessor, Schema, Table, TableWarning, TabularModel, Target, split
from pyml.tabular.preprocessor import SCALES

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)
VALUES = {
    "floats": ANY_FLOAT,
    "small floats": st.floats(-5, 5, width=32),
    "integers": st.integers(-(2**70), 2**70),
    "few integers": st.integers(0, 3),
    "truths": st.booleans(),
    "text": st.text(max_size=4),
    "words": st.sampled_from(["a", "b", "ü", "NA", "", "1", "2,5", "3.5", "01"]),
    "numbers as text": st.floats(-100, 100).map(lambda x: f"{x:.2f}"),
    "dates": st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)),
    "dates as text": st.dates().map(str),
    "missing": st.none(),
    "bytes": st.binary(max_size=2),
}
VALUES["mixed"] = st.one_of(*VALUES.values())


@st.composite
def tables(draw):
    rows = draw(st.integers(0, 25))
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique_by=str.strip))
    columns = []
    for name in names:
        values = VALUES[draw(st.sampled_from(sorted(VALUES)))]
        gaps = draw(st.booleans())
        values = st.one_of(values, st.none()) if gaps else values
        columns.append((name, draw(st.lists(values, min_size=rows, max_size=rows))))
    return Table(columns)


SETTINGS = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
CLEAR = re.compile(r"(Schema\.infer|Preprocessor\.\w+|Target\.\w+|split|TabularModel)\b.*:", re.S)


@SETTINGS
@given(table=tables(), data=st.data())
def test_frames_of_random_kinds(table, data):
    target = data.draw(st.sampled_from(table.names))
    scale = data.draw(st.sampled_from(SCALES))
    embedding = data.draw(st.sampled_from([None, "piecewise", "periodic"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", TableWarning)
        try:
            schema = Schema.infer(table, target)
            str(schema)
            table = table.take(schema.labelled(table))
            parts = split(table, validation=0, test=0.3, seed=0)
            train = table.take(parts.train)
            model = TabularModel.for_table(
                schema,
                train,
                numbers=scale,
                embedding=embedding,
                embedding_dim=2,
                num_bins=3,
                hidden=(3,),
            )
        except ValueError as error:
            assert CLEAR.match(str(error)), error
            return
        numbers, categories = model.preprocessor.transform(table)
        assert np.isfinite(numbers).all() and (categories >= 0).all()
        assert numbers.shape == (table.rows, len(model.preprocessor.numbers))
        assert np.isfinite(model.targets(train).numpy()).all()
        outputs = model.outputs(table)
        file = io.BytesIO()
        model.save(file)
        file.seek(0)
        again = TabularModel.load(file)
        assert again.outputs(table).tobytes() == outputs.tobytes()
        assert len(again.predict(table)) == table.rows


@SETTINGS
@given(train=tables(), other=tables(), scale=st.sampled_from(SCALES))
def test_other_values_at_predict(train, other, scale):
    """Another table under the same names is transformed to finite numbers, or a column is named."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", TableWarning)
        try:
            schema = Schema.infer(train)
            preprocessor = Preprocessor(schema, scale).fit(train)
        except ValueError as error:
            assert CLEAR.match(str(error)), error
            return
        columns = dict(zip(train.names, other.columns.values(), strict=False))
        try:
            numbers, categories = preprocessor.transform(Table(columns))
        except ValueError as error:
            assert "Preprocessor.transform: " in str(error), error
            assert any(repr(name) in str(error) for name in train.names)
            return
        assert np.isfinite(numbers).all()
        for codes, size in zip(categories.T, preprocessor.sizes, strict=True):
            assert ((codes >= 0) & (codes <= size)).all()


@SETTINGS
@given(table=tables(), data=st.data())
def test_several_targets(table, data):
    targets = (
        data.draw(st.lists(st.sampled_from(table.names), min_size=2, unique=True))
        if (len(table.names) > 1)
        else table.names
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", TableWarning)
        try:
            schema = Schema.infer(table, targets)
            target = Target(schema).fit(table)
        except ValueError as error:
            assert CLEAR.match(str(error)), error
            return
        y = target.encode(table)
        assert len(y) == table.rows and np.isfinite(y).all()
        assert len(target.decode(np.zeros((2, target.outputs)))) == 2


def test_the_strategy_makes_models():
    """Else the tests above would look at nothing."""
    made = []

    @settings(max_examples=40, database=None)
    @given(tables())
    def count(table):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TableWarning)
            try:
                Preprocessor(Schema.infer(table)).fit(table)
                made.append(1)
            except ValueError:
                made.append(0)

    count()
    assert np.mean(made) > 0.3


@pytest.mark.parametrize("columns", [0, 1, 5])
def test_tables_without_rows(columns):
    table = Table({f"c{i}": [] for i in range(columns)})
    with pytest.raises(ValueError, match="the table has 0 rows"):
        Schema.infer(table)
