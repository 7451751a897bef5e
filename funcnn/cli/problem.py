"""The data of a run, parted into what is learned from, what is watched, and what is asked once at the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from attrs import evolve, frozen

from funcnn import data
from funcnn.cli.failure import RequestError
from funcnn.cli.settings import MADE, Settings
from funcnn.data import Dataset
from funcnn.key import Key
from funcnn.typing import IntArray, Shape

Labelled = Dataset[IntArray]


@frozen(eq=False)
class Problem:
    """A classification problem."""

    title: str
    parts: str
    """How the rows were parted, in words."""
    train: Labelled
    validation: Labelled | None
    test: Labelled
    picture: Shape
    """Rows and columns of an image, or () where the inputs are none."""
    source: str
    """The expression that gives the data set in a script."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.train.classes

    @property
    def features(self) -> int:
        """The number of features of an input."""
        return self.train.x.shape[1]


def load_problem(settings: Settings) -> Problem:
    """Return the data that settings name, split by their seed.

    Raises
    ------
    RequestError
        When there is no such data set or folder, or the folder's files are missing or damaged.
    """
    key, dtype = Key(settings.seed).child(0), np.dtype(settings.dtype)
    if settings.data == "xor":
        rows = data.xor(dtype=dtype)
        return Problem(
            "exclusive or, the four rows of its table", "4 to train and to test", rows, None, rows, (),
            f"fn.data.xor(dtype=np.{dtype})",
        )  # fmt: skip
    if settings.data == "digits":
        rows, title = data.digits(dtype=dtype), "handwritten digits, images of 8 x 8 pixels"
        source = f"fn.data.digits(dtype=np.{dtype})"
    elif settings.data == "spirals":
        made = key.child(0)
        rows, title = data.spirals(made, 200, dtype=dtype), "points on three interleaved spirals"
        source = f"fn.data.spirals(fn.{made}, 200, dtype=np.{dtype})"
    else:
        return _load_folder(settings, key)
    held_out = data.stratified_split(key.child(1), rows)
    learning = data.stratified_split(key.child(2), held_out.train, 0.1)
    return _problem(title, learning, held_out.test, (8, 8) if settings.data == "digits" else (), source)


def _load_folder(settings: Settings, key: Key) -> Problem:
    folder, dtype = Path(settings.data), np.dtype(settings.dtype)
    if not folder.is_dir():
        raise RequestError(
            f"--data {settings.data}: there is no such data set or folder; choose from {', '.join(MADE)}, or name a folder with"
            " the four IDX files of MNIST or of one of its successors"
        )
    try:
        given = data.idx_folder(folder, dtype=dtype)
        learning = data.stratified_split(key.child(2), given.train, 0.1)
        shape = data.load_idx(next(folder.glob("t10k-images*"))).shape[1:]
    except (OSError, ValueError) as error:
        raise RequestError(f"--data {settings.data}: {error}") from None
    except MemoryError:
        raise RequestError(f"--data {settings.data}: the data do not fit in memory as {dtype}") from None
    source = f"fn.data.idx_folder({settings.data!r}, dtype=np.{dtype}).test"
    title = f"images of {' x '.join(map(str, shape))} pixels from {folder}"
    return _problem(title, learning, given.test, shape if len(shape) == 2 else (), source)


def _problem(title: str, learning: data.Split[Labelled], test: Labelled, picture: Shape, source: str) -> Problem:
    parts = f"{len(learning.train):,} to train, {len(learning.test):,} to validate, {len(test):,} to test, stratified"
    everything = len(learning.train) + len(learning.test) + len(test)
    return Problem(f"{everything:,} {title}", parts, learning.train, learning.test, test, picture, source)


def check_fit(settings: Settings, problem: Problem) -> Settings:
    """Raise a RequestError unless a batch fits into the training set; name a folder by its whole path."""
    if settings.batch_size > len(problem.train):
        raise RequestError(
            f"--batch-size {settings.batch_size}: the training set has {len(problem.train):,} rows, a batch is at most all"
        )
    return settings if settings.data in MADE else evolve(settings, data=str(Path(settings.data).resolve()))
