"""States as data."""

import msgspec
import numpy as np
import pytest

from detectors.ladder import Ladder
from detectors.sightings import Sightings
from detectors.state import dump_state, grow, load_state
from tests.detectors.feeding import feed
from yiwang.errors import BadInput

LADDER = Ladder(rung_i=1.0, hysteresis=0.0, hold_s=0.0)


def test_state_goes_through_msgpack_and_back_to_the_last_bit() -> None:
    """What comes back can be written to."""
    state = LADDER.start(3)
    feed(LADDER, [(1, 2.0)], state)
    packed = msgspec.msgpack.encode(dump_state(state))
    loaded = load_state(LADDER.start(0), msgspec.msgpack.decode(packed))
    assert msgspec.msgpack.encode(dump_state(loaded)) == packed
    assert [f.level for f in feed(LADDER, [(2, 0.0)], loaded)] == [0]


def test_state_of_no_series_loads() -> None:
    """A district may begin empty."""
    assert load_state(LADDER.start(0), dump_state(LADDER.start(0))).on.shape == (0, 4)


def test_state_of_another_detector_is_refused() -> None:
    """By its fields, with a stable code."""
    sightings = Sightings(min_confidence=0.5, confirm_count=1.0, window_s=1.0, quiet_s=1.0, level=1.0)
    with pytest.raises(BadInput, match="not a state of LatchState: fields") as caught:
        load_state(LADDER.start(0), dump_state(sightings.start(1)))
    assert caught.value.code == "state.shape"


@pytest.mark.parametrize(
    "change",
    [{"dtype": "<f4"}, {"shape": [3, 5]}, {"shape": [12]}, {"shape": []}],
)
def test_state_of_another_release_is_refused(change: dict[str, object]) -> None:
    """Another number of latches, another dtype, another dimension."""
    dumped = dump_state(LADDER.start(3))
    dumped["turn_ns"] = dumped["turn_ns"] | change
    with pytest.raises(BadInput, match=r"turn_ns: |on: "):
        load_state(LADDER.start(0), dumped)


def test_growing_keeps_old_rows_and_starts_new_ones() -> None:
    """And a state never shrinks."""
    state = LADDER.start(1)
    feed(LADDER, [(1, 2.0)], state)
    grown = grow(state, LADDER.start(3))
    assert grown.level.tolist() == [1, 0, 0]
    assert np.array_equal(grown.on[:, 0], [True, False, False])
    with pytest.raises(ValueError, match="does not shrink to 1"):
        grow(grown, LADDER.start(1))
