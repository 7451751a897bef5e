r"""How much a training with noisy gradients tells about a single example: Rényi differential privacy of the sampled Gaussian.

Indices: $q$ the probability with which each example is in a batch, independently of all others; $\sigma$ the noise's standard
deviation in units of what one example may change; $\alpha > 1$ the order.

A step gives a sum of clipped gradients plus noise.  Along the one direction in which an example may change it, its law is
$\mu_0 = N(0, \sigma^2)$ without the example, and $\mu = (1 - q)\, \mu_0 + q\, N(1, \sigma^2)$ with it.  How far these are
apart is told by Rényi's divergence (Mironov 2017, arXiv:1702.07476), which for one step is at most, whichever of the two is taken
first (Mironov, Talwar & Zhang 2019, arXiv:1908.10530, theorem 5),
$$ \epsilon(\alpha) = \frac{\ln A_\alpha}{\alpha - 1}, \qquad
   A_\alpha = \operatorname{E}_{z \sim \mu_0} \Big[ \Big( 1 - q + q\, e^{(2 z - 1) / 2 \sigma^2} \Big)^\alpha \Big], $$
and adds up over steps.  All T steps are then $(\epsilon, \delta)$-private with the least over $\alpha$ of
$$ \epsilon = T \epsilon(\alpha) + \ln \frac{\alpha - 1}{\alpha} - \frac{\ln (\alpha\, \delta)}{\alpha - 1} $$
(Canonne, Kamath & Steinke 2020, arXiv:2004.00010, proposition 12; less than Mironov's
$T \epsilon(\alpha) - \ln \delta / (\alpha - 1)$).

The integral.  The integrand is analytic up to $|\operatorname{Im} z| = \pi \sigma^2$, where the bracket can be 0, and falls
like a Gaussian: the sum over points at a spacing h is then exact but for $e^{-2 \pi d / h + d^2 / 2 \sigma^2}$ with any such
distance d (Trefethen & Weideman 2014, doi:10.1137/130932132), for every real order.  Where $A_\alpha$ is nearly 1, with
$w = q\,(e^{(2z-1)/2\sigma^2} - 1)$, whose mean is 0,
$$ A_\alpha - 1 = \operatorname{E} \big[ (1 + w)^\alpha - 1 - \alpha w \big] $$
keeps the digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from attrs import frozen

from funcnn.errors import check_count, check_range, is_plain, shown
from funcnn.typing import Array

RDP_ORDERS: tuple[float, ...] = (
    *[1 + step / 16 for step in range(1, 16)],
    *[2 + step / 4 for step in range(24)],
    *range(8, 64, 2),
    *[64 * 2 ** (step / 4) for step in range(17)],
)
"""The orders that are looked at where none are given, from 1.06 to 1024."""

_DIGITS = 40.0  # e^-40 is less than a unit in the last place
_WIDTH = 12.0  # standard deviations beyond which nothing is summed


def sampled_gaussian_rdp(
    sampling_rate: float, noise_multiplier: float, orders: Sequence[float] = RDP_ORDERS, *, steps: int = 1
) -> Array:
    """Return what steps of noisy gradients tell, as Rényi divergences.

    Parameters
    ----------
    sampling_rate : float
        The probability with which an example is in a batch, from 0 to 1; batches are drawn as
        :func:`funcnn.data.poisson_batches` does.
    noise_multiplier : float
        The standard deviation of the noise over the norm to which gradients are clipped, from 0.1 to 1e6.
    orders : sequence of float, optional
        More than 1 and at most 4096 each.
    steps : int, optional
        How many steps, at least 0.

    Returns
    -------
    array
        One number for each order.  Those of trainings one after the other add up.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of its range.

    References
    ----------
    Mironov, Talwar & Zhang (2019), Rényi differential privacy of the sampled Gaussian mechanism, arXiv:1908.10530.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.sampled_gaussian_rdp(1.0, 2.0, [2.0, 16.0])  # order / (2 noise^2) where all examples are in each batch
    array([0.25, 2.  ])
    """
    q = check_range(sampling_rate, "sampling_rate", 0, 1)
    sigma = check_range(noise_multiplier, "noise_multiplier", 0.1, 1e6)
    numbers = checked_orders(orders)
    steps = check_count(steps, "steps", least=0)
    if q == 1:
        divergences = [order / (2 * sigma * sigma) for order in numbers]
    else:
        divergences = [log_moment(q, sigma, order) / (order - 1) if q else 0.0 for order in numbers]
    return steps * np.array(divergences)


def checked_orders(orders: Sequence[float]) -> tuple[float, ...]:
    """Return the orders as numbers; raise unless each is between 1 and 4096."""
    if not isinstance(orders, (tuple, list, np.ndarray, range)) or not len(orders):
        raise TypeError(f"orders is {shown(orders)}, expected numbers above 1 such as (2, 4, 8)")
    return tuple([check_range(order, f"orders[{index}]", 1, 4096, open_low=True) for index, order in enumerate(orders)])


def log_moment(q: float, sigma: float, order: float) -> float:
    r"""Return $\ln A_\alpha$, by the sum over equidistant points."""
    distance = 0.9 * math.pi * sigma * sigma
    spacing = min(sigma / 3, 2 * math.pi * distance / (_DIGITS + distance * distance / (2 * sigma * sigma)))
    low, high = -_WIDTH * sigma, order + _WIDTH * sigma
    z = low + spacing * np.arange(math.ceil((high - low) / spacing) + 1)
    density = -z * z / (2 * sigma * sigma) + math.log(spacing / (sigma * math.sqrt(2 * math.pi)))
    exponent = (2 * z - 1) / (2 * sigma * sigma)
    logs = density + order * np.logaddexp(math.log1p(-q), math.log(q) + exponent)
    top = float(logs.max())
    moment = top + math.log(float(np.exp(logs - top).sum()))
    if moment > 0.1:
        return moment
    mass, shifted = np.exp(density), np.exp(density + exponent)  # exp(exponent) alone may overflow
    terms = np.exp(logs) - mass - order * q * (shifted - mass)
    near = exponent < math.log1p(0.5 / q)  # w is at most a half: there the difference would cancel
    w = q * np.expm1(exponent[near])
    terms[near] = mass[near] * (np.expm1(order * np.log1p(w)) - order * w)
    return math.log1p(float(terms.sum()))


@frozen
class PrivacySpent:
    """What :func:`privacy_spent` gives."""

    epsilon: float
    """The bound that holds but for the probability delta."""
    order: float
    """The order that gave it; where it is the first or the last of those looked at, others may give less."""


def privacy_spent(rdp: Array, delta: float, orders: Sequence[float] = RDP_ORDERS) -> PrivacySpent:
    """Return the epsilon of (epsilon, delta)-differential privacy that Rényi divergences stand for.

    Parameters
    ----------
    rdp : array
        A divergence for each order, of all steps: from :func:`sampled_gaussian_rdp`.
    delta : float
        Between 0 and 1: less than one over the number of examples.
    orders : sequence of float, optional
        Those of the divergences.

    Returns
    -------
    PrivacySpent

    Raises
    ------
    TypeError, ValueError
        When there is not one divergence for each order, or an argument is out of its range.

    References
    ----------
    Canonne, Kamath & Steinke (2020), The discrete Gaussian for differential privacy, arXiv:2004.00010, proposition 12.

    Examples
    --------
    >>> import funcnn as fn
    >>> spent = fn.privacy_spent(fn.sampled_gaussian_rdp(0.01, 4.0, steps=10_000), delta=1e-5)
    >>> round(spent.epsilon, 3)
    1.037
    """
    numbers = checked_orders(orders)
    delta = check_range(delta, "delta", 0, 1, open_low=True, open_high=True)
    if not is_plain(rdp) or rdp.dtype.kind != "f":
        raise TypeError(f"rdp is {shown(rdp)}, expected an array of divergences, as fn.sampled_gaussian_rdp gives")
    if rdp.shape != (len(numbers),) or not (rdp >= 0).all():
        raise ValueError(f"rdp is {shown(rdp)}, expected {len(numbers)} numbers of at least 0, one for each order")
    bounds = [
        float(divergence) + math.log1p(-1 / order) - math.log(order * delta) / (order - 1)
        for order, divergence in zip(numbers, rdp, strict=True)
    ]
    best = int(np.argmin(bounds))
    return PrivacySpent(max(bounds[best], 0.0), numbers[best])


def privacy_noise(max_epsilon: float, delta: float, sampling_rate: float, steps: int) -> float:
    """Return the noise that steps of private training take for an (epsilon, delta), as a noise multiplier.

    Parameters
    ----------
    max_epsilon, delta : float
        What the training may tell: more than 0, and between 0 and 1.
    sampling_rate : float
        As for :func:`sampled_gaussian_rdp`.
    steps : int
        As for :func:`sampled_gaussian_rdp`, at least 1.

    Returns
    -------
    float
        The least noise multiplier that suffices, rounded up in the fourth digit.

    Raises
    ------
    TypeError, ValueError
        When an argument is out of its range, or no noise up to 10,000 suffices.

    Examples
    --------
    >>> import funcnn as fn
    >>> noise = fn.privacy_noise(1.0, 1e-5, 0.01, 10_000)
    >>> fn.privacy_spent(fn.sampled_gaussian_rdp(0.01, noise, steps=10_000), 1e-5).epsilon <= 1.0
    True
    """
    max_epsilon = check_range(max_epsilon, "max_epsilon", 0, math.inf, open_low=True, open_high=True)
    steps = check_count(steps, "steps")

    def suffices(noise: float) -> bool:
        return privacy_spent(sampled_gaussian_rdp(sampling_rate, noise, steps=steps), delta).epsilon <= max_epsilon

    low, high = 0.1, 0.2
    if suffices(low):
        return low
    while not suffices(high):
        low, high = high, 2 * high
        if high > 10_000:
            raise ValueError(
                f"max_epsilon is {max_epsilon} and delta {delta}: no noise multiplier up to 10,000 keeps {steps} steps below that"
            )
    while high > low * (1 + 1e-4):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high
