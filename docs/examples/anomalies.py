"""Anomaly detection with an autoencoder: it learns to redraw one digit, and redraws every other one badly.

python docs/examples/anomalies.py 0 1 2 3 4 5 6 7 8 9
"""

import sys

import numpy as np

import funcnn as fn


def main(usual: int = 0, seed: int = 0) -> float:
    key = fn.Key(seed)
    data = fn.data.digits(dtype=np.float32)
    split = fn.data.stratified_split(key.child(0), data, 0.25)
    train, test = split.train, split.test
    normal = train.x[train.y == usual]
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
    area = fn.metrics.roc_auc(score, (test.y != usual).astype(int))
    own, others = score[test.y == usual].mean(), score[test.y != usual].mean()
    print(f"trained on {len(normal)} images of {usual}: error on {usual} {own:.4f}, on others {others:.4f}, ROC-AUC {area:.4f}")
    return area


if __name__ == "__main__":
    areas = [main(int(digit)) for digit in sys.argv[1:] or ["0"]]
    print(f"mean ROC-AUC {np.mean(areas):.4f}")
