"""One way to call every public factory of layers: what the sweeps vary, an argument at a time.

A factory without an entry is a failing test (:mod:`tests.sweeps.test_layer_numbers`).
"""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn import tree


@frozen
class Call:
    """The arguments of a factory, and the shape of the examples (or of each input) that its layer takes."""

    arguments: dict[str, Any]
    shape: Any = (6,)
    kind: str = "array"  # or "tokens", "masked", "pooled"
    positional: tuple[Any, ...] = ()  # of *layers or *widths

    def make(self, factory: Callable[..., Any], **changes: Any) -> Any:
        """Return the layer, with some arguments in place of others."""
        return factory(*self.positional, **{**self.arguments, **changes})

    def x(self, dtype: Any = np.float32) -> Any:
        """Return two examples."""
        return _draw(np.random.default_rng(5), self.shape, self.kind, dtype)


def _draw(generator: np.random.Generator, shape: Any, kind: str, dtype: Any) -> Any:
    if kind == "state":
        return tuple([_draw(generator, one, "array", dtype) for one in shape])
    if shape and isinstance(shape[0], tuple):
        kinds = kind.split() if " " in kind else [kind] * len(shape)
        return tuple([_draw(generator, one, each, dtype) for one, each in zip(shape, kinds, strict=True)])
    if kind == "mask":
        return generator.random((2, *shape)) < 0.7
    if kind == "tokens":
        return generator.integers(0, 5, (2, *shape))
    values = generator.normal(size=(2, *shape)).astype(dtype)
    if kind == "masked":
        return fn.Masked(values, np.arange(shape[0]) < np.array([[shape[0]], [shape[0] - 1]]))
    if kind == "pooled":
        points = int(np.prod(shape[:-1]))
        return fn.Pooled(values, np.arange(points).reshape(1, *shape[:-1], 1) + np.zeros((2, *shape), int))
    return values


LINE, IMAGE, VOLUME, STEPS = (9, 4), (7, 8, 4), (5, 6, 5, 4), (5, 6)
SPACES = {1: LINE, 2: IMAGE, 3: VOLUME}
SIZES = {"kernel": 2, "stride": 1, "padding": "same", "dilation": 1}


def _by_dimension(name: str, arguments: dict[str, Any], dimensions: tuple[int, ...] = (1, 2, 3)) -> dict[str, Call]:
    return {f"{name}{ndim}d": Call(arguments, SPACES[ndim]) for ndim in dimensions}


def _without_bias(calls: dict[str, Call]) -> dict[str, Call]:
    return {f"{name}_without_bias": call for name, call in calls.items()}


TRANSPOSED = {"channels": 4, **SIZES, "padding": 0, "stride": 2, "output_padding": 1, "groups": 2}
INNER = fn.dense(6)

