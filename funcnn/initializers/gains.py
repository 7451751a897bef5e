r"""What a layer's weights have to be multiplied by to make up for the activation before it.

With inputs $x = f(z)$ of standard normal numbers $z$, weights of mean 0 and variance $c / \text{fan\_in}$ give outputs of
variance
$$ c \operatorname{E} f(z)^2 = c \int f(z)^2\, \frac{e^{-z^2/2}}{\sqrt{2\pi}}\, dz $$
(Poole et al. 2016, arXiv:1606.05340, eq. 3).  They are as large as $z$ was, and so are those of the next layer, for the deviation
$$ \text{gain} = \sqrt c = \frac{1}{\sqrt{\operatorname{E} f(z)^2}} . $$
For relu that is $\sqrt 2$ (He et al. 2015, eq. 10) and with the slope $a$ below 0 $\sqrt{2 / (1 + a^2)}$ (ibid., eq. 15); selu
has been made to have 1.  The other integrals have no closed form.
"""

import math
from typing import Literal, TypeAlias, get_args

from funcnn.errors import check_choice, check_range

Activation: TypeAlias = Literal[
    "identity", "relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu", "mish", "elu", "selu", "softplus"
]

_GAINS: dict[str, float] = {
    "identity": 1.0,
    "relu": math.sqrt(2),
    "tanh": 1.5925374197228314,
    "sigmoid": 1.8462285453386054,
    "gelu": 1.5335304411955352,
    "silu": 1.6765324703310912,
    "mish": 1.4868475812732081,
    "elu": 1.2451983007007066,
    "selu": 1.0,
    "softplus": 1.0418668355353017,
}


def gain(activation: Activation, slope: float | None = None) -> float:
    r"""Return the deviation of weights, times the root of fan_in, with which a signal keeps its size through an activation.

    That of relu and leaky_relu holds for any size of a signal.  After tanh, sigmoid, softplus, elu and selu another size comes
    back to it from layer to layer; after gelu, silu and mish it moves away, by 14, 17 and 8 percent of the difference in mean
    squares, so that a network of many layers needs a norm too.

    PyTorch's ``calculate_gain`` has the same for relu; its 5/3 for tanh and 3/4 for selu are rules of thumb.

    Parameters
    ----------
    activation : str
        The activation before the layer: "identity", "relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu", "mish", "elu",
        "selu" or "softplus", with the settings that the layers of these names have by default.
    slope : float, optional
        Of "leaky_relu" below 0; 0.01 by default, as that of the layer.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For an unknown activation, or a slope for one that has none.

    References
    ----------
    Poole et al. (2016), Exponential expressivity in deep neural networks through transient chaos, arXiv:1606.05340, eq. 3.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.initializers.gain("relu")
    1.4142135623730951
    >>> layer = fn.dense(64, weight_init=fn.initializers.orthogonal(fn.initializers.gain("tanh")))
    >>> another = fn.dense(64, weight_init=fn.initializers.variance_scaling(fn.initializers.gain("gelu") ** 2))
    """
    activation = check_choice(activation, get_args(Activation), "activation")
    if activation == "leaky_relu":
        slope = 0.01 if slope is None else check_range(slope, "slope", -math.inf, math.inf, open_low=True, open_high=True)
        return math.sqrt(2) / math.hypot(1.0, slope)
    if slope is not None:
        raise ValueError(f"slope is {slope!r}, but {activation} has none: it is for leaky_relu")
    return _GAINS[activation]
