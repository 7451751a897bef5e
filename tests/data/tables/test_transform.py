"""From a table to arrays and back: values against the formulas, what is kept in files, and every fault by its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import funcnn as fn
from funcnn.data.tables import transform as transforming

NAN = float("nan")
DAYS = np.array(["2023-01-02", "2023-07-01", "NaT", "2024-12-31"], "datetime64[D]")
PEOPLE: dict[str, Any] = {
    "age": [30.0, NAN, 50.0, 40.0],
    "children": np.array([0, 2, 1, 3]),
    "member": [True, None, True, False],
    "since": DAYS,
    "plan": ["pro", None, "basic", "pro"],
    "price": [10.0, 20.0, 30.0, 60.0],
    "left": ["no", "yes", "no", "yes"],
}
OPTIONS = fn.data.TableOptions(leave_out=("left",))


def test_each_kind_of_column_by_its_formula() -> None:
    fitted = fn.data.fit_table(PEOPLE, "price", options=OPTIONS)
    assert fitted.features == (
        "age", "age is missing", "children", "member", "member is missing", "since", "since sine of year", "since cosine of year",
        "since sine of week", "since cosine of week", "since is missing", "plan=basic", "plan=pro", "plan is missing",
    )  # fmt: skip
    x = dict(zip(fitted.features, fitted.transform(PEOPLE).T, strict=True))
    deviation = np.std([30, 50, 40])
    np.testing.assert_allclose(x["age"], (np.array([30, 40, 50, 40]) - 40) / deviation)
    assert x["age is missing"].tolist() == [0, 1, 0, 0]
    np.testing.assert_allclose(x["children"], (np.array([0, 2, 1, 3]) - 1.5) / np.std([0, 1, 2, 3]))
    assert x["member"].tolist() == [1, 1, 1, 0]
    assert x["member is missing"].tolist() == [0, 1, 0, 0]
    known = DAYS[[0, 1, 3]].astype("datetime64[us]").astype(float)
    filled = np.insert(known, 2, np.median(known))
    np.testing.assert_allclose(x["since"], (filled - known.mean()) / known.std(), atol=1e-9)
    gone = np.array([1 / 365, 181 / 365, 181 / 365, 365 / 366])
    np.testing.assert_allclose(x["since sine of year"], np.sin(2 * np.pi * gone), atol=1e-12)
    np.testing.assert_allclose(x["since cosine of year"], np.cos(2 * np.pi * gone), atol=1e-12)
    weekday = np.array([0, 5, 5, 1]) / 7  # a Monday, a Saturday, and a Tuesday
    np.testing.assert_allclose(x["since sine of week"], np.sin(2 * np.pi * weekday), atol=1e-12)
    assert x["since is missing"].tolist() == [0, 0, 1, 0]
    assert [x[f"plan{end}"].tolist() for end in ("=basic", "=pro", " is missing")] == [[0, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 0]]
    y = fitted.targets(PEOPLE)
    np.testing.assert_allclose(y[:, 0], (np.array([10, 20, 30, 60]) - 30) / np.std([10, 20, 30, 60]))
    np.testing.assert_allclose(np.asarray(fitted.decode(y), float), PEOPLE["price"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("rows_at_once", [1, 5, 1 << 17])
def test_precision_and_blocks_change_nothing(dtype: Any, rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = fn.data.fit_table(PEOPLE, "price")
    whole = fitted.transform(PEOPLE)
    monkeypatch.setattr(transforming, "_BLOCK", rows_at_once)
    x, y = fitted.transform(PEOPLE, dtype=dtype), fitted.targets(PEOPLE, dtype=dtype)
    assert x.dtype == y.dtype == dtype
    np.testing.assert_array_equal(x.astype(float), whole.astype(dtype).astype(float))
    for array in (x, y):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_columns_stand_in_any_order_and_others_are_left_aside() -> None:
    fitted = fn.data.fit_table(PEOPLE, "price", options=OPTIONS)
    turned = {name: PEOPLE[name] for name in reversed(PEOPLE)} | {"more": [1, 2, 3, 4]}
    np.testing.assert_array_equal(fitted.transform(turned), fitted.transform(PEOPLE))
    assert fitted.surplus(turned) == ("more",)
    assert fitted.surplus(PEOPLE) == ()
    with pytest.raises(ValueError, match=r"the table has no columns 'age', 'plan', which the training data had: add them"):
        fitted.transform({name: values for name, values in PEOPLE.items() if name not in ("age", "plan")})


def test_unseen_and_rare_categories() -> None:
    train = {"c": ["a"] * 5 + ["b"] * 3 + ["d"] * 2 + ["e"], "n": np.arange(11.0)}
    new = {"c": ["a", "z", None, "e"], "n": np.zeros(4)}
    fitted = fn.data.fit_table(train, options=fn.data.TableOptions(max_categories=3))
    assert fitted.features == ("c=a", "c=b", "c=d", "n")
    assert fitted.transform(new)[:, :3].tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    strict = fn.data.fit_table(train, options=fn.data.TableOptions(unseen="error"))
    with pytest.raises(ValueError, match=r"column 'c', row 1: 'z' is not among the 4 categories .* \(1 such rows\)"):
        strict.transform(new)
    indexed = fn.data.fit_table(train, options=fn.data.TableOptions(categories="index"))
    assert indexed.features == ("n",)
    assert indexed.transform(new).shape == (4, 1)
    assert indexed.indices(new).tolist() == [[1], [0], [0], [4]]
    assert indexed.index_sizes == (5,)
    assert fitted.indices(new).shape == (4, 0)


def test_indices_are_what_an_embedding_takes() -> None:
    fitted = fn.data.fit_table(PEOPLE, "left", options=fn.data.TableOptions(categories="index"))
    (vocabulary,) = fitted.index_sizes
    layer = fn.embedding(vocabulary, 3)
    start = layer.init(fn.Key(0), (1,))
    assert fn.apply(layer, start.params, start.state, fitted.indices(PEOPLE)).shape == (4, 1, 3)


def test_imputation_by_the_mean() -> None:
    data = {"n": [0.0, 0.0, 9.0, NAN]}
    for impute, fill in (("median", 0.0), ("mean", 3.0)):
        options = fn.data.TableOptions(impute=impute)  # type: ignore[arg-type]  # a variable text
        x = fn.data.fit_table(data, options=options).transform(data)
        assert x[3, 0] == pytest.approx((fill - 3) / np.std([0, 0, 9]))


def test_what_says_nothing_makes_no_feature() -> None:
    data = {
        "one": [1.0, 1.0, 1.0, 1.0], "same": ["x"] * 4, "yes": [True] * 4, "when": np.full(4, np.datetime64("2024-01-01")),
        "none": [NAN] * 4, "gaps": [1.0, NAN, 1.0, 1.0], "n": [1.0, 2.0, 3.0, 4.0],
    }  # fmt: skip
    fitted = fn.data.fit_table(data)
    assert fitted.features == ("gaps", "gaps is missing", "n")
    assert dict(fitted.left_out) == {
        "one": "1 in all rows", "same": "'x' in all rows", "yes": "true in all rows",
        "when": "2024-01-01T00:00:00.000000 in all rows", "none": "empty in all rows",
    }  # fmt: skip
    names = {"name": [f"person {row}" for row in range(200)], "n": np.arange(200.0)}
    assert dict(fn.data.fit_table(names).left_out) == {"name": "200 different texts in 200 rows"}
    few: dict[str, list[Any]] = {"name": [f"row {number}" for number in range(12)], "x": list(range(12))}
    assert dict(fn.data.fit_table(few).left_out) == {"name": "12 different texts in 12 rows"}
    assert fn.data.fit_table({name: values[:10] for name, values in few.items()}).left_out == ()
    with pytest.raises(ValueError, match=r"the table has no column to learn from .*'name': 200 different texts"):
        fn.data.fit_table({"name": names["name"], "n": names["n"]}, "n")


# ------------------------------------------------------------------------------------------------------------------ targets


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["no", "yes", "no", "yes"], "classification", ("no", "yes")),
        ([True, False, True, False], "classification", ("false", "true")),
        ([2, 10, 2, 10], "classification", ("2", "10")),
        ([2.0, 10.0, 2.0, 10.0], "classification", ("2", "10")),
        ([-1, 1, 1, -1], "classification", ("-1", "1")),
        ([0.5, 1.0, 0.5, 1.0], "regression", ()),
        ([1, 2, 3, 4], "regression", ()),
    ],
)
def test_the_target_tells_the_task(values: list[Any], task: str, classes: tuple[str, ...]) -> None:
    data = {"x": [1.0, 2.0, 3.0, 4.0], "y": values}
    fitted = fn.data.fit_table(data, "y")
    assert fitted.target is not None
    assert fitted.target.task == task
    assert fitted.classes == classes
    set_ = fitted.dataset(data)
    assert set_.classes == classes
    assert set_.features == ("x",)
    decoded = fitted.decode(set_.y)
    assert [str(name) for name in decoded.tolist()] == [str(value).lower().removesuffix(".0") for value in values] or not classes
    if_scores = np.eye(len(classes))[set_.y] if classes else set_.y
    np.testing.assert_array_equal(fitted.decode(if_scores), decoded)


def test_the_task_may_be_asked_for() -> None:
    data = {"x": [1.0, 2.0, 3.0, 4.0], "y": [1, 2, 1, 2], "t": ["1", "2.5", "1", "2.5"]}
    assert fn.data.fit_table(data, "y", task="regression").targets(data).shape == (4, 1)
    fitted = fn.data.fit_table(data, "t", task="regression")
    assert np.asarray(fitted.decode(fitted.targets(data))).tolist() == [1, 2.5, 1, 2.5]
    assert fn.data.fit_table({"x": data["x"], "y": [0.5, 1.5, 0.5, 1.5]}, "y", task="classification").classes == ("0.5", "1.5")


# ------------------------------------------------------------------------------------------------------------------ bad input

FIT: dict[str, tuple[Any, str]] = {
    "no such column": (lambda: fn.data.fit_table(PEOPLE, "cost"), "has no column 'cost'; its columns are 'age', 'children'"),
    "missing target": (
        lambda: fn.data.fit_table(PEOPLE, "age"),
        r"column 'age', row 1 is missing, and it is the target \(1 such rows",
    ),
    "constant target": (lambda: fn.data.fit_table({"x": [1.0, 2.0], "y": [3.5, 3.5]}, "y"), "'y' is 3.5 in all 2 rows"),
    "one class": (lambda: fn.data.fit_table({"x": [1.0, 2.0], "y": ["a", "a"]}, "y"), "'y' is 'a' in all 2 rows: a single class"),
    "names as classes": (lambda: fn.data.fit_table({"x": [1.0, 2.0], "y": ["a", "b"]}, "y"), "2 classes in 2 rows"),
    "dates as target": (lambda: fn.data.fit_table({"x": [1.0] * 4, "y": DAYS[[0, 1, 1, 3]]}, "y"), "'y' is of dates"),
    "infinite target": (
        lambda: fn.data.fit_table({"x": [1.0, 2], "y": [0.5, np.inf]}, "y"),
        "column 'y', row 1 is inf, expected a finite",
    ),
    "infinite": (lambda: fn.data.fit_table({"x": [1.0, -np.inf, 2]}), "column 'x', row 1 is -inf, expected a finite number"),
    "range": (lambda: fn.data.fit_table({"x": [-1.7e308, *[1.7e308] * 3]}), "column 'x' cannot be scaled: the range"),
    "no rows": (lambda: fn.data.fit_table({"x": []}), "has no rows"),
    "no columns": (lambda: fn.data.fit_table({}), "has no columns"),
    "nothing else": (lambda: fn.data.fit_table({"y": [1.5, 2.5]}, "y"), "no column to learn from beside the target"),
    "lengths": (lambda: fn.data.fit_table({"x": [1.0], "y": [1.0, 2.0]}), "column 'y' has 2 rows and 'x' has 1"),
    "two axes": (lambda: fn.data.fit_table({"x": np.ones((2, 2))}), r"column 'x' is float64\[2, 2\], expected \(n,\)"),
    "mixed": (lambda: fn.data.fit_table({"x": [1.0, "a"]}), "column 'x', row 1 is 'a' of type str, beside 1.0 of type float"),
    "complex": (lambda: fn.data.fit_table({"x": np.ones(2, complex)}), "column 'x' is complex128"),
    "masked": (lambda: fn.data.fit_table({"x": np.ma.array([1.0])}), "column 'x' of the data is a masked array"),
    "no name": (lambda: fn.data.as_table({1: [1.0]}), "a column is called 1"),
    "an array": (lambda: fn.data.fit_table(np.ones((3, 2))), "expected a frame of pandas, polars or Arrow, or a dict of arrays"),
    "task": (lambda: fn.data.fit_table(PEOPLE, "price", task="guess"), "task is 'guess'"),  # type: ignore[arg-type]  # wrong
    "options": (lambda: fn.data.fit_table(PEOPLE, options={}), "options is {}"),  # type: ignore[arg-type]  # wrong
    "unseen": (lambda: fn.data.TableOptions(unseen="skip"), "unseen is 'skip'"),  # type: ignore[arg-type]  # wrong
    "impute": (lambda: fn.data.TableOptions(impute="mode"), "impute is 'mode'"),  # type: ignore[arg-type]  # wrong
    "categories": (lambda: fn.data.TableOptions(categories="hash"), "categories is 'hash'"),  # type: ignore[arg-type]  # wrong
    "max": (lambda: fn.data.TableOptions(max_categories=0), "max_categories is 0"),
    "kinds": (lambda: fn.data.TableOptions(kinds={"a": "int"}), r"kinds\['a'\] is 'int'"),  # type: ignore[dict-item]  # wrong
    "no kinds": (lambda: fn.data.TableOptions(kinds=3), "kinds is 3"),  # type: ignore[arg-type]  # wrong
    "leave out": (lambda: fn.data.TableOptions(leave_out="id"), "leave_out is 'id', expected names"),
    "kinds of nothing": (lambda: fn.data.fit_table(PEOPLE, options=fn.data.TableOptions(kinds={"q": "number"})), "no column 'q'"),
    "kind": (
        lambda: fn.data.fit_table(PEOPLE, options=fn.data.TableOptions(kinds={"plan": "number"})),
        "row 0 is 'pro', expected a num",
    ),
}


@pytest.mark.parametrize("fault", FIT)
def test_wrong_tables_are_refused_when_fitted(fault: str) -> None:
    make, message = FIT[fault]
    with pytest.raises((TypeError, ValueError), match=message):
        make()


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("age", [1.0, 2.0, np.inf, 3.0], "column 'age', row 2 is inf"),
        ("age", ["1", "2", "old", "3"], "column 'age', row 2 is 'old', expected a number"),
        ("age", DAYS, "column 'age' is a date, expected a number"),
        ("age", [1.0, 1e300, 2.0, 3.0], "column 'age', row 1 is so far from the training data that float32"),
        ("member", [0, 1, 2, 1], "column 'member', row 2 is 2.0, expected true or false"),
        ("member", ["true", "false", "no", "true"], "row 2 is 'no', expected true or false"),
        ("since", ["2024-01-01", "x", "y", "z"], "row 1 is 'x', expected a date"),
        ("since", [1.0, 2.0, 3.0, 4.0], "column 'since' is a number, expected a date"),
    ],
)
def test_wrong_values_are_refused_when_transformed(name: str, values: Any, message: str) -> None:
    fitted = fn.data.fit_table(PEOPLE, "price")
    with pytest.raises((TypeError, ValueError), match=message):
        fitted.transform(PEOPLE | {name: values}, dtype=np.float32)


def test_other_kinds_of_the_same_values_are_taken() -> None:
    """As other readers see them: numbers as texts, truth values as numbers, dates as texts, categories as numbers."""
    fitted = fn.data.fit_table(PEOPLE, "price")
    others = PEOPLE | {
        "age": ["30", None, "50.0", "4e1"], "children": ["0", "2", "1", "3"], "member": [1, NAN, 1, 0],
        "since": ["2023-01-02", "1.7.2023", None, "2024-12-31"],
    }  # fmt: skip
    np.testing.assert_array_equal(fitted.transform(others), fitted.transform(PEOPLE))
    coded = fn.data.fit_table({"c": ["1", "2", "1.5", None]})
    np.testing.assert_array_equal(coded.transform({"c": [1.0, 2.0, 1.5, NAN]}), coded.transform({"c": ["1", "2", "1.5", None]}))
    numbers = fn.data.fit_table({"zip": np.array([10, 20, 10])}, options=fn.data.TableOptions(kinds={"zip": "category"}))
    assert numbers.features == ("zip=10", "zip=20")
    assert numbers.kinds == {"zip": "category"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fitted: fitted.decode(np.zeros((2, 3))), r"float64\[2, 3\], expected \(n, 2\)"),
        (lambda fitted: fitted.decode(np.array([0, 2])), r"prediction\[1\] is 2"),
        (
            lambda fitted: fitted.targets(PEOPLE | {"left": ["no", "maybe", "no", "yes"]}),
            "row 1 is 'maybe', expected one of the 2 classes",
        ),
        (lambda fitted: fitted.targets(PEOPLE | {"left": ["no", None, "no", "yes"]}), "row 1 is missing, and it is the target"),
        (lambda fitted: fitted.targets({"x": [1.0]}), "has no column 'left'"),
        (lambda fitted: attrs.evolve(fitted, target=None).targets(PEOPLE), "has no target"),
        (lambda fitted: fn.data.fit_table(PEOPLE, "price").decode(np.zeros((2, 3))), r"expected \(n, 1\)"),
        (lambda fitted: fn.data.fit_table(PEOPLE, "price").decode(np.zeros(2, int)), "int64"),
    ],
)
def test_wrong_targets_and_predictions_are_refused(call: Callable[[fn.data.TableTransform], object], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call(fn.data.fit_table(PEOPLE, "left"))


# ---------------------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("target", ["price", "left", None])
@pytest.mark.parametrize("categories", ["one_hot", "index"])
def test_a_transform_is_loaded_to_the_last_bit(target: str | None, categories: Any, tmp_path: Path) -> None:
    data = PEOPLE | {"tiny": [1e-310, 0.1, 1 / 3, 7e200], "ключ": ["ä", '"', "\\", "\n"]}
    fitted = fn.data.fit_table(data, target, options=fn.data.TableOptions(categories=categories))
    fn.data.save_table_transform(tmp_path / "transform.json", fitted)
    loaded = fn.data.load_table_transform(tmp_path / "transform.json")
    assert loaded == fitted
    np.testing.assert_array_equal(loaded.transform(data), fitted.transform(data))
    fn.data.save_table_transform(tmp_path / "again.json", fitted)
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "transform.json").read_bytes()


def test_what_is_no_transform_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"transform is \{\}, expected a TableTransform"):
        fn.data.save_table_transform(tmp_path / "t.json", {})  # type: ignore[arg-type]  # wrong


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entries: entries.pop("target"), "does not hold the transform"),
        (lambda entries: entries.update(funcnn_table_transform=2), "format 2, expected 1"),
        (lambda entries: entries.update(columns=[]), "columns is"),
        (lambda entries: entries["columns"][0].update(kind="tensor"), r"columns\[0\] is"),
        (lambda entries: entries["columns"][0].update(scale=0.0), r"columns\[0\]: scale is 0.0, which it cannot be"),
        (lambda entries: entries["columns"][0].update(fill="x"), r"columns\[0\]: fill is 'x'"),
        (lambda entries: entries["columns"][0].update(extra=1), r"columns\[0\] has the fields"),
        (lambda entries: entries["columns"].append(entries["columns"][0]), "names a column twice"),
        (lambda entries: entries["target"].update(classes=["a"]), r"target: classes is \['a'\]"),
        (lambda entries: entries.update(left_out=[["a"]]), "left_out is"),
    ],
)
def test_changed_files_are_refused(change: Callable[[Any], object], message: str, tmp_path: Path) -> None:
    fn.data.save_table_transform(tmp_path / "t.json", fn.data.fit_table(PEOPLE, "left"))
    entries = json.loads((tmp_path / "t.json").read_text())
    change(entries)
    (tmp_path / "t.json").write_text(json.dumps(entries))
    with pytest.raises(fn.FileError, match=message):
        fn.data.load_table_transform(tmp_path / "t.json")


def test_a_table_is_split_like_any_data() -> None:
    table = fn.data.as_table(PEOPLE)
    parts = fn.data.split(fn.Key(0), table, 0.25)
    assert (len(parts.train), len(parts.test)) == (3, 1)
    rows = np.concatenate([part["price"].values for part in (parts.train, parts.test)])
    assert sorted(rows.tolist()) == PEOPLE["price"]
    assert fn.data.count(table) == 4
    with pytest.raises(ValueError, match="the data have 4 rows"):
        fn.data.take(table, np.array([4]))
    with pytest.raises(TypeError, match="rows is"):
        table.take([0])  # type: ignore[arg-type]  # wrong
    with pytest.raises(KeyError, match="no column 'cost'"):
        table["cost"]


def test_the_callers_arrays_keep_their_own_flags() -> None:
    ages = np.array([1.0, 2.0])
    table = fn.data.as_table({"age": ages})
    assert np.shares_memory(table["age"].values, ages)
    assert not table["age"].values.flags.writeable
    ages[0] = 3
