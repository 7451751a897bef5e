"""Training of a recurrent network that predicts the next character: one-hot characters, an LSTM, a dense layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks import jobs
from tests.benchmarks.workload import Arrays, Job, Workload

RATE = 1e-3


@dataclass(frozen=True)
class Spec:
    """The sizes."""

    vocabulary: int = 65
    hidden: int = 256
    time: int = 64
    batch: int = 32
    batches: int = 4


def training(name: str, what: str, spec: Spec, goal: float, **options: Any) -> Workload:
    """Return the workload that trains the network with Adam."""
    peers = {"funcnn": partial(funcnn_training, spec), "torch": partial(torch_training, spec), "jax": partial(jax_training, spec)}
    return Workload(name, what, partial(make, spec), peers, goal, **options)


def make(spec: Spec) -> dict[str, np.ndarray]:
    """Return parameters, one-hot characters and the characters that follow them."""
    rng = np.random.default_rng(20240)
    text = rng.integers(0, spec.vocabulary, (spec.batches, spec.batch, spec.time + 1))
    x = np.eye(spec.vocabulary, dtype=np.float32)[text[..., :-1]]
    return {**jobs.initial(funcnn_network(spec), (spec.time, spec.vocabulary)), "x": x, "t": text[..., 1:].copy()}


def funcnn_network(spec: Spec) -> Any:
    import funcnn as fn

    return fn.lstm(spec.hidden) >> fn.dense(spec.vocabulary)


def funcnn_training(spec: Spec, arrays: Arrays) -> Job:
    import funcnn as fn

    shape = (spec.time, spec.vocabulary)
    return OneThread(funcnn_network(spec), shape, fn.softmax_cross_entropy(), fn.adam(RATE), arrays)


class OneThread(jobs.FuncnnTraining):
    """Training in which NumPy's own products use one thread each: what runs side by side are parts of the batch.

    A thread of NumPy's that is woken for the small products of the loss goes on waiting for more, on the processor of a part.
    """

    def choose(self) -> None:
        self.variant = self.sharded  # nothing else uses the second processor

    def step(self, x: Any, t: Any) -> float:  # type: ignore[override]  # of one kind of batch
        from funcnn.runtime.blas import one_thread

        with one_thread():
            return super().step(x, t)


def torch_training(spec: Spec, arrays: Arrays) -> Job:
    """Use torch's own LSTM, batch first or time first; its gates stand in the order input, forget, candidate, output."""
    import torch

    order = np.r_[0 : 2 * spec.hidden, 3 * spec.hidden : 4 * spec.hidden, 2 * spec.hidden : 3 * spec.hidden]
    zeros = torch.zeros(1, spec.batch, spec.hidden)
    second = torch.zeros(4 * spec.hidden)  # torch has two biases, of which one is enough

    def give_params(arrays: list[Any]) -> list[Any]:
        inputs, recurrent, bias, weight, last = arrays
        return [inputs.T[order].contiguous(), recurrent.T[order].contiguous(), bias[order], weight.T.contiguous(), last]

    def network(params: list[Any], x: Any) -> Any:
        time_first = x.shape[0] == spec.time
        weights = [params[0], params[1], params[2], second]
        h = torch.lstm(x, (zeros, zeros), weights, True, 1, 0.0, True, False, not time_first)[0]
        y = torch.nn.functional.linear(h, params[3], params[4])
        return y.transpose(0, 1) if time_first else y

    variants = [(give_params, jobs.same), (give_params, lambda x: x.transpose(0, 1).contiguous())]
    return jobs.TorchTraining(network, jobs.torch_logits_loss, RATE, 0.0, arrays, variants)


def jax_training(spec: Spec, arrays: Arrays) -> Job:
    import jax
    import jax.numpy as jnp

    def network(params: list[Any], x: Any) -> Any:
        inputs, recurrent, bias, weight, last = params

        def cell(carried: Any, z: Any) -> Any:
            h, c = carried
            i, f, o, g = jnp.split(z + h @ recurrent, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((x.shape[0], spec.hidden), x.dtype)
        h = jax.lax.scan(cell, (zeros, zeros), (x @ inputs + bias).swapaxes(0, 1))[1]
        return h.swapaxes(0, 1) @ weight + last

    return jobs.JaxTraining(network, jobs.jax_logits_loss, RATE, 0.0, arrays)
