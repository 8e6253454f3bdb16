"""The watch over a worker's partitions: who stands still before waiting messages is named, and nobody else."""

import pytest

from streams.progress import LOOK_S, STALLED_S, Progress
from yiwang.errors import Conflict

LOOKS = round(STALLED_S / LOOK_S)


def still(progress: Progress, looks: int, *, from_s: float = 0.0) -> float:
    """Look so often at a worker that has messages waiting and does not move; the time of the last look."""
    for k in range(looks):
        progress.look((5, 0), (9, 0), from_s + k * LOOK_S)
    return from_s + (looks - 1) * LOOK_S


def test_a_worker_that_stands_still_before_waiting_messages_is_named() -> None:
    """Within the time that is promised for a restart."""
    progress = Progress("district 3")
    at_s = still(progress, LOOKS)
    with pytest.raises(Conflict, match="district 3 has stood") as caught:
        progress.look((5, 0), (9, 0), at_s + LOOK_S)
    assert caught.value.code == "streams.stalled"
    assert (LOOKS + 1) * LOOK_S + LOOK_S < 30


def test_one_that_moves_or_has_nothing_to_do_is_left_alone() -> None:
    """For ever."""
    progress = Progress("district 3")
    at_s = still(progress, LOOKS)
    assert progress.look((6, 0), (9, 0), at_s + 1)
    for k in range(2, 30):
        assert not progress.look((6, 0), (6, 0), at_s + k * LOOK_S)


def test_waiting_in_one_log_is_not_made_up_for_by_the_other() -> None:
    """A position beyond the end that we were told (we read on meanwhile) is not minus so many messages."""
    progress = Progress("district 3")
    for k in range(LOOKS):
        progress.look((9, 7), (3, 9), k * LOOK_S)
    with pytest.raises(Conflict):
        progress.look((9, 7), (3, 9), LOOKS * LOOK_S)


def test_time_in_which_nobody_looked_is_one_look() -> None:
    """The whole process was stopped, or the broker did not answer: the worker gets its time from then on."""
    progress = Progress("district 3")
    at_s = still(progress, 2)
    at_s = still(progress, LOOKS - 2, from_s=at_s + 60.0)
    with pytest.raises(Conflict):
        still(progress, 2, from_s=at_s + LOOK_S)


def test_a_worker_is_excused_while_what_it_needs_is_away() -> None:
    """Its time begins anew."""
    progress = Progress("persist")
    at_s = still(progress, LOOKS)
    progress.excuse()
    still(progress, LOOKS, from_s=at_s + LOOK_S)
