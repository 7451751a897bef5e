"""Losses of a whole batch: weights where they mean more than a row twice, ends of the range, and batches that say nothing."""

import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import funcnn as fn

untyped: Any = fn  # for calls that a type checker would refuse


def exact_cox(scores: Any, target: fn.SurvivalTarget, weight: Any, efron: bool) -> tuple[Any, list[Any]]:
    """Return the sum over the events and its gradient, time by time in exact arithmetic."""
    eta, w = [mp.mpf(float(x)) for x in scores.ravel()], [mp.mpf(float(x)) for x in weight]
    hazard = [a * mp.exp(x) for a, x in zip(w, eta, strict=True)]
    rows = range(len(eta))
    value, gradient = mp.mpf(0), [mp.mpf(0)] * len(eta)
    for time in set(target.time.tolist()):
        tied = [i for i in rows if target.time[i] == time and target.event[i]]
        at_risk = [j for j in rows if target.time[j] >= time]
        for i in tied:
            value -= w[i] * eta[i]
            gradient[i] -= w[i]
        for k in range(len(tied)):
            share = mp.fsum(w[i] for i in tied) / len(tied)
            left = {j: hazard[j] * (1 - mp.mpf(k) / len(tied) if efron and j in tied else 1) for j in at_risk}
            whole = mp.fsum(left.values())
            value += share * mp.log(whole)
            for j, part in left.items():
                gradient[j] += share * part / whole
    return value, gradient


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("scale", [1.0, 300.0])  # of which exponentials and their ratios are beyond every range
def test_partial_likelihoods_are_exact_with_weights_ties_and_large_scores(dtype: Any, ties: Any, scale: float) -> None:
    generator = np.random.default_rng(2)
    scores = (scale * generator.normal(size=(12, 1))).astype(dtype)
    target = fn.SurvivalTarget(generator.integers(0, 5, 12), generator.random(12) < 0.6)
    weight = generator.uniform(0.5, 2.0, 12)
    loss = fn.cox_nll(ties, reduction="sum")
    made = loss.forward(scores, fn.Weighted(target, weight))
    with mp.workdps(60):
        value, gradient = exact_cox(scores, target, weight, ties == "efron")
        bar = 16 * float(np.finfo(dtype).eps)
        assert abs(mp.mpf(float(made.value)) - value) < bar * abs(value)
        for got, wanted in zip(loss.backward(made.residuals).ravel(), gradient, strict=True):
            assert abs(mp.mpf(float(got)) - wanted) < bar * 4


def test_rows_that_were_seen_until_the_event_and_no_longer_were_at_risk() -> None:
    target = fn.SurvivalTarget(np.array([2.0, 2.0, 1.0]), np.array([True, False, False]))
    made = fn.cox_nll().forward(np.zeros(3), target)
    np.testing.assert_allclose(made.value, math.log(2), rtol=1e-15)


def test_batches_without_an_event_count_nothing() -> None:
    loss = fn.cox_nll()
    target = fn.SurvivalTarget(np.array([2.0, 1.0]), np.array([0, 0]))
    assert loss.mass is not None
    assert loss.mass(target) == 0
    with pytest.raises(ValueError, match="weights of the events sum to 0"):
        loss.forward(np.zeros(2), target)
    assert fn.cox_nll(reduction="sum").forward(np.zeros(2), target).value == 0


