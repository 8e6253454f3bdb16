"""Persist's memory, kept and read back."""

import numpy as np
import pytest

from streams import persist_memory_codec
from streams.persist_memory import Memory
from streams.persist_memory_codec import dump, load
from streams.persist_minutes import Minutes
from streams.persist_rows import by_series
from tests.streams.test_persist_minutes import US, take, told
from yiwang.columns import Readings
from yiwang.errors import Conflict


def filled() -> Memory:
    """With open minutes, a closed one, a tick and frames met."""
    memory = Memory(3, written=2, rules="v", must_ask=False)
    take(memory, [(s, s * 1_000_000 * US, s / 3, s % 4) for s in range(5)])
    take(memory, [(2, 61_000_000 * US, 1.5, 0)])
    memory.tick(62_000_000)
    memory.recent.repeats(b"x" * 100)
    return memory


@pytest.mark.parametrize("slots", [1, 2, 100])
def test_a_memory_comes_back_as_it_was(monkeypatch: pytest.MonkeyPatch, slots: int) -> None:
    """Every column and number, in however many blocks; and what it says next is the same."""
    monkeypatch.setattr(persist_memory_codec, "SLOTS", slots)
    before = filled()
    after = load(3, dict(enumerate(dump(before))))
    for name in ("district", "now_us", "has_ticks", "written", "rules", "must_ask", "since"):
        assert getattr(after, name) == getattr(before, name), name
    for name in ("series", "newest_us", "newest_value"):
        assert np.array_equal(getattr(after, name), getattr(before, name)), name
    for name, _, _ in Minutes.COLUMNS:
        assert np.array_equal(getattr(after.minutes, name), getattr(before.minutes, name)), name
    for name in ("us", "value", "quality"):
        assert np.array_equal(getattr(after.last, name), getattr(before.last, name)), name
    assert after.recent.repeats(b"x" * 100)
    assert dump(load(3, dict(enumerate(dump(before))))) == dump(before)
    for memory in (before, after):
        take(memory, [(4, 120_000_000 * US, 2.5, 0)])
    assert [told(p) for p in after.roll(9)] == [told(p) for p in before.roll(9)]


def test_an_empty_memory_comes_back() -> None:
    """A district of which only ticks came."""
    assert len(load(0, dict(enumerate(dump(Memory(0))))).series) == 0


@pytest.mark.parametrize("block", [0, 1, 2])
def test_damage_is_named(block: int) -> None:
    """A flipped bit, a block cut short and a missing one; the block and the remedy are in the message."""
    blocks = dict(enumerate(dump(filled())))
    assert len(blocks) == 3
    flipped = bytearray(blocks[block])
    flipped[-1] ^= 1
    for damaged in ({block: bytes(flipped)}, {block: blocks[block][:3]}):
        with pytest.raises(
            Conflict, match=rf"district 3 cannot be read: block {block}: .*persist_memory"
        ) as caught:
            load(3, blocks | damaged)
        assert caught.value.code == "persist.memory"
    with pytest.raises(Conflict, match=f"block {block}: it is missing"):
        load(3, {n: data for n, data in blocks.items() if n != block})


def test_a_newer_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With both versions named."""
    monkeypatch.setattr(persist_memory_codec, "VERSION", 9)
    blocks = dict(enumerate(dump(filled())))
    monkeypatch.undo()
    with pytest.raises(Conflict, match="of version 9, this release reads 2"):
        load(3, blocks)


def test_what_a_device_sends_again_is_stored_once_also_after_a_restart() -> None:
    """The newest reading of a series, said again with the same value; another value at that time is a reading."""
    memory = Memory(0)
    rows = [(s, 1_000_000 * US, s + 0.5, 0) for s in range(3)]
    take(memory, rows)
    memory = load(0, dict(enumerate(dump(memory))))
    again = by_series(Readings.of([*rows, (1, 1_000_000 * US, 9.0, 0), (2, 2_000_000 * US, 2.5, 0)]))
    made = memory.take(again, store=True)
    assert made is not None
    assert (made.n, made.late, memory.repeated) == (2, 1, 3)
    ((count, *_),) = {k: v for k, v in told(memory.roll(1)[0]).items() if k[0] == 0}.values()
    assert count == 1, "and counted once in its minute"
