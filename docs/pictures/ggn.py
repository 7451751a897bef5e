"""The eigenvalues of the Hessian and of the Gauss-Newton matrix of a small network: python docs/pictures/ggn.py."""

from pathlib import Path

import numpy as np
from drawing import BLUE, ORANGE, beside, panels, save, tidy

import funcnn as fn


def measure() -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    """Return both spectra and the distance of the matrices, before and after training."""
    generator = fn.Key(0).generator()
    x = generator.normal(size=(60, 2))
    labels = (np.hypot(*x.T) > 1.1).astype(int) + (x[:, 0] > 0.8)
    model, loss = fn.mlp(6, 3, activation="tanh"), fn.softmax_cross_entropy()
    start = model.init(fn.Key(1), (2,))
    made = fn.fit(
        model, loss, fn.adam(2e-2), x, labels, key=fn.Key(2), epochs=400, batch_size=60, params=start.params,
        state=start.state, progress=False,
    )  # fmt: skip
    found = {}
    for name, params in (("before training", start.params), ("after training", made.params)):
        at = params, start.state, x, labels
        hessian = fn.hessian(model, loss)(*at, fn.Eval())
        flat, unravel = fn.tree.ravel(params)
        product = fn.ggn_product(model, loss)
        columns = [product(*at, unravel(unit), fn.Eval()) for unit in np.eye(flat.size)]
        ggn = np.stack([fn.tree.ravel(column).vector for column in columns])
        apart = float(np.linalg.norm(hessian - ggn) / np.linalg.norm(hessian))
        found[name] = np.linalg.eigvalsh(hessian), np.linalg.eigvalsh((ggn + ggn.T) / 2), apart
    return found


def main(path: str | Path) -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    found = measure()
    figure, axes = panels(2)
    for one, (name, (hessian, ggn, apart)) in zip(axes, found.items(), strict=True):
        rank = np.arange(1, len(ggn) + 1)
        one.plot(rank, hessian[::-1], "o", markersize=4, color=ORANGE, label=f"Hessian: {(hessian < -1e-9).sum()} below 0")
        one.plot(rank, ggn[::-1], "+", markersize=5, color=BLUE, label=f"Gauss-Newton: {(ggn < -1e-9).sum()} below 0")
        one.axhline(0, color="black", linewidth=0.8)
        one.set_yscale("symlog", linthresh=1e-3)
        one.set_yticks([-1e-1, -1e-2, 0, 1e-2, 1e-1, 1])
        one.set_ylim(-2, 20)
        one.set_title(f"{name}: |H - G| / |H| = {apart:.2f}", fontsize=9)
        one.set(xlabel="rank", ylabel="eigenvalue")
    tidy(axes)
    save(figure, path)
    return found


if __name__ == "__main__":
    main(beside(__file__))
