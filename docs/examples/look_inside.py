"""Pictures of a network that reads digits: how good its answers are, what is inside, and the loss around it."""

import argparse
from pathlib import Path

import numpy as np

import funcnn as fn


def main(epochs: int = 12, folder: str | None = None, points: int = 25) -> dict[str, float]:
    """Train a small convolutional network, draw what can be drawn of it, and return figures that the pictures show."""
    key = fn.Key(0)
    data = fn.data.digits(flat=False)
    parts = fn.data.stratified_split(key.child(0), data, 0.3)
    model = (
        fn.conv2d(8, 3, padding=1)
        >> fn.relu()
        >> fn.residual(fn.conv2d(8, 3, padding=1) >> fn.tanh())
        >> fn.max_pool2d(2)
        >> fn.flatten()
        >> fn.dense(10)
    )
    loss = fn.softmax_cross_entropy()
    x, y = parts.train.x, parts.train.y
    learned = fn.fit(model, loss, fn.adam(0.01), x, y, key=key, epochs=epochs, batch_size=32, validation=0.1)

    logits = fn.predict(model, learned.params, learned.state, parts.test.x)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    chances = powers / powers.sum(1, keepdims=True)
    step = fn.loss_and_grad(model, loss)
    grads = step(learned.params, learned.state, x[:256], y[:256], fn.Eval()).grads
    seen = fn.plots.loss_landscape(
        model, loss, learned.params, learned.state, x[:256], y[:256], key=key.child(9), grid=(1.0, points)
    )
    if folder is not None:
        out = Path(folder)
        fn.plots.precision_recall(chances, parts.test.y, out / "precision_recall.svg")
        fn.plots.calibration(chances, parts.test.y, out / "calibration.svg")
        fn.plots.gradient_flow(grads, out / "gradient_flow.svg", params=learned.params)
        fn.plots.filters(learned.params[0].weight, out / "filters.svg")
        fn.plots.landscape(seen, out / "landscape.svg")
        fn.plots.diagram(model, x.shape[1:], out / "diagram.svg")
    middle = points // 2
    return {
        "accuracy": fn.metrics.accuracy(logits, parts.test.y),
        "calibration_error": fn.metrics.calibration_error(chances, parts.test.y),
        "loss_in_the_middle": float(seen.loss[middle, middle]),
        "lowest_loss": float(seen.loss.min()),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--folder")
    options = parser.parse_args()
    for name, value in main(options.epochs, options.folder).items():
        print(f"{name} {value:.4f}")
