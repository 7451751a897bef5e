r"""Sophia: clipped steps that are divided by an estimate of the curvature's diagonal.

After Liu et al. (2023), arXiv:2305.14342, algorithm 3.  With the gradient $g_t$ and, at each ``every``-th step, an estimate
$\hat h_t$ of the diagonal of the curvature,
$$ m_t = \beta_1 m_{t-1} + (1-\beta_1)\, g_t, \qquad h_t = \beta_2 h_{t-k} + (1-\beta_2)\, \hat h_t , $$
$$ p_t = (1 - \alpha\lambda)\, p_{t-1} - \alpha \operatorname{clip} \left( \frac{m_t}{\max(\gamma h_t, \epsilon)},\, 1 \right) $$
number by number, clip to [-1, 1]; h stays as it is between the estimates.  Where the curvature is small or negative the step is
that of the sign, and elsewhere Newton's with a diagonal matrix, times $1/\gamma$.

*Gauss-Newton-Bartlett*: one more gradient, at targets that the network draws itself (:mod:`funcnn.curvature.sampled_targets`).
*Hutchinson*: $\hat h = \omega \odot H \omega$ with normal numbers $\omega$, a product with the Hessian.
"""

from __future__ import annotations

from typing import Generic, Literal, TypeAlias, TypeVar

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.curvature.operator import check_finite_tree, vector_space
from funcnn.curvature.sampled_targets import SampledDiagonal, sampled_diagonal
from funcnn.derivatives.hvp import HVPFunction, hvp
from funcnn.errors import check_choice, check_range, describe
from funcnn.grad import LossAndGradFunction, loss_and_grad
from funcnn.key import Key
from funcnn.layer import Eval, Layer, Mode, Train
from funcnn.losses.loss import Loss
from funcnn.optim.flat import coefficient
from funcnn.optim.hyper import FRACTION, POSITIVE, at_least, settle
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.typing import Array, IntArray, Scalar

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
T = TypeVar("T")

Estimator: TypeAlias = Literal["gauss-newton-bartlett", "hutchinson"]
"""How the diagonal of the curvature is estimated."""


@frozen(eq=False)
class SophiaState(Generic[P]):
    """What Sophia keeps from one step to the next: a tree of arrays, which can be saved."""

    count: IntArray
    """(), steps done."""
    mean: P
    """m, the mean of the gradients."""
    curvature: P
    """h, the mean of the estimates."""


@frozen(eq=False)
class SophiaStepped(Generic[P, S]):
    """What a step of Sophia gives."""

    params: P
    """The parameters after the step."""
    state: S
    """The network's next state."""
    loss: Scalar
    """The loss of the batch before the step."""
    opt_state: SophiaState[P]
    """For the next step."""


@frozen
class SophiaOptions:
    r"""How the curvature is estimated and averaged, for :func:`sophia`.

    Parameters
    ----------
    beta1, beta2 : float, optional
        Of the means of gradients and of estimates, in [0, 1).
    eps : float, optional
        The least divisor $\epsilon$, above 0.
    every : int, optional
        Steps from one estimate to the next.
    """

    beta1: float = 0.96
    beta2: float = 0.99
    eps: float = 1e-12
    every: int = 10

    def __attrs_post_init__(self) -> None:
        settle(self, beta1=FRACTION, beta2=FRACTION, eps=POSITIVE, every=at_least(1))


@frozen
class Sophia(Generic[P, S, X, T]):
    """Clipped steps over the curvature's diagonal.  Made by :func:`sophia`."""

    learning_rate: Rate
    gamma: float
    weight_decay: float
    options: SophiaOptions
    gradient: LossAndGradFunction[P, S, X, Array, T] = field(repr=False)
    estimate: SampledDiagonal[P, S, X, T] | HVPFunction[P, S, X, Array, T] = field(repr=False)

    def init(self, params: P) -> SophiaState[P]:
        """Return what there is before the first step.

        Raises
        ------
        TypeError
            When a leaf does not hold floating-point numbers.
        """
        vector_space(params, "params")
        zeros = tree.map(np.zeros_like, params)
        return tree.freeze(SophiaState(np.array(0), zeros, tree.map(np.zeros_like, params)))

    def step(self, params: P, state: S, x: X, target: T, mode: Mode, opt_state: SophiaState[P]) -> SophiaStepped[P, S]:
        """Return the parameters after a step on a batch.

        Parameters
        ----------
        params, state, x, target, mode
            As for :func:`funcnn.loss_and_grad`; the curvature is estimated in evaluation, where no layer draws numbers.
        opt_state : SophiaState
            As ``init`` or the last step gave it.

        Raises
        ------
        TypeError, ValueError
            When what is given does not fit, or the gradient or the curvature is not finite.
        """
        given: object = opt_state
        if not isinstance(given, SophiaState):
            raise TypeError(f"opt_state is {describe(given)}, expected what init or the last step gave, a SophiaState")
        tree.check_like(params, opt_state.mean, "opt_state.mean")
        tree.check_like(params, opt_state.curvature, "opt_state.curvature")
        count, own = int(opt_state.count), self.options
        made = self.gradient(params, state, x, target, mode)
        check_finite_tree(made.grads, "the gradient")
        mean = tree.map(_Lerp(own.beta1), opt_state.mean, made.grads)
        curvature = opt_state.curvature
        if count % own.every == 0:
            key = mode.key.child(1) if isinstance(mode, Train) else Key(0).child(count)
            found = self._estimated((params, state, x, target), key)
            check_finite_tree(found, "the estimate of the curvature")
            curvature = tree.map(_Lerp(own.beta2), curvature, found)
        rate = rate_at(self.learning_rate, count)
        moved = tree.freeze(tree.map(_Moved(rate, rate * self.weight_decay, self.gamma, own.eps), params, mean, curvature))
        return SophiaStepped(moved, made.state, made.loss, tree.freeze(SophiaState(np.array(count + 1), mean, curvature)))

    def _estimated(self, at: tuple[P, S, X, T], key: Key) -> P:
        """Return an estimate of the diagonal of the curvature."""
        if isinstance(self.estimate, SampledDiagonal):
            return self.estimate(*at, Eval(), key=key)
        generator = key.generator()
        omega = tree.map(lambda leaf: np.asarray(generator.normal(size=leaf.shape)).astype(leaf.dtype), at[0])
        return tree.map(np.multiply, omega, self.estimate(*at, omega, Eval()))


