"""The live socket: a ``websockets`` server around ``Session``. No client waits for another."""

import asyncio
import functools
import http
import socket as sockets
from collections.abc import Sequence

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.typing import Origin

from ws_server.hub import Hub
from ws_server.loopback import host_of, in_url, is_loopback
from ws_server.messages import MAX_MESSAGE_BYTES
from ws_server.session import Produce, Session
from yiwang import logs
from yiwang.errors import YiwangError

_TEXT = 0x81  # a whole text message
MOST_REPLIES = 1000
"""A client for whom more answers wait is not heard until it has taken them."""
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
    turn = _Turn()

    async def handle(connection: ServerConnection) -> None:
        await _Client(hub, turn, connection).run()

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


class _Turn:
    """Everybody who has something to send, served at the end of this turn of the loop, one after another."""

    def __init__(self) -> None:
        self._clients: list[_Client] = []

    def add(self, client: "_Client") -> None:
        if not self._clients:
            asyncio.get_running_loop().call_soon(self._serve)
        self._clients.append(client)

    def _serve(self) -> None:
        clients, self._clients = self._clients, []
        for client in clients:
            client.push()


class _Client:
    """One connection: a reader, and a queue of commands between reader and Kafka.

    What is to be sent is written at once while the client takes it. When the operating system no longer does, a
    writer of its own goes on, and waits; nobody else does.
    """

    def __init__(self, hub: Hub, turn: _Turn, connection: ServerConnection) -> None:
        self._hub = hub
        self._turn = turn
        self._connection = connection
        self._commands: asyncio.Queue[Produce] = asyncio.Queue()  # bounded by the session
        self._marked = False
        self._slow = asyncio.Event()
        self._taken = asyncio.Event()  # something has been handed over
        self._session: Session | None = None

    async def run(self) -> None:
        run = self._hub.run
        if run is None:
            await self._connection.close(TRY_AGAIN_LATER, "database.unavailable")
            return
        hub = self._hub
        session = self._session = Session(
            hub.view, hub.watching, hub.post_of, ticks=run.ticks, counts=hub.counts, stages=hub.stages
        )
        self._hub.join(session, self._wake)
        tasks = [
            asyncio.create_task(work)
            for work in (self._read(session), self._write_slowly(session), self._carry_out(session))
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(session)
            self._session = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            error = task.exception()
            if error is not None and not isinstance(error, ConnectionClosed | ConnectionError):
                raise error

    def _wake(self) -> None:
        if not self._marked:
            self._marked = True
            self._turn.add(self)

    def push(self) -> None:
        """Write what waits, as one piece, unless the client is slow."""
        self._marked = False
        session, connection = self._session, self._connection
        if session is None or self._slow.is_set():
            return
        if connection.state is not State.OPEN:
            self._taken.set()  # nothing will be: whoever reads is not to wait for it
            return
        now_ns = self._hub.clock.now_ns()
        while messages := session.to_send(now_ns):
            self._taken.set()
            self._hub.counts["deliveries"] += len(messages)
            connection.transport.write(framed(messages))
            if connection.transport.get_write_buffer_size():
                self._slow.set()
                return

    async def _read(self, session: Session) -> None:
        async for text in self._connection:
            for effect in session.receive(text, self._hub.clock.now_ns()):
                self._commands.put_nowait(effect)
            self._wake()
            while session.replies > MOST_REPLIES and self._connection.state is State.OPEN:
                self._taken.clear()
                await self._taken.wait()

    async def _write_slowly(self, session: Session) -> None:
        while True:
            await self._slow.wait()
            await self._connection.drain()
            while messages := session.to_send(self._hub.clock.now_ns()):
                self._taken.set()
                self._hub.counts["deliveries"] += len(messages)
                for message in messages:
                    await self._connection.send(message, text=True)  # waits while the client is slow
            self._slow.clear()

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
            self._wake()


def framed(messages: Sequence[bytes]) -> bytes:
    """Text messages as a server writes them: whole, unmasked, one after another (RFC 6455, 5.2).

    The library frames every message for every client; these bytes are the same for all, and one write takes many.
    """
    pieces: list[bytes] = []
    for message in messages:
        pieces += (_head(len(message)), message)
    return b"".join(pieces)


@functools.lru_cache(maxsize=4096)
def _head(size: int) -> bytes:
    if size < 126:
        return bytes((_TEXT, size))
    if size < 1 << 16:
        return bytes((_TEXT, 126)) + size.to_bytes(2, "big")
    return bytes((_TEXT, 127)) + size.to_bytes(8, "big")
