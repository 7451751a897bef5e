r"""Gradients that are too large for a step, or are no numbers: left out, or set to 0.

A large update is skipped where $\lVert g \rVert_2 > c$ over the whole tree; a block's root mean square is clipped by
$$ g \leftarrow g \min\Bigl(1, \frac{c}{\sqrt{\operatorname{mean} g^2}}\Bigr) $$
for each leaf by itself (Shazeer and Stern 2018, arXiv:1804.04235, section 6).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, TypeVar

import numpy as np
from attrs import frozen

from funcnn.optim.composite import Wrapper
from funcnn.optim.hyper import LIMIT, POSITIVE, at_least, settle
from funcnn.optim.norms import norm_of, scaled_to
from funcnn.optim.optimizer import Optimizer, OptState, Updated, check_shape, counter
from funcnn.optim.transformations.partition import check_optimizer
from funcnn.optim.transformations.transform import Stateless, locked, matched
from funcnn.typing import Array

P = TypeVar("P")


class Skipping(Wrapper):
    """Base of what leaves some updates out.  Its state: how many were left out in a row, and in all."""

    __slots__ = ()

    max_consecutive_errors: int
    _advice: ClassVar[str]
    """What to do when too many updates in a row are left out."""

    def _fault(self, paths: tuple[str, ...], grads: tuple[Array, ...]) -> str | None:
        """Return what is wrong with gradients that are to be left out."""
        raise NotImplementedError

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update."""
        return OptState(counter(0), _counts(0, 0), (self.optimizer.init(params),))

    def update(self, params: P, grads: P, state: OptState[P]) -> Updated[P]:
        """Return the optimizer's next parameters, or the same ones when the gradients are left out.

        Raises
        ------
        FloatingPointError
            When more gradients in a row than ``max_consecutive_errors`` are.
        """
        self._check(state)
        structure, slopes, _ = matched(params, grads)
        count, in_a_row, skipped = counter(int(state.count) + 1), int(state.slots[0]) + 1, int(state.slots[1])
        fault = self._fault(structure.paths, slopes)
        if fault is None:
            updated = self.optimizer.update(params, grads, state.inner[0])
            return Updated(updated.params, OptState(count, _counts(0, skipped), (updated.state,)))
        if in_a_row > self.max_consecutive_errors:
            raise FloatingPointError(f"{fault}, for the {in_a_row}th time in a row: {self._advice}")
        return Updated(params, OptState(count, _counts(in_a_row, skipped + 1), state.inner))

    def _check(self, state: OptState[P]) -> None:
        super()._check(state)
        check_shape(state, self, 1, 2)

    def _after(self, params: P, state: OptState[P], updated: Updated[P]) -> Updated[P]:
        return Updated(updated.params, OptState(state.count, state.slots, (updated.state,)))

    def skipped(self, state: OptState[P]) -> int:
        """Return how many updates were skipped so far."""
        self._check(state)
        return int(state.slots[1])


def _counts(in_a_row: int, skipped: int) -> tuple[Array, ...]:
    return locked([np.array(float(in_a_row)), np.array(float(skipped))])


@frozen
class SkipNonFinite(Skipping):
    """Made by :func:`funcnn.skip_nonfinite`."""

    optimizer: Optimizer
    max_consecutive_errors: int = 10

    _advice: ClassVar[str] = "lower the learning rate or clip"

    def __attrs_post_init__(self) -> None:
        settle(self, optimizer=check_optimizer, max_consecutive_errors=at_least(1))

    def _fault(self, paths: tuple[str, ...], grads: tuple[Array, ...]) -> str | None:
        bad = next((path for path, g in zip(paths, grads, strict=True) if not _finite(g)), None)
        return None if bad is None else f"the gradients{bad} are not finite"


def _finite(leaf: Array) -> bool:
    flat = leaf.reshape(-1)
    with np.errstate(all="ignore"):  # the square of a large number overflows: then, and only then, each number is looked at
        return math.isfinite(flat.dot(flat)) or bool(np.isfinite(flat).all())


@frozen
class SkipLarge(Skipping):
    """Made by :func:`funcnn.skip_large_updates`."""

    optimizer: Optimizer
    max_norm: float
    max_consecutive_errors: int = 10

    _advice: ClassVar[str] = "lower the learning rate, or raise the bound"

    def __attrs_post_init__(self) -> None:
        settle(self, optimizer=check_optimizer, max_norm=POSITIVE, max_consecutive_errors=at_least(1))

    def _fault(self, paths: tuple[str, ...], grads: tuple[Array, ...]) -> str | None:
        norm = norm_of(grads)
        return None if norm <= self.max_norm else f"the norm of the gradients is {norm:.3g}, above max_norm={self.max_norm:g}"


