"""Frames: the readings of one district over a short time, as one Kafka message.

Layout of version 1, little-endian, no padding:

====== ===== ==========================================================
offset bytes what
====== ===== ==========================================================
0      4     magic ``YWF1`` (the last character is the version)
4      4     CRC-32 (zlib) of everything from offset 8 on
8      2     district, uint16
10     2     flags, uint16, 0
12     4     n, uint32, number of readings
16     8     ingest time, int64 ns UTC, wall clock of the ingest process
24     8 n   event time, int64 ns UTC
..     8 n   value, float64
..     4 n   series, int32
..     1 n   quality, uint8
====== ===== ==========================================================

Readings stand in the order of arrival; no column is sorted and none need be. ``decode`` looks at the frame as a
whole (checksum, version, lengths, district); single readings are looked at by whoever uses them: values that are no
finite number are left out by ``finite``, series that nobody has registered by the district machine.
"""

import struct
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from yiwang.columns import I64, Readings
from yiwang.errors import BadInput

MAGIC = b"YWF1"
_HEAD = struct.Struct("<4sIHHIq")
HEAD_BYTES = _HEAD.size
ROW_BYTES = 8 + 8 + 4 + 1
MAX_ROWS = 200_000  # 4.2 MB; Kafka's message limit for our topics is set above it
MAX_BYTES = HEAD_BYTES + MAX_ROWS * ROW_BYTES
REPEATS = 1024
"""So many of a district's newest frames are remembered, to know one that comes again."""
_SAMPLE = 64
_SHORT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A decoded frame."""

    district: int
    ingest_ns: int
    readings: Readings


def is_frame(payload: bytes) -> bool:
    """Whether a feed message is a frame (everything else on the feed is JSON)."""
    return payload[:3] == MAGIC[:3]


def encode(frame: Frame) -> bytes:
    """Frame to bytes.

    Raises:
        BadInput: ``frame.length`` or ``frame.district`` for what does not fit into a frame.
    """
    return pack(frame.district, frame.ingest_ns, (frame.readings,))


def pack(district: int, ingest_ns: int, parts: Sequence[Readings]) -> bytes:
    """Several batches, one behind the other, to the bytes of one frame; each reading is copied once.

    Raises:
        BadInput: as ``encode``.
    """
    n = sum(map(len, parts))
    if n > MAX_ROWS:
        raise BadInput(
            "frame.length", f"a frame has at most {MAX_ROWS} readings, not {n}", n=n, limit=MAX_ROWS
        )
    if not 0 <= district <= 0xFFFF:
        raise BadInput(
            "frame.district", f"a district is a number from 0 to 65535, not {district}", district=district
        )
    if n < _SHORT * len(parts):  # a piece costs as much as so many readings
        parts = [Readings.join(list(parts))]
    pieces = [
        *(np.ascontiguousarray(p.t_ns, "<i8").data for p in parts),
        *(np.ascontiguousarray(p.value, "<f8").data for p in parts),
        *(np.ascontiguousarray(p.series, "<i4").data for p in parts),
        *(np.ascontiguousarray(p.quality, "u1").data for p in parts),
    ]
    crc = zlib.crc32(_HEAD.pack(MAGIC, 0, district, 0, n, ingest_ns)[8:])
    for piece in pieces:
        crc = zlib.crc32(piece, crc)
    return b"".join((_HEAD.pack(MAGIC, crc, district, 0, n, ingest_ns), *pieces))


def decode(payload: bytes, *, district: int | None = None) -> Frame:
    """Bytes to frame; the arrays are read-only views of ``payload``.

    Args:
        payload: exactly one frame.
        district: the partition it stands in; a frame of another district is refused.

    Raises:
        BadInput: ``frame.length``, ``frame.version``, ``frame.checksum``, ``frame.flags`` or ``frame.district``.
    """
    if len(payload) < HEAD_BYTES:
        raise BadInput(
            "frame.length",
            f"a frame has at least {HEAD_BYTES} bytes, this one {len(payload)}",
            bytes=len(payload),
        )
    magic, crc, of, flags, n, ingest_ns = _HEAD.unpack_from(payload)
    if magic != MAGIC:
        raise BadInput(
            "frame.version",
            f"frame version {magic!r} is not known; this release reads {MAGIC!r}",
            version=magic.decode("latin-1"),
        )
    if n > MAX_ROWS:
        raise BadInput(
            "frame.length",
            f"a frame of {n} readings is too long; it has at most {MAX_ROWS}",
            n=n,
            limit=MAX_ROWS,
        )
    if len(payload) != HEAD_BYTES + n * ROW_BYTES:
        raise BadInput(
            "frame.length",
            f"a frame of {n} readings has {HEAD_BYTES + n * ROW_BYTES} bytes, this one {len(payload)}:"
            f" it was {'cut' if len(payload) < HEAD_BYTES + n * ROW_BYTES else 'lengthened'} on the way",
            n=n,
            bytes=len(payload),
        )
    if zlib.crc32(memoryview(payload)[8:]) != crc:
        raise BadInput(
            "frame.checksum", "the frame's CRC-32 does not match what is behind it: it was damaged on the way"
        )
    if flags:
        raise BadInput(
            "frame.flags",
            f"the frame has flags {flags:#06x}; this release knows none, they must be 0",
            flags=flags,
        )
    if district is not None and of != district:
        raise BadInput(
            "frame.district",
            f"a frame of district {of} stands in partition {district}; send it to partition {of}",
            district=of,
            partition=district,
        )
    t = np.frombuffer(payload, "<i8", n, HEAD_BYTES)
    v = np.frombuffer(payload, "<f8", n, HEAD_BYTES + 8 * n)
    s = np.frombuffer(payload, "<i4", n, HEAD_BYTES + 16 * n)
    q = np.frombuffer(payload, "u1", n, HEAD_BYTES + 20 * n)
    return Frame(district=of, ingest_ns=ingest_ns, readings=Readings(series=s, t_ns=t, value=v, quality=q))


def split(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Frames that stand one behind the other: (offset of its first byte, its bytes).

    The bytes of the last one may be too few, or no frame at all; ``decode`` says so.
    """
    at = 0
    while at < len(data):
        end = len(data)
        if is_frame(data[at : at + 3]) and end - at >= HEAD_BYTES:
            n = _HEAD.unpack_from(data, at)[4]
            if n <= MAX_ROWS:
                end = at + HEAD_BYTES + n * ROW_BYTES
        yield at, data[at:end]
        at = end


