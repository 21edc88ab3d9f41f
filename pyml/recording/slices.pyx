"""The tables with which C makes many steps: where it finds their inputs and options, and puts their results."""
import numpy as np

cimport cython
cimport numpy as cnp
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from numpy cimport ndarray

from pyml._kernels cimport program_rows, program_transfer
from pyml.recording.outputs cimport Outputs
from pyml.recording.program cimport COPIED, Program, Result, Updating, rewind, states_of
from pyml.tensor cimport Tensor

cnp.import_array()


@cython.final
cdef class Slice:
    """What program_run needs for some steps, in C."""

    def __dealloc__(self):
        free(self.inputs)
        free(self.before)
        free(self.after)

    cdef int rows(self, Program program, list data, list batches, ndarray order) except -1:
        """Where the rows of the inputs are: gathered into `batches` if there is an order."""
        cdef Py_ssize_t i
        cdef ndarray a
        cdef void *gathered
        self.inputs = <program_rows *>calloc(len(data) + 1, sizeof(program_rows))
        if self.inputs == NULL:
            raise MemoryError()
        for i in range(len(data)):
            if <int>program.inputs[i] < 0:
                continue
            a = (<Tensor>data[i]).array
            gathered = NULL
            if order is not None:
                gathered = cnp.PyArray_DATA(<ndarray>batches[i])
            self.inputs[self.input_count] = program_rows(cnp.PyArray_DATA(a), row_bytes(a), gathered, program.inputs[i])
            self.input_count += 1
        return 0

    cdef int results(
        self, Program program, Outputs outputs, Py_ssize_t step, Py_ssize_t row, Py_ssize_t first, Py_ssize_t batch
    ) except -1:
        """Where step i of the epoch, i from `first` on, puts its results."""
        cdef Py_ssize_t i, stride, offset
        cdef Result r
        cdef ndarray to, of
        cdef char *begin
        self.after = <program_transfer *>calloc(len(program.results) + 2, sizeof(program_transfer))
        if self.after == NULL:
            raise MemoryError()
        if len(program.results) != len(outputs.arrays):
            raise RuntimeError("run: the step does not return as many tensors each time")
        for i in range(len(program.results)):
            r = program.results[i]
            to = outputs.arrays[i]
            of = r.array if r.kind == COPIED else r.tensor.array
            stride = cnp.PyArray_NBYTES(of)
            if stride != row_bytes(to) * (batch if outputs.by_rows[i] else 1) or \
                    cnp.PyArray_TYPE(of) != cnp.PyArray_TYPE(to):
                raise RuntimeError(
                    f"run: result {i} of the step has shape {(<object>of).shape} and dtype {of.dtype}, in earlier steps it "
                    "had others")
            offset = row * row_bytes(to) if outputs.by_rows[i] else step * row_bytes(to)
            begin = <char *>cnp.PyArray_DATA(to) + offset - first * stride
            self.after[self.after_count] = program_transfer(begin, cnp.PyArray_DATA(of), stride, stride)
            self.after_count += 1
        return 0

    cdef int measure(self, Program program, ndarray table, Py_ssize_t step, Py_ssize_t first) except -1:
        """What is measured in step i of the epoch goes into a row of the table."""
        cdef Py_ssize_t stride = row_bytes(table)
        self.after[self.after_count] = program_transfer(
            <char *>cnp.PyArray_DATA(table) + (step - first) * stride, cnp.PyArray_DATA(program.diagnosis.numbers), stride,
            stride)
        self.after_count += 1
        return 0

    cdef int rates(self, Program program, Py_ssize_t first, Py_ssize_t count) except -1:
        """The options of the coming steps, as the schedulers in the step will set them."""
        cdef Updating u
        cdef Py_ssize_t i, k
        cdef ndarray table
        cdef char *row
        self.tables, self.starts = [], []
        if not program.schedules:
            return 0
        self.starts = states_of(program.schedules)
        self.tables = [np.empty((count, u.size), np.uint8) for u in program.updatings]
        for i in range(count):
            program.schedule(False)
            for k in range(len(self.tables)):
                u, table = program.updatings[k], self.tables[k]
                row = <char *>cnp.PyArray_DATA(table) + i * u.size
                memcpy(row, u.read(u.group), u.size)
            program.schedule(True)
        self.before = <program_transfer *>calloc(len(self.tables) + 1, sizeof(program_transfer))
        if self.before == NULL:
            raise MemoryError()
        for k in range(len(self.tables)):
            u, table = program.updatings[k], self.tables[k]
            self.before[k] = program_transfer(u.options, <char *>cnp.PyArray_DATA(table) - first * u.size, u.size, u.size)
        self.before_count = len(self.tables)
        return 0

    cdef int settle(self, Program program, Py_ssize_t steps, Py_ssize_t count) except -1:
        """Leaves the schedulers where `steps` steps leave them, if not all were made."""
        if steps == count or not self.starts:
            return 0
        rewind(self.starts)
        for _ in range(steps):
            program.schedule(False)
            program.schedule(True)
        return 0


cdef Py_ssize_t row_bytes(ndarray a):
    """Bytes of what has the first dimension's index."""
    return cnp.PyArray_NBYTES(a) // a.shape[0] if a.shape[0] else 0
