"""Runs on tables: trained, resumed, cross-validated and predicted from by the command line, and refused where they cannot be."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.cli import folder, learning
from funcnn.cli.failure import RequestError
from funcnn.cli.folds import cross_validation
from funcnn.cli.main import main
from funcnn.cli.options import TrainRequest, read_train
from funcnn.cli.report.of_tables import redrawn_worst
from funcnn.cli.serving.run_folder import service
from funcnn.cli.serving.tables import one_row
from funcnn.cli.settings import Settings, from_json, to_json
from funcnn.cli.table_settings import TableSettings, is_table
from funcnn.cli.tables.parting import pose_table
from funcnn.deploy.server.limits import HTTPError, Limits

SHORT = ("--epochs", "4", "--hidden", "8", "--certify", "skip")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test where nothing is but a table of flats, as a spreadsheet of a country with decimal commas writes it."""
    monkeypatch.chdir(tmp_path)
    draw, count = fn.Key(0).generator(), 150
    area, city = draw.uniform(20, 150, count), np.array(["Bonn", "Köln", "Ulm"])[draw.integers(0, 3, count)]
    rent = area * 12 + (city == "Köln") * 300 + draw.normal(0, 20, count)
    lines = ["rent;area;city;new;zip;since;note"]
    for row in range(count):
        known = f"{area[row]:.1f}" if row % 20 else ""
        more = f"{'true' if row % 3 else 'false'};{row % 4 + 1};{np.datetime64('2020-01-01') + 5 * row};flat {row}"
        lines.append(f"{rent[row]:.2f};{known};{city[row]};{more}".replace(".", ","))
    Path("flats.csv").write_text("\n".join(lines), encoding="utf-8-sig")


def table(path: str | Path = "flats.csv") -> tuple[list[str], list[list[str]]]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file, delimiter=";" if path == "flats.csv" else ",")
    return head, rows


def write(path: str, head: list[str], rows: list[list[str]]) -> None:
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=";").writerows([head, *rows])


def results(run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(run, "results.json").read_text())
    return found


FILES = {
    "README.txt", "config.json", "curves.svg", "gradient.txt", "history.csv", "params.npz", "report.html", "results.json",
    "transform.json",
}  # fmt: skip


@pytest.mark.usefixtures("drawn")
def test_regression_and_predictions_for_other_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", "flats.csv", "--target", "rent", "--epochs", "60", "--hidden", "16", "--categories", "zip"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("left out: note") < shown.index("certified: all 4 leaves") < shown.index("baseline: the mean")
    assert "zip" in fn.data.load_table_transform("runs/flats-1/transform.json").features[-8]
    found = results("runs/flats-1")
    assert found["test_r2"] > 0.8
    assert found["test_rmse"] < found["test_baseline_rmse"] / 2
    assert {entry.name for entry in Path("runs/flats-1").iterdir()} == FILES | {"residuals.svg"}

    head, rows = table()
    order = [head.index(name) for name in ("city", "note", "zip", "since", "area", "new")]
    new = [[row[place] for place in order] + ["?"] for row in rows[:20]]
    new[3][0] = "Paris"
    write("new.csv", ["city", "note", "zip", "since", "area", "new", "owner"], new)
    assert main(["predict", "runs/flats-1", "new.csv"]) == 0
    shown = capsys.readouterr().out
    assert "left aside, since the training data had no such columns: owner" in shown
    assert "not among the known categories of city, so none of them: Paris" in shown
    said, predictions = table("runs/flats-1/predictions-new.csv")
    assert said == ["row", "predicted rent"]
    true = [float(row[0].replace(",", ".")) for row in rows[:20]]
    errors = [abs(float(value) - rent) for (_, value), rent in zip(predictions, true, strict=True)]
    assert np.median(errors) < found["test_baseline_mae"] / 2

    assert main(["predict", "runs/flats-1"]) == 0
    assert f"root mean squared error {found['test_rmse']:.4g}" in capsys.readouterr().out
    assert main(["predict", "runs/flats-1", "flats.csv", "--output", "all.csv"]) == 0
    assert table("all.csv")[0] == ["row", "predicted rent", "rent"]
    write("less.csv", ["note", "zip"], [["a", "1"]])
    assert main(["predict", "runs/flats-1", "less.csv"]) == 2
    assert "less.csv has no columns 'area', 'city', 'new', 'since', which the training data had" in capsys.readouterr().err


