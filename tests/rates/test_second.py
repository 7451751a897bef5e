"""The functions of textbooks: their gradients are right, and the checker says so."""

from __future__ import annotations

import numpy as np
import pytest

from tests.rates.second.measure import Result, measured, rates, scenario
from tests.rates.second.textbook import TEXTBOOK

FUNCTIONS, SEED = 65, 3


@pytest.mark.parametrize("draw", TEXTBOOK, ids=lambda draw: draw.__name__)
def test_gradients_are_those_of_the_functions(draw: object) -> None:
    """Differences of the plainest kind, in long double, at points that are no kinks: nothing here knows of the checker."""
    assert callable(draw)
    right = []
    for seed in range(6):
        one = draw(np.random.default_rng(seed))
        args = [arg.astype(np.longdouble) for arg in one.args]
        dy = np.cos(np.arange(np.asarray(one.function(*args)).size)).reshape(np.shape(one.function(*args))).astype(np.longdouble)
        found = one.gradient(*args, np.asarray(dy))
        for place, slope in enumerate(found):
            way = np.sin(1 + np.arange(args[place].size)).reshape(args[place].shape).astype(np.longdouble)
            ends = []
            for sign in (1, -1):
                moved = [np.asarray(arg + sign * 1e-10 * way) if other == place else arg for other, arg in enumerate(args)]
                ends.append((dy * one.function(*moved)).sum())
            expected = (ends[0] - ends[1]) / 2e-10
            right.append(abs(expected - (way * slope).sum()) < 1e-6 * (np.abs(way * slope).sum() + 1))
    assert np.mean(right) > 0.9


@pytest.fixture(scope="module")
def short() -> list[Result]:
    return measured(range(FUNCTIONS), SEED)


def test_right_gradients_pass_and_wrong_ones_do_not(short: list[Result]) -> None:
    assert [one for one in short if one.false_alarm or one.missed] == []
    _, undecided, _ = rates(short)
    assert undecided.low <= 0.02
    assert {one.tag for one in short} == {"plain", "units", "float32", "far"}
    assert sum(one.wrong == "fail" for one in short) > 40


def test_a_number_and_a_seed_are_a_function() -> None:
    (one, _), (other, _) = scenario(4, 1), scenario(4, 1)
    assert one.name == other.name
    assert all(np.array_equal(a, b) for a, b in zip(one.args, other.args, strict=True))
