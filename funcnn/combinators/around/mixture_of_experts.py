r"""Mixture of experts: every vector goes through a few of many layers, which a router chooses.

Shazeer et al. 2017, arXiv:1701.06538; the weights as in Mixtral (Jiang et al. 2024, arXiv:2401.04088, section 2.1).

Indices: $n$ vector (all axes but the last), $c$ feature of $C$, $e, f$ expert of $E$; $K_n$ the $k$ experts of vector $n$.

Forward.  The router's scores choose the $k$ largest, and weigh what these experts $F_e$ give:
$$ s_{ne} = \sum_c x_{nc} R_{ce}, \qquad g_{ne} = \frac{[e \in K_n]\, e^{s_{ne}}}{\sum_{f \in K_n} e^{s_{nf}}}, \qquad
   y_n = \sum_{e \in K_n} g_{ne}\, F_e(x_n) . $$
Each expert is run on its own vectors alone.  Of equal scores those of the first experts count.

Derivation.  Which experts are chosen is constant but where scores are equal: there the output jumps.  An expert takes the
cotangent $g_{ne}\,\bar y_n$; what is left is the gradient of the router, which is a softmax over the chosen:
$$ \bar g_{ne} = \bar y_n \cdot F_e(x_n), \qquad
   \bar s_{ne} = g_{ne}\,\Big(\bar g_{ne} - \sum_{f \in K_n} g_{nf}\, \bar g_{nf}\Big), $$
$$ \bar R_{ce} = \sum_n x_{nc}\, \bar s_{ne}, \qquad
   \bar x_{nc} = \sum_e R_{ce}\, \bar s_{ne} + \sum_{e \in K_n} \big(F_e'(x_n)^\top g_{ne}\, \bar y_n\big)_c . $$
So experts that were not chosen teach the router nothing, and with $k = 1$ and these weights ($g = 1$) nothing at all does.

Balance.  Routers fall for a few experts.  The remedy is a loss of the scores $s$ of all experts (:mod:`funcnn.losses.routing`),
which are a second output: the cotangent that it sends back adds to $\bar s$.
"""

from functools import partial
from typing import Any, Generic, TypeVar, cast

import numpy as np
from attrs import frozen

from funcnn import initializers, tree
from funcnn.errors import check_cotangent, check_count, check_features, check_has_features, describe
from funcnn.initializers import Initializer, check_initializer
from funcnn.kernels.arrays import as_matrix
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, Residuals, check_layer, define_layer
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, IntArray, Shape

P = TypeVar("P")
S = TypeVar("S")


@read_only_again
@frozen(eq=False)
class MixtureParams(Generic[P]):
    """Parameters of a mixture of experts."""

    router: Array  # (C, E)
    experts: tuple[P, ...]


@frozen(eq=False)
class MixtureResiduals:
    """The vectors, and for each expert its vectors, what it gave and kept."""

    x: Array  # (m, C)
    gates: Array  # (m, E), 0 where an expert was not chosen
    rows: tuple[IntArray, ...]
    outputs: tuple[Array, ...]
    experts: tuple[Residuals, ...]
    in_shape: Shape
    out_shape: Shape


@frozen
class Mixture:
    """The expert, how many there are, how many are asked, and whether the router's scores are given out."""

    expert: AnyLayer
    experts: int
    top_k: int
    routing: bool


def init(mixture: Mixture, router_init: Initializer, key: Key, in_shape: Shape) -> Init[MixtureParams[Any], Any]:
    check_has_features(in_shape, "mixture_of_experts")
    features = in_shape[-1]
    made = [mixture.expert.init(key.child(1).child(index), (features,)) for index in range(mixture.experts)]
    if tree.leaves(made[0].state):
        raise ValueError(f"mixture_of_experts needs experts without a state, and {mixture.expert.name} has one")
    (width,) = cast(Shape, made[0].out_shape)
    out_shape = (*in_shape[:-1], width)
    router = router_init(key.child(0), (features, mixture.experts))
    params = MixtureParams(router, tuple([one.params for one in made]))
    return Init(params, made[0].state, (out_shape, (*in_shape[:-1], mixture.experts)) if mixture.routing else out_shape)


