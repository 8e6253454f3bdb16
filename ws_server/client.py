"""A screen without a screen: holds a post over the live socket, for simulated people, tests and tools.

It reconnects by itself and resumes where it was, as the pages do, and keeps the same picture of the world.
"""

import asyncio
import http.client
import json
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from ws_server.messages import Answer, Beat, Delta, Push, Result, Snapshot, Values, decode_push, encode
from ws_server.values import Row
from ws_server.view import RESULTS_KEPT, Kept, is_newer, key_of
from yiwang import logs
from yiwang.clock import Clock, SystemClock
from yiwang.errors import BadInput, Conflict, NotAllowed, Unavailable, YiwangError
from yiwang.model import Action, CommandResult, Finding, Trouble

ANSWER_S = 10.0
LONGEST_WAIT_S = 2.0
LATENCIES_KEPT = 10_000

_T = TypeVar("_T", bound=Kept)
_log = logs.get("client")


async def socket_of(address: str) -> str:
    """The live socket of the gateway whose pages are at ``address`` (``host:port``).

    Raises:
        Unavailable: ``serve.unavailable``.
    """

    def ask() -> str:
        line = http.client.HTTPConnection(address, timeout=ANSWER_S)
        try:
            line.request("GET", "/api/session")
            answer = line.getresponse()
            body: dict[str, Any] = json.loads(answer.read())  # Any: plain JSON values
        finally:
            line.close()
        if answer.status != 200:
            raise Unavailable("serve.unavailable", f"{address} answers: {body.get('message')}", at=address)
        return str(body["socket"])

    try:
        return await asyncio.to_thread(ask)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(
            "serve.unavailable", f"no gateway answers at {address}: {error}", at=address
        ) from error


