"""Residual networks of images (He et al. 2016, arXiv:1512.03385), as ``torchvision`` has them: ResNet-18, 34, 50, 101 and 152.

The stride of a block of three convolutions is in its second one, as in all published weights of these names, not in its first
one as in the paper.
"""

from __future__ import annotations

from functools import partial

from funcnn.combinators.add import add
from funcnn.combinators.residual import residual
from funcnn.combinators.serial import serial
from funcnn.initializers import Initializer
from funcnn.layer import AnyLayer
from funcnn.layers.activations.rectifiers import relu
from funcnn.layers.convolution.without_bias import conv2d_without_bias
from funcnn.layers.linear.dense import dense
from funcnn.layers.normalization.batch_norm import batch_norm
from funcnn.layers.pooling.global_pooling import global_avg_pool
from funcnn.layers.pooling.max_pooling import max_pool2d
from funcnn.models.pretrained.architecture import Architecture, Network
from funcnn.models.pretrained.bert import DENSE
from funcnn.models.pretrained.configuration import NEEDED, Configuration, Fields
from funcnn.models.pretrained.forms import KERNEL
from funcnn.models.pretrained.table import Entries, Entry, Table, under

SHAPES = {
    "resnet18": (False, (2, 2, 2, 2)), "resnet34": (False, (3, 4, 6, 3)), "resnet50": (True, (3, 4, 6, 3)),
    "resnet101": (True, (3, 4, 23, 3)), "resnet152": (True, (3, 8, 36, 3)),
}  # fmt: skip
"""By name: whether blocks have three convolutions, with few channels in the middle, and how many there are in each stage."""

FIELDS = Fields(
    used={"architecture": NEEDED, "num_classes": 1000, "width": 64, "in_chans": 3},
    only={"global_pool": ("avg",)},
    unused=frozenset({"pretrained_cfg", "num_features", "label_names", "label_descriptions", "model_args"}),
)

STATISTICS = (Entry(".mean", "running_mean"), Entry(".var", "running_var"), Entry(".count", "num_batches_tracked"))
AFFINE = (Entry(".scale", "weight"), Entry(".shift", "bias"))


def normalized(channels: int, kernel: int, stride: int, weight_init: Initializer) -> list[AnyLayer]:
    """Return a convolution and its batch normalization."""
    padding = kernel // 2
    return [conv2d_without_bias(channels, kernel, stride=stride, padding=padding, weight_init=weight_init), batch_norm()]


def entries_of(places: tuple[tuple[str, str, str], ...]) -> tuple[Entries, Entries]:
    """Return the entries of parameters and of state, for convolutions (their place, their name, that of their normalization)."""
    params = [
        one for path, conv, norm in places
        for one in (Entry(f"[{path}].weight", f"{conv}.weight", KERNEL), *under(f"[{int(path) + 1}]", norm, AFFINE))
    ]  # fmt: skip
    return tuple(params), tuple([one for path, _, norm in places for one in under(f"[{int(path) + 1}]", norm, STATISTICS)])


INNER = {
    False: entries_of((("0", "conv1", "bn1"), ("3", "conv2", "bn2"))),
    True: entries_of((("0", "conv1", "bn1"), ("3", "conv2", "bn2"), ("6", "conv3", "bn3"))),
}
SHORTCUT = entries_of((("0", "downsample.0", "downsample.1"),))
FIRST = entries_of((("0", "conv1", "bn1"),))


def block(narrow: bool, channels: int, stride: int, changes: bool, weight_init: Initializer) -> AnyLayer:
    """Return a block, x + f(x) and relu, where x goes through a convolution if its shape changes."""
    conv = partial(normalized, weight_init=weight_init)
    wide = 4 * channels if narrow else channels
    if narrow:
        inner: AnyLayer = serial(*conv(channels, 1, 1), relu(), *conv(channels, 3, stride), relu(), *conv(wide, 1, 1))
    else:
        inner = serial(*conv(channels, 3, stride), relu(), *conv(channels, 3, 1))
    both: AnyLayer = add(serial(*conv(wide, 1, stride)), inner) if changes else residual(inner)
    made: AnyLayer = serial(both, relu())
    return made


def block_entries(narrow: bool, changes: bool) -> tuple[Entries, Entries]:
    """Return the entries of a block's parameters and of its state."""
    if not changes:
        params, state = (under_path("[0]", one) for one in INNER[narrow])
    else:
        params, state = (
            (*under_path("[0][0]", short), *under_path("[0][1]", inner))
            for short, inner in zip(SHORTCUT, INNER[narrow], strict=True)
        )
    return params, state


def under_path(path: str, entries: Entries) -> Entries:
    """Return entries with a path in front of theirs."""
    return tuple([Entry(path + one.path, one.names, one.form) for one in entries])


def build(config: Configuration, weight_init: Initializer) -> Network:
    """Return the network: images (n, height, width, channels) to logits (n, classes)."""
    narrow, counts = config.word("architecture", SHAPES)
    width = config.count("width")
    layers: list[AnyLayer] = [*normalized(width, 7, 2, weight_init), relu(), max_pool2d(3, stride=2, padding=1)]
    params, state = list(FIRST[0]), list(FIRST[1])
    for stage, count in enumerate(counts):
        for number in range(count):
            stride = 2 if stage and not number else 1
            changes = number == 0 and (narrow or stage > 0)
            place, name = f"[{len(layers)}]", f"layer{stage + 1}.{number}"
            layers.append(block(narrow, width << stage, stride, changes, weight_init))
            own = block_entries(narrow, changes)
            params += under(place, name, own[0])
            state += under(place, name, own[1])
    params += under(f"[{len(layers) + 1}]", "fc", DENSE)
    model: AnyLayer = serial(*layers, global_avg_pool(), dense(config.count("num_classes"), weight_init=weight_init))
    return Network(model, (64, 64, config.count("in_chans")), Table(tuple(params), tuple(state)))


RESNET = Architecture("resnet", FIELDS, build)
