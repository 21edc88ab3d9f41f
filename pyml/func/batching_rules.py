"""How operations compute all samples of vmap at once: a table of rules.

A rule is rule(level, call, *args, **kwargs): `call` is the operation, the arguments are as one
sample has them, some of them Batched; it returns tensors whose first dimension is that of the
samples, or NotImplemented, and then samples are computed one by one. So it does when it raises: one
sample has the error that is meant for who called. Dimensions are counted as one sample counts them,
and move by one.
"""

import functools
import inspect
import string

import numpy as np

from pyml import ops
from pyml.func.batched import RULES, batched_in, note_draws
from pyml.ops.losses import warn_of_mean
from pyml.tensor import Tensor

__all__ = []


def rules(names, rule):
    for name in names.split():
        RULES[name] = rule


def rule(names):
    return lambda function: rules(names, function) or function


@functools.cache
def signature(call):
    return inspect.signature(call)


def arguments(call, args, kwargs):
    """{name: value} of the arguments that were given."""
    return signature(call).bind(*args, **kwargs).arguments


def all_arguments(call, args, kwargs):
    """{name: value} of all arguments but `out`, with defaults for those not given."""
    bound = signature(call).bind(*args, **kwargs)
    bound.apply_defaults()
    bound.arguments.pop("out", None)  # batched has refused another than None
    return bound.arguments


def rule_by_names(names):
    """As rule; the arguments come by their names, with the operation's defaults."""

    def decorate(function):
        def by_names(level, call, *args, **kwargs):
            return function(level, call, **all_arguments(call, args, kwargs))

        rules(names, by_names)
        return function

    return decorate


# ---- element by element --------------------------------------------------------------------------


def aligned(level, x, ndim):
    """The values of x, with dimensions of 1 in front of those of a sample, until they are ndim."""
    if not level.has(x):
        return x
    missing = ndim - x.ndim
    return x._value.reshape(level.size, *(1,) * missing, *x.shape) if missing > 0 else x._value


def tensors_in(args, kwargs):
    return [x for x in (*args, *kwargs.values()) if isinstance(x, (Tensor, np.ndarray))]


def promoted_otherwise(tensors):
    """Whether it matters for the dtype which have no dimension: with all samples they have one."""
    return len({x.dtype for x in tensors}) > 1 and any(x.ndim == 0 for x in tensors)


def elementwise(level, call, *args, **kwargs):
    tensors = tensors_in(args, kwargs)
    if promoted_otherwise(tensors) or any(isinstance(x, np.ndarray) for x in tensors):
        return NotImplemented
    ndim = max(x.ndim for x in tensors)
    args = [aligned(level, x, ndim) for x in args]
    return call(*args, **{key: aligned(level, x, ndim) for key, x in kwargs.items()})


rules(
    """
    abs acos acosh add addcdiv addcmul asin asinh atan atan2 atanh bitwise_and bitwise_left_shift
    bitwise_not bitwise_or bitwise_right_shift bitwise_xor ceil clamp clamp_max clamp_min copysign
    cos cosh deg2rad digamma div entr eq erf erfc erfcx erfinv exp exp2 expm1 float_power floor
    floor_divide fmax fmin fmod frac frexp gcd greater greater_equal heaviside hypot i0 i0e i1 i1e
    igamma igammac isclose isfinite isinf isnan isneginf isposinf lcm ldexp lerp less less_equal
    lgamma log log10 log1p log2 log_ndtr logaddexp logaddexp2 logical_and logical_not logical_or
    logical_xor logit masked_fill maximum minimum mul nan_to_num ndtr ndtri ne neg nextafter
    polygamma positive pow rad2deg reciprocal remainder round rsqrt rsub sign signbit sin sinc
    sinh sqrt square sub tan trunc xlog1py xlogy zeta hardshrink hardsigmoid hardswish
    logsigmoid mish relu6 sigmoid softplus softshrink softsign tanh tanhshrink gelu
    """,
    elementwise,
)


@rule("where")
def chosen(level, call, *args, **kwargs):
    """Of three; of a condition alone it is nonzero()."""
    return (
        elementwise(level, call, *args, **kwargs)
        if len(args) + len(kwargs) == 3
        else NotImplemented
    )


@rule("relu celu selu elu hardtanh leaky_relu silu threshold")
def activation(level, call, *args, **kwargs):
    """With the option `inplace`, which is left to samples."""
    if arguments(call, args, kwargs).get("inplace"):
        return NotImplemented
    return elementwise(level, call, *args, **kwargs)


