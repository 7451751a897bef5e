"""The gradients that are mutated: the backward of each case, or the slope that its forward keeps for backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import FunctionType, SimpleNamespace
from typing import Any

import attrs
import numpy as np
from attrs import frozen

from funcnn import tree
from funcnn.certificate.cases import LayerCase, LossCase, PenaltyCase
from funcnn.certificate.edges import DRAWN, EDGES
from funcnn.certificate.subjects import MODES, LayerSubject, LossSubject, PenaltySubject, Situation, start
from funcnn.layer import Layer
from funcnn.layers.activations.elementwise import forward_keeping_slope
from funcnn.optim.penalties import Penalty
from funcnn.typing import Array
from tests.mutants.graph import lock, parts

_BATCHES = (0, 1)
_NOISY = "1e+8"  # where all digits may be lost: of two forms of one formula neither agrees with the other

AnySubject = LayerSubject | LossSubject | PenaltySubject

Change = Callable[[Any], Any]
"""How a gradient is made again with a function changed."""


@frozen(eq=False)
class Given:
    """What a gradient is given in one situation, and what it gives: all read-only, and the same for every mutant."""

    at: Situation
    primal: Any
    args: tuple[Any, ...]
    expected: tuple[Array | None, ...]
    scales: tuple[float, ...]


def situations(case: AnySubject) -> Iterator[Situation]:
    """Yield the situations in which the certificate checks a case, the most telling first."""
    own = case.batch(None)
    for dtype in ("float64", "float32"):
        for mode in case.modes:
            yield Situation(dtype, own, DRAWN, mode)
        for mode in case.modes:
            for size in () if case.large else _BATCHES:
                if case.batch(size) != own:
                    yield Situation(dtype, size, DRAWN, mode)
            for edge in EDGES:
                if edge is not DRAWN and edge.name != _NOISY and (edge.name == "zeros" or not case.large):
                    yield Situation(dtype, own, edge, mode)


class Gradient:
    """One case of a public name: its gradient as a function, what goes in and what comes out."""

    def __init__(self, name: str, case: AnySubject) -> None:
        self.name, self.case = name, case
        made: Any = case.of.promised() if isinstance(case.of, LayerCase) else case.of.make()
        self.whole = made
        self.slope = _keeps_slope(self.whole)
        self.function: Any = _gradient(made)
        self.parts: list[FunctionType] = parts(self.function)
        self._given: dict[int, Given | None] = {}
        self._failing: dict[int, bool] = {}
        self.situations = tuple(situations(case))

    @property
    def smooth(self) -> bool:
        """Whether the inputs, as they are drawn, are at no kink."""
        return not isinstance(self.case.of, LayerCase) or self.case.of.smooth

    def given(self, index: int) -> Given | None:
        """Return what is known about the situation of an index; None where the library refuses the input."""
        if index not in self._given:
            try:
                self._given[index] = self._prepare(self.situations[index])
            except ValueError:  # corners of a domain may be refused, what a case draws may not
                if index == 0:
                    raise
                self._given[index] = None
        return self._given[index]

    def check_unchanged(self) -> None:
        """Raise unless the gradient still gives what it gave: no mutant may have written into the library's constants.

        Raises
        ------
        RuntimeError
            When it does not.
        """
        for given in self._given.values():
            if given is not None:
                again = self.leaves(self.function(*given.args), given.primal)
                for one, other in zip(given.expected, again, strict=True):
                    if one is not None and (other is None or not np.array_equal(one, other)):
                        raise RuntimeError(f"a mutant has changed {self.name} itself: some constant can be written to")
                return

    def _prepare(self, at: Situation) -> Given | None:
        of = self.case.of
        if isinstance(of, PenaltyCase):
            primal = at.edge(tree.astype(of.params(), at.dtype))
            args: tuple[Any, ...] = (primal,)
        elif isinstance(of, LossCase):
            prediction, target = of.draw(np.random.default_rng(1), at.batch)
            primal = at.edge(tree.astype(prediction, at.dtype))
            args = (self.whole.forward(primal, target).residuals,)
        else:
            params, state = (tree.astype(part, at.dtype) for part in start(of, self.whole))
            x = at.edge(tree.astype(of.x(at.batch), at.dtype))
            if self.slope:
                primal, args = x, (x,)
            else:
                made = self.whole.forward(params, state, x, MODES[at.mode])
                generator = np.random.default_rng(4)
                primal, args = (params, x), (params, made.residuals, _cotangent(made.output, generator))
        lock(args)
        expected = tuple(self.leaves(self.function(*args), primal))
        scales = tuple(0.0 if leaf is None else float(np.max(np.abs(leaf), initial=0)) for leaf in expected)
        return Given(at, primal, args, expected, scales) if np.isfinite(scales).all() else None

    def leaves(self, made: Any, primal: Any) -> Iterator[Array | None]:
        """Yield the leaves of what the gradient gave; raise where the structure is wrong."""
        if self.slope:
            _, slope = made
            if not isinstance(slope, np.ndarray):
                raise TypeError("no slope")
            yield slope
        else:
            cotangent = (made.params, made.input) if isinstance(self.case.of, LayerCase) else made
            for _, _, leaf in tree.with_cotangents(primal, cotangent):
                yield leaf

    def changed(self, change: Change) -> Any:
        """Return the layer or loss with its gradient changed, and its value as it is."""
        if isinstance(self.case.of, PenaltyCase):
            return SimpleNamespace(value=self.whole.value, gradient=change(self.function))
        if not self.slope:
            return attrs.evolve(self.whole, backward=change(self.function))
        forward = self.whole.forward
        other = partial(_with_value_of, self.function, change(self.function))
        return attrs.evolve(self.whole, forward=partial(forward.func, forward.args[0], other, *forward.args[2:]))

    def fails(self, whole: Any, at: Situation) -> bool:
        """Ask the checker about the layer or loss in the place of this one."""
        subject: Any = self.case
        subject = attrs.evolve(subject, of=attrs.evolve(subject.of, make=lambda: whole))
        try:
            return bool(subject.check(at).verdict == "fail")
        except Exception:
            return True

    def fails_itself(self, index: int) -> bool:
        """Tell whether the checker fails the original in a situation: then it cannot judge mutants there."""
        if index not in self._failing:
            self._failing[index] = self.fails(self.whole, self.situations[index])
        return self._failing[index]

    def selective(self, function: Any, given: Given) -> Any:
        """Return the gradient of the parameters from a backward that is told to leave out the input's; None if it cannot."""
        if self.slope or not isinstance(self.whole, Layer) or not self.whole.selective:
            return None
        return function(*given.args, input_grad=False).params


