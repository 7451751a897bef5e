r"""The Laplace approximation: a normal distribution about trained parameters.

Let the loss of an example be a negative log-likelihood, $\ell_n(p) / \sigma^2$ with the variance $\sigma^2$ of the noise (1 in
classification), and the prior $p \sim N(0, \delta^{-1} I)$.  To second order about trained parameters $p_*$ the posterior is
$$ p \sim N(p_*, H^{-1}), \qquad H = \tfrac{1}{\sigma^2} G + \delta I , $$
with the Gauss-Newton matrix $G = \sum_n J_n^\top \ell_{yy} J_n$ in place of the Hessian, which is never negative (MacKay 1992,
doi:10.1162/neco.1992.4.3.448; Daxberger et al. 2021, arXiv:2106.14806).  G may be whole, Kronecker factors, a diagonal, or
that of the last layer; each is kept in its eigenbasis, where $\delta$ and $\sigma$ change without another decomposition.

*The predictive.*  With the network linear about $p_*$ the outputs are normal, $f(x) \sim N(f_*(x), J H^{-1} J^\top)$ (Immer et
al. 2021, arXiv:2008.08400).  For regression $\sigma^2$ is added; for classes the probabilities are about
$\operatorname{softmax}\big(f / \sqrt{1 + \pi v / 8}\big)$ with the variances v of the outputs (MacKay 1992).  Or parameters
are drawn, and each goes through the network itself.

*The evidence.*  The integral over the parameters is known too,
$$ \log p(D) \approx -\tfrac{1}{\sigma^2} \sum_n \ell_n - \tfrac{NK}{2} \log 2\pi\sigma^2 - \tfrac\delta2 \lVert p_* \rVert^2 +
   \tfrac{d}{2} \log \delta - \tfrac12 \log\det H , $$
(the second term in regression alone), and tells which $\delta$ and $\sigma$ the data speak for.  Where its slopes are 0
$$ \delta = \frac{\gamma}{\lVert p_* \rVert^2}, \qquad \sigma^2 = \frac{2 \sum_n \ell_n}{NK - \gamma}, \qquad \gamma = \sum_i
   \frac{w_i}{w_i + \delta \sigma^2} , $$
with the eigenvalues $w_i$ of G: $\gamma$ is how many parameters the data determine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import numpy as np
from attrs import evolve, field, frozen

from funcnn import tree
from funcnn.combinators.implicit.convergence import ConvergenceError
from funcnn.curvature.blocks import Block, DiagonalBlock, Factor, FullBlock, damped
from funcnn.curvature.diagonal import ggn_diagonal
from funcnn.curvature.kronecker import KroneckerFactors, KroneckerFactorsFunction, kronecker_factors
from funcnn.curvature.operator import vector_space
from funcnn.curvature.output_gradients import OutputGradients, flat_rows, output_gradients
from funcnn.curvature.predictive import Predictive, output_rows, probit
from funcnn.errors import check_choice, check_count, check_range, describe
from funcnn.key import Key
from funcnn.layer import Eval, Layer
from funcnn.losses.loss import Loss
from funcnn.optim.where import Where, check_where, everywhere, selects
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
T = TypeVar("T")

Structure: TypeAlias = Literal["full", "kronecker", "diagonal", "last_layer"]
"""What is kept of the Gauss-Newton matrix."""

LIKELIHOODS = ("half_squared_error", "softmax_cross_entropy")
_EVAL = Eval()


@frozen(eq=False)
class Laplace(Generic[P, S, X]):
    """A normal distribution over parameters: what a function made by :func:`laplace` gives."""

    params: P = field(repr=False)
    """The mean: the trained parameters."""
    state: S = field(repr=False)
    """The network's state."""
    curvature: KroneckerFactors[P] = field(repr=False)
    """G, of the leaves that are random."""
    prior_precision: float
    r"""$\\delta$."""
    noise: float
    r"""$\\sigma$, the standard deviation of the noise; 1 in classification."""
    likelihood: str
    """The loss's name."""
    count: float
    """Numbers in the targets: N K in regression, N in classification; N is the sum of the weights, where there are some."""
    loss: float
    """The sum of the examples' losses at the mean."""
    outputs: OutputGradients[P, S, X, Any] = field(repr=False)
    """The network, which keeps examples apart."""

    @property
    def damping(self) -> float:
        r"""Return $\\delta \\sigma^2$, by which G is damped: $H = (G + \\delta \\sigma^2) / \\sigma^2$."""
        return self.prior_precision * self.noise**2

    def log_evidence(self) -> float:
        """Return the logarithm of the marginal likelihood."""
        values = self._values()
        squares = self._squares()
        made = -self.loss / self.noise**2 - self.prior_precision * squares / 2 + len(values) / 2 * math.log(self.prior_precision)
        made -= float(np.sum(np.log(values / self.noise**2 + self.prior_precision))) / 2
        if self.likelihood == "half_squared_error":
            made -= self.count / 2 * math.log(2 * math.pi * self.noise**2)
        return made

    def tuned(self, *, steps: int = 1000) -> Laplace[P, S, X]:
        """Return the approximation with the prior, and in regression the noise, that the evidence is largest for.

        Raises
        ------
        ValueError
            When it has no maximum: parameters that are all 0, or targets that are fitted exactly.
        ConvergenceError
            When it is not found in so many steps.
        """
        steps = check_count(steps, "steps")
        values, squares = self._values(), self._squares()
        if squares == 0:
            raise ValueError("all random parameters are 0, so that the evidence grows with the prior's precision without end")
        precision, noise, moved = self.prior_precision, self.noise, math.inf
        for _ in range(steps):
            well = float(np.sum(values / (values + precision * noise**2)))
            before = precision, noise
            precision = max(well / squares, 1e-300)
            if self.likelihood == "half_squared_error":
                if not (self.loss > 0 and self.count > well):
                    raise ValueError(
                        f"{self.count:g} numbers in the targets are fitted by {well:.3g} well determined parameters with a loss"
                        f" of {self.loss:.3g}: the noise cannot be told; give it by noise="
                    )
                noise = math.sqrt(2 * self.loss / (self.count - well))
            moved = max(abs(precision / before[0] - 1), abs(noise / before[1] - 1))
            if moved < 1e-10:
                break
        else:
            raise ConvergenceError(
                f"the prior's precision is {precision:.3g} and the noise {noise:.3g} after {steps} steps, and they still move by"
                f" {moved:.1g} of themselves: give more steps=, or set them by with_prior"
            )
        return evolve(self, prior_precision=precision, noise=noise)

    def with_prior(self, prior_precision: float, noise: float | None = None) -> Laplace[P, S, X]:
        """Return the approximation with another prior, and another noise if one is given."""
        own = check_positive(prior_precision, "prior_precision")
        return evolve(self, prior_precision=own, noise=self.noise if noise is None else check_noise(noise, self.likelihood))

    def predict(self, x: X) -> Predictive:
        """Return mean and covariance of the outputs, of the network that is linear about its parameters."""
        output, rows = output_rows(self.outputs, self.params, self.state, x)
        blocks = [(block.coordinates(leaves), block) for leaves in rows for block in self.curvature.blocks]
        count, size = len(output), len(rows)
        covariance = np.zeros((count, size, size), output.dtype)
        own = len(self.curvature.blocks)
        for index, block in enumerate(self.curvature.blocks):
            coordinates = np.stack([blocks[k * own + index][0] for k in range(size)], axis=1)  # (n, K, d)
            weights = damped(self.damping)(block.values).ravel() * output.dtype.type(self.noise**2)
            covariance += (coordinates * weights) @ coordinates.swapaxes(1, 2)
        return Predictive(output.reshape(count, size), covariance, self.noise if self.likelihood == LIKELIHOODS[0] else 0.0)

    def probabilities(self, x: X) -> Array:
        """Return the probabilities of the classes (n, K), with the spread of the logits taken into account."""
        if self.likelihood != "softmax_cross_entropy":
            raise ValueError(f"the likelihood is {self.likelihood}, which has no classes: predict(x) has means and covariances")
        return probit(self.predict(x))

    def sample(self, key: Key, count: int) -> Iterator[P]:
        """Yield so many parameters from the posterior."""
        vector_space(self.params, "params")
        for index in range(check_count(count, "count")):
            generator = key.child(index).generator()
            noise = tree.map(_Normal(generator, self.noise), self.params)
            yield tree.freeze(tree.map(np.add, self.params, self.curvature.root_solve(noise, self.damping)))

    def _values(self) -> Array:
        """Return the eigenvalues of G."""
        return np.concatenate([block.values.ravel() for block in self.curvature.blocks]).astype(np.float64)

    def _squares(self) -> float:
        """Return the sum of the squares of the random parameters."""
        leaves = tree.leaves(self.params)
        return sum(float(np.vdot(leaves[index], leaves[index])) for block in self.curvature.blocks for index in block.leaves)


