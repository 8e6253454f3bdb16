"""What was done for one district since this worker took it up: for whoever watches, decides nothing. Pure."""

from collections import Counter
from dataclasses import dataclass, field

from streams.partition import Work
from yiwang.clock import SECOND
from yiwang.latency import Latency
from yiwang.model import Trouble


@dataclass(slots=True)
class Tally:
    """Counts of one district.

    Attributes:
        readings: judged.
        messages: of the two logs worked on, feed and commands together; frames included.
        outputs: by their type's tag, such as ``finding``; those that had been said before a crash included.
        troubles: what the machine could not use, by code, in readings or devices.
        dead: dead letters by source and code.
        differing: outputs that were other ones before a crash.
        detect: from a message's ingest stamp to its judgement; a frame counts once for each of its readings.
        newest_ns: ingest stamp of the newest message worked on; 0 before the first.
        ends: next offsets of feed and commands when we last looked, every few seconds.
    """

    readings: int = 0
    messages: int = 0
    outputs: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    dead: Counter[tuple[str, str]] = field(default_factory=Counter)
    differing: int = 0
    detect: Latency = field(default_factory=Latency)
    newest_ns: int = 0
    ends: tuple[int, int] = (0, 0)

    def take(self, done: Work, now_ns: int) -> None:
        """One round of work was done; a few additions a message and an output, none a reading."""
        for ingest_ns, readings in done.stamps:
            self.messages += 1
            self.readings += readings
            if ingest_ns:
                self.detect.observe((now_ns - ingest_ns) / SECOND, readings or 1)
                self.newest_ns = max(self.newest_ns, ingest_ns)
        for emission in done.emissions:
            body = emission.output.body
            self.outputs[str(body.__struct_config__.tag)] += 1
            if isinstance(body, Trouble):
                self.troubles[body.code] += body.count
        for letter in done.dead:
            self.dead[letter.source, letter.code] += 1
        self.differing += len(done.differing)

    def behind(self, at: tuple[int, int]) -> tuple[int, int]:
        """Messages of feed and commands that wait, by what was known of their ends when we last looked."""
        return max(0, self.ends[0] - at[0]), max(0, self.ends[1] - at[1])

    def behind_s(self, at: tuple[int, int], now_ns: int) -> float:
        """Age of the newest message worked on while others wait; 0 when none waits."""
        if not any(self.behind(at)) or not self.newest_ns:
            return 0.0
        return max(0.0, (now_ns - self.newest_ns) / SECOND)