def softmax(scores: Array, chosen: Any) -> Array:
    """Return the softmax of the rows of scores over the chosen ones."""
    top = np.where(chosen, scores.real, -np.inf).max(-1, keepdims=True)
    e = np.where(chosen, np.exp(np.where(chosen, scores - top, 0)), 0)
    made: Array = e / e.sum(-1, keepdims=True)
    return made


def chosen_experts(scores: Array, count: int) -> Any:
    """Return where the so many largest scores of each row are; of equal ones the first.  NaN is chosen, so that it shows."""
    order = np.argsort(np.where(np.isnan(scores), -np.inf, -scores), axis=-1, kind="stable")[:, :count]
    chosen = np.zeros(scores.shape, bool)
    np.put_along_axis(chosen, order, True, axis=-1)
    return chosen


def forward(
    mixture: Mixture, params: MixtureParams[Any], state: Any, x: Array, mode: Mode
) -> Forward[Any, Any, MixtureResiduals]:
    check_features(x, params.router)
    vectors = as_matrix(x)
    scores = vectors @ params.router
    real = vectors.real @ params.router.real if scores.dtype.kind == "c" else scores  # a small step orders no equal scores
    chosen = chosen_experts(real, mixture.top_k)
    gates = softmax(scores, chosen)
    rows, outputs, kept = [], [], []
    for index in range(mixture.experts):
        own = np.flatnonzero(chosen[:, index])
        made = mixture.expert.forward(params.experts[index], state, vectors[own], mode)
        rows.append(own)
        outputs.append(made.output)
        kept.append(made.residuals)
    y: Array = np.zeros((len(vectors), outputs[0].shape[-1]), np.result_type(*outputs, gates))
    for index, (own, output) in enumerate(zip(rows, outputs, strict=True)):
        y[own] += gates[own, index, np.newaxis] * output
    y = y.reshape(*x.shape[:-1], y.shape[-1])
    residuals = MixtureResiduals(vectors, gates, tuple(rows), tuple(outputs), tuple(kept), x.shape, y.shape)
    if mixture.routing:
        return Forward((y, scores.reshape(*x.shape[:-1], mixture.experts)), state, residuals)
    return Forward(y, state, residuals)


def split_cotangent(mixture: Mixture, residuals: MixtureResiduals, dy: Any) -> tuple[Array, Array | None]:
    """Return the cotangents of the output and of the scores as matrices, or raise."""
    shape, dtype = residuals.out_shape, np.result_type(*residuals.outputs, residuals.gates)
    dscores = None
    if mixture.routing:
        if not isinstance(dy, tuple) or len(dy) != 2:
            raise TypeError(f"the cotangent of the output (doutput) is {describe(dy)}, expected a pair (output, scores)")
        dy, dscores = dy
        check_cotangent(dscores, (*shape[:-1], mixture.experts), dtype)
    check_cotangent(dy, shape, dtype)
    return as_matrix(dy), None if dscores is None else as_matrix(dscores)


def backward(
    mixture: Mixture, params: MixtureParams[Any], residuals: MixtureResiduals, doutput: Any
) -> Backward[MixtureParams[Any], Array]:
    dy, dgiven = split_cotangent(mixture, residuals, doutput)
    gates, x = residuals.gates, residuals.x
    dgates: Array = np.zeros(gates.shape, np.result_type(gates, dy))
    dx: Array = np.zeros(x.shape, np.result_type(x, dy, gates))
    grads = []
    for index, (own, output) in enumerate(zip(residuals.rows, residuals.outputs, strict=True)):
        dgates[own, index] = (dy[own] * output).sum(-1)
        dexpert = gates[own, index, np.newaxis] * dy[own]
        pulled = mixture.expert.backward(params.experts[index], residuals.experts[index], dexpert)
        grads.append(pulled.params)
        dx[own] += pulled.input
    dscores: Array = gates * (dgates - (gates * dgates).sum(-1, keepdims=True))
    if dgiven is not None:
        dscores += dgiven
    dx += dscores @ params.router.T
    return Backward(MixtureParams(x.T @ dscores, tuple(grads)), dx.reshape(residuals.in_shape))


