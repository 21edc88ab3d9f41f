"""Every differentiable operation of the library, with each option that changes its formula.

Most stand in the tables of tests/ops, which have references too; here are the others. What the
rows do is looked at by tests/test_derivatives.py: a Node, a function or an option that no row has
met fails there.
"""

import functools
import importlib
import inspect
import itertools
from pathlib import Path

import numpy as np
from ops import breadth, cases
from ops.cases import Case, chances, normal, positive

import pyml
from helpers.activations import CALLS, IDS
from helpers.losses import CASES as PAIR_LOSSES
from helpers.losses import LOSS_CASES
from pyml import nn, ops
from pyml.autograd import graph
from pyml.nn import functional as F
from pyml.ops import rewriting, sampling

for path in sorted((Path(__file__).parent / "ops").glob("test_*.py")):
    importlib.import_module(f"ops.{path.stem}")

CLASSES = 3
WEIGHT = np.array([0.5, 2.0, 1.5])
REDUCTIONS = ("mean", "sum", "none")


def row(name, function, *shapes, draw=normal):
    return Case(name, function, None, shapes, draw)


def packed_products(x, y):
    """What backward needs of leaves goes through hooks."""
    with graph.saved_tensors_hooks(pyml.clone, pyml.clone):
        return x * x * y


# ---- activations ---------------------------------------------------------------------------------


def off_kinks(rng, shape):
    """On both sides of 0 and of the thresholds of softplus."""
    return np.array([-2.3, -0.7, 0.4, 1.9, 7.5, 12.0])


def named(name, **options):
    """The function of nn.functional, looked up when it is called: a test may have wrapped it."""
    return lambda *tensors: getattr(F, name)(*tensors, **options)


def changing(name, **options):
    """The same for one that changes its input: of a copy, which is used again."""
    return lambda x: getattr(F, name)(x * 1, **options) * x


def activations():
    for (f, options), name in zip(CALLS, IDS, strict=True):
        yield row(name, named(f.name, **options), (6,), draw=off_kinks)
        if f.inplace:
            function = changing(f.name, **options, inplace=True)
            yield row(f"{name} inplace", function, (6,), draw=off_kinks)
        if hasattr(F, f"{f.name}_"):
            yield row(f"{name}_", changing(f"{f.name}_", **options), (6,), draw=off_kinks)


def gated():
    for shape, weights in (((6,), ()), ((6,), (1,)), ((2, 3), (3,)), ((2, 3, 2), (3,))):
        yield row("prelu", named("prelu"), shape, weights)
    yield row("relu6", named("relu6"), (6,), draw=off_kinks)
    yield row("relu6 inplace", changing("relu6", inplace=True), (6,), draw=off_kinks)
    for training in (False, True):
        options = {"lower": 0.2, "upper": 0.7, "training": training}

        def changed(name, options=options, **more):
            return lambda x: (
                getattr(F, name)(x * 1, **options, **more, generator=pyml.Generator(1)) * x
            )

        yield row(f"rrelu training={training}", changed("rrelu"), (6,), draw=off_kinks)
        yield row(f"rrelu inplace {training}", changed("rrelu", inplace=True), (6,), draw=off_kinks)
        yield row(f"rrelu_ training={training}", changed("rrelu_"), (6,), draw=off_kinks)
    for dim in (-1, 0):
        yield row(f"glu {dim}", named("glu", dim=dim), (4, 2))


def softmaxes():
    for name in ("softmax", "softmin", "log_softmax"):
        for shape in ((3,), (2, 3), (2, 3, 2), ()):
            for dim in range(max(len(shape), 1)):
                yield row(f"{name} {dim}", named(name, dim=dim), shape)
        yield row(f"{name} dtype", named(name, dim=0, dtype=pyml.float64), (3,))


# ---- losses --------------------------------------------------------------------------------------


