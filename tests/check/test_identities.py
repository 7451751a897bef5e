"""Exact identities: they hold for every layer that they are stated for, to the last digits, and for no gradient that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from attrs import evolve

import funcnn as fn
from funcnn import tree
from funcnn.certificate.identities import IDENTITIES, points
from funcnn.certificate.subjects import MODES
from funcnn.check.witness.identities import HOLDS, Homogeneous, Identity, Permutation, Point, Reflection, Shift

NAMES = list(IDENTITIES)
DIRECTION = Homogeneous("params.inner.weight", 0)  # any multiple of nothing is nothing: spoiled by itself, below


def stated(name: str) -> Iterator[tuple[str, Identity, Point]]:
    """Yield every identity of a layer with every point that it is stated for."""
    for mode in MODES:
        for label, at in points(name, MODES[mode]):
            for one in IDENTITIES[name]:
                if one.about(label, mode):
                    yield from [(f"{name}, {label}, {mode}: {identity}", identity, at) for identity in one.identities]


@pytest.mark.parametrize("name", NAMES)
def test_identities_hold_to_the_last_digits(name: str) -> None:
    found = list(stated(name))
    assert found
    assert [(said, identity.error(at)) for said, identity, at in found if not identity.error(at) <= HOLDS] == []
    assert {identity for one in IDENTITIES[name] for identity in one.identities} == {identity for _, identity, _ in found}


def spoiled(at: Point, what: str) -> Point:
    """Return the point with a gradient of the parameters, or of the input, that is off by a thousandth: more in later entries."""
    layer: Any = at.layer

    def forward(params: Any, state: Any, x: Any, mode: fn.Mode) -> Any:
        made = layer.forward(params, state, x, mode)
        return evolve(made, residuals=(made.residuals, x))

    def backward(params: Any, residuals: Any, dy: Any) -> fn.Backward[Any, Any]:
        pulled = layer.backward(params, residuals[0], dy)
        if what == "params":
            return fn.Backward(tree.map_cotangents(lambda leaf: leaf * 1.001, pulled.params), pulled.input)
        weights = np.linspace(0, 1e-3, residuals[1].size).reshape(residuals[1].shape)
        return fn.Backward(pulled.params, pulled.input + weights * (1 + residuals[1]) ** 3)

    return evolve(at, layer=evolve(layer, forward=forward, backward=backward))


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_gradient_violates_them(name: str) -> None:
    for one in {identity for _, identity, _ in stated(name)} - {DIRECTION}:
        of = "params" if isinstance(one, Homogeneous) and one.of != "input" else "input"
        errors = [one.error(spoiled(at, of)) for _, identity, at in stated(name) if identity == one]
        assert np.median(errors) > 1e6 * HOLDS, str(one)  # a single number has no order that could be wrong


def test_a_weight_that_has_only_a_direction_has_no_slope_along_itself() -> None:
    _, at = next(points("weight_norm", MODES["train"]))
    layer = at.layer

    def backward(params: Any, residuals: Any, dy: Any) -> fn.Backward[Any, Any]:
        pulled = layer.backward(params, residuals, dy)
        wrong = [
            leaf + 1e-3 * params.inner.weight if leaf is pulled.params.inner.weight else leaf
            for leaf in tree.leaves(pulled.params)
        ]
        return fn.Backward(tree.rebuild(pulled.params, iter(wrong)), pulled.input)

    assert DIRECTION.error(at) < HOLDS
    assert DIRECTION.error(evolve(at, layer=evolve(layer, backward=backward))) > 1e-5


def test_names_are_those_of_layers_and_words_are_plain() -> None:
    assert set(NAMES) <= set(fn.__all__)
    said = {str(identity) for states in IDENTITIES.values() for one in states for identity in one.identities}
    assert "homogeneous of degree 1 in its input" in said
    assert "a constant added in all features changes nothing" in said
    assert str(Homogeneous("params", 2)) == "homogeneous of degree 2 in its parameters"
    assert str(Shift("example", seen=True)) == "a constant added in an example is added to the output"
    assert str(Reflection("complementary")) == "f(x) - f(-x) = x"
    assert str(Permutation("steps")) == "steps have no order"


def test_steps_of_attention_have_no_order_until_it_is_causal() -> None:
    plain, causal = (
        Point(layer, start.params, start.state, x, fn.Eval(), dy)
        for layer in (fn.attention(2), fn.attention(2, causal=True))
        for start in (layer.init(fn.Key(0), (5, 4)),)
        for x, dy in (np.random.default_rng(0).normal(size=(2, 3, 5, 4)),)
    )
    assert Permutation("steps").error(plain) < HOLDS
    assert Permutation("steps").error(causal) > 1e-3
