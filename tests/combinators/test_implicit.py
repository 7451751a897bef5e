"""Implicit layers: solutions in closed form, the orders of methods, both adjoints, and equations without a solution."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LAYERS
from funcnn.certificate.subjects import start as perturbed
from funcnn.combinators.implicit.tableau import DORMAND_PRINCE, METHODS, Tableau
from funcnn.typing import Array

IMPLICIT = ("fixed_point", "runge_kutta", "dormand_prince")
EACH_METHOD = pytest.mark.parametrize("method", list(METHODS))


def _first(in_shape: Any, inputs: Any) -> Any:
    return in_shape if inputs == 1 else in_shape[0]


def formula(value: Callable[[Any], Array], slope: Callable[[Any, Array], Any], inputs: Any = 1) -> Any:
    """Return a layer without parameters."""
    return fn.define_layer(
        "formula",
        init=lambda key, in_shape: fn.Init((), (), _first(in_shape, inputs)),
        forward=lambda params, state, x, mode: fn.Forward(value(x), state, x),
        backward=lambda params, x, dy: fn.Backward((), slope(x, dy)),
        inputs=inputs,
    )


TURN = np.array([[-0.3, 1.0], [-1.0, -0.3]])
SPIRAL = formula(lambda y: y @ TURN, lambda y, dy: dy @ TURN.T)
SQUARE = formula(lambda y: y * y, lambda y, dy: 2 * y * dy)
TIME = formula(lambda pair: pair[0] * pair[1], lambda pair, dy: (dy * pair[1], (dy * pair[0]).sum(1, keepdims=True)), 2)


def spiral(x: Array, t: float) -> Array:
    """Return the solution of y' = y TURN in closed form."""
    turned = np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
    solution: Array = np.exp(-0.3 * t) * x @ turned
    return solution


def solved(layer: Any, x: Array) -> Array:
    return fn.apply(layer, (), (), x)


X = np.array([[1.0, 0.5], [-0.2, 2.0], [0.0, 0.1]])

# ------------------------------------------------------------------------------------------------------------ steps


def elementary_weights(tableau: Tableau, b: tuple[Fraction, ...]) -> dict[str, tuple[Fraction, Fraction]]:
    """Return what each tree of up to four nodes, and the quadrature of order 5, give and should give."""
    a = [(*row, *[Fraction(0)] * (len(b) - len(row))) for row in tableau.a]
    c = tableau.c
    ac = [sum((w * x for w, x in zip(row, c, strict=True)), Fraction(0)) for row in a]
    acc = [sum((w * x * x for w, x in zip(row, c, strict=True)), Fraction(0)) for row in a]
    aac = [sum((w * x for w, x in zip(row, ac, strict=True)), Fraction(0)) for row in a]

    def dot(*factors: Any) -> Fraction:
        return sum((Fraction(math.prod(column)) for column in zip(b, *factors, strict=True)), Fraction(0))

    return {
        "1": (dot(), Fraction(1)),
        "2": (dot(c), Fraction(1, 2)),
        "3 bush": (dot(c, c), Fraction(1, 3)),
        "3 tall": (dot(ac), Fraction(1, 6)),
        "4 bush": (dot(c, c, c), Fraction(1, 4)),
        "4 mixed": (dot(c, ac), Fraction(1, 8)),
        "4 fork": (dot(acc), Fraction(1, 12)),
        "4 tall": (dot(aac), Fraction(1, 24)),
        "5 bush": (dot(c, c, c, c), Fraction(1, 5)),
        "5 squares": (dot(ac, ac), Fraction(1, 20)),
    }


@pytest.mark.parametrize("tableau", [*METHODS.values(), DORMAND_PRINCE], ids=lambda one: one.name)
def test_methods_obey_the_order_conditions_and_no_more(tableau: Tableau) -> None:
    holds = {name: got == wanted for name, (got, wanted) in elementary_weights(tableau, tableau.b).items()}
    assert all(right for name, right in holds.items() if int(name[0]) <= tableau.order)
    assert tableau.order == 5 or not all(right for name, right in holds.items() if int(name[0]) <= tableau.order + 1)


def test_the_embedded_method_has_order_four() -> None:
    embedded = tuple(b - e for b, e in zip(DORMAND_PRINCE.b, DORMAND_PRINCE.error, strict=True))
    holds = {name: got == wanted for name, (got, wanted) in elementary_weights(DORMAND_PRINCE, embedded).items()}
    assert [name for name, right in holds.items() if not right] == ["5 bush", "5 squares"]


