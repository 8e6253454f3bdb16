"""The district worker's host on logs in memory: taking up, giving up, database away, repeats."""

import asyncio
from collections.abc import Mapping

import pytest

from streams.district_host import DistrictHost, Position
from tests.fakes.streams import FakeKafka, FakeSnapshots
from tests.streams.world import T0, command, opening
from yiwang import frames
from yiwang.clock import SECOND, ManualClock
from yiwang.codec import decode_dead_letter, decode_output, encode
from yiwang.columns import Readings
from yiwang.errors import Conflict
from yiwang.fencing import Fence
from yiwang.model import Acknowledge, CommandResult, Finding, Output, Tick
from yiwang.topics import Topics

TOPICS = Topics("test")
BOTH: set[Position] = {(TOPICS.feed, 0), (TOPICS.commands, 0)}


class Bench:
    """A host, and the consumer that would feed it."""

    def __init__(self, kafka: FakeKafka, snapshots: FakeSnapshots) -> None:
        self.kafka, self.snapshots = kafka, snapshots
        self.committed: list[Mapping[Position, int]] = []
        self.told: list[list[int]] = []
        self.host = DistrictHost(
            TOPICS,
            ManualClock(42),
            kafka,  # type: ignore[arg-type]
            kafka,  # type: ignore[arg-type]
            snapshots,  # type: ignore[arg-type]
            snapshot_s=1.0,
            ticks=False,
            told=self.told.append,
            committed=self._commit,
        )

    async def _commit(self, offsets: Mapping[Position, int]) -> None:
        self.committed.append(offsets)

    async def read(self, *, upto: int | None = None) -> None:
        """Take up district 0 and read both logs from where the host says."""
        starts = await self.host.restore(BOTH)
        for topic, take in ((TOPICS.commands, self.host.take_command), (TOPICS.feed, self.host.take_feed)):
            log = self.kafka.logs.get((topic, 0), [])[:upto]
            for offset in range(starts[topic, 0], len(log)):
                payload, headers = log[offset]
                take(0, offset, payload, int(headers.get("ingest", b"0")))
        await self.host.work()

    def outputs(self) -> list[Output]:
        """The log of outputs."""
        return [decode_output(payload) for payload, _ in self.said()]

    def said(self) -> list[tuple[bytes, dict[str, bytes]]]:
        """Those messages of the outputs that count, with their headers."""
        fence = Fence()
        log = self.kafka.logs.get((TOPICS.outputs, 0), [])
        return [(payload, headers) for payload, headers in log if fence.counts(payload, headers.items())]


@pytest.fixture
async def bench() -> Bench:
    """A district whose feed has a flood in it."""
    bench = Bench(FakeKafka(), FakeSnapshots())
    for item in [*opening(), Tick(t_ns=T0)]:
        bench.kafka.put(TOPICS.feed, 0, encode(item))  # type: ignore[arg-type]
    for depth, at in ((6.0, 1), (16.0, 2), (30.0, 3)):
        flood(bench, depth, at)
    return bench


def flood(bench: Bench, depth: float, at_s: int) -> None:
    """A frame with one reading at the underpass."""
    rows = Readings.of([(0, T0 + at_s * SECOND, depth, 0)])
    payload = frames.encode(frames.Frame(district=0, ingest_ns=at_s, readings=rows))
    bench.kafka.put(TOPICS.feed, 0, payload, [("ingest", str(at_s).encode())])


async def test_outputs_carry_their_place_and_the_stamps_of_their_frame(bench: Bench) -> None:
    """Also when several frames were detected as one batch."""
    await bench.read()
    found = [o for o in bench.outputs() if isinstance(o.body, Finding)]
    assert [(o.feed, o.body.level) for o in found if isinstance(o.body, Finding)] == [(4, 4), (5, 3), (6, 2)]
    stamps = [bench.said()[o.n][1] for o in found]
    assert stamps == [{"agent": b"42", "owner": b"1", "ingest": str(i).encode()} for i in (1, 2, 3)]
    assert bench.told == [[0]]


