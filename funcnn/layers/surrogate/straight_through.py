r"""Straight-through estimator (Bengio, Léonard & Courville 2013, arXiv:1308.3432, section 4).

Forward: $y = \operatorname{round}(x)$ or $y = \operatorname{sign}(x)$, entry by entry.

Backward: $\bar x = \bar y$.

This is on purpose not the transpose of forward's derivative, which is 0 wherever it exists, but that of the *surrogate* $x$: a
layer of steps could not be learned through otherwise.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np

from funcnn.errors import check_array, check_choice
from funcnn.layer import Forward, Layer, Mode, define_layer
from funcnn.layers.shape.identity import OutputShape, backward, init
from funcnn.typing import Array, Empty

STEPS: dict[str, Callable[[Array], Array]] = {"round": np.round, "sign": np.sign}


def forward(steps: str, params: Empty, state: Empty, x: Array, mode: Mode) -> Forward[Array, Empty, OutputShape]:
    check_array(x, min_ndim=1)
    y = STEPS[steps](x.real).astype(x.dtype, copy=False)
    if x.dtype.kind == "c":  # a complex step has the derivative that backward transposes
        y.imag = x.imag
    return Forward(y, state, OutputShape(y.shape))


def straight_through(steps: Literal["round", "sign"]) -> Layer[Empty, Empty, Array, Array]:
    """Round, or take the sign, and pass the gradient through as if nothing had happened (Bengio et al. 2013, arXiv:1308.3432).

    Parameters
    ----------
    steps : {"round", "sign"}
        To the nearest integer, halves to the even one; or to -1, 0 at 0, and 1.

    Returns
    -------
    Layer
        From any shape to the same.  A gradient check of a network that holds it fails, rightly: backward is on purpose not the
        derivative of forward.

    Raises
    ------
    ValueError
        When ``steps`` is something else.
    TypeError
        In ``forward``, when x is not a floating array.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> layer = fn.straight_through("round")
    >>> made = layer.forward((), (), np.array([[0.2, 1.7]]), fn.Eval())
    >>> made.output, layer.backward((), made.residuals, np.array([[1.0, 4.0]])).input
    (array([[0., 2.]]), array([[1., 4.]]))
    """
    steps = check_choice(steps, ("round", "sign"), "steps")
    return define_layer(f"straight_through({steps})", init, partial(forward, steps), backward, random=False)
