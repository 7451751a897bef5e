"""How scores of attention come of queries and keys: the options that all layers of attention share."""

from collections.abc import Sequence
from typing import TypeAlias

from attrs import field, frozen

from funcnn.errors import check_count, check_range, shown
from funcnn.kernels.windows import entries_of

Window: TypeAlias = int | Sequence[int] | None
"""How many steps before itself a query sees, and after; a number stands for both."""


def _scale(value: float | None) -> float | None:
    return None if value is None else check_range(value, "scale", float("-inf"), float("inf"), open_low=True, open_high=True)


def _soft_cap(value: float | None) -> float | None:
    return None if value is None else check_range(value, "soft_cap", 0, float("inf"), open_low=True, open_high=True)


def _window(value: Window) -> tuple[int, int] | None:
    if value is None:
        return None
    entries = entries_of(value)
    if entries is None:
        both = check_count(value, "window", least=0)  # type: ignore[arg-type]  # whatever else it is, that raises
        return both, both
    if len(entries) != 2:
        raise ValueError(f"window is {shown(value)}, expected a number of steps, or a pair: before and after")
    before, after = (check_count(one, "window", least=0) for one in entries)  # type: ignore[arg-type]  # the same
    return before, after


@frozen
class AttentionScores:
    r"""How scores come of queries and keys: $s_{ij} = c \tanh(\kappa\, q_i \cdot k_j / c)$, for keys in a window.

    Parameters
    ----------
    scale : float or None, optional
        The factor $\kappa$ of the products; None for one over the root of a head's features.
    soft_cap : float or None, optional
        The bound c of the scores, as in Gemma 2; None for scores as they are, $s_{ij} = \kappa\, q_i \cdot k_j$.
    window : int, pair of int or None, optional
        How many steps before itself a query sees, and how many after: a number for both, None for all.  Mistral's
        ``sliding_window=w`` of a causal layer counts the step itself: it is ``window=w - 1``.

    Raises
    ------
    TypeError, ValueError
        When a number is out of its range.

    References
    ----------
    Gemma Team (2024), arXiv:2408.00118, section 2 (soft cap); Beltagy et al. (2020), Longformer, arXiv:2004.05150 (windows).

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.AttentionScores(window=4)
    AttentionScores(scale=None, soft_cap=None, window=(4, 4))
    >>> layer = fn.attention(8, causal=True, scores=fn.AttentionScores(window=(255, 0), soft_cap=50.0))
    """

    scale: float | None = field(default=None, converter=_scale)
    soft_cap: float | None = field(default=None, converter=_soft_cap)
    window: tuple[int, int] | None = field(default=None, converter=_window)


PLAIN_SCORES = AttentionScores()


def check_scores(value: AttentionScores) -> AttentionScores:
    """Return the options of scores, or raise."""
    if not isinstance(value, AttentionScores):
        raise TypeError(f"scores is {shown(value)}, expected fn.AttentionScores(...)")
    return value
