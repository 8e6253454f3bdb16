"""The ingest process: everything of this folder put together."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import uvicorn

from ingest import figures, http
from ingest.coming import Coming, Stoppable
from ingest.deadletters import DeadLetters
from ingest.feeder import DELIVER_S, Feeder, Producer
from ingest.intake import Intake
from ingest.limits import Limiter, Rates
from ingest.mapping import load
from ingest.mqtt import MqttFeed, address
from ingest.parse import Limits
from ingest.pressure import Bounded
from ingest.sent import Log
from ingest.spool import Spool
from ingest.spooling import Spooling
from ingest.traced import TracedProducer
from ingest.watch import Watch
from sql import get_run, list_runs
from sql.runs import unknown_run
from yiwang import logs, metrics_http
from yiwang.broker import ensure_topics, start_producer
from yiwang.clock import SystemClock
from yiwang.domains import compile_rules, load_rules
from yiwang.errors import BadInput, Unavailable, YiwangError
from yiwang.metrics import Metrics
from yiwang.settings import Settings
from yiwang.topics import Topics
from yiwang.tracing import start as start_traces

MQTT_PATIENCE_S = 86_400.0  # a day: the broker keeps what we have not acknowledged, so waiting loses nothing
_STOP_S, _STOP_AWAY_S = 10.0, 1.0
_log = logs.get("ingest")


class _Server(uvicorn.Server):
    """Leaves signals to the process: what was accepted must be flushed after the last request."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


async def run(
    settings: Settings,
    *,
    with_http: bool,
    stop: asyncio.Event,
    ready: Callable[[dict[str, Any]], None],  # Any: the ready line's plain JSON values
) -> None:
    """Take readings until ``stop``; then finish the requests under way and flush what was accepted.

    Args:
        settings: all of them.
        with_http: whether to listen for HTTP.
        stop: set it to end.
        ready: called once, when everything is up.

    Raises:
        BadInput: ``ingest.nothing``, ``ingest.worker``, ``mqtt.…``, ``run.unknown``, ``domain.…``
        Unavailable: ``kafka.…`` (an absent broker only without a spool), ``database.…``, ``ingest.port``
    """
    if not with_http and not settings.mqtt:
        raise BadInput("ingest.nothing", "nothing to take readings from: allow HTTP, or give --mqtt")
    if settings.share_port and settings.mqtt and not settings.worker:
        raise BadInput(
            "ingest.worker",
            "several processes share the port, so each that reads MQTT needs a name of its own for the broker: set"
            " YIWANG_WORKER",
        )
    topics = Topics(settings.run)
    clock = SystemClock()
    dsn = settings.database.get_secret_value()
    where = address(settings.mqtt) if settings.mqtt else None
    mappings = load(settings.mqtt_mapping, limit=settings.body_limit)
    domains = compile_rules(load_rules(settings.domains))
    limits = Limits(future_s=settings.future_limit_s, past_s=settings.past_limit_s)
    row = await asyncio.to_thread(get_run, dsn, settings.run)
    if row is None:
        raise unknown_run(settings.run, [r.name for r in await asyncio.to_thread(list_runs, dsn)])

    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listen(settings)) if with_http else None
        watch = Watch(dsn, topics.schema, domains)
        await watch.start()
        stack.push_async_callback(watch.stop)
        districts = row.districts

        async def connect() -> Stoppable:
            await ensure_topics(settings.kafka, topics, districts)
            # linger 0: frames wait as long as is good for them before they come here
            found: Stoppable = await start_producer(
                settings.kafka, client_id=f"yiwang-ingest-{settings.run}", linger_ms=0
            )
            return found

        kafka = Coming(connect)
        producer: Producer = kafka
        spooling: Spooling | None = None

        async def stop_kafka() -> None:
            # while it is away the spool has what it has not
            await _within(kafka.stop, "kafka.producer", _STOP_AWAY_S if kafka_away() else _STOP_S)

        def kafka_away() -> bool:
            return kafka.away or (spooling is not None and bool(spooling.away))

        stack.push_async_callback(stop_kafka)
        await kafka.start(may_wait=settings.spool_mb > 0)
        if settings.spool_mb:
            producer = spooling = await _spooling(settings, kafka)
            stack.push_async_callback(_within, spooling.close, "spool")

        traces = start_traces(settings, "ingest")
        sender = TracedProducer(producer, traces, topics.feed) if traces else producer
        if traces:
            stack.callback(traces.flush)

        limiter = Limiter(
            Rates(
                readings=settings.rate_limit,
                series=settings.rate_limit_device,
                bad=settings.rate_limit_bad,
            )
        )

        def intake(deliver_s: float) -> Intake:
            feeder = Feeder(
                sender,
                topics,
                clock=clock,
                frame_ms=settings.frame_ms,
                frame_rows=settings.frame_rows,
                deliver_s=deliver_s,
            )
            stack.push_async_callback(_within, feeder.close, "feeder")
            dead = DeadLetters(producer, topics, deliver_s=deliver_s)
            return Intake(feeder, dead, lambda: watch.catalogue, limits, clock, limiter)

        line: dict[str, Any] = {"ready": "ingest", "run": settings.run}
        if kafka.away:
            line["kafka"] = "away"
        tasks: list[asyncio.Task[Any]] = []  # Any: nobody reads a result
        feed: MqttFeed | None = None
        patient = intake(MQTT_PATIENCE_S)
        if where:
            client_id = f"yiwang-{settings.run}-{settings.worker or 'ingest'}"
            feed = MqttFeed(where, settings.mqtt_topics, mappings, patient, client_id=client_id)
            tasks.append(asyncio.create_task(feed.run(), name="mqtt"))
            line["mqtt"] = str(where)
        server: _Server | None = None
        metrics = Metrics("ingest", settings.run, settings.worker)
        # of a port that several processes share nobody can say which of them answers
        own_metrics = listener is None or settings.share_port
        feeders = {"mqtt": patient.feeder}
        if listener:
            hasty = intake(DELIVER_S)
            feeders["http"] = hasty.feeder
            hasty.counters = patient.counters

            def health() -> dict[str, Any]:
                catalogue = watch.catalogue
                mqtt = None if feed is None else "connected" if feed.connected.is_set() else "away"
                return {
                    "ok": True,
                    "run": settings.run,
                    "devices": catalogue.devices,
                    "series": catalogue.readable,
                    "mqtt": mqtt,
                    "kafka": "away" if kafka_away() else "answers",
                    "spool": spooling.as_json() if spooling else None,
                }

            bounded = Bounded(
                http.app(
                    hasty,
                    body_limit=settings.body_limit,
                    health=health,
                    metrics=None if own_metrics else metrics,
                ),
                limit_bytes=settings.inflight_mb * 2**20,
                body_limit=settings.body_limit,
                refusal=http.refusal,
            )
            metrics.add("bodies", figures.bodies(bounded))
            server = _Server(
                uvicorn.Config(
                    bounded,
                    log_config=None,
                    access_log=False,
                    lifespan="off",
                    timeout_graceful_shutdown=round(_STOP_S) * 2,
                )
            )
            tasks.append(asyncio.create_task(server.serve([listener]), name="http"))
            host, port = listener.getsockname()[:2]
            line["http"] = f"{host}:{port}"
        if own_metrics and settings.metrics_port != metrics_http.OFF:
            shown = await metrics_http.start(metrics, settings.metrics_host, settings.metrics_port)
            stack.callback(shown.close)
            line["metrics"] = metrics_http.address(shown)
        metrics.add(
            "ingest",
            figures.ingest(feeders, patient.counters, lambda: watch.catalogue, kafka_away, feed, spooling),
        )
        ready(line)
        stopping = asyncio.create_task(stop.wait())
        ends: list[asyncio.Future[Any]] = [
            *tasks,
            stopping,
            kafka.fatal,
            *([spooling.fatal] if spooling else []),
        ]
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if server:
            server.should_exit = True
        for task in tasks:
            if task.get_name() == "mqtt":
                task.cancel()
        stopping.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
        for ended in done - {stopping}:
            ended.result()  # a part that ended by itself ended with an error


