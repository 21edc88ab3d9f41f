"""What is computed element by element: how it is written in C, in NumPy and in ONNX."""

import re
from typing import NamedTuple

import numpy as np

from pyml.errors import ArgumentError


class Function(NamedTuple):
    """One function in three languages.

    c, numpy: expressions of {0}, {1}, ...; {f} is the f at the end of functions of float, {p} what
        names of the file begin with, {t} the type of the result.
    onnx: the name of the operator.
    dtype: of the result; None: that of the last argument.
    """

    c: str
    numpy: str
    onnx: str
    dtype: np.dtype | None = None


def written(template, arguments, **names):
    """A function of texts; what is within the parentheses of a call needs none of its own."""
    if not template.startswith(("(", "{0}")):
        arguments = [a[1:-1] if is_wrapped(a) else a for a in arguments]
    return template.format(*arguments, **names)


def is_wrapped(text):
    """Is it one pair of parentheses from end to end?"""
    depth = 0
    for i, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return i == len(text) - 1 and text[0] == "("
    return False


def in_utf8(text, who):
    """The bytes of a category or class."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ArgumentError(
            f"{who}: the category or class {text!r} has letters that UTF-8 has not; give it "
            "another name in the table, and fit again"
        ) from None


def plain(text):
    """Text of a model as a comment may hold it: names can have any letters in them."""
    return re.sub(r"[^\w .:;,()\[\]<>=+'\"-]", "_", text)[:LONGEST_COMMENT]


LONGEST_COMMENT = 200
BOOL = np.dtype(bool)

FUNCTIONS = {
    "add": Function("({0} + {1})", "({0} + {1})", "Add"),
    "sub": Function("({0} - {1})", "({0} - {1})", "Sub"),
    "mul": Function("({0} * {1})", "({0} * {1})", "Mul"),
    "div": Function("({0} / {1})", "({0} / {1})", "Div"),
    "floordiv": Function("{p}floordiv({0}, {1})", "({0} // {1})", "Div"),
    "mod": Function("{p}mod({0}, {1})", "({0} % {1})", "Mod"),
    "neg": Function("(-{0})", "(-{0})", "Neg"),
    "abs": Function("fabs{f}({0})", "np.abs({0})", "Abs"),
    "exp": Function("exp{f}({0})", "np.exp({0})", "Exp"),
    "log": Function("log{f}({0})", "np.log({0})", "Log"),
    "log1p": Function("log1p{f}({0})", "np.log1p({0})", ""),
    "sqrt": Function("sqrt{f}({0})", "np.sqrt({0})", "Sqrt"),
    "cos": Function("cos{f}({0})", "np.cos({0})", "Cos"),
    "sin": Function("sin{f}({0})", "np.sin({0})", "Sin"),
    "tanh": Function("tanh{f}({0})", "np.tanh({0})", "Tanh"),
    "erf": Function("erf{f}({0})", "erf({0})", "Erf"),
    "pow": Function("pow{f}({0}, {1})", "({0} ** {1})", "Pow"),
    "sigmoid": Function("(1 / (1 + exp{f}(-{0})))", "sigmoid({0})", "Sigmoid"),
    "softplus": Function("{p}softplus({0})", "np.logaddexp({0}, 0)", "Softplus"),
    "relu": Function("{p}relu({0})", "np.maximum({0}, 0)", "Relu"),
    "elu": Function("{p}elu({0})", "elu({0})", "Elu"),
    "max": Function("{p}max({0}, {1})", "np.maximum({0}, {1})", "Max"),
    "min": Function("{p}min({0}, {1})", "np.minimum({0}, {1})", "Min"),
    "isnan": Function("isnan({0})", "np.isnan({0})", "IsNaN", BOOL),
    "less": Function("({0} < {1})", "({0} < {1})", "Less", BOOL),
    "less_equal": Function("({0} <= {1})", "({0} <= {1})", "LessOrEqual", BOOL),
    "and": Function("({0} && {1})", "({0} & {1})", "And", BOOL),
    "or": Function("({0} || {1})", "({0} | {1})", "Or", BOOL),
    "equal": Function("({0} == {1})", "({0} == {1})", "Equal", BOOL),
    "where": Function("({0} ? {1} : {2})", "np.where({0}, {1}, {2})", "Where"),
    "cast": Function("({t}){0}", "{0}.astype({t})", "Cast"),
}
