"""A Wasserstein critic with a penalty on its gradient (Gulrajani et al. 2017): how far apart are two clouds of points?

    python docs/examples/critic.py

The distance is the largest difference of means of a function whose slope is nowhere larger than 1 (Kantorovich & Rubinstein).
The network looks for it: the loss holds its gradient in the input, fn.input_gradient, between the clouds.  One cloud is the
other one moved by (3, 4), so that the true distance is 5.  A penalty lets slopes be a little larger than 1: among linear
functions the best has the slope 1 + 5 / (2 * 100), and says 5.125.
"""

import argparse
from typing import Any

import numpy as np

import funcnn as fn

SHIFT = np.array([3.0, 4.0])
PENALTY = 100.0


def clouds(generator: np.random.Generator, count: int) -> tuple[Any, Any]:
    return generator.normal(size=(count, 2)), SHIFT + generator.normal(size=(count, 2))


def critic_grads(net: Any, params: Any, state: Any, pair: tuple[Any, Any], between: Any) -> Any:
    """Return the gradient of mean f(near) - mean f(far) + 100 mean (|grad f| - 1)^2."""
    slope = fn.input_gradient(net)
    both = net.forward(params, state, np.vstack(pair), fn.Eval())
    sign = np.repeat([[1.0], [-1.0]], len(pair[0]), axis=0) / len(pair[0])
    dscores = net.backward(params, both.residuals, sign).params
    steep = slope.forward(params, state, between, fn.Eval())
    length = np.sqrt((steep.output**2).sum(1, keepdims=True))
    dsteep = 2 * PENALTY / len(between) * (length - 1) * steep.output / np.maximum(length, 1e-12)
    return fn.tree.map(np.add, dscores, slope.backward(params, steep.residuals, dsteep).params)


def main(seed: int = 0, steps: int = 600) -> float:
    key = fn.Key(seed)
    net = fn.mlp(32, 32, 1, activation="silu")
    start = net.init(key.child(0), (2,))
    optimizer = fn.adam(fn.schedules.cosine(5e-3, steps), beta1=0.5, beta2=0.9)
    params, state = start.params, optimizer.init(start.params)
    generator = key.child(1).generator()
    for _ in range(steps):
        near, far = clouds(generator, 64)
        share = generator.random((64, 1))
        updated = optimizer.update(
            params, critic_grads(net, params, start.state, (near, far), share * near + (1 - share) * far), state
        )
        params, state = updated.params, updated.state
    near, far = clouds(generator, 20_000)
    distance = float(fn.apply(net, params, start.state, far).mean() - fn.apply(net, params, start.state, near).mean())
    print(f"the critic says {distance:.2f}, the clouds are 5 apart")
    return distance


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    main(seed=parser.parse_args().seed)
