"""Handwritten digits: certify the gradient, train, test on digits held out, over stratified splits.

    python docs/examples/digits.py --splits 5

Noise on the pixels, dropout and smoothed labels keep a network of a hundred thousand parameters from learning 1,348 images by
heart.
"""

import argparse

import numpy as np

import funcnn as fn

EPOCHS, BATCH = 40, 32


def one_split(key: fn.Key) -> float:
    """Return the accuracy on a quarter of the digits after training on the others."""
    split = fn.data.stratified_split(key.child(0), fn.data.digits(dtype=np.float32), 0.25)
    train, test = split.train, split.test
    model = fn.serial(
        fn.gaussian_noise(0.15),
        fn.dense(256),
        fn.relu(),
        fn.dropout(0.3),
        fn.dense(256),
        fn.relu(),
        fn.dropout(0.3),
        fn.dense(10),
    )
    loss = fn.softmax_cross_entropy(label_smoothing=0.1)
    fn.check.check_model(model, loss, train.x[:8].astype(float), train.y[:8], mode=fn.Train(key)).raise_if_failed()
    epoch = fn.data.batch_count(len(train.x), BATCH)
    result = fn.fit(
        model,
        loss,
        fn.adam(fn.schedules.warmup_cosine(3e-3, epoch, EPOCHS * epoch)),
        train.x,
        train.y,
        key=key.child(1),
        epochs=EPOCHS,
        batch_size=BATCH,
        progress=False,
    )
    return fn.metrics.accuracy(fn.apply(model, result.params, result.state, test.x), test.y)


def main(splits: int = 1, seed: int = 0) -> float:
    fn.keep_memory()
    accuracies = [one_split(fn.Key(seed).child(number)) for number in range(splits)]
    print(f"accuracy on 449 held-out digits, seed {seed}: " + "  ".join(f"{accuracy:.4f}" for accuracy in accuracies))
    print(f"mean of {splits}: {np.mean(accuracies):.4f}")
    return float(np.mean(accuracies))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    main(given.splits, given.seed)
