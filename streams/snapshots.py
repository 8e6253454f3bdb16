"""States and the offsets they stand for in the database, as blocks; waits while the database is away.

The work is done in a thread of its own with a connection of its own (psycopg), so that it goes on while the event loop
is busy detecting, and detecting goes on while blocks are packed: all that takes long there lets go of Python's lock.
"""

import asyncio
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import psycopg

from sql import query
from sql.errors import DRIVER_ERRORS, translated
from streams import blocks
from streams.blocks import Bytes, Column, Key, Part, Pieces
from yiwang import logs
from yiwang.errors import BadInput, Conflict, Unavailable

FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 10.0
CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_S = 60
BATCH_BYTES = 2 * 1024 * 1024
"""Packed blocks that are sent to the database at once."""

T = TypeVar("T")

_log = logs.get("snapshots")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A worker's state for one partition as it is to be kept.

    Attributes:
        columns: what lies in the parts of columns.
        parts: the bytes; those of columns may belong to an ``Image``, which must not be used meanwhile.
        feed: next offset of the feed; ``commands`` and ``outputs`` likewise. The outputs from ``outputs`` on are
            those that the state does not know of, and perhaps some it does.
        owner: ownership (``yiwang.fencing``) of the worker that keeps it.
        said_by: ownership in force at ``outputs``.
    """

    district: int
    columns: tuple[Column, ...]
    parts: Mapping[str, Bytes | bytes]
    feed: int
    commands: int
    outputs: int
    owner: int = 0
    said_by: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A state as it was kept, with the offsets of its ``Cut``.

    Attributes:
        state: its pieces; the bytes in which releases up to version 2 kept it.
    """

    district: int
    state: Pieces | bytes
    feed: int
    commands: int
    outputs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a save was.

    Attributes:
        state_bytes: the whole state, not packed.
        stored_bytes: what was written of it, packed.
        blocks: of the state; ``changed`` were written.
        cpu_s: processor time of this process.
    """

    state_bytes: int
    stored_bytes: int
    blocks: int
    changed: int
    cpu_s: float


class Snapshots:
    """The tables ``snapshot`` and ``snapshot_block`` for one role.

    Args:
        dsn: the database's URL.
        schema: of the run.
        role: ``district`` or ``city``.
    """

    def __init__(self, dsn: str, schema: str, role: str) -> None:
        self._dsn = dsn
        self._schema = schema
        self._role = role
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="yiwang-snapshots")
        self._connection: psycopg.Connection[Any] | None = None
        self._stored: dict[
            int, dict[Key, bytes]
        ] = {}  # district -> blocks in the database, as far as we know
        self._known: dict[int, dict[str, tuple[bytes, Part]]] = {}  # district -> parts that rarely change
        self._away = False

    async def claim(self, district: int) -> tuple[int, int]:
        """Take a district over: nobody who held it before can keep a state from now on.

        While the database is away this waits.

        Returns:
            The new ownership, and the one in force at the offset ``outputs`` of the kept state.

        Raises:
            YiwangError: as ``load``.
        """
        return await self._waiting(lambda: self._claim(district))

    async def load(self, district: int) -> Saved | None:
        """The newest state, or none. While the database is away this waits.

        Raises:
            BadInput: ``snapshot.damaged`` or ``snapshot.version``.
            YiwangError: ``database.…`` for everything that waiting does not mend.
        """
        return await self._waiting(lambda: self._load(district))

    async def said_by(self, district: int) -> int:
        """The ownership in force at the offset ``outputs`` of the kept state, for onlookers.

        Raises:
            YiwangError: ``database.…``.
        """
        return await self._in_thread(lambda: self._said_by(district))

    async def save(self, cut: Cut) -> Written | None:
        """Keep a state; ``None`` while the database is away: try again later, nothing is lost.

        What was begun is finished even if whoever waits is cancelled.

        Raises:
            Conflict: ``snapshot.overtaken`` when a newer state is there: another worker has the partition.
            YiwangError: ``database.…`` for everything that waiting does not mend.
        """
        try:
            written = await self._in_thread(lambda: self._save(cut))
        except Unavailable as error:
            self._lost(error)
            return None
        self._back()
        return written

    @property
    def away(self) -> bool:
        """Whether the database is away, as far as we have tried."""
        return self._away

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        await self._in_thread(lambda: None)

    async def close(self) -> None:
        """Give connection and thread back."""
        await self._in_thread(self._disconnect)
        self._thread.shutdown()

    async def _waiting(self, work: Callable[[], T]) -> T:
        wait_s = FIRST_WAIT_S
        while True:
            try:
                done = await self._in_thread(work)
            except Unavailable as error:
                self._lost(error)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                continue
            self._back()
            return done

    async def _in_thread(self, work: Callable[[], T]) -> T:
        def coded() -> T:
            try:
                return work()
            except DRIVER_ERRORS as error:
                self._disconnect()
                raise translated(error, self._dsn) from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, coded)

    # ---- in the thread ----

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                cursor_factory=psycopg.RawCursor,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name="yiwang",
                options=f'-c search_path="{self._schema}",public -c statement_timeout={STATEMENT_TIMEOUT_S}s',
                tcp_user_timeout=STATEMENT_TIMEOUT_S * 1000,
            )
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _claim(self, district: int) -> tuple[int, int]:
        row = self._connected().execute(query("ownership/claim"), (self._role, district)).fetchone()
        assert row is not None  # it is inserted where it was not
        owner, kept = row
        return owner, kept

    def _said_by(self, district: int) -> int:
        row = self._connected().execute(query("ownership/kept"), (self._role, district)).fetchone()
        return row[0] if row else 0

    def _load(self, district: int) -> Saved | None:
        self._stored.pop(district, None)
        where = (self._role, district)
        connection = self._connected()
        with connection.transaction(), connection.cursor(binary=True) as cursor:
            cursor.execute(query("snapshot/one_moment"))
            row = cursor.execute(query("snapshot/state"), where).fetchone()
            if row is None:
                return None
            state, manifest, feed, commands, outputs = row
            if manifest is not None:
                try:
                    found = blocks.read_manifest(manifest)
                    rows = cast(
                        "Generator[tuple[str, int, bytes]]", cursor.stream(query("snapshot/blocks"), where)
                    )
                    with closing(rows):
                        state = blocks.assemble(found, rows)
                except BadInput as error:
                    raise BadInput(
                        error.code,
                        f"{self._role} {district}: {error.message}",
                        role=self._role,
                        district=district,
                        **error.details,
                    ) from None
                self._stored[district] = found.keys()
        return Saved(district=district, state=state, feed=feed, commands=commands, outputs=outputs)

    def _save(self, cut: Cut) -> Written:
        began_s = time.thread_time()
        before = self._stored.pop(cut.district, None)  # what it is again only when we know how this ends
        where = (self._role, cut.district)
        connection = self._connected()
        with connection.transaction():
            held = connection.execute(query("ownership/hold"), (*where, cut.owner, cut.said_by)).fetchone()
            if held is None:
                raise self._overtaken(cut, f"it has ownership {cut.owner}, which is not the newest")
            if before is None:
                before = self._described(connection, cut.district)
            if not before:
                connection.execute(query("snapshot/clear_blocks"), where)
            found = blocks.manifest(cut.columns, cut.parts, self._known.setdefault(cut.district, {}))
            now = found.keys()
            changed = [key for key, own in now.items() if before.get(key) != own]
            stored_bytes = 0
            for batch in _batches(cut, changed):
                # one row at a time, all under way at once: as arrays they would travel as text
                with connection.cursor() as cursor:
                    cursor.executemany(
                        query("snapshot/put_block"), [(*where, *key, data) for key, data in batch]
                    )
                stored_bytes += sum(len(data) for _, data in batch)
            gone = [key for key in before if key not in now]
            if gone:
                names, numbers = [name for name, _ in gone], [number for _, number in gone]
                connection.execute(query("snapshot/drop_blocks"), (*where, names, numbers))
            offsets = (cut.feed, cut.commands, cut.outputs)
            kept = connection.execute(query("snapshot/keep"), (*where, found.encode(), *offsets)).fetchone()
            if kept is None:
                raise self._overtaken(cut, f"a newer one than that of feed position {cut.feed} is stored")
        self._stored[cut.district] = now
        return Written(
            state_bytes=sum(part.nbytes for part in found.parts.values()),
            stored_bytes=stored_bytes,
            blocks=len(now),
            changed=len(changed),
            cpu_s=time.thread_time() - began_s,
        )

    def _described(self, connection: psycopg.Connection[Any], district: int) -> dict[Key, bytes]:
        """The blocks of the state that is stored; nobody else can change it, as the ownership is held."""
        cursor = connection.cursor(binary=True)
        row = cursor.execute(query("snapshot/state"), (self._role, district)).fetchone()
        return blocks.read_manifest(row[1]).keys() if row and row[1] is not None else {}

    def _overtaken(self, cut: Cut, why: str) -> Conflict:
        return Conflict(
            "snapshot.overtaken",
            f"the state of {self._role} {cut.district} is not kept, as {why}: another worker has taken it over",
            role=self._role,
            district=cut.district,
        )

    # ---- ----

    def _lost(self, error: Unavailable) -> None:
        if not self._away:
            self._away = True
            _log.warning("database_away", code=error.code, reason=error.message)

    def _back(self) -> None:
        if self._away:
            self._away = False
            _log.info("database_back")


def _batches(cut: Cut, keys: list[Key]) -> Iterator[list[tuple[Key, bytes]]]:
    """Packed blocks, several at once, never many."""
    batch: list[tuple[Key, bytes]] = []
    size = 0
    for key in keys:
        batch.append((key, blocks.block(cut.parts, key)))
        size += len(batch[-1][1])
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
