"""Where an error happened, and the checks of arguments that the whole library shares.

A check is called ``check_...``, names the argument at fault by the words ``what``, and returns the argument as Python's own
value, or nothing; ``refuse_...`` raises always.  What layers check in every call begins with the case in which all is right, in
few comparisons, and looks for what is wrong afterwards.

An error inside a composition keeps its type and gains one note with the path of the layer, ``in layer [1][0] dense(10), given
float64[4, 7]``, written while the exception unwinds: nothing is paid while nothing is wrong.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import numpy as np

from funcnn.typing import Array

if TYPE_CHECKING:
    from typing_extensions import TypeIs  # of type checkers: not needed at run time

T = TypeVar("T", bound=str)
F = TypeVar("F", bound=Callable[..., Any])  # Any: a function of any arguments goes through unchanged

_NOTE = "in layer "
_LONG = 256  # bits, some 77 digits: longer integers are not written out
_PRECISE = "fdgFDG"  # single, double and extended precision, and the complex numbers of each


def add_step(error: Exception, step: int | str, name: str, given: object) -> None:
    """Put one step in front of the path that an exception's note carries; the innermost layer writes the note."""
    place = f"[{step}]" if isinstance(step, int) else step
    notes = getattr(error, "__notes__", [])
    if isinstance(error, RecursionError) and not notes:
        error.add_note(
            f"layers are nested deeper than Python's limit of {sys.getrecursionlimit()} calls allows: put them one after another"
            " in one serial(...), or raise the limit with sys.setrecursionlimit"
        )
    if notes and notes[-1].startswith(_NOTE):
        notes[-1] = _NOTE + place + notes[-1].removeprefix(_NOTE)
    else:
        error.add_note(f"{_NOTE}{place} {name}, given {describe(given)}")


# ---------------------------------------------------------------------------------------------------------------- values in words


def describe(value: object) -> str:
    """Return a short description of a value for a message: dtype and shape of an array, structure of a tuple."""
    if isinstance(value, np.ndarray):
        kind = "" if is_plain(value) else "a masked array " if isinstance(value, np.ma.MaskedArray) else "a matrix "
        return f"{kind}{value.dtype}{list(value.shape)}"
    if isinstance(value, tuple):
        return "(" + ", ".join(describe(item) for item in value) + ")"
    return shown(value)


def shown(value: object) -> str:
    """Return a wrong argument on one short line: the kind of an array or of a record, and a small value as it is."""
    if isinstance(value, np.ndarray):
        return f"an array {describe(value)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if callable(value) and hasattr(value, "__qualname__"):
        return f"the function {value.__qualname__}"
    if hasattr(value, "to_numpy") or (hasattr(value, "__array__") and not isinstance(value, np.generic)):
        return f"a {type(value).__name__}"  # a table or an array of another package: its own text would print its rows
    if isinstance(value, int) and value.bit_length() > _LONG:
        return f"an integer of {value.bit_length()} bits"
    try:
        return _short(" ".join(repr(value).split()))
    except ValueError:  # such as a list with an integer of more digits than Python writes
        return f"a {type(value).__name__}"


def _short(text: str) -> str:
    """Return a text cut off at 80 characters."""
    return text if len(text) <= 80 else f"{text[:77]}..."


def shorten(text: str, most: int = 80) -> str:
    r"""Return a text that may come from anywhere, such as a damaged file, as part of one line of a message.

    What does not print, such as the escape sequences of terminals, is shown as Python writes it (``\x1b``).
    """
    some = " ".join(text[: 2 * most].split())
    shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in some)
    return shown if len(shown) <= most and len(text) <= 2 * most else f"{shown[: most - 3]}..."


# ------------------------------------------------------------------------------------------------------------------------- arrays


def is_plain(x: object) -> TypeIs[np.ndarray]:
    """Tell whether x is an array whose entries and operators mean what they say: all but masked arrays and matrices.

    ``*`` of two matrices is their product, and a masked array leaves entries out of some operations and not of others: what is
    written for arrays would give wrong numbers in silence.  Other subclasses, such as arrays mapped from a file, are arrays.
    """
    if type(x) is np.ndarray:
        return True
    return isinstance(x, np.ndarray) and not isinstance(x, (np.matrix, np.ma.MaskedArray))


