r"""Batch normalization (Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1).

Indices: $n$ row of $N$ (the batch axis and all others but the last, merged), $i$ feature of $D$.  Means run over $n$.

Forward, in training with the statistics of the batch
$$ \mu_i = \tfrac1N \sum_n x_{ni}, \quad v_i = \tfrac1N \sum_n (x_{ni} - \mu_i)^2, \quad
   r_i = \frac1{\sqrt{v_i + \epsilon}}, \quad \hat x_{ni} = (x_{ni} - \mu_i)\, r_i, \quad y_{ni} = s_i \hat x_{ni} + b_i $$
and in evaluation with the running statistics in place of $\mu$ and $v$: the average of those of the batches seen, with weights
that fall by the factor $1 - \beta$ from each batch to the one before it ($\beta$ is the momentum) and sum to 1.  After batch $k$
$$ \mu' = (1 - \beta_k)\,\mu_\text{running} + \beta_k\,\mu, \qquad
   v' = (1 - \beta_k)\,v_\text{running} + \beta_k\,\tfrac{N}{N-1}\,v, \qquad \beta_k = \frac{\beta}{1 - (1 - \beta)^k}, $$
since the weights of $k$ batches, before they are made to sum to 1, sum to $1 - (1 - \beta)^k$.  The first batch replaces what was
there ($\beta_1 = 1$), and $\beta_k \to \beta$.  A constant $\beta$ in its place, as in PyTorch and Keras, leaves
$(1 - \beta)^k$ of the zeros and ones of the start in them: for the first dozens of batches a network that has learned fails in
evaluation.
The batch is normalized with its own, biased variance; the running one estimates the population's, so it is made of unbiased
ones (as in the paper and in PyTorch; Keras and JAX use the biased one).

Derivation, training.  As for layer normalization, with rows and columns exchanged:
$\mathrm{d}v_i = \tfrac2N \sum_m (x_{mi} - \mu_i)\,\mathrm{d}x_{mi}$, $\mathrm{d}r_i = -\tfrac12 r_i^3\,\mathrm{d}v_i$, hence
$$ \mathrm{d}\hat x_{ni} = r_i \Big(\mathrm{d}x_{ni} - \tfrac1N\sum_m \mathrm{d}x_{mi}
   - \hat x_{ni}\,\tfrac1N\sum_m \hat x_{mi}\,\mathrm{d}x_{mi}\Big), $$
a symmetric map.  Applied to $s_i \bar y_{ni}$, where $\bar s_i = \sum_n \bar y_{ni} \hat x_{ni}$ and
$\bar b_i = \sum_n \bar y_{ni}$ appear by themselves,
$$ \bar x_{ni} = s_i r_i \big(\bar y_{ni} - \tfrac1N \bar b_i - \tfrac1N \hat x_{ni}\,\bar s_i\big). $$

Where the squares would overflow, $\hat x$ comes from :mod:`funcnn.kernels.moments`.

Derivation, evaluation.  $\mu$ and $r$ do not depend on x: $\bar x_{ni} = s_i r_i\,\bar y_{ni}$, with the same $\bar s$ and
$\bar b$.

The running statistics are state, not parameters: nothing is differentiated with respect to them.

Masks.  Of masked sequences $n$ runs over the real steps alone: these are the rows, and the padding is neither read nor counted.
"""

import math
from functools import partial
from typing import cast, overload

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent, check_features, check_flag, check_has_features, check_range
from funcnn.kernels.arrays import as_matrix, in_dtype_of, sum_axis0
from funcnn.kernels.moments import Standardized, are_ordinary, standardized
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, Train, define_layer
from funcnn.masked import Masked, check_sequence, cotangent_of_masked, cotangent_values
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, BoolArray, IntArray, No, Shape, Yes


@read_only_again
@frozen(eq=False)
class BatchNormParams:
    """Parameters of a batch normalization."""

    scale: Array  # (D,)
    shift: Array  # (D,)


@read_only_again
@frozen(eq=False)
class RunningStatistics:
    """State of a batch normalization: what evaluation normalizes with."""

    mean: Array  # (D,)
    var: Array  # (D,), unbiased
    count: IntArray  # (), batches seen


@frozen(eq=False)
class BatchNormResiduals:
    """The input minus the mean, as a matrix, what makes it normalized, and whose the statistics were: in training the batch's.

    Where squares would have overflowed, ``centred`` is normalized already, and ``rate`` ones.
    """

    centred: Array  # (N, D)
    rate: Array  # (D,), what centred is multiplied by to be normalized
    rstd: Array  # (D,)
    mode: Mode
    count: int  # N, of the whole batch
    shape: Shape  # of the input


