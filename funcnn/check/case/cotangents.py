"""Cotangents: drawn, built from vectors, and what the gradient under test returned compared with what it should look like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.check.case.problem import Problem, as_tree, is_floating, output_leaves
from funcnn.check.records import Diagnosis, Finding
from funcnn.errors import describe
from funcnn.typing import Array


def draw(size: int, generator: np.random.Generator) -> Array:
    """Return random cotangents: both signs, none small."""
    signs = generator.integers(0, 2, size) * 2 - 1
    return signs * generator.uniform(0.5, 1.5, size)


def build(output: object, vector: Array, dtype: np.dtype[np.floating] | None = None) -> object:
    """Return the cotangent tree of an output from the vector of all its floating entries; None for an integer leaf.

    Its leaves are copies, in the given precision or in that of the output's leaves.
    """
    ends = iter(np.cumsum([leaf.size for leaf in output_leaves(output) if is_floating(leaf)]).tolist())

    def convert(leaf: Array) -> Array | None:
        if not is_floating(leaf):
            return None
        end = next(ends)
        return np.array(vector[end - leaf.size : end], dtype or leaf.dtype).reshape(leaf.shape)

    return convert_leaves(as_tree(output), convert)


def convert_leaves(part: object, convert: Callable[[Array], object]) -> object:
    """Return a tree with its arrays replaced by anything; None (the cotangent of an integer) stays."""
    if part is None:
        return None
    if isinstance(part, np.ndarray):
        return convert(part)
    if isinstance(part, dict):
        made = {key: convert_leaves(part[key], convert) for key in sorted(part)}
        return {key: made[key] for key in part}
    children = [convert_leaves(child, convert) for _, child in tree.children(part)]
    return tuple(children) if type(part) is tuple else type(part)(*children)


def arrays(cotangent: object) -> list[Array]:
    """Return the arrays of a cotangent tree, in which None stands for integers."""
    found: list[Array] = []
    convert_leaves(cotangent, found.append)
    return found


def flatten(output: object, given: object, name: str = "cotangent") -> Array:
    """Return the vector of a cotangent tree that a user gave.

    Raises
    ------
    ValueError
        When it does not look like the output, with the path, or would pass anything: zeros, or numbers that are not finite.
    """
    findings: list[Finding] = []
    found = list(_read(as_tree(output), as_tree(given), name, findings, False))
    if findings:
        what = findings[0].text.replace("the cotangent", findings[0].path, 1)
        raise ValueError(f"{what} (the {name} is a tree like the output of the function)")
    parts = [leaf.reshape(-1) for leaf in found if leaf is not None]
    vector: Array = np.concatenate([np.zeros(0), *parts])
    if not np.isfinite(vector).all():
        raise ValueError(f"the {name} has entries that are not finite")
    if vector.size and not vector.any():
        raise ValueError(f"the {name} is zero everywhere: any gradient would pass")
    return vector


@frozen(eq=False)
class Cotangents:
    """What the gradient under test returned, leaf by leaf of ``problem.active()``: None where it is unusable."""

    leaves: tuple[Array | None, ...]
    findings: tuple[Finding, ...]


def read_cotangents(problem: Problem, result: object, *, strict_dtype: bool) -> Cotangents:
    """Compare the structure, shapes and dtypes of a result with those of the arguments."""
    count = len(problem.differentiated)
    findings: list[Finding] = []
    found: list[Array | None] = []
    if not isinstance(result, tuple):
        text = f"the gradient is {_show(result)}, expected a tuple of {count} (one cotangent for each argument)"
        findings.append(finding("structure", "", text + (": return (dx,)" if count == 1 else "")))
        if not isinstance(result, list):
            return Cotangents((None,) * len(problem.active()), tuple(findings))
    results: tuple[object, ...] = tuple(result)
    if len(results) != count:
        text = f"the gradient has {len(results)} parts, expected {count}, one for each argument"
        findings.append(finding("structure", "", text))
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
    if isinstance(node, list) or type(node) is tuple:
        return [(f"[{index}]", child) for index, child in enumerate(node)]
    try:
        return tree.children(node)
    except TypeError:
        return []


def _read_leaf(arg: Array, got: object, path: str, findings: list[Finding], strict_dtype: bool) -> Array | None:
    if isinstance(got, np.generic) and arg.shape == ():
        got = np.asarray(got)
    if not isinstance(got, np.ndarray) or isinstance(got, (np.ma.MaskedArray, np.matrix)):
        kind = f"a {type(got).__name__}" if isinstance(got, np.ndarray) else _show(got)
        findings.append(finding("structure", path, f"the cotangent is {kind}, expected an array of shape {arg.shape}"))
        return None
    if got.dtype.kind != "f":
        findings.append(finding("dtype", path, f"the cotangent is {describe(got)}, expected {describe(arg)}"))
        if got.dtype.kind not in "iub":
            return None
        got = got.astype(arg.dtype)
    elif strict_dtype and got.dtype.newbyteorder("=") != arg.dtype.newbyteorder("="):  # results have the machine's order of bytes
        findings.append(finding("dtype", path, f"the cotangent is {got.dtype}, expected the argument's {arg.dtype}"))
    if got.shape != arg.shape:
        findings.append(finding("shape", path, f"the cotangent has shape {got.shape}, expected {arg.shape}"))
        return None
    return cast(Array, got)


def finding(kind: str, path: str, text: str) -> Finding:
    """Return a finding whose kind is its own diagnosis."""
    return Finding(kind, path, text, diagnosis=Diagnosis(kind, text, 1.0))


def _show(got: object) -> str:
    if isinstance(got, np.ndarray):
        return describe(got)
    return "None" if got is None else f"a {type(got).__name__}"
