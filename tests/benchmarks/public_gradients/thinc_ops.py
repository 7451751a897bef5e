"""thinc: activations with their backpropagation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.benchmarks.public_gradients.case import Case, elementwise


def thinc_cases(rng: np.random.Generator) -> Iterator[Case]:
    from thinc.api import NumpyOps

    ops = NumpyOps()
    x = rng.normal(size=6) * 1.5

    def of(name: str, forward: Callable[..., Any], backward: Callable[..., Any]) -> Case:
        return elementwise(f"ops.{name}", forward, backward, x.copy())

    for name in ("relu", "sigmoid", "tanh", "mish", "swish", "gelu", "relu_k", "hard_sigmoid", "hard_tanh", "hard_swish"):
        forward, backward = getattr(ops, name, None), getattr(ops, f"backprop_{name}", None)
        if forward is None or backward is None:
            continue

        def row(v: Any, forward: Any = forward) -> Any:
            return forward(v[None].copy())[0]

        def rows(v: Any, forward: Any = forward, backward: Any = backward, name: str = name) -> Any:
            dy, given = np.ones((1, v.size)), v[None].copy()
            y = forward(given.copy())
            takes_output = name in ("relu", "sigmoid", "tanh")
            arguments = (dy, y) if takes_output else (dy, given, y) if name == "swish" else (dy, given)
            return backward(*arguments)[0]

        yield of(name, row, rows)
