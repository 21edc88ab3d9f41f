"""Modules whose modes, of training or evaluation, change for a while."""

from contextlib import contextmanager

from pyml.grad_mode import no_grad


@contextmanager
def modes_kept(model):
    """A `with` after which each module of the model is in the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def evaluating(model):
    """No gradients, and the model in evaluation mode; then each module in the mode it had."""
    with modes_kept(model), no_grad():
        model.eval()
        yield
