"""Multi-head self-attention whose queries, keys and values have biases, and whose output has none: Qwen 2's.

There is nothing to derive beside :mod:`funcnn.layers.attention.attention`: the last map is a linear one.
"""

from typing import Unpack, overload

from funcnn.layer import AnyLayer, Layer
from funcnn.layers.attention.attention import AttentionParams, layer_of
from funcnn.layers.attention.setting import Settings, setting_of, start_of
from funcnn.layers.linear.dense import DenseParams
from funcnn.layers.linear.linear import LinearParams
from funcnn.masked import Masked
from funcnn.typing import Array, Empty, No, Yes


@overload
def attention_without_output_bias(
    heads: int, *, masked: No = False, **options: Unpack[Settings]
) -> Layer[AttentionParams[DenseParams, LinearParams], Empty, Array, Array]: ...
@overload
def attention_without_output_bias(
    heads: int, *, masked: Yes, **options: Unpack[Settings]
) -> Layer[AttentionParams[DenseParams, LinearParams], Empty, Masked, Masked]: ...
def attention_without_output_bias(heads: int, *, masked: bool = False, **options: Unpack[Settings]) -> AnyLayer:
    """Multi-head self-attention with biases of queries, keys and values alone: sequences (n, t, features) to the same shape.

    Parameters
    ----------
    heads : int
        Number of query heads H, a divisor of the features unless ``head_features`` are given.
    masked : bool, optional
        Take and give :class:`funcnn.Masked` sequences.
    **options
        Those of :func:`funcnn.attention`.

    Returns
    -------
    Layer
        Parameters :class:`AttentionParams`: an affine map to the heads, and a linear one from them.

    Raises
    ------
    TypeError, ValueError
        As :func:`funcnn.attention`.

    See Also
    --------
    attention : the same with a bias of the output, attention_without_bias : without any.

    References
    ----------
    Qwen Team (2024), Qwen2 technical report, arXiv:2407.10671, section 2.2.1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.attention_without_output_bias(2, causal=True, key_value_heads=1, positions="rotary")
    >>> start = layer.init(fn.Key(0), (5, 8))
    >>> fn.tree.paths(start.params)
    ('.project.weight', '.project.bias', '.output.weight')
    >>> fn.apply(layer, start.params, start.state, np.zeros((3, 5, 8))).shape
    (3, 5, 8)
    """
    setting, start = setting_of(heads, masked, options), start_of((DenseParams, LinearParams), options)
    return layer_of("attention_without_output_bias", setting, start)
