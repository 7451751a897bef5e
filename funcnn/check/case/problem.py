"""The question: a function, the gradient under test and a point, taken apart into named leaves.

What comes in from a user is made safe here: every array is copied, and what cannot be differentiated is refused with its path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.errors import describe
from funcnn.typing import Array


@frozen(eq=False)
class Leaf:
    """One array of the arguments."""

    path: str
    name: str  # the path with the name of the argument in place of its number, for messages
    argument: int
    array: Array  # a copy of what was given: C-contiguous, read-only
    active: bool  # whether it is differentiated: a floating leaf of a differentiated argument


@frozen(eq=False)
class Problem:
    """A function, its gradient and a point.

    ``function(*args)`` gives a tree; ``pullback(*args, dy)`` gives one cotangent tree for each argument in ``differentiated``.
    """

    name: str
    function: Callable[..., object]
    pullback: Callable[..., object]
    args: tuple[object, ...]
    differentiated: tuple[int, ...]
    prefixes: tuple[str, ...]  # the path of each argument
    leaves: tuple[Leaf, ...]
    again: Callable[..., object] | None = None  # a pullback that asks twice with the same residuals, and gives the second answer
    constants: Mapping[str, float] = {}  # hyper-parameters by name, for naming a factor
    reproduce: str = ""  # a line that runs the check again
    noisy: bool = False  # whether calls may differ a little: then by how much is measured, and no finding

    def active(self) -> tuple[Leaf, ...]:
        """Return the leaves that are differentiated: those that have a gradient."""
        return tuple(leaf for leaf in self.leaves if leaf.active)


@frozen(eq=False)
class Question:
    """What is to be checked: a function and its gradient, without the point."""

    name: str
    function: Callable[..., object]
    pullback: Callable[..., object]
    again: Callable[..., object] | None = None
    constants: Mapping[str, float] = {}
    reproduce: str = ""


def pose(
    question: Question,
    args: tuple[object, ...],
    names: tuple[str, ...],
    prefixes: tuple[str, ...] | None = None,
    differentiated: tuple[int, ...] | None = None,
) -> Problem:
    """Return the problem, with its arguments validated and copied.

    Raises
    ------
    TypeError
        When an argument is not a tree of arrays, or a leaf is complex, or holds objects or text; with its path.
    ValueError
        When no leaf is floating, or two leaves share memory.
    """
    wanted = tuple(range(len(args))) if differentiated is None else differentiated
    prefix = prefixes or tuple(f"[{position}]" for position in range(len(args)))
    leaves: list[Leaf] = []
    given: list[Array] = []
    for position, arg in enumerate(args):
        for path, array in tree.walk(arg, names[position]):
            _check_leaf(path, array)
            own = np.array(array, order="C", subok=False)
            own.setflags(write=False)
            where = prefix[position] + path.removeprefix(names[position])
            leaves.append(Leaf(where, path, position, own, own.dtype.kind == "f" and position in wanted))
            given.append(array)
    if not any(leaf.active for leaf in leaves):
        kinds = ", ".join(f"{names[position]} is {describe(args[position])}" for position in wanted) or "there is no argument"
        raise ValueError(f"nothing to differentiate: {kinds}; a gradient is checked at floating arrays (use .astype(float))")
    _check_apart(leaves, given)
    copies = iter([leaf.array for leaf in leaves])
    owned = tuple(tree.rebuild(arg, copies) for arg in args)
    return Problem(
        question.name,
        question.function,
        question.pullback,
        owned,
        wanted,
        prefix,
        tuple(leaves),
        question.again,
        question.constants,
        question.reproduce,
    )


def _check_leaf(path: str, array: Array) -> None:
    if isinstance(array, (np.ma.MaskedArray, np.matrix)):
        raise TypeError(f"{path} is a {type(array).__name__}, expected a plain np.ndarray: pass its data")
    if array.dtype.kind == "c":
        raise TypeError(f"{path} is {describe(array)}: only real functions are checked; pass real and imaginary parts")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{path} is {describe(array)}, expected floating numbers, integers or booleans")


def _check_apart(leaves: list[Leaf], given: list[Array]) -> None:
    """Raise when two differentiated leaves overlap in memory: moving one would move the other."""
    active = [(leaf, array) for leaf, array in zip(leaves, given, strict=True) if leaf.active]
    for index, (leaf, array) in enumerate(active):
        for other, earlier in active[:index]:
            if overlap(array, earlier):
                raise ValueError(
                    f"{other.name} and {leaf.name} share memory: they are one variable, and one cannot move without the other;"
                    f" pass {leaf.name}.copy() to check them as two"
                )


def overlap(one: Array, other: Array) -> bool:
    """Tell whether two arrays overlap in memory."""
    if not one.size or not other.size or not np.may_share_memory(one, other):
        return False
    try:
        return bool(np.shares_memory(one, other, max_work=100_000))  # type: ignore[arg-type]  # the stubs allow 0 and -1 only
    except np.exceptions.TooHardError:
        return True


def cast_args(problem: Problem, convert: Callable[[Leaf], Array]) -> tuple[object, ...]:
    """Return the arguments with every leaf replaced."""
    new = iter([convert(leaf) for leaf in problem.leaves])
    return tuple(tree.rebuild(arg, new) for arg in problem.args)


# ------------------------------------------------------------------------------------------------------------------- outputs


def output_leaves(output: object, what: str = "the output") -> tuple[Array, ...]:
    """Return the leaves of an output; a number is an array without axes."""
    if type(output) is np.ndarray:
        return (output,)
    return tuple(leaf for _, leaf in tree.walk(as_tree(output), what))


def as_tree(output: object) -> object:
    """Return the output of a function as a tree: numbers, bare or inside, become arrays."""
    if isinstance(output, np.ndarray):
        return output
    if isinstance(output, (float, int, bool, np.generic)):
        return np.asarray(output)
    if isinstance(output, dict):
        return {key: as_tree(part) for key, part in output.items()}
    if type(output) is tuple:
        return tuple(as_tree(part) for part in output)
    if isinstance(output, tuple) or attrs.has(type(output)):
        return _with_arrays(output)
    return output


def _with_arrays(node: object) -> object:
    """Return a NamedTuple or an attrs object with arrays in the place of numbers."""
    kind = type(node)
    if isinstance(node, tuple):
        return kind(*map(as_tree, node))
    names = [field.name for field in getattr(kind, "__attrs_attrs__", ()) if field.init]
    parts = {name.lstrip("_"): as_tree(getattr(node, name)) for name in names}
    return kind(**parts)


def in_working_precision(problem: Problem, output: object) -> object:
    """Return an output as a tree; a bare Python float, which has no precision of its own, in that of the arguments."""
    if type(output) is float:
        return np.asarray(output, np.result_type(*(leaf.array.dtype for leaf in problem.active())))
    return as_tree(output)


def is_floating(array: Array) -> bool:
    return array.dtype.kind == "f"


def ravel_output(leaves: tuple[Array, ...], dtype: np.dtype[np.floating]) -> Array:
    """Return the floating leaves of an output as one vector."""
    parts = [leaf.reshape(-1) for leaf in leaves if leaf.dtype.kind == "f"]
    if len(parts) == 1:
        return parts[0].astype(dtype, copy=False)
    vector: Array = np.concatenate(parts).astype(dtype, copy=False) if parts else np.zeros(0, dtype)
    return vector
