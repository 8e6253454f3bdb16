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
"""

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from yiwang.columns import Readings
from yiwang.errors import BadInput

MAGIC = b"YWF1"
_HEAD = struct.Struct("<4sIHHIq")
_ROW_BYTES = 8 + 8 + 4 + 1
MAX_ROWS = 200_000  # 4.2 MB; Kafka's message limit for our topics is set above it


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
    """Frame to bytes."""
    r = frame.readings
    body = b"".join(
        (
            np.ascontiguousarray(r.t_ns, "<i8").tobytes(),
            np.ascontiguousarray(r.value, "<f8").tobytes(),
            np.ascontiguousarray(r.series, "<i4").tobytes(),
            np.ascontiguousarray(r.quality, "u1").tobytes(),
        )
    )
    head = _HEAD.pack(MAGIC, 0, frame.district, 0, len(r), frame.ingest_ns)
    crc = zlib.crc32(body, zlib.crc32(head[8:]))
    return _HEAD.pack(MAGIC, crc, frame.district, 0, len(r), frame.ingest_ns) + body


def decode(payload: bytes) -> Frame:
    """Bytes to frame; the arrays are read-only views of ``payload``.

    Raises:
        BadInput: ``frame.version``, ``frame.length`` or ``frame.checksum``.
    """
    if len(payload) < _HEAD.size:
        raise BadInput("frame.length", f"a frame has at least {_HEAD.size} bytes, this one {len(payload)}")
    magic, crc, district, _flags, n, ingest_ns = _HEAD.unpack_from(payload)
    if magic != MAGIC:
        raise BadInput("frame.version", f"frame version {magic!r} is not known; this release reads {MAGIC!r}")
    if n > MAX_ROWS or len(payload) != _HEAD.size + n * _ROW_BYTES:
        raise BadInput("frame.length", f"a frame of {n} readings does not have {len(payload)} bytes", n=n)
    if zlib.crc32(memoryview(payload)[8:]) != crc:
        raise BadInput("frame.checksum", "the frame's CRC-32 does not match: it was damaged on the way")
    at = _HEAD.size
    t = np.frombuffer(payload, "<i8", n, at)
    v = np.frombuffer(payload, "<f8", n, at + 8 * n)
    s = np.frombuffer(payload, "<i4", n, at + 16 * n)
    q = np.frombuffer(payload, "u1", n, at + 20 * n)
    return Frame(
        district=district, ingest_ns=ingest_ns, readings=Readings(series=s, t_ns=t, value=v, quality=q)
    )
