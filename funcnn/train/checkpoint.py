"""Checkpoints: training goes on after a crash as if there had been none."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

from attrs import field, frozen

from funcnn import tree
from funcnn.errors import check_count, check_path, shorten
from funcnn.files.atomic_write import write_atomically
from funcnn.files.save import FileError, load, load_note, save
from funcnn.train.history import History, Row
from funcnn.train.identity import Identity, difference
from funcnn.train.record import Epoch, Point, Reached
from funcnn.train.stopping import EarlyStopping

P = TypeVar("P")
S = TypeVar("S")

_OVERHEAD = 1024  # bytes: at most so many does an archive say about an array


@frozen
class Checkpoint:
    """A callback that writes all there is to know at the end of an epoch into a file, atomically.

    ``fit(..., resume=path)`` goes on from it, and ends with the same bits as a run that was never interrupted.  The file also
    says what the run is, so that no other one can go on from it: see :func:`fit`.

    Before the first step :func:`fit` has it write a file of that size next to its place and remove it again: a folder that is
    missing, read-only or full costs no epoch.

    Parameters
    ----------
    path : path
        The file; each checkpoint takes the place of the one before.
    every : int, optional
        Epochs from one checkpoint to the next.

    Raises
    ------
    TypeError, ValueError
        When ``every`` is not a positive integer, or the path is none.

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

    path: Path = field(converter=check_path)
    every: int = 1

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "every", check_count(self.every, "every"))

    def __call__(self, epoch: Epoch[P, S]) -> None:
        """Write the checkpoint when it is due."""
        if epoch.number % self.every == 0:
            now = Point(epoch.params, epoch.state, epoch.opt_state)
            points = (now,) if epoch.best is None else (now, epoch.best)
            save(self.path, points, note=note(epoch.identity, epoch.history, len(points)))

    def rehearse(self, points: tuple[Point[P, S], ...], history: History, identity: Identity) -> None:
        """Write as much as a checkpoint takes into a file beside its own, and remove it: what fails, fails before there is work.

        Raises
        ------
        OSError
            When the folder does not exist, is full or must not be written to, or the path is a folder.
        """
        text = note(identity, history, len(points))
        try:
            if self.path.is_char_device():  # has no content that could be lost
                save(self.path, points, note=text)
            elif self.path.is_file() or not self.path.exists() or self.path.is_dir():
                write_atomically(self.path, partial(_try_to_write, points, text))
        except _WrittenError:
            return
        except OSError as error:
            error.add_note(f"in the trial of the checkpoint {self.path}, before the first step")
            raise


class _WrittenError(Exception):
    """Ends the trial of a checkpoint before its file takes the place of another."""


def _try_to_write(points: object, text: str, file: IO[bytes]) -> None:
    """Write as many bytes as a checkpoint has, have them reach the disk, and take it all back."""
    for leaf in tree.leaves(points):
        file.write(leaf.tobytes())
        file.write(bytes(_OVERHEAD))
    file.write(text.encode())
    file.flush()
    os.fsync(file.fileno())
    raise _WrittenError


def note(identity: Identity, history: History, points: int) -> str:
    """Return what a checkpoint says beside its arrays."""
    import json  # not on import of the package: three milliseconds

    return json.dumps(
        {
            "run": identity.entries,
            "versions": identity.versions,
            "columns": list(identity.columns),
            "history": [[row.seconds, [value for _, value in row.values]] for row in history.rows],
            "points": points,
        }
    )


def resumed(
    path: str | os.PathLike[str], start: Point[P, S], identity: Identity, rule: EarlyStopping | None, since: int
) -> Reached[P, S]:
    """Return where the run of a checkpoint stood; ``since`` is how many epochs it had when it began.

    Raises
    ------
    FileNotFoundError, FileError
        When there is no such file, it is damaged or not a checkpoint, or it belongs to another run: then with what differs.
    """
    import json

    if not Path(path).is_file():
        raise FileNotFoundError(f"resume is {shorten(repr(os.fspath(path)))}: there is no file {shorten(repr(Path(path).name))}")
    text = load_note(path)
    try:
        said = json.loads(text)
        there = {str(name): [str(one) for one in entry] for name, entry in said["run"].items()}
        columns = [str(name) for name in said["columns"]]
        rows = [
            Row(epoch, tuple(zip(columns, map(float, values), strict=True)), float(seconds))
            for epoch, (seconds, values) in enumerate(said["history"], 1)
        ]
        count = 2 if said["points"] == 2 else 1
        versions = str(said["versions"]) if "versions" in said else f"funcnn 0.1.0 and Python {said['python']}"
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path} is not a checkpoint of fn.Checkpoint, or one of another version ({error!r})") from error
    message = difference(path, there, identity.entries, (versions, identity.versions))
    if message is not None:
        raise FileError(message)
    if columns != list(identity.columns):
        raise FileError(f"{path} is damaged: its columns are {columns}, expected {list(identity.columns)}")
    history = History(tuple(rows))
    over = None if rule is None else rule.end(history, since)
    if over is not None and over < len(history):
        raise FileError(
            f"{path} has {len(history)} epochs, and early_stopping with this patience would have ended training after {over}"
        )
    points = load(path, like=(start,) * count)
    peak = 0 if rule is None else rule.best_epoch(history, since)
    return Reached(points[0], history, points[1] if count == 2 else None, peak)
