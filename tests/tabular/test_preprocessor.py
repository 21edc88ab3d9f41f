"""Numbers and categories of a table, by what the training rows are."""

import numpy as np
import pytest

import pyml
from pyml.tabular import Preprocessor, Schema, Table, Target, read_batches, split
from pyml.tabular.scaling import Quantile, Standard, skewness

N = 200
RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, N)
GAPS = np.where(np.arange(N) % 5 == 0, np.nan, X)
FEW = [["red", "green", None][i % 3] for i in range(N)]


def fitted(columns, scale="standard", kinds=None, **options):
    table = Table(columns)
    schema = Schema.infer(table, kinds=kinds)
    return Preprocessor(schema, scale, **options).fit(table), table


def numbers(columns, scale="standard", **options):
    preprocessor, table = fitted(columns, scale, **options)
    return preprocessor.transform(table)[0]


# ---- scales --------------------------------------------------------------------------------------


def test_standard_numbers():
    found = numbers({"x": X})
    np.testing.assert_allclose(found[:, 0], (X - X.mean()) / X.std(), rtol=1e-5, atol=1e-6)
    assert found.dtype == np.float32 and found.shape == (N, 1)


def test_robust_numbers_are_by_quartiles_and_clipped_smoothly():
    x = X.copy()
    x[0] = 1e9
    low, middle, high = np.quantile(x, (0.25, 0.5, 0.75))
    z = (x - middle) / (high - low)
    found = numbers({"x": x}, "robust", log=False)[:, 0]
    np.testing.assert_allclose(found, z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-5, atol=1e-6)
    assert found.max() <= 3
    mostly = np.where(np.arange(N) < 10, np.arange(N), 5.0)  # both quartiles are 5
    found = numbers({"x": mostly}, "robust", log=False)[:, 0]
    z = (mostly - 5) * 2 / 9
    np.testing.assert_allclose(found, z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-5, atol=1e-6)


def test_quantiles_become_normal():
    sklearn = pytest.importorskip("sklearn.preprocessing")
    x = np.random.default_rng(1).exponential(2, (3000, 1))
    theirs = sklearn.QuantileTransformer(
        n_quantiles=100, subsample=10**9, output_distribution="normal"
    ).fit_transform(x)
    ours = numbers({"x": x[:, 0]}, "quantile")
    inner = slice(5, -5)
    order = np.argsort(x[:, 0])[inner]
    np.testing.assert_allclose(ours[order], theirs[order], rtol=1e-4, atol=1e-5)
    assert abs(ours.mean()) < 0.01 and abs(ours.std() - 1) < 0.02


def test_a_quantile_that_many_rows_have_gets_their_middle():
    x = np.where(np.arange(1000) < 900, 0.0, np.arange(1000))
    scale = Quantile.fitted(x)
    [[zero, one]] = [scale(np.array([0.0, 2000.0]))]
    assert zero == pytest.approx(-0.126, abs=0.04)  # of the share 0.45
    assert one == pytest.approx(5.199, abs=0.01)
    assert scale(np.array([-np.pi]))[0] == pytest.approx(-5.199, abs=0.01)


def test_skewed_numbers_are_logarithms():
    x = np.random.default_rng(2).lognormal(3, 2, N)
    z = np.log1p(x / np.median(x))
    wanted = (z - z.mean()) / z.std()
    np.testing.assert_allclose(numbers({"x": x})[:, 0], wanted, rtol=1e-4, atol=1e-5)
    plain = (x - x.mean()) / x.std()
    np.testing.assert_allclose(numbers({"x": x}, log=False)[:, 0], plain, rtol=1e-4, atol=1e-5)
    z = np.log1p(np.abs(X) / np.median(np.abs(X)))
    wanted = (z - z.mean()) / z.std()
    logged = numbers({"x": np.abs(X)}, log=True)[:, 0]
    np.testing.assert_allclose(logged, wanted, rtol=1e-4, atol=1e-5)
    assert Standard.fitted(-x, False, None).unit == 0  # negative numbers have none
    assert skewness(x) > 2 and abs(skewness(X)) < 0.5 and skewness(np.ones(3)) == 0


def test_numbers_as_they_are():
    np.testing.assert_array_equal(numbers({"x": X}, "none")[:, 0], X.astype(np.float32))


