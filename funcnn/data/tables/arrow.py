"""Frames of any library that speaks Arrow's C stream interface, as polars, pyarrow and DuckDB do, read where they stand.

A frame's ``__arrow_c_stream__`` gives a capsule with a pointer to a stream of C structures (the Arrow C data and C stream
interfaces, arrow.apache.org/docs/format/CDataInterface.html), which ``ctypes`` reads: neither pyarrow nor any other library is
imported.  Numbers without gaps in one piece are not copied: the array is a view, and keeps the frame's memory alive.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from funcnn.data.tables.columns import BooleanColumn, CategoryColumn, Column, DateColumn, NumberColumn, in_microseconds
from funcnn.errors import shorten
from funcnn.typing import BoolArray, IntArray


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


class _Stream(ctypes.Structure):
    pass


_ReleaseArray = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))
_Schema._fields_ = [
    ("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_void_p), ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64), ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.POINTER(_Schema)), ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))),
    ("private_data", ctypes.c_void_p),
]  # fmt: skip
_Array._fields_ = [
    ("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64), ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64), ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))), ("dictionary", ctypes.POINTER(_Array)), ("release", _ReleaseArray),
    ("private_data", ctypes.c_void_p),
]  # fmt: skip
_Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(_Stream))),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Stream))), ("private_data", ctypes.c_void_p),
]  # fmt: skip

_NUMBERS: dict[str, type[np.generic]] = {
    "c": np.int8, "C": np.uint8, "s": np.int16, "S": np.uint16, "i": np.int32, "I": np.uint32, "l": np.int64, "L": np.uint64,
    "e": np.float16, "f": np.float32, "g": np.float64,
}  # fmt: skip
_UNITS = {"s": "s", "m": "ms", "u": "us", "n": "ns"}
"""Units of time, as Arrow calls them and as NumPy does."""


class _Owner:
    """Some rows of a stream: released when no array looks at them any more."""

    def __init__(self) -> None:
        self.array = _Array()

    def __del__(self) -> None:
        if self.array.release:
            self.array.release(ctypes.byref(self.array))


@frozen(eq=False)
class _Piece:
    """Some rows of a column."""

    array: Any  # an _Array, whose fields ctypes knows at run time alone
    owner: _Owner

    @property
    def length(self) -> int:
        return int(self.array.length)

    def buffer(self, number: int, dtype: type[np.generic], count: int) -> NDArray[Any]:
        """Return so many entries of a buffer, as a view that keeps the owner."""
        kind: np.dtype[Any] = np.dtype(dtype)
        address = self.array.buffers[number] if number < self.array.n_buffers else None
        if not address or count <= 0:
            return np.empty(0, kind)
        memory: Any = (ctypes.c_char * (count * kind.itemsize)).from_address(address)
        memory._owner = self.owner  # the array's base is this object
        view: NDArray[Any] = np.frombuffer(memory, kind)
        return view

    def values(self, dtype: type[np.generic]) -> NDArray[Any]:
        """Return the entries of the buffer of values."""
        first = int(self.array.offset)
        return self.buffer(1, dtype, first + self.length)[first:]

    def bits(self, number: int) -> BoolArray:
        """Return a buffer of bits, the least of each byte first."""
        first = int(self.array.offset)
        packed = self.buffer(number, np.uint8, (first + self.length + 7) // 8)
        return np.unpackbits(packed, bitorder="little")[first : first + self.length].astype(bool)

    @property
    def absent(self) -> BoolArray | None:
        """Where there is null; None if nowhere."""
        if self.array.null_count == 0 or self.array.n_buffers == 0 or not self.array.buffers[0]:
            return None
        absent = ~self.bits(0)
        return absent if absent.any() else None


def read_stream(frame: Any) -> dict[str, Column]:
    """Return the columns of a frame that has ``__arrow_c_stream__``.

    Raises
    ------
    ValueError
        When the frame is no table, gives an error, or names a column twice.
    TypeError
        When a column is neither of numbers, truth values, dates nor texts.
    """
    capsule = frame.__arrow_c_stream__()
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    stream: Any = _Stream.from_address(pointer(capsule, b"arrow_array_stream"))
    schema: Any = _Schema()
    _call(stream, lambda: stream.get_schema(ctypes.byref(stream), ctypes.byref(schema)))
    try:
        if schema.format != b"+s":
            raise ValueError(f"the frame is a stream of {schema.format!r}, expected a table: named columns")
        fields = [schema.children[place].contents for place in range(schema.n_children)]
        names = [bytes(one.name or b"").decode() for one in fields]
        twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
        if twice is not None:
            raise ValueError(f"the frame has two columns {shorten(repr(twice))}: rename one")
        owners = list(_batches(stream))
        if any(owner.array.null_count > 0 for owner in owners):
            raise ValueError("the frame has rows that are null as a whole: drop them")
        return {
            name: _column(name, one, [_child(owner, place) for owner in owners])
            for place, (name, one) in enumerate(zip(names, fields, strict=True))
        }
    finally:
        if schema.release:
            schema.release(ctypes.byref(schema))


def _call(stream: Any, function: Callable[[], int]) -> None:
    if function():
        said = stream.get_last_error(ctypes.byref(stream)) or b""
        raise ValueError(f"the frame cannot be read: {shorten(said.decode(errors='replace'))}")


def _batches(stream: Any) -> Sequence[_Owner]:
    owners: list[_Owner] = []
    while True:
        owner = _Owner()
        _call(stream, lambda owner=owner: stream.get_next(ctypes.byref(stream), ctypes.byref(owner.array)))  # type: ignore[misc]  # mypy: a lambda with a default
        if not owner.array.release:
            return owners
        owners.append(owner)


def _child(owner: _Owner, place: int) -> _Piece:
    """Return a column of some rows; an offset of the rows is one of each column."""
    whole: Any = owner.array
    child = whole.children[place].contents
    if whole.offset or child.length != whole.length:
        moved = _Array()
        ctypes.pointer(moved)[0] = child
        moved.offset, moved.length, moved.null_count = child.offset + whole.offset, whole.length, -1
        return _Piece(moved, owner)
    return _Piece(child, owner)


def _column(name: str, schema: Any, pieces: list[_Piece]) -> Column:
    form = schema.format.decode()
    if schema.dictionary:
        return _dictionary(name, schema, pieces)
    if form in _NUMBERS:
        return NumberColumn(_joined([_numbers(piece, _NUMBERS[form]) for piece in pieces], np.dtype(_NUMBERS[form])))
    if form == "n":
        return NumberColumn(np.full(sum(piece.length for piece in pieces), np.nan))
    if form == "b":
        return BooleanColumn(_joined([_filled(piece.bits(1).astype(np.int8), piece, -1) for piece in pieces], np.dtype(np.int8)))
    if form.startswith(("tdD", "tdm", "ts")):
        return DateColumn(_joined([_moments(name, piece, form) for piece in pieces], np.dtype("datetime64[us]")))
    if form.startswith("d:"):
        return NumberColumn(_joined([_decimals(piece, form) for piece in pieces], np.dtype(np.float64)))
    if form in ("u", "U", "vu"):
        known: dict[bytes, int] = {}
        coded = [_coded(_texts(piece, form), known, piece) for piece in pieces]
        return CategoryColumn(_joined(coded, np.dtype(np.int32)), _decoded(known))
    raise TypeError(
        f"column {shorten(repr(name))} is of Arrow's type {form!r}, expected numbers, truth values, dates or texts: cast it,"
        " or leave it out"
    )


def _joined(parts: list[NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the pieces as one read-only array: of one piece a view."""
    whole = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, parts[0].dtype if parts else dtype), *parts])
    view = whole.view()
    view.setflags(write=False)
    return view


