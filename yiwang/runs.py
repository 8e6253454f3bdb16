"""A run: the living city, or one replay of something, each with topics, schema and groups of its own."""

from typing import Literal

import msgspec

from yiwang.topics import Topics


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table of runs.

    Attributes:
        ticks: who sends ticks. ``agent``: the district agent, by the wall clock, once a second (live).
            ``player``: whoever plays the feed; then event time has nothing to do with the wall clock.
        speed: of the replay, for screens; 0 is "as fast as it goes".
    """

    name: str
    kind: Literal["live", "demo", "replay"]
    ticks: Literal["agent", "player"]
    districts: int
    scenario: str = ""
    speed: float = 1.0
    created_ns: int = 0
    state: Literal["running", "finished", "stopped"] = "running"

    @property
    def topics(self) -> Topics:
        """Its topics, schema and groups."""
        return Topics(self.name)
