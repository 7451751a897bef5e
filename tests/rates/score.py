"""The score: what became of many trials, in rates with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from attrs import frozen

from tests.rates.intervals import clopper_pearson
from tests.rates.trial import Trial, run

ALARMS, UNDECIDED = 1e-3, 2e-2
"""The largest shares of right gradients that may be called wrong, and that may be left without a verdict."""
PASSED = ("pass", "kink-ok")


@frozen
class Rate:
    """How many of how many, and between which shares the true one lies with a probability of 95 %."""

    name: str
    count: int
    total: int

    @property
    def low(self) -> float:
        """The least share."""
        return clopper_pearson(self.count, self.total)[0]

    @property
    def high(self) -> float:
        """The largest share."""
        return clopper_pearson(self.count, self.total)[1]

    @property
    def share(self) -> float:
        """What was counted."""
        return self.count / self.total if self.total else 0.0


@frozen
class Score:
    """All trials."""

    trials: tuple[Trial, ...]
    seed: int

    def rates(self, family: str | None = None) -> tuple[Rate, ...]:
        """Return false alarms, right gradients without a verdict and mistakes that passed, in all or in one family."""
        chosen = [trial for trial in self.trials if family in (None, trial.family)]
        right = [trial for trial in chosen if not trial.rounds]
        spoiled = [trial for trial in chosen if trial.seen]
        return (
            Rate("false alarms", sum(trial.false_alarm for trial in right), len(right)),
            Rate("inconclusive", sum(trial.right.verdict == "inconclusive" for trial in right), len(right)),
            Rate("missed", sum(trial.missed for trial in spoiled), len(spoiled)),
        )

    def of_kinds(self) -> dict[str, dict[str, int]]:
        """Return, for each kind of mistake, how many were caught, left open, missed, and smaller than what is claimed."""
        found: dict[str, dict[str, int]] = {}
        for trial in self.trials:
            if trial.spoiled is not None:
                row = found.setdefault(trial.kind, dict.fromkeys(("caught", "inconclusive", "missed", "below"), 0))
                row[trial.fate] += 1
        return dict(sorted(found.items()))

    @property
    def ok(self) -> bool:
        """Whether the rates are within their bounds."""
        alarms, undecided, missed = self.rates()
        return alarms.share <= ALARMS and undecided.share <= UNDECIDED and missed.count == 0


def score(numbers: Iterable[int], seed: int, family: str | None = None, workers: int = 1) -> Score:
    """Run the trials with these numbers, in their order."""
    one: Callable[[int], Trial] = partial(run, seed=seed, family=family)
    if workers == 1:
        return Score(tuple(map(one, numbers)), seed)
    with ProcessPoolExecutor(workers) as pool:
        return Score(tuple(pool.map(one, numbers, chunksize=16)), seed)
