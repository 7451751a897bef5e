"""Training and inference of multi-layer perceptrons, as each peer does it best.

All take the same arrays: ``w0, b0, w1, b1, ...`` and batches ``x`` (batches, n, inputs), ``t`` (batches, n, ...) of targets.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks.workload import Arrays, Job, Workload


@dataclass(frozen=True)
class Spec:
    """A network of dense layers, with one activation between them, its loss and its learning rate."""

    widths: tuple[int, ...]
    activation: str  # tanh, relu
    loss: str  # sigmoid (cross-entropy), softmax (cross-entropy), squared (error)
    batch: int
    rate: float = 1e-3
    batches: int = 8


def training(name: str, what: str, spec: Spec, goal: float, **options: Any) -> Workload:
    """Return the workload that trains the network with Adam."""
    peers = {"funcnn": partial(FuncnnTraining, spec), "torch": partial(TorchTraining, spec), "jax": partial(JaxTraining, spec)}
    return Workload(name, what, partial(make, spec), peers, goal, **options)


def inference(name: str, what: str, spec: Spec, goal: float, **options: Any) -> Workload:
    """Return the workload that computes the network's output."""
    peers = {"funcnn": partial(FuncnnInference, spec), "torch": partial(TorchInference, spec), "jax": partial(JaxInference, spec)}
    return Workload(name, what, partial(make, spec), peers, goal, **options)


def make(spec: Spec) -> dict[str, np.ndarray]:
    """Return parameters (Glorot uniform, zero biases) and random batches."""
    rng = np.random.default_rng(20240)
    arrays = {}
    for index, (inputs, outputs) in enumerate(itertools.pairwise(spec.widths)):
        limit = np.sqrt(6 / (inputs + outputs))
        arrays[f"w{index}"] = rng.uniform(-limit, limit, (inputs, outputs)).astype(np.float32)
        arrays[f"b{index}"] = np.zeros(outputs, np.float32)
    arrays["x"] = rng.normal(size=(spec.batches, spec.batch, spec.widths[0])).astype(np.float32)
    if spec.loss == "softmax":
        arrays["t"] = rng.integers(0, spec.widths[-1], (spec.batches, spec.batch))
    elif spec.loss == "sigmoid":
        arrays["t"] = rng.integers(0, 2, (spec.batches, spec.batch, spec.widths[-1])).astype(np.float32)
    else:
        arrays["t"] = rng.normal(size=(spec.batches, spec.batch, spec.widths[-1])).astype(np.float32)
    return arrays


def parameters(arrays: Arrays) -> list[np.ndarray]:
    """Return ``w0, b0, w1, b1, ...``."""
    depth = sum(key.startswith("w") for key in arrays)
    return [arrays[f"{kind}{index}"] for index in range(depth) for kind in "wb"]


# ---------------------------------------------------------------------------------------------------------------- funcnn


def funcnn_network(spec: Spec, arrays: Arrays) -> tuple[Any, Any, Any]:
    import funcnn as fn

    fn.keep_memory()
    activation = {"tanh": fn.tanh, "relu": fn.relu}[spec.activation]
    model = fn.dense(spec.widths[1])
    for width in spec.widths[2:]:
        model = model >> activation() >> fn.dense(width)
    start = model.init(fn.Key(0), spec.widths[:1])
    return model, fn.tree.rebuild(start.params, iter([fn.tree.freeze(array.copy()) for array in parameters(arrays)])), start.state


class FuncnnTraining:
    def __init__(self, spec: Spec, arrays: Arrays) -> None:
        import funcnn as fn

        self.model, self.initial, self.initial_state = funcnn_network(spec, arrays)
        losses = {"sigmoid": fn.sigmoid_cross_entropy, "softmax": fn.softmax_cross_entropy, "squared": fn.mean_squared_error}
        self.loss_and_grad = fn.loss_and_grad(self.model, losses[spec.loss]())
        self.optimizer = fn.adam(spec.rate)
        self.mode = fn.Train(fn.Key(0))
        self.batches = list(zip(arrays["x"], arrays["t"], strict=True))

    def reset(self) -> None:
        self.params, self.state = self.initial, self.initial_state
        self.slots = self.optimizer.init(self.params)

    def step(self, x: Any, t: Any) -> float:
        result = self.loss_and_grad(self.params, self.state, x, t, self.mode)
        updated = self.optimizer.update(self.params, result.grads, self.slots)
        self.params, self.state, self.slots = updated.params, result.state, updated.state
        return float(result.loss)


class FuncnnInference:
    def __init__(self, spec: Spec, arrays: Arrays) -> None:
        import funcnn as fn

        self.model, self.params, self.state = funcnn_network(spec, arrays)
        self.apply = fn.apply
        self.batches = [(x,) for x in arrays["x"]]

    def reset(self) -> None:
        pass

    def step(self, x: Any) -> Any:
        return self.apply(self.model, self.params, self.state, x)


# ----------------------------------------------------------------------------------------------------------------- torch


def torch_network(spec: Spec) -> Callable[[list[Any], Any], Any]:
    import torch

    torch.set_num_threads(2)
    addmm, activation = torch.addmm, {"tanh": torch.tanh, "relu": torch.relu}[spec.activation]

    def network(params: list[Any], x: Any) -> Any:
        for index in range(0, len(params) - 2, 2):
            x = activation(addmm(params[index + 1], x, params[index]))
        return addmm(params[-1], x, params[-2])

    return network


