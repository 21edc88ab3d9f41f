"""CUDA's libraries, which are not there. The flags can be set, and do nothing."""


def is_built() -> bool:
    """False."""
    return False


class _Matmul:
    """How products would be computed."""

    allow_tf32 = False
    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True


matmul = _Matmul()
