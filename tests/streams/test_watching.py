"""The watch over what a worker reads."""

import asyncio
from collections.abc import Mapping

import pytest

from streams import watching
from streams.watching import Position


class Ends:
    """Tells where logs end as a reader of them does."""

    async def ends(self, partitions: list[Position]) -> dict[Position, int]:
        """Always further."""
        return dict.fromkeys(partitions, 9)


async def test_how_far_the_logs_are_is_told_also_of_a_worker_that_is_excused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lag is largest while the database is away: then of all times it must not be hidden."""
    monkeypatch.setattr(watching, "LOOK_S", 0.0)
    told: asyncio.Future[Mapping[Position, int]] = asyncio.get_running_loop().create_future()

    def hear(ends: Mapping[Position, int]) -> None:
        if not told.done():
            told.set_result(ends)

    task = asyncio.create_task(
        watching.watch(
            "persist",
            Ends(),  # type: ignore[arg-type]  # the one thing it needs of a reader
            lambda: {("feed", 0): 3},
            hear,
            excused=lambda: True,
        )
    )
    try:
        async with asyncio.timeout(30):
            assert await told == {("feed", 0): 9}
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
