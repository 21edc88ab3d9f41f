cdef bint grad_enabled() noexcept
cdef void switch_grad(bint mode) noexcept
