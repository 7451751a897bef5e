"""Mutants are made as they should be, nothing of the library is changed by them, and the certificate's cases kill them."""

import json
from functools import partial
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.certificate.cases import LayerCase, LossCase
from funcnn.kernels.arrays import sum_axis0
from funcnn.layers.linear import dense as dense_module
from funcnn.typing import Array
from tests.mutants import score
from tests.mutants.graph import parts
from tests.mutants.judge import exchange
from tests.mutants.mutations import Tick, TooManyTurns, mutations
from tests.mutants.record import FunctionScore, Mutant, MutationScore
from tests.mutants.score import measure


def difference(a: Array, b: Array) -> Array:
    return a - 2 * b


def summed(a: Array) -> Array:
    if a.ndim != 2:
        raise ValueError("expected a matrix")
    sums: Array = a.T.sum(axis=1)
    return sums


def chosen(a: Array, count: int) -> Array:
    made = np.zeros(count)
    for i in range(count):
        if a[i] < 0:
            made[i] += a[i]
    return made


def counted(count: int) -> int:
    while count > 0:
        count -= 1
    return count


def product(a: Array, b: Array) -> tuple[Array, Array]:
    return a.dot(b.T), np.einsum("ij,jk->ik", a, b)


def changed(function: Any) -> set[str]:
    return {one.after for one in mutations(function)}


def test_terms_signs_factors_and_constants_are_changed() -> None:
    assert changed(difference) >= {
        "return a + 2 * b",
        "return a",
        "return -(2 * b)",
        "return -(a - 2 * b)",
        "return 2 * (a - 2 * b)",
        "return a - 2 / b",
        "return a - b",
        "return a - 2",
        "return a - 3 * b",
        "return a - 1 * b",
    }


def test_transposes_sums_and_axes_are_changed_but_no_checks() -> None:
    after = changed(summed)
    assert after >= {
        "sums: Array = a.sum(axis=1)",
        "sums: Array = a.T",
        "sums: Array = a.T.mean(axis=1)",
        "sums: Array = a.T.sum(axis=2)",
    }
    assert not any("ndim" in one for one in after)


def test_comparisons_conditions_indices_and_statements_are_changed() -> None:
    after = changed(chosen)
    assert after >= {
        "if a[i] <= 0:",
        "if a[i] > 0:",
        "if not a[i] < 0:",
        "if a[i + 1] < 0:",
        "made[i] -= a[i]",
        "made[i] = a[i]",
        "pass",
        "made[i - 1] += a[i]",
        "for i in range(count - 1):",
        "for i in range(1, count):",
    }


def test_products_change_their_order_and_indices() -> None:
    after = changed(product)
    assert "return (b.T.dot(a), np.einsum('ij,jk->ik', a, b))" in after
    assert "return (a.dot(b), np.einsum('ij,jk->ik', a, b))" in after
    assert "return (a.dot(b.T), np.einsum('ji,jk->ik', a, b))" in after
    assert "return (np.einsum('ij,jk->ik', a, b), a.dot(b.T))" in after


def test_each_mutant_is_another_function_and_the_only_one() -> None:
    for function in (difference, summed, chosen, product):
        made = list(mutations(function))
        assert len({(one.line, one.after) for one in made}) == len(made)
        assert all(one.before != one.after for one in made)


def test_a_loop_without_end_is_ended() -> None:
    function: Any = counted
    (endless,) = [one for one in mutations(function) if one.after == "count += 1"]
    with pytest.raises(TooManyTurns):
        endless.build(function, {"_tick": Tick()})(3)


def test_a_mutant_changes_its_gradient_and_nothing_else() -> None:
    layer = fn.dense(2)
    assert sum_axis0 in parts(layer.backward)
    assert dense_module.forward not in parts(layer.backward)
    (twice,) = [one for one in mutations(sum_axis0) if one.after == "return 2 * dot(ones(len(x), x.dtype), x)"]
    other = attrs.evolve(layer, backward=exchange(sum_axis0, twice)(layer.backward))
    start = layer.init(fn.Key(0), (3,))
    made = layer.forward(start.params, start.state, np.ones((4, 3)), fn.Eval())
    right, wrong = (one.backward(start.params, made.residuals, np.ones((4, 2))) for one in (layer, other))
    assert (right.params.bias == 4).all()
    assert (wrong.params.bias == 8).all()
    assert (right.params.weight == wrong.params.weight).all()


