"""Checkpoints: training goes on after a crash as if there had been none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from attrs import field, frozen

from funcnn.errors import check_count
from funcnn.key import Key
from funcnn.train.files import FileError, load, load_note, save
from funcnn.train.history import History, Row
from funcnn.train.record import Epoch, Point, Setting

P = TypeVar("P")
S = TypeVar("S")


@frozen
class Checkpoint:
    """A callback that writes all there is to know at the end of an epoch into a file, atomically.

    ``fit(..., resume=path)`` goes on from it, and ends with the same bits as a run that was never interrupted.

    Parameters
    ----------
    path : path
        The file; each checkpoint takes the place of the one before.
    every : int, optional
        Epochs from one checkpoint to the next.

    Raises
    ------
    TypeError, ValueError
        When ``every`` is not a positive integer.

    Examples
    --------
    >>> import numpy as np, funcnn as fn, tempfile, pathlib
    >>> data, rest = (np.ones((8, 2)), np.ones((8, 1))), dict(key=fn.Key(0), batch_size=4)
    >>> task = fn.dense(1), fn.mean_squared_error(), fn.adam(0.1), *data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "run.npz")
    ...     first = fn.fit(*task, epochs=2, callbacks=[fn.Checkpoint(path)], **rest)
    ...     resumed = fn.fit(*task, epochs=5, resume=path, **rest)
    >>> fn.tree.same(resumed.params, fn.fit(*task, epochs=5, **rest).params)
    True
    """

    path: Path = field(converter=Path)
    every: int = 1

    def __attrs_post_init__(self) -> None:
        check_count(self.every, "every")

    def __call__(self, epoch: Epoch[P, S]) -> None:
        """Write the checkpoint when it is due."""
        import json

        if epoch.number % self.every:
            return
        now = Point(epoch.params, epoch.state, epoch.opt_state)
        points = (now,) if epoch.best is None else (now, epoch.best)
        setting = epoch.setting
        note = {
            "key": [str(setting.key.entropy), list(setting.key.path)],
            "batch_size": setting.batch_size,
            "rows": setting.rows,
            "drop_last": setting.drop_last,
            "columns": list(setting.columns),
            "history": [[row.seconds, [value for _, value in row.values]] for row in epoch.history.rows],
            "points": len(points),
        }
        save(self.path, points, note=json.dumps(note))


def resumed(
    path: str | os.PathLike[str], start: Point[P, S], setting: Setting
) -> tuple[Point[P, S], History, Point[P, S] | None]:
    """Return the point, the history and the best point of a checkpoint.

    Raises
    ------
    FileNotFoundError, FileError
        When there is no such file, it is damaged or not a checkpoint, or it belongs to another network, optimizer, key, batch
        size or data.
    """
    import json

    text = load_note(path)
    try:
        note = json.loads(text)
        entropy, steps = note["key"]
        found = Setting(
            Key(int(entropy), tuple(steps)), note["batch_size"], note["rows"], note["drop_last"], tuple(note["columns"])
        )
        rows = [
            Row(epoch, tuple(zip(found.columns, map(float, values), strict=True)), float(seconds))
            for epoch, (seconds, values) in enumerate(note["history"], 1)
        ]
        count = 2 if note["points"] == 2 else 1
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path} is not a checkpoint of fn.Checkpoint ({error!r})") from error
    for name in ("key", "batch_size", "rows", "drop_last", "columns"):
        if getattr(found, name) != getattr(setting, name):
            raise FileError(
                f"{path} was made with {name} = {getattr(found, name)!r}, this run has {getattr(setting, name)!r}: only the"
                " same run can be resumed (load its parameters with fn.load to begin another)"
            )
    points = load(path, like=(start,) * count)
    return points[0], History(tuple(rows)), points[1] if count == 2 else None
