"""A small U-Net (Ronneberger, Fischer and Brox 2015, arXiv:1505.04597): images to images, details carried past the bottom."""

from attrs import evolve

from funcnn.combinators.concatenate import concatenate
from funcnn.combinators.serial import serial
from funcnn.errors import check_count
from funcnn.layer import AnyLayer, Layer
from funcnn.layers.activations.rectifiers import relu
from funcnn.layers.convolution.convolution import conv2d
from funcnn.layers.convolution.transposed_convolution import conv_transpose2d
from funcnn.layers.normalization.batch_norm import batch_norm
from funcnn.layers.pooling.max_pooling import max_pool2d
from funcnn.layers.shape.identity import identity
from funcnn.models.choices import MOST_LAYERS, check_widths
from funcnn.typing import Array


def unet(
    classes: int, *, channels: tuple[int, ...] = (16, 32, 64), blocks: int = 2
) -> Layer[tuple[object, ...], tuple[object, ...], Array, Array]:
    """Make a U-Net: images (n, height, width, c) to logits of every pixel (n, height, width, classes).

    Each stage is ``blocks`` times convolution (kernel 3, padded to the same size, unlike the paper), batch norm and relu.
    Between stages the image is halved by maxima over 2 x 2 on the way down and doubled by a transposed convolution on the way up,
    where it is joined with what the same size was on the way down.

    Parameters
    ----------
    classes : int
        Channels of the output.
    channels : tuple of int, optional
        Of each stage, from the largest image to the smallest; at least one.
    blocks : int, optional
        Convolutions of a stage.

    Returns
    -------
    Layer
        For heights and widths that are multiples of 2 to the power of the number of stages less one.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range; in ``init``, when the image cannot be halved so often.

    References
    ----------
    Ronneberger, Fischer and Brox (2015), U-Net: convolutional networks for biomedical image segmentation.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.unet(2, channels=(4, 8)).init(fn.Key(0), (16, 8, 1)).out_shape
    (16, 8, 2)
    """
    classes = check_count(classes, "classes")
    blocks = check_count(blocks, "blocks", most=MOST_LAYERS)
    channels = check_widths(channels, "channels", empty=False)
    made: AnyLayer = serial(*_below(channels, blocks), conv2d(classes, 1))
    return evolve(made, name=f"unet({', '.join(map(str, channels))})")


def _below(channels: tuple[int, ...], blocks: int) -> list[AnyLayer]:
    """Return the layers of a stage and of all that are below it."""
    if len(channels) == 1:
        return _stage(channels[0], blocks)
    inner: AnyLayer = serial(max_pool2d(2), *_below(channels[1:], blocks), conv_transpose2d(channels[0], 2, stride=2))
    return [*_stage(channels[0], blocks), concatenate(identity(), inner), *_stage(channels[0], blocks)]


def _stage(channels: int, blocks: int) -> list[AnyLayer]:
    layers: list[AnyLayer] = []
    for _ in range(blocks):
        layers += [conv2d(channels, 3, padding="same"), batch_norm(), relu()]
    return layers
