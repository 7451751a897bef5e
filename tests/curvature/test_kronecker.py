"""Kronecker factors beside the blocks of the dense Gauss-Newton matrix, exact where they should be."""

import pickle
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import curvature, tree
from funcnn.curvature import output_gradients
from funcnn.curvature.blocks import DiagonalBlock, Factor, KroneckerBlock
from funcnn.curvature.factors import input_factor
from tests.curvature.networks import EVAL, Case, classifier, convolutional, flat, regressor, sequence

GENERATOR = np.random.default_rng(2)


def dense_form(factors: Any) -> Any:
    """The matrix of the factors, from its products."""
    vector, unravel = tree.ravel(factors.like)
    return np.stack([flat(factors.product(unravel(unit))) for unit in np.eye(vector.size)])


def on_blocks(factors: Any, matrix: Any) -> Any:
    """What of a matrix lies in the blocks."""
    numbers = np.cumsum([0, *[leaf.size for leaf in tree.leaves(factors.like)]])
    kept = np.zeros_like(matrix)
    for block in factors.blocks:
        places = np.concatenate([np.arange(numbers[index], numbers[index + 1]) for index in block.leaves])
        kept[np.ix_(places, places)] = matrix[np.ix_(places, places)]
    return kept


def made(case: Case, **options: Any) -> Any:
    return curvature.kronecker_factors(case.model, case.loss, **options)(*case.at, EVAL)


def test_one_example_has_exact_blocks() -> None:
    whole = classifier()
    case = Case(whole.model, whole.loss, whole.x[:1], whole.target[:1])
    for options in ({}, {"corrected": True}, {"sharing": "reduce"}):
        factors = made(case, **options)
        np.testing.assert_allclose(dense_form(factors), on_blocks(factors, case.ggn()), atol=1e-9)


def test_linear_networks_with_squared_errors_have_exact_blocks() -> None:
    model = fn.dense(3) >> fn.linear(2) >> fn.dense(2)
    case = Case(model, fn.half_squared_error(), GENERATOR.normal(size=(6, 4)), GENERATOR.normal(size=(6, 2)))
    factors = made(case)
    np.testing.assert_allclose(dense_form(factors), on_blocks(factors, case.ggn()), atol=1e-9)
    assert [block.paths for block in factors.blocks] == [("[0].weight", "[0].bias"), ("[1].weight",), ("[2].weight", "[2].bias")]


def test_shared_weights_are_exact_where_their_setting_says() -> None:
    x = GENERATOR.normal(size=(5, 4, 3))
    each = Case(fn.dense(3) >> fn.linear(2), fn.half_squared_error(), x, GENERATOR.normal(size=(5, 4, 2)))
    expand, reduce = [made(each, sharing=sharing) for sharing in ("expand", "reduce")]
    # Eigenvalues to the root of rounding.
    np.testing.assert_allclose(dense_form(expand), on_blocks(expand, each.ggn()), atol=1e-8)
    assert np.abs(dense_form(reduce) - on_blocks(reduce, each.ggn())).max() > 0.01
    pooled = Case(fn.dense(3) >> fn.linear(2) >> fn.global_avg_pool(), fn.half_squared_error(), x, GENERATOR.normal(size=(5, 2)))
    expand, reduce = [made(pooled, sharing=sharing) for sharing in ("expand", "reduce")]
    # Eigenvalues to the root of rounding.
    np.testing.assert_allclose(dense_form(reduce), on_blocks(reduce, pooled.ggn()), atol=1e-8)
    assert np.abs(dense_form(expand) - on_blocks(expand, pooled.ggn())).max() > 0.01


def test_logistic_regression_has_its_known_factors() -> None:
    case = Case(fn.dense(3), fn.softmax_cross_entropy(), GENERATOR.normal(size=(9, 2)), GENERATOR.integers(0, 3, 9))
    (block,) = made(case).blocks
    logits = fn.apply(case.model, case.params, case.state, case.x)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    inputs = np.hstack((case.x, np.ones((9, 1))))
    np.testing.assert_allclose(block.input_factor, inputs.T @ inputs / 9)
    np.testing.assert_allclose(block.output_factor, (np.diag(p.sum(0)) - p.T @ p) / 9, atol=1e-12)


