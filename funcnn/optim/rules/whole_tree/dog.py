r"""Distance over gradients: gradient descent without a rate to choose.

With the farthest distance so far $\bar r_t = \max_{i \le t} \lVert p_i - p_0 \rVert$, at first $r_\epsilon (1 + \lVert p_0
\rVert)$, DoG (Ivgi, Hinder and Carmon 2023, arXiv:2302.12022, eq. 1) takes
$$ p_{t+1} = p_t - \alpha\, \frac{\bar r_t}{\sqrt{\sum_{i \le t} \lVert g_i \rVert^2}}\; g_t , $$
and DoWG (Khaled, Mishchenko and Jin 2023, arXiv:2305.16284, algorithm 1), which weighs the gradients by the distances,
$$ p_{t+1} = p_t - \alpha\, \frac{\bar r_t^2}{\sqrt{\sum_{i \le t} \bar r_i^2 \lVert g_i \rVert^2}}\; g_t , $$
with $\alpha = 1$ in both.  Norms are those of the whole tree.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from attrs import frozen

from funcnn.optim.hyper import FLAG, POSITIVE, settle
from funcnn.optim.norms import in_units, moderate, norm_of
from funcnn.optim.optimizer import OptState, Updated, check_shape, check_trainable, counter, foreign, updates_done
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.optim.transformations.transform import locked, matched
from funcnn.runtime.treedef import flatten
from funcnn.typing import Array

P = TypeVar("P")


@frozen
class DistanceOverGradients:
    """Made by :func:`funcnn.dog` and :func:`funcnn.dowg`.  Its state: $p_0$, the farthest distance, and the root of the sum."""

    learning_rate: Rate = 1.0
    initial_distance: float = 1e-6
    weighted: bool = False

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, initial_distance=POSITIVE, weighted=FLAG)

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
        distance = self.initial_distance * (1 + norm_of(leaves))
        return OptState(counter(0), (*locked([leaf.copy() for leaf in leaves]), *locked([_number(distance), _number(0.0)])))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters and state.

        Raises
        ------
        ValueError
            When the gradients differ from the parameters in structure, shape or dtype, with the path of the leaf; when the
            state is not one of these parameters.
        """
        count = updates_done(state, self)
        structure, slopes, leaves = matched(params, grads)
        check_shape(state, self, 0, len(leaves) + 2)
        *start, farthest, root = state.slots
        if [(one.shape, one.dtype) for one in start] != [(leaf.shape, leaf.dtype) for leaf in leaves]:
            raise foreign(state, self, "the parameters in it have other shapes or dtypes")
        distance = max(float(farthest), norm_of([leaf - one for leaf, one in zip(leaves, start, strict=True)]))
        own, norm, exponent = moderate(slopes)
        whole = math.hypot(in_units(float(root), exponent), norm * (distance if self.weighted else 1.0))
        share = rate_at(self.learning_rate, count) * distance * (distance if self.weighted else 1.0)
        factor = share / whole if whole else 0.0
        new = locked([leaf - leaf.dtype.type(factor) * g for leaf, g in zip(leaves, own, strict=True)])
        slots = (*start, *locked([_number(distance), _number(in_units(whole, -exponent))]))
        return Updated(structure.rebuild(list(new)), OptState(counter(count + 1), slots))


def _number(value: float) -> Array:
    return np.array(value, float)


def dog(learning_rate: Rate = 1.0, *, initial_distance: float = 1e-6) -> DistanceOverGradients:
    r"""Gradient descent whose rate is the distance gone so far over the root of the sum of squared gradients.

    The authors evaluate an average of the iterates: put it into :func:`funcnn.polyak` or :func:`funcnn.ema`.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        A factor of every step; 1 is the method.
    initial_distance : float, optional
        $r_\epsilon$, above 0: the first distance, as a part of $1 + \lVert p_0 \rVert$.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Ivgi, Hinder & Carmon (2023), DoG is SGD's best friend, arXiv:2302.12022, eq. 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.dog(initial_distance=0.25)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.5]),)
    """
    return DistanceOverGradients(learning_rate, initial_distance)


def dowg(learning_rate: Rate = 1.0, *, initial_distance: float = 1e-4) -> DistanceOverGradients:
    r"""Descend as :func:`dog` does, with gradients weighed by the distance at which they were taken: it adapts faster.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        A factor of every step; 1 is the method.
    initial_distance : float, optional
        $r_\epsilon$, above 0: the first distance, as a part of $1 + \lVert p_0 \rVert$.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    References
    ----------
    Khaled, Mishchenko & Jin (2023), DoWG unleashed, arXiv:2305.16284, algorithm 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.dowg(initial_distance=0.25)
    >>> params, grads = (np.array([1.0]),), (np.array([10.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.5]),)
    """
    return DistanceOverGradients(learning_rate, initial_distance, True)
