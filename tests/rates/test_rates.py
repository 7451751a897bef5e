"""Proof that the random functions are what they claim to be, and that what goes wrong is counted."""

from collections.abc import Callable
from functools import partialmethod

import numpy as np
import pytest
from attrs import evolve

from funcnn.typing import Array
from tests.rates.families.choice import FAMILIES
from tests.rates.intervals import clopper_pearson
from tests.rates.page import page
from tests.rates.program import Program
from tests.rates.score import Score, score
from tests.rates.spoil import edges
from tests.rates.trial import Outcome, Trial, run, subject
from tests.rates.truth import exact_gradient, interval

SEED = 1


def test_a_function_follows_from_its_number_alone() -> None:
    one, other = run(23, SEED), score(range(22, 24), SEED).trials[1]
    assert (one.right.verdict, one.kind, one.size, one.error, one.claim) == (
        other.right.verdict,
        other.kind,
        other.size,
        other.error,
        other.claim,
    )
    first, second = (subject(23, seed).made.args[0] for seed in (SEED, SEED + 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"large"}))
def test_the_right_gradients_are_right(family: str) -> None:
    """By differences in a hundred and twenty digits, which use the formulas and none of the rules of their gradients."""
    for number in range(4):
        one = subject(number, 7, family)
        program, args = one.made.program, one.made.args
        exact = exact_gradient(program, args, one.dy)
        for position in one.active:
            low, high = interval(program, args, one.dy, position)
            true = exact[position]
            assert true is not None
            slack = 1e-15 * np.max(np.abs(true)) + 1e-30
            assert np.all((low - slack <= true) & (true <= high + slack)), program.text()
            assert one.made.ties or np.all(high - low <= slack), program.text()


def test_a_gradient_that_lacks_a_term_is_not_right() -> None:
    one = subject(3, 7, "composed")
    program = evolve(one.made.program, without=edges(one.made.program)[0])
    exact = exact_gradient(program, one.made.args, one.dy)
    off = []
    for position in one.active:
        low, high = interval(program, one.made.args, one.dy, position)
        got = np.asarray(exact[position])
        off.append(float(np.max(np.maximum(low - got, got - high)) / np.max(np.abs(high))))
    assert max(off) > 1e-3


def trial(verdict: str, spoiled: str, error: float, claim: float, family: str = "smooth") -> Trial:
    return Trial(0, family, (), Outcome(verdict, 0.0), 0.0, Outcome(spoiled, 0.0), "scaled", error, error, claim)


def test_what_goes_wrong_is_counted() -> None:
    right, alarm, vague = trial("pass", "fail", 1, 1e-9), trial("fail", "fail", 1, 1e-9), trial("inconclusive", "fail", 1, 1e-9)
    missed, small = trial("pass", "pass", 1e-8, 1e-9), trial("kink-ok", "pass", 1e-10, 1e-9)
    made = Score((right, alarm, vague, missed, small), 0)
    assert [(rate.count, rate.total) for rate in made.rates()] == [(1, 5), (1, 5), (1, 4)]
    assert [one.count for one in made.rates("norms")] == [0, 0, 0]
    assert made.of_kinds() == {"scaled": {"caught": 3, "inconclusive": 0, "missed": 1, "below": 1}}
    assert not made.ok
    assert Score((right, small), 0).ok
    assert [Score((right, one), 0).ok for one in (alarm, vague, missed)] == [False] * 3
    assert "missed: scaled, error 1.0e-08 above 1.0e-09" in page(made, ())
    lost = Outcome("fail", 0.0, ("precision",))
    assert [evolve(alarm, lossy=off, right=lost).rounds for off in (1.0, 1e6)] == [False, True]
    assert not evolve(alarm, lossy=1e6, right=Outcome("fail", 0.0, ("precision", "value"))).rounds


def test_a_wrong_rule_is_a_false_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a gradient of the generator wrong, the checker would say so: it is not blind to these functions."""
    monkeypatch.setattr(Program, "vjp", partialmethod(doubled, Program.vjp))
    assert all(one.right.verdict == "fail" for one in score(range(8), SEED, "smooth").trials)


def doubled(self: Program, vjp: Callable[..., tuple[Array, ...]], *given: object) -> tuple[Array, ...]:
    return tuple(2 * one for one in vjp(self, *given))


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [(0, 100, 0, 0.03622), (3, 100, 0.00623, 0.08518), (50, 100, 0.39832, 0.60168), (100, 100, 0.96378, 1)],
)
def test_intervals_are_those_of_the_tables(count: int, total: int, low: float, high: float) -> None:
    assert clopper_pearson(count, total) == pytest.approx((low, high), abs=1e-5)  # the digits of the table