def check_array(x: Array, what: str = "the input", min_ndim: int = 2) -> None:
    """Raise unless x is a floating (or complex) array with a batch axis.

    Raises
    ------
    TypeError
        When x is not an array (see :func:`check_kind`), or holds integers, booleans, objects or numbers of half precision.
    ValueError
        When x has too few axes.
    """
    if type(x) is not np.ndarray:
        check_kind(x, what)
    if x.dtype.char not in _PRECISE:
        refuse_dtype(x.dtype, what)
    if x.ndim < min_ndim:
        raise ValueError(
            f"{what} has shape {x.shape}, expected at least {min_ndim} axes, batch first: use x[None] for one example"
        )


def check_kind(x: object, what: str, wanted: str = "a floating np.ndarray", remedy: str = "np.asarray(..., dtype=float)") -> None:
    """Raise a TypeError unless x is a plain array (:func:`is_plain`); the message says how to make an array of it."""
    if is_plain(x):
        return
    kind = type(x).__name__
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            f"{what} is a masked array, expected {wanted}: put numbers where it is masked, x.filled(0), or drop such rows"
        )
    if isinstance(x, np.ndarray):
        raise TypeError(f"{what} is a {kind}, expected {wanted}: use np.asarray(x)")
    if kind == "Masked":
        raise TypeError(
            f"{what} is Masked, expected {wanted}: make the layer with masked=True, or put one that treats each step alone into"
            " fn.masked_steps(...)"
        )
    if isinstance(x, tuple):
        raise TypeError(f"{what} is a tuple {_short(describe(x))}, expected {wanted}: one array, not several")
    if hasattr(x, "to_numpy"):  # a table of pandas or polars, whose own text would fill the screen
        raise TypeError(f"{what} is {kind}, expected {wanted}: use .to_numpy()")
    raise TypeError(f"{what} is {kind}, expected {wanted}: use {remedy}")


def refuse_dtype(dtype: np.dtype[np.generic], what: str, convert: str = ".astype(np.float32)") -> NoReturn:
    """Raise a TypeError for a dtype in which nothing is computed.

    Half precision (float16, and bfloat16 and the like of other packages) is among them: sums of a few thousand numbers lose
    all their digits, squares of numbers above 255 overflow, and the epsilons of norms and optimizers are 0.
    """
    if dtype.kind in "iubOUSMm":
        raise TypeError(f"{what} has dtype {dtype}, expected a floating one: use .astype(float)")
    raise TypeError(
        f"{what} {'have' if what.endswith('s') else 'has'} dtype {dtype}, expected float32, float64 or longdouble: half precision"
        f" is too coarse to sum and to square; use {convert}"
    )


def check_precise(weight: Array, what: str = "the parameters") -> None:
    """Raise a TypeError when parameters are of half precision, or in the byte order of another machine."""
    if weight.dtype.char not in _PRECISE:
        refuse_dtype(weight.dtype, what, "fn.tree.astype(params, np.float32)")
    if not weight.dtype.isnative:
        raise TypeError(
            f"{what} have dtype {weight.dtype}, in the byte order of another machine: use fn.tree.astype(params,"
            f" np.{weight.dtype.name}), or of one array x.astype(x.dtype.newbyteorder('='))"
        )


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


def label_advice(labels: object) -> str:
    """Return what to do to make labels, which are integers, of another thing: the end of a message."""
    if not is_plain(labels):
        return ": use np.asarray"
    if labels.dtype.kind in "USO":
        return ": use np.unique(labels, return_inverse=True), which gives the names and the labels 0, 1, ..."
    return ": use .astype(int)"


# --------------------------------------------------------------------------------------------------------------- inputs of layers


def check_has_features(in_shape: tuple[int, ...], layer: str) -> None:
    """Raise unless examples have an axis of features, the last."""
    if not in_shape:
        raise ValueError(f"{layer} takes examples with a features axis, got in_shape ()")


