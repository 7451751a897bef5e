"""The data sets that ship with scikit-learn, by name, as tables."""

from __future__ import annotations

import numpy as np

from funcnn.data.tables.columns import Table
from funcnn.data.tables.frames import as_table
from funcnn.errors import check_choice

SETS = ("breast_cancer", "diabetes", "digits", "iris", "wine")


def sklearn_table(name: str) -> Table:
    """Return a data set that ships with scikit-learn as a table; its column "target" is what is to be predicted.

    Parameters
    ----------
    name : str
        "breast_cancer", "digits", "iris" and "wine" have classes, which the column names; "diabetes" has numbers.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        When there is no such set.
    ImportError
        When scikit-learn is not installed.
    """
    check_choice(name, SETS, "name")
    try:
        from sklearn import datasets  # pyright: ignore[reportMissingImports] - an extra
    except ImportError:
        raise ImportError(f"{name} ships with scikit-learn, which is not installed: pip install 'funcnn[estimators]'") from None
    found = getattr(datasets, f"load_{name}")()
    columns: dict[str, object] = {
        str(feature): np.ascontiguousarray(values) for feature, values in zip(found.feature_names, found.data.T, strict=True)
    }
    names = getattr(found, "target_names", None)
    columns["target"] = found.target if names is None else [str(names[label]) for label in found.target]
    return as_table(columns, source=f"scikit-learn's {name}")
