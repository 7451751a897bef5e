"""Gradients of single examples equal a loop over examples, for every layer and every loss."""

import pickle
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LAYERS, LOSSES, LayerCase, LossCase
from funcnn.certificate.subjects import start
from funcnn.curvature.output_gradients import leaves_beside
from funcnn.derivatives import apart
from funcnn.derivatives.apart import batch_size, example, example_mode
from funcnn.derivatives.complex_step import parts
from funcnn.derivatives.per_example import cotangents, example_target, forwards
from funcnn.derivatives.rules import form
from funcnn.derivatives.rules.square_sums import square_sum_of_columns
from funcnn.derivatives.rules.table import RULES, rule_of
from funcnn.layer import params_only
from funcnn.losses.batch_rule import is_batchwise

MODES = (fn.Train(fn.Key(5)), fn.Eval())


def cubic_slope(output: Any) -> Any:
    """Return the gradient of the sum of w (y^3 / 6 + y^2 / 2), with weights that differ within an example."""
    return tree.map_cotangents(slope, output)


def slope(leaf: Any) -> Any:
    return weights(leaf) * (leaf * leaf / 2 + leaf) if leaf.dtype.kind in "fc" else None


def weights(leaf: Any) -> Any:
    return np.cos(np.arange(leaf[:1].size)).reshape(leaf.shape[1:])


def cubic_forward(output: Any, target: Any) -> Any:
    value: Any = sum(
        ((weights(y) * (y**3 / 6 + y * y / 2)).sum() for y in tree.leaves(output) if y.dtype.kind in "fc"), np.zeros(())
    )
    return fn.LossForward(value, output)


CUBIC: Any = fn.define_loss("cubic", cubic_forward, cubic_slope, reduction="sum")


def small_cases(name: str) -> Iterator[tuple[LayerCase, Any]]:
    """Yield the cases of a layer, in alternating modes; large ones have smaller ones beside them."""
    for index, case in enumerate(LAYERS[name]):
        if case.method != "screen":
            yield case, MODES[index % 2]


def looped(layer: Any, at: Any, mode: Any) -> list[Any]:
    """Return the gradient of each example, by itself."""
    params, state, x = at
    found = []
    for index in range(batch_size(x)):
        made = layer.forward(params, state, example(x, index), example_mode(mode, index))
        found.append(layer.backward(params, made.residuals, cubic_slope(made.output)).params)
    return found


def near(one: Any, other: Any, rtol: float = 1e-12) -> None:
    for a, b in zip(parts(one), parts(other), strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * (np.abs(b).max() if b.size else 1))


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_equals_the_loop(name: str) -> None:
    for case, mode in small_cases(name):
        check_layer(case, mode)


def check_layer(case: LayerCase, mode: Any) -> None:
    layer = case.make()
    params, state = start(case, layer)
    at = params, state, case.x()
    if not case.independent and isinstance(mode, fn.Train):
        with pytest.raises(ValueError, match=r"sums over the batch .as batch_norm"):
            fn.per_example_grads(layer, CUBIC)(*at, (), mode)
        return
    loop = looped(layer, at, mode)
    found = fn.per_example_grads(layer, CUBIC)(*at, (), mode)
    near(found, tree.map_cotangents(lambda *leaves: np.stack(leaves), *loop))
    summed = apart.apart(layer, "square sums")
    network, doutput = forwards(summed, CUBIC, (*at, ()), mode)
    taken = leaves_beside(params, params_only(summed, params, network.residuals, doutput).params)
    expected = parts(tree.map_cotangents(sum_of_squares, *loop))
    sums = [None if b is None else square_sum_of_columns([a]).reshape(b.shape) for a, b in zip(taken, expected, strict=True)]
    near(tuple(sums), tuple(expected))
    norms = np.array([np.sqrt(sum((leaf**2).sum() for leaf in parts(one) if leaf is not None)) for one in loop])
    np.testing.assert_allclose(fn.per_example_norms(layer, CUBIC)(*at, (), mode), norms, rtol=1e-12, atol=1e-13)
    bound = float(np.median(norms)) or 1.0
    clipped = fn.clipped_grads(layer, CUBIC, bound)(*at, (), mode)
    factors = np.minimum(1, bound / np.maximum(norms, 1e-300))
    near(clipped.grads, tree.map_cotangents(lambda *leaves: np.tensordot(factors, np.stack(leaves), 1), *loop))


