"""XOR with sigmoids, half the squared error and plain gradient descent: the first problem that one layer cannot solve."""

import numpy as np

import funcnn as fn


def main() -> float:
    data = fn.data.xor()
    x, target = data.x, data.y.reshape(-1, 1).astype(float)
    model = fn.dense(4) >> fn.sigmoid() >> fn.dense(1) >> fn.sigmoid()
    step = fn.loss_and_grad(model, fn.half_squared_error())
    optimizer = fn.sgd(2.0)

    start = model.init(fn.Key(2), (2,))
    params, state, opt_state = start.params, start.state, optimizer.init(start.params)
    for number in range(4001):
        result = step(params, state, x, target, fn.Train(fn.Key(number)))
        updated = optimizer.update(params, result.grads, opt_state)
        params, opt_state = updated.params, updated.state
        if number % 1000 == 0:
            print(f"step {number:4}  loss {result.loss:.5f}")

    output = fn.apply(model, params, state, x)
    for row, wanted, got in zip(x, target[:, 0], output[:, 0], strict=True):
        print(f"{row.astype(int)}  wanted {wanted:.0f}  got {got:.3f}")
    return float(np.abs(output - target).max())


if __name__ == "__main__":
    main()
