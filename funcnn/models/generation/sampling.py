r"""How the next token is drawn from logits.

With logits $z_v$ of the tokens $v$, in this order:

- *repetition penalty* $\theta$ (Keskar et al. 2019, arXiv:1909.05858, section 4.1): of a token that has been seen,
  $z_v / \theta$ where $z_v > 0$ and else $z_v\,\theta$;
- *temperature* $\tau$: $z_v / \tau$; at $\tau = 0$ the most probable token is taken;
- *top k* (Fan et al. 2018, arXiv:1805.04833): the $k$ most probable tokens, and those that tie with the last of them;
- *top p*, nucleus sampling (Holtzman et al. 2020, arXiv:1904.09751): the most probable tokens, as few as have together a
  probability of at least $p$;
- *min p* (Nguyen et al. 2024, arXiv:2407.01082): the tokens of at least $p$ times the probability of the most probable one.

What is left is drawn from by the Gumbel trick: the largest of $z_v + g_v$ with independent Gumbel $g_v$ has the probabilities of
the softmax.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_count, check_range, shown
from funcnn.typing import Array, BoolArray, IntArray


@frozen
class Sampling:
    """How tokens are drawn, and when a sequence ends.

    Parameters
    ----------
    temperature : float, optional
        Divides the logits: below 1 likely tokens become more likely, and at 0 the most probable one is always taken.
    top_k : int, optional
        Draw from the so many most probable tokens only.
    top_p : float, optional
        Draw from the most probable tokens that have together this probability, in (0, 1].
    min_p : float, optional
        Draw from tokens of at least this share of the largest probability, in [0, 1].
    repetition_penalty : float, optional
        Makes tokens that the sequence has, its prompt included, less likely where it is more than 1.
    stop : tuple of int, optional
        Tokens after which a sequence ends.
    samples : int, optional
        How many continuations of each prompt.

    Raises
    ------
    TypeError, ValueError
        When one of them is out of its range.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.generation.Sampling(temperature=0.7, top_p=0.9, stop=(0,)).samples
    1
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    stop: tuple[int, ...] = ()
    samples: int = 1

    def __attrs_post_init__(self) -> None:
        checked = {
            "temperature": check_range(self.temperature, "temperature", 0, math.inf, open_high=True),
            "top_k": None if self.top_k is None else check_count(self.top_k, "top_k"),
            "top_p": None if self.top_p is None else check_range(self.top_p, "top_p", 0, 1, open_low=True),
            "min_p": None if self.min_p is None else check_range(self.min_p, "min_p", 0, 1),
            "repetition_penalty": check_range(
                self.repetition_penalty, "repetition_penalty", 0, math.inf, open_low=True, open_high=True
            ),
            "stop": checked_stop(self.stop),
            "samples": check_count(self.samples, "samples"),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def checked_stop(stop: object) -> tuple[int, ...]:
    """Return the tokens that end a sequence as a tuple of ints, or raise."""
    if not isinstance(stop, tuple):
        raise TypeError(f"stop is {shown(stop)}, expected a tuple of tokens, such as (0,)")
    return tuple([check_count(one, "a token of stop", 0) for one in stop])


def check_stop_occurs(stop: tuple[int, ...], vocabulary: int) -> None:
    """Raise when a stop token is none that the model can give: it would never end a sequence."""
    if stop and max(stop) >= vocabulary:
        raise ValueError(f"stop has the token {max(stop)}, and the model gives tokens from 0 to {vocabulary - 1}")


def penalized(logits: Array, seen: IntArray, penalty: float) -> Array:
    """Return logits (n, V) of which those of the tokens of each row of ``seen`` (n, t) are made smaller."""
    if penalty == 1:
        return logits
    rows = np.arange(len(logits))[:, np.newaxis]
    found = logits[rows, seen]
    made = logits.copy()
    made[rows, seen] = np.where(found > 0, found / penalty, found * penalty)
    return made


def kept(logits: Array, sampling: Sampling) -> Array:
    """Return logits (n, V) that are minus infinity where a token is not to be drawn."""
    if sampling.top_k is not None and sampling.top_k < logits.shape[1]:
        least = np.partition(logits, -sampling.top_k, axis=1)[:, -sampling.top_k, np.newaxis]
        logits = np.where(logits >= least, logits, -np.inf)
    if sampling.top_p is not None and sampling.top_p < 1:
        logits = np.where(nucleus(logits, sampling.top_p), logits, -np.inf)
    if sampling.min_p:
        largest = logits.max(1, keepdims=True)
        logits = np.where(logits >= largest + math.log(sampling.min_p), logits, -np.inf)
    return logits


def nucleus(logits: Array, top_p: float) -> BoolArray:
    """Tell which tokens are among the most probable ones that have together the probability ``top_p``."""
    order = np.argsort(-logits, axis=1, kind="stable")
    shares = np.exp(np.take_along_axis(log_softmax(logits), order, 1))
    before = np.cumsum(shares, axis=1) - shares  # what the more probable ones have: the first is always kept
    inside = np.empty(logits.shape, bool)
    np.put_along_axis(inside, order, before < top_p, 1)
    return inside


def log_softmax(logits: Array) -> Array:
    """Return the logarithms of the probabilities, row by row."""
    below = below_largest(logits)
    logs: Array = below - np.log(np.exp(below).sum(1, keepdims=True))
    return logs


def below_largest(logits: Array) -> Array:
    """Return logits minus the largest of their row; an infinite one is as far above all others as can be."""
    largest = logits.max(1, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(logits == largest, 0, logits - largest)


def draw(logits: Array, seen: IntArray, generator: np.random.Generator, sampling: Sampling) -> IntArray:
    """Return a token for each row of logits (n, V), in double precision."""
    logits = penalized(logits, seen, sampling.repetition_penalty)
    if sampling.temperature == 0:
        return cast(IntArray, kept(logits, sampling).argmax(1))
    with np.errstate(over="ignore"):  # at a temperature of nearly 0 only the largest is left
        logits = kept(below_largest(logits) / sampling.temperature, sampling)
    return cast(IntArray, (logits + generator.gumbel(size=logits.shape)).argmax(1))
