r"""Batch normalization by the batch alone, in evaluation as in training: there are no running statistics.

Forward and derivation are those of :mod:`funcnn.layers.normalization.batch_norm` in training, whatever the mode:
$$ y_{ni} = s_i\,\hat x_{ni} + b_i, \qquad
   \bar x_{ni} = s_i r_i \big(\bar y_{ni} - \tfrac1N \bar b_i - \tfrac1N \hat x_{ni}\,\bar s_i\big) . $$
"""

from functools import partial

import numpy as np

from funcnn.errors import check_features, check_range
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, Train, define_layer
from funcnn.layers.normalization import batch_norm
from funcnn.layers.normalization.batch_norm import BatchNormParams, BatchNormResiduals, RunningStatistics
from funcnn.typing import Array, Empty, Shape

WHOLE = Train(Key(0))
"""The mode in which evaluation runs: nothing is drawn, and the batch is all that there is."""


def init(key: Key, in_shape: Shape) -> Init[BatchNormParams, Empty]:
    return Init(batch_norm.init(key, in_shape).params, (), in_shape)


def forward(eps: float, params: BatchNormParams, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, BatchNormResiduals]:
    check_features(x, params.scale)
    unused = RunningStatistics(params.shift, params.scale, np.zeros((), np.int64))
    made = batch_norm.forward(None, eps, params, unused, x, mode if isinstance(mode, Train) else WHOLE)
    return Forward(made.output, state, made.residuals)


def backward(params: BatchNormParams, residuals: BatchNormResiduals, dy: Array) -> Backward[BatchNormParams, Array]:
    return batch_norm.backward(params, residuals, dy)


def batch_norm_without_statistics(*, eps: float = 1e-5) -> Layer[BatchNormParams, Empty, Array, Array]:
    """Normalize each feature over the batch to mean 0 and variance 1, then scale and shift it, in evaluation too.

    The output of an example depends on the examples beside it, in evaluation on those that are evaluated together: on the
    ``batch_size`` of :func:`funcnn.predict`, and in :func:`funcnn.shard` on the part of the batch.

    Parameters
    ----------
    eps : float, optional
        Added to the variance, more than 0.

    Returns
    -------
    Layer
        From (..., D) to the same; parameters :class:`funcnn.layers.normalization.batch_norm.BatchNormParams`, no state.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.batch_norm`.

    See Also
    --------
    batch_norm : with running statistics for evaluation, which most networks want.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.batch_norm_without_statistics()
    >>> start = layer.init(fn.Key(0), (1,))
    >>> fn.apply(layer, start.params, start.state, np.array([[1.0], [3.0]])).round(3)
    array([[-1.],
           [ 1.]])
    """
    eps = check_range(eps, "eps", 0, float("inf"), open_low=True, open_high=True)
    return define_layer("batch_norm_without_statistics", init, partial(forward, eps), backward, random=False)
