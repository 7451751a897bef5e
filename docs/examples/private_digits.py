"""Handwritten digits, read by a network that tells little about any single one of them (DP-SGD, Abadi et al. 2016).

    python docs/examples/private_digits.py --epsilon 3

Each step clips the gradient of each example, adds noise to their sum, and the accountant tells what all steps together have
told: the noise is chosen for an epsilon at delta = 1e-4, less than one over the number of examples.
"""

import argparse

import numpy as np

import funcnn as fn

DELTA, RATE, STEPS = 1e-4, 0.2, 200


def main(epsilon: float = 3.0, seed: int = 0) -> tuple[float, float]:
    key = fn.Key(seed)
    split = fn.data.stratified_split(key.child(0), fn.data.digits(dtype=np.float32), 0.25)
    train, test = split.train, split.test
    noise = fn.privacy_noise(epsilon, DELTA, RATE, STEPS)
    spent = fn.privacy_spent(fn.sampled_gaussian_rdp(RATE, noise, steps=STEPS), DELTA).epsilon

    model = fn.dense(64) >> fn.tanh() >> fn.dense(10)
    start = model.init(key.child(1), (64,))
    params = fn.tree.astype(start.params, np.float32)
    gradient = fn.private_grads(
        model, fn.softmax_cross_entropy(), max_norm=1.0, noise_multiplier=noise, expected_batch_size=RATE * len(train.x)
    )
    optimizer = fn.momentum(fn.schedules.cosine(0.25, STEPS))
    state = optimizer.init(params)
    drawn = fn.data.poisson_batches(key.child(2), (train.x, train.y), RATE, STEPS)
    for step, (x, y) in enumerate(drawn):
        made = gradient(params, start.state, x, y, fn.Eval(), key.child(3).child(step))
        updated = optimizer.update(params, made.grads, state)
        params, state = updated.params, updated.state
    accuracy = fn.metrics.accuracy(fn.apply(model, params, start.state, test.x), test.y)
    print(f"accuracy {accuracy:.4f} on {len(test.x)} held-out digits at epsilon {spent:.2f}, delta {DELTA:g}, noise {noise:.2f}")
    return accuracy, spent


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epsilon", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    main(given.epsilon, given.seed)
