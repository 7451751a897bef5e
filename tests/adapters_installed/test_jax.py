"""Functions of JAX: mistakes that are planted are found, and bad input is named."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcnn as fn

check = fn.check.check_jax
RNG = np.random.default_rng(0)


def planted(backward: Callable[..., object]) -> Callable[..., object]:
    """Return tanh(x) w with a backward of one's own."""

    @jax.custom_vjp
    def scaled(x, w):
        return jnp.tanh(x) @ w

    def forward(x, w):
        y = jnp.tanh(x)
        return y @ w, (y, w)

    scaled.defvjp(forward, backward)
    return scaled


def right(kept, dy):
    y, w = kept
    return dy @ w.T * (1 - y * y), y.T @ dy


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_right_gradient_passes_in_both_precisions(dtype: type) -> None:
    report = check(planted(right), RNG.normal(size=(5, 3)).astype(dtype), RNG.normal(size=(3, 2)).astype(dtype))
    assert report.ok, report
    assert report.reference == "float64"
    assert report.leaves[0].dtype == np.dtype(dtype).name
    assert not jax.config.jax_enable_x64


@pytest.mark.parametrize(
    ("change", "path", "tag"),
    [
        (lambda dx, dw: (-dx, dw), "[0]", "sign_flip"),
        (lambda dx, dw: (dx, dw / 5), "[1]", "constant_factor"),
        (lambda dx, dw: (dx, 0 * dw), "[1]", "zero_gradient"),
        (lambda dx, dw: (dx, dw[::-1]), "[1]", "permuted"),
        (lambda dx, dw: (jnp.clip(dx, -0.1, 0.1), dw), "[0]", "nonlinear_in_dy"),
    ],
)
def test_planted_mistakes_are_found(change: Callable[..., object], path: str, tag: str) -> None:
    function = planted(lambda kept, dy: change(*right(kept, dy)))
    report = check(function, RNG.normal(size=(5, 3)), RNG.normal(size=(3, 2)))
    assert (path, tag) in [(one.path, one.diagnosis.tag) for one in report.findings], report


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Cell:
    weights: list[jax.Array]
    steps: jax.Array


def test_trees_integers_keys_and_jit() -> None:
    @jax.jit
    def cell(cell: Cell, x: jax.Array, key: jax.Array, twice: float) -> dict[str, object]:
        noise = jax.random.normal(key, x.shape, jnp.float32)
        return {"y": jnp.tanh((x + noise) @ cell.weights[0]) * cell.steps * twice, "count": [(x > 0).sum()]}

    given = Cell([jnp.asarray(RNG.normal(size=(3, 2)))], jnp.arange(2))
    report = check(cell, given, jnp.asarray(RNG.normal(size=(4, 3))), jax.random.key(0), 2.0)
    assert report.ok, report
    assert [leaf.path for leaf in report.leaves] == ["[0].weights[0]", "[1]"]


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.arange(3), ValueError, "nothing to differentiate"),
        (np.ones(3) + 1j, TypeError, "only real functions"),
        (jnp.ones(3, jnp.bfloat16), TypeError, "bfloat16"),
        (np.ones(3, np.float16), TypeError, "float16"),
    ],
)
def test_bad_input_is_named(x: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        check(jnp.sin, x)


def test_a_check_inside_a_trace_is_refused() -> None:
    with pytest.raises(TypeError, match="outside of jit"):
        jax.jit(lambda x: check(jnp.sin, x))(jnp.ones(3))
