r"""A layer of one's own: write the formula, derive the gradient, have it checked.

The layer is a scaled sine, $y = a \sin(w x)$ with a learned amplitude $a$ and frequency $w$ for each feature.  From

    dy = da sin(w x) + a cos(w x) (x dw + w dx)

the cotangents are, summed over the batch for the parameters,

    da = sum dy sin(w x),   dw = sum dy a x cos(w x),   dx = dy a w cos(w x).
"""

import attrs
import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn.typing import Array, Empty, Shape


@frozen(eq=False)
class SineParams:
    amplitude: Array  # (features,)
    frequency: Array  # (features,)


@frozen(eq=False)
class SineResiduals:
    x: Array


def init(key: fn.Key, in_shape: Shape) -> fn.Init[SineParams, Empty]:
    frequency = key.generator().normal(1.0, 0.2, in_shape)
    return fn.Init(SineParams(np.ones(in_shape), frequency), (), in_shape)


def forward(params: SineParams, state: Empty, x: Array, mode: fn.Mode) -> fn.Forward[Array, Empty, SineResiduals]:
    return fn.Forward(params.amplitude * np.sin(params.frequency * x), state, SineResiduals(x))


def backward(params: SineParams, residuals: SineResiduals, dy: Array) -> fn.Backward[SineParams, Array]:
    x, a, w = residuals.x, params.amplitude, params.frequency
    da = (dy * np.sin(w * x)).sum(0)
    dw = (dy * a * x * np.cos(w * x)).sum(0)
    return fn.Backward(SineParams(da, dw), dy * a * w * np.cos(w * x))


def sine() -> fn.Layer[SineParams, Empty, Array, Array]:
    return fn.define_layer("sine", init, forward, backward, random=False)


def forgetful(params: SineParams, residuals: SineResiduals, dy: Array) -> fn.Backward[SineParams, Array]:
    """The same gradient with a common mistake: the amplitude is forgotten in that of the frequency."""
    right = backward(params, residuals, dy)
    dw = (dy * residuals.x * np.cos(params.frequency * residuals.x)).sum(0)
    return fn.Backward(SineParams(right.params.amplitude, dw), right.input)


def main() -> tuple[bool, str]:
    good = fn.check.check_layer(sine(), (3,))
    print(good)

    start = sine().init(fn.Key(0), (3,))
    params = attrs.evolve(start.params, amplitude=np.array([2.0, 0.5, 3.0]))
    x = np.random.default_rng(0).normal(size=(4, 3))
    wrong = fn.define_layer("sine", init, forward, forgetful, random=False)
    bad = fn.check.check_layer(wrong, x, params=params, state=())
    print(bad)
    return good.ok and not bad.ok, bad.findings[0].path


if __name__ == "__main__":
    main()
