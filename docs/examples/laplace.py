"""How sure is a network?  The Laplace approximation: bands about a regression, and calibrated classes.

    python docs/examples/laplace.py --picture laplace.svg

The regression has seen nothing in the middle, and the bands there are wide; the evidence has found the noise and the prior.
A network that has learned a few hundred digits by heart, of which a fifth have a random label, is surer than it is right.  With
what the parameters of its last layer leave open taken into account, the shares of right answers are near the probabilities.
"""

import argparse
from typing import Any

import numpy as np

import funcnn as fn

NOISE = 0.1
BINS = np.linspace(0, 1, 11)


def curve(x: Any) -> Any:
    return np.sin(2 * x) + x / 4


def regression(key: fn.Key) -> tuple[Any, Any, Any]:
    """Return the posterior of a small network, and the points that it has seen: none from -1 to 1."""
    generator = key.generator()
    side = np.where(generator.random((60, 1)) < 0.5, -1.0, 1.0)
    x = side * generator.uniform(1, 3, (60, 1))
    y = curve(x) + NOISE * generator.normal(size=x.shape)
    model = fn.mlp(12, 12, 1, activation="tanh")
    start = model.init(key.child(0), (1,))
    squares = fn.curvature.least_squares(model)
    found = fn.minimize(
        lambda params: squares(params, start.state, x, y, fn.Eval()),
        start.params,
        fn.curvature.levenberg_marquardt(),
        steps=30,
    )
    return fn.curvature.laplace(model, fn.half_squared_error())(found.params, start.state, x, y).tuned(), x, y


def digits(key: fn.Key, epochs: int) -> tuple[Any, Any, Any]:
    """Return the labels of digits that were not seen, and their probabilities without and with what parameters leave open."""
    data = fn.data.digits()
    generator = key.child(0).generator()
    order = generator.permutation(len(data.x))
    train, test = order[:300], order[300:]
    labels = np.where(generator.random(len(data.y)) < 0.2, generator.integers(0, 10, len(data.y)), data.y)
    model, loss = fn.mlp(64, 10, activation="tanh"), fn.softmax_cross_entropy()
    result = fn.fit(
        model, loss, fn.adam(1e-2), data.x[train], labels[train], key=key.child(1), epochs=epochs, batch_size=50, progress=False
    )
    method = fn.curvature.laplace(model, loss, structure="last_layer")
    posterior = method(result.params, result.state, data.x[train], labels[train]).tuned()
    logits = fn.apply(model, result.params, result.state, data.x[test])
    plain = np.exp(logits - logits.max(axis=1, keepdims=True))
    return labels[test], plain / plain.sum(axis=1, keepdims=True), posterior.probabilities(data.x[test])


def reliability(labels: Any, probabilities: Any) -> tuple[Any, Any, Any]:
    """Return for each bin of what was said: how many answers, the mean that was said, and the share of right ones."""
    said, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.clip(np.digitize(said, BINS) - 1, 0, len(BINS) - 2)
    counts = np.bincount(place, minlength=len(BINS) - 1)
    divisor = np.maximum(counts, 1)
    return counts, np.bincount(place, said, len(BINS) - 1) / divisor, np.bincount(place, right, len(BINS) - 1) / divisor


def calibration_error(labels: Any, probabilities: Any) -> float:
    """Return by how much what was said is off the share of right answers, in the mean (Guo et al. 2017)."""
    counts, said, right = reliability(labels, probabilities)
    return float(np.sum(counts * np.abs(said - right)) / counts.sum())


def main(seed: int = 1, epochs: int = 100, picture: str = "") -> dict[str, float]:
    key = fn.Key(seed)
    posterior, x, y = regression(key.child(0))
    generator = key.child(2).generator()
    x_new = np.where(generator.random((4000, 1)) < 0.5, -1.0, 1.0) * generator.uniform(1, 3, (4000, 1))
    y_new = curve(x_new) + NOISE * generator.normal(size=x_new.shape)
    made = posterior.predict(x_new)
    held = float(np.mean(np.abs(y_new - made.mean) < 1.96 * made.deviations))
    grid = np.linspace(-4, 4, 161)[:, None]
    bands = posterior.predict(grid)
    wider = float(bands.deviations[80, 0] / bands.deviations[40, 0])
    print(f"noise {posterior.noise:.3f}, true {NOISE}; the bands for 95 % hold {held:.1%} of new points")
    print(f"at 0, where nothing was seen, they are {wider:.1f} times as wide as at -2")
    labels, plain, with_spread = digits(key.child(1), epochs)
    errors = [calibration_error(labels, one) for one in (plain, with_spread)]
    losses = [-float(np.mean(np.log(one[np.arange(len(labels)), labels]))) for one in (plain, with_spread)]
    accuracy = float(np.mean(with_spread.argmax(axis=1) == labels))
    print(f"digits: {accuracy:.1%} right; calibration error {errors[0]:.3f}, with the Laplace approximation {errors[1]:.3f};")
    print(f"negative log-likelihood {losses[0]:.3f} and {losses[1]:.3f}")
    if picture:
        draw(picture, (x, y, grid, bands), labels, (plain, with_spread))
    return {
        "noise": posterior.noise, "held": held, "wider": wider, "accuracy": accuracy, "plain": errors[0], "laplace": errors[1],
        "plain_loss": losses[0], "laplace_loss": losses[1],
    }  # fmt: skip


def draw(path: str, fitted: Any, labels: Any, said: Any) -> None:
    """Draw the bands, and how often answers are right that were said with a probability."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    x, y, grid, bands = fitted
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    mean, deviation = bands.mean[:, 0], bands.deviations[:, 0]
    left.fill_between(grid[:, 0], mean - 1.96 * deviation, mean + 1.96 * deviation, alpha=0.2, color="#3b6fb6", linewidth=0)
    left.plot(grid, mean, color="#3b6fb6", label="network, and 95 %")
    left.plot(grid, curve(grid), "--", color="black", linewidth=1, label="true curve")
    left.plot(x, y, ".", markersize=4, color="#888888", label="seen")
    left.set(xlabel="x", ylabel="y", ylim=(-3, 3))
    left.legend(frameon=False, fontsize=8)
    right.plot([0, 1], [0, 1], "--", color="black", linewidth=1)
    for probabilities, name, colour in zip(said, ("softmax", "Laplace"), ("#c44e52", "#3b6fb6"), strict=True):
        counts, means, shares = reliability(labels, probabilities)
        right.plot(means[counts > 0], shares[counts > 0], ".-", color=colour, label=name)
    right.set(xlabel="probability said", ylabel="share of right answers", aspect="equal")
    right.legend(frameon=False, fontsize=8)
    with mpl.rc_context({"svg.hashsalt": "funcnn", "svg.fonttype": "none"}):  # equal runs give equal files
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--picture", default="", metavar="FILE.svg")
    main(picture=parser.parse_args().picture)
