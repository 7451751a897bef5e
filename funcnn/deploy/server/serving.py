"""The server: connections are read side by side in one thread, and the network answers in another, one request at a time.

Where the last answers took some milliseconds at most, the thread that reads asks the network itself: to hand a request to another
thread and wait for it costs more than a small network does.

Rejected: ``http.server.ThreadingHTTPServer``, a thread for each connection.  A request takes it a quarter more processor time
(docs/serving.md has the figures); and its timeout is for each piece that is read and not for the request, so that who sends a
byte every nine seconds keeps a thread for ever.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from time import perf_counter
from traceback import format_exception
from typing import TypeAlias

from attrs import frozen

from funcnn.deploy.server.limits import HTTPError, Limits
from funcnn.deploy.server.pace import Pace
from funcnn.deploy.server.request import Request, read_request
from funcnn.deploy.server.strict_json import read_object, write_object

Action: TypeAlias = Callable[[dict[str, object]], dict[str, object]]
"""From the object that was sent to the one that is answered; it raises an HTTPError when it cannot."""


@frozen(eq=False)
class Service:
    """What is served: a description, and functions by the paths at which they are asked."""

    description: dict[str, object]
    actions: Mapping[str, Action]
    by_size: frozenset[str] = frozenset()
    """The paths at which an answer takes as long as the request is large, whatever it says."""


def serve(service: Service, address: tuple[str, int], limits: Limits, started: Callable[[int], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; what is being answered then is answered.

    Parameters
    ----------
    service : Service
    address : (host, port)
        Port 0 takes one that is free.
    limits : Limits
    started : callable
        Told the port, as soon as requests are taken.

    Raises
    ------
    OSError
        When the address cannot be taken.
    """
    asyncio.run(Server(service, limits).run(address, started))


class Server:
    """A service with its connections."""

    def __init__(self, service: Service, limits: Limits) -> None:
        self.service, self.limits = service, limits
        self.network = ThreadPoolExecutor(1, "network")
        self.connections: set[asyncio.Task[None]] = set()
        self.answering: set[Future[dict[str, object]]] = set()  # what the network has to do, or does
        self.paces: dict[str, Pace] = {}
        self.stopping = asyncio.Event()

    async def run(self, address: tuple[str, int], started: Callable[[int], None]) -> None:
        """Take connections until the process is asked to stop."""
        loop = asyncio.get_running_loop()
        listener = await asyncio.start_server(self.connect, *address, limit=self.limits.head_bytes, backlog=1024)
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError, RuntimeError):  # where there are no signals: Ctrl-C ends it as any program
                loop.add_signal_handler(number, self.stopping.set)
        started(listener.sockets[0].getsockname()[1])
        await self.stopping.wait()
        listener.close()
        deadline = loop.time() + self.limits.stop_seconds
        while self.answering and loop.time() < deadline:
            await asyncio.sleep(0.01)
        for task in self.connections:
            task.cancel()
        await asyncio.gather(*self.connections, return_exceptions=True)
        self.network.shutdown(wait=False, cancel_futures=True)

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection, one after the other."""
        task = asyncio.current_task()
        assert task is not None  # asyncio makes one for each connection
        crowded = len(self.connections) >= self.limits.connections
        self.connections.add(task)
        try:
            if crowded:
                if len(self.connections) <= 2 * self.limits.connections:  # beyond, not even that is said
                    await send(writer, 503, {"error": "too many connections: come again"}, "GET", stays=False, headers=_AGAIN)
                    await read_away(reader, writer, self.limits)
                return
            while await self.exchange(reader, writer):
                await asyncio.sleep(0)  # who sends many requests at once does not keep the others waiting
        except (ConnectionError, TimeoutError):
            writer.transport.abort()  # who asked has gone, or does not read
        except asyncio.CancelledError:
            if not self.stopping.is_set():  # of a server that stops, asyncio before Python 3.12 would print it as an error
                raise
        finally:
            self.connections.discard(task)
            close(writer, self.limits.read_seconds)

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read a request and answer it; return whether the connection stays open."""
        method, stays = "GET", False
        headers: tuple[tuple[str, str], ...] = ()
        try:
            request = await read_request(reader, writer, self.limits)
            if request is None:
                return False
            method, stays = request.method, request.stays and not self.stopping.is_set()
            status, answer = 200, await self.answered(request)
        except HTTPError as error:
            status, answer, headers = error.status, dict[str, object](error=str(error)), error.headers
            stays = stays and not error.closes
        async with asyncio.timeout(self.limits.read_seconds):
            await send(writer, status, answer, method, stays=stays, headers=headers)
        if status >= 400 and not stays:
            await read_away(reader, writer, self.limits)
        return stays

    async def answered(self, request: Request) -> dict[str, object]:
        """Return the answer to a request.

        Raises
        ------
        HTTPError
            When there is none.
        """
        if request.path in ("/", "/model", "/health"):
            allow(request, "GET", "HEAD")
            return {"status": "ok"} if request.path == "/health" else self.service.description
        action = self.service.actions.get(request.path)
        if action is None:
            known = ", ".join(["/health", "/model", *self.service.actions])
            raise HTTPError(404, f"there is nothing at this path: there are {known}")
        allow(request, "POST")
        given = read_object(request.body)
        if len(self.answering) >= self.limits.waiting:
            raise HTTPError(503, "too many requests wait for the network: come again", headers=_AGAIN)
        pace, size = self.paces.setdefault(request.path, Pace()), len(request.body)
        try:
            if request.path in self.service.by_size and not self.answering and pace.is_quick(size):
                return timed(action, pace, size, given)
            work = self.network.submit(timed, action, pace, size, given)
            self.answering.add(work)
            work.add_done_callback(self.answering.discard)  # when it ends: who asked may have been told to wait no more
            return await asyncio.wait_for(asyncio.wrap_future(work), self.limits.answer_seconds)
        except HTTPError:
            raise
        except TimeoutError:
            raise HTTPError(504, f"the network took more than {self.limits.answer_seconds:g} s") from None
        except Exception as error:  # an error of the program: whoever runs it is told, and who asks that there was one
            print("".join(format_exception(error)), file=sys.stderr, flush=True)
            raise HTTPError(500, "the network failed; the server's log says more") from None


