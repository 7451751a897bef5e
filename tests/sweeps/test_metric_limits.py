"""Every metric at the ends: NaN, infinite, empty, constant, one row, long sums, other precisions, exchanged arguments."""

import inspect
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import metrics
from funcnn.data.tables.targets import LabelTarget
from funcnn.layers.embedding.embedding import EmbeddingParams
from funcnn.typing import Array

CLASSES = (
    "accuracy", "top_k_accuracy", "confusion_matrix", "precision", "recall", "f1", "f_beta", "specificity", "iou",
    "balanced_accuracy", "matthews_correlation", "cohen_kappa", "perplexity", "bits_per_character",
)  # fmt: skip
RANKINGS = ("binary_accuracy", "hamming_loss", "exact_match", "roc_auc", "average_precision")
RELATIVE = ("r2", "explained_variance", "mean_absolute_percentage_error", "symmetric_mean_absolute_percentage_error")
REGRESSION = (
    "mean_absolute_error", "root_mean_squared_error", "median_absolute_error", "max_error", "pinball", *RELATIVE,
)  # fmt: skip
APART = {
    "log_loss", "brier_score", "calibration_curve", "calibration_error", "roc_curve", "precision_recall_curve", "ndcg",
    "mean_reciprocal_rank", "hit_rate", "mean_average_precision", "pearson", "spearman", "interval_coverage",
    "classification_report", "per_class",
    "edit_distance", "word_error_rate", "character_error_rate", "bleu", "psnr", "ssim",
}  # fmt: skip
"""Metrics of probabilities, of relevances, of texts and of images, and curves: tests/train/test_metrics_further.py has them."""
ALL = [name for name in metrics.__all__ if inspect.isfunction(getattr(metrics, name)) and name not in APART]
each = pytest.mark.parametrize("name", ALL)


def given(name: str, rows: int = 6, dtype: Any = np.float64) -> tuple[Any, Any]:
    generator = np.random.default_rng(1)
    prediction = generator.normal(size=(rows, 4)).astype(dtype)
    if name in CLASSES:
        return prediction, np.arange(rows) % 4
    return prediction, (generator.normal(size=(rows, 4)) if name in REGRESSION else np.arange(rows * 4).reshape(rows, 4) % 2)


def test_every_metric_is_of_a_kind_that_is_tried() -> None:
    assert set(ALL) == {*CLASSES, *RANKINGS, *REGRESSION}


@each
def test_scores_of_nan_are_refused_by_row(name: str) -> None:
    for place in ((2, 0), (2, 3)):
        prediction, target = given(name)
        prediction[place] = np.nan
        with pytest.raises(ValueError, match=rf"the prediction is nan at row \[2, {place[1]}\]"):
            getattr(metrics, name)(prediction, target)
    with pytest.raises(ValueError, match="nan"):
        getattr(metrics, name)(np.full((6, 4), np.nan), target)


@each
def test_infinite_scores_are_scores(name: str) -> None:
    prediction, target = given(name)
    prediction[:, 1] = -np.inf
    prediction[0, 2] = np.inf
    got = getattr(metrics, name)(prediction, target)
    assert not np.isnan(got).any()
    if name in CLASSES and name not in ("perplexity", "bits_per_character"):
        clipped = np.clip(prediction, -1e9, 1e9)
        np.testing.assert_array_equal(got, getattr(metrics, name)(clipped, target))
    if name in RANKINGS:
        assert got == getattr(metrics, name)(np.clip(prediction, -1e9, 1e9), target)


@pytest.mark.parametrize("name", [*CLASSES, "roc_auc", "log_loss", "brier_score", "calibration_error", "per_class"])
@pytest.mark.parametrize(
    ("kind", "classes"), [("int8", 60), ("int8", 127), ("uint8", 250), ("int16", 300), ("uint32", 60), ("uint64", 60)]
)
def test_labels_of_any_integer_are_labels(name: str, kind: str, classes: int) -> None:
    """A label times the number of classes is far beyond the range of short integers."""
    prediction = np.random.default_rng(2).dirichlet(np.ones(classes), 2 * classes)
    target = np.random.default_rng(3).permutation(np.arange(2 * classes) % classes)
    metric = getattr(metrics, name)
    for weigh in (lambda labels: labels, lambda labels: fn.Weighted(labels, np.arange(2.0 * classes))):
        np.testing.assert_array_equal(metric(prediction, weigh(target.astype(kind))), metric(prediction, weigh(target)))


