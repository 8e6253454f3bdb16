"""A district machine's state in pieces and back, exact to the last bit. Pure.

Taking a state has a quick half, to be done between two steps (references to the arrays, shallow copies of the tables
of the desk), and a slow one, that makes bytes of what is not an array and may be done beside the next steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from dispatch.desk import Desk
from dispatch.freezing import Encoding
from dispatch.state import State
from streams import blocks, machine_version2
from streams.blocks import Array, Bytes, Image, Pieces
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
STILL = ("series", "zone")
"""Columns of a lane that are replaced and never changed in place."""
_MAGIC = b"YWM"


@dataclass(frozen=True, slots=True)
class Frozen:
    """What of a machine's state is not an array, as it was at one moment."""

    rest: Mapping[str, Any]  # Any: what msgpack takes
    still: Mapping[str, Array]  # columns that are replaced and never changed in place
    desk: State
    rules: bytes
    registry: bytes


class Camera:
    """Takes the state of one machine again and again; keeps ready what rarely changes."""

    def __init__(self) -> None:
        self._rules: tuple[Rules | None, bytes] = (None, msgspec.msgpack.encode(None))
        self._registry: tuple[Book | None, int, bytes] = (None, 0, b"")
        self._ids: dict[str, int] = {}  # name of a column that stands still -> id of the array
        self._arrays: list[Array] = []  # those arrays, so that no other one gets such an id
        self._still = msgspec.msgpack.encode(({}, []))
        self._desk = Encoding()

    def columns(self, machine: "DistrictMachine") -> dict[str, Array]:
        """The arrays of the state: those at work, to be copied before the next step."""
        watch = machine.watch
        columns: dict[str, Array] = {
            "newest": watch.newest,
            "recent": np.array(machine.recent.keys(), np.uint64),
        }
        for lane in watch.lanes:
            own = lane.entry.id
            columns |= {f"{own}/{name}": c for name, c in lane.columns().items() if name not in STILL}
        return columns

    def freeze(self, machine: "DistrictMachine") -> Frozen:
        """Everything else, before the next step."""
        watch = machine.watch
        rules = watch.rulebook.rules if watch.rulebook else None
        if self._rules[0] is not rules:
            self._rules = (rules, msgspec.msgpack.encode(rules))
        book = watch.book
        if self._registry[:2] != (book, book.changes) or not self._registry[2]:
            self._registry = (book, book.changes, book.dump())
        return Frozen(
            rest={
                "version": VERSION,
                "district": machine.district,
                "n": machine.n,
                "now_ns": machine.now_ns,
                "horizon_ns": watch.horizon_ns,
                "waiting": [[code, count, list(names)] for code, (count, names) in watch.waiting.items()],
                "lanes": [lane.rest() for lane in watch.lanes],
            },
            still={f"{lane.entry.id}/{name}": getattr(lane, name) for lane in watch.lanes for name in STILL},
            desk=machine.desk.freeze(),
            rules=self._rules[1],
            registry=self._registry[2],
        )

    def things(self, frozen: Frozen) -> dict[str, bytes]:
        """The slow half; may run in another thread, but not twice at once."""
        return {
            "rest": msgspec.msgpack.encode(frozen.rest),
            "still": self._stood(frozen.still),
            "desk": self._desk.encode(frozen.desk),
            "rules": frozen.rules,
            "registry": frozen.registry,
        }

    def known(self, machine: "DistrictMachine", pieces: Pieces) -> None:
        """Have ready what the pieces that the machine was just filled from have ready."""
        book, rulebook = machine.watch.book, machine.watch.rulebook
        self._registry = (book, book.changes, pieces.things["registry"])
        self._rules = (rulebook.rules if rulebook else None, pieces.things["rules"])

    def _stood(self, still: Mapping[str, Array]) -> bytes:
        """Bytes of columns of which several are often the same array."""
        ids = {name: id(column) for name, column in still.items()}
        if ids != self._ids:
            arrays = {id(column): column for column in still.values()}
            index = {own: i for i, own in enumerate(arrays)}
            body = (
                {name: index[own] for name, own in ids.items()},
                [(column.dtype.str, column.tobytes()) for column in arrays.values()],
            )
            self._ids, self._arrays, self._still = ids, list(arrays.values()), msgspec.msgpack.encode(body)
        return self._still


