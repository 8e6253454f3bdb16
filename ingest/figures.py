"""What ingest tells of itself as metrics: plain attributes, read when somebody asks."""

from collections.abc import Callable, Iterator, Mapping

from ingest.catalogue import Catalogue
from ingest.feeder import Feeder
from ingest.intake import Counters
from ingest.mqtt import MqttFeed
from ingest.pressure import Bounded
from ingest.spooling import Spooling
from yiwang import metrics as m
from yiwang.latency import together
from yiwang.metrics import Sample, Source


def ingest(
    feeders: Mapping[str, Feeder],
    counters: Counters,
    catalogue: Callable[[], Catalogue],
    kafka_away: Callable[[], bool],
    feed: MqttFeed | None,
    spooling: Spooling | None = None,
) -> Source:
    """Of an ingest process.

    Args:
        feeders: all of the process, by way in; their counts are added up.
        counters: what came in, by source.
        catalogue: gives the present one.
        kafka_away: whether what is accepted goes to the spool now.
        feed: of MQTT, if any.
        spooling: what keeps messages while Kafka is away, if anything does.
    """

    def read() -> Iterator[Sample]:
        totals = [feeder.totals for feeder in feeders.values()]
        yield m.INGEST_READINGS, (), sum(t.rows for t in totals)
        yield m.INGEST_MESSAGES, (), sum(t.messages for t in totals)
        yield m.INGEST_FAILED, (), sum(t.failed_rows for t in totals)
        yield m.INGEST_SERIES, (), catalogue().readable
        yield m.INGEST_CLOCKS, (), counters.clocks.total()
        yield m.INGEST_DROPPED, (), counters.dropped
        refused = counters.refused
        for what, by_source in (
            ("bodies", refused.bodies),
            ("readings", refused.readings),
            ("letters", refused.letters),
        ):
            for source, n in by_source.items():
                yield m.INGEST_LIMITED, (what, source), n
        for source, count in counters.sources.items():
            yield m.INGEST_ACCEPTED, (source,), count.accepted
            for code, n in count.rejected.items():
                yield m.DEAD, (source, code), n
        districts = sorted({d for t in totals for d in t.latency})
        for d in districts:
            yield m.STAGE, ("ingest", str(d)), together(t.latency[d] for t in totals if d in t.latency)
        for name, feeder in feeders.items():
            for d, rows in feeder.waiting().items():
                yield m.QUEUE, (f"feeder_{name}", str(d)), rows
                yield m.QUEUE_LIMIT, (f"feeder_{name}", str(d)), feeder.buffer_rows
        if spooling is not None:
            yield m.INGEST_SPOOL, (), spooling.used_bytes
            yield m.INGEST_SPOOL_LIMIT, (), spooling.limit_bytes
            yield m.AWAY, ("kafka",), kafka_away()
        if feed is not None:
            yield m.AWAY, ("mqtt",), not feed.connected.is_set()

    return read


def bodies(bounded: Bounded) -> Source:
    """Of what comes by HTTP, before anything is done with it."""

    def read() -> Iterator[Sample]:
        yield m.QUEUE, ("bodies", ""), bounded.bytes
        yield m.QUEUE_LIMIT, ("bodies", ""), bounded.limit_bytes
        yield m.INGEST_BUSY, (), bounded.refused

    return read
