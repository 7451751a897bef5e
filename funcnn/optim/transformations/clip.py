r"""Clipping of gradients: by value, by the norm of each leaf, by the norm of all, and in proportion to the parameters.

With the gradient $g$ of one leaf, or of the whole tree, and a limit $c$
$$ \text{value:}\; g_i \leftarrow \max(-c, \min(c, g_i)), \qquad
   \text{norm:}\; g \leftarrow g \min\Bigl(1, \frac{c}{\lVert g\rVert_2}\Bigr) . $$
The norm of the whole tree is the one of Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063, algorithm 1.  A gradient within the
limit comes back bit for bit.  A gradient with a NaN or an infinity passes as it is: to hide it is another's decision
(:func:`funcnn.skip_nonfinite`).

Adaptive clipping (Brock et al. 2021, arXiv:2102.06171, eq. 3) compares norms unit by unit, with the parameters' norm at least
$\epsilon$:
$$ g_i \leftarrow g_i \min\Bigl(1,\; c\,\frac{\max(\lVert p_i\rVert, \epsilon)}{\lVert g_i\rVert}\Bigr) . $$
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.optim.hyper import LIMIT, POSITIVE, settle
from funcnn.optim.norms import norm_of, scaled_to
from funcnn.optim.transformations.transform import Stateless
from funcnn.typing import Array


def global_norm(values: object) -> float:
    r"""Return the Euclidean norm of all numbers of a tree, $\sqrt{\sum_i g_i^2}$, without overflow.

    Parameters
    ----------
    values : tree
        Such as gradients.

    Returns
    -------
    float
        NaN when there is a NaN, infinity when there is an infinity.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.global_norm((np.array([3.0]), {"b": np.array([[4.0]])}))
    5.0
    """
    return norm_of(tree.leaves(values))


@frozen
class ClipByValue(Stateless):
    """Made by :func:`funcnn.clip_by_value`."""

    limit: float

    def __attrs_post_init__(self) -> None:
        settle(self, limit=LIMIT)

    def _grads(self, paths: tuple[str, ...], grads: tuple[Array, ...], params: tuple[Array, ...]) -> Sequence[Array]:
        return [_clip(leaf, self.limit) for leaf in grads]


def _clip(leaf: Array, limit: float) -> Array:
    limit = min(limit, float(np.finfo(leaf.dtype).max))
    clipped: Array = np.clip(leaf, -limit, limit)
    flat = leaf.reshape(-1)
    with np.errstate(all="ignore"):  # a sum of squares that is a number tells that there is no infinity, in one pass
        if math.isfinite(flat.dot(flat)):
            return clipped
    return np.where(np.isinf(leaf), leaf, clipped)


@frozen
class ClipByNorm(Stateless):
    """Made by :func:`funcnn.clip_by_norm`."""

    max_norm: float

    def __attrs_post_init__(self) -> None:
        settle(self, max_norm=LIMIT)

    def _grads(self, paths: tuple[str, ...], grads: tuple[Array, ...], params: tuple[Array, ...]) -> Sequence[Array]:
        return [scaled_to(self.max_norm, (leaf,))[0] for leaf in grads]


@frozen
class ClipByGlobalNorm(Stateless):
    """Made by :func:`funcnn.clip_by_global_norm`."""

    max_norm: float

    def __attrs_post_init__(self) -> None:
        settle(self, max_norm=LIMIT)

    def _grads(self, paths: tuple[str, ...], grads: tuple[Array, ...], params: tuple[Array, ...]) -> Sequence[Array]:
        return scaled_to(self.max_norm, grads)


@frozen
class ClipAdaptive(Stateless):
    """Made by :func:`funcnn.clip_adaptive`."""

    ratio: float
    eps: float = 1e-3

    def __attrs_post_init__(self) -> None:
        settle(self, ratio=LIMIT, eps=POSITIVE)

    def _grads(self, paths: tuple[str, ...], grads: tuple[Array, ...], params: tuple[Array, ...]) -> Sequence[Array]:
        return [self._leaf(g, p) for g, p in zip(grads, params, strict=True)]

    def _leaf(self, g: Array, p: Array) -> Array:
        (size, unit), (norms, own_unit) = _unit_norms(p, self.eps), _unit_norms(g, 0.0)
        with np.errstate(all="ignore"):  # a limit that is too large for a number is none
            limit = self.ratio * np.maximum(size, self.eps / unit)  # in the parameters' units
            over = np.isfinite(norms) & (norms > limit * (unit / own_unit))
            if not over.any():
                return g
            scale = np.where(over, limit / np.where(over, norms, 1), 1).astype(g.dtype)
            return np.where(over, (g / own_unit) * scale * unit, g).astype(g.dtype)


def _unit_norms(leaf: Array, least: float) -> tuple[Array, Array | float]:
    """Return the norm of all that belongs to each index of the last axis, or of the whole leaf when that is a vector.

    The norms are those in units of what is returned beside them: powers of two near the largest numbers (or the least norm that
    counts), where squares would overflow or underflow, and otherwise 1.
    """
    axes = tuple(range(leaf.ndim - 1)) if leaf.ndim > 1 else None
    with np.errstate(over="ignore", under="ignore"):
        squares: Array = np.sum(leaf * leaf, axis=axes, keepdims=True)
    safe = (squares > 1e-30) & (squares < 1e30)
    if safe.all() or not leaf.size:
        return np.sqrt(squares), 1.0
    largest: Array = np.maximum(np.max(np.abs(leaf), axis=axes, keepdims=True), least)
    other = ~safe & (largest > 0) & np.isfinite(largest)
    unit: Array = np.where(other, np.exp2(np.frexp(np.where(other, largest, 1))[1] - 1.0).astype(leaf.dtype), 1).astype(
        leaf.dtype
    )
    scaled = leaf / unit
    return np.sqrt(np.sum(scaled * scaled, axis=axes, keepdims=True)), unit


def clip_by_value(limit: float) -> ClipByValue:
    """Clip every number of the gradients to [-limit, limit]; infinities and NaN stay what they are.

    Parameters
    ----------
    limit : float
        Above 0.

    Returns
    -------
    Transformation

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> clip = fn.clip_by_value(1.0)
    >>> grads = (np.array([-3.0, 0.5]),)
    >>> clip.transform(grads, grads, clip.init(grads)).grads
    (array([-1. ,  0.5]),)
    """
    return ClipByValue(limit)


def clip_by_norm(max_norm: float) -> ClipByNorm:
    """Scale each leaf of the gradients whose Euclidean norm is above a limit down to that limit.

    Parameters
    ----------
    max_norm : float
        Above 0.

    Returns
    -------
    Transformation

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> clip = fn.clip_by_norm(1.0)
    >>> grads = (np.array([3.0, 4.0]), np.array([0.5]))
    >>> clip.transform(grads, grads, clip.init(grads)).grads
    (array([0.6, 0.8]), array([0.5]))
    """
    return ClipByNorm(max_norm)


def clip_by_global_norm(max_norm: float) -> ClipByGlobalNorm:
    """Scale all gradients together when the Euclidean norm of all their numbers is above a limit; their direction stays.

    Parameters
    ----------
    max_norm : float
        Above 0.

    Returns
    -------
    Transformation

    References
    ----------
    Pascanu, Mikolov & Bengio (2013), On the difficulty of training recurrent neural networks, arXiv:1211.5063.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.chain(fn.clip_by_global_norm(1.0), fn.sgd(0.5))
    >>> params, grads = (np.array([1.0]), np.array([1.0])), (np.array([30.0]), np.array([40.0]))
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.7]), array([0.6]))
    """
    return ClipByGlobalNorm(max_norm)


def clip_adaptive(ratio: float = 0.01, *, eps: float = 1e-3) -> ClipAdaptive:
    """Clip the gradient of each unit in proportion to the norm of its parameters (AGC).

    A unit is one index of a leaf's last axis, with all that feeds it; a leaf of one axis is one unit.

    Parameters
    ----------
    ratio : float, optional
        The largest norm of the gradient, relative to that of the parameters; above 0.
    eps : float, optional
        The least norm that parameters are taken to have, above 0: units that start at zero can move.

    Returns
    -------
    Transformation

    References
    ----------
    Brock, De, Smith & Simonyan (2021), High-performance large-scale image recognition without normalization, arXiv:2102.06171,
    eq. 3.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> clip = fn.clip_adaptive(0.5)
    >>> params, grads = (np.array([[1.0, 2.0]]),), (np.array([[3.0, 1.0]]),)
    >>> clip.transform(params, grads, clip.init(params)).grads
    (array([[0.5, 1. ]]),)
    """
    return ClipAdaptive(ratio, eps)
