"""Handwritten digits: certify the gradient, train, test."""

import numpy as np

import funcnn as fn


def main() -> float:
    key = fn.Key(0)
    data = fn.data.digits(dtype=np.float32)
    split = fn.data.stratified_split(key.child(0), data, 0.25)
    train, test = split.train, split.test
    model = fn.serial(fn.dense(128), fn.relu(), fn.dropout(0.2), fn.dense(10))
    loss = fn.softmax_cross_entropy()
    fn.check.check_model(model, loss, train.x[:8].astype(float), train.y[:8], mode=fn.Train(key)).raise_if_failed()
    result = fn.fit(
        model,
        loss,
        fn.adam(fn.schedules.cosine(3e-3, 40 * 43)),
        train.x,
        train.y,
        key=key.child(1),
        epochs=40,
        batch_size=32,
        progress=False,
    )
    accuracy = fn.metrics.accuracy(fn.apply(model, result.params, result.state, test.x), test.y)
    print(f"accuracy on {len(test.x)} held-out digits: {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    main()
