"""A regressor for scikit-learn."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np

from funcnn.data.scaling import Standardize
from funcnn.estimators.network_estimator import NetworkEstimator, counted, transformed, weighted
from funcnn.estimators.regression_losses import head, meaning, target_scaling
from funcnn.estimators.scikit_learn import RegressorMixin, validate_data
from funcnn.estimators.training import with_head
from funcnn.losses.combined import AnyLoss
from funcnn.losses.regression.squared_error import mean_squared_error
from funcnn.typing import Array

Self = TypeVar("Self", bound="Regressor")


class Regressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A network that predicts numbers: one for each row (n,), or several (n, outputs).

    Parameters
    ----------
    hidden, activation, optimizer, learning_rate, weight_decay, epochs, batch_size : optional
        As those of :class:`Classifier`.
    loss : Loss, optional
        By default ``fn.mean_squared_error()``.  Of ``poisson_nll`` and ``tweedie_nll`` the prediction is the mean, and of
        ``gaussian_nll``, ``gaussian_crps`` and ``student_t_nll`` the location; the network ends as they need it.  Another loss
        is given the prediction and the target as they are.
    validation : float, optional
        The share of the rows to hold out.  The history then has ``val_loss``.
    early_stopping, callbacks, progress, random_state : optional
        As those of :class:`Classifier`.
    standardize : bool, optional
        Whether each feature is brought to mean 0 and variance 1, and with it the target, as far as the best prediction goes
        along: for squared, absolute, Huber and pinball errors and losses with a scale of their own; for counts, amounts and
        relative errors it is divided by its mean size; for all others it stays.  The losses of the history are those of the
        scaled target.

    Attributes
    ----------
    model_, params_, state_, opt_state_, scaler_, history_, loss_, loss_curve_, n_iter_
        As those of :class:`Classifier`.
    target_scaler_ : Standardize or None
        What was done to the target.
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
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import cross_val_score
    >>> from funcnn.estimators import Regressor
    >>> x, y = load_diabetes(return_X_y=True)
    >>> bool(cross_val_score(Regressor(random_state=0), x, y).mean() > 0.4)
    True
    """

    def fit(self: Self, X: object, y: object, sample_weight: object = None) -> Self:
        """Train on inputs (n, ...) and numbers.

        Parameters
        ----------
        X : array or frame (n, ...)
        y : array (n,) or (n, outputs)
        sample_weight : array (n,), optional
            How much each row counts: 2 is that row twice, 0 a row that is not there.

        Returns
        -------
        Regressor
            This one, fitted.
        """
        x, columns, single, weight = self._rows(X, y, sample_weight, reset=True)
        loss = self._loss()
        scaler = self._scaler(x, weight)
        target_scaler = self._target_scaler(columns, weight)
        data = transformed(scaler, x), weighted(transformed(target_scaler, columns), weight)
        kind = meaning(loss)
        network = with_head(self._body(), head(kind, columns.shape[1]))
        self._train(
            network, loss, data, scaler_=scaler, target_scaler_=target_scaler, single_=single, meaning_=kind, loss_function_=loss
        )
        return self

    def partial_fit(self: Self, X: object, y: object, sample_weight: object = None) -> Self:
        """Take one pass through some rows, from where the estimator stands.

        Parameters
        ----------
        X : array or frame (n, ...)
        y : array (n,) or (n, outputs)
        sample_weight : array (n,), optional

        Returns
        -------
        Regressor
            This one.  Features and target are standardized by the rows of the first call.
        """
        first = not hasattr(self, "params_")
        x, columns, single, weight = self._rows(X, y, sample_weight, reset=first)
        loss = self._loss()
        if first:
            self.scaler_, self.target_scaler_ = self._scaler(x, weight), self._target_scaler(columns, weight)
            self.single_, self.meaning_, self.loss_function_ = single, meaning(loss), loss
        target = weighted(transformed(self.target_scaler_, columns), weight)
        network = with_head(self._body(), head(self.meaning_, columns.shape[1]))
        self._pass(network, self.loss_function_, (self._scaled(x), target))
        return self

    def predict(self, X: object) -> Array:
        """Return the prediction, (n,) or (n, outputs), for inputs (n, ...)."""
        outputs = self._outputs(self._inputs(X))
        location = self.meaning_.link(outputs[0] if self.meaning_.parts > 1 else outputs)
        found = location if self.target_scaler_ is None else self.target_scaler_.inverse(location)
        return found[:, 0] if self.single_ else found

    def _loss(self) -> AnyLoss:
        made: AnyLoss = mean_squared_error() if self.loss is None else self.loss
        return made

    def _rows(self, X: object, y: object, sample_weight: object, *, reset: bool) -> tuple[Array, Array, bool, Array | None]:
        """Return inputs, targets (n, outputs), whether there is one number a row, and weights; of the rows that count."""
        x, y = validate_data(self, X, y, multi_output=True, y_numeric=True, reset=reset, **self._table_options())
        numbers = np.asarray(y)
        kept, numbers, weight = counted(x, numbers, self._weights(sample_weight, x))
        numbers = numbers.astype(x.dtype if x.dtype.kind == "f" else np.float64)
        return kept, cast(Array, numbers.reshape(len(numbers), -1)), numbers.ndim == 1, weight

    def _target_scaler(self, columns: Array, weight: Array | None) -> Standardize | None:
        return target_scaling(meaning(self._loss()), columns, weight) if self.standardize else None

    def __sklearn_tags__(self) -> Any:  # Any: a record of scikit-learn, which has no types
        """Return what scikit-learn is to know of this estimator."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
