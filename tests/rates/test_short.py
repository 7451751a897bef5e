"""The error rates in short form."""

import pytest

from tests.rates.families.choice import FAMILIES
from tests.rates.score import Score, score
from tests.rates.spoil import SIZED, WHOLE

FIRST, FUNCTIONS = 3000, 70
SEED = 0


@pytest.fixture(scope="module")
def short() -> Score:
    return score(range(FIRST, FIRST + FUNCTIONS), SEED)


def test_no_right_gradient_is_called_wrong(short: Score) -> None:
    assert [trial for trial in short.trials if trial.false_alarm] == []


def test_few_right_gradients_stay_without_a_verdict(short: Score) -> None:
    _, undecided, _ = short.rates()
    assert undecided.low <= 0.02


def test_no_mistake_passes_that_would_have_been_seen(short: Score) -> None:
    assert [trial for trial in short.trials if trial.missed] == []


def test_no_argument_is_accused_of_the_mistake_in_another(short: Score) -> None:
    assert [trial for trial in short.trials if trial.accused] == []


def test_every_family_and_every_kind_of_mistake_has_its_turn(short: Score) -> None:
    assert {trial.family for trial in short.trials} == set(FAMILIES)
    assert set(short.of_kinds()) == {*SIZED, *WHOLE}
