"""Text as numbers: a vocabulary of characters, and windows of tokens for learning what comes next."""

from __future__ import annotations

from typing import cast

import numpy as np
from attrs import frozen

from funcnn.errors import check_count, describe, is_plain, shown
from funcnn.tree import freeze
from funcnn.typing import IntArray


@frozen(eq=False, repr=False)
class Vocabulary:
    """The characters of a text, by code point: token t stands for ``characters[t]``; see :func:`fit_vocabulary`."""

    codes: IntArray  # (V,), code points, sorted and unlike: an array, so that fn.save keeps it

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return f"Vocabulary({self.characters!r})"

    @property
    def characters(self) -> str:
        """All characters, in the order of their tokens."""
        return _text(self.codes)

    def encode(self, text: str) -> IntArray:
        """Return the tokens (len(text),) of a text.

        Raises
        ------
        ValueError
            When a character is not in the vocabulary, with its place.
        """
        _check_text(text)
        codes = _codes(text)
        tokens = np.searchsorted(self.codes, codes).clip(max=len(self.codes) - 1)
        unknown = np.flatnonzero(self.codes[tokens] != codes)
        if unknown.size:
            raise ValueError(
                f"character {text[unknown[0]]!r} at position {unknown[0]} is not among the {len(self)} of the vocabulary"
                f" ({unknown.size} such places)"
            )
        return cast(IntArray, tokens.astype(np.int64, copy=False))

    def decode(self, tokens: IntArray) -> str:
        """Return the text of tokens (n,).

        Raises
        ------
        TypeError, ValueError
            When tokens are not integers (n,), or one is out of range, with its place.
        """
        _check_tokens(tokens)
        wrong = np.flatnonzero((tokens < 0) | (tokens >= len(self)))
        if wrong.size:
            raise ValueError(f"tokens[{wrong[0]}] is {tokens[wrong[0]]}, expected a token in 0..{len(self) - 1}")
        return _text(self.codes[tokens])


def fit_vocabulary(text: str) -> Vocabulary:
    """Fit a vocabulary: every character that occurs in a text.

    Parameters
    ----------
    text : str
        Of at least one character.

    Returns
    -------
    Vocabulary

    Examples
    --------
    >>> import funcnn as fn
    >>> vocabulary = fn.data.fit_vocabulary("hello")
    >>> vocabulary
    Vocabulary('ehlo')
    >>> vocabulary.encode("hole")
    array([1, 3, 2, 0])
    >>> vocabulary.decode(vocabulary.encode("hole"))
    'hole'
    """
    _check_text(text)
    if not text:
        raise ValueError("the text is empty: a vocabulary needs at least one character")
    return freeze(Vocabulary(np.unique(_codes(text))))


def windows(tokens: IntArray, length: int, stride: int = 1) -> tuple[IntArray, IntArray]:
    """Return windows of a sequence and the same windows one step later: at each place the target is the next token.

    Parameters
    ----------
    tokens : integer array (n,)
    length : int
        Tokens of a window, less than n.
    stride : int, optional
        Steps between the beginnings of two windows.

    Returns
    -------
    inputs, targets : integer array ((n - length - 1) // stride + 1, length)
        Read-only views: no memory is taken however much the windows overlap.

    Raises
    ------
    TypeError, ValueError
        When tokens are not integers (n,), or fewer than length + 1.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> inputs, targets = fn.data.windows(np.arange(6), 3, stride=2)
    >>> inputs.tolist(), targets.tolist()
    ([[0, 1, 2], [2, 3, 4]], [[1, 2, 3], [3, 4, 5]])
    """
    _check_tokens(tokens)
    length, stride = check_count(length, "length"), check_count(stride, "stride")
    if len(tokens) < length + 1:
        raise ValueError(f"{len(tokens)} tokens are too few for a window of {length} and the token after it")
    rolled = np.lib.stride_tricks.sliding_window_view(tokens, length)
    return rolled[:-1:stride], rolled[1::stride]


def _check_text(text: object) -> None:
    if not isinstance(text, str):
        raise TypeError(f"text is {shown(text)}, expected a str")


def _codes(text: str) -> IntArray:
    # Lone surrogates, which some file names and inputs hold, are characters like any other.
    return cast(IntArray, np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64))


def _text(codes: IntArray) -> str:
    return codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def _check_tokens(tokens: object) -> None:
    if not is_plain(tokens) or tokens.dtype.kind not in "iu" or tokens.ndim != 1:
        raise TypeError(f"tokens is {describe(tokens)}, expected integers (n,)")
