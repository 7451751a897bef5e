r"""Digits you can trust: how much of an output, a loss and a gradient is rounding.

Every operation rounds, and what becomes of it on the way to the result is the derivative of everything after it.  Followed one
operation at a time that is a sum of as many terms as there are roundings; here all are let loose at once.  A network is computed
anew with other last digits at every place where one layer hands numbers to the next:
$$ \tilde v = v\,(1 - \varepsilon\,\xi), \qquad \xi \in \{0, 1\} \text{ at random, entry by entry}, $$
for the input, the parameters, the output of every layer, and in backward for every cotangent.  The results differ from the plain
ones by what rounding does to them, to first order
$$ \tilde r - r = -\varepsilon \sum_v \langle \frac{\partial r}{\partial v}, \xi_v \circ v \rangle, $$
one forward and one backward for all of them, gradients too (Vignes 1974; Parker 1997, "Monte Carlo arithmetic").  Parameters and
inputs move along since a layer's own roundings cannot be reached: a sum that loses its digits by cancellation does so whether its
terms are rounded or its factors.  Digits are moved towards zero, so that a probability of 1 does not leave its domain.

It is an estimate, of the size of the error and not of its sign: that of layers whose errors are what the last digits of their
arguments make.  One that is better (a norm of numbers far from 0, whose differences are exact) is thought worse than it is.  What
cancels inside a single layer is not seen: the slopes of saturated gates, of attention among keys that are all alike.
"""

from __future__ import annotations

from functools import partial, wraps
from typing import Any, TypeVar

import numpy as np
from attrs import evolve, frozen

from funcnn import tree
from funcnn.check import requests
from funcnn.errors import check_count
from funcnn.grad import loss_and_grad
from funcnn.layer import AnyLayer, Backward, Eval, Forward, Layer, Mode
from funcnn.layer.instrument import is_composed, map_layers
from funcnn.losses.loss import Loss, LossForward
from funcnn.typing import Array

P = TypeVar("P")
S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")
T = TypeVar("T")


@frozen
class Trusted:
    """One result, and how much of it is rounding."""

    path: str
    """``output``, ``loss`` or ``params`` with the path below, such as ``params[0].weight``."""
    dtype: str
    size: float
    """The largest entry."""
    error: float
    """The estimated rounding error of the worst entry."""

    @property
    def digits(self) -> float:
        """How many decimal digits of the largest entry are above the error: at most those of the precision, at least 0."""
        most = -np.log10(np.finfo(self.dtype).eps)
        if not np.isfinite(self.error) or not np.isfinite(self.size):
            return 0.0
        if self.error == 0:
            return float(most)
        return float(np.clip(np.log10(self.size / self.error), 0, most)) if self.size else 0.0


