"""Where an error happened, and the checks of arrays that layers and losses share.

An error inside a composition keeps its type and gains one note with the path of the layer, ``in layer [1][0] dense(10),
given float64[4, 7]``,
written while the exception unwinds: nothing is paid while nothing is wrong.
"""

from __future__ import annotations

import numpy as np

from funcnn.typing import Array

_NOTE = "in layer "


def add_step(error: Exception, step: int | str, name: str, given: object) -> None:
    """Put one step in front of the path that an exception's note carries; the innermost layer writes the note."""
    place = f"[{step}]" if isinstance(step, int) else step
    notes = getattr(error, "__notes__", [])
    if notes and notes[-1].startswith(_NOTE):
        notes[-1] = _NOTE + place + notes[-1].removeprefix(_NOTE)
    else:
        error.add_note(f"{_NOTE}{place} {name}, given {describe(given)}")


def describe(value: object) -> str:
    """Return a short description of a value for a message: dtype and shape of an array, structure of a tuple."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, tuple):
        return "(" + ", ".join(describe(item) for item in value) + ")"
    return repr(value)[:80]


def check_array(x: Array, what: str = "the input", min_ndim: int = 2) -> None:
    """Raise unless x is a floating (or complex) array with a batch axis.

    Raises
    ------
    TypeError
        When x is not an array, or holds integers, booleans or objects.
    ValueError
        When x has too few axes.
    """
    if not isinstance(x, np.ndarray):
        raise TypeError(f"{what} is {type(x).__name__}, expected a floating np.ndarray: use np.asarray(..., dtype=float)")
    if x.dtype.kind not in "fc":
        raise TypeError(f"{what} has dtype {x.dtype}, expected a floating one: use .astype(float)")
    if x.ndim < min_ndim:
        raise ValueError(
            f"{what} has shape {x.shape}, expected at least {min_ndim} axes, batch first: use x[None] for one example"
        )


def check_features(x: Array, weight: Array) -> None:
    """Raise unless x (..., I) fits a weight (I, O).

    That is: a floating array with a batch axis, I features, and no more precision than the weight.
    """
    if type(x) is np.ndarray and x.ndim > 1 and x.shape[-1] == weight.shape[0] and x.dtype is weight.dtype:
        return
    check_array(x)
    if x.shape[-1] != weight.shape[0]:
        raise ValueError(
            f"the last axis of the input is {x.shape[-1]} long, expected {weight.shape[0]} features (input {describe(x)},"
            f" weight {describe(weight)})"
        )
    check_precision(x, weight)


def check_precision(x: Array, weight: Array) -> None:
    """Raise a TypeError when x has more precision than the parameters, which would silently raise that of every result."""
    if np.result_type(x.real.dtype, weight.real.dtype) != weight.real.dtype:
        raise TypeError(
            f"the input is {x.dtype} and the parameters are {weight.dtype}: results would silently have the higher precision;"
            f" use x.astype(np.{weight.dtype}) or fn.tree.astype(params, np.{x.dtype})"
        )


def check_count(value: int, what: str, least: int = 1) -> None:
    """Raise unless a hyper-parameter is an integer of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{what} is {value!r}, expected an integer")
    if value < least:
        raise ValueError(f"{what} is {value}, expected at least {least}")


def check_flag(value: bool, what: str) -> None:
    """Raise unless a hyper-parameter is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{what} is {value!r}, expected True or False")


def check_range(value: float, what: str, low: float, high: float, *, open_low: bool = False, open_high: bool = False) -> None:
    """Raise unless a hyper-parameter is a number in [low, high] (an end that is open is excluded)."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{what} is {value!r}, expected a number")
    if not low <= value <= high or (open_low and value == low) or (open_high and value == high):
        ends = f"{'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"
        raise ValueError(f"{what} is {value!r}, expected a number in {ends}")


def check_finite(x: Array, what: str) -> None:
    """Raise a ValueError that names the first NaN or infinity of an array by its row and column."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(x.sum()):  # a sum is finite when all its terms are: no array of booleans is made
            return
    wrong = np.argwhere(~np.isfinite(x))
    if len(wrong) == 0:  # finite numbers with an infinite sum
        return
    index = tuple(wrong[0].tolist())
    place = f"row {index[0]}" + (f", column {', '.join(map(str, index[1:]))}" if index[1:] else "") if index else "its only entry"
    raise ValueError(
        f"{what} is {x[index]} at {place}, expected finite numbers ({len(wrong)} of {x.size} are not): mend or drop such rows"
    )


def check_spatial(in_shape: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """Return the shape of one example (*space, channels) with so many spatial axes, or raise a ValueError."""
    if len(in_shape) != ndim + 1:
        axes = ("length", "height, width", "depth, height, width")[ndim - 1] if ndim <= 3 else f"{ndim} spatial axes"
        raise ValueError(f"an example has shape {in_shape}, expected ({axes}, channels): channels come last")
    return in_shape


def check_channels(x: Array, ndim: int, channels: int, weight: Array) -> None:
    """Raise unless x is a floating array (n, *space, channels) of no more precision than the weight."""
    check_array(x, min_ndim=ndim + 2)
    if x.ndim != ndim + 2:
        raise ValueError(f"the input is {describe(x)}, expected {ndim + 2} axes: batch, {ndim} spatial, channels")
    if x.shape[-1] != channels:
        raise ValueError(f"the input is {describe(x)} with {x.shape[-1]} channels in its last axis, expected {channels}")
    check_precision(x, weight)
