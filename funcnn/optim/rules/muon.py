r"""Muon: momentum whose steps are made orthogonal.

After Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks", kellerjordan.github.io/posts/muon.

For a matrix, with momentum $\mu$
$$ b \leftarrow \mu b + g, \qquad o = \operatorname{orthogonalize}(g + \mu b), \qquad
   p \leftarrow (1 - \alpha\lambda)\, p - \alpha\, s\, o . $$
The nearest (semi-)orthogonal matrix to $x = U S V^\top$ is $U V^\top$.  A few steps of a Newton-Schulz iteration, on $x$ over
its Frobenius norm, bring the singular values near 1 without a decomposition:
$$ x \leftarrow a x + b\,(x x^\top) x + c\,(x x^\top)^2 x, \qquad (a, b, c) = (3.4445, -4.7750, 2.0315) . $$
The scale is $s = \sqrt{\max(1, O/I)}$ for $O$ outputs and $I$ inputs, as in the author's code, or $0.2\sqrt{\max(O, I)}$, which
gives the step the size of AdamW's (Liu et al. 2025, arXiv:2502.16982, eq. 4), so that learning rates carry over.

A leaf of more than two axes counts as a matrix of its last axis by all others.  Vectors cannot be orthogonal, and tables and
the last layer should not be: these leaves belong to another optimizer.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from attrs import field, frozen

from funcnn.optim.hyper import AMOUNT, FLAG, FRACTION, at_least, one_of, settle
from funcnn.optim.leafwise import Leafwise
from funcnn.optim.norms import in_units, moderate, shrunk
from funcnn.optim.optimizer import Optimizer
from funcnn.optim.rules.adam import adamw
from funcnn.optim.schedules.rate import Rate, check_rate, rate_at
from funcnn.optim.transformations.partition import Partition, partition
from funcnn.optim.where import Where, check_where, everywhere, is_matrix, show_where
from funcnn.typing import Array, Shape


@frozen
class Muon(Leafwise):
    """Muon, for leaves of two axes and more.  Made by :func:`funcnn.muon`."""

    learning_rate: Rate
    momentum: float = 0.95
    nesterov: bool = True
    iterations: int = 5
    weight_decay: float = 0.0
    scale: Literal["shape", "adamw"] = "shape"
    where: Where = field(default=everywhere, repr=show_where)

    def __attrs_post_init__(self) -> None:
        settle(self, learning_rate=check_rate, momentum=FRACTION, nesterov=FLAG, iterations=at_least(1))
        settle(self, weight_decay=AMOUNT, scale=one_of("shape", "adamw"), where=check_where)

    def _slots(self, shape: Shape, chosen: bool) -> tuple[Shape, ...]:
        if len(shape) < 2:
            raise ValueError(f"Muon takes leaves of two axes and more, got one of shape {shape}: give it to another optimizer")
        return (shape,)  # b

    def _rule(self, count: int, chosen: bool, p: Array, g: Array, kept: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
        rate = rate_at(self.learning_rate, count)
        g = shrunk(g, 0.25 * (1 - self.momentum) * float(np.finfo(g.dtype).max))  # for sums that are numbers
        b = self.momentum * kept[0] + g
        step = orthogonalize((g + self.momentum * b if self.nesterov else b).reshape(-1, p.shape[-1]), self.iterations)
        inputs, outputs = step.shape
        scale = math.sqrt(max(1, outputs / max(inputs, 1))) if self.scale == "shape" else 0.2 * math.sqrt(max(inputs, outputs))
        return (1 - rate * self.weight_decay) * p - (rate * scale) * step.reshape(p.shape), (b,)


def orthogonalize(x: Array, iterations: int = 5) -> Array:
    """Return a matrix with the singular vectors of x and singular values near 1 (between about 0.7 and 1.2)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = x if x.shape[0] <= x.shape[1] else x.T
    (own,), norm, exponent = moderate((wide,))
    y: Array = own / (norm + in_units(1e-7, exponent))
    for _ in range(iterations):
        gram = y @ y.T
        y = a * y + (b * gram + c * (gram @ gram)) @ y
    return y if wide is x else y.T


def muon(
    learning_rate: Rate = 0.02,
    *,
    momentum: float = 0.95,
    nesterov: bool = True,
    iterations: int = 5,
    weight_decay: float = 0.0,
    scale: Literal["shape", "adamw"] = "shape",
    where: Where = is_matrix,
    rest: Optimizer | None = None,
) -> Partition:
    r"""Muon for the matrices, and another optimizer for the other leaves.

    Parameters
    ----------
    learning_rate : float or schedule, optional
        The step size $\alpha$ of Muon.
    momentum : float, optional
        $\mu$ in [0, 1).
    nesterov : bool, optional
        Whether the step looks ahead, $g + \mu b$; else it is $b$.
    iterations : int, optional
        Steps of the Newton-Schulz iteration, at least 1.
    weight_decay : float, optional
        Decoupled decay $\lambda$, at least 0.
    scale : {"shape", "adamw"}, optional
        $s = \sqrt{\max(1, O/I)}$, or $0.2\sqrt{\max(O, I)}$ for AdamW's learning rates.
    where : str or callable, optional
        Which leaves Muon takes, each of two axes at least; the matrices by default.  Leave out tables and the last layer.
    rest : optimizer, optional
        For the other leaves; ``adamw(3e-4)`` by default.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        When a hyper-parameter is out of its range; in ``init``, when ``where`` selects a vector.

    References
    ----------
    Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks, kellerjordan.github.io/posts/muon;
    Liu et al. (2025), Muon is scalable for LLM training, arXiv:2502.16982.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.muon(0.1, where="weight", rest=fn.sgd(0.1))
    >>> params = {"weight": np.zeros((2, 2)), "bias": np.zeros(2)}
    >>> grads = {"weight": np.array([[5.0, 0.0], [0.0, 4.0]]), "bias": np.ones(2)}
    >>> new = opt.update(params, grads, opt.init(params)).params
    >>> new["weight"].round(1) + 0.0, new["bias"]
    (array([[-0.1,  0. ], [ 0. , -0.1]]), array([-0.1, -0.1]))
    """
    matrices = Muon(learning_rate, momentum, nesterov, iterations, weight_decay, scale)
    return partition((where, matrices), rest=adamw(3e-4) if rest is None else rest)