def _filled(values: NDArray[Any], piece: _Piece, nothing: object) -> NDArray[Any]:
    absent = piece.absent
    return values if absent is None else np.where(absent, np.asarray(nothing, values.dtype), values)


def _numbers(piece: _Piece, dtype: Any) -> NDArray[Any]:
    values = piece.values(dtype)
    if dtype is np.float16:
        values = values.astype(np.float32)
    absent = piece.absent
    if absent is None:
        return values
    return np.where(absent, values.dtype.type(np.nan), values) if values.dtype.kind == "f" else np.where(absent, np.nan, values)


def _moments(name: str, piece: _Piece, form: str) -> NDArray[Any]:
    """Return days, or ticks since 1970 (of UTC where a zone is named), in microseconds."""
    days = form == "tdD"
    unit = "D" if days else "ms" if form == "tdm" else _UNITS[form[2]]
    ticks = piece.values(np.int32 if days else np.int64).astype(f"datetime64[{unit}]")
    return in_microseconds(_filled(ticks, piece, np.datetime64("NaT")), name)


def _decimals(piece: _Piece, form: str) -> NDArray[Any]:
    """Return decimals of 128 bits, two words of 64 each, as the nearest numbers."""
    digits = form[2:].split(",")
    if len(digits) == 3 and digits[2] != "128":
        raise TypeError(f"decimals of {digits[2]} bits are not read: cast the column to floating numbers")
    first = int(piece.array.offset)
    words = piece.buffer(1, np.int64, 2 * (first + piece.length)).reshape(-1, 2)[first:]
    whole = words[:, 1].astype(np.float64) * 2.0**64 + words[:, 0].astype(np.uint64).astype(np.float64)
    exact = words[:, 1] == words[:, 0] >> 63  # which fit into one word
    values = np.where(exact, words[:, 0].astype(np.float64), whole) / 10.0 ** int(digits[1])
    return _filled(values, piece, np.nan)