@pytest.mark.parametrize("scale", ["quantile", "robust", "standard", "none"])
def test_extreme_numbers_stay_finite(scale):
    rows = [1e308, -1e308, np.inf, -np.inf, 1e-320, 0.0, 5e-324, 1.0] * 5
    with np.errstate(all="raise", under="ignore"):
        preprocessor, _ = fitted({"x": rows}, scale)
        found, _ = preprocessor.transform(Table({"x": [*rows, np.nan]}))
    assert np.isfinite(found).all() and np.abs(found).max() > 0


@pytest.mark.parametrize("scale", ["quantile", "robust", "standard"])
def test_infinite_numbers_are_as_the_last_finite_ones(scale):
    preprocessor, _ = fitted({"x": [*X, np.inf]}, scale)
    found, _ = preprocessor.transform(Table({"x": [np.inf, X.max(), -np.inf, X.min()]}))
    assert found[0] == found[1] and found[2] == found[3] and found[0] > 1


# ---- missing, dates, categories ------------------------------------------------------------------


def test_missing_numbers_are_medians_and_said():
    preprocessor, table = fitted({"x": GAPS, "z": X})
    assert preprocessor.numbers == ["x", "z", "x is missing"] and preprocessor.values == 2
    found, _ = preprocessor.transform(table)
    np.testing.assert_array_equal(found[:, 2], np.isnan(GAPS))
    middle = found[:, 0][np.isnan(GAPS)]
    assert (middle == middle[0]).all()
    [[at_median, *_]] = preprocessor.transform(Table({"x": [np.nanmedian(GAPS)], "z": [0.0]}))[0]
    assert at_median == middle[0]
    found, _ = preprocessor.transform(Table({"x": [1.0], "z": [None]}))  # never seen to be missing
    assert np.isfinite(found).all()


def test_dates_are_parts():
    days = np.datetime64("2020-01-01", "us") + np.arange(N) * np.timedelta64(31, "h")
    dates = [None if i == 3 else str(day)[:16] for i, day in enumerate(days)]
    preprocessor, table = fitted({"when": dates}, "none")
    parts = ["days", "month", "day", "weekday", "hour"]
    assert preprocessor.numbers == [*(f"when.{p}" for p in parts), "when.days is missing"]
    found, _ = preprocessor.transform(table)
    for row in (0, 1, 100, N - 1):
        day = days[row].astype(object)
        since = (day - days[0].astype(object)).total_seconds() / 86400 + 18262
        wanted = [since, day.month, day.day, day.weekday(), day.hour + day.minute / 60, 0]
        np.testing.assert_allclose(found[row], wanted, rtol=1e-6)
    assert found[3, 5] == 1
    later, _ = preprocessor.transform(Table({"when": [days[1]]}))  # as a date, not as text
    np.testing.assert_array_equal(later[0], found[1])
    preprocessor, _ = fitted({"when": [f"{1 + i % 28}.5.2020" for i in range(N)]}, "none")
    assert preprocessor.numbers == ["when.days", "when.day", "when.weekday"]  # the rest is constant


