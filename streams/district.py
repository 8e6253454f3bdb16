"""The district worker: two Faust agents, feed and commands, around the host that decides nothing itself."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, NoReturn

from sql import get_run
from sql.runs import unknown_run
from streams import faust_app, figures
from streams.district_host import DistrictHost
from streams.faust_app import Position
from streams.log_reader import LogReader, ingest_ns
from streams.observed import Seen, observed
from streams.outbox import Outbox
from streams.snapshots import Snapshots
from streams.traced import DistrictTraces, TracedOutbox
from yiwang.broker import ensure_topics, start_producer
from yiwang.clock import SystemClock
from yiwang.settings import Settings
from yiwang.topics import HEADER_INGEST
from yiwang.tracing import start as start_traces


def main(settings: Settings, worker: str) -> NoReturn:
    """Run until SIGTERM.

    Raises:
        YiwangError: at the start, when run, topics or services are not there.
    """
    asyncio.run(observed(settings, "district", worker, partial(_main, settings, worker)))
    raise AssertionError("the worker ends the process itself")


async def _main(settings: Settings, worker: str, seen: Seen) -> None:
    dsn = settings.database.get_secret_value()
    run = await asyncio.to_thread(get_run, dsn, settings.run)
    if run is None:
        raise unknown_run(settings.run, [])
    topics = run.topics
    await ensure_topics(settings.kafka, topics, run.districts)
    producer = await start_producer(settings.kafka, client_id="yiwang-district")
    reader = await LogReader.start(settings.kafka, "yiwang-district-logs")

    tracing = start_traces(settings, "district")
    traces = DistrictTraces(tracing) if tracing else None
    outbox = TracedOutbox(producer, faust_app.fail, traces) if traces else Outbox(producer, faust_app.fail)

    async def committed(offsets: Mapping[Position, int]) -> None:
        await faust_app.commit(app, offsets)

    host = DistrictHost(
        topics,
        SystemClock(),
        outbox,
        reader,
        Snapshots(dsn, topics.schema, "district"),
        snapshot_s=settings.snapshot_s,
        ticks=run.ticks == "agent",
        told=lambda held: faust_app.ready(ready="district", worker=worker, districts=held, **seen.ready()),
        committed=committed,
    )
    seen.metrics.add("district", figures.district(host))
    app = faust_app.make(settings, "district", worker, host)

    def topic(name: str) -> Any:  # Any: a Faust topic
        return app.topic(name, key_serializer="raw", value_serializer="raw")

    @app.agent(topic(topics.feed), name="feed")  # type: ignore[untyped-decorator]
    @faust_app.guarded
    async def feed(stream: Any) -> None:  # Any: a Faust stream of bytes
        queue = stream.channel.queue
        async for event in stream.noack().events():
            m = event.message
            if traces:
                traces.received(m.partition, m.headers)
            host.take_feed(m.partition, m.offset, m.value, ingest_ns(m.headers, HEADER_INGEST))
            if queue.empty() or host.full:
                await host.work()
                if traces:
                    traces.worked()

    @app.agent(topic(topics.commands), name="commands")  # type: ignore[untyped-decorator]
    @faust_app.guarded
    async def commands(stream: Any) -> None:  # Any: a Faust stream of bytes
        async for event in stream.noack().events():
            m = event.message
            host.take_command(m.partition, m.offset, m.value, ingest_ns(m.headers, HEADER_INGEST))
            await host.work()
            if traces:
                traces.worked()

    def at_end() -> None:
        seen.entry.withdraw()
        if traces:
            traces.flush()

    await faust_app.run(app, host, at_end)
