"""Simulated workers: one live socket each, the same as a phone's, acting on orders as a crew would.

Beside them sits one desk that only looks, and measures how long things take from ingest to a client.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self, get_args

import msgspec
import numpy as np

from ws_server.client import LiveClient
from yiwang.clock import Clock
from yiwang.errors import YiwangError
from yiwang.ids import derive
from yiwang.logs import get
from yiwang.model import Order, Receipt, SendReceipt
from yiwang.registry import Unit

WAY_M_PER_S = 8.0
SHORTEST_WAY_S, LONGEST_WAY_S = 60.0, 400.0
# What a crew does with an order, each so many event seconds after the one before; on_scene comes after the way.
PLAN: tuple[tuple[Receipt, float], ...] = (
    ("delivered", 0.0),
    ("seen", 4.0),
    ("accepted", 11.0),
    ("en_route", 10.0),
    ("on_scene", 0.0),
    ("done", 240.0),
)
_RANK = {receipt: rank for rank, receipt in enumerate(get_args(Receipt))}
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
        units: who is there.
        watched: series (district, number) whose values the looking desk wants.
        clock: wall clock.
        speed: of the play; a crew that takes a minute takes a second at speed 60. 0 acts at once.
        taken: units that people act for themselves at the moment.
    """

    def __init__(
        self,
        socket: str,
        units: Sequence[Unit],
        *,
        watched: Sequence[tuple[int, int]] = (),
        clock: Clock,
        speed: float,
        taken: Callable[[], Awaitable[frozenset[str]]] = _nobody,
    ) -> None:
        self._desk = LiveClient(socket, "desk-city", clock=clock)
        self._phones = [LiveClient(socket, unit.id, clock=clock) for unit in units]
        self._watched, self._speed, self._taken = watched, speed, taken
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        for client in (self._desk, *self._phones):
            await self._stack.enter_async_context(client)
        await self._desk.until(lambda desk: desk.snapshots)
        if self._watched:
            await self._desk.watch(self._watched)
        for phone in self._phones:
            self._start(phone)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    def measured(self) -> Measured:
        """Over everything that came to the looking desk with a stamp of ingest, the newest 10 000."""
        latencies = list(self._desk.latencies_ms)
        if not latencies:
            return Measured(count=0, p50_ms=None, p99_ms=None)
        p50, p99 = np.percentile(latencies, (50, 99))
        return Measured(count=len(latencies), p50_ms=round(float(p50), 1), p99_ms=round(float(p99), 1))

    def _start(self, phone: LiveClient) -> None:
        task = asyncio.create_task(self._work(phone))
        self._tasks.add(task)

    async def _work(self, phone: LiveClient) -> None:
        """One unit's shift: the next order that is there for it, until the end."""
        begun: set[str] = set()

        def waiting(client: LiveClient) -> list[Order]:
            return [
                o
                for o in client.of(Order).values()
                if o.unit == client.post and o.state not in _OVER and o.id not in begun
            ]

        while True:
            await phone.until(waiting)
            order = waiting(phone)[0]
            begun.add(order.id)
            try:
                await self._carry_out(phone, order.id)
            except YiwangError as error:  # the order was withdrawn, say: the shift goes on
                _log.info("order_left", unit=phone.post, order=order.id, code=error.code)

    async def _carry_out(self, phone: LiveClient, id_: str) -> None:
        way_s = phone.of(Order)[id_].distance_m / WAY_M_PER_S
        for receipt, after_s in PLAN:
            if receipt == "on_scene":
                after_s = min(LONGEST_WAY_S, max(SHORTEST_WAY_S, way_s))
            await asyncio.sleep(after_s / self._speed if self._speed else 0.0)
            order = phone.of(Order).get(id_)
            if order is None or order.state in _OVER or phone.post in await self._taken():
                return
            if _RANK[order.state] < _RANK[receipt]:
                await phone.command(
                    SendReceipt(order=id_, receipt=receipt), command_id=derive("W", id_, receipt)
                )
