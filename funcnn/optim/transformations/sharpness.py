r"""Sharpness-aware minimization: gradients taken where the loss nearby is highest.

SAM (Foret et al. 2021, arXiv:2010.01412, eq. 2 and algorithm 1) minimizes $\max_{\lVert e \rVert \le \rho} L(p + e)$.  To first
order the maximum lies at
$$ e = \rho\, \frac{g}{\lVert g \rVert_2}, \qquad g = \nabla L(p), \qquad\text{and the gradient taken there is}\qquad \nabla L(p
+ e) . $$ The adaptive form (Kwon et al. 2021, arXiv:2102.11600, eq. 3) measures $e$ relative to the parameters,
$T = \operatorname{diag}|p|$:
$$ e = \rho\, \frac{T^2 g}{\lVert T g \rVert_2} . $$
"""

from __future__ import annotations

import math
from functools import partial
from typing import TypeVar

import numpy as np

from funcnn.errors import check_flag, check_function, check_range
from funcnn.grad import LossAndGrad, LossAndGradFunction
from funcnn.layer import Mode
from funcnn.optim.norms import moderate
from funcnn.optim.transformations.transform import as_arrays, matched
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


def sharpness_aware(
    function: LossAndGradFunction[P, S, X, Y, T], rho: float = 0.05, *, adaptive: bool = False
) -> LossAndGradFunction[P, S, X, Y, T]:
    r"""Return a function like the given one whose gradients are taken at $p + \rho\, g/\lVert g\rVert$ (SAM).

    It evaluates the given function twice; loss, output and next state are those at the parameters themselves.  Any optimizer
    takes the step.

    Parameters
    ----------
    function : callable
        As :func:`funcnn.loss_and_grad` returns.
    rho : float, optional
        $\rho$, above 0.
    adaptive : bool, optional
        Whether the neighbourhood is measured relative to the parameters (ASAM; its $\rho$ is some ten times larger).

    Returns
    -------
    callable
        ``(params, state, x, target, mode) -> LossAndGrad``.

    Raises
    ------
    ValueError
        When ``rho`` is not above 0.

    References
    ----------
    Foret et al. (2021), Sharpness-aware minimization for efficiently improving generalization, arXiv:2010.01412.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> step = fn.sharpness_aware(fn.loss_and_grad(model, fn.mean_squared_error()), rho=0.1)
    >>> result = step(start.params, start.state, np.ones((4, 2)), np.ones((4, 1)), fn.Train(fn.Key(1)))
    >>> result.grads.bias.shape
    (1,)
    """
    rho = check_range(rho, "rho", 0.0, math.inf, open_low=True, open_high=True)
    adaptive = check_flag(adaptive, "adaptive")
    check_function(function, "function", "what loss_and_grad returns")
    return partial(_sharpness_aware, function, rho, adaptive)


def _sharpness_aware(
    function: LossAndGradFunction[P, S, X, Y, T],
    rho: float,
    adaptive: bool,
    params: P,
    state: S,
    x: X,
    target: T,
    mode: Mode,
) -> LossAndGrad[P, S, Y]:
    here = function(params, state, x, target, mode)
    structure, grads, leaves = matched(params, here.grads)
    slopes, _, _ = moderate(grads)  # a common factor does not change the direction
    along = [np.abs(p) * g for p, g in zip(leaves, slopes, strict=True)] if adaptive else slopes
    scaled, norm, _ = moderate(along)
    if not 0 < norm < math.inf:
        return here  # at a stationary point there is no direction to look in; what is not finite is seen by others
    step: list[Array] = [np.abs(p) * t for p, t in zip(leaves, scaled, strict=True)] if adaptive else list(scaled)
    worst = structure.rebuild(as_arrays([p + (rho / norm) * e for p, e in zip(leaves, step, strict=True)]))
    there = function(worst, state, x, target, mode)
    return LossAndGrad(here.loss, there.grads, here.state, here.output)
