"""A task that needs memory: say at the end of a sequence which symbol stood at its beginning.

The gated units start with biases that let them remember (Jozefowicz et al. 2015; Tallec & Ollivier 2018).
"""

from typing import Any

import numpy as np

import funcnn as fn

LENGTH, SYMBOLS = 60, 4


def draw(key: fn.Key, count: int) -> tuple[Any, Any]:
    """Return sequences of noise whose first step shows a symbol, and the symbols."""
    generator = key.generator()
    labels = generator.integers(SYMBOLS, size=count)
    x = 0.5 * generator.normal(size=(count, LENGTH, SYMBOLS))
    x[np.arange(count), 0, labels] += 3.0
    return x.astype(np.float32), labels


def main() -> dict[str, float]:
    x, labels = draw(fn.Key(1), 1000)
    x_test, labels_test = draw(fn.Key(2), 500)
    accuracies = {}
    for name, layer in (("rnn", fn.rnn(16)), ("lstm", fn.lstm(16, forget_bias=3.0)), ("gru", fn.gru(16, update_bias=3.0))):
        model: Any = fn.serial(layer, fn.last_step(), fn.dense(SYMBOLS))  # Any: three types of network in one variable
        result = fn.fit(
            model,
            fn.softmax_cross_entropy(),
            fn.chain(fn.clip_by_global_norm(1.0), fn.adam(1e-2)),
            x,
            labels,
            key=fn.Key(0),
            epochs=15,
            batch_size=50,
            progress=False,
        )
        output = fn.apply(model, result.params, result.state, x_test)
        accuracies[name] = fn.metrics.accuracy(output, labels_test)
        print(f"{name:5} accuracy after {LENGTH} steps: {accuracies[name]:.3f}")
    return accuracies


if __name__ == "__main__":
    main()