class TorchTraining:
    def __init__(self, spec: Spec, arrays: Arrays) -> None:
        import torch

        self.torch, self.arrays, self.rate, self.network = torch, arrays, spec.rate, torch_network(spec)
        functional = torch.nn.functional
        self.loss = {
            "sigmoid": functional.binary_cross_entropy_with_logits,
            "softmax": functional.cross_entropy,
            "squared": functional.mse_loss,
        }[spec.loss]
        self.batches = [(torch.from_numpy(x), torch.from_numpy(t)) for x, t in zip(arrays["x"], arrays["t"], strict=True)]
        self.variant = fastest(self, [{"fused": True}, {"foreach": True}, {"foreach": False, "fused": False}])

    def reset(self) -> None:
        self.params = [self.torch.tensor(array, requires_grad=True) for array in parameters(self.arrays)]
        self.optimizer = self.torch.optim.Adam(self.params, lr=self.rate, **self.variant)

    def step(self, x: Any, t: Any) -> float:
        loss = self.loss(self.network(self.params, x), t)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return float(loss.item())


class TorchInference:
    def __init__(self, spec: Spec, arrays: Arrays) -> None:
        import torch

        self.network = torch_network(spec)
        self.params = [torch.tensor(array) for array in parameters(arrays)]
        self.batches = [(torch.from_numpy(x),) for x in arrays["x"]]
        torch.inference_mode().__enter__()  # for the life of the process: entering it costs as much as a layer

    def reset(self) -> None:
        pass

    def step(self, x: Any) -> Any:
        return self.network(self.params, x)


# ------------------------------------------------------------------------------------------------------------------- JAX


def jax_network(spec: Spec) -> Callable[[list[Any], Any], Any]:
    import jax
    import jax.numpy as jnp

    activation = {"tanh": jnp.tanh, "relu": jax.nn.relu}[spec.activation]

    def network(params: list[Any], x: Any) -> Any:
        for index in range(0, len(params) - 2, 2):
            x = activation(x @ params[index] + params[index + 1])
        return x @ params[-2] + params[-1]

    return network


class JaxTraining:
    def __init__(self, spec: Spec, arrays: Arrays) -> None:
        import jax
        import jax.numpy as jnp

        self.jnp, self.arrays, network = jnp, arrays, jax_network(spec)

        def softmax_cross_entropy(z: Any, t: Any) -> Any:
            return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), t[:, None], axis=1))

        def sigmoid_cross_entropy(z: Any, t: Any) -> Any:
            return jnp.mean(jnp.maximum(z, 0) - z * t + jnp.log1p(jnp.exp(-jnp.abs(z))))

        def squared_error(z: Any, t: Any) -> Any:
            return jnp.mean(jnp.square(z - t))

        loss = {"sigmoid": sigmoid_cross_entropy, "softmax": softmax_cross_entropy, "squared": squared_error}[spec.loss]

        def train(carried: Any, x: Any, t: Any) -> Any:
            params, first, second, count = carried
            value, grads = jax.value_and_grad(lambda params: loss(network(params, x), t))(params)
            count = count + 1
            first = [0.9 * m + 0.1 * g for m, g in zip(first, grads, strict=True)]
            second = [0.999 * v + 0.001 * g * g for v, g in zip(second, grads, strict=True)]
            scale, root = 1 / (1 - 0.9**count), 1 / (1 - 0.999**count)
            params = [
                p - spec.rate * (m * scale) / (jnp.sqrt(v * root) + 1e-8) for p, m, v in zip(params, first, second, strict=True)
            ]
            return (params, first, second, count), value

        self.train = jax.jit(train, donate_argnums=0)
        host = [(x, t.astype(np.int32) if t.dtype == np.int64 else t) for x, t in zip(arrays["x"], arrays["t"], strict=True)]
        device = [(jax.device_put(x), jax.device_put(t)) for x, t in host]
        self.batches = fastest(self, [device, host], "batches")

    def reset(self) -> None:
        jnp = self.jnp
        params = [jnp.array(array) for array in parameters(self.arrays)]
        zeros = [[jnp.zeros_like(p) for p in params] for _ in range(2)]
        self.carried = (params, *zeros, jnp.float32(0))

    def step(self, x: Any, t: Any) -> float:
        self.carried, value = self.train(self.carried, x, t)
        return float(value)


class JaxInference:
    def __init__(self, spec: Spec, arrays: Arrays) -> None:
        import jax

        self.network = jax.jit(jax_network(spec))
        self.params = [jax.device_put(array) for array in parameters(arrays)]
        host = [(x,) for x in arrays["x"]]
        self.batches = fastest(self, [[(jax.device_put(x),) for x in arrays["x"]], host], "batches")

    def reset(self) -> None:
        pass

    def step(self, x: Any) -> Any:
        return self.network(self.params, x).block_until_ready()


def fastest(job: Job, variants: list[Any], attribute: str = "variant") -> Any:
    """Return the variant with which the job's steps are fastest: the best of a few short runs each."""
    best = []
    for variant in variants:
        setattr(job, attribute, variant)
        job.reset()
        times: list[float] = []
        begin = time.perf_counter()
        while len(times) < 3 or (time.perf_counter() - begin < 0.3 and len(times) < 500):
            start = time.perf_counter()
            job.step(*job.batches[len(times) % len(job.batches)])
            times.append(time.perf_counter() - start)
        best.append(float(np.median(times[1:])))
    return variants[int(np.argmin(best))]
