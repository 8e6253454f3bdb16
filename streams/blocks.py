"""A state as blocks: columns in buffers kept for them, cut into pieces that are told apart, packed and checked. Pure.

Columns of one item width lie one behind the other in one *part*, so that a state of hundreds of small columns is a few
blocks and one of 40 MB is some 160; what is not an array (the desk, rules, registry) is a part of bytes. A block has
``BLOCK_BYTES`` bytes of a part, the last one of a part fewer. Its digest tells whether it changed since it was
last kept, and later whether it is still what was kept.

A packed block is a byte that says how, then: 0 the bytes themselves; 1 their byte planes (all first bytes of the
items, then all second ones …) under LZ4. LZ4, as it is the quickest there is (2 GB/s a core over byte planes, zstd 0.9
with 15 % smaller blocks) and both let go of Python's lock meanwhile: a snapshot has to be cheap, not small.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import lz4.block
import msgspec
import numpy as np
from numpy.typing import NDArray

from yiwang.errors import BadInput

VERSION = 3
"""Of the layout; up to 2 a state was one piece of bytes."""
BLOCK_BYTES = 256 * 1024
DIGEST_BYTES = 16
SPARE = 1.25
"""Buffers are made so much larger than what is needed, as districts grow."""

Array = NDArray[Any]  # of any dtype of kind bool, int, uint or float
Bytes = NDArray[np.uint8]
Key = tuple[str, int]
"""Part and number of a block."""

_WIDTHS = {"1": 1, "2": 2, "4": 4, "8": 8}
_PLAIN, _PLANES = b"\x00", b"\x01"


class Column(msgspec.Struct, frozen=True, array_like=True):
    """A column's name, numpy's name of its items, and its shape (n,) or (n, k)."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes it takes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