def layer_of(name: str, mixture: Mixture, router_init: Initializer) -> AnyLayer:
    """Return a layer of experts, or raise."""
    router_init = check_initializer(router_init, "router_init")
    return define_layer(
        f"{name}({mixture.expert.name}, {mixture.experts}, {mixture.top_k})",
        partial(init, mixture, router_init),
        partial(forward, mixture),
        partial(backward, mixture),
        random=False,
    )


def checked(expert: AnyLayer, experts: int, top_k: int, routing: bool) -> Mixture:
    """Return what a mixture is, or raise."""
    check_layer(expert, "expert")
    if expert.random:
        raise ValueError(
            f"expert is {expert.name}, which draws random numbers: expected one that draws none; drop what comes out"
        )
    experts = check_count(experts, "experts", most=10_000)
    return Mixture(expert, experts, check_count(top_k, "top_k", most=experts), routing)


def mixture_of_experts(
    expert: Layer[P, S, Array, Array],
    experts: int,
    *,
    top_k: int = 2,
    router_init: Initializer = initializers.glorot_uniform,
) -> Layer[MixtureParams[P], S, Array, Array]:
    """Send every vector through the few of many layers that a router chooses: (n, ..., C) to (n, ..., O).

    Parameters
    ----------
    expert : Layer
        A layer of vectors (n, C) to (n, O), such as ``fn.linear(64) >> fn.swiglu() >> fn.linear(32)``; without a state, and
        without random numbers.
    experts : int
        How many there are, each with parameters of its own.
    top_k : int, optional
        How many each vector goes through.
    router_init : callable, optional
        Initializer ``(key, shape) -> array`` of the router (C, experts).

    Returns
    -------
    Layer
        Parameters :class:`MixtureParams`: the router, and a tuple of those of the experts.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range, or the expert draws random numbers; in ``init``, when it has a state.

    See Also
    --------
    mixture_of_experts_with_routing : gives the router's scores too, for a loss that keeps experts in balance.

    References
    ----------
    Shazeer et al. (2017), Outrageously large neural networks, arXiv:1701.06538; Jiang et al. (2024), Mixtral of experts,
    arXiv:2401.04088.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.mixture_of_experts(fn.dense(8) >> fn.relu() >> fn.dense(4), 6)
    >>> start = layer.init(fn.Key(0), (10, 4))
    >>> fn.apply(layer, start.params, start.state, np.ones((2, 10, 4))).shape
    (2, 10, 4)
    """
    return layer_of("mixture_of_experts", checked(expert, experts, top_k, False), router_init)


def mixture_of_experts_with_routing(
    expert: Layer[P, S, Array, Array],
    experts: int,
    *,
    top_k: int = 2,
    router_init: Initializer = initializers.glorot_uniform,
) -> Layer[MixtureParams[P], S, Array, tuple[Array, Array]]:
    """Mixture of experts that gives the router's scores too: (n, ..., C) to the pair (n, ..., O), (n, ..., experts).

    Parameters
    ----------
    expert, experts, top_k, router_init
        As for :func:`funcnn.mixture_of_experts`.

    Returns
    -------
    Layer
        The second output, whose softmax are the probabilities of the experts, goes into :func:`load_balancing_loss` and
        :func:`router_z_loss`, both outputs together into :func:`combined_loss`.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.mixture_of_experts`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.mixture_of_experts_with_routing(fn.dense(4), 3)
    >>> start = layer.init(fn.Key(0), (4,))
    >>> y, scores = fn.apply(layer, start.params, start.state, np.ones((2, 4)))
    >>> scores.shape
    (2, 3)
    """
    return layer_of("mixture_of_experts_with_routing", checked(expert, experts, top_k, True), router_init)
