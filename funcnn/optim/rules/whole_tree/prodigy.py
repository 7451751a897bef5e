r"""Prodigy (Mishchenko and Defazio 2023, arXiv:2306.06101, algorithm 4): Adam that finds its own rate.

With the distance $d_k$ to a solution, of which $d_0$ is a guess that is too small, the factor $\gamma_k$ of the steps, and $g_k$
the gradient of the whole tree, the paper has
$$ m_{k+1} = \beta_1 m_k + (1-\beta_1)\, d_k g_k, \qquad v_{k+1} = \beta_2 v_k + (1-\beta_2)\, d_k^2 g_k^2, $$
$$ r_{k+1} = \sqrt{\beta_2}\, r_k + (1-\sqrt{\beta_2})\, \gamma_k d_k^2 \langle g_k, p_0 - p_k \rangle, \qquad
   s_{k+1} = \sqrt{\beta_2}\, s_k + (1-\sqrt{\beta_2})\, \gamma_k d_k^2 g_k, $$
$$ d_{k+1} = \max\Bigl(d_k,\; \frac{r_{k+1}}{\lVert s_{k+1} \rVert_1}\Bigr), \qquad
   p_{k+1} = p_k - \gamma_k d_k \frac{m_{k+1}}{\sqrt{v_{k+1}} + d_k \epsilon} . $$
Kept are $m/d$, $v/d^2$, $r/d^2$ and $s/d^2$, which are of the size of gradients however small $d$ is.  In these units the
factors $d_k$ drop out of all means, and the step is Adam's at the rate $\gamma_k d_k$,
$$ p_{k+1} = p_k - \gamma_k d_k \frac{m'_{k+1}}{\sqrt{v'_{k+1}} + \epsilon} ; $$
when the distance grows, what is kept is divided by its growth $d_{k+1} / d_k$, or the square of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from attrs import field, frozen

from funcnn.optim.flat import coefficient
from funcnn.optim.hyper import AMOUNT, FRACTION, POSITIVE, settle
from funcnn.optim.norms import bound_of, shrunk_together
from funcnn.optim.optimizer import OptState, Updated, check_shape, check_trainable, counter, foreign, updates_done
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.optim.transformations.transform import locked, matched
from funcnn.optim.where import Where, check_where, everywhere, selects, show_where
from funcnn.runtime.treedef import flatten
from funcnn.typing import Array

P = TypeVar("P")


@frozen
class Prodigy:
    """Made by :func:`funcnn.prodigy`.  Its state: the leaves of p0, m', v' and s', and then r' and d as numbers."""

    learning_rate: Rate = 1.0
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    initial_distance: float = 1e-6
    where: Where = field(default=everywhere, repr=show_where)

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, beta1=FRACTION, beta2=FRACTION, eps=AMOUNT)
        settle(self, weight_decay=AMOUNT, initial_distance=POSITIVE, where=check_where)

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update.

        Raises
        ------
        TypeError
            When a leaf does not hold floating-point numbers.
        """
        structure, leaves = flatten(params)
        for path, leaf in zip(structure.paths, leaves, strict=True):
            check_trainable(path, leaf.dtype)
        zeros = [np.zeros_like(leaf) for _ in range(3) for leaf in leaves]
        return OptState(counter(0), locked([*[leaf.copy() for leaf in leaves], *zeros, *_numbers(0.0, self.initial_distance)]))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters and state.

        Raises
        ------
        ValueError
            When the gradients differ from the parameters in structure, shape or dtype, with the path of the leaf; when the
            state is not one of these parameters.
        """
        count = updates_done(state, self)
        structure, given, leaves = matched(params, grads)
        check_shape(state, self, 0, 4 * len(leaves) + 2)
        *arrays, product, reached = state.slots
        if [(one.shape, one.dtype) for one in arrays] != 4 * [(leaf.shape, leaf.dtype) for leaf in leaves]:
            raise foreign(state, self, "the parameters in it have other shapes or dtypes")
        start, means, squares, sums = (arrays[len(leaves) * kind : len(leaves) * (kind + 1)] for kind in range(4))
        distance, gamma = float(reached), rate_at(self.learning_rate, count)
        slopes = shrunk_together(given, min([bound_of(g.dtype, 1.0) for g in given], default=math.inf))

        keep, rest = math.sqrt(self.beta2), 1 - math.sqrt(self.beta2)
        away = [_total(g * (first - p)) for g, first, p in zip(slopes, start, leaves, strict=True)]
        r = keep * float(product) + rest * gamma * math.fsum(away)
        s = _means(keep, rest * gamma, sums, slopes)
        size = math.fsum([_total(np.abs(one)) for one in s])
        estimate = r / size if size else distance
        farther = distance if estimate <= distance else estimate  # which a NaN does not escape

        m = _means(self.beta1, 1 - self.beta1, means, slopes)
        v = _means(self.beta2, 1 - self.beta2, squares, [g * g for g in slopes])
        rate, decay, new = gamma * distance, self.weight_decay, []
        for path, p, first, second in zip(structure.paths, leaves, m, v, strict=True):
            u = first / (np.sqrt(second) + coefficient(self.eps, p.dtype))
            if decay and selects(self.where, path, p.shape):
                u = u + p.dtype.type(decay) * p
            new.append(p - p.dtype.type(rate) * u)

        ratio = distance / farther
        kept = [*_times(ratio, m), *_times(ratio * ratio, v), *_times(ratio * ratio, s)]
        slots = locked([*start, *kept, *_numbers(ratio * ratio * r, farther)])
        return Updated(structure.rebuild(list(locked(new))), OptState(counter(count + 1), slots))


def _means(keep: float, rest: float, old: Sequence[Array], new: Sequence[Array]) -> list[Array]:
    """Return, array by array, a share of the old and a share of the new."""
    return [one.dtype.type(keep) * one + one.dtype.type(rest) * other for one, other in zip(old, new, strict=True)]


def _times(factor: float, arrays: Sequence[Array]) -> list[Array]:
    return [one.dtype.type(factor) * one for one in arrays]


def _total(leaf: Array) -> float:
    """Return the sum of an array's numbers, which are too many for float32's last digits."""
    return float(np.sum(leaf, dtype=np.float64))


def _numbers(product: float, distance: float) -> list[Array]:
    return [np.array(product, float), np.array(distance, float)]


def prodigy(
    learning_rate: Rate = 1.0,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    initial_distance: float = 1e-6,
    where: Where = everywhere,
) -> Prodigy:
    r"""Prodigy: Adam whose rate is an estimate, which only grows, of how far the solution is; no rate to choose.

    It keeps four numbers for each parameter, twice as many as Adam.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        $\gamma$, a factor of every step: 1 is the method; ``fn.schedules.cosine(1.0, steps)`` brings it to rest.
    beta1, beta2 : float, optional
        Decay rates of the two moments, in [0, 1); the estimate forgets at the rate $\sqrt{\beta_2}$.
    eps : float, optional
        Added to the root of the second moment, at least 0.
    weight_decay : float, optional
        Decoupled decay $\lambda$, at least 0: $\gamma d \lambda\, p$ is taken off, as AdamW does.
    initial_distance : float, optional
        $d_0$, above 0: less than the distance to a solution; that it is by far too small costs few steps.
    where : str or callable, optional
        Which leaves are decayed: a regular expression that is searched in the leaf's path, or a pure function of path and
        shape such as :func:`funcnn.is_matrix`.  All by default.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Mishchenko & Defazio (2023), Prodigy: an expeditiously adaptive parameter-free learner, arXiv:2306.06101, algorithm 4.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt, params = fn.prodigy(fn.schedules.cosine(1.0, 200)), np.array([5.0, -3.0])
    >>> state = opt.init(params)
    >>> for _ in range(200):
    ...     updated = opt.update(params, params - 1, state)  # of half the squared distance to 1
    ...     params, state = updated.params, updated.state
    >>> bool(abs(params - 1).max() < 0.01)
    True
    """
    return Prodigy(learning_rate, beta1, beta2, eps, weight_decay, initial_distance, where)
