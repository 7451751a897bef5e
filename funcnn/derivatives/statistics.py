r"""How gradients of single examples scatter: their variance, entry by entry, and the gradient noise scale.

Indices: $n$ example of $N$, $g_n$ the gradient of its loss, $G = \mathbb{E}\, g_n$, $\Sigma$ its covariance.

**Entry by entry**, with $\hat g = \frac1N \sum_n g_n$,
$$ s^2 = \frac{1}{N - 1} \sum_n (g_n - \hat g)^2, \qquad \text{signal to noise} = |\hat g| / s . $$

**The noise scale.**  The gradient of a batch of B examples is $G_B$ with $\mathbb{E} |G_B|^2 = |G|^2 + \operatorname{tr} \Sigma /
B$: two batch sizes tell both (McCandlish et al. 2018, arXiv:1812.06162, appendix A.1), and a batch holds batches of 1, its
examples.  With $a = \frac1N \sum_n |g_n|^2$ and $b = |\hat g|^2$
$$ |G|^2 \approx \frac{N b - a}{N - 1}, \qquad \operatorname{tr} \Sigma \approx \frac{N (a - b)}{N - 1}, \qquad
   \mathcal{B} = \frac{\operatorname{tr} \Sigma}{|G|^2}, $$
the first two without bias.  $\mathcal{B}$ is about the batch size beyond which larger batches hardly help.  The norms need no
gradients of single examples (:mod:`funcnn.derivatives.per_example`): one forward and two backwards.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.derivatives.apart import apart, batch_size
from funcnn.derivatives.complex_step import parts
from funcnn.derivatives.per_example import PerExampleGradsFunction, checked, forwards, norms
from funcnn.layer import Layer, Mode, params_only
from funcnn.losses.loss import Loss
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


@frozen(eq=False)
class GradientStatistics(Generic[P]):
    """What a function made by :func:`gradient_statistics` gives: trees like the parameters, None in the place of integers."""

    mean: P
    """The mean of the examples' gradients."""
    variance: P
    """Their variance, without bias."""
    signal_to_noise: P
    """The mean's magnitude over the standard deviation: infinite where only the deviation is 0, and 0 where both are."""


def gradient_statistics(model: Layer[P, S, X, Y], loss: Loss[Y, T]) -> GradientStatisticsFunction[P, S, X, Y, T]:
    r"""Return the function that computes the mean and the variance of the examples' gradients, entry by entry.

    Parameters
    ----------
    model : Layer
    loss : Loss

    Returns
    -------
    callable
        ``(params, state, x, target, mode) -> GradientStatistics(mean, variance, signal_to_noise)``, of two examples at least;
        pure, and picklable.  It raises what :func:`per_example_grads` raises, whose memory it takes.

    Raises
    ------
    TypeError, ValueError
        As :func:`per_example_grads`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.linear(1)
    >>> start = model.init(fn.Key(0), (1,))
    >>> zero = fn.tree.map(np.zeros_like, start.params)
    >>> at = zero, start.state, np.ones((3, 1)), np.array([[-1.0], [-2.0], [-3.0]])
    >>> made = fn.gradient_statistics(model, fn.half_squared_error())(*at, fn.Eval())
    >>> made.mean.weight[0, 0], made.variance.weight[0, 0]
    (np.float64(2.0), np.float64(1.0))

    See Also
    --------
    gradient_noise_scale : two numbers for all parameters, in the memory of one gradient.
    """
    return GradientStatisticsFunction(PerExampleGradsFunction(*checked(model, loss, "grads")))


@frozen
class GradientStatisticsFunction(Generic[P, S, X, Y, T]):
    """What :func:`gradient_statistics` returns."""

    each: PerExampleGradsFunction[P, S, X, Y, T]

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, /) -> GradientStatistics[P]:
        """Return the mean, the variance and their ratio."""
        check_several(batch_size(x))
        grads = self.each(params, state, x, target, mode)
        mean = tree.map_cotangents(_mean, grads)
        variance = tree.map_cotangents(_variance, grads)
        return GradientStatistics(mean, variance, tree.map_cotangents(_ratio, mean, variance))