def cross_entropies():
    for shape, weighted, smoothing, reduction in itertools.product(
        ((CLASSES,), (4, CLASSES), (2, CLASSES, 2)), (False, True), (0.0, 0.1), REDUCTIONS
    ):
        options = {"label_smoothing": smoothing, "reduction": reduction}
        name = f"weighted={weighted} smoothing={smoothing} {reduction}"
        weight = pyml.tensor(WEIGHT) if weighted else None
        sizes = shape[:-2] + shape[-1:] if len(shape) == 3 else shape[:-1]
        index = pyml.tensor((np.arange(np.prod(sizes, dtype=int)) % CLASSES).reshape(sizes))
        ignored = 1 if sizes else 2
        yield row(
            f"cross_entropy of classes {name}",
            lambda x, i=index, w=weight, k=ignored, o=options: F.cross_entropy(
                x, i, w, ignore_index=k, **o
            ),
            shape,
        )
        p = pyml.tensor(positive(np.random.default_rng(4), shape))
        yield row(
            f"cross_entropy of probabilities {name}",
            lambda x, p=p, w=weight, o=options: F.cross_entropy(x, p, w, **o),
            shape,
        )
        if weighted:
            yield row(
                f"cross_entropy by target and weight {name}",
                lambda x, p, w, o=options: F.cross_entropy(x, p, w, **o),
                shape,
                shape,
                (CLASSES,),
                draw=positive,
            )


def pair_losses():
    for (name, (loss, options)), reduction, shape in itertools.product(
        PAIR_LOSSES.items(), REDUCTIONS, ((), (2, 3))
    ):
        target = pyml.tensor(loss.target(np.random.default_rng(5), shape), dtype=pyml.float64)
        function = named(loss.name, reduction=reduction, **options)
        if loss.signs:
            yield row(f"{name} {reduction}", lambda x, t=target, f=function: f(x, t), shape)
        else:
            yield row(f"{name} {reduction}", function, shape, shape, draw=loss.input)
    factors = {
        (name, factor)
        for name in vars(F)
        for factor in ("weight", "pos_weight")
        if any(name == loss.name for loss, _ in PAIR_LOSSES.values())
        and factor in inspect.signature(getattr(F, name)).parameters
    }
    for (name, factor), reduction in itertools.product(sorted(factors), REDUCTIONS):
        yield row(
            f"{name} {factor} {reduction}",
            lambda x, t, w, n=name, k=factor, r=reduction: getattr(F, n)(
                x, t, reduction=r, **{k: w}
            ),
            *((2, 3), (2, 3), (2, 3)),
            draw=chances,
        )


# ---- functions made of others --------------------------------------------------------------------


def of_breadth():
    for each in breadth.ROWS:
        if each.smooth:
            function = functools.partial(each.function, pyml)
            yield row(each.name, function, *each.shapes, draw=each.draw)


def other_losses():
    for (name, (loss, options)), reduction in itertools.product(LOSS_CASES.items(), REDUCTIONS):
        arrays = loss.draw(np.random.default_rng(6))
        factors = {k: v for k, v in options.items() if isinstance(v, np.ndarray)}
        arrays += tuple(factors.values())
        real = [i for i in range(len(arrays)) if loss.has_gradient(i)]

        def of(
            *given, loss=loss, options=options, arrays=arrays, real=real, r=reduction, f=factors
        ):
            every = [pyml.tensor(a) for a in arrays]
            for i, x in zip(real, given, strict=True):
                every[i] = x
            inputs, rest = every[: len(every) - len(f)], every[len(every) - len(f) :]
            named = options | dict(zip(f, rest, strict=True))
            return getattr(F, loss.name)(*inputs, reduction=r, **named)

        shapes = [arrays[i].shape for i in real]
        values = iter(itertools.cycle([arrays[i] for i in real]))
        yield row(f"{name} {reduction}", of, *shapes, draw=lambda rng, shape, v=values: next(v))


# ---- layers --------------------------------------------------------------------------------------


