"""The gradient cases: one entry or more for every public factory of layers and losses.

``tests/test_gradients.py`` walks the package, finds every factory and looks it up here; a factory without a case is a failing
test.  To add one, an entry under the factory's name: how to make it, the shape of one example, and, where the formula has
kinks or switches,
inputs that visit every branch (the checker knows what to do at a kink; a case that never reaches a branch would prove
nothing about it).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn.layer import AnyLayer
from funcnn.typing import Array, IntArray, Shape


def normal(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw standard normal inputs."""
    return generator.normal(size=shape)


def normals(generator: np.random.Generator, shape: Any) -> tuple[Array, ...]:
    """Draw one standard normal input for each of several shapes."""
    batch, *shapes = shape
    return tuple(generator.normal(size=(batch, *one)) for one in shapes)


def wide(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw inputs of standard deviation 3: both tails and the middle of every activation."""
    return generator.normal(scale=3.0, size=shape)


def masked(generator: np.random.Generator, shape: Shape) -> fn.Masked:
    """Draw sequences, with masks that end early, start late, have a hole, and one that hides all."""
    mask = generator.random(shape[:2]) < 0.7
    mask[:1] = False
    return fn.Masked(generator.normal(size=shape), mask)


def with_state(generator: np.random.Generator, shape: Any) -> Any:
    """Draw sequences and the initial state of a recurrent layer."""
    batch, sequence, state = shape
    return generator.normal(size=(batch, *sequence)), drawn_state(generator, batch, state)


def masked_with_state(generator: np.random.Generator, shape: Any) -> Any:
    """Draw masked sequences and the initial state of a recurrent layer."""
    batch, sequence, state = shape
    return masked(generator, (batch, *sequence)), drawn_state(generator, batch, state)


def drawn_state(generator: np.random.Generator, batch: int, state: Any) -> Any:
    """Draw an initial state of one part or several."""
    if isinstance(state[0], tuple):
        return tuple(generator.normal(size=(batch, *part)) for part in state)
    return generator.normal(size=(batch, *state))


def tied(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw small integers: many entries are equal."""
    return generator.integers(0, 3, size=shape).astype(float)


def kinked(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw small integers of both signs: a third are exactly 0."""
    return generator.integers(-1, 2, size=shape).astype(float)


def saturating(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw inputs of standard deviation 30: nearly all are far out in a tail."""
    return generator.normal(scale=30.0, size=shape)


def shifted(generator: np.random.Generator, shape: Shape) -> Array:
    """Draw inputs with a mean of a thousand times their standard deviation."""
    return generator.normal(100.0, 0.1, size=shape)


@frozen
class LayerCase:
    """How one setting of a layer is tested.

    ``independent`` says that each example of a batch is treated alone (not so for batch statistics); ``inputs`` draws
    x; ``smooth`` says that they are not at a kink, where a complex step takes one side.
    """

    make: Callable[[], AnyLayer]
    shape: Any  # of one example; a tuple of shapes where the layer takes several inputs
    batch: int = 3
    inputs: Callable[[np.random.Generator, Shape], Any] = normal
    independent: bool = True
    smooth: bool = True
    label: str = ""

    def x(self, batch: int | None = None, seed: int = 0) -> Any:
        """Draw a batch of inputs."""
        return self.inputs(np.random.default_rng([seed, 1]), (self.batch if batch is None else batch, *self.shape))


@frozen
class LossCase:
    """How one setting of a loss is tested: ``draw`` gives (prediction, target) for a generator and a batch size."""

    make: Callable[[], fn.Loss[Any, Any]]
    draw: Callable[[np.random.Generator, int], tuple[Any, Any]]
    batch: int = 3
    label: str = ""


def activation(
    make: Callable[[], AnyLayer], label: str = "", inputs: Callable[[np.random.Generator, Shape], Array] = wide
) -> LayerCase:
    """Make the case of an elementwise layer."""
    return LayerCase(make, (5,), batch=4, inputs=inputs, smooth=inputs is not kinked, label=label)


LAYERS: dict[str, tuple[LayerCase, ...]] = {
    # layers
    "dense": (LayerCase(lambda: fn.dense(3), (4,)), LayerCase(lambda: fn.dense(2), (3, 5), label="sequence")),
    "linear": (LayerCase(lambda: fn.linear(3), (4,)), LayerCase(lambda: fn.linear(2), (3, 5), label="sequence")),
    "flatten": (LayerCase(lambda: fn.flatten(), (2, 3)),),
    "reshape": (LayerCase(lambda: fn.reshape((3, -1)), (2, 6)), LayerCase(lambda: fn.reshape((6,)), (2, 3), label="flat")),
    "dropout": (LayerCase(lambda: fn.dropout(0.4), (6,)), LayerCase(lambda: fn.dropout(0.0), (6,), label="none")),
    "layer_norm": (
        LayerCase(lambda: fn.layer_norm(), (5,)),
        LayerCase(lambda: fn.layer_norm(eps=0.5), (2, 4), label="sequence, large eps"),
        LayerCase(lambda: fn.layer_norm(), (6,), inputs=shifted, label="offset"),
    ),
    "batch_norm": (
        LayerCase(lambda: fn.batch_norm(), (3,), batch=5, independent=False),
        LayerCase(lambda: fn.batch_norm(momentum=None, eps=0.5), (2, 3), independent=False, label="sequence, large eps"),
        LayerCase(lambda: fn.batch_norm(), (2, 2, 3), batch=2, independent=False, label="images"),
        LayerCase(lambda: fn.batch_norm(), (3,), batch=5, inputs=shifted, independent=False, label="offset"),
    ),
    "identity": (LayerCase(lambda: fn.identity(), (3,)),),
    # activations
    "relu": (activation(lambda: fn.relu()), activation(lambda: fn.relu(), "kink", kinked)),
    "leaky_relu": (
        activation(lambda: fn.leaky_relu()),
        activation(lambda: fn.leaky_relu(0.3), "0.3"),
        activation(lambda: fn.leaky_relu(0.3), "kink", kinked),
    ),
    "elu": (
        activation(lambda: fn.elu()),
        activation(lambda: fn.elu(0.7), "0.7"),
        activation(lambda: fn.elu(0.7), "kink", kinked),
        activation(lambda: fn.elu(), "saturated", saturating),
    ),
    "tanh": (activation(lambda: fn.tanh()), activation(lambda: fn.tanh(), "saturated", saturating)),
    "sigmoid": (activation(lambda: fn.sigmoid()), activation(lambda: fn.sigmoid(), "saturated", saturating)),
    "softplus": (activation(lambda: fn.softplus()), activation(lambda: fn.softplus(), "saturated", saturating)),
    "silu": (activation(lambda: fn.silu()), activation(lambda: fn.silu(), "saturated", saturating)),
    "gelu": (
        activation(lambda: fn.gelu()),
        activation(lambda: fn.gelu(approximate=True), "approximate"),
        activation(lambda: fn.gelu(), "saturated", saturating),
        activation(lambda: fn.gelu(approximate=True), "approximate, saturated", saturating),
    ),
    "softmax": (
        activation(lambda: fn.softmax()),
        LayerCase(lambda: fn.softmax(1), (4, 3), label="axis 1"),
        activation(lambda: fn.softmax(), "saturated", saturating),
        activation(lambda: fn.softmax(), "ties", tied),
    ),
    "log_softmax": (
        activation(lambda: fn.log_softmax()),
        LayerCase(lambda: fn.log_softmax(-2), (4, 3), label="axis -2"),
        activation(lambda: fn.log_softmax(), "saturated", saturating),
        activation(lambda: fn.log_softmax(), "ties", tied),
    ),
    # convolution
    "conv1d": (
        LayerCase(lambda: fn.conv1d(3, 3), (6, 2)),
        LayerCase(lambda: fn.conv1d(2, 2, stride=2, padding="same"), (5, 3), label="same"),
        LayerCase(lambda: fn.conv1d(2, 2, dilation=2, padding=((2, 0),)), (5, 2), label="causal"),
    ),
    "conv2d": (
        LayerCase(lambda: fn.conv2d(3, (2, 3)), (4, 5, 2)),
        LayerCase(lambda: fn.conv2d(2, 3, stride=2, padding="same"), (5, 4, 3), label="same"),
        LayerCase(lambda: fn.conv2d(2, 2, stride=(1, 2), padding=((0, 1), (2, 1)), dilation=(2, 1)), (4, 3, 2), label="all"),
        LayerCase(lambda: fn.conv2d(6, 2, groups=2), (3, 4, 4), label="groups"),
        LayerCase(lambda: fn.conv2d(4, 3, groups=4, padding=1), (3, 3, 4), label="depthwise"),
        LayerCase(lambda: fn.conv2d(3, 1), (2, 3, 2), label="pointwise"),
        LayerCase(lambda: fn.conv2d(2, 1, padding=1), (2, 2, 1), label="padding beyond the kernel"),
    ),
    "conv3d": (LayerCase(lambda: fn.conv3d(2, 2, stride=(1, 2, 1), padding=1), (2, 3, 2, 2), batch=2),),
    "conv_transpose1d": (
        LayerCase(lambda: fn.conv_transpose1d(3, 4, stride=2, padding=1), (3, 2)),
        LayerCase(lambda: fn.conv_transpose1d(2, 3, stride=2, padding=1, output_padding=1), (3, 2), label="output padding"),
    ),
    "conv_transpose2d": (
        LayerCase(lambda: fn.conv_transpose2d(3, (2, 3)), (3, 2, 2)),
        LayerCase(lambda: fn.conv_transpose2d(2, 3, stride=2, padding="same"), (2, 3, 3), label="same"),
        LayerCase(lambda: fn.conv_transpose2d(2, 2, stride=(1, 3), dilation=(2, 1)), (2, 3, 2), label="all"),
    ),
    "conv_transpose3d": (LayerCase(lambda: fn.conv_transpose3d(2, 2, stride=(1, 2, 1)), (2, 1, 2, 2), batch=2),),
    # pooling
    "max_pool1d": (LayerCase(lambda: fn.max_pool1d(2), (5, 2)), LayerCase(lambda: fn.max_pool1d(3, stride=2, padding=1), (6, 2))),
    "max_pool2d": (
        LayerCase(lambda: fn.max_pool2d(2), (4, 5, 2)),
        LayerCase(lambda: fn.max_pool2d((2, 3), stride=(1, 2), padding=((0, 1), (1, 0))), (4, 5, 2), label="overlapping"),
        LayerCase(lambda: fn.max_pool2d(3, stride=2, ceil_mode=True), (6, 4, 2), label="ceil"),
        LayerCase(lambda: fn.max_pool2d(3, stride=2, padding="same"), (4, 5, 1), label="same"),
        LayerCase(lambda: fn.max_pool2d(2, stride=1, dilation=2), (4, 5, 2), label="dilated"),
        LayerCase(lambda: fn.max_pool2d(2), (4, 4, 1), inputs=tied, smooth=False, label="ties"),
    ),
    "max_pool3d": (LayerCase(lambda: fn.max_pool3d(2, stride=1), (2, 3, 3, 1), batch=2),),
    "avg_pool1d": (LayerCase(lambda: fn.avg_pool1d(2), (5, 2)), LayerCase(lambda: fn.avg_pool1d(3, stride=2, padding=1), (6, 2))),
    "avg_pool2d": (
        LayerCase(lambda: fn.avg_pool2d(2), (4, 5, 2)),
        LayerCase(lambda: fn.avg_pool2d((2, 3), stride=(1, 2), padding=((0, 1), (1, 0))), (4, 5, 2), label="overlapping"),
        LayerCase(lambda: fn.avg_pool2d(3, stride=2, ceil_mode=True), (6, 4, 2), label="ceil"),
        LayerCase(lambda: fn.avg_pool2d(3, stride=2, padding="same"), (4, 5, 1), label="same"),
        LayerCase(lambda: fn.avg_pool2d(3, stride=2, padding=1, count_include_pad=True), (4, 5, 2), label="padding counts"),
    ),
    "avg_pool3d": (LayerCase(lambda: fn.avg_pool3d(2, stride=1), (2, 3, 3, 1), batch=2),),
    "lp_pool1d": (
        LayerCase(lambda: fn.lp_pool1d(3.0, 2), (5, 2)),
        LayerCase(lambda: fn.lp_pool1d(3.0, 3, stride=2, padding=1), (6, 2)),
    ),
    "lp_pool2d": (
        LayerCase(lambda: fn.lp_pool2d(3.0, 2), (4, 5, 2)),
        LayerCase(lambda: fn.lp_pool2d(3.0, (2, 3), stride=(1, 2), padding=((0, 1), (1, 0))), (4, 5, 2), label="overlapping"),
        LayerCase(lambda: fn.lp_pool2d(3.0, 3, stride=2, ceil_mode=True), (6, 4, 2), label="ceil"),
        LayerCase(lambda: fn.lp_pool2d(3.0, 3, stride=2, padding="same"), (4, 5, 1), label="same"),
        LayerCase(lambda: fn.lp_pool2d(2.5, 2), (4, 4, 1), label="odd power"),
    ),
    "lp_pool3d": (LayerCase(lambda: fn.lp_pool3d(3.0, 2, stride=1), (2, 3, 3, 1), batch=2),),
    "global_avg_pool": (LayerCase(lambda: fn.global_avg_pool(), (3, 2, 2)),),
    "global_max_pool": (LayerCase(lambda: fn.global_max_pool(), (3, 2, 2)),),
    # sequences
    "rnn": (
        LayerCase(lambda: fn.rnn(3), (4, 2)),
        LayerCase(lambda: fn.rnn(2, masked=True), (4, 3), inputs=masked, label="masked"),
        LayerCase(lambda: fn.rnn(3, initial=True), ((4, 2), (3,)), inputs=with_state, label="initial"),
        LayerCase(
            lambda: fn.rnn(3, masked=True, initial=True), ((4, 2), (3,)), inputs=masked_with_state, label="masked and initial"
        ),
        LayerCase(lambda: fn.rnn(3, activation="relu"), (4, 2), label="relu"),
    ),
    "lstm": (
        LayerCase(lambda: fn.lstm(3), (4, 2)),
        LayerCase(lambda: fn.lstm(2, masked=True), (4, 3), inputs=masked, label="masked"),
        LayerCase(lambda: fn.lstm(3, initial=True), ((4, 2), ((3,), (3,))), inputs=with_state, label="initial"),
        LayerCase(
            lambda: fn.lstm(3, masked=True, initial=True),
            ((4, 2), ((3,), (3,))),
            inputs=masked_with_state,
            label="masked and initial",
        ),
    ),
    "gru": (
        LayerCase(lambda: fn.gru(3), (4, 2)),
        LayerCase(lambda: fn.gru(2, masked=True), (4, 3), inputs=masked, label="masked"),
        LayerCase(lambda: fn.gru(3, initial=True), ((4, 2), (3,)), inputs=with_state, label="initial"),
        LayerCase(
            lambda: fn.gru(3, masked=True, initial=True), ((4, 2), (3,)), inputs=masked_with_state, label="masked and initial"
        ),
        LayerCase(lambda: fn.gru(3, reset_after=False), (4, 2), label="reset before"),
    ),
    "last_step": (
        LayerCase(lambda: fn.last_step(), (4, 2)),
        LayerCase(lambda: fn.last_step(masked=True), (4, 2), inputs=masked, label="masked"),
    ),
    "reverse_time": (
        LayerCase(lambda: fn.reverse_time(fn.gru(3)), (4, 2)),
        LayerCase(lambda: fn.reverse_time(fn.lstm(3, masked=True)), (4, 2), inputs=masked, label="masked"),
        LayerCase(lambda: fn.concatenate(fn.rnn(3), fn.reverse_time(fn.rnn(2))), (4, 2), label="bidirectional"),
    ),
    "masked_steps": (LayerCase(lambda: fn.masked_steps(fn.dense(3) >> fn.tanh()), (4, 2), inputs=masked),),
    "unmask": (LayerCase(lambda: fn.unmask(), (4, 2), inputs=masked),),
    # combinators
    "serial": (
        LayerCase(lambda: fn.serial(fn.dense(3), fn.tanh(), fn.dense(2)), (4,)),
        LayerCase(lambda: fn.dense(3) >> fn.tanh() >> fn.serial(fn.dense(2), fn.tanh()), (4,), label="nested"),
        LayerCase(lambda: fn.serial(fn.tanh(), fn.tanh()), (4,), label="without parameters"),
    ),
    "residual": (LayerCase(lambda: fn.residual(fn.dense(4) >> fn.tanh()), (4,)),),
    "add": (LayerCase(lambda: fn.add(fn.dense(3), fn.dense(3) >> fn.tanh()), (4,)),),
    "concatenate": (LayerCase(lambda: fn.concatenate(fn.dense(3), fn.tanh(), fn.dense(1)), (4,)),),
    "branch": (LayerCase(lambda: fn.branch(fn.dense(3), fn.tanh()), (4,)),),
    "parallel": (LayerCase(lambda: fn.parallel(fn.dense(3), fn.tanh()), ((4,), (2,)), inputs=normals),),
    "recompute": (LayerCase(lambda: fn.recompute(fn.dense(3) >> fn.tanh() >> fn.dense(2)), (4,)),),
}


def pair(*shape: int) -> Callable[[np.random.Generator, int], tuple[Array, Array]]:
    """Return a drawer of (prediction, target), both standard normal, of one example's shape."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, Array]:
        return generator.normal(size=(batch, *shape)), generator.normal(size=(batch, *shape))

    return draw


def logits(*shape: int, scale: float = 2.0) -> Callable[[np.random.Generator, int], tuple[Array, Array]]:
    """Return a drawer of (logits, targets in [0, 1], of which some are exactly 0 or 1)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, Array]:
        target = generator.uniform(-0.5, 1.5, size=(batch, *shape)).clip(0, 1)
        return generator.normal(scale=scale, size=(batch, *shape)), target

    return draw


def labelled(*shape: int, scale: float = 2.0) -> Callable[[np.random.Generator, int], tuple[Array, IntArray]]:
    """Return a drawer of (logits, labels) for an example of a shape (..., classes)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, IntArray]:
        return generator.normal(scale=scale, size=(batch, *shape)), generator.integers(0, shape[-1], size=(batch, *shape[:-1]))

    return draw


def distributed(*shape: int, scale: float = 2.0) -> Callable[[np.random.Generator, int], tuple[Array, Array]]:
    """Return a drawer of (logits, probabilities) for an example of a shape (..., classes)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, Array]:
        target = generator.dirichlet(np.ones(shape[-1]), size=(batch, *shape[:-1]))
        return generator.normal(scale=scale, size=(batch, *shape)), target

    return draw