class _Normal:
    """Draws normal numbers like a leaf."""

    def __init__(self, generator: np.random.Generator, std: float) -> None:
        self.generator, self.std = generator, std

    def __call__(self, leaf: Array) -> Array:
        return (self.std * self.generator.standard_normal(leaf.shape)).astype(leaf.dtype)


def check_positive(value: float, what: str) -> float:
    """Return a finite number above 0, or raise."""
    return check_range(value, what, 0.0, math.inf, open_low=True, open_high=True)


def check_noise(noise: float, likelihood: str) -> float:
    """Return the standard deviation of the noise, or raise: in classification there is none to be chosen."""
    own = check_positive(noise, "noise")
    if likelihood != "half_squared_error" and own != 1.0:
        raise ValueError(f"noise is {own:g}, and the likelihood {likelihood}, which has none: leave it at 1")
    return own


def laplace(
    model: Layer[P, S, X, Array],
    loss: Loss[Array, T],
    *,
    structure: Structure = "full",
    prior_precision: float = 1.0,
    noise: float = 1.0,
    where: Where = everywhere,
) -> LaplaceFunction[P, S, X, T]:
    r"""Return the function that makes the Laplace approximation about trained parameters.

    Parameters
    ----------
    model : Layer
        With an output of one array (n, K).
    loss : Loss
        ``half_squared_error`` for regression, ``softmax_cross_entropy`` for classes: what the network was trained with.
    structure : {"full", "kronecker", "diagonal", "last_layer"}, optional
        What is kept of the Gauss-Newton matrix: all of it, for some thousands of parameters; Kronecker factors of each matrix,
        with corrected eigenvalues; its diagonal; or all of it for the last layer of a chain that has parameters.
    prior_precision : float, optional
        $\delta$: the inverse of the prior's variance, where training with a ``weight_decay`` of $\lambda$ on the mean loss of N
        examples has $\delta = \lambda N / \sigma^2$.  :meth:`Laplace.tuned` finds it from the data.
    noise : float, optional
        $\sigma$, the standard deviation of the targets about the network, in regression.
    where : regular expression or callable, optional
        The leaves that are random, for "full" and "diagonal"; the others stay as they are.

    Returns
    -------
    callable
        ``(params, state, x, target) -> Laplace``, in evaluation; pure, and picklable.  It has ``predict(x)`` (mean and
        covariance of the outputs), ``probabilities(x)``, ``sample(key, count)``, ``log_evidence()``, ``tuned()`` and
        ``with_prior(...)``.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as said, or the loss is another.

    References
    ----------
    MacKay (1992), doi:10.1162/neco.1992.4.3.448; Ritter, Botev & Barber (2018), A scalable Laplace approximation for neural
    networks; Immer et al. (2021), arXiv:2008.08400; Daxberger et al. (2021), arXiv:2106.14806.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(1)
    >>> start = model.init(fn.Key(0), (1,))
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> y = np.array([[0.1], [0.9], [2.1], [2.9]])
    >>> loss = fn.half_squared_error(reduction="sum")
    >>> found = fn.minimize(lambda p: fn.loss_and_grad(model, loss)(p, (), x, y, fn.Eval()), start.params)
    >>> posterior = fn.curvature.laplace(model, loss)(found.params, (), x, y).tuned()
    >>> near, far = posterior.predict(np.array([[1.5], [30.0]])).deviations[:, 0]
    >>> bool(near < 0.2 < 1 < far)
    True
    """
    check_choice(structure, ("full", "kronecker", "diagonal", "last_layer"), "structure")
    made = output_gradients(model, loss)
    if loss.name not in LIKELIHOODS:
        raise ValueError(
            f"the loss is {loss.name}, expected a negative log-likelihood: {' or '.join(LIKELIHOODS)}, without options"
        )
    check_where(where)
    if structure in ("kronecker", "last_layer") and where is not everywhere:
        raise ValueError(f"where= chooses leaves for the structures 'full' and 'diagonal', and the structure is {structure!r}")
    factors = kronecker_factors(model, loss, corrected=True) if structure == "kronecker" else None
    precision = check_positive(prior_precision, "prior_precision")
    return LaplaceFunction(made, factors, structure, precision, check_noise(noise, loss.name), where)