@EACH_METHOD
def test_errors_fall_by_the_order_of_the_method(method: str) -> None:
    errors = [abs(solved(fn.runge_kutta(SPIRAL, 2.0, steps=n, method=method), X) - spiral(X, 2.0)).max() for n in (20, 40)]
    # What two step lengths tell of an order.
    assert np.log2(errors[0] / errors[1]) == pytest.approx(METHODS[method].order, abs=0.25)


def test_the_classical_step_is_the_textbook_one() -> None:
    model, h, y = fn.dense(2) >> fn.tanh(), 0.35, X
    made = model.init(fn.Key(0), (2,))

    def f(y: Array) -> Array:
        return np.tanh(y @ made.params[0].weight + made.params[0].bias)

    for _ in range(2):
        k1 = f(y)
        k2 = f(y + h / 2 * k1)
        k3 = f(y + h / 2 * k2)
        k4 = f(y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    got = fn.apply(fn.runge_kutta(model, 0.7, steps=2), made.params, made.state, X)
    np.testing.assert_allclose(got, y, rtol=1e-14)


@pytest.mark.parametrize("make", [fn.runge_kutta, fn.dormand_prince])
@pytest.mark.parametrize("times", [(0.5, 1.0, 2.5), (-0.5, -2.0), (3,)])
def test_states_at_several_times_stand_along_the_second_axis(make: Any, times: tuple[float, ...]) -> None:
    settings = {"rtol": 1e-10, "atol": 1e-10} if make is fn.dormand_prince else {"steps": 300}
    got = solved(make(SPIRAL, times, **settings), X)
    # The tolerance of the solver, times its steps.
    np.testing.assert_allclose(got, np.stack([spiral(X, t) for t in times], axis=1), atol=1e-8)
    # Other steps lead there.
    np.testing.assert_allclose(solved(make(SPIRAL, float(times[-1]), **settings), X), got[:, -1], atol=1e-8)


@pytest.mark.parametrize("make", [fn.runge_kutta, fn.dormand_prince])
def test_time_is_an_input_that_begins_at_the_start(make: Any) -> None:
    got = solved(make(TIME, 1.5, start=0.5, timed=True), X)  # y' = t y: y = x exp((t^2 - 1/4) / 2)
    np.testing.assert_allclose(got, X * np.exp((1.5**2 - 0.5**2) / 2), rtol=1e-4)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, 1e-10])
def test_errors_follow_the_tolerance(tolerance: float) -> None:
    layer = fn.dormand_prince(SPIRAL, 5.0, rtol=tolerance, atol=tolerance)
    error = abs(solved(layer, X) - spiral(X, 5.0)).max()
    assert 1e-3 * tolerance < error < 10 * tolerance


def test_long_double_has_its_digits() -> None:
    x = X.astype(np.longdouble)
    layer = fn.dormand_prince(formula(lambda y: -y, lambda y, dy: -dy), rtol=1e-17, atol=1e-17)
    np.testing.assert_allclose(solved(layer, x), x * np.exp(-np.ones((), np.longdouble)), rtol=1e-16)


def test_each_example_has_steps_of_its_own() -> None:
    x = np.array([[0.1], [3.0]])
    both = solved(fn.dormand_prince(SQUARE, 0.3), x)  # y = x / (1 - x t)
    np.testing.assert_allclose(both, x / (1 - 0.3 * x), rtol=1e-5)
    for index in range(2):
        alone = solved(fn.dormand_prince(SQUARE, 0.3), x[index : index + 1])
        np.testing.assert_array_equal(alone[0], both[index])


# -------------------------------------------------------------------------------------------------------- gradients


def gradients(layer: Any, x: Array) -> list[Array]:
    start = layer.init(fn.Key(0), x.shape[1:])
    made = layer.forward(start.params, start.state, x, fn.Eval())
    pulled = layer.backward(start.params, made.residuals, np.cos(made.output))
    return [*tree.leaves(pulled.params), pulled.input]


FIELD = fn.dense(3) >> fn.tanh() >> fn.linear(2)
TIMED = fn.join_inputs() >> FIELD


def distance(ones: list[Array], others: list[Array]) -> float:
    return max(float(abs(one - other).max()) for one, other in zip(ones, others, strict=True))


