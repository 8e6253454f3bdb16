"""States and the offsets they stand for, in one transaction; waits while the database is away."""

import asyncio
from dataclasses import dataclass

import asyncpg

from sql import query
from sql.pool import coded, connect
from yiwang import logs
from yiwang.errors import Conflict, Unavailable

FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 10.0

_log = logs.get("snapshots")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One worker's state for one partition.

    Attributes:
        feed: next offset of the feed; ``commands`` and ``outputs`` likewise. The outputs from ``outputs`` on are
            those that the state does not know of, and perhaps some it does.
        owner: ownership (``yiwang.fencing``) of the worker that keeps it.
        said_by: ownership in force at ``outputs``.
    """

    district: int
    state: bytes
    feed: int
    commands: int
    outputs: int
    owner: int = 0
    said_by: int = 0


class Snapshots:
    """The table ``snapshot`` for one role.

    Args:
        dsn: the database's URL.
        schema: of the run.
        role: ``district`` or ``city``.
    """

    def __init__(self, dsn: str, schema: str, role: str) -> None:
        self._dsn = dsn
        self._schema = schema
        self._role = role
        self._connection: asyncpg.Connection | None = None
        self._away = False

    async def claim(self, district: int) -> tuple[int, int]:
        """Take a district over: nobody who held it before can keep a state from now on.

        While the database is away this waits.

        Returns:
            The new ownership, and the one in force at the offset ``outputs`` of the kept state.

        Raises:
            YiwangError: as ``load``.
        """
        wait_s = FIRST_WAIT_S
        while True:
            try:
                connection = await self._connected()
                async with coded(self._dsn):
                    row = await connection.fetchrow(query("ownership/claim"), self._role, district)
            except Unavailable as error:
                await self._lost(error)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                continue
            self._back()
            assert row is not None
            return row["owner"], row["kept"]

    async def load(self, district: int) -> Saved | None:
        """The newest state, or none. While the database is away this waits.

        Raises:
            YiwangError: ``database.…`` for everything that waiting does not mend.
        """
        wait_s = FIRST_WAIT_S
        while True:
            try:
                connection = await self._connected()
                async with coded(self._dsn):
                    row = await connection.fetchrow(query("snapshot/load"), self._role, district)
            except Unavailable as error:
                await self._lost(error)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                continue
            self._back()
            if row is None:
                return None
            state, feed, commands, outputs = row
            return Saved(district=district, state=state, feed=feed, commands=commands, outputs=outputs)

    async def said_by(self, district: int) -> int:
        """The ownership in force at the offset ``outputs`` of the kept state, for onlookers.

        Raises:
            YiwangError: ``database.…``.
        """
        connection = await self._connected()
        async with coded(self._dsn):
            return await connection.fetchval(query("ownership/kept"), self._role, district) or 0

    async def save(self, rows: list[Saved]) -> bool:
        """Keep states, all or none; ``False`` while the database is away: try again later, nothing is lost.

        Raises:
            Conflict: ``snapshot.overtaken`` when a newer state is there: another worker has the partition.
            YiwangError: ``database.…`` for everything that waiting does not mend.
        """
        try:
            connection = await self._connected()
            async with coded(self._dsn), connection.transaction():
                for s in rows:
                    mine = await connection.fetchval(
                        query("ownership/hold"), self._role, s.district, s.owner, s.said_by
                    )
                    if mine is None:
                        raise Conflict(
                            "snapshot.overtaken",
                            f"another worker has taken {self._role} {s.district} over; this one, of ownership "
                            f"{s.owner}, was away too long",
                            role=self._role,
                            district=s.district,
                        )
                    kept = await connection.fetchval(
                        query("snapshot/save"),
                        self._role,
                        s.district,
                        s.state,
                        s.feed,
                        s.commands,
                        s.outputs,
                    )
                    if kept is None:
                        raise Conflict(
                            "snapshot.overtaken",
                            f"a newer state of {self._role} {s.district} than feed position {s.feed} is stored: "
                            "another worker has taken it over",
                            role=self._role,
                            district=s.district,
                        )
        except Unavailable as error:
            await self._lost(error)
            return False
        self._back()
        return True

    @property
    def away(self) -> bool:
        """Whether the database is away, as far as we have tried."""
        return self._away

    async def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._dsn, self._schema)
        return self._connection

    async def _lost(self, error: Unavailable) -> None:
        await self.close()
        if not self._away:
            self._away = True
            _log.warning("database_away", code=error.code, reason=error.message)

    def _back(self) -> None:
        if self._away:
            self._away = False
            _log.info("database_back")
