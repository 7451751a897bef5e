"""A network whose backward keeps the examples of a batch apart.

It is the same network with each layer wrapped: what its backward gives in the place of the parameters' gradient has the examples
first, or is the squared norm of each example's.  Combinations that do no more than hand parameters to their parts, and add or
stack what comes back, are rebuilt from wrapped parts; any other layer is taken as a whole.  A layer with a rule
(:mod:`funcnn.derivatives.rules`) runs once for all examples, and any other with parameters once for each.

In training each example draws the random numbers that it draws in the batch, and a layer that sums over the batch is refused:
the loss of an example is then no function of that example.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar, cast

import numpy as np
from attrs import evolve, frozen

from funcnn import tree
from funcnn.combinators import (
    add,
    bidirectional,
    branch,
    concatenate,
    masked_residual,
    masked_steps,
    memory,
    on_values,
    parallel,
    recompute,
    residual,
    reverse_time,
    shared,
)
from funcnn.combinators.implicit import runge_kutta
from funcnn.combinators.stacked import recurrent_stack
from funcnn.derivatives import input_gradient, sums
from funcnn.derivatives.analytic import is_foreign
from funcnn.derivatives.rules.form import Form, Gradients, Squares
from funcnn.derivatives.rules.pairs import Pairs
from funcnn.derivatives.rules.square_sums import SquareSums
from funcnn.derivatives.rules.table import AROUND, REWEIGHTED, rule_of
from funcnn.layer import AnyLayer, Backward, Forward, Mode, Train, backward_without_input, chain_parts, params_only
from funcnn.layer.instrument import is_composed
from funcnn.sharding import shard
from funcnn.sharding.shard import cut, joined
from funcnn.typing import Array, Shape

V = TypeVar("V")
L = TypeVar("L", bound=AnyLayer)

Kind: TypeAlias = Literal["grads", "squares", "square sums", "sum", "pairs"]
"""What backward gives for the parameters: gradients (n, ...), their squared norms (n,), the sums of the squares of each entry,
the sum of the gradients, or their factors."""

_ADDED: tuple[Kind, ...] = ("sum", "square sums")
"""What is added up over the examples."""

COMBINATIONS: frozenset[Callable[..., Any]] = frozenset(
    {
        add.backward,
        bidirectional.backward,
        branch.backward,
        concatenate.backward,
        masked_residual.backward,
        masked_steps.backward,
        memory.beside_backward,
        memory.residual_backward,
        on_values.backward,
        parallel.backward,
        recompute.backward,
        recompute.backward_in_stretches,
        recurrent_stack.backward,
        residual.backward,
        reverse_time.backward,
        runge_kutta.backward,
        shared.backward,
        sums.backward,
        input_gradient.gradient_backward,
    }
)
"""Those which hand parameters to their parts, and add or stack what comes back."""

SUMS: frozenset[Callable[..., Any]] = frozenset(
    {
        runge_kutta.backward,
        shared.backward,
        sums.backward,
        input_gradient.gradient_backward,
    }
)
"""Those of them which add what comes back for the same parameters: the norm of a sum is no sum of norms."""


@frozen
class Apart(Train):
    """Training in which examples are kept apart.

    Parameters
    ----------
    key : Key
        That of the whole batch.
    first : int
        Which example of the batch is the first of these: the only one, or that of all of them.
    """

    first: int

    def child(self, index: int) -> Apart:
        """Return the mode for a layer's part, with a key of its own."""
        return Apart(self.key.child(index), self.first)

    def all_reduce_sum(self, value: V) -> V:
        """Raise a ValueError: what is summed over the batch belongs to no single example."""
        raise ValueError(
            "a layer sums over the batch (as batch_norm does in training), so that the loss of one example depends on the others,"
            " and has no gradient of its own: run it in evaluation (fn.Eval(), or fn.frozen(...) around the layer), or use"
            " fn.group_norm or fn.layer_norm"
        )

    def row_offset(self, rows: int) -> int:
        """Return which row of the whole batch is the first of these ``rows``."""
        return rows * self.first

    total, before = all_reduce_sum, row_offset  # the names of version 0.1, for layers written for it

    def uniform(self, shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Draw numbers from [0, 1): those that the whole batch would get at the place of these examples."""
        skipped = self.row_offset(shape[0]) * math.prod(shape[1:])
        return self.key.generator(skipped).random(shape, dtype=np.float32)

    def normal(self, shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Draw standard normal numbers: those that the whole batch would get at the place of these examples."""
        first = self.row_offset(shape[0])
        whole = self.key.generator().standard_normal((first + shape[0], *shape[1:]), dtype=np.float32)
        return whole[first:]


def example_mode(mode: Mode, index: int) -> Mode:
    """Return the mode in which one example runs alone."""
    if isinstance(mode, Train):
        return Apart(mode.key, index)
    return mode


def batch_size(x: object) -> int:
    """Return how many examples an input has; raise unless its arrays agree."""
    sizes = {path: len(leaf) if leaf.ndim else 0 for path, leaf in tree.walk(x)}
    if len(set(sizes.values())) != 1:
        found = ", ".join(f"x{path}: {size}" for path, size in sizes.items())
        raise ValueError(f"the arrays of the input have different numbers of examples ({found or 'no array'}), expected one")
    return next(iter(sizes.values()))


def example(values: V, index: int) -> V:
    """Return one example of a batch, as a batch of one."""
    return cut(values, slice(index, index + 1))


def apart(layer: L, kind: Kind) -> L:
    """Return a network whose backward keeps the examples apart: see :data:`Kind`."""
    made: Any = _wrapped(layer, kind)
    return cast(L, made)


def _wrapped(layer: AnyLayer, kind: Kind) -> AnyLayer:
    function: Any = layer.backward
    own = function.func if isinstance(function, partial) else function
    if is_composed(layer) and layer.combine is not None:
        if own is shard.backward:  # examples are apart already
            return _wrapped(layer.parts[0], kind)
        sums_norms = own in SUMS and kind != "grads"  # a sum runs on what the forward of the norms kept
        handed_on = own in COMBINATIONS and not _integrates_gradients(layer)
        if (handed_on and not sums_norms) or chain_parts(layer):
            parts = tuple([_wrapped(part, kind) for part in layer.parts])
            return evolve(layer.combine(parts), name=layer.name)
    known = rule_of(layer) is not None and not is_foreign(layer) and not (own in REWEIGHTED and kind != "grads")
    if known and own in AROUND:
        inner, *others = function.args
        part: Any = _wrapped(inner, kind)
        forward: Any = layer.forward
        forward = partial(forward.func, part, *forward.args[1:])
        layer = evolve(layer, forward=forward, backward=partial(own, part, *others))
    return evolve(
        layer,
        forward=partial(_forward_together, layer) if known else partial(_forward_apart, layer, is_foreign(layer)),
        backward=partial(_backward_together if known else _backward_apart, layer, kind),
    )


def _integrates_gradients(layer: AnyLayer) -> bool:
    """Tell whether the parameters' gradient is part of a differential equation that backward solves."""
    return "continuous" in getattr(layer.forward, "args", ())


@frozen(eq=False)
class ApartResiduals:
    """What a layer kept of each example, or of all of them where there are no parameters."""

    whole: Any  # Any: hidden residuals
    examples: tuple[Any, ...]


def _forward_together(layer: AnyLayer, params: Any, state: Any, x: Any, mode: Mode) -> Forward[Any, Any, Any]:
    return layer.forward(params, state, x, mode)


def _backward_together(
    layer: AnyLayer, kind: Kind, params: Any, residuals: Any, dy: Any, input_grad: bool = True
) -> Backward[Any, Any]:
    rule: Any = rule_of(layer)
    if kind == "sum":
        return layer.backward(params, residuals, dy) if input_grad else params_only(layer, params, residuals, dy)
    made, dx = rule(_FORMS[kind], layer, params, residuals, dy)
    return Backward(made, dx()) if input_grad else backward_without_input(made)


def _forward_apart(layer: AnyLayer, foreign: bool, params: Any, state: Any, x: Any, mode: Mode) -> Forward[Any, Any, Any]:
    count = batch_size(x) if foreign or tree.leaves(params) else 0
    if count == 0:
        made: Forward[Any, Any, Any] = layer.forward(params, state, x, mode)
        return evolve(made, residuals=ApartResiduals(made.residuals, ()))
    each = [layer.forward(params, state, example(x, n), example_mode(mode, n)) for n in range(count)]
    residuals = ApartResiduals(None, tuple([one.residuals for one in each]))
    return Forward(joined([one.output for one in each]), each[0].state, residuals)


def _backward_apart(
    layer: AnyLayer, kind: Kind, params: Any, residuals: ApartResiduals, dy: Any, input_grad: bool = True
) -> Backward[Any, Any]:
    if not residuals.examples:  # no parameters, or no examples
        made = layer.backward(params, residuals.whole, dy) if input_grad else params_only(layer, params, residuals.whole, dy)
        return Backward(_of_none(made.params, kind), made._input)
    grads, dxs = [], []
    for n, kept in enumerate(residuals.examples):
        own = example(dy, n)
        made = layer.backward(params, kept, own) if input_grad else params_only(layer, params, kept, own)
        grads.append(tree.map_cotangents(_KINDS[kind], made.params))
        dxs.append(made._input)
    found = tree.map_cotangents(_summed if kind in _ADDED else _stacked, *grads)
    return Backward(found, joined(dxs)) if input_grad else backward_without_input(found)


def _of_none(grads: Any, kind: Kind) -> Any:
    """Return the gradients of no examples, in the form asked for."""
    if kind in _ADDED:
        return grads
    return tree.map_cotangents(lambda leaf: np.zeros(0 if kind == "squares" else (0, *leaf.shape), leaf.dtype), grads)


def _square(leaf: Array) -> Array:
    return np.asarray(np.vdot(leaf, leaf), leaf.dtype)


def _entries_squared(leaf: Array) -> Array:
    return leaf * leaf


def _itself(leaf: Array) -> Array:
    return leaf


def _stacked(*leaves: Array) -> Array:
    return np.stack(leaves)


def _summed(*leaves: Array) -> Array:
    total = leaves[0]
    for leaf in leaves[1:]:
        total = total + leaf
    return total


_FORMS: dict[Kind, Form] = {"grads": Gradients(), "squares": Squares(), "square sums": SquareSums(), "pairs": Pairs()}
_KINDS: dict[Kind, Callable[[Array], Array]] = {
    "grads": _itself,
    "squares": _square,
    "square sums": _entries_squared,
    "sum": _itself,
    "pairs": _itself,
}
