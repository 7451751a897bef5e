"""Instance normalization with running statistics: against loops, and every norm whose statistics are measured anew."""

import math
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.typing import Array


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def moments(x: Array) -> tuple[Array, Array]:
    """Return the mean and the unbiased variance of each channel, averaged over examples, number by number."""
    means, variances = np.zeros(x.shape[-1]), np.zeros(x.shape[-1])
    for c in range(x.shape[-1]):
        for example in x:
            points = example[..., c].ravel().tolist()
            mean = math.fsum(points) / len(points)
            means[c] += mean / len(x)
            variances[c] += math.fsum((point - mean) ** 2 for point in points) / (len(points) - 1) / len(x)
    return means, variances


def test_training_is_instance_norm_and_evaluation_the_average_of_what_was_seen() -> None:
    layer, plain = fn.instance_norm_with_statistics(momentum=0.3, eps=0.01), fn.instance_norm(eps=0.01)
    start, own = layer.init(fn.Key(0), (3, 4, 2)), plain.init(fn.Key(0), (3, 4, 2))
    state = start.state
    batches = [numbers(5, 3, 4, 2, seed=seed) * (1 + seed) + seed for seed in range(3)]
    for batch in batches:
        made = layer.forward(start.params, state, batch, fn.Train(fn.Key(1)))
        np.testing.assert_array_equal(made.output, fn.apply(plain, own.params, own.state, batch))
        state = made.state
    weights = [0.7**2, 0.7, 1.0]  # the newest counts most
    for index, found in enumerate((state.mean, state.var)):
        seen = sum(weight * moments(batch)[index] for weight, batch in zip(weights, batches, strict=True)) / sum(weights)
        np.testing.assert_allclose(found, seen, rtol=1e-12, atol=1e-13)
    x = numbers(2, 3, 4, 2, seed=9)
    np.testing.assert_allclose(
        fn.apply(layer, start.params, state, x), (x - state.mean) / np.sqrt(state.var + 0.01), rtol=1e-12, atol=1e-13
    )


def test_one_point_has_no_variance_and_leaves_the_statistics() -> None:
    layer = fn.instance_norm_with_statistics()
    start = layer.init(fn.Key(0), (1, 2))
    made = layer.forward(start.params, start.state, numbers(5, 1, 2), fn.Train(fn.Key(1)))
    assert fn.tree.same(made.state, start.state)


NORMS: dict[str, tuple[Any, Any]] = {
    "batch_norm": (fn.batch_norm(momentum=0.9), numbers(12, 3, 2)),
    "masked": (fn.batch_norm(momentum=0.9, masked=True), fn.Masked(numbers(12, 3, 2), np.arange(3) < np.full((12, 1), 2))),
    "without affine": (fn.batch_norm_without_affine(momentum=0.9), numbers(12, 3, 2)),
    "instance": (fn.instance_norm_with_statistics(momentum=0.9), numbers(12, 3, 2)),
}


@pytest.mark.parametrize("name", NORMS)
def test_statistics_that_are_measured_anew_count_all_batches_alike(name: str) -> None:
    layer, x = NORMS[name]
    start = layer.init(fn.Key(0), (3, 2))
    found = fn.update_batch_statistics(layer, start.params, start.state, x, key=fn.Key(0), batch_size=4)
    values = x.values[:, :2] if isinstance(x, fn.Masked) else x
    np.testing.assert_allclose(found.mean, values.mean((0, 1)), rtol=1e-12, atol=1e-14)  # whatever the order of the rows


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="momentum"):
        fn.instance_norm_with_statistics(momentum=0.0)
    with pytest.raises(ValueError, match="spatial axes"):
        fn.instance_norm_with_statistics().init(fn.Key(0), (3,))
