"""Persist's memory as blocks of bytes, and back; pure. A block has a checksum, columns are packed by LZ4."""

import zlib
from collections.abc import Mapping
from typing import Any

import lz4.block
import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.persist_keep import Last
from streams.persist_memory import Memory
from streams.persist_minutes import Minutes, Pieces
from yiwang.errors import Conflict
from yiwang.frames import Recent

VERSION = 2
SLOTS = 65_536  # series a block: at most 5 MB before packing
_SERIES = (("series", np.int32), ("newest_us", np.int64), ("newest_value", np.float64))
_LAST = (("us", np.int64), ("value", np.float64), ("quality", np.uint8))
_OPEN = tuple((name, kind) for name, kind, _ in Minutes.COLUMNS)
_PIECES = (
    ("series", np.int32),
    ("minute", np.int64),
    ("count", np.int32),
    ("total", np.float64),
    ("lo", np.float64),
    ("hi", np.float64),
    ("last", np.float64),
    ("last_us", np.int64),
)


class _Head(msgspec.Struct, kw_only=True):
    version: int
    series: int
    pieces: int
    now_us: int
    has_ticks: bool
    written: int
    rules: str
    must_ask: bool
    since: int
    recent: list[int]


def dump(memory: Memory) -> list[bytes]:
    """A memory as blocks: the head, then series, then closed minutes that are not stored."""
    waiting = Pieces.join(memory.minutes.pieces) if memory.minutes.pieces else None
    head = _Head(
        version=VERSION,
        series=len(memory.series),
        pieces=len(waiting) if waiting else 0,
        now_us=memory.now_us,
        has_ticks=memory.has_ticks,
        written=memory.written,
        rules=memory.rules,
        must_ask=memory.must_ask,
        since=memory.since,
        recent=memory.recent.keys(),
    )
    blocks = [_sealed(msgspec.msgpack.encode(head))]
    columns = [
        *(getattr(memory, name) for name, _ in _SERIES),
        *(getattr(memory.last, name) for name, _ in _LAST),
        *(getattr(memory.minutes, name) for name, _ in _OPEN),
    ]
    blocks += _cut(columns, head.series)
    if waiting:
        blocks += _cut([getattr(waiting, name) for name, _ in _PIECES], head.pieces)
    return blocks


def load(district: int, blocks: Mapping[int, bytes]) -> Memory:
    """The memory of ``dump``; what the rules say of the series is not in it.

    Args:
        district: its number.
        blocks: by number.

    Raises:
        Conflict: ``persist.memory`` for a block that is damaged or missing, or of a newer release.
    """
    try:
        head = msgspec.msgpack.decode(_opened(district, 0, blocks), type=_Head)
    except msgspec.MsgspecError as error:
        raise _refused(district, 0, str(error)) from None
    if head.version != VERSION:
        raise _refused(district, 0, f"it is of version {head.version}, this release reads {VERSION}")
    memory = Memory(
        district,
        recent=Recent(head.recent),
        now_us=head.now_us,
        has_ticks=head.has_ticks,
        written=head.written,
        rules=head.rules,
        must_ask=head.must_ask,
        since=head.since,
    )
    first_of_pieces = 1 + _count(head.series)
    found = _joined(district, blocks, 1, head.series, (*_SERIES, *_LAST, *_OPEN))
    for name, _ in _SERIES:
        setattr(memory, name, found[name])
    memory.marks = np.zeros(head.series, np.int16)
    memory.last = Last(*(found[name] for name, _ in _LAST))
    for name, _ in _OPEN:
        setattr(memory.minutes, name, found[name])
    if head.pieces:
        pieces = _joined(district, blocks, first_of_pieces, head.pieces, _PIECES)
        memory.minutes.pieces = [Pieces(**pieces)]
    return memory


def _cut(columns: list[NDArray[np.generic]], n: int) -> list[bytes]:
    return [
        _sealed(lz4.block.compress(b"".join(c[at : at + SLOTS].tobytes() for c in columns), mode="fast"))
        for at in range(0, n, SLOTS)
    ]


def _joined(
    district: int,
    blocks: Mapping[int, bytes],
    first: int,
    n: int,
    columns: tuple[tuple[str, type[np.generic]], ...],
) -> dict[str, NDArray[Any]]:  # Any: of the columns' own types
    out: dict[str, NDArray[Any]] = {name: np.empty(n, kind) for name, kind in columns}
    for block in range(_count(n)):
        begin, end = block * SLOTS, min(n, (block + 1) * SLOTS)
        try:
            data = lz4.block.decompress(_opened(district, first + block, blocks))
        except lz4.block.LZ4BlockError as error:
            raise _refused(district, first + block, str(error)) from None
        at = 0
        for name, kind in columns:
            size = np.dtype(kind).itemsize * (end - begin)
            out[name][begin:end] = np.frombuffer(data[at : at + size], kind)
            at += size
    return out


def _count(n: int) -> int:
    return -(-n // SLOTS)


def _sealed(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little") + data


def _opened(district: int, block: int, blocks: Mapping[int, bytes]) -> bytes:
    if block not in blocks:
        raise _refused(district, block, "it is missing")
    data = blocks[block]
    if len(data) < 4 or zlib.crc32(memoryview(data)[4:]) != int.from_bytes(data[:4], "little"):
        raise _refused(district, block, "its checksum does not match")
    return data[4:]


def _refused(district: int, block: int, why: str) -> Conflict:
    return Conflict(
        "persist.memory",
        f"what persist knows of district {district} cannot be read: block {block}: {why}. Restore the database, or"
        " go on without it (empty the district's rows in the table persist_memory): then nothing that is stored is"
        " lost, but roll-ups of the last minutes are incomplete",
        district=district,
        block=block,
    )
