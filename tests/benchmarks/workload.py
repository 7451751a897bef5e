"""What a workload is, and how its file is found."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Arrays = Mapping[str, np.ndarray]
Peers = Mapping[str, Callable[[Arrays], "Job"]]
YARDSTICKS = ("numpy by hand", "funcnn without Numba")
"""What is measured beside the peers and is none of them: no ratio is taken to it."""


class Job(Protocol):
    """A workload as one peer runs it."""

    @property
    def batches(self) -> Sequence[tuple[Any, ...]]:
        """The batches in the peer's own arrays; the steps go round them."""

    def reset(self) -> None:
        """Go back to the initial parameters."""

    def step(self, *batch: Any) -> Any:
        """Take one step, and return its loss as a float (or the output, for inference) once it is computed."""


@dataclass(frozen=True)
class Workload:
    """What one file of ``workloads/`` declares as ``WORKLOAD``.

    ``make`` gives the initial parameters and the data, and each peer makes a :class:`Job` of them.
    """

    name: str
    what: str
    make: Callable[[], dict[str, np.ndarray]]
    peers: Peers
    goal: float
    """The ratio of funcnn to the best peer that is to be reached."""
    compared: int = 20
    """How many steps are compared before the clock starts."""
    tolerance: float = 1e-4
    """How far they may differ, relative to the larger one: every library rounds differently, and training amplifies it."""


def names() -> list[str]:
    """Return the names of all workloads."""
    from tests.benchmarks import workloads

    return [module.name.replace("_", "-") for module in pkgutil.iter_modules(workloads.__path__)]


def find(name: str) -> Workload:
    """Return the workload of a name, or of a point of the second table, such as ``batch=64``."""
    if "=" in name:
        from tests.benchmarks import growth

        return growth.find(name)
    found: Workload = importlib.import_module(f"tests.benchmarks.workloads.{name.replace('-', '_')}").WORKLOAD
    return found
