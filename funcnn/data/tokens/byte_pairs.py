"""Byte-pair encoding (Gage 1994; Sennrich et al. 2016, arXiv:1508.07909, section 3.2) of bytes, as GPT-2 has it.

A piece of text begins as the tokens of its bytes.  Of all pairs of neighbours, those that come first in the list of merges are
joined, again and again, until no pair is in it.
"""

from __future__ import annotations

import json
import os
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import cast, get_args

import numpy as np
from attrs import field, frozen

from funcnn.data.tokens.alphabet import BYTES, LETTERS, Cut, pieces, to_bytes, to_letters
from funcnn.data.tokens.checks import check_merges, check_text, check_vocabulary, check_whole
from funcnn.errors import check_choice, check_flag, check_path, describe, is_plain, shorten, shown
from funcnn.files.atomic_write import write_text
from funcnn.files.tree_reader import FileError
from funcnn.typing import IntArray

_VERSION = "#version: 0.2"  # the first line of a file of merges
_REMEMBERED = 1 << 16  # pieces whose tokens are kept


@frozen(eq=False, repr=False)
class BytePairEncoding:
    """A text as tokens, and back: see :func:`read_byte_pairs` and :func:`fit_byte_pairs`.

    Parameters
    ----------
    tokens : tuple of str
        What each token stands for, in the letters of bytes: a token's number is its place.
    merges : tuple of pairs of str
        Which neighbours are joined, the first ones first.
    cut : {"gpt2", "llama3", "qwen2"}, optional
        How a text is cut into pieces that no token reaches across.
    whole : frozenset of str, optional
        Tokens that a piece of text is whatever the merges say (``ignore_merges``), in the letters of bytes.
    composed : bool, optional
        Whether a text is brought into Unicode's composed form (NFC) first; that is then what ``decode`` gives back.

    Raises
    ------
    TypeError, ValueError
        When a token stands twice, a byte has no token, a merge joins or makes what is no token, or an option is out of its range.
    """

    tokens: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]
    cut: Cut = field(default="gpt2", kw_only=True)
    whole: frozenset[str] = field(default=frozenset(), kw_only=True)
    composed: bool = field(default=False, kw_only=True)
    _numbers: dict[str, int] = field(init=False)
    _ranks: dict[tuple[str, str], int] = field(init=False)
    _known: dict[str, list[int]] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        check_vocabulary(self.tokens)
        check_merges(self.merges, frozenset(self.tokens))
        check_choice(self.cut, get_args(Cut), "cut")
        check_flag(self.composed, "composed")
        check_whole(self.whole, frozenset(self.tokens))
        object.__setattr__(self, "_numbers", {token: number for number, token in enumerate(self.tokens)})
        object.__setattr__(self, "_ranks", {pair: rank for rank, pair in enumerate(self.merges)})

    def __len__(self) -> int:
        return len(self.tokens)

    def __repr__(self) -> str:
        return f"BytePairEncoding({len(self.tokens)} tokens, {len(self.merges)} merges)"

    def number(self, token: str) -> int:
        """Return the number of a token by what it stands for, such as ``"<|endoftext|>"``.

        Raises
        ------
        TypeError, ValueError
            When there is no such token.
        """
        if not isinstance(token, str):
            raise TypeError(f"token is {shown(token)}, expected a str")
        if token not in self._numbers:
            raise ValueError(f"token is {shorten(token)!r}, which is none of the {len(self)}")
        return self._numbers[token]

    def encode(self, text: str) -> IntArray:
        """Return the tokens (n,) of a text.

        Whatever stands in it is text: what looks like a special token is not taken for one.

        Raises
        ------
        TypeError, ValueError
            When it is no text, or holds half of a surrogate pair, which UTF-8 has no bytes for.
        """
        check_text(text)
        found: list[int] = []
        for piece in pieces(unicodedata.normalize("NFC", text) if self.composed else text, self.cut):
            known = self._known.get(piece)
            if known is None:
                letters = to_letters(piece)
                known = [self._numbers[token] for token in ([letters] if letters in self.whole else self._joined(letters))]
                if len(self._known) < _REMEMBERED:
                    self._known[piece] = known
            found += known
        return np.array(found, np.int64)

    def _joined(self, letters: str) -> list[str]:
        """Return the tokens of a piece."""
        parts = list(letters)
        last = len(self._ranks)
        while len(parts) > 1:
            pairs = list(pairwise(parts))
            pair = min(pairs, key=lambda one: self._ranks.get(one, last))
            if pair not in self._ranks:
                break
            parts = joined(parts, pair)
        return parts

    def decode(self, tokens: IntArray) -> str:
        """Return the text of tokens (n,); bytes that are no UTF-8 become U+FFFD, as of a character that is cut in two.

        Raises
        ------
        TypeError, ValueError
            When tokens are not integers (n,), or one is out of range, with its place.
        """
        given: object = tokens
        if not is_plain(given) or given.dtype.kind not in "iu" or given.ndim != 1:
            raise TypeError(f"tokens is {describe(given)}, expected integers (n,)")
        wrong = np.flatnonzero((tokens < 0) | (tokens >= len(self)))
        if wrong.size:
            raise ValueError(f"tokens[{wrong[0]}] is {tokens[wrong[0]]}, expected a token in 0..{len(self) - 1}")
        parts = [self.tokens[number] for number in tokens.tolist()]
        return b"".join([to_bytes(part) if BYTES.keys() >= {*part} else part.encode() for part in parts]).decode(errors="replace")

    def write(self, vocabulary_path: str | os.PathLike[str], merges_path: str | os.PathLike[str]) -> None:
        """Write the two files that :func:`read_byte_pairs` reads.

        Raises
        ------
        ValueError
            When texts are not cut and joined as GPT-2's, which these files do not tell.
        OSError
            When they cannot be written.
        """
        if self.cut != "gpt2" or self.whole or self.composed:
            raise ValueError(
                f"the files of a vocabulary and of merges do not say that cut is {self.cut!r}, that {len(self.whole)} tokens are"
                f" whole, or that composed is {self.composed}: read back, they would give other tokens; keep tokenizer.json"
            )
        write_text(check_path(vocabulary_path, "vocabulary_path"), json.dumps(self._numbers, ensure_ascii=False))
        write_text(
            check_path(merges_path, "merges_path"), "\n".join([_VERSION, *[" ".join(pair) for pair in self.merges]]) + "\n"
        )