def linears():
    for shape in ((3,), (4, 3), (2, 2, 3)):
        yield row("linear", named("linear"), shape, (2, 3))
        yield row("linear bias", named("linear"), shape, (2, 3), (2,))
        yield row("scaled_linear", lambda *t: ops.scaled_linear(*t, alpha=-0.6), shape, (2, 3))
        scaled = "scaled_linear bias", lambda *t: ops.scaled_linear(*t, 0.3)
        yield row(*scaled, shape, (2, 3), (2,))


JET_FUNCTIONS = {"tanh": F.tanh, "sigmoid": F.sigmoid, "sin": pyml.sin, "softplus": F.softplus,
                 "silu": F.silu, "gelu": F.gelu, "mish": F.mish}  # fmt: skip


def jet_net(x, w, b, v, given):
    f, firsts, pairs, numbers = given
    return ops.jet_net(x, (w, v), (b, None), range(firsts), pairs, f, *numbers)


def jets():
    """Those with kernels, as they were before a test wrapped them; mish has none."""
    for name, f in JET_FUNCTIONS.items():
        numbers = (1.5, 3.0) if name == "softplus" else ()
        for firsts, pairs in ((0, []), (2, [(1, 1), (1, 2)])):
            shape = (1 + firsts + len(pairs), 3)
            words = f"jet {name} {firsts} first {len(pairs)} second"
            given = f, firsts, pairs, numbers
            yield row(words, lambda x, a=given: ops.jet(a[0], x, a[1], a[2], *a[3]), shape)
            net = (3, 2), (4, 2), (4,), (2, 4)
            yield row(words.replace("jet", "jet_net"), lambda *t, a=given: jet_net(*t, a), *net)
    for shape in ((1, 2, 3), (3, 2, 3), (3, 0, 3)):
        yield row("jet_linear", lambda x, w: ops.jet_linear(x, w), shape, (2, 3))
        yield row("jet_linear bias", lambda *t: ops.jet_linear(*t), shape, (2, 3), (2,))


def batch_norms():
    """By x, weight and bias."""

    def of(x, weight, bias, training, statistics, **options):
        channels = x.shape[1]
        mean = pyml.tensor(np.linspace(-1, 1, channels)) if statistics else None
        var = pyml.tensor(np.linspace(0.5, 2, channels)) if statistics else None
        return F.batch_norm(x, mean, var, weight, bias, training, **options)

    for shape, (training, statistics) in itertools.product(
        ((4, 2), (3, 2, 2)), ((True, False), (True, True), (False, True))
    ):
        name = f"batch_norm {'training' if training else 'inference'}"
        given = {"training": training, "statistics": statistics}
        channels = (shape[1],)
        for affine, shapes, function in [
            ("", (), lambda x, given=given: of(x, None, None, **given, eps=0.3)),
            ("weight", (channels,), lambda x, w, given=given: of(x, w, None, **given)),
            ("bias", (channels,), lambda x, b, given=given: of(x, None, b, **given, momentum=1)),
            (
                "weight bias",
                (channels, channels),
                lambda x, w, b, given=given: of(x, w, b, **given),
            ),
        ]:
            yield row(f"{name} {affine}", function, shape, *shapes)


def dropouts():
    def of(x, module=F, **options):
        return module.dropout(x * 1, 0.4, generator=pyml.Generator(1), **options) * x

    yield row("dropout", of, (3, 3))
    yield row("dropout inplace", lambda x: of(x, inplace=True), (3, 3))
    yield row("dropout not in training", lambda x: of(x, training=False), (3,))
    yield row("dropout of ops", lambda x: of(x, ops), (3, 3))
    for name in ("alpha_dropout", "dropout1d", "feature_alpha_dropout"):

        def other(x, name=name, **options):
            given = {"p": 0.4, "training": True, "generator": pyml.Generator(1)} | options
            return getattr(F, name)(x * 1, **given) * x

        yield row(name, other, (3, 2, 2))
        yield row(f"{name} inplace", lambda x, f=other: f(x, inplace=True), (3, 2, 2))
        yield row(f"{name} of all", lambda x, f=other: f(x, p=1.0), (2, 2))
        yield row(f"{name} not in training", lambda x, f=other: f(x, training=False), (2, 2))


