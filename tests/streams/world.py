"""A small district for tests: two underpasses in one catchment, a road, cameras, gas, crews."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Annotated, ClassVar

import numpy as np
from msgspec.structs import replace

from detectors.protocol import Param, Quiet, Spec
from streams.machine import DistrictMachine
from yiwang.clock import SECOND
from yiwang.columns import F64, NO_FINDINGS, FindingColumns, Readings, Round
from yiwang.domains import compile_rules, load_rules
from yiwang.model import (
    Acknowledge,
    Action,
    Body,
    Command,
    Dispatch,
    FeedMessage,
    Incident,
    RegistryChange,
    RulesChange,
    Tick,
    VideoEvent,
)
from yiwang.registry import Device, Place, Registry, Rules, Series, Text, Unit

T0 = 1_780_000_000 * SECOND
DEPTHS, SPEED, GAS, CAMERA = (0, 1, 2), 3, 4, 5
SERIES = 6 + 4  # the camera has a series for each of four classes
CLASSES = ("road_flooding", "traffic_crash", "smoke", "fire")


def registry(district: int = 0) -> Registry:
    """Three water sensors at two underpasses, a road sensor, a gas sensor, a camera, crews."""
    tag = f"d{district}"
    places = tuple(
        Place(
            id=f"{tag}-{name}",
            district=district,
            zone=f"{tag}-{zone}",
            kind=kind,
            name=Text(name, name),
            lon=120.0 + i * 0.01,
            lat=30.0,
            attributes=attributes,
        )
        for i, (name, zone, kind, attributes) in enumerate(
            (
                ("up1", "basin", "underpass", {"closure_depth_cm": 27.0}),
                ("up2", "basin2", "underpass", {}),
                ("road", "corridor", "road", {"road_class": 1.0}),
                ("valve", "block", "valve_chamber", {}),
            )
        )
    )
    devices = tuple(
        Device(
            id=f"{tag}-{id_}",
            district=district,
            kind=kind,
            place=f"{tag}-{place}",
            name=Text(id_, id_),
            lon=120.0,
            lat=30.0,
            series=tuple(Series(number=n, metric=m) for n, m in series),
        )
        for id_, kind, place, series in (
            ("w1", KINDS["water_depth"], "up1", ((0, "water_depth"),)),
            ("w2", KINDS["water_depth"], "up1", ((1, "water_depth"),)),
            ("w3", KINDS["water_depth"], "up2", ((2, "water_depth"),)),
            ("s1", KINDS["link_speed"], "road", ((3, "link_speed"),)),
            ("g1", KINDS["gas_lel"], "valve", ((4, "gas_lel"),)),
            ("c1", "camera", "up1", tuple((CAMERA + i, f"video_{c}") for i, c in enumerate(CLASSES))),
        )
    )
    units = tuple(
        Unit(
            id=f"{tag}-{skill}-{i}",
            district=district,
            name=Text(skill, skill),
            skill=skill,
            lon=120.0 + 0.001 * i,
            lat=30.0,
        )
        for skill in ("drainage", "traffic", "gas")
        for i in range(2)
    )
    return Registry(version=1, places=places, devices=devices, units=units)


def _kinds() -> dict[str, str]:
    domains = compile_rules(load_rules())
    return {
        metric: next(k.id for k in domains.device_kinds.values() if metric in k.metrics)
        for metric in ("water_depth", "link_speed", "gas_lel")
    }


RULES: Rules = load_rules()
KINDS = _kinds()


@dataclass(frozen=True)
class Reading:
    """One row of a feed, before it is cut into frames."""

    series: int
    t_ns: int
    value: float
    quality: int = 0


Item = Reading | FeedMessage


def opening(district: int = 0) -> list[Item]:
    """What every feed begins with."""
    return [RulesChange(rules=RULES), RegistryChange(registry=registry(district))]


def cut(items: Sequence[Item], sizes: Sequence[int]) -> Iterator[Readings | FeedMessage]:
    """Consecutive readings as batches of the given sizes in turn; messages stay what and where they are."""
    turn = 0
    rows: list[tuple[int, int, float, int]] = []
    for item in items:
        if isinstance(item, Reading):
            rows.append((item.series, item.t_ns, item.value, item.quality))
            if len(rows) >= sizes[turn % len(sizes)]:
                turn += 1
                yield Readings.of(rows)
                rows = []
            continue
        if rows:
            yield Readings.of(rows)
            rows = []
        yield item
    if rows:
        yield Readings.of(rows)


def command(n: int, action: Action, t_ns: int = T0, seen_feed: int = 0) -> Command:
    """A decision with a number for an id."""
    return Command(
        command_id=f"k{n}", by="desk-0", t_ns=t_ns, ingest_ns=t_ns, action=action, seen_feed=seen_feed
    )


def lively(chance: Random, *, extra: Sequence[Item] = (), length: int = 25) -> list[Item]:
    """A feed with jumps of depth, duplicates, late and unknown readings, sightings, ticks, decisions."""
    items: list[Item] = []
    now = 0
    for i in range(chance.randint(1, length)):
        items += [
            Reading(
                chance.randint(-1, SERIES),
                T0 + (now + chance.randint(-40, 30)) * SECOND,
                chance.choice([0.0, 3.0, 12.0, 22.0, 30.0, 55.0, 80.0, float("nan")]),
                chance.choice([0, 0, 0, 1]),
            )
            for _ in range(chance.randint(0, 12))
        ]
        now += chance.randint(0, 60)
        match chance.choice(["tick", "tick", "tick", "video", "command", "extra"]):
            case "tick":
                items.append(Tick(t_ns=T0 + now * SECOND))
            case "video":
                device, event_class = chance.choice(["d0-c1", "d0-c9"]), chance.choice([*CLASSES, "ufo"])
                items += [
                    VideoEvent(
                        event_id=f"v{i}",
                        device=device,
                        event_class=event_class,
                        confidence=chance.choice([0.2, 0.9]),
                        t_ns=T0 + (now + k) * SECOND,
                        ingest_ns=0,
                        image_url=f"/{i}.jpg",
                    )
                    for k in range(4)
                ]
            case "command":
                unit = chance.choice(["d0-drainage-0", "d0-gas-1"])
                action = chance.choice([Acknowledge(incident="I-1"), Dispatch(incident="I-1", unit=unit)])
                items.append(command(chance.randint(0, i), action, T0 + now * SECOND))
            case _:
                items += [chance.choice(extra)] if extra else []
    items.append(Tick(t_ns=T0 + (now + 4000) * SECOND))
    return items


@dataclass(frozen=True, kw_only=True)
class Touchy(Quiet):
    """A detector that cannot take some values: raises in the middle of writing its state."""

    name: ClassVar[str] = "touchy"
    reasons: ClassVar[tuple[str, ...]] = ("ladder.above",)

    limit: Annotated[Param, Spec(unit="metric", lo=-1e9, hi=1e9)]

    def start(self, n: int) -> "TouchyState":
        """All zero."""
        return TouchyState(sum=np.zeros(n), count=np.zeros(n))

    def step(self, state: "TouchyState", r: Round) -> FindingColumns:
        """Says every reading, with the sum so far; 80 and more it cannot take."""
        state.sum[r.series] += np.nan_to_num(r.value)
        if (r.value >= 80).any():
            raise ZeroDivisionError("too deep")
        state.count[r.series] += 1
        if len(r) == 0:
            return NO_FINDINGS
        return FindingColumns(
            series=r.series,
            t_ns=r.t_ns,
            since_ns=r.t_ns,
            level=np.full(len(r), 4, np.int8),
            value=state.sum[r.series],
            limit=state.count[r.series],
            reason=np.zeros(len(r), np.uint8),
        )


@dataclass(slots=True, kw_only=True)
class TouchyState:
    """Sums per series."""

    sum: F64
    count: F64


class Collects(Touchy):
    """The same, and given late readings too."""

    name: ClassVar[str] = "collects"
    wants_late: ClassVar[bool] = True


TOUCHY_PACK = """\
domain: touchy
name: {zh: 敏感, en: Touchy}
detectors:
  touchy.all:
    use: touchy
    version: 1
    metric: water_depth
    kind: road_flooding
    source: "P"
    params: {limit: 1}
  collects.all:
    use: collects
    version: 1
    metric: link_speed
    kind: traffic_incident
    source: "P"
    params: {limit: 1}
"""


def run(machine: DistrictMachine, pieces: Iterable[Readings | FeedMessage]) -> list[Body]:
    """All outputs of a machine for pieces of feed."""
    bodies: list[Body] = []
    for piece in pieces:
        bodies += machine.readings(piece) if isinstance(piece, Readings) else machine.message(piece)
    return bodies


def resolve(items: Sequence[Item]) -> list[Item]:
    """Decisions about "I-1" become decisions about the newest incident at that place of the feed."""
    machine = DistrictMachine(0)
    newest = "I-0"
    resolved: list[Item] = []
    for item in items:
        if isinstance(item, Command) and isinstance(item.action, Acknowledge | Dispatch):
            item = replace(item, action=replace(item.action, incident=newest))
        resolved.append(item)
        for body in run(machine, cut([item], [1])):
            newest = body.id if isinstance(body, Incident) else newest
    return resolved