def joined(parts: list[str], pair: tuple[str, str]) -> list[str]:
    """Return tokens where every two neighbours that are the pair have become one, from left to right."""
    made: list[str] = []
    place = 0
    while place < len(parts):
        if tuple(parts[place : place + 2]) == pair:
            made.append(parts[place] + parts[place + 1])
            place += 2
        else:
            made.append(parts[place])
            place += 1
    return made


def read_byte_pairs(vocabulary_path: str | os.PathLike[str], merges_path: str | os.PathLike[str]) -> BytePairEncoding:
    """Read a byte-pair encoding from files such as GPT-2's ``vocab.json`` and ``merges.txt``.

    Parameters
    ----------
    vocabulary_path : path
        A JSON object: the number of each token.
    merges_path : path
        A line for each merge, two tokens with a space between; the first line may say a version.

    Returns
    -------
    BytePairEncoding

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    FileError
        A ValueError: when a file is not what it should be, with the place.

    Examples
    --------
    >>> import funcnn as fn, tempfile, pathlib
    >>> encoding = fn.data.fit_byte_pairs("low lower lowest", 260)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     names = [pathlib.Path(folder, name) for name in ("vocab.json", "merges.txt")]
    ...     encoding.write(*names)
    ...     again = fn.data.read_byte_pairs(*names)
    >>> again.encode("lowest").tolist() == encoding.encode("lowest").tolist()
    True
    """
    names, lines_of = check_path(vocabulary_path, "vocabulary_path"), check_path(merges_path, "merges_path")
    numbers = _read_json(names)
    lines = _read(lines_of).split("\n")
    first = 1 if lines[0].startswith("#version") else 0
    pairs = []
    for number, line in enumerate(lines[first:], first + 1):
        if line.rstrip("\r"):
            parts = line.rstrip("\r").split(" ")
            if len(parts) != 2 or not all(parts):
                raise FileError(f"{lines_of}, line {number} is {shorten(line)!r}, expected two tokens with a space between")
            pairs.append((parts[0], parts[1]))
    try:
        return BytePairEncoding(tuple(sorted(numbers, key=lambda token: numbers[token])), tuple(pairs))
    except (TypeError, ValueError) as error:
        raise FileError(f"{names} and {lines_of}: {error}") from None


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is no text in UTF-8: {error.reason} at byte {error.start}") from None


def _read_json(path: Path) -> dict[str, int]:
    try:
        numbers: object = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} is no JSON: {shorten(str(error), 200)}") from None
    if not isinstance(numbers, dict) or not all(type(one) is int for one in numbers.values()):
        raise FileError(f"{path} is {shown(numbers)}, expected an object with the number of each token")
    if sorted(numbers.values()) != list(range(len(numbers))):
        missing = sorted({*range(len(numbers))} - {*numbers.values()})
        raise FileError(f"{path} has no token {missing[0]}, expected the numbers 0 to {len(numbers) - 1}, each once")
    return cast("dict[str, int]", numbers)


def first_tokens() -> list[str]:
    """Return the tokens of single bytes, in their order."""
    return list(LETTERS.values())
