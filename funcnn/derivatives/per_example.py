r"""Gradients of the single examples of a batch.

Indices: $n$ example of $N$, $p$ the parameters.

The gradient of example n is that of its own loss, of the example as a batch of one:
$$ g_n = \frac{\partial}{\partial p}\, \ell\big(f(x_n; p), t_n\big) , $$
so that the gradient of the batch is $\sum_n g_n$ for a loss with reduction "sum", and $\sum_n m_n g_n / \sum_n m_n$ for "mean",
where $m_n$ is what the loss counts of the example (1 for most).  An example whose target counts for nothing has the gradient 0.

The network runs once for the whole batch, forward and backward, and each layer keeps the examples apart in its backward
(:mod:`funcnn.derivatives.apart`).  A sum with weights, $\sum_n c_n g_n$, needs no gradients of single examples at all: it is one
backward, of the cotangents $c_n \bar y_n$.  So clipped sums take a backward for the norms and another one for the sum.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
from attrs import field, frozen

from funcnn import tree
from funcnn.combinators.stop_gradient import zeros_like
from funcnn.derivatives.apart import Apart, Kind, apart, batch_size, example
from funcnn.derivatives.complex_step import check_mode, check_real, parts
from funcnn.errors import check_range
from funcnn.grad import check_loss_gradient
from funcnn.layer import Forward, Layer, Mode, Residuals, Train, check_layer, params_only
from funcnn.losses import reduction
from funcnn.losses.batchwise import compares_examples
from funcnn.losses.loss import Loss, check_loss
from funcnn.losses.weighted import Weighted
from funcnn.sharding.shard import joined
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


def per_example_grads(model: Layer[P, S, X, Y], loss: Loss[Y, T]) -> PerExampleGradsFunction[P, S, X, Y, T]:
    r"""Return the function that computes the gradient of each example of a batch.

    Parameters
    ----------
    model : Layer
    loss : Loss

    Returns
    -------
    callable
        ``(params, state, x, target, mode) -> tree`` like the parameters, each leaf with an axis of the examples first; None in
        the place of integers.  Pure, and picklable.  It equals a loop over the examples as batches of one, with the random
        numbers that each has in the batch.

        It raises a ValueError where a layer makes the examples depend on each other (``batch_norm`` in training), and says
        which.

    Raises
    ------
    TypeError
        When the model is not a layer, or the loss is not a loss.
    ValueError
        When the loss compares the examples of a batch with each other, as ``info_nce`` does.

    Notes
    -----
    Layers run once for the whole batch.  Those that iterate until the batch is done (``fixed_point``, ``dormand_prince``),
    ``time_distributed``, and layers of one's own with parameters run once for each example.  For norms so do those whose weights
    are made of others (``weight_norm``, ``spectral_norm``) or used several times (``shared``, ``runge_kutta``, derivatives of a
    network): the norm of a sum is no sum of norms.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> x, target = np.eye(2), np.zeros((2, 1))
    >>> grads = fn.per_example_grads(model, fn.mean_squared_error())(start.params, start.state, x, target, fn.Eval())
    >>> grads.weight.shape
    (2, 2, 1)
    >>> mean = fn.loss_and_grad(model, fn.mean_squared_error())(start.params, start.state, x, target, fn.Eval()).grads
    >>> np.allclose(grads.weight.mean(0), mean.weight)
    True

    See Also
    --------
    per_example_norms : their norms alone, in less memory.
    clipped_grads : the sum of the gradients, each cut to a norm.
    """
    return PerExampleGradsFunction(*checked(model, loss, "grads"))


def checked(model: Any, loss: Any, kind: Kind) -> tuple[Any, Any, Any]:
    """Return a model, a loss, and the model that keeps examples apart; raise when they are something else."""
    check_layer(model, "the model")
    check_loss(loss)
    if compares_examples(loss):
        raise ValueError(
            f"the loss {loss.name} compares the examples of a batch with each other: none has a gradient of its own; use a"
            " loss of single pairs, such as fn.contrastive or fn.cosine_embedding"
        )
    return model, loss, apart(model, kind)


@frozen
class PerExampleGradsFunction(Generic[P, S, X, Y, T]):
    """What :func:`per_example_grads` returns."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]
    apart: Layer[P, S, X, Y] = field(repr=False)

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, /) -> P:
        """Return the gradient of each example."""
        network, doutput = forwards(self.apart, self.loss, (params, state, x, target), mode)
        grads: P = params_only(self.apart, params, network.residuals, doutput).params
        return grads


