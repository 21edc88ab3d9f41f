"""Where each operation is found. A row: a family, places, and the names that are found there.

What is in no row is for the files of pyml.ops alone. A method whose arguments are not those of its
function is in methods.py.
"""

from pyml.ops import (
    activation,
    bilinear,
    channel_dropout,
    comparison,
    creation,
    cross_entropy,
    distance,
    dropout,
    elementwise,
    embedding,
    index,
    inplace,
    layer_norm,
    linear,
    matmul,
    norm,
    operands,
    pad,
    pair_loss,
    reduce,
    shape,
    softmax,
    sort,
    special,
)

PYML, TENSOR, FUNCTIONAL = "pyml", "methods of Tensor", "pyml.nn.functional"
BOTH = PYML, TENSOR

ROWS = (
    (creation, (PYML,), """
        arange as_tensor empty empty_like eye from_numpy full full_like linspace normal ones
        ones_like rand rand_like randint randint_like randn randn_like randperm tensor zeros
        zeros_like"""),
    (elementwise, BOTH, """
        abs add addcdiv addcmul ceil clamp cos div exp expm1 floor floor_divide lerp log log1p
        masked_fill maximum minimum mul neg pow reciprocal remainder round rsqrt sign sin sqrt
        square sub"""),
    (elementwise, (PYML,), "where"),
    (comparison, BOTH, """
        allclose bitwise_and bitwise_not bitwise_or bitwise_xor eq equal ge gt isclose isfinite
        isinf isnan le logical_and logical_not logical_or logical_xor lt ne"""),
    (operands, (PYML,), "broadcast_shapes result_type"),
    (inplace, (TENSOR,), """
        abs_ add_ addcdiv_ addcmul_ ceil_ clamp_ copy_ div_ exp_ fill_ floor_ lerp_ log_
        masked_fill_ mul_ neg_ normal_ pow_ reciprocal_ round_ sqrt_ square_ sub_ uniform_"""),
    (activation, (*BOTH, FUNCTIONAL), "relu sigmoid tanh"),
    (activation, (TENSOR, FUNCTIONAL), "relu_ sigmoid_ tanh_"),
    (activation, (FUNCTIONAL,), """
        elu elu_ gelu hardswish leaky_relu leaky_relu_ mish silu softplus"""),
    (softmax, BOTH, "log_softmax softmax"),
    (reduce, BOTH, """
        all amax amin any argmax argmin cumsum logsumexp max mean min norm prod std sum var"""),
    (matmul, BOTH, "bmm dot matmul mm mv"),
    (shape, BOTH, """
        chunk clone flatten moveaxis movedim narrow select squeeze swapaxes t transpose unbind
        unflatten unsqueeze"""),
    (shape, (PYML,), "broadcast_tensors cat flip permute reshape split stack"),
    (shape, (TENSOR,), "contiguous to"),
    (shape, (), "expand repeat view"),
    (index, BOTH, "gather index_select masked_select nonzero scatter scatter_add take_along_dim"),
    (index, (), "getitem setitem"),
    (sort, BOTH, "sort"),
    (special, BOTH, "digamma erf erfc erfinv lgamma"),
    (special, (PYML,), "polygamma"),
    (linear, (FUNCTIONAL,), "linear"),
    (cross_entropy, (FUNCTIONAL,), "cross_entropy"),
    (pair_loss, (FUNCTIONAL,), "hinge_embedding_loss mse_loss smooth_l1_loss"),
    (dropout, (PYML,), "dropout"),
    (channel_dropout, (FUNCTIONAL,), "alpha_dropout dropout1d feature_alpha_dropout"),
    (layer_norm, (FUNCTIONAL,), "group_norm instance_norm layer_norm rms_norm"),
    (embedding, (FUNCTIONAL,), "embedding embedding_bag one_hot"),
    (bilinear, (FUNCTIONAL,), "bilinear"),
    (distance, (PYML, FUNCTIONAL), "cosine_similarity pairwise_distance"),
    (distance, (FUNCTIONAL,), "normalize"),
    (pad, (FUNCTIONAL,), "pad"),
    (norm, (), "batch_norm"),
)  # fmt: skip

ALIASES = {
    "absolute": "abs",
    "clip": "clamp",
    "concat": "cat",
    "multiply": "mul",
    "negative": "neg",
    "subtract": "sub",
    "true_divide": "div",
}


def operations(place=None):
    """The operations that are found in a place, or all of them, by their names there."""
    named = {
        name: getattr(family, name)
        for family, places, names in ROWS
        if place is None or place in places
        for name in names.split()
    }
    return named | {alias: named[name] for alias, name in ALIASES.items() if name in named}
