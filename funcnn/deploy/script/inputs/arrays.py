"""Arrays and texts that a script is given, as its network takes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from funcnn.typing import Array, IntArray, Shape


def as_rows(x: Array, features: int, dtype: np.dtype[np.floating]) -> Array:
    """Return rows of numbers (n, features)."""
    if x.ndim < 2 or x[0:1].size != features or len(x) == 0:
        raise ValueError(f"the input has the shape {x.shape}, expected rows of {features} numbers")
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
        rows: Array = x.reshape(len(x), features).astype(dtype)
    if not np.isfinite(rows).all():
        raise ValueError(f"the input holds numbers that are not finite as {dtype}")
    return rows


def as_pictures(x: Array, shape: Shape, dtype: np.dtype[np.floating]) -> Array:
    """Return pictures (n, *shape) as rows of numbers from 0 to 1: bytes are divided by 255."""
    rows = as_rows(x, int(np.prod(shape)), dtype)
    if x.dtype == np.uint8:
        rows /= 255
    return rows


def as_tokens(lines: Sequence[str], vocabulary: str, length: int) -> IntArray:
    """Return lines as tokens (n, t), t at most a length: 0 where a line has ended, and for unknown characters."""
    codes = np.array([ord(letter) for letter in vocabulary])
    longest = max(map(len, lines), default=0)
    width = max(1, min(length, longest))  # what is beyond the longest line would be padding alone
    tokens: IntArray = np.zeros((len(lines), width), np.int64)
    for row, line in zip(tokens, lines, strict=True):
        own = np.array([ord(letter) for letter in line[:width]], np.int64)
        places = np.searchsorted(codes, own).clip(max=len(codes) - 1)
        row[: len(own)] = np.where(codes[places] == own, places + 1, 0)
    return tokens


def as_known_tokens(lines: Sequence[str], vocabulary: str, length: int) -> IntArray:
    """Return lines as tokens; each has a character that is known."""
    tokens = as_tokens(lines, vocabulary, length)
    unknown = np.flatnonzero(~tokens.any(1))
    if len(lines) == 0 or unknown.size:
        raise ValueError(f"line {unknown[:1]} has no character that occurred in what was learned from, expected such lines")
    return tokens


def as_window(text: str, vocabulary: str, length: int) -> IntArray:
    """Return the end of a text as tokens (1, t), t at most a length."""
    tokens = as_tokens([text[-length:]], vocabulary, length) - 1
    if not text or tokens.min() < 0:
        raise ValueError("the text is empty, or holds a character that did not occur in what was learned from")
    return tokens
