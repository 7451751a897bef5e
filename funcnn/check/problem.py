"""The question: a function, the gradient under test and a point, taken apart into named leaves.

What comes in from a user is made safe here: every array is copied, everything that cannot be differentiated is refused with its path, and
what the gradient under test returns is compared with what it should look like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.check.report import Diagnosis, Finding
from funcnn.errors import describe
from funcnn.typing import Array, Shape


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

    def active(self) -> tuple[Leaf, ...]:
        """Return the leaves that are differentiated: those that have a gradient."""
        return tuple(leaf for leaf in self.leaves if leaf.active)


def pose(
    name: str,
    function: Callable[..., object],
    pullback: Callable[..., object],
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
    return Problem(name, function, pullback, owned, wanted, prefix, tuple(leaves))


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
            if np.may_share_memory(array, earlier) and np.shares_memory(array, earlier):
                raise ValueError(
                    f"{other.name} and {leaf.name} share memory: they are one variable, and neither derivative is that of the other;"
                    f" pass a copy ({leaf.name}.copy()) to check them as two"
                )


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
    """Return the output of a function as a tree: a bare number becomes an array."""
    if isinstance(output, (float, int, bool, np.generic)):
        return np.asarray(output)
    return output


def is_floating(array: Array) -> bool:
    return array.dtype.kind == "f"


def ravel_output(leaves: tuple[Array, ...], dtype: np.dtype[np.floating]) -> Array:
    """Return the floating leaves of an output as one vector."""
    parts = [leaf.reshape(-1) for leaf in leaves if leaf.dtype.kind == "f"]
    if len(parts) == 1:
        return parts[0].astype(dtype, copy=False)
    vector: Array = np.concatenate(parts).astype(dtype, copy=False) if parts else np.zeros(0, dtype)
    return vector


# ----------------------------------------------------------------------------------------------------- what the gradient returned


@frozen(eq=False)
class Cotangents:
    """What the gradient under test returned, leaf by leaf of ``problem.active()`` (None where it is unusable), with the complaints."""

    leaves: tuple[Array | None, ...]
    findings: tuple[Finding, ...]


def read_cotangents(problem: Problem, result: object, *, strict_dtype: bool) -> Cotangents:
    """Compare the structure, shapes and dtypes of a result with those of the arguments."""
    count = len(problem.differentiated)
    if type(result) is not tuple and not hasattr(result, "_fields"):
        got = describe(result) if isinstance(result, np.ndarray) else f"a {type(result).__name__}"
        text = f"the gradient is {got}, expected a tuple of {count} (one cotangent for each argument): return (dx,)"
        where = problem.prefixes[problem.differentiated[0]] if count == 1 else ""
        return Cotangents((None,) * len(problem.active()), (finding("structure", where, text),))
    results: tuple[object, ...] = tuple(result)  # type: ignore[arg-type]
    findings: list[Finding] = []
    found: list[Array | None] = []
    if len(results) != count:
        last = problem.prefixes[problem.differentiated[min(len(results), count - 1)]]
        text = f"the gradient has {len(results)} parts, expected {count}, one for each argument"
        findings.append(finding("structure", last, text))
    for position, argument in enumerate(problem.differentiated):
        path, arg = problem.prefixes[argument], problem.args[argument]
        if position < len(results):
            found.extend(_read(arg, results[position], path, findings, strict_dtype))
        else:
            found.extend(None for leaf in tree.leaves(arg) if is_floating(leaf))
    return Cotangents(tuple(found), tuple(findings))


def _read(arg: object, got: object, path: str, findings: list[Finding], strict_dtype: bool) -> Iterator[Array | None]:
    """Yield the cotangent of each floating leaf of one (part of an) argument."""
    if isinstance(arg, np.ndarray):
        if is_floating(arg):
            yield _read_leaf(arg, got, path, findings, strict_dtype)
        elif got is not None:
            text = f"the cotangent of {describe(arg)} is {_show(got)}, expected None: integers have no derivative"
            findings.append(finding("structure", path, text))
        return
    inside = tree.leaves(arg)
    if got is None and not any(is_floating(leaf) for leaf in inside):
        return
    problem = _node_mismatch(arg, got)
    if problem:
        findings.append(finding("structure", path, problem))
        if not _alike(arg, got):
            yield from (None for leaf in inside if is_floating(leaf))
            return
    theirs = dict(_children(got))
    for step, child in tree.children(arg):
        if step in theirs:
            yield from _read(child, theirs[step], path + step, findings, strict_dtype)
        else:
            yield from (None for leaf in tree.leaves(child) if is_floating(leaf))


def _node_mismatch(arg: object, got: object) -> str:
    """Say how a node differs from what it should be, or return the empty string."""
    if type(arg) is not type(got):
        return f"the cotangent is {_show(got)}, expected a {type(arg).__name__} like the argument"
    ours, theirs = [step for step, _ in tree.children(arg)], [step for step, _ in _children(got)]
    missing, extra = [step for step in ours if step not in theirs], [step for step in theirs if step not in ours]
    if missing or extra:
        said = [f"lacks {', '.join(missing)}"] if missing else []
        said += [f"has {', '.join(extra)} in addition"] if extra else []
        return f"the cotangent {' and '.join(said)}, expected {', '.join(ours)}"
    return ""


def _alike(arg: object, got: object) -> bool:
    """Tell whether children can be matched in spite of a mismatch: a list for a tuple, a dict with other keys."""
    return isinstance(got, (tuple, list)) if isinstance(arg, tuple) else type(arg) is type(got)


def _children(node: object) -> list[tuple[str, object]]:
    """Return the children of a returned node, which may be anything, without raising."""
    if isinstance(node, dict):
        return [(f"[{key!r}]", child) for key, child in node.items()]
    if type(node) in (tuple, list):
        return [(f"[{index}]", child) for index, child in enumerate(node)]  # type: ignore[arg-type]
    try:
        return tree.children(node)
    except TypeError:
        return []


def _read_leaf(arg: Array, got: object, path: str, findings: list[Finding], strict_dtype: bool) -> Array | None:
    if isinstance(got, np.generic) and arg.shape == ():
        got = np.asarray(got)
    if not isinstance(got, np.ndarray):
        findings.append(finding("structure", path, f"the cotangent is {_show(got)}, expected an array of shape {arg.shape}"))
        return None
    if got.dtype.kind != "f":
        findings.append(finding("dtype", path, f"the cotangent is {describe(got)}, expected {describe(arg)}"))
        if got.dtype.kind not in "iub":
            return None
    elif strict_dtype and got.dtype != arg.dtype:
        findings.append(finding("dtype", path, f"the cotangent is {got.dtype}, expected the argument's {arg.dtype}"))
    if got.shape != arg.shape:
        findings.append(finding("shape", path, f"the cotangent has shape {got.shape}, expected {arg.shape}"))
        return None
    return got


def finding(kind: str, path: str, text: str) -> Finding:
    """Return a finding whose kind is its own diagnosis."""
    return Finding(kind, path, text, diagnosis=Diagnosis(kind, text, 1.0))


def _show(got: object) -> str:
    if isinstance(got, np.ndarray):
        return describe(got)
    return "None" if got is None else f"a {type(got).__name__}"


def shape_of(shape: Shape) -> str:
    return "a number" if shape == () else f"shape {shape}"
