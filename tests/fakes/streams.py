"""Stand-ins for what the hosts of stream workers lean on; logs and states in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

from streams import blocks
from streams.log_reader import Record
from streams.snapshots import Cut, Saved, Written
from yiwang.errors import Conflict
from yiwang.fencing import Fence

Position = tuple[str, int]


@dataclass
class FakeKafka:
    """Logs: (topic, partition) to records of (payload, headers). Is the outbox and the reader of logs."""

    logs: dict[Position, list[tuple[bytes, dict[str, bytes]]]] = field(default_factory=dict)

    def put(
        self, topic: str, partition: int, payload: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> "asyncio.Future[int]":
        """Sent at once."""
        log = self.logs.setdefault((topic, partition), [])
        log.append((payload, dict(headers)))
        sent: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        sent.set_result(len(log) - 1)
        return sent

    under_way = 0

    async def room(self) -> None:
        """There is."""

    async def settle(self) -> None:
        """Nothing is ever under way."""

    async def run(self) -> None:
        """Nothing to do."""
        await asyncio.Event().wait()

    async def ends(self, partitions: Iterable[Position]) -> dict[Position, int]:
        """Lengths of the logs."""
        return {p: len(self.logs.get(p, ())) for p in partitions}

    async def read(
        self, topic: str, partition: int, start: int, header: str, *, fence: Fence | None = None
    ) -> AsyncIterator[Record]:
        """A stretch of a log."""
        log = self.logs.get((topic, partition), [])
        for i, (payload, headers) in enumerate(log[start:]):
            if fence is None or fence.counts(payload, headers.items()):
                yield start + i, payload, int(headers.get(header, b"0"))


@dataclass
class FakeSnapshots:
    """States in memory; ``away`` is a database that does not answer."""

    rows: dict[int, Saved] = field(default_factory=dict)
    owners: dict[int, int] = field(default_factory=dict)
    said: dict[int, int] = field(default_factory=dict)
    away: bool = False

    async def claim(self, district: int) -> tuple[int, int]:
        """The next ownership."""
        self.owners[district] = self.owners.get(district, 0) + 1
        return self.owners[district], self.said.get(district, 0)

    async def load(self, district: int) -> Saved | None:
        """What was saved."""
        return self.rows.get(district)

    async def save(self, cut: Cut) -> Written | None:
        """Packed and unpacked, as the database would give it back."""
        if cut.owner != self.owners.get(cut.district):
            raise Conflict("snapshot.overtaken", f"another worker has taken over {cut.district}")
        if self.away:
            return None
        found = blocks.manifest(cut.columns, cut.parts)
        rows = [(*key, blocks.block(cut.parts, key)) for key in found.keys()]  # noqa: SIM118  no dict
        self.said[cut.district] = cut.said_by
        self.rows[cut.district] = Saved(
            district=cut.district,
            state=blocks.assemble(found, rows),
            feed=cut.feed,
            commands=cut.commands,
            outputs=cut.outputs,
        )
        size = sum(len(data) for _, _, data in rows)
        return Written(state_bytes=size, stored_bytes=size, blocks=len(rows), changed=len(rows), cpu_s=0.0)

    async def settle(self) -> None:
        """Nothing is ever under way."""
