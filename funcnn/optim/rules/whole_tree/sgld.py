r"""Stochastic gradient Langevin dynamics (Welling and Teh 2011, eq. 4): parameters that are drawn from the posterior.

With standard normal numbers $n_t$ and a temperature $T$
$$ p_t = p_{t-1} - \alpha_t\, g_t + \sqrt{2\, \alpha_t\, T}\; n_t . $$
Where $g$ is the gradient of the negative log-posterior of all examples and $T = 1$, small steps draw from the posterior; where it
is that of the mean over $N$ examples, $T = 1/N$ does.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from attrs import frozen

from funcnn.errors import describe
from funcnn.key import Key
from funcnn.optim.hyper import AMOUNT, settle
from funcnn.optim.optimizer import OptState, Updated, check_shape, check_trainable, counter, updates_done
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.optim.transformations.transform import as_arrays, matched
from funcnn.runtime.treedef import flatten

P = TypeVar("P")


@frozen
class SGLD:
    """Made by :func:`funcnn.sgld`."""

    key: Key
    learning_rate: Rate
    temperature: float = 1.0

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.key, Key):
            raise TypeError(f"key is {describe(self.key)}, expected a funcnn.Key")
        settle(self, learning_rate=check_rate, temperature=AMOUNT)

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update: it counts.

        Raises
        ------
        TypeError
            When a leaf does not hold floating-point numbers.
        """
        structure, leaves = flatten(params)
        for path, leaf in zip(structure.paths, leaves, strict=True):
            check_trainable(path, leaf.dtype)
        return OptState(counter(0))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the next parameters, with noise that depends on the key and the count alone.

        Raises
        ------
        ValueError
            When the gradients differ from the parameters in structure, shape or dtype, with the path of the leaf.
        """
        count = updates_done(state, self)
        check_shape(state, self, 0, 0)
        structure, slopes, leaves = matched(params, grads)
        rate = rate_at(self.learning_rate, count)
        deviation = math.sqrt(2 * rate * self.temperature)
        generator = self.key.child(count).generator()
        new = as_arrays(
            [
                p - p.dtype.type(rate) * g + np.asarray(deviation * generator.standard_normal(p.shape), p.dtype)
                for p, g in zip(leaves, slopes, strict=True)
            ]
        )
        for array in new:
            array.flags.writeable = False
        return Updated(structure.rebuild(new), OptState(counter(count + 1)))


def sgld(key: Key, learning_rate: Rate = 1e-3, *, temperature: float = 1.0) -> SGLD:
    r"""Gradient descent with noise of variance $2 \alpha T$: its iterates are draws from a posterior, not its peak.

    Parameters
    ----------
    key : Key
        Makes the noise reproducible; update $t$ draws from its child $t$.
    learning_rate : float or schedule, optional
        The step size $\alpha$.
    temperature : float, optional
        $T$, at least 0; 1 over the number of examples where the loss is their mean.

    Returns
    -------
    Optimizer

    Raises
    ------
    TypeError, ValueError
        When a hyper-parameter is out of its range, or the key is none.

    References
    ----------
    Welling & Teh (2011), Bayesian learning via stochastic gradient Langevin dynamics, eq. 4.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.sgld(fn.Key(0), 0.5, temperature=0.0)
    >>> params, grads = (np.array([1.0]),), (np.array([1.0]),)
    >>> opt.update(params, grads, opt.init(params)).params
    (array([0.5]),)
    """
    return SGLD(key, learning_rate, temperature)
