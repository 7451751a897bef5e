"""The course of a check: the contract, then every leaf against differences, then the report."""

from __future__ import annotations

import time
import warnings
from typing import Literal, TypeAlias

import attrs
import numpy as np

from funcnn.check.case.calls import Calls, with_note
from funcnn.check.case.case import Case
from funcnn.check.case.cotangents import arrays, build, draw, finding, flatten
from funcnn.check.case.problem import Problem, in_working_precision, is_floating, output_leaves
from funcnn.check.case.sampler import LONG, WIDER, Sampler, sampler
from funcnn.check.differences.compare import compare_entries
from funcnn.check.differences.leaf import Comparison
from funcnn.check.differences.screen import screen
from funcnn.check.differences.ties import judge_ties
from funcnn.check.findings import gather
from funcnn.check.promises.contract import Contract, check_contract
from funcnn.check.promises.linearity import Linearity, check_linearity
from funcnn.check.records import Finding, LeafReport, Verdict
from funcnn.check.report import Report
from funcnn.check.witness.dot import dot_test
from funcnn.errors import describe
from funcnn.typing import Array

Method: TypeAlias = Literal["auto", "full", "screen"]
"""``full``: every entry; ``screen``: random directions, and bisection to a wrong entry; ``auto``: every entry of leaves of up
to a few thousand, directions for larger ones."""

_NAMES = {float(np.finfo(np.longdouble).eps): "long double", float(np.finfo(np.float64).eps): "float64"}
ONE = object()
"""The cotangent of a single number."""
SMALL = 16
_LARGEST = 4000  # entries of a leaf that are all looked at
_WORK = 2e7  # numbers of an evaluation times entries: what a thorough check may take
_SECONDS = 120.0  # beyond which even that is given up
_EACH = 5  # evaluations for an entry, about
_NOISE, _SCREEN = 30, 60  # evaluations for measuring noise and for screening a leaf, about
_PATIENCE = 120.0  # seconds that a second look, in long double, may take
_PATIENT = 1500  # evaluations after which a screening looks at no leaf entry by entry: deep networks have many small ones
_TOO_NOISY = 1e-5  # of the outputs
_HUGE = 200_000  # entries of all leaves beyond which float64 is precise enough and long double too slow


def verify(
    problem: Problem,
    *,
    cotangent: object | None = None,
    given: str = "cotangent",
    seed: int = 0,
    method: Method = "auto",
    reference: str = "auto",
    explain: bool | float = True,
) -> Report:
    """Check the gradient of a problem and return the report; ``given`` is what the user calls the cotangent."""
    started = time.perf_counter()
    with with_note("raised by the function, at the point where its gradient is checked"):
        base = Sampler(problem, None, fresh=True)
    outputs = output_leaves(base.output, "the output")
    if not any(is_floating(leaf) for leaf in outputs):
        got = ", ".join(describe(leaf) for leaf in outputs) or "nothing"
        raise TypeError(f"{problem.name} gives {got}: floating numbers are expected, there is nothing to differentiate")
    vector = _cotangent_vector(problem, base.output, cotangent, given, seed)
    if not np.isfinite(base.y).all():
        return _without_numbers(problem, outputs, seed, started)
    calls = Calls(problem, in_working_precision(problem, base.output), vector)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        contract = check_contract(problem, calls, seed)
        if contract.random:
            return _finish(problem, contract, None, [], [], seed, started, explain)
        total = sum(leaf.array.size for leaf in problem.active())
        wanted = "float64" if reference == "auto" and total > _HUGE else reference
        case = _case_of(problem, wanted, contract, vector, seed)
        if problem.noisy and case.resolution > _TOO_NOISY:
            text = (
                f"the function's output differs by {case.resolution:.1g} of itself from one call to the next: no difference sees"
            )
            contract = attrs.evolve(contract, findings=(*contract.findings, finding("determinism", "", text + " a slope")))
            return _finish(problem, contract, None, [], [], seed, started, explain)
        case.call_elsewhere(contract.elsewhere)
        made, linear = _compare(case, contract, method)
        if wanted != reference:
            _in_long_double(case, made)
        return _finish(problem, contract, case, made, linear, seed, started, explain)


def _cotangent_vector(problem: Problem, output: object, cotangent: object | None, given: str, seed: int) -> Array:
    """Return the numbers of a cotangent, or of a random one, one after another; raise where they do not fit the output."""
    outputs = output_leaves(output, "the output")
    size = sum(leaf.size for leaf in outputs if is_floating(leaf))
    if cotangent is ONE:
        if size != 1:
            raise ValueError(f"{problem.name} gives {' and '.join(describe(leaf) for leaf in outputs)}, expected a single number")
        vector: Array = np.ones(1)
    elif cotangent is None:
        vector = draw(size, np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(1,)))))
    else:
        vector = flatten(output, cotangent, given)
    # The same numbers in every precision: those that the outputs' own can hold.
    return np.concatenate([np.zeros(0), *(leaf.reshape(-1) for leaf in arrays(build(output, vector)))])


def _case_of(problem: Problem, reference: str, contract: Contract, vector: Array, seed: int) -> Case:
    """Return the problem in its reference precision; in float64 where that was left open and long double is another function."""
    case = Case(problem, sampler(problem, reference, fresh=contract.writes), vector, seed)
    if case.noise.another and case.sample.dtype == LONG:
        note = "the function is another one in long double than in float64, by more than rounding"
        if reference == "auto":
            case = Case(problem, sampler(problem, "float64", fresh=contract.writes), vector, seed)
            note += ": it is judged in float64"
        case.notes.append(note)
    return case


