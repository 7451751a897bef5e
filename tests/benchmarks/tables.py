"""From a table to arrays, beside scikit-learn's ColumnTransformer: ``python -m tests.benchmarks.tables``.

A million rows of twenty columns, fourteen of numbers (one in fifty missing) and six of categories (10 to 60 texts), in a frame
of pandas: for scikit-learn an imputer of medians, a scaler and one-hot columns, in one ColumnTransformer, dense and in the same
precision.  Both are fitted and applied in turn, several rounds; the processor time of a round is divided by the other's of the
same round, and the median of these ratios counts.  The arrays are compared first.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import funcnn as fn


def frame(rows: int, categorical: bool) -> pd.DataFrame:
    """Return the table."""
    draw = np.random.default_rng(0)
    columns: dict[str, Any] = {}
    for number in range(14):
        values = draw.normal(number, 1 + number, rows)
        values[draw.random(rows) < 0.02] = np.nan
        columns[f"x{number}"] = values
    for number in range(6):
        words = np.array([f"text {word}" for word in range(10 * (number + 1))])
        column = pd.Series(words[draw.integers(0, len(words), rows)])
        columns[f"c{number}"] = column.astype("category") if categorical else column
    return pd.DataFrame(columns)


def transformer() -> Any:
    """Return scikit-learn's."""
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(StandardScaler(copy=False), SimpleImputer(strategy="median", add_indicator=True, copy=False))
    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include="number")),
            ("texts", texts, make_column_selector(dtype_exclude="number")),
        ]
    )


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of some work."""
    before = time.process_time()
    work()
    return time.process_time() - before


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.tables", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("| table | step | funcnn s | scikit-learn s | ratio |\n|---|---|--:|--:|--:|")
    for categorical in (False, True):
        table, kind = frame(options.rows, categorical), "categoricals" if categorical else "texts"
        fitted, peer = fn.data.fit_table(table), transformer().fit(table)
        compare(fitted.transform(table[:10_000]), peer.transform(table[:10_000]))
        steps: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "fit": (lambda table=table: fn.data.fit_table(table), lambda table=table: transformer().fit(table)),
            "transform": (
                lambda table=table, fitted=fitted: fitted.transform(table),
                lambda table=table, peer=peer: peer.transform(table),
            ),
            "both": (
                lambda table=table: fn.data.fit_table(table).transform(table),
                lambda table=table: transformer().fit_transform(table),
            ),
        }
        for name, (ours, theirs) in steps.items():
            pairs = [(seconds(ours), seconds(theirs)) for _ in range(options.rounds)]
            own, other = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratio = statistics.median(a / b for a, b in pairs)
            print(f"| {kind} | {name} | {own:.2f} | {other:.2f} | **{ratio:.2f}** |", flush=True)


def compare(ours: Any, theirs: Any) -> None:
    """Raise unless two arrays have the same columns, in whatever order."""
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    keys = [np.lexsort(np.round(one[:50], 6)) for one in (ours, theirs)]
    apart = np.abs(ours[:, keys[0]] - theirs[:, keys[1]]).max()
    assert apart < 1e-9, apart


if __name__ == "__main__":
    main()
