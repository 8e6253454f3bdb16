"""The district machine: what it says, and that nothing but the order of the log decides it."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from msgspec.structs import replace

import detectors.registry
from detectors.ebbing import Ebbing
from streams.machine import DistrictMachine
from tests.streams.world import (
    RULES,
    T0,
    TOUCHY_PACK,
    Collects,
    Item,
    Reading,
    Touchy,
    command,
    cut,
    lively,
    opening,
    registry,
    resolve,
    run,
)
from yiwang.clock import SECOND
from yiwang.columns import Readings
from yiwang.domains import load_rules
from yiwang.errors import BadInput
from yiwang.model import (
    Acknowledge,
    Body,
    Case,
    CommandResult,
    Finding,
    Incident,
    Order,
    RegistryChange,
    RulesChange,
    Tick,
    Trouble,
    VideoEvent,
)
from yiwang.registry import Rules

T = TypeVar("T")


@pytest.fixture(scope="module")
def touchy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rules]:
    """Rules with two detectors that raise at 80 cm; the detectors are there as long as the module runs."""
    file: Path = tmp_path_factory.mktemp("packs") / "touchy.yaml"
    file.write_text(TOUCHY_PACK, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detectors.registry, "DETECTORS", (*detectors.registry.DETECTORS, Touchy, Collects))
        detectors.registry.all_detectors.cache_clear()
        yield load_rules(extra=[file])
    detectors.registry.all_detectors.cache_clear()


def opened(*items: Item) -> tuple[DistrictMachine, list[Body]]:
    """A machine that has taken the opening, a first tick and ``items``, and what it said of the items."""
    machine = DistrictMachine(0)
    run(machine, cut([*opening(), Tick(t_ns=T0)], [99]))
    return machine, run(machine, cut(items, [99]))


def of(kind: type[T], bodies: list[Body]) -> list[T]:
    """The bodies of one type."""
    return [b for b in bodies if isinstance(b, kind)]


def test_a_reading_above_the_closure_depth_is_a_finding_an_incident_a_case_and_an_order_in_that_order() -> (
    None
):
    """The whole way of a drop of water in one call."""
    _, bodies = opened(Reading(0, T0 + SECOND, 30.0))
    assert [type(b) for b in bodies[:4]] == [Finding, Incident, Case, Order]
    found = of(Finding, bodies)[0]
    assert (found.device, found.place, found.metric, found.level) == ("d0-w1", "d0-up1", "water_depth", 2)
    assert (found.value, found.limit, found.reason) == (30.0, 27.0, "ladder.above")
    assert found.version == RULES.version


def test_findings_of_a_batch_stand_in_the_order_of_arrival() -> None:
    """Rounds do not: the second reading of one series arrives before the first of another."""
    _, bodies = opened(
        Reading(0, T0 + SECOND, 6.0),
        Reading(0, T0 + 2 * SECOND, 16.0),
        Reading(2, T0 + SECOND, 30.0),
    )
    assert [(f.series, f.level) for f in of(Finding, bodies)] == [(0, 4), (0, 3), (2, 2)]


def test_unknown_and_late_readings_are_told_once_at_the_next_tick() -> None:
    """One trouble a code with the count and the first names; the neighbours in the batch are used."""
    machine, bodies = opened(
        Reading(77, T0 + SECOND, 1.0),
        Reading(0, T0 + 5 * SECOND, 30.0),
        Reading(-1, T0 + SECOND, 1.0),
        Reading(0, T0 + 4 * SECOND, 1.0),
        Reading(0, T0 + 5 * SECOND, 1.0),
    )
    assert len(of(Finding, bodies)) == 1
    assert not of(Trouble, bodies)
    told = of(Trouble, machine.message(Tick(t_ns=T0 + 6 * SECOND)))
    assert [(t.code, t.count, t.args["names"]) for t in told] == [
        ("feed.late", 2, [0]),
        ("feed.unknown_series", 2, [77, -1]),
    ]
    assert not of(Trouble, machine.message(Tick(t_ns=T0 + 7 * SECOND)))


def test_sightings_of_a_camera_become_a_finding_with_the_picture() -> None:
    """A video event is a reading of the camera's series for its class; unknown ones are told."""
    events = [
        VideoEvent(
            event_id=f"v{i}",
            device=device,
            event_class="road_flooding",
            confidence=0.95,
            t_ns=T0 + i * SECOND,
            ingest_ns=0,
            image_url=f"/{i}.jpg",
        )
        for i, device in enumerate(["d0-c1", "nobody", "d0-c1", "d0-c1", "d0-c1", "d0-c1"], 1)
    ]
    machine, bodies = opened(*events)
    found = of(Finding, bodies)
    assert len(found) == 1
    assert (found[0].source, found[0].kind) == ("video", "road_flooding")
    assert found[0].image_url.endswith(".jpg")
    told = of(Trouble, machine.message(Tick(t_ns=T0 + 60 * SECOND)))
    assert [(t.code, t.args["names"]) for t in told] == [("feed.unknown_device", ["nobody road_flooding"])]


