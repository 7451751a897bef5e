"""Metrics of probabilities, relevances, texts and images, weights, and each class by itself: against slow loops."""

import functools
import itertools
import math
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import metrics

untyped: Any = metrics

RNG = np.random.default_rng(0)
SCORES, LABELS = RNG.integers(0, 4, size=(40, 5)).astype(float), RNG.integers(0, 4, size=40)
LOGITS, ANSWERS = RNG.normal(size=(30, 3)).round(1), RNG.integers(0, 2, size=(30, 3))
CHANCES = RNG.dirichlet(np.ones(4), size=50)
TRUTH = RNG.integers(0, 4, size=50)
REPEATS = RNG.integers(0, 3, size=40)


def matrix() -> list[list[int]]:
    found = [[0] * 5 for _ in range(5)]
    for row, label in zip(SCORES, LABELS, strict=True):
        found[label][max(range(5), key=lambda c, r=row: (r[c], -c))] += 1  # type: ignore[misc]  # a row of numbers
    return found


def ratio(a: float, b: float) -> float:
    return a / b if b else 0.0


def figures(hits: int, given: int, own: int, total: int) -> dict[str, float]:
    return {
        "precision": ratio(hits, given),
        "recall": ratio(hits, own),
        "f1": ratio(2 * hits, given + own),
        "f_beta": ratio(5 * hits, 4 * own + given),
        "specificity": ratio(total - given - own + hits, total - own),
        "iou": ratio(hits, given + own - hits),
    }


NAMES = list(figures(0, 0, 0, 0))


@pytest.mark.parametrize("name", NAMES)
def test_figures_of_each_class_and_their_means(name: Any) -> None:
    m, metric = matrix(), getattr(metrics, name)
    given, own = [sum(row[c] for row in m) for c in range(5)], [sum(row) for row in m]
    each = [figures(m[c][c], given[c], own[c], 40)[name] for c in range(5)]
    np.testing.assert_allclose(metrics.per_class(SCORES, LABELS, name), each)
    occurs = [c for c in range(5) if given[c] + own[c]]
    assert metric(SCORES, LABELS) == pytest.approx(sum(each[c] for c in occurs) / len(occurs))
    assert metric(SCORES, LABELS, average="weighted") == pytest.approx(sum(each[c] * own[c] for c in range(5)) / 40)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_figures_of_yes_and_no(name: Any, threshold: float) -> None:
    metric, each = getattr(metrics, name), []
    for column in range(3):
        yes, truth = (LOGITS[:, column] > threshold).tolist(), (ANSWERS[:, column] == 1).tolist()
        hits = sum(a and b for a, b in zip(yes, truth, strict=True))
        each.append(figures(hits, sum(yes), sum(truth), 30)[name])
        for shape in ((30,), (30, 1)):
            one = metric(LOGITS[:, column].reshape(shape), ANSWERS[:, column].reshape(shape), threshold=threshold)
            assert one == pytest.approx(each[-1])
    np.testing.assert_allclose(metrics.per_class(LOGITS, ANSWERS, name, threshold), each)
    assert metric(LOGITS, ANSWERS, threshold=threshold) == pytest.approx(sum(each) / 3)


def test_agreement_of_answers_and_labels() -> None:
    m = np.array(matrix(), float)
    recalls = [m[c, c] / m[c].sum() for c in range(5) if m[c].sum()]
    assert metrics.balanced_accuracy(SCORES, LABELS) == pytest.approx(np.mean(recalls))
    answers = SCORES.argmax(1)
    x, y = np.eye(5)[LABELS], np.eye(5)[answers]
    x, y = x - x.mean(0), y - y.mean(0)
    assert metrics.matthews_correlation(SCORES, LABELS) == pytest.approx((x * y).sum() / math.sqrt((x * x).sum() * (y * y).sum()))
    agreed = np.mean(answers == LABELS)
    chance = sum(np.mean(answers == c) * np.mean(c == LABELS) for c in range(5))
    assert metrics.cohen_kappa(SCORES, LABELS) == pytest.approx((agreed - chance) / (1 - chance))
    binary = metrics.matthews_correlation(LOGITS[:, 0], ANSWERS[:, 0])
    assert binary == pytest.approx(np.corrcoef(LOGITS[:, 0] > 0, ANSWERS[:, 0])[0, 1])
    assert metrics.matthews_correlation(np.eye(2)[[0, 0]], np.array([0, 1])) == 0.0
    assert metrics.cohen_kappa(np.eye(2)[[0, 0]], np.array([0, 0])) == 0.0


