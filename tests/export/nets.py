"""Models for exporters: every module of nn, with rows that it takes."""

import numpy as np

import pyml
from pyml import nn

RANDOM = np.random.RandomState(1)


def rows(*shape, scale=2.0):
    return (scale * RANDOM.standard_normal((9, *shape))).astype(np.float32)


def whole(limit, *shape):
    return RANDOM.randint(0, limit, (9, *shape))


def drawn(model):
    """The model with numbers in all parameters and statistics that are not as they begin."""
    random = np.random.RandomState(2)
    bins = nn.PiecewiseLinearEncoding, nn.PiecewiseLinearEmbedding
    of_bins = {id(b) for m in model.modules() if isinstance(m, bins) for b in m.buffers(False)}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if id(tensor) in of_bins or name.rpartition(".")[2] == "num_batches_tracked":
            continue
        if tensor.is_floating_point() and name.rpartition(".")[2] != "count":
            values = random.uniform(0.2, 1.2, tensor.shape) * random.choice(
                [1, 1, -1], tensor.shape
            )
            is_positive = name.rpartition(".")[2] == "running_var"
            with pyml.no_grad():
                tensor.copy_(pyml.tensor(np.abs(values) if is_positive else values))
    return model


def net(*layers):
    return drawn(nn.Sequential(*layers))


