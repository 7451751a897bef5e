"""The header of an ``.npy`` file, read without evaluating anything.

NumPy's format (NEP 1) writes the header as a Python dict, which ``numpy.load`` gives to the Python parser; that raises a dozen
kinds of errors at damaged text and may take seconds and much memory.  Only one kind of dict is meant, so its three entries are
looked for and nothing else is understood.
"""

from __future__ import annotations

import math
import re
import sys
from typing import TypeAlias

import numpy as np

from funcnn.errors import shorten

Header: TypeAlias = "tuple[np.dtype[np.generic], bool, tuple[int, ...], int]"
"""Element type, whether in Fortran's order, shape, and the place where the numbers begin."""

LONGEST = 10_000 + 12
"""The bytes that a header may take: as much as NumPy reads."""
_MOST_AXES = 64
_ENTRY = re.compile(
    r"""\s*(["'])(descr|fortran_order|shape)\1\s*:\s*"""
    r"""(?:(["'])([<>|=]?[?A-Za-z][0-9]{0,3})\3|(True|False)|\(([0-9,\sL]*)\))\s*(?:,|$)"""
)
_DTYPE = re.compile(r"[<>|=]?(?:\?|[biufc][0-9]{1,2})")


def read_header(raw: bytes) -> Header:
    """Return what the first bytes of an ``.npy`` file say of an array of numbers.

    Raises
    ------
    ValueError
        When they are not the header of an array of numbers.
    """
    if raw[:6] != b"\x93NUMPY" or len(raw) < 12:
        raise ValueError("it does not begin as an .npy file does")
    if tuple(raw[6:8]) == (1, 0):
        start, length = 10, int.from_bytes(raw[8:10], "little")
    elif tuple(raw[6:8]) in ((2, 0), (3, 0)):
        start, length = 12, int.from_bytes(raw[8:12], "little")
    else:
        raise ValueError(f"version {raw[6]}.{raw[7]} of the format is unknown")
    if start + length > min(len(raw), LONGEST):
        raise ValueError(f"its header states {length} bytes: it is cut short, or damaged")
    text = raw[start : start + length].decode("latin-1").strip()
    entries = _entries(text)
    return _dtype_of(entries, text), entries["fortran_order"] == "True", read_shape(entries["shape"].split(",")), start + length


def _entries(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at, inner = 0, text[1:-1].rstrip() if text[:1] == "{" and text[-1:] == "}" else ""
    while at < len(inner) and (entry := _ENTRY.match(inner, at)):
        name, (kind, order, lengths) = entry[2], entry.group(4, 5, 6)
        found[name] = {"descr": kind, "fortran_order": order, "shape": lengths}[name] or ""
        if lengths is not None and not lengths.strip():
            found[name] = ""
        at = entry.end()
    if at < len(inner) or set(found) != {"descr", "fortran_order", "shape"} or not found["fortran_order"]:
        raise ValueError(f"its header is {shorten(text)!r}, expected descr, fortran_order and shape of an array of numbers")
    return found


def _dtype_of(entries: dict[str, str], text: str) -> np.dtype[np.generic]:
    try:
        return read_dtype(entries["descr"])
    except ValueError:
        raise ValueError(f"its header is {shorten(text)!r}, expected an array of numbers") from None


def read_dtype(text: object) -> np.dtype[np.generic]:
    """Return the element type of numbers that a text names as NumPy does (``<f8``), or raise a ValueError."""
    if isinstance(text, str) and _DTYPE.fullmatch(text):
        try:
            return np.dtype(text)
        except TypeError:  # seven bytes for an integer
            pass
    raise ValueError(f"{shorten(str(text))!r} is not the type of a number")


def read_shape(lengths: object) -> tuple[int, ...]:
    """Return a shape that an array can have from a list of whole numbers, or of texts of them, or raise a ValueError."""
    if isinstance(lengths, list) and all(isinstance(length, str) for length in lengths):
        texts = [length.strip().removesuffix("L") for length in lengths if length.strip()]
        lengths = [int(one) if one.isascii() and one.isdigit() and len(one) < 20 else -1 for one in texts]
    if not isinstance(lengths, list):
        raise ValueError(f"{type(lengths).__name__} is not a shape")
    told = f"({', '.join(shorten(str(one), 20) if type(one) is int else type(one).__name__ for one in lengths[:9])})"
    if len(lengths) > _MOST_AXES or not all(type(one) is int and one >= 0 for one in lengths):
        raise ValueError(f"{told} is not a shape")
    if math.prod(max(1, one) for one in lengths) > sys.maxsize // 32:  # bytes of the largest number
        raise ValueError(f"{told} is not a shape that an array can have")
    return tuple(lengths)
