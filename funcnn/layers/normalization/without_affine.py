r"""Normalizations without a scale or a shift: $s = 1$, $b = 0$, constants in place of parameters.

Indices: $n$ example, $i$ feature.

Forward.  What is normalized is the output:
$$ y_{ni} = \hat x_{ni}, \qquad\text{or, with a scale alone,}\qquad y_{ni} = s_i \hat x_{ni} . $$

Derivation.  That of the normalization with both parameters (:mod:`funcnn.layers.normalization.layer_norm`, ``rms_norm``,
``group_norm``, ``batch_norm``), at $s_i = 1$ and $b_i = 0$: the input's cotangent is the same, and what belongs to a constant
is dropped.  The code is theirs, which costs a product by 1 and a sum with 0 for each number, and is exact.
"""

from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_count, check_range, describe
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.layers.normalization import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from funcnn.layers.normalization.batch_norm import BatchNormParams, BatchNormResiduals, RunningStatistics
from funcnn.layers.normalization.group_norm import GroupNormParams, GroupNormResiduals
from funcnn.layers.normalization.last_axes import check_last_axes, normalized_shape
from funcnn.layers.normalization.layer_norm import LayerNormParams, LayerNormResiduals
from funcnn.layers.normalization.rms_norm import RMSNormParams, RMSNormResiduals
from funcnn.runtime.records import read_only_again
from funcnn.typing import Array, Empty, Shape

P = TypeVar("P")  # the parameters with both, here constants
R = TypeVar("R")  # residuals
S = TypeVar("S")  # state


@read_only_again
@frozen(eq=False)
class LayerNormWithoutShiftParams:
    """Parameters of a layer normalization without a shift."""

    scale: Array  # (D,), or the shape of all axes that are normalized together


@frozen(eq=False)
class ConstantResiduals(Generic[P, R]):
    """The constants in place of parameters, and what the normalization kept."""

    constants: P
    inner: R


def no_parameters(check: Callable[[Shape], object], key: Key, in_shape: Shape) -> Init[Empty, Empty]:
    check(in_shape)
    return Init((), (), in_shape)


def forward(
    normalize: Callable[[P, S, Array, Mode], Forward[Array, S, R]],
    constants: Callable[[Array], P],
    params: Empty,
    state: S,
    x: Array,
    mode: Mode,
) -> Forward[Array, S, ConstantResiduals[P, R]]:
    made_of = constants(x)
    made = normalize(made_of, state, x, mode)
    return Forward(made.output, made.state, ConstantResiduals(made_of, made.residuals))


def backward(
    pull: Callable[[P, R, Array], Backward[P, Array]], params: Empty, residuals: ConstantResiduals[P, R], dy: Array
) -> Backward[Empty, Array]:
    return Backward(params, pull(residuals.constants, residuals.inner, dy).input)


def ones_and_zeros(x: Array, last_axes: int = 1) -> tuple[Array, Array]:
    """Return a scale and a shift that change nothing, in the precision of x (..., *last axes), or raise when it is no input."""
    check_array(x, min_ndim=1 + last_axes)
    shape = x.shape[x.ndim - last_axes :]
    if 0 in shape:
        raise ValueError(f"the input is {describe(x)}, expected features to normalize in its last axes")
    return np.ones(shape, x.real.dtype), np.zeros(shape, x.real.dtype)


def layer_norm_constants(last_axes: int, x: Array) -> LayerNormParams:
    """Return the parameters that change nothing."""
    return LayerNormParams(*ones_and_zeros(x, last_axes))


def rms_norm_constants(last_axes: int, x: Array) -> RMSNormParams:
    """Return the parameters that change nothing."""
    return RMSNormParams(ones_and_zeros(x, last_axes)[0])


def group_norm_constants(groups: int, x: Array) -> GroupNormParams:
    """Return the parameters that change nothing; raise where the channels do not make so many groups."""
    made = GroupNormParams(*ones_and_zeros(x))
    group_norm.check_groups(groups, len(made.scale))
    return made


def instance_norm_constants(x: Array) -> GroupNormParams:
    """Return the parameters that change nothing."""
    check_array(x, min_ndim=3)
    return GroupNormParams(*ones_and_zeros(x))


