"""The script of a run takes what one has and gives what ``predict`` gives, and needs nothing of the library."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import funcnn as fn
from funcnn.cli import folder
from funcnn.cli.main import main
from funcnn.cli.tables.predicting import load_transform
from funcnn.cli.tasks.classify import softmax
from funcnn.cli.tasks.images import redrawn
from funcnn.cli.tasks.write import mean_loss

SHORT = ("--certify", "skip", "--output", "run")
HIDDEN = ("--hidden", "6")

COLUMNS: dict[str, list[object]] = {
    "rent": [400 + 13 * row % 700 + 0.5 for row in range(80)],
    "area": ["" if row % 9 == 0 else 20.25 + 7 * row % 90 for row in range(80)],
    "city": [("Bonn", "Köln", "", "Ulm")[row % 4] for row in range(80)],
    "new": [("true", "FALSE", "NA")[row % 3] for row in range(80)],
    "zip": [row % 4 + 1 for row in range(80)],
    "since": ["" if row % 11 == 0 else f"{2000 + row % 23}-{row % 12 + 1:02}-17 {row % 24:02}:30" for row in range(80)],
    "pets": [("yes", "no")[row % 2] for row in range(80)],
}
"""A column of each kind, with gaps where it is no target."""

OTHERS: dict[str, list[str]] = {
    "nothing": ["x", "y", "z", "z"],
    "since": ["29.2.2000", "1899-12-31T23:59:59.5+01:30", "", "2024/2/9 7:05Z"],
    "zip": ["3", "9", "1", "?"],
    "new": ["true", "", "False", "NA"],
    "city": [" Köln", "Paris", "", '"Ulm"'],
    "area": ["1.234,5", "", "-3,5e1", "20"],
}
"""Rows in another order of columns, with numbers and dates of all forms, and categories that were not seen."""


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_table(path: str, columns: dict[str, Any], separator: str) -> None:
    rows = zip(*columns.values(), strict=True)
    lines = [separator.join(columns), *(separator.join(map(str, row)) for row in rows)]
    Path(path).write_text("\n".join(lines), encoding="utf-8-sig")


def trained(*words: str) -> folder.Run:
    """Return a run, whose script is net.py."""
    assert main([*words, "--steps" if "gpt" in words else "--epochs", "1", *SHORT]) == 0
    assert main(["export", "run", "--script", "net.py"]) == 0
    return folder.open_run(Path("run"))


def run_script(*words: str) -> None:
    """Run the script where none of the packages is that the library needs, nor the library."""
    absent = [f"sys.modules[{name!r}] = None" for name in ("funcnn", "attrs", "attr", "pandas", "PIL")]
    lines = ["import runpy, sys", *absent, f"sys.argv[:] = {['net.py', *words]!r}", "runpy.run_path('net.py', None, '__main__')"]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)


def loaded() -> Any:
    """Return the script as a module."""
    made = ModuleType("net")
    made.__file__ = str(Path("net.py").resolve())
    sys.modules["net"] = made  # dataclasses look their module up
    exec(compile(Path("net.py").read_text(), "net.py", "exec"), made.__dict__)
    return made


def said_of(*words: str) -> str:
    """Return the file that ``predict`` writes."""
    assert main(["predict", "run", *words, "--output", "wanted.csv"]) == 0
    return Path("wanted.csv").read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("--target", "rent", "--categories", "zip"),
        ("--target", "pets", "--dtype", "float64"),
        ("--task", "anomalies", "--missing", "4"),
    ],
)
def test_rows_of_a_file(words: tuple[str, ...]) -> None:
    write_table("flats.csv", COLUMNS, ",")
    trained("--data", "flats.csv", *HIDDEN, *words)
    others = OTHERS | {"rent": ["1", "", "4", "NA"], "pets": ["no", "dog", "", "yes"]}
    for separator in (";", "\t"):
        write_table("others.csv", {name: cells for name, cells in others.items() if name != words[1]}, separator)
        run_script("others.csv", "got.csv")
        assert Path("got.csv").read_text() == said_of("others.csv")


def test_columns_of_values() -> None:
    write_table("flats.csv", COLUMNS, ",")
    run = trained("--data", "flats.csv", *HIDDEN, "--target", "rent", "--categories", "zip")
    transform, script = load_transform(run.facts, Path("run")), loaded()
    ahead = timezone(timedelta(hours=2))
    columns: dict[str, list[Any]] = {
        "area": [[30, 40.5, None, 7], np.array([1, 2, 3, 4], np.float32), ["12.5", "1e3", ".5", None], [True, False, None, True]],
        "city": [["Bonn", "", None, "Paris"], np.array(["Ulm", "Köln", "Bonn", "Rom"]), [1.0, 2.5, np.nan, 3], [None] * 4],
        "new": [[True, False, None, True], [0, 1, 1.0, np.nan], ["TRUE", "false", None, "true"], np.array([True, False] * 2)],
        "zip": [[1, 2, None, 4], np.array([1.0, 2.5, 3, np.nan]), ["1", "2", "x", "4"], np.array([1, 2, 3, 9], np.uint8)],
        "since": [
            [date(2020, 2, 29), datetime(2021, 1, 1, 7), None, datetime(2021, 1, 1, 7, tzinfo=ahead)],
            np.array(["2020-01-01T01:02:03.456789123", "NaT", "1900-03-01", "2024-12-31"], "datetime64[ns]"),
            ["2020-01-01", "31.12.2019 23:59", None, "2019-1-1T7:00+01:00"], [datetime(2000, 1, 1, tzinfo=UTC)] * 4,
        ],
        "pets": [["yes", "no", "dog", None]] * 4,
    }  # fmt: skip
    for place in range(4):
        table = {name: kinds[place] for name, kinds in columns.items()}
        wanted = transform.transform(table, dtype=np.float32)
        got = script.prepare(table)
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)
        said = transform.decode(fn.predict(run.model, run.params, run.state, wanted))
        np.testing.assert_array_equal(script.predict(table), said)


def test_what_is_no_value_of_its_column_is_refused() -> None:
    write_table("flats.csv", COLUMNS, ",")
    run = trained("--data", "flats.csv", *HIDDEN, "--target", "rent")
    transform, script = load_transform(run.facts, Path("run")), loaded()
    right: dict[str, Any] = {
        "area": [1.0],
        "city": ["Bonn"],
        "new": [True],
        "zip": [1],
        "since": [date(2020, 1, 1)],
        "pets": ["no"],
    }
    script.predict(right)
    for name, cell in (
        ("area", "big"), ("area", float("inf")), ("area", date(2020, 1, 1)), ("area", 1e300), ("new", "yes"), ("new", 2),
        ("since", "1/2/2020"), ("since", 2020),
    ):  # fmt: skip
        wrong = right | {name: [cell]}
        for one in (lambda table=wrong: transform.transform(table, dtype=np.float32), lambda table=wrong: script.prepare(table)):
            with pytest.raises((ValueError, TypeError)):
                one()
    with pytest.raises(ValueError, match="no column 'city'"):
        script.prepare({name: cells for name, cells in right.items() if name != "city"})
    for text, said in (
        ("", "expected a line"),
        ("area;city;new;zip;since", "expected a line"),
        ("area;city;new;zip;since;pets\n1;2;true;3", "line 2 has another number of fields"),
        ("area;city;new;zip;since;area\n1;2;true;3;;4", "names 2 columns 'area'"),
        ("area;city;new;zip;since;pets\n1,5;2;true;3;;no\n1.x;2;true;3;;no", "column 'area', line 3 is '1.x'"),
    ):
        Path("wrong.csv").write_text(text)
        with pytest.raises(ValueError, match=said):
            script.read_columns("wrong.csv", transform.names, ("area", "zip"), ("",))
    done = subprocess.run([sys.executable, "net.py", "wrong.csv", "got.csv"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "wrong.csv: column 'area', line 3 is '1.x', expected a number\n"


def test_rows_of_numbers() -> None:
    trained(*HIDDEN)
    np.save("rows.npy", np.random.default_rng(0).random((3, 8, 8)))
    run_script("rows.npy", "got.csv")
    assert Path("got.csv").read_text() == said_of("--input", "rows.npy")
    script = loaded()
    for wrong in (np.zeros((2, 63)), np.zeros(64), np.zeros((0, 64)), np.full((1, 64), np.inf)):
        with pytest.raises(ValueError, match="the input"):
            script.predict(wrong)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pictures(mode: str) -> None:
    bytes_ = np.random.default_rng(0).integers(0, 256, (24, 12, 14, *([3] if mode == "RGB" else [])), np.uint8)
    for number, one in enumerate(bytes_):
        Path("pictures", "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(one).save(Path("pictures", "ab"[number % 2], f"{number:02}.png"))
    trained("--data", "pictures", "--model", "convnet", "--channels", "2")
    np.save("rows.npy", bytes_[:2])
    run_script("rows.npy", "got.csv")
    head, *lines = Path("got.csv").read_text().splitlines()
    assert head == "row,class,p(a),p(b)"
    for number, line in enumerate(lines):
        wanted = said_of(f"pictures/{'ab'[number]}/{number:02}.png").splitlines()[1]
        assert line.partition(",")[2] == wanted.partition(",")[2]
    script = loaded()
    np.testing.assert_array_equal(script.prepare(bytes_), script.prepare(bytes_.astype(np.float32) / 255))


def test_images_that_are_redrawn() -> None:
    run = trained("--model", "vae", *HIDDEN, "--latent-size", "2")
    x = np.random.default_rng(0).random((3, 64)).astype(np.float32)
    np.save("rows.npy", x)
    run_script("rows.npy", "got.npy")
    np.testing.assert_array_equal(np.load("got.npy"), redrawn(run, x))


def test_lines_of_texts() -> None:
    Path("de.txt").write_text("der Hund\nund die Katze\n" * 20)
    Path("en.txt").write_text("the dog\nand a cat\n" * 20)
    trained("--model", "text_classifier", "--text", "de.txt", "en.txt", "--features", "4", "--context-length", "9")
    Path("lines.txt").write_text("the cat and the dog\n\n  Katze ẞ\nx\n".replace("x", "u"))
    run_script("lines.txt", "got.csv")
    assert Path("got.csv").read_text() == said_of("--input", "lines.txt")
    with pytest.raises(ValueError, match="no character that occurred"):
        loaded().predict(["dog", "ẞẞ"])


def test_the_next_characters_of_a_text() -> None:
    text = "abc, abd. " * 30
    Path("text.txt").write_text(text)
    run = trained(
        "--model", "gpt", "--text", "text.txt", "--layers", "1", "--features", "4", "--heads", "2", "--context-length", "8"
    )
    script, letters = loaded(), run.facts.vocabulary
    names, probabilities = script.predict(text[:-1])
    tokens = np.array([[letters.index(one) for one in text[-9:]]])
    np.testing.assert_array_equal(probabilities, softmax(fn.apply(run.model, run.params, run.state, tokens[:, :-1])[0]))
    assert names == [letters[best] for best in probabilities.argmax(1)]
    loss = -np.log(probabilities[np.arange(8), tokens[0, 1:]]).mean()
    np.testing.assert_allclose(loss, mean_loss(run, (tokens[:, :-1], tokens[:, 1:])), rtol=1e-5)  # float32
    Path("prompt.txt").write_text("abd")
    run_script("prompt.txt", "got.csv")
    assert len(Path("got.csv").read_text().splitlines()) == 4
    for wrong in ("", "abX"):
        with pytest.raises(ValueError, match="the text is empty, or holds"):
            script.predict(wrong)
