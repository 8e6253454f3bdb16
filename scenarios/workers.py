"""Simulated workers: one live socket each, the same as a phone's, acting on orders as a crew would.

Beside them sits one desk that only looks, and measures how long things take from ingest to here.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np
import websockets
from websockets.asyncio.client import ClientConnection, connect

from yiwang.clock import MILLISECOND, Clock
from yiwang.ids import derive
from yiwang.logs import get
from yiwang.model import Order, SendReceipt
from yiwang.registry import Unit

SEEN_S, ACCEPT_S, LEAVE_S = 4.0, 15.0, 25.0  # after the order came, event seconds
SPEED_M_PER_S = 8.0
SHORTEST_WAY_S, LONGEST_WAY_S = 60.0, 400.0
WORK_S = 240.0  # on scene
_OVER = ("done", "verified", "cancelled", "declined")
_log = get("workers")


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from ingest to a client of the live socket; None where nothing was measured."""

    count: int
    p50_ms: float | None
    p99_ms: float | None


async def _nobody() -> frozenset[str]:
    return frozenset()


class SimulatedStaff:
    """All units of a city, as an async context manager.

    Args:
        socket: address of the live socket.
        speed: of the play; a crew that takes a minute takes a second at speed 60. 0 acts at once.
        taken: units that people act for themselves.
    """

    def __init__(
        self,
        socket: str,
        units: Sequence[Unit],
        *,
        clock: Clock,
        speed: float,
        taken: Callable[[], Awaitable[frozenset[str]]] = _nobody,
    ) -> None:
        self._socket, self._units, self._clock, self._speed, self._taken = socket, units, clock, speed, taken
        self._latencies_ms: list[float] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._working: dict[str, asyncio.Task[None]] = {}  # by order
        self._lines: dict[str, _Line] = {}  # newest connection by post

    async def __aenter__(self) -> Self:
        self._start(self._keep("desk-city", self._look))
        for unit in self._units:
            self._start(self._keep(unit.id, self._act))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [*self._tasks, *self._working.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def measured(self) -> Measured:
        """Over everything that came to the looking desk with a stamp of ingest."""
        if not self._latencies_ms:
            return Measured(count=0, p50_ms=None, p99_ms=None)
        p50, p99 = np.percentile(self._latencies_ms, (50, 99))
        return Measured(
            count=len(self._latencies_ms), p50_ms=round(float(p50), 1), p99_ms=round(float(p99), 1)
        )

    def _start(self, work: Any) -> None:  # Any: a coroutine
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, post: str, take: Callable[["_Line", dict[str, Any]], None]) -> None:
        """Hold one connection, and make a new one when it breaks."""
        while True:
            try:
                async with connect(self._socket, max_size=None, compression=None) as connection:
                    line = self._lines[post] = _Line(connection, post)
                    await line.say(do="hello", post=post)
                    async for text in connection:
                        take(line, msgspec.json.decode(text))
            except (OSError, websockets.WebSocketException, TimeoutError) as error:
                _log.info("line_broken", post=post, error=str(error))
            await asyncio.sleep(0.5)

    # ---- the desk that looks ----

    def _look(self, line: "_Line", message: dict[str, Any]) -> None:  # Any: JSON
        del line
        stamp_ms = message.get("ingest_ms")
        if message.get("type") in ("delta", "values") and stamp_ms:
            self._latencies_ms.append(self._clock.now_ns() / MILLISECOND - stamp_ms)

    # ---- the units ----

    def _act(self, line: "_Line", message: dict[str, Any]) -> None:  # Any: JSON
        bodies = (
            message.get("objects", []) if message.get("type") == "snapshot" else [message.get("body") or {}]
        )
        for body in bodies:
            if body.get("type") != "order" or body.get("unit") != line.post:
                continue
            order = msgspec.convert(body, Order)
            at_work = self._working.get(order.id)
            if order.state in _OVER:
                if at_work is not None and order.state != "done":
                    at_work.cancel()
            elif at_work is None:
                self._working[order.id] = asyncio.create_task(self._carry_out(line.post, order))

    async def _carry_out(self, unit: str, order: Order) -> None:
        way_s = min(LONGEST_WAY_S, max(SHORTEST_WAY_S, order.distance_m / SPEED_M_PER_S))
        plan = (
            ("delivered", 0.0),
            ("seen", SEEN_S),
            ("accepted", ACCEPT_S - SEEN_S),
            ("en_route", LEAVE_S - ACCEPT_S),
            ("on_scene", way_s),
            ("done", WORK_S),
        )
        for receipt, after_s in plan:
            await asyncio.sleep(after_s / self._speed if self._speed else 0.0)
            if unit in await self._taken():
                return
            action = msgspec.to_builtins(SendReceipt(order=order.id, receipt=receipt))  # type: ignore[arg-type]  # one of them
            command_id = derive("W", order.id, receipt)
            while True:  # as a phone's outbox: until it was taken over by the gateway
                with contextlib.suppress(OSError, websockets.WebSocketException):
                    await self._lines[unit].say(do="command", command_id=command_id, action=action)
                    break
                await asyncio.sleep(0.2)


class _Line:
    """One connection and its rising message ids."""

    def __init__(self, connection: ClientConnection, post: str) -> None:
        self.connection, self.post, self._id = connection, post, 0

    async def say(self, **message: Any) -> None:  # Any: JSON
        self._id += 1
        await self.connection.send(msgspec.json.encode({"id": self._id, **message}).decode())
