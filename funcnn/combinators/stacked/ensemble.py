r"""Members that are alike, each with parameters of its own, on one input.

Indices: $n$ example, $m$ member of $M$.

Forward
$$ y_{nm} = f(\theta_m, x_n) . $$
All $\theta_m$ stand in one tree, whose leaves have a leading axis of members.

Derivation.  Each member has its own parameters, and the input goes to all:
$$ \bar\theta_m = \partial_\theta f(\theta_m, x)^\top \bar y_{\cdot m}, \qquad
   \bar x = \sum_m \partial_x f(\theta_m, x)^\top \bar y_{\cdot m} . $$
"""

from functools import partial, reduce
from typing import Any, TypeVar

import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.combinators.stacked.stacking import check_members, member, own_mode, stacked
from funcnn.errors import check_cotangent, check_count
from funcnn.key import Key
from funcnn.layer import (
    Backward,
    Forward,
    Init,
    Layer,
    Mode,
    Residuals,
    backward_without_input,
    check_layer,
    define_layer,
    params_only,
)
from funcnn.typing import Array, Shape, Shapes

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")


@frozen(eq=False)
class EnsembleResiduals:
    """What each member kept, and what the output is like."""

    members: tuple[Residuals, ...]
    shape: Shape
    dtype: np.dtype[np.floating]


def init(inner: Layer[P, S, X, Array], members: int, key: Key, in_shape: Shapes) -> Init[P, S]:
    made = [inner.init(key.child(index), in_shape) for index in range(members)]
    out: Any = made[0].out_shape
    if out and isinstance(out[0], tuple):
        raise ValueError(f"ensemble takes a layer that gives one array; {inner.name} gives {len(out)}")
    return Init(stacked(*[one.params for one in made]), stacked(*[one.state for one in made]), (members, *out))


def forward(
    inner: Layer[P, S, X, Array], members: int, params: P, state: S, x: X, mode: Mode
) -> Forward[Array, S, EnsembleResiduals]:
    check_members(params, members, "params")
    check_members(state, members, "state")
    made = [
        inner.forward(member(params, index), member(state, index), x, own_mode(mode, index, inner.random))
        for index in range(members)
    ]
    y = np.stack([one.output for one in made], axis=1)
    kept = EnsembleResiduals(tuple([one.residuals for one in made]), y.shape, y.dtype)
    return Forward(y, stacked(*[one.state for one in made]), kept)


def backward(
    inner: Layer[P, S, X, Array], params: P, residuals: EnsembleResiduals, dy: Array, input_grad: bool = True
) -> Backward[P, X]:
    check_cotangent(dy, residuals.shape, residuals.dtype)
    given = [(member(params, index), kept, np.ascontiguousarray(dy[:, index])) for index, kept in enumerate(residuals.members)]
    if not input_grad:
        return backward_without_input(stacked(*[params_only(inner, *one).params for one in given]))
    made = [inner.backward(*one) for one in given]
    return Backward(stacked(*[one.params for one in made]), reduce(tree.add_cotangents, [one.input for one in made]))


def ensemble(inner: Layer[P, S, X, Array], members: int) -> Layer[P, S, X, Array]:
    """Run members that are alike, with parameters of their own, on one input.

    Parameters
    ----------
    inner : Layer
        One member; it gives one array.
    members : int
        How many.

    Returns
    -------
    Layer
        From x to (n, members, ...): what each member says of each example.  Parameters and state are those of ``inner`` with a
        leading axis of members in every leaf; each member starts, and draws, from a key of its own.

    Raises
    ------
    TypeError, ValueError
        When ``inner`` is no layer, or ``members`` less than 1; in ``init``, when it gives several arrays; in ``forward``, when
        the parameters have not as many members.

    Notes
    -----
    The members learn from one loss: with a target that is repeated for each, the mean over the members is that of their own
    losses.  Their mean prediction and how far they spread are ``y.mean(1)`` and ``y.std(1)``.

    References
    ----------
    Lakshminarayanan et al. (2017), Simple and scalable predictive uncertainty estimation using deep ensembles, arXiv:1612.01474.

    See Also
    --------
    branch : layers that are not alike, or with outputs of several shapes.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.ensemble(fn.dense(2), 5)
    >>> start = model.init(fn.Key(0), (3,))
    >>> start.params.weight.shape, start.out_shape
    ((5, 3, 2), (5, 2))
    >>> fn.apply(model, start.params, start.state, np.ones((4, 3))).shape
    (4, 5, 2)
    """
    check_layer(inner, "inner")
    members = check_count(members, "members", most=10_000)
    return define_layer(
        f"ensemble({inner.name}, {members})",
        partial(init, inner, members),
        partial(forward, inner, members),
        partial(backward, inner),
        random=inner.random,
        inputs=None,
    )
