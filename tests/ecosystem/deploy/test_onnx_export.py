"""Exported files against onnxruntime: every public layer, each in several settings, and every ready model."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.deploy.onnx.export import onnx_bytes
from tests.ecosystem.deploy import runtimes
from tests.sweeps.factories import CALLS, IMAGE, INNER, STEPS, Call

REFUSED = {
    "directional_derivatives": "know no derivatives",
    "laplacian": "know no derivatives",
    "input_gradient": "know no derivatives",
    "divergence": "know no derivatives",
    "fixed_point": "depends on the numbers",
    "dormand_prince": "depends on the numbers",
    "linear_cross_entropy": "it is a loss",
    "tied_cross_entropy": "it is a loss",
}
"""The layers that ONNX cannot express, and a part of the reason: docs/deploy.md has the same list."""

NO_DOUBLE_KERNEL = {"grid_sample", *[f"conv_transpose{n}d{end}" for n in (1, 2, 3) for end in ("", "_without_bias")]}
"""What neither onnxruntime nor the reference computes in double precision as the standard has it."""

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}
IDS, MASK = "tokens", "masked"
CAUSAL = fn.AttentionScores(scale=0.3, soft_cap=2.0, window=(2, 1))
STATE = ((5, 6), (3,))

OPTIONS: dict[str, tuple[Any, Any, str]] = {
    "prelu shared": (fn.prelu(shared=True), IMAGE, "array"),
    "prelu after convolution": (fn.conv2d(3, 3) >> fn.prelu(0.3), IMAGE, "array"),
    "elu(0.5)": (fn.elu(0.5), (6,), "array"),
    "celu(0.3)": (fn.celu(0.3), (6,), "array"),
    "softplus(2)": (fn.softplus(2.0), (6,), "array"),
    "softplus(2), straight": (fn.softplus(2.0, threshold=1.0), (6,), "array"),
    "hard_sigmoid(0.2)": (fn.hard_sigmoid(0.2, 0.4), (6,), "array"),
    "silu(2)": (fn.silu(2.0), (6,), "array"),
    "gelu(approximate)": (fn.gelu(approximate=True), (6,), "array"),
    "softmax over the first axis": (fn.softmax(1), STEPS, "array"),
    "sparsemax over the first axis": (fn.sparsemax(1), STEPS, "array"),
    "entmax15 over the first axis": (fn.entmax15(1), STEPS, "array"),
    "glu over the first axis": (fn.glu(1), (4, 3), "array"),
    "softmax of channels": (fn.conv2d(3, 3) >> fn.softmax(), IMAGE, "array"),
    "strided same convolution": (fn.conv2d(3, 3, stride=2, padding="same"), IMAGE, "array"),
    "padded dilated convolution": (fn.conv2d(4, 3, padding=((1, 2), (0, 1)), dilation=2), (9, 9, 2), "array"),
    "same transposed convolution": (fn.conv_transpose2d(3, 2, stride=3, padding="same"), IMAGE, "array"),
    "transposed convolution, dilated": (fn.conv_transpose2d(3, 2, dilation=3, output_padding=2), IMAGE, "array"),
    "norm after convolution": (fn.conv2d(4, 3) >> fn.batch_norm() >> fn.relu() >> fn.group_norm(2), IMAGE, "array"),
    "layer norm over two axes": (fn.layer_norm(last_axes=2), STEPS, "array"),
    "layer norm after convolution": (fn.conv2d(4, 3) >> fn.layer_norm() >> fn.instance_norm(), IMAGE, "array"),
    "dense after convolution": (fn.conv2d(4, 3) >> fn.dense(3) >> fn.flatten() >> fn.dense(2), IMAGE, "array"),
    "concatenated channels": (fn.concatenate(fn.conv2d(4, 3, padding=1), fn.conv2d(2, 1)) >> fn.max_pool2d(2), IMAGE, "array"),
    "residual convolution": (fn.residual(fn.conv2d(4, 3, padding="same")) >> fn.global_avg_pool(), IMAGE, "array"),
    "pool with a ceiling": (fn.max_pool2d(2, ceil_mode=True) >> fn.avg_pool2d(3, ceil_mode=True, padding=1), IMAGE, "array"),
    "average pool with padding": (fn.avg_pool2d(3, padding=1, count_include_pad=True, ceil_mode=True, stride=2), IMAGE, "array"),
    "average pool over five": (fn.avg_pool2d(3, divisor=5), IMAGE, "array"),
    "dilated pool": (fn.max_pool2d(2, stride=1, dilation=2), IMAGE, "array"),
    "adaptive pools of channels": (fn.conv2d(4, 2) >> fn.adaptive_avg_pool(4) >> fn.adaptive_max_pool((3, 2)), IMAGE, "array"),
    "unpooling": (fn.max_pool_with_indices((2, 2)) >> fn.on_values(fn.relu()) >> fn.max_unpool((6, 8)), (6, 8, 3), "array"),
    "reflected padding": (fn.pad(2, mode="reflect") >> fn.pad(1, mode="replicate") >> fn.pad(1, mode="circular"), IMAGE, "array"),
    "padding after convolution": (fn.conv2d(4, 2) >> fn.pad(((1, 0), (2, 1)), value=0.5), IMAGE, "array"),
    "nearest upsampling": (fn.upsample((2, 3)), IMAGE, "array"),
    "resizing by areas": (fn.resize((3, 11), mode="area"), IMAGE, "array"),
    "resizing, nearest": (fn.resize((3, 11), mode="nearest"), IMAGE, "array"),
    "sampled at the border": (fn.grid_sample(padding="border", align_corners=True), (IMAGE, (3, 5, 2)), "array"),
    "sampled by reflection": (fn.grid_sample(mode="nearest", padding="reflect"), (IMAGE, (4, 2)), "array"),
    "unfolding with strides": (fn.unfold((3, 3), stride=2, padding=1, dilation=2), IMAGE, "array"),
    "mean of real steps": (fn.mean_steps(masked=True), STEPS, MASK),
    "last real step": (fn.last_step(masked=True), STEPS, MASK),
    "masked batch norm": (fn.batch_norm(masked=True) >> fn.unmask(), STEPS, MASK),
    "rnn(relu)": (fn.rnn(3, activation="relu"), STEPS, "array"),
    "gru, reset before": (fn.gru(3, reset_after=False, final=True), STEPS, "array"),
    "rnn with states": (fn.rnn(3, initial=True, final=True), STATE, "array"),
    "lstm with states": (fn.lstm(3, initial=True, final=True), ((5, 6), ((3,), (3,))), "state of two"),
    "peephole lstm, final": (fn.peephole_lstm(3, final=True, peephole_init=fn.initializers.normal(0.5)), STEPS, "array"),
    "masked lstm": (fn.lstm(3, masked=True, final=True), STEPS, "holes"),
    "masked gru": (fn.gru(3, masked=True) >> fn.unmask(), STEPS, "holes"),
    "masked both ways": (fn.bidirectional(fn.gru(3, masked=True), fn.gru(3, masked=True)), STEPS, "holes"),
    "both ways with final states": (fn.bidirectional(fn.lstm(3, final=True), fn.lstm(3, final=True)), STEPS, "array"),
    "both ways with initial states": (
        fn.bidirectional(fn.gru(3, initial=True), fn.gru(3, initial=True)), (STEPS, ((3,), (3,))), "array state",
    ),
    "start of two states": (fn.trained_start(fn.lstm(3, initial=True), ((3,), (3,))), STEPS, "array"),
    "causal attention": (fn.attention(2, causal=True, positions=fn.Rotary(), scores=CAUSAL), (5, 8), "array"),
    "interleaved rotary": (fn.attention(2, positions=fn.Rotary(interleaved=True, features=2)), (5, 8), "array"),
    "yarn": (fn.attention(2, positions=fn.Rotary(scaling=fn.YarnScaling(4.0, 8))), (5, 8), "array"),
    "causal relative": (fn.attention(2, causal=True, positions="relative", max_distance=3), (5, 8), "array"),
    "masked attention": (fn.attention(2, masked=True, key_value_heads=1), STEPS, "holes"),
    "projected lstm, masked": (fn.projected_lstm(3, 2, masked=True, final=True), STEPS, "holes"),
    "projected lstm with states": (
        fn.projected_lstm(3, 2, initial=True, final=True), ((5, 6), ((2,), (3,))), "state of two",
    ),
    "convolutional lstm with states": (
        fn.conv_lstm(2, kernel=3, initial=True, final=True), ((3, 4, 5, 2), ((4, 5, 2), (4, 5, 2))), "state of two",
    ),
    "normalized queries, masked and rotated": (
        fn.qk_norm_attention(2, masked=True, positions=fn.Rotary(), key_value_heads=1), (5, 8), "holes",
    ),
    "one expert of three": (fn.mixture_of_experts(fn.dense(4) >> fn.relu(), 3, top_k=1), STEPS, "array"),
    "splines of degree 1, most inputs outside": (fn.spline(3, low=-0.2, high=0.3, degree=1), STEPS, "array"),
    "uneven windows of a line": (fn.fractional_max_pool_with_indices(3, 4), (9, 2), "array"),
    "heads that share keys": (fn.scaled_dot_product(causal=True, align="end"), ((4, 3, 6), (2, 5, 6), (2, 5, 4)), "array"),
    "timed equation": (
        fn.runge_kutta(fn.join_inputs() >> fn.dense(4) >> fn.tanh(), (0.1, 0.4), steps=2, method="heun", timed=True),
        (4,),
        "array",
    ),
    "padded words": (fn.embedding(5, 3, padding_index=0, masked=True), (4,), IDS),
    "bag of the largest": (fn.embedding_bag(5, 3, reduction="max", padding_index=0), (4,), IDS),
    "sum of a bag": (fn.embedding_bag(5, 3, reduction="sum"), (4,), IDS),
    "recomputed": (fn.recompute(INNER >> fn.relu()), (6,), "array"),
    "vae's encoder": (fn.branch(fn.dense(2), fn.dense(2)) >> fn.gaussian_sample(), (6,), "array"),
    "classified sequences": (
        fn.text_classifier(9, 3, features=8, layers=2, heads=2, padding_index=0), (6,), IDS,
    ),
    "gpt": (fn.gpt(9, layers=2, heads=2, features=8, context_length=6), (6,), IDS),
    "convnet": (fn.convnet(4, channels=(3, 5), depth=2), (8, 8, 2), "array"),
    "unet": (fn.unet(2, channels=(3, 4, 5)), (8, 8, 1), "array"),
}  # fmt: skip
"""Layers in other settings than those of the sweep: (layer, shape, kind of input)."""


def drawn(shape: Any, kind: str, dtype: Any) -> Any:
    """Return two examples."""
    if kind == "state of two":
        return Call({}, shape[0]).x(dtype), Call({}, shape[1], "state").x(dtype)
    if kind == "holes":
        made = Call({}, shape).x(dtype)
        return fn.Masked(made, np.array([[True, False, True, True, False], [False, True, True, False, True]])[:, : shape[0]])
    return Call({}, shape, kind).x(dtype)


def started(layer: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
    """Return parameters none of which is what it starts as, so that none can be left out, and the state."""
    start = layer.init(fn.Key(1), shape)
    generator = np.random.default_rng(3)
    params = tree.map(lambda leaf: leaf + 0.1 * generator.normal(size=leaf.shape), start.params)
    state = tree.map(
        lambda leaf: leaf + abs(0.1 * generator.normal(size=leaf.shape)) if leaf.dtype.kind == "f" else leaf, start.state
    )
    made: tuple[Any, Any] = tree.astype((params, state), dtype)
    return made


def compare(layer: Any, shape: Any, x: Any, dtype: Any) -> None:
    """Run a layer here, and its file there, on a batch three times as long as the one it was exported with."""
    params, state = started(layer, shape, dtype)
    content = onnx_bytes(layer, params, state, x, fn.deploy.Described())
    longer = tree.map(lambda leaf: np.concatenate([leaf, leaf[::-1], leaf]), x)
    wanted = runtimes.named(fn.apply(layer, params, state, longer), "output")
    got = runtimes.run(content, runtimes.named(longer, "input"), dtype)
    assert set(got) == set(wanted)
    for name, value in wanted.items():
        assert got[name].shape == value.shape
        size = np.abs(value).max() if value.dtype.kind == "f" else 0
        np.testing.assert_allclose(got[name], value, rtol=0, atol=TOLERANCE[dtype] * size)  # 1e-5 is single precision's


EXPRESSED = sorted(set(CALLS) - set(REFUSED))
CASES = [(name, np.float32) for name in EXPRESSED] + [(name, np.float64) for name in EXPRESSED if name not in NO_DOUBLE_KERNEL]


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_every_layer_gives_what_onnxruntime_gives(name: str, dtype: Any) -> None:
    call = CALLS[name]
    compare(call.make(getattr(fn, name)), call.shape, call.x(dtype), dtype)


@pytest.mark.parametrize("name", OPTIONS)
def test_settings_give_what_onnxruntime_gives(name: str) -> None:
    layer, shape, kind = OPTIONS[name]
    compare(layer, shape, drawn(shape, kind, np.float32), np.float32)


def test_edges_of_minus_one_are_none() -> None:
    layer = fn.graph_convolution(3)
    params, state = started(layer, ((4, 2), (3, 2)), np.float32)
    values = np.random.default_rng(0).normal(size=(2, 4, 2)).astype(np.float32)
    edges = np.array([[[0, 1], [-1, -1], [3, 1]], [[-1, -1], [1, 0], [2, 2]]])
    content = onnx_bytes(layer, params, state, (values, edges), fn.deploy.Described())
    got = runtimes.run_onnxruntime(content, {"input_0": values, "input_1": edges})["output"]
    np.testing.assert_allclose(got, fn.apply(layer, params, state, (values, edges)), rtol=1e-5, atol=1e-6)  # float32


def test_what_is_refused_is_a_public_layer() -> None:
    """That every public layer is in the table is seen to by the sweeps."""
    assert set(CALLS) >= set(REFUSED)
    assert set(CALLS) >= NO_DOUBLE_KERNEL


@pytest.mark.parametrize("name", REFUSED)
def test_layers_that_cannot_be_expressed_are_refused_with_their_path(name: str) -> None:
    call = CALLS[name]
    inner = call.make(getattr(fn, name))
    several = isinstance(call.shape[0], tuple)
    before: Any = fn.branch(*map(fn.pick_input, range(len(call.shape)))) if several else fn.identity()
    layer = before >> (before >> inner)
    start = layer.init(fn.Key(0), call.shape)
    with pytest.raises(fn.deploy.ExportError, match=REFUSED[name]) as caught:
        onnx_bytes(layer, start.params, start.state, call.x(np.float64), fn.deploy.Described())
    assert str(caught.value).startswith(f"layer [1][1] {inner.name} cannot be expressed in ONNX")


def test_nothing_is_transposed_between_convolutions() -> None:
    model = fn.lenet5()
    params, state = started(model, (28, 28, 1), np.float32)
    made = onnx.load_from_string(onnx_bytes(model, params, state, np.zeros((1, 28, 28, 1), np.float32), fn.deploy.Described()))
    kinds = [node.op_type for node in made.graph.node]
    assert kinds.count("Transpose") == 2  # into the first convolution, and where the channels are flattened
    assert kinds.count("Conv") == 2


def double() -> Any:
    def forward(factor: float, params: Any, state: Any, x: Any, mode: Any) -> Any:
        return fn.Forward(factor * x, state, ())

    def init(key: Any, shape: Any) -> Any:
        return fn.Init((), (), shape)

    return forward, fn.define_layer(
        "double", init, partial(forward, 2.0), lambda params, residuals, dy: fn.Backward(params, 2 * dy)
    )


def test_layers_of_ones_own_are_refused_and_translated() -> None:
    forward, own = double()
    model = fn.dense(3) >> own
    params, state = started(model, (4,), np.float32)
    x = np.ones((2, 4), np.float32)
    with pytest.raises(fn.deploy.ExportError, match=r"layer \[1\] double cannot .* translations="):
        onnx_bytes(model, params, state, x, fn.deploy.Described())

    def translation(g: Any, factor: float, params: Any, state: Any, x: Any) -> Any:
        return g.node("Mul", [x, g.number(factor)], x.shape)

    content = onnx_bytes(model, params, state, x, fn.deploy.Described(translations={forward: translation}))
    got = runtimes.run_onnxruntime(content, {"input": x})
    np.testing.assert_allclose(got["output"], fn.apply(model, params, state, x), rtol=1e-6)  # float32


PREPARATIONS: dict[str, Callable[[Any], Any]] = {
    "standardize": fn.data.fit_standardize,
    "min_max": lambda x: fn.data.fit_min_max(x, -1.0, 2.0),
    "whiten": fn.data.fit_whiten,
}


@pytest.mark.parametrize("name", PREPARATIONS)
def test_preparations_are_the_first_nodes(name: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(100, 5, (50, 4)).astype(np.float32)
    preparation = PREPARATIONS[name](x)
    model = fn.dense(3)
    params, state = started(model, (4,), np.float32)
    described = fn.deploy.Described(preparation=preparation, classes=("a", "b", "ü"))
    fn.deploy.export_onnx(tmp_path / "model.onnx", model, params, state, x, described=described)
    content = (tmp_path / "model.onnx").read_bytes()
    got = runtimes.run_onnxruntime(content, {"input": x})["output"]
    np.testing.assert_allclose(got, fn.apply(model, params, state, preparation.transform(x)), rtol=1e-4, atol=1e-4)  # float32
    assert json.loads({p.key: p.value for p in onnx.load_from_string(content).metadata_props}["classes"]) == ["a", "b", "ü"]


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"classes": ("a", "b")}, ValueError, "2 names of classes"),
        ({"classes": "abc"}, TypeError, "expected a sequence of names"),
        ({"preparation": 3}, TypeError, "preparation is 3, expected what fn.data.fit_standardize"),
    ],
)
def test_wrong_descriptions_are_refused(changes: Any, error: Any, said: str, tmp_path: Path) -> None:
    model = fn.dense(3)
    start = model.init(fn.Key(0), (4,))
    with pytest.raises(error, match=said):
        fn.deploy.export_onnx(
            tmp_path / "model.onnx", model, start.params, start.state, np.ones((1, 4)), described=fn.deploy.Described(**changes)
        )
    assert not (tmp_path / "model.onnx").exists()


def test_long_double_is_refused() -> None:
    model = fn.dense(3)
    start = model.init(fn.Key(0), (4,))
    params = tree.astype(start.params, np.longdouble)
    with pytest.raises(TypeError, match="ONNX has float32 and float64"):
        onnx_bytes(model, params, start.state, np.ones((1, 4), np.longdouble), fn.deploy.Described())


def test_without_the_package_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "import numpy as np, funcnn as fn\n"
        "start = fn.relu().init(fn.Key(0), (2,))\n"
        "fn.deploy.export_onnx('never.onnx', fn.relu(), start.params, start.state, np.ones((1, 2)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'funcnn[onnx]'" in done.stderr
