"""From Kafka to all sessions: keeps the live view up to date and tells every screen at once.

Two consumers, so that what the districts say never waits behind telemetry. Neither is in a group: every
gateway reads everything. The hub waits with back-off for whatever is away and says so in beats and health.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import aiokafka
from aiokafka.errors import KafkaError

from ws_server.city import City, city_of
from ws_server.posts import Post
from ws_server.session import Produce, Session
from ws_server.store import Store
from ws_server.view import RING, LiveView
from yiwang import codec, frames, logs
from yiwang.broker import ensure_topics, start_consumer, start_producer, unavailable
from yiwang.clock import Clock
from yiwang.errors import BadInput, Unavailable, YiwangError
from yiwang.model import RegistryChange, RulesChange, Tick
from yiwang.registry import Rules
from yiwang.runs import Run
from yiwang.topics import HEADER_AGENT, HEADER_INGEST, Topics

BEAT_S = 2.0
CITY_POLL_S = 10.0
SEND_LIMIT_S = 8.0  # below the time after which a page asks again
FEED_BACK = 50  # messages of each feed read again at the start, to know the time and some values at once
FEED_LAG = 2000  # messages; further behind, telemetry for screens is skipped

_log = logs.get("hub")
Record = Any  # Any: aiokafka publishes no types


class Hub:
    """The heart of a gateway.

    Args:
        bootstrap: Kafka.
        topics: the run's.
        store: the run's database.
        built_in: rules to show until the database has some.
        clock: wall clock.

    Attributes:
        run: the run's row, None as long as the database has not been reached.
        problems: what is away or wrong now, by the task that found it.
    """

    def __init__(
        self, *, bootstrap: str, topics: Topics, store: Store, built_in: Rules, clock: Clock
    ) -> None:
        self.view = LiveView()
        self.city = City()
        self.run: Run | None = None
        self.problems: dict[str, YiwangError] = {}
        self.store = store
        self.clock = clock
        self._bootstrap = bootstrap
        self._topics = topics
        self._built_in = built_in
        self._sessions: dict[Session, Callable[[], None]] = {}
        self._producer: aiokafka.AIOKafkaProducer | None = None
        self._outputs_consumer: aiokafka.AIOKafkaConsumer | None = None
        self._run_known = asyncio.Event()
        self._city_changed = asyncio.Event()
        self._lag: dict[int, int] = {}
        self._loaded = False
        self.skipped = 0  # feed messages left out for screens because the gateway was behind

    # ---- sessions ----

    def join(self, session: Session, wake: Callable[[], None]) -> None:
        """From now on ``session`` is told everything; ``wake`` is called when it has something to send."""
        self._sessions[session] = wake

    def leave(self, session: Session) -> None:
        """The session has ended."""
        self._sessions.pop(session, None)

    def post_of(self, key: str) -> Post | None:
        """A post as it is registered now."""
        return self.city.posts.get(key)

    async def send(self, effect: Produce) -> None:
        """Put a command on Kafka.

        Raises:
            Unavailable: ``kafka.unavailable``. It may still arrive later; asking again with the same
                command id does no harm.
        """
        if self._producer is None:
            raise unavailable(self._bootstrap, ConnectionError("not connected yet"))
        try:
            async with asyncio.timeout(SEND_LIMIT_S):
                await self._producer.send_and_wait(
                    self._topics.commands,
                    codec.encode(effect.command),
                    partition=effect.district,
                    headers=[(HEADER_INGEST, str(effect.command.ingest_ns).encode())],
                )
        except (KafkaError, OSError, TimeoutError) as error:
            raise unavailable(self._bootstrap, error) from error

    # ---- life ----

    async def first_look(self) -> None:
        """Find the run, so that a wrong set-up is told at the start; a database that is away is waited for.

        Raises:
            BadInput: ``run.unknown``, ``database.not_migrated`` and the like.
            NotAllowed: ``database.auth`` and the like.
        """
        try:
            await self._find_run()
        except Unavailable as error:
            self._problem("city", error)

    async def live(self) -> None:
        """Run until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._again("city", self._keep_city))
                group.create_task(self._again("outputs", self._keep_outputs))
                group.create_task(self._again("feed", self._keep_feed))
                group.create_task(self._again("producer", self._keep_producer))
                group.create_task(self._keep_beating())
        finally:
            await self.store.close()

    async def _again(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work`` for ever, with back-off after an error."""
        wait = 0.2
        while True:
            began = self.clock.now_ns()
            try:
                await work()
            except (YiwangError, KafkaError, OSError) as error:
                known = error if isinstance(error, YiwangError) else unavailable(self._bootstrap, error)
                self._problem(name, known)
            wait = 0.2 if self.clock.now_ns() - began > 10_000_000_000 else min(2 * wait, 5.0)
            await asyncio.sleep(wait)

    def _problem(self, name: str, error: YiwangError) -> None:
        known = self.problems.get(name)
        if known is None or known.code != error.code:
            _log.warning("problem", task=name, code=error.code, reason=error.message)
        self.problems[name] = error

    def _well(self, name: str) -> None:
        if self.problems.pop(name, None) is not None:
            _log.info("problem_over", task=name)

    def _has(self, service: str) -> bool:
        return not any(error.code.startswith(f"{service}.") for error in self.problems.values())

    # ---- database: run, registry, rules ----

    async def _find_run(self) -> Run:
        if self.run is None:
            self.run = await self.store.run()
            self.view.epoch = f"{self.run.name}.{self.run.created_ns}"
            self._run_known.set()
        return self.run

    async def _keep_city(self) -> None:
        await self._find_run()
        listener = await self.store.listen(self._city_changed.set)
        try:
            while True:
                await self._reload_city()
                self._well("city")
                try:
                    async with asyncio.timeout(CITY_POLL_S):
                        await self._city_changed.wait()
                except TimeoutError:
                    pass
                self._city_changed.clear()
                if listener.is_closed():
                    return
        finally:
            listener.terminate()

    async def _reload_city(self) -> None:
        tables = await self.store.city()
        try:
            city = await asyncio.to_thread(city_of, tables, self._built_in)
        except BadInput as error:
            self._problem("rules", error)
            return
        self._well("rules")
        changed = city.version != self.city.version or city.domains_json != self.city.domains_json
        self.city = city
        if changed:
            _log.info("city_loaded", version=city.version, posts=len(city.posts))
            if self.view.ready:
                self._start_sessions()

    # ---- outputs ----

    async def _keep_outputs(self) -> None:
        run = await self._find_run()
        if not self._loaded:
            live = await self.store.live(self._topics.outputs)
            await ensure_topics(self._bootstrap, self._topics, run.districts)
        consumer = await start_consumer(self._bootstrap, client_id=f"yiwang-gateway-{run.name}")
        try:
            parts = {d: aiokafka.TopicPartition(self._topics.outputs, d) for d in range(run.districts)}
            consumer.assign(list(parts.values()))
            ends = await consumer.end_offsets(list(parts.values()))
            if not self._loaded:
                begins = await consumer.beginning_offsets(list(parts.values()))
                self.view.load(live.objects)
                for d, part in parts.items():
                    stored = live.next_offsets.get(d, 0)
                    if stored > ends[part]:
                        _log.error("outputs_shorter_than_stored", district=d, stored=stored, end=ends[part])
                    # Some way back, so that screens of a gateway before us can resume here.
                    self.view.begin(d, max(begins[part], min(stored, ends[part]) - RING))
                self._loaded = True
            for d, part in parts.items():
                consumer.seek(part, self.view.at[d] + 1)
            self._outputs_consumer = consumer
            self._well("outputs")
            while True:
                self._ready_when({d: ends[part] for d, part in parts.items()})
                batch = await consumer.getmany(timeout_ms=200, max_records=500)
                for part, records in batch.items():
                    for record in records:
                        self._output(part.partition, record)
                    await asyncio.sleep(0)
        finally:
            self._outputs_consumer = None
            await consumer.stop()

    def _ready_when(self, ends: dict[int, int]) -> None:
        """Open the doors once everything that was there at the start has been taken in."""
        at = self.view.at
        if not self.view.ready and self.city.posts and all(at[d] + 1 >= end for d, end in ends.items()):
            self.view.ready = True
            _log.info("view_ready", at=at)
            self._start_sessions()

    def _start_sessions(self) -> None:
        for session, wake in list(self._sessions.items()):
            session.started()
            wake()

    def _output(self, district: int, record: Record) -> None:
        try:
            output = codec.decode_output(record.value)
        except BadInput as error:
            _log.error("output_unreadable", district=district, offset=record.offset, reason=error.message)
            return
        change = self.view.apply(
            district,
            record.offset,
            output,
            ingest_ns=_stamp(record.headers, HEADER_INGEST),
            agent_ns=_stamp(record.headers, HEADER_AGENT),
            gateway_ns=self.clock.now_ns(),
        )
        if change is not None and self.view.ready:
            for session, wake in self._sessions.items():
                session.publish(change)
                wake()

    # ---- feed: newest values and event time ----

    async def _keep_feed(self) -> None:
        run = await self._find_run()
        await ensure_topics(self._bootstrap, self._topics, run.districts)
        consumer = await start_consumer(self._bootstrap, client_id=f"yiwang-gateway-feed-{run.name}")
        try:
            parts = [aiokafka.TopicPartition(self._topics.feed, d) for d in range(run.districts)]
            consumer.assign(parts)
            begins, ends = await consumer.beginning_offsets(parts), await consumer.end_offsets(parts)
            for part in parts:
                consumer.seek(part, max(begins[part], ends[part] - FEED_BACK))
            self._well("feed")
            while True:
                batch = await consumer.getmany(timeout_ms=200, max_records=50)
                for part, records in batch.items():
                    for record in records:
                        self._feed(part.partition, record.value)
                    await asyncio.sleep(0)
                    behind = (consumer.highwater(part) or 0) - records[-1].offset
                    if behind > FEED_LAG:
                        self.skipped += behind
                        await consumer.seek_to_end(part)
        finally:
            await consumer.stop()

    def _feed(self, district: int, payload: bytes) -> None:
        """Take a message of the feed; one that cannot be read is the district agent's business, not ours."""
        view = self.view
        try:
            if frames.is_frame(payload):
                frame = frames.decode(payload)
                series = view.values.update(district, frame.readings)
                view.ingest_ns[district] = max(frame.ingest_ns, view.ingest_ns.get(district, 0))
                if len(series):
                    for session, wake in self._sessions.items():
                        if session.touched(district, series, frame.ingest_ns):
                            wake()
                return
            message = codec.decode_feed(payload)
        except BadInput as error:
            _log.debug("feed_unreadable", district=district, code=error.code)
            return
        if isinstance(message, Tick):
            view.event_ns[district] = max(message.t_ns, view.event_ns.get(district, 0))
        elif isinstance(message, RegistryChange | RulesChange):
            self._city_changed.set()

    async def _keep_producer(self) -> None:
        self._producer = await start_producer(self._bootstrap, client_id="yiwang-gateway", linger_ms=0)
        self._well("producer")
        try:
            await asyncio.Event().wait()  # it reconnects by itself
        finally:
            producer, self._producer = self._producer, None
            await producer.stop()

    # ---- how things are ----

    async def _keep_beating(self) -> None:
        while True:
            await self._look_at_kafka()
            status = self.status()
            for session, wake in self._sessions.items():
                session.beat(status)
                wake()
            await asyncio.sleep(BEAT_S)

    async def _look_at_kafka(self) -> None:
        """Consumers fall silent when the broker is away; asking for the ends tells."""
        consumer = self._outputs_consumer
        if consumer is None:
            return
        try:
            async with asyncio.timeout(BEAT_S):
                ends = await consumer.end_offsets(list(consumer.assignment()))
        except (KafkaError, OSError, TimeoutError) as error:
            self._problem("broker", unavailable(self._bootstrap, error))
            return
        at = self.view.at
        self._lag = {part.partition: max(0, end - 1 - at[part.partition]) for part, end in ends.items()}
        self._well("broker")

    def status(self) -> dict[str, object]:
        """The content of a beat."""
        return {
            "now_ms": self.clock.now_ns() / 1e6,
            "event_ms": _ms(max(self.view.event_ns.values(), default=None)),
            "feeds": {
                str(d): {
                    "event_ms": _ms(self.view.event_ns.get(d)),
                    "ingest_ms": _ms(self.view.ingest_ns.get(d)),
                }
                for d in self.view.at
            },
            "kafka": self._has("kafka"),
            "database": self._has("database"),
            "ready": self.view.ready,
        }

    def health(self) -> dict[str, object]:
        """The content of /api/health."""
        return {
            "ok": self.view.ready and not self.problems,
            **self.status(),
            "problems": {name: error.as_json() for name, error in self.problems.items()},
            "at": {str(d): offset for d, offset in self.view.at.items()},
            "lag": {str(d): lag for d, lag in self._lag.items()},
            "screens": [
                {"post": s.post.id, "client": s.client} for s in self._sessions if s.post is not None
            ],
            "skipped": self.skipped,
        }


def _stamp(headers: Iterable[tuple[str, bytes]], name: str) -> int | None:
    for key, value in headers:
        if key == name and value.isdigit():
            return int(value)
    return None


def _ms(t_ns: int | None) -> float | None:
    return None if t_ns is None else t_ns / 1e6
