"""Values of a column: what comes from outside as an array of one of five kinds, and text as numbers
and dates.

The five are the dtypes that a Table has: bool, int64, float64 (NaN is missing), datetime64[us] (NaT
is missing), and object, for text (None is missing).
"""

import datetime
import math
import re
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from numbers import Number

import numpy as np

from pyml.tensor import Tensor

MISSING = ("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "NaT")
"""Text that says that there is no value, in any column."""

PLACEHOLDERS = (
    *("-", "--", ".", "*", "none", "missing", "unknown", "na", "n.a.", "n.a", "nil"),
    *("#div/0!", "#value!", "#ref!"),  # of Excel
)
"""What says so among numbers, in small letters."""

NAT = -(2**63)  # the number of NaT
LARGEST_EXACT = 2**53  # whole numbers beyond it are not all float64

# How text is a number: the name of a format, and its pattern, which RE2 reads too. A leading zero,
# as of "007", is no number's.
_WHOLE, _POWER = r"(?:0|[1-9][0-9]*)", r"(?:[eE][+-]?[0-9]+)?"
_GROUPED = (
    r"[+-]?(?:(?:{whole}|[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+)(?:{point}[0-9]*)?"
    r"|{point}[0-9]+)"
)
NUMBERS = {
    ".": rf"^[+-]?(?:(?:{_WHOLE}(?:\.[0-9]*)?|\.[0-9]+){_POWER}|[iI]nf(?:inity)?)$",
    "1.000,0": f"^{_GROUPED.format(whole=_WHOLE, group='[.]', point=',')}{_POWER}$",
    "1,000.0": f"^{_GROUPED.format(whole=_WHOLE, group=',', point='[.]')}{_POWER}$",
}

# How text is a date: the name of a format, and its pattern. The time may follow.
_TIME = (
    r"(?:[T ](?P<H>[0-9]{1,2}):(?P<M>[0-9]{2})(?::(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?)?"
    r" ?(?P<z>Z|UTC|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_Y, _M, _D = r"(?P<Y>[0-9]{4})", r"(?P<m>[0-9]{1,2})", r"(?P<d>[0-9]{1,2})"
DATES = {
    name: re.compile(pattern + _TIME)
    for name, pattern in {
        "year-month-day": f"{_Y}-{_M}-{_D}",
        "year/month/day": f"{_Y}/{_M}/{_D}",
        "day.month.year": rf"{_D}\.{_M}\.{_Y}",
        "day/month/year": f"{_D}/{_M}/{_Y}",
        "month/day/year": f"{_M}/{_D}/{_Y}",
        "day-month-year": f"{_D}-{_M}-{_Y}",
        "year-month": f"{_Y}-(?P<m>[0-9]{{2}})(?P<d>)",  # its first day
    }.items()
}

TRUTHS = {
    text: truth
    for truth, words in ((True, "true yes y t on"), (False, "false no n f off"))
    for text in words.split()
}


# ---- from outside --------------------------------------------------------------------------------


def array_of(values, place):
    """Values of one column as an array of one of the five dtypes.

    Args:
        values: an array, Tensor, masked array or sequence of one dimension.
        place: of the column, for messages.

    Raises:
        TypeError: for what is no column, or for complex numbers.
        ValueError: for another number of dimensions.
    """
    if isinstance(values, Tensor):
        values = values.detach().numpy()
    if isinstance(values, np.ndarray):
        array = values
    elif isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise TypeError(
            f"{place} is a {type(values).__name__}, it must be an array or list with a value for "
            "each row"
        )
    else:
        return from_objects(list(values), place)
    if array.ndim != 1:
        raise ValueError(f"{place} has shape {array.shape}, it must have one dimension")
    if isinstance(array, np.ma.MaskedArray):
        gone = np.ma.getmaskarray(array)
        values = array.data.astype(object)
        values[gone] = None
        return from_objects(values.tolist(), place)
    kind = array.dtype.kind
    if kind == "b":
        return array.astype(bool)
    if kind in "iu":
        fits = kind == "i" or array.dtype.itemsize < 8 or not (array > 2**63 - 1).any()
        return array.astype(np.int64) if fits else from_objects(array.tolist(), place)
    if kind == "f":
        return array.astype(np.float64)
    if kind == "M":
        return array.astype("datetime64[us]")
    if kind == "m":
        return seconds(array)
    if kind == "U":
        return texts(array.tolist())
    if kind == "S":
        return texts([value.decode(errors="replace") for value in array.tolist()])
    if kind in "OT":
        return from_objects(array.tolist(), place)
    raise TypeError(
        f"{place} has dtype {array.dtype}, it must be of numbers, text, dates or truth values"
    )


def seconds(array):
    """timedelta64 as seconds."""
    gone = np.isnat(array)
    return np.where(gone, np.nan, array.astype("m8[us]").astype(np.int64) / 1e6)


def from_objects(values, place):
    """Python objects as an array: of numbers, seconds or dates if all are such, otherwise text."""
    if set(map(type, values)) <= {str, type(None)}:
        return texts(values) if any(values) else np.full(len(values), np.nan)
    present = [value for value in values if not is_missing(value)]
    types = set(map(type, present))
    if all(issubclass(t, (bool, np.bool_)) for t in types) and types:
        if len(present) == len(values):
            return np.array(values, bool)
        return floats(values)
    if all(issubclass(t, DURATIONS) for t in types) and types:
        return np.array([duration(value) for value in values], np.float64)
    if all(issubclass(t, NUMERIC) for t in types):
        return whole_or_floats(values, len(present) == len(values))
    if all(issubclass(t, (datetime.date, np.datetime64)) for t in types):
        return np.array([instant(value) for value in values], "datetime64[us]")
    if any(issubclass(t, (complex, np.complexfloating)) for t in types):
        raise TypeError(f"{place} has complex numbers; it must be of real numbers or text")
    return texts(values)


NUMERIC = (int, float, Decimal, Fraction, np.bool_, np.integer, np.floating)
DURATIONS = (  # of which NumPy's is an integer, too
    datetime.timedelta,
    np.timedelta64,
    datetime.time,
)


def is_missing(value):
    """None, NaN, NaT, and pandas' NA."""
    if value is None:
        return True
    if isinstance(value, (float, np.floating, Decimal)):
        return math.isnan(value)
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    return type(value).__name__ in ("NAType", "NaTType")


def whole_or_floats(values, complete):
    """Numbers as int64 if all are whole numbers that it holds, otherwise as float64.

    Whole numbers that neither holds exactly, as long codes, are text.
    """
    is_whole = all(isinstance(v, (int, np.integer, np.bool_)) or is_missing(v) for v in values)
    if complete and is_whole:
        with suppress(OverflowError):
            return np.array([int(value) for value in values], np.int64)
    numbers = floats(values)
    is_long = is_whole and (np.abs(numbers) > LARGEST_EXACT).any()
    return texts(values) if is_long else numbers


def floats(values):
    """Numbers as float64; those beyond it are infinite."""

    def number(value):
        if is_missing(value):
            return math.nan
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf

    return np.array([number(value) for value in values], np.float64)


def instant(value):
    """A date or time as datetime64[us], in UTC if it has a time zone."""
    if is_missing(value):
        return np.datetime64("NaT", "us")
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[us]")
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc)
        # of pandas' Timestamps the year to the microsecond
        return np.datetime64(value.replace(tzinfo=None).isoformat(timespec="microseconds"), "us")
    return np.datetime64(value.isoformat(), "us")


def duration(value):
    """A duration in seconds; of a time of day, since midnight."""
    if is_missing(value):
        return math.nan
    if isinstance(value, np.timedelta64):
        return seconds(np.array([value]))[0]
    if isinstance(value, datetime.time):
        first = datetime.datetime.min
        value = datetime.datetime.combine(first, value.replace(tzinfo=None)) - first
    return value.total_seconds()


def texts(values):
    """An array of text, trimmed; None where there is none."""
    seen = {}
    array = np.empty(len(values), object)
    for i, value in enumerate(values):
        try:
            array[i] = seen[value]
            continue
        except (KeyError, TypeError):
            pass
        array[i] = text = None if is_missing(value) else text_of(value)
        if isinstance(value, str):
            seen[value] = text
    return array


def text_of(value):
    """A value as trimmed text, or None if that says that there is none."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    text = value if isinstance(value, str) else key_of(value)
    text = text.strip()
    return None if text in MISSING else text


def key_of(value):
    """A value as the name of its category: 1, 1.0, np.int64(1) and Decimal(1) have one."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, Number) and isinstance(value, NUMERIC):
        number = float(value)
        if number.is_integer():
            return str(int(value))
        return repr(number)
    return str(value)


# ---- to numbers, names and dates -----------------------------------------------------------------


def missing(array):
    """Which values of a column are missing."""
    if array.dtype.kind == "f":
        return np.isnan(array)
    if array.dtype.kind == "M":
        return np.isnat(array)
    if array.dtype.kind == "O":
        return np.equal(array, None)
    return np.zeros(len(array), bool)


def distinct(array):
    """The distinct values of a column that are not missing, ascending, and their counts."""
    if array.dtype.kind == "O":  # text, whose order takes longer than counting it
        counts = Counter(array.tolist())
        counts.pop(None, None)
        values = sorted(counts)
        return np.array(values, object), np.array([counts[each] for each in values], np.int64)
    return np.unique(array[~missing(array)], return_counts=True)


def number_format(matches, commas=False):
    """The name of the format by which all of some text is numbers, or None.

    Args:
        matches: a function of a pattern: does all of the text match it?
        commas: fields are separated by commas, which a decimal comma would not be. Default: False.
    """
    if matches(NUMBERS["."]):
        return "."
    decimal_comma, grouped = matches(NUMBERS["1.000,0"]), matches(NUMBERS["1,000.0"])
    if decimal_comma and not (grouped and commas):
        return "1.000,0"
    return "1,000.0" if grouped else None


def format_of(texts, format):
    """The first format by which all of some text is numbers, the given one if none is."""
    present = [text for text in texts if text is not None and text.lower() not in PLACEHOLDERS]
    fitting = (
        name
        for name in (format, *NUMBERS)
        if all(re.match(NUMBERS[name], text) for text in present)
    )
    return next(fitting, format)


def number_of(text, format):
    """One text as a float, NaN for what says that it is missing, None if it is no number."""
    if text.lower() in PLACEHOLDERS:
        return math.nan
    if not re.match(NUMBERS[format], text):
        return None
    if format == "1.000,0":
        text = text.replace(".", "").replace(",", ".")
    return float(text.replace(",", ""))


def numbers_of(array, format="."):
    """A column as float64, and the first row that is no number, None if there is none.

    Args:
        format: of text. If it does not fit all of it, another one that does is taken.
    """
    if array.dtype.kind in "biuf":
        return array.astype(np.float64), None
    if array.dtype.kind == "M":
        present = ~missing(array)
        return np.full(len(array), np.nan), int(present.argmax()) if present.any() else None
    texts = {*array} - {None}
    format = format_of(texts, format)
    numbers = {text: number_of(text, format) for text in texts}
    bad = next((i for i, text in enumerate(array) if numbers.get(text, 0) is None), None)
    found = (numbers.get(text) for text in array)
    return np.array([math.nan if x is None else x for x in found], np.float64), bad


def names_of(array, format=None):
    """A column as the names of categories, an object array of text; None where it is missing.

    Args:
        format: of numbers, for a column whose values were numbers: text that is one gets the name
            that the number has. Default: text is taken as it is.
    """
    if array.dtype.kind != "O":
        gone = missing(array)
        values, index = np.unique(array, return_inverse=True)
        names = np.array([*map(key_of, values.tolist()), None], object)
        return names[np.where(gone, len(values), index)]
    if format is None:
        return array
    texts = {*array} - {None}
    format = format_of(texts, format)
    names = {None: None}
    for text in texts:
        number = number_of(text, format)
        names[text] = text if number is None or math.isnan(number) else key_of(number)
    return np.array([names[text] for text in array], object)


def truths_of(array):
    """A column as 1 and 0 in float64, and the first row that is neither, None if there is none."""
    if array.dtype.kind == "O":
        truths = {None: math.nan}
        for text in {*array} - {None}:
            is_number = re.match(NUMBERS["."], text)
            truths[text] = float(text if is_number else TRUTHS.get(text.lower(), 2))
        result = np.array([truths[text] for text in array], np.float64)
    else:
        result, bad = numbers_of(array)
        if bad is not None:
            return result, bad
    wrong = ~np.isin(result, (0, 1)) & ~np.isnan(result)
    return result, int(wrong.argmax()) if wrong.any() else None


def date_format(array):
    """The names of the formats by which all of some text is dates."""
    present = {text for text in array if text is not None}
    if not present or not any(pattern.fullmatch(next(iter(present))) for pattern in DATES.values()):
        return []
    present = np.array([*present], object)
    return [
        name
        for name, pattern in DATES.items()
        if all(pattern.fullmatch(text) for text in present) and dates_of(present, name)[1] is None
    ]


def dates_of(array, format=None):
    """A column as datetime64[us], and the first row that is no date, None if there is none."""
    if array.dtype.kind == "M":
        return array, None
    if array.dtype.kind != "O":
        present = ~missing(array)
        nothing = np.full(len(array), "NaT", "datetime64[us]")
        return nothing, int(present.argmax()) if present.any() else None
    texts = [*({*array} - {None})]
    since = dict(zip(texts, moments_of(texts, format).tolist(), strict=True))
    found = np.fromiter(map({**since, None: NAT}.__getitem__, array), np.int64, len(array))
    wrong = (found == NAT) & ~missing(array)
    return found.view("datetime64[us]"), int(wrong.argmax()) if wrong.any() else None


def moments_of(texts, format):
    """Microseconds since 1970 of a list of text, in UTC if it has a zone; NAT where it is no date.

    Args:
        format: its name; None: any.
    """
    moments = np.full(len(texts), NAT)
    for name in DATES if format is None else (format, "year-month-day"):
        rows = np.flatnonzero(moments == NAT).tolist()
        moments[rows] = moments_by(DATES[name], [texts[row] for row in rows])
    return moments


def moments_by(pattern, texts):
    """The same by one pattern."""
    written = [iso_of(pattern.fullmatch(text)) for text in texts]
    days = [day for day, _ in written]
    try:
        moments = np.array(days, "datetime64[us]")
    except ValueError:  # there is no such day or hour
        moments = np.array(list(map(moment_of, days)), "datetime64[us]")
    return (moments - np.array([east for _, east in written], "timedelta64[m]")).astype(np.int64)


def iso_of(match):
    """A date and time as ISO 8601 has it, and the minutes that its zone is east of UTC."""
    if match is None:
        return "NaT", 0
    year, month, day, hour, minute, second, fraction, zone = match.group(*"YmdHMSfz")
    text = f"{year}-{month:0>2}-{day or 1:0>2}"
    if hour is not None:
        text += f"T{hour:0>2}:{minute}:{second or '00'}.{(fraction or '0')[:6]}"
    if zone in (None, "Z", "UTC"):
        return text, 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return text, minutes if zone[0] == "+" else -minutes


def moment_of(day):
    """A date as ISO 8601 has it as datetime64[us], NaT if there is no such day or hour."""
    try:
        return np.datetime64(day, "us")
    except ValueError:
        return np.datetime64("NaT", "us")
