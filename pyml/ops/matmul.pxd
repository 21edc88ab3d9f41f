from pyml.tensor cimport Tensor

# a @ b, of bfloat16 or not as a product was whose gradient it is
cdef Tensor multiplied(Tensor a, Tensor b, bint bfloat16)
