"""How far three estimates of a trace are off, over the products that they used: python docs/pictures/traces.py."""

from pathlib import Path

import numpy as np
from drawing import BLUE, GREEN, ORANGE, beside, panels, save, tidy

import funcnn as fn

PRODUCTS, KEYS = (6, 12, 24, 48, 96), 30


def measure() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the eigenvalues, and the errors as parts of the trace, for each method (products, keys)."""
    data = fn.data.digits()
    x, labels = data.x[:100], data.y[:100]
    model, loss = fn.dense(8) >> fn.tanh() >> fn.dense(10), fn.softmax_cross_entropy()
    made = fn.fit(model, loss, fn.adam(1e-2), x[:, ::4], labels, key=fn.Key(0), epochs=40, batch_size=50, progress=False)
    at = made.params, made.state, x[:, ::4], labels
    flat, unravel = fn.tree.ravel(made.params)
    product = fn.ggn_product(model, loss)
    columns = [product(*at, unravel(unit), fn.Eval()) for unit in np.eye(flat.size)]
    ggn = np.stack([fn.tree.ravel(column).vector for column in columns])  # once: the estimates take thousands of products
    ggn = (ggn + ggn.T) / 2
    exact, found = float(np.trace(ggn)), {}
    for method in (fn.curvature.hutchinson, fn.curvature.hutch_plus_plus, fn.curvature.xtrace):
        found[method.__name__] = np.array(
            [
                [method(lambda v: ggn @ v, flat, key=fn.Key(k), products=m).value / exact - 1 for k in range(KEYS)]
                for m in PRODUCTS
            ]
        )
    return np.linalg.eigvalsh(ggn)[::-1], found


def main(path: str | Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    values, found = measure()
    figure, (left, right) = panels(2)
    left.semilogy(np.arange(1, len(values) + 1, 2), np.maximum(values[::2], 1e-18), ".", color="black", markersize=4)
    left.set(xlabel="rank", ylabel="eigenvalue of the Gauss-Newton matrix", ylim=(1e-9, 10))
    marks = {"hutchinson": (ORANGE, "s", 0.95), "hutch_plus_plus": (GREEN, "v", 1.0), "xtrace": (BLUE, "o", 1.05)}
    for name, (color, mark, aside) in marks.items():
        low, middle, high = np.quantile(np.abs(found[name]), (0.25, 0.5, 0.75), axis=1)
        right.errorbar(
            np.array(PRODUCTS) * aside, middle, (middle - low, high - middle), color=color, marker=mark, markersize=4,
            capsize=2, linewidth=1.2, label=name,
        )  # fmt: skip
    right.set(xscale="log", yscale="log", xlabel="products", ylabel="error as a part of the trace")
    right.set_xticks(PRODUCTS, [str(one) for one in PRODUCTS])
    tidy([left], legend="")
    tidy([right])
    save(figure, path)
    return values, found


if __name__ == "__main__":
    main(beside(__file__))