def test_categories_are_numbered():
    preprocessor, table = fitted({"c": FEW, "b": ["no", "yes"] * (N // 2)})
    assert preprocessor.categories == {"c": ["green", "red", None], "b": ["0", "1"]}
    assert preprocessor.sizes == [3, 2]
    _, codes = preprocessor.transform(table)
    assert codes.dtype == np.int64 and codes[:3].tolist() == [[2, 1], [1, 2], [3, 1]]
    new = Table({"b": [True, None, 0], "c": ["blue", " red ", ""], "more": [1, 2, 3]})
    _, codes = preprocessor.transform(new)
    assert codes.tolist() == [[0, 2], [2, 0], [3, 1]]


def test_numbers_as_categories():
    preprocessor, _ = fitted({"zip": np.arange(N) % 3, "x": X}, kinds={"zip": "category"})
    for values in ([0, 1, 7], [0.0, 1.0, 7.5], ["0", "1.0", "x"]):
        _, codes = preprocessor.transform(Table({"x": X[:3], "zip": values}))
        assert codes[:, 0].tolist() == [1, 2, 0]


def test_what_is_the_same_everywhere_is_left_out():
    table = Table(
        {"x": X, "same": [1.0] * (N // 2) + [2.0] * (N // 2), "c": ["a"] * (N - 1) + ["b"]}
    )
    preprocessor = Preprocessor(Schema.infer(table)).fit(table.take(range(N // 2)))
    assert preprocessor.numbers == ["x"] and preprocessor.categories == {}
    found, codes = preprocessor.transform(table)
    assert found.shape == (N, 1) and codes.shape == (N, 0)


def test_only_training_rows_are_looked_at():
    table = Table({"x": [*X[:100], *(X[100:] * 1e6)], "c": ["a", "b"] * 50 + ["z"] * 100})
    preprocessor = Preprocessor(Schema.infer(table), "standard").fit(table.take(range(100)))
    found, codes = preprocessor.transform(table)
    assert found[:100].std() == pytest.approx(1, rel=1e-5) and (codes[100:] == 0).all()


def test_columns_may_be_reordered_and_of_other_dtypes():
    columns = {"x": X, "n": np.arange(N) % 9, "c": FEW}
    preprocessor, table = fitted(columns)
    wanted = preprocessor.transform(table)
    other = Table(
        {
            "c": np.array(FEW, object),
            "extra": X,
            "n": [str(n) for n in columns["n"]],
            "x": [f"{x!r}" for x in X.tolist()],
        }
    )
    for a, b in zip(wanted, preprocessor.transform(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_schema_that_is_changed_later_is_not_meant():
    table = Table({"x": X, "c": FEW})
    schema = Schema.infer(table)
    preprocessor = Preprocessor(schema).fit(table)
    schema["x"].kind = "dropped"
    assert preprocessor.transform(table)[0].shape == (N, 1)


# ---- errors --------------------------------------------------------------------------------------


def test_a_value_that_is_not_of_its_kind_is_named():
    preprocessor, _ = fitted(
        {"é": X, "b": [0, 1] * (N // 2), "d": ["1.2.2020", "3.2.2020"] * (N // 2)}
    )
    good = {"é": [1.0, 2.0], "b": [0, 1], "d": ["1.2.2020", "3.2.2020"]}
    preprocessor.transform(Table(good))
    for name, values, what in (
        ("é", ["1", "abc"], "column 'é' has 'abc' in row 1, which is no number"),
        ("b", [0, "maybe"], "column 'b' has 'maybe' in row 1, which is no truth value"),
        ("d", ["1.2.2020", "soon"], "column 'd' has 'soon' in row 1, which is no date"),
        ("d", [None, 7.5], "column 'd' has '7.5' in row 1, which is no date"),
        ("é", np.array(["NaT", "2020"], "M8[us]"), "column 'é' has '2020.*' in row 1"),
    ):
        with pytest.raises(ValueError, match=what):
            preprocessor.transform(Table({**good, name: values}))
    with pytest.raises(ValueError, match="the table lacks 'é', 'b'; there are 'e', 'd'"):
        preprocessor.transform(Table({"e": [1.0], "d": ["1.2.2020"]}))


def test_another_number_in_a_column_of_0_and_1_is_a_category_that_was_not_seen():
    preprocessor, _ = fitted({"b": [0, 1] * (N // 2), "t": ["no", "yes"] * (N // 2)})
    _, codes = preprocessor.transform(Table({"b": [0, 1, 2.5, -1], "t": ["no", "yes", "no", "1"]}))
    assert codes[:, 0].tolist() == [1, 2, 0, 0]
    _, codes = preprocessor.transform(Table({"b": ["0", "yes", "no"], "t": ["0", "1", "no"]}))
    assert codes[:, 0].tolist() == [1, 2, 1]
    with pytest.raises(ValueError, match="'t' has '2' in row 1, which is no truth value"):
        preprocessor.transform(Table({"b": [0, 1], "t": ["no", "2"]}))


def test_messages_have_the_numbers_of_the_rows_in_the_file(tmp_path):
    """Also of parts of a table, and of the batches of a file."""
    values = [*map(str, range(40)), "abc", *map(str, range(40))]
    whole = Table({"x": values, "y": list(range(81)), "t": [*range(80), None]})
    preprocessor, _ = fitted({"x": X})
    others = np.flatnonzero(np.arange(81) % 2 == 0)
    for part in (whole, whole.take(others), whole.take(slice(30, 50)).select(["x"]).drop([])):
        with pytest.raises(ValueError, match="'x' has 'abc' in row 40, which"):
            preprocessor.transform(part)
    target = Target(Schema.infer(Table({"c": FEW, "t": X}), "t"))
    with pytest.raises(ValueError, match="'t' is missing in 1 row: 80; "):
        target.fit(whole.take(others))
    with pytest.raises(ValueError, match="time of t is missing in row 80"):
        split(whole.take(others), time="t")
    path = tmp_path / "table.json"
    path.write_text("\n".join(f'{{"x": "{value}"}}' for value in values))
    batches = read_batches(path, 7)
    with pytest.raises(ValueError, match="in row 40, "):
        for batch in batches:
            preprocessor.transform(batch)


def test_errors():
    table = Table({"x": X})
    schema = Schema.infer(table)
    with pytest.raises(ValueError, match="numbers is 'minmax', it must be 'quantile'"):
        Preprocessor(schema, "minmax")
    with pytest.raises(RuntimeError, match="call fit"):
        Preprocessor(schema).transform(table)
    with pytest.raises(ValueError, match="the table has no rows"):
        Preprocessor(schema).fit(table.take([]))
    with pytest.raises(ValueError, match="every input is the same in all rows"):
        Preprocessor(schema).fit(table.take([3, 3]))
    preprocessor = Preprocessor(schema).fit(table)
    before = preprocessor.state_dict()
    with pytest.raises(ValueError, match="every input is the same"):
        preprocessor.fit(table.take([3, 3]))
    assert str(preprocessor.state_dict()) == str(before)
    found, codes = preprocessor.transform(table.take([]))
    assert found.shape == (0, 1) and codes.shape == (0, 0)


# ---- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["quantile", "robust", "standard", "none"])
def test_the_same_bits_from_a_file(scale, tmp_path):
    skewed = np.random.default_rng(2).lognormal(3, 2, N)
    preprocessor, table = fitted({"x": GAPS, "s": skewed, "c": FEW, "b": [0, 1] * (N // 2)}, scale)
    pyml.save(preprocessor.state_dict(), tmp_path / "x")
    again = Preprocessor.from_state_dict(preprocessor.schema, pyml.load(tmp_path / "x"))
    for a, b in zip(preprocessor.transform(table), again.transform(table), strict=True):
        assert a.tobytes() == b.tobytes()


def scale_of(state):
    return state["features"][0]["scale"]


@pytest.mark.parametrize(
    ("scale", "change"),
    [
        ("quantile", lambda s: s.pop("log")),
        ("quantile", lambda s: s.update(scale="minmax")),
        ("quantile", lambda s: s.update(scale="none")),
        ("quantile", lambda s: s["features"].append(s["features"][0])),
        ("quantile", lambda s: s["features"][0].update(column="other")),
        ("quantile", lambda s: s["features"][0].update(median=np.nan)),
        ("quantile", lambda s: s["features"][0].update(low=1e9)),
        ("quantile", lambda s: s["features"][0].update(gaps=1)),
        ("quantile", lambda s: scale_of(s).update(quantiles=np.zeros((2, 2)))),
        ("quantile", lambda s: scale_of(s).update(quantiles=np.array([1.0, 0.0]))),
        ("quantile", lambda s: scale_of(s).update(quantiles=np.array([0.0, np.inf]))),
        ("quantile", lambda s: scale_of(s).update(quantiles=np.zeros(3, np.float32))),
        ("robust", lambda s: scale_of(s).update(factor=np.inf)),
        ("robust", lambda s: scale_of(s).update(unit=-1.0)),
        ("robust", lambda s: scale_of(s).update(center="0")),
        ("robust", lambda s: s["categories"].append(["x", ["a", "b"]])),
        ("robust", lambda s: s["categories"].append(["c", ["a", "b"]])),
        ("robust", lambda s: s["categories"][0].append(1)),
        ("robust", lambda s: s["categories"][0].__setitem__(1, ["a"])),
        ("robust", lambda s: s["categories"][0].__setitem__(1, ["a", "a"])),
        ("robust", lambda s: s["categories"][0].__setitem__(1, ["a", 1])),
    ],
)
def test_damaged_states_are_refused(scale, change):
    preprocessor, _ = fitted({"x": X, "c": FEW}, scale)
    state = preprocessor.state_dict()
    change(state)
    with pytest.raises(ValueError):
        Preprocessor.from_state_dict(preprocessor.schema, state)
