"""How good predictions are: curves of thresholds, calibration, and errors of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from funcnn.errors import check_count, describe, is_plain
from funcnn.plots.figure import BLUE, GREY, ORANGE, PathLike, check_ending, finish, new_figure, plain_axes
from funcnn.train import metrics
from funcnn.typing import Array, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def one_against_all(prediction: Array, target: IntArray, classes: Sequence[str]) -> list[tuple[str, Array, IntArray]]:
    """Return (name, scores, zeros and ones) of each question that is answered: one, or one for each class that occurs.

    Raises
    ------
    TypeError, ValueError
        When these are not scores and labels, or there are not as many names as classes.
    """
    for what, one in (("prediction", prediction), ("target", target)):
        if not is_plain(one):
            raise TypeError(f"{what} is {describe(one)}, expected an array")
    if prediction.shape == target.shape:
        return [("", prediction.ravel(), target.ravel())]
    if prediction.ndim != target.ndim + 1 or prediction.shape[:-1] != target.shape:
        raise ValueError(
            f"prediction is {describe(prediction)} and target {describe(target)}: expected one shape, or scores (n, C) and"
            " labels (n,)"
        )
    count = prediction.shape[-1]
    if classes and len(classes) != count:
        raise ValueError(f"{len(classes)} names for {count} classes: each needs one")
    scores, labels = prediction.reshape(-1, count), target.ravel()
    names = list(classes) or [str(number) for number in range(count)]
    asked = [number for number in range(count) if 0 < np.sum(labels == number) < len(labels)]
    if not asked:
        raise ValueError("target holds one class alone: there is nothing to tell apart")
    return [(names[number], scores[:, number], (labels == number).astype(int)) for number in asked]


def roc(prediction: Array, target: IntArray, path: PathLike | None = None, *, classes: Sequence[str] = ()) -> Figure:
    """Draw the receiver operating characteristic: true against false positives as the threshold falls.

    Parameters
    ----------
    prediction, target : array
        Scores, and 0 or 1, of one shape; or scores (n, C) and labels (n,): then a line for each class against all others.
    path : path, optional
        A file to write, ending in ``.svg``, ``.png`` or ``.pdf``.
    classes : sequence of str, optional
        The names of the classes.

    Returns
    -------
    matplotlib.figure.Figure
        The legend has the area under each line.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    TypeError, ValueError
        When these are not scores and labels, or the ending is another.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> figure = fn.plots.roc(np.array([0.9, 0.4, 0.6, 0.1]), np.array([1, 0, 1, 0]))
    >>> figure.axes[0].get_ylabel()
    'true positive rate'
    """
    if path is not None:
        check_ending(path)
    asked = one_against_all(prediction, target, classes)
    figure = new_figure(4.6, 4.2)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--")
    for name, scores, yes in asked:
        curve = metrics.roc_curve(scores, yes)
        area = metrics.roc_auc(scores, yes)
        axes.plot(curve.false_positive_rate, curve.true_positive_rate, label=f"{name} {area:.3f}".strip(), linewidth=1.5)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="area under the curve in the legend")
    axes.legend(frameon=False, fontsize=8)
    plain_axes(axes)
    return finish(figure, path)


def precision_recall(prediction: Array, target: IntArray, path: PathLike | None = None, *, classes: Sequence[str] = ()) -> Figure:
    """Draw precision against recall as the threshold falls.

    Parameters
    ----------
    prediction, target : array
        Scores, and 0 or 1, of one shape; or scores (n, C) and labels (n,): then a line for each class against all others.
    path : path, optional
        A file to write, ending in ``.svg``, ``.png`` or ``.pdf``.
    classes : sequence of str, optional
        The names of the classes.

    Returns
    -------
    matplotlib.figure.Figure
        The legend has the average precision of each line.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    TypeError, ValueError
        When these are not scores and labels, or the ending is another.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> figure = fn.plots.precision_recall(np.array([0.9, 0.4, 0.6, 0.1]), np.array([1, 0, 1, 0]))
    >>> figure.axes[0].get_xlabel()
    'recall'
    """
    if path is not None:
        check_ending(path)
    asked = one_against_all(prediction, target, classes)
    figure = new_figure(4.6, 4.2)
    axes = figure.add_subplot()
    for name, scores, yes in asked:
        curve = metrics.precision_recall_curve(scores, yes)
        mean = metrics.average_precision(scores, yes)
        axes.plot(curve.recall, curve.precision, drawstyle="steps-pre", label=f"{name} {mean:.3f}".strip(), linewidth=1.5)
    axes.set(xlabel="recall", ylabel="precision", ylim=(0, 1.03), title="average precision in the legend")
    axes.legend(frameon=False, fontsize=8)
    plain_axes(axes)
    return finish(figure, path)


def calibration(prediction: Array, target: IntArray, path: PathLike | None = None, *, bins: int = 10) -> Figure:
    """Draw how often answers were right, by the probability that they were given, and how many answers there were.

    Parameters
    ----------
    prediction, target, bins
        As for :func:`metrics.calibration_curve`: probabilities (n, C) and labels (n,), or of yes and 0 or 1.
    path : path, optional
        A file to write, ending in ``.svg``, ``.png`` or ``.pdf``.

    Returns
    -------
    matplotlib.figure.Figure
        The title has the expected calibration error.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    TypeError, ValueError
        When these are not probabilities and labels, or the ending is another.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.plots.calibration(np.array([0.9, 0.9, 0.2]), np.array([1, 0, 0])).axes[0].get_title()
    'expected calibration error 0.333'
    """
    if path is not None:
        check_ending(path)
    curve = metrics.calibration_curve(prediction, target, check_count(bins, "bins"))
    error = metrics.calibration_error(prediction, target, bins)
    figure = new_figure(4.6, 4.8)
    axes, below = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--")
    axes.plot(curve.confidence, curve.accuracy, marker="o", color=BLUE)
    axes.set(ylabel="share that was right", title=f"expected calibration error {error:.3f}", xlim=(0, 1), ylim=(0, 1.03))
    below.bar(curve.confidence, curve.weight, width=0.6 / bins, color=ORANGE)
    below.set(xlabel="probability", ylabel="answers")
    for one in (axes, below):
        plain_axes(one)
    return finish(figure, path)


_MOST_POINTS = 5000  # beyond, every so manieth is drawn


def residuals(prediction: Array, target: Array, path: PathLike | None = None, *, name: str = "") -> Figure:
    """Draw predicted against true numbers, the residuals against the predictions, and how they are distributed.

    Parameters
    ----------
    prediction, target : array
        Of one shape, with one number for each example: (n,) or (n, 1).
    path : path, optional
        A file to write, ending in ``.svg``, ``.png`` or ``.pdf``.
    name : str, optional
        What the numbers are, for the axes.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    TypeError, ValueError
        When these are not finite numbers of one shape, or the ending is another.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> len(fn.plots.residuals(np.array([1.0, 2.0]), np.array([1.5, 2.0])).axes)
    3
    """
    if path is not None:
        check_ending(path)
    for what, one in (("prediction", prediction), ("target", target)):
        if not is_plain(one) or one.dtype.kind not in "fiu":
            raise TypeError(f"{what} is {describe(one)}, expected an array of numbers")
        if not np.isfinite(one).all():
            raise ValueError(f"{what} holds NaN or infinity")
    if prediction.shape != target.shape or prediction.size != len(prediction) or not prediction.size:
        raise ValueError(
            f"prediction is {describe(prediction)} and target {describe(target)}: expected (n,) or (n, 1) of one shape"
        )
    said, true = (cast(Array, one.ravel().astype(float)) for one in (prediction, target))
    error = true - said
    some = slice(None, None, -(-len(said) // _MOST_POINTS))
    figure = new_figure(12.0, 3.8)
    first, second, third = figure.subplots(1, 3)
    ends = [min(said.min(), true.min()), max(said.max(), true.max())]
    first.plot(ends, ends, color=GREY, linewidth=0.8, linestyle="--")
    first.scatter(true[some], said[some], s=9, alpha=0.5, color=BLUE, linewidths=0)
    before = f"{name}, " if name else ""
    first.set(xlabel=f"{before}true", ylabel=f"{before}predicted")
    second.axhline(0, color=GREY, linewidth=0.8, linestyle="--")
    second.scatter(said[some], error[some], s=9, alpha=0.5, color=BLUE, linewidths=0)
    second.set(xlabel=f"{before}predicted", ylabel="true - predicted")
    third.hist(error, bins=min(60, max(8, len(error) // 10)), color=ORANGE)
    third.set(xlabel="true - predicted", ylabel="examples")
    for axes in (first, second, third):
        plain_axes(axes)
    return finish(figure, path)
