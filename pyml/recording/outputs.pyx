"""The results of all steps of a run."""
import numpy as np

cimport cython
from numpy cimport ndarray

from pyml.recording.pytree cimport flatten, unflatten
from pyml.tensor cimport Tensor, wrap


@cython.final
cdef class Outputs:
    """The results of the steps of a run, put together."""

    def __init__(self, Py_ssize_t steps, Py_ssize_t rows, Py_ssize_t batch_size):
        self.steps, self.rows, self.batch_size = steps, rows, batch_size

    cdef int make(self, result, bint shuffle) except -1:
        """Memory for results like this one, of a full batch."""
        cdef list leaves = []
        cdef Tensor t
        flatten(result, leaves)
        self.tree = result
        self.arrays, self.by_rows = [], []
        for t in leaves:
            by_rows = t.array.ndim > 0 and t.array.shape[0] == self.batch_size
            if by_rows and shuffle:
                raise ValueError(
                    f"run: the step returns a result of shape {t.shape}, a row for each row of the batch; in a "
                    "shuffled order it would be of no use: pass shuffle=False, or return less")
            self.arrays.append(np.zeros((0,) + (t.shape[1:] if by_rows else t.shape), t.dtype))
            self.by_rows.append(by_rows)
        return 0

    cdef int reserve(self, Py_ssize_t steps, Py_ssize_t rows) except -1:
        """Room for so many steps and rows in all."""
        for i, by_rows in enumerate(self.by_rows):
            self.arrays[i] = with_room(self.arrays[i], rows if by_rows else steps, self.rows if by_rows else self.steps)
        return 0

    cdef int put(self, result, Py_ssize_t step, Py_ssize_t row) except -1:
        """The result of one step, whose first row is `row`."""
        cdef list leaves = []
        cdef Tensor t
        flatten(result, leaves)
        if len(leaves) != len(self.arrays):
            raise RuntimeError("run: the step does not return as many tensors each time")
        self.reserve(step + 1, row + self.batch_size)
        for i, (t, array, by_rows) in enumerate(zip(leaves, self.arrays, self.by_rows)):
            wanted = array.shape[1:]
            if t.shape[1 if by_rows else 0:] != wanted or (by_rows and row + t.shape[0] > self.rows):
                raise RuntimeError(
                    f"run: result {i} of the step has shape {t.shape} for a batch of another size than before, where it had "
                    + (f"a row of shape {wanted} for each row" if by_rows else f"shape {wanted}")
                    + "; return what has one of these forms for every batch, or pass drop_last=True")
            if by_rows:
                array[row:row + t.array.shape[0]] = t.array
            else:
                array[step] = t.array
        return 0

    cdef object first(self, Py_ssize_t steps):
        """The first result of each step so far, if it is one number."""
        if self.arrays and not self.by_rows[0] and self.arrays[0].ndim == 1:
            return wrap(self.arrays[0][:steps])
        return None

    cdef object all(self, Py_ssize_t steps, Py_ssize_t rows):
        if self.tree is None or self.arrays is None:
            return None
        tensors = [wrap(a[:rows] if by_rows else a[:steps]) for a, by_rows in zip(self.arrays, self.by_rows)]
        return unflatten(self.tree, iter(tensors))


cdef ndarray with_room(ndarray array, Py_ssize_t needed, Py_ssize_t most):
    """The array with at least `needed` rows, of `most` that there will be: memory grows with what is used."""
    if array.shape[0] >= needed:
        return array
    larger = np.zeros((min(most, max(needed, 2 * array.shape[0], 1024)),) + (<object>array).shape[1:], array.dtype)
    larger[:array.shape[0]] = array
    return larger
