"""Device ids to what is registered, for whole columns at once and for single ones. Pure; built whole, then only read.

The ids stand as 64-bit words in one array; a directory, asked for the top bits of an id's hash, says where. A
look-up compares the bytes themselves, so that two ids with one hash are never taken for each other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from yiwang.columns import I64

U64 = NDArray[np.uint64]

MAX_WORDS = 5
"""Ids of up to 40 bytes are looked up as columns; longer ones, and those with odd characters, one by one."""
_ODD = re.compile(rb'[\0-\x1f"\\]')  # what stands in JSON in another form, and NUL
_MEMO = 65_536  # single look-ups remembered
_SMALL = 256  # and those of columns up to this
_FEW = 16  # so many single look-ups cost less than a column
_FACTORS = (
    0x9E3779B97F4A7C15,
    0xBF58476D1CE4E5B9,
    0x94D049BB133111EB,
    0xD6E8FEB86659FD93,
    0xA0761D6478BD642F,
    0xE7037ED1A0B428DB,
)
_F = tuple(np.uint64(f) for f in _FACTORS)
_29, _32, _40, _255 = np.uint64(29), np.uint64(32), np.uint64(40), np.uint64(255)
_LOW_32, _BITS = (1 << 32) - 1, (1 << 64) - 1
_LOW = np.uint64(_LOW_32)


@dataclass(slots=True, eq=False)
class Index:
    """Id to a number, -1 where nobody has it.

    Attributes:
        words: 64-bit words of an id.
        shift: bits of a hash that the directory does not look at.
        directory: uint64 (buckets,), of the ids whose hash has these top bits: where their records begin (low 32
            bits), how many they are (8 bits), and the seed that gives each a record of its own (24 bits).
        records: void (ids + 1,), an id's words and its number; the last one is nobody's.
        odd: ids that have no record, UTF-8, to their numbers.
        memo: single look-ups of late.
    """

    words: int
    shift: int
    directory: U64
    records: NDArray[np.void]
    odd: dict[bytes, int]
    memo: dict[str, int]

    def column(self, keys: U64) -> I64:
        """Number of each id, int64 (n,).

        Args:
            keys: zero-padded ids without NUL, uint64 (n, ``words``).
        """
        n, k = keys.shape
        h = _hash(keys)
        entry = self.directory[(h >> np.uint64(self.shift)).view(np.int64)]
        at = (entry & _LOW) + _place(h, entry >> _40, (entry >> _32) & _255)
        rows = self.records[at.view(np.int64)].view(np.uint64).reshape(n, k + 1)
        found = rows[:, k].view(np.int64)
        other = rows[:, 0] != keys[:, 0]
        for j in range(1, k):
            other |= rows[:, j] != keys[:, j]
        return np.where(other, -1, found)

    def texts(self, ids: Sequence[str]) -> I64:
        """Number of each id, int64 (n,)."""
        n, k = len(ids), self.words
        known = list(map(self.memo.get, ids, repeat(-2)))
        if known.count(-2) <= _FEW or self.odd or "\0" in "".join(ids):
            return np.array(
                [self.one(i) if at == -2 else at for i, at in zip(ids, known, strict=True)], np.int64
            )
        keys = np.array([i.encode("utf-8", "surrogatepass") for i in ids], f"S{8 * k + 8}").view(np.uint64)
        keys = keys.reshape(n, k + 1)
        found = self.column(np.ascontiguousarray(keys[:, :k]))
        found[keys[:, k] != 0] = -1  # longer than any
        if n <= _SMALL and len(self.memo) < _MEMO:
            self.memo.update((i, at) for i, at in zip(ids, found.tolist(), strict=True) if at >= 0)
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
        h = (h ^ h >> 29) * _FACTORS[-1] & _BITS
        entry = int(self.directory[h >> self.shift])
        mixed = ((h ^ entry >> 40) * _FACTORS[0] & _BITS) >> 32
        record = self.records[(entry & _LOW_32) + (mixed * (entry >> 32 & 255) >> 32)].tobytes()
        return int.from_bytes(record[len(key) :], "little", signed=True) if record.startswith(key) else -1


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
    bits = max(4, (n - 1).bit_length())
    shift = 64 - bits
    h = _hash(keys)
    directory, place = _arranged(h, (h >> np.uint64(shift)).astype(np.int64), 1 << bits)
    table = np.empty((n + 1, k + 1), np.uint64)  # not zeros: for empty ones numpy asks for huge pages
    table[place, :k] = keys
    table[place, k] = numbers
    table[n] = [*[0] * k, _BITS]  # -1, of nobody
    return Index(
        words=k,
        shift=shift,
        directory=directory,
        records=table.view(f"V{8 * k + 8}").ravel(),
        odd=odd,
        memo={},
    )


def _arranged(h: U64, bucket: I64, buckets: int) -> tuple[U64, I64]:
    """The directory of these hashes, and the place of each one's record.

    For every bucket seeds are tried until one sends its ids to places of their own (a minimal perfect hash: after
    Fredman, Komlós, Szemerédi 1984 and the many since); then one look-up is enough, whatever the id.
    """
    many = np.bincount(bucket, minlength=buckets)
    begin = np.cumsum(many) - many
    seeds = np.zeros(buckets, np.uint64)
    place = np.empty(len(h), np.int64)
    order = np.argsort(bucket)
    for size in range(1, int(many.max(initial=0)) + 1):
        left = np.flatnonzero(many == size)  # buckets of that many ids that have no seed yet
        ids = order[begin[left, None] + np.arange(size)]
        hashes = h[ids]
        for seed in range(1 << 24):
            mine = _place(hashes, np.uint64(seed), np.uint64(size)).view(np.int64)
            taken = np.bitwise_or.reduce(np.left_shift(1, mine), axis=1)
            done = taken == (1 << size) - 1
            seeds[left[done]] = seed
            place[ids[done]] = begin[left[done], None] + mine[done]
            left, ids, hashes = left[~done], ids[~done], hashes[~done]
            if len(left) == 0:
                break
        else:
            raise ValueError("ids that are not different cannot be told apart")
    return begin.view(np.uint64) | many.view(np.uint64) << _32 | seeds << _40, place


def _place(h: U64, seed: U64 | np.uint64, many: U64 | np.uint64) -> U64:
    """Which of its bucket's ``many`` records an id has."""
    return ((((h ^ seed) * _F[0]) >> _32) * many) >> _32


def _hash(keys: U64) -> U64:
    h = keys[:, 0] * _F[0]
    for j in range(1, keys.shape[1]):
        h = ((h ^ (h >> _32)) ^ keys[:, j]) * _F[j]
    return (h ^ (h >> _29)) * _F[-1]
