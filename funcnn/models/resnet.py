"""A residual network for small images (He et al. 2016, arXiv:1512.03385, section 4.2): depth 6n + 2."""

from attrs import evolve

from funcnn import initializers
from funcnn.combinators.add import add
from funcnn.combinators.residual import residual
from funcnn.combinators.serial import serial
from funcnn.errors import check_count
from funcnn.layer import AnyLayer, Layer
from funcnn.layers.activations.rectifiers import relu
from funcnn.layers.convolution.convolution import conv2d
from funcnn.layers.linear.dense import dense
from funcnn.layers.normalization.batch_norm import batch_norm
from funcnn.layers.pooling.global_pooling import global_avg_pool
from funcnn.models.choices import MOST_LAYERS
from funcnn.typing import Array


def resnet(
    depth: int = 20, classes: int = 10, *, channels: int = 16
) -> Layer[tuple[object, ...], tuple[object, ...], Array, Array]:
    """Make a residual network: images (n, height, width, c) to logits (n, classes).

    A first convolution, three stages of n blocks with 1, 2 and 4 times the channels, the mean over the image and a dense layer.
    A block is x + f(x) followed by relu, where f is convolution, batch normalization, relu, convolution, batch normalization.
    The second and third stage begin with a stride of 2, and there a convolution of kernel 1 stands in for x (option B).

    Parameters
    ----------
    depth : int, optional
        The number of layers with weights on the way through the blocks: 6n + 2, such as 8, 20, 32, 56 or 110.
    classes : int, optional
    channels : int, optional
        Of the first stage.

    Returns
    -------
    Layer

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range, or the depth is not 6n + 2.

    References
    ----------
    He, Zhang, Ren and Sun (2016), Deep residual learning for image recognition; He et al. (2015) for the initial weights.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> start = fn.resnet(20).init(fn.Key(0), (32, 32, 3))
    >>> start.out_shape, fn.tree.size(start.params)
    ((10,), 273258)
    """
    depth = check_count(depth, "depth", most=MOST_LAYERS)
    classes = check_count(classes, "classes")
    channels = check_count(channels, "channels")
    if depth < 8 or (depth - 2) % 6:
        raise ValueError(f"depth is {depth}, expected 6n + 2 with n at least 1: 8, 14, 20, ...")
    layers = [*_normalized(channels, 3, 1), relu()]
    for stage in range(3):
        for block in range((depth - 2) // 6):
            layers += [_block(channels << stage, 2 if stage and not block else 1), relu()]
    made: AnyLayer = serial(*layers, global_avg_pool(), dense(classes))
    return evolve(made, name=f"resnet({depth})")


def _block(channels: int, stride: int) -> AnyLayer:
    inner: AnyLayer = serial(*_normalized(channels, 3, stride), relu(), *_normalized(channels, 3, 1))
    if stride == 1:
        return residual(inner)
    return add(serial(*_normalized(channels, 1, stride)), inner)


def _normalized(channels: int, kernel: int, stride: int) -> list[AnyLayer]:
    return [conv2d(channels, kernel, stride=stride, padding=kernel // 2, weight_init=initializers.he_normal), batch_norm()]
