"""Metrics against counting by hand."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import metrics

untyped: Any = metrics  # for calls that a type checker would refuse

SCORES = np.random.default_rng(0).integers(0, 4, size=(40, 5)).astype(float)  # many ties
LABELS = np.random.default_rng(1).integers(0, 4, size=40)  # the last class never occurs as a label
RANKED = np.random.default_rng(2).integers(0, 12, size=30) / 4
TRUTH = np.random.default_rng(3).integers(0, 2, size=30)


def first_best(row: Any) -> int:
    """Return the first index of the largest entry."""
    return max(range(len(row)), key=lambda c: (row[c], -c))


ANSWERS = [first_best(row) for row in SCORES]


def test_accuracy() -> None:
    expected = sum(answer == label for answer, label in zip(ANSWERS, LABELS, strict=True)) / 40
    assert metrics.accuracy(SCORES, LABELS) == expected
    assert metrics.accuracy(SCORES.reshape(8, 5, 5), LABELS.reshape(8, 5)) == expected
    assert type(metrics.accuracy(SCORES, LABELS)) is float


@pytest.mark.parametrize("k", [1, 2, 4, 5, 9])
def test_top_k_accuracy(k: int) -> None:
    hits = 0
    for row, label in zip(SCORES, LABELS, strict=True):
        order = sorted(range(5), key=lambda c: (-row[c], c))
        hits += int(label in order[:k])
    assert metrics.top_k_accuracy(SCORES, LABELS, k) == hits / 40
    if k == 1:
        assert metrics.top_k_accuracy(SCORES, LABELS, k) == metrics.accuracy(SCORES, LABELS)


def test_binary_accuracy() -> None:
    logits = np.array([[0.3], [-0.2], [0.0], [4.0]])
    for target in (
        np.array([[1], [0], [1], [0]]),
        np.array([[1.0], [0.0], [1.0], [0.0]]),
        np.array([[True], [False], [True], [False]]),
    ):
        assert metrics.binary_accuracy(logits, target) == 0.5
        assert metrics.binary_accuracy(logits, target, threshold=-1.0) == 0.5
        assert metrics.binary_accuracy(logits, target, threshold=-0.1) == 0.75


def test_confusion_matrix() -> None:
    expected = np.zeros((5, 5), int)
    for answer, label in zip(ANSWERS, LABELS, strict=True):
        expected[label, answer] += 1
    assert (metrics.confusion_matrix(SCORES, LABELS) == expected).all()
    assert expected.sum() == 40


def test_precision_recall_and_f1() -> None:
    """Class 4 is never a label, class 3 never the answer."""
    scores, labels = np.where(np.arange(5) == 3, -1.0, SCORES), LABELS
    answers = [first_best(row) for row in scores]
    assert 3 not in answers
    assert 4 in answers
    figures: dict[str, list[float]] = {"precision": [], "recall": [], "f1": []}
    sizes = [list(labels).count(c) for c in range(5)]
    for c in range(5):
        hits = sum(a == c and t == c for a, t in zip(answers, labels, strict=True))
        given, labelled = answers.count(c), sizes[c]
        p, r = hits / given if given else 0.0, hits / labelled if labelled else 0.0
        for name, value in zip(figures, (p, r, 2 * p * r / (p + r) if p + r else 0.0), strict=True):
            figures[name].append(value)
    for name, values in figures.items():
        metric: Any = getattr(metrics, name)
        assert metric(scores, labels) == pytest.approx(sum(values) / 5, rel=1e-14, abs=0.0)
        assert metric(scores, labels, average="micro") == metrics.accuracy(scores, labels)
        weighted = sum(v * n for v, n in zip(values, sizes, strict=True)) / 40
        assert metric(scores, labels, average="weighted") == pytest.approx(weighted, rel=1e-14, abs=0.0)


def test_the_macro_average_is_over_the_classes_that_occur() -> None:
    scores, labels = np.eye(5)[[0, 1, 1]], np.array([0, 1, 2])
    assert metrics.precision(scores, labels) == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert metrics.recall(scores, labels) == pytest.approx((1 + 1 + 0) / 3)
    assert metrics.f1(scores, labels) == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_roc_auc_counts_pairs_and_ties_half() -> None:
    pairs = [(p, q) for (p, a), (q, b) in itertools.product(zip(RANKED, TRUTH, strict=True), repeat=2) if a == 1 and b == 0]
    expected = sum(1.0 if p > q else 0.5 if p == q else 0.0 for p, q in pairs) / len(pairs)
    assert any(p == q for p, q in pairs)
    for target in (TRUTH, TRUTH.astype(bool), TRUTH.astype(float)):
        assert metrics.roc_auc(RANKED, target) == pytest.approx(expected, rel=1e-14, abs=0.0)
    assert metrics.roc_auc(RANKED[:, None], TRUTH[:, None]) == metrics.roc_auc(RANKED, TRUTH)
    assert metrics.roc_auc(-RANKED, TRUTH) == pytest.approx(1 - expected, rel=1e-14, abs=0.0)
    assert metrics.roc_auc(np.zeros(4), np.array([0, 1, 0, 1])) == 0.5


def test_average_precision_steps_through_the_thresholds() -> None:
    expected, recalled = 0.0, 0.0
    for threshold in sorted(set(RANKED), reverse=True):
        reached = threshold <= RANKED
        here = TRUTH[reached].sum() / TRUTH.sum()
        expected += (here - recalled) * TRUTH[reached].mean()
        recalled = here
    assert metrics.average_precision(RANKED, TRUTH) == pytest.approx(expected, rel=1e-14, abs=0.0)
    assert metrics.average_precision(TRUTH.astype(float), TRUTH) == 1.0


def test_regression() -> None:
    generator = np.random.default_rng(4)
    prediction, target = generator.normal(size=(9, 2)), generator.normal(size=(9, 2))
    differences = (prediction - target).ravel().tolist()
    assert metrics.mean_absolute_error(prediction, target) == pytest.approx(
        sum(abs(d) for d in differences) / 18, rel=1e-14, abs=0.0
    )
    assert metrics.root_mean_squared_error(prediction, target) == pytest.approx(math.sqrt(sum(d * d for d in differences) / 18))
    each = []
    for p, t in zip(prediction.T, target.T, strict=True):
        middle = sum(t) / 9
        each.append(1 - sum((a - b) ** 2 for a, b in zip(p, t, strict=True)) / sum((b - middle) ** 2 for b in t))
    assert metrics.r2(prediction, target) == pytest.approx(sum(each) / 2, rel=1e-13, abs=0.0)
    assert metrics.r2(target, target) == 1.0
    assert metrics.r2(np.broadcast_to(target.mean(0), target.shape), target) == pytest.approx(0.0, abs=1e-15)


def test_r2_of_a_constant_target() -> None:
    constant = np.ones((3, 1))
    assert metrics.r2(constant, constant) == 1.0
    assert metrics.r2(constant + 1, constant) == 0.0


def test_perplexity() -> None:
    logits = np.random.default_rng(5).normal(size=(6, 3))
    labels = np.array([0, 2, 1, 1, 0, 2])
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = math.prod(probabilities[n, label] for n, label in enumerate(labels)) ** (-1 / 6)
    assert metrics.perplexity(logits, labels) == pytest.approx(expected, rel=1e-13, abs=0.0)
    assert metrics.perplexity(logits.reshape(2, 3, 3), labels.reshape(2, 3)) == metrics.perplexity(logits, labels)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: metrics.accuracy(SCORES, LABELS + 2), ValueError, r"expected 0 to 4 \(5 classes\)"),
        (lambda: untyped.accuracy(SCORES, LABELS.astype(float)), TypeError, "expected an integer array"),
        (lambda: metrics.accuracy(SCORES, LABELS[:5]), ValueError, "one label for each row"),
        (lambda: metrics.top_k_accuracy(SCORES, LABELS, 0), ValueError, "k is 0"),
        (lambda: untyped.f1(SCORES, LABELS, average="none"), ValueError, "average is 'none'"),
        (lambda: metrics.roc_auc(RANKED, np.ones(30, int)), ValueError, "got 30 of 30 positive"),
        (lambda: metrics.roc_auc(RANKED, np.zeros(30, int)), ValueError, "got 0 of 30 positive"),
        (lambda: metrics.roc_auc(RANKED, TRUTH + 1), ValueError, "a binary target is 0 or 1, got 2"),
        (lambda: metrics.roc_auc(RANKED[:, None], TRUTH), ValueError, r"target has shape \(30,\)"),
        (lambda: metrics.average_precision(np.full(30, np.nan), TRUTH), ValueError, "nan"),
        (lambda: metrics.r2(RANKED[:, None], RANKED), ValueError, "never broadcasts"),
        (lambda: untyped.binary_accuracy(RANKED, None), TypeError, "expected an array of zeros and ones"),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_metrics_serve_in_evaluate() -> None:
    model = fn.linear(3)
    start = model.init(fn.Key(0), (5,))
    loss, chosen, labels = fn.softmax_cross_entropy(), {"accuracy": metrics.accuracy}, LABELS % 3
    found = fn.evaluate(model, start.params, start.state, SCORES, labels, loss, metrics=chosen)
    assert found["accuracy"] == metrics.accuracy(SCORES @ start.params.weight, labels)
