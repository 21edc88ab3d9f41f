"""Columns as users have them, as arrays of five dtypes; text as numbers, names, dates."""

import datetime
from decimal import Decimal

import numpy as np
import pytest

import pyml
from pyml.tabular import Table, TableWarning
from pyml.tabular.values import (
    array_of,
    date_format,
    dates_of,
    key_of,
    names_of,
    number_format,
    numbers_of,
    truths_of,
)

NAT, NAN = np.datetime64("NaT", "us"), np.nan


def same(found, wanted):
    wanted = np.asarray(wanted)
    assert found.dtype.kind == wanted.dtype.kind, (found, wanted)
    if wanted.dtype.kind == "O":
        assert found.tolist() == wanted.tolist()
    else:
        np.testing.assert_array_equal(found, wanted)


class NAType:
    """As pandas.NA."""


def objects(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([1, None, 3], [1.0, NAN, 3.0]),
        ([1, 2.5], [1.0, 2.5]),
        ([1, True], [1, 1]),
        ([10**30, 1], objects("1" + 30 * "0", "1")),  # digits that float64 has not
        ([10**400, -(10**400)], objects(str(10**400), str(-(10**400)))),  # not infinite
        ([Decimal("1.5"), 2], [1.5, 2.0]),
        ([True, False], [True, False]),
        ([True, None, False], [1.0, NAN, 0.0]),
        ([], np.zeros(0)),
        ([None, None], [NAN, NAN]),
        (["a", " b ", "NA", "", None], objects("a", "b", None, None, None)),
        ([1, "x", 2.5, NAType(), NAN], objects("1", "x", "2.5", None, None)),
        ([b"a", b"\xff"], objects("a", "�")),
        ([[1], {"a": 2}], objects("[1]", "{'a': 2}")),
        (np.array([1, 2], np.uint8), [1, 2]),
        (np.array([2**64 - 1], np.uint64), objects("18446744073709551615")),
        (np.array([1.5, NAN], np.float32), [1.5, NAN]),
        (np.array([1, 2], ">i4"), [1, 2]),
        (np.array(["a", "nan"]), objects("a", None)),
        (np.array([b"a"]), objects("a")),
        (np.ma.array([1, 2], mask=[0, 1]), [1.0, NAN]),
        (np.ma.array(["a", "b"], mask=[0, 1]), objects("a", None)),
        (np.array(["2020-01-02", "NaT"], "M8[D]"), np.array(["2020-01-02", "NaT"], "M8[us]")),
        (np.array([90, 30], "m8[s]"), [90.0, 30.0]),
        ([datetime.timedelta(minutes=1.5), None, np.timedelta64(30, "s")], [90.0, NAN, 30.0]),
        ([np.timedelta64(90, "s"), np.timedelta64(30_000, "ms")], [90.0, 30.0]),
        ([datetime.time(1, 2, 3, 100), None], [3723.0001, NAN]),
        ([datetime.date(2020, 1, 2), None], np.array(["2020-01-02", "NaT"], "M8[us]")),
        (
            [
                datetime.datetime(
                    2020, 1, 2, 3, tzinfo=datetime.timezone(datetime.timedelta(hours=2))
                )
            ],
            np.array(["2020-01-02T01"], "M8[us]"),
        ),
        (pyml.tensor([1.5, 2.0]), [1.5, 2.0]),
    ],
)
def test_arrays_of_what_users_have(values, wanted):
    same(array_of(values, "x"), wanted)


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        (np.zeros((2, 2)), ValueError, r"x has shape \(2, 2\)"),
        (np.zeros(2, complex), TypeError, "x has dtype complex128"),
        ([1j, 2], TypeError, "complex numbers"),
        (3.5, TypeError, "x is a float"),
        ("text", TypeError, "x is a str"),
    ],
)
def test_what_is_no_column(values, error, words):
    with pytest.raises(error, match=words):
        array_of(values, "x")


@pytest.mark.parametrize(
    ("texts", "commas", "format", "numbers"),
    [
        (["1", "2.5", "-3e2", ".5", "5.", "+1"], True, ".", [1, 2.5, -300, 0.5, 5, 1]),
        (["inf", "-inf"], True, ".", [np.inf, -np.inf]),
        (["1,5", "2", "-0,25"], True, "1.000,0", [1.5, 2, -0.25]),
        (["1.234,5", "12"], True, "1.000,0", [1234.5, 12]),
        (["1,234", "12,345,678.9"], True, "1,000.0", [1234, 12345678.9]),
        (["1,234", "2"], False, "1.000,0", [1.234, 2]),
        (["1,234", "2"], True, "1,000.0", [1234, 2]),
        (["007", "12"], True, None, None),
        (["1_000"], True, None, None),
        (["0x10"], True, None, None),
        (["\u0661"], True, None, None),
        (["1,2,3"], True, None, None),
        (["12 kg"], True, None, None),
    ],
)
def test_text_that_is_numbers(texts, commas, format, numbers):
    import re

    found = number_format(lambda p: all(re.match(p, text) for text in texts), commas)
    assert found == format
    if format is not None:
        values, bad = numbers_of(objects(*texts), format)
        assert bad is None
        np.testing.assert_array_equal(values, numbers)


