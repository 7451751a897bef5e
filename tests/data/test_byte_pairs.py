"""Byte-pair encodings: as the package ``tokenizers`` learns and applies them, and what is refused."""

import json
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.data.tokens.alphabet import BYTES, LETTERS, pieces

THEIRS: dict[str, Any] = json.loads((Path(__file__).parent / "by_tokenizers" / "byte_pairs.json").read_text())
TEXTS = THEIRS["texts"]


def files(folder: Path, vocabulary: object = None, merges: str | None = None) -> tuple[Path, Path]:
    """Write the two files, as they are or with others in their place."""
    names = folder / "vocab.json", folder / "merges.txt"
    names[0].write_text(json.dumps(THEIRS["vocabulary"] if vocabulary is None else vocabulary))
    names[1].write_text(THEIRS["merges"] if merges is None else merges)
    return names


def test_what_is_learned_is_what_others_learn() -> None:
    ours = fn.data.fit_byte_pairs(THEIRS["corpus"], 300)
    assert {token: number for number, token in enumerate(ours.tokens)} == THEIRS["vocabulary"]
    assert [" ".join(pair) for pair in ours.merges] == THEIRS["merges"].splitlines()[1:]
    assert len(ours) == 300


@pytest.mark.parametrize("case", TEXTS, ids=lambda case: ascii(case["text"][:12]))
def test_texts_are_cut_and_encoded_as_by_others(case: dict[str, Any], tmp_path: Path) -> None:
    encoding = fn.data.read_byte_pairs(*files(tmp_path))
    assert pieces(case["text"]) == case["pieces"]
    tokens = encoding.encode(case["text"])
    assert tokens.tolist() == case["tokens"]
    assert tokens.dtype == np.int64
    assert encoding.decode(tokens) == case["text"]


def test_the_alphabet_is_a_bijection_with_letters_that_can_be_seen() -> None:
    assert sorted(BYTES.values()) == list(range(256))
    assert all(LETTERS[byte] == letter and letter.isprintable() and letter != " " for letter, byte in BYTES.items())
    assert LETTERS[ord(" ")] == "Ġ"
    assert LETTERS[ord("\n")] == "Ċ"


def test_no_letter_digit_or_space_lies_beyond_the_planes_that_are_looked_at() -> None:
    assert {unicodedata.category(chr(code))[0] for code in range(0x40000, sys.maxunicode + 1)} & {*"LNZ"} == set()
    spaces = [chr(code) for code in range(0x40000) if unicodedata.category(chr(code)) in ("Zs", "Zl", "Zp")]
    assert all(pieces(f"a{space}{space}") == ["a", space * 2] for space in [*spaces, *"\t\n\v\f\r\x85"])


def test_an_encoding_comes_back_from_its_files(tmp_path: Path) -> None:
    made = fn.data.fit_byte_pairs(THEIRS["corpus"], 280, special=("<|endoftext|>", "<pad here>"))
    names = tmp_path / "vocab.json", tmp_path / "merges.txt"
    made.write(*names)
    again = fn.data.read_byte_pairs(*names)
    assert (again.tokens, again.merges) == (made.tokens, made.merges)
    assert again.number("<|endoftext|>") == 278
    assert again.decode(np.array([278, 279])) == "<|endoftext|><pad here>"
    assert 278 not in again.encode("<|endoftext|>")


def test_a_character_that_is_cut_is_shown_as_one_that_is_missing() -> None:
    encoding = fn.data.fit_byte_pairs("", 256)
    tokens = encoding.encode("aé")
    assert tokens.size == 3
    assert encoding.decode(tokens[:2]) == "a\ufffd"


def test_learning_ends_where_no_pair_occurs_twice() -> None:
    assert len(fn.data.fit_byte_pairs("abcdef", 1000)) == 256
    assert fn.data.fit_byte_pairs("aaaa aaaa", 1000).merges == (("a", "a"), ("aa", "aa"))


VOCABULARY = THEIRS["vocabulary"]
FIRST = THEIRS["merges"].splitlines()[1]


@pytest.mark.parametrize(
    ("vocabulary", "merges", "said"),
    [
        (None, f"#version: 0.2\n{FIRST}\nt  h\n", "line 3 is"),
        (None, "t h e\n", "line 1 is"),
        (None, f"{FIRST}\n{FIRST}\n", f"merge 1 is {tuple(FIRST.split())}, which stands twice"),
        (None, "q q\n", "'qq' is no token"),
        ([1], None, "expected an object"),
        ({**VOCABULARY, "q": "7"}, None, "expected an object"),
        ({**VOCABULARY, "q": 500}, None, "has no token"),
        ({**VOCABULARY, "q": 5}, None, "each once"),
        ({"a": 0}, "", "byte 0 has no token (255 of 256"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused(vocabulary: object, merges: str | None, said: str, tmp_path: Path) -> None:
    with pytest.raises(fn.FileError, match=re.escape(said)):
        fn.data.read_byte_pairs(*files(tmp_path, vocabulary, merges))


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    vocabulary, merges = files(tmp_path)
    vocabulary.write_bytes(b"\xff{}")
    with pytest.raises(fn.FileError, match="no text in UTF-8"):
        fn.data.read_byte_pairs(vocabulary, merges)
    vocabulary.write_text("[" * 100_000)
    with pytest.raises(fn.FileError, match="no JSON"):
        fn.data.read_byte_pairs(vocabulary, merges)
    with pytest.raises(FileNotFoundError):
        fn.data.read_byte_pairs(tmp_path / "nowhere", merges)
    encoding: Any = fn.data.fit_byte_pairs("", 256)
    for call, said in (
        (lambda: encoding.encode("a\ud800"), "surrogate"),
        (lambda: encoding.encode(b"a"), "text is"),
        (lambda: encoding.decode([1]), "tokens is"),
        (lambda: encoding.decode(np.array([1, 256])), r"tokens\[1\] is 256"),
        (lambda: encoding.number("<|endoftext|>"), "token is '<|endoftext|>'".replace("|", r"\|")),
        (lambda: fn.data.fit_byte_pairs("a", 255), "vocabulary"),
        (lambda: fn.data.fit_byte_pairs("a", 300, special=("a",)), "stands twice"),
        (lambda: fn.data.BytePairEncoding(("a", ""), ()), "empty text"),
    ):
        with pytest.raises((TypeError, ValueError), match=said):
            call()
