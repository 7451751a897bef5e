"""What a person sees: sections with a label in the margin, tables, pictures made of characters, colour where there is some."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import numpy as np

from funcnn.typing import Array, IntArray, Shape

_MARGIN = 12
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_OWN = re.compile("(\033\\[(?:[012]|3[123])m)")
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def style(text: str, kind: str) -> str:
    """Return a text in a colour or weight, where standard output is a terminal and NO_COLOR is not set."""
    if sys.stdout is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\033[{_STYLES[kind]}m{text}\033[0m"


def section(label: str, *lines: str) -> None:
    """Print lines with a label in the margin of the first."""
    show("", style(label.ljust(_MARGIN), "bold") + lines[0])
    more(*lines[1:])


def more(*lines: str) -> None:
    """Print further lines of a section."""
    show(*(" " * _MARGIN + line if line else "" for line in lines))


def show(*lines: str) -> None:
    """Print lines, now.  When nobody reads them any more, as after ``| head``, or the disk is full, the work goes on."""
    if sys.stdout is None:  # closed by who called
        return
    try:
        for line in lines:
            print(printable(line))
        sys.stdout.flush()
    except OSError as error:
        hang_up()
        if not isinstance(error, BrokenPipeError):
            complain(f"standard output: {error.strerror or error}: going on without it")


def hang_up() -> None:
    """Let whatever is printed from now on go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def complain(message: str) -> None:
    """Print an error message: one line, without anything that would steer a terminal."""
    show()
    if sys.stderr is not None:
        with suppress(OSError):  # nobody to tell
            line = printable(" ".join(message.splitlines()), sys.stderr)
            print(f"python -m funcnn: error: {line}", file=sys.stderr, flush=True)


def command(*words: str | Path) -> str:
    """Return a command of this program as one would type it: words with spaces in quotes."""
    return shlex.join(["python", "-m", "funcnn", *map(str, words)])


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


def printable(text: str, stream: TextIO | None = None) -> str:
    """Return a text that prints anywhere: escape sequences and control characters as Python writes them, but for our own styles.

    A character that the encoding of the stream does not know becomes a question mark.
    """
    target = sys.stdout if stream is None else stream
    parts = _OWN.split(text) if target is not None and target.isatty() else [text]
    text = "".join(part if number % 2 else _CONTROL.sub(_escape, part) for number, part in enumerate(parts))
    encoding = getattr(target, "encoding", None) or "ascii"
    return text.encode(encoding, "replace").decode(encoding)


def plain(text: str) -> str:
    """Return a text of somebody else's with its control characters, but for ends of lines, as Python writes them."""
    return _CONTROL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]
