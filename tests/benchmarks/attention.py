"""One layer of causal self-attention over a long sequence: its output and all its gradients, for a given cotangent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks import jobs
from tests.benchmarks.workload import Arrays, Peers, Workload


@dataclass(frozen=True)
class Spec:
    """The sizes."""

    time: int
    features: int = 256
    heads: int = 4
    batch: int = 1


def gradients(name: str, what: str, spec: Spec, goal: float, **options: Any) -> Workload:
    """Return the workload that computes output and gradients."""
    peers: Peers = {
        "funcnn": partial(FuncnnPullback, spec),
        "torch": partial(TorchPullback, spec),
        "jax": partial(JaxPullback, spec),
    }
    return Workload(name, what, partial(make, spec), peers, goal, compared=1, **options)


def make(spec: Spec) -> dict[str, np.ndarray]:
    """Return parameters, an input and a cotangent of the output."""
    import funcnn as fn

    rng = np.random.default_rng(20240)
    shape = (1, spec.batch, spec.time, spec.features)
    data = {key: rng.normal(size=shape).astype(np.float32) for key in "xt"}
    return {**jobs.initial(fn.attention(spec.heads, causal=True), shape[2:]), **data}


def probe(arrays: Any) -> np.ndarray:
    """Return a few numbers of each array, each array as large as the others, to be compared."""
    picked = [np.asarray(array).reshape(-1)[::97] for array in arrays]
    return np.concatenate([array / np.abs(array).max() for array in picked])


class FuncnnPullback:
    def __init__(self, spec: Spec, arrays: Arrays) -> None:
        import funcnn as fn

        fn.keep_memory()
        self.layer, self.mode, self.leaves = fn.attention(spec.heads, causal=True), fn.Eval(), fn.tree.leaves
        start = self.layer.init(fn.Key(0), (spec.time, spec.features))
        self.params = fn.tree.rebuild(start.params, iter([fn.tree.freeze(one.copy()) for one in jobs.parameters(arrays)]))
        self.batches = jobs.batches(arrays)

    def reset(self) -> None:
        pass

    def step(self, x: Any, t: Any) -> Any:
        made = self.layer.forward(self.params, (), x, self.mode)
        return made.output, self.layer.backward(self.params, made.residuals, t)

    def compare(self, x: Any, t: Any) -> Any:
        output, pulled = self.step(x, t)
        # the bias of the keys changes nothing, so that its gradient is nothing but rounding: it is left out
        project, *rest = self.leaves(pulled.params)
        return probe([output, pulled.input, project, *rest[1:]])


class TorchPullback:
    def __init__(self, spec: Spec, arrays: Arrays) -> None:
        import torch

        torch.set_num_threads(2)
        self.torch, self.spec, self.function = torch, spec, torch.nn.functional.scaled_dot_product_attention
        self.params = [torch.tensor(array, requires_grad=True) for array in jobs.parameters(arrays)]
        self.batches = [(torch.tensor(x, requires_grad=True), torch.tensor(t)) for x, t in jobs.batches(arrays)]

    def reset(self) -> None:
        pass

    def step(self, x: Any, t: Any) -> Any:
        y = torch_attention(self.spec.heads, self.params, x)
        return y, self.torch.autograd.grad(y, (x, *self.params), t)

    def compare(self, x: Any, t: Any) -> Any:
        y, (dx, project, _, *rest) = self.step(x, t)
        return probe([one.detach().numpy() for one in (y, dx, project, *rest)])


def torch_attention(heads: int, params: Any, x: Any) -> Any:
    """Return causal self-attention by torch's own kernel."""
    import torch

    project, bias, output, last = params
    n, time, features = x.shape
    q, k, v = (torch.addmm(bias, x.reshape(-1, features), project)).reshape(n, time, 3, heads, -1).permute(2, 0, 3, 1, 4)
    y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    return torch.addmm(last, y.transpose(1, 2).reshape(-1, features), output).reshape(n, time, features)


class JaxPullback:
    def __init__(self, spec: Spec, arrays: Arrays) -> None:
        import jax

        def pull(params: Any, x: Any, t: Any) -> Any:
            y, back = jax.vjp(lambda params, x: jax_attention(spec.heads, params, x), params, x)
            return y, back(t)

        self.pull = jax.jit(pull)
        self.ready: Any = jax.block_until_ready
        self.params = [jax.device_put(array) for array in jobs.parameters(arrays)]
        self.batches = [tuple([jax.device_put(array) for array in batch]) for batch in jobs.batches(arrays)]

    def reset(self) -> None:
        pass

    def step(self, x: Any, t: Any) -> Any:
        return self.ready(self.pull(self.params, x, t))

    def compare(self, x: Any, t: Any) -> Any:
        y, ((project, _, *rest), dx) = self.step(x, t)
        return probe([y, dx, project, *rest])


def jax_attention(heads: int, params: Any, x: Any) -> Any:
    """Return causal self-attention by JAX's own function."""
    import jax

    project, bias, output, last = params
    n, time, features = x.shape
    q, k, v = ((x @ project + bias).reshape(n, time, 3, heads, -1)).transpose(2, 0, 1, 3, 4)
    return jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(n, time, features) @ output + last
