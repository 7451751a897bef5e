"""What holds for every loss, whatever it computes: kinds of arrays, options, long sums, overflow on the way."""

import inspect
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LOSSES
from funcnn.certificate.names import loss_factories
from funcnn.losses.batch_rule import is_batchwise

FIRST = {name: cases[0] for name, cases in LOSSES.items()}
ALL = {f"{name}-{case.label or index}": case for name, cases in LOSSES.items() for index, case in enumerate(cases)}
each = pytest.mark.parametrize("name", FIRST)


def draw(case: Any, batch: int, dtype: Any = np.float64) -> tuple[Any, Any]:
    prediction, target = case.draw(np.random.default_rng(3), batch)
    return tree.astype(prediction, dtype), target


def changed(values: Any, change: Any) -> Any:
    """Return a tree of arrays with each changed, into something that is no array perhaps."""
    if isinstance(values, tuple):
        return tuple(changed(value, change) for value in values)
    if isinstance(values, fn.CTCTarget):
        return fn.CTCTarget(change(values.labels), values.label_lengths, values.input_lengths)
    if isinstance(values, fn.SurvivalTarget):
        return fn.SurvivalTarget(change(values.time), values.event)
    return change(values)


KINDS: dict[str, tuple[Any, str]] = {
    "float16": (lambda leaf: leaf.astype(np.float16), "ha(s|ve) dtype float16, expected float32, float64 or longdouble"),
    "masked": (lambda leaf: np.ma.array(leaf, mask=np.zeros(leaf.shape, bool)), "is a masked array"),
    "list": (lambda leaf: leaf.tolist(), r"expected|exchanged"),
    "integers": (lambda leaf: np.ones(leaf.shape, int), "expected a floating array"),
}


@each
@pytest.mark.parametrize("kind", KINDS)
def test_predictions_of_other_kinds_are_refused_by_name(name: str, kind: str) -> None:
    change, message = KINDS[kind]
    prediction, target = draw(FIRST[name], 4)
    with pytest.raises(TypeError, match=message):
        FIRST[name].make().forward(changed(prediction, change), target)


def test_lists_are_refused_by_name_with_every_option_of_cross_entropy() -> None:
    loss: Any
    for loss in (fn.softmax_cross_entropy(label_smoothing=0.1), fn.softmax_cross_entropy(class_weight=(1.0, 2.0))):
        with pytest.raises(TypeError, match=r"the prediction is list"):
            loss.forward([[1.0, 2.0]], np.array([0]))


@each
def test_masked_targets_are_refused(name: str) -> None:
    prediction, target = draw(FIRST[name], 4)
    if tree.leaves(target):
        with pytest.raises(TypeError, match="is a masked array"):
            FIRST[name].make().forward(prediction, changed(target, KINDS["masked"][0]))
    with pytest.raises(TypeError, match="weight is a masked array"):
        FIRST[name].make().forward(prediction, fn.Weighted(target, np.ma.array(np.ones(4), mask=[False, True, False, False])))


@pytest.mark.parametrize("name", [name for name, case in FIRST.items() if tree.leaves(draw(case, 4)[1])])
@pytest.mark.parametrize("weight", [np.ones(4), np.array([1.0, 0.0, 1.0, 1.0])], ids=["all count", "some count"])
def test_targets_with_fewer_rows_than_weights_are_refused(name: str, weight: Any) -> None:
    prediction, target = draw(FIRST[name], 4)
    plain = target.target if isinstance(target, fn.Weighted) else target
    for wrong in (tree.map(lambda leaf: leaf[:1], plain), tree.map(lambda leaf: leaf[:3], plain)):
        with pytest.raises(ValueError, match=r"target|label|time") as caught:
            FIRST[name].make().forward(prediction, fn.Weighted(wrong, weight))
        assert "boolean index" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_matrices_are_refused() -> None:
    x = np.ones((2, 3))
    for prediction, target, what in ((np.matrix(x), x, "the prediction"), (x, np.matrix(x), "target")):
        with pytest.raises(TypeError, match=f"{what} is a matrix, expected .*: use np.asarray"):
            fn.mean_squared_error().forward(prediction, target)


def test_exchanged_scores_and_labels_are_told() -> None:
    scores, labels = np.zeros((3, 4)), np.array([0, 1, 2])
    loss: Any
    for loss in (fn.softmax_cross_entropy(), fn.negative_log_likelihood(), fn.multi_margin(), fn.softmax_focal()):
        with pytest.raises(TypeError, match="are they exchanged"):
            loss.forward(labels, scores)


