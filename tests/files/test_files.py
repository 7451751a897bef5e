"""Trees in files: what is read is what was written, or an error that says what is wrong."""

import io
import json
import os
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from attrs import frozen

import funcnn as fn
from funcnn.files.npy_header import read_header
from funcnn.typing import Array


@frozen(eq=False)
class Weights:
    weight: Array
    bias: Array


class Pair(NamedTuple):
    first: Any
    second: Any


def tree() -> Any:
    return (
        Weights(np.arange(6, dtype=np.float32).reshape(2, 3), np.array(2.5)),
        {"b/..": np.array([np.nan, np.inf, -0.0]), "a": (), "ü": Pair(np.zeros((0, 3)), (np.arange(3),))},
        np.array([1 / np.longdouble(3)]),
        np.array([1 + 2j]),
        np.array([True, False]),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(12, dtype=np.int8)[::2],
    )


def test_a_tree_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    fn.save(tmp_path / "tree.npz", tree(), note="größe: 1\n")
    again = fn.load(tmp_path / "tree.npz", like=tree())
    assert fn.tree.same(again, tree())
    assert isinstance(again[0], Weights)
    assert isinstance(again[1]["ü"], Pair)
    assert fn.load_note(tmp_path / "tree.npz") == "größe: 1\n"
    assert not any(leaf.flags.writeable for leaf in fn.tree.leaves(again))


def test_without_a_tree_to_be_like_the_paths_are_the_names(tmp_path: Path) -> None:
    fn.save(tmp_path / "tree.npz", tree())
    loaded = fn.load(tmp_path / "tree.npz")
    assert tuple(loaded) == fn.tree.paths(tree())
    assert fn.tree.same(tuple(loaded.values()), fn.tree.leaves(tree()))


def test_numpy_can_read_it(tmp_path: Path) -> None:
    fn.save(tmp_path / "tree.npz", tree())
    with np.load(tmp_path / "tree.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["[0].weight"], tree()[0].weight)
        assert set(fn.tree.paths(tree())) < set(archive.files)


@pytest.mark.parametrize("one", [(), np.zeros(2), np.array(1.0), {"only": np.zeros(1)}])
def test_small_trees(tmp_path: Path, one: Any) -> None:
    fn.save(tmp_path / "tree.npz", one)
    assert fn.tree.same(fn.load(tmp_path / "tree.npz", like=one), one)


def test_equal_trees_give_equal_files(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        fn.save(tmp_path / name, tree())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_foreign_byte_order_is_made_native(tmp_path: Path) -> None:
    fn.save(tmp_path / "tree.npz", (np.arange(3, dtype=">f8"),))
    again = fn.load(tmp_path / "tree.npz", like=(np.zeros(3),))
    np.testing.assert_array_equal(again[0], [0.0, 1.0, 2.0])
    assert again[0].dtype.isnative


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ((np.zeros((2, 2)), {"b": np.zeros(3)}), r"\[0\] is float64\[2, 3\], expected float64\[2, 2\]"),
        ((np.zeros((2, 3), np.float32), {"b": np.zeros(3)}), r"\[0\] is float64\[2, 3\], expected float32\[2, 3\]"),
        ((np.zeros((2, 3)), {"c": np.zeros(3)}), r"\[1\] is dict with \['b'\], expected dict with \['c'\]"),
        ((np.zeros((2, 3)), (np.zeros(3),)), r"\[1\] is dict with \['b'\], expected tuple with \[0\]"),
        ((np.zeros((2, 3)), np.zeros(3)), r"\[1\] is dict with \['b'\], expected an array"),
        ((np.zeros((2, 3)), {"b": ()}), r"\[1\]\['b'\] is an array, expected an empty tuple"),
        ((np.zeros((2, 3)),), r"the tree is tuple with \[0\], \[1\], expected tuple with \[0\]"),
        (Pair(np.zeros((2, 3)), {"b": np.zeros(3)}), r"expected Pair with \.first, \.second"),
        (np.zeros(2), "the tree is tuple"),
    ],
)
def test_another_tree_is_named_by_its_path(tmp_path: Path, like: Any, message: str) -> None:
    fn.save(tmp_path / "tree.npz", (np.zeros((2, 3)), {"b": np.zeros(3)}))
    with pytest.raises(fn.FileError, match=message):
        fn.load(tmp_path / "tree.npz", like=like)


