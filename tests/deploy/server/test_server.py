"""The server: what is asked is answered, what is wrong is refused with its status, and nobody waits for who is slow."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from funcnn.deploy.server.limits import HTTPError, Limits
from funcnn.deploy.server.pace import Pace
from funcnn.deploy.server.serving import Server, Service, close
from funcnn.deploy.server.strict_json import read_object, rows_of

LIMITS = Limits(body_bytes=2000, head_bytes=1000, read_seconds=0.4, answer_seconds=0.3, stop_seconds=1.0)


def double(given: dict[str, object]) -> dict[str, object]:
    if given.get("wait"):
        time.sleep(float(str(given["wait"])))
    if "break" in given:
        raise KeyError("a fault of the program")
    return {"twice": (rows_of(given["inputs"], "inputs", 2, 3) * 2).tolist()}


DOUBLE = Service({"model": "double"}, {"/predict": double})


@contextmanager
def served(limits: Limits = LIMITS, service: Service = DOUBLE) -> Iterator[int]:
    """Give the port of a server that runs in a thread."""
    server = Server(service, limits)
    ports: list[int] = []
    loops: list[asyncio.AbstractEventLoop] = []
    up = threading.Event()

    def started(number: int) -> None:
        ports.append(number)
        up.set()

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        await server.run(("127.0.0.1", 0), started)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert up.wait(10)
    try:
        yield ports[0]
    finally:
        loops[0].call_soon_threadsafe(server.stopping.set)
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served() as number:
        yield number


def raw(port: int, *pieces: bytes, wait: float = 0.0) -> bytes:
    """Send bytes and return all that comes until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(wait)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def post(body: bytes, path: str = "/predict", *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: here", "Connection: close", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def ask(port: int, request: bytes) -> tuple[int, Any]:
    """Return the status and the object of an answer."""
    head, _, body = raw(port, request).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode()


def test_what_is_asked_is_answered(port: int) -> None:
    assert ask(port, get("/health")) == (200, {"status": "ok"})
    assert ask(port, get("/model?x=1")) == (200, {"model": "double"})
    assert ask(port, get("/")) == (200, {"model": "double"})
    assert ask(port, post(b'{"inputs": [[1, 2.5], [3e0, -4]]}')) == (200, {"twice": [[2.0, 5.0], [6.0, -8.0]]})
    assert raw(port, get("/health", "HEAD")).endswith(b"\r\n\r\n")


def test_a_connection_answers_one_request_after_the_other(port: int) -> None:
    body = b'{"inputs": [[1, 2]]}'
    first = post(body).replace(b"Connection: close\r\n", b"")
    answers = raw(port, first + first + post(body))  # the second and third come before the first is answered
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert answers.count(b'{"twice":[[2.0,4.0]]}') == 3
    assert answers.count(b"Connection: keep-alive") == 2


def test_who_asks_before_sending_is_told_to_go_on(port: int) -> None:
    request = post(b'{"inputs": [[1, 2]]}', "/predict", "Expect: 100-continue")
    assert raw(port, request).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "no JSON"),
        (b"{", 400, "no JSON"),
        (b"\xff", 400, "no UTF-8"),
        (b"[" * 1900, 400, "nested too deeply"),
        (b'{"inputs": [[NaN, 1]]}', 400, "NaN is no number of JSON"),
        (b'{"inputs": [[-Infinity, 1]]}', 400, "-Infinity is no number of JSON"),
        (b'{"inputs": 1, "inputs": 2}', 400, "'inputs' occurs twice"),
        (b"[1]", 400, "the body is a list of 1, expected an object"),
        (b'{"inputs": [[1e999, 1]]}', 422, "inputs[0][0] is too large"),
        (b'{"inputs": [[1, ' + b"9" * 400 + b"]]}", 422, "inputs[0][1] is too large"),
        (b'{"inputs": [[1, true]]}', 422, "inputs[0][1] is true, expected a finite number"),
        (b'{"inputs": [[1, "2"]]}', 422, 'inputs[0][1] is "2", expected a finite number'),
        (b'{"inputs": [[1, null]]}', 422, "inputs[0][1] is null"),
        (b'{"inputs": [[1, 2], [3]]}', 422, "inputs[1] is a list of 1, expected a list of 2 numbers"),
        (b'{"inputs": [1, 2]}', 422, "inputs[0] is 1"),
        (b'{"inputs": []}', 422, "inputs is a list of 0"),
        (b'{"inputs": {}}', 422, "inputs is an object"),
        (b'{"inputs": [[1, 2], [1, 2], [1, 2], [1, 2]]}', 413, "inputs has 4 rows, at most 3"),
        (b'{"break": 1}', 500, "the network failed"),
        (b'{"wait": 0.6, "inputs": [[1, 2]]}', 504, "more than 0.3 s"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_wrong_bodies_are_refused(port: int, body: bytes, status: int, message: str) -> None:
    got, answer = ask(port, post(body))
    assert got == status
    assert message in answer["error"]
    time.sleep(0.4 if status == 504 else 0.0)  # the network ends what it has begun


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        (b"hello\r\n\r\n", 400, "the first line is"),
        (b"GET /health HTTP/2.0\r\n\r\n", 400, "the first line is"),
        (b"GET  /health HTTP/1.1\r\n\r\n", 400, "the first line is"),
        (b"GET /health HTTP/1.1\r\nno colon\r\n\r\n", 400, "the header"),
        (b"GET /health HTTP/1.1\r\nSpace : 1\r\n\r\n", 400, "the header"),
        (b"POST /predict HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400, "two headers content-length"),
        (b"POST /predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "Content-Length is '-1'"),
        (b"POST /predict HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n", 400, "Content-Length is '1e3'"),
        (b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411, "Transfer-Encoding is not taken"),
        (post(b" " * 2001), 413, "2,001 bytes, at most 2,000"),
        (b"POST /predict HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n", 413, "999,999,999,999 bytes"),
        (b"GET /" + b"a" * 1100 + b" HTTP/1.1\r\n\r\n", 431, "longer than 1,000 bytes"),
        (get("/nowhere"), 404, "there are /health, /model, /predict"),
        (get("/predict"), 405, "/predict is asked by POST"),
        (get("/health", "DELETE"), 405, "/health is asked by GET or HEAD"),
        (post(b"{}", "/model"), 405, "/model is asked by GET or HEAD"),
    ],
)
def test_wrong_requests_are_refused(port: int, request_: bytes, status: int, message: str) -> None:
    if b"Connection: close" not in request_:
        request_ = request_.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    got, answer = ask(port, request_)
    assert got == status
    assert message in answer["error"]


def test_who_is_slow_is_told_and_holds_up_nobody(port: int) -> None:
    """A byte every tenth of a second is in time for each piece, and never for the request."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
        slow.sendall(b"POST /predict HTTP/1.1\r\n")
        assert ask(port, get("/health"))[0] == 200
        received = b""
        slow.settimeout(0.1)
        for _ in range(50):
            try:
                slow.sendall(b"X")
                received += slow.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                break
            if received.endswith(b"}"):
                break
    assert received.startswith(b"HTTP/1.1 408 Request Timeout")


def test_who_says_nothing_or_leaves_is_let_go(port: int) -> None:
    assert raw(port) == b""
    for piece in (b"", b"GET /hea", post(b"{}")[:-1]):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(piece)
    assert ask(port, get("/health"))[0] == 200


def ask_without_reading(connection: socket.socket) -> None:
    """Ask until the system keeps no more answers, and the server waits in vain."""
    while True:
        connection.sendall(b"GET /model HTTP/1.1\r\n\r\n" * 40)
        time.sleep(0.01)


def test_who_does_not_read_is_let_go() -> None:
    with served(LIMITS, Service({"model": "x" * 50_000}, {})) as number, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", number))
        with pytest.raises(ConnectionError):
            ask_without_reading(connection)


def test_what_is_closed_is_not_kept_open_by_who_does_not_read() -> None:
    async def unread() -> bool:
        ended = asyncio.Event()

        async def connect(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(bytes(50_000_000))
            close(writer, 0.05)
            with suppress(ConnectionError):
                await writer.wait_closed()
            ended.set()

        listener = await asyncio.start_server(connect, "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*listener.sockets[0].getsockname(), limit=1000)
        try:
            await asyncio.wait_for(ended.wait(), 10)
        finally:
            writer.transport.abort()
            listener.close()
        return ended.is_set()

    assert asyncio.run(unread())


def test_too_many_are_told_to_come_again() -> None:
    with served(Limits(connections=1, read_seconds=5.0)) as port, socket.create_connection(("127.0.0.1", port)):
        time.sleep(0.1)
        answer = raw(port, get("/health"))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1" in answer


def test_too_many_that_wait_for_the_network_are_told_so() -> None:
    with served(Limits(waiting=1)) as port:
        busy = threading.Thread(target=ask, args=(port, post(b'{"wait": 0.5, "inputs": [[1, 2]]}')))
        busy.start()
        time.sleep(0.2)
        assert ask(port, post(b'{"inputs": [[1, 2]]}')) == (503, {"error": "too many requests wait for the network: come again"})
        assert ask(port, get("/health"))[0] == 200
        busy.join()


def test_what_is_being_answered_when_the_server_stops_is_answered() -> None:
    answers: list[Any] = []
    with served(Limits()) as port:
        busy = threading.Thread(target=lambda: answers.append(ask(port, post(b'{"wait": 0.4, "inputs": [[1, 2]]}'))))
        busy.start()
        time.sleep(0.2)
    busy.join()
    assert answers == [(200, {"twice": [[2.0, 4.0]]})]
    with pytest.raises(ConnectionRefusedError):
        raw(port, get("/health"))


def test_many_requests_at_once_do_not_keep_others_waiting() -> None:
    """All have come already, and no answer has to wait for anything: connections take turns all the same."""
    order = []

    class Writer:
        transport = SimpleNamespace(get_write_buffer_size=lambda: 0)

        def __init__(self, name: str) -> None:
            self.name = name

        def write(self, _: bytes) -> None:
            order.append(self.name)

        async def drain(self) -> None:
            pass

        def close(self) -> None:
            pass

    async def run() -> None:
        server, connections = Server(DOUBLE, LIMITS), []
        for name, count in (("many", 50), ("one", 1)):
            reader = asyncio.StreamReader(limit=LIMITS.head_bytes)
            reader.feed_data(b"GET /health HTTP/1.1\r\n\r\n" * count)
            reader.feed_eof()
            writer: Any = Writer(name)
            connections.append(server.connect(reader, writer))
        await asyncio.gather(*connections)

    asyncio.run(run())
    assert len(order) == 51
    assert order.index("one") < 5


def test_a_server_that_stops_with_open_connections_says_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as connection, served(Limits()) as number:
        connection.connect(("127.0.0.1", number))
        connection.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert not caplog.records


def test_what_does_not_take_as_long_as_its_request_is_large_is_asked_elsewhere() -> None:
    threads: list[str] = []

    def look(given: dict[str, object]) -> dict[str, object]:
        threads.append(threading.current_thread().name.partition("_")[0])
        return {}

    with served(Limits(), Service({}, {"/predict": look, "/sample": look}, frozenset({"/predict"}))) as port:
        for path in ["/predict"] * 6 + ["/sample"] * 6:
            assert ask(port, post(b"{}", path)) == (200, {})
    assert threads[:4] == ["network"] * 4
    assert threads[6:] == ["network"] * 6


def test_requests_are_quick_when_the_last_ones_were_that_were_not_much_smaller() -> None:
    pace = Pace()
    for _ in range(3):
        pace.note(0.001, 100)
    assert not pace.is_quick(100)  # too few are known
    pace.note(0.001, 50)
    assert pace.is_quick(200)
    assert not pace.is_quick(201)
    pace.note(0.1, 100)
    assert not pace.is_quick(100)
    for _ in range(4):
        pace.note(0.001, 10)
    assert pace.is_quick(20)


def test_json_is_read_as_its_standard_has_it() -> None:
    assert read_object(b'{"a": [1, -2.5e3, null, true, "\\u00e9"]}') == {"a": [1, -2500.0, None, True, "\u00e9"]}
    with pytest.raises(HTTPError, match="no JSON"):
        read_object(b'{"a": ' + b"9" * 5000 + b"}")
