"""Wrong values for an argument by its annotation, and what an error must say."""

import math
from typing import Any

import numpy as np

import funcnn as fn

RAW = (
    "argmax of an empty sequence", "argmin of an empty sequence", "non-empty take", "is out of bounds for axis",
    "is not callable", "not json serializable", "math range error", "math domain error", "zero-size array",
    "could not be broadcast", "could not broadcast", "numerical result out of range", "has no attribute",
    "unsupported operand", "could not convert string", "divide by zero", "invalid value encountered",
    "list index out of range", "not subscriptable", "unhashable", "has no len()", "is not iterable",
    "must be an iterable", "truth value of an array", "recursion depth", "not aligned", "index out of range",
    "out of bounds for int", "modulo by zero", "division by zero", "cannot reshape array", "complex to real",
    "cannot interpret", "not understood", "not supported between instances", "positional argument",
    "unexpected keyword argument", "missing 1 required", "not enough values to unpack", "too many values to unpack",
    "cannot unpack", "must be str, not", "bad operand", "is not a generic class", "inhomogeneous", "tuple index",
    "only integer scalar arrays", "must be real number", "axes don't match", "argument should be", "is not in list",
    "to an integer", "only length-1 arrays", "cannot cast", "can't multiply sequence", "can only concatenate",
    "takes no arguments", "loop of ufunc", "ufunc '", "iteration over a 0-d", "as an integer",
    "of unsized object", "zero-dimensional", "internal error",
)  # fmt: skip
"""Texts of Python and NumPy themselves, from which no user can tell which argument was wrong."""

TABLE = type("DataFrame", (), {"to_numpy": lambda self: np.zeros((2, 3)), "__repr__": lambda self: "   a  b\n0  1  2\n" * 99})()
NUMBERS: list[Any] = [
    "1",
    None,
    math.nan,
    True,
    [1],
    np.array([1, 2]),
    1j,
    {},
    object(),
    TABLE,
    np.ma.masked_array([1.0], [True]),
]

WRONG: dict[str, list[Any]] = {
    "int": [2.5, 2.0, np.float64(2), math.inf, -(10**30), 10**400, *NUMBERS],
    "float": [math.inf, -math.inf, np.float32("nan"), np.array(math.nan), -(10**400), *NUMBERS],
    "bool": ["False", "", 1, 0, None, 1.0, [True], np.array([True, False]), np.int64(1), object(), TABLE],
    "sizes": [2.5, "2", "same", None, math.nan, (1.5, 1.5), (2,) * 7, (), [], {2: 2}, True, (True, True), ((2, 2), 2), -1],
    "padding": [2.5, "full", None, math.nan, (1.5,), (2,) * 7, (), {1: 1}, True, ((1, 2, 3),) * 2, -1, ((-1, 0),) * 2, object()],
    "sizes by letter": ["ab", None, 3, 2.5, [], ("h", 2), {}, {"h": 2}, {"h": 2, "d": 0}, {"h": 2.5, "d": 3}, object(), TABLE],
    "integers": [2.5, "ab", None, math.nan, (1.5,), (True,), {1: 1}, object(), 3, ("a",)],
    "numbers": [
        "ab", "1", None, math.nan, (math.inf,), (1, 10**400), (True,), {1: 1}, object(), ("a",), (), (2, 1), (1, 1), [1j],
        np.array([1, 2]), TABLE,
    ],
    "vectors": [
        "ab", None, 3, (), [], (1.0, 2.0), ((1.0, math.nan),), ((),), ((1, 0), (1,)), ((0.0, 0.0),), {1: 1}, object(), TABLE,
    ],
    "initializer": [
        None, "he_normal", 0.5, dict, fn.initializers.normal, fn.initializers.uniform, np.zeros((6, 3)), lambda: 0, [], TABLE,
    ],
    "layer": [None, "relu", fn.relu, fn.Key(0), [fn.relu()], (fn.relu(), fn.relu()), np.zeros(3), 3, fn.mean_squared_error()],
    "record": [None, "rotary", 3, 2.5, [], {}, fn.Rotary, fn.AttentionScores, fn.relu(), np.zeros(2), object(), TABLE],
    "word": ["nonsense", "", 3, None, ["relu"], np.zeros(2), fn.relu, object(), TABLE],
}  # fmt: skip


def kind_of(annotation: str) -> tuple[str, bool]:
    """Return which list of wrong values belongs to an annotation, and whether None is right."""
    optional = annotation.endswith(" | None") or annotation.startswith("Optional[")
    text = annotation.removesuffix(" | None").removeprefix("Optional[")
    if text in ("int", "float", "bool"):
        return text, optional
    if text.startswith("Callable[[funcnn.key.Key") or text == "Initializer":
        return "initializer", optional
    if text.endswith((".Rotary", ".AttentionScores")) and not text.startswith("Literal["):
        return "record", optional
    if text == "Mapping[str, int]":
        return "sizes by letter", optional
    if text.startswith("Layer["):
        return "layer", optional
    if text.startswith("Literal[") or text.endswith(".Rotary]") or text == "str":
        return "word", optional
    if "Literal['same', 'valid']" in text:
        return "padding", optional
    if text.startswith("int | Sequence[int"):
        return "sizes", optional
    if text.startswith(("tuple[int, ...]", "Sequence[int]", "Shape")):
        return "integers", optional
    if text == "Sequence[Sequence[float]]":
        return "vectors", optional
    if text == "float | Sequence[float]":
        return "numbers", optional
    raise LookupError(f"no wrong values are known for {annotation!r}: add a list to tests/sweeps/wrong.py")


def fault_of(error: BaseException, *words: str) -> str:
    """Return what is wrong with an error: nothing where it is one for users, which names the argument."""
    text = str(error)
    low = text.lower()
    if not isinstance(error, (TypeError, ValueError)):
        return f"{type(error).__name__}: {text[:150]}"
    raw = [one for one in RAW if one in low]
    if raw:
        return f"in the words of Python or NumPy: {text[:150]}"
    if len(text) > 600 or "\n" in text:
        return f"too long: {text[:150]}"
    if not any(word.lower() in low for word in words):
        return f"does not name {' or '.join(words)}: {text[:150]}"
    return ""
