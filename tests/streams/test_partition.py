"""A district between its logs: joining changes nothing, a run without Kafka is the same."""

from random import Random

import pytest

from streams import direct
from streams.machine import DistrictMachine
from streams.partition import Partition
from tests.streams.world import T0, command, cut, lively, opening, resolve
from yiwang import frames
from yiwang.codec import encode
from yiwang.columns import Readings
from yiwang.model import Acknowledge, CommandResult, Tick


def payloads(seed: int) -> list[bytes]:
    """A lively feed as it stands in Kafka, some of it broken."""
    chance = Random(seed)
    items = resolve([*opening(), Tick(t_ns=T0), *lively(chance)])
    made: list[bytes] = []
    for piece in cut(items, [chance.randint(1, 9) for _ in range(5)]):
        if isinstance(piece, Readings):
            made.append(frames.encode(frames.Frame(district=0, ingest_ns=1, readings=piece)))
        else:
            made.append(encode(piece))
        if chance.random() < 0.1:
            made.append(b"broken")
    return made


@pytest.mark.parametrize("seed", range(10))
def test_however_many_messages_wait_the_outputs_are_the_same_bytes(seed: int) -> None:
    """Numbers, places and bodies, worked on one by one or in heaps."""
    feed = payloads(seed)
    one_by_one = [encode(output) for _, output in direct.run((0, payload) for payload in feed)]
    chance = Random(seed)
    partition = Partition(DistrictMachine(0))
    heaped: list[bytes | None] = []
    for offset, payload in enumerate(feed):
        partition.take_feed(offset, payload, 0)
        if chance.random() < 0.2 or offset == len(feed) - 1:
            heaped += [emission.payload for emission in partition.work().emissions]
    assert heaped == one_by_one
    assert partition.feed == len(feed)


def test_nobody_can_have_seen_more_of_the_feed_than_we_have() -> None:
    """A command that says so is not waited for."""
    partition = Partition(DistrictMachine(0))
    partition.take_command(0, encode(command(1, Acknowledge(incident="I-x"), seen_feed=10**15)), 0)
    assert isinstance(partition.work().emissions[-1].output.body, CommandResult)
