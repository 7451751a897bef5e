"""Mirror images."""

import numpy as np

from funcnn.data.augmentation.augmentation import Augmentation, Change
from funcnn.errors import check_integer, check_range
from funcnn.typing import Array


def _flip(generator: np.random.Generator, x: Array, probability: float, axis: int) -> Array:
    mirrored = generator.random(len(x)) < probability
    return np.where(mirrored.reshape(-1, *[1] * (x.ndim - 1)), np.flip(x, axis), x)


def random_flip(probability: float = 0.5, *, axis: int = -2) -> Augmentation:
    """Mirror images at random: left and right exchanged, or top and bottom.

    Parameters
    ----------
    probability : float, optional
        Of an image to be mirrored, in [0, 1].
    axis : int, optional
        Which axis of (n, height, width, channels) is turned round: -2, the width, or -3, the height.

    Returns
    -------
    Augmentation

    Raises
    ------
    TypeError, ValueError
        When an argument is not such a number.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> image = np.array([[[[1.0], [2.0]]]])
    >>> fn.data.random_flip(1.0)(fn.Key(0), image).ravel()
    array([2., 1.])
    """
    probability = check_range(probability, "probability", 0.0, 1.0)
    axis = check_integer(axis, "axis")
    if axis not in (-2, -3):
        raise ValueError(f"axis is {axis}, expected -2 (the width) or -3 (the height)")
    return Augmentation((Change("random_flip", _flip, (("probability", probability), ("axis", axis))),))