def _with_value_of(original: Any, other: Any, x: Array) -> tuple[Array, Array]:
    return original(x)[0], other(x)[1]


def _gradient(whole: Any) -> Any:
    if isinstance(whole, Penalty):
        return whole.gradient
    return whole.forward.args[1] if _keeps_slope(whole) else whole.backward


def _keeps_slope(whole: Any) -> bool:
    forward: Any = getattr(whole, "forward", None)
    return isinstance(forward, partial) and forward.func is forward_keeping_slope


def _cotangent(output: Any, generator: np.random.Generator) -> Any:
    """Draw a cotangent: a tree like the output, None for leaves that are not floating."""
    drawn: list[Any] = [
        generator.normal(size=leaf.shape).astype(leaf.dtype) if leaf.dtype.kind == "f" else None for leaf in tree.leaves(output)
    ]
    return tree.rebuild(output, iter(drawn))


def gradients(
    layers: Mapping[str, Sequence[LayerCase]],
    losses: Mapping[str, Sequence[LossCase]],
    penalties: Mapping[str, Sequence[PenaltyCase]],
) -> Iterator[Gradient]:
    """Yield the gradient of every case."""
    for name, layer_cases in layers.items():
        for layer in layer_cases:
            yield Gradient(name, LayerSubject(layer.label or "plain", layer))
    for name, loss_cases in losses.items():
        for loss in loss_cases:
            yield Gradient(name, LossSubject(loss.label or "plain", loss))
    for name, penalty_cases in penalties.items():
        for penalty in penalty_cases:
            yield Gradient(name, PenaltySubject(penalty.label or "plain", penalty))
