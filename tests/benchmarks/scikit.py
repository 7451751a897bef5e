"""The multi-layer perceptrons of scikit-learn: each step is a call of ``partial_fit`` with one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks import jobs
from tests.benchmarks.workload import Arrays

if TYPE_CHECKING:
    from tests.benchmarks.mlp import Spec


class Training:
    """A step as ``partial_fit`` takes it, its checks of the data included; ``loss_`` is then the loss of the batch.

    Its squared error is half the mean, and the gradient that it descends is that of half the *sum* over the outputs: outputs / 2
    times ours.  Adam is blind to the scale of gradients but for its epsilon, which is scaled likewise.  Its Adam adds epsilon to
    the root of the second moment before that is corrected for the beginning, and not after; so each step is given its own.
    """

    def __init__(self, spec: Spec, arrays: Arrays) -> None:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        squared = spec.loss == "squared"
        options: dict[str, Any] = {
            "hidden_layer_sizes": spec.widths[1:-1],
            "activation": spec.activation,
            "alpha": 0.0,
            "batch_size": spec.batch,
            "learning_rate_init": spec.rate,
            "shuffle": False,
            "random_state": 0,
        }
        self.scale, self.arrays = 2 if squared else 1, arrays
        self.epsilon = 1e-8 * spec.widths[-1] / 2 if squared else 1e-8
        self.batches = [(x, t if squared or t.ndim == 1 else t[:, 0].astype(int)) for x, t in jobs.batches(arrays)]
        if squared:
            self.model = MLPRegressor(**options).partial_fit(*self.batches[0])
        else:
            classes = np.arange(2 if spec.loss == "sigmoid" else spec.widths[-1])
            self.model = MLPClassifier(**options).partial_fit(*self.batches[0], classes=classes)

        self.optimizer = self.model._optimizer

    def reset(self) -> None:
        start = jobs.parameters(self.arrays)
        params = [*self.model.coefs_, *self.model.intercepts_]
        for param, array in zip(params, [*start[::2], *start[1::2]], strict=True):
            param[:] = array
        self.optimizer.t, self.model.loss_curve_ = 0, []
        self.optimizer.ms, self.optimizer.vs = ([np.zeros_like(param) for param in params] for _ in range(2))

    def step(self, x: Any, t: Any) -> float:
        self.optimizer.epsilon = self.epsilon * (1 - 0.999 ** (self.optimizer.t + 1)) ** 0.5
        self.model.partial_fit(x, t)
        return self.scale * float(self.model.loss_)
