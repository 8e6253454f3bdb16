"""Frames that are wrong: named, kept, counted; what stands beside them is detected as if they had not been there."""

import zlib
from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import direct
from streams.machine import DistrictMachine
from streams.partition import RAW_BYTES, Partition, Work
from tests.streams.world import T0, cut, lively, opening, resolve
from yiwang import frames
from yiwang.clock import SECOND
from yiwang.codec import encode
from yiwang.columns import Readings
from yiwang.frames import Frame
from yiwang.model import Body, DeadLetter, Finding, Tick, Trouble

GOOD = frames.pack(0, 1, [Readings.of([(0, T0 + SECOND, 3.0, 0), (1, T0 + SECOND, 4.0, 0)])])


def with_crc(payload: bytes) -> bytes:
    """The same bytes with the checksum that fits them."""
    return payload[:4] + zlib.crc32(payload[8:]).to_bytes(4, "little") + payload[8:]


WRONG = {
    "checksum": (GOOD[:30] + b"\xff" + GOOD[31:], "frame.checksum"),
    "version": (b"YWF9" + GOOD[4:], "frame.version"),
    "flags": (with_crc(GOOD[:10] + b"\x01\x00" + GOOD[12:]), "frame.flags"),
    "head only": (GOOD[:12], "frame.length"),
    "truncated": (GOOD[:-7], "frame.length"),
    "lengthened": (GOOD + b"\x00", "frame.length"),
    "claims 100 MB": (with_crc(GOOD[:12] + (5_000_000).to_bytes(4, "little") + GOOD[16:]), "frame.length"),
    "claims 4 GB rows": (with_crc(GOOD[:12] + b"\xff\xff\xff\xff" + GOOD[16:]), "frame.length"),
    "is 100 MB": (
        with_crc(GOOD[:12] + (5_000_000).to_bytes(4, "little") + bytes(100_000_000)),
        "frame.length",
    ),
    "of another district": (frames.pack(7, 1, [frames.decode(GOOD).readings]), "frame.district"),
}


def heaped(feed: list[bytes], chance: Random | None = None) -> tuple[list[Body], list[DeadLetter], Partition]:
    """Bodies of all outputs and dead letters of a feed worked on in heaps, or all at once."""
    partition = Partition(DistrictMachine(0))
    all_: Work = Work()
    for offset, payload in enumerate(feed):
        partition.take_feed(offset, payload, 0)
        if offset == len(feed) - 1 or (chance and chance.random() < 0.2):
            done = partition.work()
            all_.emissions += done.emissions
            all_.dead += done.dead
    return [e.output.body for e in all_.emissions], all_.dead, partition


def without_troubles(bodies: list[Body]) -> list[bytes]:
    return [msgspec.json.encode(b) for b in bodies if not isinstance(b, Trouble)]


def lively_feed(seed: int) -> list[bytes]:
    chance = Random(seed)
    items = resolve([*opening(), Tick(t_ns=T0), *lively(chance)])
    return [
        frames.pack(0, n, [piece]) if isinstance(piece, Readings) else encode(piece)
        for n, piece in enumerate(cut(items, [chance.randint(1, 9) for _ in range(5)]))
    ]


