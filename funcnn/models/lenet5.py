"""LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998, section II.B), as it is taught today: two convolutions, three dense layers."""

from typing import Literal

from attrs import evolve

from funcnn.combinators.serial import serial
from funcnn.errors import check_choice, check_count
from funcnn.layer import AnyLayer, Layer
from funcnn.layers.convolution.convolution import conv2d
from funcnn.layers.linear.dense import dense
from funcnn.layers.pooling.average_pooling import avg_pool2d
from funcnn.layers.pooling.max_pooling import max_pool2d
from funcnn.layers.shape.reshape import flatten
from funcnn.models.choices import activation_named
from funcnn.typing import Array


def lenet5(
    classes: int = 10, *, activation: str = "tanh", pooling: Literal["average", "max"] = "average"
) -> Layer[tuple[object, ...], tuple[object, ...], Array, Array]:
    """Make LeNet-5: images (n, 28, 28, 1) to logits (n, classes), with 61,706 parameters for ten classes.

    Convolution to 6 channels of 28 x 28 (kernel 5, padding 2), pooling to 14 x 14, convolution to 16 channels of 10 x 10 (kernel
    5), pooling to 5 x 5, and dense layers of 120, 84 and ``classes``.  As usual today the second convolution sees all six
    channels, pooling has no parameters, and the output is dense instead of radial.

    Parameters
    ----------
    classes : int, optional
    activation : str, optional
        "tanh" as in the paper, or another that :func:`funcnn.mlp` takes.
    pooling : {"average", "max"}, optional

    Returns
    -------
    Layer
        It takes other sizes of at least 12 x 12, and other numbers of channels; the parameters are then of other numbers.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document recognition.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> start = fn.lenet5().init(fn.Key(0), (28, 28, 1))
    >>> start.out_shape, fn.tree.size(start.params)
    ((10,), 61706)
    """
    classes = check_count(classes, "classes")
    pooling = check_choice(pooling, ("average", "max"), "pooling")
    pool = max_pool2d if pooling == "max" else avg_pool2d
    layers: list[AnyLayer] = []
    for channels, padding in ((6, 2), (16, 0)):
        layers += [conv2d(channels, 5, padding=padding), activation_named(activation), pool(2)]
    layers.append(flatten())
    for width in (120, 84):
        layers += [dense(width), activation_named(activation)]
    made: AnyLayer = serial(*layers, dense(classes))
    return evolve(made, name="lenet5")