def test_what_is_bound_to_a_gradient_belongs_to_it() -> None:
    names = {one.__name__ for one in parts(fn.huber().backward)}
    assert {"backward", "pullback", "scatter"} <= names
    assert "losses" not in names
    assert {one.__name__ for one in parts(fn.leaky_relu().backward)} == {"backward_from_output", "leaky_relu_pullback"}


def agreeing(generator: np.random.Generator, batch: int) -> tuple[Array, Array]:
    values = generator.normal(size=(batch, 2))
    return values, values.copy()


def test_weak_cases_let_mutants_survive() -> None:
    layers = {"layer_norm": (LayerCase(lambda: fn.layer_norm(), (1,), batch=1),)}  # one feature: the gradient is 0
    losses = {"mean_squared_error": (LossCase(fn.mean_squared_error, agreeing),)}
    weak = measure(layers, losses, {})
    assert not weak.ok
    survived = {mutant.after for one, mutant in weak.survivors if one.function == "layers.normalization.layer_norm.backward"}
    assert {"dx += product", "pass"} <= survived
    assert "survived: funcnn/layers/normalization/layer_norm.py:" in str(weak)


def test_a_reason_holds_for_as_many_mutants_as_it_says() -> None:
    layers = {"dense": (LayerCase(lambda: fn.dense(1), (2,), batch=1),)}
    free = measure(layers, {}, {}, names={"dense"})
    count = sum(mutant.statement == 1 for one, mutant in free.survivors if one.function == "kernels.arrays.as_matrix")
    assert count
    told = measure(layers, {}, {"kernels.arrays.as_matrix": {1: (count, "a reason")}})
    assert not told.stale
    assert len(told.survivors) == len(free.survivors) - count
    assert told.equivalent == free.equivalent + count
    for wrong in (count - 1, count + 1):
        assert measure(layers, {}, {"kernels.arrays.as_matrix": {1: (wrong, "a reason")}}).stale


def test_a_score_is_plain_numbers_and_text() -> None:
    mutant = Mutant(3, 2, "terms", "return a + b", "return a")
    one = FunctionScore("f", "f.py", 5, 3, 1, (attrs.evolve(mutant, reason="b is 0"),), (mutant,))
    made = MutationScore((one,), 1, (), ())
    assert not made.ok
    assert (made.total, made.killed, made.equivalent, len(made.survivors)) == (5, 3, 1, 1)
    assert json.loads(json.dumps(made.to_dict()))["functions"][0]["survivors"][0]["after"] == "return a"
    assert "3 of 4 mutants killed" in str(made)


def test_names_without_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="no cases of densee"):
        score(["densee"])


def test_the_librarys_own_cases_kill_a_sample_of_all_mutants() -> None:
    made = score(quick=True)
    assert made.ok, str(made)
    assert made.killed > 150
    assert made.confirmed > 1


def test_a_mutant_of_a_method_is_a_record_of_another_class() -> None:
    penalty = fn.l2_penalty(0.5)
    method: Any = type(penalty)._slope
    (twice,) = [one for one in mutations(method) if "2 * (self.strength" in one.after]
    wrong = exchange(method, twice)(penalty.gradient)
    assert [leaf.tolist() for leaf in wrong((np.ones(1),))] == [[1.0]]
    assert [leaf.tolist() for leaf in penalty.gradient((np.ones(1),))] == [[0.5]]


@pytest.mark.parametrize("name", ["layer_norm", "tanh", "half_squared_error", "residual", "l2_penalty"])
def test_all_mutants_are_killed(name: str) -> None:
    made = score([name])
    assert made.ok, str(made)


def test_a_partial_is_rebuilt_with_its_arguments() -> None:
    function: Any = difference
    (wrong,) = [one for one in mutations(function) if one.after == "return a"]
    assert exchange(function, wrong)(partial(function, np.ones(2)))(np.ones(2)).tolist() == [1.0, 1.0]
