"""Recurrent layers without biases: those with biases of 0, and no gradient for them."""

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.typing import Array

LAYERS: dict[str, Any] = {
    "rnn": fn.rnn(3, activation="relu", final=True),
    "lstm": fn.lstm(3, masked=False, final=True),
    "gru": fn.gru(3, initial=True),
    "rnn_cell": fn.rnn_cell(3),
    "lstm_cell": fn.lstm_cell(3),
    "gru_cell": fn.gru_cell(3),
}
SHAPES: dict[str, Any] = {
    "rnn": (4, 2), "lstm": (4, 2), "gru": ((4, 2), (3,)),
    "rnn_cell": ((2,), (3,)), "lstm_cell": ((2,), ((3,), (3,))), "gru_cell": ((2,), (3,)),
}  # fmt: skip


def drawn(shape: Any, seed: int = 0) -> Any:
    if shape and isinstance(shape[0], tuple):
        return tuple(drawn(one, seed + place) for place, one in enumerate(shape))
    return np.random.default_rng(seed).normal(size=(5, *shape))


def leaves(value: Any) -> list[Array]:
    return list(fn.tree.leaves(value))


@pytest.mark.parametrize("name", LAYERS)
def test_it_is_the_layer_with_biases_of_zero(name: str) -> None:
    inner, x = LAYERS[name], drawn(SHAPES[name])
    layer = fn.without_bias(inner)
    params = layer.init(fn.Key(3), SHAPES[name]).params
    whole = inner.init(fn.Key(3), SHAPES[name]).params
    whole = fn.tree.map_where(np.zeros_like, whole, "bias")
    assert fn.tree.paths(params) == (".input_weight", ".recurrent_weight")
    made, expected = (one.forward(given, (), x, fn.Eval()) for one, given in ((layer, params), (inner, whole)))
    for one, other in zip(leaves(made.output), leaves(expected.output), strict=True):
        np.testing.assert_array_equal(one, other)
    pulled = layer.backward(params, made.residuals, made.output)
    wanted = inner.backward(whole, expected.residuals, expected.output)
    np.testing.assert_array_equal(pulled.params.input_weight, wanted.params.input_weight)
    np.testing.assert_array_equal(pulled.params.recurrent_weight, wanted.params.recurrent_weight)
    for one, other in zip(leaves(pulled.input), leaves(wanted.input), strict=True):
        np.testing.assert_array_equal(one, other)


def test_other_layers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"inner is dense\(2\), expected one of rnn, lstm, gru and their cells"):
        fn.without_bias(fn.dense(2))  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match="expected one of rnn"):
        fn.without_bias(fn.peephole_lstm(2))  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match="a factory is called first"):
        fn.without_bias(fn.lstm)  # type: ignore[call-overload]  # wrong on purpose
