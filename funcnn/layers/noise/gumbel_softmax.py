r"""Gumbel softmax (Jang, Gu & Poole 2017, arXiv:1611.01144; Maddison, Mnih & Teh 2017, arXiv:1611.00712): a soft random choice.

Indices: $i$ position along the last axis, every other axis is a batch axis.

Forward, in training with $g_i = -\ln(-\ln u_i)$, $u_i$ uniform on (0, 1), and in evaluation with $g_i = 0$
$$ y_i = \frac{e^{(x_i + g_i)/\tau}}{\sum_j e^{(x_j + g_j)/\tau}} . $$
The largest entry is $i$ with the probability that the softmax of x gives it, whatever the temperature $\tau$.

Derivation.  The noise does not depend on x: the transpose of the softmax (:mod:`funcnn.layers.activations.softmax`), divided by
$\tau$.  It is drawn in float32 whatever the precision of x: one key makes the same choice in every precision.
"""

from functools import partial

import numpy as np
from attrs import frozen

from funcnn.errors import check_range
from funcnn.layer import Backward, Forward, Layer, Mode, Train, define_layer
from funcnn.layers.activations import softmax
from funcnn.layers.activations.softmax import SoftmaxResiduals, check_lines, init
from funcnn.typing import Array, Empty

SMALLEST = float(np.finfo(np.float32).tiny)
"""In the place of a uniform number that came out as 0, whose logarithm is infinite."""


@frozen
class GumbelResiduals:
    """What the softmax kept."""

    inner: SoftmaxResiduals


def forward(temperature: float, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, GumbelResiduals]:
    check_lines(-1, x)
    kind = x.real.dtype.type
    z = x
    if isinstance(mode, Train):
        uniform = np.maximum(mode.uniform(x.shape), np.float32(SMALLEST)).astype(x.real.dtype)
        z = x - np.log(-np.log(uniform))
    made = softmax.forward(-1, params, state, z / kind(temperature), mode)
    return Forward(made.output, state, GumbelResiduals(made.residuals))


def backward(temperature: float, params: Empty, residuals: GumbelResiduals, dy: Array) -> Backward[Empty, Array]:
    dx = softmax.backward(-1, params, residuals.inner, dy).input
    return Backward(params, dx / dx.real.dtype.type(temperature))


def gumbel_softmax(temperature: float = 1.0) -> Layer[Empty, Empty, Array, Array]:
    """Softmax of logits with Gumbel noise: a random choice in training through which gradients pass.

    Parameters
    ----------
    temperature : float, optional
        How soft the choice is, more than 0: near 0 one entry is nearly 1.

    Returns
    -------
    Layer
        From any shape to the same, over the last axis; without noise in evaluation.

    Raises
    ------
    TypeError, ValueError
        When the temperature is not positive; in ``forward``, when x is not a floating array.

    References
    ----------
    Jang, Gu & Poole (2017), Categorical reparameterization with Gumbel-softmax, arXiv:1611.01144.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer, x = fn.gumbel_softmax(0.1), np.array([[0.0, 1.0, 0.0]])
    >>> layer.forward((), (), x, fn.Train(fn.Key(3))).output.argmax(-1)
    array([0])
    >>> fn.apply(layer, (), (), x).argmax(-1)
    array([1])
    """
    temperature = check_range(temperature, "temperature", 0, float("inf"), open_low=True, open_high=True)
    return define_layer(
        f"gumbel_softmax({temperature:g})",
        partial(init, -1),
        partial(forward, temperature),
        partial(backward, temperature),
    )
