"""Weights with a structure: rotations, maps that give their input back, and maps with few numbers."""

import math
from functools import partial

import numpy as np

from funcnn.errors import check_count, check_range
from funcnn.initializers.initializer import Initializer
from funcnn.kernels.weight_shape import check_drawn, fans, groups_of
from funcnn.key import Key
from funcnn.tree import freeze
from funcnn.typing import Array, Shape


def orthogonal(gain: float = 1.0) -> Initializer:
    """Return the initializer that draws an orthogonal matrix, uniformly among all (Saxe, McClelland and Ganguli 2014).

    The leading axes are merged: a weight (..., I, O) is treated as the matrix (r I, O), that of a convolution in groups as one
    for each group.  Its columns are orthonormal when it is tall, its rows when it is wide, times the gain.  It is the Q of a QR
    decomposition of normal numbers, its columns multiplied by the signs of R's diagonal: without these it would not be uniform
    (Mezzadri 2007, section 5).

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> q = fn.initializers.orthogonal()(fn.Key(0), (5, 3))
    >>> bool(np.allclose(q.T @ q, np.eye(3)))
    True
    """
    gain = check_range(gain, "gain", 0, math.inf, open_low=True, open_high=True)
    return partial(_orthogonal, gain)


def _orthogonal(gain: float, key: Key, shape: Shape) -> Array:
    check_drawn(key, shape)
    fans(shape)
    rotations = _rotations(key, math.prod(shape[:-1]), shape[-1], groups_of(shape))
    return freeze(np.ascontiguousarray(gain * rotations).reshape(shape))


def _rotations(key: Key, rows: int, columns: int, groups: int) -> Array:
    """Return a matrix that for each group of columns is orthogonal."""
    generator = key.generator()
    parts = [_rotation(generator, rows, columns // groups) for _ in range(groups)]
    return parts[0] if groups == 1 else np.concatenate(parts, axis=1)


def _rotation(generator: np.random.Generator, rows: int, columns: int) -> Array:
    """Return a matrix with orthonormal columns, or rows if there are fewer of them."""
    q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.sign(r.diagonal())
    return q if rows >= columns else q.T


def delta_orthogonal(gain: float = 1.0) -> Initializer:
    """Return the initializer of convolutions that is orthogonal from channels to channels, and 0 around the centre.

    The kernel (..., I / g, O) has an orthogonal matrix, drawn as by :func:`orthogonal`, at its centre (of an even length, the
    upper of the two), one for each group.  With no more inputs than outputs and kernels of odd lengths, a convolution that
    keeps the size of its input keeps its norm too, times the gain, however many follow on one another.  ``orthogonal`` does not
    promise that for convolutions, whose windows overlap.

    Raises
    ------
    ValueError
        When called with a shape of fewer than three axes; ``orthogonal`` is the same for matrices.

    References
    ----------
    Xiao et al. (2018), Dynamical isometry and a mean field theory of CNNs, arXiv:1806.05393.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> kernel = fn.initializers.delta_orthogonal()(fn.Key(0), (3, 3, 2, 4))
    >>> bool(np.allclose(kernel[1, 1] @ kernel[1, 1].T, np.eye(2))), int(np.count_nonzero(kernel))
    (True, 8)
    """
    gain = check_range(gain, "gain", 0, math.inf, open_low=True, open_high=True)
    return partial(_delta_orthogonal, gain)


def _delta_orthogonal(gain: float, key: Key, shape: Shape) -> Array:
    check_drawn(key, shape)
    if len(shape) < 3:
        raise ValueError(f"the kernel of a convolution has three axes or more, got shape {shape}: use orthogonal for a matrix")
    kernel = np.zeros(shape)
    if kernel.size:
        kernel[_centre(shape)] = gain * _rotations(key, shape[-2], shape[-1], groups_of(shape))
    return freeze(kernel)


def _centre(shape: Shape) -> tuple[int, ...]:
    return tuple(length // 2 for length in shape[:-2])


def identity(gain: float = 1.0) -> Initializer:
    """Return the initializer that makes the identity matrix times a gain; of a non-square matrix what fits (Le et al. 2015).

    Raises
    ------
    ValueError
        When called with a shape of other than two axes; ``dirac`` is the same for convolutions.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.identity()(fn.Key(0), (2, 3))
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    gain = check_range(gain, "gain", -math.inf, math.inf, open_low=True, open_high=True)
    return partial(_identity, gain)


def _identity(gain: float, key: Key, shape: Shape) -> Array:
    check_drawn(key, shape)
    if len(shape) != 2:
        raise ValueError(f"the identity has two axes, got shape {shape}: use dirac for a convolution")
    return freeze(gain * np.eye(*shape))


def dirac(groups: int | None = None) -> Initializer:
    """Return the initializer with which a convolution gives its input back, as far as there are channels.

    The kernel (..., I / groups, O) is 1 at its centre (of an even length, the upper of the two) where the output channel of a
    group is the input channel of the same number, and 0 elsewhere.

    Parameters
    ----------
    groups : int, optional
        Groups of the convolution; by default those that the layer has.

    Raises
    ------
    ValueError
        When groups is less than 1 or, in the call, O is no multiple of it.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.dirac()(fn.Key(0), (3, 1, 1))[:, 0, 0]
    array([0., 1., 0.])
    """
    return partial(_dirac, None if groups is None else check_count(groups, "groups"))


def _dirac(groups: int | None, key: Key, shape: Shape) -> Array:
    check_drawn(key, shape)
    fans(shape)
    groups = groups_of(shape) if groups is None else groups
    if shape[-1] % groups:
        raise ValueError(f"{shape[-1]} output channels (kernel of shape {shape}) are no multiple of {groups} groups")
    kernel = np.zeros(shape)
    kernel[_centre(shape)] = np.tile(np.eye(shape[-2], shape[-1] // groups), groups)
    return freeze(kernel)


def sparse(sparsity: float = 0.9, std: float = 0.01) -> Initializer:
    """Return the initializer that draws normal numbers and puts a part of each unit's weights to 0 (Martens 2010, section 5).

    Parameters
    ----------
    sparsity : float, optional
        Part of each column of the matrix (I, O), the incoming weights of one unit, that is 0, rounded up to a whole number of
        weights.
    std : float, optional
        Standard deviation of the others.

    Raises
    ------
    ValueError
        When the sparsity is not in [0, 1]; in the call, when the shape has other than two axes.

    Examples
    --------
    >>> import funcnn as fn
    >>> (fn.initializers.sparse(0.75)(fn.Key(0), (8, 2)) == 0).sum(0)
    array([6, 6])
    """
    sparsity = check_range(sparsity, "sparsity", 0, 1)
    std = check_range(std, "std", 0, math.inf, open_high=True)
    return partial(_sparse, sparsity, std)


def _sparse(sparsity: float, std: float, key: Key, shape: Shape) -> Array:
    check_drawn(key, shape)
    if len(shape) != 2:
        raise ValueError(f"a sparse weight has two axes, got shape {shape}")
    generator = key.generator()
    x = generator.normal(0.0, std, shape)
    order = generator.random(shape).argsort(0)  # a random permutation of the rows for each column
    np.put_along_axis(x, order[: math.ceil(sparsity * shape[0])], 0.0, axis=0)
    return freeze(x)
