"""What private training tells: published values, closed forms, many digits; and its gradients are what is accounted for."""

import math
import pickle
from typing import Any

import mpmath
import numpy as np
import pytest

import funcnn as fn
from funcnn import tree

TUTORIAL = (1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 14.0, 16.0, 20.0, 24.0, 28.0, 32.0, 64.0, 256.0)


def by_mironov(rdp: Any, orders: Any, delta: float) -> tuple[float, float]:
    """Return epsilon as in Mironov 2017, proposition 3, and its order."""
    return min((float(one) + math.log(1 / delta) / (order - 1), order) for one, order in zip(rdp, orders, strict=True))


def test_published_divergences() -> None:
    """Those that the accountant of Mironov, Talwar and Zhang 2019 is tested by, in TensorFlow Privacy."""
    assert fn.sampled_gaussian_rdp(0.1, 2.0, (5.0,), steps=10) == pytest.approx([0.07737], abs=5e-6)  # the published digits
    found = fn.sampled_gaussian_rdp(0.01, 2.5, (1.5, 2.5, 5.0, 50.0, 100.0), steps=50)
    assert found == pytest.approx([0.00065, 0.001085, 0.00218075, 0.023846, 167.416307], abs=1e-6)  # the published digits


def test_published_epsilons() -> None:
    orders = tuple(range(2, 33))
    rdp = fn.sampled_gaussian_rdp(0.01, 4.0, orders, steps=10_000)  # Abadi et al. 2016, section 5.1: 1.26
    epsilon, order = by_mironov(rdp, orders, 1e-5)
    assert epsilon == pytest.approx(1.258575, abs=1e-6)  # the published digits
    assert order == 20
    both = fn.sampled_gaussian_rdp(0.01, 4.0, TUTORIAL, steps=10_000) + fn.sampled_gaussian_rdp(0.1, 2.0, TUTORIAL, steps=100)
    epsilon, order = by_mironov(both, TUTORIAL, 1e-5)
    assert epsilon == pytest.approx(3.276237, abs=2e-6)  # the published digits
    assert order == 8
    assert fn.privacy_spent(both, 1e-5, TUTORIAL).epsilon < epsilon


@pytest.mark.parametrize("q", [1e-6, 1e-3, 0.1, 0.99])
@pytest.mark.parametrize("sigma", [0.1, 0.7, 1.0, 30.0])
def test_whole_orders_have_a_closed_form(q: float, sigma: float) -> None:
    """A sum of binomials (Mironov et al. 2019, section 3.3), in 60 digits."""
    with mpmath.workdps(60):
        for order in (2, 3, 17):
            terms = [
                mpmath.binomial(order, k) * mpmath.mpf(1 - mpmath.mpf(q)) ** (order - k) * mpmath.mpf(q) ** k
                * mpmath.exp((k * k - k) / (2 * mpmath.mpf(sigma) ** 2))
                for k in range(order + 1)
            ]  # fmt: skip
            exact = float(mpmath.log(mpmath.fsum(terms)) / (order - 1))
            assert fn.sampled_gaussian_rdp(q, sigma, (order,))[0] == pytest.approx(exact, rel=1e-8, abs=0)  # quadrature


@pytest.mark.parametrize(("q", "sigma", "order"), [(0.01, 1.0, 1.5), (0.1, 0.3, 2.7), (0.5, 2.0, 32.5), (1e-4, 1.0, 1.0625)])
def test_other_orders_are_integrals(q: float, sigma: float, order: float) -> None:
    with mpmath.workdps(25):

        def moment(z: Any) -> Any:
            return (
                mpmath.npdf(z, 0, sigma)
                * (1 - mpmath.mpf(q) + q * mpmath.exp((2 * z - 1) / (2 * mpmath.mpf(sigma) ** 2))) ** order
            )

        ends = [-20 * sigma, 0, order / 2, order, order + 20 * sigma]
        exact = float(mpmath.log(mpmath.quad(moment, ends)) / (order - 1))
    assert fn.sampled_gaussian_rdp(q, sigma, (order,))[0] == pytest.approx(exact, rel=1e-9, abs=0)


@pytest.mark.parametrize("sigma", [0.5, 2.0, 20.0])
def test_epsilon_is_a_bound_and_a_close_one(sigma: float) -> None:
    """Of a step with all examples delta is known (Balle & Wang 2018, arXiv:1805.06530, theorem 8)."""
    delta = 1e-5
    epsilon = fn.privacy_spent(fn.sampled_gaussian_rdp(1.0, sigma), delta).epsilon

    def exact(bound: float) -> float:
        shift, slope = 1 / (2 * sigma), bound * sigma
        return float(mpmath.ncdf(shift - slope) - mpmath.exp(bound) * mpmath.ncdf(-shift - slope))

    assert exact(epsilon) <= delta
    assert exact(0.85 * epsilon) > delta


