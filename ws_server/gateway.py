"""A whole gateway: pages, HTTP API and live socket in one process."""

import asyncio
import contextlib
import socket as sockets
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import uvicorn
from websockets.asyncio.server import Server

from ws_server import figures, http, life, socket
from ws_server.hub import Hub
from ws_server.loopback import in_url, listen
from ws_server.static import Pages, folder
from ws_server.store import Store
from ws_server.traced import GatewayTraces
from yiwang.clock import Clock, SystemClock
from yiwang.domains import load_rules
from yiwang.metrics import Metrics
from yiwang.settings import Settings
from yiwang.topics import Topics
from yiwang.tracing import start as start_traces


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the command: the socket and the hub have to stop too."""
        yield


class Gateway:
    """Runs as long as the ``async with`` block.

    Args:
        settings: where to listen, Kafka, database, run.
        clock: wall clock.

    Attributes:
        hub: the heart.
        http: ``host:port`` of the pages.
        socket: ``host:port`` of the live socket.
    """

    def __init__(self, settings: Settings, *, clock: Clock | None = None) -> None:
        topics = Topics(settings.run)
        self.hub = Hub(
            bootstrap=settings.kafka,
            topics=topics,
            store=Store(settings.database.get_secret_value(), settings.run, topics.schema),
            built_in=load_rules(settings.domains),
            clock=clock or SystemClock(),
        )
        tracing = start_traces(settings, "gateway")
        self.hub.traces = GatewayTraces(tracing) if tracing else None
        self.http = ""
        self.socket = ""
        self._settings = settings
        self._listeners: list[sockets.socket] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._uvicorn: _Uvicorn | None = None
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        """Listen and begin.

        Raises:
            YiwangError: ``serve.…`` where it cannot listen; ``database.…`` and ``run.unknown`` where the set-up
                is wrong. A database or broker that is away is waited for.
        """
        settings = self._settings
        try:
            for port, what in (
                (settings.port, "--port or YIWANG_PORT"),
                (settings.socket_port, "YIWANG_SOCKET_PORT"),
            ):
                self._listeners.append(listen(settings.host, port, what))
            await self.hub.first_look()
        except BaseException:
            self._close_listeners()
            raise
        web, live = self._listeners
        http_port, socket_port = web.getsockname()[1], live.getsockname()[1]
        host = in_url(web.getsockname()[0])
        self.http, self.socket = f"{host}:{http_port}", f"{host}:{socket_port}"
        self._server = await socket.start(self.hub, live, origins=socket.origins_of(settings.host, http_port))
        metrics = Metrics("gateway", settings.run, settings.worker)
        metrics.add("gateway", figures.gateway(self.hub))
        app = http.application(self.hub, Pages(folder()), metrics, socket_port=socket_port)
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._tasks = [
            asyncio.create_task(self._uvicorn.serve(sockets=[web])),
            asyncio.create_task(life.live(self.hub)),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._uvicorn is not None
        assert self._server is not None
        web, live = self._tasks
        self._server.close()
        await self._server.wait_closed()
        self._uvicorn.should_exit = True
        live.cancel()
        await asyncio.gather(web, live, return_exceptions=True)
        self._close_listeners()
        if self.hub.traces:
            self.hub.traces.flush()

    async def run_until(self, stop: asyncio.Event) -> None:
        """Wait for ``stop``; a mistake in the gateway itself ends it earlier, as its exception."""
        stopped = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([stopped, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        for task in done:
            if task is not stopped:
                await task

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
