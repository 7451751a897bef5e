"""Normalizations against loops and decompositions, and what they promise."""

import math
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.layer import AnyLayer
from funcnn.typing import Array

TRAIN = fn.Train(fn.Key(0))


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def perturbed(params: Any, seed: int = 1) -> Any:
    """Return parameters that are neither zeros nor ones."""
    generator = np.random.default_rng(seed)
    return tree.map(lambda leaf: leaf + 0.3 * generator.normal(size=leaf.shape), params)


# ------------------------------------------------------------------------------------------------- groups and instances


def normalized_in_groups(x: Array, groups: int, eps: float, scale: Array, shift: Array) -> Array:
    """Normalize every group of every example by the definition."""
    y = np.empty(x.shape)
    size = x.shape[-1] // groups
    for n in range(len(x)):
        for g in range(groups):
            members = [(*q, g * size + k) for q in np.ndindex(*x.shape[1:-1]) for k in range(size)]
            mean = math.fsum(x[(n, *m)] for m in members) / len(members)
            var = math.fsum((x[(n, *m)] - mean) ** 2 for m in members) / len(members)
            for m in members:
                y[(n, *m)] = scale[m[-1]] * (x[(n, *m)] - mean) / math.sqrt(var + eps) + shift[m[-1]]
    return y


@pytest.mark.parametrize(("shape", "groups"), [((2, 3, 4), 2), ((5, 6), 3), ((6,), 2), ((2, 2, 2, 4), 1), ((4, 3), 3)])
@pytest.mark.parametrize("eps", [1e-5, 0.7])
def test_group_norm_is_its_definition(shape: tuple[int, ...], groups: int, eps: float) -> None:
    layer = fn.group_norm(groups, eps=eps)
    params = perturbed(layer.init(fn.Key(0), shape).params)
    x = numbers(3, *shape)
    expected = normalized_in_groups(x, groups, eps, params.scale, params.shift)
    np.testing.assert_allclose(fn.apply(layer, params, (), x), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("shape", [(2, 3, 4), (5, 2)])
def test_instance_norm_is_its_definition(shape: tuple[int, ...]) -> None:
    layer = fn.instance_norm(eps=0.1)
    params = perturbed(layer.init(fn.Key(0), shape).params)
    x = numbers(3, *shape)
    expected = normalized_in_groups(x, shape[-1], 0.1, params.scale, params.shift)
    np.testing.assert_allclose(fn.apply(layer, params, (), x), expected, rtol=1e-12, atol=1e-13)


def test_one_group_of_features_is_layer_norm() -> None:
    group, plain = fn.group_norm(1), fn.layer_norm()
    params, same = group.init(fn.Key(0), (5,)).params, plain.init(fn.Key(0), (5,)).params
    np.testing.assert_allclose(fn.apply(group, params, (), numbers(3, 5)), fn.apply(plain, same, (), numbers(3, 5)), rtol=1e-13)


def test_group_norm_keeps_the_digits_of_an_offset() -> None:
    layer = fn.group_norm(2)
    start = layer.init(fn.Key(0), (8, 4))
    x = numbers(2, 8, 4)
    moved = fn.apply(layer, start.params, (), np.float32(1) * (x + 1000).astype(np.float32))
    # Float32 of an offset of 1000 has four digits left.
    np.testing.assert_allclose(moved, fn.apply(layer, start.params, (), x), atol=1e-3)


def test_bad_input_of_group_norm() -> None:
    with pytest.raises(ValueError, match="5 channels cannot be divided into 2 groups"):
        fn.group_norm(2).init(fn.Key(0), (3, 5))
    with pytest.raises(ValueError, match="at least 1"):
        fn.group_norm(0)
    with pytest.raises(TypeError, match=r"groups is 2\.0, expected an integer"):
        fn.group_norm(2.0)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match=r"eps is 0, expected a number in \(0, inf\)"):
        fn.group_norm(2, eps=0)
    with pytest.raises(ValueError, match="eps is nan"):
        fn.instance_norm(eps=math.nan)
    with pytest.raises(ValueError, match="channels axis"):
        fn.group_norm(2).init(fn.Key(0), ())
    with pytest.raises(ValueError, match="expected spatial axes"):
        fn.instance_norm().init(fn.Key(0), (3,))
    for layer in (fn.group_norm(2), fn.instance_norm()):
        params = layer.init(fn.Key(0), (3, 4)).params
        with pytest.raises(ValueError, match="expected 4 features"):
            fn.apply(layer, params, (), np.zeros((1, 3, 6)))
        with pytest.raises(TypeError, match="expected a floating one"):
            fn.apply(layer, params, (), np.zeros((1, 3, 4), int))