@pytest.mark.parametrize(("inner", "timed"), [(FIELD, False), (TIMED, True)])
def test_the_continuous_adjoint_comes_near_by_the_order(inner: Any, timed: Any) -> None:
    off = []
    for steps in (4, 8):
        both = [
            gradients(fn.runge_kutta(inner, (0.8, 2.0), steps=steps, timed=timed, adjoint=adjoint), X)
            for adjoint in ("discrete", "continuous")
        ]
        off.append(distance(*both))
    assert off[1] > 1e-12
    assert off[0] / off[1] > 2**3.4


def test_the_continuous_adjoint_of_chosen_steps_is_right_to_the_tolerance() -> None:
    discrete, continuous = [
        gradients(fn.dormand_prince(TIMED, (0.8, 2.0), timed=True, rtol=1e-9, atol=1e-9, adjoint=adjoint), X)
        for adjoint in ("discrete", "continuous")
    ]
    assert 1e-14 < distance(discrete, continuous) < 1e-6


@pytest.mark.parametrize(("field", "times"), [(FIELD, 3.0), (TIMED, (1.2, 3.0))], ids=["one time", "timed, several times"])
def test_a_gradient_goes_through_the_lengths_of_steps(field: Any, times: Any) -> None:
    """Also where attempts are refused, and where lengths follow the error with nothing that limits them."""
    make: Any = fn.dormand_prince
    # The solver's, so that it takes few steps.
    model = make(field, times, rtol=1e-3, atol=1e-3, first_step=2.0, timed=field is TIMED)
    start = model.init(fn.Key(3), (2,))
    params = tree.map(lambda leaf: 3 * leaf, start.params)
    made = model.forward(params, start.state, X, fn.Train(fn.Key(0))).residuals
    attempts = [one for stretch in made.attempts for one in stretch]
    assert any((one.active & ~one.accepted & one.measured.free).any() for one in attempts)
    assert any((one.accepted & ~one.clipped & one.measured.free).any() for one in attempts)
    fn.check.check_layer(model, X, params=params, state=start.state, mode=fn.Train(fn.Key(0))).raise_if_failed()


def test_recomputed_stages_give_the_same_gradient() -> None:
    kept, again = [gradients(fn.runge_kutta(inner, steps=3), X) for inner in (FIELD, fn.recompute(FIELD))]
    assert all(np.array_equal(one, other) for one, other in zip(kept, again, strict=True))


@pytest.mark.parametrize("name", IMPLICIT)
def test_backward_is_analytic(name: str) -> None:
    """The imaginary part of a gradient at an imaginary step is its derivative: products with Hessians need that."""
    for case in LAYERS[name]:
        layer = case.make()
        params, state = perturbed(case, layer)
        x, along = case.x(), np.cos(np.arange(case.x().size)).reshape(case.x().shape)

        def slope(step: complex, at: tuple[Any, Any, Any, Any] = (layer, params, state, (x, along))) -> list[Array]:
            layer, params, state, (x, along) = at
            made = layer.forward(params, state, x + step * along, fn.Train(fn.Key(5)))
            pulled = layer.backward(params, made.residuals, made.output)
            return [*tree.leaves(pulled.params), pulled.input]

        for imaginary, above, below in zip(slope(1e-30j), slope(1e-5), slope(-1e-5), strict=True):
            difference = (above - below) / 2e-5
            np.testing.assert_allclose(imaginary.imag / 1e-30, difference, rtol=0, atol=1e-7 * max(1, abs(difference).max()))


# ------------------------------------------------------------------------------------------------------ fixed points


def test_a_linear_fixed_point_and_its_gradient_in_closed_form() -> None:
    cell: Any = fn.join_inputs() >> fn.linear(3)
    layer = fn.fixed_point(cell)
    weight = np.array([[0.3, -0.9, 0.1], [0.8, 0.2, 0.0], [0.4, -0.1, -2.0]])  # an eigenvalue beyond -1: no contraction
    start = layer.init(fn.Key(0), (3,))
    params: Any = tree.map(lambda leaf: np.concatenate((weight, np.eye(3))), start.params)
    x, dy = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 1.0]]), np.array([[1.0, 0.0, -1.0], [2.0, 1.0, 0.5]])
    made = layer.forward(params, start.state, x, fn.Eval())
    inverse = np.linalg.inv(np.eye(3) - weight)
    np.testing.assert_allclose(made.output, x @ inverse, rtol=1e-13)
    pulled = layer.backward(params, made.residuals, dy)
    u = dy @ inverse.T
    np.testing.assert_allclose(pulled.input, u, rtol=1e-13)
    dweight = np.concatenate((made.output, x), axis=1).T @ u
    np.testing.assert_allclose(tree.leaves(pulled.params)[0], dweight, rtol=1e-12, atol=1e-14)