async def test_nothing_is_said_twice_after_a_crash_and_new_things_go_on(bench: Bench) -> None:
    """The state is worked out again from the snapshot; the log of outputs stays as it is."""
    await bench.read(upto=4)
    assert await bench.host.keep({0})
    await bench.read()
    said = bench.outputs()
    again = Bench(bench.kafka, bench.snapshots)
    await again.read()
    assert again.outputs() == said
    flood(again, 60.0, 4)
    await again.read()
    assert [o.n for o in again.outputs()] == list(range(len(again.outputs())))
    assert len(again.outputs()) > len(said)


async def test_a_command_takes_effect_at_its_place_again(bench: Bench) -> None:
    """It came between the frames; a host that reads it before the feed still puts it there."""
    await bench.read(upto=5)
    bench.kafka.put(TOPICS.commands, 0, encode(command(1, Acknowledge(incident="I-x"))))
    await bench.read(upto=5)
    await bench.read()
    said = bench.outputs()
    again = Bench(bench.kafka, bench.snapshots)
    await again.read()
    assert again.outputs() == said
    assert [o.feed for o in said if isinstance(o.body, CommandResult)] == [5]


async def test_detection_goes_on_while_the_database_is_away_and_nothing_is_acknowledged(bench: Bench) -> None:
    """When it is back the newest state is kept, and only then Kafka hears of it."""
    bench.snapshots.away = True
    await bench.read()
    assert not await bench.host.keep({0})
    assert bench.outputs()
    assert bench.committed == []
    bench.snapshots.away = False
    assert await bench.host.keep({0})
    assert bench.committed == [{(TOPICS.feed, 0): 6, (TOPICS.commands, 0): 0}]
    kept = bench.snapshots.rows[0]
    assert (kept.feed, kept.commands, kept.outputs) == (6, 0, 1 + len(bench.outputs())), (
        "a mark stands before"
    )
    assert await bench.host.keep({0})
    assert len(bench.committed) == 1, "nothing new, nothing kept"


async def test_feed_and_commands_on_different_workers_are_refused(bench: Bench) -> None:
    """With the districts named."""
    with pytest.raises(Conflict) as caught:
        await bench.host.restore({(TOPICS.feed, 0), (TOPICS.feed, 1), (TOPICS.commands, 0)})
    assert caught.value.code == "streams.apart"
    assert caught.value.details == {"districts": [1]}


async def test_a_district_given_up_is_kept_and_its_messages_left_out(bench: Bench) -> None:
    """Stray messages that the library still hands over do no harm; the next owner goes on."""
    await bench.read(upto=4)
    await bench.host.release(BOTH)
    bench.host.take_feed(0, 99, b"stray", 0)
    bench.host.take_command(0, 99, b"stray", 0)
    await bench.host.work()
    assert bench.snapshots.rows[0].feed == 4
    other = Bench(bench.kafka, bench.snapshots)
    await other.read()
    assert [o.n for o in other.outputs()] == list(range(len(other.outputs())))


async def test_a_state_ahead_of_its_log_is_refused(bench: Bench) -> None:
    """A topic that was made anew under an old database."""
    await bench.read()
    await bench.host.keep({0})
    del bench.kafka.logs[TOPICS.feed, 0]
    with pytest.raises(Conflict) as caught:
        await Bench(bench.kafka, bench.snapshots).host.restore(BOTH)
    assert caught.value.code == "log.short"


async def test_a_state_that_was_deleted_is_worked_out_anew_from_the_whole_log(bench: Bench) -> None:
    """What was said is known from the outputs, whoever said it; nothing is said again."""
    await bench.read()
    await bench.host.keep({0})
    said = bench.outputs()
    bench.snapshots.rows.clear()
    again = Bench(bench.kafka, bench.snapshots)
    await again.read()
    assert again.outputs() == said


