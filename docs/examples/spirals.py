"""Three interleaved spirals with relu, softmax and categorical cross-entropy."""

import funcnn as fn


def main() -> float:
    key = fn.Key(0)
    data = fn.data.spirals(key.child(0))
    split = fn.data.stratified_split(key.child(1), data, 0.25)
    train, test = split.train, split.test
    classes = len(set(data.y.tolist()))
    model = fn.serial(fn.dense(64), fn.relu(), fn.dense(64), fn.relu(), fn.dense(classes))
    result = fn.fit(
        model,
        fn.softmax_cross_entropy(),
        fn.adam(1e-2),
        train.x,
        train.y,
        key=key.child(2),
        epochs=150,
        batch_size=32,
        progress=False,
    )
    accuracy = fn.metrics.accuracy(fn.apply(model, result.params, result.state, test.x), test.y)
    print(f"{len(train.x)} points to train, {len(test.x)} to test: accuracy {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main()
