"""What a run on a table was asked for, beside the settings that every run has."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict, cast, get_args

import attrs
from attrs import frozen

from funcnn.cli.arguments import check_choice, check_whole
from funcnn.cli.failure import RequestError
from funcnn.data.tables.reading import CSV_ENDINGS, PARQUET_ENDINGS
from funcnn.errors import shorten

Purpose: TypeAlias = Literal["regression", "classification", "anomalies"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
SHIPPED = "sklearn:"
"""What a data set that ships with scikit-learn is called by, before its name."""

DIALECT = ("separator", "decimal", "encoding")


class Dialect(TypedDict, total=False):
    """What may be said of how a CSV file is written, for :func:`funcnn.data.read_table`."""

    separator: str
    decimal: str
    encoding: str


def dialect_of(asked: object) -> Dialect:
    """Return what the attributes of these names say, as far as they say something."""
    return cast(Dialect, {name: getattr(asked, name) for name in DIALECT if getattr(asked, name)})


@frozen
class TableSettings:
    """A table: what is to be predicted from which columns, and how long."""

    target: str = ""
    """The column that is to be predicted; of anomalies, where there is one, which rows are usual."""
    task: str = ""
    """What is learned; empty until the target has told it."""
    leave_out: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    """Columns of numbers that are names."""
    missing: tuple[str, ...] = ()
    """Further words of a file that say that nothing is known."""
    patience: int = 20
    """Epochs without improvement after which training ends."""
    fixed_batch: bool = False
    """Whether the size of a batch was asked for: by default it grows with the table."""
    separator: str = ""
    """What stands between the fields of a CSV file; empty where that is found out, as the decimal mark and the encoding are."""
    decimal: str = ""
    encoding: str = ""

    def __attrs_post_init__(self) -> None:
        check_choice("task", self.task, ("", *PURPOSES))
        check_whole("patience", self.patience, 1)

    @property
    def dialect(self) -> Dialect:
        """How a CSV file is written, as far as that was said."""
        return dialect_of(self)


def is_table(data: str) -> bool:
    """Tell whether a data set is a table: a file by its ending, or one that ships with scikit-learn."""
    path = Path(data)
    ending = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    return data.startswith(SHIPPED) or ending in (*CSV_ENDINGS, *PARQUET_ENDINGS)


def table_from_json(entries: object, where: str) -> TableSettings | None:
    """Return the settings of a table that a JSON text holds, or None for a run on other data.

    Raises
    ------
    RequestError
        When a name is missing or unknown, or a value is of the wrong type or out of range.
    """
    if entries is None:
        return None
    fields = attrs.fields_dict(TableSettings)
    if not isinstance(entries, dict) or {*entries, *DIALECT} != set(fields):  # which former runs did not have
        raise RequestError(f"{where}: table is {shorten(repr(entries))}, expected {', '.join(fields)}")
    entries = dict.fromkeys(DIALECT, "") | entries
    for name in ("target", "task", *DIALECT):
        if not isinstance(entries[name], str):
            raise RequestError(f"{where}: {name} is {shorten(repr(entries[name]))}, expected a text")
    for name in ("leave_out", "categories", "missing"):
        given = entries[name]
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            raise RequestError(f"{where}: {name} is {shorten(repr(given))}, expected a list of texts")
    if not isinstance(entries["fixed_batch"], bool):
        raise RequestError(f"{where}: fixed_batch is {shorten(repr(entries['fixed_batch']))}, expected true or false")
    checked: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in entries.items()}
    return TableSettings(**checked)