@rule("dropout dropout1d alpha_dropout feature_alpha_dropout rrelu")
def drawing(level, call, *args, **kwargs):
    """Nothing is drawn in evaluation. In training, all samples draw at once if each draws for
    itself, and of dropout also if they share what is drawn.
    """
    given = all_arguments(call, args, kwargs)
    if not given["training"]:
        return activation(level, call, *args, **kwargs)
    input, *_ = given.values()
    name, randomness = call.__name__, level.randomness
    if given.pop("inplace", False) or randomness == "error":
        return NotImplemented
    if randomness == "same" and name != "dropout":
        return NotImplemented

    def of_all(x):
        return call(x, *args[1:], **kwargs)

    if randomness == "different":
        whole_channels = name == "feature_alpha_dropout" or (name == "dropout1d" and input.ndim > 2)
        with level.outside():
            y = of_all_rows(level, input, of_all) if whole_channels else of_all(input._value)
    else:
        with level.outside():
            kept = of_all(ops.ones_like(level.sample(input, 0)))
        y = ops.where(kept == 0, 0.0, input._value * kept)
    note_draws()
    return y


@rule("""
    clone contiguous to zeros_like ones_like full_like empty_like
    bfloat16 bool byte char double float half int long short""")
def kept(level, call, input, *args, **kwargs):
    """The same for every element, whatever the dimensions."""
    if not level.has(input) or tensors_in(args, kwargs):
        return NotImplemented
    return call(input._value, *args, **kwargs)


@rule("new_empty new_ones new_zeros")
def made(level, call, input, *size, **kwargs):
    return call(input._value, level.size, *sizes_of(size), **kwargs)


@rule("new_full")
def filled(level, call, input, size, value, **kwargs):
    if isinstance(value, Tensor):
        return NotImplemented
    return call(input._value, (level.size, *size), value, **kwargs)


# ---- along dimensions ----------------------------------------------------------------------------


def moved(dim, ndim):
    """Dimensions of one sample, or several, as those of all samples; from the front, checked."""
    if isinstance(dim, (tuple, list)):
        return tuple(moved(d, ndim) for d in dim)
    if isinstance(dim, (bool, Tensor)) or not -ndim <= dim < ndim:
        raise IndexError(f"dim {dim} of {ndim}")
    return dim % ndim + 1


DIMS = (
    "dim",
    "dims",
    "dim0",
    "dim1",
    "dim2",
    "start_dim",
    "end_dim",
    "axis0",
    "axis1",
    "dimension",
)


def along(level, call, *args, whole=None, **kwargs):
    """What runs along dimensions; `whole`: what it does with dim=None, on one dimension of all."""
    given = arguments(call, args, kwargs)
    input = given.pop(next(iter(given)))
    if not level.has(input) or tensors_in((), given) or input.ndim == 0:
        return NotImplemented
    values = input._value
    for name in DIMS:
        if name not in signature(call).parameters:
            continue
        dim = given.get(name, signature(call).parameters[name].default)
        if dim in ((), []):  # all of them, or none
            return NotImplemented
        if dim is not None:
            given[name] = moved(dim, input.ndim)
        elif whole is None or given.get("keepdim"):
            return NotImplemented
        else:
            values, given[name] = values.reshape(level.size, -1), 1
    return call(values, **given)


rules(
    """
    cummax cummin cumprod cumsum logcumsumexp softmax log_softmax sort argsort topk kthvalue mode
    glu normalize unbind split chunk narrow select unflatten flatten transpose swapaxes
    diagonal unfold index_select index_fill split_with_sizes tensor_split
    median nanmedian take_along_dim quantile nanquantile diff std_mean var_mean
    """,
    along,
)
rules(
    """
    sum mean prod amax amin std var logsumexp all any argmax argmin nansum nanmean count_nonzero
    """,
    functools.partial(along, whole=True),
)


@rule("movedim")
def moved_dimensions(level, call, input, source, destination):
    return call(input._value, moved(source, input.ndim), moved(destination, input.ndim))


@rule_by_names("max min")
def extreme(level, call, input, dim, keepdim, other):
    if isinstance(dim, Tensor) or other is not None:
        return elementwise(level, call, input, dim if other is None else other)
    if dim is None:
        of_all = {"max": ops.amax, "min": ops.amin}[call.__name__]
        return NotImplemented if keepdim else along(level, of_all, input, whole=True)
    return along(level, call, input, dim, keepdim)


