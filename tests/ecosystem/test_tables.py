"""Tables of pandas, polars and pyarrow: the same columns whichever way they come, views where nothing needs a copy."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pytest
from attrs import frozen
from sklearn import datasets
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import funcnn as fn
from funcnn.cli.main import main
from funcnn.data.tables.columns import CategoryColumn

VALUES: dict[str, list[Any]] = {
    "number": [1.5, None, -3.0, 0.0],
    "whole": [1, 2, -3, 4],
    "gaps": [1, None, 3, 4],
    "flag": [True, False, None, True],
    "full": [True, False, False, True],
    "text": ["x", "a text of more than twelve letters: ä", None, "x"],
    "empty": ["", "x", "y", ""],
    "day": [dt.date(2020, 2, 29), None, dt.date(1931, 3, 1), dt.date(2021, 3, 1)],
    "time": [dt.datetime(2020, 1, 1, 3, 4, 5, 6), None, dt.datetime(1931, 1, 1), dt.datetime(2021, 1, 1)],
}
LONG = {name: values * 40 for name, values in VALUES.items()}


def frames() -> dict[str, Any]:
    polars, arrow, pandas = pl.DataFrame(VALUES), pa.table(VALUES), pd.DataFrame(VALUES)
    twice = [*VALUES.items()]
    double = pl.DataFrame({name: values * 2 for name, values in twice})
    return {
        "dict": VALUES,
        "polars": polars,
        "polars, part of a longer one": double[4:],
        "polars, in pieces": pl.concat([polars[:1], polars[1:]], rechunk=False),
        "polars, categories": polars.with_columns(
            pl.col("text").cast(pl.Categorical), pl.col("empty").cast(pl.Enum(["y", "", "x"]))
        ),
        "arrow": arrow,
        "arrow, part of a longer one": pa.concat_tables([arrow, arrow]).combine_chunks().slice(4),
        "arrow, in pieces": pa.concat_tables([arrow.slice(0, 1), arrow.slice(1)]),
        "arrow, batches": pa.RecordBatchReader.from_batches(arrow.schema, arrow.to_batches(max_chunksize=3)),
        "arrow, dictionaries": arrow.set_column(5, "text", arrow["text"].dictionary_encode()),
        "arrow, views": arrow.set_column(5, "text", arrow["text"].cast(pa.string_view())),
        "arrow, large": arrow.set_column(5, "text", arrow["text"].cast(pa.large_string())),
        "arrow, decimals": arrow.set_column(0, "number", arrow["number"].cast(pa.decimal128(20, 3))),
        "arrow, zones": arrow.set_column(8, "time", arrow["time"].cast(pa.timestamp("us", "Europe/Berlin"))),
        "pandas": pandas,
        "pandas, nullable": pandas.convert_dtypes(),
        "pandas, of arrow": pandas.convert_dtypes(dtype_backend="pyarrow"),
        "pandas, categories": pandas.assign(text=pandas["text"].astype("category")),
        "pandas, zones": pandas.assign(time=pd.to_datetime(pandas["time"]).dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")),
    }


def listed(table: fn.data.Table) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name, column in table.columns.items():
        values: list[Any] = column.values.tolist()
        if isinstance(column, CategoryColumn):
            values = [column.categories[code] for code in values]
        found[name] = [None if gone else value for value, gone in zip(values, column.missing.tolist(), strict=True)]
    return found


@pytest.mark.parametrize("name", frames())
def test_a_frame_gives_its_values_whatever_holds_them(name: str) -> None:
    table = fn.data.as_table(frames()[name])
    midnight = [None if day is None else dt.datetime(day.year, day.month, day.day) for day in VALUES["day"]]
    assert listed(table) == VALUES | {"day": midnight}
    kinds = ["number", "number", "number", "boolean", "boolean", "category", "category", "date", "date"]
    assert [column.kind for column in table.columns.values()] == kinds
    assert not any(column.values.flags.writeable for column in table.columns.values())


@frozen
class Interchanged:
    """A frame with nothing but the older protocol."""

    frame: Any

    def __dataframe__(self, *given: Any, **options: Any) -> Any:
        return self.frame.__dataframe__(*given, **options)


def test_a_frame_of_the_older_protocol_is_read_by_pyarrow() -> None:
    names = [name for name in VALUES if name not in ("day", "flag")]  # pyarrow's own protocol has no dates and no gaps in bits
    whole = pa.table({name: VALUES[name] for name in names})
    assert listed(fn.data.as_table(Interchanged(whole))) == {name: VALUES[name] for name in names}
    with pytest.raises(TypeError, match="data is Interchanged, whose __dataframe__ cannot be read: 'NoneType' object"):
        fn.data.as_table(Interchanged(None))


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]
)
def test_numbers_without_gaps_are_views(dtype: str) -> None:
    values = np.arange(5).astype(dtype)
    arrow = pa.array(values)
    table = fn.data.as_table(pa.table({"x": arrow}))
    assert table["x"].values.dtype == values.dtype
    assert table["x"].values.__array_interface__["data"][0] == arrow.buffers()[1].address
    series = pl.Series("x", values)
    np.testing.assert_array_equal(fn.data.as_table(series.to_frame())["x"].values, values)
    assert np.shares_memory(fn.data.as_table(series.to_frame())["x"].values, series.to_numpy())
    frame = pd.DataFrame({"x": values})
    assert np.shares_memory(fn.data.as_table(frame)["x"].values, frame["x"].to_numpy())


def test_a_view_keeps_the_memory_of_its_frame() -> None:
    tables = [fn.data.as_table(pl.DataFrame({"x": np.full(100_000, float(number))})) for number in range(20)]
    for number, table in enumerate(tables):
        assert (table["x"].values == number).all()


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"x": [[1], [2]]}), "column 'x' is of Arrow's type"),
        (pa.table({"x": pa.array([b"a"])}), "column 'x' is of Arrow's type 'z'"),
        (pa.table([[1], [2]], names=["x", "x"]), "two columns 'x'"),
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), "two columns 'x'"),
        (pd.DataFrame({0: [1]}), "a column is called 0"),
        (pd.DataFrame({"x": [1, "a", None]}), "column 'x', row 1 is 'a' of type str, beside 1"),
        (pd.DataFrame({"x": [1j]}), "column 'x'"),
        (pl.DataFrame({"x": [1]}).lazy(), "whose rows are not computed yet: use .collect()"),
        (pa.chunked_array([[1, 2]]), "expected a table: named columns"),
        (pd.Series([1]), "expected a table: named columns"),
        (np.ones((2, 2)), "expected a frame of pandas, polars or Arrow"),
    ],
)
def test_frames_that_are_no_tables_are_refused(frame: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        fn.data.as_table(frame)


def test_nothing_is_imported_that_the_caller_did_not_import() -> None:
    program = (
        "import sys, polars as pl, funcnn as fn; frame = pl.DataFrame({'x': [1.5, None], 'c': ['a', 'b']});"
        "fitted = fn.data.fit_table(frame); fitted.transform(frame);"
        "print('pandas' in sys.modules, 'pyarrow' in sys.modules, 'sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "False"]


def test_parquet_files(tmp_path: Path) -> None:
    pl.DataFrame(VALUES).write_parquet(tmp_path / "t.parquet")
    table = fn.data.read_table(tmp_path / "t.parquet")
    assert listed(table) == listed(fn.data.as_table(pl.DataFrame(VALUES)))
    assert table.place(0, "text").startswith(str(tmp_path / "t.parquet"))
    whole = (tmp_path / "t.parquet").read_bytes()
    draw = fn.Key(0).generator()
    said = []
    for _ in range(60):
        begin = int(draw.integers(len(whole)))
        (tmp_path / "t.parquet").write_bytes(whole[:begin] + bytes(draw.integers(0, 256, 4).tolist()) + whole[begin + 8 :])
        try:
            fn.data.read_table(tmp_path / "t.parquet")
        except fn.FileError as error:
            said.append(str(error))
    assert len(said) > 10
    assert all(map(str.isprintable, said))
    with pytest.raises(FileNotFoundError):
        fn.data.read_table(tmp_path / "gone.parquet")


def test_other_readers_of_csv_see_the_same(tmp_path: Path) -> None:
    """On an ordinary file, whichever library reads it: the arrays are equal to the last bit."""
    draw = fn.Key(2).generator()
    frame = pd.DataFrame(
        {
            "x": draw.normal(size=500), "y": np.where(draw.random(500) < 0.1, np.nan, draw.normal(size=500) * 1e8),
            "n": draw.integers(-9, 9, 500), "c": np.array(["red", "green, dark", 'a "b"'])[draw.integers(0, 3, 500)],
        }
    )  # fmt: skip
    frame.to_csv(tmp_path / "t.csv", index=False)
    ours = fn.data.read_csv(tmp_path / "t.csv")
    fitted = fn.data.fit_table(ours)
    for other in (
        pd.read_csv(tmp_path / "t.csv"),
        pl.read_csv(tmp_path / "t.csv"),
        pyarrow.csv.read_csv(tmp_path / "t.csv"),
    ):
        assert fn.data.fit_table(other) == fitted
        np.testing.assert_array_equal(fitted.transform(other), fitted.transform(ours))


@pytest.mark.parametrize("whose", [pd, pl, pa])
def test_arrays_are_those_of_a_column_transformer(whose: Any) -> None:
    draw = fn.Key(3).generator()
    values = {
        "x": np.where(draw.random(300) < 0.1, np.nan, draw.normal(3, 2, 300)), "y": draw.normal(-1, 1e-3, 300),
        "c": np.array(["a", "b", "d"])[draw.integers(0, 3, 300)].tolist(),
    }  # fmt: skip
    frame = pd.DataFrame(values)
    peer = ColumnTransformer(
        [
            ("n", make_pipeline(StandardScaler(), SimpleImputer(strategy="median", add_indicator=True)), ["x", "y"]),
            ("c", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
        ]
    )  # fmt: skip
    expected = peer.fit_transform(frame)
    made: Any = {pd: pd.DataFrame, pl: pl.DataFrame, pa: pa.table}[whose](values)
    if whose is pa:
        made = made.set_column(0, "x", pa.array(values["x"], from_pandas=True))
    x = fn.data.fit_table(made).transform(made)
    np.testing.assert_allclose(x[:, [0, 2, 1, 3, 4, 5]], expected, atol=1e-12)


def test_dates_of_arrow_beyond_microseconds_are_refused_and_missing_ones_looked_over() -> None:
    for kind in (pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("ms", "UTC")):
        far = 2**31 - 1 if kind == pa.date32() else 2**62
        with pytest.raises(ValueError, match=r"column 'when' has .* \(1 such rows\), expected dates within 290,000 years"):
            fn.data.as_table(pa.table({"when": pa.array([0, None, far], kind)}))
        values = np.ma.MaskedArray(np.array([0, far], np.int32 if kind == pa.date32() else np.int64), [False, True])
        missing = fn.data.as_table(pa.table({"when": pa.array(values.data, kind, mask=values.mask)}))["when"].values
        np.testing.assert_array_equal(missing, np.array(["1970-01-01", "NaT"], "datetime64[us]"))


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "digits", "iris", "wine"])
def test_data_sets_that_ship_with_scikit_learn(name: str) -> None:
    table = fn.data.sklearn_table(name)
    found = getattr(datasets, f"load_{name}")()
    fitted = fn.data.fit_table(table, "target")
    assert fitted.target is not None
    assert fitted.target.task == ("regression" if name == "diabetes" else "classification")
    varying = found.data[:, found.data.min(0) < found.data.max(0)]
    np.testing.assert_allclose(fitted.transform(table), StandardScaler().fit_transform(varying), atol=1e-9)
    if name != "diabetes":
        np.testing.assert_array_equal(found.target_names[found.target].astype(str), fitted.decode(fitted.targets(table)))


def test_a_set_that_ships_is_learned_by_one_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--data", "sklearn:wine", "--target", "target", "--certify", "skip", "--epochs", "40"]) == 0
    found = json.loads(Path("runs/sklearn_wine-1/results.json").read_text())
    assert found["test_accuracy"] > 0.9
    assert found["test_baseline_accuracy"] < 0.5
    assert main(["predict", "runs/sklearn_wine-1"]) == 0


def test_parquet_is_learned_and_predicted_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = np.arange(200.0)
    frame = pl.DataFrame({"x": values, "kind": ["a", "b"] * 100, "y": 3 * values + 0.5})
    frame.write_parquet("t.parquet")
    frame.drop("y").reverse().write_parquet("new.parquet")
    assert main(["--data", "t.parquet", "--target", "y", "--certify", "skip", "--epochs", "3"]) == 0
    assert main(["predict", "runs/t-1", "new.parquet"]) == 0
    assert len(Path("runs/t-1/predictions-new.csv").read_text().splitlines()) == 201
