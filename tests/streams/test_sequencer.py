"""The order of the two logs: what a first run decided, recovery repeats."""

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.sequencer import Placement, Sequencer, Step
from yiwang.errors import Conflict

Message = tuple[str, int]


def steps(sequencer: Sequencer[str]) -> list[Step[str]]:
    """All steps whose turn it is."""
    return list(sequencer.steps())


def test_a_command_goes_before_waiting_telemetry() -> None:
    """It is taken as soon as it is read."""
    s: Sequencer[str] = Sequencer()
    for offset in range(3):
        s.feed(offset, f"f{offset}")
    s.command(0, 0, "c0")
    assert [step.item for step in steps(s)] == ["c0", "f0", "f1", "f2"]


def test_a_command_waits_for_the_feed_its_sender_had_seen_and_later_ones_behind_it() -> None:
    """Causality: never applied to a state older than the one it was decided on."""
    s: Sequencer[str] = Sequencer()
    s.command(0, 2, "c0")
    s.command(1, 0, "c1")
    s.feed(0, "f0")
    assert [step.item for step in steps(s)] == ["f0"]
    s.feed(1, "f1")
    s.feed(2, "f2")
    assert [step.item for step in steps(s)] == ["f1", "c0", "c1", "f2"]


def test_what_was_taken_before_is_left_out_and_a_gap_is_an_error() -> None:
    """Messages come again after a rebalance; missing ones must not pass unnoticed."""
    s: Sequencer[str] = Sequencer(feed=5, commands=2)
    assert not s.feed(4, "old")
    assert not s.command(1, 0, "old")
    assert s.feed(5, "f5")
    for call in (lambda: s.feed(7, "f7"), lambda: s.command(4, 0, "c4")):
        with pytest.raises(Conflict) as caught:
            call()
        assert caught.value.code == "sequence.gap"
    assert (s.read_feed, s.read_commands) == (6, 2)


def test_in_recovery_the_feed_waits_for_a_placed_command() -> None:
    """It took effect between 5 and 6 of the feed, and does so again; a new one comes behind the floor."""
    placement = Placement.of([(6, 2), (6, 3), (8, 3)], commands=2)
    assert placement == Placement({2: 6}, 8)
    s: Sequencer[str] = Sequencer(feed=5, commands=2, placement=placement)
    for offset in range(5, 10):
        s.feed(offset, f"f{offset}")
    assert [step.item for step in steps(s)] == ["f5"]
    assert s.replaying
    s.command(2, 0, "c2")
    s.command(3, 0, "c3")
    assert [step.item for step in steps(s)] == ["c2", "f6", "f7", "c3", "f8", "f9"]
    assert not s.replaying


def test_outputs_that_do_not_fit_are_errors() -> None:
    """A command without an output, and a place that lies behind the state."""
    with pytest.raises(Conflict) as caught:
        Placement.of([(3, 2), (4, 4)], commands=2)
    assert caught.value.code == "sequence.outputs"
    s: Sequencer[str] = Sequencer(feed=9, commands=0, placement=Placement({0: 4}, 4))
    with pytest.raises(Conflict) as caught:
        steps(s)
    assert caught.value.code == "sequence.placed"


@dataclass
class World:
    """Logs that survive crashes, and a worker that does not.

    An output's body is a checksum of everything before it, so equal bodies mean equal histories.
    """

    chance: Random
    feed: list[int] = field(default_factory=list)  # outputs that a message causes
    commands: list[tuple[int, int]] = field(default_factory=list)  # seen_feed, outputs it causes
    outputs: list[tuple[int, int, int, int]] = field(default_factory=list)  # n, feed, commands, body
    snapshot: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)  # feed, commands, n, body, offset of outputs

    def live(self, moves: int) -> None:
        """A worker from the newest snapshot on, for so many moves, then a crash."""
        feed, commands, n, body, start = self.snapshot
        tail = [o for o in self.outputs[start:] if o[0] >= n]
        sent = n + len(tail)
        sequencer: Sequencer[Message] = Sequencer(
            feed, commands, Placement.of([(o[1], o[2]) for o in tail], commands=commands)
        )
        unsent: list[tuple[int, int, int, int]] = []
        for _ in range(moves):
            match self.chance.choice(["feed", "feed", "command", "new", "ask", "send", "snapshot"]):
                case "feed" if sequencer.read_feed < len(self.feed):
                    sequencer.feed(sequencer.read_feed, ("feed", self.feed[sequencer.read_feed]))
                case "command" if sequencer.read_commands < len(self.commands):
                    seen, causes = self.commands[sequencer.read_commands]
                    sequencer.command(sequencer.read_commands, seen, ("command", causes))
                case "new":
                    self.feed += [self.chance.randint(0, 2) for _ in range(3)]
                case "ask":
                    seen = self.outputs[-1][1] if self.outputs else 0
                    self.commands.append((self.chance.choice([0, seen]), self.chance.randint(1, 3)))
                case "send":
                    count = self.chance.randint(0, len(unsent))
                    self.outputs += unsent[:count]
                    del unsent[:count]
                case "snapshot":
                    self.outputs += unsent
                    unsent = []
                    known = start if n < sent else len(self.outputs)
                    self.snapshot = (sequencer.next_feed, sequencer.next_commands, n, body, known)
                case _:
                    pass
            for step in sequencer.steps():
                body = hash((body, step.log, step.offset))
                for _ in range(step.item[1]):
                    body = hash((body, n))
                    output = (n, sequencer.next_feed, sequencer.next_commands, body)
                    if n < sent:  # it is in the log since before the crash
                        assert output in tail
                    else:
                        unsent.append(output)
                    n += 1


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_whatever_crashes_nothing_that_was_said_becomes_untrue(seed: int) -> None:
    """Any interleaving, crashes and snapshots anywhere, outputs lost before they were sent: one history."""
    world = World(Random(seed))
    for _ in range(world.chance.randint(1, 8)):
        world.live(world.chance.randint(1, 60))
    assert [n for n, *_ in world.outputs] == list(range(len(world.outputs)))
    places = [(feed, commands) for _, feed, commands, _ in world.outputs]
    for offset, place in Placement.of(places, commands=0).commands.items():
        assert place >= world.commands[offset][0]
