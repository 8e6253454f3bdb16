"""Which outputs count: those of the newest owner, and what stood before its mark."""

from yiwang.fencing import MARK, Fence


def owner(n: int) -> list[tuple[str, bytes]]:
    """Headers of an owner's message."""
    return [("agent", b"12"), ("owner", b"%d" % n)]


def test_a_paused_owner_counts_until_the_mark_of_the_next_one() -> None:
    """Its words before the mark are part of the story, those behind it are nobody's; marks are no outputs."""
    log = [(MARK, 1), (b"a", 1), (MARK, 2), (b"b", 1), (b"c", 2), (MARK, 1), (b"d", 1), (MARK, 3), (b"e", 2)]
    fence = Fence()
    assert [p for p, n in log if fence.counts(p, owner(n))] == [b"a", b"c"]
    assert (fence.owner, fence.left_out) == (3, 4)


def test_a_reader_that_begins_in_the_midst_is_told_who_was_in_force() -> None:
    """Nothing in a late word itself tells that it is late."""
    assert Fence().counts(b"late", owner(1))
    assert not Fence(2).counts(b"late", owner(1))


def test_outputs_from_before_there_were_owners_count_until_the_first_mark() -> None:
    """Also headers that are no numbers are of that time."""
    fence = Fence()
    assert fence.counts(b"old", [])
    assert fence.counts(b"old", [("owner", b"x")])
    assert not fence.counts(MARK, owner(1))
    assert not fence.counts(b"old", [])
