"""The value of a set of examples follows from the values of its batches, for every loss, weighted or not."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LOSSES, LossCase
from funcnn.losses.batch_rule import is_batchwise
from funcnn.typing import Array

CASES = [case for cases in LOSSES.values() for case in cases if not is_batchwise(case.make())]
ROWS = 12
PARTS = ((0, 5), (5, 6), (6, 12))  # unlike sizes: batches of one size would hide a wrong average


def rows_of(data: Any, first: int, stop: int) -> Any:
    return tree.map(lambda leaf: leaf[first:stop], data)


def combined(loss: Any, prediction: Any, target: Any) -> float:
    """Return the value of the set by the values of the parts, as the loss says that they combine."""
    values, masses = [], []
    for first, stop in PARTS:
        part = rows_of(target, first, stop)
        mass = float(stop - first) if loss.mass is None else loss.mass(part)
        if mass:
            values.append(float(loss.forward(rows_of(prediction, first, stop), part).value))
            masses.append(mass)
    if loss.reduction == "sum":
        return math.fsum(values)
    return math.fsum(value * mass for value, mass in zip(values, masses, strict=True)) / math.fsum(masses)


def weights(generator: np.random.Generator) -> Array:
    weight: Array = generator.integers(0, 3, ROWS) * generator.uniform(0.5, 2.0, ROWS)
    weight[:6] = 0  # a whole part counts nothing
    weight[7] = 1.5
    return weight


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES, ids=[case.make().name + case.label for case in CASES])
def test_batches_combine_to_the_value_of_the_set(case: LossCase, weighted: bool) -> None:
    loss = case.make()
    generator = np.random.default_rng(5)
    prediction, target = case.draw(generator, ROWS)
    if weighted:
        target = fn.Weighted(target.target if isinstance(target, fn.Weighted) else target, weights(generator))
    if not tree.leaves(target):  # nobody can tell from an empty target how many rows there are: fit does not take one
        target = fn.Weighted(target, np.ones(ROWS))
    expected = float(loss.forward(prediction, target).value)
    assert combined(loss, prediction, target) == pytest.approx(expected, rel=1e-12, abs=0.0)


LABELS: tuple[Callable[..., Any], ...] = (fn.softmax_cross_entropy, fn.negative_log_likelihood)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("class_weight", [None, (1.0, 0.0, 50.0)])
@pytest.mark.parametrize("ignore_index", [None, -1, 255])
@pytest.mark.parametrize("weight_axes", [0, 1, 2])
@pytest.mark.parametrize("factory", LABELS)
def test_batches_of_labels_combine_whatever_counts(
    factory: Callable[..., Any], weight_axes: int, ignore_index: int | None, class_weight: Any, sequences: bool, reduction: str
) -> None:
    generator = np.random.default_rng(7)
    shape = (ROWS, 4) if sequences else (ROWS,)
    weight_axes = min(weight_axes, len(shape))
    prediction = generator.normal(size=(*shape, 3))
    labels = generator.integers(0, 3, shape)
    labels[0] = 2
    if ignore_index is not None:
        labels[generator.random(shape) < 0.5] = ignore_index
        labels[6:] = ignore_index  # a whole part counts nothing
        labels[2] = 2
    target: Any = labels
    if weight_axes:
        target = fn.Weighted(
            labels, generator.integers(0, 3, shape[:weight_axes]) + (np.arange(ROWS) == 2).reshape(-1, *[1] * (weight_axes - 1))
        )
    loss = factory(class_weight=class_weight, ignore_index=ignore_index, reduction=reduction)
    expected = float(loss.forward(prediction, target).value)
    assert combined(loss, prediction, target) == pytest.approx(expected, rel=1e-12, abs=0.0)


@pytest.mark.parametrize("class_weight", [None, (1.0, 0.0, 50.0)])
@pytest.mark.parametrize("weighted", [False, True])
def test_batches_of_smoothed_labels_add_to_the_sum_of_the_set(weighted: bool, class_weight: Any) -> None:
    """A row whose own label weighs nothing adds what smoothing gives to the other classes."""
    generator = np.random.default_rng(8)
    prediction, labels = generator.normal(size=(ROWS, 3)), generator.integers(0, 3, ROWS)
    labels[6:] = 1  # a whole part of labels that weigh nothing
    target: Any = fn.Weighted(labels, generator.uniform(0.5, 2.0, ROWS)) if weighted else labels
    loss: Any = fn.softmax_cross_entropy(label_smoothing=0.1, class_weight=class_weight, reduction="sum")
    expected = float(loss.forward(prediction, target).value)
    assert combined(loss, prediction, target) == pytest.approx(expected, rel=1e-12, abs=0.0)
