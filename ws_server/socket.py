"""The live socket: a ``websockets`` server around ``Session``. Each client has a writer of its own."""

import asyncio
import http
import socket as sockets
from collections.abc import Sequence

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Origin

from ws_server.hub import Hub
from ws_server.loopback import host_of, in_url, is_loopback
from ws_server.messages import MAX_MESSAGE_BYTES
from ws_server.session import Produce, Session
from yiwang import logs
from yiwang.errors import YiwangError

TRY_AGAIN_LATER = 1013  # RFC 6455 registry: the server is not able to serve now

_log = logs.get("socket")


def origins_of(host: str, port: int) -> list[Origin]:
    """The pages that may connect: our own, under each name that this machine has for itself."""
    hosts = dict.fromkeys([host, "127.0.0.1", "localhost", "::1"])
    return [Origin(f"http://{in_url(h)}:{port}") for h in hosts]


async def start(hub: Hub, listener: sockets.socket, *, origins: Sequence[Origin]) -> Server:
    """Accept clients on ``listener``.

    Args:
        hub: where sessions live.
        listener: a listening socket.
        origins: pages that may connect; clients that are no browser send no origin and may too.
    """

    async def handle(connection: ServerConnection) -> None:
        await _Client(hub, connection).run()

    return await serve(
        handle,
        sock=listener,
        origins=[*origins, None],
        process_request=_only_this_machine,
        compression=None,  # on this machine it costs more than it saves
        max_size=MAX_MESSAGE_BYTES,
        ping_interval=20,
        ping_timeout=20,
        close_timeout=1,
        server_header=None,
    )


def _only_this_machine(connection: ServerConnection, request: Request) -> Response | None:
    """Refuse a name that merely resolves to loopback: a page elsewhere could have made it so."""
    hosts = request.headers.get_all("Host")
    if len(hosts) == 1 and is_loopback(host_of(hosts[0])):
        return None
    return connection.respond(
        http.HTTPStatus.MISDIRECTED_REQUEST, "this gateway answers to loopback names only\n"
    )


class _Client:
    """One connection: a reader, a writer, and a queue of commands between reader and Kafka."""

    def __init__(self, hub: Hub, connection: ServerConnection) -> None:
        self._hub = hub
        self._connection = connection
        self._wake = asyncio.Event()
        self._commands: asyncio.Queue[Produce] = asyncio.Queue()  # bounded by the session

    async def run(self) -> None:
        run = self._hub.run
        if run is None:
            await self._connection.close(TRY_AGAIN_LATER, "database.unavailable")
            return
        session = Session(self._hub.view, self._hub.post_of, ticks=run.ticks)
        self._hub.join(session, self._wake.set)
        tasks = [
            asyncio.create_task(work)
            for work in (self._read(session), self._write(session), self._carry_out(session))
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(session)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            error = task.exception()
            if error is not None and not isinstance(error, ConnectionClosed):
                raise error

    async def _read(self, session: Session) -> None:
        async for text in self._connection:
            for effect in session.receive(text, self._hub.clock.now_ns()):
                self._commands.put_nowait(effect)
            self._wake.set()

    async def _write(self, session: Session) -> None:
        clock = self._hub.clock
        while True:
            self._wake.clear()
            while messages := session.to_send(clock.now_ns()):
                for message in messages:
                    await self._connection.send(message, text=True)  # waits while the client is slow
            due = session.due_ns()
            wait = None if due is None else max(0.0, (due - clock.now_ns()) / 1e9)
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                pass  # values that had to wait are due

    async def _carry_out(self, session: Session) -> None:
        while True:
            effect = await self._commands.get()
            try:
                await self._hub.send(effect)
            except YiwangError as error:
                session.refused(effect.re, error)
            else:
                _log.info("command", by=effect.command.by, do=type(effect.command.action).__name__)
                session.accepted(effect.re)
            self._wake.set()
