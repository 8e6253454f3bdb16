"""The mixed generators and the library as a whole: reproducible, and right by the check."""

import numpy as np
import pytest

from scenarios import files
from scenarios.generators.quiet_week import quiet_week
from scenarios.generators.storm_night import mixed_storm_night
from scenarios.model import Scenario
from yiwang.clock import SECOND, parse_iso
from yiwang.domains import compile_rules

EVENING = parse_iso("2026-06-20T19:00:00+08:00")
MONDAY = parse_iso("2026-06-15T00:00:00+08:00")


def same(a: Scenario, b: Scenario) -> bool:
    return a.truth == b.truth and a.events == b.events and all(
        np.array_equal(a.readings[n].value, r.value) and np.array_equal(a.readings[n].t_ns, r.t_ns)
        for n, r in b.readings.items()
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_the_storm_floods_a_district(seed: int) -> None:
    """Dozens of sites with one cause, and gas, fire, traffic and broken gauges among them."""
    night = mixed_storm_night(start_ns=EVENING, seed=seed)
    kinds = [t.kind for t in night.truth if not t.optional]
    assert kinds.count("road_flooding") == 38
    assert {"heavy_rain", "gas_leak", "fire", "sensor_fault"} < set(kinds)
    assert {t.severity for t in night.truth if t.kind == "road_flooding"} == {1, 2, 3, 4}
    assert len({type(e).__name__ for _, _, e in night.events}) == 3
    assert same(night, mixed_storm_night(start_ns=EVENING, seed=seed))
    assert not same(night, mixed_storm_night(start_ns=EVENING, seed=seed + 10))


def test_the_storm_is_over_before_its_end() -> None:
    """Every street is dry, so that every incident can be closed while the sensors still speak."""
    night = mixed_storm_night(start_ns=EVENING, seed=3)
    last = max(t.end_ns for t in night.truth if t.kind == "road_flooding")
    assert (night.end_ns - last) / SECOND > 2_400


def test_a_quiet_week_has_nothing_to_raise() -> None:
    """Seven days, devices of every domain, weekend and rush hours, and no truth at all."""
    week = quiet_week(start_ns=MONDAY, seed=1)
    assert week.truth == ()
    assert (week.end_ns - week.start_ns) / SECOND == 7 * 86_400
    kinds = compile_rules(week.rules).device_kinds
    domains = {kinds[d.kind].domain for d in week.registries[0].devices}
    assert {"flooding", "traffic", "safety", "environment", "lifelines", "hazmat", "sites"} <= domains
    radar = next(d for d in week.registries[0].devices if d.kind == "speed_radar")
    r = week.readings[0]
    mine = r.series == radar.series[0].number
    hour = (r.t_ns[mine] / SECOND / 3600 + 8) % 24
    day = (r.t_ns[mine] - MONDAY) // (86_400 * SECOND)
    rush = (hour > 17.5) & (hour < 18.5)
    assert r.value[mine][rush & (day < 5)].mean() < r.value[mine][rush & (day >= 5)].mean() - 8


@pytest.mark.slow
@pytest.mark.parametrize("name", list(files.library()))
def test_every_scenario_of_the_library_is_right(name: str) -> None:
    """Known kinds and places, truth in order and within the time, nothing twice, no overlap."""
    scenario, problems = files.check(name)
    assert list(map(str, problems)) == []
    assert scenario is not None
    assert scenario.name == name
    assert scenario.reading_count or scenario.events
    assert files.about(name).title.en


@pytest.mark.parametrize("fault", ["late", "duplicate", "shuffled"])
def test_copies_with_faults_are_of_their_original(fault: str) -> None:
    """The same truth in the same place, under a name of its own; late ones may be raised later."""
    original, copy = files.load("gas_leaks"), files.load(f"gas_leaks-{fault}")
    assert copy.name == f"gas_leaks-{fault}"
    assert [(t.id, t.begin_ns) for t in copy.truth] == [(t.id, t.begin_ns) for t in original.truth]
    if fault == "duplicate":
        assert copy.reading_count > original.reading_count * 1.25
    else:
        assert copy.reading_count == original.reading_count
        assert not np.array_equal(copy.readings[0].series, original.readings[0].series)
