"""A multilayer perceptron (Rumelhart, Hinton and Williams 1986): dense layers with an activation between them."""

from attrs import evolve

from funcnn.combinators.serial import serial
from funcnn.errors import check_range
from funcnn.layer import AnyLayer, Layer
from funcnn.layers.linear.dense import dense
from funcnn.layers.noise.dropout import dropout as dropping
from funcnn.models.choices import activation_named, check_widths
from funcnn.typing import Array


def mlp(
    *widths: int, activation: str = "relu", dropout: float = 0.0
) -> Layer[tuple[object, ...], tuple[object, ...], Array, Array]:
    """Make a multilayer perceptron: (n, features) to (n, last width).

    Every width but the last is a hidden layer: dense, activation and, where the rate is not 0, dropout.  The last is dense alone.

    Parameters
    ----------
    *widths : int
        The outputs of each dense layer, at least one.
    activation : str, optional
        "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh" or "sigmoid".
    dropout : float, optional
        The rate at which hidden values are dropped in training.

    Returns
    -------
    Layer

    Raises
    ------
    TypeError, ValueError
        Without a width, or when a setting is out of its range.

    References
    ----------
    Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.mlp(512, 512, 10, dropout=0.2)
    >>> start = model.init(fn.Key(0), (784,))
    >>> start.out_shape, fn.tree.size(start.params)
    ((10,), 669706)
    """
    if not widths:
        raise ValueError("mlp takes at least one width: that of the output")
    widths = check_widths(widths, "widths")
    dropout = check_range(dropout, "dropout", 0, 1, open_high=True)
    layers: list[AnyLayer] = []
    for width in widths[:-1]:
        layers += [dense(width), activation_named(activation), *([dropping(dropout)] if dropout else [])]
    activation_named(activation)  # a wrong name is an error in a network without hidden layers too
    made: AnyLayer = serial(*layers, dense(widths[-1]))
    return evolve(made, name=f"mlp({', '.join(map(str, widths))})")