def test_noise_is_the_least_that_suffices() -> None:
    noise = fn.privacy_noise(3.0, 1e-5, 0.05, 400)
    at, below = (fn.privacy_spent(fn.sampled_gaussian_rdp(0.05, s, steps=400), 1e-5).epsilon for s in (noise, noise / 1.001))
    assert at <= 3 < below
    assert fn.privacy_noise(1e9, 1e-5, 0.05, 1) == 0.1
    with pytest.raises(ValueError, match="no noise multiplier up to 10,000"):
        fn.privacy_noise(1e-9, 1e-5, 0.5, 10)


def test_what_tells_nothing_and_what_is_refused() -> None:
    assert not fn.sampled_gaussian_rdp(0.0, 1.0).any()
    assert not fn.sampled_gaussian_rdp(0.5, 1.0, steps=0).any()
    assert fn.privacy_spent(np.zeros(2), 0.5, (2.0, 4.0)).epsilon == 0
    for orders in ((1.0,), (2.0, 0.5), (5000.0,)):
        with pytest.raises(ValueError, match="orders"):
            fn.sampled_gaussian_rdp(0.1, 1.0, orders)
    with pytest.raises(ValueError, match="expected 2 numbers of at least 0"):
        fn.privacy_spent(np.array([-0.1, 0.2]), 0.5, (2.0, 4.0))
    with pytest.raises(TypeError, match="expected numbers above 1"):
        fn.sampled_gaussian_rdp(0.1, 1.0, 2.0)  # type: ignore[arg-type]  # on purpose


MODEL = fn.dense(4) >> fn.tanh() >> fn.dense(2)
LOSS = fn.softmax_cross_entropy()
START = MODEL.init(fn.Key(0), (3,))
X, LABELS = np.random.default_rng(0).normal(size=(6, 3)), np.array([0, 1, 1, 0, 1, 0])


def step(noise: float, size: float = 6.0) -> Any:
    return fn.private_grads(MODEL, LOSS, max_norm=0.3, noise_multiplier=noise, expected_batch_size=size)


def test_without_noise_it_is_the_mean_of_clipped_gradients() -> None:
    at = START.params, START.state, X, LABELS, fn.Eval()
    made, clipped = step(0.0, 8.0)(*at, fn.Key(1)), fn.clipped_grads(MODEL, LOSS, 0.3)(*at)
    for one, other in zip(tree.leaves(made.grads), tree.leaves(clipped.grads), strict=True):
        np.testing.assert_allclose(one, other / 8)
    np.testing.assert_array_equal(made.norms, clipped.norms)


def test_the_noise_has_its_deviation_and_comes_from_the_key() -> None:
    at = START.params, START.state, X, LABELS, fn.Eval()
    plain = tree.ravel(step(0.0)(*at, fn.Key(1)).grads).vector
    drawn = np.stack([tree.ravel(step(2.0)(*at, fn.Key(number)).grads).vector for number in range(200)]) - plain
    assert drawn.std() == pytest.approx(2.0 * 0.3 / 6, rel=0.02, abs=0)  # drawn
    assert abs(np.corrcoef(drawn.T) - np.eye(len(plain))).max() < 0.3
    again = tree.ravel(step(2.0)(*at, fn.Key(0)).grads).vector
    np.testing.assert_array_equal(again - plain, drawn[0])


def test_an_example_moves_the_sum_by_the_norm_at_most() -> None:
    """The sensitivity that is accounted for; an empty batch gives noise alone, in the parameters' precision."""
    params = tree.astype(START.params, np.float32)
    for size in (0, 5, 6):
        made = step(1.0)(params, START.state, X[:size].astype(np.float32), LABELS[:size], fn.Eval(), fn.Key(3))
        assert {leaf.dtype for leaf in tree.leaves(made.grads)} == {np.dtype(np.float32)}
    with_, without = (
        tree.ravel(step(1.0, 1.0)(START.params, START.state, 1e3 * X[:n], LABELS[:n], fn.Eval(), fn.Key(3)).grads).vector
        for n in (6, 5)
    )
    assert np.linalg.norm(with_ - without) <= 0.3 * (1 + 1e-12)


def test_keys_and_pickles() -> None:
    assert pickle.loads(pickle.dumps(step(1.0))) == step(1.0)
    with pytest.raises(TypeError, match=r"the key of the noise \(key\) is 3"):
        step(1.0)(START.params, START.state, X, LABELS, fn.Eval(), 3)


def test_poisson_batches_draw_each_row_alone() -> None:
    rows = np.arange(50)
    drawn = [np.isin(rows, one) for one in fn.data.poisson_batches(fn.Key(0), rows, 0.2, 500)]
    shares = np.array(drawn)
    assert shares.mean() == pytest.approx(0.2, abs=0.01)  # drawn
    assert shares.sum(1).var() == pytest.approx(50 * 0.2 * 0.8, rel=0.25, abs=0)  # drawn
    assert [len(x) for x, _ in fn.data.poisson_batches(fn.Key(0), (X, LABELS), 0.0, 2)] == [0, 0]
    assert [len(x) for x, _ in fn.data.poisson_batches(fn.Key(0), (X, LABELS), 1.0, 2)] == [6, 6]
