"""What pictures show is what was computed: the numbers are read from the lines, bars and texts of the figures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import funcnn as fn
from funcnn.plots.parameters import size_of
from funcnn.plots.spaces import filter_normalized, principal
from funcnn.typing import Array, IntArray

RANDOM = np.random.default_rng(0)
SCORES = RANDOM.random((60, 3))
SCORES /= SCORES.sum(1, keepdims=True)
LABELS = RANDOM.integers(0, 3, 60)
MODEL = fn.conv2d(4, 3) >> fn.relu() >> fn.residual(fn.conv2d(4, 3, padding=1) >> fn.tanh()) >> fn.flatten() >> fn.dense(3)
START = MODEL.init(fn.Key(0), (6, 6, 3))

PLACES: Array = np.linspace(-1, 1, 5)


def yes_of(number: int) -> IntArray:
    """Return 1 where the label is this one."""
    return np.where(number == LABELS, 1, 0)


DRAWN: dict[str, Callable[[Path | None], Any]] = {
    "roc": lambda path: fn.plots.roc(SCORES, LABELS, path, classes=["a", "b", "c"]),
    "precision_recall": lambda path: fn.plots.precision_recall(SCORES, LABELS, path),
    "calibration": lambda path: fn.plots.calibration(SCORES, LABELS, path, bins=5),
    "residuals": lambda path: fn.plots.residuals(SCORES[:, :1], SCORES[:, 1:2], path),
    "histograms": lambda path: fn.plots.histograms(START.params, path),
    "gradient_flow": lambda path: fn.plots.gradient_flow(START.params, path, params=START.params),
    "filters": lambda path: fn.plots.filters(START.params[0].weight, path),
    "attention": lambda path: fn.plots.attention(np.full((2, 4, 5), 0.2), path),
    "embedding": lambda path: fn.plots.embedding(SCORES, LABELS, path),
    "landscape": lambda path: fn.plots.landscape(fn.plots.LossLandscape(PLACES, PLACES, SCORES[:25, 0].reshape(5, 5)), path),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_a_figure_and_a_file_that_is_equal_for_equal_data(tmp_path: Path, name: str) -> None:
    figure = DRAWN[name](tmp_path / "a.svg")
    assert type(figure).__name__ == "Figure"
    DRAWN[name](tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    with pytest.raises(ValueError, match="is no name of a picture"):
        DRAWN[name](tmp_path / "a.txt")


def test_curves_of_thresholds_are_those_of_the_metrics() -> None:
    axes = fn.plots.roc(SCORES, LABELS, classes=["a", "b", "c"]).axes[0]
    for number, name in enumerate("abc"):
        curve = fn.metrics.roc_curve(SCORES[:, number], yes_of(number))
        line: Any = axes.lines[number + 1]  # after the diagonal
        np.testing.assert_array_equal(line.get_xdata(), curve.false_positive_rate)
        np.testing.assert_array_equal(line.get_ydata(), curve.true_positive_rate)
        assert line.get_label() == f"{name} {fn.metrics.roc_auc(SCORES[:, number], yes_of(number)):.3f}"
    recall: Any = fn.plots.precision_recall(SCORES[:, 0], (LABELS == 0).astype(int)).axes[0].lines[0]
    expected = fn.metrics.precision_recall_curve(SCORES[:, 0], (LABELS == 0).astype(int))
    np.testing.assert_array_equal(recall.get_xdata(), expected.recall)
    np.testing.assert_array_equal(recall.get_ydata(), expected.precision)


def test_calibration_and_residuals_show_the_numbers() -> None:
    line: Any = fn.plots.calibration(SCORES, LABELS, bins=5).axes[0].lines[1]
    curve = fn.metrics.calibration_curve(SCORES, LABELS, 5)
    np.testing.assert_array_equal(line.get_xdata(), curve.confidence)
    np.testing.assert_array_equal(line.get_ydata(), curve.accuracy)
    said, true = SCORES[:, :1], SCORES[:, 1:2]
    points: Any = fn.plots.residuals(said, true).axes[1].collections[0]
    np.testing.assert_array_equal(points.get_offsets(), np.concatenate([said, true - said], 1))


def test_the_flow_of_gradients_has_a_bar_for_each_leaf() -> None:
    grads = ({"w": np.full((2, 2), -3.0), "b": np.zeros(2)}, np.array([1e-200, 1e-200]))
    axes = fn.plots.gradient_flow(grads).axes[0]
    bars: Any = axes.patches
    widths = [float(bar.get_width()) for bar in bars]
    assert np.isnan(widths[0])
    assert widths[1:] == pytest.approx([3.0, 1e-200], rel=1e-12, abs=0)
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels == ["[0]['b'] (0)", "[0]['w']", "[1]"]
    assert size_of(grads[1]) == pytest.approx(1e-200, rel=1e-12, abs=0)


def test_principal_components_are_those_of_the_covariance() -> None:
    x = RANDOM.standard_normal((40, 5)) @ RANDOM.standard_normal((5, 5))
    places, shares = principal(x)
    values, vectors = np.linalg.eigh(np.cov(x.T))
    np.testing.assert_allclose(shares, values[::-1][:2] / values.sum(), rtol=0, atol=1e-12)
    expected = (x - x.mean(0)) @ vectors[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(places), np.abs(expected), rtol=0, atol=1e-11)


def test_directions_are_as_long_as_the_filters() -> None:
    direction = filter_normalized(fn.Key(1), START.params)
    for own, drawn in zip(fn.tree.leaves(START.params), fn.tree.leaves(direction), strict=True):
        if own.ndim < 2:
            assert not drawn.any()
            continue
        others = tuple(range(own.ndim - 1))
        np.testing.assert_allclose(np.square(drawn).sum(others), np.square(own).sum(others), rtol=1e-12, atol=0)


def test_the_landscape_is_the_loss_at_each_place() -> None:
    loss = fn.softmax_cross_entropy()
    x: Array = RANDOM.standard_normal((5, 6, 6, 3))
    y = LABELS[:5]
    seen = fn.plots.loss_landscape(MODEL, loss, START.params, START.state, x, y, key=fn.Key(2), grid=(0.5, 3))
    one, other = (filter_normalized(fn.Key(2).child(number), START.params) for number in (0, 1))
    for row, b in enumerate((-0.5, 0.0, 0.5)):
        for column, a in enumerate((-0.5, 0.0, 0.5)):
            leaves = zip(*map(fn.tree.leaves, (START.params, one, other)), strict=True)
            there = fn.tree.rebuild(START.params, iter([p + a * d + b * e for p, d, e in leaves]))
            value = loss.forward(fn.apply(MODEL, there, START.state, x), y).value
            assert float(seen.loss[row, column]) == pytest.approx(float(value), rel=1e-13, abs=0)


def test_a_diagram_has_a_box_for_each_layer_inside_of_that_of_its_composition(tmp_path: Path) -> None:
    picture = fn.plots.diagram(MODEL, (6, 6, 3), tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_text() == picture
    root = ElementTree.fromstring(picture)
    space = "{http://www.w3.org/2000/svg}"
    places = {}
    for group in root.iter(f"{space}g"):
        title, box = group.find(f"{space}title"), group.find(f"{space}rect")
        assert title is not None
        assert box is not None
        places[str(title.text)] = [int(box.attrib[name]) for name in ("x", "y", "width", "height")]
    rows = fn.summary(MODEL, (6, 6, 3)).rows
    assert list(places) == [f"{row.path} {row.name}" for row in rows]
    boxes = list(places.values())
    for number, row in enumerate(rows):
        x, y, width, height = boxes[number]
        later = list(zip(rows, boxes, strict=True))[number + 1 :]
        after = next((place for place, (other, _) in enumerate(later) if other.depth <= row.depth), len(later))
        inside = [place for _, place in later[:after]]
        assert bool(inside) == row.composed
        for a, b, c, d in inside:
            assert x < a
            assert a + c < x + width
            assert y < b
            assert b + d <= y + height
    tops = [y for _, y, _, _ in boxes]
    assert tops == sorted(tops)
    assert f"{fn.summary(MODEL, (6, 6, 3)).params:,} parameters" in picture


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "shapes": (lambda: fn.plots.roc(SCORES, LABELS[:-1]), "expected one shape, or scores"),
    "names": (lambda: fn.plots.roc(SCORES, LABELS, classes=["a"]), "1 names for 3 classes"),
    "one-class": (lambda: fn.plots.precision_recall(SCORES, np.zeros(60, int)), "target holds one class alone"),
    "no-array": (lambda: fn.plots.roc([1], LABELS), "prediction is"),  # type: ignore[arg-type]  # the mistake
    "probabilities": (lambda: fn.plots.calibration(SCORES * 3, LABELS), "probabilit"),
    "not-finite": (lambda: fn.plots.residuals(np.array([np.nan]), np.array([1.0])), "prediction holds NaN or infinity"),
    "many-numbers": (lambda: fn.plots.residuals(SCORES, SCORES), r"expected \(n,\) or \(n, 1\)"),
    "no-leaf": (lambda: fn.plots.histograms(()), "values holds no array"),
    "no-tree": (lambda: fn.plots.histograms("abc"), "values is no tree of arrays"),
    "other-tree": (lambda: fn.plots.gradient_flow(START.params, params=START.params[0]), "params"),
    "kernel": (lambda: fn.plots.filters(np.zeros((3, 3))), r"weight is float64\[3, 3\]"),
    "scores": (lambda: fn.plots.attention(np.full((2, 2), 3.0)), "weights holds numbers outside of 0 to 1"),
    "tokens": (lambda: fn.plots.attention(np.full((2, 2), 0.5), tokens=("a",)), "tokens has 1 entries for 2 keys"),
    "one-column": (lambda: fn.plots.embedding(np.zeros((3, 1))), "at least two rows and two columns"),
    "labels": (lambda: fn.plots.embedding(SCORES, SCORES[:, 0]), "an integer for each of 60 rows"),  # type: ignore[arg-type]  # the mistake
    "no-landscape": (lambda: fn.plots.landscape(SCORES), "expected what fn.plots.loss_landscape gives"),  # type: ignore[arg-type]  # the mistake
    "nothing-finite": (
        lambda: fn.plots.landscape(fn.plots.LossLandscape(PLACES, PLACES, np.full((5, 5), np.nan))), "is finite",
    ),
    "shape": (lambda: fn.plots.diagram(MODEL, (2, 2, 3)), "."),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_is_refused_by_name(name: str) -> None:
    call, message = WRONG[name]
    with pytest.raises((TypeError, ValueError), match=message):
        call()
