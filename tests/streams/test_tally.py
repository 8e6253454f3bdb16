"""What is counted of a district's work."""

from streams.machine import DistrictMachine
from streams.partition import Partition
from streams.tally import Tally
from yiwang import frames
from yiwang.clock import SECOND
from yiwang.codec import encode
from yiwang.columns import Readings
from yiwang.frames import Frame
from yiwang.latency import BUCKETS_S
from yiwang.model import Tick


def frame(n: int, ingest_ns: int) -> bytes:
    rows = [(s, SECOND + ingest_ns, 1.0, 0) for s in range(n)]
    return frames.encode(Frame(district=0, ingest_ns=ingest_ns, readings=Readings.of(rows)))


def test_a_round_of_work_is_counted() -> None:
    """Readings by their frames, latency by stamps, dead letters by code, troubles with their counts."""
    partition = Partition(DistrictMachine(0))
    t0 = 1_000 * SECOND
    partition.take_feed(0, frame(1000, t0), t0)
    partition.take_feed(
        1, frame(10, t0 + SECOND), 0
    )  # a foreign producer sets no header: the frame's own stamp
    partition.take_feed(2, b"{", t0)
    partition.take_feed(3, encode(Tick(t_ns=t0)), t0 + SECOND)
    tally = Tally()
    tally.take(partition.work(), t0 + 3 * SECOND)
    assert (tally.readings, tally.messages) == (1010, 3)
    assert tally.detect.n == 1011
    assert tally.detect.counts[BUCKETS_S.index(5.0)] == 1000  # three seconds
    assert tally.detect.counts[BUCKETS_S.index(2.0)] == 11
    assert tally.dead == {("feed", "feed.message"): 1}
    assert tally.troubles["feed.unknown_series"] == 1010
    assert tally.outputs["trouble"] >= 2
    assert tally.newest_ns == t0 + SECOND


def test_how_far_behind() -> None:
    """Messages by the ends last seen; seconds only while something waits, and never negative."""
    tally = Tally(newest_ns=5 * SECOND, ends=(10, 3))
    assert tally.behind((4, 3)) == (6, 0)
    assert tally.behind_s((4, 3), 8 * SECOND) == 3.0
    assert tally.behind((12, 3)) == (0, 0)  # worked on since we looked
    assert tally.behind_s((12, 3), 8 * SECOND) == 0.0
    assert tally.behind_s((4, 3), 4 * SECOND) == 0.0
    assert Tally(ends=(5, 5)).behind_s((0, 0), 8 * SECOND) == 0.0
