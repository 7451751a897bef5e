r"""The last step of a sequence.

Indices: $n$ example, $t$ step, $i$ feature; $T_n$ is the last step of example $n$ that is not masked.

Forward: $y_{ni} = x_{n T_n i}$, and 0 where every step is masked.

Derivation.  A choice of entries; its transpose puts the cotangent back where they were taken and 0 elsewhere:
$\bar x_{nti} = [t = T_n]\, \bar y_{ni}$.
"""

from functools import partial
from typing import Any, Literal, cast, overload

import numpy as np
from attrs import frozen

from funcnn.errors import check_cotangent, check_flag
from funcnn.key import Key
from funcnn.layer import AnyLayer, Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.masked import Masked, check_sequence, check_steps
from funcnn.typing import Array, Empty, IntArray, Shape


@frozen(eq=False)
class LastStepResiduals:
    """Where the last steps are."""

    shape: Shape  # of the sequences
    last: IntArray  # (n,)
    some: Array  # (n, 1), 0 where every step is masked


def init(key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    if len(in_shape) != 2:
        raise ValueError(f"an example has shape {in_shape}, expected (time, features)")
    return Init((), (), in_shape[1:])


def forward(masked: bool, params: Empty, state: Empty, x: Any, mode: Mode) -> Forward[Array, Empty, LastStepResiduals]:
    values, _ = check_sequence(x, masked)
    check_steps(values)
    time = values.shape[1]
    if masked:
        last = time - 1 - np.argmax(x.mask[:, ::-1], axis=1)
        some = x.mask.any(axis=1, keepdims=True).astype(values.real.dtype)
    else:
        last = np.full(len(values), time - 1)
        some = np.ones((len(values), 1), values.real.dtype)
    y: Array = np.where(some != 0, values[np.arange(len(values)), last], values.dtype.type(0))
    return Forward(y, state, LastStepResiduals(values.shape, last, some))


def backward(masked: bool, params: Empty, residuals: LastStepResiduals, dy: Array) -> Backward[Empty, Any]:
    check_cotangent(dy, (residuals.shape[0], residuals.shape[-1]), residuals.some.dtype)
    dx: Array = np.zeros(residuals.shape, dy.dtype)
    dx[np.arange(len(dx)), residuals.last] = dy * residuals.some
    return Backward(params, Masked(dx, cast(Any, None)) if masked else dx)


@overload
def last_step(*, masked: Literal[False] = False) -> Layer[Empty, Empty, Array, Array]: ...
@overload
def last_step(*, masked: Literal[True]) -> Layer[Empty, Empty, Masked, Array]: ...
def last_step(*, masked: bool = False) -> AnyLayer:
    """Take the last step of every sequence: (n, t, features) to (n, features).

    Parameters
    ----------
    masked : bool, optional
        Take :class:`funcnn.Masked` sequences, and of each the last step that is real.

    Returns
    -------
    Layer

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.last_step(), (), (), np.arange(6.0).reshape(1, 3, 2))
    array([[4., 5.]])
    """
    masked = check_flag(masked, "masked")
    return define_layer("last_step", init, partial(forward, masked), partial(backward, masked), random=False)
