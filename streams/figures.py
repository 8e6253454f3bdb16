"""What the stream workers tell of themselves as metrics: their plain attributes, read when somebody asks."""

import time
from collections.abc import Iterator, Mapping

from streams.city_host import CityHost
from streams.district_host import DistrictHost
from streams.keeping import Figures
from streams.outbox import ROOM, Outbox
from streams.persist_writer import Limits, Writer
from streams.snapshots import Snapshots
from yiwang import metrics as m
from yiwang.metrics import Sample, Source


def district(host: DistrictHost) -> Source:
    """Of a district worker: one row a district that it holds."""
    taken_up: dict[int, float] = {}  # when each district was seen here first

    def read() -> Iterator[Sample]:
        now_ns, now_s = host.clock.now_ns(), time.monotonic()
        for gone in taken_up.keys() - host.held.keys():
            del taken_up[gone]
        yield from _services(host.outbox, host.snapshots)
        for number, held in host.held.items():
            d, tally = str(number), held.tally
            at = held.at
            feed, commands = tally.behind(at)
            yield m.DISTRICT_READINGS, (d,), tally.readings
            yield m.DISTRICT_MESSAGES, (d,), tally.messages
            yield m.DISTRICT_DIFFERING, (d,), tally.differing
            yield m.DISTRICT_LAG, (d, "feed"), feed
            yield m.DISTRICT_LAG, (d, "commands"), commands
            yield m.DISTRICT_LAG_S, (d,), tally.behind_s(at, now_ns)
            yield m.DISTRICT_EVENT_S, (d,), held.partition.machine.now_ns / 1e9
            yield m.STAGE, ("detect", d), tally.detect
            since_s = max(held.figures.kept_at_s, taken_up.setdefault(number, now_s))
            yield m.SNAPSHOT_AGE, (d,), 0.0 if held.at == held.kept else now_s - since_s
            yield from _keeping(d, held.figures)
            for kind, n in tally.outputs.items():
                yield m.DISTRICT_OUTPUTS, (d, kind), n
            for code, n in tally.troubles.items():
                yield m.DISTRICT_TROUBLES, (d, code), n
        yield from _dead(host)

    return read


def city(host: CityHost) -> Source:
    """Of the city worker."""
    began_s = time.monotonic()

    def read() -> Iterator[Sample]:
        yield from _services(host.outbox, host.snapshots)
        since_s = max(host.kept_at_s, began_s)
        yield m.SNAPSHOT_AGE, ("city",), 0.0 if host.is_kept else time.monotonic() - since_s
        for number, at in host.read.items():
            yield m.CITY_LAG, (str(number),), max(0, host.ends.get(number, 0) - at)
        for number, n in host.sent.items():
            yield m.CITY_COMMANDS, (str(number),), n

    return read


def _keeping(d: str, kept: Figures) -> Iterator[Sample]:
    """What keeping a district's state costs."""
    yield m.SNAPSHOTS, (d,), kept.kept
    yield m.SNAPSHOTS_MISSED, (d,), kept.missed
    if kept.kept:
        yield m.SNAPSHOT_STATE, (d,), kept.state_bytes
        yield m.SNAPSHOT_BYTES, (d,), kept.stored_bytes
        yield m.SNAPSHOT_PAUSE, (d,), kept.pause_s
        yield m.SNAPSHOT_PAUSE_MAX, (d,), kept.longest_pause_s
        yield m.SNAPSHOT_INTERVAL, (d,), kept.interval_s
        yield m.SNAPSHOT_SHARE, (d,), kept.share


def _services(outbox: Outbox, snapshots: Snapshots) -> Iterator[Sample]:
    yield m.QUEUE, ("outbox", ""), outbox.under_way
    yield m.QUEUE_LIMIT, ("outbox", ""), ROOM
    yield m.AWAY, ("database",), snapshots.away


def _dead(host: DistrictHost) -> Iterator[Sample]:
    """Of all districts together: a label more would multiply what is stored for no insight."""
    found: dict[tuple[str, str], int] = {}
    for held in host.held.values():
        for key, n in held.tally.dead.items():
            found[key] = found.get(key, 0) + n
    for key, n in found.items():
        yield m.DEAD, key, n


def persist(writer: Writer, limits: Limits, ends: Mapping[tuple[str, int], int]) -> Source:
    """Of a persist worker.

    Args:
        writer: what stores.
        limits: of its backlog.
        ends: next offset of each partition when somebody last looked.
    """

    def read() -> Iterator[Sample]:
        counters = writer.counters
        yield m.AWAY, ("database",), writer.is_away
        yield m.PERSIST_READINGS, (), counters.readings
        yield m.PERSIST_LATE, (), counters.late
        yield m.PERSIST_STATEMENTS, (), counters.statements
        yield m.PERSIST_BATCHES, (), counters.batches
        yield m.PERSIST_SKIPPED, (), counters.skipped_messages + counters.repeated_messages
        yield m.PERSIST_THINNED, (), writer.districts.thinned
        yield m.PERSIST_REPEATED, (), writer.districts.repeated
        yield m.PERSIST_MINUTES, (), writer.districts.minutes
        yield m.PERSIST_OVERTAKEN, (), counters.overtaken_outputs
        yield m.PERSIST_UNREADABLE, (), counters.unreadable_messages
        yield m.PERSIST_WRITE, (), writer.write_latency
        _, rows = writer.waiting
        yield m.QUEUE, ("backlog", ""), rows
        yield m.QUEUE_LIMIT, ("backlog", ""), limits.rows * limits.backlog
        for (topic, partition), at in writer.stored.items():
            end = ends.get((topic, partition), at)
            yield m.PERSIST_LAG, (topic.rpartition(".")[2], str(partition)), max(0, end - at)
        for district, latency in writer.stored_latency.items():
            yield m.STAGE, ("persist", str(district)), latency

    return read
