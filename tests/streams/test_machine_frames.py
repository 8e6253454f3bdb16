"""How a feed is cut into frames, joined, repeated, shared out and interrupted: the findings are the same to the last bit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streams import direct
from streams.machine import DistrictMachine
from streams.partition import Partition
from tests.streams.world import RULES, T0, registry
from yiwang import frames
from yiwang.clock import SECOND
from yiwang.codec import encode
from yiwang.columns import Readings
from yiwang.model import Body, Finding, RegistryChange, RulesChange, Tick, Trouble

Row = tuple[int, int, float, int]
"""Series, seconds, value, quality."""
ENTRIES = (
    "depth.ladder",
    "depth.rise",
    "health.still",
    "health.bounds",
    "health.jump",
    "health.flap",
    "gas.ladder",
)
"""Of every kind: latches, filters, windows; atomic ones and others, ticking ones and others."""
FEW = replace(
    RULES,
    version="few",
    packs=tuple(
        {
            **p,
            "body": {
                **p["body"],
                "detectors": {k: v for k, v in p["body"].get("detectors", {}).items() if k in ENTRIES},
            },
        }
        for p in RULES.packs
    ),
)
SERIES = st.sampled_from([0, 1, 2, 3, 4, 77])
VALUES = st.sampled_from([0.0, 3.0, 4.0, 6.0, 16.0, 30.0, 55.0, 999.0, float("nan")])


@dataclass(frozen=True)
class Feed:
    """Readings between one tick and the next; the last ones are followed by one too.

    Attributes:
        parts: rows and the seconds of the tick behind them.
    """

    parts: tuple[tuple[tuple[Row, ...], int], ...]


@st.composite
def feeds(draw: st.DrawFn) -> Feed:
    """Some minutes of a district: most readings in time, some late, some of series nobody knows."""
    now, parts = 0, []
    for _ in range(draw(st.integers(1, 5))):
        row = st.tuples(SERIES, st.integers(now - 40, now + 300), VALUES, st.sampled_from([0, 0, 0, 1, 2]))
        rows = tuple(draw(st.lists(row, max_size=25)))
        if draw(st.booleans()):
            rows = tuple(sorted(rows, key=lambda r: r[1]))
        now += draw(st.integers(1, 900))
        parts.append((rows, now))
    return Feed(tuple(parts))


def frame(rows: Sequence[Row], district: int = 0) -> bytes:
    """One frame of these readings."""
    readings = Readings.of([(s, T0 + t * SECOND, v, q) for s, t, v, q in rows])
    return frames.encode(frames.Frame(district=district, ingest_ns=1, readings=readings))


def opening(district: int = 0) -> list[bytes]:
    """Rules, registry and a first tick."""
    return [
        encode(m)
        for m in (RulesChange(rules=FEW), RegistryChange(registry=registry(district)), Tick(t_ns=T0))
    ]


def whole(feed: Feed, district: int = 0) -> list[bytes]:
    """All readings between two ticks in one frame."""
    payloads = opening(district)
    for rows, tick in feed.parts:
        payloads += [frame(rows, district), encode(Tick(t_ns=T0 + tick * SECOND))]
    return payloads


def run(
    payloads: Iterable[bytes], work_every: int = 1, restore_at: frozenset[int] = frozenset()
) -> list[Body]:
    """What a district says; it works on so many messages at once, and its state is taken back now and then."""
    partition = Partition(DistrictMachine(0))
    bodies: list[Body] = []

    def work() -> None:
        bodies.extend(e.output.body for e in partition.work().emissions)

    for offset, payload in enumerate(payloads):
        partition.take_feed(offset, payload, 0)
        if offset % work_every == 0:
            work()
        if offset in restore_at:
            work()
            again = DistrictMachine.load(partition.machine.dump())
            partition = Partition(again, feed=partition.feed, commands=partition.commands)
    work()
    return bodies


def without_troubles(bodies: list[Body]) -> list[bytes]:
    """To the last bit; numbers that are NaN are equal to themselves."""
    return [encode_body(b) for b in bodies if not isinstance(b, Trouble)]


def encode_body(body: Body) -> bytes:
    """A body as it would travel."""
    return encode(body)  # type: ignore[arg-type]  # of whatever type


def by_series(bodies: list[Body]) -> dict[int, list[bytes]]:
    """The findings of each series, in order."""
    found: dict[int, list[bytes]] = {}
    for body in bodies:
        if isinstance(body, Finding):
            found.setdefault(body.series, []).append(encode_body(body))
    return found


@settings(max_examples=25, deadline=None)
@given(feed=feeds(), data=st.data())
def test_cutting_and_joining_frames_and_restoring_in_between_change_nothing(
    feed: Feed, data: st.DataObject
) -> None:
    """All it finds and does is the same, in the same order; only what it says of late and repeated frames is not."""
    pieces = opening()
    for rows, tick in feed.parts:
        at = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=6)))
        pieces += [frame(rows[a:b]) for a, b in zip([0, *at], [*at, len(rows)], strict=True)]
        pieces.append(encode(Tick(t_ns=T0 + tick * SECOND)))
    restored = data.draw(st.frozensets(st.integers(0, len(pieces)), max_size=3))
    said = run(pieces, data.draw(st.integers(1, 9)), restored)
    assert without_troubles(said) == without_troubles(run(whole(feed)))


@settings(max_examples=15, deadline=None)
@given(feed=feeds(), data=st.data())
def test_a_frame_that_comes_twice_is_used_once(feed: Feed, data: st.DataObject) -> None:
    """At once or long after; all it brings is a trouble that counts late readings."""
    payloads = whole(feed)
    for _ in range(data.draw(st.integers(1, 3))):
        which = data.draw(st.integers(len(opening()), len(payloads) - 1))
        if frames.is_frame(payloads[which]):
            payloads.insert(data.draw(st.integers(which + 1, len(payloads))), payloads[which])
    assert without_troubles(run(payloads)) == without_troubles(run(whole(feed)))


@settings(max_examples=15, deadline=None)
@given(feed=feeds(), data=st.data())
def test_the_order_between_series_decides_nothing(feed: Feed, data: st.DataObject) -> None:
    """Readings of one series keep their order, those of others may come before or after: each series' findings stay."""
    mixed = []
    for rows, tick in feed.parts:
        left = {s: [r for r in rows if r[0] == s] for s, *_ in rows}
        turns = data.draw(st.permutations([r[0] for r in rows]))
        mixed.append((tuple(left[s].pop(0) for s in turns), tick))
    assert by_series(run(whole(Feed(tuple(mixed))))) == by_series(run(whole(feed)))