@frozen
class TrustedDigits:
    """What :func:`trusted_digits` returns; as text, a table."""

    results: tuple[Trusted, ...]
    """The output (each array of it), the loss, and every leaf of the gradient."""
    draws: int
    """How many times the network was computed with other last digits."""

    def __getitem__(self, path: str) -> Trusted:
        """Return the result with a path."""
        for one in self.results:
            if one.path == path:
                return one
        raise KeyError(f"there is no result {path!r}, only {', '.join(one.path for one in self.results)}")

    @property
    def worst(self) -> Trusted:
        """The result with the fewest digits."""
        return min(self.results, key=lambda one: one.digits)

    def __str__(self) -> str:
        """Return a table: what, how large, the error, and how many digits are left."""
        rows = [("result", "dtype", "largest", "rounding", "digits")]
        rows += [(one.path, one.dtype, f"{one.size:.3g}", f"{one.error:.0e}", f"{one.digits:.1f}") for one in self.results]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def trusted_digits(
    model: Layer[P, S, X, Y],
    loss: Loss[Y, T],
    params: P,
    state: S,
    x: X,
    target: T,
    mode: Mode | None = None,
    *,
    draws: int = 3,
) -> TrustedDigits:
    """Estimate how many digits of a network's output, loss and gradient are more than rounding.

    Parameters
    ----------
    model : Layer
    loss : Loss
    params, state : tree
        In the precision that is asked about.
    x, target : array or tree of arrays
        A batch.
    mode : Mode, optional
        ``Eval()`` unless said.
    draws : int, optional
        How many times the network is computed with other last digits; each is a forward and a backward.  One tells most; of
        several the largest difference counts, and an error that is small by chance is rarer.

    Returns
    -------
    TrustedDigits
        For the output, the loss, and each leaf of the gradient: the largest entry, the estimated error of the worst entry, and
        the digits that are left.

    Raises
    ------
    TypeError
        When the model is not a layer, the loss not a loss, or the mode not a mode.
    ValueError
        When ``draws`` is less than 1.

    Notes
    -----
    At a kink, where last digits decide, a gradient has no digits: the estimate says so.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> model = fn.dense(4) >> fn.layer_norm() >> fn.dense(1)
    >>> start = model.init(fn.Key(0), (3,))
    >>> x = 1e3 + np.random.default_rng(0).normal(size=(8, 3))
    >>> seen = fn.check.trusted_digits(model, fn.mean_squared_error(), start.params, start.state, x, np.ones((8, 1)))
    >>> print(seen.worst.path, round(seen.worst.digits))
    output 14
    """
    requests.a_layer(model, "model")
    requests.a_loss(loss)
    requests.a_mode(mode)
    check_count(draws, "draws")
    how = Eval() if mode is None else mode
    with np.errstate(all="ignore"):
        plain = _results(model, loss, params, state, x, target, how)
        errors = {path: 0.0 for path, _ in plain}
        for number in range(draws):
            perturb = _Perturbation(np.random.Generator(np.random.PCG64(number)))
            network = map_layers(partial(_rounding, perturb), model)
            moved = _results(network, perturb.loss(loss), perturb(params), state, perturb(x), target, how)
            for (path, value), (_, other) in zip(plain, moved, strict=True):
                errors[path] = float(np.maximum(errors[path], _largest(other - value)))  # a NaN stays
    found = [Trusted(path, str(value.dtype), _largest(value), errors[path]) for path, value in plain]
    return TrustedDigits(tuple(found), draws)


def _results(
    model: AnyLayer, loss: Loss[Any, Any], params: Any, state: Any, x: Any, target: Any, mode: Mode
) -> list[tuple[str, Array]]:
    """Return the output, the loss and the gradient, by their paths."""
    made = loss_and_grad(model, loss)(params, state, x, target, mode)
    found = [*tree.walk(made.output, "output"), ("loss", np.asarray(made.loss))]
    slopes = [("params" + path, slope) for path, _, slope in tree.with_cotangents(params, made.grads) if slope is not None]
    return [(path, value) for path, value in found + slopes if value.dtype.kind == "f"]


class _Perturbation:
    """Numbers with other last digits, one after the other."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator

    def leaf(self, values: Array) -> Array:
        """Return an array with other last digits."""
        if values.dtype.kind != "f":
            return values
        eps = np.finfo(values.dtype).eps
        perturbed: Array = values * (1 - eps * self.generator.integers(0, 2, values.shape).astype(values.dtype))
        return perturbed

    def __call__(self, values: Any) -> Any:
        """Return a tree, or a tree of cotangents, with other last digits."""
        return tree.map_cotangents(self.leaf, values)

    def loss(self, loss: Loss[Any, Any]) -> Loss[Any, Any]:
        """Return a loss with other last digits in its value and its gradient."""

        def forward(prediction: Any, target: Any) -> LossForward[Any]:
            made = loss.forward(prediction, target)
            value: Any = self.leaf(np.asarray(made.value))[()]
            return evolve(made, value=value)

        def backward(residuals: Any) -> Any:
            return self(loss.backward(residuals))

        return evolve(loss, forward=forward, backward=backward)


def _rounding(perturb: _Perturbation, path: str, layer: AnyLayer) -> AnyLayer:
    """Return a layer with other last digits in what it hands on; a combination hands on what its parts do."""
    if is_composed(layer):
        return layer

    def forward(params: Any, state: Any, x: Any, mode: Mode) -> Forward[Any, Any, Any]:
        made = layer.forward(params, state, x, mode)
        return evolve(made, output=perturb(made.output))

    @wraps(layer.backward)  # keeps the signature, by which a layer says that it can leave out its input's cotangent
    def backward(params: Any, residuals: Any, dy: Any, **options: Any) -> Backward[Any, Any]:
        made = layer.backward(params, residuals, dy, **options)
        if options.get("input_grad", True) is False:
            return evolve(made, params=perturb(made.params))
        return Backward(perturb(made.params), perturb(made.input))

    return evolve(layer, forward=forward, backward=backward)


def _largest(values: Array) -> float:
    return float(np.max(np.abs(values), initial=0))
