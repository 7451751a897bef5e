"""Values and gradients of the losses at extreme arguments, against mpmath.

A result may be wrong by 8 units in the last place, and by twice what a relative error of one unit in each argument would do to
the true result: no formula can do better than its condition number.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import funcnn as fn

Real = Any  # mpmath has no types
Function = Callable[[Sequence[Real], Any], Real]


def condition(function: Callable[[Sequence[Real]], Real], x: Sequence[Real]) -> Real:
    """Return the sum over the arguments of |x_i df/dx_i|, by steps far below any rounding of the tests."""
    step, here = mp.mpf(10) ** -25, function(x)
    moved = ([*x[:i], x[i] * (1 + step), *x[i + 1 :]] for i in range(len(x)))
    return mp.fsum(abs(function(one) - here) for one in moved) / step


def slope(function: Callable[[Sequence[Real]], Real], i: int, x: Sequence[Real]) -> Real:
    """Return df/dx_i by a central difference, right to two fifths of the digits that mpmath works with."""
    step = mp.mpf(10) ** -(mp.mp.dps // 5)
    up, down = ([*x[:i], x[i] + sign * step, *x[i + 1 :]] for sign in (1, -1))
    found = (function(up) - function(down)) / (2 * step)
    return found if abs(found) > 100 * step * step else mp.mpf(0)


def check(loss: Any, function: Function, prediction: Any, target: Any, dtype: Any) -> None:
    several = isinstance(prediction[0], tuple)
    arrays = tuple(np.asarray(part, dtype)[None] for part in (prediction if several else (prediction,)))
    given = np.concatenate(arrays, axis=1)
    wanted = np.asarray(target)[None] if np.asarray(target).dtype.kind == "i" else np.asarray(target, dtype)[None]
    made = loss.forward(arrays if several else given, wanted if np.size(target) else ())
    pulled = loss.backward(made.residuals)
    gradient = np.concatenate(pulled if several else (pulled,), axis=1)[0]
    with mp.workdps(840 if np.abs(given).max() > 40 else 150):  # e^-745 beside 1 takes 324 digits
        x = [mp.mpf(float(p)) for p in given[0]]
        t = [mp.mpf(float(q)) for q in wanted[0]] if np.ndim(target) else int(target)
        unit, least = float(np.finfo(dtype).eps), 4 * float(np.finfo(dtype).smallest_subnormal)

        def judge(got: Any, of: Callable[[Sequence[Real]], Real], what: str) -> None:
            true = of(x)
            allowed = unit * (8 * abs(true) + 2 * condition(of, x)) + least
            assert abs(mp.mpf(float(got)) - true) <= allowed, (
                f"{what} at {given[0]}, target {wanted[0]}: {got}, not {mp.nstr(true, 20)}"
            )

        judge(made.value, lambda z: function(z, t), "value")
        for i in range(len(x)):
            judge(gradient[i], partial(slope, lambda z: function(z, t), i), f"gradient {i}")


# ------------------------------------------------------------------------------------------------------------ the true values


def mean(terms: Sequence[Real]) -> Real:
    return mp.fsum(terms) / len(terms)


def squared(p: Sequence[Real], t: Any) -> Real:
    return mean([(a - b) ** 2 for a, b in zip(p, t, strict=True)])


def huber(delta: float) -> Function:
    d = mp.mpf(delta)
    return lambda p, t: mean(
        [(a - b) ** 2 / 2 if abs(a - b) <= d else d * (abs(a - b) - d / 2) for a, b in zip(p, t, strict=True)]
    )


def sigmoid_ce(weight: float) -> Function:
    return lambda z, t: mean(
        [weight * b * mp.log1p(mp.exp(-a)) + (1 - b) * mp.log1p(mp.exp(a)) for a, b in zip(z, t, strict=True)]
    )


def softmax_ce(smoothing: float = 0.0) -> Function:
    def value(z: Sequence[Real], t: Any) -> Real:
        largest = max(z)
        norm = largest + mp.log(mp.fsum(mp.exp(a - largest) for a in z))
        onehot = [mp.mpf(c == t) for c in range(len(z))] if isinstance(t, int) else t
        soft = [(1 - mp.mpf(smoothing)) * q + mp.mpf(smoothing) / len(z) for q in onehot]
        return mp.fsum(q * (norm - a) for q, a in zip(soft, z, strict=True))

    return value


def log_cosh(p: Sequence[Real], t: Any) -> Real:
    return mean([mp.log(mp.cosh(a - b)) for a, b in zip(p, t, strict=True)])


def squared_log(p: Sequence[Real], t: Any) -> Real:
    return mean([(mp.log1p(a) - mp.log1p(b)) ** 2 for a, b in zip(p, t, strict=True)])


def poisson(z: Sequence[Real], t: Any) -> Real:
    return mean([mp.exp(a) - b * a for a, b in zip(z, t, strict=True)])


def gaussian_kl(z: Sequence[Real], t: Any) -> Real:
    mu, s = z
    return (mu * mu + mp.exp(s) - 1 - s) / 2


def gaussian_nll(z: Sequence[Real], t: Any) -> Real:
    mu, s = z
    return (s + (mu - t[0]) ** 2 * mp.exp(-s) + mp.log(2 * mp.pi)) / 2


def dice(p: Sequence[Real], t: Any) -> Real:
    both, size = mp.fsum(a * b for a, b in zip(p, t, strict=True)), mp.fsum(p) + mp.fsum(t)
    return 1 - (2 * both + 1) / (size + 1)


def kl(x: Sequence[Real], p: Any) -> Real:
    return mp.fsum(b * (mp.log(b) - a) for a, b in zip(x, p, strict=True) if b)


def softmax_focal(gamma: float) -> Function:
    def value(z: Sequence[Real], t: Any) -> Real:
        others = mp.fsum(mp.exp(a - z[t]) for c, a in enumerate(z) if c != t)
        return (others / (1 + others)) ** mp.mpf(gamma) * mp.log1p(others)

    return value


def sigmoid_focal(z: Sequence[Real], t: Any) -> Real:
    up, down = (1 / (1 + mp.exp(-a)) for a in (z[0], -z[0]))
    return t[0] * down**2 * mp.log1p(mp.exp(-z[0])) + (1 - t[0]) * up**2 * mp.log1p(mp.exp(z[0]))


def cosine(z: Sequence[Real], t: Any) -> Real:
    x, y = z[:2], z[2:]
    c = mp.fdot(x, y) / mp.sqrt(mp.fdot(x, x) * mp.fdot(y, y))
    return 1 - c if t > 0 else max(mp.mpf(0), c + mp.mpf(0.9))


# ------------------------------------------------------------------------------------------------------------------- the tests

LOGITS = (
    -1e4,
    -700.0,
    -104.0,
    -50.0,
    -20.0,
    -5.0,
    -1.0,
    -1e-5,
    -1e-30,
    0.0,
    1e-30,
    1e-5,
    0.3,
    1.0,
    5.0,
    17.0,
    50.0,
    90.0,
    745.0,
    1e4,
)
ROWS = (
    (1e4, -1e4, 0.0),
    (-1e4, -1e4, -1e4 + 1),
    (1e4, 1e4 - 3, 1e4 - 20),
    (0.0, -17.0, -40.0),
    (0.0, 20.0, 40.0),
    (30.0, -30.0, 1.0),
    (90.0, 0.0, 10.0),
    (0.0, -100.0, -700.0),
    (1e-5, 0.0, -1e-5),
    (3.0, 3.0, 3.0),
    (0.25, -1.5, 0.75),
)
ENTRIES = ((0.0, 1.0), (1e-20, -1e-20), (1e4, 1e-4), (-3.0, 2.9999), (1e8, 1.0), (0.1, 0.2), (0.7, 0.7))


def cases() -> Iterator[Any]:
    for z in LOGITS:
        for t in (0.0, 1.0, 0.3):
            yield pytest.param(fn.sigmoid_cross_entropy(), sigmoid_ce(1.0), (z,), (t,), id=f"sigmoid-{z:g}-{t:g}")
            yield pytest.param(
                fn.sigmoid_cross_entropy(pos_weight=4.0), sigmoid_ce(4.0), (z,), (t,), id=f"pos_weight-{z:g}-{t:g}"
            )
    for row in ROWS:
        for label in range(3):
            yield pytest.param(fn.softmax_cross_entropy(), softmax_ce(), row, label, id=f"labels-{row}-{label}")
            smoothed = fn.softmax_cross_entropy(label_smoothing=0.125)
            yield pytest.param(smoothed, softmax_ce(0.125), row, label, id=f"smoothed-{row}-{label}")
        for probabilities in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.25, 0.5, 0.25)):
            yield pytest.param(fn.softmax_cross_entropy(), softmax_ce(), row, probabilities, id=f"softmax-{row}-{probabilities}")
    for p, t in ENTRIES:
        yield pytest.param(fn.mean_squared_error(), squared, (p,), (t,), id=f"squared-{p}-{t}")
        yield pytest.param(fn.half_squared_error(), lambda p, t: squared(p, t) / 2, (p,), (t,), id=f"half-{p}-{t}")
        yield pytest.param(fn.huber(0.5), huber(0.5), (p,), (t,), id=f"huber-{p}-{t}")
        yield pytest.param(fn.log_cosh_error(), log_cosh, (p,), (t,), id=f"log_cosh-{p}-{t}")
        yield pytest.param(fn.smooth_l1(0.5), lambda p, t: huber(0.5)(p, t) * 2, (p,), (t,), id=f"smooth_l1-{p}-{t}")

    for p, t in ((0.0, 1e-20), (1e-20, 1e-30), (1e8, 1e8 - 8), (3.0, 2.9999), (-0.99, 5.0), (1e30, 0.0)):
        yield pytest.param(fn.mean_squared_log_error(), squared_log, (p,), (t,), id=f"squared_log-{p}-{t}")
    for mu in (0.0, 1e-10, 1.0, 3.0):
        for s in (-80.0, -2.0, -1.0, -0.9, -1e-3, -1e-12, 0.0, 1e-20, 1e-5, 0.5, 0.999, 1.0, 30.0):
            yield pytest.param(fn.gaussian_kl(), gaussian_kl, ((mu,), (s,)), (), id=f"gaussian_kl-{mu}-{s}")
            yield pytest.param(fn.gaussian_nll(), gaussian_nll, ((mu,), (s,)), (0.0,), id=f"gaussian_nll-{mu}-{s}")
    for row in ((1.0, 0.0, 1.0 - 2**-20), (0.5, 0.25, 0.125), (1e-20, 1e-10, 1.0), (2**-24, 0.0, 1.0)):
        for wanted in ((1.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0)):
            yield pytest.param(fn.dice(), dice, row, wanted, id=f"dice-{row}-{wanted}")
    for chances in ((1.0, 0.0), (0.5, 0.5), (2.0**-20, 1 - 2.0**-20)):
        yield pytest.param(fn.kl_divergence(), kl, (-700.0, -0.7), chances, id=f"kl-{chances}")
    for row in ROWS:
        for label in range(3):
            yield pytest.param(fn.softmax_focal(1.5), softmax_focal(1.5), row, label, id=f"softmax_focal-{row}-{label}")
    for z in LOGITS:
        for t in (0.0, 1.0, 0.3):
            yield pytest.param(fn.sigmoid_focal(), sigmoid_focal, (z,), (t,), id=f"sigmoid_focal-{z:g}-{t:g}")
    near = ((3.0, 4.0), (3.0 + 2**-10, 4.0 - 2**-10)), ((1.0, 2.0), (-1.0, -2.0 - 2**-8))
    for pair in near:
        for sign in (1.0, -1.0):
            yield pytest.param(fn.cosine_embedding(-0.9), cosine, pair, sign, id=f"cosine-{pair}-{sign}")
    for z, t in ((-80.0, 0.0), (-80.0, 3.0), (0.0, 1.0), (1e-20, 1.0), (80.0, 2.0)):
        yield pytest.param(fn.poisson_nll(), poisson, (z,), (t,), id=f"poisson-{z}-{t}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("loss", "function", "prediction", "target"), list(cases()))
def test_value_and_gradient_keep_their_digits(loss: Any, function: Function, prediction: Any, target: Any, dtype: Any) -> None:
    check(loss, function, prediction, target, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.15, 0.25, 0.4, 0.6, 0.9])
def test_cross_entropy_of_logits_whose_ratio_overflows(dtype: Any, share: float) -> None:
    edge = share * float(np.log(np.finfo(dtype).max))  # e^edge is finite, e^(2 edge) is not from a half on
    logits = np.array([[edge, -edge], [edge, -edge]], dtype)
    loss = fn.softmax_cross_entropy(reduction="sum")
    made = loss.forward(logits, np.array([1, 0]))
    exact = 2 * float(logits[0, 0])  # log(1 + e^(2 edge)) is 2 edge to the last digit, log(1 + e^(-2 edge)) nothing beside it
    assert float(made.value) == pytest.approx(exact, rel=4 * float(np.finfo(dtype).eps), abs=0.0)
    np.testing.assert_allclose(loss.backward(made.residuals)[0], [1, -1], rtol=4 * float(np.finfo(dtype).eps))