BINS = [[-2.0, -1.0, 0.5, 2.0], [-1.0, 1.0], [-3.0, 0.0, 3.0]]
LAYERS = {  # {class: [(module, rows of its input, ...), ...]}
    "Linear": [(nn.Linear(5, 20), rows(5)), (nn.Linear(5, 3, bias=False), rows(4, 5))],
    "Bilinear": [
        (nn.Bilinear(3, 4, 5), rows(3), rows(4)),
        (nn.Bilinear(2, 3, 1, False), rows(2), rows(3)),
    ],
    "Identity": [(nn.Identity(), rows(3))],
    "Flatten": [(nn.Flatten(), rows(2, 3)), (nn.Flatten(2), rows(2, 3, 2))],
    "Unflatten": [(nn.Unflatten(1, (2, -1)), rows(6)), (nn.Unflatten(-1, (2, 3)), rows(2, 6))],
    "Sequential": [
        (nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2))), rows(3))
    ],
    "Ensemble": [
        (nn.Ensemble([nn.Linear(3, 4) for _ in range(3)], how), rows(3))
        for how in ("values", "probabilities", "logits")
    ],
    **{
        name: [(getattr(nn, name)(), rows(6)), (getattr(nn, name)(), rows(2, 3))]
        for name in [
            "CELU",
            "ELU",
            "GELU",
            "SELU",
            "Hardshrink",
            "Hardsigmoid",
            "Hardswish",
            "Hardtanh",
            "LeakyReLU",
            "LogSigmoid",
            "Mish",
            "RReLU",
            "ReLU",
            "ReLU6",
            "SiLU",
            "Sigmoid",
            "Softplus",
            "Softshrink",
            "Softsign",
            "Tanh",
            "Tanhshrink",
        ]
    },
    "Threshold": [(nn.Threshold(0.3, -2.0), rows(5))],
    "PReLU": [(nn.PReLU(), rows(5)), (nn.PReLU(3), rows(3)), (nn.PReLU(3), rows(3, 4))],
    "GLU": [(nn.GLU(), rows(6)), (nn.GLU(1), rows(4, 3))],
    "Softmax": [
        (nn.Softmax(1), rows(5)),
        (nn.Softmax(-1), rows(2, 3)),
        (nn.Softmax(1), rows(3, 4)),
    ],
    "Softmin": [(nn.Softmin(1), rows(5))],
    "LogSoftmax": [(nn.LogSoftmax(1), rows(5)), (nn.LogSoftmax(1), rows(3, 4))],
    "Dropout": [(nn.Dropout(), rows(5))],
    "Dropout1d": [(nn.Dropout1d(), rows(5, 2))],
    "AlphaDropout": [(nn.AlphaDropout(), rows(5))],
    "FeatureAlphaDropout": [(nn.FeatureAlphaDropout(), rows(5))],
    "AnnealedDropout": [(nn.AnnealedDropout(), rows(5))],
    "GaussianNoise": [(nn.GaussianNoise(), rows(5))],
    "RandomHorizontalFlip": [(nn.RandomHorizontalFlip(), rows(16))],
    "RandomRotation": [(nn.RandomRotation(10.0), rows(16))],
    "RandomShift": [(nn.RandomShift(1), rows(16))],
    "RandomCrop": [(nn.RandomCrop(2), rows(16)), (nn.RandomCrop((2, 3)), rows(1, 4, 5))],
    "RandomCutout": [(nn.RandomCutout(2), rows(16))],
    "BatchNorm1d": [(nn.BatchNorm1d(4), rows(4)), (nn.BatchNorm1d(3, affine=False), rows(3, 2))],
    "BatchNorm2d": [(nn.BatchNorm2d(2), rows(2, 2, 3))],
    "BatchNorm3d": [(nn.BatchNorm3d(2, bias=False), rows(2, 2, 1, 3))],
    "SyncBatchNorm": [(nn.SyncBatchNorm(4), rows(4))],
    "InstanceNorm1d": [
        (nn.InstanceNorm1d(3), rows(3, 4)),
        (nn.InstanceNorm1d(3, affine=True), rows(3, 4)),
        (nn.InstanceNorm1d(3, track_running_stats=True), rows(3, 4)),
    ],
    "LayerNorm": [
        (nn.LayerNorm(6), rows(6)),
        (nn.LayerNorm((2, 3)), rows(2, 3)),
        (nn.LayerNorm(3, elementwise_affine=False), rows(2, 3)),
    ],
    "RMSNorm": [(nn.RMSNorm(6), rows(6)), (nn.RMSNorm((2, 3), eps=1e-3), rows(2, 3))],
    "GroupNorm": [(nn.GroupNorm(2, 6), rows(6)), (nn.GroupNorm(2, 4), rows(4, 3))],
    "Embedding": [
        (nn.Embedding(7, 3), whole(7, 4)),
        (nn.Embedding(7, 3, max_norm=0.5), whole(7, 4)),
    ],
    "EmbeddingBag": [
        (nn.EmbeddingBag(7, 3, mode=mode, padding_idx=pad), whole(7, 4))
        for mode in ("sum", "mean", "max")
        for pad in (None, 2)
    ],
    "FeatureLinear": [
        (nn.FeatureLinear(3, 4, 5), rows(3, 4)),
        (nn.FeatureLinear(3, 4, 2, False), rows(2, 3, 4)),
    ],
    "PiecewiseLinearEncoding": [(nn.PiecewiseLinearEncoding(BINS), rows(3))],
    "PiecewiseLinearEmbedding": [(nn.PiecewiseLinearEmbedding(BINS, 4, True), rows(3))],
    "PeriodicEmbedding": [
        (nn.PeriodicEmbedding(3, 4, 5), rows(3)),
        (nn.PeriodicEmbedding(3, 4, 5, activation=False, lite=True), rows(3)),
    ],
    "PBLDEmbedding": [(nn.PBLDEmbedding(3), rows(3))],
    "ScalingLayer": [(nn.ScalingLayer(3), rows(3))],
    "NTPLinear": [(nn.NTPLinear(3, 4), rows(3)), (nn.NTPLinear(3, 4, False), rows(2, 3))],
    "ParametricActivation": [(nn.ParametricActivation(nn.SELU(), 3), rows(3))],
    "EnsembleView": [(nn.EnsembleView(4), rows(3)), (nn.EnsembleView(2), rows(2, 3))],
    "ElementwiseAffine": [(nn.ElementwiseAffine(4, 3, bias=True), rows(4, 3))],
    "LinearEnsemble": [(nn.LinearEnsemble(3, 2, k=4), rows(4, 3))],
    "LinearBatchEnsemble": [(nn.LinearBatchEnsemble(3, 2, k=4), rows(4, 3))],
    "CosineSimilarity": [
        (nn.CosineSimilarity(), rows(5), rows(5)),
        (nn.CosineSimilarity(2), rows(2, 5), rows(2, 5)),
    ],
    "PairwiseDistance": [
        (nn.PairwiseDistance(p, keepdim=keep), rows(5), rows(5))
        for p in (2.0, 1.0, 3.0, np.inf, -np.inf, 0.0)
        for keep in (False, True)
    ],
    **{
        f"{kind}Pad{d}d": [(getattr(nn, f"{kind}Pad{d}d")(1), rows(2, *[3] * d))]
        for kind in ("Circular", "Reflection", "Replication", "Zero")
        for d in (1, 2, 3)
    },
    **{
        f"ConstantPad{d}d": [
            (getattr(nn, f"ConstantPad{d}d")((1, 2, *[0] * (2 * d - 2)), 7.5), rows(*[3] * d))
        ]
        for d in (1, 2, 3)
    },
}
CASES = {
    f"{name}-{i}": (drawn(module).eval(), given)
    for name, cases in LAYERS.items()
    for i, (module, *given) in enumerate(cases)
}


def output_of(model, given):
    with pyml.no_grad():
        return model.eval()(*map(pyml.tensor, given)).numpy()
