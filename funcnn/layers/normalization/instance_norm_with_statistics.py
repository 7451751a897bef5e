r"""Instance normalization that remembers statistics, and normalizes by them in evaluation (``track_running_stats`` of PyTorch).

Indices: $n$ example of $N$, $q$ point of $Q$, $c$ channel.

Forward, in training: :mod:`funcnn.layers.normalization.instance_norm`, each channel of each example by its own $\mu_{nc}$ and
$v_{nc}$.  In evaluation by running statistics, for all examples the same:
$$ y_{nqc} = s_c\, \frac{x_{nqc} - \mu_c}{\sqrt{v_c + \epsilon}} + b_c, $$
which are averages over the examples of a batch, and then over batches with the weights of
:mod:`funcnn.layers.normalization.batch_norm`:
$$ \mu_c \leftarrow (1 - \beta_k)\,\mu_c + \beta_k\,\tfrac1N \sum_n \mu_{nc}, \qquad
   v_c \leftarrow (1 - \beta_k)\,v_c + \beta_k\,\tfrac1N \sum_n \tfrac{Q}{Q-1}\,v_{nc} . $$

Derivation.  In training that of :mod:`funcnn.layers.normalization.group_norm`, in evaluation that of batch normalization there:
the statistics are state, and nothing is differentiated with respect to them.
"""

from functools import partial
from typing import TypeAlias

import numpy as np

from funcnn.errors import check_features, check_range
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, Train, define_layer
from funcnn.layers.normalization import batch_norm, group_norm
from funcnn.layers.normalization.batch_norm import BatchNormParams, BatchNormResiduals, RunningStatistics
from funcnn.layers.normalization.group_norm import GroupNormParams, GroupNormResiduals, by_group, group_means
from funcnn.layers.normalization.instance_norm import check_example
from funcnn.typing import Array, Shape

Residuals: TypeAlias = GroupNormResiduals | BatchNormResiduals
"""What training kept, or evaluation."""


def init(key: Key, in_shape: Shape) -> Init[BatchNormParams, RunningStatistics]:
    check_example(in_shape)
    return batch_norm.init(key, in_shape)


def forward(
    momentum: float | None, eps: float, params: BatchNormParams, state: RunningStatistics, x: Array, mode: Mode
) -> Forward[Array, RunningStatistics, Residuals]:
    if not isinstance(mode, Train):
        made = batch_norm.forward(momentum, eps, params, state, x, mode)
        return Forward(made.output, made.state, made.residuals)
    check_features(x, params.scale)
    state = batch_norm.in_precision(state, params.scale)
    own = group_norm.forward(len(params.scale), eps, GroupNormParams(params.scale, params.shift), (), x, mode)
    return Forward(own.output, update(momentum, state, x.real, mode), own.residuals)


def update(momentum: float | None, state: RunningStatistics, x: Array, mode: Train) -> RunningStatistics:
    """Return the statistics after one more batch; channels of one point have no variance and leave them as they are."""
    grouped = by_group(x, x.shape[-1])
    points, count = grouped.shape[1], mode.all_reduce_sum(len(x))
    if points < 2 or not count:
        return state
    with np.errstate(over="ignore", invalid="ignore"):  # variances beyond the range of numbers are infinite
        mean = group_means(grouped)
        centred = grouped - mean
        var = group_means(centred * centred)
    means = mode.all_reduce_sum(mean.reshape(len(x), -1).sum(0)) / count
    variances = mode.all_reduce_sum(var.reshape(len(x), -1).sum(0)) / count
    return batch_norm.update(momentum, state, means, variances, points)


def backward(params: BatchNormParams, residuals: Residuals, dy: Array) -> Backward[BatchNormParams, Array]:
    if isinstance(residuals, BatchNormResiduals):
        return batch_norm.backward(params, residuals, dy)
    made = group_norm.backward(GroupNormParams(params.scale, params.shift), residuals, dy)
    return Backward(BatchNormParams(made.params.scale, made.params.shift), made.input)


def instance_norm_with_statistics(
    *, momentum: float | None = 0.1, eps: float = 1e-5
) -> Layer[BatchNormParams, RunningStatistics, Array, Array]:
    """Normalize each channel of each example in training, and by running statistics in evaluation; then scale and shift it.

    Parameters
    ----------
    momentum : float or None, optional
        Weight of the newest batch in the running statistics, as for :func:`funcnn.batch_norm`.
    eps : float, optional
        Added to the variance, more than 0.

    Returns
    -------
    Layer
        From (n, *space, C) to the same; parameters and state as those of :func:`funcnn.batch_norm`.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``init``, when there are no spatial axes; in ``forward``, when the last axis of x
        is not C long, or x is of higher precision than the parameters.

    See Also
    --------
    instance_norm : the same in training and in evaluation.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.instance_norm_with_statistics()
    >>> start = layer.init(fn.Key(0), (2, 1))
    >>> x = np.array([[[1.0], [3.0]], [[10.0], [10.0]]])
    >>> made = layer.forward(start.params, start.state, x, fn.Train(fn.Key(1)))
    >>> made.state.mean, made.state.var
    (array([6.]), array([1.]))
    """
    momentum = batch_norm.check_momentum(momentum)
    eps = check_range(eps, "eps", 0, float("inf"), open_low=True, open_high=True)
    return define_layer("instance_norm_with_statistics", init, partial(forward, momentum, eps), backward, random=False)