def test_several_labels_of_a_row() -> None:
    right = (LOGITS > 0) == (ANSWERS == 1)
    assert metrics.hamming_loss(LOGITS, ANSWERS) == pytest.approx(1 - right.mean())
    assert metrics.exact_match(LOGITS, ANSWERS) == pytest.approx(right.all(1).mean())


# ------------------------------------------------------------------------------------------------------------------- weights

OF_LABELS = (
    *NAMES, "accuracy", "top_k_accuracy", "confusion_matrix", "balanced_accuracy", "matthews_correlation", "cohen_kappa",
    "perplexity", "bits_per_character",
)  # fmt: skip
OF_NUMBERS = (
    "mean_absolute_error", "root_mean_squared_error", "r2", "explained_variance", "pearson", "pinball", "max_error",
    "mean_absolute_percentage_error", "symmetric_mean_absolute_percentage_error",
)  # fmt: skip
WEIGHED: dict[str, tuple[Any, Any]] = {
    **dict.fromkeys(OF_LABELS, (SCORES, LABELS)),
    **dict.fromkeys(("log_loss", "brier_score", "calibration_error"), (CHANCES[:40], TRUTH[:40])),
    **dict.fromkeys(
        ("binary_accuracy", "hamming_loss", "roc_auc", "average_precision"),
        (np.tile(LOGITS[:, 0], 2)[:40], np.tile(ANSWERS[:, 0], 2)[:40]),
    ),
    "exact_match": (np.tile(LOGITS, (2, 1))[:40], np.tile(ANSWERS, (2, 1))[:40]),
    **dict.fromkeys(OF_NUMBERS, (SCORES[:, :2] + 1, SCORES[:, 2:4] + 1)),
}


@pytest.mark.parametrize("name", WEIGHED)
def test_a_weight_is_the_same_row_as_often(name: str) -> None:
    prediction, target = WEIGHED[name]
    metric = getattr(metrics, name)
    index = np.repeat(np.arange(40), REPEATS)
    spoiled = prediction.copy()
    spoiled[REPEATS == 0] = np.nan  # which is not looked at
    got = metric(spoiled, fn.Weighted(target, REPEATS))
    np.testing.assert_allclose(got, metric(prediction[index], target[index]), rtol=1e-12)
    half = metric(prediction, fn.Weighted(target, np.full(40, 0.5)))
    factor = 0.5 if name == "confusion_matrix" else 1  # which counts
    np.testing.assert_allclose(half, factor * metric(prediction, target), rtol=1e-12)


@pytest.mark.parametrize("classes", [1, 3, 11])
def test_where_all_labels_are_one_weights_leave_nothing_of_another(classes: int) -> None:
    """Sums of weights are rounded: a difference of two would say that there is a little of what never occurs."""
    rng = np.random.default_rng(7)
    for n in range(2, 30):
        weight, scores = rng.random(n), rng.normal(size=(n, classes))
        labels = np.ones((n, 1), int) if classes == 1 else np.full(n, classes - 1)
        right = scores[:, 0] > 0 if classes == 1 else scores.argmax(1) == classes - 1
        target = fn.Weighted(labels, weight)
        assert metrics.balanced_accuracy(scores, target) == pytest.approx(weight[right].sum() / weight.sum(), abs=1e-12)
        assert metrics.matthews_correlation(scores, target) == 0
        assert metrics.per_class(scores, target, "specificity")[-1] == 0
        always = np.eye(classes + 1)[np.full(n, classes)]
        assert metrics.matthews_correlation(always, fn.Weighted(rng.integers(classes + 1, size=n), weight)) == 0
        assert metrics.cohen_kappa(always, fn.Weighted(np.full(n, classes), weight)) == 0