def test_labels_that_are_text_get_advice_that_works_on_text() -> None:
    loss: Any
    for labels in (np.array(["a", "b", "a"]), np.array(["a", "b", "a"], object)):
        for loss in (fn.softmax_cross_entropy(), fn.negative_log_likelihood(), fn.multi_margin()):
            with pytest.raises(TypeError, match=r"np.unique\(labels, return_inverse=True\)") as caught:
                loss.forward(np.zeros((3, 4)), labels)
            assert ".astype" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------------------- options

VALUES: dict[Any, Any] = {  # a value of each option that every loss with it takes, in one precision exactly
    "margin": 0.5, "temperature": 0.25, "delta": 0.75, "beta": 0.75, "gamma": 1.5, "alpha": 0.25, "smooth": 0.5, "quantile": 0.25,
    ("tweedie_nll", "power"): 1.25, "df": 2.5, "log_variance": True,
    "pos_weight": 2.5, "label_smoothing": 0.125, "power": 2, "blank": 0, "ignore_index": 1, "log_rate": True, "symmetric": True,
    "class_weight": (0.5, 2.0, 1.0, 1.0), "likelihood": "gaussian", "reduction": "sum",
    "scale": 2.0, "full": True, "per_label": True, "zero_infinity": True,
    "ties": "breslow", "off_diagonal": 0.25, "eps": 0.125, "invariance": 0.5, "variance": 0.5, "covariance": 0.5,
}  # fmt: skip
OPTIONS = [(name, option) for name in loss_factories() for option in inspect.signature(getattr(fn, name)).parameters]


def outcome(name: str, option: str, value: Any) -> Any:
    """Return the value and the gradient of a loss with one option, in single precision."""
    loss: Any = getattr(fn, name)(**{option: value})
    case = next(case for case in LOSSES[name] if not isinstance(draw(case, 6)[1], fn.Weighted))
    prediction, target = draw(case, 6, np.float32)
    if option == "class_weight":
        prediction, target = np.ones((6, 4), np.float32), np.arange(6) % 4
    made = loss.forward(prediction, target)
    return np.asarray(made.value), loss.backward(made.residuals)


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_options_that_are_numpy_numbers_are_numbers(name: str, option: str) -> None:
    value = VALUES.get((name, option), VALUES.get(option))  # a new option wants a value here
    expected = outcome(name, option, value)
    kinds: list[Any] = (
        [np.float64, np.float32, np.longdouble, np.array] if isinstance(value, float) else [np.int64, np.int8, np.array]
    )
    if isinstance(value, bool):
        kinds = [np.bool_, np.array]
    if isinstance(value, str):
        kinds = [np.str_]
    if isinstance(value, tuple):
        kinds = [np.array, lambda numbers: np.array(numbers, np.float32), list]
    for kind in kinds:
        got = outcome(name, option, kind(value))
        assert got[0].dtype == np.float32
        assert tree.same(got, expected), kind


NONSENSE = (None, "much", np.nan, np.array([[1.0, 2.0]]), 1j, object(), [None])
MEANT = {("sigmoid_focal", "alpha"), ("softmax_cross_entropy", "ignore_index"), ("negative_log_likelihood", "ignore_index")}


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_options_that_are_nonsense_are_named(name: str, option: str) -> None:
    for value in NONSENSE:
        if value is None and ((name, option) in MEANT or option == "class_weight"):
            continue
        with pytest.raises((TypeError, ValueError), match=option):
            getattr(fn, name)(**{option: value})


def test_options_without_effect_are_errors() -> None:
    probabilities = np.full((2, 3), 1 / 3)
    with pytest.raises(TypeError, match=r"ignore_index is 1, and the target float64\[2, 3\] holds probabilities, no labels"):
        fn.softmax_cross_entropy(ignore_index=1).forward(np.zeros((2, 3)), probabilities)
    with pytest.raises(TypeError, match="ignore_index is 1"):
        fn.softmax_cross_entropy(ignore_index=1).forward(np.zeros((2, 3)), fn.Weighted(probabilities, np.array([1, 0])))


@pytest.mark.parametrize(
    ("loss", "what"),
    [(fn.sigmoid_cross_entropy(pos_weight=(1.0, 2.0, 3.0)), "pos_weight"), (fn.quantile_error((0.1, 0.9)), "quantile")],
)
def test_a_number_for_each_position_does_not_broadcast(loss: Any, what: str) -> None:
    for width in (1, 4):
        with pytest.raises(ValueError, match=f"{what} has . numbers and the prediction"):
            loss.forward(np.zeros((2, width)), np.zeros((2, width)))


# ------------------------------------------------------------------------------------------------------- sums and overflow


