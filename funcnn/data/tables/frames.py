"""Tables from what holds columns in memory: frames of pandas, of whoever speaks Arrow's stream interface, and dicts of arrays.

Nothing is imported here that the caller has not imported: a frame brings its library along.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from funcnn.data.tables.columns import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    NumberColumn,
    Table,
    in_microseconds,
)
from funcnn.errors import check_kind, describe, is_plain, shorten, shown
from funcnn.typing import BoolArray

_NO_NUMBER = (bool, np.bool_, np.timedelta64)  # which Python counts among the integers
_EXACT = 2**53  # up to which every whole number is one of float64


def as_table(data: object, *, source: str = "") -> Table:
    """Return what holds columns as a table of typed columns.

    Columns of numbers without gaps are views of the frame's memory wherever the frame allows it.

    Parameters
    ----------
    data : Table, DataFrame or dict
        A frame of pandas; one of polars, pyarrow, DuckDB or any other library with ``__arrow_c_stream__``, or with the older
        protocol ``__dataframe__``, which pyarrow reads; or a dict from names to arrays or lists (n,) of numbers, booleans, dates
        (datetime64, date, datetime) or texts, None for what is missing.
    source : str, optional
        What messages call the table.

    Returns
    -------
    Table
        Numbers keep their precision; whole numbers with gaps become float64.

    Raises
    ------
    TypeError
        When it is none of these, or a column is of another kind (named).
    ImportError
        When the frame has ``__dataframe__`` alone, and pyarrow is not installed.
    ValueError
        When columns differ in length, or two have the same name.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.data.as_table({"age": np.array([31, 40]), "since": np.array(["2020-01-01", "2021-05-01"], "datetime64[D]")})
    Table(2 rows: age number, since date)
    """
    if isinstance(data, Table):
        return evolve(data, source=source) if source else data
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return Table(_of_pandas(data), source or "the frame")
    if hasattr(data, "__arrow_c_stream__"):
        from funcnn.data.tables.arrow import read_stream

        return Table(read_stream(data), source or "the frame")
    if isinstance(data, Mapping):
        return Table({_name(name): _of_values(name, values) for name, values in data.items()}, source or "the table")
    if hasattr(data, "collect") and not hasattr(data, "shape"):
        raise TypeError(f"data is {type(data).__name__}, whose rows are not computed yet: use .collect()")
    if hasattr(data, "__dataframe__"):
        return as_table(_interchanged(data), source=source)
    advice = "name the columns: {'age': x[:, 0], ...}"
    raise TypeError(f"data is {shown(data)}, expected a frame of pandas, polars or Arrow, or a dict of arrays: {advice}")


def _interchanged(data: Any) -> object:
    """Return a frame of the interchange protocol as a table of pyarrow, which reads it as its makers meant it.

    Raises
    ------
    ImportError
        When pyarrow is not installed.
    TypeError
        When pyarrow cannot read the frame.
    """
    try:
        from pyarrow.interchange import from_dataframe  # pyright: ignore[reportMissingImports] - an extra
    except ImportError:
        raise ImportError(
            f"data is {type(data).__name__}, whose __dataframe__ is read by pyarrow, which is not installed:"
            " pip install 'funcnn[tables]', or give it as a frame of pandas"
        ) from None
    try:
        return from_dataframe(data)
    except Exception as error:  # of whichever of the two libraries
        raise TypeError(
            f"data is {type(data).__name__}, whose __dataframe__ cannot be read: {shorten(str(error), 200)}"
        ) from None


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a column is called {shown(name)}, expected a text: rename the columns, such as by .rename(columns=str)")
    return name


def _of_pandas(frame: Any) -> dict[str, Column]:
    names = [_name(name) for name in frame.columns]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise ValueError(f"the frame has two columns {shorten(repr(twice))}: rename one")
    return {name: _of_series(name, frame[name]) for name in names}


def _of_series(name: str, series: Any) -> Column:
    """Return a column of pandas by its own methods, which its documentation promises for every dtype."""
    dtype = series.dtype
    kind = getattr(dtype, "kind", "O")
    if hasattr(dtype, "categories"):  # a categorical: its codes are ours already
        values, words = series.cat.codes.to_numpy(), list(dtype.categories)
        if all(isinstance(word, str) for word in words):
            return CategoryColumn(_read_only(values.astype(np.int32, copy=False)), tuple(words))
        return CategoryColumn(_read_only(values.astype(np.int32, copy=False)), tuple(map(_written, words)))
    if kind == "b":
        flags = series.to_numpy(dtype=np.float64, na_value=np.nan) if series.isna().any() else series.to_numpy(dtype=np.float64)
        return BooleanColumn(_read_only(np.where(np.isnan(flags), -1, flags).astype(np.int8)))
    if kind in "fiu":
        if isinstance(dtype, np.dtype):
            return _of_array(name, series.to_numpy())
        if series.isna().any():
            return NumberColumn(_read_only(series.to_numpy(dtype=np.float64, na_value=np.nan)))
        return _of_array(name, series.to_numpy(dtype=dtype.numpy_dtype))
    if kind == "M":
        moments = series.dt.tz_convert("UTC").dt.tz_localize(None) if getattr(dtype, "tz", None) is not None else series
        return DateColumn(_read_only(in_microseconds(moments.to_numpy(), name)))
    codes, words = series.factorize()  # None and NaN are -1
    if all(isinstance(word, str) for word in words):
        return CategoryColumn(_read_only(codes.astype(np.int32, copy=False)), tuple(map(str, words)))
    return _of_values(name, [None if missing else value for value, missing in zip(series.tolist(), series.isna(), strict=True)])


def _of_values(name: object, values: object) -> Column:
    """Return a column of an array or a list."""
    if isinstance(values, (NumberColumn, BooleanColumn, DateColumn, CategoryColumn)):
        return values
    if isinstance(values, (list, tuple)):
        return _of_list(str(name), values)
    what = f"column {shorten(repr(name))} of the data"
    if not is_plain(values):
        check_kind(values, what, "an array (n,) or a list", "np.asarray")
    assert isinstance(values, np.ndarray)
    return _of_array(str(name), values)


def _of_array(name: str, values: NDArray[Any]) -> Column:
    if values.ndim != 1:
        raise ValueError(f"column {shorten(repr(name))} is {describe(values)}, expected (n,): give each column a name of its own")
    kind = values.dtype.kind
    if kind == "b":
        return BooleanColumn(_read_only(values.view(np.int8)))
    if values.dtype.char in "fdg" or kind in "iu":
        return NumberColumn(_read_only(values))
    if values.dtype.char == "e":
        return NumberColumn(_read_only(values.astype(np.float32)))
    if kind == "M":
        return DateColumn(_read_only(in_microseconds(values, name)))
    if kind == "U":
        words, codes = np.unique(values, return_inverse=True)
        return CategoryColumn(_read_only(codes.reshape(-1).astype(np.int32)), tuple(words.tolist()))
    if kind == "O":
        return _of_list(name, values.tolist())
    raise TypeError(f"column {shorten(repr(name))} is {describe(values)}, expected numbers, booleans, dates or texts")


def _of_list(name: str, values: Sequence[object]) -> Column:
    """Return a column of Python's own values, of one kind but for None and NaN."""
    present = [value for value in values if not _is_missing(value)]
    missing = np.array([_is_missing(value) for value in values], bool)
    if all(isinstance(value, str) for value in present) and present:
        known: dict[str, int] = {}
        codes = [-1 if gone else known.setdefault(str(value), len(known)) for value, gone in zip(values, missing, strict=True)]
        return CategoryColumn(_read_only(np.array(codes, np.int32)), tuple(known))
    if present and all(isinstance(value, (bool, np.bool_)) for value in present):
        flags = [-1 if gone else int(bool(value)) for value, gone in zip(values, missing, strict=True)]
        return BooleanColumn(_read_only(np.array(flags, np.int8)))
    if present and all(isinstance(value, (date, np.datetime64)) for value in present):
        moments = [np.datetime64("NaT") if gone else _moment(value, name) for value, gone in zip(values, missing, strict=True)]
        return DateColumn(_read_only(np.array(moments, "datetime64[us]")))
    odd = next((value for value in present if isinstance(value, _NO_NUMBER) or not isinstance(value, (Real, Decimal))), None)
    if odd is not None:
        row = next(row for row, value in enumerate(values) if value is odd)
        others = next((value for value in present if value is not odd), odd)
        raise TypeError(
            f"column {shorten(repr(name))}, row {row} is {shown(odd)} of type {type(odd).__name__}, beside {shown(others)} of"
            f" type {type(others).__name__}: expected numbers, booleans, dates or texts alone"
        )
    numeric: Sequence[Any] = values  # real numbers, as was just seen
    return NumberColumn(_read_only(_numbers(name, numeric, missing)))


