r"""Selective scan: the state space model of Mamba (Gu and Dao 2023, arXiv:2312.00752, section 3.2).

Indices: $n$ example, $t$ step of $T$, $d$ channel of $D$, $k$ state of $N$.  $\odot$ and all products are entry by entry.

Forward.  A linear recurrence whose step size $\Delta$, input and output matrices depend on the input themselves:
$$ \Delta_{ntd} = \ln(1 + e^{\delta_{ntd}}), \qquad a_{ntdk} = e^{\Delta_{ntd} A_{dk}}, \qquad A_{dk} = -e^{\ell_{dk}}, $$
$$ h_{ntdk} = a_{ntdk}\, h_{n,t-1,dk} + \Delta_{ntd}\, B_{ntk}\, u_{ntd}, \qquad
   y_{ntd} = \sum_k C_{ntk}\, h_{ntdk} + s_d\, u_{ntd}, \qquad h_{n,-1} = 0 . $$
Large steps forget ($a \to 0$) and take the input, small ones keep the state.

Derivation.  With $\lambda_{ntdk}$ the cotangent of $h_{ntdk}$, which comes from the output of this step and from the next state,
$$ \lambda_{ntdk} = C_{ntk}\, \bar y_{ntd} + a_{n,t+1,dk}\, \lambda_{n,t+1,dk}, \qquad \lambda_{n,T} = 0, $$
a scan in the other direction with the same factors.  $\mathrm{d}a = a\,(A\,\mathrm{d}\Delta + \Delta\,\mathrm{d}A)$, so that with
$w_{ntdk} = \lambda_{ntdk}\, a_{ntdk}\, h_{n,t-1,dk}$
$$ \bar\Delta_{ntd} = \sum_k \big(w_{ntdk} A_{dk} + \lambda_{ntdk} B_{ntk} u_{ntd}\big), \qquad
   \bar u_{ntd} = \Delta_{ntd} \sum_k \lambda_{ntdk} B_{ntk} + s_d\, \bar y_{ntd}, $$
$$ \bar B_{ntk} = \sum_d \lambda_{ntdk} \Delta_{ntd} u_{ntd}, \qquad \bar C_{ntk} = \sum_d h_{ntdk}\, \bar y_{ntd}, \qquad
   \bar\delta = \sigma(\delta)\, \bar\Delta, $$
$$ \bar\ell_{dk} = A_{dk} \sum_{nt} w_{ntdk} \Delta_{ntd}, \qquad \bar s_d = \sum_{nt} u_{ntd}\, \bar y_{ntd} . $$

Memory.  The states of all steps are $N$ times the input.  Kept is one state every 16 steps; backward computes those between
again, as the authors do, so that memory is that of 16 steps and of every sixteenth state.
"""

from functools import partial
from typing import TypeAlias, cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent, check_count, check_precision, describe
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.activations.sigmoids import softplus_and_slope
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, Shape, Shapes

STEPS_PER_CHUNK = 16
Inputs: TypeAlias = tuple[Array, Array, Array, Array]
NAMES = ("values", "steps", "input matrices", "output matrices")


@read_only_again
@frozen(eq=False)
class SelectiveScanParams:
    """Parameters of a selective scan."""

    log_rate: Array  # (D, N), the logarithm of how fast a state is forgotten
    skip: Array  # (D,)


@frozen(eq=False)
class SelectiveScanResiduals:
    """The inputs, the step sizes and their slopes, and the state before every chunk of steps."""

    inputs: Inputs
    delta: Array  # (n, t, D)
    slope: Array  # (n, t, D)
    states: tuple[Array, ...]  # (n, D, N) each


def init(states: int, key: Key, in_shape: Shapes) -> Init[SelectiveScanParams, Empty]:
    check_shapes(states, in_shape)
    values = cast("tuple[Shape, ...]", in_shape)[0]
    rates: Array = np.log(np.tile(np.arange(1.0, states + 1), (values[1], 1)))
    return Init(SelectiveScanParams(rates, np.ones(values[1])), (), values)


def check_shapes(states: int, shapes: object) -> None:
    """Raise unless examples are (t, D), (t, D), (t, N), (t, N)."""
    fits = isinstance(shapes, tuple) and len(shapes) == 4 and all(isinstance(one, tuple) and len(one) == 2 for one in shapes)
    if fits:
        values, *rest = cast("tuple[Shape, ...]", shapes)
        fits = rest == [values, (values[0], states), (values[0], states)]
    if not fits:
        raise ValueError(
            f"the shapes of an example are {shapes}, expected (t, D), (t, D), (t, {states}), (t, {states}): {', '.join(NAMES)}"
        )


def check_inputs(params: SelectiveScanParams, x: object) -> Inputs:
    """Return the four inputs, or raise."""
    if not isinstance(x, tuple) or len(x) != 4:
        raise TypeError(f"the input is {describe(x)}, expected four arrays: {', '.join(NAMES)}")
    for index, (one, what) in enumerate(zip(x, NAMES, strict=True)):
        check_array(one, f"the {what}, input [{index}]", min_ndim=3)
        check_precision(one, params.log_rate, f"the {what}, input [{index}]")
    check_shapes(params.log_rate.shape[1], tuple([one.shape[1:] for one in x]))
    if x[0].shape[-1] != len(params.skip) or len({len(one) for one in x}) > 1:
        raise ValueError(f"the inputs are {describe(x)}, expected as many examples of each, and {len(params.skip)} channels")
    return cast(Inputs, x)