def test_agreement_and_coverage_by_weights() -> None:
    own, index = REPEATS[:30].astype(float), np.repeat(np.arange(30), REPEATS[:30])
    for metric in (metrics.matthews_correlation, metrics.cohen_kappa, metrics.balanced_accuracy, metrics.specificity):
        for p, t in ((SCORES[:30], LABELS[:30]), (LOGITS[:30, 0], ANSWERS[:30, 0])):
            assert metric(p, fn.Weighted(t, own)) == pytest.approx(metric(p[index], t[index]), abs=1e-12)
    low, high, real = SCORES[:30, :2] - 1, SCORES[:30, :2] + 1, SCORES[:30, 2:4]
    got = metrics.interval_coverage((low, high), fn.Weighted(real, own))
    assert got == pytest.approx(metrics.interval_coverage((low[index], high[index]), real[index]))


@pytest.mark.parametrize("name", ["accuracy", "precision", "perplexity", "log_loss"])
def test_labels_to_ignore_are_weights_of_0(name: str) -> None:
    labels = TRUTH.copy()
    labels[::3] = -100
    kept = labels != -100
    metric = getattr(metrics, name)
    assert metric(CHANCES, fn.Weighted(labels, kept)) == metric(CHANCES[kept], TRUTH[kept])


@pytest.mark.parametrize("name", ["median_absolute_error", "spearman"])
def test_ranks_take_masks_alone(name: str) -> None:
    p, t, mask = SCORES[:, :2], SCORES[:, 2:4], REPEATS > 0
    metric = getattr(metrics, name)
    assert metric(p, fn.Weighted(t, mask)) == metric(p[mask], t[mask])
    with pytest.raises(ValueError, match="takes no weights but 0 and one other"):
        metric(p, fn.Weighted(t, REPEATS))


def test_wrong_weights_are_named() -> None:
    with pytest.raises(ValueError, match=r"weight has shape \(3,\)"):
        metrics.accuracy(SCORES, fn.Weighted(LABELS, np.ones(3)))
    with pytest.raises(ValueError, match="the weights are all 0"):
        metrics.accuracy(SCORES, fn.Weighted(LABELS, np.zeros(40)))
    with pytest.raises(ValueError, match=r"weight -1\.0 at row 0"):
        metrics.accuracy(SCORES, fn.Weighted(LABELS, -np.ones(40)))
    with pytest.raises(ValueError, match="weights of single labels have no meaning for whole rows"):
        metrics.exact_match(LOGITS, fn.Weighted(ANSWERS, RNG.random((30, 3)) + 0.1))


# ------------------------------------------------------------------------------------------------------------- probabilities


def test_log_loss_and_brier_score() -> None:
    logs = [-math.log(row[label]) for row, label in zip(CHANCES, TRUTH, strict=True)]
    assert metrics.log_loss(CHANCES, TRUTH) == pytest.approx(math.fsum(logs) / 50)
    squares = [sum((p - (c == label)) ** 2 for c, p in enumerate(row)) for row, label in zip(CHANCES, TRUTH, strict=True)]
    assert metrics.brier_score(CHANCES, TRUTH) == pytest.approx(math.fsum(squares) / 50)
    p, yes = CHANCES[:, 0], TRUTH % 2
    assert metrics.log_loss(p, yes) == pytest.approx(np.mean([-math.log(a if t else 1 - a) for a, t in zip(p, yes, strict=True)]))
    assert metrics.brier_score(p, yes) == pytest.approx(np.mean((p - yes) ** 2))
    assert metrics.log_loss(np.array([0.0]), np.array([1])) == math.inf
    for metric in (metrics.log_loss, metrics.brier_score, metrics.calibration_error):
        with pytest.raises(ValueError, match=r"the prediction is 1.5 at row 1, expected probabilities"):
            metric(np.array([0.5, 1.5]), np.array([0, 1]))


