r"""Gradients with noise, and gradients without their mean.

Noise (Neelakantan et al. 2015, arXiv:1511.06807, eq. 1), at update $t = 0, 1, \dots$
$$ g \leftarrow g + n, \qquad n \sim N\Bigl(0, \frac{\eta}{(1+t)^\gamma}\Bigr) . $$

Centralization (Yong et al. 2020, arXiv:2004.01461, eq. 1), for each output $o$ of a leaf of two axes and more
$$ g_{io} \leftarrow g_{io} - \operatorname{mean}_i(g_{io}) . $$
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from attrs import frozen

from funcnn.key import Key
from funcnn.optim.hyper import AMOUNT, settle
from funcnn.optim.optimizer import OptState, counter, updates_done
from funcnn.optim.transformations.transform import Stateless, Transformed, as_arrays, matched
from funcnn.typing import Array

P = TypeVar("P")


@frozen
class Noise:
    """Made by :func:`funcnn.gradient_noise`."""

    key: Key
    variance: float
    decay: float = 0.55

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.key, Key):
            raise TypeError(f"key is {self.key!r}, expected a funcnn.Key")
        settle(self, variance=AMOUNT, decay=AMOUNT)

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first call: it counts."""
        return OptState(counter(0))

    def transform(self, params: P, grads: P, state: OptState[P]) -> Transformed[P]:
        """Return the gradients with noise that depends on the key and the count only."""
        count = updates_done(state, self)
        structure, slopes, _ = matched(params, grads)
        generator = self.key.child(count).generator()
        vanished = self.decay * math.log1p(count) > 700  # the power would be too large for a number
        deviation = 0.0 if vanished else math.sqrt(self.variance / (1 + count) ** self.decay)
        new = [g + np.asarray(deviation * generator.standard_normal(g.shape), g.dtype) for g in slopes]
        return Transformed(structure.rebuild(as_arrays(new)), OptState(counter(count + 1)))


@frozen
class Centralize(Stateless):
    """Made by :func:`funcnn.centralize`."""

    def _grads(self, paths: tuple[str, ...], grads: tuple[Array, ...], params: tuple[Array, ...]) -> Sequence[Array]:
        return [_centred(g) if g.ndim > 1 and g.size else g for g in grads]


def _centred(g: Array) -> Array:
    axes = tuple(range(g.ndim - 1))
    with np.errstate(over="ignore"):
        mean: Array = np.mean(g, axis=axes, keepdims=True)
    if not np.isfinite(mean).all():  # the sum of some column was too large for a number, which the mean need not be
        exponent = math.frexp(float(g.size))[1]
        mean = np.ldexp(np.mean(np.ldexp(g, -exponent), axis=axes, keepdims=True), exponent)
    return g - mean


def gradient_noise(key: Key, variance: float = 0.01, *, decay: float = 0.55) -> Noise:
    r"""Add normal noise of variance $\eta/(1+t)^\gamma$ to the gradients.

    Parameters
    ----------
    key : Key
        Makes the noise reproducible; update $t$ draws from its child $t$.
    variance : float, optional
        $\eta$, at least 0.
    decay : float, optional
        $\gamma$, at least 0.

    Returns
    -------
    Transformation

    References
    ----------
    Neelakantan et al. (2015), Adding gradient noise improves learning for very deep networks, arXiv:1511.06807, eq. 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> noise = fn.gradient_noise(fn.Key(0), variance=0.01)
    >>> grads = (np.ones(3),)
    >>> noisy = noise.transform(grads, grads, noise.init(grads)).grads
    >>> bool(np.all(noisy[0] != 1.0))
    True
    """
    return Noise(key, variance, decay)


def centralize() -> Centralize:
    """Subtract, for each output of a matrix, the mean of its gradient over the inputs; vectors stay as they are.

    Returns
    -------
    Transformation

    References
    ----------
    Yong, Huang, Hua & Zhang (2020), Gradient centralization, arXiv:2004.01461, eq. 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> centre = fn.centralize()
    >>> grads = (np.array([[1.0, 0.0], [3.0, 4.0]]),)
    >>> centre.transform(grads, grads, centre.init(grads)).grads
    (array([[-1., -2.],
           [ 1.,  2.]]),)
    """
    return Centralize()
