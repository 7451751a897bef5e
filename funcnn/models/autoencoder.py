"""An autoencoder (Hinton and Salakhutdinov 2006): it learns to redraw its input through a narrow code."""

from attrs import evolve

from funcnn.combinators.serial import serial
from funcnn.errors import check_count
from funcnn.layer import AnyLayer, Layer
from funcnn.models.choices import activation_named, check_widths
from funcnn.models.mlp import mlp
from funcnn.typing import Array


def autoencoder(
    features: int, *, hidden: tuple[int, ...] = (128,), latent_size: int = 16, activation: str = "silu", output: str | None = None
) -> Layer[tuple[object, ...], tuple[object, ...], Array, Array]:
    """Make an autoencoder: (n, features) to (n, features), through (n, latent_size).

    The encoder is a perceptron with the hidden widths, the decoder one with the same in reverse.

    Parameters
    ----------
    features : int
        Of the input, and so of the output.
    hidden : tuple of int, optional
    latent_size : int, optional
    activation : str, optional
        As :func:`funcnn.mlp` takes them.
    output : str, optional
        An activation of the output, such as "sigmoid" for entries in [0, 1]; by default none.

    Returns
    -------
    Layer
        A chain of encoder and decoder: ``params[0]`` and ``params[1]`` are theirs.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range.

    References
    ----------
    Hinton and Salakhutdinov (2006), Reducing the dimensionality of data with neural networks.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> start = fn.autoencoder(64, hidden=(32,), latent_size=4).init(fn.Key(0), (64,))
    >>> start.out_shape
    (64,)
    """
    features, latent_size, hidden = (
        check_count(features, "features"),
        check_count(latent_size, "latent_size"),
        check_widths(hidden, "hidden"),
    )
    encoder = mlp(*hidden, latent_size, activation=activation)
    decoder: AnyLayer = mlp(*reversed(hidden), features, activation=activation)
    if output is not None:
        decoder = serial(decoder, activation_named(output, "output"))
    made: AnyLayer = serial(encoder, decoder)
    return evolve(made, name=f"autoencoder({features}, {latent_size})")


def narrow_code(features: int) -> int:
    """Return how many numbers an autoencoder keeps of so many features, where that is not said: too few to copy any row."""
    return min(8, max(1, features // 2))
