"""Every reader against damaged and hostile files: the right data, or its one kind of error, in little memory.

No message quotes more than a line, or anything that would steer a terminal.

``python -m tests.sweeps.test_hostile_files 5000`` tries so many changes of each file; the test some.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import frozen

import funcnn as fn
from funcnn.cli import folder, inputs, network
from funcnn.cli.failure import RequestError
from funcnn.cli.network import Facts
from funcnn.cli.settings import defaults_for
from funcnn.files.npy_header import read_header

_MEMORY = 48 * 2**20
_WORDS = (
    b"((((", b"[" * 3000, b"{" * 3000, b"9" * 5000, b"-1", b"1e999", b"NaN", b"null", b"\x1b]0;owned\x07", b"\x00" * 64,
    b"\xff" * 64, b'"' * 9, b"__import__('os').abort()", b"f8," * 9000, b"\\ud800", b"PK\x01\x02", b"PK\x05\x06", b"True",
    b"\r\n\t ", b"(0, 1180591620717411303424)",
)  # fmt: skip
TREE: Any = (np.arange(12.0).reshape(3, 4), {"b": np.arange(5), "c": (np.ones(2, np.float32),)})


@frozen
class Reader:
    """A reader, a file that it reads, and the one kind of error that it may raise."""

    name: str
    """Of the file."""
    write: Callable[[Path], object]
    read: Callable[[Path], object]
    error: type[Exception]


def checkpointed(path: Path) -> None:
    fn.fit(*task(), epochs=2, callbacks=[fn.Checkpoint(path)], **_REST)


def task() -> tuple[Any, ...]:
    return fn.dense(1), fn.mean_squared_error(), fn.adam(0.1), np.ones((8, 2)), np.ones((8, 1))


_REST: Any = {"key": fn.Key(0), "batch_size": 4, "progress": False}


def idx(path: Path, pack: bool = False) -> None:
    content = bytes([0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5]) + bytes(range(60))
    path.write_bytes(gzip.compress(content, mtime=0) if pack else content)


SETTINGS = defaults_for("mlp", "digits")
FACTS = Facts(tuple("0123456789"), 64, (8, 8))


def run_folder(path: Path) -> None:
    """Write the folder of a run around the file."""
    model = network.make_network(SETTINGS, FACTS)
    start = network.start(SETTINGS, model, fn.Key(0), FACTS)
    folder.write_config(path.parent, SETTINGS, FACTS)
    folder.write_params(path.parent, start.params, start.state)


def rows_of(path: Path) -> object:
    return inputs.read_rows(path, folder.Run(SETTINGS, Facts(("a",), 4), network.make_network(SETTINGS, FACTS), (), ()))


TABLE = 'price;area;city;new;since\n812,5;61,5;Bonn;true;2024-01-31\n;48;"Ulm; old";false;2021-10-15 10:00\n7;8;;;\n'


def save_transform(path: Path) -> None:
    columns = {"n": [1.5, None, 2.0], "c": ["a", "b", None], "d": np.array(["2023-01-01", "2024-06-01", "NaT"], "datetime64[D]")}
    fn.data.save_table_transform(path, fn.data.fit_table(columns | {"b": [True, False, True], "y": ["p", "q", "q"]}))


READERS = [
    Reader("tree.npz", lambda path: fn.save(path, TREE, note="n"), lambda path: fn.load(path, like=TREE), fn.FileError),
    Reader("paths.npz", lambda path: fn.save(path, TREE), fn.load, fn.FileError),
    Reader("note.npz", lambda path: fn.save(path, (), note='{"a": 1}'), fn.load_note, fn.FileError),
    Reader("checkpoint.npz", checkpointed, lambda path: fn.fit(*task(), epochs=2, resume=path, **_REST), fn.FileError),
    Reader("header.npy", lambda path: np.save(path, np.ones((2, 3))), lambda path: read_header(path.read_bytes()), ValueError),
    Reader("images", idx, fn.data.load_idx, ValueError),
    Reader("images.gz", lambda path: idx(path, True), fn.data.load_idx, ValueError),
    Reader("config.json", run_folder, lambda path: folder.open_run(path.parent), RequestError),
    Reader("params.npz", run_folder, lambda path: folder.open_run(path.parent), RequestError),
    Reader("rows.npy", lambda path: np.save(path, np.ones((3, 4))), rows_of, RequestError),
    Reader("rows.csv", lambda path: path.write_text("a,b,c,d\n1,2,3,4\n5,6,7,8\n"), rows_of, RequestError),
    Reader("table.csv", lambda path: path.write_text(TABLE), fn.data.read_table, ValueError),
    Reader("table.csv.gz", lambda path: path.write_bytes(gzip.compress(TABLE.encode(), mtime=0)), fn.data.read_table, ValueError),
    Reader("transform.json", save_transform, fn.data.load_table_transform, fn.FileError),
    Reader("rows.txt", lambda path: path.write_text("1 2 3 4\n5 6 7 8\n"), rows_of, RequestError),
    Reader("rows", lambda path: path.write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 4, *range(12)])), rows_of, RequestError),
]


def changed(whole: bytes, draw: np.random.Generator) -> bytes:
    """Return a file with something wrong in it."""
    at, until = sorted(draw.integers(0, len(whole) + 1, 2).tolist())
    kind = draw.integers(8)
    if kind == 0:
        return whole[:at]
    if kind == 1:
        return whole[:at] + whole[until:]
    if kind == 2:
        return whole[:until] + whole[at:until] + whole[until:]
    if kind == 3:
        return whole[:at] + draw.bytes(int(draw.integers(1, 9))) + whole[at:]
    if kind in (4, 5):
        word = _WORDS[draw.integers(len(_WORDS))]
        return whole[:at] + word + whole[at + int(draw.integers(2)) * len(word) :]
    flipped = bytearray(whole)
    for place in draw.integers(0, len(whole), int(draw.integers(1, 4))).tolist():
        flipped[place] ^= 1 << int(draw.integers(8))
    return bytes(flipped)


def changed_numbers(whole: bytes, draw: np.random.Generator) -> bytes:
    """Return a JSON text in which one value is another."""
    values: list[Any] = [
        0,
        -1,
        2**70,
        10**400,
        1e308,
        float("inf"),
        None,
        True,
        "",
        "\x1b[31m",
        [],
        {},
        [[]] * 99,
        3_000_000,
        "x" * 9999,
    ]
    entries = json.loads(whole)
    node: Any = entries
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = keys[draw.integers(len(keys))]
        if isinstance(node[key], (dict, list)) and node[key] and draw.random() < 0.7:
            node = node[key]
            continue
        node[key] = values[draw.integers(len(values))]
        return json.dumps(entries).encode()


def sweep(reader: Reader, place: Path, count: int) -> tuple[int, int]:
    """Try so many changes of a file; return how many were refused, and the peak of memory."""
    path, draw = place / reader.name, np.random.default_rng(0)
    reader.write(path)
    whole = path.read_bytes()
    reader.read(path)
    refused = 0
    tracemalloc.start()
    try:
        for number in range(count):
            way = changed_numbers if path.suffix == ".json" and number % 2 else changed
            content = way(whole, draw)
            path.write_bytes(content)
            try:
                reader.read(path)
            except reader.error as error:
                said, refused = str(error), refused + 1
                assert said.isprintable(), repr(said[:300])
                assert len(said) < 700 + len(str(place)) * 3, said[:300]
            except BaseException as error:
                raise AssertionError(f"{reader.name}: {type(error).__name__}: {error!s:.200} for {content[:300]!r}") from error
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return refused, peak


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_damaged_files_are_refused_or_right(reader: Reader, tmp_path: Path) -> None:
    refused, peak = sweep(reader, tmp_path, 150)
    assert refused > 10
    assert peak < _MEMORY


OPENED: dict[str, Callable[[str], object]] = {
    "load": lambda name: fn.load(name, like=TREE),
    "save": lambda name: fn.save(name, TREE),
    "load_idx": fn.data.load_idx,
    "idx_folder": fn.data.idx_folder,
    "image_folder": fn.data.image_folder,
    "read_csv": fn.data.read_csv,
    "read_table": lambda name: fn.data.read_table(f"{name}.csv"),
    "load_table_transform": fn.data.load_table_transform,
    "read_tokenizer": fn.data.read_tokenizer,
    "read_byte_pairs": lambda name: fn.data.read_byte_pairs(name, name),
    "pretrained": fn.pretrained.load,
    "Checkpoint": lambda name: fn.Checkpoint(name),
    "BestCheckpoint": lambda name: fn.BestCheckpoint(name),
    "CSVLog": lambda name: fn.CSVLog(name),
    "TensorBoardLog": lambda name: fn.TensorBoardLog(name),
}


@pytest.mark.parametrize("opened", OPENED)
def test_names_that_no_file_has_are_refused_as_such(opened: str) -> None:
    with pytest.raises(ValueError, match="holds a null character: no file has such a name"):
        OPENED[opened]("a\0b")


if __name__ == "__main__":
    for one in READERS:
        with tempfile.TemporaryDirectory() as somewhere:
            print(one.name, *sweep(one, Path(somewhere), int(sys.argv[1])), flush=True)