async def _spooling(settings: Settings, kafka: Coming) -> Spooling:
    """The producer with a spool of this run behind it.

    On unless a city says otherwise: what a device has sent while Kafka restarts is otherwise lost with most devices,
    which send once. It lies below the data folder, on the disk that the city has chosen for data.
    """
    folder = (settings.spool or settings.data / "spool") / settings.run
    spool = await asyncio.to_thread(Spool(folder, limit_bytes=settings.spool_mb * 2**20).open)
    spooling = Spooling(
        kafka, spool, log=Log(settings.kafka, kafka.here.wait), after_s=settings.spool_after_s
    )
    await spooling.start()
    return spooling


async def _within(close: Callable[[], Any], what: str, wait_s: float = _STOP_S) -> None:  # Any: a coroutine
    """Close something, but not for ever where Kafka is away."""
    try:
        async with asyncio.timeout(wait_s):
            await close()
    except TimeoutError:
        _log.error("stop.timeout", what=what, wait_s=wait_s)
    except YiwangError as error:
        _log.error(error.code, reason=error.message)


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.host, settings.ingest_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # with the protocol named, or asyncio leaves Nagle's algorithm on for what is accepted: up to 40 ms an answer
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if settings.share_port:  # the kernel deals connections out among all that listen so
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)  # the ready line is true even before uvicorn has got this far
    except OSError as error:
        listener.close()
        raise Unavailable(
            "ingest.port",
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port, 0 takes a free one",
            host=host,
            port=port,
        ) from error
    return listener
