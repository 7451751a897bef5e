r"""Kronecker factors of the Gauss-Newton matrix: K-FAC and EK-FAC.

Indices: $n$ example of N, $t$ step or window of T, $c$ column of the loss's curvature, $i, o$ input and output of a matrix.

A matrix $W$ that multiplies $x_{nt}$ has, for the cotangents $s_{nc}$ of the output (:mod:`funcnn.curvature.loss_curvature`),
the gradient $g_{nc} = \sum_t x_{nt} \bar y_{nct}^\top$.  Its block of the Gauss-Newton matrix is $\sum_{nc} \operatorname{vec}
g_{nc} \operatorname{vec} g_{nc}^\top$, of $(IO)^2$ numbers.  If inputs and cotangents were independent of each other it would
be a Kronecker product (Martens & Grosse 2015, arXiv:1503.05671),
$$ \sum_{nc} (x_n x_n^\top) \otimes (\bar y_{nc} \bar y_{nc}^\top) \approx \Big( \frac1N \sum_n x_n x_n^\top \Big) \otimes
   \Big( \sum_{nc} \bar y_{nc} \bar y_{nc}^\top \Big) = A \otimes B . $$
It is exact for one example, and for networks of linear layers with squared errors, whose cotangents are the same for all examples
(Bernacchia et al. 2018).  Where a matrix is used T times there are two ways (Eschenhagen et al. 2023, arXiv:2311.00636):

* *expand* takes each step for an example of its own, $A = \frac1{NT} \sum_{nt} x x^\top$, $B = \sum_{nct} \bar y \bar y^\top$;
  for convolutions this is KFC (Grosse & Martens 2016, arXiv:1602.01407).  It is right where each step has a loss of its own.
* *reduce* adds first, $A = \frac1N \sum_n \hat x \hat x^\top$ with the mean $\hat x$ over t, $B = \sum_{nc} \hat y \hat
  y^\top$ with the sum $\hat y$.  It is right where the steps are averaged before the loss.

EK-FAC (George et al. 2018, arXiv:1806.03884) keeps the eigenvectors and takes the eigenvalues that are best for them, the
diagonal of the true block in that basis,
$$ S_{io} = \sum_{nc} \big( U_A^\top g_{nc} U_B \big)_{io}^2 . $$

Where examples have weights, A is their mean by these.  A weight and its bias are one matrix, which multiplies $(x, 1)$; so are
the input's and the state's weights of a recurrent layer.  What is no such product (scales of norms, tables, depthwise kernels)
has its exact diagonal.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, Generic, TypeVar

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.curvature.blocks import Block, damped, log_determinant
from funcnn.curvature.factors import Group, Sharing, corrected, groups, size_of, summed
from funcnn.curvature.loss_curvature import output_columns, random_columns
from funcnn.curvature.operator import lapack_eps, vector_space
from funcnn.curvature.output_gradients import in_stretches, run_apart
from funcnn.derivatives.fisher import FisherKind
from funcnn.derivatives.per_example import checked, cotangents, shares, times_examples
from funcnn.errors import check_choice, check_count, check_flag, check_range
from funcnn.key import Key, check_key
from funcnn.layer import Layer, Mode, params_only
from funcnn.losses.loss import Loss
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
T = TypeVar("T")


@frozen(eq=False)
class KroneckerFactors(Generic[P]):
    """A block-diagonal curvature matrix: what :func:`kronecker_factors` gives."""

    like: P = field(repr=False)
    """The parameters."""
    blocks: tuple[Block, ...]
    """One for each matrix with its bias, and one for each other leaf."""

    def product(self, vector: P) -> P:
        """Return the matrix times a vector: trees like the parameters."""
        return self._applied(damped(0.0, 1.0), vector)

    def solve(self, vector: P, damping: float = 0.0) -> P:
        r"""Return $(A + \lambda I)^{-1} v$; raise a ValueError where the matrix is singular without damping."""
        damping = check_range(damping, "damping", 0.0, np.inf, open_high=True)
        self.check_positive(damping)
        return self._applied(damped(damping), vector)

    def root_solve(self, vector: P, damping: float = 0.0) -> P:
        r"""Return $(A + \lambda I)^{-1/2} v$: of normal numbers, a sample whose covariance is the inverse."""
        damping = check_range(damping, "damping", 0.0, np.inf, open_high=True)
        self.check_positive(damping)
        return self._applied(damped(damping, -0.5), vector)

    def diagonal(self) -> P:
        """Return the diagonal."""
        return self._joined([block.diagonal(damped(0.0, 1.0), self._leaves) for block in self.blocks])

    def log_determinant(self, damping: float = 0.0) -> float:
        r"""Return $\log \det (A + \lambda I)$."""
        damping = check_range(damping, "damping", 0.0, np.inf, open_high=True)
        self.check_positive(damping)
        return log_determinant(self.blocks, damping)

    def check_positive(self, damping: float) -> None:
        """Raise a ValueError that names the leaves of a block which is singular."""
        for block in self.blocks:
            least, largest = float(block.values.min()), float(block.values.max())
            if least + damping <= 4 * lapack_eps(block.values.dtype) * largest or least + damping <= 0:
                raise ValueError(
                    f"the block of params{' and params'.join(block.paths)} is singular (eigenvalues from {least:.3g} to"
                    f" {largest:.3g}): give damping= of more than {damping:g}"
                )

    @property
    def _leaves(self) -> list[Array]:
        return list(tree.leaves(self.like))

    def _applied(self, function: Any, vector: P) -> P:
        tree.check_like(self.like, vector, "vector")
        leaves = list(tree.leaves(vector))
        return self._joined([block.applied(function, leaves) for block in self.blocks])

    def _joined(self, parts: list[dict[int, Array]]) -> P:
        every = {index: leaf for part in parts for index, leaf in part.items()}  # leaves in no block have none: 0
        whole = [every[index] if index in every else np.zeros_like(leaf) for index, leaf in enumerate(self._leaves)]
        return tree.freeze(tree.rebuild(self.like, iter(whole)))


def kronecker_factors(
    model: Layer[P, S, X, Array],
    loss: Loss[Array, T],
    *,
    kind: FisherKind = "true",
    sharing: Sharing = "expand",
    corrected: bool = False,
    samples: int | None = None,
) -> KroneckerFactorsFunction[P, S, X, T]:
    r"""Return the function that computes Kronecker factors of the Gauss-Newton matrix of a loss: K-FAC, or EK-FAC.

    Parameters
    ----------
    model : Layer
        With an output of one array.
    loss : Loss
        Convex in the output.
    kind : {"true", "empirical"}, optional
        Of the Gauss-Newton matrix, which for losses that are likelihoods is the Fisher information; or of the squares of the
        data's own gradients, which take one backward, and are something else away from a good fit.
    sharing : {"expand", "reduce"}, optional
        What is done with matrices that an example uses several times: sequences and convolutions.
    corrected : bool, optional
        Whether the eigenvalues are corrected, as EK-FAC does: a second round of backwards.
    samples : int, optional
        So many random sums of the columns of the loss's curvature, in place of all: for outputs of many numbers.  The function
        then needs a key.

    Returns
    -------
    callable
        ``(params, state, x, target, mode, key=None) -> KroneckerFactors``, with ``product``, ``solve(vector, damping)``,
        ``root_solve``, ``diagonal`` and ``log_determinant``; pure, and picklable.

        It raises a :class:`NegativeCurvatureError` where the loss is not convex in the output, and a ValueError where examples
        depend on each other.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as said.

    References
    ----------
    Martens & Grosse (2015), arXiv:1503.05671; Grosse & Martens (2016), arXiv:1602.01407; George et al. (2018), arXiv:1806.03884;
    Eschenhagen et al. (2023), arXiv:2311.00636.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(2)
    >>> start = model.init(fn.Key(0), (3,))
    >>> factors = fn.curvature.kronecker_factors(model, fn.softmax_cross_entropy())
    >>> made = factors(start.params, start.state, np.eye(3), np.array([0, 1, 0]), fn.Eval())
    >>> made.blocks[0].paths, made.blocks[0].input_factor.shape, made.blocks[0].output_factor.shape
    (('.weight', '.bias'), (4, 4), (2, 2))
    >>> natural = made.solve(start.params, damping=1e-2)
    """
    check_choice(kind, ("true", "empirical"), "kind")
    check_choice(sharing, ("expand", "reduce"), "sharing")
    corrected = check_flag(corrected, "corrected")
    samples = None if samples is None else check_count(samples, "samples")
    return KroneckerFactorsFunction(*checked(model, loss, "pairs"), Settings(kind, sharing, corrected, samples))


@frozen
class Settings:
    """How factors are made."""

    kind: FisherKind
    sharing: Sharing
    corrected: bool
    samples: int | None


@frozen
class KroneckerFactorsFunction(Generic[P, S, X, T]):
    """What :func:`kronecker_factors` returns."""

    model: Layer[P, S, X, Array]
    loss: Loss[Array, T]
    apart: Layer[P, S, X, Array] = field(repr=False)
    settings: Settings

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, /, key: Key | None = None) -> KroneckerFactors[P]:
        """Return the factors."""
        vector_space(params, "params")
        paths = tree.paths(params)
        network = run_apart(self.apart, params, state, x, mode)
        share = shares(self.loss, target, len(network.output))
        columns = self.columns(network.output, target, share, key)

        def taken() -> Iterator[list[Group]]:
            for column in columns:
                yield groups(params, params_only(self.apart, params, network.residuals, column).params, paths)

        stretches = in_stretches(taken(), size_of)
        first = next(stretches, [])
        blocks = summed(chain([first] if first else [], stretches), self.settings.sharing, share)
        if self.settings.corrected:
            blocks = corrected(blocks, [first] if len(first) == len(columns) else in_stretches(taken(), size_of))
        return KroneckerFactors(params, blocks)

    def columns(self, output: Array, target: T, share: Array | None, key: Key | None) -> list[Array]:
        """Return the cotangents of the output whose squares make the curvature."""
        if self.settings.kind == "empirical":
            own: Array = cotangents(self.loss, output, target)
            if self.loss.reduction == "mean" and share is not None:
                return [times_examples(np.sqrt(share), own)]
            scale = np.sqrt(len(output)) if self.loss.reduction == "mean" else 1.0
            return [own / own.dtype.type(scale)]
        columns = output_columns(self.loss, output, target)
        if self.settings.samples is None:
            return columns
        return random_columns(columns, self.settings.samples, check_key(key).generator())
