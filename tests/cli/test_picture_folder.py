"""Runs on pictures: a folder with a folder of them for each class is learned from, and a picture is told."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import funcnn as fn
from funcnn.cli.main import main

SHORT = ("--epochs", "60", "--hidden", "16", "--dropout", "0", "--certify", "skip")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    random = fn.Key(0).generator()
    for name, level in (("dark", 40), ("light", 190)):
        Path("pets", name).mkdir(parents=True)
        for number in range(30):
            pixels = (level + random.integers(0, 40, (6, 5, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(Path("pets", name, f"{number}.png"))
    return tmp_path / "pets"


def test_pictures_are_learned_from_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", "pets", *SHORT, "--output", "run"]) == 0
    shown = capsys.readouterr().out
    assert "60 pictures of 6 x 5 x 3 points from pets" in shown
    assert "accuracy 1.0000 (15 of 15)" in shown
    Image.fromarray(np.full((30, 9, 3), 230, np.uint8)).save("new.jpg")
    assert main(["predict", "run", "new.jpg"]) == 0
    told = capsys.readouterr().out
    assert "light" in told
    assert main(["predict", "run"]) == 0
    script = Path("run/README.txt").read_text().split("or, in Python:\n\n")[1]
    exec("\n".join(line[4:] for line in script.splitlines()), {})
    assert "[0 0 0 0 0 0 0 0 0 0]" in capsys.readouterr().out


def test_grey_pictures_have_one_channel_and_others_are_scaled(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in folder.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    Image.fromarray(np.full((20, 20), 200, np.uint8)).save(folder / "light" / "large.png")
    assert main(["--data", "pets", *SHORT]) == 2
    assert (
        "large.png 20 x 20: give the size to which all are scaled, such as size=(64, 64); here by --image-size 64"
        in capsys.readouterr().err
    )
    model = ("--model", "convnet", "--channels", "4", "--epochs", "1", "--batch-size", "16", "--certify", "skip")
    assert main(["--data", "pets", "--image-size", "8", *model, "--output", "run"]) == 0
    assert "61 pictures of 8 x 8 x 1 points" in capsys.readouterr().out


def test_what_is_no_folder_of_pictures_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "light" / "0.png").write_text("no picture")
    assert main(["--data", "pets", *SHORT]) == 2
    assert "light/0.png cannot be read as an image" in capsys.readouterr().err
    for path in (folder / "dark").iterdir():
        path.unlink()
    Image.new("RGB", (5, 6)).save(folder / "light" / "0.png")
    assert main(["--data", "pets", *SHORT]) == 2
    assert "has one folder, light, with images" in capsys.readouterr().err
    assert main(["--data", str(folder / "dark"), "--image-size", "8", *SHORT]) == 2
    assert "is no folder of pictures" in capsys.readouterr().err
