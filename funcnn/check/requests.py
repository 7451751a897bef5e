"""What may be asked of a check: every option and every function is looked at before anything is computed."""

from __future__ import annotations

import numpy as np

from funcnn import tree
from funcnn.errors import shown
from funcnn.layer import Eval, Layer, Train
from funcnn.losses.loss import Loss

METHODS = ("auto", "full", "screen")
REFERENCES = ("auto", "longdouble", "float64")


def options(seed: object, method: object = "auto", reference: object = "auto", explain: object = True) -> None:
    """Refuse options that do not exist.

    Raises
    ------
    TypeError
        When the seed is not an integer, or ``explain`` neither a boolean nor a number.
    ValueError
        When it is negative, or a method or reference is not among those that there are, or ``explain`` is negative or no number.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"seed is {shown(seed)}, expected an integer of at least 0")
    if seed < 0:
        raise ValueError(f"seed is {seed}, expected an integer of at least 0")
    for name, given, known in (("method", method, METHODS), ("reference", reference, REFERENCES)):
        if given not in known:
            raise ValueError(f"{name} is {shown(given)}, expected one of {', '.join(map(repr, known))}")
    if not isinstance(explain, (bool, int, float, np.bool_, np.integer, np.floating)):
        raise TypeError(f"explain is {shown(explain)}, expected True, False or a number of seconds")
    if not explain >= 0:
        raise ValueError(f"explain is {shown(explain)}, expected True, False or a positive number of seconds")


def functions(**given: object) -> None:
    """Refuse what cannot be called, by the name of the argument."""
    for name, function in given.items():
        if not callable(function):
            raise TypeError(f"{name} is {_kind(function)}, expected a function")


def a_layer(layer: object, name: str = "layer") -> None:
    """Refuse what is not a layer."""
    if not isinstance(layer, Layer):
        hint = ": call the factory" if callable(layer) else ""
        raise TypeError(f"{name} is {_kind(layer)}, expected a Layer, such as dense(10){hint}")


def a_loss(loss: object) -> None:
    """Refuse what is not a loss."""
    if not isinstance(loss, Loss):
        hint = ": call the factory" if callable(loss) else ""
        raise TypeError(f"loss is {_kind(loss)}, expected a Loss, such as mean_squared_error(){hint}")


def a_mode(mode: object) -> None:
    """Refuse what is not a mode."""
    if mode is not None and not isinstance(mode, (Train, Eval)):
        raise TypeError(f"mode is {_kind(mode)}, expected Train(key) or Eval()")


def a_batch(batch: object) -> None:
    """Refuse what is not a number of examples."""
    if isinstance(batch, bool) or not isinstance(batch, (int, np.integer)):
        raise TypeError(f"batch is {shown(batch)}, expected an integer of at least 0")
    if batch < 0:
        raise ValueError(f"batch is {batch}, expected an integer of at least 0")


def a_shape(shape: object, name: str) -> None:
    """Refuse a tuple of numbers that is not a shape, or a tuple of shapes."""
    if not isinstance(shape, tuple):
        raise TypeError(f"{name} is {_kind(shape)}, expected a shape: a tuple of integers, or a tuple of shapes")
    numbers = [isinstance(axis, (int, np.integer)) for axis in shape]
    if all(numbers):
        if any(axis < 0 for axis in shape):
            raise ValueError(f"{name} is the shape {shape}: axes have at least one entry")
        return
    if any(numbers):
        raise TypeError(f"{name} is {shape}, expected a tuple of integers, or a tuple of shapes")
    for index, part in enumerate(shape):
        a_shape(part, f"{name}[{index}]")


def alike(given: object, expected: object, name: str) -> None:
    """Refuse a tree that has not the leaves that another has."""
    ours, theirs = dict(tree.walk(given, name)), dict(tree.walk(expected, name))
    if list(ours) != list(theirs):
        raise TypeError(f"{name} has the leaves {_listed(ours)}, expected {_listed(theirs)}, as the layer's init makes them")


def _listed(leaves: dict[str, np.ndarray]) -> str:
    names = list(leaves)
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return shown or "of an empty tree"


def _kind(given: object) -> str:
    if given is None:
        return "None"
    if isinstance(given, type):
        return f"the class {given.__name__}"
    if isinstance(given, (str, int, float)):
        return repr(given)
    return f"a {type(given).__name__}"
