r"""TensorBoard's event files: records of Protocol Buffers, each with checksums.

A file is a sequence of records (TFRecord): the length of what follows as 8 bytes, the masked checksum of these 8 bytes, the
content, and the masked checksum of the content; all numbers little-endian. The checksum is CRC-32C (Castagnoli), of which the
mask rotates the bits and adds a constant:
$$ m(c) = ((c \gg 15) \mathbin{|} (c \ll 17)) + \mathtt{a282ead8}_{16} \bmod 2^{32} . $$

The content is an ``Event`` with the fields 1, ``wall_time`` (double); 2, ``step`` (int64); and either 3, ``file_version``
(string), in the first record, or 5, ``summary``, whose field 1 is a ``Value`` with 1, ``tag`` (string), and 2,
``simple_value`` (float). In the encoding a field is a key, 8 times its number plus its kind (0 varint, 1 eight bytes, 2 bytes
with their length, 5 four bytes), and its value; a varint has seven bits a byte, the lowest first, and the high bit set in all
but the last.

Source: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto and framework/summary.proto (fields);
protobuf.dev/programming-guides/encoding; RFC 3720, appendix B.4 (CRC-32C).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache

from attrs import frozen


@frozen
class Scalar:
    """A figure to be shown."""

    tag: str
    step: int
    value: float


def event_file(scalars: Iterable[Scalar], wall_time: float) -> bytes:
    """Return the content of an event file.

    Examples
    --------
    >>> content = event_file([Scalar("loss", 1, 0.5)], 0.0)
    >>> len(content), content[12 + 9 + 2:][:13]
    (82, b'brain.Event:2')
    """
    stamp = b"\x09" + struct.pack("<d", wall_time)
    events = [stamp + chunk(3, b"brain.Event:2")]
    for one in scalars:
        value = chunk(1, one.tag.encode()) + b"\x15" + struct.pack("<f", one.value)
        events.append(stamp + b"\x10" + varint(one.step) + chunk(5, chunk(1, value)))
    return b"".join(map(record, events))


def record(content: bytes) -> bytes:
    """Return a record with its checksums."""
    length = struct.pack("<Q", len(content))
    return length + checksum(length) + content + checksum(content)


def chunk(field: int, content: bytes) -> bytes:
    """Return a field of bytes with their length."""
    return varint(8 * field + 2) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """Return a number of at least 0, seven bits a byte."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def checksum(content: bytes) -> bytes:
    """Return the masked checksum."""
    crc = crc32c(content)
    masked = (crc >> 15 | crc << 17) + 0xA282EAD8
    return struct.pack("<I", masked & 0xFFFFFFFF)


def crc32c(content: bytes) -> int:
    """Return the checksum of Castagnoli.

    Examples
    --------
    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc, table = 0xFFFFFFFF, _table()
    for byte in content:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    """Return the checksums of single bytes."""
    found = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)  # the polynomial, its bits reversed
        found.append(crc)
    return tuple(found)
