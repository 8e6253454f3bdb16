"""persist: everything that is on Kafka into the database, each row once. Its own Faust app, its own process."""

import asyncio
import contextlib
import dataclasses
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import faust
import msgspec
from faust.types import TP

from sql import query
from sql.pool import coded, connect
from streams import figures
from streams.faust_app import PromptConsumer, guarded
from streams.log_reader import LogReader
from streams.observed import Seen, observed
from streams.persist_chunks import fit_for_ever
from streams.persist_retention import retain_for_ever
from streams.persist_store import Store
from streams.persist_writer import Limits, Writer
from streams.traced import PersistTraces
from streams.watching import watch
from yiwang import logs
from yiwang.broker import ensure_topics
from yiwang.clock import SystemClock
from yiwang.errors import BadInput
from yiwang.settings import Settings
from yiwang.topics import MAX_MESSAGE_BYTES, Topics
from yiwang.tracing import start as start_traces

SESSION_TIMEOUT_S = 6.0
_REVOKE_FLUSH_S = 3.0  # within the session time-out, or the group would go on without us
_STOP_FLUSH_S = 2.0
_BUFFER_MESSAGES = 64  # frames are large; what waits is bounded by the writer, not here


def main(settings: Settings, worker: str = "") -> None:
    """Run until SIGTERM or SIGINT. Prints one JSON line when it has its partitions. Logs are the caller's to configure.

    Args:
        settings: broker, database, run.
        worker: name for static group membership; a worker that comes back under its name goes on at once.

    Raises:
        YiwangError: what cannot be mended by waiting: no such run, a gap in the log, a database that refuses.
    """
    asyncio.run(observed(settings, "persist", worker, partial(_run, settings, worker)))


async def _run(settings: Settings, worker: str, seen: Seen) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    topics = Topics(settings.run)
    dsn = settings.database.get_secret_value()
    store = Store(dsn, topics.schema, SystemClock())
    writer = Writer(store, topics, SystemClock(), Limits())
    ends: dict[tuple[str, int], int] = {}
    seen.metrics.add("persist", figures.persist(writer, Limits(), ends))
    failed: asyncio.Future[None] = loop.create_future()
    stopping = asyncio.create_task(stop.wait(), name="persist-stop")
    starting = asyncio.create_task(_start(settings, topics, writer), name="persist-start")
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():  # stopped while the database was away
        starting.cancel()
        await store.close()
        return
    starting.result()
    tracing = start_traces(settings, "persist")
    traces = PersistTraces(tracing, topics.feed) if tracing else None
    if traces:
        writer.told = traces.stored
    app = make_app(settings, topics, worker, writer, failed, seen.ready(), traces)
    writing = asyncio.create_task(writer.run(), name="persist-writer")
    looking = asyncio.ensure_future(_look(settings, writer, ends))
    dropping = asyncio.create_task(retain_for_ever(settings, SystemClock()), name="persist-retain")
    fitting = asyncio.create_task(
        fit_for_ever(settings, SystemClock(), lambda: writer.districts.now_us), name="persist-fit"
    )
    try:
        await app.start()
        causes: set[asyncio.Future[Any]] = {writing, stopping, failed}
        await asyncio.wait(causes, return_when=asyncio.FIRST_COMPLETED)
        await writer.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(writing), _STOP_FLUSH_S)
    finally:
        writing.cancel()
        stopping.cancel()
        looking.cancel()
        dropping.cancel()
        fitting.cancel()
        await app.stop()
        done = await asyncio.gather(writing, stopping, looking, dropping, fitting, return_exceptions=True)
        await store.close()
        if traces:
            traces.flush()
        logs.get("persist").info("stopped", **dataclasses.asdict(writer.counters))
    if failed.done():
        failed.result()
    if isinstance(done[0], Exception):
        raise done[0]


