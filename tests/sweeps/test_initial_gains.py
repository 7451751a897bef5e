"""The first outputs of every layer with weights have the deviation that its initializer promises, for inputs of deviation 1."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import initializers, tree
from funcnn.certificate.names import layer_factories
from funcnn.initializers import Initializer
from funcnn.typing import Array, Shape

# Promised deviations, for as many outputs as inputs.
GAINS: dict[str, tuple[Initializer, float]] = {
    "glorot_uniform": (initializers.glorot_uniform, 1.0),
    "glorot_normal": (initializers.glorot_normal, 1.0),
    "he_uniform": (initializers.he_uniform, math.sqrt(2)),
    "he_normal": (initializers.he_normal, math.sqrt(2)),
    "lecun_uniform": (initializers.lecun_uniform, 1.0),
    "lecun_normal": (initializers.lecun_normal, 1.0),
    "truncated": (initializers.variance_scaling(0.25, "fan_in", "truncated_normal"), 0.5),
    "fan_out": (initializers.variance_scaling(4.0, "fan_out"), 2.0),
    "orthogonal": (initializers.orthogonal(3.0), 3.0),
}
Make = Callable[..., Any]
PLANE, LINE, BLOCK = (14, 14), (96,), (7, 7, 7)
# Layers that keep the number of channels, by name of factory and what is special: a function of options, and the space.
LAYERS: dict[str, tuple[Make, Shape, int]] = {
    "dense": (lambda **o: fn.dense(128, **o), (), 128),
    "linear": (lambda **o: fn.linear(128, **o), (), 128),
    "conv1d": (lambda **o: fn.conv1d(32, 5, **o), LINE, 32),
    "conv2d": (lambda **o: fn.conv2d(32, 3, **o), PLANE, 32),
    "conv2d strided, dilated": (lambda **o: fn.conv2d(32, 3, stride=2, dilation=2, **o), PLANE, 32),
    "conv2d groups": (lambda **o: fn.conv2d(64, 3, groups=8, **o), PLANE, 64),
    "conv2d as depthwise": (lambda **o: fn.conv2d(64, 3, groups=64, **o), PLANE, 64),
    "conv3d": (lambda **o: fn.conv3d(16, 3, **o), BLOCK, 16),
    "depthwise_conv1d": (lambda **o: fn.depthwise_conv1d(5, **o), LINE, 128),
    "depthwise_conv2d": (lambda **o: fn.depthwise_conv2d(3, **o), PLANE, 128),
    "depthwise_conv2d few": (lambda **o: fn.depthwise_conv2d(7, **o), PLANE, 16),
    "conv_transpose1d": (lambda **o: fn.conv_transpose1d(32, 5, **o), LINE, 32),
    "conv_transpose2d": (lambda **o: fn.conv_transpose2d(32, 3, **o), PLANE, 32),
    "conv_transpose2d strided": (lambda **o: fn.conv_transpose2d(32, 4, stride=2, **o), PLANE, 32),
    "conv_transpose2d far apart": (lambda **o: fn.conv_transpose2d(32, 2, stride=2, **o), PLANE, 32),
    "conv_transpose2d groups": (lambda **o: fn.conv_transpose2d(64, 3, groups=4, **o), PLANE, 64),
    "conv_transpose3d": (lambda **o: fn.conv_transpose3d(16, 3, **o), BLOCK, 16),
    "conv2d_without_bias groups": (lambda **o: fn.conv2d_without_bias(64, 3, groups=8, **o), PLANE, 64),
    "depthwise_conv2d_without_bias": (lambda **o: fn.depthwise_conv2d_without_bias(3, **o), PLANE, 128),
    "conv_transpose2d_without_bias": (lambda **o: fn.conv_transpose2d_without_bias(32, 3, **o), PLANE, 32),
}
# Factories whose weights are drawn as they should be without such a gain; the tests of each stand below or beside its layer.
OTHERS = {
    "attention", "bilinear", "cross_attention", "decoder_block", "embedding", "embedding_bag", "encoder_block", "gru", "maxout",
    "learned_positions", "lstm", "rnn", "scale", "separable_conv1d", "separable_conv2d", "tied_embedding", "trained_start",
    "conv_lstm", "weighted_embedding_bag", "graph_convolution", "spline", "mixture_of_experts", "mixture_of_experts_with_routing",
    "affine", "lora", "linear_cross_entropy", "rnn_cell", "lstm_cell", "gru_cell", "einsum_dense", "patch_embedding",
    "attention_without_bias", "cross_attention_without_bias", "peephole_lstm", "conv1d_without_bias", "conv3d_without_bias",
    "depthwise_conv1d_without_bias", "separable_conv1d_without_bias", "separable_conv2d_without_bias",
    "conv_transpose1d_without_bias", "conv_transpose3d_without_bias", "encoder_block_without_bias", "decoder_block_without_bias",
}  # fmt: skip


def test_every_layer_with_an_initializer_is_measured() -> None:
    with_one = {
        name
        for name in layer_factories()
        if any(option.endswith("_init") for option in inspect.signature(getattr(fn, name)).parameters)
    }
    assert {name.split()[0] for name in LAYERS} | OTHERS == with_one


def deviation(layer: Any, space: Shape, channels: int, key: int = 0) -> float:
    """Return the deviation of the outputs far from the borders, whose outputs are sums of fewer terms."""
    start = layer.init(fn.Key(key), (*space, channels))
    x = np.random.default_rng(key + 1).normal(size=(256 if not space else 4, *space, channels))
    y = fn.apply(layer, start.params, start.state, x)
    inside = tuple(slice(length // 4, -(length // 4)) if length > 7 else slice(None) for length in y.shape[1:-1])
    if "transpose" in layer.name and len(space) == 3:
        inside = (slice(2, -2),) * 3
    return float(y[:, *inside].std())


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", GAINS)
def test_gains(layer: str, name: str) -> None:
    make, space, channels = LAYERS[layer]
    init, promised = GAINS[name]
    if name == "orthogonal" and "transpose" in layer and ("strided" in layer or "apart" in layer):
        promised /= 2  # it keeps the length of the whole, which has four times as many points
    got = np.mean([deviation(make(weight_init=init), space, channels, key) for key in range(2)])
    assert got == pytest.approx(promised, rel=0.12, abs=0.0)  # drawn: what such numbers of weights scatter by


@pytest.mark.parametrize("layer", LAYERS)
def test_default_gains_are_1(layer: str) -> None:
    make, space, channels = LAYERS[layer]
    # Drawn: what such numbers of weights scatter by.
    assert np.mean([deviation(make(), space, channels, key) for key in range(2)]) == pytest.approx(1.0, rel=0.12, abs=0.0)


@pytest.mark.parametrize(("inputs", "outputs"), [(64, 4), (4, 64)])
def test_gains_of_layers_that_widen_or_narrow(inputs: int, outputs: int) -> None:
    """He and LeCun depend on the inputs alone; Glorot is the mean over both directions."""
    makes: list[tuple[Make, Shape]] = [
        (lambda **o: fn.dense(outputs, **o), ()),
        (lambda **o: fn.conv2d(outputs, 3, **o), PLANE),
        (lambda **o: fn.conv2d(outputs, 3, groups=4, **o), PLANE),
        (lambda **o: fn.conv_transpose2d(outputs, 4, **o), PLANE),
        (lambda **o: fn.conv_transpose2d(outputs, 4, stride=2, **o), PLANE),
        (lambda **o: fn.conv_transpose1d(outputs, 5, stride=3, **o), LINE),
    ]
    for make, space in makes:
        for init, promised in (
            (initializers.he_normal, math.sqrt(2)),
            (initializers.lecun_normal, 1.0),
            (initializers.glorot_normal, math.sqrt(2 * inputs / (inputs + outputs))),
        ):
            got = np.mean([deviation(make(weight_init=init), space, inputs, key) for key in range(4)])
            assert got == pytest.approx(promised, rel=0.2, abs=0.0)  # drawn: what such numbers of weights scatter by


@pytest.mark.parametrize("multiplier", [1, 4])
def test_a_deep_stack_of_separable_convolutions_keeps_the_signal(multiplier: int) -> None:
    he, shape = initializers.he_normal, (16, 16, 32)
    block = fn.separable_conv2d(32, 3, padding="same", multiplier=multiplier, weight_init=he) >> fn.relu()
    model = fn.serial(*[block for _ in range(6)])
    start = model.init(fn.Key(0), shape)
    y = fn.apply(model, start.params, start.state, np.random.default_rng(0).normal(size=(2, *shape)))
    assert 0.2 < y.std() / 2 ** (6 / 2) < 5  # the depthwise half has no relu of its own: a factor sqrt(2) each


# ----------------------------------------------------------------------------------------- weights of layers of other forms


def fan_gain(weight: Array, fan: float) -> float:
    return float(weight.std() * math.sqrt(fan))


def test_bilinear_counts_pairs_of_inputs() -> None:
    layer = fn.bilinear(30)
    start = layer.init(fn.Key(0), ((20,), (25,)))
    generator = np.random.default_rng(0)
    y = fn.apply(layer, start.params, (), (generator.normal(size=(500, 20)), generator.normal(size=(500, 25))))
    assert y.std() == pytest.approx(math.sqrt(2 * 500 / 530), rel=0.1, abs=0.0)  # drawn: what such numbers of weights scatter by


@pytest.mark.parametrize(("make", "gates"), [(fn.rnn, 1), (fn.gru, 3), (fn.lstm, 4), (fn.peephole_lstm, 4)])
def test_recurrent_layers_start_as_in_keras(make: Any, gates: int) -> None:
    """The input's weights of all gates are drawn as one matrix; each gate's recurrent weights are a rotation."""
    params = make(64).init(fn.Key(0), (7, 48)).params
    # Drawn: what such numbers of weights scatter by.
    assert fan_gain(params.input_weight, (48 + gates * 64) / 2) == pytest.approx(1.0, rel=0.03, abs=0.0)
    for gate in np.split(params.recurrent_weight, gates, axis=1):
        np.testing.assert_allclose(gate.T @ gate, np.eye(64), atol=1e-12)


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (fn.attention(4), (9, 64)),
        (fn.cross_attention(4), ((9, 64), (5, 64))),
        (fn.attention_without_bias(4), (9, 64)),
        (fn.cross_attention_without_bias(4), ((9, 64), (5, 64))),
        (fn.encoder_block(64, 4), (9, 64)),
        (fn.decoder_block(64, 4), ((9, 64), (5, 64))),
        (fn.encoder_block_without_bias(64, 4), (9, 64)),
        (fn.decoder_block_without_bias(64, 4), ((9, 64), (5, 64))),
        (fn.maxout(64, 3), (64,)),
        (fn.separable_conv2d(64, 3), (9, 9, 64)),
    ],
)
def test_projections_of_larger_layers_have_their_own_fans(layer: Any, shapes: Any) -> None:
    params = layer.init(fn.Key(0), shapes).params
    found = [leaf for path, leaf in tree.walk(params) if path.endswith("weight") and leaf.ndim > 1]
    assert found
    for weight in found:
        fan = (weight.shape[-2] + weight.shape[-1]) / 2 if weight.ndim != 4 or weight.shape[0] == 1 else 9.0
        # Drawn: what such numbers of weights scatter by.
        assert fan_gain(weight, fan) == pytest.approx(1.0, rel=0.08, abs=0.0), weight.shape


@pytest.mark.parametrize(
    ("layer", "shape", "std"),
    [(fn.embedding(500, 64), (7,), 1.0), (fn.embedding_bag(500, 64), (7,), 1.0), (fn.learned_positions(300), (300, 64), 0.02)],
)
def test_tables_have_the_deviation_that_is_documented(layer: Any, shape: Shape, std: float) -> None:
    (table,) = tree.leaves(layer.init(fn.Key(0), shape).params)
    assert table.std() == pytest.approx(std, rel=0.03, abs=0.0)  # drawn: what such numbers of weights scatter by


# ---------------------------------------------------------------------------------------------- initializers of one's own


def test_shapes_that_know_their_fans_are_tuples() -> None:
    seen: list[Any] = []

    def mine(key: fn.Key, shape: Shape) -> Array:
        seen.append((shape, initializers.fans(shape)))
        return initializers.normal(0.1)(key, shape)

    fn.depthwise_conv2d(3, multiplier=2, weight_init=mine).init(fn.Key(0), (8, 8, 5))
    fn.conv2d(6, 3, groups=2, weight_init=mine).init(fn.Key(0), (8, 8, 4))
    fn.conv_transpose2d(6, 4, stride=2, weight_init=mine).init(fn.Key(0), (8, 8, 3))
    fn.conv2d(6, 3, weight_init=mine).init(fn.Key(0), (8, 8, 4))
    fn.dense(6, weight_init=mine).init(fn.Key(0), (4,))
    assert seen == [
        ((3, 3, 1, 10), (9, 18)),
        ((3, 3, 2, 6), (18, 27)),
        ((4, 4, 6, 3), (12, 24)),
        ((3, 3, 4, 6), (36, 54)),
        ((4, 6), (4, 6)),
    ]


def test_dirac_gives_the_input_back_in_every_convolution() -> None:
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 4))
    dirac = initializers.dirac()
    for layer in (
        fn.conv2d(4, 3, padding="same", weight_init=dirac),
        fn.conv2d(4, 3, padding="same", groups=2, weight_init=dirac),
        fn.depthwise_conv2d(3, padding="same", weight_init=dirac),
        fn.conv_transpose2d(4, 3, padding=1, weight_init=dirac),
    ):
        start = layer.init(fn.Key(0), (5, 5, 4))
        np.testing.assert_array_equal(fn.apply(layer, start.params, start.state, x), x)


@pytest.mark.parametrize("name", [name for name in GAINS if name != "orthogonal"])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (3, 3, 0, 4)])
def test_weights_without_numbers_are_drawn(name: str, shape: Shape) -> None:
    assert GAINS[name][0](fn.Key(0), shape).shape == shape
