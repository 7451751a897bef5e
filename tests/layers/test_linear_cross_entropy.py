"""The cross-entropy of a linear layer, block by block: against the two in one, slow loops, and bytes that are counted."""

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.layers.linear.linear import LinearParams

PRECISIONS = (np.float32, np.float64, np.longdouble)


def draw(rows: Any, features: int, vocabulary: int, dtype: Any = np.float64, scale: float = 1.0) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(1)
    x = scale * rng.normal(size=(*rows, features))
    weight = rng.normal(size=(features, vocabulary))
    return x.astype(dtype), LinearParams(weight.astype(dtype)), rng.integers(0, vocabulary, rows)


def streamed(layer: Any, params: Any, x: Any, labels: Any, dy: Any) -> tuple[Any, Any, Any]:
    """Return the losses, and the gradients of the features and of the weight."""
    made = layer.forward(params, (), (x, labels), fn.Eval())
    back = layer.backward(params, made.residuals, dy)
    assert back.input[1] is None
    return made.output, back.input[0], back.params.weight


def whole(params: Any, x: Any, labels: Any, dy: Any, **options: Any) -> tuple[Any, Any, Any]:
    """Return the same of ``linear`` and ``softmax_cross_entropy``, which make all logits."""
    layer, each = fn.linear(params.weight.shape[1]), fn.per_example_losses(fn.softmax_cross_entropy(**options))
    made = layer.forward(params, (), x, fn.Eval())
    lost = each.forward(made.output, labels)
    back = layer.backward(params, made.residuals, each.backward(lost.residuals, dy))
    return lost.losses, back.input, back.params.weight


def agree(got: Any, want: Any, dtype: Any) -> None:
    unit = float(np.finfo(dtype).eps)
    for one, other in zip(got, want, strict=True):
        assert one.dtype == other.dtype == dtype
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=200 * unit, atol=200 * unit * float(np.abs(other).max()))


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.25])  # the share of each of 16 classes is exact in all precisions
@pytest.mark.parametrize("block_size", [1, 3, 16, 17, 1000])
def test_it_is_the_linear_layer_and_the_cross_entropy(dtype: Any, smoothing: float, block_size: int) -> None:
    x, params, labels = draw((4, 3), 5, 16, dtype)
    dy = np.random.default_rng(2).normal(size=(4, 3)).astype(dtype)
    layer = fn.linear_cross_entropy(16, label_smoothing=smoothing, block_size=block_size)
    agree(streamed(layer, params, x, labels, dy), whole(params, x, labels, dy, label_smoothing=smoothing), dtype)


def test_the_losses_of_a_slow_loop() -> None:
    x, params, labels = draw((3,), 2, 4)
    got = fn.apply(fn.linear_cross_entropy(4, label_smoothing=0.2, block_size=3), params, (), (x, labels))
    for row, label, value in zip(x.tolist(), labels.tolist(), got.tolist(), strict=True):
        logits = [math.fsum(a * w for a, w in zip(row, column, strict=True)) for column in params.weight.T.tolist()]
        log_sum = math.log(math.fsum(math.exp(z) for z in logits))
        target = [0.8 * (c == label) + 0.2 / 4 for c in range(4)]
        assert value == pytest.approx(
            math.fsum(q * (log_sum - z) for q, z in zip(target, logits, strict=True)), rel=1e-13, abs=0.0
        )


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_logits_of_ten_thousands(dtype: Any, order: int, smoothing: float) -> None:
    """The largest logit may come with the first block or with the last."""
    params = LinearParams(np.array([[1e4, 0.0, -1e4, 9.9e3, -5e3][::order]], dtype))
    x, labels, dy = np.ones((5, 1), dtype), np.arange(5), np.ones(5, dtype)
    layer = fn.linear_cross_entropy(5, label_smoothing=smoothing, block_size=2)
    agree(streamed(layer, params, x, labels, dy), whole(params, x, labels, dy, label_smoothing=smoothing), dtype)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("block_size", [1, 2, 9])