def test_only_ticks_move_time_and_never_back() -> None:
    """A reading far ahead does not, and an older tick does nothing."""
    machine, _ = opened(Reading(0, T0 + 100 * SECOND, 1.0))
    assert machine.now_ns == T0
    machine.message(Tick(t_ns=T0 + 9 * SECOND))
    assert machine.message(Tick(t_ns=T0 + 5 * SECOND)) == []
    assert machine.now_ns == T0 + 9 * SECOND


def test_every_command_has_one_result_also_a_repeated_or_a_failing_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A mistake inside the desk is a trouble and a refusal, and the machine goes on."""
    machine, _ = opened()
    first = machine.command(command(1, Acknowledge(incident="I-none"), T0))
    again = machine.command(command(1, Acknowledge(incident="I-none"), T0))
    assert [type(b) for b in first + again] == [CommandResult, CommandResult]
    assert of(CommandResult, again)[0].code == "command.repeat"

    def broken(*_: object) -> list[Body]:
        raise RuntimeError("broken")

    monkeypatch.setattr(machine.desk, "command", broken)
    bodies = machine.command(command(2, Acknowledge(incident="I-none"), T0))
    assert [getattr(b, "code", "") for b in bodies] == ["desk.failed", "desk.failed"]
    assert of(CommandResult, bodies)[0].ok is False
    assert of(Incident, machine.readings(Readings.of([(0, T0 + SECOND, 60.0, 0)])))


def test_rules_that_are_wrong_are_refused_and_the_old_ones_stay() -> None:
    """A trouble with the reason; the state is untouched."""
    machine, _ = opened()
    bad = replace(RULES, version="bad", packs=({"file": "x.yaml", "lines": {}, "body": {"domain": "x"}},))
    bodies = machine.message(RulesChange(rules=bad))
    assert [t.code for t in of(Trouble, bodies)] == ["rules.refused"]
    assert machine.watch.rulebook is not None
    assert machine.watch.rulebook.rules.version == RULES.version


def test_a_change_of_rules_keeps_an_episode_and_ends_what_is_no_longer_watched() -> None:
    """The flood goes on under the new version; without its detector it ends with a finding of level 0."""
    machine, bodies = opened(Reading(0, T0 + SECOND, 30.0))
    flood = of(Finding, bodies)[0]
    raised = load_rules(overrides=[{"entry": flood.detector, "params": {"rung_i": 40.0}}])
    assert of(Finding, machine.message(RulesChange(rules=raised))) == []
    worse = of(Finding, machine.readings(Readings.of([(0, T0 + 2 * SECOND, 41.0, 0)])))
    assert [(f.id, f.level, f.version) for f in worse] == [(flood.id, 1, raised.version)]
    packs = tuple(
        {
            **p,
            "body": {
                **p["body"],
                "detectors": {k: v for k, v in p["body"].get("detectors", {}).items() if k != flood.detector},
            },
        }
        for p in RULES.packs
    )
    without = replace(RULES, version="none", packs=packs)
    over = of(Finding, machine.message(RulesChange(rules=without)))
    assert [(f.id, f.level) for f in over] == [(flood.id, 0)]


def test_a_place_that_changes_moves_the_thresholds_of_its_sensors() -> None:
    """A registry change is a message like any other; states stay."""
    machine, _ = opened()
    place = replace(registry().places[0], attributes={"closure_depth_cm": 20.0})
    machine.message(
        RegistryChange(registry=replace(registry(), version=2, places=(place,), devices=(), units=()))
    )
    found = of(Finding, machine.readings(Readings.of([(0, T0 + SECOND, 22.0, 0)])))
    assert [(f.level, f.limit) for f in found] == [(2, 20.0)]


def test_a_series_that_is_no_longer_watched_ends_its_episode() -> None:
    """The device lost its metric: an open finding does not stay open for ever."""
    machine, bodies = opened(Reading(0, T0 + SECOND, 30.0))
    device = replace(registry().devices[0], series=())
    change = replace(registry(), version=2, places=(), devices=(device,), units=())
    over = of(Finding, machine.message(RegistryChange(registry=change)))
    assert [(f.id, f.level) for f in over] == [(of(Finding, bodies)[0].id, 0)]
    assert machine.readings(Readings.of([(0, T0 + 2 * SECOND, 60.0, 0)])) == []


def test_a_detector_that_raises_is_out_for_that_zone_alone(touchy: Rules) -> None:
    """Named in a trouble; the other zone and the other detectors go on; new rules bring it back afresh."""
    machine = DistrictMachine(0)
    run(machine, [RulesChange(rules=touchy), RegistryChange(registry=registry()), Tick(t_ns=T0)])
    bodies = machine.readings(
        Readings.of(
            [
                (0, T0 + 1, 1.0, 0),
                (2, T0 + 1, 2.0, 0),
                (1, T0 + 1, 90.0, 0),
                (0, T0 + 2, 3.0, 0),
                (2, T0 + 2, 4.0, 0),
            ]
        )
    )
    said = [(f.series, f.value, f.limit) for f in of(Finding, bodies) if f.detector == "touchy.all"]
    assert said == [(0, 1.0, 1.0), (2, 2.0, 1.0), (2, 6.0, 2.0)]
    assert [(t.code, t.args["detector"], t.args["zone"]) for t in of(Trouble, bodies)] == [
        ("detector.failed", "touchy.all", "d0-basin")
    ]
    assert [f.series for f in of(Finding, bodies) if f.detector != "touchy.all"] == [1]
    machine.message(RulesChange(rules=touchy))
    back = of(Finding, machine.readings(Readings.of([(0, T0 + 3, 5.0, 0), (2, T0 + 3, 6.0, 0)])))
    back = [f for f in back if f.detector == "touchy.all"]
    assert [(f.series, f.value, f.limit) for f in back] == [(0, 5.0, 1.0), (2, 12.0, 3.0)]


def test_a_detector_that_raises_in_a_tick_is_out_for_that_zone_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ticks of the other zones are made up for with the state from before."""

    def tick(self: Ebbing, state: object, t_ns: int) -> object:
        if (self.rung_ii == 27.0).any():  # the underpass with a closure depth of its own
            raise ValueError(t_ns)
        return ticks(self, state, t_ns)

    ticks = Ebbing.tick
    machine, _ = opened()
    monkeypatch.setattr(Ebbing, "tick", tick)
    for lane in machine.watch.lanes:
        lane.ticks = lane.entry.use == "ebbing" and lane.entry.metric == "water_depth"
    bodies = machine.message(Tick(t_ns=T0 + 30 * SECOND))
    zones = {t.args["zone"] for t in of(Trouble, bodies) if t.code == "detector.failed"}
    assert "d0-basin" in zones
    machine.message(Tick(t_ns=T0 + 60 * SECOND))
    late = [(0, T0 + 61 * SECOND, 90.0, 0), (1, T0 + 61 * SECOND, 90.0, 0)]
    assert of(Finding, machine.readings(Readings.of(late))) == []


