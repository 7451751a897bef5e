"""The curves of a training, and confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from funcnn.errors import describe
from funcnn.plots.figure import PathLike, check_ending, finish, new_figure
from funcnn.train.history import History
from funcnn.typing import Array, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curves(history: History, path: PathLike | None = None) -> Figure:
    """Draw the curves of a history: one panel for the loss and one for each metric, training and validation together.

    Parameters
    ----------
    history : History
        With at least one epoch.
    path : path, optional
        A file to write, ending in ``.svg``, ``.png`` or ``.pdf``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    ValueError
        When the history is empty, or the ending is another.

    Examples
    --------
    >>> import funcnn as fn, tempfile, pathlib
    >>> history = fn.History((fn.Row(1, (("loss", 2.0),)), fn.Row(2, (("loss", 1.5),))))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = fn.plots.curves(history, pathlib.Path(folder, "curves.svg"))
    """
    if path is not None:
        check_ending(path)
    columns = history.columns()
    if not columns:
        raise ValueError("the history is empty: no epoch was completed")
    panels = [name for name in columns if name != "epoch" and not name.startswith("val_")]
    figure = new_figure(4.8 * len(panels), 3.4)
    for number, name in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), number)
        for column, label in ((name, "training"), (f"val_{name}", "validation")):
            if column in columns:
                axes.plot(columns["epoch"], columns[column], label=label, marker="." if len(history) < 30 else "")
        axes.set(xlabel="epoch", ylabel=name)
        axes.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]  # a MaxNLocator
        axes.grid(alpha=0.3)
        if f"val_{name}" in columns:
            axes.legend(frameon=False)
    return finish(figure, path)


def confusion(matrix: IntArray | Array, path: PathLike | None = None, *, classes: Sequence[str] = ()) -> Figure:
    """Draw a confusion matrix: each row a true class, each column a predicted one, shaded by the share of the row.

    Parameters
    ----------
    matrix : array (C, C)
        Counts, at least 0.
    path : path, optional
        A file to write, ending in ``.svg``, ``.png`` or ``.pdf``.
    classes : sequence of str, optional
        The names of the classes; their numbers by default.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    ValueError
        When the matrix is not square, or there are not as many names, or the ending is another.

    Examples
    --------
    >>> import numpy as np, funcnn as fn, tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = fn.plots.confusion(np.array([[5, 1], [0, 4]]), pathlib.Path(folder, "matrix.png"), classes=["cat", "dog"])
    """
    if path is not None:
        check_ending(path)
    matrix = np.asarray(matrix, float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"a confusion matrix is square, got {describe(matrix)}")
    names = list(classes) or [str(number) for number in range(len(matrix))]
    if len(names) != len(matrix):
        raise ValueError(f"{len(names)} names for {len(matrix)} classes: each needs one")
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    side = 1.6 + 0.42 * len(matrix)
    figure = new_figure(side + 0.4, side)
    axes = figure.add_subplot(1, 1, 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(matrix))
    slanted = max(map(len, names)) > 3
    axes.set_xticks(ticks, names, rotation=45 if slanted else 0, ha="right" if slanted else "center")
    axes.set_yticks(ticks, names)
    axes.set(xlabel="predicted", ylabel="true")
    if len(matrix) <= 25:
        for row, column in np.ndindex(*matrix.shape):
            if matrix[row, column]:
                shade = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, f"{matrix[row, column]:g}", ha="center", va="center", color=shade, fontsize=8)
    return finish(figure, path)
