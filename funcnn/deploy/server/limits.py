"""What a server takes, and what it says when something is beyond."""

from __future__ import annotations

from attrs import frozen


@frozen
class Limits:
    """The bounds of requests: whatever is beyond is refused before work is done for it."""

    body_bytes: int = 1 << 20
    """Of a request's body."""
    head_bytes: int = 1 << 14
    """Of a request's first line and its headers."""
    rows: int = 1024
    """Inputs of a request."""
    tokens: int = 1000
    """Characters or tokens to write."""
    connections: int = 256
    """Open at a time; more are told to come again."""
    waiting: int = 64
    """Requests that wait for the network at a time; more are told to come again."""
    read_seconds: float = 10.0
    """From the first byte of a request to its last, and for which a connection may say nothing."""
    answer_seconds: float = 30.0
    """In which the network has to answer."""
    stop_seconds: float = 5.0
    """For which a server that is stopped waits for the answers that are being made."""


class HTTPError(Exception):
    """A request that is not answered as it asks: with the status and a message for who sent it."""

    def __init__(self, status: int, message: str, *, closes: bool = False, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.closes = closes
        """Whether what follows on the connection cannot be understood any more."""
        self.headers = headers
