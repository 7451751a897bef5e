"""Runs on pictures: a folder with a folder of them for each class is learned from, and a picture is told."""

import json
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


def test_all_pictures_of_a_folder_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in folder.glob("*/[1-3]?.png"):
        path.unlink()
    assert main(["--data", "pets", *SHORT[2:], "--output", "run"]) == 0  # fewer pictures than a batch has by default
    assert [json.loads(Path("run/config.json").read_text())["settings"][name] for name in ("batch_size", "epochs")] == [13, 100]
    assert main(["--data", "pets", *SHORT, "--batch-size", "32", "--output", "large"]) == 2
    assert "--batch-size 32: the training set has" in capsys.readouterr().err
    assert main(["predict", "run", "pets", "--output", "told.csv"]) == 0
    assert "20 pictures: pets" in capsys.readouterr().out
    head, *rows = [line.split(",") for line in Path("told.csv").read_text().splitlines()]
    assert head == ["picture", "class", "p(dark)", "p(light)"]
    assert [row[0] for row in rows] == [f"{name}/{at}.png" for name in ("dark", "light") for at in range(10)]
    assert [row[1] for row in rows] == ["light" if float(row[3]) > float(row[2]) else "dark" for row in rows]
    Path("empty").mkdir()
    assert main(["predict", "run", "empty"]) == 2
    assert "empty: the folder holds no pictures (.png, " in capsys.readouterr().err
    assert main(["predict", "run", "none"]) == 2
    assert "none: there is no such file or folder" in capsys.readouterr().err


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
    (folder / "birds").mkdir()
    (folder / "birds" / "0.heic").write_text("of a kind that is not read")
    assert main(["--data", "pets", *SHORT]) == 2
    assert "birds holds no image (.png, " in capsys.readouterr().err
    (folder / "birds" / "0.heic").rename("0.heic")
    assert main(["--data", str(folder / "light"), *SHORT]) == 2
    assert "0.png and its other pictures are in no folders: expected one for each class" in capsys.readouterr().err
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
