"""A classifier for scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np

from funcnn.estimators.class_targets import class_targets, labels_of
from funcnn.estimators.codings import coding_of
from funcnn.estimators.network_estimator import NetworkEstimator, counted, transformed, weighted
from funcnn.estimators.scikit_learn import ClassifierMixin, available_if, compute_sample_weight, validate_data
from funcnn.estimators.training import OptimizerOption, with_head
from funcnn.layer import AnyLayer
from funcnn.losses.combined import AnyLoss
from funcnn.train.record import Callback
from funcnn.train.stopping import EarlyStopping
from funcnn.typing import Array

Self = TypeVar("Self", bound="Classifier")
ClassWeight = Mapping[Any, float] | Sequence[Mapping[Any, float]] | str | None  # Any: labels may be of any kind


def _has_probabilities(estimator: Classifier) -> bool:
    if estimator.loss is not None and coding_of(estimator.loss).probabilities is None:
        raise AttributeError(f"{estimator.loss.name} knows no probabilities: fn.softmax_cross_entropy() does")
    return True


class Classifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A network that tells classes apart.

    It takes tables (n, features), and with a layer of one's own as ``hidden`` inputs of any shape, such as images.  A target may
    have one label a row (n,), of any kind; several labels a row, a table of 0 and 1 (n, labels); or several outputs, each with
    classes of its own (n, outputs).  What the network ends with follows from the target and the loss.

    Parameters
    ----------
    hidden : sequence of int, or Layer, optional
        The sizes of the layers between input and output, or a layer in their place: anything that ends with features (n, m).
    activation : Layer, optional
        Follows each of these sizes; by default ``fn.relu()``.
    loss : Loss, optional
        By default ``fn.softmax_cross_entropy()``, and of several labels a row ``fn.sigmoid_cross_entropy()``.  All losses of
        classes are known; those of margins (``multi_margin``, ``hinge``, ``squared_hinge``) have no ``predict_proba``.  Another
        loss is given labels and logits.
    optimizer : Optimizer or callable, optional
        An optimizer, or a function that makes one of a learning rate, such as ``fn.nesterov``.  By default ``fn.adamw``.
    learning_rate : float, optional
        By default 0.02: it rises to that over a tenth of the steps, and follows a cosine down to 0.  In ``partial_fit`` it is
        constant, by default 0.001.
    weight_decay : float, optional
        Of AdamW, by default 0.1.
    epochs : int, optional
        Passes through the data.
    batch_size : int, optional
        Rows of a batch, or all if there are fewer.
    validation : float, optional
        The share of the rows to hold out, of every class as of all.  The history then has ``val_loss``.
    early_stopping : EarlyStopping, optional
        When to stop, on a column of the history: ``fn.EarlyStopping(patience=5)`` needs ``validation``.
    standardize : bool, optional
        Whether each feature is brought to mean 0 and variance 1.  Without it, and with a layer as ``hidden``, integers stay
        integers, as embeddings take them.
    callbacks : sequence of callable, optional
        As those of :func:`funcnn.fit`.
    progress : bool, optional
        Whether progress is shown.
    random_state : int, RandomState or None, optional
        An integer makes equal fits equal, bit for bit.
    class_weight : dict, list of dict, "balanced" or None, optional
        How much each class counts, as everywhere in scikit-learn; ``sample_weight`` is multiplied by it.

    Attributes
    ----------
    classes_ : array, or list of arrays
        The labels, for several outputs those of each.
    model_ : Layer
        The network, for everything else in this library: ``fn.predict``, ``fn.summary``, ``fn.save``.
    params_, state_, opt_state_ : tree
    scaler_ : Standardize or None
        What is done to inputs before ``model_`` sees them.
    history_ : History
        The figures of each epoch.
    loss_, loss_curve_ : float, list of float
        The loss of the last epoch, and of all.
    n_iter_ : int
        Epochs.
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.

    Raises
    ------
    TypeError, ValueError
        By ``fit``, when a parameter or the data are wrong.
    DivergenceError
        By ``fit``, with what was learned in its ``fit``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from funcnn.estimators import Classifier
    >>> x, y = load_iris(return_X_y=True)
    >>> bool(cross_val_score(Classifier(random_state=0), x, y).mean() > 0.9)
    True
    """

    def __init__(
        self,
        hidden: Sequence[int] | AnyLayer = (100,),
        *,
        activation: AnyLayer | None = None,
        loss: AnyLoss | None = None,
        optimizer: OptimizerOption = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        epochs: int = 20,
        batch_size: int = 64,
        validation: float | None = None,
        early_stopping: EarlyStopping | None = None,
        standardize: bool = True,
        callbacks: Sequence[Callback[Any, Any]] = (),
        progress: bool = False,
        random_state: int | np.random.RandomState | None = None,
        class_weight: ClassWeight = None,
    ) -> None:
        super().__init__(
            hidden,
            activation=activation,
            loss=loss,
            optimizer=optimizer,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            epochs=epochs,
            batch_size=batch_size,
            validation=validation,
            early_stopping=early_stopping,
            standardize=standardize,
            callbacks=callbacks,
            progress=progress,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(self: Self, X: object, y: object, sample_weight: object = None) -> Self:
        """Train on inputs (n, ...) and labels.

        Parameters
        ----------
        X : array or frame (n, ...)
        y : array (n,) or (n, outputs)
        sample_weight : array (n,), optional
            How much each row counts: 2 is that row twice, 0 a row that is not there.

        Returns
        -------
        Classifier
            This one, fitted.
        """
        x, y = validate_data(self, X, y, multi_output=True, **self._table_options())
        x, labels, weight = counted(x, labels_of(y), self._weights(sample_weight, x))
        targets = class_targets(labels, self.loss)
        scaler = self._scaler(x, weight)
        target = weighted(targets.encode(labels, x), self._with_class_weight(labels, weight, x))
        stratify = np.unique(labels, return_inverse=True)[1] if labels.ndim == 1 else None
        network, data = with_head(self._body(), targets.head()), (transformed(scaler, x), target)
        self._train(network, targets.loss, data, stratify, scaler_=scaler, classes_=targets.names, targets_=targets)
        return self

    def partial_fit(self: Self, X: object, y: object, classes: object = None, sample_weight: object = None) -> Self:
        """Take one pass through some rows, from where the estimator stands.

        Parameters
        ----------
        X : array or frame (n, ...)
        y : array (n,) or (n, labels)
        classes : array, optional
            All labels that there will be; needed at the first call, unless y is a table of 0 and 1.
        sample_weight : array (n,), optional

        Returns
        -------
        Classifier
            This one.  Features are standardized by the rows of the first call.
        """
        first = not hasattr(self, "params_")
        x, y = validate_data(self, X, y, multi_output=True, reset=first, **self._table_options())
        if isinstance(self.class_weight, str):
            raise ValueError("class_weight is 'balanced', and what balances the classes is not known from some rows: give a dict")
        x, labels, weight = counted(x, labels_of(y), self._weights(sample_weight, x))
        names = None if classes is None else np.unique(np.asarray(classes))
        if first:
            if names is None and labels.ndim == 1:
                raise ValueError("classes must be passed on the first call to partial_fit: all labels that there will be")
            self.targets_ = class_targets(labels, self.loss, names)
            self.classes_, self.scaler_ = self.targets_.names, self._scaler(x, weight)
        elif names is not None and not np.array_equal(names, self.classes_):
            raise ValueError(f"classes is {names.tolist()}, and was {self.classes_!r} at the first call of partial_fit")
        target = weighted(self.targets_.encode(labels, x), self._with_class_weight(labels, weight, x))
        self._pass(with_head(self._body(), self.targets_.head()), self.targets_.loss, (self._scaled(x), target))
        return self

    def predict(self, X: object) -> np.ndarray:
        """Return the most probable labels, (n,) or (n, outputs), of inputs (n, ...)."""
        x = self._inputs(X)
        return self.targets_.decode(self._outputs(x))

    def decision_function(self, X: object) -> Array | list[Array]:
        """Return a score for each class (n, classes); of two classes that of the second, (n,), above 0 where it is predicted.

        Of several outputs it is a list with the scores of each.
        """
        x = self._inputs(X)
        return self.targets_.scores(self._outputs(x))

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict_proba(self, X: object) -> Array | list[Array]:
        """Return the probabilities of the classes (n, classes), or of each label (n, labels).

        Of several outputs it is a list with the probabilities of each.
        """
        x = self._inputs(X)
        return self.targets_.probabilities(self._outputs(x))

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict_log_proba(self, X: object) -> Array | list[Array]:
        """Return the logarithms of :meth:`predict_proba`."""
        found = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return [np.log(one) for one in found] if isinstance(found, list) else np.log(found)

    def _with_class_weight(self, labels: np.ndarray, weight: Array | None, x: Array) -> Array | None:
        """Return the weights of the rows times those of their classes."""
        if self.class_weight is None:
            return weight
        of_classes = compute_sample_weight(self.class_weight, labels).astype(x.dtype if x.dtype.kind == "f" else float)
        return cast(Array, of_classes if weight is None else weight * of_classes)

    def __sklearn_tags__(self) -> Any:  # Any: a record of scikit-learn, which has no types
        """Return what scikit-learn is to know of this estimator."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags
