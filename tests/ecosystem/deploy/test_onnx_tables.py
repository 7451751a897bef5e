"""Exported files that take the columns of a table, or the bytes of images, and give what ``predict`` says."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.cli import folder
from funcnn.cli.main import main
from funcnn.deploy.onnx.export import Described, onnx_bytes
from tests.data.test_idx import pack
from tests.ecosystem.deploy import runtimes

TOWNS = ("Köln", "Oslo", "Rome, the city", None)
SHORT = ("--epochs", "1", "--hidden", "4", "--certify", "skip")


def columns(rows: int, seed: int) -> dict[str, Any]:
    """Return columns of every kind with values missing, of which one has the name of an output."""
    generator = np.random.default_rng(seed)
    age = generator.normal(40, 12, rows)
    age[::7] = np.nan
    since = np.datetime64("1890-01-01", "us") + generator.integers(0, 160 * 365 * 86400, rows).astype("timedelta64[s]")
    since[::9] = np.datetime64("NaT")
    return {
        "age": age,
        "output": generator.integers(0, 9, rows).astype(float),
        "town": np.array(TOWNS, object)[generator.integers(0, 4, rows)],
        "member": np.array([True, False, None], object)[generator.integers(0, 3, rows)],
        "since": since,
        "price": generator.normal(100, 30, rows),
        "kind": np.array(["a", "b", "c"])[generator.integers(0, 3, rows)],
    }


def fed(table: dict[str, Any]) -> dict[str, Any]:
    """Return the columns as a file takes them."""
    return {
        "age": table["age"],
        "output_2": table["output"],
        "town": np.array([one or "" for one in table["town"]], object),
        "member": np.array([np.nan if one is None else float(one) for one in table["member"]]),
        "since": table["since"].astype(np.int64),
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("target", ["price", "kind"])
def test_columns_of_every_kind_become_what_the_transform_makes_of_them(target: str, dtype: Any) -> None:
    table, new = columns(300, 0), columns(100, 1)
    new["town"][3] = "Atlantis"
    new["since"][1:6] = np.array(
        ["1600-02-29T12:00", "2000-12-31T23:59:59.999999", "1900-01-01", "1969-12-31T23:59", "2024-02-29"], "datetime64[us]"
    )
    left_out = ("price", "kind")
    transform = fn.data.fit_table(
        table, target, options=fn.data.TableOptions(leave_out=tuple(one for one in left_out if one != target))
    )
    x = transform.transform(table, dtype=dtype)
    outputs = max(1, len(transform.classes))
    model = fn.mlp(8, outputs)
    start = model.init(fn.Key(0), (x.shape[1],))
    params = fn.tree.astype(start.params, dtype)
    content = onnx_bytes(
        model, params, start.state, x, Described(preparation=transform, probabilities=target == "kind", metadata={"by": "me"})
    )
    got = runtimes.run_onnxruntime(content, fed(new))
    scores = fn.apply(model, params, start.state, transform.transform(new, dtype=dtype))
    wanted: Any = transform.decode(scores) if target == "price" else scores
    near = 1e-5 if dtype == np.float32 else 1e-12
    assert got["output"].dtype == wanted.dtype
    np.testing.assert_allclose(got["output"], wanted, rtol=near, atol=near * np.abs(wanted).max())
    metadata = runtimes.session(content).get_modelmeta().custom_metadata_map
    assert metadata["by"] == "me"
    described = {one["name"]: one for one in json.loads(metadata["columns"])}
    assert described["output"] == {"name": "output", "input": "output_2", "kind": "number"}
    assert described["town"]["categories"] == ["Köln", "Oslo", "Rome, the city"]
    if target == "kind":
        assert json.loads(metadata["classes"]) == ["a", "b", "c"]
        powers = np.exp(wanted)
        np.testing.assert_allclose(got["probabilities"], powers / powers.sum(1, keepdims=True), rtol=near)


def test_one_score_is_the_logit_of_the_second_class() -> None:
    model = fn.dense(1)
    start = model.init(fn.Key(0), (3,))
    x = np.random.default_rng(0).normal(size=(4, 3))
    described = Described(classes=("no", "yes"), probabilities=True)
    got = runtimes.run_onnxruntime(onnx_bytes(model, start.params, start.state, x, described), {"input": x})
    second = 1 / (1 + np.exp(-fn.apply(model, start.params, start.state, x)))
    np.testing.assert_allclose(got["probabilities"], np.concatenate([1 - second, second], 1), rtol=1e-12)


def test_what_a_file_cannot_have_is_refused() -> None:
    table = columns(60, 0)
    transform = fn.data.fit_table(table, "price", options=fn.data.TableOptions(unseen="error", leave_out=("kind",)))
    x = transform.transform(table)
    model = fn.dense(1)
    start = model.init(fn.Key(0), (x.shape[1],))
    with pytest.raises(fn.deploy.ExportError, match="column 'town' refuses categories that it does not know"):
        onnx_bytes(model, start.params, start.state, x, Described(preparation=transform))
    other = model.init(fn.Key(0), (3,))
    with pytest.raises(ValueError, match=r"expected the features that the transform gives: floating \(n, 1"):
        onnx_bytes(model, other.params, other.state, x[:, :3], Described(preparation=transform))
    pair = fn.branch(fn.dense(1), fn.dense(2))
    two = pair.init(fn.Key(0), (3,))
    with pytest.raises(TypeError, match="something else than one array of scores"):
        onnx_bytes(pair, two.params, two.state, x[:, :3], Described(probabilities=True))


def write_csv(path: Path, rows: int, seed: int) -> None:
    table = columns(rows, seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "town", "member", "since", "price", "kind"])
        for age, town, member, since, price, kind in zip(
            *(table[name] for name in ("age", "town", "member", "since", "price", "kind")), strict=True
        ):
            writer.writerow([
                "" if np.isnan(age) else f"{age:.3f}", town or "", "" if member is None else str(member).lower(),
                "" if np.isnat(since) else str(since.astype("datetime64[s]")), f"{price:.3f}", kind,
            ])  # fmt: skip


def read_csv(path: Path) -> dict[str, Any]:
    """Return the columns of a file of rows, as a program without this library reads them."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    none = np.datetime64("NaT")
    moments = [np.datetime64(row["since"], "us") if row["since"] else none for row in rows]
    truths = {"true": 1.0, "false": 0.0, "": np.nan}
    return {
        "age": np.array([float(row["age"] or "nan") for row in rows]),
        "price": np.array([float(row["price"]) for row in rows]),
        "town": np.array([row["town"] for row in rows], object),
        "kind": np.array([row["kind"] for row in rows], object),
        "member": np.array([truths[row["member"]] for row in rows]),
        "since": np.array(moments, "datetime64[us]").astype(np.int64),
    }