def init(key: Key, in_shape: Shape) -> Init[BatchNormParams, RunningStatistics]:
    check_has_features(in_shape, "batch_norm")
    features = in_shape[-1]
    state = RunningStatistics(np.zeros(features), np.ones(features), np.zeros((), np.int64))
    return Init(BatchNormParams(np.ones(features), np.zeros(features)), state, in_shape)


def forward(
    momentum: float | None, eps: float, params: BatchNormParams, state: RunningStatistics, x: Array, mode: Mode
) -> Forward[Array, RunningStatistics, BatchNormResiduals]:
    check_features(x, params.scale)
    state = in_precision(state, params.scale)
    flat = as_matrix(x)
    if not isinstance(mode, Train):
        centred: Array = flat - state.mean
        rstd: Array = 1 / np.sqrt(state.var + eps)
        y: Array = centred * (params.scale * rstd)
        y += params.shift  # s r (x - mean) + b
        return Forward(y.reshape(x.shape), state, BatchNormResiduals(centred, rstd, rstd, mode, len(flat), x.shape))
    count = mode.all_reduce_sum(len(flat))
    mean: Array = mode.all_reduce_sum(sum_axis0(flat)) / max(1, count)
    centred = flat - mean
    rest = mode.all_reduce_sum(sum_axis0(centred)) / max(1, count)  # what rounding left of the mean
    centred -= rest
    square = centred * centred
    var: Array = mode.all_reduce_sum(sum_axis0(square)) / max(1, count)
    std: Array = np.sqrt(var + eps)
    rstd = 1 / std
    rate = rstd
    if are_ordinary(mean, std, rstd, eps):
        mean = mean + rest
    else:
        made = with_care(flat, mean, std, eps, mode, count)
        centred, rate, rstd, mean, var = made.normalized, np.ones_like(rstd), made.rstd, made.mean, made.var
    y = np.multiply(centred, params.scale * rate, out=square)  # fresh memory costs more than the product
    y += params.shift  # s xhat + b
    state = update(momentum, state, mean, var, count)
    return Forward(y.reshape(x.shape), state, BatchNormResiduals(centred, rate, rstd, mode, count, x.shape))


def with_care(x: Array, mean: Array, std: Array, eps: float, mode: Train, count: int) -> Standardized:
    """Return x normalized where a mean or a deviation is extreme; all parts of a batch find so, since they share the moments."""

    def means(rows: Array) -> Array:
        return mode.all_reduce_sum(sum_axis0(rows)) / count

    first = mode.all_reduce_sum(x[0] if len(x) and mode.row_offset(len(x)) == 0 else np.zeros_like(mean))
    return standardized(x, means, first, mean, std, eps)


def in_precision(state: RunningStatistics, scale: Array) -> RunningStatistics:
    """Return the running statistics in the precision of the parameters."""
    if state.mean.dtype is scale.dtype and state.var.dtype is scale.dtype:
        return state
    return RunningStatistics(in_dtype_of(state.mean, scale), in_dtype_of(state.var, scale), state.count)


def update(momentum: float | None, state: RunningStatistics, mean: Array, var: Array, rows: int) -> RunningStatistics:
    """Return the running statistics after one more batch; a single row has no variance and leaves them as they are."""
    if rows < 2:
        return state
    rate = newest_weight(momentum, int(state.count) + 1)
    return RunningStatistics(
        mean=(1 - rate) * state.mean + rate * mean.real,
        var=(1 - rate) * state.var + rate * (var.real / (rows - 1) * rows),
        count=np.asarray(state.count + 1),
    )


def newest_weight(momentum: float | None, batches: int) -> float:
    """Return the weight of the newest of so many batches in their average."""
    if momentum is None:
        return 1 / batches
    return 1.0 if momentum == 1 else momentum / -math.expm1(batches * math.log1p(-momentum))


def backward(params: BatchNormParams, residuals: BatchNormResiduals, dy: Array) -> Backward[BatchNormParams, Array]:
    check_cotangent(dy, residuals.shape, params.scale.dtype)
    centred, rstd, dy_rows = residuals.centred, residuals.rstd, as_matrix(dy)
    product = dy_rows * centred
    grads = BatchNormParams(scale=sum_axis0(product) * residuals.rate, shift=sum_axis0(dy_rows))
    mode = residuals.mode
    if isinstance(mode, Train):
        count = max(1, residuals.count)
        # dx = s r (dy - mean(dy) - xhat mean(xhat dy)),  the sums being the gradients of scale and shift
        np.multiply(centred, residuals.rate * mode.all_reduce_sum(grads.scale) / count, out=product)
        dx = np.subtract(dy_rows, product, out=product)
        dx -= mode.all_reduce_sum(grads.shift) / count
        dx *= params.scale * rstd
    else:
        dx = dy_rows * (params.scale * rstd)
    return Backward(grads, dx.reshape(dy.shape))