class LiveClient:
    """Holds a post as long as the ``async with`` block lasts.

    Args:
        url: of the live socket, such as ``ws://127.0.0.1:4321/``.
        post: whom to speak for.
        clock: wall clock, for latencies; the gateway's must be the same machine's.

    Attributes:
        objects: newest state by type and id, as the post may see it.
        values: newest row by (district, series), of watched series.
        at: offset of the last change seen, per district.
        results: what became of commands, newest last.
        latencies_ms: from ingest to here, of the newest changes and values that have a stamp.
        snapshots: taken so far; resumed: how often a connection went on without one.
        beat: the newest one.
    """

    def __init__(self, url: str, post: str, *, clock: Clock | None = None) -> None:
        self.url = url
        self.post = post
        self.objects: dict[type[Any], dict[str, Any]] = {}  # Any: a type of Kept and its objects
        self.values: dict[tuple[int, int], Row] = {}
        self.at: dict[str, int] = {}
        self.epoch = ""
        self.results: dict[str, CommandResult] = {}
        self.latencies_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self.snapshots = 0
        self.resumed = 0
        self.beat: Beat | None = None
        self.refused: YiwangError | None = None
        self._clock = clock or SystemClock()
        self._task: asyncio.Task[None] | None = None
        self._connection: ClientConnection | None = None
        self._id = 0
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._watched: list[tuple[int, int]] = []
        self._changed = asyncio.Condition()
        self._readers: set[asyncio.Queue[Push]] = set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    # ---- asking ----

    def of(self, kind: type[_T]) -> dict[str, _T]:
        """The objects of a type, by id."""
        return self.objects.get(kind, {})

    async def until(self, fact: Callable[[Self], Any]) -> None:  # Any: only its truth counts
        """Wait until ``fact`` is true; it is asked again after everything that is heard.

        Raises:
            YiwangError: what the gateway refused the post with.
        """
        async with self._changed:
            while not fact(self):
                if self.refused is not None:
                    raise self.refused
                await self._changed.wait()

    async def command(self, action: Action, *, command_id: str = "") -> CommandResult:
        """Decide something and wait for what becomes of it; asks again with the same id after a break.

        Raises:
            YiwangError: the gateway refused it before it reached a district.
        """
        key = command_id or str(uuid.uuid4())
        while True:
            try:
                await self._ask({"do": "command", "command_id": key, "action": action})
                break
            except Unavailable as error:
                _log.info("command_again", code=error.code)
                await self.until(lambda me: me._connection is not None)
                await asyncio.sleep(0.2)
        await self.until(lambda me: key in me.results)
        return self.results[key]

    async def watch(self, series: Sequence[tuple[int, int]]) -> None:
        """Want the values of these (district, series) from now on, also after a break.

        Raises:
            YiwangError: refused.
        """
        self._watched = list(series)
        await self._ask({"do": "watch", "series": self._watched})

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[AsyncIterator[Push]]:
        """Everything that is pushed from now on, in order.

        Yields:
            An iterator that never ends by itself.
        """
        queue: asyncio.Queue[Push] = asyncio.Queue()
        self._readers.add(queue)

        async def pushes() -> AsyncIterator[Push]:
            while True:
                yield await queue.get()

        try:
            yield pushes()
        finally:
            self._readers.discard(queue)

    def drop_line(self) -> None:
        """Cut the connection as a broken network does: without goodbye."""
        if self._connection is not None:
            self._connection.transport.abort()

    # ---- the line ----

    async def _keep(self) -> None:
        wait_s = 0.05
        while True:
            try:
                async with connect(self.url, max_size=None, compression=None, proxy=None) as connection:
                    self._connection = connection
                    hello = asyncio.create_task(self._hello())
                    try:
                        async for text in connection:
                            wait_s = 0.05
                            await self._hear(decode_push(text))
                    finally:
                        hello.cancel()
                        await asyncio.gather(hello, return_exceptions=True)
            except (OSError, WebSocketException, TimeoutError) as error:
                _log.debug("line_lost", post=self.post, reason=str(error))
            finally:
                self._connection = None
                for waiting in self._asked.values():
                    if not waiting.done():
                        waiting.set_exception(Unavailable("net.lost", "the line went down"))
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _hello(self) -> None:
        self._id = 0
        try:
            answer = await self._ask(
                {"do": "hello", "post": self.post, "at": self.at or None, "epoch": self.epoch}
            )
            if answer.resumed:
                self.resumed += 1
            if self._watched:
                await self._ask({"do": "watch", "series": self._watched})
        except Unavailable:
            return  # the line is gone; the next one says hello again
        except YiwangError as error:
            self.refused = error
        async with self._changed:
            self._changed.notify_all()

    async def _ask(self, request: dict[str, object]) -> Answer:
        if self._connection is None:
            raise Unavailable("net.lost", "not connected")
        self._id += 1
        key = self._id
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[key] = waiting
        try:
            await self._connection.send(encode({"id": key, **request}), text=True)
            async with asyncio.timeout(ANSWER_S):
                answer = await waiting
        except (ConnectionClosed, TimeoutError) as error:
            raise Unavailable("net.lost", f"no answer: {error}") from error
        finally:
            del self._asked[key]
        if answer.error is not None:
            raise _error(answer.error)
        return answer

    async def _hear(self, message: Push | Answer) -> None:
        if isinstance(message, Answer):
            waiting = self._asked.get(message.re or 0)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
            return
        match message:
            case Snapshot():
                self.snapshots += 1
                self.at, self.epoch = dict(message.at), message.epoch
                self.objects = {}
                for body in message.objects:
                    self._take(body)
                self._take_rows(message.values)
            case Delta() | Result():
                self.at[str(message.at[0])] = message.at[1]
                self._take(message.body)
                self._measure(message.ingest_ms)
            case Values():
                self._take_rows(message.rows)
                self._measure(message.ingest_ms)
            case Beat():
                self.beat = message
                self.at.update(message.at or {})
            case _:
                pass
        for queue in self._readers:
            queue.put_nowait(message)
        async with self._changed:
            self._changed.notify_all()

    def _take(self, body: Kept | CommandResult | Finding | Trouble) -> None:
        if isinstance(body, CommandResult):
            self.results[body.command_id] = body
            if len(self.results) > RESULTS_KEPT:
                del self.results[next(iter(self.results))]
        elif not isinstance(body, Finding | Trouble):
            held = self.objects.setdefault(type(body), {})
            known = held.get(key_of(body))
            if known is None or is_newer(body, known):
                held[key_of(body)] = body

    def _take_rows(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self.values[row[0], row[1]] = row

    def _measure(self, ingest_ms: float | None) -> None:
        if ingest_ms is not None:
            self.latencies_ms.append(self._clock.now_ns() / 1e6 - ingest_ms)


class _Error(msgspec.Struct):
    code: str
    message: str
    args: dict[str, Any] = {}  # Any: plain JSON values


def _error(raw: dict[str, Any]) -> YiwangError:
    """An error of the gateway as ours, by what can be done about it."""
    error = msgspec.convert(raw, _Error)
    kind: type[YiwangError] = BadInput
    if error.code.endswith((".unavailable", ".busy")):
        kind = Unavailable
    elif error.code in ("command.not_allowed", "command.other_order", "session.watch"):
        kind = NotAllowed
    elif error.code == "session.no_post":
        kind = Conflict
    return kind(error.code, error.message, **error.args)
