"""What ``python -m funcnn serve`` bears: load, malformed requests and slow clients, beside a server with a thread a connection.

    python -m tests.benchmarks.serving

A perceptron for digits (64-128-64-10, float32) is trained for an epoch and served by the command, in a process of its own; this
one asks.  Both servers do the same work for a request and take turns, second by second, so that whatever else the machine does
disturbs both alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

BODY = json.dumps({"inputs": [[0.5] * 64]}).encode()
REQUEST = b"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
HEALTH = b"GET /health HTTP/1.1\r\nHost: here\r\n\r\n"


def threaded(run: str) -> None:
    """Serve the same run by ``http.server.ThreadingHTTPServer``: the other way that the standard library has."""
    from funcnn.cli.serve import service_of
    from funcnn.deploy.server.limits import Limits
    from funcnn.deploy.server.strict_json import read_object, write_object

    action = service_of(Path(run), Limits()).actions["/predict"]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            body = write_object(action(read_object(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


def started(*words: str) -> tuple[subprocess.Popen[str], int]:
    """Start a server; return its process and its port."""
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "http://127.0.0.1:" in line:
            return process, int(line.strip().rpartition(":")[2])
    raise SystemExit("the server did not start")


def processor_seconds(process: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def answer(reader: asyncio.StreamReader) -> int:
    """Read an answer and return its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(length)
    return int(head.split()[1])


async def client(port: int, until: float, times: list[float]) -> None:
    """Ask one thing after the other on one connection, and note how long each takes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        begun = time.perf_counter()
        writer.write(REQUEST)
        assert await answer(reader) == 200
        times.append(time.perf_counter() - begun)
    writer.close()


async def load(port: int, seconds: float, clients: int) -> list[float]:
    """Return the times of requests under load."""
    times: list[float] = []
    until = time.perf_counter() + seconds
    await asyncio.gather(*[client(port, until, times) for _ in range(clients)])
    return times


def malformed(generator: np.random.Generator) -> bytes:
    """Return a request that is wrong somewhere."""
    kind = int(generator.integers(6))
    if kind == 0:
        return generator.bytes(int(generator.integers(1, 300))) + b"\r\n\r\n"
    if kind == 1:  # a byte of a right one is another
        place = int(generator.integers(len(REQUEST)))
        return REQUEST[:place] + generator.bytes(1) + REQUEST[place + 1 :]
    bodies = [b"[" * 5000, b'{"inputs": [[NaN]]}', BODY[: int(generator.integers(len(BODY)))], b'{"inputs": [[1, 2], "x"]}']
    body = bodies[kind - 2]
    return b"POST /predict HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


async def send_malformed(port: int, count: int) -> dict[int, int]:
    """Send wrong requests, each on a connection of its own; return how often which status came (0 where none did)."""
    generator = np.random.default_rng(0)
    found: dict[int, int] = {}

    async def one(request: bytes) -> None:
        status = 0
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            writer.write_eof()
            status = await asyncio.wait_for(answer(reader), 30)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it was no whole request
        finally:
            writer.close()
        found[status] = found.get(status, 0) + 1

    for _ in range(count // 20):
        await asyncio.gather(*[one(malformed(generator)) for _ in range(20)])
    return found


async def drip(port: int, stop: asyncio.Event) -> int:
    """Send a byte every half second until the connection is ended; return the status that came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    status = asyncio.create_task(answer(reader))
    for place in range(len(REQUEST)):
        if stop.is_set() or status.done():
            break
        writer.write(REQUEST[place : place + 1])
        await asyncio.sleep(0.5)
    writer.close()
    return status.result() if status.done() and not status.exception() else 0


async def beside_slow(port: int, slow: int) -> tuple[list[float], dict[int, int]]:
    """Return the times of requests beside slow clients, and what these were told in the end."""
    stop = asyncio.Event()
    drips = [asyncio.create_task(drip(port, stop)) for _ in range(slow)]
    await asyncio.sleep(1.0)
    times = await load(port, 5.0, 8)
    statuses = await asyncio.gather(*drips)
    return times, {status: statuses.count(status) for status in set(statuses)}


def told(times: list[float], seconds: float) -> str:
    """Return requests a second, the median and the 99th percentile."""
    ordered = sorted(times)
    median, last = 1e3 * ordered[len(ordered) // 2], 1e3 * ordered[len(ordered) * 99 // 100]
    return f"{len(times) / seconds:,.0f} requests/s, median {median:.1f} ms, 99th percentile {last:.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threaded", metavar="RUN", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--malformed", type=int, default=10_000)
    parser.add_argument("--slow", type=int, default=200)
    given = parser.parse_args()
    if given.threaded:
        threaded(given.threaded)
        return
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        run = f"{folder}/run"
        subprocess.run(
            [sys.executable, "-m", "funcnn", "--epochs", "1", "--certify", "skip", "--output", run],
            check=True,
            capture_output=True,
        )
        ours, port = started("-m", "funcnn", "serve", run, "--port", "0")
        other, other_port = started("-m", "tests.benchmarks.serving", "--threaded", run)
        for clients in (1, 8, 64):
            both: dict[int, list[float]] = {port: [], other_port: []}
            ratios, spent, servers = [], {port: 0.0, other_port: 0.0}, {port: ours.pid, other_port: other.pid}
            for _ in range(given.seconds):
                counts = []
                for one in both:
                    before = processor_seconds(servers[one])
                    times = asyncio.run(load(one, 1.0, clients))
                    spent[one] += processor_seconds(servers[one]) - before
                    both[one] += times
                    counts.append(len(times))
                ratios.append(counts[0] / counts[1])
            print(f"{clients} connections: {told(both[port], given.seconds)}")
            print(f"    a thread a connection: {told(both[other_port], given.seconds)}")
            each = [1e6 * spent[one] / len(both[one]) for one in both]
            print(
                f"    ratio of requests {statistics.median(ratios):.2f}; processor time of one {each[0]:.0f} and {each[1]:.0f} us"
            )
        other.kill()
        begun = time.perf_counter()
        found = asyncio.run(send_malformed(port, given.malformed))
        print(f"{given.malformed:,} malformed requests in {time.perf_counter() - begun:.1f} s: {dict(sorted(found.items()))}")
        times, statuses = asyncio.run(beside_slow(port, given.slow))
        print(f"beside {given.slow} slow clients, who got {statuses}: {told(times, 5.0)}")
        asyncio.run(load(port, 0.2, 1))  # it answers still
        ours.send_signal(signal.SIGTERM)
        print(f"exit status {ours.wait(20)}")


if __name__ == "__main__":
    main()
