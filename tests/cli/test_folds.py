"""Cross-validation on what is no table: interrupted it goes on with its fold, and a test set that the data bring stays unseen."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import funcnn as fn
from funcnn.cli.folds.dealing import folds_of
from funcnn.cli.main import main
from funcnn.cli.problem import load_problem
from funcnn.cli.settings import Settings, from_json, to_json
from funcnn.cli.table_settings import TableSettings
from funcnn.cli.tasks.task import as_given
from tests.data.test_idx import fill

SHORT = ("--epochs", "1", "--hidden", "4", "--certify", "skip")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def figures(run: str) -> list[list[str]]:
    with Path(run, "cross_validation.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_folds_of_pictures_go_on_where_they_were_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    for name, level in (("dark", 0), ("light", 120)):
        Path("pets", name).mkdir(parents=True)
        for number in range(12):
            Image.fromarray((level + draw.integers(0, 120, (5, 4))).astype(np.uint8)).save(Path("pets", name, f"{number}.png"))
    line = ["--data", "pets", *SHORT, "--batch-size", "4", "--cv", "3"]
    assert main([*line, "--output", "whole"]) == 0
    trained, fit = [], fn.fit

    def interrupted_in_the_second(*given: Any, **options: Any) -> Any:
        trained.append(len(given[3]))
        if len(trained) == 2:
            raise KeyboardInterrupt
        return fit(*given, **options)

    monkeypatch.setattr(fn, "fit", interrupted_in_the_second)
    assert main([*line, "--output", "cut"]) == 130
    assert main(["--resume", "cut"]) == 0
    assert trained == [14, 14, 14, 14, 16]  # the first fold is not trained again
    for name in ("cross_validation.csv", "params.npz"):
        assert Path("cut", name).read_bytes() == Path("whole", name).read_bytes(), name
    assert "Cross-validation" in Path("whole", "report.html").read_text()
    head, *rows = figures("whole")
    assert head[:3] == ["fold", "accuracy", "balanced_accuracy"]
    assert [row[0] for row in rows] == ["1", "2", "3", "mean", "deviation"]


def test_every_row_is_tested_on_once_and_a_test_set_of_the_data_never() -> None:
    labels = np.arange(24, dtype=np.uint8) % 2
    images = np.arange(24, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 3), np.uint8)
    Path("mine").mkdir()
    given = {"train_images": images, "train_labels": labels, "t10k_images": images[:4] + 99, "t10k_labels": labels[:4]}
    fill(Path("mine"), changed=given)
    settings = Settings(data="mine", folds=4, dtype="float64")
    problem = load_problem(settings, as_given)
    tested: list[float] = []
    for fold in folds_of(settings, problem, fn.Key(0)):
        made = fold()
        assert made.validation is not None
        parts = [(one.x[:, 0] * 255).round() for one in (made.train, made.validation, made.test)]
        assert sorted(np.concatenate(parts)) == list(range(24))
        for part, rows in zip(parts, (made.train, made.validation, made.test), strict=True):
            np.testing.assert_array_equal(part % 2, rows.y)
        tested += parts[2].tolist()
    assert sorted(tested) == list(range(24))


@pytest.mark.parametrize("words", [("--model", "vae", "--latent-size", "2"), ("--model", "siamese"), ("--data", "spirals")])
def test_folds_of_each_task_have_figures(words: tuple[str, ...]) -> None:
    assert main([*words, *SHORT, "--cv", "2", "--output", "run"]) == 0
    head, *rows = figures("run")
    assert any(name.startswith("baseline") for name in head)
    assert len(rows) == 4
    assert json.loads(Path("run", "config.json").read_text())["settings"]["folds"] == 2


def test_folds_of_lines() -> None:
    Path("de.txt").write_text("der Hund\nund die Katze\n" * 8)
    Path("en.txt").write_text("the dog\nand a cat\n" * 8)
    words = ("--model", "text_classifier", "--text", "de.txt", "en.txt", "--features", "4", "--epochs", "1", "--certify", "skip")
    assert main([*words, "--cv", "2", "--output", "run"]) == 0
    assert figures("run")[0][:2] == ["fold", "accuracy"]


def test_where_there_are_no_folds(capsys: pytest.CaptureFixture[str]) -> None:
    for line, said in (("--data xor", "the four rows of xor"), ("--model gpt --text x", "gpt learns from one text")):
        assert main([*line.split(), "--cv", "2"]) == 2
        assert f"argument --cv: {said}" in capsys.readouterr().err


def test_a_fold_that_diverges_has_the_figures_of_its_last_good_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", "spirals", *SHORT, "--cv", "2", "--learning-rate", "1e30", "--output", "run"]) == 3
    assert capsys.readouterr().err.count("training diverged") == 3
    assert len(figures("run")) == 5


def test_settings_of_former_runs_have_their_folds_among_those_of_the_table() -> None:
    settings = Settings(data="x.csv", table=TableSettings("price"), folds=3)
    former = json.loads(to_json(settings))
    former["table"]["folds"] = former.pop("folds")
    for entries in (json.loads(to_json(settings)), former):
        assert from_json(json.dumps(entries), "here") == settings
    assert "folds" not in json.loads(to_json(Settings()))
