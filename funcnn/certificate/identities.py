"""The exact identities of the library's layers, by the name of the factory: what their formulas promise of their gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import frozen

from funcnn.certificate.cases import LAYERS
from funcnn.certificate.subjects import start
from funcnn.check.witness.identities import Homogeneous, Identity, Permutation, Point, Reflection, Shift
from funcnn.layer import Mode
from funcnn.typing import Array


@frozen
class Stated:
    """Identities of a layer, and for which of its cases: for all but those with these labels, or for those alone."""

    identities: tuple[Identity, ...]
    but: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    modes: tuple[str, ...] = ("train", "eval")

    def about(self, label: str, mode: str) -> bool:
        """Tell whether they are stated for a case in a mode."""
        return mode in self.modes and label not in self.but and (not self.only or label in self.only)


INPUT, PARAMS = Homogeneous("input"), Homogeneous("params")
ODD, EVEN, HALVES = Reflection("odd"), Reflection("even"), Reflection("complementary")
ENTRIES, STEPS, FEATURES = Permutation("entries"), Permutation("steps"), Permutation("features")
ALONG, UNMOVED = Shift("example", seen=True), Shift("features")

LINEAR = Stated((INPUT, ODD))
MOVES = Stated((INPUT, ODD, ALONG))
AFFINE = Stated((PARAMS, ODD))

_MOVING = (
    "flatten", "reshape", "identity", "squeeze", "expand_dims", "pixel_shuffle", "pixel_unshuffle", "transpose", "last_step",
    "mean_steps", "global_avg_pool", "adaptive_avg_pool",
)  # fmt: skip
_LINEAR = (
    "slice_axis", "crop", "dropout", "spatial_dropout", "unfold", "fold", "upsample", "avg_pool1d", "avg_pool2d", "avg_pool3d",
)  # fmt: skip
_AFFINE = (
    "dense", "linear", "scale", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "depthwise_conv1d", "depthwise_conv2d",
)  # fmt: skip

_WITHOUT_BIAS = (
    "conv1d_without_bias", "conv2d_without_bias", "conv3d_without_bias", "conv_transpose1d_without_bias",
    "conv_transpose2d_without_bias", "conv_transpose3d_without_bias", "depthwise_conv1d_without_bias",
    "depthwise_conv2d_without_bias",
)  # fmt: skip

IDENTITIES: dict[str, tuple[Stated, ...]] = {
    # what only moves numbers, or adds them with weights that do not depend on them
    **dict.fromkeys(_MOVING, (MOVES,)),
    **dict.fromkeys(_LINEAR, (LINEAR,)),
    "pad": (Stated((INPUT,), but=("constant",)), Stated((ODD,))),
    "alpha_dropout": (Stated((ODD,)),),
    "gaussian_noise": (Stated((ODD, ALONG)),),
    "sinusoidal_positions": (Stated((ODD, ALONG)),),
    "learned_positions": (Stated((ODD, ALONG)),),
    # linear in the parameters, affine in the input
    **dict.fromkeys(_AFFINE, (AFFINE,)),
    **dict.fromkeys(_WITHOUT_BIAS, (Stated((PARAMS, INPUT, ODD)),)),
    **dict.fromkeys(("separable_conv1d_without_bias", "separable_conv2d_without_bias"), (LINEAR,)),
    **{name: (Stated((ODD,)),) for name in ("separable_conv1d", "separable_conv2d")},
    **{name: (Stated((PARAMS,)),) for name in ("embedding", "embedding_bag", "maxout")},
    **{
        name: (Stated((Homogeneous("params.output"),)),)
        for name in ("attention", "attention_without_bias", "attention_without_output_bias")
    },
    **{name: (Stated((Homogeneous("params.inner.weight", 0),)),) for name in ("weight_norm", "spectral_norm")},
    # norms: they take a mean away, and a factor
    "layer_norm": (AFFINE, Stated((UNMOVED,), but=("two axes",))),
    "layer_norm_without_shift": (AFFINE, Stated((UNMOVED,), only=("plain",))),
    "layer_norm_without_affine": (Stated((ODD,)), Stated((UNMOVED,), only=("plain",))),
    "rms_norm_without_scale": (Stated((ODD,)),),
    "batch_norm_without_affine": (Stated((ODD,)), Stated((Shift("batch"),), modes=("train",))),
    "batch_norm_without_statistics": (AFFINE, Stated((Shift("batch"),))),
    "rms_norm": (AFFINE,),
    "batch_norm": (AFFINE, Stated((Shift("batch"),), modes=("train",))),
    "instance_norm": (Stated((PARAMS, ODD, Shift("space"))),),
    "instance_norm_without_affine": (Stated((ODD, Shift("space"))),),
    "group_norm": (Stated((PARAMS, ODD, Shift("example"))),),
    "group_norm_without_affine": (Stated((ODD, Shift("example"))),),
    "local_response_norm": (Stated((ODD,)),),
    # activations
    "relu": (Stated((INPUT, ENTRIES)), Stated((HALVES,), but=("kink",))),
    "leaky_relu": (Stated((INPUT, ENTRIES)),),
    "prelu": (Stated((INPUT,)),),
    "rrelu": (Stated((INPUT,)),),
    "hard_tanh": (Stated((ENTRIES,)), Stated((ODD,), but=("-0.5 to 3", "corners", "one end"))),
    **{
        name: (Stated((ENTRIES, ODD)),)
        for name in ("tanh", "softsign", "tanhshrink", "softshrink", "hardshrink", "sigmoid")
    },
    "hard_sigmoid": (Stated((ENTRIES,)), Stated((ODD,), but=("slope and shift", "corners of another slope"))),
    "softplus": (Stated((ENTRIES,)), Stated((HALVES,), but=("0.5, threshold 1.7",))),
    **{name: (Stated((ENTRIES, HALVES)),) for name in ("silu", "gelu", "squareplus", "hard_swish", "log_sigmoid")},
    **{name: (Stated((ENTRIES,)),) for name in ("elu", "celu", "selu", "mish", "relu6", "threshold", "exponential")},
    "log_cosh": (Stated((ENTRIES, EVEN)),),
    **{
        name: (Stated((UNMOVED,), but=("axis 1", "axis -2")), Stated((FEATURES,)))
        for name in ("softmax", "log_softmax", "softmin", "sparsemax")
    },
    # pooling of what is largest, or of powers
    **{name: (Stated((INPUT,)),) for name in ("max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool")},
    "global_max_pool": (Stated((INPUT, ALONG)),),
    **{name: (Stated((INPUT, EVEN)),) for name in ("lp_pool1d", "lp_pool2d", "lp_pool3d")},
}  # fmt: skip
"""Of each name what holds for its cases whose input and output are one array."""


def points(name: str, mode: Mode) -> Iterator[tuple[str, Point]]:
    """Yield the label and a point of each case at which identities can be asked: of one array, and without a surrogate."""
    for index, case in enumerate(LAYERS[name]):
        x = case.x()
        if case.surrogate is not None or case.method == "screen" or not isinstance(x, np.ndarray):
            continue
        layer = case.make()
        params, state = start(case, layer)
        output = layer.forward(params, state, x, mode).output
        if isinstance(output, np.ndarray) and output.dtype.kind == "f":
            dy: Array = np.asarray(np.random.default_rng([index, 9]).normal(size=output.shape))
            yield case.label or ("plain" if not index else f"case {index + 1}"), Point(layer, params, state, x, mode, dy)
