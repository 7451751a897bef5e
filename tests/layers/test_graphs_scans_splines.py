"""Graph convolution, selective scan and splines: against loops over single numbers."""

import math
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.layers.recurrent.selective_scan import STEPS_PER_CHUNK
from funcnn.typing import Array


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def moved(layer: Any, shape: Any) -> Any:
    """Return parameters away from their start."""
    return fn.tree.map(lambda leaf: leaf + 0.3 * numbers(*leaf.shape, seed=leaf.size), layer.init(fn.Key(0), shape).params)


def drawn(shape: Any) -> Any:
    """Return one array for each of several shapes."""
    return tuple(numbers(2, *one, seed=place) for place, one in enumerate(shape))


# ------------------------------------------------------------------------------------------------------------------- graphs

EDGES = np.array([[[0, 1], [1, 0], [3, 1], [0, 1], [2, 2]], [[1, 3], [-1, -1], [0, 3], [-1, -1], [2, 0]]])


def test_graph_convolution_is_the_normalized_adjacency_by_the_product() -> None:
    layer = fn.graph_convolution(2)
    params, x = moved(layer, ((4, 3), (5, 2))), numbers(2, 4, 3)
    made = fn.apply(layer, params, (), (x, EDGES))
    for n, edges in enumerate(EDGES.tolist()):
        adjacency = np.eye(4)
        for i, j in edges:
            if i >= 0 and j >= 0:
                adjacency[i, j] += 1
        degree = adjacency.sum(0)
        whole = np.array([[adjacency[i, j] / math.sqrt(degree[i] * degree[j]) for i in range(4)] for j in range(4)])
        np.testing.assert_allclose(made[n], whole @ x[n] @ params.weight + params.bias, rtol=1e-13, atol=1e-14)


def test_a_graph_without_edges_is_a_dense_layer_of_each_node() -> None:
    layer, x = fn.graph_convolution(2), numbers(2, 4, 3)
    params = moved(layer, ((4, 3), (1, 2)))
    made = fn.apply(layer, params, (), (x, np.zeros((2, 0, 2), np.int8)))
    np.testing.assert_allclose(made, x @ params.weight + params.bias, rtol=1e-13, atol=1e-14)


def test_short_integers_number_the_nodes_of_many_graphs() -> None:
    layer = fn.graph_convolution(2)
    params = moved(layer, ((100, 3), (1, 2)))
    x, edges = numbers(3, 100, 3), np.array([[[99, 0]]] * 3)
    np.testing.assert_array_equal(
        fn.apply(layer, params, (), (x, edges.astype(np.int8))), fn.apply(layer, params, (), (x, edges))
    )


@pytest.mark.parametrize(
    ("edges", "error", "message"),
    [
        (np.full((2, 5, 2), 4), ValueError, r"from 4 to 4, expected nodes from 0 to 3, or -1"),
        (np.full((2, 5, 2), -2), ValueError, r"from -2 to -2"),
        (np.array([[[0, 1]] * 5, [[0, 1], [2, -1]] + [[-1, 0]] * 3]), ValueError, r"have \[2, -1\] at example 1, edge 1"),
        (np.zeros((2, 5, 3), int), ValueError, r"expected \(nodes, features\) and \(edges, 2\)"),
        (np.zeros((2, 5, 2)), TypeError, "expected an array of integers"),
        (np.zeros((1, 5, 2), int), ValueError, "2 examples of features and 1 of edges"),
    ],
)
def test_wrong_edges_are_refused(edges: Any, error: type[Exception], message: str) -> None:
    layer = fn.graph_convolution(2)
    params = layer.init(fn.Key(0), ((4, 3), (5, 2))).params
    with pytest.raises(error, match=message):
        fn.apply(layer, params, (), (numbers(2, 4, 3), edges))


# -------------------------------------------------------------------------------------------------------------------- scans


def slow_scan(params: Any, u: Array, raw: Array, b: Array, c: Array) -> Array:
    y = np.empty_like(u)
    batch, steps, channels = u.shape
    for n in range(batch):
        for d in range(channels):
            h = [0.0] * b.shape[2]
            for t in range(steps):
                delta = math.log1p(math.exp(raw[n, t, d]))
                for k in range(len(h)):
                    decay = math.exp(-delta * math.exp(params.log_rate[d, k]))
                    h[k] = decay * h[k] + delta * b[n, t, k] * u[n, t, d]
                y[n, t, d] = sum(c[n, t, k] * h[k] for k in range(len(h))) + params.skip[d] * u[n, t, d]
    return y


@pytest.mark.parametrize("steps", [1, STEPS_PER_CHUNK, 2 * STEPS_PER_CHUNK + 3])
def test_a_selective_scan_is_loops_over_numbers(steps: int) -> None:
    layer, shape = fn.selective_scan(3), ((steps, 2), (steps, 2), (steps, 3), (steps, 3))
    params = moved(layer, shape)
    x = drawn(shape)
    np.testing.assert_allclose(fn.apply(layer, params, (), x), slow_scan(params, *x), rtol=1e-12, atol=1e-13)