def refuse_without_residuals() -> NoReturn:
    """Raise because a forward kept nothing that a backward could use."""
    raise ValueError("nothing was kept for backward: run forward in mode Train(key) or Eval(), not Eval(residuals=False)")


def check_features(x: Array, weight: Array) -> None:
    """Raise unless x (..., I) fits a weight (I, O).

    That is: a floating array with a batch axis, I features, and no more precision than the weight.
    """
    if (
        type(x) is np.ndarray
        and x.ndim > 1
        and x.shape[-1] == weight.shape[0]
        and x.dtype is weight.dtype
        and x.dtype.itemsize > 2
    ):
        return
    check_array(x)
    if x.shape[-1] != weight.shape[0]:
        raise ValueError(
            f"the last axis of the input is {x.shape[-1]} long, expected {weight.shape[0]} features (input {describe(x)},"
            f" weight {describe(weight)})"
        )
    check_precision(x, weight)


def more_precise(dtype: np.dtype[Any], than: np.dtype[Any]) -> bool:
    """Tell whether a dtype has more precision than another, whatever the order of their bytes."""
    whole = np.result_type(dtype, than)
    return whole != than and whole != than.newbyteorder("=")


def check_precision(x: Array, weight: Array, what: str = "the input") -> None:
    """Raise a TypeError when x has more precision than the parameters, which would silently raise that of every result."""
    check_precise(weight)
    if more_precise(x.real.dtype, weight.real.dtype):
        raise TypeError(
            f"{what} is {x.dtype} and the parameters are {weight.dtype}: results would silently have the higher precision;"
            f" use x.astype(np.{weight.dtype.name}) or fn.tree.astype(params, np.{x.dtype.name})"
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


# --------------------------------------------------------------------------------------------------------------------- cotangents


def check_cotangent_like(dy: Array, output: Array) -> None:
    """Raise unless the cotangent of an output is like it: see :func:`check_cotangent`."""
    if type(dy) is not np.ndarray or dy.shape != output.shape or dy.dtype is not output.dtype:
        check_cotangent(dy, output.shape, output.dtype)


def check_cotangent(dy: object, shape: tuple[int, ...], dtype: np.dtype[np.generic] | None = None) -> None:
    """Raise unless the cotangent of an output is a floating array of the output's shape, and no more precise than it.

    A cotangent of less precision is taken as it is.  Layers that only move numbers keep no dtype, and pass the cotangent's on.

    Raises
    ------
    TypeError
        When the cotangent is no array, holds integers or booleans, or has more precision than the output's dtype.
    ValueError
        When it has another shape.
    """
    if type(dy) is np.ndarray and dy.shape == shape and (dy.dtype is dtype or (dtype is None and dy.dtype.char in _PRECISE)):
        return
    what = "the cotangent of the output (doutput)"
    check_array(cast(Array, dy), what, min_ndim=0)
    if not isinstance(dy, np.ndarray) or dy.shape != shape:
        raise ValueError(f"{what} is {describe(dy)}, expected the output's shape {shape}")
    if dtype is not None:
        check_cotangent_precision(dy, dtype, what)


def check_cotangent_precision(dy: Array, dtype: np.dtype[np.generic], what: str) -> None:
    """Raise a TypeError when a cotangent has more precision than the output, which would silently raise that of gradients."""
    if more_precise(dy.real.dtype, np.empty(0, dtype).real.dtype):
        raise TypeError(
            f"{what} is {dy.dtype} and the output {dtype}: gradients would silently have the higher precision; use"
            f" .astype(np.{dtype.name})"
        )


# --------------------------------------------------------------------------------------------------------------- hyper-parameters


def as_python_number(value: object) -> object:
    """Return a NumPy scalar, or an array of one number without axes, as Python's own number; anything else as it is."""
    if isinstance(value, np.generic) or (type(value) is np.ndarray and value.ndim == 0):
        number = value.item()
        return float(number) if isinstance(number, np.floating) else number  # a long double stays itself under .item()
    return value


def check_count(value: int, what: str, least: int = 1, most: int | None = None) -> int:
    """Return an integer hyper-parameter of at least ``least`` (and at most ``most``) as a Python int, or raise.

    NumPy's integers, and arrays of one integer without axes, are numbers like Python's own; what is kept is always an int, so
    that neither overflow of a short integer nor its dtype reaches a result.  Without ``most`` the limit is that of NumPy's sizes.
    """
    number = check_integer(value, what)
    limit = sys.maxsize if most is None else most
    if not least <= number <= limit:
        wanted = f"at least {least}" if most is None and number < least else f"at least {least} and at most {limit}"
        raise ValueError(f"{what} is {shown(number)}, expected {wanted}")
    return number


def check_integer(value: int, what: str, wanted: str = "an integer") -> int:
    """Return any integer as a Python int, or raise."""
    number = as_python_number(value)
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"{what} is {shown(value)}, expected {wanted}")
    return number


