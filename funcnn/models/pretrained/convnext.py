"""ConvNeXt (Liu et al. 2022, arXiv:2201.03545), as ``torchvision`` has it: tiny, small, base and large."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from funcnn.combinators.residual import residual
from funcnn.combinators.serial import serial
from funcnn.errors import shown
from funcnn.files.tree_reader import FileError
from funcnn.initializers import Initializer
from funcnn.layer import AnyLayer
from funcnn.layers.activations.gelu import gelu
from funcnn.layers.convolution.convolution import conv2d
from funcnn.layers.convolution.depthwise import depthwise_conv2d
from funcnn.layers.linear.dense import dense
from funcnn.layers.linear.scale import scale
from funcnn.layers.normalization.layer_norm import layer_norm
from funcnn.layers.pooling.global_pooling import global_avg_pool
from funcnn.models.pretrained.architecture import Architecture, Network
from funcnn.models.pretrained.bert import DENSE, NORM
from funcnn.models.pretrained.configuration import NEEDED, Configuration, Fields
from funcnn.models.pretrained.forms import KERNEL, LAYER_SCALE
from funcnn.models.pretrained.table import Entry, Table, repeated, under

EPS = 1e-6

SHAPES: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "convnext_tiny": ((96, 192, 384, 768), (3, 3, 9, 3)), "convnext_small": ((96, 192, 384, 768), (3, 3, 27, 3)),
    "convnext_base": ((128, 256, 512, 1024), (3, 3, 27, 3)), "convnext_large": ((192, 384, 768, 1536), (3, 3, 27, 3)),
}  # fmt: skip
"""By name: the channels and the blocks of each stage."""

FIELDS = Fields(
    used={"architecture": NEEDED, "num_classes": 1000, "channels": None, "blocks": None},
    unused=frozenset({"label_names", "stochastic_depth_prob"}),
)

CONV = (Entry(".weight", "weight", KERNEL), Entry(".bias", "bias"))
BLOCK = (
    *under("[0]", "block.0", CONV),
    *under("[1]", "block.2", NORM),
    *under("[2]", "block.3", DENSE),
    *under("[4]", "block.5", DENSE),
    Entry("[5].gain", "layer_scale", LAYER_SCALE),
)


def block(channels: int, weight_init: Initializer) -> AnyLayer:
    """Return a block: a depthwise convolution, and two dense layers at every place, beside its input."""
    inner: AnyLayer = serial(
        depthwise_conv2d(7, padding=3, weight_init=weight_init),
        layer_norm(eps=EPS),
        dense(4 * channels, weight_init=weight_init),
        gelu(),
        dense(channels, weight_init=weight_init),
        scale(),
    )
    return residual(inner)


def shape_of(config: Configuration) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the channels and the blocks of each stage: those of the name, unless a configuration has its own."""
    channels, blocks = config.word("architecture", SHAPES)
    if config.content.get("channels") is not None:
        channels = config.counts("channels")
    if config.content.get("blocks") is not None:
        blocks = config.counts("blocks")
    if len(channels) != len(blocks):
        raise FileError(f"{config.where}: channels is {shown(channels)} and blocks {shown(blocks)}, expected one for each stage")
    return channels, blocks


def build(config: Configuration, weight_init: Initializer) -> Network:
    """Return the network: images (n, height, width, 3) to logits (n, classes)."""
    channels, blocks = shape_of(config)
    conv = partial(conv2d, padding=0, weight_init=weight_init)
    layers: list[AnyLayer] = [conv(channels[0], 4, stride=4), layer_norm(eps=EPS)]
    entries = [*under("[0]", "features.0.0", CONV), *under("[1]", "features.0.1", NORM)]
    for stage, (width, count) in enumerate(zip(channels, blocks, strict=True)):
        if stage:
            name = f"features.{2 * stage}"
            entries += [*under(f"[{len(layers)}]", f"{name}.0", NORM), *under(f"[{len(layers) + 1}]", f"{name}.1", CONV)]
            layers += [layer_norm(eps=EPS), conv(width, 2, stride=2)]
        entries += repeated(f"[{len(layers)}]", f"features.{2 * stage + 1}", count, BLOCK)
        layers.append(serial(*[block(width, weight_init) for _ in range(count)]))
    last = len(layers)
    entries += [*under(f"[{last + 1}]", "classifier.0", NORM), *under(f"[{last + 2}]", "classifier.2", DENSE)]
    model: AnyLayer = serial(
        *layers, global_avg_pool(), layer_norm(eps=EPS), dense(config.count("num_classes"), weight_init=weight_init)
    )
    return Network(model, (64, 64, 3), Table(tuple(entries)))


CONVNEXT = Architecture("convnext", FIELDS, build)
