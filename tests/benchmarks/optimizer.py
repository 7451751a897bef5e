"""Steps of Adam alone, on many parameters and given gradients."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks import jobs
from tests.benchmarks.workload import Arrays, Workload


def adam(name: str, what: str, leaves: int, shape: tuple[int, ...], goal: float, compiled: bool, **options: Any) -> Workload:
    """Return the workload that updates leaves of one shape; compiled or not is a matter of our own row alone."""
    peers: dict[str, Any] = {"funcnn": FuncnnAdam if compiled else PlainAdam, "torch": TorchAdam, "jax": JaxAdam}
    return Workload(name, what, partial(make, leaves, shape), peers, goal, **options)


def make(leaves: int, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Return parameters p... and gradients g...."""
    rng = np.random.default_rng(20240)
    return {f"{kind}{index}": rng.normal(size=shape).astype(np.float32) for kind in "pg" for index in range(leaves)}


def divided(arrays: Arrays) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return parameters and gradients."""
    return [arrays[key] for key in arrays if key[0] == "p"], [arrays[key] for key in arrays if key[0] == "g"]


class FuncnnAdam:
    batches = ((),)

    def __init__(self, arrays: Arrays) -> None:
        import funcnn as fn

        fn.keep_memory()
        self.optimizer = fn.donate_state(fn.adam(1e-3))  # as torch works in place, and JAX's buffers are donated
        self.initial, self.grads = (fn.tree.freeze(tuple(part)) for part in divided(arrays))

    def reset(self) -> None:
        self.params = self.initial
        self.slots: Any = None  # no old ones while there are new ones
        self.slots = self.optimizer.init(self.initial)

    def step(self) -> float:
        updated = self.optimizer.update(self.params, self.grads, self.slots)
        self.params, self.slots = updated.params, updated.state
        return float(self.params[0][0, 0])


class PlainAdam(FuncnnAdam):
    def __init__(self, arrays: Arrays) -> None:
        jobs.hide_numba()
        super().__init__(arrays)


class TorchAdam:
    batches = ((),)

    def __init__(self, arrays: Arrays) -> None:
        import torch

        torch.set_num_threads(2)
        self.torch, self.arrays = torch, arrays
        self.variant = jobs.fastest(self, [{"fused": True}, {"foreach": True}, {"foreach": False, "fused": False}])

    def reset(self) -> None:
        params, grads = divided(self.arrays)
        self.params = [self.torch.tensor(array, requires_grad=True) for array in params]
        for param, grad in zip(self.params, grads, strict=True):
            param.grad = self.torch.from_numpy(grad)
        self.optimizer = self.torch.optim.Adam(self.params, lr=1e-3, **self.variant)

    def step(self) -> float:
        self.optimizer.step()
        return float(self.params[0][0, 0])


class JaxAdam:
    batches = ((),)

    def __init__(self, arrays: Arrays) -> None:
        import jax
        import jax.numpy as jnp

        self.jnp, self.arrays = jnp, arrays
        self.grads = [jax.device_put(array) for array in divided(arrays)[1]]

        def update(carried: Any, grads: Any) -> Any:
            carried = jobs.jax_adam(carried, grads, 1e-3)
            return carried, carried[0][0][0, 0]

        self.update = jax.jit(update, donate_argnums=0)

    def reset(self) -> None:
        params = [self.jnp.array(array) for array in divided(self.arrays)[0]]
        self.carried = (params, *[[self.jnp.zeros_like(p) for p in params] for _ in range(2)], self.jnp.float32(0))

    def step(self) -> float:
        self.carried, value = self.update(self.carried, self.grads)
        return float(value)
