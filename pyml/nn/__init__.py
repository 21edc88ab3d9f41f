"""Neural networks: modules, parameters, losses, initial values. Names and meaning are PyTorch's."""

from pyml.nn import functional, init, loss, utils
from pyml.nn.activation import (
    ELU,
    GELU,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from pyml.nn.containers import ModuleDict, ModuleList, Sequential
from pyml.nn.dropout import Dropout
from pyml.nn.flatten import Flatten
from pyml.nn.linear import Identity, Linear
from pyml.nn.loss import *
from pyml.nn.module import Module
from pyml.nn.norm import BatchNorm1d
from pyml.nn.parameter import Parameter

__all__ = [
    "ELU",
    "GELU",
    "BatchNorm1d",
    "Dropout",
    "Flatten",
    "Identity",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "functional",
    "init",
    "utils",
    *loss.__all__,
]
