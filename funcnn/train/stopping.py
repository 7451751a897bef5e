"""Early stopping (Prechelt 1998): end training when the figure that matters has stopped improving."""

from __future__ import annotations

import math

from attrs import field, frozen

from funcnn.errors import check_count, check_flag, check_range
from funcnn.train.history import Direction, History, direction


@frozen
class EarlyStopping:
    """When to stop, as a function of the history alone.

    An epoch is an improvement when its figure is better than that of the last improvement by more than ``min_delta``.  Training
    stops after ``patience`` epochs without one.

    Parameters
    ----------
    patience : int
        Epochs without improvement, at least 1.
    min_delta : float, optional
        The least change that counts, at least 0.
    monitor : str, optional
        A column of the history.
    mode : "min" or "max", optional
        Whether lower or higher is better; only a loss need not say it.
    restore_best : bool, optional
        Whether ``fit`` gives the parameters of the last improvement (however training ends), or those of the last epoch.

    Raises
    ------
    TypeError, ValueError
        When a number is out of range, or the mode is missing for a column other than a loss.

    Examples
    --------
    >>> import funcnn as fn
    >>> rule = fn.EarlyStopping(patience=2)
    >>> losses = (3.0, 2.0, 2.5, 2.1)
    >>> history = fn.History(tuple(fn.Row(i + 1, (("val_loss", loss),)) for i, loss in enumerate(losses)))
    >>> rule.best_epoch(history), rule.is_over(history)
    (2, True)
    """

    patience: int
    min_delta: float = 0.0
    monitor: str = "val_loss"
    mode: Direction | None = None
    restore_best: bool = field(default=True, kw_only=True)

    def __attrs_post_init__(self) -> None:
        checked = {
            "patience": check_count(self.patience, "patience"),
            "min_delta": check_range(self.min_delta, "min_delta", 0.0, math.inf, open_high=True),
            "restore_best": check_flag(self.restore_best, "restore_best"),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if not isinstance(self.monitor, str):
            raise TypeError(f"monitor is {self.monitor!r}, expected the name of a column such as 'val_loss'")
        direction(self.monitor, self.mode)

    def best_epoch(self, history: History, since: int = 0) -> int:
        """Return the number of the epoch with the last improvement, 0 when there was none.

        With ``since``, that epoch counts as an improvement, and only those after it are looked at.
        """
        peak = since
        for epoch in range(since + 1, len(history) + 1):
            if self.improves(History(history.rows[:epoch]), peak):
                peak = epoch
        return peak

    def end(self, history: History, since: int = 0) -> int | None:
        """Return the number of the epoch after which training stops, or None when it goes on after all of these."""
        peak = since
        for epoch in range(since + 1, len(history) + 1):
            if self.improves(History(history.rows[:epoch]), peak):
                peak = epoch
            if epoch - peak >= self.patience:
                return epoch
        return None

    def improves(self, history: History, peak: int) -> bool:
        """Tell whether the last epoch improves on that of number ``peak``, or on nothing, if that is 0; NaN never does."""
        sign = -1.0 if direction(self.monitor, self.mode) == "max" else 1.0
        least = sign * history.rows[peak - 1][self.monitor] if peak else math.inf
        return sign * history.last[self.monitor] < least - self.min_delta

    def is_over(self, history: History, peak: int | None = None) -> bool:
        """Tell whether training should stop; ``peak`` is what :meth:`best_epoch` gives, where that is known already."""
        return len(history) - (self.best_epoch(history) if peak is None else peak) >= self.patience
