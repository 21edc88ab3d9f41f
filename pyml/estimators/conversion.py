"""To scikit-learn's MLP, and from it."""

import copy

import numpy as np
from sklearn import neural_network
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from pyml import nn
from pyml.estimators.fitting import Training
from pyml.estimators.losses import loss_of
from pyml.estimators.mlp import MLP, MLPClassifier, MLPRegressor
from pyml.estimators.networks import SKLEARN_ACTIVATIONS, activation_named
from pyml.estimators.targets import Classes, Labels, Values
from pyml.nn.utils import fuse_linear_bn_eval

__all__ = ["from_sklearn", "to_sklearn"]

CLASSES = {  # ours of theirs
    neural_network.MLPClassifier: MLPClassifier,
    neural_network.MLPRegressor: MLPRegressor,
}
OF_A_TRAINING = ("n_features_in_", "feature_names_in_", "loss_", "n_iter_", "t_")
OF_CURVES = ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_")


def from_sklearn(mlp):
    """A fitted MLP of scikit-learn as one of pyml's, with the same predictions.

    Of a single class it gives the probability 1, where scikit-learn's gives two columns.

    Its parameters are the same, and it goes on with warm_start and partial_fit; an optimizer's
    running means begin anew.

    Args:
        mlp: a sklearn.neural_network.MLPClassifier or MLPRegressor.

    Returns:
        An MLPClassifier or MLPRegressor.

    Raises:
        TypeError: if it is something else.
        sklearn.exceptions.NotFittedError: if it is not fitted.

    Example:
        >>> ours = from_sklearn(theirs)
        >>> np.allclose(ours.predict_proba(X), theirs.predict_proba(X))
        True
    """
    made = next((ours for theirs, ours in CLASSES.items() if isinstance(mlp, theirs)), None)
    if made is None:
        raise TypeError(
            f"from_sklearn: mlp is a {type(mlp).__name__}, it must be an MLPClassifier or "
            "MLPRegressor of scikit-learn"
        )
    check_is_fitted(mlp)
    ours = made()
    names = ours.get_params(deep=False)
    ours.set_params(**{k: v for k, v in mlp.get_params(deep=False).items() if k in names})
    if made is MLPRegressor:
        coding = Values(mlp.n_outputs_)
    else:
        is_labels = mlp._label_binarizer.y_type_.startswith("multilabel")
        coding = Labels(mlp.n_outputs_) if is_labels else Classes(mlp.classes_)
        ours.classes_ = coding.classes
    dtype = mlp.coefs_[0].dtype
    random = copy.deepcopy(check_random_state(ours.random_state))  # nothing is drawn from theirs
    training = Training(ours, coding, mlp.n_features_in_, dtype, random)
    ours._trainings, ours._coding = [training], coding
    ours._loss = loss_of(ours, coding.kind)
    ours.coefs_, ours.intercepts_ = mlp.coefs_, mlp.intercepts_
    training.t, training.n_iter, training.loss = mlp.t_, mlp.n_iter_, float(mlp.loss_)
    training.loss_curve = [float(loss) for loss in getattr(mlp, "loss_curve_", ())]
    training.best_loss = min(training.loss_curve, default=training.loss)
    training.scores = list(getattr(mlp, "validation_scores_", None) or ())
    training.best_score = max(training.scores, default=-np.inf)
    training.is_over = True
    if training.scores:
        training.keep_best()
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(mlp, name):
            setattr(ours, name, getattr(mlp, name))
    ours._publish()
    return ours


def to_sklearn(mlp):
    """A fitted MLP as scikit-learn's, with the same predictions.

    Dropout is nothing in predictions; batch norms are folded into the layers before them. Of the
    other parameters, scikit-learn's has those that it knows.

    Args:
        mlp: an MLPClassifier or MLPRegressor of pyml.

    Returns:
        A sklearn.neural_network.MLPClassifier or MLPRegressor.

    Raises:
        TypeError: if it is something else.
        ValueError: if scikit-learn's has no such network: another activation, layer norms, several
            networks, a single class.
        sklearn.exceptions.NotFittedError: if it is not fitted.

    Example:
        >>> theirs = to_sklearn(ours)
    """
    if not isinstance(mlp, MLP):
        raise TypeError(
            f"to_sklearn: mlp is a {type(mlp).__name__}, it must be an MLPClassifier or "
            "MLPRegressor of pyml"
        )
    check_is_fitted(mlp)
    network = mlp.networks_[0]
    kinds = activations_of(network) or {activation_named(mlp.activation)}
    names = sorted(kind.__name__ for kind in kinds)
    refusals = {
        f"activation {names[0]}": not kinds <= set(SKLEARN_ACTIVATIONS),
        f"activations of several kinds, as {', '.join(names)}": len(kinds) > 1,
        "layer_norm": any(isinstance(layer, nn.LayerNorm) for layer in network),
        f"n_ensemble {mlp.n_ensemble}": len(mlp._trainings) > 1,
        f"{len(getattr(mlp, 'classes_', ()))} class": len(getattr(mlp, "classes_", (0, 1))) == 1,
    }
    for what, is_refused in refusals.items():
        if is_refused:
            raise ValueError(f"to_sklearn: scikit-learn's MLP has no {what}")
    made = next(theirs for theirs, ours in CLASSES.items() if isinstance(mlp, ours))
    theirs = made()
    names = theirs.get_params(deep=False)
    theirs.set_params(**{k: v for k, v in mlp.get_params(deep=False).items() if k in names})
    theirs.activation = SKLEARN_ACTIVATIONS[kinds.pop()]
    if made is neural_network.MLPRegressor:
        theirs.loss = "poisson" if mlp.out_activation_ == "exp" else "squared_error"
    else:
        theirs.classes_ = mlp.classes_.copy()
        labels = np.eye(mlp.n_outputs_, dtype=int)
        is_labels = mlp._coding.kind == "multilabel"
        theirs._label_binarizer = LabelBinarizer().fit(labels if is_labels else mlp.classes_)
    layers = plain_linears(network)
    theirs.coefs_ = [layer.weight.detach().numpy().T.copy() for layer in layers]
    theirs.intercepts_ = [layer.bias.detach().numpy().copy() for layer in layers]
    theirs._best_coefs = [each.copy() for each in theirs.coefs_]
    theirs._best_intercepts = [each.copy() for each in theirs.intercepts_]
    theirs._no_improvement_count = 0
    shared = *OF_A_TRAINING, *OF_CURVES, "n_outputs_", "n_layers_", "out_activation_"
    for name in shared:
        if hasattr(mlp, name):
            setattr(theirs, name, copy.copy(getattr(mlp, name)))
    return theirs


def activations_of(network):
    """The classes of what is between its layers."""
    others = nn.Linear, nn.BatchNorm1d, nn.LayerNorm, nn.Dropout
    return {type(layer) for layer in network if not isinstance(layer, others)}


def plain_linears(network):
    """The Linear layers of a network, with the batch norms behind them."""
    layers = []
    for layer in network:
        if isinstance(layer, nn.Linear):
            layers.append(layer)
        elif isinstance(layer, nn.BatchNorm1d):
            layers[-1] = fuse_linear_bn_eval(layers[-1], layer)
    return layers
