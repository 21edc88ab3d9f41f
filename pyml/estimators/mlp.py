"""MLPClassifier and MLPRegressor."""

import time
import warnings
from contextlib import contextmanager
from functools import partial

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from pyml.config import get_num_threads
from pyml.estimators.fitting import Limit, Training
from pyml.estimators.losses import loss_of
from pyml.estimators.networks import Arrays, architecture, linears
from pyml.estimators.rows import outputs_of
from pyml.estimators.solvers import is_descent
from pyml.estimators.targets import Values, classes_or_labels
from pyml.estimators.validation import check_parameters
from pyml.grad_mode import no_grad
from pyml.train.crew import each_of

__all__ = ["MLPClassifier", "MLPRegressor"]


def say_of(i, words):
    """A line in one write: networks on other threads write, too."""
    print(f"Network {i + 1}: {words}\n", end="")


class MLP(BaseEstimator):
    """What both have in common."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # ---- fit -------------------------------------------------------------------------------------

    def fit(self, X, y, sample_weight=None):
        """Trains the network; with warm_start it goes on where the last call stood.

        Args:
            X: (n, features), an array, a frame or a sparse matrix.
            y: the targets, (n,) or (n, outputs).
            sample_weight: of each row, (n,), >= 0. Default: 1.

        Returns:
            The estimator.

        Raises:
            TypeError, ValueError: for parameters and data that are not as said, and if the loss
                becomes infinite. The estimator is then as it was before; where it went on, with the
                weights of before that step.
        """
        with unchanged_if_raised(self):
            is_new = not (self.warm_start and hasattr(self, "_trainings"))
            return self._fit(X, y, sample_weight, is_new)

    def _has_partial_fit(self):
        if is_descent(self):
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
            )
        return True

    def _fit(self, X, y, sample_weight, is_new, classes=None, is_partial=False):
        began = time.monotonic()
        check_parameters(self)
        dtypes = (np.float64, np.float32) if self.dtype is None else np.dtype(self.dtype)
        if not is_new:
            self._check_networks(is_partial)
            dtypes = self._trainings[0].dtype
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=not hasattr(self, "predict_proba"),
            dtype=dtypes,
            reset=is_new,
        )
        who = "partial_fit" if is_partial else "fit"
        coding, numbers = self._coded(y, is_new, classes, is_partial)
        weight = self._weights(X, coding, numbers, sample_weight)
        if weight is not None and not weight.any():  # which scikit-learn says from 1.8 on
            raise ValueError(
                f"{who}: all rows have weight 0, by sample_weight or class_weight. Sample weights "
                "must contain at least one non-zero number."
            )
        loss = loss_of(self, coding.kind)
        if sparse.issparse(X):
            X = X.tocsr()
        if is_new:
            random = check_random_state(self.random_state)
            self._trainings = [
                Training(self, coding, X.shape[1], X.dtype, random) for _ in range(self.n_ensemble)
            ]
        self._coding, self._loss = coding, loss
        self._train(X, numbers, weight, began, is_new, is_partial)
        self._publish()
        return self

    def _check_networks(self, is_partial):
        """Raises ValueError if parameters are no longer those of the networks that are trained."""
        training = self._trainings[0]
        made = {"n_ensemble": len(self._trainings), "dtype": training.dtype.name}
        own = architecture(self)
        wanted = {"n_ensemble": self.n_ensemble, "dtype": made["dtype"]} | own
        made |= getattr(training, "architecture", own)  # older pickles have none
        if self.dtype is not None:
            wanted["dtype"] = np.dtype(self.dtype).name
        for name, value in wanted.items():
            if value != made[name]:
                who = "partial_fit" if is_partial else "fit"
                raise ValueError(
                    f"{who}: {name} is {value!r}, the networks that are trained have "
                    f"{made[name]!r}; set it back, or fit without warm_start"
                )

    def _train(self, X, numbers, weight, began, is_new, is_partial):
        """Trains the networks, one alone here, several on threads."""
        trainings, count = self._trainings, len(self._trainings)
        threads, is_interrupted = min(get_num_threads(), count), False
        is_limited = count > 1 or self.max_seconds is not None
        limits = [Limit() if is_limited else None for _ in trainings]

        def train(i):
            if self.max_seconds is not None:
                limits[i].take_share(began + self.max_seconds, rounds=-(-(count - i) // threads))
            trainings[i].fit(
                *(self, self._coding, self._loss, X, numbers, weight),
                limit=limits[i],
                says=print if count == 1 else partial(say_of, i),
                is_partial=is_partial,
            )
            return trainings[i]

        def stop(why):
            nonlocal is_interrupted
            is_interrupted = True
            for limit in limits:
                limit.end()

        if count == 1:
            train(0)
        else:
            trained = each_of([partial(train, i) for i in range(count)], threads, stop)
            if is_interrupted:
                trainings[0].warn("Training interrupted by user.")
                self._trainings = [t for t in trained if t is not None] if is_new else trainings
                if not self._trainings:
                    raise KeyboardInterrupt
        for words, category in dict.fromkeys(each for t in trainings for each in t.warnings):
            warnings.warn(words, category, stacklevel=4)

    def _weights(self, X, coding, numbers, sample_weight):
        """Of the rows, (n,), or None."""
        if sample_weight is None:
            return None
        return _check_sample_weight(sample_weight, X, ensure_non_negative=True)

    def _publish(self):
        """What scikit-learn's estimators say of a training: that of the first network."""
        training = self._trainings[0]
        is_descent = not training.loss_curve
        is_scored = bool(self.early_stopping and training.scores)
        self.loss_ = training.loss
        self.n_iter_ = training.n_iter
        self.t_ = training.t
        self.n_outputs_ = self._coding.outputs
        self.n_layers_ = len(linears(training.network)) + 1
        self.out_activation_ = self._loss.out_activation
        if is_descent:
            return
        self.loss_curve_ = list(training.loss_curve)
        self.best_loss_ = None if is_scored else training.best_loss
        self.validation_scores_ = list(training.scores) if is_scored else None
        self.best_validation_score_ = training.best_score if is_scored else None

    # ---- predict ---------------------------------------------------------------------------------

    def predict(self, X):
        """Classes, or values.

        Args:
            X: (n, features), as in fit.

        Returns:
            An array, (n,) or (n, outputs).
        """
        outputs = self._linked(X)
        return self._coding.named(self._coding.decide(outputs))

    def _linked(self, X):
        """Values or probabilities, (n, outputs); of an ensemble their mean."""
        check_is_fitted(self)
        dtype = self._trainings[0].dtype
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=dtype, reset=False)
        if sparse.issparse(X):
            X = X.tocsr()
        with no_grad():
            parts = [
                self._loss.link(outputs_of(training.predictor, X)).numpy()
                for training in self._trainings
            ]
        return parts[0] if len(parts) == 1 else np.mean(parts, axis=0, dtype=dtype)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_trainings")

    @property
    def networks_(self):
        """The nn.Modules that predict, a list of n_ensemble."""
        return [training.predictor for training in self._of_fit("networks_")]

    @property
    def coefs_(self):
        """The weights of each layer, (inputs, outputs), of the first network; they are its memory.

        What is assigned, all or one of them, is copied into it.
        """
        return self._arrays("coefs_", "weight")

    @coefs_.setter
    def coefs_(self, values):
        self.coefs_[:] = values

    @property
    def intercepts_(self):
        """The biases of each layer, (outputs,), as coefs_."""
        return self._arrays("intercepts_", "bias")

    @intercepts_.setter
    def intercepts_(self, values):
        self.intercepts_[:] = values

    def _arrays(self, name, kind):
        layers = linears(self._of_fit(name)[0].predictor)
        return Arrays(name, [getattr(layer, kind).detach().numpy().T for layer in layers])

    def _of_fit(self, name):
        if "_trainings" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no {name} before fit")
        return self._trainings


