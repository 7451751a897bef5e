"""Early stopping in all its variants, against a slow rule that knows every figure and every point."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

import funcnn as fn

_GENERATOR = np.random.default_rng(0)
X, Y = _GENERATOR.normal(size=(9, 3)), _GENERATOR.normal(size=(9, 1))
EPOCHS = 7

FIGURES = {
    "falls": [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
    "rises": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
    "stands": [2.0] * 7,
    "turns": [3.0, 2.0, 1.0, 2.0, 3.0, 0.5, 4.0],
    "creeps": [3.0, 2.9, 2.8, 2.7, 2.6, 2.5, 2.4],
    "jumps": [3.0, 5.0, 2.0, 5.0, 1.0, 5.0, 0.0],
    "NaN first": [math.nan, 2.0, 1.0, 3.0, 3.0, 3.0, 3.0],
    "NaN later": [2.0, math.nan, 1.0, math.nan, math.nan, math.nan, 0.0],
    "only NaN": [math.nan] * 7,
    "infinite": [math.inf, 3.0, math.inf, -math.inf, 1.0, 1.0, 1.0],
}


def expected(figures: list[float], patience: int, min_delta: float, sign: float) -> tuple[int, int]:
    """Return (epochs that run, epoch of the last improvement): the rule's own words, epoch by epoch."""
    least, peak = math.inf, 0
    for epoch, figure in enumerate(figures, 1):
        if sign * figure < least - min_delta:
            least, peak = sign * figure, epoch
        if epoch - peak >= patience:
            return epoch, peak
    return len(figures), peak


def train(figures: list[float], rule: fn.EarlyStopping | None, **changes: Any) -> tuple[fn.Fit[Any, Any], list[Any]]:
    points: list[Any] = []
    calls = iter(range(10**6))

    def figure(prediction: Any, target: Any) -> float:
        call = next(calls)  # the rehearsal, and then one for each epoch
        return 0.0 if call == 0 else figures[call - 1]

    result = fn.fit(
        fn.dense(1),
        fn.mean_squared_error(),
        fn.momentum(0.1),
        X,
        Y,
        key=fn.Key(0),
        epochs=EPOCHS,
        batch_size=4,
        metrics={"figure": figure},
        early_stopping=rule,
        callbacks=[lambda epoch: points.append((epoch.params, epoch.opt_state))],
        **changes,
    )
    return result, points


@pytest.mark.filterwarnings("ignore:metric 'figure' is NaN:RuntimeWarning")
@pytest.mark.parametrize("name", FIGURES)
def test_early_stopping_is_its_rule(name: str) -> None:
    figures = FIGURES[name]
    whole = train(figures, None)[1]
    for patience, min_delta, mode, restore in itertools.product(
        (1, 2, 3, 6, 7, 99), (0.0, 0.15, 1.0, 1.5), ("min", "max"), (True, False)
    ):
        rule = fn.EarlyStopping(patience, min_delta, "figure", mode, restore_best=restore)  # type: ignore[arg-type]  # a mode
        epochs, peak = expected(figures, patience, min_delta, -1.0 if mode == "max" else 1.0)
        result, points = train(figures, rule)
        where = f"{rule}"
        assert len(result.history) == len(points) == epochs, where
        assert result.stopped == ("early" if epochs < EPOCHS else "finished"), where
        given = peak if restore and peak else epochs
        assert fn.tree.same((result.params, result.opt_state), whole[given - 1]), where
        assert rule.best_epoch(result.history) == peak
        assert rule.end(fn.History(result.history.rows)) == (epochs if epochs - peak >= patience else None)
        assert rule.is_over(result.history) == (epochs - peak >= patience)