def _compare(case: Case, contract: Contract, method: Method) -> tuple[list[Comparison | None], list[Linearity]]:
    """Compare every leaf with differences, small leaves first entry by entry."""
    gradient = contract.gradient.leaves
    if case.wide is not None:
        gradient = tuple(one if one is not None else other for one, other in zip(case.wide.leaves, gradient, strict=True))
    linear = list(check_linearity(case, gradient))
    sizes = [leaf.array.size for leaf in case.problem.active()]
    full, patiently = (_thorough(sizes, method, case.numbers, pace) for pace in (case.pace, 0.0))
    made: list[Comparison | None] = []
    for position, leaf in enumerate(gradient):
        if leaf is None:
            made.append(None)
        elif full[position] and (method != "screen" or case.sample.count < _PATIENT):
            made.append(compare_entries(case, position, leaf))
        else:
            done = screen(case, position, leaf)
            if patiently[position] and not done.wrong.any():
                done.method += f" (for speed: an evaluation takes {1000 * case.pace:.0f} ms)"
            made.append(done)
        if case.problem.noisy and (made[-1] is not None) and made[-1].faint:
            made[-1].unresolved, made[-1].note = True, "what calls vary by hides whatever slope there is"
    judge_ties(case, made)
    return made, linear


def _in_long_double(case: Case, made: list[Comparison | None]) -> None:
    """Look again, in long double, at leaves that float64 was too coarse for, if that does not take too long."""
    vague = [position for position, done in enumerate(made) if done is not None and done.verdict == "inconclusive"]
    if not vague or not WIDER:
        return
    try:
        sample = Sampler(case.problem, LONG, fresh=case.sample.fresh)
    except Exception:  # the function does not take the precision
        return
    if sample.quickest * (_NOISE + _SCREEN * len(vague)) > _PATIENCE:
        return
    wide = Case(case.problem, sample, case.cotangent, case.seed)
    for position in vague:
        gradient = None if wide.wide is None else wide.wide.leaves[position]
        if gradient is not None:
            again = screen(wide, position, gradient)
            if again.verdict != "inconclusive":
                again.method += " in long double"
                made[position] = again
    case.sample.count += sample.count


def _thorough(sizes: list[int], method: Method, numbers: int, pace: float) -> list[bool]:
    """Choose the leaves of which every entry is looked at: the small ones, as long as the work allows.

    The work is judged by sizes, so that a verdict does not hang on the machine; only minutes of it are given up.
    """
    if method != "auto":
        return [method == "full" or size <= SMALL for size in sizes]
    budget = min(max(_WORK / max(1, numbers), SMALL), 2 * _LARGEST, max(_SECONDS / (_EACH * max(pace, 1e-9)), SMALL))
    chosen = [False] * len(sizes)
    for position in sorted(range(len(sizes)), key=lambda at: sizes[at]):
        budget -= sizes[position]
        chosen[position] = sizes[position] <= _LARGEST and budget >= 0
    return chosen


def _finish(
    problem: Problem,
    contract: Contract,
    case: Case | None,
    made: list[Comparison | None],
    linear: list[Linearity],
    seed: int,
    started: float,
    explain: bool | float,
) -> Report:
    findings = gather(problem, contract, case, made, linear, explain)
    known = {one.path for one in findings if one.kind != "inconclusive"}
    witness, more = (None, ()) if case is None else dot_test(case, contract.gradient.leaves, made, known)
    findings += more
    leaves = []
    for position, leaf in enumerate(problem.active()):
        shape, dtype = leaf.array.shape, str(leaf.array.dtype)
        done = made[position] if made else None
        if done is None:
            verdict: Verdict = "fail" if contract.gradient.leaves[position] is None else "inconclusive"
            leaves.append(LeafReport(leaf.path, shape, dtype, verdict, method="not compared", name=leaf.name))
        else:
            leaves.append(done.report(leaf.path, shape, dtype, leaf.name))
    evaluations = contract.evaluations + (case.sample.count if case else 0) + 1
    pullbacks = contract.pullbacks + (case.pullbacks if case else 0)
    seconds = time.perf_counter() - started
    reference = _NAMES.get(case.sample.eps, str(case.sample.result)) if case else ""
    notes = tuple(case.notes) if case else ()
    return Report(
        problem.name,
        tuple(leaves),
        tuple(findings),
        evaluations,
        pullbacks,
        seed,
        seconds,
        problem.reproduce,
        reference,
        notes,
        witness,
    )


def _without_numbers(problem: Problem, outputs: tuple[Array, ...], seed: int, started: float) -> Report:
    """Return the report on a function that gives NaN or infinity at the very point."""
    bad = sum(int((~np.isfinite(leaf)).sum()) for leaf in outputs if is_floating(leaf))
    text = f"the function gives {bad} numbers that are not finite at this point: it has no derivative there"
    leaves = tuple(
        LeafReport(leaf.path, leaf.array.shape, str(leaf.array.dtype), "inconclusive", method="not compared", name=leaf.name)
        for leaf in problem.active()
    )
    found: tuple[Finding, ...] = (finding("nonfinite", "", text),)
    return Report(problem.name, leaves, found, 1, 0, seed, time.perf_counter() - started, problem.reproduce, "")