CALLS: dict[str, Call] = {
    # small layers
    "dense": Call({"features": 3}),
    "linear": Call({"features": 3}),
    "flatten": Call({}, IMAGE),
    "reshape": Call({"shape": (2, 3)}),
    "transpose": Call({"axes": (1, 0)}, STEPS),
    "dropout": Call({"rate": 0.25}),
    "stochastic_depth": Call({"rate": 0.25}),
    "spatial_dropout": Call({"rate": 0.25}, IMAGE),
    "alpha_dropout": Call({"rate": 0.25}),
    "gaussian_noise": Call({"std": 0.5}),
    "gaussian_sample": Call({}, ((6,), (6,))),
    "identity": Call({}),
    "bilinear": Call({"features": 3}, ((4,), (5,))),
    "affine": Call({}),
    "scale": Call({}),
    "unit_norm": Call({}),
    "cosine_similarity": Call({}, ((6,), (6,))),
    "pairwise_distance": Call({"power": 3.0}, ((6,), (6,))),
    "channel_shuffle": Call({"groups": 2}, IMAGE),
    "linear_cross_entropy": Call(
        {"vocabulary": 5, "label_smoothing": 0.1, "ignore_index": -1, "block_size": 2}, ((4, 6), (4,)), "array tokens"
    ),
    "graph_convolution": Call({"features": 3}, (STEPS, (4, 2)), "array tokens"),
    "spline": Call({"features": 3, "low": -1.5, "high": 0.75}),
    "selective_scan": Call({"states": 4}, (STEPS, STEPS, (5, 4), (5, 4))),
    "film": Call({}, (STEPS, (12,))),
    "modulate": Call({}, (STEPS, (12,))),
    "einsum_dense": Call({"equation": "tc,chd->thd", "sizes": {"h": 2, "d": 3}}, STEPS),
    "fourier_features": Call({"count": 3, "std": 0.5}),
    "gumbel_softmax": Call({"temperature": 0.5}),
    "patch_embedding": Call({"features": 3, "patch": 2}, IMAGE),
    "rnn_cell": Call({"features": 3}, ((4,), (3,))),
    "lstm_cell": Call({"features": 3, "forget_bias": 0.1, "input_bias": 0.3}, ((4,), ((3,), (3,))), "state"),
    "gru_cell": Call({"features": 3, "update_bias": 0.1}, ((4,), (3,))),
    "squeeze": Call({"axis": 2}, (4, 1, 3)),
    "expand_dims": Call({"axis": 2}, STEPS),
    "slice_axis": Call({"start": 1, "stop": 5, "step": 2, "axis": 1}),
    "gradient_reversal": Call({"strength": 0.5}),
    "straight_through": Call({"steps": "sign"}),
    # normalization
    "layer_norm": Call({}),
    "rms_norm": Call({}),
    "batch_norm": Call({}, STEPS),
    "group_norm": Call({"groups": 2}, IMAGE),
    "instance_norm": Call({}, IMAGE),
    "instance_norm_with_statistics": Call({}, IMAGE),
    **{
        name: Call({})
        for name in (
            "layer_norm_without_affine", "layer_norm_without_shift", "rms_norm_without_scale", "batch_norm_without_affine",
            "batch_norm_without_statistics",
        )
    },
    "group_norm_without_affine": Call({"groups": 2}, IMAGE),
    "instance_norm_without_affine": Call({}, IMAGE),
    "local_response_norm": Call({"size": 3}, IMAGE),
    "weight_norm": Call({"inner": INNER}),
    "spectral_norm": Call({"inner": INNER}),
    # convolution
    **_by_dimension("conv", {"channels": 4, **SIZES, "groups": 2}),
    **_by_dimension("depthwise_conv", {**SIZES, "multiplier": 2}, (1, 2)),
    **_by_dimension("separable_conv", {"channels": 3, **SIZES, "multiplier": 2}, (1, 2)),
    **_by_dimension("conv_transpose", TRANSPOSED),
    **_without_bias(_by_dimension("conv", {"channels": 4, **SIZES, "groups": 2})),
    **_without_bias(_by_dimension("depthwise_conv", {**SIZES, "multiplier": 2}, (1, 2))),
    **_without_bias(_by_dimension("separable_conv", {"channels": 3, **SIZES, "multiplier": 2}, (1, 2))),
    **_without_bias(_by_dimension("conv_transpose", TRANSPOSED)),
    # pooling and images
    **_by_dimension("max_pool", SIZES),
    **_by_dimension("avg_pool", {"kernel": 2, "stride": 1, "padding": "same"}),
    **_by_dimension("lp_pool", {"power": 2.5, "kernel": 2, "stride": 1, "padding": "same"}),
    "global_avg_pool": Call({}, IMAGE),
    "global_max_pool": Call({}, IMAGE),
    "adaptive_avg_pool": Call({"output_size": 3}, IMAGE),
    "adaptive_max_pool": Call({"output_size": 3}, IMAGE),
    "fractional_max_pool": Call({"kernel": 2, "output_size": 3}, IMAGE),
    "fractional_max_pool_with_indices": Call({"kernel": 2, "output_size": (3, 4)}, IMAGE),
    "adaptive_max_pool_with_indices": Call({"output_size": (3, 2)}, IMAGE),
    "max_pool_with_indices": Call({"kernel": (2, 2), "stride": 1, "padding": "same"}, IMAGE),
    "max_unpool": Call({"space": (4, 5)}, (2, 3, 4), "pooled"),
    "on_values": Call({"inner": fn.relu()}, (2, 3, 4), "pooled"),
    "pad": Call({"padding": 2, "value": 0.1}, IMAGE),
    "crop": Call({"cropping": 1}, IMAGE),
    "upsample": Call({"factor": 2, "mode": "linear", "align_corners": True}, IMAGE),
    "resize": Call({"size": (4, 5), "antialias": True}, IMAGE),
    "resize_by": Call({"factor": 1.5, "mode": "cubic"}, IMAGE),
    "grid_sample": Call({}, (IMAGE, (3, 2))),
    "affine_grid": Call({"size": (3, 4)}, (2, 3)),
    "pixel_shuffle": Call({"factor": 2}, IMAGE),
    "pixel_unshuffle": Call({"factor": 2}, (6, 8, 4)),
    "unfold": Call({"kernel": (2, 2), "stride": 1}, IMAGE),
    "fold": Call({"space": (4, 5), "kernel": 2}, (3, 4, 8)),
    # sequences
    "rnn": Call({"features": 3}, STEPS),
    "lstm": Call({"features": 3, "forget_bias": 0.1, "input_bias": 0.3}, STEPS),
    "peephole_lstm": Call({"features": 3, "forget_bias": 0.1, "input_bias": 0.3}, STEPS),
    "conv_lstm": Call({"features": 2, "kernel": 2, "forget_bias": 0.1}, (3, 4, 3, 2)),
    "projected_lstm": Call({"features": 3, "projected": 2}, STEPS),
    "gru": Call({"features": 3, "update_bias": 0.1}, STEPS),
    "last_step": Call({}, STEPS),
    "mean_steps": Call({}, STEPS),
    "embedding": Call({"vocabulary": 5, "features": 3, "padding_index": 0}, (4,), "tokens"),
    "embedding_bag": Call({"vocabulary": 5, "features": 3, "padding_index": 0}, (4,), "tokens"),
    "weighted_embedding_bag": Call({"vocabulary": 5, "features": 3, "padding_index": 0}, ((4,), (4,)), "tokens array"),
    "tied_cross_entropy": Call(
        {"model": fn.tied_embedding(5, 6, INNER), "label_smoothing": 0.1, "ignore_index": -1, "block_size": 2},
        ((4,), (4,)), "tokens",
    ),
    "tied_embedding": Call({"vocabulary": 5, "features": 6, "inner": INNER}, (4,), "tokens"),
    "learned_positions": Call({"max_length": 8}, STEPS),
    "sinusoidal_positions": Call({"max_length": 8}, STEPS),
    "rotary_positions": Call({"heads": 3, "start": 2}, STEPS),
    "scaled_dot_product": Call({"dropout": 0.25}, ((5, 6), (5, 6), (5, 6))),
    "scaled_dot_product_with_bias": Call({"dropout": 0.25}, ((5, 6), (5, 6), (5, 6), (5, 5))),
    "scaled_dot_product_with_mask": Call({"dropout": 0.25}, ((5, 6), (5, 6), (5, 6), (5, 5)), "array array array mask"),
    "attention": Call(
        {
            "heads": 2, "key_value_heads": 1, "positions": "relative", "dropout": 0.25, "block_rows": 4, "head_features": 2,
            "value_features": 3,
        },
        STEPS,
    ),
    "qk_norm_attention": Call({"heads": 2, "key_value_heads": 1, "positions": "relative", "dropout": 0.25}, STEPS),
    "qk_norm_attention_without_bias": Call({"heads": 2}, STEPS),
    "attention_with_score_bias": Call({"heads": 2}, (STEPS, (2, 5, 5))),
    "attention_with_mask": Call({"heads": 2}, (STEPS, (1, 5, 5)), "array mask"),
    "attention_without_output_bias": Call({"heads": 2}, STEPS),
    "attention_without_bias": Call({"heads": 2, "key_value_heads": 1, "positions": "alibi", "dropout": 0.25}, STEPS),
    "cross_attention_without_bias": Call({"heads": 2, "key_value_heads": 1, "dropout": 0.25}, (STEPS, (4, 6))),
    "cross_attention": Call({"heads": 2, "key_value_heads": 1, "dropout": 0.25, "block_rows": 4}, (STEPS, (4, 6))),
    "encoder_block": Call({"features": 6, "heads": 2, "key_value_heads": 1, "hidden": 5, "dropout": 0.25}, STEPS),
    "decoder_block": Call(
        {"features": 6, "heads": 2, "key_value_heads": 1, "hidden": 5, "dropout": 0.25}, (STEPS, (4, 6))
    ),
    "encoder_block_without_bias": Call({"features": 6, "heads": 2, "key_value_heads": 1, "hidden": 5, "dropout": 0.25}, STEPS),
    "decoder_block_without_bias": Call(
        {"features": 6, "heads": 2, "key_value_heads": 1, "hidden": 5, "dropout": 0.25}, (STEPS, (4, 6))
    ),
    "beside_memory": Call({"inner": INNER}, (STEPS, (4, 6))),
    "drop_memory": Call({}, (STEPS, (4, 6))),
    "memory_residual": Call({"inner": fn.cross_attention(2)}, (STEPS, (4, 6))),
    "reverse_time": Call({"inner": fn.rnn(3)}, STEPS),
    "bidirectional": Call({"forwards": fn.rnn(3), "backwards": fn.rnn(3)}, STEPS),
    "recurrent_stack": Call(
        {}, (STEPS, ((3,), (3,))), "array state",
        positional=(fn.rnn(3, initial=True, final=True), fn.rnn(3, initial=True, final=True)),
    ),
    "trained_start": Call({"inner": fn.rnn(3, initial=True), "shape": (3,)}, STEPS),
    "masked_steps": Call({"inner": INNER}, STEPS, "masked"),
    "masked_residual": Call({"inner": fn.masked_steps(INNER)}, STEPS, "masked"),
    "unmask": Call({}, STEPS, "masked"),
    # activations
    **{
        name: Call({})
        for name in (
            "relu", "elu", "tanh", "sigmoid", "softplus", "silu", "gelu", "softmax", "log_softmax", "softmin", "sparsemax",
            "relu6", "quick_gelu", "sine", "snake", "relu_squared", "entmax15", "reglu",
            "prelu", "rrelu", "celu", "selu", "mish", "log_sigmoid", "hard_sigmoid", "hard_tanh", "hard_swish",
            "softsign", "softshrink", "hardshrink", "tanhshrink", "exponential", "log_cosh", "glu", "swiglu", "geglu",
        )
    },
    "leaky_relu": Call({"negative_slope": 0.1}),
    "squareplus": Call({"b": 4.0}),
    "threshold": Call({"threshold": 0.1, "value": 0.3}),
    "maxout": Call({"features": 3, "pieces": 2}),
    # combinators
    "serial": Call({}, positional=(INNER, fn.relu())),
    "residual": Call({"inner": INNER}),
    "add": Call({}, positional=(INNER, fn.relu())),
    "concatenate": Call({}, positional=(INNER, fn.relu())),
    "branch": Call({}, positional=(INNER, fn.relu())),
    "parallel": Call({}, ((6,), (5,)), positional=(INNER, fn.relu())),
    "recompute": Call({"inner": fn.serial(INNER, fn.relu()), "segments": 2}),
    "shard": Call({"inner": INNER, "workers": 2}),
    "shared": Call({"inner": INNER, "uses": 2}, ((6,), (6,))),
    "stop_gradient": Call({"inner": INNER}),
    "frozen": Call({"inner": INNER}),
    "pick_input": Call({"index": 1}, ((4,), (2, 3))),
    "join_inputs": Call({"axis": 1}, ((4, 2), (3, 2))),
    "add_inputs": Call({}, ((2, 3), (1, 3))),
    "multiply_inputs": Call({}, ((2, 3), (1, 3), (2, 1))),
    "subtract_inputs": Call({}, ((2, 3), (1, 3))),
    "average_inputs": Call({}, ((2, 3), (1, 3), (2, 1))),
    "maximum_inputs": Call({}, ((2, 3), (1, 3), (2, 1))),
    "minimum_inputs": Call({}, ((2, 3), (1, 3), (2, 1))),
    "dot_inputs": Call({}, ((2, 3), (2, 3))),
    "ensemble": Call({"inner": INNER, "members": 3}),
    "repeat": Call({"inner": INNER, "layers": 3}),
    "time_distributed": Call({"inner": INNER, "axes": 2}, (3, 2, 6)),
    "mixture_of_experts": Call({"expert": INNER, "experts": 3}),
    "mixture_of_experts_with_routing": Call({"expert": INNER, "experts": 3}),
    "without_bias": Call({"inner": fn.rnn(3)}, STEPS),
    "lora": Call({"inner": INNER, "rank": 2, "alpha": 0.5}),
    "fixed_point": Call({"inner": fn.add_inputs() >> INNER >> fn.tanh(), "tolerance": 1e-5, "iterations": 90, "history_size": 5}),
    "runge_kutta": Call({"inner": INNER >> fn.tanh(), "times": (0.1, 0.3), "steps": 2, "start": -0.1}),
    "dormand_prince": Call(
        {
            "inner": INNER >> fn.tanh(), "times": (0.1, 0.3), "rtol": 1e-3, "atol": 1e-3, "first_step": 0.3, "max_steps": 99,
            "start": -0.1,
        }
    ),
    # derivatives
    "directional_derivatives": Call(
        {
            "inner": INNER >> fn.tanh(), "directions": ((1.0, 0, 0, 0, 0, 0),), "order": 2, "points": 16, "radius": 0.5,
            "tolerance": 0.1,
        }
    ),
    "laplacian": Call({"inner": INNER >> fn.tanh(), "inputs": (0, 2), "points": 16, "radius": 0.5, "tolerance": 0.1}),
    "input_gradient": Call({"inner": fn.dense(1) >> fn.tanh()}),
    "divergence": Call({"inner": INNER >> fn.tanh(), "inputs": (0, 2)}),
    # models
    "mlp": Call({"dropout": 0.25}, positional=(5, 3)),
    "siamese": Call({"dropout": 0.25}, ((6,), (6,)), positional=(5, 3)),
    "lenet5": Call({"classes": 3}, (28, 28, 1)),
    "resnet": Call({"depth": 8, "classes": 3, "channels": 4}, (8, 8, 1)),
    "convnet": Call({"classes": 3, "channels": (2, 3), "depth": 1, "dropout": 0.25}, (8, 8, 1)),
    "unet": Call({"classes": 3, "channels": (2, 3), "blocks": 1}, (8, 8, 1)),
    "autoencoder": Call({"features": 6, "hidden": (5,), "latent_size": 2, "output": "sigmoid"}),
    "vae": Call({"features": 6, "hidden": (5,), "latent_size": 2}),
    "vae_decoder": Call({"features": 6, "hidden": (5,)}, (2,)),
    "char_rnn": Call({"vocabulary": 5, "features": 4, "layers": 1, "embedding_size": 3, "dropout": 0.25}, (4,), "tokens"),
    "gpt": Call(
        {"vocabulary": 5, "layers": 1, "heads": 2, "features": 4, "context_length": 8, "dropout": 0.25}, (4,), "tokens"
    ),
    "text_classifier": Call(
        {"vocabulary": 5, "classes": 3, "features": 4, "layers": 1, "heads": 2, "padding_index": 0, "dropout": 0.25},
        (4,), "tokens",
    ),
}  # fmt: skip


