r"""Patches of an image as a sequence (Dosovitskiy et al. 2021, arXiv:2010.11929, eq. 1).

Forward.  The image is cut into patches side by side, each is mapped to features by one affine map, and the patches become the
steps of a sequence, row by row: a convolution whose stride is its kernel (:mod:`funcnn.layers.convolution.convolution`), and a
reshaping.

There is no gradient of its own to derive: it is the chain of these two.
"""

from funcnn import initializers
from funcnn.errors import check_count
from funcnn.initializers import Initializer
from funcnn.kernels.windows import Sizes, make_windows, per_axis
from funcnn.layer import Layer, chain
from funcnn.layers.convolution.convolution import ConvParams, checked_start, convolution
from funcnn.layers.shape.reshape import reshape
from funcnn.typing import Array, Empty


def patch_embedding(
    features: int,
    patch: Sizes,
    *,
    weight_init: Initializer = initializers.glorot_uniform,
    bias_init: Initializer = initializers.zeros,
) -> Layer[tuple[ConvParams, Empty], tuple[Empty, Empty], Array, Array]:
    """Cut images into patches and map each to features: (n, height, width, channels) to (n, patches, features).

    Parameters
    ----------
    features : int
        Number of features of a patch.
    patch : int or sequence of int
        Height and width of a patch; points that do not fill one are left out.
    weight_init, bias_init : callable, optional
        Initializers of the weight (height, width, channels, features) and of the bias (features,).

    Returns
    -------
    Layer
        ``conv2d(features, patch, stride=patch) >> reshape((-1, features))``: its parameters are a pair.

    Raises
    ------
    TypeError, ValueError
        As for :func:`funcnn.conv2d`.

    References
    ----------
    Dosovitskiy et al. (2021), An image is worth 16x16 words, arXiv:2010.11929.

    Examples
    --------
    >>> import funcnn as fn
    >>> vit = fn.patch_embedding(32, 8) >> fn.learned_positions(16) >> fn.encoder_block(32, 4)
    >>> vit.init(fn.Key(0), (32, 32, 3)).out_shape
    (16, 32)
    """
    features = check_count(features, "features")
    sizes = per_axis(patch, 2, "patch")
    windows = make_windows(2, sizes, sizes)
    mapped = convolution(windows, features, 1, checked_start(ConvParams, weight_init, bias_init))
    return chain((mapped, reshape((-1, features))))