@frozen
class ZeroNans(Stateless):
    """Made by :func:`funcnn.zero_nans`."""

    def _grads(self, paths: tuple[str, ...], grads: tuple[Array, ...], params: tuple[Array, ...]) -> Sequence[Array]:
        return [np.where(np.isnan(g), g.dtype.type(0), g) for g in grads]


@frozen
class ClipByBlockRMS(Stateless):
    """Made by :func:`funcnn.clip_by_block_rms`."""

    limit: float

    def __attrs_post_init__(self) -> None:
        settle(self, limit=LIMIT)

    def _grads(self, paths: tuple[str, ...], grads: tuple[Array, ...], params: tuple[Array, ...]) -> Sequence[Array]:
        return [scaled_to(self.limit * math.sqrt(max(1, g.size)), (g,))[0] for g in grads]


def skip_nonfinite(optimizer: Optimizer, *, max_consecutive_errors: int = 10) -> SkipNonFinite:
    """Leave parameters and the optimizer's state as they are where a gradient has a NaN or an infinity.

    Parameters
    ----------
    optimizer : optimizer
        What takes the other steps.
    max_consecutive_errors : int, optional
        How many updates in a row may be skipped before that is an error; at least 1.

    Returns
    -------
    Optimizer
        With a method ``skipped(state)`` that gives how many updates were skipped so far.

    Raises
    ------
    ValueError
        When ``max_consecutive_errors`` is below 1.
    TypeError
        When ``optimizer`` is not one.
    FloatingPointError
        In ``update``, when more gradients in a row are not finite.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.skip_nonfinite(fn.sgd(1.0))
    >>> params = (np.array([1.0]),)
    >>> new = opt.update(params, (np.array([np.nan]),), opt.init(params))
    >>> new.params, opt.skipped(new.state)
    ((array([1.]),), 1)
    """
    return SkipNonFinite(optimizer, max_consecutive_errors)


def skip_large_updates(optimizer: Optimizer, max_norm: float, *, max_consecutive_errors: int = 10) -> SkipLarge:
    """Leave parameters and the optimizer's state as they are where the gradients are longer than a bound, or not finite.

    Where clipping shortens an outlier, which may point anywhere, this leaves it out.

    Parameters
    ----------
    optimizer : optimizer
        What takes the other steps.
    max_norm : float
        The longest norm of all gradients together that takes a step, above 0.
    max_consecutive_errors : int, optional
        How many updates in a row may be skipped before that is an error; at least 1.

    Returns
    -------
    Optimizer
        With a method ``skipped(state)`` that gives how many updates were skipped so far.

    Raises
    ------
    ValueError
        When a number is out of its range.
    TypeError
        When ``optimizer`` is not one.
    FloatingPointError
        In ``update``, when more gradients in a row are too long.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.skip_large_updates(fn.sgd(1.0), max_norm=10.0)
    >>> params = (np.array([1.0]),)
    >>> new = opt.update(params, (np.array([99.0]),), opt.init(params))
    >>> new.params, opt.skipped(new.state)
    ((array([1.]),), 1)
    """
    return SkipLarge(optimizer, max_norm, max_consecutive_errors)


def zero_nans() -> ZeroNans:
    """Put 0 in the place of every NaN of the gradients; infinities stay.

    It hides what is wrong: :func:`skip_nonfinite` leaves such a step out and says when there are too many.

    Returns
    -------
    Transformation

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> grads = (np.array([np.nan, 1.0]),)
    >>> zero = fn.zero_nans()
    >>> zero.transform(grads, grads, zero.init(grads)).grads
    (array([0., 1.]),)
    """
    return ZeroNans()


def clip_by_block_rms(limit: float) -> ClipByBlockRMS:
    r"""Scale each leaf of the gradients down to a root mean square, where it is above: a bound that no leaf's size changes.

    Parameters
    ----------
    limit : float
        $c$, above 0.

    Returns
    -------
    Transformation

    References
    ----------
    Shazeer & Stern (2018), Adafactor: adaptive learning rates with sublinear memory cost, arXiv:1804.04235, section 6.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> grads = (np.array([6.0, 8.0]), np.array([0.1]))
    >>> clip = fn.clip_by_block_rms(1.0)
    >>> [leaf.round(6) for leaf in clip.transform(grads, grads, clip.init(grads)).grads]
    [array([0.848528, 1.131371]), array([0.1])]
    """
    return ClipByBlockRMS(limit)
