r"""Weight decay as a transformation: the gradient of a penalty on the parameters, added to that of the loss.

The penalty $\tfrac{\lambda}{2}\lVert p \rVert^2$ has the gradient $\lambda p$:
$$ g \leftarrow g + \lambda\, p . $$
With plain gradient descent this is the decay $p \leftarrow (1 - \alpha\lambda)\,p - \alpha\,g$.  With an optimizer that
rescales its gradients it is not: there the penalty is rescaled too, and decay proper is the optimizer's own matter
(:func:`funcnn.adamw`; Loshchilov & Hutter 2019, arXiv:1711.05101, proposition 1).
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from funcnn.optim.hyper import AMOUNT, settle
from funcnn.optim.transformations.transform import Stateless
from funcnn.optim.where import Where, check_where, everywhere, selects, show_where
from funcnn.typing import Array


@frozen
class WeightDecay(Stateless):
    """Made by :func:`funcnn.weight_decay`."""

    decay: float
    where: Where = field(default=everywhere, repr=show_where)

    def __attrs_post_init__(self) -> None:
        settle(self, decay=AMOUNT, where=check_where)

    def _grads(self, paths: tuple[str, ...], grads: tuple[Array, ...], params: tuple[Array, ...]) -> Sequence[Array]:
        return [
            g + self.decay * p if selects(self.where, path, p.shape) else g
            for path, g, p in zip(paths, grads, params, strict=True)
        ]


def weight_decay(decay: float, *, where: Where = everywhere) -> WeightDecay:
    r"""Add $\lambda p$ to the gradients: the gradient of the penalty $\tfrac{\lambda}{2}\lVert p\rVert^2$ (coupled decay).

    Parameters
    ----------
    decay : float
        $\lambda$, at least 0.
    where : str or callable, optional
        Which leaves: a regular expression that is searched in the leaf's path, or a pure function of path and shape such as
        :func:`funcnn.is_matrix`.  All by default.

    Returns
    -------
    Transformation

    See Also
    --------
    adamw : decoupled decay, which adaptive optimizers need.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.chain(fn.weight_decay(0.1, where="weight"), fn.sgd(1.0))
    >>> params = {"weight": np.array([1.0]), "bias": np.array([1.0])}
    >>> grads = {"weight": np.array([0.0]), "bias": np.array([0.0])}
    >>> opt.update(params, grads, opt.init(params)).params
    {'weight': array([0.9]), 'bias': array([1.])}
    """
    return WeightDecay(decay, where)
