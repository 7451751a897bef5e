r"""Products with the Fisher information, and with its empirical form.

Indices: $n$ example of $N$, $y_n = f(x_n; p)$ its output, $J_n = \partial y_n / \partial p$.

Let the loss of an example be a negative log-likelihood, $\ell(y, t) = -\log q(t \mid y)$ up to a constant.  The Fisher
information takes the targets from the model itself,
$$ F = \frac1N \sum_n J_n^\top\, \mathbb{E}_{t \sim q(\cdot \mid y_n)} [\ell_y \ell_y^\top]\, J_n
     = \frac1N \sum_n J_n^\top\, \mathbb{E}_{t \sim q(\cdot \mid y_n)} [\ell_{yy}]\, J_n , $$
the second by Bartlett's identity.  Where y is the natural parameter of an exponential family, $\ell = A(y) - y \cdot T(t)$, the
curvature $\ell_{yy} = A_{yy}$ does not depend on the target, and F is the generalised Gauss-Newton matrix (Martens 2020,
arXiv:1412.1193, section 9.2): squared errors, cross-entropies of logits, Poisson with a logarithmic rate.

The empirical form takes the targets of the data,
$$ E = \frac1N \sum_n g_n g_n^\top, \qquad E v = \frac1N \sum_n J_n^\top \bar y_n \langle \bar y_n, J_n v \rangle, $$
with the gradient $\bar y_n$ of the example's loss.  It is no approximation of the Fisher information away from a good fit
(Kunstner et al. 2019, arXiv:1905.12558).  Where examples have weights, the part of the mean that each is stands in the place of
1/N.  With reduction "sum" neither is divided by N; a weight is then a part of the example's loss, and its square of E.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.derivatives.analytic import is_foreign
from funcnn.derivatives.apart import Apart, batch_size
from funcnn.derivatives.complex_step import check_mode, parts, tangent
from funcnn.derivatives.ggn import GGNProductFunction, check_transpose
from funcnn.derivatives.hvp import checked
from funcnn.derivatives.jvp import push
from funcnn.derivatives.per_example import checked as checked_examples
from funcnn.derivatives.per_example import cotangents, shares, times_examples
from funcnn.errors import check_choice
from funcnn.layer import Layer, Mode, Train, params_only
from funcnn.losses.loss import Loss
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")

FisherKind: TypeAlias = Literal["true", "empirical"]

NATURAL = ("mean_squared_error", "half_squared_error", "softmax_cross_entropy", "sigmoid_cross_entropy", "poisson_nll")
"""Losses without options whose curvature in the output does not depend on the target."""


def fisher_product(
    model: Layer[P, S, X, Y], loss: Loss[Y, T], kind: FisherKind = "true", *, probe: bool = True
) -> GGNProductFunction[P, S, X, Y, T] | EmpiricalFisherFunction[P, S, X, Y, T]:
    r"""Return the function that multiplies the Fisher information, or its empirical form, with a vector.

    Parameters
    ----------
    model : Layer
    loss : Loss
        For the true one: squared errors, cross-entropies of logits, ``poisson_nll``, without options that make a weight of the
        target.
    kind : {"true", "empirical"}, optional
        Whether targets are those that the model expects, or those of the data.
    probe : bool, optional
        As for :func:`jvp`.

    Returns
    -------
    callable
        ``(params, state, x, target, vector, mode) -> product``: vector and product are like the parameters.  Pure, and
        picklable.  The true one does not look at the target's values; the empirical one raises a ValueError where examples
        depend on each other.

    Raises
    ------
    TypeError
        When the model is not a layer, or the loss is not a loss.
    ValueError
        When the kind is neither of the two, or the loss has no true one that is known.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.linear(1)
    >>> start = model.init(fn.Key(0), (1,))
    >>> at = start.params, start.state, np.array([[1.0], [2.0]]), np.zeros((2, 1))
    >>> vector = fn.tree.map(np.ones_like, start.params)
    >>> fn.fisher_product(model, fn.half_squared_error())(*at, vector, fn.Eval()).weight
    array([[2.5]])

    See Also
    --------
    ggn_product : for any loss.
    """
    if check_choice(kind, ("true", "empirical"), "kind") == "empirical":
        checked_examples(model, loss, "sum")
        return EmpiricalFisherFunction(*checked(model, loss, probe))
    made = checked(model, loss, probe)
    if loss.name not in NATURAL or is_foreign(loss):
        raise ValueError(
            f"the loss {loss.name} is not known to be a negative log-likelihood whose curvature does not depend on the target"
            f" ({', '.join(NATURAL)}, without options): use fn.ggn_product, or kind='empirical'"
        )
    return GGNProductFunction(*made)


@frozen
class EmpiricalFisherFunction(Generic[P, S, X, Y, T]):
    """What :func:`fisher_product` returns for the empirical form."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]
    watched: Layer[P, S, X, Y] = field(repr=False)
    watched_loss: Loss[Y, T] = field(repr=False)

    def __call__(self, params: P, state: S, x: X, target: T, vector: P, mode: Mode, /) -> P:
        """Return the empirical Fisher matrix times a vector."""
        check_mode(mode)
        count = batch_size(x)
        own = Apart(mode.key, 0) if isinstance(mode, Train) else mode
        pushed = push(self.watched, (params, state, x), (vector, None), own, ("vector", ""))
        along = tangent(pushed.network.output, pushed.h)
        network = self.model.forward(params, state, x, own)
        slopes = cotangents(self.loss, network.output, target)
        each = _inner_of_examples(slopes, along)
        if self.loss.reduction == "mean":
            share = shares(self.loss, target, count)
            each = each / max(1, count) if share is None else each * share.astype(each.dtype)
        doutput: Any = tree.map_cotangents(partial(times_examples, each), slopes)
        product: P = params_only(self.model, params, network.residuals, doutput).params
        check_transpose((vector, product), (along, doutput))
        return product


def _inner_of_examples(slopes: Any, along: Any) -> Array:
    """Return the inner product of each example."""
    total: Array = np.zeros(())
    for one, other in zip(parts(slopes), parts(along), strict=True):
        if one is not None and other is not None:
            total = total + np.einsum("ni,ni->n", one.reshape(len(one), -1), other.reshape(len(other), -1))
    return total
