"""Checkpoints: training goes on after a crash as if there had been none."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

from attrs import field, frozen

from funcnn import tree
from funcnn.errors import check_count, check_path, shorten
from funcnn.files.atomic_write import copy_file, write_atomically
from funcnn.files.save import FileError, load, load_note, save
from funcnn.train.history import History, Row
from funcnn.train.identity import Identity, difference
from funcnn.train.passing import like_passing, passing_of
from funcnn.train.preparation.check_data import row_count
from funcnn.train.record import Epoch, Point, Reached, Step
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
    every_steps : int, optional
        Batches of an epoch from one checkpoint within it to the next, beside those at its end.  A run that goes on from within an
        epoch ends with the same bits too.
    keep : int, optional
        How many files are kept: ``run.npz`` is the newest, ``run.1.npz`` the one before.

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
    every_steps: int | None = field(default=None, kw_only=True)
    keep: int = field(default=1, kw_only=True)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "every", check_count(self.every, "every"))
        object.__setattr__(self, "keep", check_count(self.keep, "keep"))
        if self.every_steps is not None:
            object.__setattr__(self, "every_steps", check_count(self.every_steps, "every_steps"))

    def __call__(self, epoch: Epoch[P, S]) -> None:
        """Write the checkpoint when it is due."""
        if epoch.number % self.every == 0:
            now = Point(epoch.params, epoch.state, epoch.opt_state)
            points = (now,) if epoch.best is None else (now, epoch.best)
            self._write(points, note(epoch.identity, epoch.history, len(points)))

    @property
    def hears_steps(self) -> bool:
        """Whether it is to be called after steps."""
        return self.every_steps is not None

    def on_step(self, step: Step[P, S]) -> None:
        """Write the checkpoint when it is due within an epoch."""
        if self.every_steps is not None and step.number % self.every_steps == 0:
            now = Point(step.params, step.state, step.opt_state)
            points = (now,) if step.best is None else (now, step.best)
            kept = step.passing.as_tree()
            shown = sum(row_count(output) for output, _ in step.passing.outputs)
            text = note(step.identity, step.history, len(points), (len(step.passing.numbers), shown))
            self._write((points, kept), text)

    def existing(self) -> Path | None:
        """Return the newest checkpoint that there is, or None: ``resume=checkpoint.existing()`` goes on if there is one."""
        return next((path for path in self.paths() if path.is_file()), None)

    def paths(self) -> tuple[Path, ...]:
        """Return the files, the newest first: ``run.npz``, then ``run.1.npz`` and so on, of which there are at most ``keep``."""
        older = [self.path.with_name(f"{self.path.stem}.{number}{self.path.suffix}") for number in range(1, self.keep)]
        return (self.path, *older)

    def _write(self, kept: object, text: str) -> None:
        """Write a file, and let those before it move on by one; at every moment there is a newest one."""
        if self.keep > 1 and self.path.is_file():
            files = self.paths()
            for newer, older in zip(files[-2:0:-1], files[:1:-1], strict=True):
                if newer.is_file():
                    newer.replace(older)
            copy_file(self.path, files[1])
        save(self.path, kept, note=text)

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


def note(identity: Identity, history: History, points: int, within: tuple[int, int] | None = None) -> str:
    """Return what a checkpoint says beside its arrays; ``within`` an epoch how many steps and rows of outputs it holds."""
    import json  # not on import of the package: three milliseconds

    return json.dumps(
        {
            "run": identity.entries,
            "versions": identity.versions,
            "columns": list(identity.columns),
            "history": [[row.seconds, [value for _, value in row.values]] for row in history.rows],
            "points": points,
        }
        | ({} if within is None else {"within": list(within)})
    )


def resumed(
    path: str | os.PathLike[str],
    start: Point[P, S],
    identity: Identity,
    rule: EarlyStopping | None,
    since: int,
    shown: Callable[[], tuple[object, object] | None] = lambda: None,
) -> Reached[P, S]:
    """Return where the run of a checkpoint stood.

    Parameters
    ----------
    path : path
    start : Point
        One like those in the file.
    identity : Identity
    rule : EarlyStopping or None
    since : int
        How many epochs the run had when it began.
    shown : callable, optional
        Makes a prediction and a target of one row, when there are metrics.

    Raises
    ------
    FileNotFoundError, FileError
        When there is no such file, it is damaged or not a checkpoint, or it belongs to another run: then with what differs.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"resume is {shorten(repr(os.fspath(path)))}: there is no file {shorten(repr(Path(path).name))}")
    said = _read_note(path)
    message = difference(path, said.run, identity.entries, (said.versions, identity.versions))
    if message is not None:
        raise FileError(message)
    if said.columns != identity.columns:
        raise FileError(f"{path} is damaged: its columns are {list(said.columns)}, expected {list(identity.columns)}")
    history = said.history
    over = None if rule is None else rule.end(history, since)
    if over is not None and over < len(history):
        raise FileError(
            f"{path} has {len(history)} epochs, and early_stopping with this patience would have ended training after {over}"
        )
    peak = 0 if rule is None else rule.best_epoch(history, since)
    like = (start,) * said.points
    if not said.steps:
        points = load(path, like=like)
        return Reached(points[0], history, points[1] if said.points == 2 else None, peak)
    recorded = "learning_rate" in said.columns, "gradient_norm" in said.columns
    points, kept = load(path, like=(like, like_passing(said.steps, recorded, shown(), said.seen)))
    return Reached(points[0], history, points[1] if said.points == 2 else None, peak, passing_of(kept))


@frozen
class _Note:
    """What :func:`note` has written."""

    run: dict[str, list[str]]
    versions: str
    columns: tuple[str, ...]
    history: History
    points: int
    """How many there are: the last one, and the best so far."""
    steps: int
    """Within an epoch: the steps that it has done."""
    seen: int
    """Within an epoch: the rows of outputs that it holds, for metrics."""


def _read_note(path: str | os.PathLike[str]) -> _Note:
    """Return what a checkpoint says of its run, or raise a FileError."""
    import json

    text = load_note(path)
    try:
        said = json.loads(text)
        columns = tuple([str(name) for name in said["columns"]])
        rows = [
            Row(epoch, tuple(zip(columns, map(float, values), strict=True)), float(seconds))
            for epoch, (seconds, values) in enumerate(said["history"], 1)
        ]
        steps, seen = map(int, said.get("within", (0, 0)))
        return _Note(
            run={str(name): [str(one) for one in entry] for name, entry in said["run"].items()},
            versions=str(said["versions"]) if "versions" in said else f"funcnn 0.1.0 and Python {said['python']}",
            columns=columns,
            history=History(tuple(rows)),
            points=2 if said["points"] == 2 else 1,
            steps=steps,
            seen=seen,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path} is not a checkpoint of fn.Checkpoint, or one of another version ({error!r})") from error
