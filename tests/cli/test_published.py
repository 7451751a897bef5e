"""Folders of published weights on the command line: what they write, what they see, and what is refused."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import funcnn as fn
from funcnn.cli.main import main
from funcnn.cli.published.pictures import Preparation, prepared, read_preparation
from funcnn.cli.serve import service_of
from funcnn.deploy.server.limits import HTTPError, Limits

TEXT = "To be, or not to be, that is the question: whether 'tis nobler in the mind to suffer"


def writer(folder: Path, **config: Any) -> Path:
    """Write a folder of a GPT-2 with random weights, that reads pairs of bytes."""
    encoding = fn.data.fit_byte_pairs(TEXT * 3, 270, special=("<|endoftext|>",))
    content = {
        "model_type": "gpt2", "vocab_size": len(encoding), "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 16,
        "bos_token_id": len(encoding) - 1, "eos_token_id": len(encoding) - 1,
    }  # fmt: skip
    normal = fn.initializers.normal(1.0)
    fn.pretrained.save(folder, fn.pretrained.build(content | config, fn.Key(0), weight_init=normal))
    encoding.write(folder / "vocab.json", folder / "merges.txt")
    return folder


def seer(folder: Path, **config: Any) -> Path:
    """Write a folder of a vision transformer with random weights."""
    content = {
        "model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 8, "image_size": 8, "patch_size": 4,
        "id2label": {"0": "cat", "1": "dog", "2": "owl"},
    }  # fmt: skip
    fn.pretrained.save(folder, fn.pretrained.build(content | config, fn.Key(0), weight_init=fn.initializers.normal(1.0)))
    prepare = {"size": {"height": 8, "width": 8}, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 1.0], "resample": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(prepare))
    return folder


@pytest.fixture
def image(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    return tmp_path / "image.png"


def test_each_option_of_drawing_reaches_the_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = writer(tmp_path / "net")
    loaded, encoding = fn.pretrained.load(folder), fn.data.read_byte_pairs(folder / "vocab.json", folder / "merges.txt")
    texts = set()
    for option, word, share in (
        ("--top-p", "top_p", 0.3), ("--min-p", "min_p", 0.5), ("--repetition-penalty", "repetition_penalty", 9.0),
    ):  # fmt: skip
        assert (
            main(
                [
                    "sample",
                    str(folder),
                    "--prompt",
                    "To be",
                    "--count",
                    "12",
                    option,
                    f"{share}",
                    "--output",
                    str(tmp_path / word),
                ]
            )
            == 0
        )
        how: Any = {word: share}
        made = fn.generation.sample(
            loaded.model, loaded.params, loaded.state, encoding.encode("To be")[None], 12, fn.Key(0),
            sampling=fn.generation.Sampling(temperature=0.8, stop=(269,), **how), context_length=16,
        )  # fmt: skip
        tokens = made.tokens[0, : made.lengths[0]]
        assert (tmp_path / word).read_text() == encoding.decode(tokens[tokens != 269])
        texts.add((tmp_path / word).read_text())
    assert len(texts) == 3
    for option, value in (("--top-p", "0"), ("--min-p", "1.5"), ("--repetition-penalty", "0")):
        assert main(["sample", str(folder), option, value]) == 2
        assert f"argument {option}" in capsys.readouterr().err


def test_a_tokenizer_in_one_file_is_read_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    folder = writer(tmp_path / "net")
    encoding = fn.data.read_byte_pairs(folder / "vocab.json", folder / "merges.txt")
    for one_file in (False, True):
        if one_file:
            vocabulary = {token: number for number, token in enumerate(encoding.tokens)}
            content = {
                "model": {"type": "BPE", "vocab": vocabulary, "merges": [" ".join(pair) for pair in encoding.merges]},
                "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
            }
            (folder / "tokenizer.json").write_text(json.dumps(content))
            (folder / "vocab.json").unlink()
        assert main(["sample", str(folder), "--prompt", "To be", "--count", "9", "--output", str(tmp_path / "it")]) == 0
        told.append((tmp_path / "it").read_text())
    assert told[0] == told[1]
    assert capsys.readouterr().out
    (folder / "tokenizer.json").unlink()
    assert main(["sample", str(folder), "--prompt", "To be"]) == 2
    assert "no tokenizer.json" in capsys.readouterr().err


def test_a_folder_writes_what_the_library_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = writer(tmp_path / "net")
    assert (
        main(["sample", str(folder), "--prompt", "To be", "--count", "30", "--seed", "3", "--output", str(tmp_path / "it")]) == 0
    )
    loaded, encoding = fn.pretrained.load(folder), fn.data.read_byte_pairs(folder / "vocab.json", folder / "merges.txt")
    made = fn.generation.sample(
        loaded.model, loaded.params, loaded.state, encoding.encode("To be")[None], 30, fn.Key(3),
        sampling=fn.generation.Sampling(temperature=0.8, stop=(269,)), context_length=16,
    )  # fmt: skip
    tokens = made.tokens[0, : made.lengths[0]]
    text = encoding.decode(tokens[tokens != 269])
    assert (tmp_path / "it").read_text() == text
    assert text.startswith("To be")
    shown = capsys.readouterr().out
    assert f"{fn.tree.size(loaded.params):,} parameters" in shown


def test_without_a_prompt_a_text_begins(tmp_path: Path) -> None:
    folder = writer(tmp_path / "net")
    assert main(["sample", str(folder), "--count", "5", "--temperature", "0", "--output", str(tmp_path / "it")]) == 0
    assert not (tmp_path / "it").read_text().startswith("<|endoftext|>")


def test_a_folder_says_what_it_sees(tmp_path: Path, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = seer(tmp_path / "net")
    assert main(["predict", str(folder), str(image), "--output", str(tmp_path / "it.csv")]) == 0
    loaded = fn.pretrained.load(folder)
    pixels = np.asarray(Image.open(image), np.float64) / 255
    x = ((pixels - 0.5) / [0.25, 0.5, 1.0])[None]
    logits = fn.apply(loaded.model, loaded.params, loaded.state, x)[0]
    shares = np.exp(logits) / np.exp(logits).sum()
    rows = [line.split(",") for line in (tmp_path / "it.csv").read_text().splitlines()[1:]]
    assert [name for name, _ in rows] == [("cat", "dog", "owl")[place] for place in np.argsort(-shares)]
    # The digits that are printed.
    np.testing.assert_allclose([float(share) for _, share in rows], np.sort(shares)[::-1], rtol=1e-5)
    assert rows[0][0] in capsys.readouterr().out


def test_images_are_brought_to_the_size_that_is_wanted(tmp_path: Path) -> None:
    pixels = np.zeros((30, 60, 3), np.uint8)
    pixels[:, 15:45] = 255  # the middle, 30 x 30
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    cut = prepared(tmp_path / "wide.png", Preparation(4, 4, 6, mean=(0.0,) * 3, deviation=(1.0,) * 3))
    assert cut.shape == (1, 4, 4, 3)
    np.testing.assert_allclose(cut, 1.0, atol=0.02)  # bytes of a picture: 1 part in 255, a few times
    whole = prepared(tmp_path / "wide.png", Preparation(4, 8, 0, resample=0))
    assert whole.shape == (1, 4, 8, 3)
    np.testing.assert_allclose(whole[0, 0, 0], -np.array([0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225])
    noted = Image.Exif()
    noted[0x0112] = 6  # held so that it has to be turned by a quarter
    Image.fromarray(np.rot90(pixels).copy()).save(tmp_path / "held.png", exif=noted)
    np.testing.assert_array_equal(prepared(tmp_path / "held.png", Preparation(4, 8, 0, resample=0)), whole)
    assert read_preparation(tmp_path) == Preparation()


def complaint(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert main([*map(str, words)]) == 2
    return capsys.readouterr().err


def test_what_cannot_be_done_is_said(tmp_path: Path, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, eyes = writer(tmp_path / "words"), seer(tmp_path / "eyes")
    assert "give the image" in complaint(capsys, "predict", words)
    assert "does not take images" in complaint(capsys, "predict", words, image)
    assert "give the image" in complaint(capsys, "predict", eyes, "--input", image)
    assert "vocab.json" in complaint(capsys, "sample", eyes)
    assert "half of a surrogate" in complaint(capsys, "sample", words, "--prompt", "\ud800")
    assert "cannot be read as an image" in complaint(capsys, "predict", eyes, words / "config.json")
    Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(tmp_path / "deep.png")
    assert "deep.png cannot be read as an image (its points have more than 8 bits" in complaint(
        capsys, "predict", eyes, tmp_path / "deep.png"
    )
    assert "cannot write" in complaint(capsys, "sample", words, "--count", 1, "--output", tmp_path / "no" / "such")
    (eyes / "preprocessor_config.json").write_text('{"size": -1}')
    assert "size is -1" in complaint(capsys, "predict", eyes, image)
    fn.data.fit_byte_pairs("", 256).write(words / "vocab.json", words / "merges.txt")
    assert "256 tokens and the network 270" in complaint(capsys, "sample", words)
    (words / "merges.txt").write_text("a\n")
    assert "line 1" in complaint(capsys, "sample", words)
    (eyes / "preprocessor_config.json").unlink()
    (eyes / "config.json").write_text('{"model_type": "whisper"}')
    assert "expected one of gpt2" in complaint(capsys, "predict", eyes, image)
    (tmp_path / "other").mkdir()
    assert "of neither a run nor published weights: it has no config.json" in complaint(
        capsys, "predict", tmp_path / "other", image
    )


def test_folders_are_served(tmp_path: Path, image: Path) -> None:
    writes, sees = service_of(writer(tmp_path / "writer"), Limits()), service_of(seer(tmp_path / "seer"), Limits())
    text = writes.actions["/sample"]({"prompt": "ab", "count": 3, "seed": 1})["text"]
    assert isinstance(text, str)
    assert text.startswith("ab")
    answer = sees.actions["/predict"]({"image": base64.b64encode(image.read_bytes()).decode()})
    assert set(answer) == {"classes", "probabilities"}
    wrong: list[tuple[dict[str, object], str]] = [
        ({"image": "?"}, "not in base 64"),
        ({"image": "AAAA"}, "the image cannot be read"),
        ({"image": 1}, "image is 1"),
    ]
    for given, message in wrong:
        with pytest.raises(HTTPError, match=message):
            sees.actions["/predict"](given)
