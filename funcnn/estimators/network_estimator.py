"""What all estimators have in common: parameters, the check of inputs, training, and the outputs of the trained network.

scikit-learn asks for an object that changes when it is fitted.  That is all that happens here: attributes whose names end with an
underscore are set, and what they hold is made by pure functions (:mod:`funcnn.estimators.training`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from funcnn import tree
from funcnn.data.dataset import take
from funcnn.data.scaling import Standardize
from funcnn.errors import check_count
from funcnn.estimators.scikit_learn import BaseEstimator, check_is_fitted, check_random_state, check_sample_weight, validate_data
from funcnn.estimators.standardizing import standardization
from funcnn.estimators.training import (
    AnyFit,
    AnyPoint,
    AnyStep,
    OptimizerOption,
    Settings,
    body,
    one_pass,
    optimizer_for,
    step_of,
    trained,
)
from funcnn.key import Key
from funcnn.layer import AnyLayer, Layer
from funcnn.losses.combined import AnyLoss
from funcnn.losses.weighted import Weighted
from funcnn.train.evaluate import predict
from funcnn.train.record import Callback, Point
from funcnn.train.stopping import EarlyStopping
from funcnn.typing import Array, IntArray

_ROWS = 1024  # that are predicted at a time


class NetworkEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A network behind scikit-learn's interface; see :class:`Classifier`, :class:`Regressor` and the others."""

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
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation = validation
        self.early_stopping = early_stopping
        self.standardize = standardize
        self.callbacks = callbacks
        self.progress = progress
        self.random_state = random_state

    # ------------------------------------------------------------------------------------------------------------ inputs

    def _table_options(self) -> dict[str, object]:
        """Return how inputs are checked: tables of numbers, or, before a layer of one's own, arrays of any shape."""
        own = isinstance(self.hidden, Layer)
        return {"dtype": "numeric" if own and not self.standardize else [np.float64, np.float32], "allow_nd": own}

    def _inputs(self, X: object) -> Array:
        """Return new inputs as the network takes them."""
        check_is_fitted(self)
        x = cast(Array, validate_data(self, X, reset=False, **self._table_options()))
        return self._scaled(x)

    def _scaled(self, x: Array) -> Array:
        """Return inputs in the precision of the parameters, where there are some, and standardized."""
        if x.dtype.kind == "f" and hasattr(self, "params_"):
            x = x.astype(tree.leaves(self.params_)[0].dtype, copy=False)
        return transformed(self.scaler_, x)

    def _weights(self, sample_weight: object, x: Array) -> Array | None:
        """Return the weights of the rows, or None; raise when one is negative, or none is positive."""
        if sample_weight is None:
            return None
        dtype = x.dtype if x.dtype.kind == "f" else np.float64
        weight = cast(Array, check_sample_weight(sample_weight, x, dtype=dtype, ensure_non_negative=True))
        if not weight.any():
            raise ValueError("sample_weight is 0 for every row: there is nothing to learn from")
        return weight

    # ---------------------------------------------------------------------------------------------------------- training

    def _settings(self) -> Settings:
        return Settings(
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            epochs=self.epochs,
            batch_size=self.batch_size,
            validation=self.validation,
            early_stopping=self.early_stopping,
            callbacks=self.callbacks,
            progress=self.progress,
        )

    def _body(self) -> AnyLayer | None:
        return body(self.hidden, self.activation)

    def _key(self) -> Key:
        return Key(int(check_random_state(self.random_state).randint(2**31 - 1)))

    def _scaler(self, x: Array, weight: Array | None) -> Standardize | None:
        return standardization(x, weight) if self.standardize else None

    def _train(
        self, model: AnyLayer, loss: AnyLoss, data: tuple[Array, object], labels: IntArray | None = None, **attributes: object
    ) -> None:
        """Train on scaled inputs and a target, and set all attributes at once; after Ctrl-C too, which is passed on."""
        result = trained(model, loss, self._settings(), data, labels, self._key())
        self._keep(model, result)
        for name, value in attributes.items():
            setattr(self, name, value)
        if result.stopped == "interrupted":
            raise KeyboardInterrupt("training was interrupted: the estimator holds what was learned up to there")

    def _keep(self, model: AnyLayer, result: AnyFit) -> None:
        self.model_ = model
        self.params_, self.state_, self.opt_state_ = result.params, result.state, result.opt_state
        self.history_ = result.history
        self.n_iter_ = max(1, len(result.history))
        self.loss_curve_ = [row["loss"] for row in result.history.rows]
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else np.nan
        self.passes_ = 0
        self._step: AnyStep | None = None

    def _pass(self, model: AnyLayer, loss: AnyLoss, data: tuple[Array, object]) -> None:
        """Take one pass through scaled inputs and a target, from where the estimator stands or from the beginning."""
        optimizer = optimizer_for(self._settings(), None)
        if not hasattr(self, "params_"):
            made = model.init(self._key(), data[0].shape[1:])
            dtype = data[0].dtype if data[0].dtype.kind == "f" else np.dtype(np.float64)
            params, state = tree.astype(made.params, dtype), tree.astype(made.state, dtype)
            self.model_, self.params_, self.state_, self.opt_state_ = model, params, state, optimizer.init(params)
            self.n_iter_, self.passes_, self.loss_curve_, self._step = 0, 0, [], None
        step: AnyStep | None = getattr(self, "_step", None)
        self._step = step = step_of(self.model_, loss) if step is None else step
        start: AnyPoint = Point(self.params_, self.state_, self.opt_state_)
        key = Key(self._seed()).child(self.passes_)
        now, self.loss_ = one_pass(step, optimizer, loss, start, data, check_count(self.batch_size, "batch_size"), key)
        self.params_, self.state_, self.opt_state_ = now.params, now.state, now.opt_state
        self.passes_ += 1
        self.n_iter_ += 1
        self.loss_curve_ = [*self.loss_curve_, self.loss_]

    def _seed(self) -> int:
        """Return the seed of the passes: the one of the parameters, or one that was drawn at the first pass."""
        if self.passes_ == 0:
            self._first_seed = self._key().entropy
        return self._first_seed

    def _outputs(self, x: Array) -> Any:  # Any: an array, or a tuple of them, as the head says
        """Return the outputs of the network for scaled inputs."""
        return predict(self.model_, self.params_, self.state_, x, batch_size=_ROWS)

    def __getstate__(self) -> dict[str, object]:
        """Return what is pickled: everything but the step, which holds code that was written for this process."""
        state = cast("dict[str, object]", super().__getstate__())
        return {name: value for name, value in state.items() if name != "_step"}


def counted(x: Array, y: np.ndarray, weight: Array | None) -> tuple[Array, np.ndarray, Array | None]:
    """Return the rows that count: those of weight 0 are left out, as if they were not there."""
    if weight is None or weight.all():
        return x, y, weight
    rows = np.flatnonzero(weight)
    return take(x, rows), y[rows], weight[rows]


def transformed(scaler: Standardize | None, x: Array) -> Array:
    """Return inputs as the network sees them."""
    return x if scaler is None else scaler.transform(x)


def weighted(target: object, weight: Array | None) -> object:
    """Return a target with its weights, where there are any."""
    return target if weight is None else Weighted(target, weight)