def test_only_numbers_are_written(tmp_path: Path) -> None:
    for wrong in (
        np.array([None]),
        np.array(["text"]),
        np.array([b"x"]),
        np.zeros(1, "datetime64[s]"),
        np.zeros(1, [("a", "f8")]),
    ):
        with pytest.raises(TypeError, match=r"\[0\]\['w'\] has dtype .*: only numbers"):
            fn.save(tmp_path / "tree.npz", ({"w": wrong},))
    with pytest.raises(TypeError, match=r"\[1\] is None"):
        fn.save(tmp_path / "tree.npz", (np.zeros(1), None))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "array", [np.zeros((2, 3)), np.float32(1), np.zeros((0, 2), np.int8), np.asfortranarray(np.ones((2, 2)))]
)
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_headers_are_read_as_numpy_writes_them(array: Any, version: tuple[int, int]) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), version)
    dtype, fortran, shape, start = read_header(stream.getvalue())
    assert (dtype, shape, fortran) == (array.dtype, array.shape, not np.asarray(array).flags.c_contiguous)
    assert stream.getvalue()[start:] == np.asarray(array).tobytes("A")


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }",
        '{"shape":(2,3),"fortran_order":False,"descr":"<f8"}   \n',
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2L, 3L), }",
    ],
)
def test_headers_of_other_writers(text: str) -> None:
    assert read_header(header(text)) == (np.dtype(float), False, (2, 3), 10 + len(text))


def test_a_file_of_the_first_format_is_read(tmp_path: Path) -> None:
    nested = ["tuple", [["[0]", 0], ["[1]", ["dict", [["['b']", 0], ["['c']", ["tuple", []]]]]]]]
    leaves = [["[0]", "<f8", [2]], ["[1]['b']", "<f8", [3]]]
    entries = [described(leaves, structure=nested, note="old"), ("[0].npy", entry()), ("[1]['b'].npy", entry(np.ones(3)))]
    path = archive(tmp_path / "t.npz", entries)
    like = (np.ones(2), {"b": np.zeros(3), "c": ()})
    assert fn.tree.same(fn.load(path, like=like), (np.zeros(2), {"b": np.ones(3), "c": ()}))
    assert fn.load_note(path) == "old"


@pytest.mark.parametrize("depth", [400, 900, 5000])
def test_trees_of_any_depth(tmp_path: Path, depth: int) -> None:
    deep: Any = (np.ones(1), np.zeros(2))
    for _ in range(depth):
        deep = (deep,)
    fn.save(tmp_path / "deep.npz", deep)
    assert list(fn.load(tmp_path / "deep.npz")) == ["[0]" * depth + "[0]", "[0]" * depth + "[1]"]


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    deep: Any = np.ones(1)
    for _ in range(22_000):
        deep = (deep,)
    with pytest.raises(ValueError, match="nested too deeply"):
        fn.save(tmp_path / "deep.npz", deep)
    with pytest.raises(TypeError, match="note is int, expected a text"):
        fn.save(tmp_path / "deep.npz", (), note=3)  # type: ignore[arg-type]  # the mistake
    assert not list(tmp_path.iterdir())


def test_a_note_of_any_length(tmp_path: Path) -> None:
    note = "x" * (65 * 2**20) + "\ud800ü"
    fn.save(tmp_path / "long.npz", (np.ones(1),), note=note)
    assert fn.load_note(tmp_path / "long.npz") == note


@pytest.mark.skipif(os.name != "posix", reason="pipes as POSIX has them")
def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(fn.FileError, match="is a pipe or a device, expected a file"):
        fn.load(tmp_path / "pipe")


def test_messages_quote_a_line_and_no_escape_sequences(tmp_path: Path) -> None:
    path = archive(tmp_path / "t.npz", [described(structure=["\x1b[31m" * 9999, [["\n" * 9999, 0]]]), ("[0].npy", entry())])
    with pytest.raises(fn.FileError) as caught:
        fn.load(path, like=(np.ones(2),))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400 + len(str(path))


