"""MNIST, its official split: a perceptron, LeNet-5 and a small modern convolutional network.

    python docs/examples/mnist.py --model mlp --data FOLDER

The folder holds the four IDX files.  Without one the embedded digits, enlarged to 28 x 28 pixels, stand in for them.  The
convolutional networks see each image moved by up to two pixels, another way in every epoch, unless ``--still`` is given.
"""

import argparse
import time
from typing import Any

import numpy as np

import funcnn as fn

EPOCHS = {"mlp": 14, "lenet5": 20, "convnet": 10}
PEAKS = {"mlp": 1e-3, "lenet5": 3e-3, "convnet": 5e-3}  # of the learning rate


def load(folder: str, key: fn.Key) -> tuple[Any, Any, Any, Any]:
    """Return images (n, 28, 28, 1) and labels: to train, and to test."""
    if folder:
        split = fn.data.idx_folder(folder, dtype=np.float32)
        x, x_test = split.train.x, split.test.x
    else:
        split = fn.data.stratified_split(key, fn.data.digits(dtype=np.float32), 0.25)
        x, x_test = enlarge(split.train.x), enlarge(split.test.x)
    return x.reshape(-1, 28, 28, 1), split.train.y, x_test.reshape(-1, 28, 28, 1), split.test.y


def enlarge(x: Any) -> Any:
    """Return images of 8 x 8 pixels as images of 28 x 28: each pixel three times, and a border of two."""
    return np.pad(x.reshape(-1, 8, 8).repeat(3, 1).repeat(3, 2), ((0, 0), (2, 2), (2, 2)))


def shifted(key: fn.Key, x: Any, most: int = 2) -> Any:
    """Return a batch of images, each moved by up to ``most`` pixels along both axes; what enters is black."""
    size = x.shape[1]
    padded = np.pad(x, ((0, 0), (most, most), (most, most), (0, 0)))
    rows, columns = key.generator().integers(2 * most + 1, size=(2, len(x), 1))
    inside = np.arange(size)
    return padded[np.arange(len(x))[:, None, None], (rows + inside)[:, :, None], (columns + inside)[:, None, :]]


def make(name: str) -> Any:
    if name == "mlp":
        return fn.serial(fn.flatten(), fn.mlp(512, 512, 10, dropout=0.2))
    if name == "lenet5":
        return fn.lenet5(activation="relu", pooling="max")
    return fn.serial(
        *block(16, 5, pooled=True),  # 28 x 28 pixels to 14 x 14
        *block(32, 3),
        *block(32, 3, pooled=True),  # to 7 x 7
        *block(64, 3),
        *block(64, 3),
        fn.global_avg_pool(),
        fn.dense(10),
    )


def block(channels: int, kernel: int, pooled: bool = False) -> list[Any]:
    pool = [fn.max_pool2d(2)] if pooled else []  # before the rest, which then is a quarter of the work
    return [fn.conv2d(channels, kernel, padding="same"), *pool, fn.batch_norm(), fn.relu()]


def main(name: str = "convnet", folder: str = "", epochs: int = 2, seed: int = 0, still: bool = False) -> float:
    fn.keep_memory()
    key = fn.Key(seed)
    x, y, x_test, y_test = load(folder, key.child(0))
    model, size = make(name), 128 if folder else 32
    start = model.init(key.child(1), x.shape[1:])
    params, state = (fn.tree.astype(part, np.float32) for part in (start.params, start.state))
    steps = epochs * fn.data.batch_count(len(x), size, drop_last=True)
    optimizer = fn.adam(fn.schedules.warmup_cosine(PEAKS[name], max(1, steps // 20), steps))
    opt_state = optimizer.init(params)
    loss_and_grad = fn.loss_and_grad(model, fn.softmax_cross_entropy())
    began = time.perf_counter()
    accuracy = 0.0
    for epoch in range(epochs):
        here, losses = key.child(2).child(epoch), []
        for number, (rows, labels) in enumerate(fn.data.batches(here.child(0), (x, y), size, drop_last=True)):
            drawn = here.child(1).child(number)
            images = rows if still or name == "mlp" else shifted(drawn.child(0), rows)
            made = loss_and_grad(params, state, images, labels, fn.Train(drawn.child(1)))
            updated = optimizer.update(params, made.grads, opt_state)
            params, opt_state, state = updated.params, updated.state, made.state
            losses.append(float(made.loss))
        accuracy = fn.metrics.accuracy(fn.predict(model, params, state, x_test, batch_size=500), y_test)
        seconds = time.perf_counter() - began
        print(f"epoch {epoch + 1:2}  loss {np.mean(losses):.4f}  test accuracy {accuracy:.4f}  {seconds:.0f} s", flush=True)
    print(f"{name}: {fn.tree.size(params):,} parameters, seed {seed}, accuracy {accuracy:.4f} of {len(x_test):,} test images")
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=EPOCHS, default="convnet")
    parser.add_argument("--data", default="", metavar="FOLDER")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--still", action="store_true", help="show the images as they are")
    given = parser.parse_args()
    main(given.model, given.data, given.epochs or (EPOCHS[given.model] if given.data else 2), given.seed, given.still)
