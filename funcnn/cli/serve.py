"""``python -m funcnn serve``: a run, published weights or an ONNX file behind a port, in HTTP and JSON."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from attrs import evolve, frozen

from funcnn.cli.failure import OK, RequestError
from funcnn.cli.options import base_parser, whole_number
from funcnn.cli.published.opening import is_published
from funcnn.cli.serving import onnx_file, published, run_folder
from funcnn.cli.terminal import more, section
from funcnn.deploy.server.limits import Limits
from funcnn.deploy.server.serving import Service, serve


@frozen
class ServeRequest:
    """What ``python -m funcnn serve`` is asked for."""

    run: Path
    host: str
    port: int
    limits: Limits


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status."""
    request = read_serve(arguments)
    service = service_of(request.run, request.limits)
    try:
        serve(service, (request.host, request.port), request.limits, partial(_started, request, service))
    except OSError as error:
        raise RequestError(_refused(request, error)) from None
    section("Stopped", "all that was asked is answered")
    return OK


def service_of(path: Path, limits: Limits) -> Service:
    """Return what a folder or file gives to ask.

    Raises
    ------
    RequestError
        When it cannot be read.
    """
    if path.suffix == ".onnx":
        return onnx_file.service(path, limits)
    return published.service(path, limits) if is_published(path) else run_folder.service(path, limits)


def read_serve(arguments: Sequence[str]) -> ServeRequest:
    """Return the request that the arguments make; on a wrong one argparse prints what is wrong and exits with status 2."""
    usual = Limits()
    parser = base_parser("python -m funcnn serve", "Answer requests over HTTP: JSON in, JSON out, until Ctrl-C or SIGTERM.")
    parser.add_argument(
        "run", type=Path, metavar="RUN", help="the folder that a run has written, one of published weights, or an .onnx file"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1, this machine alone)")
    parser.add_argument(
        "--port", type=whole_number(0, 65535), default=8000, metavar="N", help="port, 0 for a free one (default: 8000)"
    )
    parser.add_argument(
        "--max-rows", type=whole_number(1), default=usual.rows, metavar="N", help=f"inputs of a request (default: {usual.rows})"
    )
    parser.add_argument(
        "--max-bytes", type=whole_number(1), default=usual.body_bytes, metavar="N",
        help=f"of a request's body (default: {usual.body_bytes:,})",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    limits = evolve(usual, rows=given.max_rows, body_bytes=given.max_bytes)
    return ServeRequest(given.run, given.host, given.port, limits)


def _started(request: ServeRequest, service: Service, port: int) -> None:
    host = f"[{request.host}]" if ":" in request.host else request.host
    where = f"http://{host}:{port}"
    section("Serving", where, "GET /health, GET /model, " + ", ".join(f"POST {path}" for path in service.actions))
    example = service.description.get("example")
    if isinstance(example, str):
        more("", example.replace("URL", where))


def _refused(request: ServeRequest, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"--port {request.port}: it is in use: choose another, or 0 for a free one"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"--port {request.port}: it may not be taken (those below 1024 are for the system): choose another"
    return f"--host {request.host}: {error.strerror or error}"