@rule("norm vector_norm")
def vector_norm(level, call, *args, **kwargs):
    """Of vectors: what a number p says."""
    given = all_arguments(call, args, kwargs)
    if any(isinstance(given.get(name, 0), (str, type(None))) for name in ("p", "ord")):
        return NotImplemented
    return along(level, call, *args, whole=True, **kwargs)


@rule_by_names("squeeze")
def squeezed(level, call, input, dim):
    if dim is None:
        return input._value.reshape(level.size, *[n for n in input.shape if n != 1])
    return call(input._value, moved(dim, input.ndim))


@rule_by_names("roll")
def rolled(level, call, input, shifts, dims):
    if dims in (None, (), []):
        return NotImplemented
    return call(input._value, shifts, moved(dims, input.ndim))


@rule("gather")
def gathered(level, call, input, dim, index, **kwargs):
    if input.ndim == 0 or input.ndim != index.ndim:
        return NotImplemented
    return call(level.spread(input), moved(dim, input.ndim), level.spread(index), **kwargs)


# ---- shapes --------------------------------------------------------------------------------------


def sizes_of(args):
    """Sizes, one by one or as one tuple."""
    return tuple(args[0]) if len(args) == 1 and isinstance(args[0], (tuple, list)) else args


@rule("reshape view")
def reshaped(level, call, input, *shape, **named):
    shape = sizes_of((*shape, *named.values()))
    if not all(isinstance(n, int) for n in shape):  # view(dtype)
        return NotImplemented
    if -1 in shape and 0 in input.shape:
        return NotImplemented
    return call(input._value, (level.size, *shape))


@rule("ravel")
def ravelled(level, call, input):
    return input._value.reshape(level.size, input.numel())


@rule("unsqueeze")
def unsqueezed(level, call, input, dim):
    return call(input._value, moved(dim, input.ndim + 1))


@rule("permute")
def permuted(level, call, input, *dims, **named):
    dims = moved(sizes_of((*dims, *named.values())), input.ndim)
    return call(input._value, (0, *dims))


@rule("flip")
def flipped(level, call, input, *dims, **named):
    return call(input._value, moved(sizes_of((*dims, *named.values())), input.ndim))


@rule("t")
def transposed(level, call, input):
    if input.ndim > 2:
        return NotImplemented
    return input._value.transpose(1, 2) if input.ndim == 2 else input._value.view_as(input._value)


@rule("expand broadcast_to")
def expanded(level, call, input, *sizes, **named):
    named.pop("implicit", None)
    sizes = sizes_of((*sizes, *named.values()))
    if -1 in sizes[: max(len(sizes) - input.ndim, 0)]:
        return NotImplemented
    return aligned(level, input, len(sizes)).expand(level.size, *sizes)


@rule("repeat")
def repeated(level, call, input, *sizes, **named):
    sizes = sizes_of((*sizes, *named.values()))
    if len(sizes) < input.ndim:
        return NotImplemented
    return call(aligned(level, input, len(sizes)), (1, *sizes))


@rule_by_names("cat stack")
def joined(level, call, tensors, dim):
    ndim = tensors[0].ndim + (call.__name__ == "stack")
    if any(x.ndim != tensors[0].ndim for x in tensors):
        return NotImplemented
    return call([level.spread(x) for x in tensors], moved(dim, ndim))


@rule("tril triu det inverse inv slogdet logdet matrix_exp cholesky pinv matrix_power")
def of_matrices(level, call, input, *args, **kwargs):
    """What is there for a stack of matrices."""
    if input.ndim < 2 or tensors_in(args, kwargs):
        return NotImplemented
    return call(input._value, *args, **kwargs)


NUMBERS = (int, np.integer)


@rule("getitem")
def indexed(level, call, input, index):
    """By what is the same for each sample, and one array at most: its place is then its own."""
    items = index if isinstance(index, tuple) else (index,)
    if not level.has(input) or batched_in(items, []):
        return NotImplemented
    if any(isinstance(item, bool) for item in items):
        return NotImplemented
    lists = [item for item in items if isinstance(item, list)]
    if any(not isinstance(i, NUMBERS) for item in lists for i in item):  # of lists: may be a tuple
        return NotImplemented
    arrays = [item for item in items if isinstance(item, (Tensor, list, np.ndarray))]
    if len(arrays) > 1 or (arrays and any(isinstance(item, NUMBERS) for item in items)):
        return NotImplemented
    known = (*NUMBERS, slice, type(None), type(...), Tensor, list, np.ndarray)
    if not all(isinstance(item, known) for item in items):
        return NotImplemented
    return call(input._value, (slice(None), *items))


