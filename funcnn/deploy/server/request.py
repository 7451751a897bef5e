"""Requests of HTTP/1.1 (RFC 9112), as far as a server of JSON needs them: a first line, headers, and a body of known length."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from attrs import frozen

from funcnn.deploy.server.limits import HTTPError, Limits
from funcnn.errors import shorten

_FIRST = re.compile(rb"([A-Z]{1,16}) (\S{1,4096}) HTTP/1\.([01])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\x80-\xff\t]*?)[ \t]*")
_DIGITS = re.compile(r"[0-9]{1,15}")


@frozen
class Request:
    """What was asked for."""

    method: str
    path: str
    body: bytes
    stays: bool
    """Whether the connection stays open for further requests."""


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits) -> Request | None:
    """Return the next request of a connection; None when there is none.

    Raises
    ------
    HTTPError
        When it is malformed, larger than the limits, or does not come in time.
    """
    try:
        async with asyncio.timeout(limits.read_seconds):
            first = await reader.read(1)
    except TimeoutError:
        return None  # a connection that is kept and not used
    if not first:
        return None
    try:
        async with asyncio.timeout(limits.read_seconds):
            return await read_rest(first, reader, writer, limits)
    except TimeoutError:
        raise HTTPError(408, f"the request took more than {limits.read_seconds:g} s to come", closes=True) from None


async def read_rest(first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits) -> Request | None:
    """Return a request of which the first byte has come."""
    try:
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None  # who asked has gone
    except asyncio.LimitOverrunError:
        raise HTTPError(431, f"the headers are longer than {limits.head_bytes:,} bytes", closes=True) from None
    line, *rest = head.lstrip(b"\r\n")[:-4].split(b"\r\n")
    found = _FIRST.fullmatch(line)
    if found is None:
        raise HTTPError(400, f"the first line is {shorten(repr(line), 80)}, expected such as POST /predict HTTP/1.1", closes=True)
    headers = read_headers(rest)
    version, connection = found[3], headers.get("connection", "").lower()
    stays = "close" not in connection if version == b"1" else "keep-alive" in connection
    length = body_length(headers, limits)
    if length and headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
    try:
        body = await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
    return Request(found[1].decode(), found[2].decode("latin-1").partition("?")[0], body, stays)


def read_headers(lines: list[bytes]) -> Mapping[str, str]:
    """Return headers by their names in lower case."""
    headers: dict[str, str] = {}
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None:
            raise HTTPError(400, f"the header {shorten(repr(line), 80)} is malformed", closes=True)
        name, value = found[1].decode().lower(), found[2].decode("latin-1")
        if name in ("content-length", "transfer-encoding") and headers.get(name, value) != value:
            raise HTTPError(400, f"there are two headers {name}, which differ", closes=True)
        headers[name] = value
    return headers


def body_length(headers: Mapping[str, str], limits: Limits) -> int:
    """Return the length of the body that follows the headers."""
    if "transfer-encoding" in headers:  # of a length that nobody knows before
        raise HTTPError(411, "Transfer-Encoding is not taken: send the body with its Content-Length", closes=True)
    text = headers.get("content-length", "0")
    if _DIGITS.fullmatch(text) is None:
        raise HTTPError(400, f"Content-Length is {shorten(repr(text), 40)}, expected a number of bytes", closes=True)
    if int(text) > limits.body_bytes:
        raise HTTPError(413, f"the body has {int(text):,} bytes, at most {limits.body_bytes:,} are taken", closes=True)
    return int(text)
