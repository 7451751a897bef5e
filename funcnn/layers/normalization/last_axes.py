"""The numbers that layer and RMS normalization take together: those of an example's last axis, or of several last axes."""

from funcnn.errors import check_array, check_count, check_features, check_precision, describe
from funcnn.kernels.arrays import as_matrix
from funcnn.typing import Array, Shape


def normalized_shape(last_axes: int, in_shape: Shape, layer: str) -> Shape:
    """Return the last so many axes of an example, or raise."""
    if len(in_shape) < last_axes:
        axes = "a features axis" if last_axes == 1 else f"at least {last_axes} axes"
        raise ValueError(f"{layer} takes examples with {axes}, got in_shape {in_shape}")
    return in_shape[len(in_shape) - last_axes :]


def as_rows(x: Array, scale: Array) -> Array:
    """Return x (..., *axes of the scale) as a matrix with a row for each set that is normalized together, or raise."""
    if scale.ndim == 1:
        check_features(x, scale)
        return as_matrix(x)
    check_array(x, min_ndim=1 + scale.ndim)
    if x.shape[-scale.ndim :] != scale.shape:
        raise ValueError(f"the input is {describe(x)}, expected {scale.shape} in its last {scale.ndim} axes")
    check_precision(x, scale)
    return x.reshape(-1, scale.size)


def check_last_axes(last_axes: int) -> int:
    """Return how many axes are normalized together, or raise."""
    return check_count(last_axes, "last_axes")
