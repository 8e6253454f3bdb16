"""A district machine's state as bytes and back, exact to the last bit. Pure.

MessagePack of version, what changes with every message, and (kept ready, as it rarely changes) rules and
registry; compressed by zlib at level 1, with the version in front so that it can be told without unpacking.
"""

import zlib
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from dispatch.desk import Desk
from streams.machine_lanes import Lane
from streams.machine_rules import Rulebook
from yiwang.book import Book
from yiwang.domains import compile_rules
from yiwang.errors import BadInput
from yiwang.frames import Recent
from yiwang.registry import Rules

if TYPE_CHECKING:
    from streams.machine import DistrictMachine

VERSION = 3
_MAGIC = b"YWM"


def dump(machine: "DistrictMachine") -> bytes:
    """The state, not yet compressed: the quick half, to be done between two steps."""
    watch = machine.watch
    book, rulebook = watch.book, watch.rulebook
    return msgspec.msgpack.encode(
        {
            "district": machine.district,
            "n": machine.n,
            "now_ns": machine.now_ns,
            "horizon_ns": watch.horizon_ns,
            "rules": rulebook.rules if rulebook else None,
            "registry": book.dump(),
            "newest": watch.newest.astype("<i8").tobytes(),
            "waiting": [[code, count, list(names)] for code, (count, names) in watch.waiting.items()],
            "lanes": [
                lane.rest() | {"columns": {n: _packed(c) for n, c in lane.columns().items()}}
                for lane in watch.lanes
            ],
            "desk": machine.desk.dump(),
            "recent": machine.recent.keys(),
        }
    )


def compress(raw: bytes) -> bytes:
    """The slow half of a snapshot; does not touch the machine."""
    return _MAGIC + bytes([VERSION]) + zlib.compress(raw, 1)


def load(machine: "DistrictMachine", data: bytes) -> None:
    """Fill a fresh machine.

    Raises:
        BadInput: ``snapshot.version`` when a newer release wrote it, ``snapshot.damaged``, ``state.shape``.
    """
    if data[:3] != _MAGIC:
        raise BadInput("snapshot.damaged", "this is no snapshot of a district machine")
    if data[3] != VERSION:
        raise BadInput(
            "snapshot.version",
            f"the snapshot has version {data[3]}, this release reads {VERSION}: start the release that wrote it",
            version=data[3],
        )
    try:
        s = msgspec.msgpack.decode(zlib.decompress(data[4:]))
    except (zlib.error, msgspec.MsgspecError) as error:
        raise BadInput("snapshot.damaged", f"the snapshot cannot be unpacked: {error}") from error
    _fill(machine, s)


def _fill(machine: "DistrictMachine", s: dict[str, Any]) -> None:  # Any: as ``dump`` wrote it
    watch = machine.watch
    machine.district, machine.n, machine.now_ns = s["district"], s["n"], s["now_ns"]
    machine.recent = Recent(s.get("recent", ()))  # older snapshots have none
    watch.horizon_ns = s["horizon_ns"]
    watch.book = Book.load(s["registry"])
    watch.newest = np.frombuffer(s["newest"], "<i8").astype(np.int64)
    watch.waiting = {code: (count, dict.fromkeys(names)) for code, count, names in s["waiting"]}
    watch.make_room()
    if s["rules"] is None:
        machine.desk = Desk.load(s["desk"], compile_rules(Rules(version="", packs=())), watch.book)
        return
    rulebook = Rulebook(msgspec.convert(s["rules"], Rules), check=False)
    watch.rulebook = rulebook
    dumped = {lane["id"]: lane for lane in s["lanes"]}
    for entry in rulebook.domains.detectors:
        if entry.id in dumped:
            lane = Lane(entry)
            columns = {name: _unpacked(c) for name, c in dumped[entry.id]["columns"].items()}
            lane.restore(columns, dumped[entry.id], watch.book, rulebook.domains)
            watch.lanes.append(lane)
    watch.sort()
    machine.desk = Desk.load(s["desk"], rulebook.domains, watch.book)


def _packed(array: NDArray[Any]) -> list[Any]:  # Any: of whatever dtype; name of it, shape, bytes
    return [array.dtype.str, list(array.shape), array.tobytes()]


def _unpacked(packed: list[Any]) -> NDArray[Any]:  # Any: as above
    dtype, shape, data = packed
    return np.frombuffer(data, dtype).reshape(shape).copy()
