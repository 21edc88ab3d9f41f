"""Where each operation is found. A row: a family, places, and the names that are found there.

What is in no row is for the files of pyml.ops alone. A method whose arguments are not those of its
function is in methods.py.
"""

import functools
import inspect

from pyml.dispatch import entry
from pyml.ops import (
    activation,
    bilinear,
    channel_dropout,
    class_loss,
    comparison,
    creation,
    cross_entropy,
    ctc,
    distance,
    draws,
    dropout,
    elementwise,
    embedding,
    functions,
    gated,
    index,
    inplace,
    jet_net,
    jets,
    layer_norm,
    linalg,
    linear,
    losses,
    matmul,
    norm,
    operands,
    pad,
    pair_loss,
    products,
    rearranging,
    reduce,
    rewriting,
    scatter_reduce,
    series,
    shape,
    softmax,
    sort,
    special,
    statistics,
)

PYML, TENSOR, FUNCTIONAL = "pyml", "methods of Tensor", "pyml.nn.functional"
LINALG, SPECIAL = "pyml.linalg", "pyml.special"
BOTH = PYML, TENSOR

# of rewriting: those that are functions of pyml too, as PyTorch has them
FUNCTIONS_IN_PLACE = """
    acos_ acosh_ addmv_ asin_ asinh_ atan_ atanh_ clamp_max_ clamp_min_ cos_ cosh_ deg2rad_ erf_
    erfc_ exp2_ expm1_ frac_ gcd_ i0_ lcm_ ldexp_ log10_ log1p_ log2_ logit_ nan_to_num_ rad2deg_
    rsqrt_ sin_ sinc_ sinh_ tan_ trunc_ xlogy_"""

