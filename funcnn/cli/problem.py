"""The data of a run, parted into what is learned from, what is watched, and what is asked once at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from attrs import evolve, frozen

from funcnn import data
from funcnn.cli import picture_folder as pictures
from funcnn.cli import text
from funcnn.cli.failure import RequestError
from funcnn.cli.network import Facts
from funcnn.cli.settings import MADE, Settings
from funcnn.cli.table_settings import SHIPPED
from funcnn.data import Dataset
from funcnn.data.idx import holds_bytes
from funcnn.data.images.folder import has_class_folders, images_in
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
class TableParts:
    """A table, parted, and what was learned from its first part."""

    transform: data.TableTransform
    train: data.Table
    test: data.Table
    table: data.Table
    """All rows."""


@frozen(eq=False)
class Rows:
    """All rows that folds are dealt of."""

    labels: IntArray
    content: object
    """What they are told from other rows by."""
    examples: Callable[[IntArray, Key], Examples]
    """Makes the examples of some of them."""


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
    table: TableParts | None = None
    """Of a table, how its columns become arrays, and its parts."""
    rows: Rows | None = None
    """Of other data, where folds are asked for: all rows but those of a test set that the data bring along."""


@frozen(eq=False)
class LabelledData:
    """Rows with classes, parted, before they become the examples of a task."""

    title: str
    learning: data.Split[Labelled]
    """What is learned from, and what is watched meanwhile."""
    test: Labelled
    source: str
    """The expression that gives the data set in a script."""
    picture: tuple[int, ...] = ()
    """The lengths of the images that the rows are, if they are."""
    parts: str = ""
    """How the rows were parted, in words, where all of them serve for everything: then nothing is validated apart."""
    from_bytes: bool = False
    """Whether the numbers of images were bytes, divided by 255."""
    own_test: bool = False
    """Whether the data bring their test set along."""


Pose: TypeAlias = Callable[[Settings, Facts, Labelled, Key], Examples]
"""Makes the examples of a task of labelled rows."""


def load_problem(settings: Settings, pose: Pose) -> Problem:
    """Return the data that settings name, split by their seed.

    Raises
    ------
    RequestError
        When there is no such data set, folder or file, something is missing or damaged, or the model cannot learn from it.
    """
    key = Key(settings.seed).child(0)
    if settings.job.task == "write":
        tokens = text.load_text(settings)
        return Problem(
            tokens.title, tokens.parts, tokens.facts, Examples(*tokens.train), Examples(*tokens.watched), Examples(*tokens.test),
            tokens.source,
        )  # fmt: skip
    if settings.job.task == "classify_text":
        lines = text.load_lines(settings)
        held_out = data.stratified_split(key.child(1), (lines.x, lines.y), labels=lines.y)
        learning = data.stratified_split(key.child(2), held_out.train, 0.1, labels=held_out.train[1])
        parts = (Examples(*learning.train), Examples(*learning.test), Examples(*held_out.test))
        rows = Rows(lines.y, (lines.x, lines.y), lambda some, _: Examples(lines.x[some], lines.y[some]))
        return Problem(lines.title, _parted(*map(len, parts)), lines.facts, *parts, lines.source, rows=rows)
    return _posed(settings, pose, key, _load_labelled(settings, key))


def _load_labelled(settings: Settings, key: Key) -> LabelledData:
    dtype = np.dtype(settings.dtype)
    if settings.data == "xor":
        rows = data.xor(dtype=dtype)
        title, source = "exclusive or, the four rows of its table", f"fn.data.xor(dtype=np.{dtype})"
        return LabelledData(title, data.Split(rows, rows), rows, source, parts="4 to train and to test")
    if settings.data not in MADE:
        return _load_folder(settings, key)
    picture: tuple[int, ...] = ()
    if settings.data == "digits":
        rows, title, picture = data.digits(dtype=dtype), "handwritten digits, images of 8 x 8 pixels", (8, 8)
        source = f"fn.data.digits(dtype=np.{dtype})"
    else:
        made = key.child(0)
        rows, title = data.spirals(made, 200, dtype=dtype), "points on three interleaved spirals"
        source = f"fn.data.spirals(fn.{made}, 200, dtype=np.{dtype})"
    split = data.stratified_split(key.child(1), rows)
    return LabelledData(title, data.stratified_split(key.child(2), split.train, 0.1), split.test, source, picture)


def _posed(settings: Settings, pose: Pose, key: Key, rows: LabelledData) -> Problem:
    first = rows.learning.train
    facts = Facts(first.classes, first.x.shape[1], rows.picture, from_bytes=rows.from_bytes)
    if settings.model in ("lenet5", "convnet", "resnet", "unet") and not rows.picture:
        raise RequestError(
            f"--data {settings.data}: {settings.model} takes images: use digits or a folder of IDX files, or --model mlp"
        )
    parts = [first, rows.learning.test, rows.test]
    train, validation, last = (pose(settings, facts, one, key.child(3).child(index)) for index, one in enumerate(parts))
    if rows.parts:
        return Problem(rows.title, rows.parts, facts, train, None, last, rows.source, rows.test.features)
    whole = f"{sum(map(len, parts)):,} {rows.title}"
    folded = None
    if settings.folds:
        folded = _rows(parts[:2] if rows.own_test else parts, lambda some, its: pose(settings, facts, some, its))
    said = _parted(*map(len, parts))
    return Problem(whole, said, facts, train, validation, last, rows.source, rows.test.features, rows=folded)


def _rows(parts: Sequence[Labelled], pose: Callable[[Labelled, Key], Examples]) -> Rows:
    """Return rows that are parted as one."""
    x, y = np.concatenate([one.x for one in parts]), np.concatenate([one.y for one in parts])
    return Rows(y, (x, y), lambda some, key: pose(evolve(parts[0], x=x[some], y=y[some]), key))


def _load_folder(settings: Settings, key: Key) -> LabelledData:
    folder, dtype = Path(settings.data), np.dtype(settings.dtype)
    if not folder.is_dir():
        raise RequestError(
            f"--data {settings.data}: there is no such data set or folder; choose from {', '.join(MADE)}, or name a folder with"
            " the four IDX files of MNIST or of one of its successors, or with a folder of pictures for each class"
        )
    if has_class_folders(folder):
        return _load_pictures(settings, key, folder, dtype)
    pictures_beside = images_in(folder)
    if pictures_beside:
        raise RequestError(
            f"--data {settings.data}: {pictures_beside[0].name} and its other pictures are in no folders: expected one for each"
            f" class, such as {folder / 'cat'} and {folder / 'dog'}"
        )
    if settings.image_size:
        raise RequestError(f"--image-size {settings.image_size}: {folder} is no folder of pictures, which could be scaled")
    try:
        images = data.idx_folder(folder, flat=False, dtype=dtype)
        shape = images.test.x.shape[1:]
        flat = [evolve(rows, x=rows.x.reshape(len(rows), -1)) for rows in (images.train, images.test)]
        given = data.Split(flat[0], flat[1])
        learning = data.stratified_split(key.child(2), given.train, 0.1)
    except FileNotFoundError as error:
        raise RequestError(f"--data {settings.data}: {error}, and no folder of pictures for each class") from None
    except (OSError, ValueError) as error:
        raise RequestError(f"--data {settings.data}: {error}") from None
    except MemoryError:
        raise RequestError(f"--data {settings.data}: the data do not fit in memory as {dtype}") from None
    shape = shape[:2] if len(shape) == 3 and shape[2] == 1 else shape
    title = f"images of {' x '.join(map(str, shape))} pixels from {folder}"
    source = f"fn.data.idx_folder({str(folder.resolve())!r}, dtype=np.{dtype}).test"
    picture = shape if len(shape) in (2, 3) else ()
    bytes_ = bool(picture) and holds_bytes(folder)
    return LabelledData(title, learning, given.test, source, picture, from_bytes=bytes_, own_test=True)


def _load_pictures(settings: Settings, key: Key, folder: Path, dtype: np.dtype[np.floating]) -> LabelledData:
    """Return the pictures of a folder with a folder for each class, a quarter of them to test."""
    try:
        rows, size = pictures.read_folder(folder, settings.image_size, dtype)
        split = data.stratified_split(key.child(1), rows)
        learning = data.stratified_split(key.child(2), split.train, 0.1)
    except (OSError, ValueError, ImportError) as error:
        raise RequestError(f"--data {settings.data}: {error}") from None
    except MemoryError:
        raise RequestError(f"--data {settings.data}: the pictures do not fit in memory: scale them with --image-size") from None
    title = f"pictures of {' x '.join(map(str, size))} points from {folder}"
    source = pictures.source(folder, size, dtype)
    return LabelledData(title, learning, split.test, source, size[:2] if size[2] == 1 else size, from_bytes=True)


def _parted(train: int, validation: int, test: int) -> str:
    return f"{train:,} to train, {validation:,} to validate, {test:,} to test, stratified"


def check_fit(settings: Settings, problem: Problem) -> Settings:
    """Raise a RequestError unless a batch fits into the training set; name files by their whole paths."""
    if settings.batch_size > len(problem.train):
        raise RequestError(
            f"--batch-size {settings.batch_size}: the training set has {len(problem.train):,} rows, a batch is at most all"
        )
    where = (
        settings.data if settings.data in (*MADE, "") or settings.data.startswith(SHIPPED) else str(Path(settings.data).resolve())
    )
    return evolve(settings, data=where, text=tuple([str(Path(name).resolve()) for name in settings.text]))
