"""Training and inference of a generative Transformer over characters, in the shape of nanoGPT's setting for a CPU."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks import jobs
from tests.benchmarks.attention import jax_attention, torch_attention
from tests.benchmarks.workload import Arrays, Job, Peers, Workload

RATE, DECAY = 1e-3, 0.1


@dataclass(frozen=True)
class Spec:
    """The sizes."""

    vocabulary: int = 65
    layers: int = 4
    heads: int = 4
    features: int = 128
    time: int = 64
    batch: int = 12
    batches: int = 4


def training(name: str, what: str, spec: Spec, goal: float, **options: Any) -> Workload:
    """Return the workload that trains the network with AdamW, which decays matrices."""
    peers: Peers = {
        "funcnn": partial(funcnn_training, spec),
        "torch": partial(torch_training, spec, False),
        "torch.compile": partial(torch_training, spec, True),
        "jax": partial(jax_training, spec),
        "funcnn without Numba": partial(funcnn_without_numba, spec),
    }
    return Workload(name, what, partial(make, spec, True), peers, goal, **options)


def inference(name: str, what: str, spec: Spec, goal: float, **options: Any) -> Workload:
    """Return the workload that computes the logits."""
    peers: Peers = {
        "funcnn": lambda arrays: FuncnnInference(funcnn_network(spec), (spec.time,), arrays),
        "torch": lambda arrays: jobs.TorchInference(partial(torch_network, spec), arrays),
        "torch.compile": lambda arrays: jobs.TorchInference(partial(torch_network, spec), arrays, compiling=True),
        "jax": lambda arrays: jobs.JaxInference(partial(jax_network, spec), arrays),
    }
    return Workload(name, what, partial(make, spec, False), peers, goal, **options)


def make(spec: Spec, targets: bool) -> dict[str, np.ndarray]:
    """Return parameters, characters and the characters that follow them."""
    rng = np.random.default_rng(20240)
    text = rng.integers(0, spec.vocabulary, (spec.batches, spec.batch, spec.time + 1))
    arrays = {**jobs.initial(funcnn_network(spec), (spec.time,)), "x": text[..., :-1].copy()}
    return {**arrays, "t": text[..., 1:].copy()} if targets else arrays


def funcnn_network(spec: Spec) -> Any:
    import funcnn as fn

    return fn.gpt(spec.vocabulary, layers=spec.layers, heads=spec.heads, features=spec.features, context_length=spec.time)


class FuncnnInference(jobs.FuncnnInference):
    """Inference in which a product uses one of NumPy's threads or two, whichever is faster: for small ones it is one."""

    alone = False

    def choose(self) -> None:
        self.alone = jobs.fastest(self, [False, True], "alone")

    def step(self, x: Any) -> Any:
        from funcnn.runtime.blas import one_thread

        with one_thread() if self.alone else nullcontext():
            return super().step(x)


def funcnn_training(spec: Spec, arrays: Arrays) -> Job:
    import funcnn as fn

    optimizer = fn.adamw(RATE, weight_decay=DECAY, where=fn.is_matrix)
    return jobs.FuncnnTraining(funcnn_network(spec), (spec.time,), fn.softmax_cross_entropy(), optimizer, arrays)


def torch_network(spec: Spec, params: list[Any], x: Any) -> Any:
    """Return the logits; each block has twelve arrays, and the weights of matrices stand as (inputs, outputs)."""
    from torch.nn import functional

    table, positions, *blocks, scale, shift = params
    h = functional.embedding(x, table) + positions
    for index in range(spec.layers):
        first, project, second, feed = (blocks[12 * index + low : 12 * index + high] for low, high in PARTS)
        h = h + torch_attention(spec.heads, project, functional.layer_norm(h, (spec.features,), *first))
        z = functional.linear(functional.layer_norm(h, (spec.features,), *second), feed[0].T, feed[1])
        h = h + functional.linear(functional.gelu(z, approximate="tanh"), feed[2].T, feed[3])
    return functional.linear(functional.layer_norm(h, (spec.features,), scale, shift), table)


PARTS = (0, 2), (2, 6), (6, 8), (8, 12)
"""Where the arrays of a block's parts stand: normalization, attention, normalization, dense layers."""


def funcnn_without_numba(spec: Spec, arrays: Arrays) -> Job:
    jobs.hide_numba()
    return funcnn_training(spec, arrays)


def torch_training(spec: Spec, compiling: bool, arrays: Arrays) -> Job:
    network = partial(torch_network, spec)
    return jobs.TorchTraining(network, jobs.torch_logits_loss, RATE, DECAY, arrays, compiling=compiling)


def jax_network(spec: Spec, params: list[Any], x: Any) -> Any:
    """Return the logits."""
    import jax

    def normalized(h: Any, scale: Any, shift: Any) -> Any:
        mean = h.mean(-1, keepdims=True)
        return (h - mean) * jax.lax.rsqrt(h.var(-1, keepdims=True) + 1e-5) * scale + shift

    table, positions, *blocks, scale, shift = params
    h = table[x] + positions
    for index in range(spec.layers):
        first, project, second, feed = (blocks[12 * index + low : 12 * index + high] for low, high in PARTS)
        h = h + jax_attention(spec.heads, project, normalized(h, *first))
        z = normalized(h, *second) @ feed[0] + feed[1]
        h = h + jax.nn.gelu(z, approximate=True) @ feed[2] + feed[3]
    return normalized(h, scale, shift) @ table.T


def jax_training(spec: Spec, arrays: Arrays) -> Job:
    return jobs.JaxTraining(partial(jax_network, spec), jobs.jax_logits_loss, RATE, DECAY, arrays)
