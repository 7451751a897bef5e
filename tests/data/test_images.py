"""Folders of images: what Pillow wrote is read again, in the right class, and what is no image is named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import funcnn as fn
from funcnn.typing import IntArray

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 7, 3)).astype(np.uint8)
NAMES = ["ant/a.png", "ant/b.bmp", "ant/more/c.PNG", "bee/1.png", "bee/2.tiff", "cow/x.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, pixels in zip(NAMES, PIXELS, strict=True):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "ant" / "notes.txt").write_text("no image")
    (tmp_path / "ant" / ".hidden.png").write_text("no image")
    (tmp_path / ".git").mkdir()
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_images_are_read_by_class(folder: Path) -> None:
    images = fn.data.image_folder(folder, dtype=np.float64)
    assert images.classes == ("ant", "bee", "cow")
    assert images.y.tolist() == [0, 0, 0, 1, 1, 2]
    np.testing.assert_array_equal(images.x.all(), PIXELS / 255)
    np.testing.assert_array_equal(images.x.pixels(np.array([4, 0])), PIXELS[[4, 0]])
    np.testing.assert_array_equal(images.x.take(np.array([5, 1, 1])), PIXELS[[5, 1, 1]] / 255)
    data = images.dataset()
    assert data.classes == images.classes
    np.testing.assert_array_equal(data.x, PIXELS / 255)
    assert repr(images) == "ImageFolder(6 images of 5 x 7 x 3, 3 classes)"


TURNS: dict[int, Callable[[IntArray], IntArray]] = {
    1: lambda seen: seen,
    2: lambda seen: seen[:, ::-1],
    3: lambda seen: seen[::-1, ::-1],
    4: lambda seen: seen[::-1],
    5: lambda seen: seen.swapaxes(0, 1),
    6: lambda seen: seen.swapaxes(0, 1)[::-1],
    7: lambda seen: seen[::-1, ::-1].swapaxes(0, 1),
    8: lambda seen: seen.swapaxes(0, 1)[:, ::-1],
}
"""How an image is stored, by the orientation that Exif notes: where its first row and its first column are seen (TIFF 6.0)."""


def write_held(path: Path, orientation: int, stored: IntArray) -> None:
    """Write an image with the note of how the camera was held."""
    noted = Image.Exif()
    noted[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=noted, quality=100)  # of JPEG and WebP


@pytest.mark.parametrize("ending", ["jpg", "png", "tiff", "webp"])
def test_images_are_turned_as_they_are_seen(ending: str, tmp_path: Path) -> None:
    seen = np.zeros((16, 24, 3), np.uint8)  # four colours in the corners, so that no turn is like another
    seen[:8, :12], seen[:8, 12:], seen[8:, :12] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    for orientation, turn in TURNS.items():
        (tmp_path / "ab"[orientation % 2]).mkdir(exist_ok=True)
        write_held(tmp_path / "ab"[orientation % 2] / f"{orientation}.{ending}", orientation, turn(seen))
    for size in (None, (8, 12)):
        images = fn.data.image_folder(tmp_path, size=size, dtype=np.float64)
        wanted = seen if size is None else seen[::2, ::2]
        assert images.x.shape == (8, *wanted.shape)
        corners = (
            slice(None),
            slice(1, None, wanted.shape[0] - 3),
            slice(1, None, wanted.shape[1] - 3),
        )  # which no filter reaches
        for image in images.x.all()[corners]:
            np.testing.assert_allclose(image * 255, wanted[corners[1:]], rtol=0, atol=12)  # JPEG and WebP lose some


def test_colours_are_converted(folder: Path) -> None:
    grey = fn.data.image_folder(folder, channels=1, dtype=np.float64).x.all()
    weights = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow documents
    np.testing.assert_allclose(grey[..., 0] * 255, PIXELS @ weights, rtol=0, atol=0.51)  # bytes are whole numbers
    opaque = fn.data.image_folder(folder, channels=4).x.all()
    np.testing.assert_array_equal(opaque[..., 3], np.float32(1))


def test_images_are_grey_where_every_one_is(folder: Path) -> None:
    assert not fn.data.image_folder(folder).grey
    for name in NAMES[1:]:
        Image.open(folder / name).convert("L").save(folder / name)
    assert not fn.data.image_folder(folder).grey  # one has colours
    Image.open(folder / NAMES[0]).convert("LA").save(folder / NAMES[0])
    assert fn.data.image_folder(folder).grey


def test_images_of_other_sizes_are_scaled_where_that_is_asked_for(folder: Path) -> None:
    Image.fromarray(np.full((40, 10, 3), 51, np.uint8)).save(folder / "cow" / "large.png")
    with pytest.raises(ValueError, match=r"a.png is 5 x 7 and .*large.png 40 x 10: give the size"):
        fn.data.image_folder(folder)
    images = fn.data.image_folder(folder, size=(4, 6))
    assert images.x.shape == (7, 4, 6, 3)
    np.testing.assert_array_equal(images.x.take(np.array([5])), np.float32(0.2))
    assert fn.data.image_folder(folder, size=3).x.shape == (7, 3, 3, 3)


def test_a_network_is_trained_on_files(folder: Path) -> None:
    for name, level in (("ant", 30), ("bee", 120), ("cow", 220)):
        for number in range(8):
            Image.fromarray(np.full((5, 7, 3), level + number, np.uint8)).save(folder / name / f"plain{number}.png")
    images = fn.data.image_folder(folder, dtype=np.float64)
    keep = np.flatnonzero(["plain" in path.name for path in images.x.files])
    x, y = fn.data.take(images.x.all(), keep), images.y[keep]
    model = fn.flatten() >> fn.dense(3)
    arguments = {"key": fn.Key(0), "epochs": 30, "batch_size": 6, "validation": 0.25}
    lazy = fn.fit(model, fn.softmax_cross_entropy(), fn.adam(0.02), images.x, images.y, **arguments)  # type: ignore[arg-type]  # of several types
    plain = fn.fit(model, fn.softmax_cross_entropy(), fn.adam(0.02), images.x.all(), images.y, **arguments)  # type: ignore[arg-type]  # of several types
    for one, other in zip(fn.tree.leaves(lazy.params), fn.tree.leaves(plain.params), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (fn.predict(model, lazy.params, lazy.state, x).argmax(1) == y).mean() > 0.9


def damaged(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def sixteen(path: Path) -> None:
    Image.fromarray(np.arange(35, dtype=np.uint16).reshape(5, 7) * 1000).save(path)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text("no image at all"), "cannot be read as an image"),
    "nothing": (lambda path: path.write_bytes(b""), "cannot be read as an image"),
    "cut": (damaged, "cannot be read as an image"),
    "sixteen-bits": (sixteen, "more than 8 bits"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named(folder: Path, name: str) -> None:
    spoil, message = BROKEN[name]
    spoil(folder / "bee" / "1.png")
    with pytest.raises(fn.FileError, match=f"1.png .*{message}"):
        fn.data.image_folder(folder).x.all()


def test_folders_that_are_none_are_named(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        fn.data.image_folder(folder / "nowhere")
    with pytest.raises(NotADirectoryError, match=r"notes.txt is a file"):
        fn.data.image_folder(folder / "ant" / "notes.txt")
    with pytest.raises(ValueError, match=r"has one folder, more, with images"):
        fn.data.image_folder(folder / "ant")
    with pytest.raises(ValueError, match="has no folder with images"):
        fn.data.image_folder(folder / "bee")
    with pytest.raises(ValueError, match="channels is 2, expected 1"):
        fn.data.image_folder(folder, channels=2)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ValueError, match=r"size is \(1, 2, 3\), expected a height and a width"):
        fn.data.image_folder(folder, size=(1, 2, 3))  # type: ignore[arg-type]  # the mistake


def test_mutated_files_give_one_kind_of_error(folder: Path) -> None:
    random = np.random.default_rng(0)
    whole = (folder / "ant" / "a.png").read_bytes()
    outcomes = set()
    for _ in range(300):
        bytes_: IntArray = np.frombuffer(whole, np.uint8).copy()
        bytes_[random.integers(0, len(whole), 3)] ^= random.integers(1, 256, 3).astype(np.uint8)
        (folder / "ant" / "a.png").write_bytes(bytes_.tobytes())
        try:
            fn.data.image_folder(folder, size=(5, 7)).x.take(np.array([0]))
            outcomes.add("read")
        except fn.FileError as error:
            outcomes.add("named" if "a.png" in str(error) else str(error))
    assert "named" in outcomes
    assert outcomes <= {"read", "named"}