@pytest.mark.parametrize(
    "layer",
    [
        fn.einsum_dense("stc,cd->tsd", {"d": 4}),
        fn.einsum_dense("stc,tcd->sd", {"d": 4}),
        fn.einsum_dense("stc,cst->", {}),
        fn.einsum_dense("stc,ud->stcud", {"u": 2, "d": 3}),
        fn.einsum_dense("stc,tcd->std", {"d": 4}),
        fn.einsum_dense("stc,dc->std", {"d": 4}),
        fn.lora(fn.frozen(fn.dense(4)), 2),
        fn.lora(fn.dense(4) >> fn.dropout(0.5), 2),
        fn.lora(fn.weight_norm(fn.dense(4)), 2),
        fn.weight_norm(fn.conv1d(4, 2)),
        fn.runge_kutta(fn.dense(3) >> fn.tanh(), (0.5, 1.0), steps=2),
        fn.runge_kutta(fn.dense(3) >> fn.tanh(), steps=3, adjoint="continuous"),
        fn.weight_norm(fn.dense(4), axis=-2),
        fn.spectral_norm(fn.conv1d(4, 2)),
        fn.spectral_norm(fn.dense(4), axis=-2),
    ],
    ids=lambda layer: layer.name,
)
@pytest.mark.parametrize("count", [1, 4])
def test_layers_in_others_and_letters_in_every_order_equal_the_loop(layer: Any, count: int) -> None:
    def drawn() -> Any:
        return np.random.default_rng(3).normal(size=(count, 3, 2, 3)[: 3 if "conv1d" in layer.name else 4])

    made = layer.init(fn.Key(2), drawn().shape[1:])
    params = tree.map(lambda leaf: leaf + 0.1 * np.cos(np.arange(leaf.size)).reshape(leaf.shape), made.params)
    for mode in MODES:
        at = params, made.state, drawn()
        loop = looped(layer, at, mode)
        found = fn.per_example_grads(layer, CUBIC)(*at, (), mode)
        near(found, tree.map_cotangents(lambda *leaves: np.stack(leaves), *loop))
        norms = [np.sqrt(sum((leaf**2).sum() for leaf in parts(one) if leaf is not None)) for one in loop]
        np.testing.assert_allclose(fn.per_example_norms(layer, CUBIC)(*at, (), mode), norms, rtol=1e-12)
        clipped = fn.clipped_grads(layer, CUBIC, 0.5)(*at, (), mode).grads
        factors = np.minimum(1, 0.5 / np.array(norms))
        near(clipped, tree.map_cotangents(partial(weighted_sum, factors), *loop))


def sum_of_squares(*leaves: Any) -> Any:
    return sum(leaf * leaf for leaf in leaves)


def weighted_sum(factors: Any, *leaves: Any) -> Any:
    return np.tensordot(factors, np.stack(leaves), 1)


@pytest.mark.parametrize("name", [name for name, cases in LOSSES.items() if not is_batchwise(cases[0].make())])
def test_every_loss_equals_the_loop(name: str) -> None:
    for case in LOSSES[name]:
        check_loss(case)


def check_loss(case: LossCase) -> None:
    loss = case.make()
    prediction, target = case.draw(np.random.default_rng(1), 4)
    found = cotangents(loss, prediction, target)
    for index in range(4):
        own = example_target(target, index)
        if loss.mass is not None and loss.reduction == "mean" and loss.mass(own) == 0:
            wanted = tree.map(np.zeros_like, example(prediction, index))
        else:
            wanted = loss.backward(loss.forward(example(prediction, index), own).residuals)
        near(example(found, index), wanted, 1e-13)


TOGETHER = {
    "dense", "linear", "bilinear", "maxout", "prelu", "scale", "conv2d", "conv_transpose2d", "depthwise_conv2d",
    "separable_conv2d", "layer_norm", "group_norm", "instance_norm", "rms_norm", "embedding", "embedding_bag",
    "learned_positions", "tied_embedding", "rnn", "lstm", "peephole_lstm", "gru", "trained_start", "bidirectional",
    "recurrent_stack", "attention", "attention_without_bias", "attention_without_output_bias", "cross_attention",
    "encoder_block", "encoder_block_without_bias", "decoder_block_without_bias",
    "decoder_block", "masked_steps", "rnn_cell", "lstm_cell", "gru_cell", "lora", "einsum_dense",
    "recompute", "frozen", "stop_gradient", "mlp", "lenet5", "autoencoder", "vae", "char_rnn", "text_classifier", "gpt",
}  # fmt: skip
"""Layers whose examples are kept apart in one backward of the batch."""