@frozen(eq=False)
class MaskedBatchNormResiduals:
    """Which steps were real, and what their normalization kept."""

    mask: BoolArray  # (n, t)
    inner: BatchNormResiduals


def masked_init(key: Key, in_shape: Shape) -> Init[BatchNormParams, RunningStatistics]:
    if len(in_shape) != 2:
        raise ValueError(f"an example has shape {in_shape}, expected (time, features)")
    return init(key, in_shape)


def masked_forward(
    momentum: float | None, eps: float, params: BatchNormParams, state: RunningStatistics, x: Masked, mode: Mode
) -> Forward[Masked, RunningStatistics, MaskedBatchNormResiduals]:
    values, mask = check_sequence(x, masked=True)
    real = cast(BoolArray, mask)
    made = forward(momentum, eps, params, state, values[real], mode)
    y = spread(made.output, real)
    return Forward(Masked(y, real), made.state, MaskedBatchNormResiduals(real, made.residuals))


def masked_backward(
    params: BatchNormParams, residuals: MaskedBatchNormResiduals, dy: Masked
) -> Backward[BatchNormParams, Masked]:
    mask = residuals.mask
    dvalues = cotangent_values(dy, mask, (*mask.shape, len(params.scale)), params.scale.dtype)
    made = backward(params, residuals.inner, dvalues[mask])
    return Backward(made.params, cotangent_of_masked(spread(made.input, mask)))


def spread(rows: Array, mask: BoolArray) -> Array:
    """Return the rows at the real steps of (n, t, D), and 0 in the padding."""
    y: Array = np.zeros((*mask.shape, rows.shape[-1]), rows.dtype)
    y[mask] = rows
    return y


def check_momentum(momentum: float | None) -> float | None:
    """Return the weight of the newest batch, or None, or raise."""
    return None if momentum is None else check_range(momentum, "momentum", 0, 1, open_low=True)


@overload
def batch_norm(
    *, momentum: float | None = 0.1, eps: float = 1e-5, masked: No = False
) -> Layer[BatchNormParams, RunningStatistics, Array, Array]: ...
@overload
def batch_norm(
    *, momentum: float | None = 0.1, eps: float = 1e-5, masked: Yes
) -> Layer[BatchNormParams, RunningStatistics, Masked, Masked]: ...
def batch_norm(*, momentum: float | None = 0.1, eps: float = 1e-5, masked: bool = False) -> AnyLayer:
    """Normalize each feature over the batch to mean 0 and variance 1, then scale and shift it.

    The statistics run over all axes but the last: over the examples of (batch, D), over examples and time steps of (batch,
    time, D), over examples and pixels of (batch, height, width, D).

    Parameters
    ----------
    momentum : float or None, optional
        Weight of the newest batch in the running statistics, in (0, 1] (as in PyTorch; Keras calls one minus this the momentum).
        The first batches weigh more, so that nothing is left of the start.  With None all batches count the same.
    eps : float, optional
        Added to the variance, more than 0.
    masked : bool, optional
        Take and give :class:`funcnn.Masked` sequences: the statistics are those of real steps alone, and the padding stays 0.

    Returns
    -------
    Layer
        From (..., D) to the same; parameters :class:`BatchNormParams`: scale (D,), ones at first, and shift (D,), zeros;
        state :class:`RunningStatistics`: mean (D,), zeros at first, var (D,), ones, and count ().  In training it uses the
        statistics of the batch and updates the running ones (not from a single row, which has no variance); in evaluation it
        uses the running ones.  The state follows the parameters' precision.

    See Also
    --------
    batch_norm_without_affine, batch_norm_without_statistics : without parameters; without a state.

    Raises
    ------
    ValueError
        When ``momentum`` or ``eps`` is out of range; in ``forward``, when the last axis of x is not D long, or x has no batch
        axis.
    TypeError
        When ``momentum`` or ``eps`` is not a number; in ``forward``, when x is not a floating array, or of higher precision than
        the parameters.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.batch_norm()
    >>> start = layer.init(fn.Key(0), (1,))
    >>> step = layer.forward(start.params, start.state, np.array([[1.0], [3.0]]), fn.Train(fn.Key(1)))
    >>> step.output
    array([[-0.999995],
           [ 0.999995]])
    >>> step.state.mean, step.state.var, step.state.count
    (array([2.]), array([2.]), array(1))
    """
    momentum = check_momentum(momentum)
    eps = check_range(eps, "eps", 0, float("inf"), open_low=True, open_high=True)
    if check_flag(masked, "masked"):
        return define_layer("batch_norm", masked_init, partial(masked_forward, momentum, eps), masked_backward, random=False)
    return define_layer("batch_norm", init, partial(forward, momentum, eps), backward, random=False)
