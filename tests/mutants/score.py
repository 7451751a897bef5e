"""The mutation score: every function of every gradient, changed in every way."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from types import FunctionType
from zlib import crc32

import attrs
import numpy as np

from funcnn.certificate.cases import LAYERS, LOSSES, PENALTIES, LayerCase, LossCase, PenaltyCase
from tests.mutants.elsewhere import is_held_elsewhere
from tests.mutants.equivalent import REASONS, Reasons
from tests.mutants.judge import Verdict, exchange, fails, judge
from tests.mutants.memory import little_memory
from tests.mutants.mutations import Mutation, mutations
from tests.mutants.record import FunctionScore, Mutant, MutationScore
from tests.mutants.source import parse
from tests.mutants.subjects import Gradient, gradients

_SAMPLE = 3  # mutants of a function, when it has to be quick
_FUNCTIONS = 6  # one of so many functions is taken then; which ones their names decide
_CONFIRM = 50  # one of so many of the killed is given to the checker
_ACCEPTED = "accepted by the checker where it differs: at kinks, or in the rounding of extreme inputs"


def score(names: Iterable[str] | None = None, quick: bool = False) -> MutationScore:
    """Mutate the gradients of the library and count what its own cases notice.

    Parameters
    ----------
    names : iterable of str, optional
        Public names; all by default.  The functions that their gradients are made of are mutated; the cases of all names that
        share such a function judge them.
    quick : bool, optional
        A sample of the mutants of a sample of the functions.

    Returns
    -------
    MutationScore

    Raises
    ------
    ValueError
        For a name that has no cases.

    Examples
    --------
    >>> from tests.mutants import score
    >>> made = score(["identity"])
    >>> made.ok, made.total, made.killed
    (True, 2, 2)
    """
    wanted = None if names is None else set(names)
    known = {*LAYERS, *LOSSES, *PENALTIES}
    missing = sorted((wanted or set()) - known)
    if missing:
        raise ValueError(f"there are no cases of {', '.join(missing)}, only of {', '.join(sorted(known))}")
    return measure(LAYERS, LOSSES, REASONS, penalties=PENALTIES, names=wanted, quick=quick)


def measure(
    layers: Mapping[str, Sequence[LayerCase]],
    losses: Mapping[str, Sequence[LossCase]],
    reasons: Reasons,
    *,
    penalties: Mapping[str, Sequence[PenaltyCase]] | None = None,
    names: set[str] | None = None,
    quick: bool = False,
) -> MutationScore:
    """Return the score of tables of cases."""
    started = time.perf_counter()
    cases = list(gradients(layers, losses, penalties or {}))
    of: dict[FunctionType, list[Gradient]] = {}
    chosen: list[FunctionType] = []
    for case in cases:
        for function in case.parts:
            of.setdefault(function, []).append(case)
            if (names is None or case.name in names) and function not in chosen and not is_held_elsewhere(name_of(function)):
                chosen.append(function)
    if quick:
        chosen = [one for one in chosen if crc32(name_of(one).encode()) % _FUNCTIONS == 0]
    tally = _Tally(reasons, quick)
    with np.errstate(all="ignore"), little_memory(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = [tally.function(one, _nearest(of[one])) for one in sorted(chosen, key=name_of)]
    functions = tuple(one for one in scores if one is not None)
    return MutationScore(functions, tally.confirmed, tuple(tally.denied), tuple(tally.stale), time.perf_counter() - started)


def name_of(function: FunctionType) -> str:
    """Return the name of a function in the package."""
    return f"{function.__module__.removeprefix('funcnn.')}.{function.__qualname__}"


def _nearest(cases: list[Gradient]) -> list[Gradient]:
    """Return the cases with the simplest gradients first, and the large ones last."""
    return sorted(cases, key=lambda case: (case.case.large, len(case.parts)))


class _Tally:
    """The counts, while they are made."""

    def __init__(self, reasons: Reasons, quick: bool) -> None:
        self.reasons, self.quick = reasons, quick
        self.killed = self.confirmed = 0
        self.denied: list[str] = []
        self.stale: list[str] = []

    def function(self, function: FunctionType, cases: list[Gradient]) -> FunctionScore | None:
        """Judge the mutants of a function; None where it computes no gradient after all."""
        name, made = name_of(function), list(mutations(function))
        if self.quick:
            made = made[:: max(1, len(made) // _SAMPLE)]
        killed = raised = total = valued = numbers = 0
        equivalent: list[Mutant] = []
        survivors: list[Mutant] = []
        for mutation in made:
            verdict = judge(function, mutation, cases)
            if verdict.outcome == "value only":
                valued += 1
                continue
            total += 1
            mutant = Mutant(mutation.line, mutation.statement, mutation.operator, mutation.before, mutation.after)
            if verdict.outcome in ("raised", "killed"):
                killed += 1
                raised += verdict.outcome == "raised"
                numbers += verdict.outcome == "killed"
                if verdict.numbers:
                    self._confirm(name, function, mutation, verdict)
            elif verdict.outcome == "accepted":
                equivalent.append(attrs.evolve(mutant, reason=_ACCEPTED))
            else:
                survivors.append(mutant)
        for case in cases:
            case.check_unchanged()
        if valued and not numbers and not equivalent:
            return None  # it computes the value beside the slope
        explained, left = self._explain(name, survivors)
        return FunctionScore(name, parse(function).path, total, killed, raised, (*equivalent, *explained), tuple(left))

    def _confirm(self, name: str, function: FunctionType, mutation: Mutation, verdict: Verdict) -> None:
        """Give one of many to the checker."""
        self.killed += 1
        if self.killed % _CONFIRM == 1 and verdict.gradient is not None and verdict.at is not None:
            self.confirmed += 1
            if not fails(verdict.gradient, exchange(function, mutation), verdict.at):
                self.denied.append(f"{name}:{mutation.line} {mutation.before}  ->  {mutation.after}")

    def _explain(self, name: str, survivors: list[Mutant]) -> tuple[list[Mutant], list[Mutant]]:
        """Divide survivors into those for which there is a reason, in the number that was counted, and the others."""
        explained: list[Mutant] = []
        left = list(survivors)
        for statement, (count, reason) in self.reasons.get(name, {}).items():
            found = [one for one in survivors if one.statement == statement]
            if len(found) == count or (self.quick and len(found) < count):
                explained += [attrs.evolve(one, reason=reason) for one in found]
                left = [one for one in left if one not in found]
            else:
                self.stale.append(f"{name} {statement}: {len(found)} survive, not {count}")
        return explained, left