async def test_others_have_their_turn_between_batches_however_much_waits(bench: Bench) -> None:
    """Commands, sending and heartbeats: nothing of them waits for the end of a long feed."""
    await bench.read()
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for batch in range(1, 6):
        await bench.host.work()
        assert turns >= batch
    task.cancel()


async def test_outputs_that_come_out_otherwise_after_a_crash_are_sent_and_told(bench: Bench) -> None:
    """A newer release may decide otherwise about the stretch since the last snapshot."""
    await bench.read()
    log = bench.kafka.logs[TOPICS.outputs, 0]
    said = bench.outputs()
    other = next(o.n for o in said if isinstance(o.body, Finding))
    payload, headers = log[other + 1]
    assert b'"level":4' in payload
    log[other + 1] = (payload.replace(b'"level":4', b'"level":3'), headers)
    again = Bench(bench.kafka, bench.snapshots)
    await again.read()
    assert [o.n for o in again.outputs()[len(said) :]] == [other]


async def test_what_a_paused_worker_says_after_another_took_over_counts_for_nobody(bench: Bench) -> None:
    """A command came where neither had seen it: each puts it elsewhere; the log of outputs stays one story."""
    await bench.read(upto=5)  # the first owner stops here, with a message in hand
    bench.kafka.put(TOPICS.commands, 0, encode(command(1, Acknowledge(incident="I-x"))))
    two = Bench(bench.kafka, bench.snapshots)
    await two.read(upto=5)
    held, _ = bench.kafka.logs[TOPICS.feed, 0][5]
    before = len(bench.kafka.logs[TOPICS.outputs, 0])
    bench.host.take_feed(0, 5, held, 1)
    await bench.host.work()  # it wakes up, and decides otherwise than the new owner
    bench.host.take_command(0, 0, bench.kafka.logs[TOPICS.commands, 0][0][0], 0)
    await bench.host.work()
    late = [decode_output(payload) for payload, _ in bench.kafka.logs[TOPICS.outputs, 0][before:]]
    await two.read()
    said = {o.n: o for o in two.outputs()}
    assert list(said) == list(range(len(said)))
    assert any(o.n in said and o != said[o.n] for o in late), "the paused one did say something else"
    with pytest.raises(Conflict) as caught:
        await bench.host.keep({0})
    assert caught.value.code == "snapshot.overtaken"
    await two.host.keep({0})
    three = Bench(bench.kafka, bench.snapshots)
    await three.read()
    assert three.outputs() == two.outputs()


async def test_what_a_paused_worker_said_before_another_took_over_is_part_of_the_story(bench: Bench) -> None:
    """It stands before the mark, so the new owner has read it."""
    await bench.read(upto=5)
    two = Bench(bench.kafka, bench.snapshots)
    await bench.read()
    said = bench.outputs()
    await two.read()
    assert two.outputs() == said


async def test_what_cannot_be_read_goes_to_the_dead_letters_and_is_passed(bench: Bench) -> None:
    """Broken frames, frames of another district, broken commands: each with code, place and bytes."""
    other = frames.encode(frames.Frame(district=7, ingest_ns=1, readings=Readings.of([(0, T0, 1.0, 0)])))
    for payload in (b"YWF1", other, b"{}"):
        bench.kafka.put(TOPICS.feed, 0, payload)
    bench.kafka.put(TOPICS.commands, 0, b"[]")
    flood(bench, 60.0, 9)
    await bench.read()
    dead = [decode_dead_letter(payload) for payload, _ in bench.kafka.logs[TOPICS.dead_letters, 0]]
    assert [(d.source, d.code, d.args["offset"]) for d in dead] == [
        ("commands", "command.message", 0),
        ("feed", "frame.length", 6),
        ("feed", "frame.district", 7),
        ("feed", "feed.message", 8),
    ]
    assert dead[3].raw == b"{}"
    assert bench.outputs()[-1].feed == 10
