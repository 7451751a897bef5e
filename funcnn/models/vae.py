"""A variational autoencoder (Kingma and Welling 2014, arXiv:1312.6114): a code that is a distribution, close to the normal one.

The encoder gives mean and log-variance of the code, a sample of it goes to the decoder.  The output carries mean and log-variance
beside the reconstruction, because the loss, :func:`funcnn.negative_elbo`, needs all three.
"""

from attrs import evolve

from funcnn.combinators.branch import branch
from funcnn.combinators.serial import serial
from funcnn.errors import check_count
from funcnn.layer import AnyLayer, Layer
from funcnn.layers.noise.gaussian_sample import gaussian_sample
from funcnn.layers.shape.slice_axis import slice_axis
from funcnn.models.choices import check_widths
from funcnn.models.mlp import mlp
from funcnn.typing import Array


def vae(
    features: int, *, hidden: tuple[int, ...] = (256,), latent_size: int = 8, activation: str = "silu"
) -> Layer[tuple[object, ...], tuple[object, ...], Array, tuple[Array, Array, Array]]:
    """Make a variational autoencoder: (n, features) to (reconstruction (n, features), mean (n, m), log-variance (n, m)).

    In training the decoder sees a sample of the code, in evaluation its mean.

    Parameters
    ----------
    features : int
        Of the input.
    hidden : tuple of int, optional
        Widths of the encoder's hidden layers; the decoder has the same in reverse.
    latent_size : int, optional
        The number m of latent variables.
    activation : str, optional
        As :func:`funcnn.mlp` takes them.

    Returns
    -------
    Layer
        ``params[0]`` is the encoder's, ``params[1][0][1]`` the decoder's, which :func:`vae_decoder` makes a layer of.

    Raises
    ------
    TypeError, ValueError
        When a setting is out of its range.

    References
    ----------
    Kingma and Welling (2014), Auto-encoding variational Bayes.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.vae(64, hidden=(32,), latent_size=2)
    >>> start = model.init(fn.Key(0), (64,))
    >>> start.out_shape
    ((64,), (2,), (2,))
    """
    features, latent_size, hidden = (
        check_count(features, "features"),
        check_count(latent_size, "latent_size"),
        check_widths(hidden, "hidden"),
    )
    encoder = mlp(*hidden, 2 * latent_size, activation=activation)
    mean, log_variance = slice_axis(0, latent_size), slice_axis(latent_size, 2 * latent_size)
    drawn: AnyLayer = serial(branch(mean, log_variance), gaussian_sample())
    decoded: AnyLayer = serial(drawn, vae_decoder(features, hidden=hidden, activation=activation))
    made: AnyLayer = serial(encoder, branch(decoded, mean, log_variance))
    return evolve(made, name=f"vae({features}, {latent_size})")


def vae_decoder(
    features: int, *, hidden: tuple[int, ...] = (256,), activation: str = "silu"
) -> Layer[tuple[object, ...], tuple[object, ...], Array, Array]:
    """Make the decoder of :func:`vae` as a layer by itself: (n, m) to (n, features); settings as there.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> start = fn.vae(64, hidden=(32,), latent_size=2).init(fn.Key(0), (64,))
    >>> decoder = fn.vae_decoder(64, hidden=(32,))
    >>> fn.apply(decoder, start.params[1][0][1], start.state[1][0][1], np.zeros((3, 2))).shape
    (3, 64)
    """
    features, hidden = check_count(features, "features"), check_widths(hidden, "hidden")
    return evolve(mlp(*reversed(hidden), features, activation=activation), name=f"vae_decoder({features})")
