"""Synthetic data: small problems whose answer is known."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from funcnn.data.dataset import Dataset, check_dtype
from funcnn.errors import check_count, check_range
from funcnn.key import Key, check_key
from funcnn.typing import Array, IntArray

MOST = 10**9
"""A bound on the sizes of made data: beyond, NumPy's own refusal does not say which argument is too large."""


def xor(*, dtype: DTypeLike = np.float64) -> Dataset[IntArray]:
    """Return the four rows of exclusive or: the smallest problem that no single neuron can solve (Minsky and Papert 1969).

    Returns
    -------
    Dataset
        x (4, 2) of 0 and 1, y (4,) labels: 1 where exactly one of the two is 1.

    Examples
    --------
    >>> import funcnn as fn
    >>> data = fn.data.xor()
    >>> data.x.tolist(), data.y.tolist()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])
    """
    x: Array = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], check_dtype(dtype))
    return Dataset(x, np.array([0, 1, 1, 0]), ("equal", "different"), ("a", "b"), "Exclusive or.")


def spirals(
    key: Key, count: int = 100, classes: int = 3, *, noise: float = 0.2, turns: float = 0.65, dtype: DTypeLike = np.float64
) -> Dataset[IntArray]:
    r"""Return points on interleaved spirals in the plane: the arms cannot be parted by straight lines.

    Example $i$ of $m$ of class $c$ of $C$ has the radius $r = (i+1)/m$ and the angle
    $2\pi\,(\text{turns}\cdot r + c/C) + \text{noise}\cdot\varepsilon$, $\varepsilon \sim N(0, 1)$.

    Parameters
    ----------
    key : Key
    count : int, optional
        Examples of each class.
    classes : int, optional
        Number of arms, at least 2.
    noise : float, optional
        Standard deviation of the angle in radians.
    turns : float, optional
        How often an arm winds around the centre.
    dtype : dtype, optional
        Precision of x.

    Returns
    -------
    Dataset
        x (count * classes, 2) in the unit disc, y labels; the rows are in order of the class.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.data.spirals(fn.Key(0), 50)
    Dataset(x=float64[150, 2], y=int64[150], 3 classes)
    """
    key = check_key(key)
    count = check_count(count, "count", most=MOST)
    classes = check_count(classes, "classes", 2, MOST)
    noise = check_range(noise, "noise", 0, math.inf, open_high=True)
    turns = check_range(turns, "turns", -math.inf, math.inf, open_low=True, open_high=True)
    kind = check_dtype(dtype)
    labels = np.repeat(np.arange(classes), count)
    radius = np.tile(np.arange(1, count + 1) / count, classes)
    angle = 2 * np.pi * (turns * radius + labels / classes) + noise * key.generator().standard_normal(len(labels))
    x: Array = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype(kind)
    names = tuple(f"arm {label}" for label in range(classes))
    return Dataset(x, labels, names, ("x", "y"), f"{classes} interleaved spirals.")


def sinusoid(key: Key, count: int = 200, *, noise: float = 0.1, dtype: DTypeLike = np.float64) -> Dataset[Array]:
    r"""Return a regression of one number on one: $y = \sin(2\pi x) + \text{noise}\cdot\varepsilon$ with $x$ uniform in [-1, 1].

    Parameters
    ----------
    key : Key
    count : int, optional
        Number of examples.
    noise : float, optional
        Standard deviation of what is added to y.
    dtype : dtype, optional
        Precision of x and y.

    Returns
    -------
    Dataset
        x (count, 1), y (count, 1).

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.data.sinusoid(fn.Key(0))
    Dataset(x=float64[200, 1], y=float64[200, 1])
    """
    key = check_key(key)
    count = check_count(count, "count", most=MOST)
    noise = check_range(noise, "noise", 0, math.inf, open_high=True)
    kind = check_dtype(dtype)
    x = key.child(0).generator().uniform(-1, 1, (count, 1))
    y = np.sin(2 * np.pi * x) + noise * key.child(1).generator().standard_normal((count, 1))
    return Dataset(x.astype(kind), y.astype(kind), (), ("x",), f"sin(2 pi x) with noise {noise:g}.")


def friedman(
    key: Key, count: int = 500, features: int = 10, *, noise: float = 1.0, dtype: DTypeLike = np.float64
) -> Dataset[Array]:
    r"""Return Friedman's first regression problem: five features matter, the others do not.

    $y = 10\sin(\pi x_1 x_2) + 20\,(x_3 - \tfrac12)^2 + 10\,x_4 + 5\,x_5 + \text{noise}\cdot\varepsilon$, $x_i$ uniform in [0, 1]
    (J. Friedman 1991, Multivariate adaptive regression splines, Annals of Statistics 19(1), eq. 61).

    Parameters
    ----------
    key : Key
    count : int, optional
        Number of examples.
    features : int, optional
        Number of features, at least 5.
    noise : float, optional
        Standard deviation of what is added to y.
    dtype : dtype, optional
        Precision of x and y.

    Returns
    -------
    Dataset
        x (count, features), y (count, 1).

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.data.friedman(fn.Key(0), 50)
    Dataset(x=float64[50, 10], y=float64[50, 1])
    """
    key = check_key(key)
    count = check_count(count, "count", most=MOST)
    features = check_count(features, "features", 5, MOST)
    noise = check_range(noise, "noise", 0, math.inf, open_high=True)
    kind = check_dtype(dtype)
    x = key.child(0).generator().uniform(size=(count, features))
    signal = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    y = (signal + noise * key.child(1).generator().standard_normal(count))[:, None]
    names = tuple(f"x{index}" for index in range(1, features + 1))
    return Dataset(x.astype(kind), y.astype(kind), (), names, "Friedman's first regression problem (1991).")