def _texts(piece: _Piece, form: str) -> list[bytes]:
    """Return texts as bytes in UTF-8."""
    first, length = int(piece.array.offset), piece.length
    if form == "vu":
        return _views(piece, first, length)
    ends = piece.buffer(1, np.int32 if form == "u" else np.int64, first + length + 1)[first:].tolist()
    whole = piece.buffer(2, np.uint8, ends[-1] if ends else 0).tobytes()
    return [whole[begin:end] for begin, end in pairwise(ends)]


def _views(piece: _Piece, first: int, length: int) -> list[bytes]:
    """Return texts of views of 16 bytes: a length, and the text itself up to 12 bytes or where it stands in which buffer."""
    views = piece.buffer(1, np.uint8, 16 * (first + length))[16 * first :]
    numbers = views.view(np.int32).reshape(-1, 4)
    sizes = numbers[:, 0].tolist()
    raw = views.tobytes()
    texts = [raw[16 * row + 4 : 16 * row + 4 + min(size, 12)] for row, size in enumerate(sizes)]
    long = np.flatnonzero(numbers[:, 0] > 12)
    if long.size:
        count = int(piece.array.n_buffers) - 3  # validity, views, the buffers, and the sizes of these
        lengths = piece.buffer(2 + count, np.int64, count).tolist()
        buffers = [piece.buffer(2 + number, np.uint8, size) for number, size in enumerate(lengths)]
        for row in long.tolist():
            size, _, which, begin = numbers[row].tolist()
            texts[row] = buffers[which][begin : begin + size].tobytes()
    return texts


def _coded(texts: list[bytes], known: dict[bytes, int], piece: _Piece) -> IntArray:
    """Return the codes of texts, new ones of which are added to those known."""
    absent = piece.absent
    if absent is not None:
        return np.array(
            [-1 if gone else known.setdefault(text, len(known)) for text, gone in zip(texts, absent.tolist(), strict=True)],
            np.int32,
        )
    for text in dict.fromkeys(texts):
        known.setdefault(text, len(known))
    return np.fromiter(map(known.__getitem__, texts), np.int32, len(texts))


def _decoded(known: dict[bytes, int]) -> tuple[str, ...]:
    return tuple(text.decode(errors="replace") for text in known)


def _dictionary(name: str, schema: Any, pieces: list[_Piece]) -> Column:
    """Return categories: codes into a dictionary of texts, which may be another one in each piece."""
    form, inner = schema.format.decode(), schema.dictionary.contents.format.decode()
    if inner not in ("u", "U", "vu") or form not in _NUMBERS:
        raise TypeError(
            f"column {shorten(repr(name))} has categories that are no texts (Arrow's type {inner!r}): cast them to texts"
        )
    known: dict[bytes, int] = {}
    parts = []
    for piece in pieces:
        words = _Piece(piece.array.dictionary.contents, piece.owner)
        translated = np.append(_coded(_texts(words, inner), known, words), np.int32(-1))  # the last for what is null
        parts.append(translated[_filled(piece.values(_NUMBERS[form]).astype(np.int64), piece, -1)])
    return CategoryColumn(_joined(parts, np.dtype(np.int32)), _decoded(known))
