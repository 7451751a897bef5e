"""What happened in training, as data."""

from __future__ import annotations

import io
import os
from typing import Literal

import numpy as np
from attrs import field, frozen

from funcnn.errors import shown
from funcnn.files.atomic_write import write_text
from funcnn.tree.html_table import html_table
from funcnn.typing import Array, IntArray

Direction = Literal["min", "max"]


@frozen
class Row:
    """The figures of one epoch: ``row["loss"]``, ``row["val_accuracy"]``.

    Two rows with the same figures are equal, however long they took.
    """

    epoch: int
    """From 1 on."""
    values: tuple[tuple[str, float], ...]
    """(name, figure) in the order of the columns."""
    seconds: float = field(default=0.0, eq=False)
    """How long the epoch took, with its validation."""

    def __getitem__(self, name: str) -> float:
        for known, value in self.values:
            if known == name:
                return value
        raise KeyError(f"no column {name!r}: there are {[known for known, _ in self.values]}")


@frozen
class History:
    """The figures of every epoch.

    Examples
    --------
    >>> import funcnn as fn
    >>> history = fn.History((fn.Row(1, (("loss", 2.0),)), fn.Row(2, (("loss", 1.5),))))
    >>> history.columns()["loss"]
    array([2. , 1.5])
    >>> history.last["loss"], history.best("loss").epoch
    (1.5, 2)
    >>> print(history.to_csv())
    epoch,loss
    1,2.0
    2,1.5
    """

    rows: tuple[Row, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def last(self) -> Row:
        """The row of the last epoch.

        Raises
        ------
        ValueError
            When no epoch was completed.
        """
        return self._some()[-1]

    def best(self, monitor: str = "val_loss", mode: Direction | None = None) -> Row:
        """Return the row with the best figure in a column, the first of equals.

        Parameters
        ----------
        monitor : str, optional
            The column.
        mode : "min" or "max", optional
            What is best; a loss is best at its minimum, for other columns it must be said.

        Raises
        ------
        KeyError
            When there is no such column.
        ValueError
            When no epoch was completed, no figure is a number, or the mode is missing.
        """
        sign = -1.0 if direction(monitor, mode) == "max" else 1.0
        rows = [row for row in self._some() if not np.isnan(row[monitor])]
        if not rows:
            raise ValueError(f"no row has a number in the column {monitor!r}")
        return min(rows, key=lambda row: sign * row[monitor])

    def columns(self) -> dict[str, Array | IntArray]:
        """Return the figures as arrays by name: ``epoch``, ``loss``, the metrics, ``val_loss``, and the metrics in validation."""
        if not self.rows:
            return {}
        columns: dict[str, Array | IntArray] = {"epoch": np.array([row.epoch for row in self.rows])}
        for name, _ in self.rows[0].values:
            columns[name] = np.array([row[name] for row in self.rows])
        return columns

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the table as comma-separated text, and write it to a file when a path is given.

        The numbers are written with all their digits; times are left out, so that equal runs give equal files.
        """
        import csv  # not on import: few programs need it

        text = io.StringIO()
        if self.rows:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(["epoch", *(name for name, _ in self.rows[0].values)])
            writer.writerows([row.epoch, *(repr(value) for _, value in row.values)] for row in self.rows)
        if path is not None:
            write_text(path, text.getvalue())
        return text.getvalue()

    def _repr_html_(self) -> str:
        """Return the first and the last figures as notebooks show them."""
        if not self.rows:
            return "<p>no epoch was completed</p>"
        lines = [(str(row.epoch), *[f"{value:.5g}" for _, value in row.values]) for row in self.rows]
        head = ("epoch", *[name for name, _ in self.rows[0].values])
        some = lines if len(lines) <= 12 else [*lines[:5], ("…",) * len(head), *lines[-5:]]
        return html_table([head, *some], range(len(head)))

    def _some(self) -> tuple[Row, ...]:
        if not self.rows:
            raise ValueError("the history is empty: no epoch was completed")
        return self.rows


def direction(monitor: str, mode: Direction | None) -> Direction:
    """Return whether a column is best at its minimum or its maximum."""
    if mode is None:
        if monitor in ("loss", "val_loss"):
            return "min"
        raise ValueError(f"whether {monitor!r} is best at its minimum or its maximum is not known: say mode='min' or mode='max'")
    given: object = mode
    if not isinstance(given, str) or given not in ("min", "max"):
        raise ValueError(f"mode is {shown(mode)}, expected 'min' or 'max'")
    return mode
