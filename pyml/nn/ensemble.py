"""Several models as one."""

from pyml import ops
from pyml.errors import ArgumentError
from pyml.nn.containers import ModuleList
from pyml.nn.module import Module
from pyml.ops.arrays import checked_tensor
from pyml.options import check_choice, check_integer

__all__ = ["Ensemble"]

FUNCTIONS = {"values": None, "probabilities": ops.softmax, "logits": ops.log_softmax}


class Ensemble(Module):
    """Models of different runs, whose outputs are averaged.

    Hansen & Salamon 1990, "Neural network ensembles"; Lakshminarayanan et al. 2017
    (arXiv:1612.01474), "Simple and scalable predictive uncertainty estimation using deep
    ensembles". By the convexity of the squared error, and of cross entropy for mean probabilities,
    the ensemble's loss is at most the mean of its members' losses.

    Args:
        models: Modules, one or more, that take the same inputs and give outputs of one shape. They
            are the members themselves, not copies, and part of state_dict(): pyml.save writes all
            to one file.
        average: "values": the mean of the outputs, for regression. "probabilities": the models give
            scores (logits); the result is the mean of softmax(scores). "logits": the mean of
            log_softmax(scores), which are scores, too: softmax of it is the geometric mean of the
            members' probabilities. Default: "values".
        dim: where the classes lie, for "probabilities" and "logits". Default: -1.

    Shape:
        The models'.

    Raises:
        TypeError: if an item is not a Module, or dim not an integer.
        ValueError: if there is no model, or for another average; in forward, if outputs differ in
            shape.

    Example:
        >>> members = [nn.Linear(4, 3) for _ in range(5)]
        >>> ensemble = nn.Ensemble(members, average="probabilities")
        >>> ensemble(pyml.randn(2, 4)).sum(dim=1).detach()
        tensor([1., 1.])
    """

    def __init__(self, models, average="values", dim=-1):
        super().__init__()
        models = list(models)
        if not models:
            raise ArgumentError("Ensemble: models is empty, there must be one or more")
        for i, model in enumerate(models):
            if not isinstance(model, Module):
                raise TypeError(
                    f"Ensemble: models[{i}] is a {type(model).__name__}, it must be a Module"
                )
        check_choice("Ensemble", "average", average, tuple(FUNCTIONS))
        check_integer("Ensemble", "dim", dim)
        self.models = ModuleList(models)
        self.average = average
        self.dim = dim

    def __len__(self):
        return len(self.models)

    def __iter__(self):
        return iter(self.models)

    def outputs(self, *inputs):
        """What each member gives, stacked in front: how far they differ says how sure they are.

        Returns:
            A Tensor of shape (members, ...): values, probabilities or log-probabilities.
        """
        function, given = FUNCTIONS[self.average], []
        for i, model in enumerate(self.models):
            output = checked_tensor(model(*inputs), "Ensemble", f"what models[{i}] gives")
            if given and output.shape != given[0].shape:
                raise ArgumentError(
                    f"Ensemble: models[{i}] gives the shape {tuple(output.shape)}, models[0] gives "
                    f"{tuple(given[0].shape)}; they must be equal"
                )
            given.append(output if function is None else function(output, self.dim))
        return ops.stack(given)

    def forward(self, *inputs):
        """The mean over the members."""
        return self.outputs(*inputs).mean(0)

    def extra_repr(self):
        """How outputs are averaged."""
        return f"average={self.average!r}"