def test_a_row_that_is_certain_keeps_the_digits_of_its_loss(dtype: Any, block_size: int) -> None:
    """The other class has e^-60, which beside 1 is nothing in any precision."""
    params = LinearParams(np.array([[60.0, 0.0]], dtype))
    layer = fn.linear_cross_entropy(2, block_size=block_size)
    loss, _, dweight = streamed(layer, params, np.ones((1, 1), dtype), np.array([0]), np.ones(1, dtype))
    small = np.exp(dtype(-60))
    np.testing.assert_allclose(loss, [small], rtol=8 * float(np.finfo(dtype).eps))
    np.testing.assert_allclose(dweight, [[-small, small]], rtol=8 * float(np.finfo(dtype).eps))


def test_a_vocabulary_of_one_has_nothing_to_learn() -> None:
    x, params, labels = draw((3,), 2, 1)
    for smoothing in (0.0, 0.5):
        layer = fn.linear_cross_entropy(1, label_smoothing=smoothing)
        for part in streamed(layer, params, x, labels, np.ones(3)):
            assert not part.any()


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
@pytest.mark.parametrize("ignored", [-100, 2, 99])
def test_ignored_places_are_never_looked_at(ignored: int, smoothing: float) -> None:
    x, params, labels = draw((4, 3), 5, 7)
    labels[0] = labels[2, 1] = ignored
    left_out = labels == ignored
    x[left_out] = np.nan
    dy = np.random.default_rng(3).normal(size=labels.shape)
    layer = fn.linear_cross_entropy(7, ignore_index=ignored, label_smoothing=smoothing, block_size=4)
    losses, dx, dweight = streamed(layer, params, x, labels, dy)
    assert not losses[left_out].any()
    assert not dx[left_out].any()
    kept = ~left_out
    want = whole(params, x[kept], labels[kept], dy[kept], label_smoothing=smoothing)
    agree((losses[kept], dx[kept], dweight), want, np.float64)


def test_nothing_but_ignored_places_is_a_loss_of_nothing() -> None:
    x, params, labels = draw((2, 3), 4, 5)
    layer = fn.linear_cross_entropy(5, ignore_index=-1)
    for part in streamed(layer, params, x, np.full_like(labels, -1), np.ones((2, 3))):
        assert part.size
        assert not part.any()


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint64, np.int64])
def test_labels_of_any_integers(kind: Any) -> None:
    x, params, labels = draw((6,), 3, 100)
    layer = fn.linear_cross_entropy(100, block_size=30)
    assert tree.same(fn.apply(layer, params, (), (x, labels)), fn.apply(layer, params, (), (x, labels.astype(kind))))


def test_a_weight_that_is_a_transposed_table() -> None:
    x, params, labels = draw((6,), 3, 10)
    turned = LinearParams(np.asfortranarray(params.weight))
    layer, dy = fn.linear_cross_entropy(10, block_size=4), np.ones(6)
    agree(streamed(layer, turned, x, labels, dy), streamed(layer, params, x, labels, dy), np.float64)


def peak(run: Any) -> int:
    """Return the most bytes that a function has allocated at a time."""
    run()  # what is made once and kept
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_logits_are_never_stored() -> None:
    """Beside the gradients there are about two blocks: far from the logits of the two layers, and their gradient."""
    rows, features, vocabulary, block_size = 256, 8, 20_000, 256
    x, params, labels = draw((rows,), features, vocabulary, np.float32)
    dy = np.ones(rows, np.float32)
    layer = fn.linear_cross_entropy(vocabulary, block_size=block_size)
    gradients, block, logits = params.weight.nbytes + x.nbytes, 4 * rows * block_size, 4 * rows * vocabulary
    used = peak(lambda: streamed(layer, params, x, labels, dy))
    assert used < gradients + 2.5 * block
    assert peak(lambda: whole(params, x, labels, dy)) > 2 * logits
    assert peak(lambda: layer.forward(params, (), (x, labels), fn.Eval())) < 2.5 * block
    wider = fn.linear_cross_entropy(vocabulary, block_size=vocabulary)
    assert peak(lambda: streamed(wider, params, x, labels, dy)) > logits


