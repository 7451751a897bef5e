"""Figures that belong to no window, and files of them: SVG, PNG or PDF by the ending of the name.

No state of pyplot is touched, and equal data give equal SVG and PNG files.
"""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from funcnn.files.atomic_write import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DATES: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}
"""The kinds of pictures, and what keeps the time of writing out of them."""
BLUE, ORANGE, GREY = "#3b6fb6", "#d1662d", "#999999"

PathLike = str | os.PathLike[str]


def check_ending(path: PathLike) -> str:
    """Return the ending of a picture's name, or raise."""
    ending = Path(path).suffix.lower()
    if ending not in DATES:
        raise ValueError(f"{path} is no name of a picture: expected an ending of {', '.join(DATES)}")
    return ending


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, its size in inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'funcnn[train]'") from error
    return Figure(figsize=(width, height), layout="constrained")


def new_panels(count: int, width: float, height: float, most: int = 4) -> tuple[Figure, list[Axes]]:
    """Return a figure of so many panels, at most ``most`` in a line, each of such a size."""
    columns = min(count, most)
    lines = math.ceil(count / columns)
    figure = new_figure(width * columns, height * lines)
    axes = [figure.add_subplot(lines, columns, number + 1) for number in range(count)]
    return figure, axes


def finish(figure: Figure, path: PathLike | None) -> Figure:
    """Write a figure where that is asked for, and return it."""
    if path is not None:
        ending = check_ending(path)
        write_atomically(path, lambda file: save(figure, file, ending))
    return figure


def as_svg(figure: Figure) -> str:
    """Return a figure as the text of an SVG file."""
    file = io.BytesIO()
    save(figure, file, ".svg")
    return file.getvalue().decode()


def save(figure: Figure, file: IO[bytes], ending: str) -> None:
    """Write a figure into an open file: equal figures give equal SVG and PNG files."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "funcnn", "svg.fonttype": "none"}):
        figure.savefig(file, format=ending.removeprefix("."), dpi=150, metadata=DATES[ending])


def plain_axes(axes: Axes) -> None:
    """Leave only the lines below and at the left."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(alpha=0.25)
