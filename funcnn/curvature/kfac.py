r"""K-FAC: natural-gradient steps with Kronecker factors.

With the factors of :mod:`funcnn.curvature.kronecker`, averaged over batches, $\hat F \leftarrow \beta \hat F + (1 - \beta) F$,
a step is
$$ \delta = -\eta\, \nu\, (\hat F + \lambda I)^{-1} g, \qquad v \leftarrow \mu v + \delta, \qquad p \leftarrow p + v $$
(Martens & Grosse 2015, arXiv:1503.05671).  To second order the model's distribution moves by $\tfrac12 \delta^\top \hat F \delta$
(Kullback-Leibler) in a step; $\nu$ keeps $\eta^2 g^\top (\hat F + \lambda I)^{-1} g$, which bounds twice that, within
$\kappa$, so that no batch moves it far (Ba, Grosse & Martens 2017):
$$ \nu = \min\Big( 1, \sqrt{\kappa \big/ \eta^2 g^\top (\hat F + \lambda I)^{-1} g} \Big) . $$
Factors change slowly, so that they need not be measured at each step, nor decomposed.  The average starts at 0 and is divided by
$1 - \beta^k$ after k measurements.
"""

from __future__ import annotations

import math
from typing import Generic, TypeVar

import numpy as np
from attrs import evolve, field, frozen

from funcnn import tree
from funcnn.curvature.blocks import Block, DiagonalBlock, Factor, KroneckerBlock
from funcnn.curvature.factors import Sharing
from funcnn.curvature.kronecker import KroneckerFactors, KroneckerFactorsFunction, kronecker_factors
from funcnn.curvature.operator import vector_space
from funcnn.derivatives.fisher import FisherKind
from funcnn.errors import check_range, describe
from funcnn.grad import LossAndGradFunction, loss_and_grad
from funcnn.key import Key
from funcnn.layer import Eval, Layer, Mode, Train
from funcnn.losses.loss import Loss
from funcnn.optim.hyper import FRACTION, at_least, settle
from funcnn.typing import Array, Scalar

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
T = TypeVar("T")


@frozen(eq=False)
class KFACState(Generic[P]):
    """What K-FAC keeps from one step to the next."""

    count: int
    """Steps done."""
    velocity: P
    """The last move."""
    measured: int
    """How often factors were measured."""
    factors: KroneckerFactors[P] | None
    """Their average; None before the first step."""


@frozen(eq=False)
class KFACStepped(Generic[P, S]):
    """What a step of K-FAC gives."""

    params: P
    """The parameters after the step."""
    state: S
    """The network's next state."""
    loss: Scalar
    """The loss of the batch before the step."""
    opt_state: KFACState[P]
    """For the next step."""


@frozen
class KFACOptions:
    r"""How factors are made and averaged, for :func:`kfac`.

    Parameters
    ----------
    decay : float, optional
        $\beta$ of the average of the factors, in [0, 1).
    every : int, optional
        Steps from one measurement of the factors to the next.
    kind, sharing, samples : optional
        As for :func:`kronecker_factors`; in training what is random is drawn with the mode's key.
    """

    decay: float = 0.95
    every: int = 1
    kind: FisherKind = "true"
    sharing: Sharing = "expand"
    samples: int | None = None

    def __attrs_post_init__(self) -> None:
        settle(self, decay=FRACTION, every=at_least(1))


@frozen
class KFAC(Generic[P, S, X, T]):
    """Natural-gradient steps.  Made by :func:`kfac`."""

    learning_rate: float
    damping: float
    momentum: float
    decay: float
    every: int
    max_move: float
    gradient: LossAndGradFunction[P, S, X, Array, T] = field(repr=False)
    measure: KroneckerFactorsFunction[P, S, X, T] = field(repr=False)

    def init(self, params: P) -> KFACState[P]:
        """Return what there is before the first step.

        Raises
        ------
        TypeError
            When a leaf does not hold floating-point numbers.
        """
        vector_space(params, "params")
        return KFACState(0, tree.freeze(tree.map(np.zeros_like, params)), 0, None)

    def step(self, params: P, state: S, x: X, target: T, mode: Mode, opt_state: KFACState[P]) -> KFACStepped[P, S]:
        """Return the parameters after a step on a batch.

        Parameters
        ----------
        params, state, x, target, mode
            As for :func:`funcnn.loss_and_grad`; factors are measured in evaluation, where no numbers are drawn and each
            example is itself.
        opt_state : KFACState
            As ``init`` or the last step gave it.

        Raises
        ------
        TypeError, ValueError
            When what is given does not fit, or the gradient is not finite.
        """
        given: object = opt_state
        if not isinstance(given, KFACState):
            raise TypeError(f"opt_state is {describe(given)}, expected what init or the last step gave, a KFACState")
        tree.check_like(params, opt_state.velocity, "opt_state.velocity")
        made = self.gradient(params, state, x, target, mode)
        for path, leaf in tree.walk(made.grads, "the gradient"):
            if not np.isfinite(leaf).all():
                raise ValueError(f"{path} is not finite: the loss is {made.loss}; lower the learning_rate, or give more damping=")
        factors, measured = opt_state.factors, opt_state.measured
        if factors is None or opt_state.count % self.every == 0:
            key = mode.key.child(1) if isinstance(mode, Train) else Key(0).child(opt_state.count)
            fresh = self.measure(params, state, x, target, Eval(), key=key)
            factors, measured = self.averaged(factors, fresh, measured), measured + 1
        natural = factors.solve(made.grads, self.damping)
        squared = sum(float(np.vdot(a, b)) for a, b in zip(tree.leaves(made.grads), tree.leaves(natural), strict=True))
        within = math.sqrt(self.max_move / (self.learning_rate**2 * squared)) if squared > 0 else 1.0
        rate = self.learning_rate * min(1.0, within)
        velocity = tree.map(_Move(self.momentum, rate), opt_state.velocity, natural)
        moved = tree.freeze(tree.map(np.add, params, velocity))
        return KFACStepped(moved, made.state, made.loss, KFACState(opt_state.count + 1, tree.freeze(velocity), measured, factors))

    def averaged(self, before: KroneckerFactors[P] | None, fresh: KroneckerFactors[P], measured: int) -> KroneckerFactors[P]:
        """Return the average of all measurements, each newer one with more weight."""
        if before is None:
            return fresh
        # weights of an exponential average that started at 0 and was divided by what its weights add up to
        share = (1 - self.decay) / (1 - self.decay ** (measured + 1))
        pairs = zip(before.blocks, fresh.blocks, strict=True)
        return evolve(fresh, blocks=tuple([_mixed(old, new, share) for old, new in pairs]))