@guarded
async def _look(settings: Settings, writer: Writer, ends: dict[tuple[str, int], int]) -> None:
    """Every few seconds, how far the logs are, for onlookers, and whether we stand still before them."""

    def told(found: Mapping[tuple[str, int], int]) -> None:
        ends.clear()
        ends.update(found)

    reader = await LogReader.start(settings.kafka, "yiwang-persist-watch")
    try:
        await watch("persist", reader, lambda: writer.positions, told, excused=lambda: writer.is_away)
    finally:
        await reader.stop()


async def _start(settings: Settings, topics: Topics, writer: Writer) -> None:
    """Wait for the database, then make sure that the topics are there."""
    await writer.start()
    districts = await _districts(settings.database.get_secret_value(), settings.run)
    await ensure_topics(settings.kafka, topics, districts)


async def _districts(dsn: str, run: str) -> int:
    """Number of districts of the run.

    Raises:
        BadInput: ``run.unknown``.
        YiwangError: ``database.…``.
    """
    connection = await connect(dsn, "yiwang")
    try:
        async with coded(dsn):
            row = await connection.fetchrow(query("run/one"), run)
    finally:
        await connection.close()
    if row is None:
        raise BadInput(
            "run.unknown", f"there is no run {run!r}; make it with: yiwang migrate --run {run}", run=run
        )
    return int(row["districts"])


def make_app(
    settings: Settings,
    topics: Topics,
    worker: str,
    writer: Writer,
    failed: "asyncio.Future[None]",
    facts: Mapping[str, str],
    traces: PersistTraces | None = None,
) -> faust.App:
    """The Faust app: three agents that hand everything to the writer.

    Args:
        settings: broker.
        topics: of the run.
        worker: name for static group membership, or empty.
        writer: takes the messages.
        failed: gets the error that ends the process.
        facts: what else the ready line says.
        traces: follow some messages.
    """
    app = faust.App(
        topics.group("persist"),
        broker=f"kafka://{settings.kafka.replace(',', ';kafka://')}",
        store="memory://",
        web_enabled=False,
        logging_config=None,
        loghandlers=[],
        topic_allow_declare=False,
        topic_disable_leader=True,
        datadir=tempfile.mkdtemp(prefix="yiwang-faust-"),  # Faust wants one; nothing is kept in it
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=1.0,
        broker_commit_interval=0.5,
        # While the database is away nobody else could store either: stay in the group.
        broker_max_poll_interval=86_400.0,
        consumer_max_fetch_size=MAX_MESSAGE_BYTES,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=worker or None,
        stream_buffer_maxsize=_BUFFER_MESSAGES,
        stream_wait_empty=False,
    )

    app.transport.Consumer = PromptConsumer

    async def handle(stream: Any) -> None:  # Any: faust's own types are not published
        async for event in stream.noack().events():
            message = event.message
            ack: Callable[[], None] = partial(message.ack, app.consumer)
            if traces:
                ack = traces.received(message.topic, message.partition, message.headers, ack)
            try:
                await writer.take(
                    message.topic,
                    message.partition,
                    message.offset,
                    message.value,
                    ack,
                    message.headers or (),
                )
                message.value = b""  # it may wait for its acknowledgement; its bytes need not
            except Exception as error:  # noqa: BLE001  task boundary: ends the process with this error
                if not failed.done():
                    failed.set_exception(error)
                await asyncio.Event().wait()

    for name in (topics.feed, topics.outputs, topics.dead_letters):
        app.agent(app.topic(name, key_serializer="raw", value_serializer="raw"), name=f"persist.{name}")(
            handle
        )

    ready = asyncio.Event()

    async def assigned(_app: faust.App, assigned: set[TP], **_: Any) -> None:
        if not ready.is_set():
            ready.set()
            line = {"ready": "persist", "run": topics.run, "partitions": len(assigned), **facts}
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
            sys.stdout.flush()

    async def revoked(_app: faust.App, revoked: set[TP], **_: Any) -> None:
        await writer.flush(_REVOKE_FLUSH_S)
        await writer.forget({(tp.topic, tp.partition) for tp in revoked})

    app.on_partitions_assigned.connect(assigned)
    app.on_partitions_revoked.connect(revoked)
    return app