def test_calibration() -> None:
    confidence, right = CHANCES.max(1), CHANCES.argmax(1) == TRUTH
    error = 0.0
    for index in range(8):
        inside = [n for n in range(50) if min(int(confidence[n] * 8), 7) == index]
        if inside:
            error += len(inside) / 50 * abs(np.mean(confidence[inside]) - np.mean(right[inside]))
    assert metrics.calibration_error(CHANCES, TRUTH, bins=8) == pytest.approx(error)
    curve = metrics.calibration_curve(CHANCES, TRUTH)
    assert curve.weight.sum() == pytest.approx(1)
    assert (np.diff(curve.confidence) > 0).all()


# ----------------------------------------------------------------------------------------------------------------- an order


def test_curves_count_at_every_threshold() -> None:
    scores, truth = LOGITS[:, 0], ANSWERS[:, 0]
    roc, pr = metrics.roc_curve(scores, truth), metrics.precision_recall_curve(scores, truth)
    np.testing.assert_array_equal(roc.thresholds, [np.inf, *sorted(set(scores), reverse=True)])
    for index, threshold in enumerate(roc.thresholds):
        yes = scores >= threshold
        assert roc.true_positive_rate[index] == pytest.approx((yes & (truth == 1)).sum() / truth.sum())
        assert roc.false_positive_rate[index] == pytest.approx((yes & (truth == 0)).sum() / (1 - truth).sum())
        assert pr.recall[index] == pytest.approx(roc.true_positive_rate[index])
        assert pr.precision[index] == pytest.approx((yes & (truth == 1)).sum() / yes.sum() if yes.any() else 1)
    area = np.trapezoid(roc.true_positive_rate, roc.false_positive_rate)
    assert metrics.roc_auc(scores, truth) == pytest.approx(area)
    assert metrics.average_precision(scores, truth) == pytest.approx((np.diff(pr.recall) * pr.precision[1:]).sum())


def test_the_area_of_several_classes_is_the_mean_of_each_against_the_others() -> None:
    each = [metrics.roc_auc(CHANCES[:, c], np.eye(4)[TRUTH][:, c]) for c in range(4)]
    assert metrics.roc_auc(CHANCES, TRUTH) == pytest.approx(sum(each) / 4)
    with pytest.raises(ValueError, match="class 4 has 0 of 40 labels"):
        metrics.roc_auc(SCORES, LABELS)


RELEVANCE = np.where(RNG.random((40, 5)) < 0.4, RNG.integers(1, 4, size=(40, 5)), 0).astype(float)


def ranking(n: int) -> list[float]:
    order = sorted(range(5), key=lambda c: (-SCORES[n, c], c))
    return [float(RELEVANCE[n, c]) for c in order]


def test_measures_of_an_order() -> None:
    rows = [ranking(n) for n in range(40) if RELEVANCE[n].any()]

    def gain(found: list[float], k: int) -> float:
        return sum(r / math.log2(i + 2) for i, r in enumerate(found[:k]))

    for k in (1, 3, 10):
        best = [gain(row, k) / gain(sorted(row, reverse=True), k) for row in rows]
        assert metrics.ndcg(SCORES, RELEVANCE, k) == pytest.approx(np.mean(best))
        assert metrics.hit_rate(SCORES, RELEVANCE, k) == pytest.approx(np.mean([any(row[:k]) for row in rows]))
    firsts = [next(i for i, r in enumerate(row) if r) + 1 for row in rows]
    assert metrics.mean_reciprocal_rank(SCORES, RELEVANCE) == pytest.approx(np.mean([1 / i for i in firsts]))
    means = [np.mean([sum(map(bool, row[: i + 1])) / (i + 1) for i, r in enumerate(row) if r]) for row in rows]
    assert metrics.mean_average_precision(SCORES, RELEVANCE) == pytest.approx(np.mean(means))


@pytest.mark.parametrize("metric", [metrics.ndcg, metrics.hit_rate, metrics.mean_reciprocal_rank, metrics.mean_average_precision])
def test_what_cannot_be_ranked_is_told(metric: Any) -> None:
    with pytest.raises(ValueError, match="the prediction is nan at row"):
        metric(np.full((2, 3), np.nan), np.ones((2, 3)))
    with pytest.raises(ValueError, match="nothing is relevant in any row"):
        metric(SCORES, np.zeros((40, 5)))
    with pytest.raises(ValueError, match=r"relevance -1.0 at row \[0, 0\].*exchanged"):
        metric(SCORES, -np.ones((40, 5)))
    with pytest.raises(TypeError, match="target"):
        metric(SCORES, LABELS)


