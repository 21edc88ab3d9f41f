"""What PyTorch calls the nodes of a graph. What it has not keeps pyml's name."""

ALIKE = """
    Abs Add AsStrided BinaryCrossEntropy BinaryCrossEntropyWithLogits Cat Clone Cos Diagonal Digamma
    Div Embedding EmbeddingBag Erf Erfc Erfinv Exp Expand Expm1 Flip Gather Index IndexSelect Lgamma
    Log LogSoftmax Maximum Mean Median Minimum Mul MultiMarginLoss MultilabelMarginLoss
    Nanmedian Neg
    Permute Polygamma Reciprocal Remainder ScatterAdd ScatterReduce Select Sin Slice Softmax Sqrt
    Sub Sum Transpose Unfold Unsqueeze Var View Where

    celu elu gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu mish relu sigmoid silu
    softplus softshrink tanh threshold

    acos acosh amax amin asin asinh atan atan2 atanh ceil cosh exp2 floor frexp hypot
    i0 igamma igammac log10 log2 round sign sinc sinh tan trunc"""

OTHERS = {  # pyml's name: PyTorch's
    "AccumulateGrad": "torch::autograd::AccumulateGrad",
    "BatchNorm": "NativeBatchNormBackward0",
    "BatchNormInference": "NativeBatchNormBackward0",
    "Cast": "ToCopyBackward0",
    "Cholesky": "LinalgCholeskyExBackward0",
    "Clamp": "ClampBackward1",
    "CopySlices": "torch::autograd::CopySlices",
    "CrossEntropy": "NllLossBackward0",
    "CumProd": "CumprodBackward0",
    "CumSum": "CumsumBackward0",
    "Det": "LinalgDetBackward0",
    "EigH": "LinalgEighBackward0",
    "GroupNorm": "NativeGroupNormBackward0",
    "Huber": "HuberLossBackward0",
    "I0e": "SpecialI0EBackward0",
    "I1e": "SpecialI1EBackward0",
    "Inverse": "LinalgInvExBackward0",
    "L": "LinalgLuBackward0",
    "LayerNorm": "NativeLayerNormBackward0",
    "Linear": "AddmmBackward0",
    "LinearWithoutBias": "MmBackward0",
    "Log1p": "Log1PBackward0",
    "LogSumExp": "LogsumexpBackward0",
    "LstSq": "LinalgLstsqBackward0",
    "MSE": "MseLossBackward0",
    "MatMul": "MmBackward0",
    "MatMulOfBatches": "BmmBackward0",
    "MatrixExp": "LinalgMatrixExpBackward0",
    "MeanOfDims": "MeanBackward1",
    "NLLLoss": "NllLossBackward0",
    "Overwrite": "IndexPutBackward0",
    "PInverse": "LinalgPinvBackward0",
    "PReLU": "PreluKernelBackward0",
    "Pow": "PowBackward1",
    "PowScalar": "PowBackward0",
    "PowerNorm": "LinalgVectorNormBackward0",
    "Prod": "ProdBackward1",
    "Reshape": "ViewBackward0",
    "Root": "StdBackward0",
    "SLogDet": "LinalgSlogdetBackward0",
    "SVD": "LinalgSvdBackward0",
    "SetItem": "IndexPutBackward0",
    "SmoothL1": "SmoothL1LossBackward0",
    "SoftMargin": "SoftMarginLossBackward0",
    "Solve": "LinalgSolveExBackward0",
    "SquareNorm": "LinalgVectorNormBackward0",
    "Squeeze": "SqueezeBackward1",
    "SumOfDims": "SumBackward1",
    "U": "LinalgLuBackward0",
    "entr": "SpecialEntrBackward0",
    "erfcx": "SpecialErfcxBackward0",
    "fmod": "FmodBackward1",
    "gelu_tanh": "GeluBackward0",
    "i1": "SpecialI1Backward0",
    "log_ndtr": "SpecialLogNdtrBackward0",
    "logsigmoid": "LogSigmoidBackward0",
    "max": "MaxBackward1",
    "max of a dimension": "MaxBackward0",
    "min": "MinBackward1",
    "min of a dimension": "MinBackward0",
    "ndtri": "SpecialNdtriBackward0",
    "selu": "EluBackward0",
    "zeta": "SpecialZetaBackward0",
}


def capitalized(name):
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


NAMES = {name: f"{capitalized(name)}Backward0" for name in ALIKE.split()} | OTHERS
