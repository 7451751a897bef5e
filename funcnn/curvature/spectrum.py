r"""The density of eigenvalues, by stochastic Lanczos quadrature.

For a vector v of length 1, $v^\top f(A) v = \sum_i f(\lambda_i) (u_i^\top v)^2$ is an integral over a measure that sits on the
eigenvalues.  k steps of Lanczos from v give its Gauss quadrature: the nodes are the eigenvalues $\theta_j$ of the tridiagonal
form, the weights the squares $\tau_j$ of the first entries of its eigenvectors, exact for polynomials f of degree up to $2k -
1$ (Golub & Welsch 1969, doi:10.2307/2004418).  For random v with independent entries of variance 1/D the mean of $v^\top f(A)
v$ is $\tfrac1D \operatorname{tr} f(A)$, the integral over the density of eigenvalues,
$$ \frac1D \sum_i f(\lambda_i) \approx \frac1m \sum_{s=1}^m \sum_j \tau_{sj} f(\theta_{sj}) $$
(Ubaru, Chen & Saad 2017, doi:10.1137/16M1104974; for networks Ghorbani, Krishnan & Xiao 2019, arXiv:1901.10159).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from attrs import frozen

from funcnn.curvature.krylov import tridiagonalize
from funcnn.curvature.operator import Product, check_products, generator_of, operator, signs
from funcnn.curvature.trace import TraceEstimate
from funcnn.errors import check_count, check_function, check_range
from funcnn.key import Key
from funcnn.typing import Array

P = TypeVar("P")


@frozen(eq=False)
class SpectralDensity:
    """What :func:`spectral_density` gives: a measure of total weight 1 on the eigenvalues."""

    nodes: tuple[Array, ...]
    """For each start the nodes (k,), from the least up."""
    weights: tuple[Array, ...]
    """For each start the weights (k,), which add up to 1."""
    size: int
    """How many eigenvalues there are: D."""
    products: int
    """Products that it took."""

    def density(self, grid: Array, deviation: float) -> Array:
        """Return the density at the points of a grid, each node a normal distribution of this standard deviation."""
        deviation = check_range(deviation, "deviation", 0.0, np.inf, open_low=True, open_high=True)
        points = np.asarray(grid, float)
        total: Array = np.zeros(points.shape)
        for nodes, weights in zip(self.nodes, self.weights, strict=True):
            away = (points[..., None] - nodes) / deviation
            total = total + np.exp(-(away**2) / 2) @ weights / (deviation * np.sqrt(2 * np.pi))
        return total / len(self.nodes)

    def trace(self, function: Callable[[Array], Array]) -> TraceEstimate:
        """Return an estimate of the trace of a function of the matrix, such as ``np.log`` for a logarithm of the determinant."""
        check_function(function, "function", "a function of an array of eigenvalues")
        pairs = zip(self.nodes, self.weights, strict=True)
        samples = self.size * np.array([float(function(nodes) @ weights) for nodes, weights in pairs])
        return TraceEstimate.of(samples, self.products)


def spectral_density(product: Product[P], like: P, *, key: Key, steps: int = 64, samples: int = 8) -> SpectralDensity:
    r"""Estimate the density of eigenvalues of a symmetric matrix that is known by its products.

    Parameters
    ----------
    product : callable
        ``product(vector) -> tree``: a symmetric matrix times a tree like the parameters.
    like : tree
        The parameters, or a tree like them.
    key : Key
        Of the starts.
    steps : int, optional
        Steps of Lanczos from each start: moments up to twice as many are right.
    samples : int, optional
        Starts.

    Returns
    -------
    SpectralDensity
        With ``density(grid, deviation)`` for pictures, and ``trace(function)`` with an error.

    Raises
    ------
    TypeError, ValueError
        As :func:`eigenpairs`.

    References
    ----------
    Ubaru, Chen & Saad (2017), Fast estimation of tr(f(A)) via stochastic Lanczos quadrature, doi:10.1137/16M1104974.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> matrix = np.diag([1.0, 2.0, 2.0, 5.0])
    >>> made = fn.curvature.spectral_density(lambda v: matrix @ v, np.zeros(4), key=fn.Key(0))
    >>> made.nodes[0].round(6)
    array([1., 2., 5.])
    >>> made.weights[0].round(6)
    array([0.25, 0.5 , 0.25])
    """
    of = operator(product, like)
    steps, samples = check_count(steps, "steps"), check_products(samples, "samples")
    generator = generator_of(key)
    nodes, weights, products = [], [], 0
    for _ in range(samples):
        made = tridiagonalize(of, signs(generator, (of.size,), of.dtype), steps, np.empty((0, of.size), of.dtype))
        values, vectors = made.eigen()
        nodes.append(values)
        weights.append(vectors[0] ** 2)
        products += len(made.diagonal)
    return SpectralDensity(tuple(nodes), tuple(weights), of.size, products)