def gumbels(x, **options):
    """With the same noise each time."""
    pyml.manual_seed(0)
    return F.gumbel_softmax(x, **options)


def alignments():
    labels, sizes = pyml.tensor([[1, 2], [3, 3]]), [2, 2]
    joined = pyml.tensor([1, 2, 3])
    for reduction, blank in itertools.product(REDUCTIONS, (0, 4)):
        yield row(
            f"ctc_loss {reduction} {blank}",
            lambda x, r=reduction, b=blank: F.ctc_loss(
                x, labels, pyml.tensor([4, 3]), pyml.tensor(sizes), b, r
            ),
            (4, 2, 5),
        )
    yield row(
        "ctc_loss joined, one too short",
        lambda x: F.ctc_loss(x, joined, [3, 1], [1, 2], zero_infinity=True),
        (3, 2, 4),
    )
    yield row("ctc_loss of one", lambda x: F.ctc_loss(x, joined, 4, 3), (4, 4))


def linear_cross_entropies():
    index = pyml.tensor([0, 2])
    yield row(
        "linear_cross_entropy",
        lambda x, w, b: F.linear_cross_entropy(
            x,
            w,
            index,
            linear_bias=b,
            weight=pyml.tensor(WEIGHT),
            reduction="sum",
            label_smoothing=0.1,
        ),
        *((2, 4), (3, 4), (3,)),
        draw=positive,
    )
    yield row(
        "linear_cross_entropy of outputs",
        lambda x, w: F.linear_cross_entropy(x, w, pyml.tensor([[0, 1], [1, 2]]), ignore_index=1),
        *((2, 4), (3, 2, 4)),
    )


# ---- what only Tensor has, and options that the tables of tests/ops leave out --------------------

MASK = pyml.tensor([True, False, True])
INDEX = pyml.tensor([2, 0])


def with_hooks(x):
    """A module's hooks of backward put nodes around it."""
    module = nn.Tanh()
    module.register_full_backward_hook(lambda module, dx, dy: None)
    return module(x)


