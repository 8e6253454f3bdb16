"""A worker more than there are partitions: ready with nothing, watched, and there when another goes."""

import asyncio
import signal

import psycopg
import pytest

from sql import query
from tests.streams.driving import PATIENCE_S, Drive
from yiwang.embedded.kafka import EmbeddedKafka

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]


def _stored(drive: Drive) -> int:
    """Next offset of the feed of district 0 as the database has it; -1: nothing was stored yet."""
    with psycopg.connect(drive.dsn, options=f"-c search_path={drive.topics.schema}") as connection:
        rows = connection.execute(query("persist/offsets")).fetchall()
    return next((n for topic, partition, n, *_ in rows if (topic, partition) == (drive.topics.feed, 0)), -1)


async def test_a_district_worker_without_a_district_is_ready_and_takes_over(
    kafka: EmbeddedKafka, pg_dsn: str
) -> None:
    """It says so with an empty list; the district comes to it when the other is killed."""
    async with Drive(kafka.bootstrap, pg_dsn, districts=1, seed=7) as drive:
        await drive.open()
        first = await drive.worker("district", "w0").start()
        assert (await first.ready())["districts"] == [0]
        second = await drive.worker("district", "w1").start()
        assert await second.ready() == {"ready": "district", "worker": "w1", "districts": []}
        feeding = asyncio.create_task(drive.steps())
        await drive.more()
        await first.end(signal.SIGKILL)
        assert (await second.ready())["districts"] == [0]
        await drive.more()
        feeding.cancel()
        await drive.settled()
        assert await second.end(signal.SIGTERM) == 0
        assert [o.body for o in drive.outputs(0).values()] == drive.undisturbed(0)


async def test_a_second_city_worker_of_one_district_stands_by(kafka: EmbeddedKafka, pg_dsn: str) -> None:
    """Ready with nothing; ready with the district when the first has left."""
    async with Drive(kafka.bootstrap, pg_dsn, districts=1, seed=8) as drive:
        first = await drive.worker("city", "c0").start()
        assert (await first.ready())["districts"] == [0]
        second = await drive.worker("city", "c1").start()
        assert await second.ready() == {"ready": "city", "worker": "c1", "districts": []}
        await first.end(signal.SIGKILL)
        assert (await second.ready())["districts"] == [0]
        assert await second.end(signal.SIGTERM) == 0


async def test_a_second_persist_worker_of_one_district_takes_over(kafka: EmbeddedKafka, pg_dsn: str) -> None:
    """Ready with no partition; what comes after the first was killed is stored by the second."""
    async with Drive(kafka.bootstrap, pg_dsn, districts=1, seed=9) as drive:
        await drive.open()
        first = await drive.worker("persist", "p0").start()
        assert (await first.ready())["partitions"] == 3
        second = await drive.worker("persist", "p1").start()
        assert (await second.ready())["partitions"] == 0
        await first.end(signal.SIGKILL)
        await drive.step()
        async with asyncio.timeout(PATIENCE_S):
            while await asyncio.to_thread(_stored, drive) < len(drive.fed[0]):  # noqa: ASYNC110  the database tells nobody
                await asyncio.sleep(0.1)
        assert await second.end(signal.SIGTERM) == 0