def test_examples_that_meet_in_batch_statistics_are_solved_together() -> None:
    cell = fn.add_inputs() >> fn.dense(2, weight_init=fn.initializers.identity(0.5)) >> fn.batch_norm(eps=4.0) >> fn.tanh()
    layer = fn.fixed_point(cell)
    start = layer.init(fn.Key(0), (2,))
    x, along, dy = np.random.default_rng(0).normal(size=(3, 4, 2))
    tangent = layer.forward(start.params, start.state, x + 1e-30j * along, fn.Train(fn.Key(0))).output.imag / 1e-30
    made = layer.forward(start.params, start.state, x, fn.Train(fn.Key(0)))
    dx = layer.backward(start.params, made.residuals, dy).input
    assert (dx * along).sum() == pytest.approx((dy * tangent).sum(), rel=1e-12, abs=0.0)
    moved = x + np.eye(4, 2)  # of other examples than the one that is looked at
    assert abs(layer.forward(start.params, start.state, moved, fn.Train(fn.Key(0))).output - made.output)[3].max() > 1e-3


def test_a_tolerance_ends_the_iteration_early() -> None:
    calls = []

    def cosine(pair: Any) -> Array:
        calls.append(1)
        return np.cos(pair[0]) + 0 * pair[1]  # type: ignore[no-any-return]  # of inputs of any type

    cell = formula(cosine, lambda pair, dy: (-np.sin(pair[0]) * dy, 0 * dy), 2)
    counts = []
    for tolerance in (None, 1e-3):
        calls.clear()
        got = solved(fn.fixed_point(cell, tolerance=tolerance), np.ones((1, 1)))
        assert got[0, 0] == pytest.approx(
            0.7390851332151607, rel=1e-15 if tolerance is None else 1e-3, abs=0.0
        )  # Dottie's number
        counts.append(len(calls))
    assert counts[1] < counts[0] - 2


# ------------------------------------------------------------------------------------------------------------ errors


def failing(layer: Any, x: Array) -> str:
    """Return the message and the note of the error of a layer in a chain."""
    model = fn.serial(fn.identity(), layer)
    made = model.init(fn.Key(0), x.shape[1:])
    with pytest.raises(fn.ConvergenceError) as caught:
        fn.apply(model, made.params, made.state, x)
    return "\n".join((str(caught.value), *caught.value.__notes__))


def test_what_is_not_solved_is_an_error_with_the_path() -> None:
    text = failing(fn.dormand_prince(SPIRAL, 100.0, max_steps=20), X)
    assert "max_steps=20 attempts" in text
    assert "in layer [1] dormand_prince(formula)" in text
    text = failing(fn.dormand_prince(SQUARE, 2.0), np.array([[0.1], [1.0]]))  # grows beyond all bounds at t = 1
    assert "example 1" in text
    shift = formula(lambda pair: pair[0] + pair[1], lambda pair, dy: (dy, dy), 2)  # z = z + x has no solution
    text = failing(fn.fixed_point(shift, iterations=30), np.array([[0.0], [1.0]]))
    assert "example 1" in text
    assert "in layer [1] fixed_point(formula)" in text


def test_an_adjoint_without_a_solution_is_an_error() -> None:
    saddle = formula(lambda pair: pair[0] + 0 * pair[1], lambda pair, dy: (dy, dy), 2)  # every z is a fixed point
    layer = fn.fixed_point(saddle)
    made = layer.forward((), (), np.ones((2, 1)), fn.Eval())
    with pytest.raises(fn.ConvergenceError, match="the adjoint of the fixed point of formula"):
        layer.backward((), made.residuals, np.ones((2, 1)))


@pytest.mark.parametrize("make", [fn.runge_kutta, fn.dormand_prince])
def test_a_right_hand_side_that_changes_the_shape_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="expected the same shape"):
        make(fn.dense(3)).init(fn.Key(0), (2,))
    with pytest.raises(ValueError, match=r"gives float64\[3, 1\], expected the state's shape"):
        solved(make(formula(lambda y: y[:, :1], lambda y, dy: dy)), X)


def test_a_cell_that_does_not_give_z_is_refused() -> None:
    cell = fn.join_inputs() >> fn.dense(3)
    with pytest.raises(ValueError, match=r"to \(3,\): give the shape of z as shape="):
        fn.fixed_point(cell).init(fn.Key(0), (2,))
