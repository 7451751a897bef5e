r"""The mean of a sequence over its steps.

Indices: $n$ example, $t$ step, $i$ feature; $m_{nt}$ is 1 where a step is real and 0 in the padding,
$c_n = \max(1, \sum_t m_{nt})$.

Forward: $y_{ni} = \tfrac{1}{c_n} \sum_t m_{nt} x_{nti}$, which is 0 where every step is masked.

Derivation.  Linear in x with weights that do not depend on it: $\bar x_{nti} = \tfrac{1}{c_n}\, m_{nt}\, \bar y_{ni}$.
"""

from functools import partial
from typing import Any, Literal, cast, overload

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent, check_flag
from funcnn.kernels.arrays import column_sums
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.masked import Masked, check_sequence, check_steps
from funcnn.typing import Array, Empty, Shape


@frozen(eq=False)
class MeanStepsResiduals:
    """Which steps are real, and how many of each sequence."""

    real: Array  # (n, t, 1), of zeros and ones
    count: Array  # (n, 1)
    features: int


def init(key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    if len(in_shape) != 2:
        raise ValueError(f"an example has shape {in_shape}, expected (time, features)")
    return Init((), (), in_shape[1:])


def forward(masked: bool, params: Empty, state: Empty, x: Any, mode: Mode) -> Forward[Array, Empty, MeanStepsResiduals]:
    values, mask = check_sequence(x, masked)
    check_steps(values)
    real: Array = (np.ones(values.shape[:2], bool) if mask is None else mask).astype(values.real.dtype)
    count: Array = np.maximum(real.sum(1, keepdims=True), 1)
    y: Array = column_sums(values) / count  # divided last, since the reciprocals may add up to more than 1
    return Forward(y, state, MeanStepsResiduals(real[..., np.newaxis], count, values.shape[-1]))


def backward(masked: bool, params: Empty, residuals: MeanStepsResiduals, dy: Array) -> Backward[Empty, Any]:
    check_cotangent(dy, (len(residuals.count), residuals.features), residuals.count.dtype)
    dx = residuals.real * (dy / residuals.count)[:, np.newaxis]
    return Backward(params, Masked(dx, cast(Any, None)) if masked else dx)


@overload
def mean_steps(*, masked: Literal[False] = False) -> Layer[Empty, Empty, Array, Array]: ...
@overload
def mean_steps(*, masked: Literal[True]) -> Layer[Empty, Empty, Masked, Array]: ...
def mean_steps(*, masked: bool = False) -> AnyLayer:
    """Mean of every sequence over its steps: (n, t, features) to (n, features).

    Parameters
    ----------
    masked : bool, optional
        Take :class:`funcnn.Masked` sequences, and of each the mean of the steps that are real; 0 if none is.

    Returns
    -------
    Layer

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the input is not what the layer was made for.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.mean_steps(), (), (), np.arange(6.0).reshape(1, 3, 2))
    array([[2., 3.]])
    """
    masked = check_flag(masked, "masked")
    return define_layer("mean_steps", init, partial(forward, masked), partial(backward, masked), random=False)
