"""The pictures of a run, as SVG: curves, confusion matrix, and the plane where there are two features.  Drawn by matplotlib."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import funcnn as fn
from funcnn.cli.folder import write_bytes
from funcnn.cli.network import Network
from funcnn.cli.problem import Problem
from funcnn.train.history import History
from funcnn.typing import Array, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#3b6fb6", "#d1662d")


def draw_all(
    out: Path,
    history: History,
    counts: IntArray,
    problem: Problem,
    model: Network,
    params: tuple[object, ...],
    state: tuple[object, ...],
) -> tuple[list[str], list[str]]:
    """Draw the pictures of a run into its folder.

    Returns
    -------
    names, notes : list of str
        The files, and, where matplotlib is not installed, what would bring them.
    """
    if find_spec("matplotlib") is None:
        return [], ["no pictures and no progress bar: pip install 'funcnn[train]' brings matplotlib and tqdm"]
    drawn = {"confusion.svg": _confusion(counts, problem.classes)}
    if len(history):
        drawn["curves.svg"] = _curves(history)
    if problem.features == 2:
        drawn["plane.svg"] = _plane(problem, model, params, state)
    for name, figure in drawn.items():
        _write(out / name, figure)
    return sorted(drawn), []


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _write(path: Path, figure: Figure) -> None:
    import matplotlib

    text = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "funcnn", "svg.fonttype": "none"}):  # equal runs give equal files
        figure.savefig(text, format="svg", metadata={"Date": None})
    write_bytes(path, text.getvalue())


def _curves(history: History) -> Figure:
    columns = history.columns()
    figure = _figure(9, 3.6)
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for column, label, colour in ((name, "training", _COLOURS[0]), (f"val_{name}", "validation", _COLOURS[1])):
            if column in columns:
                axes.plot(columns["epoch"], columns[column], label=label, color=colour, linewidth=1.6)
        if name == "loss" and min(min(columns[key]) for key in columns if key.endswith("loss")) > 0:
            axes.set_yscale("log")
        axes.set(xlabel="epoch", ylabel=name)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
        _bare(axes)
    return figure


def _confusion(counts: IntArray, classes: tuple[str, ...]) -> Figure:
    count = len(classes)
    side = min(12.0, 2.2 + 0.42 * count)
    figure = _figure(side, side)
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


def _plane(problem: Problem, model: Network, params: tuple[object, ...], state: tuple[object, ...]) -> Figure:
    """Draw what the network says of every point of the plane, with the training points."""
    x, y = problem.train.x, problem.train.y
    low, high = x.min(0), x.max(0)
    margin = 0.15 * (high - low)
    sides = [np.linspace(low[axis] - margin[axis], high[axis] + margin[axis], 200) for axis in (0, 1)]
    first, second = np.meshgrid(*sides)
    points: Array = np.stack([first.ravel(), second.ravel()], axis=1).astype(x.dtype)
    said = fn.predict(model, params, state, points).argmax(1).reshape(first.shape)
    figure = _figure(5, 5)
    axes = figure.subplots()
    count = max(2, len(problem.classes))
    extent = (sides[0][0], sides[0][-1], sides[1][0], sides[1][-1])
    axes.imshow(said, origin="lower", extent=extent, cmap="viridis", alpha=0.35, vmin=0, vmax=count - 1, aspect="auto")
    axes.scatter(x[:, 0], x[:, 1], c=y, cmap="viridis", vmin=0, vmax=count - 1, s=14, edgecolors="white", linewidths=0.4)
    axes.set(xlabel=problem.train.features[0], ylabel=problem.train.features[1])
    _bare(axes)
    return figure


def _bare(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
