"""A table from a file, by the ending of its name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from funcnn.data.tables.columns import Kind, Table
from funcnn.data.tables.csv_reader import column_names, read_csv
from funcnn.data.tables.frames import as_table
from funcnn.data.tables.transform import TableTransform
from funcnn.errors import check_is_file, check_path, shorten
from funcnn.files.tree_reader import FileError

CSV_ENDINGS = (".csv", ".tsv", ".tab", ".txt")
PARQUET_ENDINGS = (".parquet", ".pq")


def read_table(
    path: str | os.PathLike[str],
    *,
    kinds: Mapping[str, Kind] | None = None,
    missing: Sequence[str] = (),
    like: TableTransform | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> Table:
    r"""Read a table from a file: CSV (``.csv``, ``.tsv``, ``.txt``, packed by gzip or not) or Parquet (``.parquet``).

    Parameters
    ----------
    path : path
    kinds : dict, optional
        The kinds of columns that are not to be guessed; see :func:`read_csv`.  A file of Parquet has kinds of its own.
    missing : sequence of str, optional
        Further words of a CSV file that say that nothing is known.
    like : TableTransform, optional
        Fitted on other rows: columns of a CSV file that it knows are read as those were, unless ``kinds`` says otherwise.
    separator, decimal, encoding : str, optional
        How a CSV file is written, where that is not to be found out; see :func:`read_csv`.

    Returns
    -------
    Table

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    FileError
        When the ending is of no known format, or the file is not what it should be.
    ImportError
        When a Parquet file is to be read and pyarrow is not installed.

    Examples
    --------
    >>> import funcnn as fn, tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "people.csv")
    ...     _ = path.write_text("name,age\nAda,36\nAlan,41\n")
    ...     fn.data.read_table(path)
    Table(2 rows: name category, age number)
    """
    path = check_path(path)
    ending = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if ending.lower() in CSV_ENDINGS:
        asked: dict[str, Kind] = {} if kinds is None else {**kinds}
        if like is not None and path.is_file():
            there = column_names(path, separator, decimal, encoding)
            known: dict[str, Kind] = {name: kind for name, kind in like.kinds.items() if name in there}
            asked = known | asked
        return read_csv(path, kinds=asked, missing=missing, separator=separator, decimal=decimal, encoding=encoding)
    if path.suffix.lower() in PARQUET_ENDINGS:
        return _read_parquet(path)
    raise FileError(
        f"{path} is of no known format: expected {', '.join(CSV_ENDINGS)} (or these with .gz), or .parquet; of a workbook, save a"
        " sheet as CSV"
    )


def _read_parquet(path: Path) -> Table:
    check_is_file(path)  # pyarrow takes a folder for a data set
    try:
        import pyarrow  # pyright: ignore[reportMissingImports] - an extra
        from pyarrow import parquet  # pyright: ignore[reportMissingImports] - an extra
    except ImportError:
        raise ImportError(f"{path}: Parquet is read by pyarrow, which is not installed: pip install 'funcnn[tables]'") from None
    try:
        whole = parquet.ParquetFile(path).read()
        return as_table(whole, source=str(path))
    except (pyarrow.ArrowException, OSError, ValueError, TypeError) as error:
        raise FileError(f"{path}: {shorten(str(error), 200)}") from None