def chunks(steps: int) -> list[slice]:
    """Return the chunks of so many steps."""
    return [slice(first, min(first + STEPS_PER_CHUNK, steps)) for first in range(0, steps, STEPS_PER_CHUNK)]


def scan(decay_rate: Array, delta: Array, u: Array, b: Array, start: Array) -> tuple[Array, Array]:
    """Return the factors and the states (n, t, D, N) of some steps from the state before them."""
    decay: Array = np.exp(delta[..., np.newaxis] * decay_rate)
    states: Array = (delta * u)[..., np.newaxis] * b[:, :, np.newaxis]
    before = start
    for t in range(states.shape[1]):
        states[:, t] += decay[:, t] * before
        before = states[:, t]
    return decay, states


def forward(params: SelectiveScanParams, state: Empty, x: object, mode: Mode) -> Forward[Array, Empty, SelectiveScanResiduals]:
    u, raw, b, c = check_inputs(params, x)
    delta, slope = softplus_and_slope(raw)
    decay_rate = -np.exp(params.log_rate)
    kind = np.result_type(u, raw, b, c, params.log_rate, params.skip)
    y: Array = np.empty(u.shape, kind)
    before: Array = np.zeros((len(u), *params.log_rate.shape), kind)
    kept = []
    for part in chunks(u.shape[1]):
        kept.append(before)
        _, states = scan(decay_rate, delta[:, part], u[:, part], b[:, part], before)
        before = states[:, -1].copy()
        y[:, part] = np.matmul(states, c[:, part, :, np.newaxis])[..., 0]
    y += params.skip * u
    return Forward(y, state, SelectiveScanResiduals((u, raw, b, c), delta, slope, tuple(kept)))


def backward(params: SelectiveScanParams, residuals: SelectiveScanResiduals, dy: Array) -> Backward[SelectiveScanParams, Inputs]:
    (u, _, b, c), delta = residuals.inputs, residuals.delta
    check_cotangent(dy, u.shape, np.result_type(u, b, c, params.log_rate))
    decay_rate = -np.exp(params.log_rate)
    kind = np.result_type(dy, delta, u, b, c, params.log_rate, params.skip)
    du: Array = params.skip * dy
    ddelta: Array = np.empty(u.shape, kind)
    db: Array = np.empty(b.shape, kind)
    dc: Array = np.empty(c.shape, kind)
    drate: Array = np.zeros(params.log_rate.shape, kind)
    later: Array = np.zeros((len(u), *params.log_rate.shape), kind)  # what the next step hands back
    for part, start in reversed(list(zip(chunks(u.shape[1]), residuals.states, strict=True))):
        u_part, b_part, delta_part = u[:, part], b[:, part], delta[:, part]
        decay, states = scan(decay_rate, delta_part, u_part, b_part, start)
        dstates: Array = dy[:, part, :, np.newaxis] * c[:, part, np.newaxis]
        for t in range(dstates.shape[1])[::-1]:
            dstates[:, t] += later
            later = decay[:, t] * dstates[:, t]
        dc[:, part] = np.matmul(dy[:, part, np.newaxis], states)[:, :, 0]
        db[:, part] = np.matmul((delta_part * u_part)[:, :, np.newaxis], dstates)[:, :, 0]
        taken = np.matmul(dstates, b_part[..., np.newaxis])[..., 0]
        du[:, part] += delta_part * taken
        dexponent = decay  # w, in its place
        dexponent[:, 1:] *= states[:, :-1]
        dexponent[:, 0] *= start
        dexponent *= dstates
        ddelta[:, part] = (dexponent * decay_rate).sum(-1) + taken * u_part
        drate += (dexponent * delta_part[..., np.newaxis]).sum((0, 1))
    grads = SelectiveScanParams(drate * decay_rate, (u * dy).sum((0, 1)))
    return Backward(grads, (du, ddelta * residuals.slope, db, dc))


def selective_scan(states: int = 16) -> Layer[SelectiveScanParams, Empty, Inputs, Array]:
    """Scan a sequence with a linear recurrence that the input itself steers: the state space model of Mamba.

    Parameters
    ----------
    states : int, optional
        The number N of states of each channel.

    Returns
    -------
    Layer
        Of four inputs to (n, t, D): values u (n, t, D), step sizes (n, t, D) before their softplus, input matrices B (n, t, N)
        and output matrices C (n, t, N).  Parameters :class:`SelectiveScanParams`: the logarithm of the rates (D, N), those of 1
        to N at first, and a factor of the values themselves (D,), ones at first.

    Raises
    ------
    TypeError, ValueError
        When ``states`` is no positive integer; in ``init`` and ``forward``, when the inputs do not fit together.

    References
    ----------
    Gu and Dao (2023), Mamba: linear-time sequence modeling with selective state spaces, arXiv:2312.00752.

    Examples
    --------
    With what makes the four inputs of one, it maps a sequence to a sequence:

    >>> import numpy as np, funcnn as fn
    >>> inputs = fn.branch(fn.identity(), fn.linear(1) >> fn.dense(8), fn.linear(4), fn.linear(4))
    >>> model = inputs >> fn.selective_scan(4)
    >>> start = model.init(fn.Key(0), (20, 8))
    >>> fn.apply(model, start.params, start.state, np.ones((2, 20, 8))).shape
    (2, 20, 8)
    """
    states = check_count(states, "states")
    return define_layer(f"selective_scan({states})", partial(init, states), forward, backward, random=False, inputs=None)