def test_a_wrong_frame_is_named_kept_and_counted() -> None:
    """A dead letter with code, place and the first bytes; a trouble in the outputs; neighbours as without it."""
    beginning = [encode(item) for item in opening()]  # type: ignore[arg-type]
    rest = [
        frames.pack(0, n, [Readings.of([(0, T0 + n * SECOND, 60.0, 0)])]) for n in range(2, len(WRONG) + 2)
    ] + [encode(Tick(t_ns=T0 + 60 * SECOND))]
    mixed = [*beginning, GOOD]
    for (payload, _), good in zip(WRONG.values(), rest, strict=False):
        mixed += [payload, good]
    mixed.append(rest[-1])
    bodies, dead, partition = heaped(mixed)
    clean, none, other = heaped([*beginning, GOOD, *rest])
    assert none == []
    assert [letter.code for letter in dead] == [code for _, code in WRONG.values()]
    assert [letter.raw for letter in dead] == [payload[:RAW_BYTES] for payload, _ in WRONG.values()]
    assert [mixed[letter.args["offset"]] for letter in dead] == [payload for payload, _ in WRONG.values()]
    assert [b.args["reason"] for b in bodies if isinstance(b, Trouble)] == [
        code for _, code in WRONG.values()
    ]
    assert without_troubles(bodies) == without_troubles(clean)
    assert partition.feed == len(mixed)
    assert partition.machine.watch.newest.tolist() == other.machine.watch.newest.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_wrong_frames_among_lively_ones_change_nothing_else(seed: int) -> None:
    """Anywhere in the feed, joined with their neighbours or not."""
    feed = lively_feed(seed)
    chance = Random(seed)
    mixed: list[bytes] = []
    wrong = 0
    for payload in feed:
        if chance.random() < 0.2:
            mixed.append(chance.choice([bytes_ for n, (bytes_, _) in WRONG.items() if n != "is 100 MB"]))
            wrong += 1
        mixed.append(payload)
    bodies, dead, _ = heaped(mixed, Random(seed + 1))
    clean, had, _ = heaped(feed)  # some of its readings are NaN
    assert len({letter.id for letter in dead}) == wrong + len(had)
    assert without_troubles(bodies) == without_troubles(clean)


@pytest.mark.parametrize("seed", [0, 1, 4])
def test_values_that_are_no_numbers_are_left_out_and_their_neighbours_detected(seed: int) -> None:
    """NaN and infinities beside good readings in the same frame: as if they had not been sent."""
    chance = Random(seed)
    mixed: list[bytes] = []
    bad = 0
    feed = lively_feed(seed)
    for payload in feed:
        if frames.is_frame(payload) and chance.random() < 0.5:
            frame = frames.decode(payload)
            r = frame.readings
            at = sorted(chance.choices(range(len(r) + 1), k=2))
            series, t_ns = (chance.randint(0, 5) for _ in at), int(r.t_ns[0]) + 1
            rows = [(s, t_ns, chance.choice([np.nan, np.inf, -np.inf]), 0) for s in series]
            parts = [
                frames.take(r, np.arange(a, b)) for a, b in ((0, at[0]), (at[0], at[1]), (at[1], len(r)))
            ]
            parts[1:1], parts[3:3] = [Readings.of(rows[:1])], [Readings.of(rows[1:])]
            payload = frames.pack(0, frame.ingest_ns, parts)
            bad += 2
        mixed.append(payload)
    mixed.append(encode(Tick(t_ns=T0 + 10**6 * SECOND)))
    bodies, dead, _ = heaped(mixed, Random(seed + 1))
    clean, _, _ = heaped([*feed, mixed[-1]])
    assert without_troubles(bodies) == without_troubles(clean)
    assert {letter.code for letter in dead} == {"frame.not_finite"}
    told = [
        sum(b.count for b in all_ if isinstance(b, Trouble) and b.code == "feed.not_finite")
        for all_ in (bodies, clean)
    ]
    kept = [frames.decode(letter.raw, district=0).readings for letter in dead]
    assert told[0] == told[1] + bad == sum(map(len, kept))
    assert not np.isfinite(np.concatenate([k.value for k in kept])).any()


def test_a_frame_full_of_nan_gives_one_letter_of_bounded_size() -> None:
    """200 000 times no number: the letter holds a frame of the first of them."""
    readings = Readings(
        series=np.zeros(200_000, np.int32),
        t_ns=np.arange(200_000),
        value=np.full(200_000, np.nan),
        quality=np.zeros(200_000, np.uint8),
    )
    _, dead, _ = heaped([frames.pack(0, 1, [readings])])
    assert dead[0].args["count"] == 200_000
    assert len(dead[0].raw) <= RAW_BYTES
    assert len(frames.decode(dead[0].raw).readings) == 3119


def test_unknown_series_are_counted_and_their_neighbours_detected() -> None:
    """Also negative numbers, and the largest there are."""
    beginning = [encode(item) for item in opening()]  # type: ignore[arg-type]
    wild = frames.pack(
        0,
        1,
        [Readings.of([(-1, T0, 9.0, 0), (0, T0, 60.0, 0), (2**31 - 1, T0, 9.0, 0), (999, T0, 9.0, 0)])],
    )
    tame = frames.pack(0, 1, [Readings.of([(0, T0, 60.0, 0)])])
    tick = encode(Tick(t_ns=T0 + SECOND))
    bodies, dead, _ = heaped([*beginning, wild, tick])
    clean, _, _ = heaped([*beginning, tame, tick])
    assert dead == []
    assert without_troubles(bodies) == without_troubles(clean)
    (told,) = (b for b in bodies if isinstance(b, Trouble))
    assert (told.code, told.count, told.args["names"]) == ("feed.unknown_series", 3, [-1, 2**31 - 1, 999])