@pytest.mark.parametrize("name", [name for name, case in ALL.items() if not is_batchwise(case.make())])
def test_sums_over_many_examples_keep_their_digits(name: str) -> None:
    """In single precision the value is that of double precision, but for some units in the last place."""
    case = ALL[name]
    rows = 2000 if name.startswith("ctc") else 60_000
    loss = case.make()
    prediction, target = draw(case, rows, np.float32)
    target = fn.Weighted(target.target, target.weight) if isinstance(target, fn.Weighted) else target
    exact = loss.forward(tree.astype(prediction, np.float64), target).value
    for order in ("C", "F"):
        arrange: Any = np.asfortranarray if order == "F" else np.ascontiguousarray
        got = loss.forward(tree.map(arrange, prediction), target).value
        assert abs(got / exact - 1) < 1e-6, order


WIDE = {
    "half_squared_error": fn.half_squared_error(), "dice": fn.dice(), "tversky": fn.tversky(), "gaussian_kl": fn.gaussian_kl(),
    "kl_divergence": fn.kl_divergence(), "softmax_cross_entropy": fn.softmax_cross_entropy(),
    "cosine_embedding": fn.cosine_embedding(), "contrastive": fn.contrastive(1e-3), "triplet_margin": fn.triplet_margin(),
    "multi_margin": fn.multi_margin(), "negative_elbo": fn.negative_elbo("gaussian"), "info_nce": fn.info_nce(),
    "softmax_focal": fn.softmax_focal(), "distillation": fn.distillation(), "cross_entropy": fn.cross_entropy(),
    "ordinal_cross_entropy": fn.ordinal_cross_entropy(), "sparsemax_loss": fn.sparsemax_loss(),
    "entmax15_loss": fn.entmax15_loss(), "arc_face": fn.arc_face(),
}  # fmt: skip
"""The losses that add up the entries of an example."""


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("order", ["C", "F"])
def test_sums_over_many_entries_keep_their_digits(name: str, order: Any) -> None:
    loss: Any = WIDE[name]
    rng, shape = np.random.default_rng(0), (2, 400_000)

    def some(low: float = 0.1, high: float = 0.9) -> Any:
        return np.asarray(rng.uniform(low, high, shape).astype(np.float32), order=order)

    labels = np.array([3, 5])
    one = (some(), some(0.2, 1.0))
    shares = some()
    cases: dict[str, tuple[Any, Any]] = {
        "half_squared_error": (some(), some(1.0, 2.0)),
        "dice": (some(), some()),
        "tversky": (some(), some()),
        "gaussian_kl": (one, ()),
        "kl_divergence": (some(-2.0, -1.0), shares / shares.sum(1, dtype=float)[:, None].astype(np.float32)),
        "softmax_cross_entropy": (some(), labels),
        "softmax_focal": (some(), labels),
        "distillation": (some(), some()),
        "cross_entropy": (some(), shares / shares.sum(1, dtype=float)[:, None].astype(np.float32)),
        "ordinal_cross_entropy": (some(), labels),
        "sparsemax_loss": (some(), labels),
        "entmax15_loss": (some(), labels),
        "arc_face": (some(), labels),
        "multi_margin": (some(), labels),
        "cosine_embedding": (one, np.ones(2, np.float32)),
        "contrastive": (one, np.ones(2, np.float32)),
        "triplet_margin": ((*one, some()), ()),
        "info_nce": (one, ()),
        "negative_elbo": ((some(), *one), some()),
    }
    prediction, target = cases[name]
    wide = tree.astype(target, np.float64) if tree.leaves(target) and target.dtype.kind == "f" else target
    exact = loss.forward(tree.astype(prediction, np.float64), wide)
    made = loss.forward(prediction, target)
    assert abs(made.value / exact.value - 1) < 4e-6
    pairs = zip(tree.leaves(loss.backward(made.residuals)), tree.leaves(loss.backward(exact.residuals)), strict=True)
    for got, want in pairs:
        assert np.abs(got - want).max() < 4e-6 * np.abs(want).max()


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mean_is_finite_where_the_sum_overflows(dtype: Any) -> None:
    large = float(np.finfo(dtype).max)
    x = np.array([[0.5 * large], [large], [-large], [0.25 * large]], dtype)
    loss, squares = fn.mean_absolute_error(), fn.mean_squared_error()
    made = loss.forward(x, np.zeros_like(x))
    assert made.value == dtype(0.6875 * large)
    np.testing.assert_array_equal(loss.backward(made.residuals).ravel(), [0.25, 0.25, -0.25, 0.25])
    weighted = loss.forward(x, fn.Weighted(np.zeros_like(x), np.array([1e308, 0, 1e308, 0])))
    assert weighted.value == dtype(0.75 * large)
    root = np.full((64, 1), 2 * large**0.5, dtype) * (np.arange(64) < 8)[:, None].astype(dtype)
    found = squares.forward(root, np.zeros_like(root))
    np.testing.assert_allclose(found.value, large / 2, rtol=1e-6)  # float32 is among the kinds
    assert np.isfinite(squares.backward(found.residuals)).all()


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_not_a_number_in_the_prediction_is_never_hidden(name: str, dtype: Any) -> None:
    prediction, target = draw(FIRST[name], 4, dtype)

    def spoiled(leaf: Any) -> Any:
        other = leaf.copy()
        other.reshape(4, -1)[2] = np.nan
        return other

    try:
        with np.errstate(invalid="ignore"):
            value = FIRST[name].make().forward(tree.map(spoiled, prediction), target).value
    except ValueError as error:
        assert "prediction nan at row" in str(error)  # noqa: PT017  # a loss may refuse it, or be NaN
    else:
        assert np.isnan(value)
        assert value.dtype == dtype


