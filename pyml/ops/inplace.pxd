from pyml.tensor cimport Tensor


cpdef Tensor replace(Tensor t, Tensor y, str name)