def weighted(
    draw: Callable[[np.random.Generator, int], tuple[Any, Any]],
) -> Callable[[np.random.Generator, int], tuple[Any, Any]]:
    """Return a drawer of the same with a weight for each example, of which the first is 0."""

    def draw_weighted(generator: np.random.Generator, batch: int) -> tuple[Any, Any]:
        prediction, target = draw(generator, batch)
        return prediction, fn.Weighted(target, np.arange(batch) / 2)

    return draw_weighted


def over(
    low: float, high: float, *shape: int, target: Callable[[np.random.Generator, Any], Array]
) -> Callable[[np.random.Generator, int], tuple[Array, Array]]:
    """Return a drawer of (prediction, uniform in [low, high), and a target drawn by a function of generator and shape)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[Array, Array]:
        return generator.uniform(low, high, size=(batch, *shape)), target(generator, (batch, *shape))

    return draw


def signs(generator: np.random.Generator, shape: Any) -> Array:
    """Draw -1 and 1."""
    chosen: Array = generator.choice([-1.0, 1.0], size=shape)
    return chosen


def counts(generator: np.random.Generator, shape: Any) -> Array:
    """Draw 0, 1, 2, ... as floating numbers."""
    drawn: Array = generator.poisson(2.0, size=shape).astype(float)
    return drawn


def membership(generator: np.random.Generator, shape: Any) -> Array:
    """Draw from [0, 1], of which some are exactly 0 or 1."""
    drawn: Array = generator.uniform(-0.5, 1.5, size=shape).clip(0, 1)
    return drawn


def tuples(
    draw: Callable[[np.random.Generator, int], tuple[Array, Any]], parts: int = 2
) -> Callable[[np.random.Generator, int], tuple[Any, Any]]:
    """Return a drawer of a tuple of predictions and the target of the first."""

    def draw_tuple(generator: np.random.Generator, batch: int) -> tuple[Any, Any]:
        prediction, target = draw(generator, batch)
        return (prediction, *[draw(generator, batch)[0] for _ in range(parts - 1)]), target

    return draw_tuple


def untargeted(*shapes: Shape) -> Callable[[np.random.Generator, int], tuple[tuple[Array, ...], tuple[()]]]:
    """Return a drawer of (standard normal predictions of several shapes, the empty tuple)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[tuple[Array, ...], tuple[()]]:
        return tuple(generator.normal(size=(batch, *shape)) for shape in shapes), ()

    return draw


