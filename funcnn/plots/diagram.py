"""The architecture of a network as a picture: boxes from top to bottom, compositions around their parts.

SVG is written as text, so that this picture needs nothing beside the library.
"""

from __future__ import annotations

from html import escape
from typing import TypeVar

from attrs import frozen

from funcnn.files.atomic_write import write_text
from funcnn.layer import Layer
from funcnn.plots.figure import PathLike
from funcnn.train.summary import Summary, SummaryRow, summary
from funcnn.typing import Shapes

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")

_WIDTH, _LINE, _GAP, _INSET = 460, 34, 10, 12  # points
_COLOURS = {"with": "#dbe7f5", "without": "#f3f3f3", "around": "none"}


@frozen
class Box:
    """A layer, its place from the top, and how far the parts of a composition reach."""

    row: SummaryRow
    top: int
    height: int


def boxes(rows: tuple[SummaryRow, ...]) -> tuple[list[Box], int]:
    """Return the boxes of the rows of a summary, and the height of the whole."""
    made: list[Box] = []

    def place(first: int, depth: int, top: int) -> tuple[int, int]:
        """Put the rows of one depth below one another; return the next row and where there is room."""
        while first < len(rows) and rows[first].depth >= depth:
            row, here = rows[first], top
            first, top = first + 1, top + _LINE
            number = len(made)
            made.append(Box(row, here, _LINE))
            if row.composed:
                first, top = place(first, row.depth + 1, top + _GAP // 2)
                made[number] = Box(row, here, top - here)
            top += _GAP
        return first, top

    _, bottom = place(0, 1, _GAP)
    return made, bottom


def diagram(model: Layer[P, S, X, Y], in_shape: Shapes, path: PathLike | None = None) -> str:
    """Draw the architecture of a network: each layer with the shape that it gives and how many parameters it has.

    Parameters
    ----------
    model : Layer
    in_shape : tuple
        The shape of one input, without the batch axis.
    path : path, optional
        A file to write, most often ending in ``.svg``.

    Returns
    -------
    str
        The picture as SVG, which browsers and notebooks show.

    Raises
    ------
    ValueError
        When the network does not fit the shape, with the path of the layer.

    Examples
    --------
    >>> import funcnn as fn
    >>> picture = fn.plots.diagram(fn.dense(16) >> fn.relu() >> fn.dense(3), (4,))
    >>> picture.startswith("<svg"), "dense(16)" in picture
    (True, True)
    """
    picture = diagram_of(summary(model, in_shape), in_shape)
    if path is not None:
        write_text(path, picture)
    return picture


def diagram_of(table: Summary, in_shape: Shapes) -> str:
    """Return the same picture of what a summary says of a network."""
    made, bottom = boxes(table.rows)
    parts = [_box(one) for one in made]
    parts.append(_text(_INSET, bottom + 14, f"{in_shape} in, {table.params:,} parameters", "start", "#444444"))
    size = f'width="{_WIDTH}" height="{bottom + 24}" viewBox="0 0 {_WIDTH} {bottom + 24}"'
    label = f"Architecture: {len(table.rows)} layers, {table.params:,} parameters"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}" font-family="sans-serif">'
    return "\n".join([head, *parts, "</svg>"]) + "\n"


def _box(one: Box) -> str:
    row = one.row
    left = _INSET * row.depth
    width = _WIDTH - 2 * left
    kind = "around" if row.composed else "with" if row.params else "without"
    frame = (
        f'<rect x="{left}" y="{one.top}" width="{width}" height="{one.height}" rx="5" fill="{_COLOURS[kind]}" stroke="#8899aa"/>'
    )
    name = _text(left + 8, one.top + 21, shortened(row.name), "start", "#111111")
    told = str(row.out_shape) + (f"   {row.params:,}" if row.params and not row.composed else "")
    return f"<g><title>{escape(f'{row.path} {row.name}')}</title>{frame}{name}" + (
        _text(_WIDTH - left - 8, one.top + 21, told, "end", "#445566") + "</g>"
    )


def _text(x: int, y: int, text: str, anchor: str, colour: str) -> str:
    return f'<text x="{x}" y="{y}" font-size="12" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def shortened(name: str, most: int = 38) -> str:
    """Return a name that fits into a box."""
    return name if len(name) <= most else name[: most - 1] + "…"
