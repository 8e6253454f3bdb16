"""Objects by id, kept compactly: as bytes one behind the other, found by a hash of their id, decoded when asked for.

A million devices as Python objects are more than half a gigabyte, and all but a few are never looked at.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from yiwang.columns import I32, I64

T = TypeVar("T")

ABSENT = -1
"""Row of an id that is not there."""
WASTE = 0.5
"""Share of bytes that nobody refers to any more at which they are left out."""


class Kept(Mapping[str, T], Generic[T]):
    """A mapping of id to object, in the order in which the ids came.

    Each id has a row, a dense number that stays its own. A row may be bare: its id has been spoken of and nothing
    else is known of it; as a mapping it is not there.

    Args:
        pack: an object without its id as bytes.
        unpack: id and those bytes as an object.
    """

    def __init__(self, pack: Callable[[T], bytes], unpack: Callable[[str, bytes], T]) -> None:
        self._pack, self._unpack = pack, unpack
        self._heap = bytearray()  # of each row length of the id, the id, the object
        self._begin = array("q")  # row -> where its bytes stand
        self._size = array("i")  # row -> how many they are
        self._has = bytearray()  # row -> whether it has an object
        self._hash: I64 = np.empty(0, np.int64)  # of all ids, rising
        self._row: I32 = np.empty(0, np.int32)  # in the order of ``_hash``
        self._objects = 0
        self._waste = 0

    # ---- as a mapping ----

    def __len__(self) -> int:
        return self._objects

    def __iter__(self) -> Iterator[str]:
        return (self.id(row) for row in range(self.rows) if self._has[row])

    def __contains__(self, id_: object) -> bool:
        return isinstance(id_, str) and self._object(id_) != ABSENT

    def __getitem__(self, id_: str) -> T:
        row = self._object(id_)
        if row == ABSENT:
            raise KeyError(id_)
        return self.at(row)

    def _object(self, id_: str) -> int:
        row = self.row(id_)
        return row if row != ABSENT and self._has[row] else ABSENT

    # ---- by row ----

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._begin)

    @property
    def full(self) -> NDArray[np.bool_]:
        """By row, whether it has an object."""
        return np.frombuffer(bytes(self._has), np.bool_)

    def row(self, id_: str) -> int:
        """The row of an id, or ``ABSENT``."""
        own = hash(id_)
        return self._verified(_key(id_), own, int(self._hash.searchsorted(own)))

    def at(self, row: int) -> T:
        """The object of a row that is not bare."""
        raw = self._raw(row)
        end = 2 + int.from_bytes(raw[:2], "little")
        return self._unpack(raw[2:end].decode(), raw[end:])

    def id(self, row: int) -> str:
        """The id of a row."""
        begin = self._begin[row]
        end = begin + 2 + int.from_bytes(self._heap[begin : begin + 2], "little")
        return self._heap[begin + 2 : end].decode()

    # ---- changes ----

    def put(self, objects: Mapping[str, T]) -> tuple[list[int], list[bool]]:
        """Keep objects by id; the row of each, and whether it was not kept like that before."""
        rows = self._find(list(objects))
        changed: list[bool] = []
        new: dict[str, int] = {}
        for i, (id_, thing) in enumerate(objects.items()):
            raw = _key(id_) + self._pack(thing)
            row = rows[i]
            if row == ABSENT:
                rows[i] = new[id_] = self._append(raw, has=True)
                changed.append(True)
                continue
            changed.append(not self._has[row] or self._raw(row) != raw)
            if changed[-1]:
                self._replace(row, raw)
        self._index(new)
        return rows, changed

    def name(self, ids: Sequence[str]) -> list[int]:
        """The rows of different ids; those that are new get bare ones."""
        rows = self._find(ids)
        new: dict[str, int] = {}
        for i, id_ in enumerate(ids):
            if rows[i] == ABSENT:
                rows[i] = new[id_] = self._append(_key(id_), has=False)
        self._index(new)
        return rows

    def _find(self, ids: Sequence[str]) -> list[int]:
        own = [hash(id_) for id_ in ids]
        at = self._hash.searchsorted(np.array(own, np.int64)).tolist()
        return [self._verified(_key(i), h, a) for i, h, a in zip(ids, own, at, strict=True)]

    def _verified(self, key: bytes, own: int, at: int) -> int:
        while at < len(self._hash) and self._hash[at] == own:
            row = int(self._row[at])
            if self._heap.startswith(key, self._begin[row]):
                return row
            at += 1
        return ABSENT

    def _index(self, new: Mapping[str, int]) -> None:
        if not new:
            return
        own = np.fromiter((hash(id_) for id_ in new), np.int64, len(new))
        order = np.argsort(own, kind="stable")
        own, rows = own[order], np.fromiter(new.values(), np.int32, len(new))[order]
        at = self._hash.searchsorted(own)
        self._hash, self._row = np.insert(self._hash, at, own), np.insert(self._row, at, rows)

    def _append(self, raw: bytes, *, has: bool) -> int:
        self._begin.append(len(self._heap))
        self._size.append(len(raw))
        self._has.append(has)
        self._heap += raw
        self._objects += has
        return len(self._begin) - 1

    def _replace(self, row: int, raw: bytes) -> None:
        self._waste += self._size[row]
        self._begin[row], self._size[row] = len(self._heap), len(raw)
        self._heap += raw
        self._objects += not self._has[row]
        self._has[row] = True
        if self._waste > WASTE * len(self._heap):
            self._tidy()

    def _raw(self, row: int) -> bytes:
        begin = self._begin[row]
        return bytes(self._heap[begin : begin + self._size[row]])

    def _tidy(self) -> None:
        self._heap = bytearray().join(self._raw(row) for row in range(self.rows))
        self._begin = array("q", _begins(np.array(self._size, np.int64)).tobytes())
        self._waste = 0

    # ---- as data ----

    def dump(self) -> dict[str, bytes]:
        """Everything, bare rows too, as plain values; equal contents in equal order give equal values."""
        if self._waste:
            self._tidy()
        return {"has": bytes(self._has), "size": self._size.tobytes(), "heap": bytes(self._heap)}

    def load(self, dumped: Mapping[str, Any]) -> None:  # Any: as ``dump`` gave it
        """Become what was dumped."""
        self._has, self._heap = bytearray(dumped["has"]), bytearray(dumped["heap"])
        self._size = array("i", dumped["size"])
        self._begin = array("q", _begins(np.array(self._size, np.int64)).tobytes())
        self._objects, self._waste = sum(self._has), 0
        self._hash, self._row = np.empty(0, np.int64), np.empty(0, np.int32)
        self._index({self.id(row): row for row in range(self.rows)})


def _key(id_: str) -> bytes:
    raw = id_.encode()
    return len(raw).to_bytes(2, "little") + raw


def _begins(sizes: NDArray[np.int64]) -> I64:
    begins = np.zeros(len(sizes), np.int64)
    np.cumsum(sizes[:-1], out=begins[1:])
    return begins
