"""``tokenizer.json``: the tokens of the package that wrote it, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

import funcnn as fn

FILE = Path(__file__).parent / "by_tokenizers" / "tokenizer.json"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("To be, that's the mind", [271, 268, 12, 257, 280, 7, 83, 261, 221, 283, 68]),
        (
            "naïve façade 123  x\n y",
            [78, 65, 128, 108, 86, 69, 221, 70, 65, 128, 101, 65, 68, 69, 221, 17, 18, 19, 221, 221, 88, 199, 221, 89],
        ),
    ],
)
def test_texts_are_encoded_as_by_the_package_that_wrote_the_file(text: str, tokens: list[int]) -> None:
    encoding = fn.data.read_tokenizer(FILE)
    assert encoding.encode(text).tolist() == tokens
    assert encoding.decode(encoding.encode(text)) == text
    assert encoding.number("<|endoftext|>") == 0


def test_older_files_have_merges_as_texts_and_newer_ones_as_pairs(tmp_path: Path) -> None:
    content: Any = json.loads(FILE.read_text())
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    (tmp_path / "it.json").write_text(json.dumps(content))
    assert fn.data.read_tokenizer(tmp_path / "it.json").merges == fn.data.read_tokenizer(FILE).merges


def test_tokens_that_were_added_have_their_numbers(tmp_path: Path) -> None:
    content: Any = json.loads(FILE.read_text())
    content["added_tokens"].append({"id": 300, "content": "<|pad|>"})
    (tmp_path / "it.json").write_text(json.dumps(content))
    assert fn.data.read_tokenizer(tmp_path / "it.json").number("<|pad|>") == 300


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("model", "type"), "Unigram", "the model's type is 'Unigram', expected BPE"),
        (("model", "byte_fallback"), True, "the model's byte_fallback is True"),
        (("model", "vocab", "z"), 7.5, "the token 'z' has the number 7.5"),
        (("model", "vocab", "zz"), 900, "tokens have not the numbers 0 to 300"),
        (("model", "merges"), [["a"]], r"merge 0 is .*, expected two tokens"),
        (("model", "merges"), [["a", "zzz"]], "zzz"),
        (("normalizer",), {"type": "NFC"}, "there is a normalizer"),
        (("pre_tokenizer",), {"type": "Split"}, "the pre_tokenizer is .*Split.*, expected ByteLevel"),
        (("pre_tokenizer", "add_prefix_space"), True, "no space put first"),
        (("pre_tokenizer", "use_regex"), False, "the expression of GPT-2"),
        (("added_tokens",), [{"id": 4, "content": "<|endoftext|>"}], "which is not its own"),
        (("model",), [], "model is .*, expected an object"),
    ],
)
def test_what_would_give_other_tokens_is_refused(path: tuple[str, ...], value: object, message: str, tmp_path: Path) -> None:
    content: Any = json.loads(FILE.read_text())
    *inner, last = path
    part = content
    for name in inner:
        part = part[name]
    part[last] = value
    (tmp_path / "it.json").write_text(json.dumps(content))
    with pytest.raises(fn.FileError, match=message):
        fn.data.read_tokenizer(tmp_path / "it.json")


@pytest.mark.parametrize("content", [b"\xff", b"{", b"[" * 100_000])
def test_files_that_are_no_json_are_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "it.json").write_bytes(content)
    with pytest.raises(fn.FileError, match="is no JSON"):
        fn.data.read_tokenizer(tmp_path / "it.json")
