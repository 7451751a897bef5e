"""What the pictures of "Beyond the gradient" share: colours, panels, and small files that are equal for equal numbers."""

import re
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#3b6fb6", "#d1662d", "#3c8d5a", "#999999"
STYLE = {"svg.hashsalt": "funcnn", "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 9}


def panels(count: int = 1, height: float = 3.2) -> tuple[Figure, list[Any]]:
    """Return a figure as wide as a page, of so many panels side by side."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.5 if count > 1 else 6.0, height), layout="constrained")
        return figure, list(figure.subplots(1, count, squeeze=False)[0])


def tidy(axes: Iterable[Any], *, legend: str = "best") -> None:
    """Leave only the lines below and at the left, whole ticks, a faint grid, and the legend."""
    for one in axes:
        one.minorticks_off()
        for side in ("top", "right"):
            one.spines[side].set_visible(False)
        one.grid(alpha=0.25)
        if legend:
            one.legend(loc=legend, frameon=False, fontsize=8)


def save(figure: Figure, path: str | Path) -> None:
    """Write an SVG file; two decimals of a point are enough for coordinates, and halve the file."""
    file = StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d\d)\d+", r"\1", tag[0]), file.getvalue())
    Path(path).write_text(MARKERS.sub(one_style, text), encoding="utf-8")


MARKERS = re.compile(r"<g( clip-path=[^>]*)?>\n((?: *<use [^>]*/>\n){2,})")


def one_style(group: re.Match[str]) -> str:
    """Return a group of markers that says their style once."""
    styles = set(re.findall(r' style="[^"]*"', group[2]))
    if len(styles) != 1:
        return group[0]
    (style,) = styles
    return f"<g{group[1] or ''}{style}>\n" + group[2].replace(style, "")


def beside(script: str) -> Path:
    """Return the path of a script's picture."""
    return Path(script).with_suffix(".svg")
