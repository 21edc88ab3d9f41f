"""What a tensor says of itself: dtype and Size, and the dtype that numbers get by default.

A dtype stands for NumPy's: NumPy takes it where it takes one of its own, and both are equal.
"""
import math
from operator import index

import numpy as np

cimport numpy as cnp

from pyml.device_names import device   # where older pickles look for it
from pyml.recorder import refuse

cnp.import_array()


# ---- dtypes ---------------------------------------------------------------------------------------------------


cdef class dtype:
    """dtype()\n--\n\nThe type of the elements of a tensor. There is one object for each: pyml.float32, pyml.int64, ...

    NumPy takes it as its own: `np.zeros(3, dtype=pyml.float32)`, `pyml.float32 == np.float32`. The attributes of
    NumPy's dtype (`kind`, `type`, `name`) are found here too. float16, bfloat16 and the complex ones are names alone:
    no tensor has them.

    Example:
        >>> pyml.float32.is_floating_point, pyml.float32.itemsize, str(pyml.float32)
        (True, 4, 'pyml.float32')
    """

    def __init__(self):
        raise TypeError("dtype: there is one object for each already: pyml.float32, pyml.int64, ...")

    @property
    def dtype(self):
        """NumPy's; by this name NumPy finds it."""
        if self.of_numpy is None:
            raise AttributeError(f"NumPy has no dtype {self.name}")
        return self.of_numpy

    @property
    def is_floating_point(self):
        """True for float32 and float64, and the names of smaller ones."""
        return self.kind == "f"

    @property
    def is_complex(self):
        """True for the names of complex ones."""
        return self.kind == "c"

    @property
    def is_signed(self):
        """True if it holds negative numbers."""
        return self.kind in "fic"

    def to_real(self):
        """Itself: the parts of a real number are of its dtype."""
        if self.kind == "c":
            raise TypeError(f"to_real: {self.name} is not supported; no tensor is complex")
        return self

    def __getattr__(self, str name):
        if self.of_numpy is None:
            raise AttributeError(f"dtype {self.name} has no attribute {name!r}: NumPy has no such dtype")
        return getattr(self.of_numpy, name)

    def __eq__(self, other):
        if isinstance(other, dtype):
            return self is other or (self.number >= 0 and self.number == (<dtype>other).number)
        if self.of_numpy is None or other is None:
            return False
        return self.of_numpy == other

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(self.name if self.of_numpy is None else self.of_numpy)

    def __repr__(self):
        return f"{package}.{self.name}"

    def __format__(self, str spec not None):
        return format(self.name, spec)   # in the middle of a message

    def __reduce__(self):
        return _dtype_of_name, (self.name,)


cdef str package = "pyml"   # where programs find dtypes


def _show_as_of(str name not None):
    """dtypes show themselves as those of a package of this name."""
    global package
    package = name


cdef list of_numbers = [None] * 13   # by NumPy's number; the last that a tensor has is float64
cdef dict of_names = {}


cdef dtype made(str name, str kind, int itemsize, object of_numpy):
    cdef dtype self = dtype.__new__(dtype)
    self.name, self.kind, self.itemsize, self.of_numpy, self.number = name, kind, itemsize, of_numpy, -1
    of_names[name] = self
    return self


cdef make_all():
    cdef dtype each
    cdef cnp.dtype of_numpy
    cdef int number
    for name in ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64"):
        of_numpy = np.dtype(name)
        each = made(name, (<object>of_numpy).kind, of_numpy.itemsize, of_numpy)
        each.number = of_numpy.type_num
        for number in range(13):
            if np.dtype("?bBhHiIlLqQfd"[number]) == of_numpy:   # long and long long are the same
                of_numbers[number] = each
    made("float16", "f", 2, np.dtype(np.float16))
    made("bfloat16", "f", 2, None)
    made("complex64", "c", 8, np.dtype(np.complex64))
    made("complex128", "c", 16, np.dtype(np.complex128))


make_all()
NAMES = dict(of_names)


def _dtype_of_name(name):
    return NAMES[name]


cdef dtype dtype_of_number(int number):
    return of_numbers[number]


cdef int number_of(object of_any) except -1:
    """NumPy's number of a dtype, its own or ours."""
    if isinstance(of_any, dtype):
        if (<dtype>of_any).number < 0:
            raise TypeError(f"dtype {of_any} is not supported; use float32, float64, an integer type or bool")
        return (<dtype>of_any).number
    if isinstance(of_any, cnp.dtype):
        return (<cnp.dtype>of_any).type_num
    return (<cnp.dtype>np.dtype(of_any)).type_num


# ---- the default ----------------------------------------------------------------------------------------------

cdef object default = np.dtype(np.float32)


cpdef object default_float():
    """NumPy's dtype of what is made of Python's floats."""
    return default


def get_default_dtype():
    """The dtype of tensors that are made of Python's floats, or of no data.

    Example:
        >>> pyml.get_default_dtype()
        pyml.float32
    """
    return of_names[default.name]


def set_default_dtype(d):
    """Sets the dtype of tensors that are made of Python's floats, or of no data.

    Args:
        d: float32 or float64.

    Raises:
        TypeError: if it is another.

    Example:
        >>> pyml.set_default_dtype(pyml.float32)
    """
    global default
    try:
        number = number_of(d)
    except (TypeError, ValueError):   # a UnicodeError is one
        number = -1
    if number not in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64) or d is None:
        raise TypeError(f"set_default_dtype: d is {d!r}, it must be float32 or float64")
    refuse("set_default_dtype")
    default = np.dtype(np.float32 if number == cnp.NPY_FLOAT32 else np.float64)


# ---- sizes ----------------------------------------------------------------------------------------------------


class Size(tuple):
    """The shape of a tensor: a tuple of its sizes.

    Example:
        >>> pyml.zeros(2, 3).shape.numel()
        6
    """

    __slots__ = ()

    def __new__(cls, iterable=()):
        return make_size(cls, map(index, iterable))

    def numel(self):
        """The number of elements."""
        return math.prod(self)

    # parts and sums of sizes are sizes

    def __getitem__(self, index):
        part = tuple.__getitem__(self, index)
        return make_size(Size, part) if type(index) is slice else part

    def __add__(self, other):
        return make_size(Size, tuple.__add__(self, other)) if isinstance(other, tuple) else NotImplemented

    def __radd__(self, other):
        return make_size(Size, tuple.__add__(other, self)) if isinstance(other, tuple) else NotImplemented

    def __mul__(self, count):
        return make_size(Size, tuple.__mul__(self, count))

    __rmul__ = __mul__


cdef object make_size = tuple.__new__


cdef object sized(object shape):
    return make_size(Size, shape)
