"""The loop that keeps chunks as long as is good for what comes."""

import asyncio
import itertools
from collections.abc import Callable

import pytest

from streams import persist_chunks
from streams.persist_chunks import fit_for_ever
from yiwang import settings
from yiwang.clock import ManualClock
from yiwang.errors import Unavailable


class Database:
    """Stands in for the store: the first look finds it away."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.enough = asyncio.Event()
        self.closed = False

    async def fit(self, now_us: int) -> int:
        """As the store's."""
        self.asked.append(now_us)
        if len(self.asked) == 1:
            raise Unavailable("database.unavailable", "away")
        if len(self.asked) == 3:
            self.enough.set()
        return 1

    async def close(self) -> None:
        """As the store's."""
        self.closed = True


async def test_looks_again_and_again_with_how_far_the_districts_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked before something has come; a database that is away is asked again; the connection is closed."""
    database = Database()
    make: Callable[..., Database] = lambda *_: database  # noqa: E731
    monkeypatch.setattr(persist_chunks, "Store", make)
    times = itertools.chain([0, 0, 7, 8], itertools.repeat(9))
    wanted = settings.load(run="storm", database="postgresql://nobody@127.0.0.1:1/none")
    task = asyncio.create_task(fit_for_ever(wanted, ManualClock(0), lambda: next(times), every_s=0.0))
    async with asyncio.timeout(30):
        await database.enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert database.asked[:3] == [7, 8, 9]
    assert database.closed
