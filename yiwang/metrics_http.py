"""``GET /metrics`` of a process that has no web server of its own: a few lines of HTTP in the process' own event loop.

In the loop and not in a thread of its own (prometheus_client brings one): every figure is then read between two steps
of the work, so that no lock is needed and no half-counted state is shown; and a worker whose loop stands still does not
answer, which is just what whoever asks wants to know.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from yiwang import logs
from yiwang.errors import Unavailable
from yiwang.metrics import Metrics
from yiwang.processes import Registration

OFF = -1
REQUEST_LIMIT = 8 * 1024
REQUEST_S = 5.0
"""A reader that is slower than this, to ask or to listen, is left alone."""

_log = logs.get("metrics")


async def start(metrics: Metrics, host: str, port: int) -> asyncio.Server:
    """Listen and answer.

    Raises:
        Unavailable: ``metrics.port``.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(answer(metrics, request))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            _log.debug("metrics_request_dropped", reason=repr(error))
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    try:
        return await asyncio.start_server(handle, host, port, limit=REQUEST_LIMIT)
    except OSError as error:
        raise Unavailable(
            "metrics.port",
            f"cannot listen on {host}:{port} for metrics: {error.strerror or error}; "
            "choose another with YIWANG_METRICS_PORT: 0 takes a free one, -1 does without",
            host=host,
            port=port,
        ) from error


def answer(metrics: Metrics, request: bytes) -> bytes:
    """The response to a request's head: the metrics at GET or HEAD /metrics, an error elsewhere."""
    line, _, rest = request.decode("latin-1").partition("\r\n")
    method, _, target = line.partition(" ")
    path = target.partition(" ")[0].partition("?")[0]
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (h.partition(":") for h in rest.split("\r\n"))
    }
    if path != "/metrics":
        status, body, content_type = "404 Not Found", b"there is /metrics only\n", "text/plain"
    elif method not in ("GET", "HEAD"):
        status, body, content_type = "405 Method Not Allowed", b"GET only\n", "text/plain"
    else:
        status = "200 OK"
        body, content_type = metrics.text(headers.get("accept", ""))
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == "HEAD" else body)


def address(server: asyncio.Server) -> str:
    """``host:port`` where a server listens, as it stands in a URL."""
    host, port = server.sockets[0].getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextlib.asynccontextmanager
async def shown(metrics: Metrics, entry: Registration, host: str, port: int) -> AsyncIterator[str]:
    """Show a worker's metrics, and tell where, as long as the block lasts; gives ``host:port``, empty where it is off.

    Args:
        metrics: of the process.
        entry: of the process; removed at the end of the block, not where the process is ended in the midst of it.
        host: to listen on.
        port: 0 takes a free one, OFF does without.

    Raises:
        Unavailable: ``metrics.port``.
    """
    if port == OFF:
        yield ""
        return
    server = await start(metrics, host, port)
    try:
        where = address(server)
        entry.announce(where)
        yield where
        entry.withdraw()
    finally:
        server.close()


def registered(data: Path, role: str, run: str, worker: str) -> tuple[Metrics, Registration]:
    """The metrics of a process and its place among the others."""
    entry = Registration(data, role, run, worker)
    return Metrics(role, run, worker, restarts=entry.restarts), entry