OTHERS = [
    row("Tensor.T", lambda x: x.T * 1, (2, 3)),
    row("saved_tensors_hooks", packed_products, (2, 3), (2, 3)),
    row("Tensor.mT", lambda x: x.mT * 1, (2, 3)),
    row("Tensor.mH", lambda x: x.mH * 1, (2, 2, 3)),
    row("Tensor.H", lambda x: x.H * 1, (2, 3)),
    row("Tensor.clip", lambda x: x.clip(0.7, max=1.6), (2, 3), draw=positive),
    row("Tensor.view_as", lambda x: x.view_as(pyml.zeros(6)) * 2, (2, 3)),
    row("Tensor.reshape_as", lambda x: x.reshape_as(pyml.zeros(6)) * 2, (2, 3)),
    row("Tensor.expand_as", lambda x: x.expand_as(pyml.zeros(2, 3)) * 2, (3,)),
    row("Tensor.type_as", lambda x: x.type_as(x.detach()) * 2, (3,)),
    row("Tensor.double", lambda x: x.double() * 2, (3,)),
    row("Tensor.float", lambda x: x.float().double() * 0 + x, (3,)),
    row("Tensor.cpu", lambda x: x.cpu() * 2, (3,)),
    row("Tensor.zero_", lambda x: (x * 1).zero_() + x, (3,)),
    row("Tensor.__iter__", lambda x: pyml.stack(list(x)[::-1]), (3,)),
    row("Tensor.where", lambda x, y: x.where(MASK, y), (3,), (3,)),
    row("uniform_", lambda x: (x * 1).uniform_(-1, 2, generator=pyml.Generator(1)) * x, (3,)),
    row("normal_", lambda x: (x * 1).normal_(2, 3, generator=pyml.Generator(1)) * x, (3,)),
    row("max keepdim", lambda x: x.max(1, keepdim=True).values, (2, 3)),
    row("max other", lambda x, y: pyml.max(x, other=y), (3,), (3,)),
    row("min other", lambda x, y: pyml.min(x, other=y), (3,), (3,)),
    row("norm dtype", lambda x: x.norm(dtype=pyml.float64), (3,)),
    row("index_put", lambda x, y: pyml.index_put(x, (INDEX,), y, True), (3,), (2,)),
    row("fill", lambda x, y: pyml.fill(x, y), (3,), ()),
    row("prod keepdim", lambda x: x.prod(1, keepdim=True), (2, 3), draw=positive),
    row("norm 2 keepdim", lambda x: x.norm(2, 1, keepdim=True), (2, 3)),
    row("norm 3 keepdim", lambda x: x.norm(3, 1, keepdim=True), (2, 3)),
    row("var unbiased", lambda x: x.var(1, unbiased=False), (2, 3)),
    row("std correction", lambda x: x.std(1, correction=2), (2, 3)),
    row("sum dtype", lambda x: x.sum(0, dtype=pyml.float64), (3,)),
    row("mean dtype", lambda x: x.mean(0, dtype=pyml.float64), (3,)),
    row("to dtype", lambda x: x.to(dtype=pyml.float32).double() * 0 + x, (3,)),
    row("round decimals", lambda x: pyml.round(x, decimals=1) * x, (3,)),
    row("setitem by a mask", lambda x: assigned(x * 1, MASK, 5.0), (3,)),
    row("setitem of itself", lambda x: assigned(x * 1, 0, x[1] * x[2]), (3,)),
    row("getitem of two parts", lambda x: x[0] * x[1:], (3,)),
    row("hooks of a module", with_hooks, (3,)),
    row("Tensor.index_put", lambda x, y: x.index_put((INDEX,), y), (3,), (2,)),
    row("Tensor.index_put_", lambda x, y: (x * 1).index_put_((INDEX,), y, True), (3,), (2,)),
    row("Tensor.fill_diagonal_", lambda x: (x * 1).fill_diagonal_(2.0), (3, 3)),
    row("Tensor.sum_to_size", lambda x: x.sum_to_size(3, 1), (2, 3, 4)),
]


def assigned(x, index, value):
    x[index] = value
    return x


ROWS = [
    *activations(),
    *gated(),
    *softmaxes(),
    *cross_entropies(),
    *pair_losses(),
    *of_breadth(),
    *other_losses(),
    *alignments(),
    *linear_cross_entropies(),
    row("gumbel_softmax", lambda x: gumbels(x, tau=0.7, eps=1e-9, dim=0), (3, 2)),
    *linears(),
    *jets(),
    *batch_norms(),
    *dropouts(),
    *OTHERS,
]
# Their gradients are not those of their values: see tests/ops/test_sampling.py.
IMPLICIT = [
    row("log_gamma_variable", sampling.log_gamma_variable, (3,), draw=positive),
    row("gumbel_softmax hard", lambda x: gumbels(x, hard=True), (3, 2)),
]
ALL = [*cases.TABLES, *ROWS, *IMPLICIT]

# ---- what has no derivative ----------------------------------------------------------------------