@frozen
class _Lerp:
    """The next mean from the last one and what is new."""

    beta: float

    def __call__(self, mean: Array, new: Array) -> Array:
        kind = mean.dtype.type
        lerp: Array = kind(self.beta) * mean + kind(1 - self.beta) * new
        return lerp


@frozen
class _Moved:
    """The next parameters from the last ones and the two means."""

    rate: float
    decay: float
    gamma: float
    eps: float

    def __call__(self, p: Array, mean: Array, curvature: Array) -> Array:
        kind = p.dtype.type
        divisor = np.maximum(kind(self.gamma) * curvature, coefficient(self.eps, p.dtype))
        with np.errstate(over="ignore"):  # infinity is clipped
            step = np.clip(mean / divisor, -1, 1)
        moved: Array = kind(1 - self.decay) * p - kind(self.rate) * step
        return moved


def sophia(
    model: Layer[P, S, X, Array],
    loss: Loss[Array, T],
    learning_rate: Rate,
    *,
    gamma: float = 0.05,
    weight_decay: float = 0.0,
    estimator: Estimator = "gauss-newton-bartlett",
    options: SophiaOptions | None = None,
) -> Sophia[P, S, X, T]:
    r"""Sophia: the mean gradient over the curvature's diagonal, clipped number by number.

    It needs products with the network's curvature, so it takes the network and not one gradient, as :func:`kfac` does:
    ``init(params)`` gives what it keeps, ``step(params, state, x, target, mode, opt_state)`` takes one step on a batch.

    Parameters
    ----------
    model : Layer
        With an output of one array.
    loss : Loss
        For the first estimator: a cross-entropy of logits, a squared error or ``poisson_nll``, without options.
    learning_rate : float or schedule
        $\alpha$: no parameter moves further in a step, but for the decay.
    gamma : float, optional
        $\gamma$, above 0: the smaller, the more steps are clipped.  The paper has 0.05 for the first estimator, 0.01 for the
        second.
    weight_decay : float, optional
        Decoupled decay $\lambda$, at least 0.
    estimator : {"gauss-newton-bartlett", "hutchinson"}, optional
        A gradient at targets that the network draws, whose squares are never negative; or a product with the Hessian.
    options : SophiaOptions, optional
        How the curvature is estimated and averaged.

    Returns
    -------
    Sophia

    Raises
    ------
    TypeError, ValueError
        When an argument is not as said.

    References
    ----------
    Liu, Li, Hall, Liang & Ma (2023), Sophia: a scalable stochastic second-order optimizer for language model pre-training,
    arXiv:2305.14342.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(8) >> fn.tanh() >> fn.dense(3)
    >>> start = model.init(fn.Key(0), (2,))
    >>> x, labels = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 2])
    >>> method = fn.curvature.sophia(model, fn.softmax_cross_entropy(), 0.05)
    >>> params, opt_state = start.params, method.init(start.params)
    >>> for _ in range(100):
    ...     made = method.step(params, start.state, x, labels, fn.Eval(), opt_state)
    ...     params, opt_state = made.params, made.opt_state
    >>> bool(made.loss < 1e-2)
    True
    """
    own = SophiaOptions() if options is None else options
    chosen: object = own
    if not isinstance(chosen, SophiaOptions):
        raise TypeError(f"options is {describe(chosen)}, expected fn.curvature.SophiaOptions(...)")
    check_choice(estimator, ("gauss-newton-bartlett", "hutchinson"), "estimator")
    return Sophia(
        check_rate(learning_rate, "learning_rate"),
        check_range(gamma, "gamma", 0.0, np.inf, open_low=True, open_high=True),
        check_range(weight_decay, "weight_decay", 0.0, np.inf, open_high=True),
        own,
        loss_and_grad(model, loss),
        hvp(model, loss) if estimator == "hutchinson" else sampled_diagonal(model, loss),
    )
