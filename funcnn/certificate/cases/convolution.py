"""Cases of convolutions and their transposes."""

from __future__ import annotations

from functools import partial

import funcnn as fn
from funcnn.certificate.cases.case import LayerCase


def many_channels(kernel: tuple[int, int], apart: tuple[int, int] = (1, 1)) -> LayerCase:
    """Make a case of so many channels that kernels of 3 by 3 would take another algorithm, and this one must not."""
    label = f"many channels, {kernel[0]} by {kernel[1]}, {apart[0]} and {apart[1]} apart"
    make = partial(fn.conv2d, 32, kernel, stride=apart, dilation=apart)
    return LayerCase(make, (6, 6, 32), batch=1, label=label, method="screen")


CONVOLUTION: dict[str, tuple[LayerCase, ...]] = {
    "conv1d": (
        LayerCase(lambda: fn.conv1d(3, 3), (6, 2)),
        LayerCase(lambda: fn.conv1d(2, 2, stride=2, padding="same"), (5, 3), label="same"),
        LayerCase(lambda: fn.conv1d(2, 2, dilation=2, padding=((2, 0),)), (5, 2), label="causal"),
        LayerCase(lambda: fn.conv1d(2, 2, padding=((2, 0),)), (3, 2), label="padding beyond the kernel, before"),
        LayerCase(lambda: fn.conv1d(2, 2, padding=((0, 2),)), (3, 2), label="padding beyond the kernel, after"),
        LayerCase(lambda: fn.conv1d(1, 290, padding="same"), (290, 1), label="an example at a time", method="screen"),
        LayerCase(lambda: fn.conv1d(3, 3, padding="same", dilation=2), (9, 2), batch=230, label="bands", method="screen"),
        LayerCase(
            lambda: fn.conv1d(16, 5, stride=2, dilation=2, padding="same"),
            (12, 1),
            batch=342,
            label="windows together",
            method="screen",
        ),
        LayerCase(lambda: fn.conv1d(2, 3, padding=((2, 0),)), (8, 8), batch=256, label="together, in backward", method="screen"),
        LayerCase(lambda: fn.conv1d(4, 3, groups=2), (9, 2), batch=230, label="bands, but for groups", method="screen"),
        LayerCase(lambda: fn.conv1d(1, 1), (2, 131200), batch=2, label="windows larger than a block", method="screen"),
    ),
    "conv2d": (
        LayerCase(lambda: fn.conv2d(3, (2, 3)), (4, 5, 2)),
        LayerCase(lambda: fn.conv2d(2, 3, stride=2, padding="same"), (5, 4, 3), label="same"),
        LayerCase(lambda: fn.conv2d(2, 2, stride=(1, 2), padding=((0, 1), (2, 1)), dilation=(2, 1)), (4, 3, 2), label="all"),
        LayerCase(lambda: fn.conv2d(6, 2, groups=2), (3, 4, 4), label="groups"),
        LayerCase(lambda: fn.conv2d(4, 3, groups=4, padding=1), (3, 3, 4), label="depthwise"),
        LayerCase(lambda: fn.conv2d(3, 1), (2, 3, 2), label="pointwise"),
        LayerCase(lambda: fn.conv2d(2, (3, 2), padding=((1, 0), (0, 1))), (3, 2, 5), label="one-sided padding"),
        LayerCase(lambda: fn.conv2d(2, 1, padding=1), (2, 2, 1), label="padding beyond the kernel"),
        LayerCase(
            lambda: fn.conv2d(34, 3, padding=((1, 0), (1, 1))), (6, 5, 32), batch=5, label="fewer products", method="screen"
        ),
        LayerCase(lambda: fn.conv2d(32, 3, padding="same"), (1, 325, 34), batch=2, label="an example a part", method="screen"),
        LayerCase(lambda: fn.conv2d(32, 3, padding="same"), (9, 105, 33), batch=1, label="parts of an example", method="screen"),
        LayerCase(lambda: fn.conv2d(64, 3, groups=2), (3, 4, 64), batch=2, label="groups of many channels", method="screen"),
        *[many_channels(kernel) for kernel in ((4, 3), (2, 3), (3, 4), (3, 2))],
        *[many_channels((3, 3), apart) for apart in ((2, 1), (1, 2))],
        LayerCase(
            lambda: fn.conv2d(3, (2, 3), stride=(3, 2), padding=((1, 0), (2, 1)), dilation=(3, 1)),
            (100, 7, 2),
            batch=3,
            label="bands",
            method="screen",
        ),
        LayerCase(
            lambda: fn.conv2d(9, (2, 3), stride=(3, 1), padding=((1, 0), (2, 1)), dilation=(3, 1)),
            (771, 7, 2),
            batch=1,
            label="windows together",
            method="screen",
        ),
        LayerCase(
            lambda: fn.conv2d(1, (2, 3), padding=((1, 0), (2, 0))),
            (32, 8, 8),
            batch=8,
            label="together, in backward",
            method="screen",
        ),
        LayerCase(lambda: fn.conv2d(1, (33, 9), padding="same"), (50, 9, 1), batch=2, label="parts of examples", method="screen"),
    ),
    "conv3d": (LayerCase(lambda: fn.conv3d(2, 2, stride=(1, 2, 1), padding=1), (2, 3, 2, 2), batch=2),),
    "conv_transpose1d": (
        LayerCase(lambda: fn.conv_transpose1d(3, 4, stride=2, padding=1), (3, 2)),
        LayerCase(lambda: fn.conv_transpose1d(2, 3, stride=2, padding=1, output_padding=1), (3, 2), label="output padding"),
    ),
    "conv_transpose2d": (
        LayerCase(lambda: fn.conv_transpose2d(3, (2, 3)), (3, 2, 2)),
        LayerCase(lambda: fn.conv_transpose2d(2, 3, stride=2, padding="same"), (2, 3, 3), label="same"),
        LayerCase(lambda: fn.conv_transpose2d(2, 2, stride=(1, 3), dilation=(2, 1)), (2, 3, 2), label="all"),
        LayerCase(lambda: fn.conv_transpose2d(4, (2, 3), stride=(2, 1), groups=2), (2, 3, 6), label="groups"),
        LayerCase(
            lambda: fn.conv_transpose2d(2, 2, stride=(1, 2), dilation=(3, 3), padding=1, output_padding=2),
            (2, 3, 2),
            label="output padding of the dilation",
        ),
    ),
    "conv_transpose3d": (LayerCase(lambda: fn.conv_transpose3d(2, 2, stride=(1, 2, 1)), (2, 1, 2, 2), batch=2),),
    "patch_embedding": (LayerCase(lambda: fn.patch_embedding(3, (2, 1)), (4, 3, 2)),),
    "conv1d_without_bias": (LayerCase(lambda: fn.conv1d_without_bias(2, 2, stride=2, padding="same"), (5, 3)),),
    "conv2d_without_bias": (
        LayerCase(lambda: fn.conv2d_without_bias(3, (2, 3), padding=1), (3, 4, 2)),
        LayerCase(lambda: fn.conv2d_without_bias(4, 2, stride=2, groups=2), (4, 3, 4), label="groups"),
        LayerCase(lambda: fn.conv2d_without_bias(33, 3, padding=1), (5, 5, 32), batch=2, label="fewer products", method="screen"),
    ),
    "conv3d_without_bias": (LayerCase(lambda: fn.conv3d_without_bias(2, 2, dilation=(1, 2, 1)), (2, 3, 2, 2), batch=2),),
    "depthwise_conv1d_without_bias": (LayerCase(lambda: fn.depthwise_conv1d_without_bias(2, multiplier=2), (4, 2)),),
    "depthwise_conv2d_without_bias": (LayerCase(lambda: fn.depthwise_conv2d_without_bias(2, stride=2, padding=1), (3, 4, 2)),),
    "separable_conv1d_without_bias": (LayerCase(lambda: fn.separable_conv1d_without_bias(3, 2), (4, 2)),),
    "separable_conv2d_without_bias": (LayerCase(lambda: fn.separable_conv2d_without_bias(3, 2, padding="same"), (3, 3, 2)),),
    "conv_transpose1d_without_bias": (LayerCase(lambda: fn.conv_transpose1d_without_bias(2, 3, stride=2, padding=1), (3, 2)),),
    "conv_transpose2d_without_bias": (
        LayerCase(lambda: fn.conv_transpose2d_without_bias(2, 2, stride=(1, 3), output_padding=(0, 1)), (2, 3, 2)),
        LayerCase(lambda: fn.conv_transpose2d_without_bias(4, 2, groups=2), (2, 2, 4), label="groups"),
    ),
    "conv_transpose3d_without_bias": (LayerCase(lambda: fn.conv_transpose3d_without_bias(1, 2), (2, 1, 2, 2), batch=2),),
}
