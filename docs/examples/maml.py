r"""Learn to learn sinusoids (MAML, Finn et al. 2017, arXiv:1703.03400): parameters from which one step of gradient descent fits.

    python docs/examples/maml.py

A task is a sinusoid with an amplitude and a phase of its own, seen at ten points.  Parameters p are sought from which one step
p' = p - a g(p), with the gradient g of the loss L at the ten points, does well at other points, where the loss is M:

$$ \frac{\mathrm{d}}{\mathrm{d}p} M(p - a\, g(p)) = g_M - a H g_M , \qquad g_M = M'(p'), \quad H = L''(p): $$

the gradient through the inner step takes one product with the Hessian, which is exact here.  Leaving it out is first-order MAML.
"""

import argparse
from functools import partial, reduce
from typing import Any, TypeAlias

import numpy as np

import funcnn as fn

INNER, SHOTS, TASKS = 0.02, 10, 8
MODEL, LOSS = fn.dense(40) >> fn.tanh() >> fn.dense(40) >> fn.tanh() >> fn.dense(1), fn.mean_squared_error()
GRADIENT, PRODUCT = fn.loss_and_grad(MODEL, LOSS), fn.hvp(MODEL, LOSS)


Points: TypeAlias = tuple[Any, Any]
"""Inputs and targets."""


def task(generator: np.random.Generator) -> tuple[Points, Points]:
    """Draw a sinusoid: the points to learn from, and those to be judged at."""
    amplitude, phase = generator.uniform(0.1, 5), generator.uniform(0, np.pi)

    def points(count: int) -> Points:
        x = generator.uniform(-5, 5, (count, 1))
        return x / 5, amplitude * np.sin(x - phase)

    return points(SHOTS), points(SHOTS)


def moved(params: Any, grads: Any) -> Any:
    """Return the parameters after one step."""
    return fn.tree.map(lambda p, g: p - INNER * g, params, grads)


def meta_grads(params: Any, state: Any, seen: Points, asked: Points, second: bool) -> Any:
    """Return the gradient of the loss after the step with respect to the parameters before it."""
    adapted = moved(params, GRADIENT(params, state, *seen, fn.Eval()).grads)
    outer = GRADIENT(adapted, state, *asked, fn.Eval()).grads
    if not second:
        return outer
    return fn.tree.map(lambda g, h: g - INNER * h, outer, PRODUCT(params, state, *seen, outer, fn.Eval()))


def after_one_step(params: Any, state: Any, generator: np.random.Generator, tasks: int = 200) -> float:
    """Return the mean squared error on new tasks, after one step on ten points of each."""
    errors = []
    for _ in range(tasks):
        seen, asked = task(generator)
        adapted = moved(params, GRADIENT(params, state, *seen, fn.Eval()).grads)
        errors.append(float(GRADIENT(adapted, state, *asked, fn.Eval()).loss))
    return float(np.mean(errors))


def off_by(second: bool, key: fn.Key) -> float:
    """Return how far the meta-gradient is from a difference quotient along itself, relative to it."""
    start, (seen, asked) = MODEL.init(key.child(0), (1,)), task(key.child(3).generator())
    grads = meta_grads(start.params, start.state, seen, asked, True)

    def loss_at(step: float) -> float:
        params = fn.tree.map(lambda p, g: p + step * g, start.params, grads)
        adapted = moved(params, GRADIENT(params, start.state, *seen, fn.Eval()).grads)
        return float(GRADIENT(adapted, start.state, *asked, fn.Eval()).loss)

    quotient = (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5
    found = fn.tree.ravel(meta_grads(start.params, start.state, seen, asked, second)).vector @ fn.tree.ravel(grads).vector
    return float(abs(found / quotient - 1))


def learn(second: bool, steps: int, key: fn.Key) -> float:
    start = MODEL.init(key.child(0), (1,))
    optimizer = fn.adam(fn.schedules.cosine(5e-3, steps))
    params, state, generator = start.params, optimizer.init(start.params), key.child(1).generator()
    for _ in range(steps):
        made = [meta_grads(params, start.state, *task(generator), second) for _ in range(TASKS)]
        mean = fn.tree.map(lambda total: total / TASKS, reduce(partial(fn.tree.map, np.add), made))
        updated = optimizer.update(params, mean, state)
        params, state = updated.params, updated.state
    return after_one_step(params, start.state, key.child(2).generator())


def main(seed: int = 0, steps: int = 3000) -> dict[str, float]:
    key = fn.Key(seed)
    start = MODEL.init(key.child(0), (1,))
    errors = {
        "nothing learned": after_one_step(start.params, start.state, key.child(2).generator()),
        "first order": learn(False, steps, key),
        "with the Hessian": learn(True, steps, key),
    }
    for name, error in errors.items():
        print(f"{name:<17} mean squared error after one step {error:.3f}")
    slopes = {name: off_by(second, key) for name, second in (("first order", False), ("with the Hessian", True))}
    print("off a difference quotient: " + ", ".join(f"{name} {off:.1e}" for name, off in slopes.items()))
    return {**errors, **{f"{name}, off": off for name, off in slopes.items()}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=3000)
    given = parser.parse_args()
    main(given.seed, given.steps)
