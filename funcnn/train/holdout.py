"""The share of the rows that is held out for validation, with the proportions of the classes kept."""

from __future__ import annotations

import numpy as np
from attrs import frozen

from funcnn.errors import check_flag, check_range, describe, is_plain
from funcnn.losses.weighted import Weighted
from funcnn.typing import IntArray


@frozen(eq=False)
class Holdout:
    """How ``fit`` parts its data: ``validation=fn.Holdout(0.2)`` holds out a share of every class.

    ``validation=0.2`` draws the rows without looking at their labels: of a rare class none may be among them.

    Parameters
    ----------
    share : float
        Of the rows, in (0, 1).
    labels : array (n,), optional
        The classes whose proportions are kept, any integers or texts; by default the target, where that is one integer a row.
    stratified : bool, optional
        Whether proportions are kept; without it the rows are those of ``validation=share``.

    Raises
    ------
    TypeError, ValueError
        When the share is out of range; by ``fit``, when there are no such labels, or a class has too few rows.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> x, y = np.eye(20), np.repeat([0, 1], [16, 4])
    >>> rest = dict(key=fn.Key(0), epochs=1, batch_size=5, validation=fn.Holdout(0.25))
    >>> result = fn.fit(fn.dense(2), fn.softmax_cross_entropy(), fn.adam(), x, y, **rest)
    >>> list(result.history.columns())
    ['epoch', 'loss', 'val_loss']
    """

    share: float
    labels: IntArray | None = None
    stratified: bool = True

    def __attrs_post_init__(self) -> None:
        share = check_range(self.share, "share", 0.0, 1.0, open_low=True, open_high=True)
        object.__setattr__(self, "share", share)
        object.__setattr__(self, "stratified", check_flag(self.stratified, "stratified"))
        labels: object = self.labels
        if labels is not None and (not is_plain(labels) or labels.dtype.kind not in "iubUS" or labels.ndim != 1):
            raise TypeError(f"labels is {describe(labels)}, expected an array (n,) of integers or text, a label a row")

    def labels_for(self, target: object) -> IntArray | None:
        """Return the labels to go by, given the target of ``fit``; None without stratification.

        Raises
        ------
        TypeError
            When none are given and the target is not one integer a row.
        """
        if not self.stratified:
            return None
        if self.labels is not None:
            return self.labels
        inside = target.target if isinstance(target, Weighted) else target
        if not isinstance(inside, np.ndarray) or inside.dtype.kind not in "iub" or inside.ndim != 1:
            raise TypeError(
                f"validation=fn.Holdout keeps the proportions of classes, and y is {describe(inside)}, not one label a row: give"
                " labels=..., or stratified=False"
            )
        return inside