# ----------------------------------------------------------------------------------------------------------------- atomically


def test_wrong_places_are_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"the folder .*nowhere does not exist"):
        fn.save(tmp_path / "nowhere" / "tree.npz", ())
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        fn.save(tmp_path, ())
    with pytest.raises(FileNotFoundError, match="there is no file"):
        fn.load(tmp_path / "tree.npz")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        fn.load(tmp_path)


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    path = tmp_path / "tree.npz"
    fn.save(path, (np.ones(1),))

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(type(error)):
        fn.save(path, (np.zeros(1),))
    monkeypatch.undo()
    assert fn.load(path)["[0]"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["tree.npz"]


def test_a_writer_that_dies_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "tree.npz"
    fn.save(path, (np.ones(1),))
    script = f"""
        import os
        from funcnn.files.atomic_write import write_atomically
        def die(file):
            file.write(b"half")
            file.flush()
            os._exit(9)
        write_atomically({str(path)!r}, die)
    """
    root = str(Path(fn.__file__).parents[1])
    made = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=os.environ | {"PYTHONPATH": root}, check=False)
    assert made.returncode == 9
    assert fn.load(path)["[0]"] == 1


def test_a_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    fn.save(tmp_path / "tree.npz", ())
    assert (tmp_path / "tree.npz").stat().st_mode == (tmp_path / "plain").stat().st_mode


# ------------------------------------------------------------------------------------------------------------ hostile, damaged


def archive(path: Path, entries: list[tuple[str, bytes]], kind: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as made:
        for name, content in entries:
            made.writestr(name, content)
    return path


def described(leaves: Any = None, **changes: Any) -> tuple[str, bytes]:
    fields = {
        "format": 1,
        "longdouble": int(np.finfo(np.longdouble).nmant),
        "structure": ["tuple", [["[0]", 0]]],
        "leaves": [["[0]", "<f8", [2]]] if leaves is None else leaves,
        "note": "",
    }
    return "funcnn.json", json.dumps(fields | changes).encode()


def entry(array: Any = None, *, allow_pickle: bool = False) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.zeros(2) if array is None else array, allow_pickle=allow_pickle)
    return stream.getvalue()


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_the_archives_made_here_are_read(tmp_path: Path) -> None:
    path = archive(tmp_path / "t.npz", [described(), ("[0].npy", entry())])
    np.testing.assert_array_equal(fn.load(path, like=(np.ones(2),))[0], [0.0, 0.0])


def test_every_truncation_and_every_flipped_byte_is_an_error_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "tree.npz"
    original = (np.arange(4.0), {"b": np.arange(3)})
    fn.save(path, original, note="n")
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(fn.FileError):
            fn.load(path, like=original)
    generator = np.random.default_rng(0)
    refused = 0
    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] ^= int(generator.integers(1, 256))
        path.write_bytes(broken)
        try:
            again = fn.load(path, like=original)
        except fn.FileError:
            refused += 1
        else:
            assert fn.tree.same(again, original)  # times, flags: bytes that mean nothing here
    assert refused > 0.7 * len(whole)


