"""Every command that the documents show is taken, and every model is certified at its default sizes.

The trainings themselves are short here; the certificates are those of the default networks, which tests with tiny ones miss.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import funcnn as fn
from funcnn.cli.deploying.export import read_export
from funcnn.cli.jobs import JOBS
from funcnn.cli.main import main
from funcnn.cli.options import ResumeRequest, read_predict, read_sample, read_train
from funcnn.cli.serve import read_serve

ROOT = Path(fn.__file__).parents[1]
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "certificate.md")]
DEEP = ("convnet", "resnet", "unet")
"""Models of images with normalizations: what is before one has a gradient of zero."""


def shown() -> list[str]:
    """Return the commands of README and documentation, without their comments."""
    found: set[str] = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found |= {re.split(r"\s+#", line)[0].strip() for line in re.findall(r"python3? -m funcnn\b[^`\n|]*", text)}
    return sorted(found)


def test_there_are_commands_to_try() -> None:
    assert len(shown()) > 8


def requests() -> list[list[str]]:
    """Return the words of the commands that can be read without being run."""
    found = [shlex.split(line.split(";")[0])[3:] for line in shown()]
    return [
        words
        for words in found
        if words[:1] not in (["check"], ["certify"]) and "--help" not in words and words[-1:] != ["--model"]
    ]


@pytest.mark.parametrize("words", requests(), ids=" ".join)
def test_a_command_of_the_documents_is_taken(words: list[str]) -> None:
    """The options are known: as far as can be told without training."""
    if words[:1] == ["predict"]:
        read_predict(words[1:])
    elif words[:1] == ["sample"]:
        read_sample(words[1:])
    elif words[:1] == ["serve"]:
        read_serve(words[1:])
    elif words[:1] == ["export"]:
        read_export(words[1:])
    else:
        request = read_train(words[1:] if words[:1] == ["train"] else words)
        assert isinstance(request, ResumeRequest) or request.settings.model in JOBS


@pytest.mark.parametrize("model", DEEP)
def test_a_model_is_certified_at_its_default_sizes(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--model", model, "--epochs", "1", "--batch-size", "1200"]) == 0
    assert "certified: all" in capsys.readouterr().out
