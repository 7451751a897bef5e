"""IDX files, the format of MNIST and of its successors, plain or compressed with gzip.

A file is a header and the values in C order, all big-endian.  The header is two zero bytes, a byte for the type, a byte for the
number of axes, and four bytes for the length of each axis.  What it claims is not believed: no more memory is taken than the
file's bytes can fill.
"""

from __future__ import annotations

import gzip
import math
import os
import sys
import zlib
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

import numpy as np
from numpy.typing import DTypeLike

from funcnn.data.dataset import Dataset, Split, check_dtype
from funcnn.errors import check_flag, check_path, describe
from funcnn.tree import freeze
from funcnn.typing import Array, IntArray

PathLike: TypeAlias = str | os.PathLike[str]

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CHUNK = 1 << 20
_LARGEST_LABEL = 65_535  # there are as many classes as the largest label says: a wrong one must not ask for billions
_ROLES = ("train-images", "train-labels", "t10k-images", "t10k-labels")


def load_idx(path: PathLike) -> Array | IntArray:
    """Return the array that an IDX file holds.

    Parameters
    ----------
    path : path
        The file, plain or compressed with gzip (told by its content, not by its name).

    Returns
    -------
    array
        Read-only, of the shape and type that the file states, in the machine's byte order.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        When the file cannot be opened.
    ValueError
        When the content is not an IDX file, is damaged, or is shorter or longer than its header states.  No memory is
        allocated for bytes that the file does not have.

    Notes
    -----
    Y. LeCun, C. Cortes and C. Burges, The MNIST database of handwritten digits, section "File formats".

    Examples
    --------
    >>> import numpy as np, funcnn as fn, tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "labels-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
    ...     fn.data.load_idx(path)
    array([5, 0, 4], dtype=uint8)
    """
    path = check_path(path, "path")
    if path.exists() and not path.is_file() and not path.is_dir():  # the other end of a pipe would be waited for
        raise ValueError(f"{path} is a pipe or a device, expected a file")
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        held = os.fstat(raw.fileno()).st_size
        if not packed:
            return _read(path, raw, held)
        try:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                # A byte of a deflate stream unpacks to at most 1032: a bound on what an honest header can claim.
                return _read(path, cast(BinaryIO, unpacked), 1032 * held)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: the gzip stream is damaged or cut short ({error}): fetch the file again") from None


def _read(path: Path, stream: BinaryIO, most: int) -> Array | IntArray:
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0":
        raise ValueError(
            f"{path}: not an IDX file: it begins with {head.hex(' ') or 'nothing'}, expected 00 00, a type and a rank"
        )
    if head[2] not in _TYPES:
        raise ValueError(
            f"{path}: unknown IDX type 0x{head[2]:02x}, expected one of {', '.join(f'0x{code:02x}' for code in _TYPES)}"
        )
    rank = head[3]
    if not 1 <= rank <= 32:
        raise ValueError(f"{path}: the header states {rank} axes, expected 1 to 32")
    sizes = stream.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise ValueError(f"{path}: the header of {4 + 4 * rank} bytes ends after {4 + len(sizes)}: the file is cut short")
    shape = tuple(int.from_bytes(sizes[at : at + 4], "big") for at in range(0, 4 * rank, 4))
    kind = np.dtype(_TYPES[head[2]])
    stated = kind.itemsize * math.prod(shape)
    stated_as = f"the header states {'x'.join(map(str, shape))} values of {kind.itemsize} bytes"
    if kind.itemsize * math.prod(length for length in shape if length) > sys.maxsize or stated > most:
        raise ValueError(f"{path}: {stated_as}, far more than the file can hold: it is cut short or its header is wrong")
    body = bytearray()
    while len(body) < stated and (chunk := stream.read(min(_CHUNK, stated - len(body)))):
        body += chunk
    if len(body) < stated:
        raise ValueError(f"{path}: {stated_as}, the file holds {len(body)} of {stated} bytes: it is cut short")
    if stream.read(1):  # in a compressed file this also checks the sum at the end
        raise ValueError(f"{path}: {stated_as}, and the file goes on after these {stated} bytes: its header is wrong")
    values: Array = np.frombuffer(body, kind).reshape(shape)
    return freeze(values.astype(kind.newbyteorder("="), copy=False))


