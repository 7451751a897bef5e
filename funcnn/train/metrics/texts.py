"""Metrics of texts and other sequences of symbols: how many changes lead from one to another, and what they share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from funcnn.errors import check_count, shown


def edit_distance(prediction: Sequence[Hashable], target: Sequence[Hashable]) -> int:
    """Return the least number of insertions, deletions and exchanges that make one sequence of another (Levenshtein 1966).

    Parameters
    ----------
    prediction, target : text or sequence
        Of characters, words or tokens.

    Raises
    ------
    TypeError
        When one is no sequence.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.metrics.edit_distance("kitten", "sitting"), fn.metrics.edit_distance([1, 2, 3], [1, 3])
    (3, 1)
    """
    for name, value in (("prediction", prediction), ("target", target)):
        if not isinstance(value, (str, list, tuple)):
            raise TypeError(f"{name} is {shown(value)}, expected a text, a list or a tuple")
    number: dict[Hashable, int] = {}
    a, b = ([number.setdefault(symbol, len(number)) for symbol in value] for value in (prediction, target))
    if len(a) < len(b):
        a, b = b, a
    columns = np.array(b, dtype=np.intp)
    places = np.arange(len(b) + 1)
    row = places.copy()
    for count, symbol in enumerate(a, 1):
        step = np.minimum(row[1:] + 1, row[:-1] + (columns != symbol))
        row = np.concatenate([[count], step])
        row = np.minimum.accumulate(row - places) + places  # insertions: from any place before, one for each step
    return int(row[-1])


def word_error_rate(prediction: Sequence[str], target: Sequence[str]) -> float:
    """Return the edits between words of predicted and of right texts, for each word of the right ones.

    Parameters
    ----------
    prediction, target : sequence of texts
        As many of one as of the other; words are what white space divides.

    Raises
    ------
    TypeError, ValueError
        When they are no sequences of texts, not as many, or the right texts have no word.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.metrics.word_error_rate(["the cat sat"], ["the cat sat down"])
    0.25
    """
    return _error_rate(
        [text.split() for text in _texts(prediction, "prediction")], [text.split() for text in _texts(target, "target")]
    )


def character_error_rate(prediction: Sequence[str], target: Sequence[str]) -> float:
    """Return the edits between characters of predicted and of right texts, for each character of the right ones.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.metrics.character_error_rate(["cart"], ["cat"])
    0.3333333333333333
    """
    return _error_rate(
        [list(text) for text in _texts(prediction, "prediction")], [list(text) for text in _texts(target, "target")]
    )


def bleu(prediction: Sequence[str], target: Sequence[str], max_length: int = 4) -> float:
    r"""Return how many runs of words of predicted texts are in the right ones (Papineni et al. 2002, section 2.3).

    With the part $p_k$ of the runs of $k$ words that are right, none counted more often than the right text has it, and the
    numbers of words $c$ and $r$ of all predicted and all right texts, it is
    $\min(1, e^{1 - r/c}) \left(\prod_k p_k\right)^{1/K}$: of the whole set, without smoothing, and 0 where no run of some length
    is right.

    Parameters
    ----------
    prediction, target : sequence of texts
        As many of one as of the other, one right text each; words are what white space divides.
    max_length : int, optional
        K, the length of the longest runs.

    Raises
    ------
    TypeError, ValueError
        When they are no sequences of texts, not as many, or the right texts have no word.

    Examples
    --------
    >>> import funcnn as fn
    >>> round(fn.metrics.bleu(["the cat sat on a mat"], ["the cat sat on the mat"]), 4)
    0.5373
    """
    max_length = check_count(max_length, "max_length")
    ours, theirs = (
        [text.split() for text in _texts(texts, what)] for texts, what in ((prediction, "prediction"), (target, "target"))
    )
    _check_pairs(ours, theirs)
    logs = 0.0
    for length in range(1, max_length + 1):
        right = whole = 0
        for mine, wanted in zip(ours, theirs, strict=True):
            found, allowed = _runs(mine, length), _runs(wanted, length)
            right += (found & allowed).total()
            whole += found.total()
        if not right:
            return 0.0
        logs += math.log(right / whole) / max_length
    c, r = (sum(map(len, texts)) for texts in (ours, theirs))
    return math.exp(logs + min(0.0, 1 - r / c))


def _runs(words: Sequence[str], length: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[start : start + length]) for start in range(len(words) - length + 1))


def _texts(value: object, what: str) -> list[str]:
    """Return texts as a list, or raise."""
    if isinstance(value, str):
        raise TypeError(f"{what} is one text, {shown(value)}, expected a list of texts: put it into brackets")
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        raise TypeError(f"{what} is {shown(value)}, expected a list of texts")
    return list(value)


def _check_pairs(ours: Sequence[Sequence[str]], theirs: Sequence[Sequence[str]]) -> None:
    if len(ours) != len(theirs):
        raise ValueError(f"prediction has {len(ours)} texts and target {len(theirs)}: one belongs to the other")
    if not any(theirs):
        raise ValueError("target has nothing in it: there is nothing to be right about")


def _error_rate(ours: list[list[str]], theirs: list[list[str]]) -> float:
    _check_pairs(ours, theirs)
    return sum(map(edit_distance, ours, theirs)) / sum(map(len, theirs))
