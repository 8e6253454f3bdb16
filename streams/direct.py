"""A run without Kafka: payloads of the feed straight through the district machines. Pure."""

from collections.abc import Iterable, Iterator

from streams.machine import DistrictMachine
from streams.partition import Partition
from yiwang.model import Output


def run(messages: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, Output]]:
    """What the districts put out for a feed.

    Args:
        messages: (district, payload as on the feed topic), in the order of each district's feed; recorded
            commands stand in it.

    Yields:
        (district, output), numbers and positions as the district agent gives them.
    """
    partitions: dict[int, Partition] = {}
    for district, payload in messages:
        partition = partitions.get(district)
        if partition is None:
            partition = partitions[district] = Partition(DistrictMachine(district))
        partition.take_feed(partition.sequencer.read_feed, payload, 0)
        for emission in partition.work().emissions:
            yield district, emission.output