# ------------------------------------------------------------------------------------------------- fewer parameters, more axes


def layer_normalized(x: Array, eps: float, last_axes: int, centre: bool) -> Array:
    """Normalize each set of the last axes of (n, ...) by the definition; without the centre, by the root of its mean square."""
    y = np.empty(x.shape)
    lead = x.shape[: x.ndim - last_axes]
    for place in np.ndindex(*lead):
        members = x[place].ravel().tolist()
        mean = math.fsum(members) / len(members) if centre else 0.0
        var = math.fsum((one - mean) ** 2 for one in members) / len(members)
        y[place] = (x[place] - mean) / math.sqrt(var + eps)
    return y


@pytest.mark.parametrize("last_axes", [1, 2, 3])
def test_layers_and_roots_over_several_axes_are_their_definition(last_axes: int) -> None:
    x = numbers(2, 3, 4, 2)
    shape = x.shape[-last_axes:]
    for layer, centre in (
        (fn.layer_norm(eps=0.1, last_axes=last_axes), True),
        (fn.rms_norm(eps=0.1, last_axes=last_axes), False),
    ):
        params: Any = perturbed(layer.init(fn.Key(0), (3, 4, 2)).params)
        assert {leaf.shape for leaf in tree.leaves(params)} == {shape}
        expected = layer_normalized(x, 0.1, last_axes, centre) * params.scale + getattr(params, "shift", 0.0)
        np.testing.assert_allclose(fn.apply(layer, params, (), x), expected, rtol=1e-12, atol=1e-13)
    for bare, centre in (
        (fn.layer_norm_without_affine(eps=0.1, last_axes=last_axes), True),
        (fn.rms_norm_without_scale(eps=0.1, last_axes=last_axes), False),
    ):
        expected = layer_normalized(x, 0.1, last_axes, centre)
        np.testing.assert_allclose(fn.apply(bare, (), (), x), expected, rtol=1e-12, atol=1e-13)
    scaled = fn.layer_norm_without_shift(eps=0.1, last_axes=last_axes)
    made = perturbed(scaled.init(fn.Key(0), (3, 4, 2)).params)
    expected = layer_normalized(x, 0.1, last_axes, centre=True) * made.scale
    np.testing.assert_allclose(fn.apply(scaled, made, (), x), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("bare", "full", "shape"),
    [
        (fn.layer_norm_without_affine(eps=0.1), fn.layer_norm(eps=0.1), (3, 4)),
        (fn.rms_norm_without_scale(eps=0.1), fn.rms_norm(eps=0.1), (3, 4)),
        (fn.group_norm_without_affine(2, eps=0.1), fn.group_norm(2, eps=0.1), (3, 4)),
        (fn.instance_norm_without_affine(eps=0.1), fn.instance_norm(eps=0.1), (3, 4)),
        (fn.batch_norm_without_affine(momentum=None, eps=0.1), fn.batch_norm(momentum=None, eps=0.1), (3, 4)),
    ],
)
def test_without_parameters_it_is_what_it_starts_as(bare: Any, full: Any, shape: tuple[int, ...]) -> None:
    start, other = bare.init(fn.Key(0), shape), full.init(fn.Key(0), shape)
    assert not tree.leaves(start.params)
    for dtype in (np.float32, np.float64):
        x, dy = numbers(5, *shape).astype(dtype), numbers(5, *shape, seed=1).astype(dtype)
        params = tree.astype(other.params, dtype)
        for mode in (TRAIN, fn.Eval()):
            one, two = bare.forward((), start.state, x, mode), full.forward(params, other.state, x, mode)
            np.testing.assert_array_equal(one.output, two.output)
            assert one.output.dtype == dtype
            for mine, theirs in zip(tree.leaves(one.state), tree.leaves(two.state), strict=True):
                np.testing.assert_array_equal(mine, theirs)
            np.testing.assert_array_equal(
                bare.backward((), one.residuals, dy).input, full.backward(params, two.residuals, dy).input
            )


