"""``tokenizer.json``, in which hubs keep a tokenizer in one file: the byte-level byte-pair encodings among them.

The file says how a text is normalized, cut into pieces, encoded and put together again.  What is read here is what
:class:`funcnn.data.BytePairEncoding` does: pieces cut as those of GPT-2, Llama 3 or Qwen 2 are, and byte-level merges.  Anything
else would give other tokens without a word, and is refused by name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from funcnn.data.tokens.alphabet import Cut
from funcnn.data.tokens.byte_pairs import BytePairEncoding
from funcnn.errors import check_path, shorten, shown
from funcnn.files.tree_reader import FileError

_NOTHING = (None, "", False)
_ALONE = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback")
"""Fields of the model that must say nothing."""
_CONTRACTION_OR_WORD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_SIGNS_AND_SPACES = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CUTS: Mapping[object, Cut] = {
    rf"{_CONTRACTION_OR_WORD}|\p{{N}}{{1,3}}|{_SIGNS_AND_SPACES}": "llama3",
    rf"{_CONTRACTION_OR_WORD}|\p{{N}}|{_SIGNS_AND_SPACES}": "qwen2",
}
"""The expressions by which texts are cut, as they stand in files."""


def read_tokenizer(path: str | os.PathLike[str]) -> BytePairEncoding:
    """Read a byte-level byte-pair encoding from a ``tokenizer.json``, such as GPT-2's, Llama 3's or Qwen 2's.

    Parameters
    ----------
    path : path
        The file.  What its post-processor puts around a text, such as a token of the beginning, is left to the caller.

    Returns
    -------
    BytePairEncoding

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    FileError
        A ValueError: when it is damaged, or does another thing than byte-level pairs with pieces cut as these are.

    See Also
    --------
    read_byte_pairs : from ``vocab.json`` and ``merges.txt``.

    Examples
    --------
    >>> import funcnn as fn, json, tempfile, pathlib
    >>> made = fn.data.fit_byte_pairs("low lower lowest", 260)
    >>> model = {"type": "BPE", "vocab": {one: n for n, one in enumerate(made.tokens)}, "merges": made.merges}
    >>> cut = {"type": "ByteLevel", "add_prefix_space": False}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "tokenizer.json")
    ...     _ = file.write_text(json.dumps({"model": model, "pre_tokenizer": cut}))
    ...     again = fn.data.read_tokenizer(file)
    >>> again.encode("lowest").tolist() == made.encode("lowest").tolist()
    True
    """
    where = check_path(path, "path")
    whole = _fields(where, "the file", _read(where))
    model = _fields(where, "model", whole.get("model"))
    if model.get("type", "BPE") != "BPE":
        raise FileError(f"{where}: the model's type is {shown(model.get('type'))}, expected BPE")
    for name in _ALONE:
        if model.get(name) not in _NOTHING:
            raise FileError(f"{where}: the model's {name} is {shown(model.get(name))}, which byte-level pairs have not")
    if whole.get("normalizer") not in (None, {"type": "NFC"}):
        raise FileError(f"{where}: there is a normalizer, {shown(whole.get('normalizer'))}, expected none, or NFC")
    ignore = model.get("ignore_merges", False)
    if not isinstance(ignore, bool):
        raise FileError(f"{where}: the model's ignore_merges is {shown(ignore)}, expected true or false")
    cut = _cut(where, _fields(where, "pre_tokenizer", whole.get("pre_tokenizer")))
    vocabulary = _fields(where, "vocab", model.get("vocab"))
    numbers = _numbers(where, vocabulary, whole.get("added_tokens"))
    try:
        return BytePairEncoding(
            tuple(sorted(numbers, key=lambda token: numbers[token])),
            _pairs(where, model.get("merges")),
            cut=cut,
            whole=frozenset(vocabulary) if ignore else frozenset(),  # no text is a token that was added
            composed=whole.get("normalizer") is not None,
        )
    except (TypeError, ValueError) as error:
        raise FileError(f"{where}: {error}") from None


def _cut(where: Path, told: dict[str, object]) -> Cut:
    """Return how texts are cut: by the expression of GPT-2, which ByteLevel brings, or by one that is written out before it."""
    steps = told.get("pretokenizers") if told.get("type") == "Sequence" else [told]
    *before, last = steps if isinstance(steps, list) and steps else [None]
    if isinstance(last, dict) and last.get("type") == "ByteLevel" and last.get("add_prefix_space", True) is False:
        if not before and last.get("use_regex", True) is True:
            return "gpt2"
        if len(before) == 1 and last.get("use_regex", True) is False and isinstance(before[0], dict):
            pattern = before[0].get("pattern")
            found = _CUTS.get(pattern.get("Regex")) if isinstance(pattern, dict) and len(pattern) == 1 else None
            if found and before[0] == {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}:
                return found
    raise FileError(
        f"{where}: the pre_tokenizer is {shown(told)}, expected ByteLevel with the expression of GPT-2 and no space put first, or"
        " a Sequence of Split, isolated, by the expression of Llama 3 or Qwen 2, and ByteLevel without one"
    )


def _read(where: Path) -> object:
    try:
        content: object = json.loads(where.read_bytes().decode())
    except (ValueError, RecursionError) as error:
        raise FileError(f"{where} is no JSON: {shorten(str(error), 200)}") from None
    return content


def _fields(where: Path, name: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise FileError(f"{where}: {name} is {shown(value)}, expected an object")
    return value


def _numbers(where: Path, vocabulary: dict[str, object], added: object) -> dict[str, int]:
    """Return the number of each token, those that were added beside the vocabulary among them."""
    numbers: dict[str, int] = {}
    for name, number in vocabulary.items():
        if type(number) is not int:
            raise FileError(f"{where}: the token {shorten(name)!r} has the number {shown(number)}, expected an integer")
        numbers[name] = number
    for one in added if isinstance(added, list) else []:
        token = _fields(where, "an added token", one)
        text, place = token.get("content"), token.get("id")
        if not isinstance(text, str) or type(place) is not int or numbers.get(text, place) != place:
            raise FileError(f"{where}: the added token {shown(text)} has the number {shown(place)}, which is not its own")
        numbers[text] = place
    if sorted(numbers.values()) != list(range(len(numbers))):
        raise FileError(f"{where}: tokens have not the numbers 0 to {len(numbers) - 1}, each once")
    return numbers


def _pairs(where: Path, merges: object) -> tuple[tuple[str, str], ...]:
    """Return the merges, which older files have as texts with a space between, newer ones as lists of two."""
    found = []
    for number, one in enumerate(merges if isinstance(merges, list) else []):
        pair = one.split(" ") if isinstance(one, str) else one
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) and part for part in pair):
            raise FileError(f"{where}: merge {number} is {shown(one)}, expected two tokens")
        found.append((pair[0], pair[1]))
    return tuple(found)
