r"""The inner product of two inputs along their last axis.

Indices: $n$ example (any number of leading axes), $i$ feature.

Forward
$$ y_n = \sum_i a_{ni} b_{ni} . $$

Derivation.  $\mathrm{d}y_n = \sum_i (b_{ni}\,\mathrm{d}a_{ni} + a_{ni}\,\mathrm{d}b_{ni})$, and so
$$ \bar a_{ni} = \bar y_n b_{ni}, \qquad \bar b_{ni} = \bar y_n a_{ni} . $$
"""

from attrs import frozen

from funcnn.combinators.inputs.average import pair
from funcnn.errors import check_array, check_cotangent
from funcnn.kernels.arrays import dot_last
from funcnn.key import Key
from funcnn.layer import Backward, Forward, Init, Layer, Mode, define_layer
from funcnn.typing import Array, Empty, Shape


@frozen(eq=False)
class DotResiduals:
    """The inputs."""

    first: Array
    second: Array


def init(key: Key, in_shape: tuple[Shape, ...]) -> Init[Empty, Empty]:
    first, second = in_shape
    if first != second or not first:
        raise ValueError(f"the inputs' shapes are {in_shape}, expected one shape with an axis to sum over")
    return Init((), (), (*first[:-1], 1))


def forward(params: Empty, state: Empty, x: tuple[Array, Array], mode: Mode) -> Forward[Array, Empty, DotResiduals]:
    first, second = pair(x)
    check_array(first, "input [0]")
    if first.shape != second.shape:
        raise ValueError(f"the inputs have shapes {first.shape} and {second.shape}, expected one shape")
    return Forward(dot_last(first, second)[..., None], state, DotResiduals(first, second))


def backward(params: Empty, residuals: DotResiduals, dy: Array) -> Backward[Empty, tuple[Array, Array]]:
    first, second = residuals.first, residuals.second
    check_cotangent(dy, (*first.shape[:-1], 1), first.dtype)
    return Backward(params, (dy * second, dy * first))


def dot_inputs() -> Layer[Empty, Empty, tuple[Array, Array], Array]:
    """Take the inner product of two inputs along their last axis: a score of two embeddings, for example.

    Returns
    -------
    Layer
        From a pair of arrays (n, ..., d) of one shape to (n, ..., 1).

    Raises
    ------
    TypeError, ValueError
        In ``init`` and ``forward``, when there are not two inputs, or they have not one shape.

    Examples
    --------
    How well a user and a film go together:

    >>> import numpy as np, funcnn as fn
    >>> score = fn.parallel(fn.embedding(100, 8), fn.embedding(50, 8)) >> fn.dot_inputs()
    >>> start = score.init(fn.Key(0), ((), ()))
    >>> fn.apply(score, start.params, start.state, (np.array([3, 7]), np.array([1, 1]))).shape
    (2, 1)
    """
    return define_layer("dot_inputs", init, forward, backward, random=False, inputs=2)
