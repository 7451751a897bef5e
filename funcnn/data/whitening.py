r"""Whitening: a linear map after which the training data have the identity as covariance.

With the centred data $X = U S V^\top$ (rows are examples) the covariance is $V S^2 V^\top / n$.  Principal components (``pca``):
$W = V\,\mathrm{diag}(\sqrt n / s)$, so that $(XW)^\top XW/n = I$.  Turned back into the original axes (``zca``): $W V^\top$, the
whitening that stays closest to the data (Bell and Sejnowski 1997; Kessy, Lewin and Strimmer 2018, table 1).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from attrs import frozen

from funcnn.data.scaling import blocks, check_rows, column_mean
from funcnn.errors import check_array, check_choice, check_count, describe
from funcnn.kernels.arrays import matmul_last
from funcnn.tree import freeze
from funcnn.typing import Array


@frozen(eq=False)
class Whiten:
    """Subtracts the mean of the training data and maps what is left to uncorrelated directions; see :func:`fit_whiten`."""

    mean: Array  # (D,)
    matrix: Array  # (D, K)
    back: Array  # (K, D), its pseudo-inverse

    def transform(self, x: Array) -> Array:
        """Return ``(x - mean) @ matrix``, (n, K), in the precision of x."""
        _check_width(x, len(self.mean))
        return matmul_last(x - self.mean.astype(x.dtype), self.matrix.astype(x.dtype))

    def inverse(self, y: Array) -> Array:
        """Return ``y @ back + mean``, (n, D): what :meth:`transform` was given, up to the directions that were left out."""
        _check_width(y, len(self.back))
        x = matmul_last(y, self.back.astype(y.dtype))
        x += self.mean.astype(y.dtype)
        return x


def fit_whiten(x: Array, kind: Literal["pca", "zca"] = "pca", *, components: int | None = None) -> Whiten:
    """Fit the whitening of training data.

    Parameters
    ----------
    x : array (n, D)
        Training data, float32 or float64, finite, with at least two rows.
    kind : {'pca', 'zca'}, optional
        Results along the principal components, the largest first, or along the original axes.
    components : int, optional
        How many principal components to keep.  By default all in which the training data vary (beyond roundoff); the others, and
        constant columns among them, have no scale and are left out.

    Returns
    -------
    Whiten
        K is the number of components for 'pca', D for 'zca'.

    Raises
    ------
    TypeError, ValueError
        When x is not floating, not (n, D), or holds NaN or infinity (named by row and column); when all rows are equal, or the
        data vary in fewer directions than asked for.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x = fn.data.digits().x
    >>> y = fn.data.fit_whiten(x, components=10).transform(x)
    >>> bool(np.allclose(y.T @ y / len(y), np.eye(10)))
    True
    """
    check_rows(x)
    if x.ndim != 2:
        raise ValueError(f"x is {describe(x)}, expected (n, D): use x.reshape(len(x), -1)")
    if x.dtype not in (np.float32, np.float64):
        raise TypeError(f"x has dtype {x.dtype}: the decomposition is done in float32 or float64")
    kind = check_choice(kind, ("pca", "zca"), "kind")
    mean = column_mean(x)
    centred = np.concatenate([block - mean for block in blocks(x, mean.dtype)])
    # The singular values of X are those of R in X = Q R, which is small; squaring X instead would lose half the digits.
    unit = float(np.ldexp(1.0, np.frexp(np.abs(centred).max())[1] - 1))  # a power of 2: what follows squares
    s, vt = np.linalg.svd(np.linalg.qr(centred / unit, mode="r"))[1:]
    # Roundoff in the data alone gives singular values up to eps max|x| (sqrt n + sqrt D), and the decomposition some eps s_0.
    noise = float(np.abs(x).max()) / unit * (len(x) ** 0.5 + x.shape[1] ** 0.5) + float(s[0])
    rank = int(np.count_nonzero(s > 8 * np.finfo(x.dtype).eps * noise))
    if rank == 0:
        raise ValueError("all rows of x are equal: there is no direction to whiten")
    if components is not None:
        components = check_count(components, "components")
        if components > rank:
            raise ValueError(f"components is {components}, and the data vary in {rank} directions: ask for at most these")
        rank = components
    s, vt = s[:rank] / len(x) ** 0.5, vt[:rank]
    largest = np.abs(vt).argmax(1)
    vt *= np.sign(vt[np.arange(rank), largest])[:, None]  # a direction's sign is free: the largest entry is made positive
    matrix, back = vt.T / s / unit, s[:, None] * vt * unit
    if kind == "zca":
        matrix, back = matrix @ vt, vt.T @ back
    kept = x.dtype
    return freeze(Whiten(mean.astype(kept), matrix.astype(kept), back.astype(kept)))


def _check_width(x: Array, width: int) -> None:
    check_array(x, "x")
    if x.ndim != 2 or x.shape[1] != width:
        raise ValueError(f"x is {describe(x)}, expected (n, {width}) as in the data that were fitted")
