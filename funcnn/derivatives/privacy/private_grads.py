r"""Gradients that tell little about any single example: clipped, summed, and with noise (Abadi et al. 2016, arXiv:1607.00133).

Indices: $n$ example of the batch, $g_n$ the gradient of its loss, $C$ the norm to which it is cut, $\sigma$ the noise multiplier,
$B$ the number of examples that is expected in a batch.

$$ \tilde g = \frac{1}{B} \Big( \sum_n g_n \min \Big( 1, \frac{C}{\lVert g_n \rVert} \Big) + \sigma C\, \xi \Big), \qquad \xi
   \sim N(0, 1) . $$
An example moves the sum by C at most, along one direction, in which the noise has the standard deviation $\sigma C$:
:mod:`funcnn.derivatives.privacy.accountant` counts what it tells.  B is a constant: the number of examples that a batch really
has is a secret too.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.derivatives.per_example import ClippedGradsFunction, clipped_grads
from funcnn.errors import check_range, shown
from funcnn.key import Key
from funcnn.layer import Layer, Mode
from funcnn.losses.loss import Loss
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


@frozen(eq=False)
class PrivateGrads(Generic[P]):
    """What a function made by :func:`private_grads` gives."""

    grads: P
    """The noisy gradient: all that may be told."""
    norms: Array
    """The norms of the examples' gradients, (n,).  They are not private: to look at, not to publish."""


def private_grads(
    model: Layer[P, S, X, Y], loss: Loss[Y, T], *, max_norm: float, noise_multiplier: float, expected_batch_size: float
) -> PrivateGradsFunction[P, S, X, Y, T]:
    r"""Return the function that computes the noisy gradient of differentially private training (DP-SGD).

    Parameters
    ----------
    model : Layer
    loss : Loss
    max_norm : float
        The norm C to which the gradient of each example is cut, more than 0.
    noise_multiplier : float
        The standard deviation of the noise, in units of C, at least 0: :func:`privacy_noise` tells how much it takes.
    expected_batch_size : float
        The number of examples that is expected in a batch, by which the sum is divided: the sampling rate times the number of
        all examples.

    Returns
    -------
    callable
        ``(params, state, x, target, mode, key) -> PrivateGrads(grads, norms)``; pure, and picklable.  The key gives the noise: a
        new one for each step.  It raises what :func:`per_example_grads` raises, and a TypeError when the key is none.

    Raises
    ------
    TypeError, ValueError
        As :func:`per_example_grads`; when a number is out of its range.

    Notes
    -----
    The accountant presumes that each example comes into a batch independently, as in :func:`funcnn.data.poisson_batches`: a batch
    may be empty, and gives noise alone.  The noise is that of a generator for simulations, in floating point; against somebody
    who knows its seed, or reads the last bits of the gradient (Mironov 2012, doi:10.1145/2382196.2382264), it does not protect.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.linear(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> settings = {"max_norm": 0.5, "noise_multiplier": 1.0, "expected_batch_size": 1.0}
    >>> step = fn.private_grads(model, fn.half_squared_error(), **settings)
    >>> made = step(start.params, start.state, 100 * np.eye(2)[:1], np.zeros((1, 1)), fn.Eval(), fn.Key(1))
    >>> made.grads.weight.shape, made.norms.shape
    ((2, 1), (1,))

    See Also
    --------
    clipped_grads : the sum without noise.
    """
    clipped = clipped_grads(model, loss, max_norm)
    noise_multiplier = check_range(noise_multiplier, "noise_multiplier", 0, np.inf, open_high=True)
    expected_batch_size = check_range(expected_batch_size, "expected_batch_size", 0, np.inf, open_low=True, open_high=True)
    return PrivateGradsFunction(clipped, noise_multiplier, expected_batch_size)


@frozen
class PrivateGradsFunction(Generic[P, S, X, Y, T]):
    """What :func:`private_grads` returns."""

    clipped: ClippedGradsFunction[P, S, X, Y, T]
    noise_multiplier: float
    expected_batch_size: float

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, key: Key, /) -> PrivateGrads[P]:
        """Return the noisy gradient, and the norms that the examples' gradients had."""
        if not isinstance(key, Key):
            raise TypeError(f"the key of the noise (key) is {shown(key)}, expected a Key such as fn.Key(0)")
        made = self.clipped(params, state, x, target, mode)
        generator = key.generator()
        deviation = self.noise_multiplier * self.clipped.max_norm

        def noisy(total: Array) -> Array:
            with_noise: Array = total + deviation * generator.standard_normal(total.shape)
            return (with_noise / self.expected_batch_size).astype(total.dtype, copy=False)

        return PrivateGrads(tree.map_cotangents(noisy, made.grads), made.norms)
