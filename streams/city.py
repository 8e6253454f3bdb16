"""The city worker: one Faust agent over the outputs of all districts."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, NoReturn

from sql import get_run
from sql.runs import unknown_run
from streams import faust_app, figures
from streams.city_host import CityHost
from streams.faust_app import Position
from streams.log_reader import LogReader
from streams.observed import Seen, observed
from streams.outbox import Outbox
from streams.snapshots import Snapshots
from yiwang.broker import ensure_topics, start_producer
from yiwang.clock import SystemClock
from yiwang.settings import Settings


def main(settings: Settings, worker: str) -> NoReturn:
    """Run until SIGTERM.

    Raises:
        YiwangError: at the start, when run, topics or services are not there.
    """
    asyncio.run(observed(settings, "city", worker, partial(_main, settings, worker)))
    raise AssertionError("the worker ends the process itself")


async def _main(settings: Settings, worker: str, seen: Seen) -> None:
    dsn = settings.database.get_secret_value()
    run = await asyncio.to_thread(get_run, dsn, settings.run)
    if run is None:
        raise unknown_run(settings.run, [])
    topics = run.topics
    await ensure_topics(settings.kafka, topics, run.districts)
    producer = await start_producer(settings.kafka, client_id="yiwang-city")

    async def committed(offsets: Mapping[Position, int]) -> None:
        await faust_app.commit(app, offsets)

    host = CityHost(
        topics,
        run.districts,
        SystemClock(),
        Outbox(producer, faust_app.fail),
        await LogReader.start(settings.kafka, "yiwang-city-logs"),
        Snapshots(dsn, topics.schema, "city"),
        snapshot_s=settings.snapshot_s,
        told=lambda heard: faust_app.ready(ready="city", worker=worker, districts=heard, **seen.ready()),
        committed=committed,
    )
    seen.metrics.add("city", figures.city(host))
    app = faust_app.make(settings, "city", worker, host)

    @app.agent(  # type: ignore[untyped-decorator]
        app.topic(topics.outputs, key_serializer="raw", value_serializer="raw"), name="outputs"
    )
    @faust_app.guarded
    async def outputs(stream: Any) -> None:  # Any: a Faust stream of bytes
        async for event in stream.noack().events():
            m = event.message
            await host.take(m.partition, m.offset, m.value, m.headers or ())

    await faust_app.run(app, host, seen.entry.withdraw)
