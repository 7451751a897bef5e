"""What becomes of a mutant: first against the proved original, on the certificate's inputs; in doubt, the checker decides."""

from __future__ import annotations

from functools import partial
from types import FunctionType
from typing import Any, Literal, TypeAlias

import attrs
import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.certificate.subjects import Situation
from funcnn.typing import Array
from tests.mutants.graph import Exchange
from tests.mutants.mutations import Mutation, Tick
from tests.mutants.source import TICK
from tests.mutants.subjects import Given, Gradient

Outcome: TypeAlias = Literal["raised", "killed", "survived", "value only", "accepted"]

_ROUNDING = {"float64": (1e-13, 1e-15), "float32": (1e-3, 1e-6)}
"""Relative to the largest entry of the leaf, and of all leaves: differences below are those of another order of operations."""
_CLEAR = {"float64": 1e-9, "float32": np.inf}
"""Differences above are far larger than what the certificate sees; between the two the checker is asked."""
_SMALL = 1e-6
"""A gradient below, where cotangents are drawn of size 1, is a difference of larger numbers, and carries fewer digits."""
_PLAIN = ("drawn", "strided")
_EXTREME = ("saturated", "1e-8")
_MAGNIFIED = {"float64": 1e6, "float32": 100.0}
"""How much functions may magnify rounding there."""


@frozen(eq=False)
class Verdict:
    """What became of a mutant, and where it was seen."""

    outcome: Outcome
    gradient: Gradient | None = None
    at: Situation | None = None
    numbers: bool = False
    """Whether the gradient's numbers gave it away."""


class _Arrays:
    """NumPy, but what it leaves uninitialized is NaN: otherwise a mutant that fills nothing may find the right numbers there."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def empty(*args: Any, **kwargs: Any) -> Array:
        return _unset(np.empty(*args, **kwargs))

    @staticmethod
    def empty_like(*args: Any, **kwargs: Any) -> Array:
        return _unset(np.empty_like(*args, **kwargs))


def _unset(array: Array) -> Array:
    array.fill(np.nan if array.dtype.kind in "fc" else 77 if array.dtype.kind in "iu" else True)
    return array


def exchange(function: FunctionType, mutation: Mutation) -> Exchange:
    """Return what puts a mutant in the place of a function."""
    extra: dict[str, Any] = {TICK: Tick()}
    if function.__globals__.get("np") is np:
        extra["np"] = _Arrays()
    return Exchange(function, partial(mutation.build, function), extra)


def judge(function: FunctionType, mutation: Mutation, cases: list[Gradient]) -> Verdict:
    """Return what becomes of a mutant in the cases that reach its function."""
    with_value = False
    forgiven: set[tuple[int, str]] = set()  # kinks of a case where the checker has accepted it: asked once
    change = exchange(function, mutation)
    made = [(case, change(case.function)) for case in cases]
    for index in range(max((len(case.situations) for case in cases), default=0)):
        for case, mutant in made:
            given = case.given(index) if index < len(case.situations) else None
            if given is None:
                continue
            change.extra[TICK].turns = 0
            seen = _seen(case, mutant, given)
            if seen == "raised":
                return Verdict("raised", case, given.at)
            if seen == "wrong":
                return Verdict("killed", case, given.at, True)
            if seen == "selective":
                return Verdict("killed", case, given.at)
            if seen == "doubtful" and (id(case), given.at.edge.name) not in forgiven:
                if fails(case, change, given.at) and not case.fails_itself(index):
                    return Verdict("killed", case, given.at)
                forgiven.add((id(case), given.at.edge.name))
            with_value |= seen == "value"
    return Verdict("accepted" if forgiven else "value only" if with_value else "survived")


def fails(case: Gradient, change: Exchange, at: Situation) -> bool:
    """Ask the checker about a mutant: whether it finds something wrong that is more than a lack of precision."""
    change.extra[TICK].turns = -100_000  # it calls the gradient often
    return case.fails(case.changed(change), at)


def _seen(case: Gradient, mutant: Any, given: Given) -> str:
    """Compare a mutant with the original in one situation."""
    try:
        result = mutant(*given.args)
        leaves = tuple(case.leaves(result, given.primal))
        part = case.selective(mutant, given)
    except Exception:
        return "raised"
    seen = "same"
    for got, wanted, scale in zip(leaves, given.expected, given.scales, strict=True):
        if wanted is None or got is None:
            if got is not wanted:
                return "wrong"
            continue
        if got.shape != wanted.shape or got.dtype != wanted.dtype:
            return "wrong"
        if not got.size or got is wanted:
            continue
        error = np.max(np.abs(got - wanted))
        if not error <= _rounding(given, scale):
            plain = case.smooth and given.at.edge.name in _PLAIN and (error > _CLEAR[given.at.dtype] * max(scale, _SMALL))
            if plain or np.isnan(error):
                return "wrong"
            seen = "doubtful"
    if seen == "same" and part is not None and not _same_params(case, result, part):
        return "selective"
    if seen == "same" and shares(leaves, given, case):
        return "doubtful"
    if seen == "same" and case.slope and not np.array_equal(result[0], case.function(*given.args)[0]):
        return "value"
    return seen


def _rounding(given: Given, scale: float) -> float:
    """Return how far two forms of one formula may be apart in a leaf of this scale."""
    own, shared = _ROUNDING[given.at.dtype]
    magnified = _MAGNIFIED[given.at.dtype] if given.at.edge.name in _EXTREME else 1.0
    return magnified * max(own * scale, shared * max(given.scales))


def _same_params(case: Gradient, full: Any, part: Any) -> bool:
    ours, theirs = list(tree.leaves(full.params)), list(tree.leaves(part))
    return len(ours) == len(theirs) and all(
        one.shape == other.shape and np.allclose(one, other, rtol=1e-9, atol=0) for one, other in zip(ours, theirs, strict=True)
    )


def shares(leaves: tuple[Array | None, ...], given: Given, case: Gradient) -> bool:
    """Tell whether a gradient may share memory with what it was given, or its leaves with one another."""
    real = [leaf for leaf in leaves if leaf is not None and leaf.size]
    arguments = [one for one in arrays(given.args) if one.size and not case.slope]
    return any(np.may_share_memory(leaf, other) for at, leaf in enumerate(real) for other in (*arguments, *real[:at]))


def arrays(value: Any) -> list[Array]:
    """Return the arrays in a record or a tuple."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, (tuple, list)):
        return [array for one in value for array in arrays(one)]
    if attrs.has(type(value)):
        return [array for field in attrs.fields(type(value)) for array in arrays(getattr(value, field.name))]
    return []
