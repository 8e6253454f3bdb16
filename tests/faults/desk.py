"""A desk at work: takes note of what is confirmed and closes what is done, so that places can have new incidents."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from ws_server.client import LiveClient
from yiwang.clock import SystemClock
from yiwang.errors import YiwangError
from yiwang.ids import derive
from yiwang.model import Acknowledge, Action, Case, CloseCase, Incident


class Desk:
    """Holds a district's desk as long as the ``async with`` block lasts.

    Args:
        socket: address of the live socket.
        district: whose desk.
    """

    def __init__(self, socket: str, district: int) -> None:
        self._client = LiveClient(socket, f"desk-{district}", clock=SystemClock())
        self._district = district
        self._begun: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._client.__aexit__(kind, error, trace)

    async def _work(self) -> None:
        while True:
            await self._client.until(lambda desk: self._due())
            for key, action in self._due():
                self._begun.add(key)
                with contextlib.suppress(YiwangError):  # it was closed or merged meanwhile
                    await self._client.command(action, command_id=key)

    def _due(self) -> list[tuple[str, Action]]:
        """What is to be decided, with the id of the command: a function of what is decided about."""
        client, mine = self._client, self._district
        found: list[tuple[str, Action]] = [
            (derive("Q", c.id, c.rev), CloseCase(case=c.id))
            for c in client.of(Case).values()
            if c.district == mine and c.stage == "checking"
        ]
        found += [
            (derive("Q", i.id), Acknowledge(incident=i.id))
            for i in client.of(Incident).values()
            if i.district == mine
            and i.state == "open"
            and i.standing != "candidate"
            and not i.acknowledged_by
        ]
        return [(key, action) for key, action in found if key not in self._begun]
