"""The checker against the corpus: every mistake caught at its leaf and named, no right gradient flagged; in four variants."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.typing import DTypeLike

from funcnn import check, tree
from funcnn.check.records import TAGS
from funcnn.check.report import Report
from tests.check.corpus.entry import BOTH, Function, Wrong
from tests.check.corpus_held_out import HELD_OUT
from tests.check.corpus_tricky import TRICKY
from tests.check.corpus_wrong import WRONG

MISTAKES = (*WRONG, *HELD_OUT)
VARIANTS = ("float64", "float32", "times 1e+8", "times 1e-8")
TAG_RATE = 0.9
UNSCALED = {"aliasing", "structure", "dtype"}
"""Mistakes that multiplying the results with a number would undo, or trip over."""


def as_dtype(args: tuple[object, ...], dtype: DTypeLike) -> tuple[object, ...]:
    return tree.map(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, args)


def times(function: Function, factor: float, *, gradient: bool) -> Function:
    """Return f or vjp of the function multiplied by a number."""

    def multiply(part: object) -> object:
        if part is None or isinstance(part, (int, np.integer)):
            return part
        if isinstance(part, (np.ndarray, np.generic, float)):
            array = np.asarray(part)
            return np.asarray(array * factor) if array.dtype.kind == "f" else part
        return rebuilt(part, multiply)

    def scaled(*args: object) -> object:
        result = function(*args)
        if gradient and isinstance(result, tuple):
            return tuple(multiply(part) for part in result)
        return multiply(result)

    return scaled


def rebuilt(part: object, convert: Callable[[object], object]) -> object:
    if isinstance(part, dict):
        return {key: convert(child) for key, child in part.items()}
    if isinstance(part, list):
        return [convert(child) for child in part]
    children = [convert(child) for _, child in tree.children(part)]
    return tuple(children) if type(part) is tuple else type(part)(*children)


def run(f: Function, vjp: Function, args: tuple[object, ...], variant: str, explain: bool = True) -> Report:
    if variant.startswith("times"):
        factor = float(variant.removeprefix("times "))
        return check.check_vjp(times(f, factor, gradient=False), times(vjp, factor, gradient=True), *args, explain=explain)
    return check.check_vjp(f, vjp, *(args if variant == "float64" else as_dtype(args, np.float32)), explain=explain)


def cases(variant: str) -> list[Wrong]:
    dtype = "float32" if variant == "float32" else "float64"
    chosen = [one for one in MISTAKES if dtype in one.dtypes]
    return [one for one in chosen if not (variant.startswith("times") and one.tag in UNSCALED)]


def explained(variant: str) -> list[Wrong]:
    """Return the mistakes whose cause is asked for: all in float64, and every twelfth in the variants.

    The verdict is asked of every mistake in every variant.  The search for the cause takes most of the time.
    """
    return cases(variant)[:: 1 if variant == "float64" else 12]


@cache
def reports(variant: str) -> dict[str, Report]:
    named = {one.name for one in explained(variant)}
    return {one.name: run(*one.functions(), one.args, variant, one.name in named) for one in cases(variant)}


def tag_of(report: Report, one: Wrong) -> str:
    """Return the tag of the first finding at the leaf of an entry."""
    return next((found.diagnosis.tag for found in report.findings if found.path == one.paths[0]), "nothing")


def test_corpus_is_what_was_asked_for() -> None:
    assert len(WRONG) >= 80
    assert len(TRICKY) >= 40
    assert {one.tag for one in WRONG} == set(TAGS)
    assert all(one.why for one in WRONG)
    assert all(one.why for one in TRICKY)
    assert len({one.name for one in MISTAKES} | {one.name for one in TRICKY}) == len(MISTAKES) + len(TRICKY)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_mistake_is_caught_at_its_leaves_alone_and_nine_in_ten_are_named(variant: str) -> None:
    """One test, since the reports that it asks three things of take most of the time, and other workers would make them anew."""
    found = reports(variant)
    missed = [name for name, report in found.items() if report.verdict != "fail"]
    assert missed == []
    astray = {
        one.name: (one.paths, sorted({finding.path for finding in found[one.name].findings}))
        for one in cases(variant)
        if {finding.path for finding in found[one.name].findings} != set(one.paths)
    }
    assert astray == {}
    confused = [
        f"{one.name}: {tag_of(found[one.name], one)} for {one.tag}"
        for one in explained(variant)
        if tag_of(found[one.name], one) != one.tag
    ]
    rate = 1 - len(confused) / len(explained(variant))
    assert rate >= TAG_RATE, f"{rate:.3f}\n" + "\n".join(confused)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_right_gradient_is_flagged(variant: str) -> None:
    flagged = {one.name: str(report) for one in TRICKY if not (report := run(one.f, one.vjp, one.args, variant)).ok}
    assert flagged == {}


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_right_twin_is_flagged(variant: str) -> None:
    twins = {(one.f, one.right): one for one in cases(variant) if one.right is not None}
    flagged = {}
    for (f, right), one in twins.items():
        report = run(f, right, one.args, variant)
        if not report.ok:
            flagged[one.name] = str(report)
    assert flagged == {}


def test_both_dtypes_have_their_mistakes() -> None:
    assert {dtype for one in MISTAKES for dtype in one.dtypes} == set(BOTH)
