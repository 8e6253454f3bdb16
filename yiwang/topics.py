"""Every topic: name, key, partitions, schema version. Nothing else in the project spells one.

A run (``live``, ``replay-…``) has topics of its own. Partition number = district number; the partition is
always given explicitly, keys are for people who look. Schema versions: frames carry theirs; the JSON
messages are version 1 of ``yiwang.model`` and only ever gain optional fields.
"""

import re
from dataclasses import dataclass

from yiwang.errors import BadInput

LIVE = "live"
_RUN = re.compile(r"[a-z][a-z0-9-]{0,39}")

# Stage stamps travel in Kafka headers, wall clock in ns as ASCII digits, so that payloads stay the same in a
# replay: the moment ingest took the reading or event, and the moment the district agent had decided.
HEADER_INGEST = "ingest"
HEADER_AGENT = "agent"
# Of outputs: which taking over of the district the worker speaks for, ASCII digits; see yiwang.fencing.
HEADER_OWNER = "owner"

MAX_MESSAGE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one run."""

    run: str

    def __post_init__(self) -> None:
        if not _RUN.fullmatch(self.run):
            raise BadInput(
                "run.name",
                f"{self.run!r} is no run name: lower-case letters, digits and -, first a letter, at most 40",
                run=self.run,
            )

    @property
    def feed(self) -> str:
        """Frames and single messages into the districts; one partition a district."""
        return f"{self.run}.feed"

    @property
    def commands(self) -> str:
        """Commands into the districts; one partition a district, as many as ``feed``."""
        return f"{self.run}.commands"

    @property
    def outputs(self) -> str:
        """Everything the districts put out, in order; one partition a district."""
        return f"{self.run}.outputs"

    @property
    def dead_letters(self) -> str:
        """What could not be used; one partition."""
        return f"{self.run}.deadletters"

    def partitions(self, districts: int) -> dict[str, int]:
        """Topic name to number of partitions."""
        return {self.feed: districts, self.commands: districts, self.outputs: districts, self.dead_letters: 1}

    @property
    def schema(self) -> str:
        """The database schema of this run."""
        return "live" if self.run == LIVE else "run_" + self.run.replace("-", "_")

    def group(self, role: str) -> str:
        """Consumer group id of a role (district, city, persist)."""
        return f"yiwang.{self.run}.{role}"