@pytest.mark.parametrize(
    ("time", "event", "error", "message"),
    [
        (np.ones(3), np.array([0, 1, 2]), ValueError, "event 2 at row 2, expected 0 or 1"),
        (np.array([1.0, np.inf, 1.0]), np.ones(3, bool), ValueError, "time inf at row 1"),
        (np.ones(3), np.ones(3), TypeError, "event is float64.* expected booleans, or integers 0 and 1"),
        (np.ones(2), np.ones(3, bool), ValueError, r"time has shape \(2,\), expected \(3,\)"),
    ],
)
def test_wrong_survival_targets_are_named(time: Any, event: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fn.cox_nll().forward(np.zeros(3), fn.SurvivalTarget(time, event))


# -------------------------------------------------------------------------------------------------------- labels and vectors


def test_weights_of_the_supervised_contrastive_loss_stand_in_its_sums() -> None:
    generator = np.random.default_rng(5)
    x, labels, weight = generator.normal(size=(6, 3)), np.array([0, 0, 1, 0, 1, 2]), generator.uniform(0.5, 2.0, 6)
    u = x / np.linalg.norm(x, axis=1, keepdims=True)
    s = u @ u.T / 0.5
    value = norm = 0.0
    for i in range(5):  # the last row has no other of its label
        others = [a for a in range(6) if a != i]
        whole = math.fsum(weight[a] * math.exp(s[i, a]) for a in others)
        alike = [p for p in others if labels[p] == labels[i]]
        each = math.fsum(weight[p] * (math.log(whole) - s[i, p]) for p in alike) / math.fsum(weight[p] for p in alike)
        value, norm = value + weight[i] * each, norm + weight[i]
    loss = fn.supervised_contrastive(0.5)
    np.testing.assert_allclose(loss.forward(x, fn.Weighted(labels, weight)).value, value / norm, rtol=1e-14)
    assert loss.mass is not None
    assert loss.mass(fn.Weighted(labels, weight)) == pytest.approx(norm, rel=1e-14, abs=0.0)


def test_pairs_of_one_label_are_the_contrast_of_views() -> None:
    """Two rows of each label: each is the other's key, among all rows but itself (NT-Xent)."""
    x = np.random.default_rng(6).normal(size=(4, 3))
    u = x / np.linalg.norm(x, axis=1, keepdims=True)
    s = u @ u.T / 0.2
    np.fill_diagonal(s, -np.inf)
    wanted = -np.mean([s[i, i ^ 1] - np.log(np.exp(s[i]).sum()) for i in range(4)])
    found = fn.supervised_contrastive(0.2).forward(x, np.array([0, 0, 1, 1])).value
    np.testing.assert_allclose(found, wanted, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_small_supervised_loss_keeps_its_digits(dtype: Any) -> None:
    x = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]], dtype)
    made = fn.supervised_contrastive(0.0625).forward(x, np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(made.value, math.log1p(2 * math.exp(-32)), rtol=4 * np.finfo(dtype).eps)


def test_a_batch_in_which_no_label_is_there_twice_says_nothing() -> None:
    loss = fn.supervised_contrastive()
    assert loss.mass is not None
    assert loss.mass(np.arange(3)) == 0
    with pytest.raises(ValueError, match="have others of their label sum to 0"):
        loss.forward(np.eye(3), np.arange(3))


# ------------------------------------------------------------------------------------------------------------------ two views


def test_features_that_do_not_vary_are_not_correlated() -> None:
    loss = fn.barlow_twins(0.5)
    made = loss.forward((np.ones((4, 3)), np.random.default_rng(0).normal(size=(4, 3))), ())
    assert made.value == 3
    assert all(np.isfinite(part).all() for part in loss.backward(made.residuals))


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_correlations_do_not_depend_on_the_scale(dtype: Any) -> None:
    first, second = np.random.default_rng(1).normal(size=(2, 6, 3)).astype(dtype)
    loss = fn.barlow_twins(0.5, eps=1e-30)
    scale = dtype(float(np.finfo(dtype).max) / 8)
    plain, large = (loss.forward((factor * first, second), ()).value for factor in (dtype(1), scale))
    np.testing.assert_allclose(large, plain, rtol=32 * np.finfo(dtype).eps)


def test_one_row_has_no_variance() -> None:
    one = np.ones((1, 3))
    with pytest.raises(ValueError, match=r"the weights sum to 1.0, and a variance needs more than 1"):
        fn.vicreg().forward((one, one), ())


def test_losses_of_batches_have_none_of_examples() -> None:
    loss: Any
    for loss in (fn.barlow_twins(), fn.vicreg(), fn.supervised_contrastive(), fn.cox_nll()):
        with pytest.raises(TypeError, match="compares the examples of a batch with each other"):
            fn.per_example_losses(loss)
