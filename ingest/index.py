"""Device ids to what is registered, for whole columns at once and for single ones. Pure; built whole, then only read.

The ids stand as 64-bit words in one array, sorted by the top bits of their hash; a directory says where each
hash begins. A look-up compares the bytes themselves, so that two ids with one hash are never taken for each other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yiwang.columns import I32, I64

U64 = NDArray[np.uint64]

MAX_WORDS = 5
"""Ids of up to 40 bytes are looked up as columns; longer ones, and those with odd characters, one by one."""
_ODD = re.compile(rb'[\0-\x1f"\\]')  # what stands in JSON in another form, and NUL
_MEMO = 65_536  # single look-ups remembered
_FACTORS = (
    0x9E3779B97F4A7C15,
    0xBF58476D1CE4E5B9,
    0x94D049BB133111EB,
    0xD6E8FEB86659FD93,
    0xA0761D6478BD642F,
    0xE7037ED1A0B428DB,
)
_F = tuple(np.uint64(f) for f in _FACTORS)
_32, _29 = np.uint64(32), np.uint64(29)
_BITS = (1 << 64) - 1


@dataclass(slots=True, eq=False)
class Index:
    """Id to a number, -1 where nobody has it.

    Attributes:
        words: 64-bit words of an id.
        shift: bits of a hash that the directory does not look at.
        first: int32 (buckets + 1,), where the ids of a hash's top bits begin.
        records: void (ids + 1,), an id's words and its number, sorted by hash; the last one is nobody's.
        odd: ids that have no record, UTF-8, to their numbers.
        memo: single look-ups of late.
    """

    words: int
    shift: int
    first: I32
    records: NDArray[np.void]
    odd: dict[bytes, int]
    memo: dict[str, int]

    def column(self, keys: U64) -> I64:
        """Number of each id, int64 (n,).

        Args:
            keys: zero-padded ids without NUL, uint64 (n, ``words``).
        """
        n, k = keys.shape
        bucket = (_hash(keys) >> np.uint64(self.shift)).astype(np.int64)
        at = self.first[bucket].astype(np.int64)
        row = self.records[at].view(np.uint64).reshape(n, k + 1)
        found = row[:, k].view(np.int64).copy()
        other = _differs(row, keys)
        left = np.flatnonzero(other)
        if len(left):
            at, end = at[left], self.first[bucket[left] + 1]
            while True:  # the rest of their buckets: most hold one id, hardly any more than five
                at = at + 1
                more = at < end
                found[left[~more]] = -1
                left, at, end = left[more], at[more], end[more]
                if len(left) == 0:
                    break
                row = self.records[at].view(np.uint64).reshape(-1, k + 1)
                other = _differs(row, keys[left])
                found[left[~other]] = row[~other, k].view(np.int64)
                left, at, end = left[other], at[other], end[other]
        return found

    def texts(self, ids: Sequence[str]) -> I64:
        """Number of each id, int64 (n,)."""
        n, k = len(ids), self.words
        if n < 32 or self.odd or "\0" in "".join(ids):
            return np.fromiter(map(self.one, ids), np.int64, n)
        keys = np.array([i.encode("utf-8", "surrogatepass") for i in ids], f"S{8 * k + 8}").view(np.uint64)
        keys = keys.reshape(n, k + 1)
        found = self.column(np.ascontiguousarray(keys[:, :k]))
        found[keys[:, k] != 0] = -1  # longer than any
        return found

    def one(self, id_: str) -> int:
        """Number of one id."""
        known = self.memo.get(id_)
        if known is not None:
            return known
        number = self._one(id_)
        if len(self.memo) >= _MEMO:
            self.memo.clear()
        if number >= 0:
            self.memo[id_] = number
        return number

    def _one(self, id_: str) -> int:
        raw = id_.encode("utf-8", "surrogatepass")
        if self.odd and raw in self.odd:
            return self.odd[raw]
        if len(raw) > 8 * self.words or b"\0" in raw:
            return -1
        key = raw.ljust(8 * self.words, b"\0")
        h = 0
        for j in range(self.words):
            h = ((h ^ h >> 32) ^ int.from_bytes(key[8 * j : 8 * j + 8], "little")) * _FACTORS[j] & _BITS
        bucket = ((h ^ h >> 29) * _FACTORS[-1] & _BITS) >> self.shift
        for at in range(int(self.first[bucket]), int(self.first[bucket + 1])):
            record = self.records[at].tobytes()
            if record.startswith(key):
                return int.from_bytes(record[len(key) :], "little")
        return -1


def build(ids: Sequence[bytes], numbers: I64) -> Index:
    """The index of these ids, UTF-8 without NUL and all different, to their numbers, none below 0.

    Costs about 24 + 8 bytes an id of up to 16 bytes, and 8 more for every 8 bytes.
    """
    longest = max((size for size in map(len, ids) if size <= 8 * MAX_WORDS), default=1)
    k = max(1, -(-longest // 8))
    odd = {i: int(n) for i, n in zip(ids, numbers, strict=True) if len(i) > 8 * k or _ODD.search(i)}
    if odd:
        keep = [n for n, i in enumerate(ids) if i not in odd]
        ids, numbers = [ids[n] for n in keep], numbers[keep]
    n = len(ids)
    keys = np.array(ids, f"S{8 * k}").view(np.uint64).reshape(n, k)
    bits = max(4, (2 * n - 1).bit_length())
    shift = 64 - bits
    bucket = (_hash(keys) >> np.uint64(shift)).astype(np.int64)
    order = np.argsort(bucket)
    table = np.zeros((n + 1, k + 1), np.uint64)
    table[:n, :k] = keys[order]
    table[:n, k] = numbers[order]
    table[n, k] = _BITS  # -1, of nobody
    first = np.zeros((1 << bits) + 1, np.int32)
    np.cumsum(np.bincount(bucket, minlength=1 << bits), out=first[1:])
    return Index(
        words=k,
        shift=shift,
        first=first,
        records=table.view(f"V{8 * k + 8}").ravel(),
        odd=odd,
        memo={},
    )


def _hash(keys: U64) -> U64:
    h = keys[:, 0] * _F[0]
    for j in range(1, keys.shape[1]):
        h = ((h ^ (h >> _32)) ^ keys[:, j]) * _F[j]
    return (h ^ (h >> _29)) * _F[-1]


def _differs(rows: U64, keys: U64) -> NDArray[np.bool_]:
    other: NDArray[np.bool_] = rows[:, 0] != keys[:, 0]
    for j in range(1, keys.shape[1]):
        other |= rows[:, j] != keys[:, j]
    return other