def forwards(model: Layer[P, S, X, Y], loss: Loss[Y, T], at: tuple[P, S, X, T], mode: Mode) -> tuple[Forward[Y, S, Residuals], Y]:
    """Return the forward of a network that keeps examples apart, and the cotangent of its output for each example's own loss."""
    params, state, x, target = at
    check_mode(mode)
    check_real(params, "params")
    check_real(x, "x")
    batch_size(x)
    network = model.forward(params, state, x, Apart(mode.key, 0) if isinstance(mode, Train) else mode)
    return network, cotangents(loss, network.output, target)


def cotangents(loss: Loss[Any, Any], output: Any, target: Any) -> Any:
    """Return the gradients of the losses of the examples, each alone."""
    count = batch_size(output)
    scale = common_factor(loss, target, count)
    if scale is not None or count == 0:
        doutput: Any = loss.backward(loss.forward(output, target).residuals) if count else output
        check_loss_gradient(doutput, output, loss.name)
        factor = 1.0 if scale is None else scale
        return doutput if factor == 1 else tree.map_cotangents(lambda leaf: leaf * leaf.dtype.type(factor), doutput)
    return joined([_alone(loss, example(output, n), example_target(target, n)) for n in range(count)])


def common_factor(loss: Loss[Any, Any], target: object, count: int) -> float | None:
    """Return by what the gradient of a batch is to be multiplied for those of its examples, where this is one number."""
    function: Any = loss.forward
    if isinstance(target, Weighted) or not (isinstance(function, partial) and function.func is reduction.forward):
        return None
    rule, mean = function.args
    if rule.mask is not None or (mean and rule.mass is not None):
        return None
    return float(count) if mean else 1.0


def shares(loss: Loss[Any, Any], target: Any, count: int) -> Array | None:
    r"""Return the part $m_n / \sum_k m_k$ that each example is of a mean, (n,); None where each is 1/N."""
    if loss.mass is None or common_factor(loss, target, count) is not None:
        return None
    masses: Array = np.array([loss.mass(example_target(target, n)) for n in range(count)], dtype=float)
    masses /= max(masses.sum(), np.finfo(float).tiny)
    return masses


def example_target(target: Any, index: int) -> Any:
    """Return the target of one example."""
    if isinstance(target, Weighted):
        return Weighted(example(target.target, index), target.weight[index : index + 1])
    return example(target, index)


def _alone(loss: Loss[Any, Any], output: Any, target: Any) -> Any:
    """Return the gradient of one example's loss; 0 where its target counts for nothing."""
    if loss.mass is not None and loss.reduction == "mean" and loss.mass(target) == 0:
        return zeros_like(output)
    doutput = loss.backward(loss.forward(output, target).residuals)
    check_loss_gradient(doutput, output, loss.name)
    return doutput


def per_example_norms(model: Layer[P, S, X, Y], loss: Loss[Y, T]) -> PerExampleNormsFunction[P, S, X, Y, T]:
    r"""Return the function that computes the norm of each example's gradient, over all parameters: $\lVert g_n \rVert_2$.

    The gradients are not made where there is a way without them: for dense layers the norm is the product of the lengths of
    input and cotangent, for sequences it comes from two Gram matrices.  Elsewhere one example's gradient is made at a time.

    Parameters
    ----------
    model : Layer
    loss : Loss

    Returns
    -------
    callable
        ``(params, state, x, target, mode) -> array (n,)``; pure, and picklable.  It raises what
        :func:`per_example_grads` raises.

    Raises
    ------
    TypeError, ValueError
        As :func:`per_example_grads`.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.linear(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> norms = fn.per_example_norms(model, fn.half_squared_error())
    >>> x = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> error = (x @ start.params.weight)[0, 0] - 1
    >>> bool(np.allclose(norms(start.params, start.state, x, np.ones((2, 1)), fn.Eval()), [5 * abs(error), 0]))
    True
    """
    return PerExampleNormsFunction(*checked(model, loss, "squares"))