@pytest.mark.parametrize("seed", range(30))
def test_cutting_joining_and_snapshots_change_nothing(seed: int, touchy: Rules) -> None:
    """The same log, cut any other way and dumped and loaded between any two calls: the same outputs."""
    chance = Random(seed)
    few = replace(registry(), version=2, places=(), devices=(registry().devices[2],), units=())
    extra: list[Item] = [
        RulesChange(rules=touchy),
        RulesChange(rules=RULES),
        RegistryChange(registry=few),
        RegistryChange(registry=replace(few, devices=(replace(few.devices[0], series=()),))),
    ]
    first: list[Item] = [RulesChange(rules=touchy), RegistryChange(registry=registry()), Tick(t_ns=T0)]
    items = resolve([*first, *lively(chance, extra=extra)])
    one = DistrictMachine(0)
    expected = run(one, cut(items, [1]))
    assert one.n == len(expected)
    sizes = [chance.randint(1, 40) for _ in range(5)]
    kept = chance.randint(1, 12)
    machine = DistrictMachine(0)
    said: list[Body] = []
    for i, piece in enumerate(cut(items, sizes)):
        said += run(machine, [piece])
        if i % kept == 0:
            machine = DistrictMachine.load(machine.dump())
    assert said == expected
    assert machine.n == one.n
    assert machine.dump() == DistrictMachine.load(one.dump()).dump()


def test_a_snapshot_of_a_newer_release_or_a_broken_one_is_refused() -> None:
    """With a code of its own each."""
    machine, _ = opened(Reading(0, T0 + SECOND, 30.0))
    data = machine.dump()
    newer = data[:3] + bytes([data[3] + 1]) + data[4:]
    for wrong, code in (
        (newer, "snapshot.version"),
        (b"no", "snapshot.damaged"),
        (data[:-9], "snapshot.damaged"),
    ):
        with pytest.raises(BadInput) as caught:
            DistrictMachine.load(wrong)
        assert caught.value.code == code


def test_a_machine_without_rules_keeps_its_desk() -> None:
    """Units that were registered before any rules came survive the snapshot."""
    machine = DistrictMachine(0)
    machine.message(RegistryChange(registry=registry()))
    again = DistrictMachine.load(machine.dump())
    assert again.dump() == machine.dump()
    for m in (machine, again):
        m.message(RulesChange(rules=RULES))
    said = [m.readings(Readings.of([(0, T0, 60.0, 0)])) for m in (machine, again)]
    assert said[0] == said[1]
    assert of(Order, said[0])
