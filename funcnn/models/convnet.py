"""A small modern convolutional network: blocks of convolution, batch normalization (Ioffe and Szegedy 2015) and relu."""

from attrs import evolve

from funcnn.combinators.serial import serial
from funcnn.errors import check_count, check_range
from funcnn.layer import AnyLayer, Layer
from funcnn.layers.activations.rectifiers import relu
from funcnn.layers.convolution.convolution import conv2d
from funcnn.layers.linear.dense import dense
from funcnn.layers.noise.dropout import dropout as dropping
from funcnn.layers.normalization.batch_norm import batch_norm
from funcnn.layers.pooling.global_pooling import global_avg_pool
from funcnn.layers.pooling.max_pooling import max_pool2d
from funcnn.models.choices import MOST_LAYERS, check_widths
from funcnn.typing import Array


def convnet(
    classes: int = 10, *, channels: tuple[int, ...] = (16, 32, 64), depth: int = 1, dropout: float = 0.0
) -> Layer[tuple[object, ...], tuple[object, ...], Array, Array]:
    """Make a small convolutional network: images (n, height, width, c) to logits (n, classes).

    Each stage is ``depth`` blocks of convolution (kernel 3, padded to the same size), batch normalization and relu; all but the
    last are followed by maxima over 2 x 2.  The mean over the image, dropout, and a dense layer end the network.

    Parameters
    ----------
    classes : int, optional
    channels : tuple of int, optional
        Of each stage, at least one.
    depth : int, optional
        Blocks in a stage.
    dropout : float, optional
        The rate at which the means are dropped in training.

    Returns
    -------
    Layer
        For images of any size of at least 2 to the power of the number of stages less one.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range.

    References
    ----------
    Ioffe and Szegedy (2015), Batch normalization. Lin, Chen and Yan (2014), Network in network: the mean over the image.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> start = fn.convnet(channels=(8, 16)).init(fn.Key(0), (28, 28, 1))
    >>> start.out_shape, fn.tree.size(start.params)
    ((10,), 1466)
    """
    classes = check_count(classes, "classes")
    depth = check_count(depth, "depth", most=MOST_LAYERS)
    channels = check_widths(channels, "channels", empty=False)
    dropout = check_range(dropout, "dropout", 0, 1, open_high=True)
    layers: list[AnyLayer] = []
    for stage, width in enumerate(channels):
        if stage:
            layers.append(max_pool2d(2))
        for _ in range(depth):
            layers += [conv2d(width, 3, padding="same"), batch_norm(), relu()]
    layers += [global_avg_pool(), *([dropping(dropout)] if dropout else []), dense(classes)]
    made: AnyLayer = serial(*layers)
    return evolve(made, name=f"convnet({', '.join(map(str, channels))})")