def test_the_adjoint_of_a_long_scan_is_that_of_its_complex_step() -> None:
    steps = 2 * STEPS_PER_CHUNK + 3
    layer, shape = fn.selective_scan(3), ((steps, 2), (steps, 2), (steps, 3), (steps, 3))
    params, x = moved(layer, shape), drawn(shape)
    dy = numbers(2, steps, 2, seed=9)
    pulled = layer.backward(params, layer.forward(params, (), x, fn.Eval()).residuals, dy)
    given, grads = fn.tree.leaves((params, x)), fn.tree.leaves((pulled.params, pulled.input))
    for place, (leaf, grad) in enumerate(zip(given, grads, strict=True)):
        along = numbers(*leaf.shape, seed=20 + place)
        stepped: Any = iter([one + 1e-30j * along if index == place else one + 0j for index, one in enumerate(given)])
        at_params, at_x = fn.tree.rebuild((params, x), stepped)
        slope = (layer.forward(at_params, (), at_x, fn.Eval()).output.imag * dy).sum() / 1e-30
        np.testing.assert_allclose((grad * along).sum(), slope, rtol=1e-10, atol=1e-12)


def test_what_a_scan_keeps_is_one_state_of_sixteen() -> None:
    steps = 10 * STEPS_PER_CHUNK
    layer, shape = fn.selective_scan(4), ((steps, 2), (steps, 2), (steps, 4), (steps, 4))
    x: Any = tuple(one[:1] for one in drawn(shape))
    residuals: Any = layer.forward(layer.init(fn.Key(0), shape).params, (), x, fn.Eval()).residuals
    assert [one.shape for one in residuals.states] == [(1, 2, 4)] * 10


def test_later_steps_do_not_reach_earlier_ones() -> None:
    layer, shape = fn.selective_scan(3), ((9, 2), (9, 2), (9, 3), (9, 3))
    params, x = moved(layer, shape), drawn(shape)
    cut = tuple(one[:, :5] for one in x)
    np.testing.assert_allclose(fn.apply(layer, params, (), cut), fn.apply(layer, params, (), x)[:, :5], rtol=1e-13, atol=1e-14)


def test_inputs_of_a_scan_that_do_not_fit_are_refused() -> None:
    layer, shape = fn.selective_scan(3), ((9, 2), (9, 2), (9, 3), (9, 3))
    with pytest.raises(ValueError, match=r"expected \(t, D\), \(t, D\), \(t, 3\), \(t, 3\): values, steps"):
        layer.init(fn.Key(0), (*shape[:3], (9, 2)))
    params = layer.init(fn.Key(0), shape).params
    with pytest.raises(TypeError, match="expected four arrays"):
        fn.apply(layer, params, (), drawn(shape)[:1])
    with pytest.raises(ValueError, match="2 channels"):
        fn.apply(layer, params, (), drawn(((9, 3),) * 4))


# ------------------------------------------------------------------------------------------------------------------ splines


def b_spline(knots: list[float], k: int, degree: int, x: float) -> float:
    """Return a basis function by the recursion of Cox and de Boor, number by number."""
    if degree == 0:
        return float(knots[k] <= x < knots[k + 1])
    left = (x - knots[k]) / (knots[k + degree] - knots[k]) * b_spline(knots, k, degree - 1, x)
    right = (knots[k + degree + 1] - x) / (knots[k + degree + 1] - knots[k + 1]) * b_spline(knots, k + 1, degree - 1, x)
    return left + right


@pytest.mark.parametrize(("intervals", "degree", "low", "high"), [(5, 3, -1.0, 1.0), (3, 2, -2.0, 0.5), (4, 1, 0.0, 1.0)])
def test_splines_are_the_recursion_of_cox_and_de_boor(intervals: int, degree: int, low: float, high: float) -> None:
    layer = fn.spline(2, intervals=intervals, degree=degree, low=low, high=high)
    params = moved(layer, (3,))
    width = (high - low) / intervals
    knots = [low + (k - degree) * width for k in range(intervals + 2 * degree + 1)]
    ends = [low - 0.4 * width, low + 0.3 * width, high - 0.1 * width, high + 0.6 * width, high + 50.0, low - 50.0]
    x = np.array([ends[:3], ends[3:], [0.1, -0.2, 0.3]])
    made = fn.apply(layer, params, (), x)
    for n, row in enumerate(x.tolist()):
        for o in range(2):
            total = 0.0
            for i, value in enumerate(row):
                total += params.base[i, o] * value / (1 + math.exp(-value))
                for k in range(intervals + degree):
                    total += params.spline[i, k, o] * b_spline(knots, k, degree, value)
            assert math.isclose(made[n, o], total, rel_tol=1e-12, abs_tol=1e-13)


def test_splines_sum_to_one_between_the_ends_and_vanish_far_away() -> None:
    layer = fn.spline(1)
    params: Any = layer.init(fn.Key(0), (1,)).params
    ones = type(params)(np.zeros_like(params.base), np.ones_like(params.spline))
    x = np.linspace(-1, 1, 41)[:, np.newaxis]
    np.testing.assert_allclose(fn.apply(layer, ones, (), x), 1.0, rtol=1e-13, atol=0.0)
    assert not fn.apply(layer, ones, (), np.array([[-9.0], [9.0], [1e300], [-np.inf]])).any()


def test_wrong_settings_of_splines_are_refused() -> None:
    with pytest.raises(ValueError, match="high"):
        fn.spline(2, low=1.0, high=1.0)
    with pytest.raises(ValueError, match="degree"):
        fn.spline(2, degree=0)


def test_the_largest_numbers_are_not_divided_by_small_intervals() -> None:
    layer = fn.spline(1, intervals=50)
    params: Any = fn.tree.map(np.zeros_like, layer.init(fn.Key(0), (1,)).params)
    largest = np.finfo(float).max
    made = layer.forward(params, (), np.array([[largest], [-largest]]), fn.Eval())
    assert not layer.backward(params, made.residuals, np.ones((2, 1))).input.any()
