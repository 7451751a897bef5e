"""Anomaly detection with an autoencoder: it learns to redraw zeros, and redraws every other digit badly."""

import numpy as np

import funcnn as fn


def main() -> float:
    key = fn.Key(0)
    data = fn.data.digits(dtype=np.float32)
    split = fn.data.stratified_split(key.child(0), data, 0.25)
    train, test = split.train, split.test
    normal = train.x[train.y == 0]
    model = fn.serial(fn.dense(32), fn.silu(), fn.dense(6), fn.dense(32), fn.silu(), fn.dense(64), fn.sigmoid())
    result = fn.fit(
        model,
        fn.mean_squared_error(),
        fn.adam(3e-3),
        normal,
        normal,
        key=key.child(1),
        epochs=200,
        batch_size=16,
        progress=False,
    )
    drawn = fn.apply(model, result.params, result.state, test.x)
    score = ((drawn - test.x) ** 2).mean(1)  # how badly each image was redrawn
    area = fn.metrics.roc_auc(score, (test.y != 0).astype(int))
    zeros, others = score[test.y == 0].mean(), score[test.y != 0].mean()
    print(f"trained on {len(normal)} zeros; error on zeros {zeros:.4f}, on others {others:.4f}")
    print(f"ROC-AUC for telling other digits from zeros: {area:.4f}")
    return area


if __name__ == "__main__":
    main()
