"""Training and inference as each peer does it best: what the families of workloads share.

Arrays are the initial parameters, in the order of ``fn.tree.leaves``, and batches ``x`` (batches, n, ...) and ``t``.  A family
says what its network is in each library: a layer for funcnn, and for torch and JAX a function of parameters and input.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np

from tests.benchmarks.workload import Arrays, Job

Network = Callable[[list[Any], Any], Any]
Decay = float
"""AdamW's decay of matrices, or 0 for Adam."""
LARGE = 100_000
"""Parameters from which on the optimizer's state is overwritten: below, that is more calling than it saves."""


def parameters(arrays: Arrays) -> list[np.ndarray]:
    """Return the initial parameters."""
    return [array for key, array in arrays.items() if key not in ("x", "t")]


def batches(arrays: Arrays) -> list[tuple[np.ndarray, ...]]:
    """Return the batches: pairs of input and target, or inputs alone."""
    return list(zip(*[arrays[key] for key in ("x", "t") if key in arrays], strict=True))


def initial(model: Any, in_shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Return a funcnn layer's initial parameters in float32: what every peer starts from."""
    import funcnn as fn

    start = model.init(fn.Key(20240), in_shape)
    return {f"p{index}": leaf.astype(np.float32) for index, leaf in enumerate(fn.tree.leaves(start.params))}


# ---------------------------------------------------------------------------------------------------------------- funcnn


def hide_numba() -> None:
    """Have this process do without Numba."""
    sys.modules["numba"] = cast(Any, None)  # as if it were not installed


class FuncnnInference:
    def __init__(self, model: Any, in_shape: tuple[int, ...], arrays: Arrays) -> None:
        import funcnn as fn

        start = model.init(fn.Key(0), in_shape)
        self.initial = fn.tree.rebuild(start.params, iter([fn.tree.freeze(array) for array in parameters(arrays)]))
        self.initial_state = fn.tree.astype(start.state, np.float32)
        del start
        fn.keep_memory()  # not that of the double precision above
        self.predict, self.batches = fn.compiled(model), batches(arrays)

    def reset(self) -> None:
        pass

    def step(self, x: Any) -> Any:
        return self.predict(self.initial, self.initial_state, x)


class FuncnnTraining(FuncnnInference):
    def __init__(self, model: Any, in_shape: tuple[int, ...], loss: Any, optimizer: Any, arrays: Arrays) -> None:
        import funcnn as fn

        super().__init__(model, in_shape, arrays)
        self.model, self.loss, self.optimizer, self.mode = model, loss, optimizer, fn.Train(fn.Key(0))
        large = sum([array.size for array in parameters(arrays)]) >= LARGE
        self.updating = fn.donate_state(optimizer) if large else fn.compiled(optimizer)  # as JAX's buffers are donated
        self.variant = fn.compiled(fn.loss_and_grad(model, loss))
        self.sharded = fn.compiled(fn.loss_and_grad(fn.shard(model), loss))

    def choose(self) -> None:
        self.variant = fastest(self, [self.variant, self.sharded])

    def reset(self) -> None:
        self.params, self.state = self.initial, self.initial_state
        self.slots: Any = None  # not while there are new ones
        self.slots = self.updating.init(self.params)

    def step(self, x: Any, t: Any) -> float:  # type: ignore[override]  # of one kind of batch
        result = self.variant(self.params, self.state, x, t, self.mode)
        updated = self.updating.update(self.params, result.grads, self.slots)
        self.params, self.state, self.slots = updated.params, result.state, updated.state
        return float(result.loss)


# ----------------------------------------------------------------------------------------------------------------- torch


class TorchTraining:
    """``variants`` are ways of giving parameters and inputs to torch, of which the fastest is taken: pairs of functions."""

    def __init__(
        self,
        network: Network,
        loss: Callable[[Any, Any], Any],
        rate: float,
        decay: Decay,
        arrays: Arrays,
        variants: Any = (),
        compiling: bool = False,
    ) -> None:
        import torch

        torch.set_num_threads(2)
        self.torch, self.arrays, self.rate, self.decay = torch, arrays, rate, decay
        self.network, self.loss = compiled(network) if compiling else network, loss
        self.host = [tuple([torch.from_numpy(array) for array in batch]) for batch in batches(arrays)]
        adams = [{"fused": True}, {"foreach": True}, {"foreach": False, "fused": False}]
        self.variants = list(itertools.product(adams, variants or [(same, same)]))
        self.variant = self.variants[0]
        self.reset()

    def choose(self) -> None:
        self.variant = fastest(self, self.variants)

    def reset(self) -> None:
        adam: Any
        adam, (give_params, give_input) = self.variant
        made = give_params([self.torch.tensor(array) for array in parameters(self.arrays)])
        self.params = [array.detach().requires_grad_() for array in made]
        self.batches = [(give_input(x), t) for x, t in self.host]
        if self.decay:
            kinds = [[p for p in self.params if (p.ndim > 1) is matrix] for matrix in (True, False)]
            groups = [{"params": own, "weight_decay": decay} for own, decay in zip(kinds, (self.decay, 0.0), strict=True)]
            self.optimizer: Any = self.torch.optim.AdamW(groups, lr=self.rate, **adam)
        else:
            self.optimizer = self.torch.optim.Adam(self.params, lr=self.rate, **adam)

    def step(self, x: Any, t: Any) -> float:
        loss = self.loss(self.network(self.params, x), t)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return float(loss.item())


class TorchInference:
    def __init__(self, network: Network, arrays: Arrays, compiling: bool = False) -> None:
        import torch

        torch.set_num_threads(2)
        self.network = compiled(network) if compiling else network
        self.params = [torch.tensor(array) for array in parameters(arrays)]
        self.batches = [(torch.from_numpy(x),) for (x,) in batches(arrays)]
        torch.inference_mode().__enter__()  # for the life of the process: entering it costs as much as a layer

    def reset(self) -> None:
        pass

    def step(self, x: Any) -> Any:
        return self.network(self.params, x)


def compiled(network: Network) -> Network:
    """Return the network as torch.compile makes it; without a compiler of C++ this raises."""
    import torch

    made: Network = torch.compile(network)
    return made


def same(value: Any) -> Any:
    """Return what is given."""
    return value


def torch_logits_loss(logits: Any, t: Any) -> Any:
    """Return the cross-entropy of logits (..., classes) and labels (...)."""
    import torch

    return torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), t.reshape(-1))