def last_layer(params: object, path: str = "") -> str:
    """Return the expression for the leaves of a chain's last layer with parameters; raise where there is no chain."""
    if type(params) is not tuple:
        if path:
            return f"^{re.escape(path)}"
        raise ValueError(f"the parameters are {describe(params)}, those of no chain of layers: use structure='full', or where=")
    last = max((index for index, part in enumerate(params) if tree.leaves(part)), default=None)
    if last is None:
        raise ValueError("no layer of the network has parameters")
    return last_layer(params[last], f"{path}[{last}]")


@frozen
class LaplaceFunction(Generic[P, S, X, T]):
    """What :func:`laplace` returns."""

    outputs: OutputGradients[P, S, X, T]
    factors: KroneckerFactorsFunction[P, S, X, T] | None
    structure: Structure
    prior_precision: float
    noise: float
    where: Where

    def __call__(self, params: P, state: S, x: X, target: T, /) -> Laplace[P, S, X]:
        """Return the approximation about these parameters."""
        vector_space(params, "params")
        model, loss = self.outputs.model, self.outputs.loss
        scored_output = model.forward(params, state, x, _EVAL).output
        scored = loss.forward(scored_output, target)
        count = len(scored_output) if loss.mass is None else loss.mass(target)  # with weights, their sum
        scale = float(count) if loss.reduction == "mean" else 1.0
        size = count * scored_output[:1].size if loss.name == "half_squared_error" else count
        if self.factors is not None:
            blocks = tuple([_scaled(block, scale) for block in self.factors(params, state, x, target, _EVAL).blocks])
        else:
            blocks = self.chosen_blocks(params, state, x, target, scale)
        curvature = KroneckerFactors(params, blocks)
        own: OutputGradients[P, S, X, Any] = self.outputs
        total = float(scored.value) * scale
        return Laplace(params, state, curvature, self.prior_precision, self.noise, loss.name, size, total, own)

    def chosen_blocks(self, params: P, state: S, x: X, target: T, scale: float) -> tuple[Block, ...]:
        """Return the block of all leaves that are random, or the diagonal of each."""
        named = list(tree.walk(params))
        where = last_layer(params) if self.structure == "last_layer" else self.where
        kept = tuple([selects(where, path, leaf.shape) for path, leaf in named])
        if not any(kept):
            raise ValueError(f"where= chooses none of the leaves {', '.join(path for path, _ in named)}")
        indices = [index for index, own in enumerate(kept) if own]
        if self.structure == "diagonal":
            exact = ggn_diagonal(self.outputs.model, self.outputs.loss)(params, state, x, target, _EVAL)
            leaves = tree.leaves(exact)
            return tuple([_scaled(DiagonalBlock((named[index][0],), (index,), leaves[index]), scale) for index in indices])
        size = sum(named[index][1].size for index in indices)
        matrix: Array = np.zeros((size, size), named[0][1].dtype)
        for grads in self.outputs(params, state, x, target, _EVAL):
            rows = flat_rows(grads, kept)
            matrix += rows.T @ rows
        matrix *= matrix.dtype.type(scale)
        whole = Factor.of(matrix)
        return (FullBlock(tuple([named[index][0] for index in indices]), tuple(indices), whole.vectors, whole.values),)


def _scaled(block: Block, scale: float) -> Block:
    """Return a block times a number."""
    return evolve(block, values=block.values * block.values.dtype.type(scale))
