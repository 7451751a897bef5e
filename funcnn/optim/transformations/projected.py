r"""Steps that stay in a set: the projection after each update.

With the optimizer's own step $p' = p + \Delta p$ and the projection $P_C$ on a set (:mod:`funcnn.optim.projections`)
$$ p \leftarrow P_C(p') . $$
For gradient descent and a convex set this is the projected gradient method (Goldstein 1964).
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from attrs import field, frozen

from funcnn.errors import describe, is_plain, shown
from funcnn.optim.composite import Wrapper
from funcnn.optim.hyper import settle
from funcnn.optim.optimizer import Optimizer, OptState, Updated, check_shape, counter
from funcnn.optim.projections import Projection
from funcnn.optim.transformations.partition import check_optimizer
from funcnn.optim.where import Where, check_where, everywhere, selects, show_where
from funcnn.runtime.treedef import flatten
from funcnn.typing import Array

P = TypeVar("P")


def _check_projection(value: object, what: str) -> object:
    if not isinstance(value, Projection):
        hint = ": call it with its arguments" if callable(value) else ""
        raise TypeError(f"{what} is {shown(value)}, expected a projection, such as fn.projections.non_negative(){hint}")
    return value


@frozen
class Projected(Wrapper):
    """Made by :func:`funcnn.projected`."""

    optimizer: Optimizer
    onto: Projection
    where: Where = field(default=everywhere, repr=show_where)

    def __attrs_post_init__(self) -> None:
        settle(self, optimizer=check_optimizer, onto=_check_projection, where=check_where)

    def init(self, params: P) -> OptState[P]:
        """Return the state before the first update."""
        return OptState(counter(0), inner=(self.optimizer.init(params),))

    def _check(self, state: OptState[P]) -> None:
        super()._check(state)
        check_shape(state, self, 1, 0)

    def _after(self, params: P, state: OptState[P], updated: Updated[P]) -> Updated[P]:
        if updated.params is params:  # no step was taken
            return Updated(params, OptState(state.count, inner=(updated.state,)))
        structure, leaves = flatten(updated.params)
        new = [
            self._project(path, leaf) if selects(self.where, path, leaf.shape) else leaf
            for path, leaf in zip(structure.paths, leaves, strict=True)
        ]
        for array in new:
            array.flags.writeable = False
        return Updated(structure.rebuild(new), OptState(counter(int(state.count) + 1), inner=(updated.state,)))

    def _project(self, path: str, leaf: Array) -> Array:
        made = np.asarray(self.onto(leaf))
        if not is_plain(made) or made.shape != leaf.shape or made.dtype != leaf.dtype:
            raise ValueError(f"the projection {self.onto!r} makes {describe(made)} of the parameters{path}, {describe(leaf)}")
        return made


def projected(optimizer: Optimizer, onto: Projection, *, where: Where = everywhere) -> Projected:
    """Take each step, and then the nearest point of a set: parameters that are never negative, of bounded length, or shares.

    Parameters
    ----------
    optimizer : optimizer
        What takes the step.
    onto : Projection
        Such as ``fn.projections.non_negative()`` or ``fn.projections.max_norm(3.0)``.
    where : str or callable, optional
        Which leaves: a regular expression that is searched in the leaf's path, or a pure function of path and shape such as
        :func:`funcnn.is_matrix`.  All by default.

    Returns
    -------
    Optimizer

    Raises
    ------
    TypeError
        When ``optimizer`` or ``onto`` is none.
    ValueError
        In ``update``, when a leaf is not what the projection is for.

    See Also
    --------
    weight_norm, spectral_norm : bounds by the layer's own formula, which gradients know of.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> opt = fn.projected(fn.sgd(1.0), fn.projections.non_negative(), where="weight")
    >>> params = {"weight": np.array([1.0]), "bias": np.array([1.0])}
    >>> grads = {"weight": np.array([3.0]), "bias": np.array([3.0])}
    >>> opt.update(params, grads, opt.init(params)).params
    {'weight': array([0.]), 'bias': array([-2.])}
    """
    return Projected(optimizer, onto, where)
