"""A state as blocks: what is kept comes back to the last bit, what was damaged is named, what did not change is not kept."""

import contextlib
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import blocks
from streams.blocks import BLOCK_BYTES, Array, Image, Key, Manifest, Pieces
from yiwang.errors import BadInput

DTYPES = ("<f8", "<i8", "<i4", "<u2", "|i1", "|b1")


def columns(chance: np.random.Generator, rows: int) -> dict[str, Array]:
    """One column of every dtype, one of them with two axes; NaN and extremes in it."""
    made: dict[str, Array] = {
        dtype: chance.integers(0, 2, rows * np.dtype(dtype).itemsize).astype(np.uint8).view(dtype)
        for dtype in DTYPES
    }
    made["<f8"] = chance.normal(0, 1e300, rows)
    made["<f8"][: rows // 2] = np.nan
    made["wide"] = np.arange(rows * 3, dtype=np.int64).reshape(rows, 3)
    made["apart"] = np.arange(rows * 2, dtype=np.int32)[::2]
    return made


def kept(image: Image, things: dict[str, bytes]) -> tuple[Manifest, dict[Key, bytes]]:
    """A state as it would be stored whole."""
    parts = image.parts() | things
    found = blocks.manifest(image.columns, parts)
    return found, {key: blocks.block(parts, key) for key in found.keys()}  # noqa: SIM118  its keys are of blocks


def back(found: Manifest, packed: dict[Key, bytes]) -> Pieces:
    """What comes of stored blocks, in another order."""
    rows = [(part, number, data) for (part, number), data in reversed(packed.items())]
    return blocks.assemble(blocks.read_manifest(found.encode()), rows)


@pytest.mark.parametrize("rows", [0, 1, 1000, 70_000])
def test_a_state_comes_back_to_the_last_bit(rows: int) -> None:
    """Of several blocks, of one, of none; columns own their memory."""
    given_columns = columns(np.random.default_rng(rows), rows)
    image = Image()
    image.take(given_columns)
    things = {"desk": b"x" * (BLOCK_BYTES + 1), "empty": b""}
    pieces = back(*kept(image, things))
    assert pieces.things == things
    assert list(pieces.columns) == list(given_columns)
    for name, column in given_columns.items():
        again = pieces.columns[name]
        assert (again.dtype, again.shape) == (column.dtype, column.shape)
        assert again.tobytes() == column.tobytes()
        assert again.flags.writeable
        assert again.base is None


def test_what_is_taken_does_not_follow_the_columns() -> None:
    """Only the next cut does; and a cut of the same columns asks for no memory."""
    column = np.arange(10.0)
    image = Image()
    assert not image.fits({"a": column})
    image.reserve({"a": column})
    assert image.fits({"a": column})
    image.take({"a": column})
    before = image.parts()["8"]
    column += 1
    assert before.view(np.float64).tolist() == list(range(10))
    image.take({"a": column})
    assert np.shares_memory(image.parts()["8"], before)
    assert before.view(np.float64).tolist() == list(range(1, 11))


def test_only_changed_blocks_have_another_digest() -> None:
    """A row changes its block; a column that grows those behind it."""
    column = np.zeros(4 * BLOCK_BYTES // 8)
    image = Image()
    image.take({"a": column})
    first = kept(image, {})[0].keys()
    column[3 * BLOCK_BYTES // 8] = 1.0
    image.take({"a": column})
    second = kept(image, {})[0].keys()
    assert {key for key in first if first[key] != second[key]} == {("8", 3)}


def test_columns_that_come_go_or_grow_are_taken_as_they_are() -> None:
    """The image is laid out anew."""
    image = Image()
    for given_columns in (
        {"a": np.ones(3)},
        {"a": np.ones(900), "b": np.ones(3, np.int32)},
        {"b": np.ones(2)},
    ):
        image.take(given_columns)
        pieces = back(*kept(image, {}))
        assert {name: c.tolist() for name, c in pieces.columns.items()} == {
            name: c.tolist() for name, c in given_columns.items()
        }


def test_a_column_of_objects_is_a_mistake_in_the_program() -> None:
    """It would come back as addresses."""
    with pytest.raises(ValueError, match="cannot be kept"):
        Image().take({"a": np.array([object()])})


def _flip(packed: dict[Key, bytes]) -> None:
    packed["8", 1] = packed["8", 1][:-1] + bytes([packed["8", 1][-1] ^ 1])


def _swap(packed: dict[Key, bytes]) -> None:
    packed["8", 0], packed["8", 1] = packed["8", 1], packed["8", 0]


def _cut(packed: dict[Key, bytes]) -> None:
    packed["desk", 0] = packed["desk", 0][:-1]


def _lose(packed: dict[Key, bytes]) -> None:
    del packed["desk", 0]


def _add(packed: dict[Key, bytes]) -> None:
    packed["8", 9] = b"\x00"


@pytest.mark.parametrize(
    ("harm", "part", "block"),
    [(_flip, "8", 1), (_swap, "8", 1), (_cut, "desk", 0), (_lose, "desk", 0), (_add, "8", 9)],
)
def test_a_damaged_state_is_refused_and_the_block_named(
    harm: Callable[[dict[Key, bytes]], None], part: str, block: int
) -> None:
    """Flipped, exchanged, cut, missing, not belonging there: never a wrong state."""
    image = Image()
    image.take({"a": np.random.default_rng(1).normal(size=2 * BLOCK_BYTES // 8)})
    found, packed = kept(image, {"desk": b"something"})
    harm(packed)
    with pytest.raises(BadInput) as caught:
        back(found, packed)
    assert caught.value.code == "snapshot.damaged"
    assert caught.value.details == {"part": part, "block": block}


def test_a_manifest_that_is_damaged_or_newer_is_refused() -> None:
    """The whole state hangs on it."""
    image = Image()
    image.take({"a": np.ones(3)})
    found, _ = kept(image, {})
    newer = msgspec.structs.replace(found, version=blocks.VERSION + 1)
    nonsense = msgspec.msgpack.encode([1])
    for data, code in (
        (newer.encode(), "snapshot.version"),
        (found.encode()[:-1], "snapshot.damaged"),
        (b"", "snapshot.damaged"),
        (blocks.digest(nonsense) + nonsense, "snapshot.damaged"),
    ):
        with pytest.raises(BadInput) as caught:
            blocks.read_manifest(data)
        assert caught.value.code == code


@given(data=st.binary(max_size=200), width=st.sampled_from([1, 2, 4, 8]), repeat=st.integers(1, 50))
def test_any_bytes_are_packed_and_unpacked(data: bytes, width: int, repeat: int) -> None:
    """What does not shrink is kept as it is."""
    raw = np.frombuffer(data * width * repeat, np.uint8)
    packed = blocks.pack(raw, width)
    assert len(packed) <= len(raw) + 1
    into = np.empty_like(raw)
    blocks.unpack(packed, width, into)
    assert into.tobytes() == raw.tobytes()


@given(data=st.binary(max_size=100), width=st.sampled_from([1, 8]), size=st.integers(0, 64))
def test_what_is_no_packed_block_raises_and_nothing_else_happens(data: bytes, width: int, size: int) -> None:
    """Or, by chance, fills the room it was given."""
    into = np.zeros(size, np.uint8)
    with contextlib.suppress(ValueError):
        blocks.unpack(data, width, into)


def test_a_part_of_bytes_that_is_the_same_object_is_described_without_looking() -> None:
    """The registry of a district is as big as its state, and rarely another."""
    known: dict[str, tuple[bytes, blocks.Part]] = {}
    registry = b"x" * 100
    first = blocks.manifest((), {"registry": registry, "desk": b"1"}, known)
    assert known["registry"] == (registry, first.parts["registry"])
    known["registry"] = (registry, blocks.Part(1, b"told apart"))
    again = blocks.manifest((), {"registry": registry, "desk": b"2"}, known)
    assert again.parts["registry"] == blocks.Part(1, b"told apart")
    assert again.parts["desk"] != first.parts["desk"]
    other = blocks.manifest((), {"registry": bytes(bytearray(registry))}, known)
    assert other.parts["registry"] == first.parts["registry"]
