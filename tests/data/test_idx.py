"""IDX files: what is read, and what is refused."""

from __future__ import annotations

import contextlib
import gzip
import struct
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

import funcnn as fn
from funcnn.data.idx import holds_bytes
from funcnn.typing import Array, IntArray

TYPES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def pack(array: Array | IntArray) -> bytes:
    """Write an IDX file as its definition says, independently of the loader."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, TYPES[array.dtype.name], array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


IMAGES: IntArray = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4), (1, 2, 3, 2), (0, 3)])
@pytest.mark.parametrize("packed", [False, True])
def test_what_was_written_is_read(tmp_path: Path, name: str, shape: tuple[int, ...], packed: bool) -> None:
    array = fn.Key(0).generator().uniform(-100, 100, shape).astype(np.int8).astype(name)
    content = pack(array)
    path = put(tmp_path / "any-name", gzip.compress(content) if packed else content)
    for way in (path, str(path)):
        got = fn.data.load_idx(way)
        assert got.dtype == array.dtype
        assert got.dtype.isnative
        assert np.array_equal(got, array)
        assert not got.flags.writeable


@pytest.mark.parametrize("packed", [False, True])
def test_every_truncation_is_refused(tmp_path: Path, packed: bool) -> None:
    whole = gzip.compress(pack(IMAGES)) if packed else pack(IMAGES)
    for length in range(len(whole)):
        path = put(tmp_path / "cut", whole[:length])
        with pytest.raises(ValueError, match="cut"):
            fn.data.load_idx(path)


@pytest.mark.parametrize("packed", [False, True])
def test_no_changed_byte_of_the_header_goes_unseen(tmp_path: Path, packed: bool) -> None:
    whole = pack(IMAGES)
    for at in range(16):
        for value in (0x02, 0x7F, 0xFF):  # not 0x01: signed bytes are as long as unsigned ones
            wrong = bytearray(whole)
            wrong[at] ^= value
            path = put(tmp_path / "wrong", gzip.compress(bytes(wrong)) if packed else bytes(wrong))
            with pytest.raises(ValueError, match="wrong"):
                fn.data.load_idx(path)


def test_a_changed_byte_of_a_compressed_file_is_seen(tmp_path: Path) -> None:
    whole = gzip.compress(pack(IMAGES), mtime=0)
    for at in [*range(2), *range(10, len(whole))]:  # bytes 3 to 9 are flags, time and system
        wrong = bytearray(whole)
        wrong[at] ^= 0x10
        with contextlib.suppress(ValueError):  # or else it was a bit of padding, which the format does not use
            assert np.array_equal(fn.data.load_idx(put(tmp_path / "wrong", bytes(wrong))), IMAGES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it begins with nothing"),
        (b"PK\x03\x04 a zip file", "it begins with 50 4b 03 04"),
        (b"\0\0\x07\x01\0\0\0\0", "unknown IDX type 0x07, expected one of 0x08"),
        (b"\0\0\x08\x00", "states 0 axes, expected 1 to 32"),
        (b"\0\0\x08\xff" + bytes(4 * 255), "states 255 axes"),
        (b"\0\0\x08\x03\0\0\0\1\0\0", "the header of 16 bytes ends after 10"),
        (pack(IMAGES) + b"!", "goes on after these 60 bytes"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_wrong_files_are_named(tmp_path: Path, content: bytes, message: str, packed: bool) -> None:
    path = put(tmp_path / "file", gzip.compress(content) if packed else content)
    with pytest.raises(ValueError, match=message) as caught:
        fn.data.load_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shape", [(2**32 - 1,) * 3, (2**31,), (10**6, 28, 28), (2**32 - 1,) * 20, (0, *(2**32 - 1,) * 3)])
def test_a_hostile_header_takes_no_memory(tmp_path: Path, shape: tuple[int, ...], packed: bool) -> None:
    content = struct.pack(f">BBBB{len(shape)}I", 0, 0, 0x0E, len(shape), *shape) + bytes(100)
    path = put(tmp_path / "hostile", gzip.compress(content) if packed else content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"cut short|header is wrong"):
            fn.data.load_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_compressed_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(struct.pack(">BBBBI", 0, 0, 0x08, 1, 10) + bytes(50_000_000))
    path = put(tmp_path / "bomb", bomb)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="goes on after these 10 bytes"):
            fn.data.load_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fn.data.load_idx(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        fn.data.load_idx(tmp_path)


# ------------------------------------------------------------------------------------------------------------ the folder

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
ARRAYS: tuple[IntArray, ...] = (
    fn.Key(1).generator().integers(0, 256, (6, 4, 5)).astype(np.uint8),
    np.array([0, 1, 2, 1, 0, 3], np.uint8),
    fn.Key(2).generator().integers(0, 256, (2, 4, 5)).astype(np.uint8),
    np.array([4, 0], np.uint8),
)


def fill(
    folder: Path, rename: Callable[[str], str] = str, changed: Mapping[str, Array | IntArray] = MappingProxyType({})
) -> Path:
    for name, array in zip(NAMES, ARRAYS, strict=True):
        content = pack(changed.get(name.split("-idx")[0].replace("-", "_"), array))
        final = rename(name)
        put(folder / final, gzip.compress(content) if final.endswith(".gz") else content)
    return folder


@pytest.mark.parametrize(
    "rename",
    [
        str,
        lambda name: name + ".gz",
        lambda name: name.replace("-idx", ".idx"),
        lambda name: name.replace("-idx", ".idx") + ".gz",
    ],
)
def test_a_folder_is_read_under_every_usual_name(tmp_path: Path, rename: Callable[[str], str]) -> None:
    parts = fn.data.idx_folder(fill(tmp_path, rename))
    assert np.array_equal(parts.train.x, ARRAYS[0].reshape(6, 20) / 255)
    assert np.array_equal(parts.test.x, ARRAYS[2].reshape(2, 20) / 255)
    assert parts.train.y.tolist() == [0, 1, 2, 1, 0, 3]
    assert parts.test.y.tolist() == [4, 0]
    assert parts.train.classes == parts.test.classes == tuple("01234")


def test_a_folder_as_images_in_single_precision(tmp_path: Path) -> None:
    parts = fn.data.idx_folder(str(fill(tmp_path)), flat=False, dtype=np.float32)
    assert parts.train.x.shape == (6, 4, 5, 1)
    assert parts.train.x.dtype == np.float32
    assert parts.train.x.max() <= 1


def test_floating_images_are_kept_as_they_are(tmp_path: Path) -> None:
    images = fn.Key(3).generator().normal(size=(6, 4, 5)).astype(np.float32)
    others = np.zeros((2, 4, 5))
    given: dict[str, Array | IntArray] = {"train_images": images, "t10k_images": others, "t10k_labels": np.zeros(2, np.uint8)}
    assert np.array_equal(fn.data.idx_folder(fill(tmp_path, changed=given)).train.x, images.reshape(6, 20))
    assert not holds_bytes(tmp_path)
    with pytest.raises(ValueError, match=r"holds uint8, .* float32: bytes are divided by 255 and floating numbers are not"):
        fn.data.idx_folder(fill(tmp_path, changed=given | {"t10k_images": others.astype(np.uint8)}))
    images[2, 1, 1] = np.nan
    with pytest.raises(ValueError, match="x is nan at row 2, column 6"):
        fn.data.idx_folder(fill(tmp_path, changed=given))


def test_bytes_are_told_whether_packed_or_not(tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    assert holds_bytes(fill(tmp_path))
    assert holds_bytes(fill(tmp_path / "packed", lambda name: f"{name}.gz"))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (fill(tmp_path) / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"has none of {name}, .*{name}.gz"):
        fn.data.idx_folder(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        fn.data.idx_folder(tmp_path / "nowhere")
    with pytest.raises(NotADirectoryError, match="file is a file"):
        fn.data.idx_folder(put(tmp_path / "file", b""))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_labels": ARRAYS[1][:5]}, "train-images-idx3-ubyte holds 6 images for 5 labels"),
        ({"t10k_images": ARRAYS[0]}, "t10k-images-idx3-ubyte holds 6 images for 2 labels"),
        ({"t10k_images": ARRAYS[2][:, :3]}, r"images of shape \(3, 5\), .* of shape \(4, 5\)"),
        ({"train_labels": ARRAYS[0]}, "train-labels-idx1-ubyte holds uint8.*, expected labels"),
        ({"train_labels": ARRAYS[1].astype(np.float32)}, "holds float32.*, expected labels"),
        ({"train_labels": ARRAYS[1].astype(np.int8) - np.int8(1)}, "label 0 is -1, expected 0 to 65535"),
        ({"train_labels": ARRAYS[1].astype(np.int32) + 2**30}, "label 0 is 1073741824, expected 0 to 65535"),
        ({"train_images": ARRAYS[1]}, "train-images-idx3-ubyte holds uint8.*, expected images"),
        ({"train_images": ARRAYS[0].astype(np.int32)}, "holds int32.*, expected images"),
        ({"t10k_images": ARRAYS[2][:0], "t10k_labels": ARRAYS[3][:0]}, "holds no images"),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path: Path, changed: dict[str, Array | IntArray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fn.data.idx_folder(fill(tmp_path, changed=changed))