def idx_folder(folder: PathLike, *, flat: bool = True, dtype: DTypeLike = np.float64) -> Split[Dataset[IntArray]]:
    """Return the training and the test set of a folder with MNIST's four files (or those of Fashion-MNIST, KMNIST, ...).

    Parameters
    ----------
    folder : path
        Holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``,
        each plain or with ``.gz``.
    flat : bool, optional
        Images as rows (n, 784), the default, or as (n, 28, 28, 1), channels last.
    dtype : dtype, optional
        Precision of x.  MNIST takes 376 MB in float64 and 188 MB in float32.

    Returns
    -------
    Split
        ``train`` and ``test``, each a Dataset with x in [0, 1] (bytes are divided by 255) and integer labels y.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        When the folder or one of its files is missing, with the names that were looked for.
    ValueError
        As in :func:`load_idx`; when images and labels differ in number, training and test images in shape or in kind, or a file
        does not hold what its name says.

    Examples
    --------
    >>> import funcnn as fn
    >>> fn.data.idx_folder("no/such/folder")
    Traceback (most recent call last):
    FileNotFoundError: no folder no/such/folder
    """
    kind, flat = check_dtype(dtype), check_flag(flat, "flat")
    folder = check_path(folder, "folder")
    if not folder.exists():
        raise FileNotFoundError(f"no folder {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file, expected a folder with MNIST's four files")
    files = [_find(folder, role) for role in _ROLES]
    train_labels, test_labels = _labels(files[1]), _labels(files[3])
    train_pixels, test_pixels = _images(files[0]), _images(files[2])
    if train_pixels.shape[1:] != test_pixels.shape[1:]:
        raise ValueError(
            f"{files[2]} holds images of shape {test_pixels.shape[1:]}, {files[0]} of shape {train_pixels.shape[1:]}:"
            " training and test images must be alike"
        )
    if (train_pixels.dtype == np.uint8) != (test_pixels.dtype == np.uint8):
        raise ValueError(
            f"{files[2]} holds {test_pixels.dtype}, {files[0]} {train_pixels.dtype}: bytes are divided by 255 and floating"
            " numbers are not, so training and test images must be of one kind"
        )
    for path, pixels, labels in ((files[0], train_pixels, train_labels), (files[2], test_pixels, test_labels)):
        if len(pixels) != len(labels):
            raise ValueError(f"{path} holds {len(pixels)} images for {len(labels)} labels: each image needs one label")
        if len(pixels) == 0:
            raise ValueError(f"{path} holds no images")
    classes = tuple(str(label) for label in range(1 + max(int(train_labels.max()), int(test_labels.max()))))
    about = f"Images of {'x'.join(map(str, train_pixels.shape[1:]))} from the IDX files in {folder.name}."
    return Split(
        Dataset(_scale(train_pixels, flat, kind), train_labels, classes, (), about),
        Dataset(_scale(test_pixels, flat, kind), test_labels, classes, (), about),
    )


def holds_bytes(folder: Path) -> bool:
    """Tell whether the images of a folder, which has been read, are bytes."""
    path = _find(folder, "train-images")
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as file:
        return _TYPES[file.read(3)[2]] == _TYPES[0x08]


def _find(folder: Path, role: str) -> Path:
    rank = 3 if role.endswith("images") else 1
    names = [f"{role}{mark}idx{rank}-ubyte{end}" for end in ("", ".gz") for mark in "-."]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{folder} has none of {', '.join(names)}")


def _labels(path: Path) -> IntArray:
    labels = load_idx(path)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(f"{path} holds {describe(labels)}, expected labels: integers along one axis")
    wrong = np.flatnonzero((labels < 0) | (labels > _LARGEST_LABEL))
    if wrong.size:
        raise ValueError(f"{path}: label {wrong[0]} is {labels[wrong[0]]}, expected 0 to {_LARGEST_LABEL}")
    return cast(IntArray, labels.astype(np.int64))


def _images(path: Path) -> Array | IntArray:
    images = load_idx(path)
    if images.ndim < 2 or (images.dtype.kind != "f" and images.dtype != np.uint8):
        raise ValueError(f"{path} holds {describe(images)}, expected images: bytes or floating numbers along two or more axes")
    return images


def _scale(pixels: Array | IntArray, flat: bool, kind: np.dtype[np.floating]) -> Array:
    size = math.prod(pixels.shape[1:])
    shape = (len(pixels), size) if flat else (*pixels.shape, 1) if pixels.ndim == 3 else pixels.shape
    x: Array = pixels.reshape(shape).astype(kind)
    if pixels.dtype == np.uint8:
        x /= 255
    return x