@frozen
class _Move:
    """The next move from the last one and a direction uphill."""

    momentum: float
    rate: float

    def __call__(self, velocity: Array, natural: Array) -> Array:
        kind = natural.dtype.type
        moved: Array = kind(self.momentum) * velocity - kind(self.rate) * natural
        return moved


def _mixed(old: Block, new: Block, share: float) -> Block:
    """Return the block between two."""

    def lerp(one: Array, other: Array) -> Array:
        mixed: Array = one + one.dtype.type(share) * (other - one)
        return mixed

    if isinstance(old, KroneckerBlock) and isinstance(new, KroneckerBlock):
        inputs, outputs = lerp(old.input_factor, new.input_factor), lerp(old.output_factor, new.output_factor)
        return KroneckerBlock.of(new.paths, new.leaves, Factor.of(inputs), Factor.of(outputs))
    return DiagonalBlock(new.paths, new.leaves, lerp(old.values, new.values))


def kfac(
    model: Layer[P, S, X, Array],
    loss: Loss[Array, T],
    learning_rate: float,
    *,
    damping: float = 1e-3,
    momentum: float = 0.9,
    max_move: float = 1e-2,
    options: KFACOptions | None = None,
) -> KFAC[P, S, X, T]:
    r"""Natural-gradient steps with Kronecker factors: K-FAC.

    It needs the network's inputs and cotangents, so it takes the network and not one gradient:
    ``init(params)`` gives what it keeps, ``step(params, state, x, target, mode, opt_state)`` takes one step on a batch.

    Parameters
    ----------
    model : Layer
        With an output of one array.
    loss : Loss
        Convex in the output.
    learning_rate : float
        $\eta$.
    damping : float, optional
        $\lambda$, more than 0.
    momentum : float, optional
        $\mu$, in [0, 1).
    max_move : float, optional
        $\kappa$, which a step is kept within; infinity for none.
    options : KFACOptions, optional
        How factors are made and averaged.

    Returns
    -------
    KFAC

    Raises
    ------
    TypeError, ValueError
        When an argument is not as said.

    References
    ----------
    Martens & Grosse (2015), Optimizing neural networks with Kronecker-factored approximate curvature, arXiv:1503.05671.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(8) >> fn.tanh() >> fn.dense(1)
    >>> start = model.init(fn.Key(0), (1,))
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> method = fn.curvature.kfac(model, fn.half_squared_error(), 0.5, momentum=0.5)
    >>> params, opt_state = start.params, method.init(start.params)
    >>> for _ in range(50):
    ...     made = method.step(params, start.state, x, np.sin(3 * x), fn.Eval(), opt_state)
    ...     params, opt_state = made.params, made.opt_state
    >>> bool(made.loss < 1e-3)
    True
    """
    own = KFACOptions() if options is None else options
    chosen: object = own
    if not isinstance(chosen, KFACOptions):
        raise TypeError(f"options is {describe(chosen)}, expected fn.curvature.KFACOptions(...)")
    measure = kronecker_factors(model, loss, kind=own.kind, sharing=own.sharing, samples=own.samples)
    return KFAC(
        check_range(learning_rate, "learning_rate", 0.0, math.inf, open_low=True, open_high=True),
        check_range(damping, "damping", 0.0, math.inf, open_low=True, open_high=True),
        check_range(momentum, "momentum", 0.0, 1.0, open_high=True),
        own.decay,
        own.every,
        check_range(max_move, "max_move", 0.0, math.inf, open_low=True),
        loss_and_grad(model, loss),
        measure,
    )
