"""Curvature: what the second derivatives of a loss are like, and what they are good for.

A product with a Hessian, a Gauss-Newton or a Fisher matrix (``fn.hvp``, ``fn.ggn_product``, ``fn.fisher_product``) takes a tree
like the parameters and gives another.  What is here needs no more than that, or than the layers' own backward.

operator.py             a product over trees as one over vectors
conjugate_gradient.py   solving with a positive matrix
krylov.py               Lanczos' tridiagonal form
eigenpairs.py           eigenvalues and eigenvectors at an end of the spectrum
spectrum.py             the density of eigenvalues
trace.py                Hutchinson, Hutch++, XTrace
diagonal.py             diagonals, exact and estimated
loss_curvature.py       the square root of a loss's curvature in the outputs
output_gradients.py     gradients of single examples for its columns
blocks.py               Kronecker products in their eigenbasis
factors.py              factors of gradients, added up to blocks
kronecker.py            K-FAC and EK-FAC factors of a network
kfac.py                 natural-gradient steps with them
sampled_targets.py      the Gauss-Newton diagonal from targets that the network draws
sophia.py               clipped steps over a diagonal
least_squares.py        residuals and their Jacobian
levenberg_marquardt.py  least squares by damped Gauss-Newton steps
loss_and_product.py     a loss, its gradient, and products with its curvature
newton_cg.py            Newton's method by conjugate gradients in a trust region
laplace.py              the Laplace approximation, its evidence and its samples
predictive.py           outputs that are normally distributed
influence.py            influence functions, TracIn
tangent_kernel.py       the empirical neural tangent kernel
"""

from funcnn.curvature.blocks import DiagonalBlock, FullBlock, KroneckerBlock
from funcnn.curvature.conjugate_gradient import NegativeCurvatureError, Solved, conjugate_gradient
from funcnn.curvature.diagonal import DiagonalEstimate, diagonal, estimate_diagonal, ggn_diagonal
from funcnn.curvature.eigenpairs import Eigenpairs, eigenpairs
from funcnn.curvature.influence import influence, tracin
from funcnn.curvature.kfac import KFAC, KFACOptions, KFACState, KFACStepped, kfac
from funcnn.curvature.kronecker import KroneckerFactors, kronecker_factors
from funcnn.curvature.laplace import Laplace, laplace
from funcnn.curvature.least_squares import Residuals, least_squares, per_example_vjp
from funcnn.curvature.levenberg_marquardt import LevenbergMarquardt, levenberg_marquardt
from funcnn.curvature.loss_and_product import LossAndProduct, loss_and_product
from funcnn.curvature.newton_cg import NewtonCG, newton_cg
from funcnn.curvature.operator import Product
from funcnn.curvature.predictive import Predictive
from funcnn.curvature.sophia import Sophia, SophiaOptions, SophiaState, SophiaStepped, sophia
from funcnn.curvature.spectrum import SpectralDensity, spectral_density
from funcnn.curvature.tangent_kernel import tangent_kernel
from funcnn.curvature.trace import TraceEstimate, hutch_plus_plus, hutchinson, xtrace
from funcnn.runtime.lazy_imports import listing

__all__ = [
    "KFAC",
    "DiagonalBlock",
    "DiagonalEstimate",
    "Eigenpairs",
    "FullBlock",
    "KFACOptions",
    "KFACState",
    "KFACStepped",
    "KroneckerBlock",
    "KroneckerFactors",
    "Laplace",
    "LevenbergMarquardt",
    "LossAndProduct",
    "NegativeCurvatureError",
    "NewtonCG",
    "Predictive",
    "Product",
    "Residuals",
    "Solved",
    "Sophia",
    "SophiaOptions",
    "SophiaState",
    "SophiaStepped",
    "SpectralDensity",
    "TraceEstimate",
    "conjugate_gradient",
    "diagonal",
    "eigenpairs",
    "estimate_diagonal",
    "ggn_diagonal",
    "hutch_plus_plus",
    "hutchinson",
    "influence",
    "kfac",
    "kronecker_factors",
    "laplace",
    "least_squares",
    "levenberg_marquardt",
    "loss_and_product",
    "newton_cg",
    "per_example_vjp",
    "sophia",
    "spectral_density",
    "tangent_kernel",
    "tracin",
    "xtrace",
]
__dir__ = listing(__name__, __all__)
