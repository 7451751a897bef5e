"""One neuron by hand: a weighted sum, a bias, an activation, and its gradient.

z = w . x + b,   y = tanh(z)
dL/dz = (1 - y^2) dL/dy,   dL/dw = x dL/dz,   dL/db = dL/dz
"""

import numpy as np

import funcnn as fn
from funcnn.layers.linear.dense import DenseParams


def main() -> tuple[float, float]:
    x, w, b = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.1, -0.4]), 0.2

    # by hand
    z = w @ x + b
    y = np.tanh(z)
    dz = (1 - y**2) * 1.0  # how much y itself changes with z
    dw, db = x * dz, dz
    print(f"by hand:  y = {y:.6f}   dy/dw = {dw.round(6)}   dy/db = {db:.6f}")

    # the same neuron as a network: a batch of one example, three inputs, one output
    neuron = fn.dense(1) >> fn.tanh()
    params = (DenseParams(weight=w[:, None], bias=np.array([b])), ())
    made = neuron.forward(params, ((), ()), x[None], fn.Eval())
    pulled = neuron.backward(params, made.residuals, np.ones((1, 1)))
    weight, bias = pulled.params[0].weight[:, 0], pulled.params[0].bias[0]
    print(f"funcnn:   y = {made.output[0, 0]:.6f}   dy/dw = {weight.round(6)}   dy/db = {bias:.6f}")

    difference = max(np.abs(weight - dw).max(), abs(bias - db), abs(made.output[0, 0] - y))
    print(f"largest difference: {difference:.1e}")
    return float(y), float(difference)


if __name__ == "__main__":
    main()
