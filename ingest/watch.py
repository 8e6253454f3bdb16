"""Keeps the catalogue up to date with the database, without a restart."""

import asyncio

import asyncpg

from ingest.catalogue import Catalogue, Packer, Part, join
from sql import query, registry
from sql.pool import coded, connect
from yiwang import logs
from yiwang.domains import Domains
from yiwang.errors import YiwangError

POLL_S = 10.0
_PIECE = 2000  # devices; some 10 ms of the event loop
_log = logs.get("registry")


class Watch:
    """Listens for changes of the registry and swaps in a new catalogue whole.

    Only districts whose version is another are read again, piece by piece; the catalogue is built in a thread.

    A database that goes away later leaves the last catalogue in force; it is asked again every ``poll_s``.

    Args:
        dsn: of the database.
        schema: of the run.
        domains: the packs in force.
        poll_s: seconds between looks at the versions, besides being told.
    """

    def __init__(self, dsn: str, schema: str, domains: Domains, *, poll_s: float = POLL_S) -> None:
        self._dsn = dsn
        self._schema = schema
        self._domains = domains
        self._poll_s = poll_s
        self._told = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._catalogue: Catalogue | None = None
        self._parts: dict[int, Part] = {}
        self.changed = asyncio.Condition()

    @property
    def catalogue(self) -> Catalogue:
        """The present catalogue."""
        assert self._catalogue is not None, "start() first"
        return self._catalogue

    async def start(self) -> None:
        """Load, then keep up in the background.

        Raises:
            YiwangError: ``database.…``.
        """
        await self._look()
        self._task = asyncio.create_task(self._keep_up(), name="registry watch")

    async def stop(self) -> None:
        """End listening."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._connection:
            self._connection.terminate()

    async def _keep_up(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._told.wait()
            except TimeoutError:
                pass
            self._told.clear()
            try:
                await self._look()
            except YiwangError as error:
                _log.warning("registry.stale", code=error.code, reason=error.message)

    async def _look(self) -> None:
        async with coded(self._dsn):
            connection = await self._connected()
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                rows = await connection.fetch(query("registry/districts"))
                versions = {row["number"]: row["registry_version"] for row in rows}
                if self._catalogue is not None and versions == self._catalogue.versions:
                    return
                parts = {
                    number: part
                    if (part := self._parts.get(number)) is not None and part.version == version
                    else await _load(connection, number, version)
                    for number, version in versions.items()
                }
                places = [registry.place_of(row) for row in await connection.fetch(query("registry/places"))]
        self._parts = parts
        catalogue = await asyncio.to_thread(join, parts, places, self._domains)
        async with self.changed:
            self._catalogue = catalogue
            self.changed.notify_all()
        _log.info("registry.loaded", devices=catalogue.devices, series=catalogue.readable)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._dsn, self._schema)
            await self._connection.add_listener(registry.CHANNEL, self._on_notify)
        return self._connection

    def _on_notify(self, connection: object, pid: int, channel: str, payload: object) -> None:
        del connection, pid, channel
        if payload == self._schema:
            self._told.set()


async def _load(connection: asyncpg.Connection, district: int, version: int) -> Part:
    """The devices of a district, a few at a time, so that requests are answered between."""
    packer = Packer(district)
    cursor = await connection.cursor(query("registry/feeding"), district)
    while rows := await cursor.fetch(_PIECE):
        for row in rows:
            packer.add(row["id"], row["kind"], row["metrics"], row["numbers"])
    return packer.part(version)
