"""The way through Kafka and the direct way give the same incidents on five scenarios.

A stretch of each becomes one district of one city, so that five of them cost one run.
"""

import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scenarios import directly, files
from scenarios.model import Scenario
from tests.real_run import carry
from yiwang.clock import SECOND, parse_iso
from yiwang.columns import Readings
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.model import Incident
from yiwang.registry import District, Registry, Text

pytestmark = pytest.mark.slow

FIVE = ("cloudburst", "traffic_breakdown", "fire_panels", "gas_leaks-late", "night")
START_NS = parse_iso("2026-07-01T00:00:00+08:00")
TICK_S = 10.0


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Part of a scenario's first district, moved to ``START_NS`` and to another number."""

    registry: Registry
    readings: Readings
    arrivals: Any  # Any: int64 (n,) or None
    events: tuple[tuple[int, int, Any], ...]  # Any: an event of a scenario


def stretch(scenario: Scenario, number: int, *, before_s: float = 1200, after_s: float = 1500) -> Stretch:
    """Round the first truth whose district it is; from the beginning where nothing is true."""
    first = min((t.begin_ns for t in scenario.truth if t.district == 0), default=scenario.start_ns)
    begin = max(scenario.start_ns, first - round(before_s * SECOND))
    end, move = first + round(after_s * SECOND), START_NS - begin
    r, arrival = scenario.readings[0], scenario.arrivals.get(0)
    keep = (r.t_ns >= begin) & (r.t_ns < end)

    def moved(struct: Any, **more: Any) -> Any:  # Any: any message with times and perhaps a district
        changes = {
            name: getattr(struct, name) + move for name in ("t_ns", "until_ns") if hasattr(struct, name)
        }
        if hasattr(struct, "district"):
            changes["district"] = number
        return msgspec.structs.replace(struct, **changes, **more)

    registry = scenario.registries[0]
    return Stretch(
        registry=Registry(
            version=1,
            places=tuple(
                msgspec.structs.replace(p, id=f"{number}-{p.id}", district=number) for p in registry.places
            ),
            devices=tuple(
                msgspec.structs.replace(
                    d, id=f"{number}-{d.id}", district=number, place=f"{number}-{d.place}"
                )
                for d in registry.devices
            ),
            units=tuple(
                msgspec.structs.replace(u, id=f"{number}-{u.id}", district=number) for u in registry.units
            ),
        ),
        readings=Readings(
            series=r.series[keep], t_ns=r.t_ns[keep] + move, value=r.value[keep], quality=r.quality[keep]
        ),
        arrivals=None if arrival is None else arrival[keep] + move,
        events=tuple(
            (t + move, number, moved(e, device=f"{number}-{e.device}") if hasattr(e, "device") else moved(e))
            for t, d, e in scenario.events
            if d == 0 and begin <= t < end
        ),
    )


def city(names: tuple[str, ...]) -> Scenario:
    """One district from each scenario."""
    scenarios = [files.load(name) for name in names]
    parts = [stretch(s, n) for n, s in enumerate(scenarios)]
    return dataclasses.replace(
        scenarios[0],
        name="five",
        start_ns=START_NS,
        end_ns=START_NS + 2700 * SECOND,
        settle_s=600.0,
        tick_s=TICK_S,
        rules=msgspec.structs.replace(scenarios[0].rules, tick_s=TICK_S),
        districts=tuple(
            District(number=n, code=f"99000{n}", name=Text(name, name)) for n, name in enumerate(names)
        ),
        registries={n: p.registry for n, p in enumerate(parts)},
        readings={n: p.readings for n, p in enumerate(parts)},
        arrivals={n: p.arrivals for n, p in enumerate(parts) if p.arrivals is not None},
        events=tuple(sorted((e for p in parts for e in p.events), key=lambda e: e[:2])),
        truth=(),
    )


def test_five_scenarios_give_the_same_incidents_through_kafka(
    kafka: EmbeddedKafka, pg_dsn: str, tmp_path: Path
) -> None:
    """Ids, levels, confidence, standing, evidence and history are equal, and so is every output before them."""
    five = city(FIVE)
    played = directly.play(five)
    raised = {n: [b for b in out if isinstance(b, Incident)] for n, out in played.bodies.items()}
    assert all(raised.values())
    assert len({i.kind for i in played.incidents}) >= 4
    outcome = carry(
        five,
        "five-scenarios",
        bootstrap=kafka.bootstrap,
        dsn=pg_dsn,
        folder=tmp_path,
        workers=2,
        frame_rows=50,
    )
    assert outcome.stored.incidents == played.incidents
    assert outcome.bodies == played.bodies
