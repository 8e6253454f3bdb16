"""A Kafka producer whose broker answers when the test says so."""

import asyncio
from typing import Any

from yiwang import codec, frames
from yiwang.model import DeadLetter
from yiwang.topics import HEADER_INGEST


class FakeProducer:
    """Keeps what it is sent; acknowledges at once, later (``hold``) or never takes it (``refuse``)."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes, int]] = []
        self.letters: list[DeadLetter] = []
        self.pending: list[asyncio.Future[Any]] = []
        self.hold = False
        self.refuse: Exception | None = None
        self.block: asyncio.Event | None = None
        self.refusal = asyncio.Event()
        self.arrivals = asyncio.Semaphore(0)

    async def send(
        self, topic: str, value: bytes, *, partition: int, headers: list[tuple[str, bytes]]
    ) -> "asyncio.Future[Any]":
        if self.block:
            await self.block.wait()
        if self.refuse:
            self.refusal.set()
            raise self.refuse
        if topic.endswith(".deadletters"):
            self.letters.append(codec.decode_dead_letter(value))
        else:
            assert topic.endswith(".feed")
            assert headers[0][0] == HEADER_INGEST
            self.sent.append((partition, value, int(headers[0][1])))
        self.arrivals.release()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.hold:
            self.pending.append(future)
        else:
            future.set_result(None)
        return future

    async def arrived(self, n: int) -> None:
        """Wait until ``n`` more messages were sent."""
        for _ in range(n):
            await self.arrivals.acquire()
        await asyncio.sleep(0)  # let the feeder take the future of the last one

    def acknowledge(self) -> None:
        """The broker has everything that was sent."""
        for future in self.pending:
            future.set_result(None)
        self.pending.clear()

    def values(self) -> list[float]:
        """Values of all readings sent, in the order of the frames."""
        found: list[float] = []
        for _, payload, _ in self.sent:
            if frames.is_frame(payload):
                found += frames.decode(payload).readings.value.tolist()
        return found
