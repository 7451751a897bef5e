"""What a person sees: sections with a label in the margin, tables, pictures made of characters, colour where there is some."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import numpy as np

from funcnn.typing import Array, IntArray, Shape

_MARGIN = 12
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def style(text: str, kind: str) -> str:
    """Return a text in a colour or weight, where standard output is a terminal and NO_COLOR is not set."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\033[{_STYLES[kind]}m{text}\033[0m"


def section(label: str, *lines: str) -> None:
    """Print lines with a label in the margin of the first."""
    print()
    print(style(label.ljust(_MARGIN), "bold") + lines[0])
    more(*lines[1:])


def more(*lines: str) -> None:
    """Print further lines of a section."""
    for line in lines:
        print(" " * _MARGIN + line if line else "")
    sys.stdout.flush()


def complain(message: str) -> None:
    """Print an error message."""
    sys.stdout.flush()
    print(f"python -m funcnn: error: {message}", file=sys.stderr)


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Return the lines of a table with aligned columns; those in ``right`` are flush right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def confusion(counts: IntArray, classes: Sequence[str]) -> list[str]:
    """Return a confusion matrix as lines: a row for each true class, a column for each predicted one; dots for zeros."""
    cells = [["." if count == 0 else str(count) for count in row] for row in counts.tolist()]
    head = ["true \\ predicted", *classes]
    return table([head, *([name, *row] for name, row in zip(classes, cells, strict=True))], right=range(len(head)))


def pictures(images: Array, shape: Shape, captions: Sequence[str]) -> list[str]:
    """Return images with values in [0, 1] side by side as lines of characters, with captions below.

    A character stands for half a pixel's width where images are small, and for two rows where they are large.
    """
    ramp = " ░▒▓█" if _can_print("░▒▓█") else " .:*#"
    blocks = []
    for image in images:
        pixels = image.reshape(shape).clip(0, 1)
        if shape[1] > 12:
            pixels = pixels[: shape[0] // 2 * 2].reshape(shape[0] // 2, 2, shape[1]).mean(1)
        else:
            pixels = pixels.repeat(2, axis=1)
        levels = np.rint(pixels * (len(ramp) - 1)).astype(int)
        blocks.append(["".join(ramp[level] for level in row) for row in levels])
    width = max([len(blocks[0][0]), *map(len, captions)])
    lines = ["  ".join(block[index].ljust(width) for block in blocks).rstrip() for index in range(len(blocks[0]))]
    while lines and not lines[0]:  # margins that all images have
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return [*lines, "  ".join(caption.center(width) for caption in captions).rstrip()]


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """Return a text with a question mark for each character that standard output does not know."""
    encoding = sys.stdout.encoding or "ascii"
    return text.encode(encoding, "replace").decode(encoding)