def check_several(count: int) -> None:
    """Raise a ValueError unless there are two examples."""
    if count < 2:
        raise ValueError(f"the batch has {count} examples, expected at least 2: how gradients scatter is seen from several")


def _mean(leaf: Array) -> Array:
    return np.asarray(leaf.mean(0))


def _variance(leaf: Array) -> Array:
    return np.asarray(leaf.var(0, ddof=1))


def _ratio(mean: Array, variance: Array) -> Array:
    size, deviation = np.abs(mean), np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Array = np.where(size == 0, size.dtype.type(0), size / deviation)
    return ratio


@frozen(eq=False)
class GradientNoise:
    """What a function made by :func:`gradient_noise_scale` gives."""

    scale: float
    """Noise over signal: a batch size.  Infinite where the signal is not more than 0."""
    signal: float
    """The estimate of the squared norm of the true gradient.  It may be negative: average it over batches before dividing."""
    noise: float
    """The estimate of the trace of the covariance of single gradients."""
    norms: Array
    """The norms of the examples' gradients, (n,)."""


def gradient_noise_scale(model: Layer[P, S, X, Y], loss: Loss[Y, T]) -> GradientNoiseFunction[P, S, X, Y, T]:
    r"""Return the function that estimates the gradient noise scale: the batch size that the noise of gradients calls for.

    Parameters
    ----------
    model : Layer
    loss : Loss

    Returns
    -------
    callable
        ``(params, state, x, target, mode) -> GradientNoise(scale, signal, noise, norms)``, of two examples at least; pure, and
        picklable.  It raises what :func:`per_example_grads` raises.

    Raises
    ------
    TypeError, ValueError
        As :func:`per_example_grads`.

    Notes
    -----
    One batch gives a noisy estimate.  ``signal`` and ``noise`` have no bias, their ratio has: average both over some batches,
    and divide then.

    References
    ----------
    McCandlish, Kaplan, Amodei et al. (2018), An empirical model of large-batch training, arXiv:1812.06162.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.linear(1)
    >>> start = model.init(fn.Key(0), (1,))
    >>> zero = fn.tree.map(np.zeros_like, start.params)
    >>> at = zero, start.state, np.ones((3, 1)), np.array([[-1.0], [-2.0], [-3.0]])
    >>> made = fn.gradient_noise_scale(model, fn.half_squared_error())(*at, fn.Eval())
    >>> round(made.noise, 12), round(made.signal, 12)  # the variance of 1, 2, 3; 2^2 less what the noise adds, 1/3
    (1.0, 3.666666666667)

    See Also
    --------
    gradient_statistics : entry by entry.
    """
    model, loss, squares = checked(model, loss, "squares")
    return GradientNoiseFunction(model, loss, squares, apart(model, "sum"))


@frozen
class GradientNoiseFunction(Generic[P, S, X, Y, T]):
    """What :func:`gradient_noise_scale` returns."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]
    apart: Layer[P, S, X, Y] = field(repr=False)
    summed: Layer[P, S, X, Y] = field(repr=False)

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, /) -> GradientNoise:
        """Return the noise scale, and what it is made of."""
        count = batch_size(x)
        check_several(count)
        network, doutput = forwards(self.apart, self.loss, (params, state, x, target), mode)
        found = norms(self.apart, params, network.residuals, doutput, count)
        total = params_only(self.summed, params, network.residuals, doutput).params
        wide = found.astype(np.result_type(found, float))
        one = float(wide @ wide) / count
        all_ = sum(float(np.vdot(leaf, leaf)) for leaf in parts(total) if leaf is not None) / count**2
        signal, noise = (count * all_ - one) / (count - 1), count * (one - all_) / (count - 1)
        return GradientNoise(noise / signal if signal > 0 else float("inf"), signal, noise, found)
