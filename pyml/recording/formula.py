"""Python numbers that a step changes: counters and decays.

A replay does not run the Python of a step. Where this only does arithmetic on a number that the
step itself changes (`self.t += 1`, then `1 - beta ** self.t`), it need not: while the step is
recorded, the place holds a Number, which does the arithmetic and notes it in a Formula, and a
replay computes the formula. What Python decides by such a number (`if self.t % 5 == 0`) is a
condition of the formula: where it comes out otherwise, the recording does not fit.
"""

import functools
import gc
import math
import operator
import re
import threading
import types
import weakref

import numpy as np

from pyml.recorder import Traced, refuse
from pyml.recording.code import is_installed

__all__ = ["Formula", "Item", "Number", "worth"]

NUMBERS = (int, float, bool, np.float64)
BINARY = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**",
    "and": "&", "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
}  # fmt: skip
COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
UNARY = {"invert": "~{}", "neg": "-{}", "pos": "+{}", "abs": "abs({})"}
ROUNDING = {"floor": "floor({})", "ceil": "ceil({})", "trunc": "trunc({})"}


class Formula:
    """What a step computes from the numbers that it changes.

    Attributes:
        inputs: how many numbers it begins with.
        values: of what was asked for, in the call that is recorded.
    """

    def __init__(self):
        self.inputs = 0
        self.is_open = True
        self._lines = []
        self._names = {"floor": math.floor, "ceil": math.ceil, "trunc": math.trunc, "same": same}
        self._count = 0
        self._outputs = []
        self.values = []  # of the outputs, in this call
        self._function = None
        self.numbers = []  # weak references to all that were made

    def input(self, value):
        """A Number for one of the numbers that the formula begins with."""
        name = f"i{self.inputs}"
        self.inputs += 1
        self._lines.append(is_not(name, value))
        return Number(self, name, value)

    def word(self, value):
        """How a number is written in the formula."""
        if isinstance(value, Number):
            return value.word
        name = f"c{len(self._names)}"
        self._names[name] = value
        return name

    def derived(self, text, value, keeps_type=True):
        """A Number whose value is `value` now, and computed by `text` in each replay.

        Args:
            keeps_type: whether its type follows from those of the operands.
        """
        if not self.is_open:
            return value
        if type(value) not in NUMBERS:
            return self.require(text, value)
        name = f"v{self._count}"
        self._count += 1
        self._lines.append(f"{name} = {text}")
        if not keeps_type:
            self._lines.append(is_not(name, value))
        return Number(self, name, value)

    def require(self, text, value):
        """The step goes on as it does because `text` is `value`."""
        if self.is_open:
            self._lines.append(f"if not same({text}, {self.word(value)}): return None")
        return value

    def output(self, value):
        """Asks for a number. Returns its place in what compute() returns."""
        word = self.word(value)
        if word not in self._outputs:
            self._outputs.append(word)
            self.values.append(worth(value))
        return self._outputs.index(word)

    def asks(self):
        """Whether a replay needs it: something is computed, or decides."""
        return bool(self._lines or self._outputs)

    def kept(self):
        """Whether Numbers are in use elsewhere; plain ones take their place, where that can be."""
        found = False
        for number in [reference() for reference in self.numbers]:
            if number is not None:
                found = True
                replace(number)
        return found

    def close(self):
        """From now on Numbers are just what they are worth."""
        self.is_open = False

    def text(self):
        """All that it does, in a form in which two recordings can be compared."""
        words = {name: repr(value) for name, value in self._names.items() if name[0] == "c"}
        return self._lines, self._outputs, words

    def compute(self, inputs):
        """The outputs for other numbers to begin with; None if the step would go on otherwise."""
        if self._function is None:
            arguments = ", ".join(f"i{i}" for i in range(self.inputs))
            body = "".join(f"    {line}\n" for line in self._lines)
            code = f"def formula({arguments}):\n{body}    return [{', '.join(self._outputs)}]\n"
            exec(code, self._names)
            self._function = self._names["formula"]
        try:
            return self._function(*inputs)
        except ArithmeticError:  # Python will raise it where the step does
            return None


def is_not(name, value):
    """The line of a formula that ends it where a number has another type than `value`."""
    return f"if type({name}) is not {type(value).__name__}: return None"


def same(a, b):
    """Whether two values are the same number of the same type. -0 is not 0, and NaN is itself."""
    return type(a) is type(b) and (a == b or a != a) and repr(a) == repr(b)


