"""CSV files: every way of writing a table that is read, and every one that is refused with the place of its fault."""

from __future__ import annotations

import csv
import gzip
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import funcnn as fn
from funcnn.data.tables import csv_reader, words
from funcnn.data.tables.columns import CategoryColumn


def written(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def as_lists(table: fn.data.Table) -> dict[str, list[Any]]:
    """Return the values of the columns as Python's own, None for what is missing."""
    found: dict[str, list[Any]] = {}
    for name, column in table.columns.items():
        values: list[Any] = column.values.tolist()
        if isinstance(column, CategoryColumn):
            values = [column.categories[code] for code in values]
        if column.kind == "boolean":
            values = [bool(value) for value in values]
        found[name] = [None if gone else value for value, gone in zip(values, column.missing.tolist(), strict=True)]
    return found


HOUSES = {
    "price": [812.5, None, -3.0],
    "area": [61.5, 48.0, 0.25],
    "city": ["Bonn", "Ulm, old", 'the "Hof"'],
    "new": [True, False, None],
}
POINTS = 'price,area,city,new\n812.5,61.5,Bonn,true\n,48,"Ulm, old",FALSE\n-3,.25,"the ""Hof""",NA\n'
COMMAS = 'price;area;city;new\n812,5;61,5;Bonn;true\n;48;Ulm, old;FALSE\n-3;,25;"the ""Hof""";NA\n'
WAYS: dict[str, bytes] = {
    "as usual": POINTS.encode(),
    "byte order mark": POINTS.encode("utf-8-sig"),
    "utf-16": POINTS.encode("utf-16"),
    "utf-32": POINTS.encode("utf-32"),
    "ends of lines": POINTS.replace("\n", "\r\n").encode(),
    "old ends of lines": POINTS.replace("\n", "\r").encode(),
    "no last end": POINTS.rstrip("\n").encode(),
    "empty lines": POINTS.replace("\n", "\n\n").encode(),
    "blanks": POINTS.replace(",-", ", -").replace("\n,", "\n ,").replace("61.5", " 61.5 ").encode(),
    "decimal commas": COMMAS.encode(),
    "tabs": COMMAS.replace(";", "\t").encode(),
    "bars": POINTS.replace(",", "|").replace("Ulm|", "Ulm,").encode(),
    "row numbers": "".join(
        f"{',' if not line else f'{line - 1},'}{text}\n" for line, text in enumerate(POINTS.splitlines())
    ).encode(),
    "words for what is missing": POINTS.replace("\n,48", "\nNaN,48").replace(",NA", ",?").encode(),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_table_is_the_same_however_it_is_written(way: str, tmp_path: Path) -> None:
    table = fn.data.read_csv(written(tmp_path, WAYS[way]))
    assert as_lists(table) == HOUSES
    assert [column.kind for column in table.columns.values()] == ["number", "number", "category", "boolean"]


def test_other_encodings_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "city,n\nKöln,1\nBonn,2\n".encode("latin-1"))
    with pytest.raises(fn.FileError, match=r"table\.csv is no text in utf-8: line 2 has 'Köln,1\\n': give encoding="):
        fn.data.read_csv(path)
    assert as_lists(fn.data.read_csv(path, encoding="latin-1"))["city"] == ["Köln", "Bonn"]


def test_what_is_no_file_of_text_is_told(tmp_path: Path) -> None:
    packed = written(tmp_path, b"PK\x03\x04" + bytes(range(128, 256)))
    (tmp_path / "folder.csv").mkdir()
    for reader in (fn.data.read_csv, fn.data.read_table):
        with pytest.raises(FileNotFoundError, match=r"there is no file .*: it is a folder"):
            reader(tmp_path / "folder.csv")
        with pytest.raises(fn.FileError, match="is no text, but packed as workbooks and archives are: save the table as CSV"):
            reader(packed)
    table = fn.data.read_table(
        written(tmp_path, "a\tb\n1,5\tKöln\n".encode("cp1252")), separator="\t", decimal=",", encoding="cp1252"
    )
    assert as_lists(table) == {"a": [1.5], "b": ["Köln"]}


@pytest.mark.parametrize("word", ["€{}", "{} %", "$ {}", "{}€"])
def test_numbers_with_marks_are_asked_about(word: str, tmp_path: Path) -> None:
    path = written(tmp_path, "a;b\n" + "".join([f"{word.format(number)};x\n" for number in (3.5, 1200, 7)]))
    with pytest.raises(fn.FileError, match=r"table\.csv: column 'a', line 2: '.*3\.5.*' is a number with a mark beside it"):
        fn.data.read_csv(path)
    assert fn.data.read_csv(path, kinds={"a": "category"})["a"].kind == "category"


@pytest.mark.parametrize("mark", [" ", "\u00a0", "\u202f", "'", "\u2019"])
def test_marks_of_thousands_are_asked_about(mark: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"a;b\n1{mark}200;x\n12{mark}345{mark}678;y\n5;z\n".encode())
    with pytest.raises(fn.FileError, match=r"line 2: .* is a number with a mark beside it"):
        fn.data.read_csv(path)
    usual = written(tmp_path, f"a;b\n1{mark}2;x\n12{mark}34;y\n".encode())  # no thousands: names, such as of rooms
    assert fn.data.read_csv(usual)["a"].kind == "category"


def test_packed_files_and_endings(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(POINTS.encode()))
    assert as_lists(fn.data.read_table(path)) == HOUSES
    assert as_lists(fn.data.read_table(written(tmp_path, COMMAS.replace(";", "\t"), "table.tsv"))) == HOUSES
    with pytest.raises(fn.FileError, match=r"no known format: expected \.csv"):
        fn.data.read_table(written(tmp_path, POINTS, "table.xls"))
    for reader in (fn.data.read_csv, fn.data.read_table):
        with pytest.raises(FileNotFoundError, match=r"there is no file .*gone\.csv"):
            reader(tmp_path / "gone.csv")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(fn.FileError, match="gzip"):
        fn.data.read_table(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("a,b\n", "no row below"),
        ("1,2\n3,4\n", "line 1 holds numbers, expected the names of the columns: .* x1,x2"),
        ("a,b\n1,2\n3\n", "line 3 has 1 field, expected 2"),
        ("a,b\n1,2\n\n3,4,5\n", "line 4 has 3 fields, expected 2"),
        ('a,b\n"x\ny",2\n3\n', "line 4 has 1 field"),
        ("a,b,a\n1,2,3\n", "line 1 names two columns 'a', number 1 and number 3"),
        ("a,,b\n1,2,3\n", "line 1 has no name for column 2"),
        ('a,b\n1,"x\n', "line 2 cannot be read"),
        ('a,b\n1,"x"y\n', "line 2 cannot be read"),
        ("a,b\n\0,1\n", "null characters"),
        (
            "a,b\n" + "1,2\n" * 30 + "x,2\n",
            "column 'a', line 32: 'x' is not a number, and nearly all .*missing=.*'x'.*kinds",
        ),
        ("a,b\n" + "2024-01-31,2\n" * 30 + "soon,2\n", "column 'a', line 32: 'soon' is not a date, and nearly all"),
        ('a,b\n"1,5",2\n"2,5",2\n', "'1,5' has a comma in it: give decimal=','"),
        ("a\tb\n1,234\t2\n5,678\t2\n", "'1,234' has a comma in it"),
        ("a,b\n01/02/2024,2\n", "'01/02/2024' does not say which number is the month"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(fn.FileError, match=message) as error:
        fn.data.read_csv(written(tmp_path, content))
    assert str(tmp_path / "table.csv") in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"separator": ",,"}, "separator is ',,'"),
        ({"separator": '"'}, "separator is"),
        ({"decimal": ";"}, "decimal is ';'"),
        ({"encoding": "klingon"}, "encoding is 'klingon'"),
        ({"encoding": 8}, "encoding is 8"),
        ({"missing": "NA"}, "missing is 'NA', expected a tuple"),
        ({"missing": [1]}, "missing holds 1"),
        ({"kinds": {"price": "integer"}}, r"kinds\['price'\] is 'integer', expected one of number, boolean, date, category"),
        ({"kinds": {"rent": "number"}}, "kinds names 'rent', and .* has no such column"),
        ({"kinds": {"city": "number"}}, "column 'city', line 2: 'Bonn' is not a number"),
        ({"kinds": {"city": "boolean"}}, "line 2: 'Bonn' is not true or false"),
        ({"kinds": {"city": "date"}}, "line 2: 'Bonn' is not a date"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        fn.data.read_csv(written(tmp_path, POINTS), **options)


def test_options_decide(tmp_path: Path) -> None:
    path = written(tmp_path, "a;b\n1,5;x\n2;none\n")
    assert as_lists(fn.data.read_csv(path, separator="|")) == {"a;b": ["1,5;x", "2;none"]}
    assert as_lists(fn.data.read_csv(path, kinds={"a": "category"}))["a"] == ["1,5", "2"]
    assert as_lists(fn.data.read_csv(path, missing=("none",)))["b"] == ["x", None]
    quoted = written(tmp_path, 'a,b\n"1,5",x\n"1.250,5",y\n')
    assert as_lists(fn.data.read_csv(quoted, decimal=","))["a"] == [1.5, 1250.5]


def test_names_made_of_digits_stay_texts(tmp_path: Path) -> None:
    path = written(tmp_path, "zip,id,n\n01234,007,0\n90210,008,0.5\n" + "90211,009,-0\n" * 30)
    table = fn.data.read_csv(path)
    assert [column.kind for column in table.columns.values()] == ["category", "category", "number"]
    assert as_lists(table)["zip"][:2] == ["01234", "90210"]


@pytest.mark.parametrize("late", ["x", "1_000", "٣", "0x1", "true", "2024-01-01", "1 2"])
def test_a_word_far_below_makes_a_column_one_of_texts(late: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second pass: rows of the first blocks are read again as texts."""
    monkeypatch.setattr(csv_reader, "_BLOCK", 4)
    path = written(tmp_path, "a,b\n" + "".join(f"{row},{row % 3}\n" for row in range(10)) + f"{late},1\n" * 9)
    found = as_lists(fn.data.read_csv(path))
    assert found["a"] == [*map(str, range(10)), *[late] * 9]
    assert found["b"] == [*[float(row % 3) for row in range(10)], *[1.0] * 9]


@pytest.mark.parametrize("kind", ["number", "boolean", "date", "category"])
def test_columns_that_begin_empty(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "_BLOCK", 3)
    word = {"number": "2.5", "boolean": "True", "date": "2024-02-29", "category": "x"}[kind]
    table = fn.data.read_csv(written(tmp_path, "a,b\n" + ",1\n" * 7 + f"{word},1\n" + ",1\n"))
    assert table["a"].kind == kind
    assert table["a"].missing.tolist() == [True] * 7 + [False, True]
    empty = fn.data.read_csv(written(tmp_path, "a,b\n" + ",1\n" * 7))
    assert empty["a"].kind == "number"
    assert empty["a"].missing.all()


@pytest.mark.parametrize(
    ("word", "moment"),
    [
        ("2024-01-31", "2024-01-31"),
        ("2024/1/3", "2024-01-03"),
        ("31.1.2024", "2024-01-31"),
        ("2024-01-31 07:08", "2024-01-31T07:08"),
        ("2024-01-31T07:08:09.123456789", "2024-01-31T07:08:09.123456"),
        ("2024-01-31T07:08:09Z", "2024-01-31T07:08:09"),
        ("2024-01-31 00:30:00+01:00", "2024-01-30T23:30"),
        ("2024-01-31 00:30-0230", "2024-01-31T03:00"),
        ("1931-01-31 00:30+01", "1931-01-30T23:30"),
        ("2024-02-30", None),
        ("2024-01-31 25:00", None),
        ("2024-01-31 12:00+23:59", "2024-01-30T12:01"),
        ("2024-01-31 12:00+24:00", None),
        ("2024-01-31 12:00+01:60", None),
        ("2024-01-31 12:00+99", None),
        ("2024-1/31", None),
        ("24-01-31", None),
        ("2024-01-31 noon", None),
    ],
)
def test_dates(word: str, moment: str | None) -> None:
    assert words.date_of(word) == (None if moment is None else np.datetime64(moment, "us"))


@pytest.mark.parametrize("decimal", [".", ","])
def test_numbers_are_those_of_python(decimal: str) -> None:
    """Against float, on words that it takes and a table means."""
    draw = fn.Key(0).generator()
    numbers = [*(draw.normal(size=300) * 10.0 ** draw.integers(-300, 300, 300)).tolist(), 0.0, -0.0, 1e308, 5e-324]
    texts = [repr(number) for number in numbers] + [f"{number:.3f}" for number in numbers[:50] if abs(number) < 1e6]
    given = [text.replace(".", decimal) for text in texts]
    found = words.numbers([*given, ""], words.ABSENT, decimal)
    assert found is not None
    assert found[:-1].tolist() == [float(text) for text in texts]
    assert np.isnan(found[-1])
    for wrong in ("1_0", "x", "1 2", "0x1", "--1", "1e", "٣", "1.2.3", "1,2,3"):
        assert words.numbers([*given, wrong], words.ABSENT, decimal) is None


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    table = fn.data.read_csv(written(tmp_path, 'a,b\n"x\ny",1\n\n"z",2\n'))
    assert table.lines is not None
    assert table.lines.tolist() == [2, 5]
    assert table.place(1, "b").endswith("table.csv: column 'b', line 5")
    assert table.take(np.array([1])).place(0, "b") == table.place(1, "b")


def test_whatever_is_written_is_read_again(tmp_path: Path) -> None:
    """Tables of random words, by Python's own writer, with every separator."""
    draw = fn.Key(1).generator()
    letters = list("ab ,;|\t\"'\n.-é")
    for mark in (",", ";", "\t", "|"):
        rows = [["".join(draw.choice(letters, draw.integers(1, 8))) for _ in range(3)] for _ in range(60)]
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=mark, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([["a", "b", "c"], *rows])
        table = fn.data.read_csv(written(tmp_path, text.getvalue()), separator=mark, kinds=dict.fromkeys("abc", "category"))
        expected = [[word.strip() or None for word in row] for row in rows]
        assert list(map(list, zip(*as_lists(table).values(), strict=True))) == expected


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("7", "x7", "'x7' is not a number, and nearly all of the column are"),
        ("2024-01-31", "2024-01-32", "'2024-01-32' is not a date, and nearly all of the column are"),
        ("1/2/2024", "x", "'1/2/2024' does not say which number is the month"),
        ('"1,5"', "x", "'1,5' has a comma in it: give decimal=','"),
    ],
)
def test_nine_of_ten_words_are_nearly_all(right: str, wrong: str, message: str, tmp_path: Path) -> None:
    def column(*rows: str) -> Path:
        return written(tmp_path, "a,b\n" + "".join(f"{one},1\n" for one in rows))

    with pytest.raises(fn.FileError, match=re.escape(message)):
        fn.data.read_csv(column(*[right] * 9, wrong))
    assert fn.data.read_csv(column(*[right] * 8, wrong))["a"].kind == "category"  # 8 of 9
    assert fn.data.read_csv(column(*[right] * 89, *[wrong] * 10))["a"].kind == "category"


def test_points_in_a_file_whose_decimal_mark_is_said_to_be_a_comma_are_asked_about(tmp_path: Path) -> None:
    path = written(tmp_path, "a;b\n" + "1.5;1\n2.25;2\n")
    with pytest.raises(fn.FileError, match=re.escape("'1.5' has a point in it: give decimal='.'")):
        fn.data.read_csv(path, decimal=",")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b;c\n1,2\n3,4\n", ["a", "b;c"]),  # by a semicolon the rows below have one field
        ("a;b,c\n1;2\n3;4\n", ["a", "b,c"]),
        ("a|b\tc\n1|2\n3|4\n", ["a", "b\tc"]),
        ("a,b;c,d\n1,2;3,4\n", ["a", "b;c", "d"]),  # of equal ones that of most fields
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("packed", [False, True])
def test_the_separator_is_that_by_which_rows_are_alike(
    text: str, names: list[str], encoding: str, packed: bool, tmp_path: Path
) -> None:
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    content = text.encode(encoding)
    path.write_bytes(gzip.compress(content) if packed else content)
    table = fn.data.read_csv(path, kinds=dict.fromkeys(names, "category"))
    assert list(table.names) == names
