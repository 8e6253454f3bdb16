"""The district worker on real Kafka and PostgreSQL: kills, rebalances, stops; the outputs stay exact."""

import asyncio
import signal
from itertools import pairwise

import pytest
from msgspec.structs import replace

from tests.kills import KILLS
from tests.streams.driving import COARSE, Drive, Relay
from tests.streams.world import T0, registry
from yiwang.clock import SECOND
from yiwang.columns import Readings
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.model import (
    CommandResult,
    Incident,
    Order,
    Output,
    RegistryChange,
    RulesChange,
    SupportOffer,
    Tick,
)

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]


def _has_done_order(outputs: list[Output]) -> bool:
    return any(isinstance(o.body, Order) and o.body.state == "done" for o in outputs)


async def test_kills_change_nothing(kafka: EmbeddedKafka, pg_dsn: str) -> None:
    """Kill -9 in the midst of feed and commands: what came out equals the undisturbed run, number by number."""
    async with Drive(kafka.bootstrap, pg_dsn, districts=2, seed=1) as drive:
        await drive.open()
        feeding = asyncio.create_task(drive.steps())
        for _ in range(KILLS):
            worker = await drive.worker("district", "w0").start()
            assert await worker.ready() == {"ready": "district", "worker": "w0", "districts": [0, 1]}
            await drive.more()
            await asyncio.sleep(drive.chance.uniform(0, 1.0))
            await worker.end(signal.SIGKILL)
        worker = await drive.worker("district", "w0").start()
        await drive.until(lambda: all(_has_done_order(drive.said[d]) for d in range(2)))
        feeding.cancel()
        await drive.settled()
        assert await worker.end(signal.SIGTERM) == 0
        for district in range(2):
            outputs = drive.outputs(district)
            assert [o.body for o in outputs.values()] == drive.undisturbed(district)
            bodies = [o.body for o in outputs.values()]
            assert any(isinstance(b, Incident) for b in bodies)
            places = {o.feed for o in outputs.values() if isinstance(o.body, CommandResult)}
            assert len(places) > KILLS


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


async def test_the_database_goes_away_and_the_district_lives_on(kafka: EmbeddedKafka, pg_dsn: str) -> None:
    """Outputs go on; a worker that dies meanwhile works everything out again from the older state."""
    async with Relay(pg_dsn) as relay, Drive(kafka.bootstrap, pg_dsn, districts=1, seed=3) as drive:
        await drive.open()
        feeding = asyncio.create_task(drive.steps())
        worker = await drive.worker("district", "w0", database=relay.dsn).start()
        await worker.ready()
        await drive.more()
        await relay.cut()
        await drive.more(60)
        await worker.end(signal.SIGKILL)
        worker = await drive.worker("district", "w0", database=relay.dsn).start()
        feeding.cancel()
        await relay.mend()
        await worker.ready()
        await drive.settled()
        assert await worker.end(signal.SIGTERM) == 0
        bodies = [o.body for o in drive.outputs(0).values()]
        assert bodies == drive.undisturbed(0)


async def test_in_a_living_run_the_worker_ticks(kafka: EmbeddedKafka, pg_dsn: str) -> None:
    """Ticks of whole seconds of the wall clock appear in the feed of each of its districts."""
    async with Drive(kafka.bootstrap, pg_dsn, districts=2, seed=4, ticks="agent") as drive:
        await drive.open()
        worker = await drive.worker("district", "").start()
        await worker.ready()
        ticks = await drive.ticks(2)
        assert all(t_ns % SECOND == 0 for times in ticks.values() for t_ns in times)
        assert all(b - a == SECOND for times in ticks.values() for a, b in pairwise(times))
        assert await worker.end(signal.SIGTERM) == 0


async def test_a_neighbours_crew_is_found_through_the_city_worker(kafka: EmbeddedKafka, pg_dsn: str) -> None:
    """From a flood in a district without crews to the answer that somebody comes; the city worker is killed once."""
    async with Drive(kafka.bootstrap, pg_dsn, districts=2, seed=5) as drive:
        drive.answering = False
        await drive.feed(0, RulesChange(rules=COARSE))
        await drive.feed(0, RegistryChange(registry=replace(registry(0), units=())))
        await drive.feed(1, RulesChange(rules=COARSE))
        await drive.feed(1, RegistryChange(registry=registry(1)))
        district = await drive.worker("district", "w0").start()
        city = await drive.worker("city", "c0").start()
        assert await city.ready() == {"ready": "city", "worker": "c0", "districts": [0, 1]}
        await city.end(signal.SIGKILL)
        await drive.feed(0, Tick(t_ns=T0))
        await drive.feed(0, Readings.of([(0, T0 + SECOND, 60.0, 0)]))
        city = await drive.worker("city", "c0").start()
        await drive.until(lambda: any(o.body.support for o in drive.said[0] if isinstance(o.body, Incident)))
        assert any(isinstance(o.body, SupportOffer) and o.body.granted for o in drive.said[1])
        for worker in (city, district):
            assert await worker.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("role", ["district", "city"])
async def test_a_worker_of_an_unknown_run_says_so(kafka: EmbeddedKafka, pg_dsn: str, role: str) -> None:
    """One line and exit status 2, before it touches anything."""
    drive = Drive(kafka.bootstrap, pg_dsn, districts=1, seed=6)
    worker = await drive.worker(role, "w0").start()
    assert worker.process is not None
    assert await worker.process.wait() == 2
