"""A transformer for scikit-learn: a table becomes a few numbers a row, from which it can be redrawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import numpy as np

from funcnn.estimators.autoencoding import autoencoding
from funcnn.estimators.network_estimator import NetworkEstimator, counted, transformed, weighted
from funcnn.estimators.scikit_learn import ClassNamePrefixFeaturesOutMixin, TransformerMixin, check_is_fitted, validate_data
from funcnn.estimators.training import OptimizerOption
from funcnn.layer import AnyLayer
from funcnn.losses.combined import AnyLoss
from funcnn.losses.regression.squared_error import mean_squared_error
from funcnn.train.evaluate import predict
from funcnn.train.record import Callback
from funcnn.train.stopping import EarlyStopping
from funcnn.typing import Array

Self = TypeVar("Self", bound="Encoder")


class Encoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NetworkEstimator):  # type: ignore[misc]  # no types there
    """The encoder of an autoencoder (Hinton and Salakhutdinov 2006): it learns codes from which the input can be redrawn.

    Parameters
    ----------
    latent_size : int, optional
        Numbers of a code.
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
    model_, params_, state_, opt_state_, scaler_, history_, loss_, loss_curve_, n_iter_, n_features_in_, feature_names_in_
        As those of :class:`Classifier`; the parts of ``model_`` are the encoder and the decoder.

    Raises
    ------
    TypeError, ValueError
        By ``fit``, when a parameter or the data are wrong.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from funcnn.estimators import Encoder
    >>> x, _ = load_digits(return_X_y=True)
    >>> Encoder(latent_size=3, epochs=5, random_state=0).fit_transform(x).shape
    (1797, 3)
    """

    def __init__(
        self,
        latent_size: int = 2,
        *,
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
        self.latent_size = latent_size

    def fit(self: Self, X: object, y: object = None, sample_weight: object = None) -> Self:
        """Learn to redraw inputs (n, features); y is not looked at.

        Parameters
        ----------
        X : array or frame (n, features)
        y : ignored
        sample_weight : array (n,), optional
            How much each row counts.

        Returns
        -------
        Encoder
            This one, fitted.
        """
        x = validate_data(self, X, **self._table_options())
        x, _, weight = counted(x, np.arange(len(x)), self._weights(sample_weight, x))
        scaler = self._scaler(x, weight)
        scaled = transformed(scaler, x)
        network = autoencoding(x.shape[1], cast("Sequence[int]", self.hidden), self.latent_size, self.activation)
        loss: AnyLoss = mean_squared_error() if self.loss is None else self.loss
        self._train(network, loss, (scaled, weighted(scaled, weight)), scaler_=scaler)
        return self

    def transform(self, X: object) -> Array:
        """Return the codes (n, latent_size) of inputs (n, features)."""
        x = self._inputs(X)
        return cast(Array, predict(self.model_.parts[0], self.params_[0], self.state_[0], x))

    def inverse_transform(self, X: object) -> Array:
        """Return the inputs (n, features) that codes (n, latent_size) stand for."""
        check_is_fitted(self)
        codes = np.asarray(X, self.params_[1][-1].bias.dtype)
        if codes.ndim != 2 or codes.shape[1] != self._n_features_out:
            raise ValueError(f"X has shape {codes.shape}, expected codes (n, {self._n_features_out}) as transform gives them")
        drawn = cast(Array, predict(self.model_.parts[1], self.params_[1], self.state_[1], codes))
        return drawn if self.scaler_ is None else self.scaler_.inverse(drawn)

    @property
    def _n_features_out(self) -> int:
        return self.latent_size

    def __sklearn_tags__(self) -> Any:  # Any: a record of scikit-learn, which has no types
        """Return what scikit-learn is to know of this estimator."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