def check_flag(value: bool, what: str) -> bool:
    """Return a hyper-parameter that is True or False (NumPy's too) as Python's, or raise."""
    flag = as_python_number(value)
    if not isinstance(flag, bool):
        raise TypeError(f"{what} is {shown(value)}, expected True or False")
    return flag


def check_range(value: float, what: str, low: float, high: float, *, open_low: bool = False, open_high: bool = False) -> float:
    """Return a hyper-parameter in [low, high] (an end that is open is excluded) as a Python float, or raise.

    A NumPy number as a hyper-parameter would decide the dtype of every result; a Python float takes that of the arrays.
    """
    number = as_python_number(value)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise TypeError(f"{what} is {shown(value)}, expected a number")
    if not low <= number <= high or (open_low and number == low) or (open_high and number == high):
        ends = f"{'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"
        raise ValueError(f"{what} is {shown(number)}, expected a number in {ends}")
    try:
        return float(number)
    except OverflowError:  # an int beyond the range of floats
        raise ValueError(f"{what} is {shown(number)}, expected a number below 1.8e308") from None


def check_choice(value: T, choices: tuple[T, ...], what: str) -> T:
    """Return the one of a few words that the value is, or raise an error that lists them."""
    text: object = value
    if not isinstance(text, str):
        raise TypeError(f"{what} is {shown(value)}, expected one of {', '.join(map(repr, choices))}")
    for choice in choices:
        if choice == value:
            return choice
    raise ValueError(f"{what} is {shown(value)}, expected one of {', '.join(map(repr, choices))}")


def check_options(options: Mapping[str, object], known: type, what: str) -> None:
    """Raise unless keywords are keys of a TypedDict: of ``**options`` Python takes any name, also a misspelled one."""
    unknown = next((name for name in options if name not in known.__annotations__), None)
    if unknown is not None:
        raise TypeError(f"{what} has no option {unknown!r}, expected one of {', '.join(known.__annotations__)}")


def check_function(value: F, what: str, wanted: str) -> F:
    """Return a function, or raise; a class is none, since what is called here gives arrays."""
    given: object = value
    if not callable(given) or isinstance(given, type):
        raise TypeError(f"{what} is {shown(value)}, expected {wanted}")
    return value


def takes_arguments(function: Callable[..., object], count: int) -> bool:
    """Tell whether a function may be called with so many arguments; of one that does not tell, that it may."""
    from inspect import signature

    try:
        signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # one of C, without a signature
        return True
    return True


# -------------------------------------------------------------------------------------------------------------------------- paths


def check_path(value: object, what: str = "path") -> Path:
    """Return a path as a Path; raise unless it is a text or a path that a file system can hold."""
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
        raise TypeError(f"{what} is {shown(value)}, expected the path of a file: a str or a pathlib.Path")
    if "\0" in os.fspath(value):
        raise ValueError(f"{what} is {shorten(repr(os.fspath(value)))}, which holds a null character: no file has such a name")
    return Path(value)


def check_is_file(path: Path) -> None:
    """Raise a FileNotFoundError unless there is a file of this name."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}" + ": it is a folder" * path.is_dir())