# ---- products ------------------------------------------------------------------------------------


def product(level, a, b):
    """matmul of both, of any dimensions."""
    x, y = a.unsqueeze(0) if a.ndim == 1 else a, b.unsqueeze(-1) if b.ndim == 1 else b
    ndim = max(x.ndim, y.ndim)
    z = ops.matmul(aligned(level, x, ndim), aligned(level, y, ndim))
    if b.ndim == 1:
        z = z.squeeze(-1)
    return z.squeeze(-1 if b.ndim == 1 else -2) if a.ndim == 1 else z


# how many dimensions the operands of these have
PRODUCTS = {"mm": (2, 2), "bmm": (3, 3), "mv": (2, 1), "dot": (1, 1), "vdot": (1, 1)}


@rule("matmul mm bmm mv dot vdot")
def multiplied(level, call, *args, **kwargs):
    a, b = arguments(call, args, kwargs).values()
    name = call.__name__
    if a.dtype != b.dtype or 0 in (a.ndim, b.ndim) or (
        (a.ndim, b.ndim) != PRODUCTS.get(name, (a.ndim, b.ndim))
    ):  # fmt: skip
        return NotImplemented
    if name in ("bmm", "dot", "vdot") and (a.shape[0] != b.shape[0]):
        return NotImplemented
    return product(level, a, b)


