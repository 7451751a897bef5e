r"""Mixtures of examples: mixup and cutmix.

Each example $(x_i, y_i)$ of the batch gets a partner $(x_j, y_j)$, by one permutation of the batch, and a share
$\lambda \sim \operatorname{Beta}(\alpha, \alpha)$ of its own.

Mixup (Zhang et al. 2018, arXiv:1710.09412, eq. 2):
$$ \tilde x = \lambda x_i + (1 - \lambda) x_j, \qquad \tilde y = \lambda y_i + (1 - \lambda) y_j . $$
Cutmix (Yun et al. 2019, arXiv:1905.04899, eqs. 1 and 2): a rectangle of sides $H\sqrt{1 - \lambda}$ and $W\sqrt{1 - \lambda}$
about a uniform point, cut off at the borders, is that of the partner; $\lambda$ becomes the share of points that are one's own,
and $\tilde y$ is as above.
"""

from __future__ import annotations

import math

import numpy as np

from funcnn.data.augmentation.augmentation import Change, Mixing, check_images
from funcnn.data.augmentation.pixels import within
from funcnn.errors import check_count, check_range
from funcnn.typing import Array, IntArray


def _partners(generator: np.random.Generator, x: Array, alpha: float) -> tuple[IntArray, Array]:
    """Return the partner of each example, and its own share."""
    share = generator.beta(alpha, alpha, len(x))
    return generator.permutation(len(x)), share.astype(x.dtype)


def mixed(one: Array, other: Array, share: Array) -> Array:
    """Return so much of one array and the rest of another, by rows."""
    weight = share.reshape(-1, *[1] * (one.ndim - 1)).astype(one.dtype)
    made: Array = weight * one + (1 - weight) * other
    return made


def _mixup(generator: np.random.Generator, x: Array, y: Array, alpha: float) -> tuple[Array, Array]:
    partner, share = _partners(generator, x, alpha)
    return mixed(x, x[partner], share), mixed(y, y[partner], share)


def mixup(alpha: float = 0.2, *, classes: int | None = None) -> Mixing:
    """Mix each example and its target with another one of the batch (Zhang et al. 2018, arXiv:1710.09412).

    Parameters
    ----------
    alpha : float, optional
        Both parameters of the Beta distribution of the shares, above 0: small ones leave most examples nearly as they are.
    classes : int, optional
        How many classes there are, where targets are labels (n,): they become probabilities (n, classes).

    Returns
    -------
    Mixing
        ``(key, x, y) -> (x, y)`` for floating x of any shape (n, ...).

    Raises
    ------
    TypeError, ValueError
        When an argument is not such a number; when labels come and ``classes`` was not given.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x, y = fn.data.mixup(1.0, classes=3)(fn.Key(0), np.eye(3), np.arange(3))
    >>> bool(np.allclose(x, y)), y.sum(1).round(12)
    (True, array([1., 1., 1.]))
    """
    alpha = check_range(alpha, "alpha", 0.0, math.inf, open_low=True, open_high=True)
    classes = None if classes is None else check_count(classes, "classes", 2)
    return Mixing(Change("mixup", _mixup, (("alpha", alpha),)), classes)


def _cutmix(generator: np.random.Generator, x: Array, y: Array, alpha: float) -> tuple[Array, Array]:
    check_images(x)
    partner, share = _partners(generator, x, alpha)
    n, height, width = x.shape[:3]
    side = np.sqrt(1 - share)
    spans = []
    for length in (height, width):
        half = np.rint(side * length).astype(int) // 2
        middle = generator.integers(0, length, n)
        start, stop = (middle - half).clip(0), (middle + half).clip(None, length)
        spans.append((start, stop - start, length))
    foreign = within(*spans[0])[:, :, None] & within(*spans[1])[:, None, :]
    own = (1 - foreign.mean((1, 2))).astype(x.dtype)
    return np.where(foreign[..., None], x[partner], x), mixed(y, y[partner], own)


def cutmix(alpha: float = 1.0, *, classes: int | None = None) -> Mixing:
    """Put a rectangle of another image into each one, and mix their targets by area (Yun et al. 2019, arXiv:1905.04899).

    Parameters
    ----------
    alpha : float, optional
        Both parameters of the Beta distribution of the shares, above 0.
    classes : int, optional
        How many classes there are, where targets are labels (n,): they become probabilities (n, classes).

    Returns
    -------
    Mixing
        ``(key, x, y) -> (x, y)`` for floating images (n, height, width, channels).

    Raises
    ------
    TypeError, ValueError
        When an argument is not such a number; when labels come and ``classes`` was not given.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x = np.zeros((2, 8, 8, 1)) + np.arange(2.0).reshape(2, 1, 1, 1)
    >>> mixed, y = fn.data.cutmix(classes=2)(fn.Key(1), x, np.arange(2))
    >>> bool(np.allclose(mixed.mean((1, 2, 3)), y[:, 1]))
    True
    """
    alpha = check_range(alpha, "alpha", 0.0, math.inf, open_low=True, open_high=True)
    classes = None if classes is None else check_count(classes, "classes", 2)
    return Mixing(Change("cutmix", _cutmix, (("alpha", alpha),)), classes)
