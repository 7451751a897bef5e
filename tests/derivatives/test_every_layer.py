"""Every product of every layer and every loss, beside what is computed in another way; and that the comparison can fail."""

from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate import cases, certify
from funcnn.certificate.certifying import public
from funcnn.certificate.page import page
from funcnn.certificate.products import layer_products, loss_products
from funcnn.certificate.record import PRODUCTS, ProductRow
from funcnn.certificate.subjects import MODES, names, start, subjects
from funcnn.curvature.loss_curvature import output_columns
from funcnn.derivatives.rules.form import Gradients, Squares
from funcnn.derivatives.rules.pairs import Pairs


@pytest.mark.parametrize("name", [name for name in names() if name not in cases.PENALTIES])
def test_every_product_is_right(name: str) -> None:
    kind, found = subjects(name)
    made = set()
    for index, case in enumerate(one for one in found if not one.large):
        mode = case.modes[index % len(case.modes)]
        for product in case.products(mode):
            row = ProductRow(case.case, mode, product.name, product.error, product.bar, product.note)
            assert row.ok, row
            made.add(row.product)
    assert made >= set(PRODUCTS[kind]) or all(one.large for one in found)


def test_every_public_name_is_walked() -> None:
    assert set(names()) == set(public())


def test_reasons_not_to_compare_are_few() -> None:
    """Most products of most names are compared somewhere: a note is for kinks, surrogates and batch statistics."""
    noted = set()
    for name in names():
        _, found = subjects(name)
        small = [case for case in found if not case.large][:1]
        noted |= {name for case in small if any(one.name == "jvp" and one.note for one in case.products(case.modes[0]))}
    assert len(noted) <= 12, noted


def spoiled(forward: Any, backward: Any) -> cases.LayerCase:
    """Return the case of a square whose functions are changed."""

    def make() -> Any:
        return fn.define_layer(
            "square",
            lambda key, shape: fn.Init((), (), shape),
            lambda params, state, x, mode: fn.Forward(forward(x), state, x),
            lambda params, x, dy: fn.Backward(params, backward(x) * dy),
            random=False,
        )

    return cases.LayerCase(make, (3,))


def wrong(case: cases.LayerCase) -> set[str]:
    made = [*layer_products(case, *start(case, case.make()), MODES["eval"])]
    return {one.name for one in made if not one.error <= one.bar}


def spoiling(outer: Any) -> Any:
    return lambda form, x, dy: outer(form, x, dy * (1 - 1e-9))


def spoiling_each(columns: Any) -> Any:
    return lambda *given: [one * (1 - 1e-9) for one in columns(*given)]


def test_each_comparison_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    for form, name in ((Gradients, "per example"), (Squares, "norms"), (Pairs, "factors")):
        with monkeypatch.context() as own:
            own.setattr(form, "outer", spoiling(form.outer))
            assert name in wrong(cases.LAYERS["linear"][0])
    case = cases.LOSSES["softmax_cross_entropy"][0]
    assert not [one for one in loss_products(case) if not one.error <= one.bar]
    spoiled_roots = spoiling_each(output_columns)
    monkeypatch.setattr("funcnn.certificate.products.output_columns", spoiled_roots)
    assert [one.name for one in loss_products(case) if not one.error <= one.bar] == ["root"]
    with pytest.raises(fn.NotAnalyticError):
        wrong(spoiled(lambda x: np.abs(x) ** 2, lambda x: 2 * x))
    assert wrong(spoiled(lambda x: x * x, lambda x: 2 * x)) == set()
    assert wrong(spoiled(lambda x: x * x, lambda x: 2 * x.real)) >= {"hvp"}
    assert "dot" in wrong(spoiled(lambda x: x * x, lambda x: 2 * x + 1e-9 * x.real))


def test_a_wrong_product_is_not_certified(monkeypatch: pytest.MonkeyPatch) -> None:
    case = spoiled(lambda x: x * x, lambda x: 2 * x.real)
    monkeypatch.setitem(cases.LAYERS, "tanh", (case,))
    made = certify(["tanh"], quick=True)
    assert not made.ok
    assert all(row.ok for row in made.rows)
    assert "## Products that are wrong" in page(made)
    monkeypatch.setitem(cases.LAYERS, "tanh", (spoiled(lambda x: np.abs(x) ** 2, lambda x: 2 * x),))
    assert "NotAnalyticError" in certify(["tanh"], quick=True).entries[0].products[-1].note


def test_a_name_without_a_product_is_not_certified() -> None:
    (entry,) = certify(["relu"], quick=True).entries
    assert entry.ok
    for left_out in PRODUCTS["layer"]:
        some = tuple(row for row in entry.products if row.product != left_out)
        assert not attrs.evolve(entry, products=some).ok


def test_kinks_take_the_branch_of_backward() -> None:
    """At 0 and at ties the imaginary part decides nothing, whichever way the step goes."""
    x = np.zeros((1, 2, 2, 1))
    for layer in (fn.relu(), fn.leaky_relu(0.1), fn.elu(0.5), fn.hard_tanh(0.0, 1.0), fn.max_pool2d(2), fn.global_max_pool()):
        kept = layer.forward((), (), x, fn.Eval())
        doutput = np.ones_like(kept.output)
        wanted = layer.backward((), kept.residuals, doutput).input
        for sign in (1, -1):
            dx = sign * np.arange(1.0, 5).reshape(x.shape)
            for mode in (fn.Eval(), MODES["train"]):
                assert (fn.jvp(layer)((), (), x, None, dx, mode).tangent * doutput).sum() == pytest.approx((wanted * dx).sum())


def test_surrogates_have_their_surrogates_derivative() -> None:
    x, dx = np.array([[0.4, -1.6]]), np.array([[1.0, 2.0]])
    for layer, factor in ((fn.gradient_reversal(0.3), -0.3), (fn.straight_through("round"), 1.0), (fn.stop_gradient(), 0.0)):
        made = fn.jvp(layer)((), (), x, None, dx, fn.Eval())
        np.testing.assert_allclose(made.tangent, factor * dx, atol=0)
        assert np.array_equal(made.output, layer.forward((), (), x, fn.Eval()).output)
    frozen = fn.frozen(fn.dense(2))
    start_ = frozen.init(fn.Key(0), (2,))
    step = tree.map(np.ones_like, start_.params)
    assert not fn.jvp(frozen)(start_.params, start_.state, x, step, None, fn.Eval()).tangent.any()