def take(estimator, arguments):
    """What __init__ does: the arguments, its locals(), become attributes."""
    for name, value in arguments.items():
        if name != "self":
            setattr(estimator, name, value)


@contextmanager
def unchanged_if_raised(estimator):
    """Attributes, of its trainings too, are as they were if what is done here raises."""
    parts = estimator, *vars(estimator).get("_trainings", ())
    before = [dict(vars(part)) for part in parts]
    try:
        yield
    except BaseException:
        for part, attributes in zip(parts, before, strict=True):
            vars(part).clear()
            vars(part).update(attributes)
        raise


def balanced(numbers, weight):
    """Weights of classes by which those that are there weigh the same, (classes,).

    Args:
        numbers: of each row's class.
        weight: of each row, or None; a weight of 2 is a row that is there twice.
    """
    counts = np.bincount(numbers, weight).astype(np.float64)
    weights, is_there = np.zeros(len(counts)), counts > 0
    weights[is_there] = counts.sum() / (is_there.sum() * counts[is_there])
    return weights


class MLPClassifier(ClassifierMixin, MLP):
    """A multi-layer perceptron for classes, or for several labels a row.

    Cross entropy of softmax, or of sigmoids for two classes and for labels, is minimised.
    Parameters up to max_fun, attributes and methods are those of scikit-learn's MLPClassifier.

    Args:
        hidden_layer_sizes: widths of the hidden layers, a list, or a number for one. Default:
            (100,).
        activation: of the hidden layers: scikit-learn's "identity", "logistic", "tanh", "relu", or
            any of pyml.nn by name, "gelu", "silu", ... Default: "relu".
        solver: "adam"; "sgd"; or "lbfgs", SciPy's L-BFGS-B on all rows at once. Default: "adam".
        alpha: alpha / 2 of the sum of the squared weights, over the rows of a batch, is added to
            its loss. Default: 1e-4.
        batch_size: rows of a step, or "auto", 200 at most. Default: "auto".
        learning_rate: of "sgd", or of `optimizer`: "constant"; "invscaling", learning_rate_init /
            (t_ + 1)^power_t after each iteration; or "adaptive", a fifth each time that nothing has
            got better, down to 1e-6. Default: "constant".
        learning_rate_init: the learning rate. Default: 1e-3.
        power_t: of "invscaling". Default: 0.5.
        max_iter: iterations at most; of "adam" and "sgd" passes over the rows. Default: 200.
        shuffle: a new order of the rows in each iteration. Default: True.
        random_state: of the first weights, the rows held out, the order of the rows and dropout; a
            number, a RandomState or None. The same number gives the same bits. Default: None.
        tol: how much better the loss, or with early_stopping the score, must be to count; the
            gradient at which "lbfgs" ends. Default: 1e-4.
        verbose: print each iteration. Default: False.
        warm_start: fit goes on where the last call stood. Default: False.
        momentum, nesterovs_momentum: of "sgd". Defaults: 0.9, True.
        early_stopping: hold out validation_fraction of the rows, each class by its share, and
            stop when their score gets no better; the weights of the best one predict. Default:
            False.
        validation_fraction: the share held out, in [0, 1). Default: 0.1.
        beta_1, beta_2, epsilon: of "adam". Defaults: 0.9, 0.999, 1e-8.
        n_iter_no_change: how many iterations may be no better before it stops. Default: 10.
        max_fun: evaluations of the loss by "lbfgs" at most. Default: 15000.
        dropout: the probability of dropping an activation of a hidden layer. Default: 0.
        batch_norm, layer_norm: normalise before each activation. Defaults: False.
        class_weight: {class: weight}, which multiplies sample_weight, or "balanced" for the same
            weight of all classes of a call's rows, times sample_weight; of labels a list of dicts.
            Default: None.
        label_smoothing: the share of a target that is spread over all classes. Default: 0.
        optimizer: in place of `solver`, one of pyml.optim by name, "adamw", "lion", ..., or a
            function of (parameters, lr). Default: None.
        schedule: a factor of the rate of each step, from the first to the last of max_iter
            iterations: "linear", "cosine", "warmup_cosine" or "exponential". Each fit begins it
            anew; partial_fit goes on in it, and begins it anew when it is over. Default: None.
        n_ensemble: how many networks are trained, from different seeds; their mean predicts.
            Default: 1.
        max_seconds: when fit ends at the latest. Default: None.
        dtype: "float32" or "float64", of all that is computed. Default: that of X.

    Attributes:
        classes_: the classes, sorted; of labels their numbers.
        loss_, best_loss_, loss_curve_: of the training rows, with the penalty: the last, the least,
            and that of each iteration; best_loss_ is None with early_stopping.
        validation_scores_, best_validation_score_: accuracies of the rows held out, with
            early_stopping; else None.
        n_iter_: iterations of the last call.
        t_: rows seen in all.
        coefs_, intercepts_: weights (inputs, outputs) and biases of each layer: the memory of the
            first network.
        networks_: the nn.Sequentials that predict.
        n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_: as in
            scikit-learn.

    Raises:
        TypeError, ValueError: in fit, for a parameter that is not as said.

    Example:
        >>> mlp = MLPClassifier(early_stopping=True, random_state=1).fit(X, y)
        >>> mlp.predict_proba(X[:4]).shape
        (4, 3)
    """

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        dropout=0.0,
        batch_norm=False,
        layer_norm=False,
        class_weight=None,
        label_smoothing=0.0,
        optimizer=None,
        schedule=None,
        n_ensemble=1,
        max_seconds=None,
        dtype=None,
    ):
        take(self, locals())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @available_if(MLP._has_partial_fit)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """One iteration on rows, from where the network stands.

        With early_stopping it goes on from the best weights, and nothing is held out.

        Args:
            X, y, sample_weight: as of fit.
            classes: all classes there will be, in the first call; in a later one, those that are
                new with those before: the network gets an output for each. Not needed for labels.
                Default: those of the first call.

        Returns:
            The estimator.

        Raises:
            TypeError, ValueError: as fit, and for a class of y that is not among them.
        """
        with unchanged_if_raised(self):
            is_new = not hasattr(self, "_trainings")
            return self._fit(X, y, sample_weight, is_new, classes, is_partial=True)

    def _coded(self, y, is_new, classes, is_partial):
        coding, y = classes_or_labels(y, classes)
        is_labels = coding.kind == "multilabel"
        if is_new and is_partial and classes is None and not is_labels:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if is_new:
            self.classes_ = coding.classes
            return coding, coding.numbers(y, "partial_fit" if is_partial else "fit")
        before = self._coding
        if is_labels != (before.kind == "multilabel"):
            raise ValueError(
                f"fit: y is {coding.kind}, at the first fit it was {before.kind}; fit without "
                "warm_start"
            )
        if classes is not None and not is_labels:
            numbers = coding.numbers(y, "partial_fit")
            return self._more_classes(coding), numbers
        if not is_partial and not np.array_equal(coding.classes, before.classes):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {coding.classes}"
            )
        return before, before.numbers(y, "partial_fit")

    def _more_classes(self, coding):
        """The coding that is gone on with, where partial_fit is given classes."""
        before = self._coding
        if np.array_equal(coding.classes, before.classes):
            return before
        if lost := set(before.classes.tolist()) - set(coding.classes.tolist()):
            raise ValueError(
                f"partial_fit: classes lacks {sorted(lost)}, which the network knows; pass the "
                f"classes_ {before.classes} and those that are new"
            )
        for training in self._trainings:
            training.widen(self, before, coding)
        self.classes_ = coding.classes
        return coding

    def _weights(self, X, coding, numbers, sample_weight):
        weight = super()._weights(X, coding, numbers, sample_weight)
        if self.class_weight is None:
            return weight
        who = f"{type(self).__name__}: class_weight is {self.class_weight!r}"
        is_labels = coding.kind == "multilabel"
        columns = numbers.T if is_labels else [numbers]
        given = self.class_weight
        if given == "balanced" or not is_labels:
            given = [given] * len(columns)
        if not isinstance(given, list) or len(given) != len(columns):
            raise ValueError(
                f"{who}, of labels it must be a list of {len(columns)} dicts or 'balanced'"
            )
        of_rows = np.ones(len(numbers))
        for each, column in zip(given, columns, strict=True):
            if each == "balanced":
                of_classes = balanced(column, weight)
            else:
                of_classes = compute_sample_weight(each, [0, 1] if is_labels else coding.classes)
            if not (of_classes >= 0).all() or np.isinf(of_classes).any():
                raise ValueError(f"{who}, weights must be finite and >= 0")
            of_rows *= of_classes[column]
        return of_rows if weight is None else weight * of_rows

    def predict_proba(self, X):
        """Probabilities.

        Args:
            X: (n, features), as in fit.

        Returns:
            An array, (n, classes), in the order of classes_, whose rows sum to 1, also of a single
            class; of labels (n, labels), each that it is 1.
        """
        outputs = self._linked(X)
        return self._coding.probabilities(outputs)

    def predict_log_proba(self, X):
        """Logarithms of predict_proba."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))


class MLPRegressor(RegressorMixin, MLP):
    """A multi-layer perceptron for numbers, in one or more columns.

    Parameters up to max_fun, attributes and methods are those of scikit-learn's MLPRegressor.

    Args:
        loss: "squared_error" (halved), "absolute_error", "huber", "quantile"; "poisson" and "gamma"
            (half deviances), whose predictions are exp of the outputs. Default: "squared_error".
        hidden_layer_sizes: widths of the hidden layers, a list, or a number for one. Default:
            (100,).
        activation: of the hidden layers: scikit-learn's "identity", "logistic", "tanh", "relu", or
            any of pyml.nn by name, "gelu", "silu", ... Default: "relu".
        solver: "adam"; "sgd"; or "lbfgs", SciPy's L-BFGS-B on all rows at once. Default: "adam".
        alpha: alpha / 2 of the sum of the squared weights, over the rows of a batch, is added to
            its loss. Default: 1e-4.
        batch_size: rows of a step, or "auto", 200 at most. Default: "auto".
        learning_rate: of "sgd", or of `optimizer`: "constant"; "invscaling", learning_rate_init /
            (t_ + 1)^power_t after each iteration; or "adaptive", a fifth each time that nothing has
            got better, down to 1e-6. Default: "constant".
        learning_rate_init: the learning rate. Default: 1e-3.
        power_t: of "invscaling". Default: 0.5.
        max_iter: iterations at most; of "adam" and "sgd" passes over the rows. Default: 200.
        shuffle: a new order of the rows in each iteration. Default: True.
        random_state: of the first weights, the rows held out, the order of the rows and dropout; a
            number, a RandomState or None. The same number gives the same bits. Default: None.
        tol: how much better the loss, or with early_stopping the score, must be to count; the
            gradient at which "lbfgs" ends. Default: 1e-4.
        verbose: print each iteration. Default: False.
        warm_start: fit goes on where the last call stood. Default: False.
        momentum, nesterovs_momentum: of "sgd". Defaults: 0.9, True.
        early_stopping: hold out validation_fraction of the rows, drawn at random, and
            stop when their score gets no better; the weights of the best one predict. Default:
            False.
        validation_fraction: the share held out, in [0, 1). Default: 0.1.
        beta_1, beta_2, epsilon: of "adam". Defaults: 0.9, 0.999, 1e-8.
        n_iter_no_change: how many iterations may be no better before it stops. Default: 10.
        max_fun: evaluations of the loss by "lbfgs" at most. Default: 15000.
        quantile: of "quantile", in [0, 1]. Default: 0.5.
        delta: of "huber": where the loss becomes linear. Default: 1.
        dropout: the probability of dropping an activation of a hidden layer. Default: 0.
        batch_norm, layer_norm: normalise before each activation. Defaults: False.
        optimizer: in place of `solver`, one of pyml.optim by name, "adamw", "lion", ..., or a
            function of (parameters, lr). Default: None.
        schedule: a factor of the rate of each step, from the first to the last of max_iter
            iterations: "linear", "cosine", "warmup_cosine" or "exponential". Each fit begins it
            anew; partial_fit goes on in it, and begins it anew when it is over. Default: None.
        n_ensemble: how many networks are trained, from different seeds; their mean predicts.
            Default: 1.
        max_seconds: when fit ends at the latest. Default: None.
        dtype: "float32" or "float64", of all that is computed. Default: that of X.

    Attributes:
        loss_, best_loss_, loss_curve_: of the training rows, with the penalty: the last, the least,
            and that of each iteration; best_loss_ is None with early_stopping.
        validation_scores_, best_validation_score_: R^2 of the rows held out, with early_stopping;
            else None.
        n_iter_: iterations of the last call.
        t_: rows seen in all.
        coefs_, intercepts_: weights (inputs, outputs) and biases of each layer: the memory of the
            first network.
        networks_: the nn.Sequentials that predict.
        n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_: as in
            scikit-learn.

    Raises:
        TypeError, ValueError: in fit, for a parameter that is not as said.

    Example:
        >>> mlp = MLPRegressor("quantile", quantile=0.9, random_state=1).fit(X, y)
        >>> mlp.predict(X[:4]).shape
        (4,)
    """

    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        quantile=0.5,
        delta=1.0,
        dropout=0.0,
        batch_norm=False,
        layer_norm=False,
        optimizer=None,
        schedule=None,
        n_ensemble=1,
        max_seconds=None,
        dtype=None,
    ):
        take(self, locals())

    @available_if(MLP._has_partial_fit)
    def partial_fit(self, X, y, sample_weight=None):
        """One iteration on rows, from where the network stands.

        With early_stopping it goes on from the best weights, and nothing is held out.

        Args:
            X, y, sample_weight: as of fit.

        Returns:
            The estimator.

        Raises:
            TypeError, ValueError: as fit.
        """
        with unchanged_if_raised(self):
            is_new = not hasattr(self, "_trainings")
            return self._fit(X, y, sample_weight, is_new, is_partial=True)

    def _coded(self, y, is_new, classes, is_partial):
        who = "partial_fit" if is_partial else "fit"
        if sparse.issparse(y):
            raise TypeError(f"{who}: y is sparse, it must be an array; pass y.toarray()")
        if y.dtype.kind not in "biuf":
            raise TypeError(
                f"{who}: y has dtype {y.dtype}, it must be of numbers, as y.astype(float) is"
            )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        coding = Values(1 if y.ndim == 1 else y.shape[1]) if is_new else self._coding
        numbers = coding.numbers(y, who)
        least = loss_of(self, coding.kind).least
        if least is not None and (numbers < least).any():
            rule = ">= 0" if least == 0 else "> 0"
            raise ValueError(
                f"{who}: y has {numbers.min():g}, for loss {self.loss!r} targets must be {rule}"
            )
        return coding, numbers