@frozen
class PerExampleNormsFunction(Generic[P, S, X, Y, T]):
    """What :func:`per_example_norms` returns."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]
    apart: Layer[P, S, X, Y] = field(repr=False)

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, /) -> Array:
        """Return the norm of each example's gradient."""
        network, doutput = forwards(self.apart, self.loss, (params, state, x, target), mode)
        return norms(self.apart, params, network.residuals, doutput, batch_size(x))


def norms(model: Layer[P, S, X, Y], params: P, residuals: Residuals, doutput: Y, count: int) -> Array:
    """Return the norm of each example's gradient, from a forward of the network that gives their squares."""
    squares: Any = params_only(model, params, residuals, doutput).params
    total: Array = np.zeros(count)
    for leaf in _leaves(squares):
        total = total + leaf
    kinds = [leaf.dtype for leaf in tree.leaves(params) if leaf.dtype.kind == "f"]
    made: Array = np.sqrt(total).astype(np.result_type(*kinds) if kinds else float, copy=False)
    return made


def _leaves(squares: Any) -> list[Array]:
    return [leaf for leaf in parts(squares) if leaf is not None]


@frozen(eq=False)
class ClippedGrads(Generic[P]):
    """What a function made by :func:`clipped_grads` gives."""

    grads: P
    """The sum of the gradients of the examples, each cut to the norm."""
    norms: Array
    """The norms that they had, (n,)."""


def clipped_grads(model: Layer[P, S, X, Y], loss: Loss[Y, T], max_norm: float) -> ClippedGradsFunction[P, S, X, Y, T]:
    r"""Return the function that adds up the examples' gradients, each cut to a norm: $\sum_n g_n \min(1, C / \lVert g_n \rVert)$.

    This is the sum of differentially private training (Abadi et al. 2016, arXiv:1607.00133, algorithm 1): no example moves it by
    more than C.  It takes one forward and two backwards, of which the second is that of a batch.

    Parameters
    ----------
    model : Layer
    loss : Loss
    max_norm : float
        C, more than 0.

    Returns
    -------
    callable
        ``(params, state, x, target, mode) -> ClippedGrads(grads, norms)``; pure, and picklable.  It raises what
        :func:`per_example_grads` raises.

    Raises
    ------
    TypeError, ValueError
        As :func:`per_example_grads`; when ``max_norm`` is not positive.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.linear(1)
    >>> start = model.init(fn.Key(0), (2,))
    >>> step = fn.clipped_grads(model, fn.half_squared_error(), 0.5)
    >>> made = step(start.params, start.state, 100 * np.eye(2)[:1], np.zeros((1, 1)), fn.Eval())
    >>> round(float(fn.global_norm(made.grads)), 12)
    0.5
    """
    max_norm = check_range(max_norm, "max_norm", 0, np.inf, open_low=True, open_high=True)
    model, loss, squares = checked(model, loss, "squares")
    return ClippedGradsFunction(model, loss, max_norm, squares, apart(model, "sum"))


@frozen
class ClippedGradsFunction(Generic[P, S, X, Y, T]):
    """What :func:`clipped_grads` returns."""

    model: Layer[P, S, X, Y]
    loss: Loss[Y, T]
    max_norm: float
    apart: Layer[P, S, X, Y] = field(repr=False)
    summed: Layer[P, S, X, Y] = field(repr=False)

    def __call__(self, params: P, state: S, x: X, target: T, mode: Mode, /) -> ClippedGrads[P]:
        """Return the sum of the clipped gradients, and the norms."""
        network, doutput = forwards(self.apart, self.loss, (params, state, x, target), mode)
        found = norms(self.apart, params, network.residuals, doutput, batch_size(x))
        factors = self.max_norm / np.maximum(found, self.max_norm)
        weighed = tree.map_cotangents(partial(times_examples, factors), doutput)
        return ClippedGrads(params_only(self.summed, params, network.residuals, weighed).params, found)


def times_examples(factors: Array, leaf: Array) -> Array:
    """Return each example of a leaf times a number of its own, in the leaf's precision."""
    shaped: Array = leaf * factors.astype(leaf.dtype, copy=False).reshape(-1, *(1,) * (leaf.ndim - 1))
    return shaped