@pytest.mark.parametrize("seed", range(4))
def test_a_frame_sent_twice_changes_nothing(seed: int) -> None:
    """Once or several times, at once or later: findings, incidents, cases and orders are the same bytes.

    A producer that sends again after a lost answer sends the same bytes. They are counted as a trouble.
    """
    feed = lively_feed(seed)
    chance = Random(seed)
    doubled: list[bytes] = []
    again: list[bytes] = []
    for payload in feed:
        doubled.append(payload)
        if frames.is_frame(payload) and chance.random() < 0.4:
            again += [payload] * chance.randint(1, 2)
        while again and chance.random() < 0.5:
            doubled.append(again.pop(chance.randrange(len(again))))
    doubled += again
    bodies, dead, _ = heaped(doubled, Random(seed + 1))
    clean, had, _ = heaped(feed)
    assert len(dead) == len(had)
    assert without_troubles(bodies) == without_troubles(clean)


def test_a_repeat_is_known_after_a_snapshot() -> None:
    """What the machine remembers of frames is part of its state."""
    machine = DistrictMachine(0)
    assert not machine.recent.repeats(GOOD)
    assert DistrictMachine.load(machine.dump()).recent.repeats(GOOD)


def test_only_the_newest_frames_are_remembered() -> None:
    """The memory is bounded; an older one that comes again has late readings, as any other late ones."""
    recent = frames.Recent()
    many = [frames.pack(0, n, [Readings.of([(0, n, 1.0, 0)])]) for n in range(frames.REPEATS + 1)]
    assert not any(map(recent.repeats, many))
    assert recent.repeats(many[-1])
    assert not recent.repeats(many[0])
    assert len(recent.keys()) == frames.REPEATS


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), data=st.data())
def test_no_order_of_columns_is_needed(seed: int, data: st.DataObject) -> None:
    """Readings of different series in any order among each other: the same findings, and the same state.

    Only the order within a series counts, and that by time: see the late ones in test_machine.
    """
    chance = Random(seed)
    rows = [
        (s, T0 + SECOND * (n + 1), chance.choice([0.0, 9.0, 28.0, 60.0]), 0)
        for s in range(5)
        for n in range(4)
    ]
    chance.shuffle(rows)
    rows.sort(key=lambda row: row[1])  # within a series in order of time; the series mixed
    interleaved: list[tuple[int, int, float, int]] = []
    queues = {s: [row for row in rows if row[0] == s] for s in range(5)}
    while any(queues.values()):
        s = data.draw(st.sampled_from([s for s, q in queues.items() if q]))
        interleaved.append(queues[s].pop(0))
    beginning = [encode(item) for item in opening()]  # type: ignore[arg-type]
    found = []
    for order in (rows, interleaved, sorted(rows)):
        bodies, _, partition = heaped([*beginning, frames.pack(0, 1, [Readings.of(order)])])
        newest = partition.machine.watch.newest.tolist()
        found.append((sorted(b.id for b in bodies if isinstance(b, Finding)), newest))
    assert found[0] == found[1] == found[2]


def test_a_run_without_kafka_passes_wrong_frames_over_too() -> None:
    """The same shell, so the same outputs."""
    feed = [encode(item) for item in opening()]  # type: ignore[arg-type]
    outputs = [o.body for _, o in direct.run((0, p) for p in [*feed, WRONG["checksum"][0], GOOD])]
    assert [b.code for b in outputs if isinstance(b, Trouble)] == ["feed.message"]


def test_a_frame_of_another_district_says_where_it_belongs() -> None:
    """What, where, what would be right."""
    _, dead, _ = heaped([frames.encode(Frame(district=7, ingest_ns=1, readings=Readings.of([])))])
    assert dead[0].message == "a frame of district 7 stands in partition 0; send it to partition 7"
