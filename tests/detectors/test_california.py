"""The classic pair comparison, to be measured against."""

import numpy as np
import pytest

from detectors.california import California
from detectors.corridor import Corridor
from scenarios.generators.corridor import Road
from tests.detectors.roads import CORRIDOR, CRASH, drive, layout, play

PAIR = {"occdf": 8.0, "occrdf": 0.5, "docc": 20.0, "wave_docctd": -0.4, "wave_docc": 30.0, "level": 3.0}


@pytest.mark.parametrize("variant", [7.0, 8.0])
def test_it_finds_a_crash(variant: float) -> None:
    """Between the stations on both sides of it."""
    seen, at_m, _ = drive(road=Road(losses=(CRASH,)), hours=(9, 11.5))
    said = play(California(variant=variant, **PAIR, layout=layout(at_m, 3, (0,))), seen, (1,), tick_s=60.0)
    assert any(s.station == 15 and s.level == 3 for s in said)


@pytest.mark.parametrize("variant", [7.0, 8.0])
def test_it_takes_a_rush_hour_for_incidents_where_ours_does_not(variant: float) -> None:
    """Its stated blindness, and the reason for ours."""
    seen, at_m, _ = drive(
        seed=3, road=Road(bottleneck_m=9_000.0, bottleneck_left=0.65), hours=(5.5, 10.5), day=1100.0
    )
    classic = California(variant=variant, **PAIR, layout=layout(at_m, 3, (0,)))
    assert len([s for s in play(classic, seen, (1,), tick_s=60.0) if s.level]) >= 1
    assert play(Corridor(**CORRIDOR, layout=layout(at_m, 3, (0, 1, 2))), seen) == []


def test_a_compression_wave_silences_a_pair_for_five_minutes() -> None:
    """Only in #8: the downstream station has just filled up."""
    road = layout((0.0, 500.0), 1, (0,))
    courses = {7.0: [], 8.0: []}
    for variant, levels in courses.items():
        detector = California(**{**PAIR, "docc": 50.0}, variant=variant, layout=road)
        state = detector.start(2)
        for minute, (up, down) in enumerate([(12, 12)] * 3 + [(90, 40)] * 4 + [(90, 38)] * 5):
            state.total[:], state.count[:] = (up, down), 1.0
            levels += [(minute, int(x)) for x in detector.tick(state, minute * 60_000_000_000).level]
    assert courses == {7.0: [(4, 3)], 8.0: [(11, 3)]}


def test_asking_for_a_fall_downstream_as_the_public_code_does() -> None:
    """With ``docctd`` a downstream occupancy that stays the same is not enough."""
    road = layout((0.0, 500.0), 1, (0,))
    for docctd, expected in ((float("nan"), 1), (0.3, 0)):
        detector = California(**PAIR, variant=7.0, docctd=docctd, layout=road)
        state = detector.start(2)
        said = 0
        for minute in range(6):
            state.total[:], state.count[:] = (40.0, 9.0), 1.0
            said += len(detector.tick(state, minute * 60_000_000_000))
        assert said == expected


def test_a_minute_in_which_one_was_silent_changes_nothing() -> None:
    """The pair is judged only where both spoke; switched off it says nothing."""
    road = layout((0.0, 500.0), 1, (0,))
    for variant, expected in ((7.0, [0, 0, 0, 1]), (0.0, [0, 0, 0, 0])):
        detector = California(**PAIR, variant=variant, layout=road)
        state = detector.start(2)
        said = []
        for minute, heard in enumerate([1.0, 1.0, 0.0, 1.0]):
            full = 40.0 if minute else 10.0
            state.total[:], state.count[:] = (full, 9.0 * heard), (1.0, heard)
            said.append(len(detector.tick(state, minute * 60_000_000_000)))
        assert said == expected
    assert np.isfinite(state.before[0])
