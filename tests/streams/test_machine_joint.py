"""Entries over several metrics: what a joint detector is told, and readings that stand for another metric."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import pytest

import detectors.registry
from detectors.protocol import ALONE, Layout, Param, Spec
from streams.machine import DistrictMachine
from yiwang.clock import SECOND
from yiwang.columns import F64, NO_FINDINGS, FindingColumns, Readings, Round
from yiwang.domains import compile_rules, load_rules
from yiwang.errors import BadInput
from yiwang.model import Body, Finding, RegistryChange, RulesChange, Tick, Trouble
from yiwang.registry import Device, Place, Registry, Rules, Series, Text

T0 = 1_780_000_020 * SECOND  # a whole minute


@dataclass(slots=True, kw_only=True)
class ChorusState:
    """Newest value and level said, float64 (n,)."""

    last: F64
    said: F64


@dataclass(frozen=True, kw_only=True)
class Chorus:
    """On a tick: the depths of a zone where it rains, if any is above ``limit``; says the deepest of each."""

    name: ClassVar[str] = "chorus"
    roles: ClassVar[tuple[str, ...]] = ("depth", "rain")
    reasons: ClassVar[tuple[str, ...]] = ("ladder.above",)
    wants_late: ClassVar[bool] = False

    limit: Annotated[Param, Spec(unit="metric", lo=-1e9, hi=1e9)]
    layout: Layout = ALONE

    def start(self, n: int) -> ChorusState:
        """Nothing yet."""
        return ChorusState(last=np.full(n, np.nan), said=np.zeros(n))

    def step(self, state: ChorusState, r: Round) -> FindingColumns:
        """Keep the newest."""
        if (r.value > 900).any():
            raise ZeroDivisionError("too deep")
        state.last[r.series] = r.value
        return NO_FINDINGS

    def tick(self, state: ChorusState, t_ns: int) -> FindingColumns:
        """Depths where it rains in the same zone."""
        at = self.layout
        wet = set(at.zone[(at.role == 1) & (state.last > 0)].tolist())
        deep = (at.role == 0) & np.isin(at.zone, list(wet)) & (state.last > np.asarray(self.limit))
        rows = np.flatnonzero(deep & (state.said == 0))
        state.said[rows] = 4
        return FindingColumns(
            series=rows.astype(np.int32),
            t_ns=np.full(len(rows), t_ns),
            since_ns=np.full(len(rows), t_ns),
            level=np.full(len(rows), 4, np.int8),
            value=state.last[rows],
            limit=np.broadcast_to(np.asarray(self.limit, np.float64), len(at))[rows],
            reason=np.zeros(len(rows), np.uint8),
            numbers={"x_m": at.x_m[rows], "at_m": at.at_m[rows]},
            confidence=np.full(len(rows), 0.25),
        )


PACK = """\
domain: choir
name: {zh: 合唱, en: Choir}
metrics:
  air_gap:
    name: {zh: 空高, en: Air gap}
    unit: cm
    range: [0, 1000]
    period_s: 60
    attributes: {deep: 12, shallow: null}
    reads_as: {metric: water_depth, scale: -1, offset: {device: mount_height_cm, default: null}}
    source: "P"
device_kinds:
  sonar: {name: {zh: 声呐, en: Sonar}, metrics: [air_gap], icon: water}
detectors:
  choir.depth:
    use: chorus
    version: 1
    metric: water_depth
    also: {rain: rain_intensity}
    kind: road_flooding
    every_s: 60
    reliability: 0.5
    source: "P"
    params: {limit: {metric: deep, default: 10}}
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rules]:
    """The built-in packs and the choir's; the detector is there as long as the module runs."""
    file: Path = tmp_path_factory.mktemp("packs") / "choir.yaml"
    file.write_text(PACK, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detectors.registry, "DETECTORS", (*detectors.registry.DETECTORS, Chorus))
        detectors.registry.all_detectors.cache_clear()
        yield load_rules(extra=[file], lateness_s=0.0)
    detectors.registry.all_detectors.cache_clear()


def registry() -> Registry:
    """Zone a: a gauge, a sonar, rain. Zone b: a gauge alone."""
    places = tuple(
        Place(
            id=id_,
            district=0,
            zone=zone,
            kind="road",
            name=Text(id_),
            lon=113.0 + 0.001 * i,
            lat=0.0,
            attributes={"chainage_m": 100.0 * i},
        )
        for i, (id_, zone) in enumerate((("A1", "a"), ("A2", "a"), ("B1", "b")))
    )
    devices = tuple(
        Device(
            id=id_,
            district=0,
            kind=kind,
            place=place,
            name=Text(id_),
            lon=113.0 + 0.001 * i,
            lat=0.0,
            series=(Series(number=number, metric=metric),),
            attributes=attributes,
        )
        for i, (id_, kind, place, number, metric, attributes) in enumerate(
            (
                ("gauge-a", "road_water_level", "A1", 0, "water_depth", {}),
                ("sonar-a", "sonar", "A2", 1, "air_gap", {"mount_height_cm": 300.0}),
                ("rain-a", "rain_gauge", "A2", 2, "rain_intensity", {}),
                ("gauge-b", "road_water_level", "B1", 3, "water_depth", {}),
                ("sonar-b", "sonar", "B1", 4, "air_gap", {}),
            )
        )
    )
    return Registry(version=1, places=places, devices=devices)


