"""A small convolutional network on the embedded digits, with batch normalization."""

import numpy as np

import funcnn as fn


def main() -> float:
    key = fn.Key(0)
    data = fn.data.digits(dtype=np.float32)
    split = fn.data.stratified_split(key.child(0), data, 0.25)
    train, test = split.train, split.test
    model = (
        fn.reshape((8, 8, 1))
        >> fn.conv2d(16, 3, padding="same")
        >> fn.batch_norm()
        >> fn.relu()
        >> fn.conv2d(32, 3, padding="same")
        >> fn.batch_norm()
        >> fn.relu()
        >> fn.max_pool2d(2)
        >> fn.conv2d(64, 3, padding="same")
        >> fn.batch_norm()
        >> fn.relu()
        >> fn.global_avg_pool()
        >> fn.dense(10)
    )
    result = fn.fit(
        model,
        fn.softmax_cross_entropy(),
        fn.adam(fn.schedules.cosine(5e-3, 15 * 22)),
        train.x,
        train.y,
        key=key.child(1),
        epochs=15,
        batch_size=64,
        drop_last=True,
        progress=False,
    )
    accuracy = fn.metrics.accuracy(fn.apply(model, result.params, result.state, test.x), test.y)
    print(f"{fn.summary(model, (64,))}")
    print(f"accuracy on {len(test.x)} held-out digits: {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    main()
