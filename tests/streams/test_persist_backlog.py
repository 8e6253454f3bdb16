"""What persist has taken and not yet stored."""

import pytest

from streams.persist_backlog import Backlog
from yiwang.columns import Readings
from yiwang.errors import Conflict
from yiwang.registry import Rules

P = ("live.feed", 0)
_FRAME = (b"", 0, Readings.of([(0, 1, 1.0, 0), (1, 1, 1.0, 0)]))


def _nothing() -> None:
    """An acknowledgement nobody waits for."""


def test_messages_below_the_stored_offset_are_skipped() -> None:
    """After a restart Kafka repeats what is stored already."""
    backlog = Backlog()
    backlog.begin(P, 5)
    assert [backlog.accept(P, n) for n in (3, 4, 5)] == [False, False, True]


def test_a_message_waiting_already_is_skipped() -> None:
    """A rebalance repeats what is not acknowledged yet."""
    backlog = Backlog()
    backlog.begin(P, 5)
    backlog.add(P, 5, size=1, ack=_nothing, frame=_FRAME)
    assert not backlog.accept(P, 5)
    assert backlog.accept(P, 6)


def test_a_gap_is_an_error_that_names_the_place() -> None:
    """Messages that are missing are never passed over in silence."""
    backlog = Backlog()
    backlog.begin(P, 5)
    with pytest.raises(Conflict, match=r"live.feed\[0\]: 2 messages from offset 5 on never came") as caught:
        backlog.accept(P, 7)
    assert caught.value.code == "persist.gap"


def test_a_partition_never_stored_from_may_begin_anywhere() -> None:
    """A database may be attached to a log whose beginning is gone."""
    backlog = Backlog()
    backlog.begin(P, None)
    assert backlog.accept(P, 9)
    backlog.add(P, 9, size=1, ack=_nothing)
    (part,) = backlog.take()
    assert (part.base, part.next) == (None, 10)


def test_parts_follow_each_other() -> None:
    """The next part begins where the last one ended, also before that is stored."""
    backlog = Backlog()
    backlog.begin(P, 5)
    backlog.add(P, 5, size=10, ack=_nothing, frame=_FRAME)
    backlog.add(P, 6, size=10, ack=_nothing, statements=[("persist/rules", ("a", "{}"))])
    assert (backlog.rows, backlog.bytes, backlog.messages) == (3, 20, 2)
    (part,) = backlog.take()
    assert (part.base, part.next, part.rows) == (5, 7, 3)
    assert (backlog.rows, backlog.bytes, backlog.messages) == (0, 0, 0)
    backlog.add(P, 7, size=1, ack=_nothing)
    assert backlog.take()[0].base == 7


def test_a_forgotten_partition_leaves_nothing_behind() -> None:
    """What waits of a partition that went away is dropped, its neighbours stay."""
    backlog = Backlog()
    other = ("live.feed", 1)
    for partition in (P, other):
        backlog.begin(partition, 0)
        backlog.add(partition, 0, size=4, ack=_nothing, frame=_FRAME)
    backlog.forget(P)
    assert not backlog.knows(P)
    assert (backlog.rows, backlog.bytes, backlog.messages) == (2, 4, 1)
    assert [part.partition for part in backlog.take()] == [other]


def test_what_is_stored_is_taken_in_again_from_an_earlier_offset() -> None:
    """Of a district whose memory stands earlier, stored messages come in a step that is not stored."""
    backlog = Backlog()
    backlog.begin(P, 5, 3)
    assert [backlog.accept(P, n) for n in (2, 3)] == [False, True]
    assert [backlog.add(P, n, size=1, ack=_nothing, frame=_FRAME) for n in range(3, 7)] == [
        False,
        False,
        True,
        True,
    ]
    (part,) = backlog.take()
    assert (part.base, part.next, part.read) == (5, 7, 7)
    assert [(step.store, len(step.frames)) for step in part.steps] == [(False, 2), (True, 2)]
    assert [n for _, n in part.stamps] == [2, 2]


def test_nothing_stored_is_stored_again_with_a_part_of_old_messages() -> None:
    """Such a part leaves the database where it stands, and its statements are left out."""
    backlog = Backlog()
    backlog.begin(P, 5, 3)
    backlog.add(P, 3, size=1, ack=_nothing, statements=[("persist/rules", ("a", "{}"))])
    (part,) = backlog.take()
    assert (part.base, part.next, part.read, part.statements) == (5, 5, 4, [])
    assert (backlog.empty(P).base, backlog.empty(P).next, backlog.empty(P).read) == (5, 5, 4)


def test_other_rules_begin_a_step() -> None:
    """What comes before a change of rules is judged by the old ones; a tick stays with its neighbours."""
    rules = Rules(version="v", packs=())
    backlog = Backlog()
    backlog.begin(P, 0)
    backlog.add(P, 0, size=1, ack=_nothing, frame=_FRAME)
    backlog.add(P, 1, size=1, ack=_nothing, tick_ns=7)
    backlog.add(P, 2, size=1, ack=_nothing, rules=rules)
    backlog.add(P, 3, size=1, ack=_nothing, frame=_FRAME)
    (part,) = backlog.take()
    assert [(s.rules, s.tick_ns, len(s.frames)) for s in part.steps] == [(None, 7, 1), (rules, 0, 1)]
    assert backlog.positions() == {P: 4}