ROWS = (
    (creation, (), "of_data_or_sizes"),
    (creation, (PYML,), """
        arange as_tensor asarray bartlett_window blackman_window empty empty_like empty_permuted
        empty_strided eye from_dlpack from_numpy frombuffer full full_like hamming_window
        hann_window kaiser_window linspace logspace normal ones
        ones_like rand rand_like randint randint_like randn randn_like randperm
        scalar_tensor tensor zeros
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
    (inplace, BOTH, """
        abs_ ceil_ clamp_ exp_ fill_ floor_ log_ neg_ reciprocal_ round_ sqrt_ square_"""),
    (inplace, (TENSOR,), """
        add_ addcdiv_ addcmul_ copy_ div_ lerp_ masked_fill_ mul_ normal_ pow_ sub_ uniform_"""),
    (activation, (*BOTH, FUNCTIONAL), "hardshrink relu sigmoid tanh"),
    (activation, (*BOTH, FUNCTIONAL), "relu_ sigmoid_ tanh_"),
    (activation, (PYML, FUNCTIONAL), "celu celu_ selu selu_ threshold threshold_"),
    (activation, (FUNCTIONAL,), """
        elu elu_ gelu hardsigmoid hardswish hardtanh hardtanh_ leaky_relu leaky_relu_ logsigmoid
        mish relu6 silu softplus softshrink softsign tanhshrink"""),
    (activation, (*BOTH, FUNCTIONAL), "prelu"),
    (gated, (PYML, FUNCTIONAL), "rrelu rrelu_"),
    (gated, (FUNCTIONAL,), "glu"),
    (softmax, (*BOTH, SPECIAL), "log_softmax softmax"),
    (reduce, BOTH, """
        all amax amin any argmax argmin cumsum logsumexp max mean min norm prod std sum var"""),
    (matmul, BOTH, "bmm dot matmul mm mv"),
    (shape, BOTH, """
        chunk clone flatten moveaxis movedim narrow select squeeze swapaxes swapdims t transpose
        unbind unflatten unsqueeze"""),
    (shape, (PYML,), "broadcast_tensors cat flip permute reshape split stack"),
    (shape, (TENSOR,), "contiguous to"),
    (shape, (), "expand repeat view"),
    (index, BOTH, """
        argwhere gather index_select masked_select nonzero nonzero_static scatter scatter_add
        take_along_dim"""),
    (index, (PYML,), "unravel_index"),
    (index, (), "getitem setitem"),
    (sort, BOTH, """
        argsort bucketize isin kthvalue median mode msort nanmedian nanquantile quantile
        searchsorted sort topk unique unique_consecutive"""),
    (functions, BOTH, """
        acos acosh asin asinh atan atan2 atanh bitwise_left_shift bitwise_right_shift clamp_max
        clamp_min copysign cosh deg2rad exp2 float_power fmax fmin fmod frac frexp gcd heaviside
        hypot isneginf isposinf lcm ldexp log10 log2 logaddexp logaddexp2 mvlgamma nan_to_num
        nextafter positive rad2deg signbit sinh tan trunc"""),
    (functions, (*BOTH, SPECIAL), "logit sinc xlogy"),
    (functions, (PYML,), "rsub"),
    (functions, (SPECIAL,), "entr ndtr xlog1py"),
    (special, (*BOTH, SPECIAL), "digamma erf erfc erfinv lgamma"),
    (special, (PYML, SPECIAL), "polygamma"),
    (special, (SPECIAL,), "i0e i1e"),
    (series, (*BOTH, SPECIAL), "i0"),
    (series, BOTH, "igamma igammac"),
    (series, (SPECIAL,), "erfcx i1 log_ndtr ndtri zeta"),
    (series, (SPECIAL,), " ".join(series.POLYNOMIALS)),
    (scatter_reduce, BOTH, "index_reduce scatter_reduce"),
    (rearranging, BOTH, """
        as_strided as_strided_scatter diag diag_embed diagflat diagonal diagonal_scatter dsplit
        fliplr flipud hsplit index_add index_copy index_fill masked_scatter narrow_copy put
        ravel repeat_interleave roll rot90 select_scatter slice_scatter split_with_sizes take
        tensor_split tile trace tril triu vsplit"""),
    (rearranging, (TENSOR,), "unfold"),
    (rearranging, (PYML,), """
        atleast_1d atleast_2d atleast_3d block_diag broadcast_to cartesian_prod column_stack
        combinations dstack hstack meshgrid tril_indices triu_indices vstack"""),
    (statistics, BOTH, """
        aminmax bincount corrcoef count_nonzero cov cummax cummin cumprod diff dist histc histogram
        logcumsumexp nanmean nansum renorm"""),
    (statistics, (PYML,), """
        cdist cumulative_trapezoid gradient histogramdd std_mean trapezoid trapz vander
        var_mean"""),
    (statistics, (PYML, FUNCTIONAL), "pdist"),
    (products, BOTH, """
        addbmm addmm addmv addr baddbmm cross ger inner kron outer vdot"""),
    (products, (PYML,), "chain_matmul einsum tensordot"),
    (products, (LINALG,), "multi_dot vecdot"),
    (linalg, (*BOTH, LINALG), "det inverse matrix_exp matrix_power pinv slogdet"),
    (linalg, BOTH, "cholesky_inverse cholesky_solve logdet pinverse triangular_solve"),
    (linalg, (LINALG,), """
        cholesky cholesky_ex cond eigh eigvalsh householder_product inv inv_ex lstsq lu lu_factor
        lu_factor_ex lu_solve matrix_norm matrix_rank qr solve solve_ex solve_triangular svd svdvals
        tensorinv tensorsolve vector_norm"""),
    (linalg, (PYML,), "lu_unpack"),
    (linalg, (), "linalg_norm lu_with_infos old_lu_solve qr_of_columns svd_of_columns"),
    (draws, BOTH, "bernoulli multinomial"),
    (draws, (PYML,), "binomial poisson"),
    (draws, (FUNCTIONAL,), "gumbel_softmax"),
    (draws, (TENSOR,), "bernoulli_ cauchy_ exponential_ geometric_ log_normal_ random_"),
    *(
        (rewriting, BOTH if name in FUNCTIONS_IN_PLACE.split() else (TENSOR,), name)
        for name in rewriting.NAMES
    ),
    (linear, (FUNCTIONAL,), "linear"),
    (cross_entropy, (FUNCTIONAL,), "cross_entropy"),
    (pair_loss, (FUNCTIONAL,), """
        binary_cross_entropy binary_cross_entropy_with_logits hinge_embedding_loss huber_loss
        l1_loss mse_loss quantile_loss smooth_l1_loss soft_margin_loss"""),
    (class_loss, (FUNCTIONAL,), "nll_loss"),
    (losses, (FUNCTIONAL,), """
        cosine_embedding_loss gaussian_nll_loss kl_div linear_cross_entropy margin_ranking_loss
        multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss poisson_nll_loss
        triplet_margin_loss triplet_margin_with_distance_loss"""),
    (ctc, (FUNCTIONAL,), "ctc_loss"),
    (dropout, (PYML,), "dropout"),
    (channel_dropout, (FUNCTIONAL,), "alpha_dropout dropout1d feature_alpha_dropout"),
    (layer_norm, (FUNCTIONAL,), "group_norm instance_norm layer_norm rms_norm"),
    (embedding, (FUNCTIONAL,), "embedding embedding_bag one_hot"),
    (bilinear, (FUNCTIONAL,), "bilinear"),
    (distance, (PYML, FUNCTIONAL), "cosine_similarity pairwise_distance"),
    (distance, (FUNCTIONAL,), "normalize"),
    (pad, (FUNCTIONAL,), "pad"),
    (norm, (), "batch_norm"),
    (linear, (), "scaled_linear"),
    (jets, (), "jet jet_linear"),
    (jet_net, (), "jet_net"),
)  # fmt: skip

# functions with the keyword `out`, beside those that write into it themselves
WITH_OUT = """
    acos acosh addbmm addcdiv addcmul addmm addmv addr arange asin asinh atan atan2 atanh
    baddbmm bernoulli bitwise_and bitwise_left_shift bitwise_not bitwise_or
    bitwise_right_shift bitwise_xor bucketize ceil chain_matmul cholesky cholesky_ex
    cholesky_inverse cholesky_solve clamp clamp_max clamp_min column_stack copysign cosh
    cross deg2rad diag digamma dstack eigh entr eq erf erfc erfcx erfinv exp2 expm1 eye
    float_power floor fmax fmin fmod frac frexp full gather gcd ge ger gt heaviside histc
    histogram householder_product hstack hypot i0 i0e i1 i1e igamma igammac index_add
    index_copy index_reduce index_select inner inv inv_ex inverse isin isneginf isposinf
    kron lcm ldexp le lerp lgamma linspace log10 log1p log2 log_ndtr logaddexp logaddexp2
    logical_and logical_not logical_or logical_xor logit logspace lt lu lu_factor
    lu_factor_ex lu_solve lu_unpack masked_select matrix_power msort multinomial mvlgamma
    nan_to_num narrow_copy ndtr ndtri ne nextafter nonzero nonzero_static norm normal ones
    outer polygamma qr rad2deg rand randint randn randperm remainder renorm round rsqrt
    scatter scatter_add scatter_reduce searchsorted sigmoid sign signbit sinc sinh
    slice_scatter slogdet solve solve_ex svd take take_along_dim tan tanh
    tensordot threshold tril triu trunc vdot vstack where xlog1py xlogy zeros zeta"""

WITH_OUT_IN_FUNCTIONAL = "gelu logsigmoid softplus softshrink"

# the names of arguments, behind the first, that may be tensors
SECOND = {
    *("A", "LU_data", "LU_pivots", "append", "aweights", "batch1", "batch2", "bins", "boundaries"),
    *("condition", "end", "exponent", "fill_value", "fweights", "index", "indices", "input"),
    *("input2", "mask", "mat", "mat1", "mat2", "max", "min", "other", "prepend", "q", "repeats"),
    *("source", "src", "tensor", "tensor1", "tensor2", "tensor_indices_or_sections"),
    *("test_elements", "the_template", "value", "values", "vec", "vec1", "vec2", "weight"),
    *("weights",),
}

ALIASES = {
    "absolute": "abs",
    "absolute_": "abs_",
    "arccos": "acos",
    "arccos_": "acos_",
    "arccosh": "acosh",
    "arccosh_": "acosh_",
    "arcsin": "asin",
    "arcsin_": "asin_",
    "arcsinh": "asinh",
    "arcsinh_": "asinh_",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctan2_": "atan2_",
    "arctan_": "atan_",
    "arctanh": "atanh",
    "arctanh_": "atanh_",
    "clip": "clamp",
    "clip_": "clamp_",
    "concat": "cat",
    "concatenate": "cat",
    "divide": "div",
    "divide_": "div_",
    "fix": "trunc",
    "fix_": "trunc_",
    "greater": "gt",
    "greater_": "gt_",
    "greater_equal": "ge",
    "greater_equal_": "ge_",
    "less": "lt",
    "less_": "lt_",
    "less_equal": "le",
    "less_equal_": "le_",
    "multiply": "mul",
    "multiply_": "mul_",
    "negative": "neg",
    "negative_": "neg_",
    "not_equal": "ne",
    "not_equal_": "ne_",
    "row_stack": "vstack",
    "sgn": "sign",
    "sgn_": "sign_",
    "subtract": "sub",
    "subtract_": "sub_",
    "true_divide": "div",
    "true_divide_": "div_",
    "unsafe_chunk": "chunk",
    "unsafe_split": "split",
    "unsafe_split_with_sizes": "split_with_sizes",
}


def entered(function, place):
    """The function with an entry for vmap, which methods need for their second tensor alone."""
    return entry(function) if place != TENSOR or takes_tensors(function) else function


@functools.cache
def takes_tensors(function):
    """Whether it may be given tensors behind the first argument."""
    code = inspect.unwrap(function).__code__
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    return not SECOND.isdisjoint(names)


@functools.cache
def operations(place=None):
    """The operations that are found in a place, or all of them, by their names there.

    Methods are the functions themselves: what calls them has a Tensor, whose class may be another.
    """
    named = {
        name: getattr(family, name)
        for family, places, names in ROWS
        if place is None or place in places
        for name in names.split()
    }
    with_out = ()
    if place in (PYML, LINALG, SPECIAL):
        with_out = {*WITH_OUT.split(), *series.POLYNOMIALS}
    if place == FUNCTIONAL:
        with_out = WITH_OUT_IN_FUNCTIONAL.split()
    named |= {name: operands.numpy_names(named[name]) for name in named.keys() & with_out}
    named = {name: entered(function, place) for name, function in named.items()}
    return named | {alias: named[name] for alias, name in ALIASES.items() if name in named}
