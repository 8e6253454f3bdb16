"""The city worker: one desk over all districts, its place kept, never two of it."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from streams.city_host import CITY, City, CityHost, Position
from tests.fakes.streams import FakeKafka, FakeSnapshots
from yiwang.clock import ManualClock
from yiwang.codec import decode_command, encode
from yiwang.errors import BadInput, Conflict
from yiwang.model import Body, Output, RequestSupport, SupportAnswer, SupportNeeded, SupportOffer
from yiwang.topics import Topics

TOPICS = Topics("test")
ALL: set[Position] = {(TOPICS.outputs, d) for d in range(3)}
NEEDED = SupportNeeded(
    id="S-1", district=1, incident="I-1", incident_kind="road_flooding", severity=1, place_name_zh="桥",
    place_name_en="bridge", skill="drainage", lon=1.0, lat=2.0, t_ns=77,
)  # fmt: skip


def output(n: int, body: Body, feed: int = 5) -> Output:
    """An output of a district."""
    return Output(n=n, feed=feed, commands=0, body=body)


def declined(district: int) -> SupportOffer:
    """A neighbour that cannot help."""
    return SupportOffer(
        request="S-1", district=district, for_district=1, incident="I-1", granted=False, t_ns=80
    )


class Bench:
    """A host on logs in memory."""

    def __init__(self, kafka: FakeKafka, snapshots: FakeSnapshots) -> None:
        self.kafka, self.snapshots = kafka, snapshots
        self.committed: list[Mapping[Position, int]] = []
        self.told: list[list[int]] = []
        self.host = CityHost(
            TOPICS,
            3,
            ManualClock(42),
            kafka,  # type: ignore[arg-type]
            kafka,  # type: ignore[arg-type]
            snapshots,  # type: ignore[arg-type]
            snapshot_s=1.0,
            told=self.told.append,
            committed=self._commit,
        )

    async def _commit(self, offsets: Mapping[Position, int]) -> None:
        self.committed.append(offsets)

    def commands(self, district: int) -> list[tuple[str, int]]:
        """What a district was told: action and the feed position it waits for."""
        return [
            (type(c.action).__name__, c.seen_feed)
            for c in (decode_command(p) for p, _ in self.kafka.logs.get((TOPICS.commands, district), []))
        ]


async def test_it_asks_the_neighbours_in_turn_and_goes_on_after_a_crash() -> None:
    """A repeat of an output, with a new offset, does nothing."""
    one = Bench(FakeKafka(), FakeSnapshots())
    await one.host.restore(ALL)
    await one.host.take(1, 0, encode(output(0, NEEDED)))
    await one.host.take(1, 1, encode(output(0, NEEDED)))
    assert one.commands(0) == [("RequestSupport", 0)]
    await one.host.keep()
    assert one.snapshots.rows[CITY].outputs == 2
    assert one.committed[-1][TOPICS.outputs, 1] == 2

    two = Bench(one.kafka, one.snapshots)
    assert (await two.host.restore(ALL))[TOPICS.outputs, 1] == 2
    await two.host.take(0, 0, encode(output(0, declined(0))))
    assert two.commands(2) == [("RequestSupport", 0)]
    await two.host.take(2, 0, encode(output(0, declined(2))))
    assert two.commands(1) == [("SupportAnswer", 0)]


async def test_a_second_city_worker_is_refused_and_the_first_goes_on() -> None:
    """The newcomer is given a part of the outputs: it says so. The first keeps what it has."""
    one = Bench(FakeKafka(), FakeSnapshots())
    await one.host.restore(ALL)
    part = {(TOPICS.outputs, 0)}
    with pytest.raises(Conflict) as caught:
        await Bench(one.kafka, one.snapshots).host.restore(part)
    assert caught.value.code == "city.second"
    await one.host.release(ALL)
    assert await one.host.restore(part) == {(TOPICS.outputs, 0): 0}
    assert len(await one.host.restore(ALL)) == 3


async def test_a_worker_without_outputs_stands_by_and_takes_over_what_was_done_meanwhile() -> None:
    """It says that it has none, holds nothing of old, and reads the state anew when it is the city's turn."""
    one = Bench(FakeKafka(), FakeSnapshots())
    two = Bench(one.kafka, one.snapshots)
    assert await two.host.restore(set()) == {}
    assert await one.host.restore(ALL) == dict.fromkeys(ALL, 0)
    await one.host.take(1, 0, encode(output(0, NEEDED)))
    await one.host.release(ALL)
    assert await one.host.restore(set()) == {}
    assert (await two.host.restore(ALL))[TOPICS.outputs, 1] == 1
    await two.host.take(0, 0, encode(output(0, declined(0))))
    await two.host.release(ALL)
    starts = await one.host.restore(ALL)
    assert (starts[TOPICS.outputs, 0], starts[TOPICS.outputs, 1]) == (1, 1)
    assert (one.told, two.told) == ([[0, 1, 2], [], [0, 1, 2]], [[], [0, 1, 2]])


async def test_nothing_is_acknowledged_while_the_database_is_away() -> None:
    """The state is kept when it is back."""
    one = Bench(FakeKafka(), FakeSnapshots(away=True))
    await one.host.restore(ALL)
    await one.host.take(1, 0, encode(output(0, NEEDED)))
    await one.host.keep()
    assert (one.committed, one.snapshots.rows) == ([], {})
    one.snapshots.away = False
    await one.host.keep()
    assert len(one.committed) == 1


def test_commands_carry_the_event_time_of_their_cause_and_ids_of_their_own() -> None:
    """Two cities that read the same say the same."""
    asked = [City(2).take(1, 0, output(0, NEEDED)) for _ in range(2)]
    assert asked[0] == asked[1]
    ((district, command),) = asked[0]
    assert (district, command.t_ns) == (0, 77)
    assert isinstance(command.action, RequestSupport)


def test_an_answer_about_a_districts_own_output_waits_for_its_feed() -> None:
    """Nobody is left to ask: the asker hears it, not before it has reached its own question."""
    ((district, command),) = City(1).take(0, 0, output(0, replace(NEEDED, district=0), feed=9))
    assert (district, command.seen_feed) == (0, 9)
    assert isinstance(command.action, SupportAnswer)


def test_a_newer_snapshot_is_refused() -> None:
    """With its code."""
    data = City(2).dump()
    with pytest.raises(BadInput) as caught:
        City.load(data.replace(b"\x95\x02", b"\x95\x03", 1))
    assert caught.value.code == "snapshot.version"