# ---------------------------------------------------------------------------------------------------------------- numbers


def test_further_errors_of_numbers() -> None:
    p, t = SCORES[:, :2] + 0.5, SCORES[:, 2:4] - 4.5
    left = p - t
    assert metrics.median_absolute_error(p, t) == pytest.approx(np.mean([sorted(abs(left[:, c]))[19:21] for c in range(2)]))
    assert metrics.max_error(p, t) == abs(left).max()
    assert metrics.mean_absolute_percentage_error(p, t) == pytest.approx(np.mean(abs(left) / abs(t)))
    assert metrics.symmetric_mean_absolute_percentage_error(p, t) == pytest.approx(np.mean(2 * abs(left) / (abs(p) + abs(t))))
    assert metrics.explained_variance(p, t) == pytest.approx(
        np.mean([1 - np.var(left[:, c]) / np.var(t[:, c]) for c in range(2)])
    )
    assert metrics.pearson(p, t) == pytest.approx(np.mean([np.corrcoef(p[:, c], t[:, c])[0, 1] for c in range(2)]))
    ranks = [[[sum(x < y for x in col) + (sum(x == y for x in col) + 1) / 2 for y in col] for col in one.T] for one in (p, t)]
    assert metrics.spearman(p, t) == pytest.approx(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(*ranks, strict=True)]))
    cost = [0.2 * -d if d < 0 else 0.8 * d for d in left.ravel()]
    assert metrics.pinball(p, t, quantile=0.2) == pytest.approx(np.mean(cost))
    inside = [(a - 1 <= b <= a + 1) for a, b in zip(p.ravel(), t.ravel(), strict=True)]
    assert metrics.interval_coverage((p - 1, p + 1), t) == np.mean(inside)


def test_what_has_no_correlation_is_told() -> None:
    x = np.arange(4.0)[:, None]
    for metric in (metrics.pearson, metrics.spearman):
        with pytest.raises(ValueError, match="the prediction is constant"):
            metric(np.full((4, 1), 0.1), x)
        with pytest.raises(ValueError, match="the target is constant"):
            metric(x, np.full((4, 1), 0.1))
    with pytest.raises(ValueError, match="the prediction is inf at row"):
        metrics.pearson(np.where(x > 2, np.inf, x), x)
    with pytest.raises(ValueError, match=r"target 0 at row \[0, 0\]"):
        metrics.mean_absolute_percentage_error(x, x)
    with pytest.raises(ValueError, match="the lower end comes first"):
        metrics.interval_coverage((x + 1, x), x)
    with pytest.raises(ValueError, match="the prediction is nan"):
        metrics.interval_coverage((x * np.nan, x), x)


# ------------------------------------------------------------------------------------------------------------------- texts