class Table:
    """What holds an array without being one, such as an array of another package."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.zeros(3, dtype)

    def __repr__(self) -> str:
        return "rows and rows " * 99


@each
def test_other_kinds_of_arrays_are_refused(name: str) -> None:
    prediction, target = given(name)
    metric = getattr(metrics, name)
    others = prediction.astype(np.float16), prediction.astype(complex), prediction.tolist(), np.ma.array(prediction), None
    for wrong in others:
        with pytest.raises(TypeError, match="prediction"):
            metric(wrong, target)
    for wrong in (np.ma.array(target), target.tolist(), None):
        with pytest.raises(TypeError, match=r"target|labels"):
            metric(prediction, wrong)
    with pytest.raises(TypeError, match=r"(target|labels).* a Table\b") as raised:
        metric(prediction, Table())
    assert "rows and rows" not in str(raised.value)


@pytest.mark.parametrize("name", [*CLASSES, *RANKINGS])
def test_exchanged_arguments_are_told(name: str) -> None:
    prediction, target = given(name)
    with pytest.raises(TypeError, match="are they exchanged"):
        getattr(metrics, name)(target, prediction)
    if name in RANKINGS:
        with pytest.raises(ValueError, match="are they exchanged"):
            getattr(metrics, name)(target.astype(float), prediction)


OPTIONS: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "threshold": ((0.5, np.float32(0.5), np.array(0.5)), (None, "x", math.nan, [0.5], True)),
    "k": ((2, np.int8(2), np.array(2)), (None, "x", 2.0, 0, True)),
    "average": (("micro", np.str_("micro")), ("none", 3, ["micro"])),
    "beta": ((0.5, np.float32(0.5), np.array(0.5)), (None, "x", math.nan, [0.5], True, 0.0)),
    "quantile": ((0.5, np.float32(0.5), np.array(0.5)), (None, "x", math.nan, [0.5], True, 1.0)),
}
"""What is the same as an option, and what is none."""
CHOICES = [(name, option) for name in ALL for option in OPTIONS if option in inspect.signature(getattr(metrics, name)).parameters]


@pytest.mark.parametrize(("name", "option"), CHOICES)
def test_options_are_checked_before_the_arrays(name: str, option: str) -> None:
    prediction, target = given(name)
    if option == "threshold":
        target = np.arange(24).reshape(6, 4) % 2
    if option == "threshold" and name in ("balanced_accuracy", "matthews_correlation", "cohen_kappa"):
        prediction, target = prediction[:, 0], target[:, 0]
    metric = getattr(metrics, name)
    kinds, wrong = OPTIONS[option]
    assert len({metric(prediction, target, **{option: kind}) for kind in kinds}) == 1
    for value in wrong:
        with pytest.raises((TypeError, ValueError), match=option):
            metric(prediction, target, **{option: value})


@pytest.mark.parametrize("name", REGRESSION)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_errors_of_any_size(name: str, dtype: Any) -> None:
    """Values near both ends of the range, against fractions: nothing overflows or vanishes on the way."""
    base_p, base_t = np.array([[1.0], [3.0], [-2.0], [0.5]]), np.array([[1.5], [2.0], [-1.0], [1.0]])
    expected = getattr(metrics, name)(base_p, base_t)
    exponents = [0, np.finfo(dtype).maxexp - 3, np.finfo(dtype).minexp, np.finfo(dtype).minexp - 15]
    for exponent in exponents:
        p, t = (np.ldexp(x, exponent).astype(dtype) for x in (base_p, base_t))
        got = getattr(metrics, name)(p, t)
        factor = Fraction(2) ** exponent if name not in RELATIVE else 1
        assert got == pytest.approx(
            float(Fraction(expected) * factor), rel=1e-15 if dtype == np.float64 or name in RELATIVE else 1e-7, abs=0.0
        )
    both = [np.concatenate([np.ldexp(x, e) for e in exponents[1:3]], axis=1).astype(dtype) for x in (base_p, base_t)]
    if name == "r2":
        assert metrics.r2(*both) == pytest.approx(expected, rel=1e-14, abs=0.0)


@pytest.mark.parametrize("name", REGRESSION)
def test_long_sums_of_single_precision(name: str) -> None:
    generator = np.random.default_rng(0)
    p, t = (generator.uniform(0.5, 1.5, (300_000, 2)).astype(np.float32) for _ in range(2))
    expected = getattr(metrics, name)(p.astype(np.longdouble), t.astype(np.longdouble))
    for order in (np.ascontiguousarray, np.asfortranarray):
        assert getattr(metrics, name)(order(p), order(t)) == pytest.approx(expected, rel=1e-12, abs=0.0)


@pytest.mark.parametrize("constant", [0.001, 0.1, 1e300, 5e-324, -7.3, 0.0])
@pytest.mark.parametrize("rows", [1, 3, 10, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_r2_of_a_constant_target(constant: float, rows: int, dtype: Any) -> None:
    with np.errstate(over="ignore"):
        target = np.full((rows, 1), min(constant, float(np.finfo(dtype).max)), dtype)
    assert metrics.r2(target, target) == 1.0
    missed = target.copy()
    missed[0] = 0.5 if constant != 0.5 else 1.0
    assert metrics.r2(missed, target) == 0.0
    with pytest.raises(ValueError, match="nan"):
        metrics.r2(np.full((rows, 1), np.nan), target)


def test_r2_of_a_target_that_varies_by_one_unit_in_the_last_place() -> None:
    target = np.array([[14.62], [np.nextafter(14.62, 15)], [14.62]])
    assert metrics.r2(target, target) == 1.0
    assert metrics.r2(target[[0, 0, 0]], target) == pytest.approx(1 - 1 / (6 / 9))


def test_an_infinite_perplexity_is_infinite() -> None:
    for gap in (2000.0, np.inf):
        assert metrics.perplexity(np.array([[gap, 0.0]]), np.array([1])) == math.inf
        assert metrics.perplexity(np.array([[gap, 0.0]]), np.array([0])) == 1.0
    assert metrics.perplexity(np.array([[0.0, -np.inf]]), np.array([1])) == math.inf
    # Float32: a logarithm of 500 has five digits behind the point.
    assert metrics.perplexity(np.array([[500.0, 0.0]], np.float32), np.array([1])) == pytest.approx(
        math.exp(500), rel=1e-5, abs=0.0
    )


def test_a_loss_of_nan_comes_with_metrics_of_nan() -> None:
    model = fn.linear(2)
    params = fn.tree.map(lambda leaf: leaf * np.nan, model.init(fn.Key(0), (3,)).params)
    labels = np.array([0, 1])
    got = fn.evaluate(model, params, (), np.ones((2, 3)), labels, fn.softmax_cross_entropy(), metrics={"acc": metrics.accuracy})
    assert math.isnan(got["loss"])
    assert math.isnan(got["acc"])


WEIGHTED = [
    *(name for name in ALL if name != "median_absolute_error"), "log_loss", "brier_score", "calibration_error", "per_class",
    "roc_curve", "pearson",
]  # fmt: skip


def numbers(result: Any) -> Array:
    """Return all numbers of what a metric gives."""
    fields = [getattr(result, field) for field in getattr(result, "__slots__", ()) if not field.startswith("__")] or [result]
    return np.concatenate([np.ravel(np.asarray(one)) for one in fields])


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_count_by_their_ratios(name: str) -> None:
    """In whatever unit they are: sums and products of weights at the ends of the range overflow, or are 0."""
    kind = name if name in ALL else {"pearson": "r2", "roc_curve": "roc_auc"}.get(name, "accuracy")
    prediction, target = given(kind)
    if kind == "accuracy" and name != kind:
        prediction = np.exp(prediction) / np.exp(prediction).sum(1, keepdims=True)
    if name in ("matthews_correlation", "cohen_kappa"):
        target = np.array([0, 1, 2, 3, 0, 2])
    weight = np.array([3.0, 1.0, 0.0, 2.0, 5.0, 1.0])
    metric = getattr(metrics, name)
    expected = numbers(metric(prediction, fn.Weighted(target, weight)))
    for exponent in (-1060, -600, 600, 1020):
        got = numbers(metric(prediction, fn.Weighted(target, np.ldexp(weight, exponent))))
        np.testing.assert_array_equal(got, expected * 2.0**exponent if name == "confusion_matrix" else expected)


@pytest.mark.parametrize("beta", [1e-200, 1e200])
def test_f_beta_at_the_ends_is_precision_or_recall(beta: float) -> None:
    prediction, target = np.array([2.0, 1.0, -1.0, -2.0]), np.array([1, 0, 0, 1])
    limit = metrics.precision if beta < 1 else metrics.recall
    assert metrics.f_beta(prediction, target, beta=beta) == limit(prediction, target)
    np.testing.assert_array_equal(metrics.per_class(prediction, target, "f_beta", beta=beta), limit(prediction, target))


def test_images_of_any_size() -> None:
    p, t = np.random.default_rng(4).random((2, 2, 12, 13, 1))
    for factor in (1e-300, 1e-160, 1.0, 1e160, 1e300):
        assert metrics.psnr(p * factor, t * factor, factor) == pytest.approx(metrics.psnr(p, t), rel=1e-12, abs=0.0)
    for far in (np.inf, 1e200):
        with pytest.raises(ValueError, match="so far beyond max_value, 1, that their squares"):
            metrics.ssim(p * far, t)
    assert metrics.psnr(np.full_like(t, np.inf), t) == -math.inf


DECIDING: dict[str, Any] = {
    "OneHot.inverse": lambda scores: fn.data.fit_one_hot(np.arange(3)).inverse(scores),
    "LabelTarget.decode": lambda scores: LabelTarget("kind", ("a", "b", "c")).decode(scores),
    "generate": lambda scores: fn.generate(fn.embedding(2, 3), EmbeddingParams(scores), (), np.array([[0], [1]]), 1, fn.Key(0)),
}
"""What takes the largest of some scores for an answer; estimators: tests/ecosystem/estimators."""


@pytest.mark.parametrize("name", DECIDING)
def test_nan_is_no_answer(name: str) -> None:
    scores = np.array([[0.0, 1.0, 2.0], [3.0, np.nan, 2.0]])
    with pytest.raises(ValueError, match=r"nan at row \[1, 1\]|after sequence 1 are nan"):
        DECIDING[name](scores)
    DECIDING[name](np.nan_to_num(scores))


@pytest.mark.parametrize("name", ALL)
def test_an_empty_set_is_an_error(name: str) -> None:
    prediction, target = given(name)
    with pytest.raises(ValueError, match="at least one"):
        getattr(metrics, name)(prediction[:0], target[:0])