@pytest.mark.usefixtures("drawn")
def test_classification_writes_names_and_probabilities(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", "flats.csv", "--target", "city", *SHORT, "--epochs", "60", "--leave-out", "since"]) == 0
    shown = capsys.readouterr().out
    assert "for all: 0." in shown
    assert results("runs/flats-1")["test_baseline_accuracy"] < 0.6
    assert main(["predict", "runs/flats-1", "flats.csv"]) == 0
    head, rows = table("runs/flats-1/predictions-flats.csv")
    assert head == ["row", "predicted city", "p(Bonn)", "p(Köln)", "p(Ulm)", "city"]
    shares = np.array([row[2:5] for row in rows], float)
    np.testing.assert_allclose(shares.sum(1), 1, atol=3e-4)  # written with four digits
    assert [row[1] for row in rows] == [["Bonn", "Köln", "Ulm"][place] for place in shares.argmax(1)]
    assert f"accuracy {np.mean([row[1] == row[5] for row in rows]):.4f}" in capsys.readouterr().out


@pytest.mark.parametrize("target", [(), ("--target", "new")])
def test_anomalies(target: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", "flats.csv", "--task", "anomalies", *target, "--epochs", "9", "--certify", "skip"]) == 0
    found = results("runs/autoencoder-flats-1")
    assert ("test_roc_auc" in found) == bool(target)
    assert found["test_error"] < found["test_baseline_error"]
    head, rows = table()
    rows[5][head.index("area")] = "9999"
    write("odd.csv", head, rows)
    assert main(["predict", "runs/autoencoder-flats-1", "odd.csv"]) == 0
    assert "unusual: the error is beyond" in capsys.readouterr().out
    said, lines = table("runs/autoencoder-flats-1/predictions-odd.csv")
    assert said == ["row", "error", "unusual"]
    assert max(lines, key=lambda line: float(line[1]))[::2] == ["5", "yes"]


def test_cross_validation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", "flats.csv", "--target", "rent", *SHORT, "--cv", "3"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("fold  3") < shown.index("r2: ") < shown.index("Training")
    head, rows = table("runs/flats-1/cross_validation.csv")
    assert head == ["fold", "rmse", "mae", "r2", "baseline_rmse", "baseline_mae"]
    assert [row[0] for row in rows] == ["1", "2", "3", "mean", "deviation"]
    values = np.array([row[1:] for row in rows], float)
    np.testing.assert_allclose(values[3], values[:3].mean(0))
    np.testing.assert_allclose(values[4], values[:3].std(0, ddof=1))
    assert main(["--data", "flats.csv", "--target", "rent", *SHORT, "--output", "plain"]) == 0
    assert results("plain")["test_rmse"] == results("runs/flats-1")["test_rmse"]


def test_an_interrupted_cross_validation_goes_on_with_its_fold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["--data", "flats.csv", "--target", "rent", *SHORT, "--cv", "3"]
    assert main([*line, "--output", "whole"]) == 0
    trained, fit = [], fn.fit

    def interrupted_in_the_second(*given: Any, **options: Any) -> Any:
        trained.append(len(given[3]))
        if len(trained) == 2:
            raise KeyboardInterrupt
        return fit(*given, **options)

    monkeypatch.setattr(fn, "fit", interrupted_in_the_second)
    assert main([*line, "--output", "cut"]) == 130
    assert "--resume cut" in capsys.readouterr().out
    assert not Path("cut", "params.npz").exists()
    assert main(["--resume", "cut"]) == 0
    assert len(trained) == 2 + 2 + 1  # the first fold is not trained again
    for name in ("cross_validation.csv", "params.npz"):
        assert Path("cut", name).read_bytes() == Path("whole", name).read_bytes(), name
    assert not Path("cut", "folds.json").exists()
    assert main(["--resume", "cut"]) == 2
    assert "it is finished" in capsys.readouterr().err


def test_folds_of_another_table_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["--data", "flats.csv", "--target", "rent", *SHORT, "--cv", "3", "--output", "cut"]

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cross_validation, "train_in_epochs", interrupt)
    assert main(line) == 130
    kept = Path("cut", "folds.json").read_text()
    assert json.loads(kept)["folds"] == []
    for text, message in (
        ("{", "does not hold the figures of folds"),
        ('{"data": "", "folds": [1]}', "does not hold the figures of folds"),
        ('{"data": "", "folds": []}', "holds the figures of other data"),
    ):
        Path("cut", "folds.json").write_text(text)
        assert main(["--resume", "cut"]) == 2
        assert message in capsys.readouterr().err


def test_a_file_is_read_as_the_options_say(capsys: pytest.CaptureFixture[str]) -> None:
    head, rows = table()
    quoted = "\n".join([",".join(f'"{field}"' for field in row) for row in [head, *rows]])
    Path("quoted.csv").write_bytes(quoted.encode("cp1252"))
    line = ["--data", "quoted.csv", "--target", "rent", *SHORT, "--output", "run"]
    assert main(line) == 2
    assert 'is no text in utf-8: line 5 has \'4","22,1","Köln","false"\': give encoding=' in capsys.readouterr().err
    assert main([*line, "--encoding", "cp1252"]) == 2
    assert "give decimal=',' (or --decimal=',')" in capsys.readouterr().err
    assert main([*line, "--encoding", "cp1252", "--decimal", ",", "--missing", "-"]) == 0
    assert main(["--data", "flats.csv", "--target", "rent", *SHORT, "--output", "plain"]) == 0
    assert results("run")["test_rmse"] == results("plain")["test_rmse"]
    assert main(["predict", "run", "quoted.csv"]) == 0
    assert main(["predict", "plain", "quoted.csv"]) == 2
    assert main(["predict", "plain", "quoted.csv", "--encoding", "cp1252", "--decimal", ","]) == 0
    assert table("plain/predictions-quoted.csv") == table("run/predictions-quoted.csv")
    script = Path("run/README.txt").read_text(encoding="utf-8")
    assert "like=transform, missing=('-',), decimal=',', encoding='cp1252')" in script
    former = json.loads(Path("plain/config.json").read_text())
    for name in ("separator", "decimal", "encoding"):
        del former["settings"]["table"][name]  # as runs of former versions have it
    Path("plain/config.json").write_text(json.dumps(former))
    assert main(["predict", "plain", "flats.csv"]) == 0


def test_a_target_that_is_missing_somewhere_is_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", "flats.csv", "--target", "city", *SHORT, "--output", "run"]) == 0
    head, rows = table()
    rows[3][head.index("city")] = ""
    write("some.csv", head, rows)
    capsys.readouterr()
    assert main(["predict", "run", "some.csv"]) == 0
    shown = capsys.readouterr().out
    assert "not compared with city, which is missing in 1 row" in shown
    assert "accuracy" not in shown


def test_a_test_set_of_one_class_has_a_report() -> None:
    Path("few.csv").write_text("a,b,y\n" + "".join(f"{row},{row * row % 7},{'uv'[row % 2]}\n" for row in range(6)))
    assert main(["--data", "few.csv", "--target", "y", *SHORT, "--output", "run"]) == 0
    assert "Calibration" in Path("run/report.html").read_text(encoding="utf-8")


def test_a_code_is_narrower_than_the_rows_of_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    Path("three.csv").write_text("a,b,c\n" + "".join(f"{row},{row * row % 17},{row % 5}\n" for row in range(40)))
    line = ["--data", "three.csv", "--task", "anomalies", "--epochs", "2", "--certify", "skip"]
    assert main([*line, "--output", "run"]) == 0
    assert json.loads(Path("run/config.json").read_text())["settings"]["latent_size"] == 1
    assert main([*line, "--latent-size", "2", "--output", "wide"]) == 0
    assert main([*line, "--latent-size", "3", "--output", "wider"]) == 2
    assert "--latent-size 3: the table makes 3 features, and a code that is not narrower" in capsys.readouterr().err


def test_the_report_of_a_table_says_where_its_rows_are() -> None:
    assert main(["--data", "flats.csv", "--target", "rent", *SHORT, "--cv", "2", "--output", "run"]) == 0
    page = Path("run/report.html").read_text(encoding="utf-8")
    for title in ("Cross-validation", "Residuals", "Worst examples", "Columns", "Importance of features"):
        assert f"<h2>{title}</h2>" in page
    assert "102 different texts in 102 rows" in page
    worst = page[page.index("<h2>Worst examples</h2>") :]
    head, rows = table()
    line, rent = re.findall(r"<td[^>]*>([^<]*)</td>", worst)[:2]
    assert "<th" in worst
    assert ">line</th>" in worst
    true = float(rows[int(line) - 2][head.index("rent")].replace(",", "."))
    assert f"{true:.5g}" == f"{float(rent):.5g}"


def test_the_report_of_anomalies_names_the_most_unusual_rows_and_columns() -> None:
    request = read_train(["--data", "flats.csv", "--task", "anomalies", "--leave-out", "note"])
    assert isinstance(request, TrainRequest)
    _, problem = pose_table(request.settings)
    assert problem.table is not None
    prediction = problem.test.y.copy()
    prediction[3, list(problem.table.transform.features).index("city=Ulm")] += 1
    prediction[5, list(problem.table.transform.features).index("area")] -= 3
    prediction[5, list(problem.table.transform.features).index("rent")] += 1
    (section,) = redrawn_worst(problem, problem.table, prediction, 2)
    lines = problem.table.test.lines
    assert lines is not None
    error = 10 / prediction.shape[1]
    cells = [str(lines[5]), f"{error:.4g}", "area", "90%", str(lines[3]), f"{error / 10:.4g}", "city", "100%"]
    assert re.findall(r"<td[^>]*>([^<]*)</td>", section.parts[1]) == cells


def test_early_stopping_ends_the_training(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", "flats.csv", "--target", "note", "--task", "regression", *SHORT]) == 2
    line = ["--data", "flats.csv", "--target", "new", "--leave-out", "rent", "--certify", "skip"]
    assert main([*line, "--epochs", "200", "--patience", "3", "--learning-rate", "0.05"]) == 0
    assert results("runs/flats-1")["epochs"] < 60
    assert results("runs/flats-1")["stopped"] == "early"
    count, (head, rows) = results("runs/flats-1")["epochs"], table("runs/flats-1/history.csv")
    losses = [float(row[head.index("val_loss")]) for row in rows]
    shown = capsys.readouterr().out
    assert f"stopped early after {count} epochs" in shown
    assert f"those of epoch {int(np.argmin(losses)) + 1}, after which 3 brought no smaller validation loss" in shown


def test_an_interrupted_run_goes_on_to_the_same_bits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["--data", "flats.csv", "--target", "city", "--certify", "skip", "--hidden", "8", "--epochs", "6"]
    assert main([*line, "--output", "whole"]) == 0

    def interrupting(epochs: int) -> Any:
        def callback(epoch: Any) -> None:
            if epoch.number == 3:
                raise KeyboardInterrupt

        return callback

    with monkeypatch.context() as context:
        context.setattr(learning, "_print_every", interrupting)
        assert main([*line, "--output", "part"]) == 130
    assert main(["--resume", "part"]) == 0
    assert Path("part/params.npz").read_bytes() == Path("whole/params.npz").read_bytes()

    with monkeypatch.context() as context:
        context.setattr(learning, "_print_every", interrupting)
        assert main([*line, "--output", "other"]) == 130
    Path("flats.csv").write_text(
        Path("flats.csv").read_text(encoding="utf-8-sig").replace("Ulm;true", "Bonn;true"), encoding="utf-8"
    )
    capsys.readouterr()
    assert main(["--resume", "other"]) == 2
    assert "--resume other" in capsys.readouterr().err


def test_the_script_of_the_readme_runs() -> None:
    assert main(["--data", "flats.csv", "--target", "city", *SHORT]) == 0
    text = Path("runs/flats-1/README.txt").read_text().partition("or, in Python:\n\n")[2]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(fn.__file__).parents[1])},
    )
    assert len(done.stdout.replace("[", " ").replace("]", " ").split()) == 10


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--data flats.csv", "--target: which column of flats.csv is to be predicted"),
        ("--target rent", "--target: --data digits is no table"),
        ("--data flats.csv --target rent --model convnet", "--model: convnet does not learn a column from a table: mlp does"),
        ("--data flats.csv --target rent --cv 1", "--cv: '1' is not a whole number of at least 2"),
        ("--data flats.csv --target rent --cv 151", "--cv 151: the table has 150 rows"),
        ("--data flats.csv --target cost", "there is no column 'cost'; its columns are 'rent', 'area'"),
        ("--data flats.csv --target rent --leave-out cost", "there is no column 'cost'"),
        ("--data flats.csv --target rent --categories cost", "kinds names 'cost'"),
        ("--data flats.csv --target area", "column 'area', line 2 is missing, and it is the target (8 such rows of 150)"),
        ("--data flats.csv --target note", "'note' has 150 classes in 150 rows"),
        ("--data flats.csv --target since", "'since' is of dates"),
        ("--data flats.csv --target city --task regression", "column 'city', line 2 is 'Bonn', expected a number"),
        ("--data flats.csv --target rent --batch-size 500", "--batch-size 500: the training set has"),
        ("--data none.csv --target rent", "there is no file none.csv"),
        ("--data sklearn:boston --target target", "name is 'boston', expected one of"),
    ],
)
def test_wrong_requests_are_refused(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = line.split()
    if "flats.csv" in words:  # to which the first of the three cities belongs is not to matter
        text = Path("flats.csv").read_text(encoding="utf-8-sig").splitlines()
        first = text[1].replace("Köln", "Bonn").replace("Ulm", "Bonn")
        Path("flats.csv").write_text("\n".join([text[0], first, *text[2:]]), encoding="utf-8")
    assert main(words) == 2
    assert message in capsys.readouterr().err
    assert not Path("runs").exists()


def test_other_faults_of_a_table_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    faults = {
        "a,b\n1,2\n3\n": "line 3 has 1 field, expected 2",
        "a,a\n1,2\n": "names two columns 'a'",
        "a,b\n" + "1,2.5\n" * 30: "the target 'b' is 2.5 in all 30 rows",
        "a,b\n" + "1,x\n" * 30: "the target 'b' is 'x' in all 30 rows: a single class",
        "a,b\n" + "inf,2.5\n1,3.5\n" * 20: "column 'a', line 2 is inf, expected a finite number",
        "a,b\n" + "1,2.5\n1,3.5\n" * 20: "no column to learn from ('a': 1 in all rows)",
        "a,b\n1,2.5\n": "bad.csv has 1 rows, and at least 5 are needed",
        "a,b\n" + "1,2.5\n" * 30 + "1,oops\n": "line 32: 'oops' is not a number",
    }
    for content, message in faults.items():
        Path("bad.csv").write_text(content)
        assert main(["--data", "bad.csv", "--target", "b", *SHORT]) == 2
        assert message in capsys.readouterr().err
    Path("good.csv").write_text("a,b\n" + "1,2.5\n2,3.5\n" * 30 + "1,oops\n")
    assert main(["--data", "good.csv", "--target", "a", *SHORT, "--missing", "oops"]) == 0


def test_options_become_settings_and_are_read_again() -> None:
    line = "--data flats.csv --target rent --leave-out note zip --categories new --missing - unknown --cv 5 --patience 7"
    request = read_train([*line.split(), "--batch-size", "9", "--task", "regression"])
    assert isinstance(request, TrainRequest)
    expected = TableSettings("rent", "regression", ("note", "zip"), ("new",), ("-", "unknown"), 7, True)
    assert request.settings.table == expected
    assert request.settings.folds == 5
    assert from_json(to_json(request.settings), "here") == request.settings
    assert from_json(to_json(Settings()), "here") == Settings()
    assert "table" not in to_json(Settings())
    for change, message in (
        ({"task": "guess"}, "task is 'guess'"), ({"target": 3}, "target is 3"), ({"leave_out": "a"}, "leave_out is 'a'"),
        ({"folds": -1}, "folds is -1"), ({"folds": None}, "folds is None"),
        ({"patience": 0}, "patience is 0"), ({"fixed_batch": 1}, "fixed_batch is 1"),
        ({"x": 1}, "table is"),
    ):  # fmt: skip
        entries = json.loads(to_json(request.settings))
        entries["table"] |= change
        with pytest.raises(RequestError, match=message):
            from_json(json.dumps(entries), "here")


def test_a_run_without_its_transform_is_not_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", "flats.csv", "--target", "city", *SHORT]) == 0
    transform = Path("runs/flats-1", folder.TRANSFORM)
    fn.data.save_table_transform(transform, fn.data.fit_table({"a": [1.0, 2.0]}))
    assert main(["predict", "runs/flats-1", "flats.csv"]) == 2
    assert "is not the one of the run" in capsys.readouterr().err
    transform.unlink()
    assert main(["predict", "runs/flats-1", "flats.csv"]) == 2
    assert "transform.json" in capsys.readouterr().err


def test_what_is_a_table() -> None:
    names = ("a.csv", "b/c.TSV", "a.csv.gz", "x.parquet", "sklearn:iris")
    assert all(map(is_table, names))
    assert not any(map(is_table, ("digits", "folder", "a.gz", "csv", "")))


@pytest.mark.parametrize(
    ("target", "answer", "task"),
    [
        ("rent", {"predictions"}, "regression on a table: predicts the column rent from the others"),
        ("city", {"classes", "probabilities"}, "classification on a table: predicts the column city from the others"),
        ("", {"errors"}, "tells unusual rows of a table"),
    ],
)
def test_a_run_on_a_table_answers_over_http(target: str, answer: set[str], task: str) -> None:
    asked = ["--target", target] if target else ["--task", "anomalies"]
    assert main(["--data", "flats.csv", *asked, *SHORT, "--epochs", "1", "--output", "run"]) == 0
    limits = Limits()
    served = service(Path("run"), limits)
    assert served.description["task"] == task
    transform = fn.data.load_table_transform("run/transform.json")
    predict = served.actions["/predict"]
    columns = one_row(transform)
    given = predict({"columns": columns})
    assert set(given) == answer
    assert all(len(values) == 1 for values in given.values() if isinstance(values, list))
    known = fn.data.read_table("flats.csv", like=transform).take(np.array([1]))
    assert transform.transform(columns).shape == transform.transform(known).shape
    wrong: Any
    for wrong, message in (
        ({}, "'columns' is missing"), ({"columns": 3}, "columns is 3"), ({"columns": {"area": 3}}, r"columns\['area'\] is 3"),
        ({"columns": {"area": [[]]}}, "something else than"), ({"columns": {"area": [1.0]}}, "has no columns"),
        ({"columns": {"area": [1] * (limits.rows + 1)}}, "at most"),
        ({"columns": columns | {"area": ["old"]}}, "is 'old', expected a num"),
        ({"columns": columns | {"area": [2**70]}}, "something else than"), ({"columns": columns | {"area": [1.0, 2.0]}}, "1"),
    ):  # fmt: skip
        with pytest.raises(HTTPError, match=message):
            predict(wrong)