def autoencoded(generator: np.random.Generator, batch: int) -> tuple[tuple[Array, ...], Array]:
    """Draw ((reconstruction, mean, log-variance), target) of a variational autoencoder."""
    shapes = (2, 3), (4,), (4,)
    return tuple(generator.normal(size=(batch, *shape)) for shape in shapes), membership(generator, (batch, 2, 3))


def paired(
    *shape: int, target: Callable[[np.random.Generator, Any], Array]
) -> Callable[[np.random.Generator, int], tuple[tuple[Array, Array], Array]]:
    """Return a drawer of (two batches of vectors of one example's shape, one target for each pair of vectors)."""

    def draw(generator: np.random.Generator, batch: int) -> tuple[tuple[Array, Array], Array]:
        first, second = (generator.normal(size=(batch, *shape)) for _ in range(2))
        return (first, second), target(generator, (batch, *shape[:-1]))

    return draw


def transcribed(generator: np.random.Generator, batch: int) -> tuple[Array, fn.CTCTarget]:
    """Draw logits of 6 time steps and 3 classes, and sequences of up to 3 labels, also of unlike input lengths."""
    lengths = np.resize([2, 3, 0, 1], batch)
    target = fn.CTCTarget(generator.integers(1, 3, size=(batch, 3)), lengths, np.resize([6, 5, 4, 1], batch))
    return generator.normal(size=(batch, 6, 3)), target