def test_a_language_model_learns_with_it_and_reads_logits_with_its_parameters() -> None:
    """The labels go beside the tokens; the parameters are those of the network with ``linear``."""
    vocabulary, body = 7, fn.embedding(7, 5) >> fn.layer_norm()
    network: Any = fn.beside_memory(body) >> fn.linear_cross_entropy(vocabulary, ignore_index=-1, block_size=3)
    tokens = np.arange(40).reshape(8, 5) % vocabulary
    labels = (tokens + 1) % vocabulary
    labels[:, -1] = -1
    start = network.init(fn.Key(0), ((5,), (5,)))
    counted = fn.Weighted((), labels != -1)
    taken = fn.loss_and_grad(network, fn.given_losses())(start.params, start.state, (tokens, labels), counted, fn.Eval())
    plain: Any = fn.serial(body, fn.linear(vocabulary))
    entropy = fn.softmax_cross_entropy(ignore_index=-1)
    other = fn.loss_and_grad(plain, entropy)(start.params, start.state, tokens, labels, fn.Eval())
    np.testing.assert_allclose(taken.loss, other.loss, rtol=1e-14)
    for one, want in zip(tree.leaves(taken.grads), tree.leaves(other.grads), strict=True):
        np.testing.assert_allclose(one, want, rtol=1e-11, atol=1e-14)


def test_fit_trains_on_tokens_and_labels_and_the_plain_network_tells_what_was_learned() -> None:
    body = fn.embedding(7, 8)
    network: Any = fn.beside_memory(body) >> fn.linear_cross_entropy(7, ignore_index=-1, block_size=3)
    tokens = np.arange(64 * 5).reshape(64, 5) % 7
    labels = (tokens + 3) % 7
    labels[:, 2] = -1
    target = fn.Weighted((), labels != -1)
    done = fn.fit(network, fn.given_losses(), fn.adam(0.05), (tokens, labels), target, key=fn.Key(0), epochs=8, batch_size=16)
    logits = fn.apply(fn.serial(body, fn.linear(7)), done.params, done.state, tokens)
    np.testing.assert_array_equal(logits.argmax(-1), (tokens + 3) % 7)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"vocabulary": 0}, ValueError, "vocabulary is 0"),
        ({"block_size": 0}, ValueError, "block_size is 0"),
        ({"block_size": 2.5}, TypeError, "block_size is 2.5"),
        ({"label_smoothing": 1.0}, ValueError, "label_smoothing is 1.0"),
        ({"ignore_index": 0.5}, TypeError, "ignore_index is 0.5"),
        ({"weight_init": 3}, TypeError, "weight_init"),
    ],
)
def test_settings_out_of_range(options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        fn.linear_cross_entropy(**{"vocabulary": 4, **options})


X, LABELS = np.zeros((2, 3)), np.array([0, 1])


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (X, TypeError, r"the input is float64\[2, 3\], expected a pair \(features, labels\)"),
        ((X, [0, 1]), TypeError, r"the labels, input \[1\] is list, expected an array of integers"),
        ((X, np.array([0.0, 1.0])), TypeError, "expected an array of integers: use .astype"),
        ((X, np.array([[0], [1]])), ValueError, r"have shape \(2, 1\), expected \(2,\)"),
        ((X, np.array([0, 4])), ValueError, r"a label is 4 at place \[1\], expected one in 0..3, or -1, which is ignored"),
        ((X, np.array([-2, 1])), ValueError, r"a label is -2 at place \[0\]"),
        ((X[:, :2], LABELS), ValueError, "2"),
        ((X.astype(int), LABELS), TypeError, r"the features, input \[0\]"),
    ],
)
def test_inputs_that_do_not_fit(x: Any, error: Any, message: str) -> None:
    layer: Any = fn.linear_cross_entropy(4, ignore_index=-1)
    params = layer.init(fn.Key(0), ((3,), ())).params
    with pytest.raises(error, match=message):
        fn.apply(layer, params, (), x)


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="features, and a label for each"):
        fn.linear_cross_entropy(4).init(fn.Key(0), ((5, 3), (4,)))
