"""A machine's state in pieces: taken in a moment, made into bytes later, also from releases before."""

import lzma
import zlib
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from streams import machine_codec
from streams.blocks import Image, Pieces
from streams.machine import DistrictMachine
from streams.machine_codec import Camera
from streams.partition import Partition
from tests.streams.world import T0, Reading, cut, lively, opening, registry, run
from yiwang.clock import SECOND
from yiwang.errors import BadInput
from yiwang.model import Body, RegistryChange, Tick

OLD = Path(__file__).parent / "version2.bin"


def taken(camera: Camera, image: Image, machine: DistrictMachine) -> Any:  # Any: what ``later`` takes
    """The quick half of a snapshot."""
    image.take(camera.columns(machine))
    return camera.freeze(machine)


def later(camera: Camera, image: Image, frozen: Any) -> Pieces:  # Any: of ``taken``
    """The slow half."""
    parts = {**image.parts(), **camera.things(frozen)}
    found = machine_codec.blocks.manifest(image.columns, parts)
    rows = [(*key, machine_codec.blocks.block(parts, key)) for key in found.keys()]  # noqa: SIM118  no dict
    return machine_codec.blocks.assemble(found, rows)


def test_what_was_taken_stays_while_the_machine_goes_on() -> None:
    """The bytes are made after the next steps; they are those of the moment."""
    items = [*opening(), Tick(t_ns=T0), *lively(Random(3), length=40)]
    pieces = list(cut(items, [5]))
    machine, camera, image = DistrictMachine(0), Camera(), Image()
    run(machine, pieces[:20])
    for at in range(20, len(pieces), 10):
        as_it_is = machine.dump()
        frozen = taken(camera, image, machine)
        run(machine, pieces[at : at + 10])
        assert DistrictMachine.load(later(camera, image, frozen)).dump() == as_it_is


def test_a_registry_that_changes_is_kept_anew_and_one_that_does_not_is_not() -> None:
    """Making its bytes takes long."""
    machine, camera, image = DistrictMachine(0), Camera(), Image()
    run(machine, cut(opening(), [1]))
    first = taken(camera, image, machine)
    run(machine, cut([Reading(0, T0 + SECOND, 30.0)], [1]))
    assert taken(camera, image, machine).registry is first.registry
    assert taken(camera, image, machine).rules is first.rules
    few = msgspec.structs.replace(registry(), version=2, devices=registry().devices[:1])
    moved = msgspec.structs.replace(few.devices[0], lon=121.0)
    machine.message(RegistryChange(registry=msgspec.structs.replace(few, devices=(moved,))))
    again = DistrictMachine.load(later(camera, image, taken(camera, image, machine)))
    assert again.watch.book.devices[moved.id] == moved


def test_a_state_of_version_2_goes_on_as_it_would_have() -> None:
    """Kept by a release before blocks, in the midst of a flood: the rest of the log gives the same outputs."""
    old = msgspec.msgpack.decode(lzma.decompress(OLD.read_bytes()))
    log, at = old["log"], old["at"]

    def play(partition: Partition, payloads: list[bytes]) -> list[Body]:
        for payload in payloads:
            partition.take_feed(partition.sequencer.read_feed, payload, 0)
        return [emission.output.body for emission in partition.work().emissions]

    whole = Partition(DistrictMachine(0))
    play(whole, log[:at])
    state = b"YWM\x02" + zlib.compress(old["state"])
    migrated = Partition(DistrictMachine.load(state), feed=at)
    assert migrated.machine.n == whole.machine.n == old["n"]
    assert migrated.machine.desk.dump() == whole.machine.desk.dump()
    expected = play(whole, log[at:])
    assert len(expected) > 10
    assert play(migrated, log[at:]) == expected
    assert DistrictMachine.load(migrated.machine.dump()).dump() == migrated.machine.dump()


@pytest.mark.parametrize(
    "data",
    [
        b"YWM\x02",
        b"YWM\x02" + zlib.compress(b"\x80"),
        b"YWM\x03",
        b"YWM\x03" + msgspec.msgpack.encode([b"", []]),
    ],
)
def test_states_that_cannot_be_read_are_refused(data: bytes) -> None:
    """Of this release and of the one before."""
    with pytest.raises(BadInput) as caught:
        DistrictMachine.load(data)
    assert caught.value.code == "snapshot.damaged"


def test_pieces_of_a_newer_release_or_without_a_part_are_refused() -> None:
    """Whatever the blocks say of themselves."""
    machine, camera, image = DistrictMachine(0), Camera(), Image()
    run(machine, cut(opening(), [1]))
    pieces = later(camera, image, taken(camera, image, machine))
    rest = msgspec.msgpack.decode(pieces.things["rest"])
    newer = {**pieces.things, "rest": msgspec.msgpack.encode({**rest, "version": machine_codec.VERSION + 1})}
    without = {name: thing for name, thing in pieces.things.items() if name != "desk"}
    for things, code in ((newer, "snapshot.version"), (without, "snapshot.damaged")):
        with pytest.raises(BadInput) as caught:
            DistrictMachine.load(Pieces(pieces.columns, things))
        assert caught.value.code == code