# ------------------------------------------------------------------------------------------------------------------- JAX


class JaxTraining:
    def __init__(self, network: Network, loss: Callable[[Any, Any], Any], rate: float, decay: Decay, arrays: Arrays) -> None:
        import jax
        import jax.numpy as jnp

        self.jnp, self.arrays = jnp, arrays

        def train(carried: Any, x: Any, t: Any) -> Any:
            value, grads = jax.value_and_grad(lambda params: loss(network(params, x), t))(carried[0])
            return jax_adam(carried, grads, rate, decay), value

        self.train = jax.jit(train, donate_argnums=0)
        host = [tuple([narrow(array) for array in batch]) for batch in batches(arrays)]
        self.variants = [[tuple([jax.device_put(array) for array in batch]) for batch in host], host]
        self.batches = self.variants[0]

    def choose(self) -> None:
        self.batches = fastest(self, self.variants, "batches")

    def reset(self) -> None:
        params = [self.jnp.array(array) for array in parameters(self.arrays)]
        self.carried = (params, *[[self.jnp.zeros_like(p) for p in params] for _ in range(2)], self.jnp.float32(0))

    def step(self, x: Any, t: Any) -> float:
        self.carried, value = self.train(self.carried, x, t)
        return float(value)


class JaxInference:
    def __init__(self, network: Network, arrays: Arrays) -> None:
        import jax

        self.network = jax.jit(network)
        self.params = [jax.device_put(array) for array in parameters(arrays)]
        host = [tuple([narrow(array) for array in batch]) for batch in batches(arrays)]
        self.variants = [[tuple([jax.device_put(array) for array in batch]) for batch in host], host]
        self.batches = self.variants[0]

    def choose(self) -> None:
        self.batches = fastest(self, self.variants, "batches")

    def reset(self) -> None:
        pass

    def step(self, x: Any) -> Any:
        return self.network(self.params, x).block_until_ready()


def jax_adam(carried: Any, grads: Iterable[Any], rate: float, decay: Decay = 0.0) -> Any:
    """Return parameters, moments and count after a step of Adam, or of AdamW that decays matrices."""
    import jax.numpy as jnp

    params, first, second, count = carried
    count = count + 1
    first = [0.9 * m + 0.1 * g for m, g in zip(first, grads, strict=True)]
    second = [0.999 * v + 0.001 * g * g for v, g in zip(second, grads, strict=True)]
    scale, root = 1 / (1 - 0.9**count), 1 / (1 - 0.999**count)
    kept = [p * (1 - rate * decay) if decay and p.ndim > 1 else p for p in params]
    moved = [p - rate * (m * scale) / (jnp.sqrt(v * root) + 1e-8) for p, m, v in zip(kept, first, second, strict=True)]
    return moved, first, second, count


def jax_logits_loss(logits: Any, t: Any) -> Any:
    """Return the cross-entropy of logits (..., classes) and labels (...)."""
    import jax
    import jax.numpy as jnp

    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), t[..., None], axis=-1))


def narrow(array: np.ndarray) -> np.ndarray:
    """Return integers as JAX likes them."""
    return array.astype(np.int32) if array.dtype == np.int64 else array


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