@pytest.mark.parametrize(
    ("words", "output", "said"),
    [
        (("--target", "price"), "output", ("predicted price",)),
        (("--target", "kind"), "probabilities", ("p(a)", "p(b)", "p(c)")),
        (("--task", "anomalies"), "error", ("error",)),
    ],
    ids=["numbers", "classes", "anomalies"],
)
def test_a_run_on_a_table_is_exported_with_all_that_predict_does(
    words: tuple[str, ...], output: str, said: tuple[str, ...], tmp_path: Path
) -> None:
    write_csv(tmp_path / "table.csv", 200, 0)
    write_csv(tmp_path / "new.csv", 50, 1)
    made, file = str(tmp_path / "made"), tmp_path / "net.onnx"
    assert main(["--data", str(tmp_path / "table.csv"), *words, *SHORT, "--output", made]) == 0
    assert main(["export", made, "--onnx", str(file)]) == 0
    assert main(["predict", made, str(tmp_path / "new.csv"), "--output", str(tmp_path / "said.csv")]) == 0
    got = runtimes.run_onnxruntime(file.read_bytes(), read_csv(tmp_path / "new.csv"))[output]
    with (tmp_path / "said.csv").open(newline="") as rows:
        wanted = [[float(row[name]) for name in said] for row in csv.DictReader(rows)]
    np.testing.assert_allclose(got.reshape(50, -1), wanted, atol=1e-4, rtol=1e-4)  # as many digits as are written


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
def test_a_run_on_images_is_exported_with_what_they_are_as_input(kind: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 12, 12), np.uint8)
    given = pixels if kind == "uint8" else pixels.astype(kind) / 51 - 2
    labels = (np.arange(40) % 2).astype(np.uint8)
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(pack(given))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(np.array([2049, 40], ">i4").tobytes() + labels.tobytes())
    made, file = tmp_path / "made", tmp_path / "net.onnx"
    words = ("--batch-size", "8", "--epochs", "1", "--certify", "skip", "--output", str(made))
    assert main(["--data", str(tmp_path), "--model", "lenet5", *words]) == 0
    assert main(["export", str(made), "--onnx", str(file)]) == 0
    run = folder.open_run(made)
    x = (given.reshape(40, -1) / (255 if kind == "uint8" else 1)).astype(run.settings.dtype)
    got = runtimes.run_onnxruntime(file.read_bytes(), {"input": pixels if kind == "uint8" else x})
    scores = fn.predict(run.model, run.params, run.state, x)
    np.testing.assert_allclose(got["output"], scores, rtol=1e-4, atol=1e-5)  # float32
    np.testing.assert_allclose(got["probabilities"].sum(1), 1, rtol=1e-6)
    assert json.loads(runtimes.session(file.read_bytes()).get_modelmeta().custom_metadata_map["classes"]) == ["0", "1"]


def test_a_run_on_texts_names_the_characters_that_tokens_stand_for(tmp_path: Path) -> None:
    for name, line in (("first", "abc"), ("second", "xyz")):
        (tmp_path / name).write_text("".join(f"{line} {number}\n" for number in range(60)))
    made, file = tmp_path / "made", tmp_path / "net.onnx"
    texts = ("--text", str(tmp_path / "first"), str(tmp_path / "second"))
    words = ("--features", "4", "--epochs", "1", "--certify", "skip", "--output", str(made))
    assert main(["--model", "text_classifier", "--encoder", "gru", *texts, *words]) == 0
    assert main(["export", str(made), "--onnx", str(file)]) == 0
    session = runtimes.session(file.read_bytes())
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata["first_token"] == "1"
    letters = metadata["vocabulary"]
    tokens = np.zeros((1, session.get_inputs()[0].shape[1]), np.int64)
    tokens[0, :5] = [letters.index(letter) + 1 for letter in "abc 7"]
    run = folder.open_run(made)
    got = runtimes.run_onnxruntime(file.read_bytes(), {"input": tokens})
    np.testing.assert_allclose(
        got["output"], fn.predict(run.model, run.params, run.state, tokens), rtol=1e-4, atol=1e-5
    )  # float32