class Number(Traced):
    """Stands for a number while a step that changes it is recorded. Behaves like it."""

    __slots__ = ("__weakref__", "formula", "word")

    def __init__(self, formula, word, value):
        super().__init__(value)
        self.formula, self.word = formula, word
        formula.numbers.append(weakref.ref(self))

    @property
    def __class__(self):
        return type(self.value)

    def _escapes(self):
        """Python is given the number itself: what it does with it is not known."""
        return self.formula.require(self.word, self.value)

    def __int__(self):
        return int(self._escapes())

    def __float__(self):
        return float(self._escapes())

    def __index__(self):
        return operator.index(self._escapes())

    def __complex__(self):
        return complex(self._escapes())

    def __hash__(self):
        return hash(self._escapes())

    def __str__(self):
        return str(self._escapes())

    def __repr__(self):
        return repr(self._escapes())

    def __format__(self, spec):
        return format(self._escapes(), spec)

    def __bool__(self):
        return self.formula.require(f"bool({self.word})", bool(self.value))

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce_ex__(self, protocol):
        refuse("pickling a number that the step changes or reads from a tensor")
        return type(self.value), (self.value,)

    def __getattr__(self, name):
        return getattr(self._escapes(), name)

    def __array__(self, dtype=None, copy=None):
        return np.array(self._escapes(), dtype=dtype)

    def __array_ufunc__(self, ufunc, method, *operands, **options):
        if method != "__call__" or options or not all(is_number(each) for each in operands):
            return getattr(ufunc, method)(
                *[each._escapes() if isinstance(each, Number) else each for each in operands],
                **options,
            )
        return applied(ufunc, operands)

    def __round__(self, digits=None):
        word = self.word if digits is None else f"{self.word}, {self.formula.word(digits)}"
        return self.formula.derived(f"round({word})", round(self.value, worth(digits)))

    def __pow__(self, other, modulus=None):
        if modulus is not None:
            words = ", ".join(map(self.formula.word, (self, other, modulus)))
            return self.formula.derived(f"pow({words})", pow(*map(worth, (self, other, modulus))))
        return binary(self, self, other, "**", operator.pow, False)

    def __divmod__(self, other):
        return self // other, self % other

    def __rdivmod__(self, other):
        return other // self, other % self


class Item(Number):
    """A number that was read from a tensor in a step: it may be returned or given to host().

    Attributes:
        tensor: that it was read from.
    """

    __slots__ = ("tensor",)

    def __init__(self, formula, refuse, tensor, value):
        super().__init__(Refusing(refuse, formula.numbers), "", value)
        self.tensor = tensor


class Refusing(Formula):
    """Of an Item: what is done with it is refused while the step is recorded."""

    def __init__(self, refuse, numbers):
        self._refuse, self.numbers = refuse, numbers

    @property
    def is_open(self):
        return self._refuse is not None and self._refuse()

    def word(self, value):
        return ""

    def derived(self, text, value, keeps_type=True):
        return value if not self.is_open else None

    require = derived


def replace(number, plain=None):
    """Puts the plain number where a Number is: in dicts, lists, cells, and tuples in them."""
    is_frozen = gc.get_freeze_count() > 0
    if is_frozen:  # get_referrers() does not look at what is
        gc.unfreeze()
    for holder in gc.get_referrers(number):
        replace_in(holder, number, worth(number) if plain is None else plain)
    if is_frozen:
        gc.freeze()


def replace_in(holder, number, plain):
    # apart from replace(), which must have no cell of its own that holds the number
    if isinstance(holder, dict):
        places = [key for key, value in holder.items() if value is number]
        holder.update(dict.fromkeys(places, plain))
    elif isinstance(holder, list):
        holder[:] = [plain if value is number else value for value in holder]
    elif isinstance(holder, types.CellType) and holder.cell_contents is number:
        holder.cell_contents = plain
    elif type(holder) is tuple and any(isinstance(value, Number) for value in holder):
        replace(holder, tuple(map(worth, holder)))


def worth(value):
    """The number itself."""
    return value.value if isinstance(value, Number) else value


def is_number(value):
    return isinstance(value, Number) or type(value) in NUMBERS


def applied(function, operands):
    """A Number that a function gives for others."""
    formula = next(each.formula for each in operands if isinstance(each, Number))
    words = ", ".join(map(formula.word, operands))
    return formula.derived(f"{formula.word(function)}({words})", function(*map(worth, operands)))


