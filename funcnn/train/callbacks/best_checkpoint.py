"""The checkpoint of the best epoch so far."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from attrs import field, frozen

from funcnn.errors import check_path, shown
from funcnn.train.checkpoint import Checkpoint
from funcnn.train.history import Direction, History, direction
from funcnn.train.identity import Identity
from funcnn.train.record import Epoch, Point

P = TypeVar("P")
S = TypeVar("S")


@frozen
class BestCheckpoint:
    """A callback that keeps the checkpoint of the best epoch: a new best one takes the place of the last.

    The file is one of :class:`Checkpoint`: ``fit(..., resume=path)`` goes on from it.

    Parameters
    ----------
    path : path
        The file.
    monitor : str, optional
        A column of the history.
    mode : "min" or "max", optional
        Whether lower or higher is better; only a loss need not say it.

    Raises
    ------
    TypeError, ValueError
        When the path is none, or the mode is missing for a column other than a loss; by ``fit``, when there is no such column.

    Examples
    --------
    >>> import numpy as np, funcnn as fn, tempfile, pathlib
    >>> x, y = np.ones((8, 2)), np.ones((8, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     best = fn.BestCheckpoint(pathlib.Path(folder, "best.npz"), "loss")
    ...     rest = dict(key=fn.Key(0), epochs=3, batch_size=4, callbacks=[best])
    ...     result = fn.fit(fn.dense(1), fn.mean_squared_error(), fn.sgd(0.1), x, y, **rest)
    ...     best.path.exists()
    True
    """

    path: Path = field(converter=check_path)
    monitor: str = "val_loss"
    mode: Direction | None = None

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.monitor, str):
            raise TypeError(f"monitor is {shown(self.monitor)}, expected the name of a column such as 'val_loss'")
        direction(self.monitor, self.mode)

    def __call__(self, epoch: Epoch[P, S]) -> None:
        """Write the checkpoint when the epoch is better than all before it; NaN never is."""
        if epoch.history.last[self.monitor] == epoch.history.last[self.monitor] and (
            epoch.history.best(self.monitor, self.mode).epoch == epoch.number
        ):
            Checkpoint(self.path)(epoch)

    def rehearse(self, points: tuple[Point[P, S], ...], history: History, identity: Identity) -> None:
        """Find out before the first step whether there will be such a column, and whether the file can be written.

        Raises
        ------
        ValueError
            When there is no such column.
        OSError
            When the file cannot be written.
        """
        if self.monitor not in identity.columns:
            raise ValueError(f"BestCheckpoint monitors {self.monitor!r}, the columns are {list(identity.columns)}")
        Checkpoint(self.path).rehearse(points, history, identity)
