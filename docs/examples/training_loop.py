"""The training loop spelled out, without ``fit``: pure functions, and a loop that is yours to change."""

import numpy as np

import funcnn as fn


def main() -> float:
    key = fn.Key(0)
    data = fn.data.digits(dtype=np.float32)
    split = fn.data.stratified_split(key.child(0), data, 0.25)
    train, test = split.train, split.test

    model = fn.dense(64) >> fn.relu() >> fn.dense(10)
    step = fn.loss_and_grad(model, fn.softmax_cross_entropy(label_smoothing=0.05))
    optimizer = fn.chain(fn.clip_by_global_norm(1.0), fn.adamw(3e-3, weight_decay=1e-2))

    start = model.init(key.child(1), (64,))
    params, state = fn.tree.astype(start.params, np.float32), start.state
    opt_state = optimizer.init(params)
    for epoch in range(25):
        epoch_key = key.child(2).child(epoch)
        losses = []
        for number, (x, labels) in enumerate(fn.data.batches(epoch_key.child(0), (train.x, train.y), 32)):
            result = step(params, state, x, labels, fn.Train(epoch_key.child(1).child(number)))
            updated = optimizer.update(params, result.grads, opt_state)
            params, state, opt_state = updated.params, result.state, updated.state
            losses.append(float(result.loss))
        if epoch % 8 == 0:
            print(f"epoch {epoch:2}  loss {np.mean(losses):.4f}")

    accuracy = float((fn.apply(model, params, state, test.x).argmax(1) == test.y).mean())
    print(f"accuracy on held-out digits: {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    main()