def test_the_first_row_that_is_no_number():
    values, bad = numbers_of(objects("1", None, "none", "x", "y"))
    assert bad == 3
    np.testing.assert_array_equal(values, [1, NAN, NAN, NAN, NAN])
    assert numbers_of(objects("1,5", "2"), ".")[0].tolist() == [1.5, 2]  # another format fits
    assert numbers_of(np.array(["NaT", "2020-01-01"], "M8[us]"))[1] == 1


def test_one_name_for_one_category():
    names = [key_of(v) for v in (1, 1.0, np.int64(1), np.float32(1), Decimal(1))]
    assert set(names) == {"1"}
    assert names_of(np.array([1.0, NAN, 2.5])).tolist() == ["1", None, "2.5"]
    assert names_of(np.array([True, False])).tolist() == ["True", "False"]
    assert names_of(objects("1.0", "01", "x", None), ".").tolist() == ["1", "01", "x", None]
    assert names_of(objects("1.0", "x")).tolist() == ["1.0", "x"]
    assert names_of(objects("1.0", "2", None), ".").tolist() == ["1", "2", None]


def test_truth_values():
    values, bad = truths_of(objects("yes", "No", None, "1", "FALSE"))
    assert bad is None
    np.testing.assert_array_equal(values, [1, 0, NAN, 1, 0])
    values, bad = truths_of(objects("+1", "0.00", "1e0", "-0"))  # as a column of numbers has them
    assert bad is None
    np.testing.assert_array_equal(values, [1, 0, 1, 0])
    assert truths_of(objects("yes", "maybe"))[1] == truths_of(objects("1", "inf"))[1] == 1
    assert truths_of(np.array([0, 1, 2]))[1] == 2


@pytest.mark.parametrize(
    ("texts", "formats", "dates"),
    [
        (
            ["2020-01-31", "2020-02-01 10:30"],
            ["year-month-day"],
            ["2020-01-31", "2020-02-01T10:30"],
        ),
        (["2020-01-31T10:30:15.5Z"], ["year-month-day"], ["2020-01-31T10:30:15.5"]),
        (["2020-01-31T10:30+02:00"], ["year-month-day"], ["2020-01-31T08:30"]),
        (["31.12.2020", "1.2.2021"], ["day.month.year"], ["2020-12-31", "2021-02-01"]),
        (["31/12/2020", "01/02/2020"], ["day/month/year"], ["2020-12-31", "2020-02-01"]),
        (["12/31/2020", "01/02/2020"], ["month/day/year"], ["2020-12-31", "2020-01-02"]),
        (["01/02/2020"], ["day/month/year", "month/day/year"], ["2020-02-01"]),
        (["2020/1/2"], ["year/month/day"], ["2020-01-02"]),
        (["2020-02", "2019-12"], ["year-month"], ["2020-02-01", "2019-12-01"]),
        (["2020-13"], [], None),
        (["2020-13-01"], [], None),
        (["2020-02-30"], [], None),
        (["2020-01-01 25:00"], [], None),
        (["soon", "2020-01-01"], [], None),
    ],
)
def test_text_that_is_dates(texts, formats, dates):
    assert date_format(objects(*texts)) == formats
    if dates is not None:
        found, bad = dates_of(objects(*texts, None), formats[0])
        assert bad is None
        np.testing.assert_array_equal(found, np.array([*dates, "NaT"], "M8[us]"))
    else:
        assert dates_of(objects(*texts))[1] == 0


# ---- Table ---------------------------------------------------------------------------------------


def test_a_table_is_columns_by_name():
    table = Table({"a": [1, 2, 3], "é": ["x", None, "y"]}, {"a": "."}, ["a note"])
    assert (table.rows, len(table), table.names, list(table)) == (3, 3, ["a", "é"], ["a", "é"])
    assert "é" in table and "b" not in table
    part = table.take([2, 0])
    assert part["a"].tolist() == [3, 1] and part["é"].tolist() == ["y", "x"]
    assert (part.formats, part.notes) == ({"a": "."}, ["a note"])
    assert table.take(np.array([True, False, False]))["a"].tolist() == [1]
    assert table.take(slice(1, None)).rows == 2 and table.take([]).rows == 0
    assert table.take(pyml.tensor([1]))["a"].tolist() == [2]
    assert table.select(["é"]).names == ["é"] and table.drop(["é"]).names == ["a"]
    assert "Table of 3 rows and 2 columns" in repr(table)


@pytest.mark.filterwarnings("error")
def test_names_of_columns():
    with pytest.warns(TableWarning, match="several columns 'a'; one of them is named 'a.2'"):
        table = Table([("a", [1]), ("a.1", [2]), ("a", [3])])
    assert table.names == ["a", "a.1", "a.2"]
    assert Table({1: [1], ("x", "y"): [2], " b ": [3]}).names == ["1", "x.y", "b"]


def test_errors_of_tables():
    with pytest.raises(ValueError, match="column 'b' has 1 rows, column 'a' has 2"):
        Table({"a": [1, 2], "b": [1]})
    with pytest.raises(ValueError, match=r"column 'é' has shape \(1, 1\)"):
        Table({"é": np.zeros((1, 1))})
    with pytest.raises(KeyError, match="did you mean 'price'"):
        Table({"price": [1]})["prize"]
    with pytest.raises(KeyError, match="there is no column"):
        Table({"price": [1]}).drop(["x"])
