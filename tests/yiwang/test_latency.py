"""Durations counted by bucket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiwang.latency import BUCKETS_S, Latency, quantile


def test_a_batch_is_one_call() -> None:
    """A thousand readings of one frame are counted at once, in the bucket their duration belongs to."""
    latency = Latency()
    latency.observe(0.05, 1000)  # a bound belongs to its own bucket
    latency.observe(0.0501, 2)
    latency.observe(3600.0)
    at = BUCKETS_S.index(0.05)
    assert latency.counts[at] == 1000
    assert latency.counts[at + 1] == 2
    assert latency.counts[-1] == 1
    assert latency.n == 1003
    assert latency.sum_s == pytest.approx(50.0 + 0.1002 + 3600.0)


def test_a_stamp_from_the_future_counts_as_nothing() -> None:
    """Clocks of two machines differ; a negative duration must not make the sum shrink."""
    latency = Latency()
    latency.observe(-0.5, 10)
    assert latency.counts[0] == 10
    assert latency.sum_s == 0.0


def test_quantiles_of_known_counts() -> None:
    """Within a bucket evenly spread; what is beyond the last bound is told as the last bound; nothing is None."""
    assert quantile(0.5, (1.0, 2.0, 4.0), (0, 10, 0, 0)) == 1.5
    assert quantile(0.99, (1.0, 2.0), (0, 0, 5)) == 2.0
    assert quantile(0.5, (1.0, 2.0), (0, 0, 0)) is None
    assert quantile(1.0, (1.0, 2.0), (3, 1, 0)) == 2.0


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_lie_in_the_bucket_and_rise(values: list[float], one: float, other: float) -> None:
    """A quantile lies between the bounds round the true value, and a larger share never gives less."""
    latency = Latency()
    for value in values:
        latency.observe(value)
    low, high = sorted((one, other))
    first, second = (quantile(q, BUCKETS_S, latency.counts) for q in (low, high))
    assert first is not None
    assert second is not None
    assert 0.0 <= first <= second <= BUCKETS_S[-1]
    assert quantile(1.0, BUCKETS_S, latency.counts) >= min(max(values), BUCKETS_S[-1]) - 1e-9  # type: ignore[operator]
