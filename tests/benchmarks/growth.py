"""How the cost of a step grows with the size of one thing: workloads that are named like ``batch=64``.

All but one are networks of dense layers with relu and cross-entropy, trained by Adam; the length of a sequence is that of causal
attention and its gradients.
"""

from __future__ import annotations

from tests.benchmarks import attention, mlp
from tests.benchmarks.workload import Workload

AXES = {
    "batch": ("256-256-256-10, by batch", (1, 8, 64, 512, 4096)),
    "width": ("w-w-w-10, batch 64, by width w", (64, 256, 1024, 4096)),
    "T": ("attention of 4 heads, 256 features, batch 1, by the number of steps", (64, 256, 1024, 4096)),
    "depth": ("64 wide, batch 64, by the number of dense layers", (2, 8, 32, 64)),
    "parameters": (
        "three layers of equal width, batch 32, by the number of parameters",
        (10**3, 10**4, 10**5, 10**6, 10**7, 10**8),
    ),
}
"""What each axis varies, and its values."""


def names() -> list[str]:
    """Return the names of all points."""
    return [f"{axis}={value}" for axis, (_, values) in AXES.items() for value in values]


def find(name: str) -> Workload:
    """Return the workload of a point."""
    axis, text = name.split("=")
    size = int(text)
    if axis == "T":
        return attention.gradients(name, name, attention.Spec(size), goal=1.0, tolerance=1e-3)
    widths, batch = {
        "batch": ((256, 256, 256, 10), size),
        "width": ((size, size, size, 10), 64),
        "depth": ((64,) * size + (10,), 64),
        "parameters": ((round((size / 3) ** 0.5),) * 4, 32),
    }[axis]
    # the few steps that are compared take the networks of many layers, or many parameters, where rounding is amplified
    return mlp.training(name, name, mlp.Spec(widths, "relu", "softmax", batch, batches=2), goal=1.0, compared=2, tolerance=1e-3)
