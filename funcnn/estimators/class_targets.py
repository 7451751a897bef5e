"""Labels of any kind to what a loss takes, and outputs back to labels: one label a row, several at once, or several outputs."""

from __future__ import annotations

from typing import cast

import numpy as np
from attrs import frozen

from funcnn.combinators.branch import branch
from funcnn.estimators.codings import Coding, coding_of
from funcnn.estimators.scikit_learn import check_classification_targets, column_or_1d, type_of_target
from funcnn.layer import AnyLayer
from funcnn.losses.checks import check_not_nan
from funcnn.losses.classification.sigmoid_cross_entropy import sigmoid_cross_entropy
from funcnn.losses.classification.softmax_cross_entropy import softmax_cross_entropy
from funcnn.losses.combined import AnyLoss, combined_loss
from funcnn.typing import Array, IntArray


def labels_of(y: object) -> np.ndarray:
    """Return labels as an array: (n,), or (n, outputs) where a row has several; raise when they are none."""
    whole = getattr(y, "toarray", None)  # of a sparse table of labels
    labels = np.asarray(y if whole is None else whole())
    check_classification_targets(labels)
    return cast(np.ndarray, column_or_1d(labels, warn=True)) if labels.ndim == 1 or labels.shape[1] == 1 else labels


@frozen(eq=False)
class OneLabel:
    """Each row is of one class."""

    classes: np.ndarray
    loss: AnyLoss
    coding: Coding

    @property
    def names(self) -> np.ndarray:
        """The attribute ``classes_``."""
        return self.classes

    def head(self) -> AnyLayer:
        """Return the end of the network."""
        return self.coding.head(self.coding.width(len(self.classes)))

    def encode(self, labels: np.ndarray, like: Array) -> Array | IntArray:
        """Return the target, in the precision of ``like``; raise for a label that is not known."""
        return self.coding.encode(places(labels, self.classes), len(self.classes), like)

    def decode(self, outputs: Array) -> np.ndarray:
        """Return the labels that outputs say."""
        scores = self.coding.scores(outputs)
        check_not_nan(scores, "the network's output")
        return cast(np.ndarray, self.classes[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(1)])

    def scores(self, outputs: Array) -> Array:
        """Return the decision function."""
        return self.coding.scores(outputs)

    def probabilities(self, outputs: Array) -> Array:
        """Return the probabilities of the classes."""
        return self.coding.class_probabilities(outputs)


@frozen(eq=False)
class ManyLabels:
    """Each row is of any number of classes: a table of 0 and 1."""

    columns: int
    loss: AnyLoss
    coding: Coding

    @property
    def names(self) -> np.ndarray:
        """The attribute ``classes_``."""
        return np.arange(self.columns)

    def head(self) -> AnyLayer:
        """Return the end of the network."""
        return self.coding.head(self.columns)

    def encode(self, labels: np.ndarray, like: Array) -> Array:
        """Return the target, in the precision of ``like``."""
        if labels.ndim != 2 or labels.shape[1] != self.columns:
            raise ValueError(f"y has shape {labels.shape}, expected (n, {self.columns}): a column for each label")
        return self.coding.encode_columns(labels, like)

    def decode(self, outputs: Array) -> np.ndarray:
        """Return the labels that outputs say."""
        scores = self.scores(outputs)
        check_not_nan(scores, "the network's output")
        return (scores > 0).astype(int)

    def scores(self, outputs: Array) -> Array:
        """Return the decision function."""
        return self.coding.scores(outputs) if self.columns > 1 else self.coding.scores(outputs)[:, None]

    def probabilities(self, outputs: Array) -> Array:
        """Return the probability of each label, (n, columns)."""
        assert self.coding.probabilities is not None  # asked for only where there are some
        return self.coding.probabilities(outputs)


@frozen(eq=False)
class SeveralOutputs:
    """Each row has one label of each of several kinds: a head of the network, and a loss, for each kind."""

    outputs: tuple[OneLabel, ...]
    loss: AnyLoss

    @property
    def coding(self) -> Coding:
        """That of each output."""
        return self.outputs[0].coding

    @property
    def names(self) -> list[np.ndarray]:
        """The attribute ``classes_``."""
        return [one.classes for one in self.outputs]

    def head(self) -> AnyLayer:
        """Return the end of the network."""
        heads: list[AnyLayer] = [one.head() for one in self.outputs]
        made: AnyLayer = branch(*heads)
        return made

    def encode(self, labels: np.ndarray, like: Array) -> tuple[Array | IntArray, ...]:
        """Return the target, in the precision of ``like``; raise for a label that is not known."""
        if labels.ndim != 2 or labels.shape[1] != len(self.outputs):
            raise ValueError(f"y has shape {labels.shape}, expected (n, {len(self.outputs)}): a column for each output")
        return tuple([one.encode(column, like) for one, column in zip(self.outputs, labels.T, strict=True)])

    def decode(self, outputs: tuple[Array, ...]) -> np.ndarray:
        """Return the labels that outputs say."""
        return np.stack([one.decode(output) for one, output in zip(self.outputs, outputs, strict=True)], axis=1)

    def scores(self, outputs: tuple[Array, ...]) -> list[Array]:
        """Return the decision function of each output."""
        return [one.scores(output) for one, output in zip(self.outputs, outputs, strict=True)]

    def probabilities(self, outputs: tuple[Array, ...]) -> list[Array]:
        """Return the probabilities of the classes of each output."""
        return [one.probabilities(output) for one, output in zip(self.outputs, outputs, strict=True)]


ClassTargets = OneLabel | ManyLabels | SeveralOutputs


def class_targets(labels: np.ndarray, loss: AnyLoss | None, classes: np.ndarray | None = None) -> ClassTargets:
    """Return what the labels are, as :func:`labels_of` gives them, for a loss or for the usual one.

    Raises
    ------
    ValueError
        When there is a single class, or the loss takes one label a row and there are several.
    """
    kind = type_of_target(labels)
    if kind == "multilabel-indicator":
        several: AnyLoss = sigmoid_cross_entropy() if loss is None else loss
        coding = coding_of(several)
        if not coding.has_columns:
            raise ValueError(
                f"y has several labels for each row, and {several.name} takes one: use fn.sigmoid_cross_entropy(), or another"
                " loss of columns"
            )
        return ManyLabels(labels.shape[1], several, coding)
    one: AnyLoss = softmax_cross_entropy() if loss is None else loss
    coding = coding_of(one)
    if labels.ndim == 2:
        outputs = tuple([OneLabel(known(column), one, coding) for column in labels.T])
        return SeveralOutputs(outputs, combined_loss(*[one] * len(outputs)))
    return OneLabel(known(labels) if classes is None else classes, one, coding)


def known(labels: np.ndarray) -> np.ndarray:
    """Return the classes that occur; raise when there is only one."""
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(f"y holds one class, {classes[0]!r}: a classifier needs at least two classes to tell apart")
    return classes


def places(labels: np.ndarray, classes: np.ndarray) -> IntArray:
    """Return the number of each label among sorted classes; raise for one that is not among them."""
    found = np.searchsorted(classes, labels)
    found[found == len(classes)] = 0
    wrong = np.flatnonzero(classes[found] != labels)
    if wrong.size:
        raise ValueError(f"y[{wrong[0]}] is {labels[wrong[0]]!r}, which is none of the classes {classes.tolist()}")
    return found
