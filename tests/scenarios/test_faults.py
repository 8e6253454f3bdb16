"""Faults of transport: what they change, and that the machine's results stand them."""

import dataclasses

import numpy as np
import pytest

from scenarios import faults
from scenarios.building import Builder
from scenarios.directly import incidents_and_orders
from scenarios.faults import inject
from scenarios.model import Scenario
from scenarios.problems import Problems
from scenarios.spec import Clock, Dropped, Duplicated, Faults, Late, Shuffled
from yiwang.clock import SECOND, parse_iso
from yiwang.columns import Quality, Readings
from yiwang.registry import Text

START = parse_iso("2026-06-01T00:00:00Z")


def plain(devices: int = 5, n: int = 60) -> Scenario:
    """Gauges that say their own number of the reading, every ten seconds."""
    b = Builder("plain", Text("平", "Plain"), start_ns=START, seed=1, duration_s=10.0 * n)
    for k in range(devices):
        b.place(f"P{k}", "road", zone="Z", lon=113 + k / 100, lat=23)
        b.device(f"D{k}", "road_water_level", f"P{k}")
        b.readings(f"D{k}", "water_depth", b.times(10, phase_s=k), np.arange(n, dtype=np.float64) / 100)
    return b.build()


def rows(r: Readings) -> list[tuple[int, int, float, int]]:
    columns = (r.series.tolist(), r.t_ns.tolist(), r.value.tolist(), r.quality.tolist())
    return list(zip(*columns, strict=True))


def by_series(r: Readings) -> dict[int, list[int]]:
    return {s: r.t_ns[r.series == s].tolist() for s in np.unique(r.series).tolist()}


ALL = Faults(
    seed=4,
    dropped=(Dropped(share=0.1),),
    clock=(Clock(by_s=20, share=0.5),),
    late=(Late(share=0.3, by_s=(1, 30)),),
    duplicated=(Duplicated(share=0.2),),
    shuffled=Shuffled(window_s=5),
)


def test_the_same_seed_gives_the_same_faults() -> None:
    """And another seed others; the scenario itself is left alone."""
    scenario = plain()
    before = rows(scenario.readings[0])
    one, two = inject(scenario, ALL), inject(scenario, ALL)
    assert rows(one.readings[0]) == rows(two.readings[0])
    assert np.array_equal(one.arrivals[0], two.arrivals[0])
    other = inject(scenario, Faults(seed=5, dropped=ALL.dropped))
    assert rows(other.readings[0]) != rows(inject(scenario, Faults(seed=4, dropped=ALL.dropped)).readings[0])
    assert rows(scenario.readings[0]) == before
    assert scenario.arrivals == {}


def test_readings_stand_in_order_of_arrival() -> None:
    """Whatever the faults, the feed can be played from front to back."""
    made = inject(plain(), ALL)
    assert len(made.arrivals[0]) == len(made.readings[0])
    assert (np.diff(made.arrivals[0]) >= 0).all()


def test_no_fault_changes_nothing() -> None:
    """An empty list of faults is the scenario itself."""
    scenario = plain()
    assert rows(inject(scenario, Faults()).readings[0]) == rows(scenario.readings[0])


def test_dropped_readings_are_gone_where_and_when_meant() -> None:
    """A silence has devices, a begin and an end; the others lose nothing."""
    scenario = plain()
    made = inject(scenario, Faults(dropped=(Dropped(share=1, devices=("D1",), from_s=100, to_s=300),)))
    lost = set(rows(scenario.readings[0])) - set(rows(made.readings[0]))
    assert len(lost) == 20
    assert all(s == 1 and 100 <= (t - START) / SECOND < 300 for s, t, _, _ in lost)
    assert len(made.readings[0]) == scenario.reading_count - 20


def test_a_share_is_about_that_share() -> None:
    """A tenth of many is about a tenth."""
    scenario = plain(50, 200)
    made = inject(scenario, Faults(dropped=(Dropped(share=0.1),)))
    assert len(made.readings[0]) / scenario.reading_count == pytest.approx(0.9, abs=0.02)


def test_late_readings_come_within_their_delay_with_their_own_time() -> None:
    """Nothing is lost or changed; truths may be raised as much later."""
    scenario = plain()
    made = inject(scenario, Faults(late=(Late(share=0.5, by_s=(2, 30)),)))
    assert sorted(rows(made.readings[0])) == sorted(rows(scenario.readings[0]))
    delay_s = (made.arrivals[0] - made.readings[0].t_ns) / SECOND
    assert ((delay_s == 0) | ((delay_s >= 2) & (delay_s <= 30))).all()
    assert 0.3 < (delay_s > 0).mean() < 0.7
    assert any(t != sorted(t) for t in by_series(made.readings[0]).values())


def test_doubled_readings_come_again_after_the_first() -> None:
    """A copy is equal and comes later, never before."""
    scenario = plain()
    made = inject(scenario, Faults(duplicated=(Duplicated(share=0.3, within_s=8, devices=("D0", "D2")),)))
    extra = len(made.readings[0]) - scenario.reading_count
    assert 20 < extra < 60
    assert set(rows(made.readings[0])) == set(rows(scenario.readings[0]))
    twice = [r for r in set(rows(made.readings[0])) if rows(made.readings[0]).count(r) == 2]
    assert {s for s, *_ in twice} == {0, 2}


