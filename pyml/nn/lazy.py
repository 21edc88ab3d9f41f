"""Lazy modules: they learn from their first input what sizes their parameters have."""

from pyml.grad_mode import no_grad
from pyml.nn.module import BUFFERS, PARAMETER, Module, materialized
from pyml.nn.parameter import is_lazy
from pyml.recorder import altered, refuse

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin:
    """Stands before a Module among the bases of a class whose parameters' shapes are not known yet.

    Its __init__ makes them UninitializedParameters. The first call calls initialize_parameters with
    the arguments of forward, and the module becomes one of the class `cls_to_become`, if there is
    one.

    Example:
        >>> layer = nn.LazyLinear(2)
        >>> layer
        LazyLinear(in_features=0, out_features=2, bias=True)
        >>> layer(pyml.zeros(5, 3)).shape
        (5, 2)
        >>> layer
        Linear(in_features=3, out_features=2, bias=True)
    """

    cls_to_become = None

    def __init__(self, *args, **kwargs):
        if not isinstance(self, Module):
            raise TypeError(
                f"{type(self).__name__}: LazyModuleMixin stands before a Module among the bases of "
                "a class, as in class LazyLinear(LazyModuleMixin, Linear)"
            )
        super().__init__(*args, **kwargs)
        self.register_forward_pre_hook(infer_parameters, with_kwargs=True)

    def initialize_parameters(self, *args, **kwargs):
        """Gives the parameters their shapes, and their values, from the arguments of forward."""
        raise NotImplementedError(
            f"{type(self).__name__} has no initialize_parameters(), which a lazy module needs"
        )

    def has_uninitialized_params(self):
        """Is there a parameter or buffer of this module, without those below, without a shape?"""
        return any(is_lazy(tensor) for _, tensor in self._members(PARAMETER, *BUFFERS))

    def _materialize(self, **shapes):
        """Gives parameters and buffers that have none their shapes; None is left out."""
        for name, shape in shapes.items():
            if is_lazy(getattr(self, name)):
                materialized(self, name, shape)


def infer_parameters(module, args, kwargs):
    """The hook of the first call."""
    refuse("the first call of a lazy module (call it once before the step is recorded)")
    with no_grad():
        module.initialize_parameters(*args, **kwargs)
    if module.has_uninitialized_params():
        raise RuntimeError(
            f"{module._get_name()}: initialize_parameters() left parameters without a shape; it "
            "must materialize() all of them"
        )
    module._hooks[:] = [hook for hook in module._hooks if hook.function is not infer_parameters]
    altered(module, "_hooks", None)
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become
