"""What is certified: layers, losses and penalties, each under its public name, and how one of its cases is checked."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import attrs
import numpy as np
from attrs import frozen

import funcnn as fn
from funcnn import tree
from funcnn.certificate.cases import LAYERS, LOSSES, PENALTIES, LayerCase, LossCase, PenaltyCase
from funcnn.certificate.edges import Edge
from funcnn.certificate.products import Product, layer_products, loss_products
from funcnn.certificate.spoil import spoiled_gradient, spoiled_layer
from funcnn.check import Report, check_grad, check_layer, check_loss
from funcnn.layer import AnyLayer, Mode
from funcnn.typing import Array

MODES: dict[str, Mode] = {"train": fn.Train(fn.Key(5)), "eval": fn.Eval()}


@frozen
class Situation:
    """Where a case is checked."""

    dtype: str
    batch: int
    edge: Edge
    mode: str


class Subject(Protocol):
    """One case of a public name."""

    @property
    def case(self) -> str:
        """Which setting of the name."""
        ...

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes that it has."""
        ...

    @property
    def large(self) -> bool:
        """Whether it is too large to be checked everywhere: then its inputs are taken as they are drawn, and at 0."""
        ...

    def batch(self, wanted: int | None) -> int:
        """Return the batch size to use for a wanted one; None is the case's own."""
        ...

    def check(self, at: Situation) -> Report:
        """Check the gradient."""
        ...

    def controls(self) -> Iterator[tuple[str, Report]]:
        """Yield the check of each leaf when its gradient is spoiled."""
        ...

    def products(self, mode: str) -> Iterator[Product]:
        """Yield how far each product of derivatives is off."""
        ...


def start(case: LayerCase, layer: AnyLayer) -> tuple[Any, Any]:
    """Return parameters and a state with every leaf perturbed: zeros and ones would hide wrong terms."""
    made = layer.init(fn.Key(3), case.shape)
    generator = np.random.default_rng(11)

    def perturb(leaf: Array) -> Array:
        if leaf.dtype.kind != "f":
            return leaf
        moved: Array = leaf * (1 + 0.1 * generator.random(leaf.shape)) + 0.05 * generator.random(leaf.shape)
        return moved

    return tree.map(perturb, made.params), tree.map(perturb, made.state)


@frozen
class LayerSubject:
    """A case of a layer: the gradient of its parameters and of its input."""

    case: str
    of: LayerCase

    modes = ("train", "eval")

    @property
    def large(self) -> bool:
        """Whether it is checked along random directions only."""
        return self.of.method == "screen"

    def batch(self, wanted: int | None) -> int:
        """Return the wanted size; batch statistics need more than one example, and have another case of few."""
        return self.of.batch if wanted is None else wanted

    def check(self, at: Situation) -> Report:
        """Check at a situation."""
        layer = self.of.promised()
        params, state = (tree.astype(part, at.dtype) for part in start(self.of, layer))
        x = at.edge(tree.astype(self.of.x(at.batch), at.dtype))
        return check_layer(layer, x, mode=MODES[at.mode], params=params, state=state, method=self.of.method, explain=False)

    def controls(self) -> Iterator[tuple[str, Report]]:
        """Spoil leaf after leaf, in alternating modes; not of a large case, whose name has smaller ones."""
        if self.large:
            return
        layer, x = self.of.promised(), self.of.x()
        params, state = start(self.of, layer)
        leaves = [
            what + path
            for what, part in (("params", params), ("input", x))
            for path, leaf in tree.walk(part)
            if leaf.dtype.kind == "f"
        ]
        for index, path in enumerate(leaves):
            mode = list(MODES.values())[index % 2]
            wrong = spoiled_layer(layer, path, x)
            yield path, check_layer(wrong, x, mode=mode, params=params, state=state, method=self.of.method, explain=False)

    def products(self, mode: str) -> Iterator[Product]:
        """Yield how far each product of derivatives is off."""
        return layer_products(self.of, *start(self.of, self.of.make()), MODES[mode])


@frozen
class LossSubject:
    """A case of a loss: the gradient of its prediction."""

    case: str
    of: LossCase

    modes = ("",)
    large = False

    def batch(self, wanted: int | None) -> int:
        """Return the wanted size."""
        return self.of.batch if wanted is None else wanted

    def check(self, at: Situation) -> Report:
        """Check at a situation."""
        prediction, target = self.of.draw(np.random.default_rng(1), at.batch)
        return check_loss(self.of.make(), at.edge(tree.astype(prediction, at.dtype)), target, explain=False)

    def controls(self) -> Iterator[tuple[str, Report]]:
        """Spoil the gradient as a whole."""
        loss = self.of.make()
        prediction, target = self.of.draw(np.random.default_rng(1), self.of.batch)
        wrong = attrs.evolve(loss, backward=partial(spoiled_gradient, loss.backward))
        yield "prediction", check_loss(wrong, prediction, target, explain=False)

    def products(self, mode: str) -> Iterator[Product]:
        """Yield how far each product of derivatives is off."""
        return loss_products(self.of)


@frozen
class PenaltySubject:
    """A case of a penalty: the gradient of the parameters."""

    case: str
    of: PenaltyCase

    modes = ("",)
    large = False

    def batch(self, wanted: int | None) -> int:
        """Return 0: there are no examples."""
        return 0

    def check(self, at: Situation) -> Report:
        """Check at a situation."""
        penalty = self.of.make()
        params = at.edge(tree.astype(self.of.params(), at.dtype))
        return check_grad(penalty.value, penalty.gradient, params, explain=False)

    def controls(self) -> Iterator[tuple[str, Report]]:
        """Spoil the gradient as a whole."""
        penalty = self.of.make()
        wrong = partial(spoiled_gradient, penalty.gradient)
        yield "params", check_grad(penalty.value, wrong, self.of.params(), explain=False)

    def products(self, mode: str) -> Iterator[Product]:
        """Yield nothing: a penalty has neither a network nor a batch."""
        return iter(())


def subjects(name: str) -> tuple[str, tuple[Subject, ...]]:
    """Return the kind of a public name, and its cases."""
    if name in LAYERS:
        return "layer", tuple(LayerSubject(_label(LAYERS[name], index), case) for index, case in enumerate(LAYERS[name]))
    if name in LOSSES:
        return "loss", tuple(LossSubject(_label(LOSSES[name], index), case) for index, case in enumerate(LOSSES[name]))
    return "penalty", tuple(PenaltySubject(_label(PENALTIES[name], index), case) for index, case in enumerate(PENALTIES[name]))


def names() -> tuple[str, ...]:
    """Return all names that have cases, in the order of the tables."""
    return (*LAYERS, *LOSSES, *PENALTIES)


def source(name: str) -> str:
    """Return the hash of the file that holds a public name."""
    path = Path(inspect.getfile(getattr(fn, name)))
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _label(cases: tuple[LayerCase, ...] | tuple[LossCase, ...] | tuple[PenaltyCase, ...], index: int) -> str:
    case = cases[index]
    label = case.label or ("plain" if index == 0 else f"case {index + 1}")
    return f"{label}, surrogate" if isinstance(case, LayerCase) and case.surrogate else label
