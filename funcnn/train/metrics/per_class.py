"""The figures of single classes, of which precision and its like are means."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

from funcnn.errors import check_choice, check_range
from funcnn.train.metrics.counting import (
    Classes,
    Parts,
    counts,
    f_beta_parts,
    iou_parts,
    precision_parts,
    ratios,
    recall_parts,
    specificity_parts,
)
from funcnn.typing import Array

ClassMetric: TypeAlias = Literal["precision", "recall", "f1", "f_beta", "specificity", "iou"]


def per_class(prediction: Array, target: Classes, metric: ClassMetric = "f1", threshold: float = 0.0, beta: float = 2.0) -> Array:
    """Return a metric of each class, (C,), where the metric of that name is their mean.

    Parameters
    ----------
    prediction, target : array
        As for :func:`precision`.
    metric : {"precision", "recall", "f1", "f_beta", "specificity", "iou"}, optional
        Its name.
    threshold : float, optional
        As for :func:`precision`.
    beta : float, optional
        Of ``"f_beta"``, as in :func:`f_beta`.

    Returns
    -------
    array
        (C,), or (labels,) of answers of yes and no.  A class that is never given, or never occurs, counts as 0.

    Raises
    ------
    TypeError, ValueError
        When the metric is another one; as :func:`precision`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.metrics.per_class(np.eye(3)[[0, 0, 1, 2]], np.array([0, 1, 1, 2]), "precision")
    array([0.5, 1. , 1. ])
    """
    name = check_choice(metric, get_args(ClassMetric), "metric")
    beta = check_range(beta, "beta", 0, math.inf, open_low=True, open_high=True)
    found = counts(prediction, target, threshold)
    parts: dict[str, Parts] = {
        "precision": precision_parts(found),
        "recall": recall_parts(found),
        "f1": f_beta_parts(found, 1.0),
        "f_beta": f_beta_parts(found, beta),
        "specificity": specificity_parts(found),
        "iou": iou_parts(found),
    }
    return ratios(*parts[name])