NETWORKS = {
    "classifier": classifier(),
    "regressor": regressor(),
    "convolutional": convolutional(),
    "sequence": sequence(),
    "padded": Case(
        fn.conv2d(3, 3, stride=2, padding=1) >> fn.tanh() >> fn.conv2d(2, 1, groups=1) >> fn.flatten() >> fn.dense(2),
        fn.half_squared_error(), GENERATOR.normal(size=(4, 5, 5, 2)), GENERATOR.normal(size=(4, 2)),
    ),
    "lstm": Case(
        fn.lstm(3) >> fn.dense(2), fn.half_squared_error(), GENERATOR.normal(size=(3, 4, 2)), GENERATOR.normal(size=(3, 4, 2)),
    ),
    "attention": Case(
        fn.attention(2) >> fn.global_avg_pool() >> fn.dense(3), fn.softmax_cross_entropy(), GENERATOR.normal(size=(4, 3, 4)),
        GENERATOR.integers(0, 3, 4),
    ),
    "grouped": Case(
        fn.conv1d(4, 2, groups=2) >> fn.flatten() >> fn.dense(2), fn.half_squared_error(), GENERATOR.normal(size=(4, 4, 2)),
        GENERATOR.normal(size=(4, 2)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_corrected_factors_are_nearer_and_have_the_true_trace(name: str) -> None:
    case = NETWORKS[name]
    plain, corrected = made(case), made(case, corrected=True)
    matrix = case.ggn()
    apart = [np.linalg.norm(dense_form(one) - on_blocks(one, matrix)) for one in (plain, corrected)]
    assert apart[1] <= apart[0] + 1e-9
    assert apart[1] < np.linalg.norm(on_blocks(corrected, matrix))
    np.testing.assert_allclose(np.trace(dense_form(corrected)), np.trace(matrix), rtol=1e-6)  # eigenvalues of a product
    for block, whole in zip(corrected.blocks, plain.blocks, strict=True):
        assert type(block) is type(whole)
        if isinstance(block, DiagonalBlock):
            exact = tree.leaves(curvature.ggn_diagonal(case.model, case.loss)(*case.at, EVAL))[block.leaves[0]]
            np.testing.assert_allclose(block.values, exact, rtol=1e-9)


def test_the_matrices_of_a_recurrent_layer_are_one_and_a_grouped_kernel_has_a_diagonal() -> None:
    (block, _) = made(NETWORKS["lstm"]).blocks
    assert isinstance(block, KroneckerBlock)
    assert len(block.paths) == 3
    assert block.input_factor.shape == (2 + 3 + 1, 6)
    assert isinstance(made(NETWORKS["grouped"]).blocks[0], DiagonalBlock)


@pytest.mark.parametrize("name", ["classifier", "padded", "sequence"])
def test_solves_roots_diagonals_and_determinants_are_those_of_the_matrix(name: str) -> None:
    case = NETWORKS[name]
    for corrected in (False, True):
        factors = made(case, corrected=corrected)
        matrix = dense_form(factors) + 0.1 * np.eye(tree.size(case.params))
        vector = tree.map(lambda leaf: GENERATOR.normal(size=leaf.shape), case.params)
        # Times the condition.
        np.testing.assert_allclose(flat(factors.solve(vector, 0.1)), np.linalg.solve(matrix, flat(vector)), rtol=1e-8)
        twice = factors.root_solve(factors.root_solve(vector, 0.1), 0.1)
        np.testing.assert_allclose(flat(twice), flat(factors.solve(vector, 0.1)), rtol=1e-9)
        np.testing.assert_allclose(flat(factors.diagonal()), np.diag(matrix) - 0.1, atol=1e-9)
        assert factors.log_determinant(0.1) == pytest.approx(np.linalg.slogdet(matrix)[1], rel=1e-9, abs=0.0)


@pytest.mark.parametrize("case", [convolutional(), sequence()], ids=["convolutional", "sequence"])
def test_columns_that_do_not_fit_together_are_taken_in_stretches(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole is the same, with one column at a time and with all."""

    def both() -> list[Any]:
        return [curvature.ggn_diagonal(case.model, case.loss)(*case.at, EVAL), dense_form(made(case, corrected=True))]

    together = both()
    monkeypatch.setattr(output_gradients, "_HELD", 1)
    for one, other in zip(both(), together, strict=True):
        for a, b in zip(tree.leaves(one), tree.leaves(other), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


def test_random_columns_are_right_in_the_mean() -> None:
    case = NETWORKS["classifier"]
    function = curvature.kronecker_factors(case.model, case.loss, samples=1)
    many: list[Any] = [function(*case.at, EVAL, key=fn.Key(0).child(n)).blocks[1] for n in range(400)]
    exact: Any = made(case).blocks[1]
    mean = np.mean([block.output_factor for block in many], axis=0)
    np.testing.assert_allclose(mean, exact.output_factor, atol=0.15 * np.abs(exact.output_factor).max())
    every: Any = curvature.kronecker_factors(case.model, case.loss, samples=7)(*case.at, EVAL, key=fn.Key(0)).blocks[1]
    np.testing.assert_array_equal(every.output_factor, exact.output_factor)  # no more columns than there are


def test_empirical_factors_are_those_of_the_datas_gradients() -> None:
    case = NETWORKS["classifier"]
    factors = made(case, kind="empirical", corrected=True)
    rows = np.concatenate(
        [leaf.reshape(len(case.x), -1) for leaf in tree.leaves(fn.per_example_grads(case.model, case.loss)(*case.at, EVAL))],
        axis=1,
    )
    np.testing.assert_allclose(np.trace(dense_form(factors)), np.sum(rows**2) / len(case.x), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.longdouble])
def test_the_precision_is_kept(dtype: Any) -> None:
    case = classifier()
    at = tree.astype(case.params, dtype), case.state, case.x.astype(dtype), case.target
    factors = curvature.kronecker_factors(case.model, case.loss)(*at, EVAL)
    vector = factors.solve(at[0], damping=0.1)
    tree.check_like(at[0], vector)
    # Damping by factors is an approximation.
    np.testing.assert_allclose(flat(vector), flat(made(case).solve(case.params, 0.1)), rtol=1e-3, atol=1e-3)


def test_the_function_pickles() -> None:
    case = NETWORKS["classifier"]
    function = pickle.loads(pickle.dumps(curvature.kronecker_factors(case.model, case.loss)))
    assert tree.same(function(*case.at, EVAL).solve(case.params, 0.1), made(case).solve(case.params, 0.1))


def test_what_does_not_fit_is_named() -> None:
    case = NETWORKS["classifier"]
    factors = made(case)
    with pytest.raises(ValueError, match=r"the block of params\[2\].weight and params\[2\].bias is singular.*damping="):
        factors.solve(case.params)
    with pytest.raises(ValueError, match=r"vector is an array.*expected a tuple"):
        factors.solve(np.ones(3), 0.1)
    with pytest.raises(ValueError, match="sharing is 'sum'"):
        made(case, sharing="sum")
    with pytest.raises(TypeError, match="key is None, expected a key"):
        made(case, samples=1)
    model = fn.dense(2) >> fn.batch_norm()
    start = model.init(fn.Key(0), (3,))
    factors_of = curvature.kronecker_factors(model, fn.half_squared_error())
    with pytest.raises(ValueError, match="sums over the batch"):
        factors_of(start.params, start.state, case.x, np.zeros((7, 2)), fn.Train(fn.Key(0)))


@pytest.mark.parametrize("rows", [1, 3, 6, 9])
def test_a_factor_of_few_rows_is_decomposed_by_them(rows: int) -> None:
    """Beside the decomposition of the whole matrix; rows that are equal, and so of less rank than they are many, too."""
    x = np.random.default_rng(0).normal(size=(rows, 9))
    x[-1] = x[0]
    made, whole = Factor.of_rows(x), Factor.of(x.T @ x / rows)
    np.testing.assert_allclose(made.matrix, whole.matrix, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(made.values, whole.values, rtol=0, atol=1e-14)
    np.testing.assert_allclose(made.vectors.T @ made.vectors, np.eye(9), rtol=0, atol=1e-14)
    np.testing.assert_allclose(made.vectors * made.values @ made.vectors.T, made.matrix, rtol=0, atol=1e-14)


@pytest.mark.parametrize("sharing", ["expand", "reduce"])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_input_factors_of_parts_are_those_of_their_rows(sharing: Any, count: int) -> None:
    draw = np.random.default_rng(0)
    parts: list[Any] = [draw.normal(size=(count, 3, features)) for features in (5, 4, 1)]
    rows = np.concatenate(parts, axis=2)
    rows = rows.mean(axis=1) if sharing == "reduce" else rows.reshape(-1, 10)
    made = input_factor(parts, sharing, None)
    even = input_factor(parts, sharing, np.full(count, 1 / count))
    np.testing.assert_allclose(even.matrix, made.matrix, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(made.matrix, rows.T @ rows / len(rows), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(made.vectors * made.values @ made.vectors.T, made.matrix, rtol=0, atol=1e-13)
