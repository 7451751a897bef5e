"""How many samples a check takes: no more than say something new, and as many on a busy machine as on an idle one."""

import itertools
import time

import numpy as np
import pytest

import funcnn as fn
from funcnn.check import check_layer, check_vjp
from funcnn.typing import Array

FAR = 1e10
"""So large that steps of a 4096th hide a slope of 1 in its rounding, and long steps show it."""


def test_of_an_empty_batch_nothing_is_sampled() -> None:
    layer = fn.dense(3)
    start = layer.init(fn.Key(0), (4,))
    report = check_layer(layer, np.zeros((0, 4)), params=start.params, state=start.state)
    assert report.verdict == "pass"
    assert report.evaluations < 40


def test_a_gradient_of_an_empty_batch_that_is_not_0_is_wrong() -> None:
    report = check_vjp(lambda x, w: x @ w, lambda x, w, dy: (dy @ w.T, x.T @ dy + 1), np.zeros((0, 3)), np.ones((3, 2)))
    assert [leaf.verdict for leaf in report.leaves] == ["pass", "fail"]


def beside(x: Array, unused: Array) -> Array:
    return 2 * x


def test_a_leaf_that_is_not_used_takes_few_samples() -> None:
    args = np.ones(2), np.arange(1.0, 13.0)
    report = check_vjp(beside, lambda x, unused, dy: (2 * dy, 0 * unused), *args)
    assert report.verdict == "pass"
    assert report.evaluations < 12 * 40
    wrong = check_vjp(beside, lambda x, unused, dy: (2 * dy, 0 * unused + 1e-3 * dy[0]), *args)
    assert {found.path for found in wrong.findings} == {"[1]"}


def narrow(x: Array) -> Array:
    """Move, of all steps from 4 to 4**-26, at one of the middle alone, and there by less than the step."""
    moved: Array = np.where(np.abs(np.abs(x - 1) - 4.0**-4) < 4.0**-6, 1e-3 * (x - 1), 0)
    return moved


def test_a_line_that_moves_at_other_steps_is_looked_at_whole() -> None:
    """A step between those that are taken first; the slope at the point is 0 all the same."""
    assert check_vjp(narrow, lambda x, dy: (0 * dy,), np.ones(3)).verdict == "pass"
    assert check_vjp(narrow, lambda x, dy: (1e-3 * dy,), np.ones(3)).verdict == "fail"


def far_off(x: Array, w: Array) -> Array:
    return FAR + x + np.cos(w)


def test_steps_that_suit_one_entry_are_tried_at_others() -> None:
    args = np.linspace(1, 2, 9), np.linspace(0.5, 1, 9)
    report = check_vjp(far_off, lambda x, w, dy: (1 * dy, -np.sin(w) * dy), *args)
    assert report.verdict == "pass"
    assert report.evaluations < 18 * 30

    def wrong(x: Array, w: Array, dy: Array) -> tuple[Array, Array]:
        dw = -np.sin(w) * dy
        dw[4] *= 1.001
        return 1 * dy, dw

    (found,) = check_vjp(far_off, wrong, *args).findings
    assert (found.path, found.index, found.n_bad) == ("[1]", (4,), 1)


def test_a_busy_machine_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def clock() -> float:
        """Go on by a second at most calls, and hardly at some that follow one another."""
        return float(next(times))

    times = itertools.accumulate(1e-6 if call % 7 > 4 else 1.0 for call in itertools.count())
    x = np.linspace(-1, 1, 300)
    idle = check_vjp(np.sin, lambda x, dy: (np.cos(x) * dy,), x)
    monkeypatch.setattr(time, "perf_counter", clock)
    busy = check_vjp(np.sin, lambda x, dy: (np.cos(x) * dy,), x)
    assert [leaf.method for leaf in busy.leaves] == ["every entry"]
    assert busy.evaluations == idle.evaluations
