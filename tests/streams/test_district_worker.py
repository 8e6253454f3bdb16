"""The district worker on real Kafka and PostgreSQL: kills, rebalances, stops; the outputs stay exact."""

import asyncio
import signal

import pytest

from tests.streams.driving import Drive
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.model import CommandResult, Incident, Order

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]


async def test_ten_kills_change_nothing(kafka: EmbeddedKafka, pg_dsn: str) -> None:
    """Kill -9 in the midst of feed and commands: what came out equals the undisturbed run, number by number."""
    async with Drive(kafka.bootstrap, pg_dsn, districts=2, seed=1) as drive:
        await drive.open()
        feeding = asyncio.create_task(drive.steps())
        for _ in range(10):
            worker = await drive.worker("district", "w0").start()
            assert await worker.ready() == {"ready": "district", "worker": "w0", "districts": [0, 1]}
            await drive.more()
            await asyncio.sleep(drive.chance.uniform(0, 1.0))
            await worker.end(signal.SIGKILL)
        feeding.cancel()
        worker = await drive.worker("district", "w0").start()
        await drive.settled()
        assert await worker.end(signal.SIGTERM) == 0
        for district in range(2):
            outputs = drive.outputs(district)
            assert [o.body for o in outputs.values()] == drive.undisturbed(district)
            bodies = [o.body for o in outputs.values()]
            assert any(isinstance(b, Incident) for b in bodies)
            assert any(isinstance(b, Order) and b.state == "done" for b in bodies)
            places = {o.feed for o in outputs.values() if isinstance(o.body, CommandResult)}
            assert len(places) > 10


async def test_two_workers_share_the_districts_and_take_over_from_each_other(
    kafka: EmbeddedKafka, pg_dsn: str
) -> None:
    """One joins, is killed for good, another comes and leaves politely: the outputs stay exact."""
    async with Drive(kafka.bootstrap, pg_dsn, districts=3, seed=2) as drive:
        await drive.open()
        feeding = asyncio.create_task(drive.steps())
        first = await drive.worker("district", "w0").start()
        assert (await first.ready())["districts"] == [0, 1, 2]
        await drive.more()
        second = await drive.worker("district", "w1").start()
        shared = [await second.ready(), await first.ready()]
        assert sorted(n for facts in shared for n in facts["districts"]) == [0, 1, 2]
        await drive.more()
        await second.end(signal.SIGKILL)
        assert (await first.ready())["districts"] == [0, 1, 2]
        await drive.more()
        third = await drive.worker("district", "w2").start()
        await third.ready()
        await first.ready()
        await drive.more()
        feeding.cancel()
        await drive.settled()
        assert await third.end(signal.SIGTERM) == 0
        assert await first.end(signal.SIGTERM) == 0
        for district in range(3):
            bodies = [o.body for o in drive.outputs(district).values()]
            assert bodies == drive.undisturbed(district)
