"""A neural differential equation (Chen et al. 2018): the law of motion learned from paths, and followed further than they went.

    python docs/examples/neural_ode.py

Points on spirals are seen at ten times; the network is the right-hand side of y' = f(y), solved by fn.runge_kutta with the exact
gradient of its steps.  Then new starts are followed twice as long as any path of the training, by steps of chosen length, with
the same parameters.
"""

import argparse
from typing import Any

import numpy as np

import funcnn as fn

TURN = np.array([[-0.1, 1.0], [-1.0, -0.1]])
SEEN = tuple(np.linspace(0.3, 3.0, 10).tolist())
LATER = tuple(np.linspace(0.3, 6.0, 20).tolist())


def path(start: Any, times: Any) -> Any:
    """Return where the true law, y' = y TURN, brings points: a turn, and a slow fall to the middle."""
    turned = [np.exp(-0.1 * t) * np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]]) for t in times]
    return np.stack([start @ one for one in turned], axis=1)


def main(seed: int = 0, epochs: int = 150) -> tuple[float, float]:
    key = fn.Key(seed)
    starts, new = key.child(0).generator().uniform(-2, 2, (2, 100, 2))
    law = fn.mlp(32, 2, activation="tanh")
    result = fn.fit(
        fn.runge_kutta(law, SEEN, steps=1),
        fn.mean_squared_error(),
        fn.adam(fn.schedules.cosine(1e-2, epochs * 5)),
        starts,
        path(starts, SEEN),
        key=key.child(1),
        epochs=epochs,
        batch_size=20,
        progress=False,
    )
    errors = []
    for times in (SEEN, LATER):
        followed = fn.apply(fn.dormand_prince(law, times), result.params, result.state, new)
        errors.append(float(np.sqrt(np.mean((followed - path(new, times)) ** 2))))
    print(f"new starts, root mean square off: {errors[0]:.3f} over the times seen, {errors[1]:.3f} over twice as long")
    return errors[0], errors[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    main(seed=parser.parse_args().seed)