def dump(machine: "DistrictMachine") -> bytes:
    """The whole state in one piece."""
    camera, image = Camera(), Image()
    image.take(camera.columns(machine))
    parts: dict[str, Bytes | bytes] = {**image.parts(), **camera.things(camera.freeze(machine))}
    found = blocks.manifest(image.columns, parts)
    rows = [(*key, blocks.block(parts, key)) for key in found.keys()]  # noqa: SIM118  no dict
    return _MAGIC + bytes([VERSION]) + msgspec.msgpack.encode([found.encode(), rows])


def load(machine: "DistrictMachine", data: bytes) -> None:
    """Fill a fresh machine from what ``dump`` of this release, or of version 2, gave.

    Raises:
        BadInput: ``snapshot.version`` when a newer release wrote it, ``snapshot.damaged``, ``state.shape``.
    """
    if data[:3] != _MAGIC:
        raise BadInput("snapshot.damaged", "this is no snapshot of a district machine")
    version = data[3]
    if version == 2:
        fill(machine, machine_version2.pieces(data[4:]))
        return
    if version != VERSION:
        raise blocks.newer(version)
    try:
        manifest, rows = msgspec.msgpack.decode(data[4:], type=tuple[bytes, list[tuple[str, int, bytes]]])
    except msgspec.MsgspecError as error:
        raise BadInput("snapshot.damaged", f"the snapshot cannot be unpacked: {error}") from error
    fill(machine, blocks.assemble(blocks.read_manifest(manifest), rows))


def fill(machine: "DistrictMachine", pieces: Pieces) -> None:
    """Fill a fresh machine from the pieces of a state, whose arrays it takes over.

    Raises:
        BadInput: ``snapshot.version``, ``snapshot.damaged``, ``state.shape``.
    """
    columns, things = dict(pieces.columns), pieces.things
    try:
        rest = msgspec.msgpack.decode(things["rest"])
        if rest["version"] != VERSION:
            raise blocks.newer(rest["version"])
        rules = msgspec.msgpack.decode(things["rules"], type=Rules | None)
        index, arrays = msgspec.msgpack.decode(
            things["still"], type=tuple[dict[str, int], list[tuple[str, bytes]]]
        )
        columns |= {name: np.frombuffer(arrays[i][1], arrays[i][0]) for name, i in index.items()}
        registry, desk, newest = things["registry"], things["desk"], columns["newest"]
    except (KeyError, msgspec.MsgspecError) as error:
        raise BadInput(
            "snapshot.damaged", f"the snapshot lacks a part, or one cannot be read: {error!r}"
        ) from error
    watch = machine.watch
    machine.district, machine.n, machine.now_ns = rest["district"], rest["n"], rest["now_ns"]
    machine.recent = Recent(columns["recent"].tolist())
    watch.horizon_ns = rest["horizon_ns"]
    watch.book = Book.load(registry)
    watch.newest = newest
    watch.waiting = {code: (count, dict.fromkeys(names)) for code, count, names in rest["waiting"]}
    watch.make_room()
    if rules is None:
        machine.desk = Desk.load(desk, compile_rules(Rules(version="", packs=())), watch.book)
        return
    rulebook = Rulebook(rules, check=False)
    watch.rulebook = rulebook
    dumped = {lane["id"]: lane for lane in rest["lanes"]}
    for entry in rulebook.domains.detectors:
        if entry.id in dumped:
            own = f"{entry.id}/"
            lane = Lane(entry)
            lane.restore(
                {name.removeprefix(own): column for name, column in columns.items() if name.startswith(own)},
                dumped[entry.id],
                watch.book,
                rulebook.domains,
            )
            watch.lanes.append(lane)
    watch.sort()
    machine.desk = Desk.load(desk, rulebook.domains, watch.book)