def test_few_layers_run_one_example_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as those whose weights are made of others or seen twice, or that iterate."""
    taken = []

    def noted(values: Any, index: int) -> Any:
        taken.append(index)
        return example(values, index)

    monkeypatch.setattr(apart, "example", noted)
    alone = set()
    for name in sorted({*TOGETHER & set(LAYERS), "weight_norm", "shared", "fixed_point"}):
        for case in LAYERS[name]:
            if case.method != "screen":
                layer = case.make()
                params, state = start(case, layer)
                if name == "batch_norm_without_statistics":
                    with pytest.raises(ValueError, match="normalizes by the batch"):
                        fn.per_example_norms(layer, CUBIC)(params, state, case.x(), (), fn.Eval())
                    continue
                fn.per_example_norms(layer, CUBIC)(params, state, case.x(), (), fn.Eval())
        alone |= {name} if taken else set()
        taken.clear()
    assert TOGETHER & alone == set()
    assert {"weight_norm", "shared", "fixed_point"} <= alone


def test_gradients_of_layers_that_norms_take_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their gradients come from one backward, and norms do not follow from the norms of what they are made of."""
    taken = []

    def noted(values: Any, index: int) -> Any:
        taken.append(index)
        return example(values, index)

    monkeypatch.setattr(apart, "example", noted)
    layers: tuple[Any, ...] = fn.weight_norm(fn.dense(3)), fn.spectral_norm(fn.dense(3)), fn.runge_kutta(fn.dense(3))
    for layer in layers:
        made = layer.init(fn.Key(0), (3,))
        fn.per_example_grads(layer, CUBIC)(made.params, made.state, np.ones((2, 3)), (), fn.Eval())
        assert not taken
        fn.per_example_norms(layer, CUBIC)(made.params, made.state, np.ones((2, 3)), (), fn.Eval())
        assert taken
        taken.clear()


def test_every_rule_is_used_by_a_case() -> None:
    used = {rule_of(case.make()) for cases in LAYERS.values() for case in cases if case.method != "screen"} - {None}
    assert used == set(RULES.values())


MODEL = fn.embedding(9, 4) >> fn.flatten() >> fn.layer_norm() >> fn.dropout(0.5) >> fn.dense(3) >> fn.tanh() >> fn.dense(2)
LOSS = fn.softmax_cross_entropy()
START = MODEL.init(fn.Key(0), (5,))
TOKENS, LABELS = np.random.default_rng(0).integers(0, 9, (6, 5)), np.array([0, 1, 1, 0, 1, 0])


def test_parts_that_learn_nothing() -> None:
    """Their examples stay independent in training, and their gradients are 0."""
    model = fn.frozen(fn.dense(3) >> fn.batch_norm()) >> fn.stop_gradient(fn.dense(4)) >> fn.dense(2)
    made = model.init(fn.Key(0), (3,))
    at = made.params, made.state, np.arange(12.0).reshape(4, 3), LABELS[:4]
    grads = fn.per_example_grads(model, LOSS)(*at, MODES[0])
    assert not any(leaf.any() for part in grads[:2] for leaf in tree.leaves(part))
    for own, leaf in zip(tree.leaves(grads), tree.leaves(made.params), strict=True):
        assert own.shape == (4, *leaf.shape)
    norms = np.sqrt(sum((leaf**2).reshape(4, -1).sum(1) for leaf in tree.leaves(grads[2])))
    np.testing.assert_allclose(fn.per_example_norms(model, LOSS)(*at, MODES[0]), norms)


def test_they_sum_to_the_gradient_of_the_batch() -> None:
    at = START.params, START.state, TOKENS, LABELS
    for mode in MODES:
        mean = fn.loss_and_grad(MODEL, LOSS)(*at, mode).grads
        near(tree.map(lambda leaf: leaf.mean(0), fn.per_example_grads(MODEL, LOSS)(*at, mode)), mean)
        norms = fn.per_example_norms(MODEL, LOSS)(*at, mode)
        whole = fn.clipped_grads(MODEL, LOSS, 2 * float(norms.max()))(*at, mode)
        near(tree.map(lambda leaf: leaf / 6, whole.grads), mean)
        np.testing.assert_allclose(whole.norms, norms)


