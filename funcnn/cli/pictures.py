"""The pictures of a run, as SVG: curves, confusion matrix, images, and the plane.  Drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

import funcnn as fn
from funcnn.cli.folder import Run
from funcnn.cli.problem import Problem
from funcnn.plots.figure import finish, new_figure
from funcnn.train.history import History
from funcnn.typing import Array, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Drawings: TypeAlias = "Mapping[str, Callable[[], Figure]]"
"""What draws the pictures of a task, by the names of the files."""

_COLOURS = ("#3b6fb6", "#d1662d")


def draw_all(out: Path, history: History, drawings: Drawings, counted: str) -> tuple[list[str], list[str]]:
    """Draw the pictures of a run into its folder.

    Parameters
    ----------
    out : path
    history : History
    drawings : dict
        The pictures that belong to the task.
    counted : str
        "epoch" or "step", what the history counts.

    Returns
    -------
    names, notes : list of str
        The files, and, where matplotlib is not installed, what would bring them.
    """
    if find_spec("matplotlib") is None:
        return [], ["no pictures and no progress bar: pip install 'funcnn[train]' brings matplotlib and tqdm"]
    drawn = {name: draw() for name, draw in drawings.items()}
    if len(history):
        drawn["curves.svg"] = _curves(history, counted)
    for name, figure in drawn.items():
        finish(figure, out / name)
    return sorted(drawn), []


def _curves(history: History, counted: str) -> Figure:
    columns = history.columns()
    names = [name for name in columns if name != "epoch" and not name.startswith("val_")]
    figure = new_figure(4.5 * len(names), 3.6)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for column, label, colour in ((name, "training", _COLOURS[0]), (f"val_{name}", "validation", _COLOURS[1])):
            if column in columns:
                axes.plot(columns["epoch"], columns[column], label=label, color=colour, linewidth=1.6)
        if name == "loss" and min(min(columns[key]) for key in columns if key.endswith("loss")) > 0:
            axes.set_yscale("log")
        axes.set(xlabel=counted, ylabel=name)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
        _bare(axes)
    return figure


def confusion(counts: IntArray, classes: tuple[str, ...]) -> Figure:
    count = len(classes)
    side = min(12.0, 2.2 + 0.42 * count)
    figure = new_figure(side, side)
    axes = figure.subplots()
    shares = counts / np.maximum(1, counts.sum(1, keepdims=True))
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)  # the root shows rare mistakes
    if count <= 30:
        for row, column in np.argwhere(counts > 0).tolist():
            colour = "white" if shares[row, column] > 0.4 else "#222222"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8, color=colour)
    ticks = range(0, count, max(1, count // 30))
    axes.set_xticks(ticks, [classes[tick] for tick in ticks])
    axes.set_yticks(ticks, [classes[tick] for tick in ticks])
    axes.set(xlabel="predicted", ylabel="true", title=f"accuracy {np.trace(counts) / counts.sum():.4f}")
    _bare(axes)
    return figure


def images(rows: Sequence[Array], shape: tuple[int, ...]) -> Figure:
    """Draw rows of images with values in [0, 1]."""
    columns = max(map(len, rows))
    figure = new_figure(columns * 0.9, len(rows) * 0.9 * shape[0] / shape[1])
    for row, line in zip(figure.subplots(len(rows), columns, squeeze=False), rows, strict=True):
        for axes in row:
            axes.axis("off")
        for axes, image in zip(row, line, strict=False):
            axes.imshow(image.reshape(shape).clip(0, 1).squeeze(), cmap="gray_r", vmin=0, vmax=1)
    return figure


def plane(problem: Problem, run: Run) -> Figure:
    """Draw what the network says of every point of the plane, with the training points."""
    x, y = problem.train.x, problem.train.y
    low, high = x.min(0), x.max(0)
    margin = 0.15 * (high - low)
    sides = [np.linspace(low[axis] - margin[axis], high[axis] + margin[axis], 200) for axis in (0, 1)]
    first, second = np.meshgrid(*sides)
    points: Array = np.stack([first.ravel(), second.ravel()], axis=1).astype(x.dtype)
    said = fn.predict(run.model, run.params, run.state, points).argmax(1).reshape(first.shape)
    figure = new_figure(5, 5)
    axes = figure.subplots()
    count = max(2, len(problem.facts.classes))
    extent = (sides[0][0], sides[0][-1], sides[1][0], sides[1][-1])
    axes.imshow(said, origin="lower", extent=extent, cmap="viridis", alpha=0.35, vmin=0, vmax=count - 1, aspect="auto")
    axes.scatter(x[:, 0], x[:, 1], c=y, cmap="viridis", vmin=0, vmax=count - 1, s=14, edgecolors="white", linewidths=0.4)
    axes.set(xlabel=problem.axes[0], ylabel=problem.axes[1])
    _bare(axes)
    return figure


def _bare(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