class Part(msgspec.Struct, frozen=True, array_like=True):
    """Bytes of a part, and the digests of its blocks one behind the other."""

    nbytes: int
    digests: bytes


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a kept state consists of. ``columns`` are in the order in which they lie in the part of their width."""

    version: int
    columns: tuple[Column, ...]
    parts: dict[str, Part]

    def keys(self) -> dict[Key, bytes]:
        """Every block with its digest."""
        return {
            (name, i): part.digests[i * DIGEST_BYTES : (i + 1) * DIGEST_BYTES]
            for name, part in self.parts.items()
            for i in range(count(part.nbytes))
        }

    def encode(self) -> bytes:
        """With a digest of its own in front."""
        body = msgspec.msgpack.encode(self)
        return digest(body) + body


@dataclass(frozen=True, slots=True)
class Pieces:
    """A state taken apart: columns, and what is not an array as bytes."""

    columns: Mapping[str, Array]
    things: Mapping[str, bytes]


class Image:
    """Buffers for the columns of a state; filled anew at each cut, without asking for memory."""

    def __init__(self) -> None:
        self._buffers: dict[str, Bytes] = {name: np.empty(0, np.uint8) for name in _WIDTHS}
        self._columns: tuple[Column, ...] = ()
        self._places: list[Array] = []

    @property
    def columns(self) -> tuple[Column, ...]:
        """What was taken last."""
        return self._columns

    def reserve(self, columns: Mapping[str, Array]) -> None:
        """Have buffers for such columns, with every page of them touched; may take long.

        May be called from another thread while the columns are worked on: it looks at their sizes only.
        """
        for name, nbytes in _sizes(map(_described, columns, columns.values())).items():
            if self._buffers[name].size < nbytes:
                self._buffers[name] = np.full(round(nbytes * SPARE), 1, np.uint8)
                self._columns, self._places = (), []

    def fits(self, columns: Mapping[str, Array]) -> bool:
        """Whether ``take`` needs no more memory."""
        if self._same(columns):
            return True
        needed = _sizes(map(_described, columns, columns.values()))
        return all(self._buffers[name].size >= nbytes for name, nbytes in needed.items())

    def take(self, columns: Mapping[str, Array]) -> None:
        """Copy columns; the quick part that has to be done between two steps.

        Raises:
            ValueError: a column is of objects or text; a mistake in the program.
        """
        if not self._same(columns):
            self.reserve(columns)
            self._columns = tuple(map(_described, columns, columns.values()))
            self._places = _lay_out(self._columns, self._buffers)
        for place, column in zip(self._places, columns.values(), strict=True):
            if column.flags.c_contiguous:
                # not numpy's copying: that lets go of Python's lock for each column, and would wait for it each time
                _raw(place)[:] = _raw(column)
            else:
                np.copyto(place, column)

    def _same(self, columns: Mapping[str, Array]) -> bool:
        """Whether these lie just as the last ones did."""
        return len(columns) == len(self._columns) and all(
            c.name == name and place.shape == column.shape and place.dtype == column.dtype
            for c, place, (name, column) in zip(self._columns, self._places, columns.items(), strict=True)
        )

    def parts(self) -> dict[str, Bytes]:
        """The bytes of each width that is in use."""
        return {
            name: self._buffers[name][:nbytes] for name, nbytes in _sizes(self._columns).items() if nbytes
        }


def _raw(column: Array) -> memoryview:
    return column.reshape(-1).view(np.uint8).data


def digest(data: bytes | Bytes) -> bytes:
    """Tells bytes apart: SHA-256, cut short."""
    return hashlib.sha256(data if isinstance(data, bytes) else data.data).digest()[:DIGEST_BYTES]


def count(nbytes: int) -> int:
    """Blocks of a part."""
    return -(-nbytes // BLOCK_BYTES)


def manifest(
    columns: tuple[Column, ...],
    parts: Mapping[str, Bytes | bytes],
    known: dict[str, tuple[bytes, Part]] | None = None,
) -> Manifest:
    """Describe a state; goes through all of its bytes.

    Args:
        columns: what lies in the parts of columns.
        parts: the bytes of all parts.
        known: parts of bytes as they were the last time, brought up to date: the very same object is described
            as before, without looking.
    """
    known = {} if known is None else known
    described: dict[str, Part] = {}
    for name, data in parts.items():
        before = known.get(name)
        if before and before[0] is data:
            described[name] = before[1]
            continue
        described[name] = Part(len(data), b"".join(digest(block) for block in _cut(data)))
        if isinstance(data, bytes):
            known[name] = (data, described[name])
    return Manifest(version=VERSION, columns=columns, parts=described)


def block(parts: Mapping[str, Bytes | bytes], key: Key) -> bytes:
    """One block, packed."""
    name, number = key
    data = np.frombuffer(parts[name], np.uint8)
    return pack(data[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES], _WIDTHS.get(name, 1))


def pack(data: Bytes, width: int) -> bytes:
    """Bytes of items of ``width`` bytes as a packed block."""
    planes = np.ascontiguousarray(data.reshape(-1, width).T) if width > 1 else data
    packed: bytes = lz4.block.compress(planes, mode="fast", store_size=False)
    return _PLANES + packed if len(packed) < data.size else _PLAIN + data.tobytes()


def unpack(packed: bytes, width: int, into: Bytes) -> None:
    """Fill ``into`` from a packed block.

    Raises:
        ValueError: it is none, or one of another length.
    """
    if packed[:1] == _PLAIN and len(packed) == 1 + into.size:
        into[:] = np.frombuffer(packed, np.uint8, offset=1)
        return
    if packed[:1] != _PLANES or into.size % width:
        raise ValueError("not a packed block")
    try:
        raw = lz4.block.decompress(memoryview(packed)[1:], uncompressed_size=into.size)
    except lz4.block.LZ4BlockError as error:
        raise ValueError(str(error)) from error
    if len(raw) != into.size:
        raise ValueError(f"{len(raw)} bytes instead of {into.size}")
    into.reshape(-1, width)[:] = np.frombuffer(raw, np.uint8).reshape(width, -1).T


def read_manifest(data: bytes) -> Manifest:
    """A manifest from its bytes.

    Raises:
        BadInput: ``snapshot.damaged``, or ``snapshot.version`` when a newer release wrote it.
    """
    own, body = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    if digest(body) != own:
        raise _damaged("its manifest is not what was written")
    try:
        version = msgspec.msgpack.decode(body)["version"]
        if version != VERSION:
            raise newer(version)
        return msgspec.msgpack.decode(body, type=Manifest)
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise _damaged(f"its manifest cannot be read ({error})") from error


def newer(version: object) -> BadInput:
    """The error for a state that another release left."""
    return BadInput(
        "snapshot.version",
        f"the snapshot has version {version}, this release reads 2 and {VERSION}: start the release that wrote it",
        version=version,
    )


def assemble(found: Manifest, rows: Iterable[tuple[str, int, bytes]]) -> Pieces:
    """Put a state together again.

    Args:
        found: its manifest.
        rows: part, number and bytes of every block, in any order.

    Returns:
        Columns in memory of their own.

    Raises:
        BadInput: ``snapshot.damaged`` naming the block that is missing or is not what was written.
    """
    wanted = found.keys()
    parts = {name: np.empty(part.nbytes, np.uint8) for name, part in found.parts.items()}
    for name, number, packed in rows:
        own = wanted.pop((name, number), None)
        if own is None:
            raise _damaged(f"block {number} of part {name} does not belong to it", name, number)
        into = parts[name][number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]
        try:
            unpack(packed, _WIDTHS.get(name, 1), into)
        except ValueError as error:
            raise _damaged(
                f"block {number} of part {name} cannot be unpacked ({error})", name, number
            ) from error
        if digest(into) != own:
            raise _damaged(f"block {number} of part {name} is not what was written", name, number)
    if wanted:
        name, number = next(iter(wanted))
        raise _damaged(f"block {number} of part {name} is missing", name, number)
    if any(nbytes != _size(parts, name) for name, nbytes in _sizes(found.columns).items()):
        raise _damaged("its columns do not have the bytes of its parts")
    places = _lay_out(found.columns, parts)
    return Pieces(
        columns={c.name: place.copy() for c, place in zip(found.columns, places, strict=True)},
        things={name: data.tobytes() for name, data in parts.items() if name not in _WIDTHS},
    )


def _size(parts: Mapping[str, Bytes], name: str) -> int:
    return parts[name].size if name in parts else 0


def _damaged(what: str, part: str = "", number: int = -1) -> BadInput:
    where = {"part": part, "block": number} if part else {}
    return BadInput("snapshot.damaged", f"the snapshot is damaged: {what}", **where)


def _cut(data: Bytes | bytes) -> Iterator[Bytes | bytes]:
    for at in range(0, len(data), BLOCK_BYTES):
        yield data[at : at + BLOCK_BYTES]


def _described(name: str, column: Array) -> Column:
    if column.dtype.kind not in "biuf" or str(column.dtype.itemsize) not in _WIDTHS:
        raise ValueError(f"column {name} of {column.dtype} cannot be kept")
    return Column(name, column.dtype.str, column.shape)


def _sizes(columns: Iterable[Column]) -> dict[str, int]:
    sizes = dict.fromkeys(_WIDTHS, 0)
    for column in columns:
        sizes[str(np.dtype(column.dtype).itemsize)] += column.nbytes
    return sizes


def _lay_out(columns: Iterable[Column], buffers: Mapping[str, Bytes]) -> list[Array]:
    """The place of each column in the buffers."""
    at = dict.fromkeys(_WIDTHS, 0)
    places: list[Array] = []
    for column in columns:
        dtype = np.dtype(column.dtype)
        width = str(dtype.itemsize)
        part = buffers.get(width, np.empty(0, np.uint8))[at[width] : at[width] + column.nbytes]
        places.append(part.view(dtype).reshape(column.shape))
        at[width] += column.nbytes
    return places