@settings(max_examples=8, deadline=None)
@given(one=feeds(), other=feeds(), data=st.data())
def test_districts_together_or_apart_say_the_same(one: Feed, other: Feed, data: st.DataObject) -> None:
    """How districts are shared out to workers changes nothing for any of them."""
    logs = {0: whole(one, 0), 1: whole(other, 1)}
    left = {d: list(payloads) for d, payloads in logs.items()}
    turns = data.draw(st.permutations([d for d, payloads in logs.items() for _ in payloads]))
    together = list(direct.run((d, left[d].pop(0)) for d in turns))
    for d, payloads in logs.items():
        alone = [encode(output) for _, output in direct.run((d, p) for p in payloads)]
        assert [encode(output) for at, output in together if at == d] == alone


def test_a_round_larger_than_a_piece_is_worked_on_in_pieces() -> None:
    """A round larger than a piece gives each series the finding it gets in a small batch."""
    from bench import _jobs

    count = 40_000
    chance = np.random.default_rng(1)
    machines = [DistrictMachine(0), DistrictMachine(0)]
    for machine in machines:
        machine.message(RulesChange(rules=_jobs.rules()))
        machine.message(RegistryChange(registry=_jobs.registry(count)))
    said: list[list[Body]] = [[], []]
    for second in range(1, 4):
        series = chance.permutation(count).astype(np.int32)
        value = np.round(5 + chance.normal(0, 0.3, count), 2)
        value[chance.integers(0, count, 6)] += 30
        batch = Readings(
            series=series,
            t_ns=np.full(count, T0 + second * SECOND),
            value=value,
            quality=np.zeros(count, np.uint8),
        )
        said[0] += machines[0].readings(batch)
        for at in range(0, count, 7001):
            cut = slice(at, at + 7001)
            said[1] += machines[1].readings(
                Readings(
                    series=batch.series[cut],
                    t_ns=batch.t_ns[cut],
                    value=batch.value[cut],
                    quality=batch.quality[cut],
                )
            )
    assert len([b for b in said[0] if isinstance(b, Finding)]) >= 6
    assert said[0] == said[1]
    assert machines[0].dump() == machines[1].dump()