def batch_norm_constants(x: Array) -> BatchNormParams:
    """Return the parameters that change nothing."""
    return BatchNormParams(*ones_and_zeros(x))


def batch_norm_forward(
    momentum: float | None, eps: float, constants: BatchNormParams, state: RunningStatistics, x: Array, mode: Mode
) -> Forward[Array, RunningStatistics, BatchNormResiduals]:
    """Return what batch normalization gives; raise where the features are not those of the running statistics."""
    if x.shape[-1] != len(state.mean):
        raise ValueError(f"the last axis of the input is {x.shape[-1]} long, expected {len(state.mean)} features")
    return batch_norm.forward(momentum, eps, constants, state, x, mode)


def checked_eps(eps: float) -> float:
    """Return what is added to the variance, or raise."""
    return check_range(eps, "eps", 0, float("inf"), open_low=True, open_high=True)


def layer_norm_without_affine(*, eps: float = 1e-5, last_axes: int = 1) -> Layer[Empty, Empty, Array, Array]:
    """Normalize each example over its last axis to mean 0 and variance 1, and no more.

    Parameters
    ----------
    eps, last_axes : optional
        As for :func:`funcnn.layer_norm`.

    Returns
    -------
    Layer
        From (..., D) to the same, without parameters.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.layer_norm`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.layer_norm_without_affine(), (), (), np.array([[1.0, 3.0]])).round(3)
    array([[-1.,  1.]])
    """
    eps, last_axes = checked_eps(eps), check_last_axes(last_axes)
    name = "layer_norm_without_affine"
    check = partial(normalized_shape, last_axes, layer=name)
    pull: Callable[[LayerNormParams, LayerNormResiduals, Array], Backward[LayerNormParams, Array]] = layer_norm.backward
    return define_layer(
        name,
        partial(no_parameters, check),
        partial(forward, partial(layer_norm.forward, eps), partial(layer_norm_constants, last_axes)),
        partial(backward, pull),
        random=False,
    )


def without_shift_init(last_axes: int, key: Key, in_shape: Shape) -> Init[LayerNormWithoutShiftParams, Empty]:
    shape = normalized_shape(last_axes, in_shape, "layer_norm_without_shift")
    return Init(LayerNormWithoutShiftParams(np.ones(shape)), (), in_shape)


def with_zero_shift(params: LayerNormWithoutShiftParams) -> LayerNormParams:
    """Return the parameters of layer normalization that are these and a shift of 0."""
    return LayerNormParams(params.scale, np.zeros_like(params.scale))


def without_shift_forward(
    eps: float, params: LayerNormWithoutShiftParams, state: Empty, x: Array, mode: Mode
) -> Forward[Array, Empty, LayerNormResiduals]:
    return layer_norm.forward(eps, with_zero_shift(params), state, x, mode)


def without_shift_backward(
    params: LayerNormWithoutShiftParams, residuals: LayerNormResiduals, dy: Array
) -> Backward[LayerNormWithoutShiftParams, Array]:
    made = layer_norm.backward(with_zero_shift(params), residuals, dy)
    return Backward(LayerNormWithoutShiftParams(made.params.scale), made.input)


def layer_norm_without_shift(*, eps: float = 1e-5, last_axes: int = 1) -> Layer[LayerNormWithoutShiftParams, Empty, Array, Array]:
    """Normalize each example over its last axis to mean 0 and variance 1, then scale each feature: no shift.

    Parameters
    ----------
    eps, last_axes : optional
        As for :func:`funcnn.layer_norm`.

    Returns
    -------
    Layer
        From (..., D) to the same, parameters :class:`LayerNormWithoutShiftParams`: scale (D,), ones at first.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.layer_norm`.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.tree.paths(fn.layer_norm_without_shift().init(fn.Key(0), (4,)).params)
    ('.scale',)
    """
    eps, last_axes = checked_eps(eps), check_last_axes(last_axes)
    return define_layer(
        "layer_norm_without_shift",
        partial(without_shift_init, last_axes),
        partial(without_shift_forward, eps),
        without_shift_backward,
        random=False,
    )