def _numbers(name: str, values: Sequence[Any], missing: BoolArray) -> NDArray[Any]:
    """Return real numbers of Python, NaN where one is missing; whole numbers that float64 cannot hold as integers."""
    if not missing.any() and all(isinstance(value, Integral) for value in values):
        whole = [int(value) for value in values]
        if any(abs(value) > _EXACT for value in whole) and all(abs(value) < 2**63 for value in whole):
            return np.array(whole, np.int64)
    numbers = []
    for row, (value, gone) in enumerate(zip(values, missing, strict=True)):
        try:
            numbers.append(np.nan if gone else float(value))
        except OverflowError:
            raise ValueError(
                f"column {shorten(repr(name))}, row {row} is {shown(value)}, expected a number below 1.8e308"
            ) from None
    return np.array(numbers, np.float64)


def _moment(value: object, name: str) -> np.datetime64:
    """Return a date or a time, in UTC where it has an offset."""
    if isinstance(value, np.datetime64):
        moment: np.datetime64 = in_microseconds(np.array([value]), name)[0]
        return moment
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.replace(tzinfo=None) - (value.utcoffset() or value - value)
    return np.datetime64(value, "us")  # type: ignore[call-overload, no-any-return]  # a date or a datetime


def _is_missing(value: object) -> bool:
    """Tell None, NaN, NaT and pandas' NA, none of which equals itself."""
    if value is None:
        return True
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def _written(word: object) -> str:
    """Return a category that is no text as one: whole numbers without a point."""
    return str(int(word)) if isinstance(word, (float, np.floating)) and float(word).is_integer() else str(word)


def _read_only(values: NDArray[Any]) -> NDArray[Any]:
    """Return a view that cannot be written to; the caller's array keeps its own flags."""
    view = values.view()
    view.setflags(write=False)
    return view
