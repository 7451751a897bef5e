"""Under masked_steps a layer is blind to the padding, or it is refused: every layer from sequences to sequences."""

from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.certificate.cases import LAYERS, LayerCase

MIXING = {
    "batch_norm",
    "group_norm",
    "instance_norm",
    "rnn",
    "lstm",
    "peephole_lstm",
    "gru",
    "attention",
    "attention_without_bias",
    "attention_without_output_bias",
    "reverse_time",
    "bidirectional",
}


def sequences() -> list[Any]:
    """Return the cases of layers that map (t, features) to as many steps."""
    found = []
    for name, cases in LAYERS.items():
        for case in cases:
            if isinstance(case.shape, tuple) and len(case.shape) == 2 and all(isinstance(one, int) for one in case.shape):
                x = case.x()
                if (
                    isinstance(x, np.ndarray)
                    and x.dtype.kind == "f"
                    and case.make().init(fn.Key(0), case.shape).out_shape[0] == case.shape[0]
                ):
                    found.append(pytest.param(name, case, id=f"{name} {case.label}".strip()))
    return found


def refused(case: LayerCase) -> bool:
    """Tell whether init says that the padding would count."""
    try:
        fn.masked_steps(case.make()).init(fn.Key(0), case.shape)
    except ValueError as error:
        return "every step alone" in str(error)
    return False


SEQUENCES = sequences()


def test_what_mixes_steps_is_refused() -> None:
    """Of one step nothing can be mixed."""
    taken = [name for name, case in (one.values for one in SEQUENCES) if case.shape[0] > 1 and not refused(case)]
    assert taken
    assert not MIXING & set(taken)


@pytest.mark.parametrize(("name", "case"), [one for one in SEQUENCES if not refused(one.values[1])])
def test_blind_to_the_padding(name: str, case: LayerCase) -> None:
    layer = fn.masked_steps(case.make())
    start = layer.init(fn.Key(0), case.shape)
    real = max(1, case.shape[0] - 2)
    for mode in (fn.Eval(),) if layer.random else (fn.Eval(), fn.Train(fn.Key(1))):
        outputs = []
        for steps in range(real, case.shape[0] + 1):
            x = case.x()[:, :steps]
            mask = np.broadcast_to(np.arange(steps) < real, x.shape[:2]).copy()
            outputs.append(layer.forward(start.params, start.state, fn.Masked(x, mask), mode).output.values[:, :real])
        for output in outputs[1:]:
            np.testing.assert_allclose(output, outputs[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("padding", [1, ((2, 0),)])
def test_a_convolution_takes_padding_for_what_lies_beyond_the_ends(padding: Any) -> None:
    inner = fn.conv1d(2, 3, padding=padding, bias_init=fn.initializers.normal(1.0))
    layer = fn.masked_steps(inner)
    start = layer.init(fn.Key(0), (8, 2))
    x = np.random.default_rng(0).normal(size=(1, 3, 2))
    alone = fn.apply(inner, start.params, (), x)
    for before, after in ((0, 0), (0, 5), (2, 3), (5, 0)):
        values = np.pad(x, ((0, 0), (before, after), (0, 0)), constant_values=9.0)
        mask = np.zeros(values.shape[:2], bool)
        mask[:, before : before + 3] = True
        got = fn.apply(layer, start.params, (), fn.Masked(values, mask)).values
        np.testing.assert_allclose(got[mask], alone[0], rtol=1e-12)


def test_layers_that_mix_steps_are_among_the_cases() -> None:
    assert {"batch_norm", "group_norm", "instance_norm", "rnn", "attention"} <= {
        parameters.values[0] for parameters in sequences()
    }


@pytest.mark.parametrize(
    "layer",
    [
        fn.batch_norm(),
        fn.group_norm(2),
        fn.instance_norm(),
        fn.softmax(1),
        fn.conv1d(2, 3, padding=1) >> fn.conv1d(2, 3, padding=1),
        fn.max_pool1d(3, stride=1, padding=1),
        fn.dense(2) >> fn.batch_norm(),
        fn.rnn(2),
        fn.attention(1),
    ],
    ids=lambda layer: layer.name,
)
def test_the_refusal_names_the_layer_and_says_what_to_do(layer: Any) -> None:
    with pytest.raises(ValueError, match=r"every step alone, and .* does not: the padding would count") as caught:
        fn.masked_steps(layer).init(fn.Key(0), (5, 2))
    assert layer.name in str(caught.value)
    assert "layer_norm" in str(caught.value)


def test_a_layer_that_drops_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="keeps the steps"):
        fn.masked_steps(fn.conv1d(2, 3)).init(fn.Key(0), (5, 2))
