"""The estimators beside scikit-learn's perceptrons: ``python -m tests.benchmarks.estimators`` prints the table.

Both have one hidden layer of 100 units and their default settings; scikit-learn's stands behind a ``StandardScaler``, without
which most of these data are not learned at all.  Each split of a repeated cross-validation is fitted by both, one right after the
other and in an order that alternates; the time is that of the processor, on one thread, for ``fit`` and ``predict`` together.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import statistics
import time
import warnings
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from funcnn.estimators import Classifier, Regressor

LOADERS = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
    "diabetes": load_diabetes,
}
REPEATS = 4


def pair(regression: bool, seed: int) -> list[Any]:
    """Return our estimator and that of scikit-learn."""
    if regression:
        return [Regressor(random_state=seed), make_pipeline(StandardScaler(), MLPRegressor(random_state=seed))]
    return [Classifier(random_state=seed), make_pipeline(StandardScaler(), MLPClassifier(random_state=seed))]


def compared(name: str) -> str:
    """Return the row of a data set: mean scores, and the quartiles of the ratio of times."""
    x, y = LOADERS[name](return_X_y=True)
    regression = name == "diabetes"
    folds = (RepeatedKFold if regression else RepeatedStratifiedKFold)(n_splits=5, n_repeats=REPEATS, random_state=0)
    scores: tuple[list[float], list[float]] = [], []
    times: tuple[list[float], list[float]] = [], []
    for turn, (train, test) in enumerate(folds.split(x, y)):
        models = pair(regression, turn)
        for which in (0, 1) if turn % 2 else (1, 0):
            begin = time.process_time()
            predicted = models[which].fit(x[train], y[train]).predict(x[test])
            times[which].append(time.process_time() - begin)
            off = np.square(y[test] - predicted).sum() / np.square(y[test] - y[test].mean()).sum()
            scores[which].append(1 - off if regression else (predicted == y[test]).mean())
    ratios = [one / other for one, other in zip(*times, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    ours, theirs = map(np.mean, scores)
    seconds = " | ".join(f"{1000 * statistics.median(one):.0f}" for one in times)
    return f"| {name} | {ours:.3f} | {theirs:.3f} | {seconds} | **{middle:.2f}** | {low:.2f}-{high:.2f} |"


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # scikit-learn's warn that they have not converged
    print("| data set | score: funcnn | scikit-learn | ms: funcnn | scikit-learn | ratio | quartiles |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for each in LOADERS:
        print(compared(each), flush=True)