# ----------------------------------------------------------------------------------------------------- info_nce and ctc


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", ["smallest_subnormal", "tiny", "max"])
def test_info_nce_of_vectors_of_any_length(dtype: Any, scale: str) -> None:
    size = float(getattr(np.finfo(dtype), scale)) / (1 if scale != "max" else 4)
    unit = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype)
    loss = fn.info_nce(1.0)
    expected = loss.forward((unit, unit[::-1].copy()), ())
    made = loss.forward((unit * dtype(size), unit[::-1].copy()), ())
    np.testing.assert_allclose(made.value, expected.value, rtol=1e-6)  # float32 is among the kinds
    with np.errstate(over="ignore"):
        wanted = (loss.backward(expected.residuals)[0].astype(np.longdouble) / size).astype(dtype)
    np.testing.assert_allclose(loss.backward(made.residuals)[0], wanted, rtol=1e-5)  # float32 is among the kinds
    # Float32 is among the kinds.
    np.testing.assert_allclose(loss.backward(made.residuals)[1], loss.backward(expected.residuals)[1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_info_nce_of_a_tiny_temperature(dtype: Any) -> None:
    loss = fn.info_nce(1e-300)
    x = np.eye(2, dtype=dtype)
    assert loss.forward((x, x), ()).value == 0
    wrong = loss.forward((x, x[::-1].copy()), ()).value
    np.testing.assert_allclose(wrong, np.inf if dtype == np.float32 else 1e300, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ctc_of_forbidden_and_of_certain_labels(dtype: Any) -> None:
    loss = fn.ctc()
    target = fn.CTCTarget(np.array([[1], [1]]), np.array([1, 1]), np.array([2, 2]))
    logits = np.zeros((2, 2, 3), dtype)
    logits[1, :, 1] = -np.inf
    made = loss.forward(logits, target)
    assert made.value == np.inf
    gradient = loss.backward(made.residuals)
    assert np.isfinite(gradient[0]).all()
    assert np.isnan(gradient[1]).all()  # of a probability 0 there is no logarithm
    logits[1] = 0
    logits[1, :, 2] = -np.inf  # a class that the target does not need
    by_hand = -np.log([3 / 9, 3 / 4])
    made = loss.forward(logits, target)
    np.testing.assert_allclose(made.value, by_hand.mean(), rtol=1e-6)  # float32 is among the kinds
    assert np.isfinite(loss.backward(made.residuals)).all()
    logits[1] = 0
    logits[1, :, 1] = np.inf
    np.testing.assert_allclose(loss.forward(logits, target).value, by_hand[0] / 2, rtol=1e-6)  # float32 is among the kinds
    lowest = np.zeros((2, 2, 3), dtype)
    lowest[:, :, 1] = -np.finfo(dtype).max / 2
    made = loss.forward(lowest, target)
    np.testing.assert_allclose(made.value, np.finfo(dtype).max / 2, rtol=1e-6)  # float32 is among the kinds
    # Float32 is among the kinds.
    np.testing.assert_allclose(loss.backward(made.residuals)[:, :, 1].sum(1), [-0.5, -0.5], rtol=1e-6)


def test_ctc_does_not_look_at_what_stands_after_the_end_of_an_input() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 4, 3))
    target = fn.CTCTarget(np.array([[1], [2]]), np.array([1, 1]), np.array([2, 4]))
    loss = fn.ctc()
    clean = loss.forward(logits, target)
    for garbage in (np.nan, np.inf, -np.inf, 1e308):
        logits[0, 2:] = garbage
        with np.errstate(invalid="ignore"):
            made = loss.forward(logits, target)
            gradient = loss.backward(made.residuals)
        assert made.value == clean.value
        np.testing.assert_array_equal(gradient, loss.backward(clean.residuals))
