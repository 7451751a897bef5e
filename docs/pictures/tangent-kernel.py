"""The tangent kernel of inputs on a circle, and how far training moves it: python docs/pictures/tangent-kernel.py."""

from pathlib import Path

import numpy as np
from drawing import BLUE, beside, panels, save, tidy

import funcnn as fn

WIDTHS, KEYS, STEPS = (8, 32, 128, 512, 2048), 3, 100


def measure() -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel at width 512, and the relative change by training for each width and key."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x = np.stack([np.cos(angles), np.sin(angles)], 1)
    few, target = x[::4], np.sin(2 * angles)[::4, None]
    loss = fn.half_squared_error(reduction="sum")
    change = np.zeros((len(WIDTHS), KEYS))
    for row, width in enumerate(WIDTHS):
        model = fn.dense(width) >> fn.tanh() >> fn.dense(1)
        kernel = fn.curvature.tangent_kernel(model)
        for k in range(KEYS):
            start = model.init(fn.Key(k), (2,))
            params = start.params
            before = kernel(params, start.state, few)[:, :, 0, 0]
            if width == 512 and k == 0:
                shown = kernel(params, start.state, x)[:, :, 0, 0]
            rate = 1 / np.linalg.eigvalsh(before)[-1]
            for _ in range(STEPS):
                grads = fn.loss_and_grad(model, loss)(params, start.state, few, target, fn.Eval()).grads
                params = fn.tree.map(lambda p, g, rate=rate: p - rate * g, params, grads)
            after = kernel(params, start.state, few)[:, :, 0, 0]
            change[row, k] = np.linalg.norm(after - before) / np.linalg.norm(before)
    return shown, change


def main(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    kernel, change = measure()
    figure, (left, right) = panels(2)
    shown = left.imshow(kernel, extent=(0, 360, 360, 0), interpolation="none", cmap="viridis")
    figure.colorbar(shown, ax=left, shrink=0.9)
    left.set(xlabel="angle of one input", ylabel="angle of the other", xticks=range(0, 361, 90), yticks=range(0, 361, 90))
    for k in range(KEYS):
        right.plot(WIDTHS, change[:, k], "o", color=BLUE, markersize=4, label="three starts for each width" if not k else None)
    right.set(xscale="log", yscale="log", xlabel="hidden units", ylabel="relative change by training")
    right.set_xticks(WIDTHS, [str(one) for one in WIDTHS])
    tidy([right])
    save(figure, path)
    return kernel, change


if __name__ == "__main__":
    main(beside(__file__))
