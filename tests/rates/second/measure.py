"""Count how often the checker errs on the functions of textbooks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from attrs import frozen

from funcnn import check
from funcnn.check import Report
from funcnn.typing import Array
from tests.rates.score import Rate
from tests.rates.second.scenario import Scenario, far_out, in_single, in_units
from tests.rates.second.textbook import TEXTBOOK

_LOSES = 64  # roundings: a formula of a textbook may lose more, and then that it does is no false alarm
_SIZES = (1.5, 4.0, 100.0, 1e5)  # of a mistake, in units of what would be seen


@frozen
class Result:
    """What became of one function."""

    number: int
    name: str
    tag: str
    right: str  # the verdict
    said: str  # the first finding
    lossy: bool  # whether the gradient loses digits, and nothing else was found
    kind: str = ""
    error: float = 0.0
    claim: float = 0.0
    wrong: str = ""  # the verdict on the spoiled gradient

    @property
    def false_alarm(self) -> bool:
        """Whether a right gradient was called wrong."""
        return self.right == "fail" and not self.lossy

    @property
    def missed(self) -> bool:
        """Whether a wrong gradient passed whose error would be seen, it was said."""
        return self.wrong in ("pass", "kink-ok") and self.error > self.claim


def scenario(number: int, seed: int) -> tuple[Scenario, np.random.Generator]:
    """Return the function with a number, and more random numbers."""
    rng = np.random.default_rng([seed, number, 77])
    one = TEXTBOOK[number % len(TEXTBOOK)](rng)
    chance = rng.random()
    if chance < 0.25:
        sizes = tuple(float(10.0 ** rng.uniform(-7, 7)) for _ in one.args)
        one = in_units(one, sizes, float(10.0 ** rng.uniform(-7, 7)))
    elif chance < 0.35:
        one = in_single(one)
    elif chance < 0.5:
        one = far_out(one, float(rng.uniform(3, 20)))
    return one, rng


def measure(number: int, seed: int) -> Result:
    """Check one function with its right gradient, and with a spoiled one."""
    one, rng = scenario(number, seed)
    with np.errstate(all="ignore"):
        output = np.asarray(one.function(*one.args))
        dy = np.asarray(rng.uniform(0.5, 1.5, output.shape) * rng.choice((-1, 1), output.shape)).astype(output.dtype)
        wide = [arg.astype(np.longdouble) for arg in one.args]
        exact = one.gradient(*wide, dy.astype(np.longdouble))
    report = checked(one, one.gradient, dy, number)
    kinds = {found.kind for found in report.findings}
    said = f"{report.findings[0].path}: {report.findings[0].text}" if report.findings else ""
    lossy = kinds <= {"precision", "inconclusive"} and _rounding(one, dy, exact) > _LOSES
    start = Result(number, one.name, one.tag, report.verdict, said, lossy)
    place = int(rng.integers(len(one.args)))
    claim, largest = report.leaves[place].power, float(np.max(np.abs(exact[place]), initial=0))
    if report.verdict == "fail" or not np.isfinite(claim) or not largest:
        return start
    kind = str(rng.choice(("factor", "entry", "wave", "sign")))
    size = claim * float(rng.choice(_SIZES))
    entry, peak = int(rng.integers(exact[place].size)), int(np.argmax(np.abs(exact[place])))

    def spoiled(*given: Any) -> tuple[Array, ...]:
        found = list(one.gradient(*given))
        flat = found[place].reshape(-1).copy()
        reach = flat.dtype.type(size) * flat[peak]
        if kind == "factor":
            flat = flat * flat.dtype.type(1 + size) if flat.dtype.itemsize < 16 else flat * (1 + flat.dtype.type(size))
        elif kind == "entry":
            flat[entry] += reach
        elif kind == "wave":
            flat += reach * np.cos(np.arange(flat.size)).astype(flat.dtype)
        else:
            flat *= -1
        found[place] = flat.reshape(found[place].shape)
        return tuple(found)

    again = checked(one, spoiled, dy, number)
    with np.errstate(all="ignore"):
        off = np.abs(spoiled(*wide, dy.astype(np.longdouble))[place] - exact[place])
    leaf = again.leaves[place]
    error = float(np.max(off)) / largest
    return Result(number, one.name, one.tag, report.verdict, said, lossy, kind, error, leaf.power + leaf.rounding, again.verdict)


def checked(one: Scenario, gradient: Any, dy: Array, seed: int) -> Report:
    """Return the report on a gradient."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return check.check_vjp(one.function, gradient, *one.args, cotangent=dy, seed=seed, explain=False)


def _rounding(one: Scenario, dy: Array, exact: tuple[Array, ...]) -> float:
    """Return by how many roundings the gradient in its own precision is off, in the worst entry."""
    with np.errstate(all="ignore"):
        got = one.gradient(*one.args, dy)
    worst = 0.0
    for arg, slope, true in zip(one.args, got, exact, strict=True):
        largest = float(np.max(np.abs(true), initial=0))
        if largest:
            worst = max(worst, float(np.max(np.abs(slope - true))) / largest / float(np.finfo(arg.dtype).eps))
    return worst


def measured(numbers: Iterable[int], seed: int, workers: int = 1) -> list[Result]:
    """Check the functions with these numbers, in their order."""
    one: Callable[[int], Result] = partial(measure, seed=seed)
    if workers == 1:
        return list(map(one, numbers))
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(one, numbers, chunksize=16))


def rates(results: Sequence[Result]) -> tuple[Rate, Rate, Rate]:
    """Return false alarms, right gradients without a verdict and mistakes that were missed."""
    right = [one for one in results if not (one.right == "fail" and one.lossy)]
    seen = [one for one in results if one.wrong == "fail" or one.wrong == "inconclusive" or one.missed]
    return (
        Rate("false alarms", sum(one.false_alarm for one in right), len(right)),
        Rate("inconclusive", sum(one.right == "inconclusive" for one in right), len(right)),
        Rate("missed", sum(one.missed for one in seen), len(seen)),
    )