def rms_norm_without_scale(*, eps: float = 1e-6, last_axes: int = 1) -> Layer[Empty, Empty, Array, Array]:
    """Divide each example by the root mean square of its last axis.

    Parameters
    ----------
    eps, last_axes : optional
        As for :func:`funcnn.rms_norm`.

    Returns
    -------
    Layer
        From (..., D) to the same, without parameters.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.rms_norm`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.rms_norm_without_scale(), (), (), np.array([[3.0, 4.0]])).round(3)
    array([[0.849, 1.131]])
    """
    eps, last_axes = checked_eps(eps), check_last_axes(last_axes)
    name = "rms_norm_without_scale"
    check = partial(normalized_shape, last_axes, layer=name)
    pull: Callable[[RMSNormParams, RMSNormResiduals, Array], Backward[RMSNormParams, Array]] = rms_norm.backward
    return define_layer(
        name,
        partial(no_parameters, check),
        partial(forward, partial(rms_norm.forward, eps), partial(rms_norm_constants, last_axes)),
        partial(backward, pull),
        random=False,
    )


def group_norm_without_affine(groups: int, *, eps: float = 1e-5) -> Layer[Empty, Empty, Array, Array]:
    """Normalize each group of channels of each example to mean 0 and variance 1, and no more.

    Parameters
    ----------
    groups, eps
        As for :func:`funcnn.group_norm`.

    Returns
    -------
    Layer
        From (n, *space, C) to the same, without parameters.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.group_norm`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.group_norm_without_affine(2), (), (), np.array([[1.0, 3.0, 20.0, 10.0]])).round(3)
    array([[-1.,  1.,  1., -1.]])
    """
    groups, eps = check_count(groups, "groups"), checked_eps(eps)
    name = "group_norm_without_affine"
    pull: Callable[[GroupNormParams, GroupNormResiduals, Array], Backward[GroupNormParams, Array]] = group_norm.backward
    return define_layer(
        f"{name}({groups})",
        partial(no_parameters, partial(group_norm.check_example, groups)),
        partial(forward, partial(group_norm.forward, groups, eps), partial(group_norm_constants, groups)),
        partial(backward, pull),
        random=False,
    )


def instance_norm_without_affine(*, eps: float = 1e-5) -> Layer[Empty, Empty, Array, Array]:
    """Normalize each channel of each example over its spatial points to mean 0 and variance 1, and no more.

    Parameters
    ----------
    eps : float, optional
        As for :func:`funcnn.instance_norm`.

    Returns
    -------
    Layer
        From (n, *space, C) to the same, without parameters.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.instance_norm`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.instance_norm_without_affine(), (), (), np.array([[[1.0], [3.0]]])).round(3)
    array([[[-1.],
            [ 1.]]])
    """
    eps = checked_eps(eps)
    pull: Callable[[GroupNormParams, GroupNormResiduals, Array], Backward[GroupNormParams, Array]] = group_norm.backward
    return define_layer(
        "instance_norm_without_affine",
        partial(no_parameters, instance_norm.check_example),
        partial(forward, partial(instance_norm.forward, eps), instance_norm_constants),
        partial(backward, pull),
        random=False,
    )


def batch_norm_init(key: Key, in_shape: Shape) -> Init[Empty, RunningStatistics]:
    return Init((), batch_norm.init(key, in_shape).state, in_shape)


def batch_norm_without_affine(
    *, momentum: float | None = 0.1, eps: float = 1e-5
) -> Layer[Empty, RunningStatistics, Array, Array]:
    """Normalize each feature over the batch to mean 0 and variance 1, and no more.

    Parameters
    ----------
    momentum, eps : optional
        As for :func:`funcnn.batch_norm`.

    Returns
    -------
    Layer
        From (..., D) to the same, without parameters; state :class:`RunningStatistics`.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.batch_norm`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.batch_norm_without_affine()
    >>> start = layer.init(fn.Key(0), (1,))
    >>> layer.forward((), start.state, np.array([[1.0], [3.0]]), fn.Train(fn.Key(1))).output.round(3)
    array([[-1.],
           [ 1.]])
    """
    momentum, eps = batch_norm.check_momentum(momentum), checked_eps(eps)
    pull: Callable[[BatchNormParams, BatchNormResiduals, Array], Backward[BatchNormParams, Array]] = batch_norm.backward
    return define_layer(
        "batch_norm_without_affine",
        batch_norm_init,
        partial(forward, partial(batch_norm_forward, momentum, eps), batch_norm_constants),
        partial(backward, pull),
        random=False,
    )