def close(writer: asyncio.StreamWriter, seconds: float) -> None:
    """Close a connection; what is still to be sent then is for as long, since a client that does not read would keep it open."""
    writer.close()
    if writer.transport.get_write_buffer_size():
        asyncio.get_running_loop().call_later(seconds, writer.transport.abort)


async def read_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits) -> None:
    """Read for a moment what is still sent: a connection that is closed before takes the answer with it."""
    writer.write_eof()
    with suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            for _ in range(64):
                if not await reader.read(limits.head_bytes):
                    return


def timed(action: Action, pace: Pace, size: int, given: dict[str, object]) -> dict[str, object]:
    """Return the answer of an action, and note how long it took."""
    begun = perf_counter()
    made = action(given)
    pace.note(perf_counter() - begun, size)
    return made


_AGAIN = (("Retry-After", "1"),)


def allow(request: Request, *methods: str) -> None:
    """Raise an HTTPError unless a request is made by one of the methods of its path."""
    if request.method not in methods:
        allowed = " or ".join(methods)
        raise HTTPError(405, f"{request.path} is asked by {allowed}", headers=(("Allow", ", ".join(methods)),))


async def send(
    writer: asyncio.StreamWriter, status: int, answer: dict[str, object], method: str, *, stays: bool,
    headers: tuple[tuple[str, str], ...] = (),
) -> None:  # fmt: skip
    """Send an answer."""
    body = write_object(answer)
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "Content-Type: application/json", f"Content-Length: {len(body)}",
        f"Connection: {'keep-alive' if stays else 'close'}", "Cache-Control: no-store", "X-Content-Type-Options: nosniff",
        *[f"{name}: {value}" for name, value in headers],
    ]  # fmt: skip
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    writer.write(head if method == "HEAD" else head + body)
    await writer.drain()