def started(rules: Rules) -> DistrictMachine:
    """A machine with rules, registry and a first tick."""
    machine = DistrictMachine(0)
    for message in (RulesChange(rules=rules), RegistryChange(registry=registry()), Tick(t_ns=T0)):
        machine.message(message)
    return machine


def choir(bodies: list[Body]) -> list[Finding]:
    """What the choir said."""
    return [b for b in bodies if isinstance(b, Finding) and b.detector == "choir.depth"]


def all_of(machine: DistrictMachine, *depths: float) -> list[Body]:
    """One reading of each series ten seconds after the start."""
    return machine.readings(Readings.of([(i, T0 + 10 * SECOND, v, 0) for i, v in enumerate(depths)]))


def test_series_of_one_zone_are_seen_together_and_transformed(rules: Rules) -> None:
    """Where it rains, gauge and sonar are deep; the sonar's 280 cm of air are 20 cm of water."""
    machine = started(rules)
    all_of(machine, 15, 280, 3, 90, 100)
    said = choir(machine.message(Tick(t_ns=T0 + 60 * SECOND)))
    assert [(f.device, f.metric, f.value, f.limit) for f in said] == [
        ("gauge-a", "water_depth", 15.0, 10.0),
        (
            "sonar-a",
            "water_depth",
            20.0,
            10.0,
        ),  # judged as a depth: what its own metric carries says nothing here
    ]
    assert [f.confidence for f in said] == [0.25, 0.25]
    assert said[1].numbers["at_m"] == 100.0
    assert said[1].numbers["x_m"] == pytest.approx(111.2, abs=0.1)


def test_what_is_no_longer_registered_costs_a_tick_nothing(rules: Rules) -> None:
    """Detector and layout of the rest are made once, not at every tick, and anew when the registry changes."""
    machine = started(rules)
    lane = next(one for one in machine.watch.lanes if one.entry.id == "choir.depth")
    gone = msgspec.structs.replace(registry().devices[0], series=())
    machine.message(RegistryChange(registry=Registry(version=2, devices=(gone,))))
    all_of(machine, 15, 280, 3, 90, 100)
    said = choir(machine.message(Tick(t_ns=T0 + 60 * SECOND)))
    assert [f.device for f in said] == ["sonar-a"]
    made = lane.part
    assert made is not None
    assert choir(machine.message(Tick(t_ns=T0 + 120 * SECOND))) == []
    assert lane.part is made
    machine.message(RegistryChange(registry=registry()))
    assert lane.part is None


def test_entry_ticks_on_its_own_grid(rules: Rules) -> None:
    """An entry with every_s ticks on multiples of it only."""
    machine = started(rules)
    all_of(machine, 15, 299, 3, 0, 0)
    assert choir(machine.message(Tick(t_ns=T0 + 59 * SECOND))) == []
    assert len(choir(machine.message(Tick(t_ns=T0 + 61 * SECOND)))) == 1


def test_sonar_of_unknown_height_says_nothing(rules: Rules) -> None:
    """Without its mounting height a distance is no depth: the ladder hears NaN."""
    machine = started(rules)
    said = all_of(machine, 0, 250, 0, 0, 10)
    assert {f.device for f in said if isinstance(f, Finding) and f.detector == "depth.ladder"} == {"sonar-a"}


def test_zone_in_which_a_joint_detector_raises_is_left_out(rules: Rules) -> None:
    """The other zone goes on, with a layout of its own rows."""
    machine = started(rules)
    said = all_of(machine, 15, 280, 3, 950, 100)
    assert [b.args["zone"] for b in said if isinstance(b, Trouble)] == ["b"]
    assert len(choir(machine.message(Tick(t_ns=T0 + 60 * SECOND)))) == 2


def test_snapshot_keeps_layout_and_transforms(rules: Rules) -> None:
    """Taken back, the machine says what the other would have said."""
    first = started(rules)
    all_of(first, 15, 280, 3, 90, 100)
    second = DistrictMachine.load(first.dump())
    tick = Tick(t_ns=T0 + 60 * SECOND)
    assert second.message(tick) == first.message(tick)


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ("also: {rain:", "also: {snow:", "domain.field", "no further role 'snow'"),
        ("also: {rain: rain_intensity}", "also: {rain: water_depth}", "domain.duplicate", "water_depth"),
        ("every_s: 60", "every_s: -1", "domain.value", "0 to 86400"),
        ("reliability: 0.5", "reliability: 2", "domain.value", "0 to 1"),
        ("metric: water_depth, scale", "metric: air_gap, scale", "domain.value", "itself reads as another"),
        ("scale: -1", "scale: 0", "domain.value", "must not be 0"),
        ("deep: 12", "deep: twelve", "domain.value", "must be a number"),
    ],
)
def test_faults_are_named(
    tmp_path: Path,
    rules: Rules,
    old: str,
    new: str,
    code: str,
    said: str,
) -> None:
    """Wrong roles, grids, transforms and attributes are refused with file, line and field."""
    assert old in PACK
    file = tmp_path / "choir.yaml"
    file.write_text(PACK.replace(old, new), encoding="utf-8")
    with pytest.raises(BadInput, match=said) as caught:
        detectors.registry.check(compile_rules(load_rules(extra=[file])))
    assert caught.value.code == code
    assert caught.value.details["file"] == "choir.yaml"
    assert caught.value.details["line"] > 0
