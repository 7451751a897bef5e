"""A detector of anomalies for scikit-learn: what a network that learned the usual cannot redraw is unusual."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import numpy as np

from funcnn.errors import check_range
from funcnn.estimators.autoencoding import autoencoding
from funcnn.estimators.network_estimator import NetworkEstimator, counted, transformed, weighted
from funcnn.estimators.scikit_learn import OutlierMixin, validate_data
from funcnn.estimators.training import OptimizerOption
from funcnn.layer import AnyLayer
from funcnn.losses.checks import check_not_nan
from funcnn.losses.combined import AnyLoss
from funcnn.losses.regression.squared_error import mean_squared_error
from funcnn.models.autoencoder import narrow_code
from funcnn.train.record import Callback
from funcnn.train.stopping import EarlyStopping
from funcnn.typing import Array

Self = TypeVar("Self", bound="AnomalyDetector")


class AnomalyDetector(OutlierMixin, NetworkEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An autoencoder that finds rows unlike the others, by how badly it redraws them.

    Parameters
    ----------
    contamination : float, optional
        The share of anomalies among the rows of ``fit``, in (0, 0.5]: as many of them are predicted as such.
    latent_size : int, optional
        Numbers of a code; by default half of the features, at most 8.
    hidden : sequence of int, optional
        The sizes of the layers between input and code; those between code and output are the same in reverse.
    loss : Loss, optional
        By default ``fn.mean_squared_error()``, of the standardized features.
    activation : Layer, optional
        By default ``fn.tanh()``.
    optimizer, learning_rate, weight_decay, epochs, batch_size, validation, early_stopping, standardize : optional
        As those of :class:`Regressor`.
    callbacks, progress, random_state : optional
        As those of :class:`Classifier`.

    Attributes
    ----------
    offset_ : float
        The score below which a row is predicted to be an anomaly.
    model_, params_, state_, opt_state_, scaler_, history_, loss_, loss_curve_, n_iter_, n_features_in_, feature_names_in_
        As those of :class:`Classifier`.

    Raises
    ------
    TypeError, ValueError
        By ``fit``, when a parameter or the data are wrong.

    Examples
    --------
    >>> import numpy as np
    >>> from funcnn.estimators import AnomalyDetector
    >>> random = np.random.default_rng(0)
    >>> usual = random.normal(size=(500, 2)) @ random.normal(size=(2, 10))
    >>> detector = AnomalyDetector(0.01, latent_size=2, random_state=0).fit(usual)
    >>> detector.predict(np.concatenate([usual[:1], usual[:1] + 4 * random.normal(size=10)]))
    array([ 1, -1])
    """

    def __init__(
        self,
        contamination: float = 0.1,
        *,
        latent_size: int | None = None,
        hidden: Sequence[int] = (100,),
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
        self.contamination = contamination
        self.latent_size = latent_size

    def fit(self: Self, X: object, y: object = None, sample_weight: object = None) -> Self:
        """Learn what is usual in inputs (n, features); y is not looked at.

        Parameters
        ----------
        X : array or frame (n, features)
        y : ignored
        sample_weight : array (n,), optional
            How much each row counts in training.

        Returns
        -------
        AnomalyDetector
            This one, fitted.
        """
        share = check_range(self.contamination, "contamination", 0.0, 0.5, open_low=True)
        x = validate_data(self, X, **self._table_options())
        x, _, weight = counted(x, np.arange(len(x)), self._weights(sample_weight, x))
        scaler = self._scaler(x, weight)
        scaled = transformed(scaler, x)
        code = narrow_code(x.shape[1]) if self.latent_size is None else self.latent_size
        network = autoencoding(x.shape[1], cast("Sequence[int]", self.hidden), code, self.activation)
        loss: AnyLoss = mean_squared_error() if self.loss is None else self.loss
        self._train(network, loss, (scaled, weighted(scaled, weight)), scaler_=scaler)
        self.offset_ = border(self._familiarity(scaled), weight, share)
        return self

    def score_samples(self, X: object) -> Array:
        """Return how usual each row is: minus the mean squared error of redrawing it, (n,), of standardized features."""
        return self._familiarity(self._inputs(X))

    def decision_function(self, X: object) -> Array:
        """Return the scores above the offset, (n,): below 0 for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: object) -> np.ndarray:
        """Return 1 for usual rows and -1 for anomalies, (n,)."""
        scores = self.decision_function(X)
        check_not_nan(scores, "the network's output")
        return np.where(scores < 0, -1, 1)

    def _familiarity(self, scaled: Array) -> Array:
        missed: Array = self._outputs(scaled) - scaled
        return cast(Array, -np.square(missed).mean(1))


def border(scores: Array, weight: Array | None, share: float) -> float:
    """Return the score below which lies that share of the rows, or of their weights, and no more."""
    order = np.argsort(scores)
    counts = np.ones(len(scores)) if weight is None else weight[order]
    below = np.flatnonzero(np.cumsum(counts) <= share * counts.sum() * (1 + 1e-12))  # a share of 0.1 is a little more than that
    return float(scores[order[min(len(below), len(scores) - 1)]])
