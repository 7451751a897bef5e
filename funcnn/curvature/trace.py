r"""The trace of a matrix that is known by its products.

Indices: $\omega_i$ random vectors of D numbers with independent entries of mean 0 and variance 1, $i = 1, \dots, k$.

*Hutchinson* (1990, doi:10.1080/03610919008812866): $\mathbb{E}\, \omega^\top A \omega = \operatorname{tr} A$, since $\mathbb{E}\,
\omega \omega^\top = I$.  With signs the variance of one sample is $2 \sum_{i \ne j} A_{ij}^2$; the error falls as $1/\sqrt{k}$.

*Hutch++* (Meyer et al. 2021, arXiv:2010.09649): the range of a sketch $A S$ holds what is large, and its trace is computed; the
rest is estimated,
$$ \operatorname{tr} A = \operatorname{tr} Q^\top A Q + \operatorname{tr}\, (I - QQ^\top) A (I - QQ^\top) , $$
a third of the products for each of $A S$, $A Q$ and the rest: the error falls as $1/k$.

*XTrace* (Epperly, Tropp & Webber 2024, arXiv:2301.07825): the same, with every vector in both roles.  With $Q_{(i)}$ a basis
of the sketch $A \Omega$ without its column i,
$$ t_i = \operatorname{tr} Q_{(i)}^\top A Q_{(i)} + \omega_i^\top (I - Q_{(i)} Q_{(i)}^\top) A (I - Q_{(i)} Q_{(i)}^\top)
   \omega_i $$
is without bias, and the mean of all k is the estimate.  From $A\Omega = QR$ each basis is had without another factorization:
$Q_{(i)} Q_{(i)}^\top = Q (I - s_i s_i^\top) Q^\top$ with $s_i$ the direction of the i-th column of $R^{-\top}$, which is
orthogonal to all columns of R but the i-th.  The length of $\omega_i$ outside of the sketch carries no information, so that
each is scaled to the one that is expected, $\sqrt{D - k + 1}$ (their section 2.3).  The spread of the $t_i$ gives the error.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from attrs import frozen

from funcnn.curvature.operator import Operator, Product, check_products, generator_of, lapack_eps, operator, signs
from funcnn.key import Key
from funcnn.typing import Array

P = TypeVar("P")


@frozen
class TraceEstimate:
    """An estimate of a trace."""

    value: float
    """The estimate."""
    error: float
    """Its standard error, from the spread of what was averaged; NaN where there is one sample alone."""
    products: int
    """Products that it took."""

    @classmethod
    def of(cls, samples: Array, products: int, exact: float = 0.0) -> TraceEstimate:
        """Return the estimate from independent samples, and from what is known exactly beside them."""
        error = float(np.std(samples, ddof=1) / np.sqrt(len(samples))) if len(samples) > 1 else float("nan")
        return cls(exact + float(np.mean(samples)), error, products)


def hutchinson(product: Product[P], like: P, *, key: Key, products: int = 30) -> TraceEstimate:
    r"""Estimate a trace by Hutchinson's method: the mean of $\omega^\top A \omega$ over vectors of random signs.

    Parameters
    ----------
    product : callable
        ``product(vector) -> tree``: a symmetric matrix times a tree like the parameters.
    like : tree
        The parameters, or a tree like them.
    key : Key
        Of the vectors.
    products : int, optional
        How many products are taken.

    Returns
    -------
    TraceEstimate

    Raises
    ------
    TypeError, ValueError
        When an argument is not as said, or a product has another structure or is not finite: the leaf is named.

    See Also
    --------
    xtrace : closer with as many products, where the spectrum falls.

    Examples
    --------
    Diagonal matrices have no variance:

    >>> import numpy as np, funcnn as fn
    >>> fn.curvature.hutchinson(lambda v: np.arange(4.0) * v, np.zeros(4), key=fn.Key(0), products=2)
    TraceEstimate(value=6.0, error=0.0, products=2)
    """
    of = operator(product, like)
    count, generator = check_products(products), generator_of(key)
    samples = []
    for _ in range(count):
        omega = signs(generator, (of.size,), of.dtype)
        samples.append(float(omega @ of(omega)))
    return TraceEstimate.of(np.array(samples), count)


def hutch_plus_plus(product: Product[P], like: P, *, key: Key, products: int = 30) -> TraceEstimate:
    """Estimate a trace by Hutch++: exactly in the range of a sketch, and by Hutchinson's method beside it.

    Parameters
    ----------
    product, like, key
        As for :func:`hutchinson`.
    products : int, optional
        How many products are taken, at least 3: a third for each of the sketch, its range, and the rest.

    Returns
    -------
    TraceEstimate

    Raises
    ------
    TypeError, ValueError
        As :func:`hutchinson`.

    References
    ----------
    Meyer, Musco, Musco & Woodruff (2021), Hutch++: optimal stochastic trace estimation, arXiv:2010.09649.

    Examples
    --------
    A matrix of rank 2 lies in the range of its sketch:

    >>> import numpy as np, funcnn as fn
    >>> thin = np.arange(10.0).reshape(5, 2)
    >>> made = fn.curvature.hutch_plus_plus(lambda v: thin @ (thin.T @ v), np.zeros(5), key=fn.Key(0), products=9)
    >>> round(made.value, 9), round(made.error, 9)
    (285.0, 0.0)
    """
    of = operator(product, like)
    count, generator = check_products(products, least=3), generator_of(key)
    third = min(count // 3, of.size)
    q = _range(of, generator.standard_normal((of.size, third)).astype(of.dtype))  # signs: two columns may be one
    exact = float(np.sum(q * of.columns(q)))
    left = count - third - q.shape[1]
    samples = []
    for _ in range(max(1, left)):
        omega = signs(generator, (of.size,), of.dtype)
        omega = omega - q @ (q.T @ omega)
        samples.append(float(omega @ of(omega)))
    return TraceEstimate.of(np.array(samples), third + q.shape[1] + len(samples), exact)


def _range(of: Operator[P], sketch: Array) -> Array:
    """Return an orthonormal basis of the range of A times a sketch."""
    q, r = np.linalg.qr(of.columns(sketch).astype(np.float64, copy=False))
    sizes = np.abs(np.diag(r))
    kept: Array = q[:, sizes > lapack_eps(of.dtype) * len(q) * sizes.max(initial=0)].astype(of.dtype)
    return kept


def xtrace(product: Product[P], like: P, *, key: Key, products: int = 30) -> TraceEstimate:
    """Estimate a trace by XTrace: every vector of the sketch is also one that the rest is estimated with.

    Parameters
    ----------
    product, like, key
        As for :func:`hutchinson`.
    products : int, optional
        How many products are taken, an even number and at least 4.

    Returns
    -------
    TraceEstimate

    Raises
    ------
    TypeError, ValueError
        As :func:`hutchinson`.

    References
    ----------
    Epperly, Tropp & Webber (2024), XTrace: making the most of every sample in stochastic trace estimation, arXiv:2301.07825.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> matrix = np.diag(0.5 ** np.arange(20.0))
    >>> made = fn.curvature.xtrace(lambda v: matrix @ v, np.zeros(20), key=fn.Key(0), products=20)
    >>> made.error < 0.01, bool(abs(made.value - np.trace(matrix)) < 0.01)
    (True, True)
    """
    of = operator(product, like)
    count = check_products(products, least=4)
    if count % 2:
        raise ValueError(f"products is {count}, expected an even number: half for the sketch, half for its range")
    generator = generator_of(key)
    k = min(count // 2, of.size)
    omega: Array = generator.standard_normal((of.size, k)).astype(of.dtype)
    omega = omega * (np.sqrt(of.size) / np.linalg.norm(omega.astype(np.float64), axis=0)).astype(of.dtype)
    y = of.columns(omega)
    q, r = np.linalg.qr(y.astype(np.float64, copy=False))
    sizes = np.abs(np.diag(r))
    if sizes.min(initial=np.inf) <= 10 * lapack_eps(of.dtype) * len(q) * sizes.max(initial=0):
        # the sketch spans the range already, and nothing is left beside it
        q = q[:, sizes > 10 * lapack_eps(of.dtype) * len(q) * sizes.max(initial=0)]
        inside = float(np.sum(q * of.columns(q.astype(of.dtype))))
        return TraceEstimate(inside, 0.0, k + q.shape[1])
    z = of.columns(q.astype(of.dtype)).astype(np.float64, copy=False)
    samples = _leave_one_out(omega.astype(np.float64, copy=False), y.astype(np.float64, copy=False), q, r, z)
    return TraceEstimate.of(samples, 2 * k)


def _leave_one_out(omega: Array, y: Array, q: Array, r: Array, z: Array) -> Array:
    """Return the k estimates, each with the basis of the sketch without one column."""
    size, k = omega.shape
    s = np.linalg.inv(r).T
    s = s / np.linalg.norm(s, axis=0)
    h = q.T @ z
    w = q.T @ omega
    x = w - s * np.sum(s * w, axis=0)  # the coordinates of each vector in its own basis
    inside = np.trace(h) - np.sum(s * (h @ s), axis=0)
    beside = np.sum(omega * y, axis=0) - 2 * np.sum((z.T @ omega) * x, axis=0) + np.sum(x * (h @ x), axis=0)
    length = np.sum(omega**2, axis=0) - np.sum(x**2, axis=0)
    if size == k - 1:
        return np.asarray(inside)
    made: Array = inside + beside * (size - k + 1) / length
    return made
