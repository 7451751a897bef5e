"""The figures of training for TensorBoard."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TypeVar

from attrs import field, frozen

from funcnn.errors import check_path
from funcnn.files.atomic_write import write_bytes
from funcnn.train.callbacks.event_file import Scalar, event_file
from funcnn.train.history import History
from funcnn.train.identity import Identity
from funcnn.train.record import Epoch, Point

P = TypeVar("P")
S = TypeVar("S")


def _folder(value: object) -> Path:
    return check_path(value, "folder")


@frozen
class TensorBoardLog:
    """A callback that writes what TensorBoard shows: ``tensorboard --logdir FOLDER``.

    At the end of every epoch a file of its own is written, atomically, with the columns of the history by epoch, and with
    ``step/loss`` and whatever ``record=`` of :func:`fit` asks for (``step/learning_rate``, ``step/gradient_norm``) by the
    number of the step. TensorBoard reads the files one after the other, and new ones while training goes on. A run that goes
    on from a checkpoint writes the files of its epochs anew. Nothing else is needed: the format is written here
    (``funcnn/train/callbacks/event_file.py``).

    Parameters
    ----------
    folder : path
        Where the files go, one folder for each run.

    Raises
    ------
    TypeError, ValueError
        When the path is none; by ``fit``, a NotADirectoryError, when there is a file in its place.

    Examples
    --------
    >>> import numpy as np, funcnn as fn, tempfile, pathlib
    >>> x, y = np.ones((8, 2)), np.ones((8, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = fn.TensorBoardLog(pathlib.Path(folder, "run"))
    ...     rest = dict(key=fn.Key(0), epochs=2, batch_size=4, callbacks=[log])
    ...     result = fn.fit(fn.dense(1), fn.mean_squared_error(), fn.sgd(0.1), x, y, **rest)
    ...     [path.name for path in sorted(log.folder.iterdir())]
    ['events.out.tfevents.0000000001.funcnn', 'events.out.tfevents.0000000002.funcnn']
    """

    folder: Path = field(converter=_folder)

    def __call__(self, epoch: Epoch[P, S]) -> None:
        """Write the file of the epoch."""
        scalars = [Scalar(name, epoch.number, value) for name, value in epoch.history.last.values]
        passing = epoch.passing
        if passing is not None:
            first = epoch.updates - len(passing.losses)  # of this epoch, counted from 0 over all of them
            for name, column in (
                ("loss", passing.losses),
                ("learning_rate", passing.rates),
                ("gradient_norm", passing.norms),
            ):
                scalars += [Scalar(f"step/{name}", first + index, value) for index, value in enumerate(column, 1)]
        write_bytes(self.folder / f"events.out.tfevents.{epoch.number:010d}.funcnn", event_file(scalars, time.time()))

    def rehearse(self, points: tuple[Point[P, S], ...], history: History, identity: Identity) -> None:
        """Make the folder before the first step, where it is missing; raise an OSError when that cannot be done."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.folder.is_dir():
            raise NotADirectoryError(f"the log cannot be written: {self.folder} is no folder")