HOSTILE: dict[str, tuple[list[tuple[str, bytes]], str]] = {
    "plain npz": ([("a.npy", entry())], "it has no entry funcnn.json"),
    "newer format": ([described(format=3)], "has format 3; this version reads 1 to 2: update funcnn"),
    "no json": ([("funcnn.json", b"{")], "its description cannot be read"),
    "not utf-8": ([("funcnn.json", b"\xff\xfe\xff")], "its description cannot be read"),
    "a list": ([("funcnn.json", b"[]")], "its description cannot be read"),
    "deep json": ([("funcnn.json", b"[" * 100_000)], "its description cannot be read"),
    "fields missing": ([("funcnn.json", b'{"format": 1}')], "its description cannot be read"),
    "negative shape": ([described([["[0]", "<f8", [-1]]]), ("[0].npy", entry())], "is not a shape"),
    "boolean shape": ([described([["[0]", "<f8", [True]]]), ("[0].npy", entry())], "is not a shape"),
    "text for a shape": ([described([["[0]", "<f8", "2"]]), ("[0].npy", entry())], "is not a shape"),
    "objects": ([described([["[0]", "|O", [2]]]), ("[0].npy", entry())], "'.O' is not the type of a number"),
    "dtype of many digits": (
        [described([["[0]", "1" * 5000, [2]]]), ("[0].npy", entry())],
        r"1\.\.\.' is not the type of a number",
    ),
    "seven bytes": ([described([["[0]", "<i7", [2]]]), ("[0].npy", entry())], "'<i7' is not the type of a number"),
    "two leaves of one path": ([described([["[0]", "<f8", [2]]] * 2), ("[0].npy", entry())], "two leaves have one path"),
    "too many axes": ([described([["[0]", "<f8", [1] * 65]]), ("[0].npy", entry())], "is not a shape"),
    "no note": ([described(format=2, structure=[["tuple", ["[0]"]], None]), ("[0].npy", entry())], "cannot be read"),
    "flat structure of nonsense": (
        [described(format=2, structure=[["tuple", ["[0]"]], "abc"]), ("note.txt", b""), ("[0].npy", entry())],
        "cannot be read",
    ),
    "flat structure too short": (
        [described(format=2, structure=[["tuple", ["[0]"]]]), ("note.txt", b""), ("[0].npy", entry())],
        "is an empty unreadable, expected an array",
    ),
    "flat structure too long": (
        [described(format=2, structure=[["tuple", ["[0]"]], None, None]), ("note.txt", b""), ("[0].npy", entry())],
        "its leaves are not those of its structure",
    ),
    "no dtype": ([described([["[0]", "nonsense", [2]]]), ("[0].npy", entry())], "its description cannot be read"),
    "subarray dtype": ([described([["[0]", "(3,)f8", [2]]]), ("[0].npy", entry())], "damaged"),
    "huge leaf": ([described([["[0]", "<f8", [2**30, 2**20]]]), ("[0].npy", entry())], r"\[0\] is missing or too short"),
    "impossible leaf": (
        [described([["[0]", "<f8", [2**62, 2**62]]]), ("[0].npy", entry())],
        "not a shape that an array can have",
    ),
    "impossible empty leaf": (
        [described([["[0]", "<f8", [0, 2**70]]]), ("[0].npy", entry())],
        "not a shape that an array can have",
    ),
    "missing leaf": ([described()], r"\[0\] is missing or too short"),
    "too many leaves": (
        [described([["[0]", "<f8", [2]], ["[1]", "<f8", [2]]]), ("[0].npy", entry()), ("[1].npy", entry())],
        "its leaves are not those of its structure",
    ),
    "too few leaves": ([described([])], "its leaves are not those of its structure"),
    "renamed leaf": ([described([["[7]", "<f8", [2]]]), ("[7].npy", entry())], "its leaves are not those of its structure"),
    "other shape inside": ([described(), ("[0].npy", entry(np.zeros(3)))], "is not what the description says"),
    "other dtype inside": ([described(), ("[0].npy", entry(np.zeros(2, np.int64)))], "is not what the description says"),
    "numbers missing": ([described(), ("[0].npy", entry()[:-1])], "is not what the description says"),
    "numbers too many": ([described(), ("[0].npy", entry() + b"x")], "is not what the description says"),
    "no header": ([described(), ("[0].npy", b"x" * 200)], "has no header"),
    "pickle": (
        [described(), ("[0].npy", entry(np.array([print, None], object), allow_pickle=True) + b"x" * 100)],
        "has no header .*expected an array of numbers",
    ),
    "structured header": ([described(), ("[0].npy", entry(np.zeros(2, "i4,i4")))], "has no header"),
    "header that is code": ([described(), ("[0].npy", header("__import__('os').abort()") + bytes(99))], "has no header"),
    "header of brackets": ([described(), ("[0].npy", header("((((") + bytes(16))], "has no header"),
    "header of many brackets": ([described(), ("[0].npy", header("[" * 9000) + bytes(16))], "has no header"),
    "header of many digits": (
        [
            described(),
            ("[0].npy", header("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "9" * 9000 + ",), }") + bytes(16)),
        ],
        "is not a shape",
    ),
    "header that does not end": ([described(), ("[0].npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(99))], "is cut short"),
    "version of the future": ([described(), ("[0].npy", b"\x93NUMPY\x09\x00\x04\x00" + bytes(99))], "version 9.0"),
    "huge entry": ([described(), ("[0].npy", entry() + bytes(2**17))], "at most"),
    "structure of nonsense": ([described(structure={"a": [1, 2]}), ("[0].npy", entry())], "expected tuple with"),
    "structure of numbers": ([described(structure=[["tuple", 1]]), ("[0].npy", entry())], "expected tuple with"),
    "structure nested wrongly": ([described(structure=["tuple", [["[0]", "x"]]]), ("[0].npy", entry())], "expected an array"),
    "foreign long double": (
        [described([["[0]", "<f16", [2]]], longdouble=1), ("[0].npy", entry(np.zeros(2, np.longdouble)))],
        "of another kind of machine",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(tmp_path: Path, name: str) -> None:
    entries, message = HOSTILE[name]
    path = archive(tmp_path / "t.npz", entries)
    with pytest.raises(fn.FileError, match=message):
        fn.load(path, like=(np.zeros(2),))


def test_truth_values_are_0_and_1(tmp_path: Path) -> None:
    path = archive(tmp_path / "t.npz", [described([["[0]", "|b1", [1]]]), ("[0].npy", entry(np.ones(1, bool))[:-1] + b"\2")])
    with pytest.raises(fn.FileError, match=r"\[0\] holds truth values other than 0 and 1"):
        fn.load(path)


def test_a_bomb_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    count = 2**27
    bomb = archive(
        tmp_path / "bomb.npz",
        [described([["[0]", "|u1", [count]]]), ("[0].npy", entry(np.zeros(count, np.uint8)))],
        zipfile.ZIP_DEFLATED,
    )
    assert bomb.stat().st_size < 2**20
    with pytest.raises(fn.FileError, match="its entries are compressed"):
        fn.load(bomb)


def test_entries_that_overlap_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "t.npz", [described(), ("[0].npy", entry(np.zeros(1000)))])
    raw = bytearray(path.read_bytes())
    directory = raw.index(b"PK\x01\x02")
    end = raw.index(b"PK\x05\x06")
    second = raw.index(b"PK\x01\x02", directory + 1)
    again = raw[second:end].replace(b"[0].npy", b"[1].npy")
    both = raw[:end] + again + raw[end:]
    tail = len(both) - (len(raw) - end)
    both[tail + 8 : tail + 12] = (3).to_bytes(2, "little") * 2
    both[tail + 12 : tail + 16] = (tail - directory).to_bytes(4, "little")
    path.write_bytes(both)
    with pytest.raises(fn.FileError, match=r"claim more bytes|Overlapped"):
        fn.load(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "t.npz", [described(), ("[0].npy", entry()), ("[0].npy", entry(np.ones(2)))])
    with pytest.raises(fn.FileError, match="two entries have one name"):
        fn.load(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    for content in (b"", b"text", entry(), b"PK\x05\x06" + bytes(18)):
        path.write_bytes(content)
        with pytest.raises(fn.FileError):
            fn.load(path)


@pytest.mark.parametrize("path", [None, 1, b"a.npz", ["a.npz"], np.zeros(2), 1.5])
def test_what_is_no_path_is_told_by_name(path: Any) -> None:
    calls: tuple[Callable[[], object], ...] = (
        lambda: fn.save(path, np.zeros(1)),
        lambda: fn.load(path),
        lambda: fn.load_note(path),
        lambda: fn.Checkpoint(path),
    )
    for call in calls:
        with pytest.raises(TypeError, match=r"path is .*, expected the path of a file"):
            call()


def test_a_path_with_a_null_character_is_told() -> None:
    calls: tuple[Callable[[], object], ...] = (
        lambda: fn.save("a\0b", np.zeros(1)),
        lambda: fn.load("a\0b"),
        lambda: fn.Checkpoint("a\0b"),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"path is 'a\\x00b', which holds a null character"):
            call()