LOSSES: dict[str, tuple[LossCase, ...]] = {
    "mean_squared_error": (
        LossCase(lambda: fn.mean_squared_error(), pair(2)),
        LossCase(lambda: fn.mean_squared_error(reduction="sum"), pair(2, 3), label="sum"),
        LossCase(lambda: fn.mean_squared_error(), weighted(pair(2, 3)), label="weighted"),
    ),
    "half_squared_error": (
        LossCase(lambda: fn.half_squared_error(), pair(2, 3)),
        LossCase(lambda: fn.half_squared_error(reduction="sum"), weighted(pair(2, 3)), label="weighted sum"),
    ),
    "mean_absolute_error": (LossCase(lambda: fn.mean_absolute_error(), pair(3)),),
    "huber": (LossCase(lambda: fn.huber(0.8), pair(3), batch=5),),
    "smooth_l1": (LossCase(lambda: fn.smooth_l1(0.8), pair(3), batch=5),),
    "softmax_cross_entropy": (
        LossCase(lambda: fn.softmax_cross_entropy(), labelled(4)),
        LossCase(lambda: fn.softmax_cross_entropy(), labelled(4, scale=500.0), label="large"),
        LossCase(lambda: fn.softmax_cross_entropy(), weighted(labelled(2, 3)), label="weighted sequence"),
        LossCase(lambda: fn.softmax_cross_entropy(), distributed(4), label="probabilities"),
        LossCase(lambda: fn.softmax_cross_entropy(label_smoothing=0.1), labelled(4), label="smoothed"),
        LossCase(
            lambda: fn.softmax_cross_entropy(class_weight=(0.5, 2.0, 1.0), label_smoothing=0.1), distributed(2, 3), label="all"
        ),
        LossCase(lambda: fn.softmax_cross_entropy(class_weight=(0.5, 2.0, 1.0)), labelled(3), label="class weights"),
        LossCase(lambda: fn.softmax_cross_entropy(ignore_index=1), labelled(3), batch=6, label="ignored label"),
    ),
    "sigmoid_cross_entropy": (
        LossCase(lambda: fn.sigmoid_cross_entropy(), logits(3)),
        LossCase(lambda: fn.sigmoid_cross_entropy(pos_weight=3.0), logits(3), label="pos_weight"),
        LossCase(lambda: fn.sigmoid_cross_entropy(pos_weight=(3.0, 0.5)), weighted(logits(2)), label="pos_weights"),
    ),
    "log_cosh_error": (LossCase(lambda: fn.log_cosh_error(), pair(3), batch=5),),
    "mean_squared_log_error": (
        LossCase(lambda: fn.mean_squared_log_error(), over(-0.8, 3.0, 2, target=lambda g, shape: g.uniform(-0.5, 9.0, shape))),
    ),
    "quantile_error": (
        LossCase(lambda: fn.quantile_error(0.3), pair(3)),
        LossCase(lambda: fn.quantile_error((0.1, 0.5, 0.9)), pair(3), label="several"),
    ),
    "poisson_nll": (
        LossCase(lambda: fn.poisson_nll(), over(-2.0, 2.0, 3, target=counts)),
        LossCase(lambda: fn.poisson_nll(log_rate=False), over(0.1, 4.0, 3, target=counts), label="rate"),
    ),
    "hinge": (LossCase(lambda: fn.hinge(), over(-2.0, 2.0, 3, target=signs)),),
    "squared_hinge": (LossCase(lambda: fn.squared_hinge(), over(-2.0, 2.0, 3, target=signs)),),
    "margin_ranking": (LossCase(lambda: fn.margin_ranking(0.5), tuples(over(-1.0, 1.0, 3, target=signs))),),
    "gaussian_nll": (LossCase(lambda: fn.gaussian_nll(), tuples(pair(2))),),
    "gaussian_kl": (LossCase(lambda: fn.gaussian_kl(), untargeted((4,), (4,))),),
    "negative_elbo": (
        LossCase(lambda: fn.negative_elbo(), autoencoded),
        LossCase(lambda: fn.negative_elbo("gaussian", beta=0.3), autoencoded, label="gaussian"),
    ),
    "negative_log_likelihood": (
        LossCase(lambda: fn.negative_log_likelihood(), labelled(2, 3)),
        LossCase(
            lambda: fn.negative_log_likelihood(class_weight=(0.5, 2.0, 1.0), ignore_index=1), labelled(3), batch=6, label="all"
        ),
    ),
    "kl_divergence": (LossCase(lambda: fn.kl_divergence(), distributed(2, 3)),),
    "multi_margin": (
        LossCase(lambda: fn.multi_margin(), labelled(4, scale=1.0)),
        LossCase(lambda: fn.multi_margin(0.5, power=2), labelled(2, 3, scale=1.0), label="squared"),
    ),
    "dice": (LossCase(lambda: fn.dice(), over(0.05, 0.95, 2, 3, target=membership)),),
    "tversky": (LossCase(lambda: fn.tversky(0.2, 0.9, 0.5), over(0.05, 0.95, 2, 3, target=membership)),),
    "sigmoid_focal": (
        LossCase(lambda: fn.sigmoid_focal(), logits(3)),
        LossCase(lambda: fn.sigmoid_focal(0.5, 0.25), logits(3), label="alpha"),
    ),
    "softmax_focal": (
        LossCase(lambda: fn.softmax_focal(), labelled(4)),
        LossCase(lambda: fn.softmax_focal(0.5, class_weight=(0.5, 2.0, 1.0)), labelled(2, 3), label="class weights"),
    ),
    "cosine_embedding": (
        LossCase(lambda: fn.cosine_embedding(0.1), paired(3, target=signs), batch=6),
        LossCase(lambda: fn.cosine_embedding(), paired(2, 3, target=signs), label="sequence"),
    ),
    "contrastive": (
        LossCase(lambda: fn.contrastive(2.5), paired(3, target=lambda g, shape: g.integers(0, 2, shape).astype(float)), batch=6),
        LossCase(lambda: fn.contrastive(4.0), paired(2, 3, target=membership), label="sequence"),
    ),
    "triplet_margin": (LossCase(lambda: fn.triplet_margin(0.5), untargeted((2, 3), (2, 3), (2, 3))),),
    "info_nce": (
        LossCase(lambda: fn.info_nce(0.5), untargeted((3,), (3,)), batch=4),
        LossCase(lambda: fn.info_nce(0.2, symmetric=True), untargeted((3,), (3,)), batch=4, label="symmetric"),
        LossCase(lambda: fn.info_nce(), weighted(untargeted((3,), (3,))), batch=4, label="weighted"),
    ),
    "ctc": (LossCase(lambda: fn.ctc(), transcribed, batch=4),),
}