def test_batch_norm_without_statistics_evaluates_by_the_batch() -> None:
    layer, full = fn.batch_norm_without_statistics(eps=0.1), fn.batch_norm(eps=0.1)
    start, other = layer.init(fn.Key(0), (3,)), full.init(fn.Key(0), (3,))
    assert not tree.leaves(start.state)
    params, x, dy = perturbed(start.params), numbers(5, 3), numbers(5, 3, seed=1)
    trained = full.forward(params, other.state, x, TRAIN)
    for mode in (TRAIN, fn.Eval()):
        made = layer.forward(params, (), x, mode)
        np.testing.assert_array_equal(made.output, trained.output)
        np.testing.assert_array_equal(
            layer.backward(params, made.residuals, dy).input, full.backward(params, trained.residuals, dy).input
        )


def test_masked_batch_norm_counts_real_steps_alone() -> None:
    layer, plain = fn.batch_norm(eps=0.1, masked=True), fn.batch_norm(eps=0.1)
    start = layer.init(fn.Key(0), (4, 3))
    params, x, dy = perturbed(start.params), numbers(3, 4, 3), numbers(3, 4, 3, seed=1)
    mask = np.array([[True, True, False, True], [False] * 4, [True, False, False, False]])
    filled = np.where(mask[..., None], x, np.nan)  # what stands in the padding does not matter
    for mode in (TRAIN, fn.Eval()):
        made = layer.forward(params, start.state, fn.Masked(filled, mask), mode)
        rows = plain.forward(params, start.state, x[mask], mode)
        np.testing.assert_array_equal(made.output.values[mask], rows.output)
        assert not made.output.values[~mask].any()
        for mine, theirs in zip(tree.leaves(made.state), tree.leaves(rows.state), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        pulled = layer.backward(params, made.residuals, fn.Masked(dy, mask))
        expected = plain.backward(params, rows.residuals, dy[mask])
        np.testing.assert_array_equal(pulled.input.values[mask], expected.input)
        assert not pulled.input.values[~mask].any()
        np.testing.assert_array_equal(pulled.params.scale, expected.params.scale)
    nothing = layer.forward(params, start.state, fn.Masked(filled, np.zeros((3, 4), bool)), TRAIN)
    assert not nothing.output.values.any()
    assert nothing.state.count == 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # that squares overflow is how extreme numbers are found
def test_masked_batch_norm_of_extreme_numbers_in_parts_without_a_real_step() -> None:
    layer = fn.batch_norm(masked=True)
    model = fn.shard(layer, workers=2)
    start = layer.init(fn.Key(0), (2, 1))
    x = fn.Masked(
        np.full((4, 2, 1), 1e200) * np.arange(1.0, 9.0).reshape(4, 2, 1), np.array([[False] * 2] * 2 + [[True] * 2] * 2)
    )
    whole, parts = (one.forward(start.params, start.state, x, TRAIN).output.values for one in (layer, model))
    np.testing.assert_allclose(parts, whole, rtol=1e-12)
    assert np.isfinite(whole).all()


def test_bad_input_of_normalizations_with_fewer_parameters() -> None:
    with pytest.raises(ValueError, match="5 channels cannot be divided into 2 groups"):
        fn.group_norm_without_affine(2).init(fn.Key(0), (3, 5))
    with pytest.raises(ValueError, match="5 channels cannot be divided into 2 groups"):
        fn.apply(fn.group_norm_without_affine(2), (), (), np.zeros((1, 3, 5)))
    with pytest.raises(ValueError, match="expected spatial axes"):
        fn.instance_norm_without_affine().init(fn.Key(0), (3,))
    with pytest.raises(ValueError, match="at least 3 axes"):
        fn.apply(fn.instance_norm_without_affine(), (), (), np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"at least 2 axes, got in_shape \(3,\)"):
        fn.layer_norm(last_axes=2).init(fn.Key(0), (3,))
    with pytest.raises(ValueError, match="last_axes is 0"):
        fn.rms_norm(last_axes=0)
    layer = fn.layer_norm(last_axes=2)
    params = layer.init(fn.Key(0), (3, 4)).params
    with pytest.raises(ValueError, match=r"expected \(3, 4\) in its last 2 axes"):
        fn.apply(layer, params, (), np.zeros((1, 4, 3)))
    with pytest.raises(TypeError, match="higher precision"):
        fn.apply(layer, tree.astype(params, np.float32), (), np.zeros((1, 3, 4)))
    with pytest.raises(ValueError, match="time, features"):
        fn.batch_norm(masked=True).init(fn.Key(0), (3,))
    with pytest.raises(TypeError, match="masked is 1"):
        fn.batch_norm(masked=1)  # type: ignore[call-overload]  # wrong on purpose


# ------------------------------------------------------------------------------------------------- neighbouring channels


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 12])
def test_local_response_norm_is_its_definition(size: int) -> None:
    x = numbers(3, 2, 6)
    layer = fn.local_response_norm(size, alpha=0.4, beta=0.6, k=1.5)
    y = np.empty(x.shape)
    for n, t, i in np.ndindex(*x.shape):
        near = range(max(0, i - size // 2), min(6, i + (size - 1) // 2 + 1))
        y[n, t, i] = x[n, t, i] / (1.5 + 0.4 * math.fsum(x[n, t, j] ** 2 for j in near)) ** 0.6
    np.testing.assert_allclose(fn.apply(layer, (), (), x), y, rtol=1e-13)


def test_the_defaults_of_local_response_norm_are_those_of_the_paper() -> None:
    assert fn.local_response_norm() == fn.local_response_norm(5, alpha=1e-4, beta=0.75, k=2.0)


def test_bad_input_of_local_response_norm() -> None:
    with pytest.raises(ValueError, match="size is 0, expected at least 1"):
        fn.local_response_norm(0)
    with pytest.raises(ValueError, match="alpha is -1"):
        fn.local_response_norm(alpha=-1)
    with pytest.raises(ValueError, match="beta is nan"):
        fn.local_response_norm(beta=math.nan)
    with pytest.raises(ValueError, match="k is 0"):
        fn.local_response_norm(k=0)
    with pytest.raises(ValueError, match="channels axis"):
        fn.local_response_norm().init(fn.Key(0), ())
    with pytest.raises(ValueError, match="batch first"):
        fn.apply(fn.local_response_norm(), (), (), np.zeros(3))


# ------------------------------------------------------------------------------------------------- weights


LAYERS: list[tuple[AnyLayer, tuple[int, ...], int]] = [
    (fn.dense(3), (4,), -1),
    (fn.conv2d(3, (2, 1)), (3, 2, 2), -1),
    (fn.conv_transpose1d(3, 2, stride=2), (3, 2), -2),
]


@pytest.mark.parametrize(("inner", "shape", "axis"), LAYERS, ids=lambda value: getattr(value, "name", None))
def test_weight_norm_runs_the_layer_with_weights_of_a_given_length(inner: AnyLayer, shape: tuple[int, ...], axis: int) -> None:
    layer, x = fn.weight_norm(inner, axis=axis), numbers(2, *shape)
    start, plain = layer.init(fn.Key(5), shape), inner.init(fn.Key(5), shape)
    assert start.out_shape == plain.out_shape
    np.testing.assert_allclose(fn.apply(layer, start.params, start.state, x), fn.apply(inner, plain.params, (), x), rtol=1e-12)
    gain = np.array([0.5, 2.0, -3.0])
    v = np.moveaxis(plain.params.weight, axis, -1)
    weight = np.empty(v.shape)
    for o in range(3):
        weight[..., o] = gain[o] * v[..., o] / math.sqrt(math.fsum(v[..., o].ravel() ** 2))
    expected = fn.apply(inner, attrs.evolve(plain.params, weight=np.moveaxis(weight, -1, axis)), (), x)
    np.testing.assert_allclose(fn.apply(layer, attrs.evolve(start.params, gain=gain), start.state, x), expected, rtol=1e-12)


@pytest.mark.parametrize(("inner", "shape", "axis"), LAYERS, ids=lambda value: getattr(value, "name", None))
def test_spectral_norm_tends_to_the_largest_singular_value(inner: AnyLayer, shape: tuple[int, ...], axis: int) -> None:
    layer, x = fn.spectral_norm(inner, axis=axis), numbers(2, *shape)
    start = layer.init(fn.Key(5), shape)
    state = start.state
    for _ in range(200):
        state = layer.forward(start.params, state, x, TRAIN).state
    matrix = np.moveaxis(start.params.weight, axis, -1).reshape(-1, 3)
    largest = np.linalg.svd(matrix, compute_uv=False)[0]
    expected = fn.apply(inner, attrs.evolve(start.params, weight=start.params.weight / largest), (), x)
    np.testing.assert_allclose(fn.apply(layer, start.params, state, x), expected, rtol=1e-9)
    np.testing.assert_allclose([state.u @ state.u, state.v @ state.v], 1, rtol=1e-12)


def test_spectral_norm_uses_the_vectors_that_it_is_given_and_moves_them_in_training_only() -> None:
    layer, x = fn.spectral_norm(fn.linear(3), iterations=2), numbers(2, 4)
    start = layer.init(fn.Key(5), (4,))
    u, v, weight = numbers(3, seed=1), numbers(4, seed=2), start.params.weight
    state = attrs.evolve(start.state, u=u, v=v)
    expected = x @ weight / math.sqrt(sum(sum(weight[i, o] * u[o] for o in range(3)) ** 2 for i in range(4)))
    for mode in (TRAIN, fn.Eval()):
        np.testing.assert_allclose(layer.forward(start.params, state, x, mode).output, expected, rtol=1e-12)
    assert tree.same(layer.forward(start.params, state, x, fn.Eval()).state, state)
    moved = layer.forward(start.params, state, x, TRAIN).state
    for _ in range(2):
        v = weight @ u / np.linalg.norm(weight @ u)
        u = weight.T @ v / np.linalg.norm(weight.T @ v)
    np.testing.assert_allclose(moved.u, u, rtol=1e-12)
    np.testing.assert_allclose(moved.v, v, rtol=1e-12)


def test_spectral_norm_starts_close() -> None:
    start = fn.spectral_norm(fn.dense(20)).init(fn.Key(0), (30,))
    weight, state = start.params.weight, start.state
    largest = np.linalg.svd(weight, compute_uv=False)[0]
    assert 0.95 * largest <= state.v @ weight @ state.u <= largest


def test_spectral_norm_keeps_the_sign_of_a_weight_whatever_vectors_it_is_given() -> None:
    layer = fn.spectral_norm(fn.linear(2))
    start = layer.init(fn.Key(0), (2,))
    weight = attrs.evolve(start.params, weight=np.diag([-2.0, 1.0]))
    for u, v in (([1.0, 0.0], [1.0, 0.0]), ([1.0, 0.0], [-1.0, 0.0]), ([-0.6, 0.8], [0.0, 1.0])):
        state = attrs.evolve(start.state, u=np.array(u), v=np.array(v))
        for mode in (TRAIN, fn.Eval()):
            got = layer.forward(weight, state, np.eye(2), mode).output
            assert got[0, 0] < 0 < got[1, 1]


@pytest.mark.parametrize("size", [1e-38, 1e-30, 1e-22, 1e-10, 1.0, 1e18, 1e25, 1e37])
def test_weights_of_any_size_have_a_direction(size: float) -> None:
    v = np.array([[3 * size, size], [4 * size, 0]], np.float32)
    x, params = np.ones((1, 2), np.float32), fn.weight_norm(fn.linear(2)).init(fn.Key(0), (2,)).params
    one = attrs.evolve(params, inner=attrs.evolve(params.inner, weight=v), gain=np.ones(2, np.float32))
    layer = fn.weight_norm(fn.linear(2))
    made = layer.forward(one, (), x, TRAIN)
    np.testing.assert_allclose(made.output, [[1.4, 1.0]], rtol=1e-6)  # float32
    dv = layer.backward(one, made.residuals, np.ones((1, 2), np.float32)).params.inner.weight
    if size > 1e-30:
        # Float32.
        np.testing.assert_allclose(dv * size, [[(1 - 0.6 * 1.4) / 5, 0], [(1 - 0.8 * 1.4) / 5, 1]], rtol=1e-5, atol=1e-6)
    spectral = fn.spectral_norm(fn.linear(2))
    start = spectral.init(fn.Key(0), (2,))
    moved, weight = start.state, type(start.params)(v)
    for _ in range(20):
        moved = spectral.forward(weight, moved, x, TRAIN).state
    got = spectral.forward(weight, moved, np.eye(2, dtype=np.float32), fn.Eval()).output
    np.testing.assert_allclose(got, v / size / np.linalg.norm([[3, 1], [4, 0]], 2), rtol=1e-5)  # float32


def test_a_weight_of_zeros_has_no_direction_and_is_not_divided() -> None:
    layer = fn.weight_norm(fn.dense(2, weight_init=fn.initializers.zeros))
    with pytest.raises(ValueError, match=r"the weight of output 0 is all zeros, and weight_norm .* another weight_init"):
        layer.init(fn.Key(0), (3,))
    params = fn.weight_norm(fn.dense(2)).init(fn.Key(0), (3,)).params
    params = attrs.evolve(params, inner=attrs.evolve(params.inner, weight=np.array([[1.0, 0.0]] * 3)))
    with pytest.raises(ValueError, match="the weight of output 1 is all zeros"):
        fn.apply(layer, params, (), np.ones((1, 3)))
    spectral = fn.spectral_norm(fn.linear(2, weight_init=fn.initializers.zeros))
    start = spectral.init(fn.Key(0), (3,))
    made = spectral.forward(start.params, start.state, np.ones((1, 3)), TRAIN)
    assert not made.output.any()
    assert np.isfinite(spectral.backward(start.params, made.residuals, np.ones((1, 2))).params.weight).all()


def test_vectors_of_a_vanishing_weight_stay() -> None:
    layer = fn.spectral_norm(fn.linear(2))
    start = layer.init(fn.Key(0), (3,))
    zero = attrs.evolve(start.params, weight=np.zeros((3, 2)))
    with np.errstate(invalid="ignore"):
        after = layer.forward(zero, start.state, np.ones((1, 3)), TRAIN).state
    assert tree.same(after, start.state)


@pytest.mark.parametrize("combine", [fn.weight_norm, fn.spectral_norm])
def test_bad_input_of_normalized_weights(combine: Any) -> None:
    name = combine.__name__
    with pytest.raises(TypeError, match="inner is the function dense, expected a layer"):
        combine(fn.dense)
    with pytest.raises(ValueError, match="expected -1 or -2"):
        combine(fn.dense(2), axis=0)
    with pytest.raises(TypeError, match=f"{name} needs a layer whose parameters have a weight"):
        combine(fn.tanh()).init(fn.Key(0), (3,))
    with pytest.raises(TypeError, match="have a weight"):
        combine(fn.layer_norm()).init(fn.Key(0), (3,))
    with pytest.raises(TypeError, match="have a weight"):
        combine(fn.dense(2) >> fn.tanh()).init(fn.Key(0), (3,))


def test_bad_iterations_of_spectral_norm() -> None:
    with pytest.raises(ValueError, match="iterations is 0"):
        fn.spectral_norm(fn.dense(2), iterations=0)


# ------------------------------------------------------------------------------------------------------- sizes and offsets


@pytest.mark.parametrize("offset", [0.0, 1e12, 1e30, 3e38])
def test_equal_numbers_are_normalized_to_zero_whatever_their_size(offset: float) -> None:
    for make in (fn.layer_norm, fn.batch_norm, lambda: fn.group_norm(1), fn.instance_norm):
        layer: AnyLayer = make()
        start = layer.init(fn.Key(0), (7, 3))
        params, state = tree.astype((start.params, start.state), np.float32)
        with np.errstate(all="ignore"):
            made = layer.forward(params, state, np.full((5, 7, 3), offset, np.float32), TRAIN)
        assert not made.output.any()


def test_parts_of_a_batch_agree_on_extreme_moments() -> None:
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32) * np.array([1, 1e25, 1e-10], np.float32)
    x[:, 2] += 3e12
    dy = np.random.default_rng(1).normal(size=(8, 3)).astype(np.float32)
    layer = fn.batch_norm()
    start = layer.init(fn.Key(0), (3,))
    params, state = tree.astype((start.params, start.state), np.float32)
    made = []
    with np.errstate(all="ignore"):
        for one in (layer, fn.shard(layer, workers=3)):
            forward = one.forward(params, state, x, TRAIN)
            made.append((forward.output + 1, one.backward(params, forward.residuals, dy).input))
    for whole, parts in zip(*made, strict=True):
        np.testing.assert_allclose(parts / abs(whole).max(0), whole / abs(whole).max(0), atol=1e-5)  # float32
    wide = (x.astype(float) - x.mean(0, dtype=float)) / np.sqrt(x.var(0, dtype=float) + 1e-5)
    np.testing.assert_allclose(made[0][0] - 1, wide, rtol=1e-5, atol=1e-6)  # float32


def test_a_convnet_predicts_after_two_epochs_as_it_was_trained() -> None:
    """With a constant momentum the running statistics still hold the start, and nine of ten predictions are wrong."""
    digits = fn.data.digits(dtype=np.float32)
    x, y = digits.x.reshape(-1, 8, 8, 1), digits.y
    model = fn.convnet(10)
    fitted = fn.fit(
        model,
        fn.softmax_cross_entropy(),
        fn.adam(3e-3),
        x[:1400],
        y[:1400],
        key=fn.Key(0),
        epochs=2,
        batch_size=128,
    )
    assert (fn.apply(model, fitted.params, fitted.state, x[1400:]).argmax(-1) == y[1400:]).mean() > 0.8