def finite(readings: Readings) -> tuple[Readings, I64]:
    """The readings without those whose value is NaN or infinite, and the positions of these.

    Without any, the same object comes back.
    """
    good = np.isfinite(readings.value)
    if good.all():
        return readings, np.empty(0, np.int64)
    return take(readings, np.flatnonzero(good)), np.flatnonzero(~good)


def take(readings: Readings, positions: I64) -> Readings:
    """Some of the readings."""
    return Readings(
        series=readings.series[positions],
        t_ns=readings.t_ns[positions],
        value=readings.value[positions],
        quality=readings.quality[positions],
    )


class Recent:
    """The frames that came last, so that one that comes again is known: a producer's retry counts nothing twice.

    Kept are numbers of 8 bytes, made of the frame's head (which holds its checksum) and of its first and last
    bytes. What is not among the newest ``REPEATS`` is not known.

    Args:
        known: what ``keys`` gave.
    """

    def __init__(self, known: Iterable[int] = ()) -> None:
        self._order: deque[int] = deque(known, REPEATS)
        self._known = set(self._order)

    def repeats(self, payload: bytes) -> bool:
        """Whether this frame came before; if not, it has now."""
        key = int.from_bytes(
            blake2b(payload[4 : HEAD_BYTES + _SAMPLE] + payload[-_SAMPLE:], digest_size=8).digest()
        )
        if key in self._known:
            return True
        if len(self._order) == REPEATS:
            self._known.discard(self._order[0])
        self._order.append(key)
        self._known.add(key)
        return False

    def keys(self) -> list[int]:
        """What is known, the oldest first."""
        return list(self._order)
