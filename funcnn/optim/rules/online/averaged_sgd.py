r"""Averaged stochastic gradient descent, ASGD (Polyak and Juditsky 1992): the mean of iterates whose rate decays slowly.

For a loss with the penalty $\tfrac{\lambda}{2}\lVert p \rVert^2$, with the rates of Xu (2011, arXiv:1107.2490) and Bottou (2012,
"Stochastic gradient descent tricks"), after $c = t - 1$ updates
$$ \eta_t = \frac{\alpha}{(1 + \alpha\lambda\, c)^{q}}, \qquad p_t = p_{t-1} - \eta_t\,(g_t + \lambda\, p_{t-1}), \qquad
   a_t = a_{t-1} + \frac{p_t - a_{t-1}}{\max(1, t - t_0)} . $$
With a power $q$ between 1/2 and 1 the rate decays slower than $1/t$, and the mean $a$ comes in the long run as close as steps
with the inverse Hessian would.  It is gradient descent with this schedule, with :func:`funcnn.weight_decay` before it and
:func:`funcnn.polyak` around it, and is made of them.
"""

from __future__ import annotations

import math
from functools import partial

from funcnn.errors import check_range
from funcnn.optim.rules.sgd import sgd
from funcnn.optim.schedules.rate import Schedule, check_value
from funcnn.optim.transformations.averaging import Averaged, polyak
from funcnn.optim.transformations.decay import weight_decay
from funcnn.optim.transformations.transform import chain


def averaged_sgd(learning_rate: float = 0.01, *, decay: float = 1e-4, power: float = 0.75, start: int = 0) -> Averaged:
    r"""Gradient descent with the mean of its iterates beside, for a pass or few over a stream of examples (ASGD).

    Evaluate with ``opt.average(params, state)``, not with the parameters that ``update`` gives: those make the next step.

    Parameters
    ----------
    learning_rate : float, optional
        $\alpha$, the rate of the first step, at least 0: a number, since the decay of the rate is part of the method.
    decay : float, optional
        $\lambda$, at least 0: the strength of the penalty, which sets how soon the rate decays too.  With 0 it does not decay.
    power : float, optional
        $q$ in [0, 1].
    start : int, optional
        $t_0$: how many updates are left out of the mean; until then it is the parameters.

    Returns
    -------
    Optimizer
        With a method ``average(params, state)`` that gives the mean.

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range.

    See Also
    --------
    polyak : the mean of what any optimizer makes.

    References
    ----------
    Polyak & Juditsky (1992), Acceleration of stochastic approximation by averaging; Xu (2011), Towards optimal one pass large
    scale learning with averaged stochastic gradient descent, arXiv:1107.2490.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.averaged_sgd(1.0, decay=0.0)
    >>> params, grads = (np.array([1.0]),), (np.array([4.0]),)
    >>> once = opt.update(params, grads, opt.init(params))
    >>> twice = opt.update(once.params, grads, once.state)
    >>> twice.params, opt.average(twice.params, twice.state)
    ((array([-7.]),), (array([-5.]),))
    """
    learning_rate = check_value(learning_rate, "learning_rate")
    decay = check_value(decay, "decay")
    power = check_range(power, "power", 0.0, 1.0)
    name = f"{learning_rate} / (1 + {learning_rate} * {decay} * count)**{power}"
    rate = Schedule(name, partial(_slowly_decaying, learning_rate, decay, power))
    return polyak(chain(weight_decay(decay), sgd(rate)), start=start)


def _slowly_decaying(initial: float, decay: float, power: float, count: int) -> float:
    return initial / math.pow(1 + initial * decay * count, power)
