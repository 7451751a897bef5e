"""Checks that an argument is of the right kind: a layer, a loss, a function."""

from __future__ import annotations

from collections.abc import Mapping

from funcnn.key import Key
from funcnn.layer import Layer
from funcnn.losses.loss import Loss
from funcnn.optim.optimizer import Optimizer
from funcnn.train.history import History
from funcnn.train.preparation.check_data import kind_of
from funcnn.train.stopping import EarlyStopping

_EXAMPLES = {
    Layer: "fn.dense(10)",
    Loss: "fn.mean_squared_error()",
    Optimizer: "fn.adam(1e-3)",
    Key: "fn.Key(0)",
    EarlyStopping: "fn.EarlyStopping(patience=3)",
    History: "the history of another fit",
}


def check_kind(value: object, kind: type, what: str) -> None:
    """Raise a TypeError when an argument is of the wrong kind, such as a factory that was not called."""
    if isinstance(value, type) or not isinstance(value, kind):
        called = callable(value) and hasattr(value, "__name__") and not isinstance(value, type)
        hint = f" (is {getattr(value, '__name__', '')} a factory that was not called?)" if called else ""
        raise TypeError(f"{what} is {kind_of(value)}, expected {kind.__name__}, such as {_EXAMPLES[kind]}{hint}")


def check_function(value: object, what: str, takes: str) -> None:
    """Raise a TypeError when an argument is no function."""
    if not callable(value):
        raise TypeError(f"{what} is {kind_of(value)}, expected a function {takes}")


def check_metrics(metrics: object) -> None:
    """Raise when the metrics are no dict of functions by names that columns can have."""
    if not isinstance(metrics, Mapping):
        raise TypeError(f"metrics is {kind_of(metrics)}, expected a dict such as {{'accuracy': fn.metrics.accuracy}}")
    for name, metric in metrics.items():
        if not isinstance(name, str) or name in ("", "loss", "epoch") or name.startswith("val_"):
            raise ValueError(
                f"a metric is called {name!r}: expected a text that is not 'loss' or 'epoch' and does not begin with 'val_'"
            )
        check_function(metric, f"metrics[{name!r}]", "(prediction, target) -> float")
