"""What a case of a layer or of a loss says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from attrs import evolve, frozen

import funcnn as fn
from funcnn.certificate.cases.draws import normal
from funcnn.check.verify import Method
from funcnn.layer import AnyLayer, Forward, Mode
from funcnn.typing import Shape


@frozen
class LayerCase:
    """How one setting of a layer is tested.

    ``independent`` says that each example of a batch is treated alone (not so for batch statistics); ``inputs`` draws
    x; ``smooth`` says that they are not at a kink, where a complex step takes one side.  A case that is large is checked by
    the method "screen", along random directions.

    ``surrogate`` makes, where backward is on purpose not the derivative of forward, the layer whose derivative it is instead: the
    gradient is held to that one as strictly as any other to its own forward.
    """

    make: Callable[[], AnyLayer]
    shape: Any  # of one example; a tuple of shapes where the layer takes several inputs
    batch: int = 3
    inputs: Callable[[np.random.Generator, Shape], Any] = normal
    independent: bool = True
    smooth: bool = True
    label: str = ""
    method: Method = "auto"
    surrogate: Callable[[], AnyLayer] | None = None

    def x(self, batch: int | None = None, seed: int = 0) -> Any:
        """Draw a batch of inputs."""
        return self.inputs(np.random.default_rng([seed, 1]), (self.batch if batch is None else batch, *self.shape))

    def promised(self) -> AnyLayer:
        """Return the layer whose gradient is to be proved: it gives what the surrogate gives, if there is one."""
        layer = self.make()
        if self.surrogate is None:
            return layer
        return evolve(layer, forward=partial(_with_output_of, self.surrogate(), layer.forward))


def _with_output_of(
    surrogate: AnyLayer, forward: Callable[..., Any], params: Any, state: Any, x: Any, mode: Mode
) -> Forward[Any, Any, Any]:
    """Return what a layer's forward gives, but for the output, which is the surrogate's."""
    return evolve(forward(params, state, x, mode), output=surrogate.forward(params, state, x, mode).output)


@frozen
class LossCase:
    """How one setting of a loss is tested: ``draw`` gives (prediction, target) for a generator and a batch size."""

    make: Callable[[], fn.Loss[Any, Any]]
    draw: Callable[[np.random.Generator, int], tuple[Any, Any]]
    batch: int = 3
    label: str = ""


@frozen
class PenaltyCase:
    """How one setting of a penalty is tested: on the parameters of a small network."""

    make: Callable[[], fn.Penalty]
    label: str = ""

    def params(self) -> Any:
        """Draw parameters, none of them 0."""
        generator = np.random.default_rng(2)
        return {name: (generator.normal(size=(3, 4)), generator.normal(size=4)) for name in ("weight", "bias")}
