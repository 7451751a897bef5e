r"""The empirical neural tangent kernel.

Indices: $n$ and $m$ examples, $k, l$ outputs of one.

To first order the outputs at an example move with the parameters as $\mathrm{d} f_{nk} = \langle \partial f_{nk} / \partial p,
\mathrm{d}p \rangle$.  A step of gradient descent on a loss of the outputs at other examples therefore moves them by
$$ \mathrm{d} f_{nk} = -\eta \sum_{ml} \Theta_{nmkl}\, \frac{\partial L}{\partial f_{ml}}, \qquad \Theta_{nmkl} = \left\langle
   \frac{\partial f_{nk}}{\partial p}, \frac{\partial f_{ml}}{\partial p} \right\rangle = (J J^\top)_{nkml} $$
(Jacot, Gabriel & Hongler 2018, arXiv:1806.07572).  For wide networks the kernel hardly changes in training; here it is that of
the network at hand, whatever its width.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from attrs import frozen

from funcnn.curvature.operator import vector_space
from funcnn.curvature.output_gradients import OutputGradients
from funcnn.curvature.predictive import output_rows
from funcnn.derivatives.apart import apart
from funcnn.layer import Layer, check_layer
from funcnn.losses.regression.squared_error import half_squared_error
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")


def tangent_kernel(model: Layer[P, S, X, Array]) -> TangentKernelFunction[P, S, X]:
    r"""Return the function that computes the empirical neural tangent kernel.

    Parameters
    ----------
    model : Layer
        With an output of one array.

    Returns
    -------
    callable
        ``(params, state, x, other=None) -> array (N, M, K, K)``, in evaluation: between the examples of x and those of the other
        input, by default x itself.  Pure, and picklable.  It takes a backward for each output of an example, and the memory of
        the gradients of all examples.

    Raises
    ------
    TypeError
        When the model is not a layer.

    References
    ----------
    Jacot, Gabriel & Hongler (2018), Neural tangent kernel: convergence and generalization in neural networks, arXiv:1806.07572.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> x = np.array([[1.0, 2.0], [0.0, 1.0]])
    >>> fn.curvature.tangent_kernel(model)(start.params, (), x)[:, :, 0, 0]
    array([[6., 3.],
           [3., 2.]])
    """
    check_layer(model, "the model")
    loss: Any = half_squared_error()  # no part of a kernel: the gradients of outputs need none
    return TangentKernelFunction(OutputGradients(model, loss, apart(model, "grads")))


@frozen
class TangentKernelFunction(Generic[P, S, X]):
    """What :func:`tangent_kernel` returns."""

    outputs: OutputGradients[P, S, X, Array]

    def __call__(self, params: P, state: S, x: X, /, other: X | None = None) -> Array:
        """Return the kernel."""
        vector_space(params, "params")
        ours = self._rows(params, state, x)
        theirs = ours if other is None else self._rows(params, state, other)
        kernel: Array = np.einsum("nkd,mld->nmkl", ours, theirs, optimize=True)
        return kernel

    def _rows(self, params: P, state: S, x: X) -> Array:
        """Return the gradient of each output, (n, K, D)."""
        _, rows = output_rows(self.outputs, params, state, x)
        flat = [np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1) for leaves in rows]
        return np.stack(flat, axis=1)
