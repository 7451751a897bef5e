"""Losses whose rows have more than one answer or none: mixtures of densities, angles past a half turn, impossible texts."""

import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import funcnn as fn

untyped: Any = fn  # for calls that a type checker would refuse

# ------------------------------------------------------------------------------------------------------------- mixtures


def exact_mixture(logits: Any, means: Any, logs: Any, target: float) -> list[Any]:
    """Return the loss of one row of numbers, and its slopes in logits, means and logarithms of variances."""
    a, m, s = ([mp.mpf(float(x)) for x in part] for part in (logits, means, logs))
    t = mp.mpf(float(target))
    whole = mp.fsum(mp.exp(x) for x in a)
    joint = [
        mp.exp(x) / whole * mp.exp(-((b - t) ** 2) * mp.exp(-c) / 2 - c / 2) / mp.sqrt(2 * mp.pi)
        for x, b, c in zip(a, m, s, strict=True)
    ]
    r = [x / mp.fsum(joint) for x in joint]
    return [
        -mp.log(mp.fsum(joint)),
        *(mp.exp(x) / whole - b for x, b in zip(a, r, strict=True)),
        *(x * (b - t) * mp.exp(-c) for x, b, c in zip(r, m, s, strict=True)),
        *(x * (1 - (b - t) ** 2 * mp.exp(-c)) / 2 for x, b, c in zip(r, m, s, strict=True)),
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("logits", "means", "logs"),
    [
        ((0.0, 1.0), (0.5, -0.25), (0.0, 1.0)),
        ((200.0, -200.0), (0.5, -0.25), (0.0, 1.0)),  # exponentials beyond float32
        ((0.0, 0.0), (3e4, 2e4), (0.0, 0.0)),  # densities beyond either
        ((0.0, 1.0), (0.5, 1e-3), (-60.0, -40.0)),  # narrow, beside the target
        ((0.0, 1.0), (1e10, -1e12), (80.0, 60.0)),  # wide
        ((40.0, 0.0), (0.0, 1.0), (0.0, 0.0)),  # one component has nearly all
    ],
)
def test_mixtures_are_exact_far_out(dtype: Any, logits: Any, means: Any, logs: Any) -> None:
    prediction: Any = tuple(
        np.array(part, dtype).reshape(shape)
        for part, shape in zip((logits, means, logs), ((1, 2), (1, 2, 1), (1, 2, 1)), strict=True)
    )
    target = np.array([[0.125]], dtype)
    loss = fn.gaussian_mixture_nll()
    made = loss.forward(prediction, target)
    got = [made.value, *np.concatenate([part.ravel() for part in loss.backward(made.residuals)])]
    with mp.workdps(800):
        a, m, s = (part.ravel() for part in prediction)
        wanted = exact_mixture(a, m, s, 0.125)
        for one, other in zip(got, wanted, strict=True):
            scale = max(abs(other), abs(wanted[0]) if one is got[0] else mp.mpf(0))
            assert abs(mp.mpf(float(one)) - other) <= 60 * float(np.finfo(dtype).eps) * scale + mp.mpf(10) ** -30


def test_one_component_is_the_normal_distribution() -> None:
    generator = np.random.default_rng(0)
    mean, log_variance, target = generator.normal(size=(3, 4, 1))
    mixture, single = fn.gaussian_mixture_nll(), fn.gaussian_nll()
    made = mixture.forward((np.full((4, 1), 3.0), mean[:, None], log_variance[:, None]), target)
    alone = single.forward((mean, log_variance), target)
    np.testing.assert_allclose(made.value, alone.value, rtol=1e-14)
    dlogits, dmean, dlog_variance = mixture.backward(made.residuals)
    assert not dlogits.any()
    np.testing.assert_allclose(dmean[:, 0], single.backward(alone.residuals)[0], rtol=1e-14)
    np.testing.assert_allclose(dlog_variance[:, 0], single.backward(alone.residuals)[1], rtol=1e-13)


