"""Regression with the mean squared error: a curve from noisy points."""

import numpy as np

import funcnn as fn


def main() -> float:
    key = fn.Key(0)
    generator = key.child(0).generator()
    x = generator.uniform(-3, 3, (512, 1))
    y = np.sin(2 * x) + 0.1 * generator.normal(size=x.shape)
    scale = fn.data.fit_standardize(x)
    model = fn.serial(fn.dense(64), fn.silu(), fn.dense(64), fn.silu(), fn.dense(1))
    result = fn.fit(
        model,
        fn.mean_squared_error(),
        fn.adam(fn.schedules.cosine(5e-3, 300 * 16)),
        scale.transform(x),
        y,
        key=key.child(1),
        epochs=300,
        batch_size=32,
        progress=False,
    )
    grid = np.linspace(-3, 3, 200)[:, None]
    curve = fn.apply(model, result.params, result.state, scale.transform(grid))
    error = float(np.sqrt(np.mean((curve - np.sin(2 * grid)) ** 2)))
    print(f"loss {result.history.last['loss']:.4f} (the noise alone: 0.01), distance from the true curve {error:.3f}")
    return error


if __name__ == "__main__":
    main()