BASES = {"Binary", "FunctionNode", "Joint", "OutputOfFunction"}  # of nodes; of functions of users
REFUSING = {"Lost"}  # what a recorded step returned: its gradient is an error
NO_FORMULA = {  # options
    "check_errors": "what does not raise",
    "compute_mode": "how PyTorch computes it",
    "driver": "how PyTorch computes it",
    "memory_format": "there is one",
    "mode": "only one has a gradient",
    "options": "how PyTorch computes it",
    "out": "refused where gradients are wanted",
    "output_size": "it is known without",
    "pivot": "it must be True",
    "unpack_data": "nothing is computed",
    "unpack_pivots": "nothing is computed",
    "sorted": "the order is the same without it",
    "device": "there is one",
    "reduce": "an old name of a reduction",
    "size_average": "an old name of a reduction",
    "_stacklevel": "where a warning points",
    "sections": "another name of indices_or_sections",
    "indices": "another name of indices_or_sections",
    "tensor_indices_or_sections": "another name of indices_or_sections",
    "non_blocking": "nothing waits",
    "num_batches_tracked": "a counter",
    "rounding_mode": "the result has no derivative",
    "sparse": "gradients are dense",
    "sparse_grad": "gradients are dense",
    "stable": "the order is stable without it",
}
REASONS = {
    "makes a tensor": """
        bernoulli bernoulli_ cauchy_ exponential_ geometric_ log_normal_ multinomial new new_empty
        logspace new_full new_ones new_tensor new_zeros of_data_or_sizes random_ scalar_tensor
        tril_indices triu_indices
        asarray bartlett_window blackman_window empty_permuted empty_strided from_dlpack frombuffer
        binomial hamming_window hann_window kaiser_window new_empty_strided poisson
        arange as_tensor empty empty_like eye from_numpy full full_like linspace normal ones
        ones_like rand rand_like randint randint_like randn randn_like randperm tensor zeros
        zeros_like""",
    "gives integers or truth values": """
        argwhere gcd histogram histogramdd isneginf isposinf lcm nonzero_static
        unravel_index
        argsort bincount bitwise_left_shift bitwise_right_shift bucketize count_nonzero histc isin
        matrix_rank one_hot searchsorted signbit
        all allclose any argmax argmin bitwise_and bitwise_not bitwise_or bitwise_xor bool eq equal
        floor_divide greater greater_equal int isclose isfinite isinf isnan less less_equal
        logical_and logical_not logical_or logical_xor long ne nonzero""",
    "is tested in ops/test_breadth.py, as no difference shows its slope": """
        heaviside nextafter unique unique_consecutive""",
    "in place, of a function that has a row": " ".join(rewriting.NAMES),
    "leaves the graph": """
        apply_ array as_strided_ data detach detach_ item numpy resize_ resize_as_ set_ squeeze_ t_
        swapaxes_ swapdims_ tolist transpose_ unsqueeze_""",
    "gives its argument, or refuses": """
        bfloat16 byte char cuda half pin_memory positive share_memory_ short""",
    "is a function that has a row, with other arguments": """
        lu_with_infos old_lu_solve polygamma_ qr_of_columns svd_of_columns""",
    "tells something, or sets it": """
        dim_order is_cpu is_nonzero is_sparse_csr itemsize nbytes
        register_post_accumulate_grad_hook storage_offset
        are_deterministic_algorithms_enabled can_cast get_default_device get_default_dtype
        get_device inference_mode is_complex is_cuda is_inference is_inference_mode_enabled is_meta
        is_mkldnn is_mps is_nested is_pinned is_quantized is_same_size is_signed is_sparse is_xpu
        layout ndimension promote_types set_default_device set_default_dtype
        set_default_tensor_type set_printoptions type use_deterministic_algorithms
        backward broadcast_shapes data_ptr device dim dtype element_size get_num_threads
        get_rng_state grad grad_fn host implicit_dim initial_seed is_contiguous
        is_floating_point is_grad_enabled is_leaf is_tensor manual_seed ndim nelement numel record
        register_hook requires_grad requires_grad_ result_type retain_grad retains_grad seed
        set_num_threads set_rng_state shape show_config size stride
        get_autocast_dtype is_autocast_enabled set_autocast_enabled
        get_deterministic_debug_mode get_num_interop_threads is_shared
        is_deterministic_algorithms_warn_only_enabled set_deterministic_debug_mode
        set_flush_denormal set_num_interop_threads""",
}
NOT_DIFFERENTIABLE = {name for names in REASONS.values() for name in names.split()}
