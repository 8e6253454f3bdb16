"""Scenarios built piece by piece."""

from collections.abc import Callable

import numpy as np
import pytest

from scenarios.building import Builder
from scenarios.playing import feed
from yiwang.clock import SECOND
from yiwang.codec import encode
from yiwang.columns import Readings
from yiwang.errors import BadInput
from yiwang.model import RegistryChange, Report, Tick, Warning  # noqa: A004  CAP's word
from yiwang.registry import Text

T0 = 1_780_000_000 * SECOND


def builder() -> Builder:
    """A road with one gauge."""
    b = Builder("x", Text("试", "Try"), start_ns=T0, seed=7, duration_s=600, tick_s=60.0)
    b.place("P1", "road", zone="Z1", lon=113.0, lat=23.0, closure_depth_cm=25)
    b.device("D1", "road_water_level", "P1")
    return b


def test_what_is_not_there_is_named() -> None:
    """Each mistake of a generator says what is wrong."""
    b = builder()
    nothing = np.empty(0, np.int64), np.empty(0)
    mistakes: list[tuple[Callable[[], None], str]] = [
        (lambda: b.device("D2", "road_water_level", "P9"), "no place 'P9'"),
        (lambda: b.device("D2", "flying_saucer", "P1"), "device kind 'flying_saucer'"),
        (lambda: b.device("D1", "road_water_level", "P1"), "a device 'D1' already"),
        (lambda: b.readings("D9", "water_depth", *nothing), "no such device"),
        (lambda: b.readings("D1", "gas_lel", *nothing), "no metric 'gas_lel'"),
        (lambda: b.truth("dragon", "P1", 1, T0, T0, within_s=1), "incident kind 'dragon'"),
    ]
    for call, said in mistakes:
        with pytest.raises(BadInput, match=said) as caught:
            call()
        assert caught.value.code == "scenario.build"


def test_late_readings_come_in_when_they_arrive() -> None:
    """A reading of minute one that arrives in minute five stands behind the five ticks before that."""
    b = builder()
    t_ns = np.array([T0, T0 + 60 * SECOND, T0 + 120 * SECOND])
    arrival_ns = np.array([T0, T0 + 290 * SECOND, T0 + 120 * SECOND])
    b.readings("D1", "water_depth", t_ns, np.array([1.0, 2.0, 3.0]), arrival_ns=arrival_ns)
    seen: list[float] = []
    ticks = 0
    for item in feed(b.build()):
        if isinstance(item.content, Readings):
            seen += item.content.value.tolist()
            if 2.0 in item.content.value:
                assert ticks == 5
        ticks += isinstance(item.content, Tick)
    assert seen == [1.0, 3.0, 2.0]


def test_equal_seeds_give_equal_scenarios() -> None:
    """Times with jitter and gaps come from the seed alone."""
    first, second = builder(), builder()
    times = [b.times(30, jitter_s=4, missing=0.2) for b in (first, second)]
    assert np.array_equal(times[0], times[1])
    assert len(times[0]) < 20
    assert (np.diff(times[0]) > 0).all()


def test_reports_and_warnings_are_events_of_their_district() -> None:
    """They stand in the feed among the ticks, at their time."""
    b = builder()
    b.report("road_flooding", T0 + 90 * SECOND, by="hotline", place="P1", certainty=0.6)
    b.warning("heavy_rain", T0 + 30 * SECOND, T0 + 300 * SECOND, level=2, areas=("Z1",))
    kinds = [type(item.content) for item in feed(b.build()) if not isinstance(item.content, Tick)]
    assert kinds == [Warning, Report]


def test_numbers_of_numpy_become_plain_ones() -> None:
    """What a generator draws can be sent: messages know no numpy."""
    b = Builder("plain", Text("数", "Numbers"), start_ns=T0, seed=1, duration_s=60)
    b.place("P", "road", zone="Z", lon=np.float64(113), lat=np.float64(23), closure_depth_cm=np.float64(25))
    b.device("D", "road_water_level", "P", lon=np.float64(113), mount_height_cm=np.float64(300))
    b.unit("U", "drainage", lon=np.float64(113), lat=np.float64(23))
    encode(RegistryChange(registry=b.build().registries[0]))
