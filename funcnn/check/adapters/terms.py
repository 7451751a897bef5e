"""On what terms a foreign function is checked: what it need not promise, what it may rely on, what it cannot take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypedDict, cast

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.check import requests
from funcnn.check.case.cotangents import convert_leaves
from funcnn.check.case.problem import as_tree
from funcnn.check.verify import Method
from funcnn.errors import describe, shown
from funcnn.typing import Array


class Options(TypedDict, total=False):
    """The options that all checks of foreign functions take."""

    contract: bool
    """Whether a gradient must leave its arguments alone, share no memory, take any layout and give the argument's dtype.  False:
    values alone count; every call gets copies of its own."""
    writable: bool
    """Whether the function is given fresh, contiguous arrays that it may write into: for compiled code that refuses others."""
    deterministic: bool
    """Whether two calls must give the same.  False: outputs and gradients may vary a little, as sums in the order of threads do;
    error bars then come from how much they vary."""
    precision: Literal["auto", "single"]
    """"single" for functions that take float32 and nothing else: differences are taken in float32 too."""
    symmetric: Sequence[int | Literal["output"]]
    """The arguments, by number, that are symmetric matrices (or stacks of them), and "output" for the output: they are moved, and
    cotangents are drawn, among the symmetric ones alone."""
    cotangent: object
    """dy, like the output; by default random."""
    seed: int
    """Of everything random."""
    method: Method
    """As in :func:`funcnn.check.check_vjp`."""
    reference: str
    """As in :func:`funcnn.check.check_vjp`."""
    explain: bool | float
    """Whether wrong leaves are diagnosed, and for how many seconds at most."""


KNOWN = tuple(Options.__annotations__)


@frozen(eq=False)
class Terms:
    """The terms of one check."""

    contract: bool = True
    copies: bool = False
    single: bool = False
    symmetric: frozenset[int] = frozenset()
    output: bool = False

    def hand(self, args: tuple[object, ...]) -> tuple[object, ...]:
        """Return arguments as the function may have them."""
        return tuple(self._hand_one(arg, position in self.symmetric) for position, arg in enumerate(args))

    def hand_cotangent(self, dy: object) -> object:
        """Return a cotangent as the gradient may have it."""
        return convert_leaves(dy, lambda leaf: self._hand(leaf, self.output, "the cotangent"))

    def _hand_one(self, arg: object, symmetric: bool) -> object:
        return tree.map(lambda leaf: self._hand(leaf, symmetric, "an argument"), arg)

    def _hand(self, leaf: Array, symmetric: bool, what: str) -> Array:
        if self.single and leaf.dtype.kind == "f" and leaf.dtype != np.float32:
            raise TypeError(f"{what} is {leaf.dtype}: the function takes single precision")
        made = symmetric_part(leaf) if symmetric else leaf
        return np.array(made, order="C") if self.copies else made

    def take_output(self, output: object) -> object:
        """Return an output as the check wants it."""
        if not (self.output or self.copies) or type(output) is float:
            return output
        change = symmetric_part if self.output else np.array
        return tree.map(change, as_tree(output))

    def take_gradient(self, args: tuple[object, ...], got: object) -> object:
        """Return a gradient as the check wants it: without what the terms do not ask for."""
        if not isinstance(got, (tuple, list)) or len(got) != len(args):
            return got
        parts = list(got)
        for position in self.symmetric:
            parts[position] = _leaf_by_leaf(parts[position], symmetric_part)
        if not self.contract:
            parts = [values_alone(arg, part) for arg, part in zip(args, parts, strict=True)]
        return tuple(parts)


def symmetric_part(matrix: Array) -> Array:
    """Return the symmetric part of a matrix, or of each of a stack; anything else stays as it is."""
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or matrix.dtype.kind != "f":
        return matrix
    part: Array = ((matrix + matrix.swapaxes(-1, -2)) / 2).astype(matrix.dtype, copy=False)
    return part


def values_alone(arg: object, got: object) -> object:
    """Return a gradient with fresh arrays of the argument's dtype, and None for integers: numbers in lists are arrays too."""
    if isinstance(arg, np.ndarray):
        if arg.dtype.kind != "f":
            return None
        try:
            values = np.asarray(got)
        except ValueError:
            return got
        return np.array(values, arg.dtype) if values.dtype.kind in "fiub" else got
    try:
        ours, theirs = tree.children(arg), dict(tree.children(got))
    except TypeError:
        return got
    if type(arg) is not type(got) or [step for step, _ in ours] != list(theirs):
        return got
    made = {step: values_alone(child, theirs[step]) for step, child in ours}
    if isinstance(arg, dict):
        return {key: made[f"[{key!r}]"] for key in arg}
    return tuple(made.values()) if type(arg) is tuple else type(arg)(*made.values())


def _leaf_by_leaf(part: object, change: Callable[[Array], Array]) -> object:
    try:
        return convert_leaves(part, change)
    except TypeError:  # it is no tree: the check will say so
        return part


def terms_of(options: Options, args: tuple[object, ...], names: tuple[str, ...]) -> Terms:
    """Return the terms that options name.

    Raises
    ------
    TypeError
        When there is no such option, or one has another type.
    ValueError
        When an argument is called symmetric that does not exist or is not symmetric, or a precision is unknown.
    """
    unknown = sorted(set(options) - set(KNOWN))
    if unknown:
        raise TypeError(f"there is no option {unknown[0]!r}, expected some of {', '.join(KNOWN)}")
    requests.options(
        options.get("seed", 0), options.get("method", "auto"), options.get("reference", "auto"), options.get("explain", True)
    )
    given = cast("dict[str, object]", options)
    for name in ("contract", "writable", "deterministic"):
        if not isinstance(given.get(name, True), (bool, np.bool_)):
            raise TypeError(f"{name} is {shown(given[name])}, expected True or False")
    precision = options.get("precision", "auto")
    if precision not in ("auto", "single"):
        raise ValueError(f"precision is {shown(precision)}, expected 'auto' or 'single'")
    chosen = given.get("symmetric", ())
    if not isinstance(chosen, (tuple, list)):
        raise TypeError(f"symmetric is {shown(chosen)}, expected a tuple of arguments' numbers and 'output', such as (0,)")
    numbers = set()
    for one in chosen:
        if one == "output":
            continue
        if isinstance(one, bool) or not isinstance(one, int) or not 0 <= one < len(args):
            raise ValueError(f"symmetric names {shown(one)}, expected 'output' or numbers of arguments below {len(args)}")
        _check_symmetric(args[one], names[one])
        numbers.add(one)
    contract = bool(options.get("contract", True))
    copies = not contract or bool(options.get("writable", False))
    return Terms(contract, copies, precision == "single", frozenset(numbers), "output" in chosen)


def _check_symmetric(arg: object, name: str) -> None:
    for path, leaf in tree.walk(arg, name):
        if leaf.dtype.kind == "f":
            check_symmetric_leaf(leaf, path)


def check_symmetric_leaf(leaf: Array, path: str) -> None:
    """Raise a ValueError when an array is not a symmetric matrix or a stack of them."""
    if leaf.ndim < 2 or leaf.shape[-1] != leaf.shape[-2]:
        raise ValueError(f"{path} is {describe(leaf)}, expected a square matrix where symmetric names it")
    off = np.max(np.abs(leaf - leaf.swapaxes(-1, -2)), initial=0)
    if off > 1e3 * float(np.finfo(leaf.dtype).eps) * np.max(np.abs(leaf), initial=0):
        raise ValueError(f"{path} differs from its transpose by {float(off):.2g}, expected a symmetric matrix")
