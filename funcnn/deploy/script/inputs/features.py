"""The columns of a table as features, each the same numbers as :mod:`funcnn.data.tables.encodings` makes, to the last bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from funcnn.data.tables.encodings import Part, gone
from funcnn.deploy.script.inputs.cells import Columns, as_moment, as_number, as_truth, as_word, values_of
from funcnn.typing import Array, BoolArray


def number_features(table: Columns, name: str, fill: float, mean: float, scale: float, indicator: bool) -> list[Array]:
    """Return (x - mean) / scale, the fill for an x that is missing, and with an indicator which are."""
    numbers = values_of(table, name, as_number, "a finite number")
    x = np.array([np.nan if one is None else one for one in numbers], np.float64)
    missing = np.isnan(x)
    scaled = (x - mean) / scale
    scaled[missing] = (fill - mean) / scale
    return [scaled, missing] if indicator else [scaled]


def truth_features(table: Columns, name: str, fill: bool, indicator: bool) -> list[Array]:
    """Return 1 for true and 0 for false, the fill for what is missing, and with an indicator which are."""
    truths = values_of(table, name, as_truth, "true or false")
    missing = np.array([one is None for one in truths], bool)
    x = np.array([fill if one is None else one for one in truths], np.float64)
    return [x, missing] if indicator else [x]


def moment_features(
    table: Columns, name: str, fill: int, mean: int, scale: float, parts: Sequence[Part], indicator: bool
) -> list[Array]:
    """Return the scaled time since the mean moment, in microseconds, and sine and cosine of what repeats."""
    moments = values_of(table, name, as_moment, "a date such as 2024-01-31")
    missing = np.array([one is None for one in moments], bool)
    micro = np.array([fill if one is None else one.astype(np.int64) for one in moments], np.int64)
    features: list[Array] = [(micro - mean) / scale]
    for part in parts:
        angle = 2 * np.pi * gone(micro, part)
        features += [np.sin(angle), np.cos(angle)]
    return [*features, missing] if indicator else features


def category_features(
    table: Columns, name: str, categories: Sequence[str], indicator: bool, refuse: bool = False
) -> list[BoolArray]:
    """Return for each category which rows are of it: of one that is missing none, or of one that is not known."""
    words = values_of(table, name, as_word, "a category")
    places = {category: place for place, category in enumerate(categories)}
    code = np.array([-2 if word is None else places.get(word, -1) for word in words], np.int64)
    if refuse and (code == -1).any():
        row = int((code == -1).argmax())
        raise ValueError(f"column {name!r}, row {row} is {words[row]!r}, expected a category of the training data")
    features: list[BoolArray] = [code == place for place in range(len(categories))]
    return [*features, code == -2] if indicator else features


def side_by_side(features: Sequence[Array], dtype: np.dtype[np.floating]) -> Array:
    """Return features as one array (n, features)."""
    with np.errstate(over="ignore"):  # what is not finite is refused
        x: Array = np.stack(features, axis=1).astype(dtype)
    if not np.isfinite(x).all():
        raise ValueError(f"a number is so far from the training data that {dtype} cannot hold it scaled")
    return x