@rule("addmm addmv baddbmm")
def added(level, call, *args, **kwargs):
    input, a, b, beta, alpha = all_arguments(call, args, kwargs).values()
    dims = {"addmm": (2, 2), "addmv": (2, 1), "baddbmm": (3, 3)}[call.__name__]
    if (a.ndim, b.ndim) != dims or not a.dtype == b.dtype == input.dtype or beta == 0:
        return NotImplemented
    if dims == (3, 3) and a.shape[0] != b.shape[0]:
        return NotImplemented
    y = product(level, a, b)
    if input.ndim > y.ndim - 1 or ops.broadcast_shapes(input.shape, y.shape[1:]) != y.shape[1:]:
        return NotImplemented
    return y * alpha + beta * aligned(level, input, sum(dims) // 2)


@rule("outer")
def outer_product(level, call, *args, **kwargs):
    a, b = arguments(call, args, kwargs).values()
    if a.ndim != 1 or b.ndim != 1 or a.dtype != b.dtype or isinstance(b, np.ndarray):
        return NotImplemented
    return (a.unsqueeze(1) * b)._value


def is_vector(x, size, dtype):
    return x.shape == (size,) and x.dtype == dtype


@rule_by_names("linear scaled_linear")
def layer(level, call, input, weight, bias, alpha=1):
    if input.ndim == 0:
        return NotImplemented
    if not level.has(weight) and not level.has(bias):
        return call(input._value, weight, bias, *(() if alpha == 1 else (alpha,)))
    if weight.ndim != 2 or (bias is not None and not is_vector(bias, weight.shape[0], input.dtype)):
        return NotImplemented
    y = product(level, input, weight.mT)
    y = y if alpha == 1 else y * alpha
    if bias is None:
        return y
    return y + aligned(level, bias, input.ndim)


@rule("einsum")
def einstein(level, call, equation, *operands):
    """With a letter more for the samples."""
    if "..." in equation or "->" not in equation or not isinstance(equation, str):
        return NotImplemented
    terms, result = equation.replace(" ", "").split("->")
    letter = next(c for c in string.ascii_letters if c not in equation)
    terms = terms.split(",")
    if len(terms) != len(operands):
        return NotImplemented
    terms = [
        letter + term if level.has(x) else term for term, x in zip(terms, operands, strict=True)
    ]
    values = [x._value if level.has(x) else x for x in operands]
    return call(f"{','.join(terms)}->{letter}{result}", *values)


# ---- losses --------------------------------------------------------------------------------------


OLD = ("size_average", "reduce")
OF_ONE_SHAPE = ("input", "input1", "input2", "target", "var")
DIVIDED_BY_WEIGHTS = {"l1_loss", "mse_loss"}  # their means are; those of others by the count


def summed(level, values):
    """The sum of the values of each sample."""
    return values.reshape(level.size, -1).sum(1)


def reduced(level, losses, reduction, weights=None):
    """The losses (samples, ...) of elements, as the reduction says.

    Args:
        weights: of the mean, of a shape that broadcasts to that of the losses; None for one each.
    """
    if reduction == "none":
        return losses
    if reduction == "mean" and weights is not None:
        return summed(level, losses) / summed(level, weights.expand(losses.shape))
    rows = losses.reshape(level.size, -1)
    return {"mean": rows.mean, "sum": rows.sum}[reduction](1)


@rule("""
    binary_cross_entropy binary_cross_entropy_with_logits gaussian_nll_loss hinge_embedding_loss
    huber_loss kl_div l1_loss margin_ranking_loss mse_loss poisson_nll_loss quantile_loss
    smooth_l1_loss soft_margin_loss""")
def loss_of_elements(level, call, *args, **kwargs):
    """Of tensors of one shape."""
    given, name = all_arguments(call, args, kwargs), call.__name__
    if any(given.get(old) is not None for old in OLD) or promoted_otherwise(tensors_in((), given)):
        return NotImplemented
    together = [x for key in OF_ONE_SHAPE if isinstance(x := given.get(key), Tensor)]
    shape, *others = {x.shape for x in together}
    if others or 0 in shape:
        return NotImplemented
    reduction, ndim = given.pop("reduction"), len(shape)
    each = {
        key: level.spread(x) if getattr(x, "shape", None) == shape else aligned(level, x, ndim)
        for key, x in given.items()
    }
    losses = call(**each, reduction="none")
    if name == "kl_div" and reduction == "batchmean":
        return summed(level, losses) / (shape[0] if ndim else 1)
    if name == "kl_div" and reduction == "mean":
        warn_of_mean(stacklevel=3)
    weights = given.get("weight") if name in DIVIDED_BY_WEIGHTS else None
    if weights is not None:
        weights = aligned(level, level.wrap(level.spread(weights)), ndim)
    return reduced(level, losses, reduction, weights)


@rule("cross_entropy nll_loss")
def class_loss(level, call, *args, **kwargs):
    """Of classes by number or by probabilities, with weights that all samples share."""
    given = all_arguments(call, args, kwargs)
    input, target, weight = (given.pop(name) for name in ("input", "target", "weight"))
    if level.has(weight) or any(given.get(name) is not None for name in OLD):
        return NotImplemented
    if not input.ndim or not input.numel():
        return NotImplemented
    axis = min(input.ndim - 1, 1)
    of_samples = (*input.shape[:axis], *input.shape[axis + 1 :])
    classes, by_number = input.shape[axis], not target.is_floating_point()
    if target.shape != (of_samples if by_number else input.shape):
        return NotImplemented
    reduction = given.pop("reduction")

    def rows(x):
        return level.spread(x).movedim(axis + 1, -1).reshape(-1, classes)

    labels = level.spread(target).reshape(-1) if by_number else rows(target)
    losses = call(rows(input), labels, weight, **given, reduction="none")
    losses = losses.reshape(level.size, *of_samples)
    if reduction != "mean" or not by_number:
        return reduced(level, losses, reduction)
    counted = ops.ne(labels, given["ignore_index"])
    weights = counted.to(losses.dtype)
    if weight is not None:
        weights = weights * weight.detach()[ops.where(counted, labels, 0)]
    return reduced(level, losses, reduction, weights.reshape(losses.shape))


OF_ROWS = ("input", "anchor", "positive", "negative", "input1", "input2", "target")


@rule("""
    cosine_embedding_loss multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss
    triplet_margin_loss""")
def loss_of_rows(level, call, *args, **kwargs):
    """Of rows of one length, and a number for each: the rows of all samples are one input."""
    given = all_arguments(call, args, kwargs)
    if any(given.get(old) is not None for old in OLD) or level.has(given.get("weight")):
        return NotImplemented
    rows = {key: given[key] for key in OF_ROWS if key in given}
    shape = next(iter(rows.values())).shape
    if len(shape) not in (1, 2) or 0 in shape:
        return NotImplemented
    if any(x.shape not in (shape, shape[:-1]) for x in rows.values()):
        return NotImplemented
    reduction = given.pop("reduction")
    for key, x in rows.items():
        given[key] = level.spread(x).reshape(-1, *x.shape[len(shape) - 1 :])
    losses = call(**given, reduction="none").reshape(level.size, *shape[:-1])
    return reduced(level, losses, reduction)


@rule_by_names("cosine_similarity")
def cosine(level, call, x1, x2, dim, eps):
    ndim = max(x1.ndim, x2.ndim)
    if promoted_otherwise((x1, x2)) or not -ndim <= dim < ndim:
        return NotImplemented
    return call(aligned(level, x1, ndim), aligned(level, x2, ndim), dim % ndim + 1, eps)


@rule_by_names("pairwise_distance")
def distance(level, call, x1, x2, p, eps, keepdim):
    ndim = max(x1.ndim, x2.ndim)
    if promoted_otherwise((x1, x2)) or ndim == 0:
        return NotImplemented
    return call(aligned(level, x1, ndim), aligned(level, x2, ndim), p, eps, keepdim)


# ---- norms, embeddings ---------------------------------------------------------------------------


@rule("layer_norm rms_norm")
def row_norm(level, call, *args, **kwargs):
    given = all_arguments(call, args, kwargs)
    input = given.pop("input")
    weight, bias = factors = [given.pop(name, None) for name in ("weight", "bias")]
    if not level.has(input) or len(given["normalized_shape"]) > input.ndim:
        return NotImplemented
    if any(
        x is not None and (x.dtype != input.dtype or x.shape != tuple(given["normalized_shape"]))
        for x in factors
    ):
        return NotImplemented
    if not any(map(level.has, factors)):
        shared = {} if bias is None else {"bias": bias}  # rms_norm has none
        return call(input._value, **given, weight=weight, **shared)
    y = call(input._value, **given)
    if weight is not None:
        y = y * aligned(level, weight, input.ndim)
    return y if bias is None else y + aligned(level, bias, input.ndim)


def with_channels_of_all(level, input, function):
    """function(x) of x (n, samples * c, ...), its result as that of each sample's (n, c, ...)."""
    n, c, *more = input.shape
    x = level.spread(input).movedim(0, 1).reshape(n, level.size * c, *more)
    return function(x).reshape(n, level.size, c, *more).movedim(1, 0)


def of_all_rows(level, input, function):
    """function(x) of x (samples * n, ...), its result as that of each sample's (n, ...)."""
    n, *more = input.shape
    y = function(level.spread(input).reshape(level.size * n, *more))
    return y.reshape(level.size, n, *more)


@rule_by_names("batch_norm")
def channel_norm(level, call, x, running_mean, running_var, num_batches_tracked, **given):
    """Channels are normalised one by one, whichever sample they are of."""
    running, factors = (running_mean, running_var), [given.pop("weight"), given.pop("bias")]
    channels, training = x.shape[1], given["training"]
    if any(f is not None and not is_vector(f, channels, x.dtype) for f in (*running, *factors)):
        return NotImplemented
    if not training and not any(map(level.has, (*running, *factors))):
        return of_all_rows(level, x, lambda rows: call(rows, *running, *factors, **given))
    changed = [t for t in (*running, num_batches_tracked) if training and t is not None]
    if not all(map(level.has, changed)) or (changed and given["momentum"] is None):
        return NotImplemented  # what all samples share is changed by one after another

    def of_all(f):
        if f is None:
            return None
        return f._value.view(-1) if level.has(f) else level.spread(f).reshape(-1)

    given |= {"weight": of_all(factors[0]), "bias": of_all(factors[1])}
    of_channels = functools.partial(
        call, running_mean=of_all(running_mean), running_var=of_all(running_var), **given
    )
    y = with_channels_of_all(level, x, of_channels)
    if training and num_batches_tracked is not None:
        num_batches_tracked._value.add_(1)
    return y


@rule_by_names("prelu")
def parametric(level, call, input, weight):
    if not level.has(weight):
        if weight.numel() == 1:
            return call(input._value, weight)
        return of_all_rows(level, input, lambda rows: call(rows, weight))
    if weight.numel() == 1:
        x = level.spread(input).reshape(1, level.size, input.numel())
        return call(x, weight._value.reshape(-1)).reshape(level.size, *input.shape)
    return with_channels_of_all(level, input, lambda x: call(x, weight._value.reshape(-1)))


@rule("embedding")
def embedded(level, call, *args, **kwargs):
    given = all_arguments(call, args, kwargs)
    input, weight = given.pop("input"), given.pop("weight")
    if level.has(weight) or given["max_norm"] is not None or given["scale_grad_by_freq"]:
        return NotImplemented
    return call(input._value, weight, **given)


@rule_by_names("one_hot")
def hot(level, call, tensor, num_classes):
    return NotImplemented if num_classes == -1 else call(tensor._value, num_classes)
