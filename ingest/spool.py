"""Messages kept on disk while Kafka is away: append-only files, a queue for each partition.

What is in the spool was accepted, so it is written and synchronised with the disk before anybody is answered, and
goes away only when Kafka has it. A folder of its own for each process of a run, held by a lock; one that starts takes
over what others left that are no more.

::

    spool/live/0/lock
    spool/live/0/live.feed=3/00000000000000000017.spool    records from number 17 on
    spool/live/0/live.feed=3/delivered                     number of the next record that Kafka has not

A record, little-endian: magic ``YWS1``, CRC-32 of all behind it, number (u64), length of the headers (u32) and of the
value (u32), headers (MessagePack), value. A torn record at the end of a file was never answered and is cut off; damage
before that is passed over, record by record, kept in a copy of the file and told.
"""

import fcntl
import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from yiwang import logs
from yiwang.errors import Unavailable

MAGIC = b"YWS1"
FILE_BYTES = 16 * 1024 * 1024
"""A file that has grown beyond this is followed by a new one; files go away whole."""
READ_BYTES = 4 * 1024 * 1024
"""So much, and one record more, is read at once."""
RETRY_S = 5
_HEAD = struct.Struct("<4sIQII")
_DELIVERED = struct.Struct("<QqI")
_SUFFIX = ".spool"
_QUEUE = re.compile(r"[\w.-]+=\d+")
_log = logs.get("spool")

Headers = Sequence[tuple[str, bytes]]
Key = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True, slots=True)
class Record:
    """A message as it goes to Kafka."""

    n: int
    headers: list[tuple[str, bytes]]
    value: bytes


@dataclass(slots=True)
class _File:
    path: Path
    first: int
    size: int


@dataclass(slots=True)
class Queue:
    """The messages of one partition.

    Attributes:
        next: number of the record that is written next.
        delivered: number of the first record that Kafka does not have.
        offset: Kafka's offset behind the newest message of ours that it was known to have; -1: none is known.
    """

    key: Key
    folder: Path
    next: int = 0
    delivered: int = 0
    offset: int = -1
    files: list[_File] = field(default_factory=list)
    out: BinaryIO | None = None

    @property
    def waiting(self) -> int:
        """Records that Kafka does not have yet."""
        return self.next - self.delivered


