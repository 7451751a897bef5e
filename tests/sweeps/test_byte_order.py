"""Arrays in the byte order of another machine, such as a file's: taken as what they are, or refused with what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases.losses import LOSSES
from tests.sweeps.factories import CALLS


def swapped(values: Any) -> Any:
    """Return a tree of the same numbers with their bytes the other way round."""
    return tree.map(lambda leaf: leaf.astype(leaf.dtype.newbyteorder("S")), values)


def equal(one: Any, other: Any) -> bool:
    """Tell whether two trees hold the same numbers."""
    return all(np.array_equal(a, b) for a, b in zip(tree.leaves(one), tree.leaves(other), strict=True))


@pytest.mark.parametrize("name", CALLS)
def test_layers(name: str) -> None:
    call = CALLS[name]
    layer = call.make(getattr(fn, name))
    start, x = layer.init(fn.Key(0), call.shape), call.x(np.float64)
    expected = fn.apply(layer, start.params, start.state, x)
    assert equal(fn.apply(layer, start.params, start.state, swapped(x)), expected)
    made = layer.forward(start.params, start.state, swapped(x), fn.Eval())
    dy = tree.map(lambda leaf: np.ones_like(leaf) if leaf.dtype.kind == "f" else leaf, expected)
    if all(leaf.dtype.kind == "f" for leaf in tree.leaves(expected)):
        layer.backward(start.params, made.residuals, swapped(dy))  # also of an output in another order
        layer.backward(start.params, made.residuals, dy)
    if tree.leaves(start.params):
        try:
            assert equal(fn.apply(layer, swapped(start.params), start.state, x), expected)
        except TypeError as error:
            assert "newbyteorder" in str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    case = LOSSES[name][0]
    loss = case.make()
    prediction, target = case.draw(np.random.default_rng(3), case.batch)
    expected = loss.forward(prediction, target)
    inner: Any = fn.Weighted(swapped(target.target), target.weight) if isinstance(target, fn.Weighted) else swapped(target)
    for given, wanted in ((swapped(prediction), target), (prediction, inner), (swapped(prediction), inner)):
        made = loss.forward(given, wanted)
        np.testing.assert_allclose(float(made.value), float(expected.value), rtol=1e-14)
        loss.backward(made.residuals)


def test_parameters_say_what_to_do() -> None:
    layer = fn.dense(3)
    params: Any = layer.init(fn.Key(0), (2,)).params
    with pytest.raises(TypeError, match=r"the parameters have dtype .*use fn\.tree\.astype\(params, np\.float64\)"):
        fn.apply(layer, swapped(params), (), np.ones((1, 2)))
    single = tree.astype(params, np.float32)
    with pytest.raises(TypeError, match=r"use x\.astype\(np\.float32\) or fn\.tree\.astype\(params, np\.float64\)"):
        fn.apply(layer, single, (), swapped(np.ones((1, 2))))
    assert fn.apply(layer, tree.astype(swapped(params), np.float64), (), np.ones((1, 2))).dtype.isnative