def public_factories() -> dict[str, Callable[..., Any]]:
    """Every public function that makes a layer, by the module where layers, combinators and models are."""
    homes = ("funcnn.layers.", "funcnn.combinators.", "funcnn.sharding.", "funcnn.models.", "funcnn.derivatives.")
    found = {name: getattr(fn, name) for name in fn.__all__}
    return {
        name: one
        for name, one in found.items()
        if inspect.isfunction(one)
        and one.__module__.startswith(homes)
        and name not in ("generate", "merge_lora", "attention_weights", "bags_from_offsets", "data_parallel", "mpi_communicator")
        and not is_product(one)
    }


def is_product(function: Callable[..., Any]) -> bool:
    """Tell whether a function gives a product of derivatives, or numbers, and no layer: tests.sweeps.callables has those."""
    made = str(inspect.signature(function).return_annotation)
    return function.__module__.startswith("funcnn.derivatives.") and not made.startswith(("Layer[", "funcnn.layer."))


def parameters(name: str) -> Iterator[tuple[str, str]]:
    """Yield the parameters of a factory with their annotations as text, short of the modules."""
    for one in inspect.signature(getattr(fn, name)).parameters.values():
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            text = one.annotation if isinstance(one.annotation, str) else inspect.formatannotation(one.annotation)
            yield one.name, re.sub(r"(typing|collections\.abc|funcnn\.layer\.\w+)\.", "", text)


def value_of(name: str, parameter: str) -> Any:
    """Return what the entry gives for a parameter, or its default."""
    call = CALLS[name]
    if parameter in call.arguments:
        return call.arguments[parameter]
    return inspect.signature(getattr(fn, name)).parameters[parameter].default


def results(call: Call, layer: Any) -> tuple[Any, Any]:
    """Return the leaves of the output and of all gradients in training, in single precision."""
    start = layer.init(fn.Key(1), call.shape)
    params, state = tree.astype((start.params, start.state), np.float32)
    made = layer.forward(params, state, call.x(), fn.Train(fn.Key(2)))
    pulled = layer.backward(params, made.residuals, made.output)
    return tree.leaves((made.output, made.state)), [
        leaf for leaf in (*_leaves(pulled.params), *_leaves(pulled.input)) if leaf is not None
    ]


def _leaves(value: Any) -> list[Any]:
    """Return the leaves of a cotangent, which may be None where the primal is no real number."""
    if value is None or isinstance(value, np.ndarray):
        return [value]
    return [leaf for _, child in tree.children(value) for leaf in _leaves(child)]
