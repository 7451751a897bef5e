"""The data of a run, parted into what is learned from, what is watched, and what is asked once at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from attrs import evolve, frozen

from funcnn import data
from funcnn.cli import text
from funcnn.cli.failure import RequestError
from funcnn.cli.network import Facts
from funcnn.cli.settings import MADE, Settings
from funcnn.data import Dataset
from funcnn.key import Key
from funcnn.typing import IntArray

Labelled: TypeAlias = Dataset[IntArray]


@frozen(eq=False)
class Examples:
    """What goes into a network and what should come out: arrays, or tuples of arrays, with a row for each example."""

    x: Any
    y: Any

    def __len__(self) -> int:
        return data.count((self.x, self.y))


@frozen(eq=False)
class Problem:
    """What there is to learn."""

    title: str
    parts: str
    """How the rows were parted, in words."""
    facts: Facts
    train: Examples
    validation: Examples | None
    test: Examples
    source: str
    """The expression that gives the data set in a script."""
    axes: tuple[str, ...] = ()
    """What the features are called, where they have names."""


Pose: TypeAlias = Callable[[Settings, Facts, Labelled, Key], Examples]
"""Makes the examples of a task of labelled rows."""


def load_problem(settings: Settings, pose: Pose) -> Problem:
    """Return the data that settings name, split by their seed.

    Raises
    ------
    RequestError
        When there is no such data set, folder or file, something is missing or damaged, or the model cannot learn from it.
    """
    key, dtype = Key(settings.seed).child(0), np.dtype(settings.dtype)
    if settings.job.task == "write":
        tokens = text.load_text(settings)
        return Problem(
            tokens.title, tokens.parts, tokens.facts, Examples(*tokens.train), Examples(*tokens.watched), Examples(*tokens.test),
            tokens.source,
        )  # fmt: skip
    if settings.job.task == "tell":
        lines = text.load_lines(settings)
        held_out = data.stratified_split(key.child(1), (lines.x, lines.y), labels=lines.y)
        learning = data.stratified_split(key.child(2), held_out.train, 0.1, labels=held_out.train[1])
        parts = (Examples(*learning.train), Examples(*learning.test), Examples(*held_out.test))
        return Problem(lines.title, _parted(*map(len, parts)), lines.facts, *parts, lines.source)
    picture: tuple[int, ...] = ()
    if settings.data == "xor":
        rows = data.xor(dtype=dtype)
        title, test, learning_rows = "exclusive or, the four rows of its table", rows, data.Split(rows, rows)
        parts_said, source = "4 to train and to test", f"fn.data.xor(dtype=np.{dtype})"
    elif settings.data in MADE:
        if settings.data == "digits":
            rows, title, picture = data.digits(dtype=dtype), "handwritten digits, images of 8 x 8 pixels", (8, 8)
            source = f"fn.data.digits(dtype=np.{dtype})"
        else:
            made = key.child(0)
            rows, title = data.spirals(made, 200, dtype=dtype), "points on three interleaved spirals"
            source = f"fn.data.spirals(fn.{made}, 200, dtype=np.{dtype})"
        split = data.stratified_split(key.child(1), rows)
        learning_rows, test = data.stratified_split(key.child(2), split.train, 0.1), split.test
        parts_said = ""
    else:
        learning_rows, test, picture, title = _load_folder(settings, key)
        source, parts_said = f"fn.data.idx_folder({str(Path(settings.data).resolve())!r}, dtype=np.{dtype}).test", ""
    return _posed(settings, pose, key, learning_rows, test, picture, title, parts_said, source)


def _posed(
    settings: Settings,
    pose: Pose,
    key: Key,
    learning: data.Split[Labelled],
    test: Labelled,
    picture: tuple[int, ...],
    title: str,
    said: str,
    source: str,
) -> Problem:
    facts = Facts(learning.train.classes, learning.train.x.shape[1], picture)
    if settings.model in ("lenet5", "convnet", "resnet", "unet") and not picture:
        raise RequestError(
            f"--data {settings.data}: {settings.model} takes images: use digits or a folder of IDX files, or --model mlp"
        )
    parts = [learning.train, learning.test, test]
    whole = said or f"{sum(map(len, parts)):,} {title}"
    train, validation, last = (pose(settings, facts, rows, key.child(3).child(index)) for index, rows in enumerate(parts))
    if said:
        return Problem(title, said, facts, train, None, last, source, test.features)
    return Problem(whole, _parted(*map(len, parts)), facts, train, validation, last, source, test.features)


def _load_folder(settings: Settings, key: Key) -> tuple[data.Split[Labelled], Labelled, tuple[int, ...], str]:
    folder, dtype = Path(settings.data), np.dtype(settings.dtype)
    if not folder.is_dir():
        raise RequestError(
            f"--data {settings.data}: there is no such data set or folder; choose from {', '.join(MADE)}, or name a folder with"
            " the four IDX files of MNIST or of one of its successors"
        )
    try:
        images = data.idx_folder(folder, flat=False, dtype=dtype)
        shape = images.test.x.shape[1:]
        flat = [evolve(rows, x=rows.x.reshape(len(rows), -1)) for rows in (images.train, images.test)]
        given = data.Split(flat[0], flat[1])
        learning = data.stratified_split(key.child(2), given.train, 0.1)
    except (OSError, ValueError) as error:
        raise RequestError(f"--data {settings.data}: {error}") from None
    except MemoryError:
        raise RequestError(f"--data {settings.data}: the data do not fit in memory as {dtype}") from None
    shape = shape[:2] if len(shape) == 3 and shape[2] == 1 else shape
    title = f"images of {' x '.join(map(str, shape))} pixels from {folder}"
    return learning, given.test, shape if len(shape) in (2, 3) else (), title


def _parted(train: int, validation: int, test: int) -> str:
    return f"{train:,} to train, {validation:,} to validate, {test:,} to test, stratified"


def check_fit(settings: Settings, problem: Problem) -> Settings:
    """Raise a RequestError unless a batch fits into the training set; name files by their whole paths."""
    if settings.batch_size > len(problem.train):
        raise RequestError(
            f"--batch-size {settings.batch_size}: the training set has {len(problem.train):,} rows, a batch is at most all"
        )
    where = settings.data if settings.data in (*MADE, "") else str(Path(settings.data).resolve())
    return evolve(settings, data=where, text=tuple([str(Path(name).resolve()) for name in settings.text]))
