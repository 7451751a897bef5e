"""``tokenizer.json``: the tokens of the package that wrote it, and what is refused."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import attrs
import pytest

import funcnn as fn
from funcnn.data.tokens.alphabet import LETTERS, pieces

HERE = Path(__file__).parent / "by_tokenizers"
FILE = HERE / "tokenizer.json"
CUTS = json.loads((HERE / "cuts.json").read_text())


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


@pytest.mark.parametrize("name", CUTS)
def test_awkward_texts_are_cut_and_encoded_as_by_the_package_that_wrote_the_file(name: str) -> None:
    encoding = fn.data.read_tokenizer(HERE / f"{name}.json")
    for case in CUTS[name]:
        text = unicodedata.normalize("NFC", case["text"]) if name == "qwen2" else case["text"]
        assert pieces(text, encoding.cut) == case["pieces"]
        assert encoding.encode(case["text"]).tolist() == case["tokens"], case
        assert encoding.decode(encoding.encode(case["text"])) == text
    assert encoding.encode("PAD").tolist() != [encoding.number("PAD")]  # what looks like a special token is text


def test_each_option_matters_for_some_text() -> None:
    llama, qwen = (fn.data.read_tokenizer(HERE / f"{name}.json") for name in ("llama3", "qwen2"))
    for changed, name in (
        (attrs.evolve(llama, whole=frozenset()), "llama3"),
        (attrs.evolve(llama, cut="qwen2"), "llama3"),
        (attrs.evolve(llama, cut="gpt2"), "llama3"),
        (attrs.evolve(qwen, composed=False), "qwen2"),
    ):
        assert any(changed.encode(case["text"]).tolist() != case["tokens"] for case in CUTS[name])


def test_files_of_a_vocabulary_and_of_merges_are_written_of_what_they_can_tell_alone(tmp_path: Path) -> None:
    for name in CUTS:
        with pytest.raises(ValueError, match="would give other tokens"):
            fn.data.read_tokenizer(HERE / f"{name}.json").write(tmp_path / "vocab.json", tmp_path / "merges.txt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cut": "gpt4"}, ValueError, "cut is 'gpt4'"),
        ({"composed": 1}, TypeError, "composed is 1"),
        ({"whole": ("a",)}, TypeError, "whole is .*, expected a frozenset"),
        ({"whole": frozenset({"no"})}, ValueError, "whole has 'no', which is no token"),
    ],
)
def test_options_out_of_their_range_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fn.data.BytePairEncoding(tuple(LETTERS.values()), (), **options)


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
        (("normalizer",), {"type": "NFKC"}, "there is a normalizer"),
        (("model", "ignore_merges"), 1, "ignore_merges is 1, expected true or false"),
        (("pre_tokenizer",), {"type": "Split"}, "the pre_tokenizer is .*Split.*, expected ByteLevel"),
        (("pre_tokenizer", "add_prefix_space"), True, "no space put first"),
        (("pre_tokenizer", "use_regex"), False, "the expression of GPT-2"),
        (("added_tokens",), [{"id": 4, "content": "<|endoftext|>"}], "which is not its own"),
        (("model",), [], "model is .*, expected an object"),
    ],
)
def test_what_would_give_other_tokens_is_refused(path: tuple[str, ...], value: object, message: str, tmp_path: Path) -> None:
    refuse(FILE, path, value, message, tmp_path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("pretokenizers",), []),
        (("pretokenizers",), 3),
        (("pretokenizers", 0, "pattern"), {"Regex": "[a-z]+"}),
        (("pretokenizers", 0, "pattern"), {"String": " "}),
        (("pretokenizers", 0, "behavior"), "Removed"),
        (("pretokenizers", 0, "invert"), True),
        (("pretokenizers", 1, "use_regex"), True),
        (("pretokenizers", 1, "add_prefix_space"), True),
        (("pretokenizers", 1, "type"), "Digits"),
    ],
)
def test_texts_that_are_cut_otherwise_are_refused(path: tuple[Any, ...], value: object, tmp_path: Path) -> None:
    refuse(HERE / "llama3.json", ("pre_tokenizer", *path), value, "the pre_tokenizer is .*, expected ByteLevel with", tmp_path)


def refuse(file: Path, path: tuple[Any, ...], value: object, message: str, tmp_path: Path) -> None:
    content: Any = json.loads(file.read_text())
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
