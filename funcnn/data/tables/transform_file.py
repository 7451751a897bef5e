"""A transform in a file: JSON that a person can read, written atomically, and checked field by field when it is read.

Numbers are written with as many digits as tell them apart, so that what is read is what was written, to the last bit.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from funcnn.data.tables.encodings import BooleanEncoding, CategoryEncoding, DateEncoding, Encoding, NumberEncoding
from funcnn.data.tables.targets import LabelTarget, NumberTarget, Target
from funcnn.data.tables.transform import TableTransform
from funcnn.errors import check_path, shorten, shown
from funcnn.files.atomic_write import write_text
from funcnn.files.tree_reader import FileError

FORMAT = 1
_ENCODINGS: dict[str, type[Encoding]] = {
    "number": NumberEncoding, "boolean": BooleanEncoding, "date": DateEncoding, "category": CategoryEncoding,
}  # fmt: skip
_TARGETS: dict[str, type[Target]] = {"classification": LabelTarget, "regression": NumberTarget}


def _text(value: object) -> bool:
    return isinstance(value, str)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _number(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _scale(value: object) -> bool:
    return isinstance(value, float) and 0 < value < math.inf


def _moment(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_text, value)) and len(set(value)) == len(value)


def _classes(value: object) -> bool:
    return _texts(value) and len(value) > 1 if isinstance(value, list) else False


def _parts(value: object) -> bool:
    return isinstance(value, list) and value in ([part for part in ("year", "week", "day") if part in value],)


def _unseen(value: object) -> bool:
    return isinstance(value, str) and value in ("ignore", "error")


_FIELDS: dict[type[object], Mapping[str, Callable[[object], bool]]] = {
    NumberEncoding: {"name": _text, "fill": _number, "mean": _number, "scale": _scale, "indicator": _flag},
    BooleanEncoding: {"name": _text, "fill": _flag, "indicator": _flag},
    DateEncoding: {"name": _text, "fill": _moment, "mean": _moment, "scale": _scale, "parts": _parts, "indicator": _flag},
    CategoryEncoding: {"name": _text, "categories": _texts, "indicator": _flag, "one_hot": _flag, "unseen": _unseen},
    LabelTarget: {"name": _text, "classes": _classes},
    NumberTarget: {"name": _text, "mean": _number, "scale": _scale},
}
"""What each field of a record must be."""


def save_table_transform(path: str | os.PathLike[str], transform: TableTransform) -> None:
    """Write a transform as a JSON file, whole or not at all: :func:`load_table_transform` reads it, to the last bit.

    Parameters
    ----------
    path : path
    transform : TableTransform

    Raises
    ------
    TypeError
        When it is no TableTransform.
    OSError
        When the file cannot be written; what stood there before is then untouched.

    Examples
    --------
    >>> import funcnn as fn, tempfile, pathlib
    >>> fitted = fn.data.fit_table({"age": [31.0, 47.0], "plan": ["basic", "pro"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fn.data.save_table_transform(pathlib.Path(folder, "transform.json"), fitted)
    ...     fn.data.load_table_transform(pathlib.Path(folder, "transform.json")) == fitted
    True
    """
    if not isinstance(transform, TableTransform):
        raise TypeError(f"transform is {shown(transform)}, expected a TableTransform, as fn.data.fit_table gives it")
    target = transform.target
    entries = {
        "funcnn_table_transform": FORMAT,
        "columns": [{"kind": one.kind, **attrs.asdict(one)} for one in transform.encodings],
        "target": None if target is None else {"task": target.task, **attrs.asdict(target)},
        "left_out": [list(one) for one in transform.left_out],
    }
    write_text(path, json.dumps(entries, indent=1, ensure_ascii=True, allow_nan=False) + "\n")


def load_table_transform(path: str | os.PathLike[str]) -> TableTransform:
    """Read a transform that :func:`save_table_transform` wrote; nothing in the file is executed or believed unchecked.

    Parameters
    ----------
    path : path

    Returns
    -------
    TableTransform
        Equal to the one that was saved.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    FileError
        A ValueError: when the file is damaged, or not such a file, with what is wrong.

    Examples
    --------
    >>> import funcnn as fn, tempfile, pathlib
    >>> fitted = fn.data.fit_table({"age": [31.0, 47.0], "plan": ["basic", "pro"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fn.data.save_table_transform(pathlib.Path(folder, "transform.json"), fitted)
    ...     fn.data.load_table_transform(pathlib.Path(folder, "transform.json")) == fitted
    True
    """
    path = check_path(path)
    try:
        entries: object = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} is not JSON: {shorten(str(error))}") from None
    if not isinstance(entries, dict) or set(entries) != {"funcnn_table_transform", "columns", "target", "left_out"}:
        raise FileError(f"{path} does not hold the transform of a table")
    if entries["funcnn_table_transform"] != FORMAT or isinstance(entries["funcnn_table_transform"], bool):
        raise FileError(f"{path} has format {shorten(repr(entries['funcnn_table_transform']))}, expected {FORMAT}")
    columns, given, left_out = entries["columns"], entries["target"], entries["left_out"]
    if not isinstance(columns, list) or not columns:
        raise FileError(f"{path}: columns is {shorten(repr(columns))}, expected a list of columns")
    encodings = tuple(_record(one, "kind", _ENCODINGS, f"{path}: columns[{place}]") for place, one in enumerate(columns))
    target = None if given is None else _record(given, "task", _TARGETS, f"{path}: target")
    if not isinstance(left_out, list) or not all(
        isinstance(one, list) and len(one) == 2 and all(map(_text, one)) for one in left_out
    ):
        raise FileError(f"{path}: left_out is {shorten(repr(left_out))}, expected pairs of a name and a reason")
    names = [one.name for one in encodings] + ([] if target is None else [target.name])
    if len(set(names)) < len(names):
        raise FileError(f"{path} names a column twice")
    return TableTransform(encodings, target, tuple((str(name), str(reason)) for name, reason in left_out))


def _record(given: object, tag: str, known: Mapping[str, type[Any]], where: str) -> Any:
    """Return the record that a JSON object describes."""
    kind = given.get(tag) if isinstance(given, dict) else None
    made = known.get(kind) if isinstance(kind, str) else None
    if made is None or not isinstance(given, dict):
        raise FileError(f"{where} is {shorten(repr(given))}, expected an object with {tag} {' or '.join(known)}")
    fields = _FIELDS[made]
    if set(given) != {tag, *fields}:
        raise FileError(f"{where} has the fields {shorten(', '.join(map(str, given)))}, expected {tag}, {', '.join(fields)}")
    for name, is_right in fields.items():
        if not is_right(given[name]):
            raise FileError(f"{where}: {name} is {shorten(repr(given[name]))}, which it cannot be")
    return made(**{name: tuple(given[name]) if isinstance(given[name], list) else given[name] for name in fields})