def test_float32_and_sizes_of_batches() -> None:
    params = tree.astype(START.params, np.float32)
    for size in (0, 1, 6):
        at = params, START.state, TOKENS[:size], LABELS[:size]
        grads = fn.per_example_grads(MODEL, LOSS)(*at, MODES[0])
        for own, leaf in zip(tree.leaves(grads), tree.leaves(params), strict=True):
            assert (own.shape, own.dtype) == ((size, *leaf.shape), leaf.dtype)
        norms = fn.per_example_norms(MODEL, LOSS)(*at, MODES[0])
        assert (norms.shape, norms.dtype) == ((size,), np.dtype(np.float32))


def test_rows_that_count_for_nothing_have_no_gradient() -> None:
    target = fn.Weighted(LABELS, np.array([1.0, 0.0, 2.0, 1.0, 0.0, 1.0]))
    grads = fn.per_example_grads(MODEL, LOSS)(START.params, START.state, TOKENS, target, fn.Eval())
    plain = fn.per_example_grads(MODEL, LOSS)(START.params, START.state, TOKENS, LABELS, fn.Eval())
    counts = np.array([1.0, 0, 1, 1, 0, 1])  # in a mean over one row its weight cancels
    near(grads, tree.map(lambda leaf: leaf * counts.reshape(-1, *(1,) * (leaf.ndim - 1)), plain))


def test_a_layer_of_ones_own_is_run_for_each_example_alone() -> None:
    centred: Any = fn.define_layer(
        "centred",
        lambda key, shape: fn.Init((), (), shape),
        lambda params, state, x, mode: fn.Forward(x - x.mean(0), state, ()),
        lambda params, residuals, dy: fn.Backward(params, dy - dy.mean(0)),
        random=False,
    )
    model: Any = fn.dense(2) >> centred
    made = model.init(fn.Key(0), (3,))
    grads = fn.per_example_grads(model, fn.mean_squared_error())(made.params, made.state, np.eye(3), np.ones((3, 2)), fn.Eval())
    assert not any(leaf.any() for leaf in tree.leaves(grads))  # each example minus its own mean is 0


def test_dependent_examples_are_refused_by_name() -> None:
    model = fn.dense(3) >> fn.serial(fn.batch_norm(), fn.relu())
    made = model.init(fn.Key(0), (3,))
    at = made.params, made.state, np.eye(3), np.ones((3, 3))
    for product in (fn.per_example_grads, fn.per_example_norms):
        with pytest.raises(ValueError, match=r"sums over the batch") as caught:
            product(model, fn.mean_squared_error())(*at, fn.Train(fn.Key(0)))
        assert "[1][0] batch_norm" in caught.value.__notes__[0]
    with pytest.raises(ValueError, match=r"info_nce\(0.1\) compares the examples"):
        fn.per_example_grads(fn.branch(fn.dense(2), fn.dense(2)), fn.info_nce())


def test_wrong_arguments_and_pickles() -> None:
    made = fn.per_example_grads(MODEL, LOSS)
    assert pickle.loads(pickle.dumps(made)) == made == fn.per_example_grads(MODEL, LOSS)
    with pytest.raises(TypeError, match="expected a layer"):
        fn.per_example_norms(fn.dense, LOSS)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match="expected a loss"):
        fn.per_example_norms(MODEL, fn.mean_squared_error)  # type: ignore[arg-type]  # on purpose
    for wrong in (0.0, -1.0, np.inf):
        with pytest.raises(ValueError, match="max_norm"):
            fn.clipped_grads(MODEL, LOSS, wrong)
    pair: Any = fn.add_inputs()
    with pytest.raises(ValueError, match=r"x\[0\]: 3, x\[1\]: 2"):
        fn.per_example_grads(pair, CUBIC)((), (), (np.eye(3), np.eye(3)[:2]), (), fn.Eval())


@pytest.mark.parametrize("size", [0, 1 << 20])
def test_small_and_large_images_have_the_same_gradients(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of a small image are one matrix, those of a large one are taken in parts."""
    layer = fn.conv2d(3, (3, 2), stride=(2, 1), padding="same", dilation=(1, 2))
    made = layer.init(fn.Key(0), (7, 6, 2))
    at = made.params, made.state, np.random.default_rng(0).normal(size=(3, 7, 6, 2))
    monkeypatch.setattr(form, "BLOCK_BYTES", size)
    found = fn.per_example_grads(layer, CUBIC)(*at, (), fn.Eval())
    near(found, tree.map_cotangents(lambda *leaves: np.stack(leaves), *looped(layer, at, fn.Eval())))
