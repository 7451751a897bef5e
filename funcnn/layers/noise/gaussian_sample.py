r"""A sample of independent normal distributions, reparameterized (Kingma and Welling 2014, arXiv:1312.6114, section 2.4).

Indices: $n$ example, $k$ latent variable; $\mu$ mean and $s = \log\sigma^2$ log-variance.

Forward, with noise $\varepsilon_{nk}$ drawn from $N(0, 1)$ in training, and $\varepsilon = 0$ in evaluation
$$ z_{nk} = \mu_{nk} + e^{s_{nk}/2}\, \varepsilon_{nk}. $$

Derivation.  The noise does not depend on the two inputs:
$$ \mathrm{d}z_{nk} = \mathrm{d}\mu_{nk} + \tfrac12 e^{s_{nk}/2}\,\varepsilon_{nk}\,\mathrm{d}s_{nk}, $$
and so, with the part $r = e^{s/2}\,\varepsilon$ that forward has added,
$$ \bar\mu_{nk} = \bar z_{nk}, \qquad \bar s_{nk} = \tfrac12\, r_{nk}\, \bar z_{nk}. $$

The noise is drawn in float32 whatever the precision of the inputs: one key draws the same numbers in every precision.
"""

import numpy as np
from attrs import frozen

from funcnn.errors import check_array, check_cotangent, check_cotangent_like, describe
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, Train, define_layer
from funcnn.layers.shape.identity import OutputShape
from funcnn.typing import Array, Empty, Shapes


@frozen(eq=False)
class GaussianSampleResiduals:
    """What was added to the mean: the noise times the standard deviation."""

    added: Array


def init(key: Key, in_shape: Shapes) -> Init[Empty, Empty]:
    if len(in_shape) != 2 or not isinstance(in_shape[0], tuple) or in_shape[0] != in_shape[1]:
        raise ValueError(f"gaussian_sample takes a mean and a log-variance of one shape, got shapes {in_shape}")
    return Init((), (), in_shape[0])


def forward(
    params: Empty, state: Empty, x: tuple[Array, Array], mode: Mode
) -> Forward[Array, Empty, GaussianSampleResiduals | OutputShape]:
    if type(x) is not tuple or len(x) != 2:
        raise TypeError(f"the input is {describe(x)}, expected a tuple (mean, log_variance)")
    mean, log_variance = x
    for given in x:
        check_array(given, min_ndim=1)
    if mean.shape != log_variance.shape:
        raise ValueError(f"the mean is {describe(mean)} and the log-variance {describe(log_variance)}, expected one shape")
    if not isinstance(mode, Train):
        return Forward(mean.copy(), state, OutputShape(mean.shape))
    noise = mode.normal(mean.shape)
    added: Array = np.exp(log_variance / 2)
    added *= noise
    return Forward(mean + added, state, GaussianSampleResiduals(added))


def backward(params: Empty, residuals: GaussianSampleResiduals | OutputShape, dz: Array) -> Backward[Empty, tuple[Array, Array]]:
    if not isinstance(residuals, GaussianSampleResiduals):
        check_cotangent(dz, residuals.shape)
        return Backward(params, (dz.copy(), np.zeros_like(dz)))
    check_cotangent_like(dz, residuals.added)
    dlog_variance: Array = residuals.added * dz
    dlog_variance /= 2
    return Backward(params, (dz.copy(), dlog_variance))


def gaussian_sample() -> Layer[Empty, Empty, tuple[Array, Array], Array]:
    """Draw from normal distributions: (mean, log-variance) to mean + exp(log-variance / 2) * noise.

    Returns
    -------
    Layer
        From a pair of arrays (n, ...) of one shape to that shape.  In evaluation it gives the mean.

    Raises
    ------
    TypeError, ValueError
        In ``init`` and ``forward``, when the input is not a pair of floating arrays of one shape.

    See Also
    --------
    vae : what it is made for.

    References
    ----------
    Kingma and Welling (2014), Auto-encoding variational Bayes, section 2.4.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer, x = fn.gaussian_sample(), (np.ones((2, 3)), np.zeros((2, 3)))
    >>> layer.forward((), (), x, fn.Train(fn.Key(0))).output.shape
    (2, 3)
    >>> fn.apply(layer, (), (), x)[0]
    array([1., 1., 1.])
    """
    return define_layer("gaussian_sample", init, forward, backward, inputs=None)
