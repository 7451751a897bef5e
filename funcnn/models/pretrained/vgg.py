"""VGG (Simonyan and Zisserman 2015, arXiv:1409.1556), as ``torchvision`` has it: 11, 13, 16 and 19 layers, and each with ``_bn``.

Those with ``_bn`` have batch normalization after each convolution, which keeps its bias.  What the convolutions give is averaged
to 7 by 7 points, so that images of any size fit the dense layers; these take the points of one channel after the other.
"""

from __future__ import annotations

from collections.abc import Mapping

from funcnn.combinators.serial import serial
from funcnn.initializers import Initializer
from funcnn.layer import AnyLayer
from funcnn.layers.activations.rectifiers import relu
from funcnn.layers.convolution.convolution import conv2d
from funcnn.layers.linear.dense import dense
from funcnn.layers.normalization.batch_norm import batch_norm
from funcnn.layers.pooling.adaptive_pooling import adaptive_avg_pool
from funcnn.layers.pooling.max_pooling import max_pool2d
from funcnn.layers.shape.reshape import flatten
from funcnn.models.pretrained.architecture import Architecture, Network
from funcnn.models.pretrained.bert import DENSE
from funcnn.models.pretrained.configuration import NEEDED, Configuration, Fields
from funcnn.models.pretrained.convnext import CONV
from funcnn.models.pretrained.forms import of_image
from funcnn.models.pretrained.resnet import AFFINE, STATISTICS
from funcnn.models.pretrained.table import Entries, Entry, Table, under

_COUNTS = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
SHAPES: Mapping[str, tuple[bool, tuple[int, ...]]] = {
    name + ending: (bool(ending), counts) for name, counts in _COUNTS.items() for ending in ("", "_bn")
}
"""By name: whether there is batch normalization, and the convolutions of each stage."""

POINTS = 7  # of each axis, that the dense layers take
MOST_WIDE = 3  # the stage from which on channels no longer double

FIELDS = Fields(
    used={"architecture": NEEDED, "num_classes": 1000, "width": 64, "hidden_features": 4096},
    unused=frozenset({"label_names", "dropout"}),
)


def build(config: Configuration, weight_init: Initializer) -> Network:
    """Return the network: images (n, height, width, 3), of 32 points or more each way, to logits (n, classes)."""
    normalized, counts = config.word("architecture", SHAPES)
    width, hidden = config.count("width"), config.count("hidden_features")
    layers: list[AnyLayer] = []
    params: list[Entry] = []
    state: list[Entry] = []

    def add(layer: AnyLayer, entries: Entries = (), statistics: Entries = ()) -> None:
        """Add a layer, whose place is that which it has among torchvision's ``features``."""
        params.extend(under(f"[{len(layers)}]", f"features.{len(layers)}", entries))
        state.extend(under(f"[{len(layers)}]", f"features.{len(layers)}", statistics))
        layers.append(layer)

    for stage, count in enumerate(counts):
        for _ in range(count):
            add(conv2d(width << min(stage, MOST_WIDE), 3, padding=1, weight_init=weight_init), CONV)
            if normalized:
                add(batch_norm(), AFFINE, STATISTICS)
            add(relu())
        add(max_pool2d(2, stride=2))
    last = len(layers) + 2
    image = of_image(width << MOST_WIDE, POINTS, POINTS)
    params += [Entry(f"[{last}].weight", "classifier.0.weight", image), Entry(f"[{last}].bias", "classifier.0.bias")]
    for place in (2, 4):
        params += under(f"[{last + place}]", f"classifier.{place // 2 * 3}", DENSE)  # dropout has a place there
    model: AnyLayer = serial(
        *layers, adaptive_avg_pool(POINTS), flatten(),
        dense(hidden, weight_init=weight_init), relu(), dense(hidden, weight_init=weight_init), relu(),
        dense(config.count("num_classes"), weight_init=weight_init),
    )  # fmt: skip
    return Network(model, (32, 32, 3), Table(tuple(params), tuple(state)))


VGG = Architecture("vgg", FIELDS, build)