class Mathematics:
    """While it is open, the functions of the module math take Numbers. Others are not concerned."""

    NAMES = (
        "exp", "expm1", "fabs", "log", "log10", "log1p", "log2", "pow", "sqrt",
        "cos", "sin", "tan", "tanh",
    )  # fmt: skip

    def __init__(self):
        self._lock, self._open, self._originals = threading.Lock(), 0, {}

    def open(self):
        with self._lock:
            self._open += 1
            if self._open == 1:
                self._originals = {name: getattr(math, name) for name in self.NAMES}
                for name, function in self._originals.items():
                    setattr(math, name, taking_numbers(function))

    def close(self):
        with self._lock:
            self._open -= 1
            if self._open == 0:
                for name, function in self._originals.items():
                    setattr(math, name, function)


def taking_numbers(function):
    @functools.wraps(function)
    def wrapped(*operands):
        if any(isinstance(each, Number) for each in operands) and all(map(is_number, operands)):
            return applied(function, operands)
        return function(*operands)

    return wrapped


mathematics = Mathematics()


class TypeOf(type):
    """Of Type: it is called as Python's type()."""

    def __call__(cls, *args, **options):
        if cls is not Type:  # a metaclass made of it
            return super().__call__(*args, **options)
        found = type(*map(worth, args), **options)
        return cls if found is type else found

    def __instancecheck__(cls, value):
        return isinstance(value, type if cls is Type else cls)

    def __subclasscheck__(cls, value):
        return issubclass(value, type) if cls is Type else super().__subclasscheck__(value)

    def __eq__(cls, other):
        return cls is other or (cls is Type and other is type)

    def __hash__(cls):
        return hash(type) if cls is Type else super().__hash__()


class Type(type, metaclass=TypeOf):
    """What code of a step finds by the name `type` while it is recorded."""

    __class_getitem__ = classmethod(types.GenericAlias)


class Disguise:
    """While it is open for the globals of some functions, these find Type by the name `type`.

    Not where they have given the name a meaning of their own.
    """

    def __init__(self):
        self._lock, self._counts = threading.Lock(), {}

    def open(self, scopes):
        """Returns those that are to be closed."""
        with self._lock:
            scopes = [scope for scope in scopes if scope.get("type", Type) is Type]
            for scope in scopes:
                self._counts[id(scope)] = self._counts.get(id(scope), 0) + 1
                scope["type"] = Type
        return scopes

    def close(self, scopes):
        with self._lock:
            for scope in scopes:
                self._counts[id(scope)] -= 1
                if self._counts[id(scope)] == 0:
                    del self._counts[id(scope)], scope["type"]


disguise = Disguise()

STAND_IN = re.compile(r"\b(Number|Item)\b")
OPERATOR = re.compile("operand type|not supported between|can only concatenate|object is not")


def refuses_stand_in(error):
    """Whether an exception is one that a Number caused where a number would not: a function that is
    written in C, or of a library, did not know it."""
    if not isinstance(error, TypeError):
        return False
    traceback = error.__traceback__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    frame = traceback.tb_frame
    if is_installed(frame.f_code.co_filename):  # it has the number, or its type to make others
        return any(isinstance(each, Number) or each is Number for each in frame.f_locals.values())
    return bool(STAND_IN.search(str(error))) and not OPERATOR.search(str(error))


def binary(number, a, b, sign, function, keeps_type=True):
    other = b if a is number else a
    if not is_number(other):
        return NotImplemented
    formula = number.formula
    return formula.derived(
        f"{formula.word(a)} {sign} {formula.word(b)}", function(worth(a), worth(b)), keeps_type
    )


def binary_method(sign, function, is_reflected):
    def method(self, other):
        operands = (other, self) if is_reflected else (self, other)
        return binary(self, *operands, sign, function, sign != "**")

    return method


def comparison(sign, function):
    def method(self, other):
        if not is_number(other):
            return NotImplemented
        text = f"{self.word} {sign} {self.formula.word(other)}"
        return self.formula.require(text, function(self.value, worth(other)))

    return method


def unary_method(form, function):
    def method(self):
        return self.formula.derived(form.format(self.word), function(self.value))

    return method


def install():
    """Gives Number the operators."""
    for name, sign in BINARY.items():
        function = getattr(operator, f"__{name}__")
        if name != "pow":  # which has a third argument
            setattr(Number, f"__{name}__", binary_method(sign, function, False))
        setattr(Number, f"__r{name}__", binary_method(sign, function, True))
    for name, sign in COMPARISONS.items():
        setattr(Number, f"__{name}__", comparison(sign, getattr(operator, name)))
    for name, form in UNARY.items():
        setattr(Number, f"__{name}__", unary_method(form, getattr(operator, name)))
    for name, form in ROUNDING.items():
        setattr(Number, f"__{name}__", unary_method(form, getattr(math, name)))


install()