class Spool:
    """All queues of one process. Not for several threads at once.

    Args:
        folder: of the run, such as ``.yiwang/spool/live``; made where it is not there.
        limit_bytes: of all files together.

    Attributes:
        bytes: in all files now.
        damaged: bytes that could not be read at the start.
    """

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.bytes = 0
        self.damaged = 0
        self.queues: dict[Key, Queue] = {}
        self._lock: BinaryIO | None = None
        self._folder = folder

    def open(self) -> Self:
        """Take a folder that nobody holds, and what was left in others.

        Raises:
            Unavailable: ``ingest.spool`` where the folder cannot be used.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            own, number = None, 0
            while own is None:
                own = _hold(self._folder / str(number))
                number += 1
            run, self._folder, self._lock = self._folder, self._folder / str(number - 1), own
            for path in _queues(self._folder):
                self._take_up(path)
            for other in sorted(p for p in run.iterdir() if p.is_dir() and p != self._folder):
                lock = _hold(other)
                if lock is not None:
                    self._inherit(other)
                    lock.close()
        except OSError as error:
            raise Unavailable(
                "ingest.spool",
                f"the spool {self._folder} cannot be used: {error.strerror}; set spool to a folder that can be"
                " written, or spool_mb to 0 to do without",
                folder=str(self._folder),
            ) from error
        return self

    def close(self) -> None:
        """Let go of the folder. What Kafka does not have stays."""
        for queue in self.queues.values():
            if queue.out:
                queue.out.close()
                queue.out = None
        if self._lock:
            self._lock.close()
            self._lock = None

    @property
    def waiting(self) -> int:
        """Records that Kafka does not have yet."""
        return sum(queue.waiting for queue in self.queues.values())

    def queue(self, key: Key) -> Queue:
        """The queue of a partition."""
        found = self.queues.get(key)
        if found is None:
            found = self.queues[key] = Queue(key, self._folder / f"{key[0]}={key[1]}")
        return found

    def append(self, batch: Sequence[tuple[Queue, Headers, bytes]]) -> list[int]:
        """Write messages and synchronise them with the disk: all of them, or none.

        Returns:
            The number of each record in its queue.

        Raises:
            Unavailable: ``ingest.spool_full``, or ``ingest.spool`` where the disk refuses.
        """
        packed = [(queue, _pack(h, value)) for queue, h, value in batch]
        size = sum(_HEAD.size + len(headers) + len(value) for _, (headers, value) in packed)
        if self.bytes + size > self.limit_bytes:
            raise full(self.limit_bytes)
        before = {id(q): (q, q.next, q.files[-1].size if q.files else 0, len(q.files)) for q, _ in packed}
        numbers: list[int] = []
        try:
            for queue, (headers, value) in packed:
                numbers.append(self._write(queue, headers, value))
            for queue, *_ in before.values():
                assert queue.out is not None
                queue.out.flush()
                os.fsync(queue.out.fileno())
        except OSError as error:
            for queue, next_, end, files in before.values():
                self._undo(queue, next_, end, files)
            raise Unavailable(
                "ingest.spool",
                f"the spool {self._folder} cannot be written: {error.strerror}; see to the disk",
                folder=str(self._folder),
            ) from error
        return numbers

    def read(self, queue: Queue, n: int) -> list[Record]:
        """Records from number ``n`` on, some megabytes of them; empty where there are none."""
        found: list[Record] = []
        size = 0
        for at, file in enumerate(queue.files):
            if at + 1 < len(queue.files) and queue.files[at + 1].first <= n:
                continue
            with file.path.open("rb") as stream:
                for record, _, _ in _records(stream.read(file.size)):
                    if record.n >= n:
                        found.append(record)
                        size += len(record.value)
                        if size > READ_BYTES:
                            return found
            if found:
                return found
        return found

    def deliver(self, queue: Queue, n: int, offset: int) -> None:
        """Kafka has all records below ``n``, the newest of them just before ``offset`` (-1: unknown).

        Not synchronised: after a loss of power some may be delivered again, never too few.
        """
        queue.delivered = max(queue.delivered, n)
        queue.offset = max(queue.offset, offset)
        if queue.delivered >= queue.next and queue.out:
            queue.out.close()
            queue.out = None
        gone = [
            file
            for at, file in enumerate(queue.files)
            if (queue.files[at + 1].first if at + 1 < len(queue.files) else queue.next) <= queue.delivered
            and not (queue.out and file is queue.files[-1])
        ]
        if queue.folder.is_dir():
            body = _DELIVERED.pack(queue.delivered, queue.offset, 0)[:-4]
            _write_over(queue.folder / "delivered", body + zlib.crc32(body).to_bytes(4, "little"))
        for file in gone:
            with suppress(OSError):  # it is looked at again at the next start
                file.path.unlink()
            queue.files.remove(file)
            self.bytes -= file.size

    # ---- files ----

    def _write(self, queue: Queue, headers: bytes, value: bytes) -> int:
        if queue.out is None or queue.files[-1].size >= FILE_BYTES:
            self._begin(queue)
        assert queue.out is not None
        head = _HEAD.pack(MAGIC, 0, queue.next, len(headers), len(value))
        crc = zlib.crc32(value, zlib.crc32(headers, zlib.crc32(head[8:])))
        queue.out.write(_HEAD.pack(MAGIC, crc, queue.next, len(headers), len(value)))
        queue.out.write(headers)
        queue.out.write(value)
        size = _HEAD.size + len(headers) + len(value)
        queue.files[-1].size += size
        self.bytes += size
        queue.next += 1
        return queue.next - 1

    def _begin(self, queue: Queue) -> None:
        if queue.out:
            queue.out.flush()
            os.fsync(queue.out.fileno())
            queue.out.close()
            queue.out = None
        if not queue.folder.is_dir():
            queue.folder.mkdir()
            _sync_folder(self._folder)
        path = queue.folder / f"{queue.next:020d}{_SUFFIX}"
        queue.out = path.open("wb")
        queue.files.append(_File(path, queue.next, 0))
        _sync_folder(queue.folder)

    def _undo(self, queue: Queue, next_: int, end: int, files: int) -> None:
        """Take back what was written of a batch that failed; where even that fails, reading stops before it."""
        if queue.out:
            with suppress(OSError):
                queue.out.close()
            queue.out = None
        for file in queue.files[files:]:
            self.bytes -= file.size
            with suppress(OSError):
                file.path.unlink()
        del queue.files[files:]
        if queue.files:
            self.bytes -= queue.files[-1].size - end
            queue.files[-1].size = end
            with suppress(OSError):
                os.truncate(queue.files[-1].path, end)
        queue.next = next_

    def _take_up(self, folder: Path) -> None:
        """A queue as an earlier process left it."""
        topic, _, partition = folder.name.rpartition("=")
        queue = Queue((topic, int(partition)), folder)
        queue.delivered, queue.offset = _delivered(folder)
        queue.next = queue.delivered
        self.queues[queue.key] = queue
        paths = sorted(folder.glob(f"[0-9]*{_SUFFIX}"))
        for path in paths:
            data = path.read_bytes()
            last, size, lost = -1, 0, 0
            for record, end, skipped in _records(data):
                last, size, lost = record.n, end, lost + skipped
            if path != paths[-1]:
                lost += len(data) - size  # only the last file can have been cut off while it was written
            if lost:
                self.damaged += lost
                copy = path.with_suffix(".damaged")
                copy.write_bytes(data)
                _log.error("ingest.spool_damaged", file=str(copy), bytes=lost)
            if last < queue.delivered:
                path.unlink()
                continue
            if size < len(data):
                _log.info("spool.torn", file=str(path), bytes=len(data) - size)
                os.truncate(path, size)
            queue.files.append(_File(path, int(path.stem), size))
            queue.next = last + 1
            self.bytes += size
        if queue.waiting:
            _log.warning("spool.left", topic=topic, partition=queue.key[1], messages=queue.waiting)

    def _inherit(self, other: Path) -> None:
        """What a process that is no more left, behind what is ours: nobody else would ever send it."""
        for path in _queues(other):
            elsewhere = Spool(other, limit_bytes=0)
            elsewhere._take_up(path)
            (queue,) = elsewhere.queues.values()
            mine = self.queue(queue.key)
            n = queue.delivered
            while batch := elsewhere.read(queue, n):
                limit, self.limit_bytes = self.limit_bytes, 2**62  # it was accepted already
                try:
                    self.append([(mine, record.headers, record.value) for record in batch])
                finally:
                    self.limit_bytes = limit
                n = batch[-1].n + 1
                elsewhere.deliver(queue, n, -1)
            mine.offset = min(mine.offset, queue.offset) if mine.waiting else queue.offset
            self.deliver(mine, mine.delivered, -1)


def _records(data: bytes) -> Iterator[tuple[Record, int, int]]:
    """The records of a file, where each ends, and how many damaged bytes were passed over before it."""
    at = skipped = 0
    while at < len(data):
        found = _unpack(data, at)
        if found is None:
            at, before = data.find(MAGIC, at + 1), at
            if at < 0:
                return
            skipped += at - before
            continue
        record, at = found
        yield record, at, skipped
        skipped = 0


def _queues(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and _QUEUE.fullmatch(p.name))


def full(limit_bytes: int) -> Unavailable:
    """The error for a spool without room."""
    return Unavailable(
        "ingest.spool_full",
        f"Kafka is away and the spool holds its {limit_bytes // 2**20} MB; send again later, or set spool_mb higher",
        limit=limit_bytes,
        retry_s=RETRY_S,
    )


def _pack(headers: Headers, value: bytes) -> tuple[bytes, bytes]:
    return msgspec.msgpack.encode([list(pair) for pair in headers]), value


def _unpack(data: bytes, at: int) -> tuple[Record, int] | None:
    if len(data) - at < _HEAD.size:
        return None
    magic, crc, n, of_headers, of_value = _HEAD.unpack_from(data, at)
    end = at + _HEAD.size + of_headers + of_value
    if magic != MAGIC or end > len(data) or zlib.crc32(memoryview(data)[at + 8 : end]) != crc:
        return None
    middle = at + _HEAD.size + of_headers
    headers = msgspec.msgpack.decode(data[at + _HEAD.size : middle], type=list[tuple[str, bytes]])
    return Record(n, headers, data[middle:end]), end


def _delivered(folder: Path) -> tuple[int, int]:
    """Number and offset; (0, -1) where the file is missing or half written: then all there is counts."""
    try:
        body = (folder / "delivered").read_bytes()
        n, offset, crc = _DELIVERED.unpack(body)
    except (OSError, struct.error):
        return 0, -1
    return (n, offset) if zlib.crc32(body[:-4]) == crc else (0, -1)


def _write_over(path: Path, body: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(fd, body, 0)
    finally:
        os.close(fd)


def _hold(folder: Path) -> BinaryIO | None:
    """The lock of a folder, or None where another process has it."""
    folder.mkdir(exist_ok=True)
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def _sync_folder(folder: Path) -> None:
    """A new file's name is on the disk too."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
