"""A screen that notes everything it is told, and can say afterwards whether anything was missing or came twice."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from ws_server.client import LiveClient
from ws_server.messages import Delta, Push, Result, Snapshot
from ws_server.view import Kept, is_newer, key_of
from yiwang.clock import SystemClock
from yiwang.model import CommandResult, Finding, Output


class Witness:
    """The city's desk, looking on as long as the ``async with`` block lasts, over all deaths of the gateway.

    Attributes:
        client: its line.
        told: per district the offsets of the changes it was told.
        doubles: what it was told though it had it.
        covered: per district the stretches (after, upto) that snapshots stood for.
    """

    def __init__(self, socket: str) -> None:
        self.client = LiveClient(socket, "desk-city", clock=SystemClock())
        self.told: dict[int, set[int]] = {}
        self.doubles: list[tuple[int, int]] = []
        self.covered: dict[int, list[tuple[int, int]]] = {}
        self._at: dict[int, int] = {}
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        begun = asyncio.Event()
        self._listening = asyncio.create_task(self._listen(begun))
        await begun.wait()
        await self.client.__aenter__()
        await self.client.until(lambda desk: desk.snapshots)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.__aexit__(kind, error, trace)
        assert self._listening is not None
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self, begun: asyncio.Event) -> None:
        async with self.client.listening() as pushes:
            begun.set()
            async for push in pushes:
                self._note(push)

    def _note(self, push: Push) -> None:
        match push:
            case Snapshot():
                for key, at in push.at.items():
                    district = int(key)
                    self.covered.setdefault(district, []).append((self._at.get(district, -1), at))
                    self._at[district] = at
            case Delta() | Result():
                district, offset = push.at
                if offset <= self._at.get(district, -1):
                    self.doubles.append((district, offset))
                self._at[district] = offset
                self.told.setdefault(district, set()).add(offset)
            case _:
                pass

    def missed(self, district: int, outputs: Mapping[int, Output]) -> list[int]:
        """Offsets of changes that it should have been told and was not.

        Args:
            district: of the outputs.
            outputs: offset to output, those that count, in order.
        """
        held: dict[tuple[type[Any], str], Kept] = {}
        missing: list[int] = []
        for offset, output in outputs.items():
            body = output.body
            if isinstance(body, Finding | CommandResult):
                continue  # not shown, or only to whoever asked
            if hasattr(body, "id") or hasattr(body, "request"):
                key = (type(body), key_of(body))  # type: ignore[arg-type]
                if key in held and not is_newer(body, held[key]):  # type: ignore[arg-type]
                    continue
                held[key] = body  # type: ignore[assignment]
            by_snapshot = any(after < offset <= upto for after, upto in self.covered.get(district, ()))
            if offset not in self.told.get(district, ()) and not by_snapshot:
                missing.append(offset)
        return missing
