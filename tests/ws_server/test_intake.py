"""From Kafka to the hub, with consumers that are played here: what goes first when there is too much."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiokafka
import numpy as np
import pytest

from tests.ws_server.bodies import T0, hub, incident, output
from ws_server import intake, socket
from ws_server.client import LiveClient
from ws_server.hub import Hub
from ws_server.loopback import listen
from ws_server.store import Live
from yiwang import codec, frames
from yiwang.columns import Readings
from yiwang.frames import Frame
from yiwang.model import Incident

FRAME_ROWS = 2000
FAR = 10_000


class Record:
    """A record of Kafka."""

    def __init__(self, offset: int, value: bytes) -> None:
        self.offset, self.value, self.headers = offset, value, (("ingest", b"%d" % T0),)


class Outputs:
    """A consumer of outputs that says what is put in."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[tuple[Any, Record]] = asyncio.Queue()

    def assign(self, parts: list[Any]) -> None:
        pass

    def seek(self, part: Any, offset: int) -> None:
        pass

    async def end_offsets(self, parts: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(parts, 0)

    beginning_offsets = end_offsets

    async def getmany(self, **_: Any) -> dict[Any, list[Record]]:
        part, record = await self.waiting.get()
        return {part: [record]}

    async def stop(self) -> None:
        pass


class Flood(Outputs):
    """A consumer of the feed that always has 50 frames more at once, and is never at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0
        self.jumps = 0
        s = np.arange(FRAME_ROWS, dtype=np.int32)
        self.payloads = [
            frames.encode(
                Frame(
                    district=0,
                    ingest_ns=T0,
                    readings=Readings(
                        series=s,
                        t_ns=np.full(FRAME_ROWS, T0 + k),
                        value=np.full(FRAME_ROWS, float(k)),
                        quality=np.zeros(FRAME_ROWS, np.uint8),
                    ),
                )
            )
            for k in range(50)
        ]

    async def getmany(self, **_: Any) -> dict[Any, list[Record]]:
        return {aiokafka.TopicPartition("test.feed", 0): [self.record(payload) for payload in self.payloads]}

    def record(self, payload: bytes) -> Record:
        flood = self

        class Counted(Record):
            @property
            def value(self) -> bytes:
                flood.taken += 1
                return payload

            @value.setter
            def value(self, _: bytes) -> None:
                pass

        return Counted(0, payload)

    def highwater(self, part: Any) -> int:
        return FAR

    async def seek_to_end(self, part: Any) -> None:
        self.jumps += 1


@pytest.fixture
async def flooded(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Hub, Outputs, Flood, str]]:
    """A gateway's intake and socket under a flood of telemetry; the address of its live socket."""
    made, outputs, flood = hub(), Outputs(), Flood()

    async def start_consumer(_: str, *, client_id: str) -> Outputs:
        return flood if "feed" in client_id else outputs

    async def no_topics(*_: Any) -> None:
        pass

    monkeypatch.setattr(intake, "start_consumer", start_consumer)
    monkeypatch.setattr(intake, "ensure_topics", no_topics)
    intake._begin(made, Live(objects=(), next_offsets={}), {0: 0, 1: 0}, {0: 0, 1: 0})
    listener = listen("127.0.0.1", 0, "test")
    server = await socket.start(made, listener, origins=[])
    tasks = [asyncio.create_task(intake.keep_outputs(made)), asyncio.create_task(intake.keep_feed(made))]
    try:
        async with asyncio.timeout(60):
            yield made, outputs, flood, f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        server.close()
        await server.wait_closed()
        assert all(isinstance(e, asyncio.CancelledError) for e in ended)


async def test_an_alert_overtakes_a_flood_of_telemetry(flooded: tuple[Hub, Outputs, Flood, str]) -> None:
    """The feed is never empty and never waits; between the alert's arrival and a screen lie few of its frames."""
    _, outputs, flood, url = flooded
    async with LiveClient(url, "desk-0") as screen:
        await screen.until(lambda s: s.snapshots)
        await screen.watch([(0, 5)])
        await screen.until(lambda s: s.values)
        taken = []
        for n in range(20):
            before = flood.taken
            record = Record(n, codec.encode(output(n, incident(f"I-{n}"))))
            outputs.waiting.put_nowait((aiokafka.TopicPartition("test.outputs", 0), record))
            await screen.until(lambda s, n=n: f"I-{n}" in s.of(Incident))
            taken.append(flood.taken - before)
        assert max(taken) < 25, taken  # turns of the loop: to the hub, the socket, the client and back here


async def test_far_behind_the_newest_values_count_and_the_rest_is_left_out(
    flooded: tuple[Hub, Outputs, Flood, str],
) -> None:
    """Telemetry goes on at its end, and how much was left out is counted; a screen that watches goes on."""
    made, _, flood, url = flooded
    async with LiveClient(url, "desk-0") as screen:
        await screen.until(lambda s: s.snapshots)
        await screen.watch([(0, 5)])
        await screen.until(lambda s: s.values.get((0, 5), (0, 0, 0, 0, 0))[3] == 49.0)
    assert flood.jumps > 0
    assert made.skipped == flood.jumps * (FAR - 1)