def test_shuffled_series_keep_their_own_order_and_tick() -> None:
    """Between two ticks the series change places; none of them runs backwards."""
    scenario = dataclasses.replace(plain(), tick_s=10.0)
    made = inject(scenario, Faults(shuffled=Shuffled()))
    assert rows(made.readings[0]) != rows(scenario.readings[0])
    assert by_series(made.readings[0]) == by_series(scenario.readings[0])
    own = -(-made.readings[0].t_ns // (10 * SECOND))
    come = -(-made.arrivals[0] // (10 * SECOND))
    assert np.array_equal(own, come)


def test_a_clock_that_is_a_little_wrong_shifts_the_times() -> None:
    """The readings come as before and say another time."""
    scenario = plain()
    made = inject(scenario, Faults(clock=(Clock(by_s=-30, devices=("D3",), from_s=200),)))
    r = made.readings[0]
    shift_s = (made.arrivals[0] - r.t_ns) / SECOND
    meant = (r.series == 3) & (made.arrivals[0] >= START + 200 * SECOND)
    assert np.array_equal(shift_s, np.where(meant, 30.0, 0.0))
    assert not r.quality.any()


def test_a_clock_beyond_belief_gets_the_time_of_arrival_and_a_mark() -> None:
    """As ingest does it with a device whose clock is far in the future."""
    made = inject(plain(), Faults(clock=(Clock(by_s=3600, devices=("D3",)),)))
    r = made.readings[0]
    assert np.array_equal(made.arrivals[0], r.t_ns)
    assert np.array_equal(r.quality == Quality.CLOCK, r.series == 3)


def essence(scenario: Scenario) -> list[tuple[object, ...]]:
    incidents, _ = incidents_and_orders(scenario)
    return sorted(
        (i.kind, i.district, i.place, i.peak, i.opened_ns, i.cleared_ns, i.closed_ns, i.state)
        for i in incidents
    )


@pytest.fixture(scope="module")
def night() -> Scenario:
    """Two floods, a gas leak and quiet neighbours."""
    b = Builder("small", Text("小", "Small"), start_ns=START, seed=5, duration_s=900, settle_s=60)
    for k in range(8):
        b.place(f"P{k}", "road", zone=f"Z{k}", lon=113 + k / 50, lat=23)
        b.device(f"D{k}", "road_water_level", f"P{k}")
        t = b.times(10, phase_s=k)
        s = (t - START) / SECOND
        flood = np.interp(s, [100 + k, 400, 500, 700], [0, 60, 60, 0]) if k in (2, 5) else 0 * s
        b.readings(f"D{k}", "water_depth", t, np.round(flood + np.abs(b.rng.normal(0, 0.2, len(t))), 1))
    b.place("V", "valve_chamber", zone="G", lon=113.1, lat=23.1)
    b.device("G", "gas_detector", "V")
    t = b.times(10, phase_s=3)
    leak = np.interp((t - START) / SECOND, [200, 260, 500, 560], [1, 60, 60, 1])
    b.readings("G", "gas_lel", t, np.round(leak + np.abs(b.rng.normal(0, 0.2, len(t))), 1))
    return b.build()


@pytest.fixture(scope="module")
def undisturbed(night: Scenario) -> list[tuple[object, ...]]:
    return essence(night)


def test_shuffled_between_series_gives_the_same_incidents(
    night: Scenario, undisturbed: list[tuple[object, ...]]
) -> None:
    """No order between series is promised, so none may matter."""
    made = inject(night, Faults(seed=2, shuffled=Shuffled()))
    assert not np.array_equal(made.readings[0].series, night.readings[0].series)
    assert len(undisturbed) >= 3
    assert essence(made) == undisturbed


def test_duplicates_give_the_same_incidents(night: Scenario, undisturbed: list[tuple[object, ...]]) -> None:
    """A reading that was there already is counted and changes nothing."""
    made = inject(night, Faults(seed=2, duplicated=(Duplicated(share=0.3, within_s=8),)))
    assert made.reading_count > night.reading_count * 1.2
    assert len(undisturbed) >= 3
    assert essence(made) == undisturbed


def test_readings_late_by_less_than_their_period_give_the_same_incidents(
    night: Scenario, undisturbed: list[tuple[object, ...]]
) -> None:
    """Every series is still in its own order, and ticks wait for lateness."""
    made = inject(night, Faults(seed=2, late=(Late(share=0.3, by_s=(0.5, 4.0)),)))
    assert [(k, d, p, peak, opened) for k, d, p, peak, opened, *_ in essence(made)] == [
        (k, d, p, peak, opened) for k, d, p, peak, opened, *_ in undisturbed
    ]


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        (Faults(dropped=(Dropped(share=-0.1),)), "faults.dropped.0.share", "0 to 1"),
        (Faults(dropped=(Dropped(share=0.1, from_s=9, to_s=8),)), "faults.dropped.0.to_s", "not after"),
        (Faults(late=(Late(share=0.1, by_s=(5, 1)),)), "faults.late.0.by_s", "least first"),
        (
            Faults(late=(Late(share=0.1, by_s=(0, 1), metrics=("depth",)),)),
            "faults.late.0.metrics",
            "water_depth",
        ),
        (
            Faults(duplicated=(Duplicated(share=0.1, within_s=-1),)),
            "faults.duplicated.0.within_s",
            "0 or more",
        ),
        (Faults(duplicated=(Duplicated(share=0.1, devices=("D9",)),)), "faults.duplicated.0.devices", "D9"),
        (Faults(clock=(Clock(by_s=1, share=7),)), "faults.clock.0.share", "0 to 1"),
        (Faults(shuffled=Shuffled(window_s=-1)), "faults.shuffled.window_s", "0 (a tick)"),
    ],
)
def test_wrong_faults_are_named(wrong: Faults, field: str, said: str) -> None:
    """With the field and what would be right."""
    problems = Problems()
    faults.check(wrong, plain(), problems, file="scenario.yaml")
    assert [(p.field, said in p.message) for p in problems] == [(field, True)]
