"""The order of a feed."""

import dataclasses

import msgspec
import numpy as np
import pytest

from scenarios import files
from scenarios.model import Scenario
from scenarios.playing import Item, feed, opening, tick_times
from yiwang.clock import SECOND
from yiwang.columns import Readings
from yiwang.model import RegistryChange, RulesChange, Tick, VideoEvent


@pytest.fixture(scope="module")
def night() -> Scenario:
    return files.load("night")


def flat(items: list[Item], district: int) -> list[object]:
    """A district's feed with frames taken apart, as comparable things in order."""
    result: list[object] = []
    for item in items:
        if item.district != district:
            continue
        if isinstance(item.content, Readings):
            c = item.content
            result += zip(c.series.tolist(), c.t_ns.tolist(), c.value.tolist(), strict=True)
        else:
            result.append(item.content)
    return result


@pytest.mark.parametrize(("rows", "span_s"), [(1, 3600.0), (7, 3600.0), (5000, 0.04), (3, 0.5)])
def test_cutting_changes_no_order(night: Scenario, rows: int, span_s: float) -> None:
    """However the frames are cut, the readings, events and ticks of a district come in the same order."""
    whole = list(feed(night))
    cut = list(feed(night, cut_rows=rows, cut_s=span_s))
    assert len(cut) > len(whole) or rows == 5000
    for district in (0, 1):
        assert flat(cut, district) == flat(whole, district)


def test_a_tick_comes_after_everything_up_to_it(night: Scenario) -> None:
    """Before a tick of time t stand all readings and events up to t, and nothing newer."""
    newest = {0: 0, 1: 0}
    ticks = {0: 0, 1: 0}
    for item in feed(night):
        match item.content:
            case Tick(t_ns=t):
                assert newest[item.district] <= t
                ticks[item.district] = t
            case Readings() as r:
                assert int(r.t_ns[0]) > ticks[item.district]
                newest[item.district] = max(newest[item.district], int(r.t_ns[-1]))
            case VideoEvent(t_ns=t):
                assert t > ticks[item.district]
                newest[item.district] = max(newest[item.district], t)


def test_nothing_is_left_out(night: Scenario) -> None:
    """All readings and events are played, and the ticks go on into the settling."""
    items = list(feed(night))
    assert sum(len(i.content) for i in items if isinstance(i.content, Readings)) == night.reading_count
    assert sum(isinstance(i.content, VideoEvent) for i in items) == len(night.events)
    assert max(i.t_ns for i in items) >= night.end_ns + round(night.settle_s * SECOND)


def test_items_are_in_order_of_time(night: Scenario) -> None:
    """A player can walk through them with one clock."""
    times = [i.t_ns for i in feed(night, cut_s=0.04)]
    assert times == sorted(times)


def test_without_ticks_somebody_else_ticks(night: Scenario) -> None:
    """``ticks=False`` plays the readings and events alone."""
    assert not any(isinstance(i.content, Tick) for i in feed(night, ticks=False))


def test_the_opening_tells_every_district_rules_then_registry(night: Scenario) -> None:
    """A machine starts empty and learns everything from its feed."""
    kinds = [(i.district, type(i.content)) for i in opening(night)]
    assert kinds == [(0, RulesChange), (0, RegistryChange), (1, RulesChange), (1, RegistryChange)]


def test_years_of_silence_cost_no_ticks(night: Scenario) -> None:
    """A stretch of over an hour without readings is passed over after the settling."""
    base = night.readings[0]
    year = 365 * 86400 * SECOND
    doubled = Readings(
        series=np.concatenate((base.series, base.series)),
        t_ns=np.concatenate((base.t_ns, base.t_ns + year)),
        value=np.concatenate((base.value, base.value)),
        quality=np.concatenate((base.quality, base.quality)),
    )

    long = dataclasses.replace(night, readings={0: doubled, 1: night.readings[1]}, end_ns=night.end_ns + year)
    once, twice = len(list(tick_times(night))), len(list(tick_times(long)))
    assert twice <= 2 * once + 2


def test_an_event_in_the_silence_is_played_at_its_time(night: Scenario) -> None:
    """What a camera sees while no sensor reports comes in between two ticks of its own time."""
    year = 365 * 86400 * SECOND
    seen = night.events[0][2]
    assert isinstance(seen, VideoEvent)
    t_ns = night.end_ns + year // 2
    late = (t_ns, 0, msgspec.structs.replace(seen, event_id="alone", t_ns=t_ns, ingest_ns=t_ns))
    scenario = dataclasses.replace(night, events=(*night.events, late), end_ns=t_ns)
    mine = [i for i in feed(scenario) if i.district == 0 and isinstance(i.content, Tick | VideoEvent)]
    at = next(k for k, i in enumerate(mine) if i.content == late[2])
    assert mine[at].t_ns == t_ns
    assert mine[at + 1].content == Tick(t_ns=t_ns - t_ns % SECOND + SECOND)


def test_readings_are_played_when_they_come_in(night: Scenario) -> None:
    """With arrivals it is they that decide what stands before a tick, not the readings' own times."""
    whole = night.readings[0]
    arrivals = whole.t_ns + 7 * SECOND
    scenario = dataclasses.replace(night, arrivals={0: arrivals})
    seen, last = 0, 0
    for item in feed(scenario):
        if item.district:
            continue
        if isinstance(item.content, Readings):
            came = arrivals[seen : seen + len(item.content)]
            assert np.array_equal(item.content.t_ns, whole.t_ns[seen : seen + len(item.content)])
            assert (came > last).all()
            assert item.t_ns == came[-1]
            seen += len(item.content)
        elif isinstance(item.content, Tick):
            last = item.content.t_ns
            assert seen == int(np.searchsorted(arrivals, last, side="right"))
    assert seen == len(whole)