@pytest.mark.parametrize(
    ("shapes", "target", "message"),
    [
        (((4, 3), (4, 2, 5), (4, 2, 5)), (4, 5), r"mean is float64\[4, 2, 5\] and its logits float64\[4, 3\]"),
        (((4, 3), (4, 3, 5), (4, 3, 1)), (4, 5), "log_variance is .* they must be alike"),
        (((4, 3), (4, 3, 5), (4, 3, 5)), (4, 3), r"target has shape \(4, 3\), expected \(4, 5\)"),
        (((4, 3), (4, 3, 5), (4, 3, 5)), (4, 3, 5), "one vector for each row"),
    ],
)
def test_shapes_of_mixtures_that_do_not_fit_are_named(shapes: Any, target: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        untyped.gaussian_mixture_nll().forward(tuple(np.zeros(shape) for shape in shapes), np.zeros(target))


# --------------------------------------------------------------------------------------------------------- angular margins


def test_the_own_logit_falls_with_the_angle_to_the_very_end() -> None:
    angles = np.linspace(0, math.pi, 400)
    x = np.stack([np.cos(angles), np.zeros(400)], axis=1)
    each = fn.per_example_losses(fn.arc_face(0.5, scale=1.0))(x, np.zeros(400, int))
    assert (np.diff(each) > 0).all()
    assert np.abs(np.diff(each)).max() < 0.02  # no step where the branches meet


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("end", [1.0, -1.0])
def test_parallel_vectors_have_finite_gradients(dtype: Any, end: float) -> None:
    loss = fn.arc_face(0.5, scale=2.0)
    made = loss.forward(np.array([[end, 0.25]], dtype), np.array([0]))
    plain = fn.softmax_cross_entropy()
    logit = math.cos(0.5) if end > 0 else -2 + math.cos(0.5)
    logits = np.array([[2 * logit, 0.5]], dtype)
    wanted = plain.forward(logits, np.array([0]))
    np.testing.assert_allclose(made.value, wanted.value, rtol=8 * np.finfo(dtype).eps)
    np.testing.assert_allclose(loss.backward(made.residuals), 2 * plain.backward(wanted.residuals), rtol=16 * np.finfo(dtype).eps)


def test_a_cosine_beyond_one_is_named_and_rounding_forgiven() -> None:
    loss = fn.arc_face()
    rounded, exact = (loss.forward(np.array([[x, 0.0]]), np.array([0])).value for x in (1 + 1e-15, 1.0))
    assert rounded == exact
    with pytest.raises(ValueError, match=r"prediction 1.5 at row \[1, 0\], expected -1 to 1"):
        loss.forward(np.array([[0.5, 0.0], [1.5, 0.0]]), np.array([0, 0]))


# --------------------------------------------------------------------------------------------------- impossible transcriptions


def test_what_no_path_can_spell_has_no_loss_and_no_gradient() -> None:
    logits = np.random.default_rng(1).normal(size=(3, 3, 3))
    logits[2, :, 1] = -np.inf  # the label of the third is forbidden
    target = fn.CTCTarget(np.array([[1, 2], [1, 1], [1, 0]]), np.array([2, 2, 1]), np.array([3, 2, 3]))
    with pytest.raises(ValueError, match="use zero_infinity=True"):
        fn.ctc().forward(logits, target)
    loss = fn.ctc(zero_infinity=True, reduction="sum")
    made = loss.forward(logits, target)
    first = fn.CTCTarget(target.labels[:1], target.label_lengths[:1], target.input_lengths[:1])
    alone = fn.ctc().forward(logits[:1], first)
    np.testing.assert_allclose(made.value, alone.value, rtol=1e-15)
    gradient = loss.backward(made.residuals)
    np.testing.assert_allclose(gradient[:1], fn.ctc().backward(alone.residuals), rtol=1e-15)
    assert not gradient[1:].any()
    mean = fn.ctc(zero_infinity=True).forward(logits, target).value
    np.testing.assert_allclose(mean, made.value / 3, rtol=1e-15)
