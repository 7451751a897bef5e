"""Training and inference of multi-layer perceptrons."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks import by_hand, jobs, scikit
from tests.benchmarks.workload import Arrays, Job, Peers, Workload


@dataclass(frozen=True)
class Spec:
    """A network of dense layers, with one activation between them, its loss and its learning rate."""

    widths: tuple[int, ...]
    activation: str  # tanh, relu
    loss: str  # sigmoid (cross-entropy), softmax (cross-entropy), squared (error)
    batch: int
    rate: float = 1e-3
    batches: int = 8


def training(name: str, what: str, spec: Spec, goal: float, beside: Sequence[str] = (), **options: Any) -> Workload:
    """Return the workload that trains the network with Adam; ``beside`` torch and JAX stand scikit-learn or a yardstick."""
    more: Peers = {
        "scikit-learn": partial(scikit.Training, spec),
        "numpy by hand": partial(by_hand.Training, spec.widths, spec.batch, spec.activation, spec.loss),
        "funcnn without Numba": partial(funcnn_without_numba, spec),
    }
    peers: Peers = {
        "funcnn": partial(funcnn_training, spec),
        "torch": partial(torch_training, spec),
        "jax": partial(jax_training, spec),
        **{peer: more[peer] for peer in beside},
    }
    return Workload(name, what, partial(make, spec, True), peers, goal, **options)


def inference(name: str, what: str, spec: Spec, goal: float, **options: Any) -> Workload:
    """Return the workload that computes the network's output."""
    peers: Peers = {
        "funcnn": lambda arrays: jobs.FuncnnInference(funcnn_network(spec), spec.widths[:1], arrays),
        "torch": lambda arrays: jobs.TorchInference(torch_network(spec), arrays),
        "jax": lambda arrays: jobs.JaxInference(jax_network(spec), arrays),
        "numpy by hand": partial(by_hand.Inference, spec.widths, spec.batch, spec.activation),
    }
    return Workload(name, what, partial(make, spec, False), peers, goal, **options)


def make(spec: Spec, targets: bool) -> dict[str, np.ndarray]:
    """Return parameters (Glorot uniform, zero biases) ``w0, b0, w1, b1, ...`` and random batches."""
    rng = np.random.default_rng(20240)
    arrays: dict[str, np.ndarray] = {}
    for index, (inputs, outputs) in enumerate(itertools.pairwise(spec.widths)):
        limit = np.sqrt(6 / (inputs + outputs))
        arrays[f"w{index}"] = rng.uniform(-limit, limit, (inputs, outputs)).astype(np.float32)
        arrays[f"b{index}"] = np.zeros(outputs, np.float32)
    arrays["x"] = rng.normal(size=(spec.batches, spec.batch, spec.widths[0])).astype(np.float32)
    if not targets:
        return arrays
    if spec.loss == "softmax":
        arrays["t"] = rng.integers(0, spec.widths[-1], (spec.batches, spec.batch))
    elif spec.loss == "sigmoid":
        arrays["t"] = rng.integers(0, 2, (spec.batches, spec.batch, spec.widths[-1])).astype(np.float32)
    else:
        arrays["t"] = rng.normal(size=(spec.batches, spec.batch, spec.widths[-1])).astype(np.float32)
    return arrays


def funcnn_network(spec: Spec) -> Any:
    import funcnn as fn

    activation: Any = {"tanh": fn.tanh, "relu": fn.relu}[spec.activation]
    model: Any = fn.dense(spec.widths[1])
    for width in spec.widths[2:]:
        model = model >> activation() >> fn.dense(width)
    return model


def funcnn_training(spec: Spec, arrays: Arrays) -> Job:
    import funcnn as fn

    losses: Any = {"sigmoid": fn.sigmoid_cross_entropy, "softmax": fn.softmax_cross_entropy, "squared": fn.mean_squared_error}
    return jobs.FuncnnTraining(funcnn_network(spec), spec.widths[:1], losses[spec.loss](), fn.adam(spec.rate), arrays)


def funcnn_without_numba(spec: Spec, arrays: Arrays) -> Job:
    jobs.hide_numba()
    return funcnn_training(spec, arrays)


def torch_network(spec: Spec) -> jobs.Network:
    import torch

    addmm, activation = torch.addmm, {"tanh": torch.tanh, "relu": torch.relu}[spec.activation]

    def network(params: list[Any], x: Any) -> Any:
        for index in range(0, len(params) - 2, 2):
            x = activation(addmm(params[index + 1], x, params[index]))
        return addmm(params[-1], x, params[-2])

    return network


def torch_training(spec: Spec, arrays: Arrays) -> Job:
    from torch.nn import functional

    losses: dict[str, Any] = {
        "sigmoid": functional.binary_cross_entropy_with_logits,
        "softmax": functional.cross_entropy,
        "squared": functional.mse_loss,
    }
    return jobs.TorchTraining(torch_network(spec), losses[spec.loss], spec.rate, 0.0, arrays)


def jax_network(spec: Spec) -> jobs.Network:
    import jax
    import jax.numpy as jnp

    activation = {"tanh": jnp.tanh, "relu": jax.nn.relu}[spec.activation]

    def network(params: list[Any], x: Any) -> Any:
        for index in range(0, len(params) - 2, 2):
            x = activation(x @ params[index] + params[index + 1])
        return x @ params[-2] + params[-1]

    return network


def jax_training(spec: Spec, arrays: Arrays) -> Job:
    import jax.numpy as jnp

    def sigmoid_cross_entropy(z: Any, t: Any) -> Any:
        return jnp.mean(jnp.maximum(z, 0) - z * t + jnp.log1p(jnp.exp(-jnp.abs(z))))

    def squared_error(z: Any, t: Any) -> Any:
        return jnp.mean(jnp.square(z - t))

    losses = {"sigmoid": sigmoid_cross_entropy, "softmax": jobs.jax_logits_loss, "squared": squared_error}
    return jobs.JaxTraining(jax_network(spec), losses[spec.loss], spec.rate, 0.0, arrays)
