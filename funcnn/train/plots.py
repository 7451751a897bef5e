"""Pictures of training: curves and confusion matrices, by matplotlib.

A picture is a file: SVG, PNG or PDF by the ending of its name.  No window is opened and no state of pyplot is touched; equal
data give equal SVG and PNG files.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from funcnn.errors import describe
from funcnn.files.atomic_write import write_atomically
from funcnn.runtime.lazy_imports import listing
from funcnn.train.history import History
from funcnn.typing import Array, IntArray

__all__ = [
    "confusion",
    "curves",
]
__dir__ = listing(__name__, __all__)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DATES = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}
"""The kinds of pictures, and what keeps the time of writing out of them."""


def curves(history: History, path: str | os.PathLike[str]) -> None:
    """Write the curves of a history: one panel for the loss and one for each metric, training and validation together.

    Parameters
    ----------
    history : History
        With at least one epoch.
    path : path
        The file, ending in ``.svg``, ``.png`` or ``.pdf``.

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
    ...     fn.plots.curves(history, pathlib.Path(folder, "curves.svg"))
    """
    ending = check_ending(path)
    columns = history.columns()
    if not columns:
        raise ValueError("the history is empty: no epoch was completed")
    panels = [name for name in columns if name != "epoch" and not name.startswith("val_")]
    figure = _figure((4.8 * len(panels), 3.4))
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
    _write(figure, path, ending)


def confusion(matrix: IntArray | Array, path: str | os.PathLike[str], *, classes: Sequence[str] = ()) -> None:
    """Write a confusion matrix: each row a true class, each column a predicted one, shaded by the share of the row.

    Parameters
    ----------
    matrix : array (C, C)
        Counts, at least 0.
    path : path
        The file, ending in ``.svg``, ``.png`` or ``.pdf``.
    classes : sequence of str, optional
        The names of the classes; their numbers by default.

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
    ...     fn.plots.confusion(np.array([[5, 1], [0, 4]]), pathlib.Path(folder, "matrix.png"), classes=["cat", "dog"])
    """
    ending = check_ending(path)
    matrix = np.asarray(matrix, float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"a confusion matrix is square, got {describe(matrix)}")
    names = list(classes) or [str(number) for number in range(len(matrix))]
    if len(names) != len(matrix):
        raise ValueError(f"{len(names)} names for {len(matrix)} classes: each needs one")
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    side = 1.6 + 0.42 * len(matrix)
    figure = _figure((side + 0.4, side))
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
    _write(figure, path, ending)


def check_ending(path: str | os.PathLike[str]) -> str:
    """Return the ending of a picture's name, or raise."""
    ending = Path(path).suffix.lower()
    if ending not in _DATES:
        raise ValueError(f"{path} is no name of a picture: expected an ending of {', '.join(_DATES)}")
    return ending


def _figure(size: tuple[float, float]) -> Figure:
    """Return an empty figure that belongs to no window."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'funcnn[train]'") from error
    return Figure(figsize=size, layout="constrained")


def _write(figure: Figure, path: str | os.PathLike[str], ending: str) -> None:
    """Write a figure to a file."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "funcnn", "svg.fonttype": "none"}):
        write_atomically(
            path, lambda file: figure.savefig(file, format=ending.removeprefix("."), dpi=150, metadata=_DATES[ending])
        )
