"""The history as a CSV file, while training goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from attrs import field, frozen

from funcnn.errors import check_path
from funcnn.train.history import History
from funcnn.train.identity import Identity
from funcnn.train.record import Epoch, Point

P = TypeVar("P")
S = TypeVar("S")


@frozen
class CSVLog:
    """A callback that writes the history into a CSV file at the end of every epoch, whole each time.

    So a run that was interrupted and goes on leaves the file of one that was not.

    Parameters
    ----------
    path : path
        The file; one that is there is replaced after the first epoch.

    Raises
    ------
    TypeError, ValueError
        When the path is none.

    Examples
    --------
    >>> import numpy as np, funcnn as fn, tempfile, pathlib
    >>> x, y = np.zeros((8, 2)), np.zeros((8, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = fn.CSVLog(pathlib.Path(folder, "log.csv"))
    ...     rest = dict(key=fn.Key(0), epochs=2, batch_size=4, callbacks=[log])
    ...     result = fn.fit(fn.dense(1), fn.mean_squared_error(), fn.sgd(0.1), x, y, **rest)
    ...     print(log.path.read_text())
    epoch,loss
    1,0.0
    2,0.0
    """

    path: Path = field(converter=check_path)

    def __call__(self, epoch: Epoch[P, S]) -> None:
        """Write the file."""
        epoch.history.to_csv(self.path)

    def rehearse(self, points: tuple[Point[P, S], ...], history: History, identity: Identity) -> None:
        """Raise a FileNotFoundError before the first step when the folder does not exist."""
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"the log {self.path} cannot be written: the folder {self.path.parent} does not exist")
