"""Exact identities of losses: they hold for every loss that they are stated for, and for no gradient that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from attrs import evolve

import funcnn as fn
from funcnn import tree
from funcnn.certificate.loss_identities import LOSS_IDENTITIES, loss_points
from funcnn.check.witness.identities import HOLDS
from funcnn.check.witness.loss_identities import Directions, Euler, LossIdentity, LossPoint, Mirror, Unmoved, Unordered


def stated(name: str) -> Iterator[tuple[str, LossIdentity, LossPoint]]:
    """Yield every identity of a loss with every point that it is stated for."""
    for label, at in loss_points(name):
        for one in LOSS_IDENTITIES[name]:
            if one.about(label):
                yield from [(f"{name}, {label}: {identity}", identity, at) for identity in one.identities]


@pytest.mark.parametrize("name", LOSS_IDENTITIES)
def test_identities_hold_to_the_last_digits(name: str) -> None:
    found = list(stated(name))
    assert [(said, identity.error(at)) for said, identity, at in found if not identity.error(at) <= HOLDS] == []
    assert {identity for one in LOSS_IDENTITIES[name] for identity in one.identities} == {identity for _, identity, _ in found}
    labels = {label for label, _ in loss_points(name)}
    assert all(set(one.but) <= labels for one in LOSS_IDENTITIES[name])


def spoiled(at: LossPoint) -> LossPoint:
    """Return the point with a gradient that is off by up to a thousandth of its largest entry, in each entry otherwise."""

    def gradient(prediction: Any, target: Any) -> Any:
        found = at.gradient(prediction, target)
        largest = max(float(np.max(np.abs(leaf))) for leaf in tree.leaves(found))
        numbers = iter(np.cos(1 + np.arange(sum(leaf.size for leaf in tree.leaves(found)))))
        return tree.map(lambda leaf: leaf + 1e-3 * largest * np.reshape([next(numbers) for _ in leaf.flat], leaf.shape), found)

    return evolve(at, gradient=gradient)


@pytest.mark.parametrize("name", LOSS_IDENTITIES)
def test_a_wrong_gradient_violates_them(name: str) -> None:
    for said, identity, at in stated(name):
        alone = len(tree.leaves(at.prediction)[0]) == 1  # has no order that could be wrong
        assert identity.error(spoiled(at)) > 1e6 * HOLDS or (alone and isinstance(identity, Unordered)), said


def test_words_are_plain() -> None:
    assert set(LOSS_IDENTITIES) <= set(fn.__all__)
    assert str(Euler(2, "target")) == "homogeneous of degree 2 in the difference from its target"
    assert str(Euler(1)) == "homogeneous of degree 1"
    assert str(Unmoved("classes")) == "a constant added in all classes changes nothing"
    assert str(Unmoved("parts")) == "a constant added to all parts of a prediction changes nothing"
    assert str(Mirror()) == "even about its target"
    assert str(Mirror("0", complement=True)) == "even about 0, with 1 - t for the target t"
    assert str(Directions()) == "the lengths of vectors count for nothing"
    assert str(Unordered()) == "examples have no order"