@functools.cache
def edits(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    return min(edits(a[1:], b) + 1, edits(a, b[1:]) + 1, edits(a[1:], b[1:]) + (a[0] != b[0]))


def test_edit_distance_against_the_recursion() -> None:
    texts = ["", "a", "ab", "ba", "abc", "kitten", "sitting", "aabbaa", "bbaabb"]
    for a, b in itertools.product(texts, repeat=2):
        assert metrics.edit_distance(a, b) == metrics.edit_distance(list(a), tuple(b)) == edits(a, b)


def test_error_rates_of_texts() -> None:
    ours, theirs = ["the cat sat", "a dog", ""], ["the cat sat down", "the dog", "oh"]
    assert metrics.word_error_rate(ours, theirs) == pytest.approx((1 + 1 + 1) / 7)
    assert metrics.character_error_rate(ours, theirs) == pytest.approx((5 + 3 + 2) / (16 + 7 + 2))
    assert metrics.word_error_rate(theirs, theirs) == 0


def test_bleu_by_hand() -> None:
    ours, theirs = ["the the the cat", "a b c d e"], ["the cat is here", "a b c d e f"]
    parts = []
    for length in (1, 2):
        right = whole = 0
        for a, b in zip(ours, theirs, strict=True):
            mine, wanted = ([tuple(x.split()[i : i + length]) for i in range(len(x.split()) - length + 1)] for x in (a, b))
            right += sum(min(mine.count(run), wanted.count(run)) for run in set(mine))
            whole += len(mine)
        parts.append(right / whole)
    assert metrics.bleu(ours, theirs, max_length=2) == pytest.approx(math.sqrt(parts[0] * parts[1]) * math.exp(1 - 10 / 9))
    assert metrics.bleu(theirs, theirs) == 1
    assert metrics.bleu(["x"], ["y"]) == 0


def test_wrong_texts_are_named() -> None:
    for metric in (untyped.word_error_rate, untyped.character_error_rate, untyped.bleu):
        with pytest.raises(TypeError, match="prediction is one text"):
            metric("a", ["a"])
        with pytest.raises(TypeError, match="target is"):
            metric(["a"], [1])
        with pytest.raises(ValueError, match="prediction has 1 texts and target 2"):
            metric(["a"], ["a", "b"])
        with pytest.raises(ValueError, match="nothing in it"):
            metric(["a"], [""])


# ------------------------------------------------------------------------------------------------------------------- images


def test_psnr_and_ssim_against_loops() -> None:
    p, t = RNG.random((2, 2, 13, 12, 2))
    ratio_of = [10 * math.log10(4 / np.mean((a - b) ** 2)) for a, b in zip(p, t, strict=True)]
    assert metrics.psnr(p, t, max_value=2.0) == pytest.approx(np.mean(ratio_of))
    assert metrics.psnr(t, t) == math.inf
    gauss = [math.exp(-((i / 1.5) ** 2) / 2) for i in range(-5, 6)]
    window = np.outer(gauss, gauss)
    window /= window.sum()
    found = []
    for n, row, column, c in itertools.product(range(2), range(3), range(2), range(2)):
        a, b = (x[n, row : row + 11, column : column + 11, c] for x in (p, t))
        mean_a, mean_b = (window * a).sum(), (window * b).sum()
        var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
        both = (window * (a - mean_a) * (b - mean_b)).sum()
        top = (2 * mean_a * mean_b + 1e-4) * (2 * both + 9e-4)
        found.append(top / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)))
    assert metrics.ssim(p, t) == pytest.approx(np.mean(found), rel=1e-10, abs=0.0)
    with pytest.raises(ValueError, match="11 by 11 or more"):
        metrics.ssim(p[:, :10], t[:, :10])
    for metric in (metrics.psnr, metrics.ssim):
        with pytest.raises(ValueError, match="the prediction is nan"):
            metric(p * np.nan, t)


def test_the_report_says_what_its_metrics_say() -> None:
    report = metrics.classification_report(SCORES, LABELS)
    np.testing.assert_array_equal(report.f1, metrics.per_class(SCORES, LABELS, "f1"))
    np.testing.assert_array_equal(report.support, np.bincount(LABELS, minlength=5))
    assert f"{metrics.f1(SCORES, LABELS):.3f}" in str(report)
    with pytest.raises(ValueError, match="names has 2 texts, expected one for each of the 5 classes"):
        metrics.classification_report(SCORES, LABELS, ["a", "b"])
    with pytest.raises(TypeError, match="names is 'abcde', expected a sequence of 5 texts"):
        metrics.classification_report(SCORES, LABELS, "abcde")


def test_shapes_that_are_no_question_are_told() -> None:
    with pytest.raises(ValueError, match="answers of yes and no have one shape"):
        metrics.precision(np.zeros((3, 1)), np.array([0, 0, 0]))
    with pytest.raises(ValueError, match=r"threshold is 0\.5, and the target has labels of classes"):
        metrics.recall(SCORES, LABELS, threshold=0.5)
    with pytest.raises(ValueError, match="answers to several questions"):
        metrics.cohen_kappa(LOGITS, ANSWERS)
    with pytest.raises(ValueError, match="expected an axis of labels"):
        metrics.exact_match(LOGITS[:, 0], ANSWERS[:, 0])
