"""What a run must have left behind, whatever befell it: nothing lost, nothing doubled, one story everywhere.

Held against each other are what the gauges were promised, the logs, a machine that goes through the logs again
undisturbed, the database, and a screen.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiokafka
import asyncpg

from sql import query
from sql.pool import connect
from streams.machine import DistrictMachine
from streams.partition import Partition
from tests.faults.rig import City
from tests.faults.town import Key
from yiwang.broker import start_consumer
from yiwang.codec import decode_output
from yiwang.fencing import Fence
from yiwang.model import (
    Body,
    Case,
    CommandResult,
    Finding,
    Incident,
    Order,
    Output,
    Situation,
    Trouble,
    UnitState,
)

KEPT = {
    "incident": Incident,
    "situation": Situation,
    "case_file": Case,
    "work_order": Order,
    "unit_state": UnitState,
}
"""Tables that hold the newest state of objects, by id."""


@dataclass
class Said:
    """A district's outputs as any reader must see them.

    Attributes:
        by_offset: offset to output, those that count.
        left_out: marks and what paused workers said too late.
        late: of those, words of paused workers.
        repeats: outputs that were said again.
    """

    by_offset: dict[int, Output] = field(default_factory=dict)
    late: int = 0
    repeats: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def bodies(self) -> list[Body]:
        """By number."""
        return [o.body for o in self.by_offset.values()]


@dataclass
class Verdict:
    """What was wrong (nothing, one hopes), and how much there was."""

    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def expect(self, true: bool, what: str) -> None:
        """Note what is not so."""
        if not true:
            self.wrong.append(what)


async def judge(city: City) -> Verdict:
    """Look at everything that a finished city has left."""
    verdict = Verdict()
    run, bootstrap = city.run, city.ground.kafka.bootstrap
    db = await connect(city.ground.postgres.dsn, run.topics.schema)
    try:
        await _readings(city, db, verdict)
        safe = {r[0]: (r[1], r[2]) for r in await db.fetch(query("scenario/snapshot_positions"))}
        all_bodies: list[Body] = []
        for district in range(run.districts):
            feed = [payload for payload, _ in await _log(bootstrap, run.topics.feed, district)]
            commands = [payload for payload, _ in await _log(bootstrap, run.topics.commands, district)]
            said = _said(await _log(bootstrap, run.topics.outputs, district))
            verdict.wrong += [f"district {district}: {what}" for what in said.wrong]
            _story(district, feed, commands, said, safe[district], verdict)
            missed = city.witness.missed(district, said.by_offset)
            verdict.expect(not missed, f"district {district}: the screen missed offsets {missed[:5]}")
            verdict.counts.update(
                outputs=len(said.by_offset), commands=len(commands), late=said.late, repeats=said.repeats
            )
            all_bodies += said.bodies
        verdict.expect(not city.witness.doubles, f"the screen was told twice: {city.witness.doubles[:5]}")
        await _objects(city, db, all_bodies, verdict)
    finally:
        await db.close()
    verdict.counts.update(resumed=city.witness.client.resumed, snapshots=city.witness.client.snapshots)
    return verdict


async def _readings(city: City, db: asyncpg.Connection, verdict: Verdict) -> None:
    """Every accepted reading once; one that was only sent perhaps, and then once; no other."""
    rows = await db.fetch(
        "select district, series, (extract(epoch from t) * 1000000)::bigint, value from reading"
    )
    stored: Counter[Key] = Counter()
    for district, series, t_us, value in rows:
        key = (district, series, t_us)
        stored[key] += 1
        if city.load.sent.get(key) != value:
            verdict.expect(False, f"{key} is stored with {value}, and {city.load.sent.get(key)} was sent")
    lost = [key for key in city.load.accepted if not stored[key]]
    doubled = [key for key, n in stored.items() if n > 1]
    verdict.expect(not lost, f"{len(lost)} accepted readings are not stored, as {lost[:3]}")
    verdict.expect(not doubled, f"{len(doubled)} readings are stored more than once, as {doubled[:3]}")
    verdict.counts.update(readings=len(city.load.accepted), stored=len(rows), retries=city.load.retries)


async def _log(bootstrap: str, topic: str, partition: int) -> list[tuple[bytes, Sequence[tuple[str, bytes]]]]:
    """The whole of a log: payload and headers by offset."""
    consumer = await start_consumer(bootstrap, client_id="faults-judge")
    try:
        tp = aiokafka.TopicPartition(topic, partition)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        await consumer.seek_to_beginning(tp)
        found: list[tuple[bytes, Sequence[tuple[str, bytes]]]] = []
        while await consumer.position(tp) < end:
            for record in (await consumer.getmany(tp, timeout_ms=1000)).get(tp, []):
                assert record.offset == len(found), "a log of ours has no gaps"
                found.append((record.value, record.headers))
        return found[:end]
    finally:
        await consumer.stop()


def _said(log: Sequence[tuple[bytes, Sequence[tuple[str, bytes]]]]) -> Said:
    """Outputs that count, each once, by number without a gap; a repeat says the same."""
    said, fence = Said(), Fence()
    first: dict[int, bytes] = {}
    for offset, (payload, headers) in enumerate(log):
        if not fence.counts(payload, headers):
            continue
        output = decode_output(payload)
        if output.n in first:
            said.repeats += 1
            if first[output.n] != payload:
                said.wrong.append(f"output {output.n} was said twice, and differently")
            continue
        if output.n != len(first):
            said.wrong.append(f"output {output.n} comes where {len(first)} was to come")
        first[output.n] = payload
        said.by_offset[offset] = output
    said.late = fence.left_out
    return said


def _story(
    district: int,
    feed: list[bytes],
    commands: list[bytes],
    said: Said,
    safe: tuple[int, int],
    verdict: Verdict,
) -> None:
    """An undisturbed machine says the same of the same logs, commands where their results say they took effect."""
    placed: dict[int, list[bytes]] = {}
    answered = 0
    for output in said.by_offset.values():
        if isinstance(output.body, CommandResult):
            verdict.expect(
                output.commands == answered + 1, f"district {district}: results leave out a command"
            )
            placed.setdefault(output.feed, []).append(commands[output.commands - 1])
            answered = output.commands
    verdict.expect(answered == len(commands), f"district {district}: commands have no result")
    partition = Partition(DistrictMachine(district))
    bodies: list[Body] = []
    least = 0
    for offset in range(len(feed) + 1):
        if offset == safe[0]:
            least = len(bodies)  # at least so much must have been said
        for payload in [*placed.get(offset, ()), *feed[offset : offset + 1]]:
            partition.take_feed(partition.sequencer.read_feed, payload, 0)
            bodies += [e.output.body for e in partition.work().emissions]
    now = said.bodies
    verdict.expect(len(now) >= least, f"district {district}: {least - len(now)} outputs were never said")
    if now != bodies[: len(now)]:
        n = next((i for i, (a, b) in enumerate(zip(now, bodies, strict=False)) if a != b), len(bodies))
        where = list(said.by_offset.items())[n]
        verdict.expect(
            False,
            f"district {district}: output {n} of {len(now)} is not what the logs give: at offset {where[0]} stands "
            f"{where[1]}, expected {bodies[n : n + 1]}",
        )


async def _objects(city: City, db: asyncpg.Connection, bodies: list[Body], verdict: Verdict) -> None:
    """The tables and the screen hold the newest state of everything, and every change of a finding once."""
    screen = city.witness.client
    for table, kind in KEPT.items():
        newest = {b.id: b for b in bodies if isinstance(b, kind)}  # type: ignore[attr-defined]
        rows = {r[0]: r[1] for r in await db.fetch(f"select id, rev from {table}")}
        wanted = {id_: b.rev for id_, b in newest.items()}
        verdict.expect(rows == wanted, f"{table}: {_differences(rows, wanted)}")
        seen = {id_: b.rev for id_, b in screen.of(kind).items()}  # type: ignore[type-var]
        known = {id_: rev for id_, rev in wanted.items() if id_ in seen}  # long closed ones leave the screen
        verdict.expect(seen == known, f"{table} on the screen: {_differences(seen, known)}")
        verdict.counts[table] = len(wanted)
    changes = {(b.id, b.t_ns, b.level) for b in bodies if isinstance(b, Finding)}
    for table, count in (
        ("finding_change", len(changes)),
        ("finding", len({id_ for id_, _, _ in changes})),
        ("trouble", sum(isinstance(b, Trouble) for b in bodies)),
        ("command_result", len({b.command_id for b in bodies if isinstance(b, CommandResult)})),
    ):
        have = await db.fetchval(f"select count(*) from {table}")
        verdict.expect(have == count, f"{table}: {have} rows, {count} were put out")
    verdict.counts["findings"] = len(changes)


def _differences(have: dict[str, int], wanted: dict[str, int]) -> str:
    missing = len(wanted.keys() - have.keys())
    more = len(have.keys() - wanted.keys())
    other = [(k, have[k], wanted[k]) for k in have.keys() & wanted.keys() if have[k] != wanted[k]]
    return f"{missing} missing, {more} too many, {len(other)} of another state, as {other[:3]}"
