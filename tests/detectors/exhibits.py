"""What each detector must be silent on, and what it must find; by its name."""

import math
from typing import TypedDict

from detectors.laws import SERIES, Case, Exhibit, Message
from tests.detectors.exhibits_health import HEALTH

Minutes = list[float]


class Roles(TypedDict):
    """How the four series of a joint detector's case stand to each other."""

    zones: tuple[int, ...]
    roles: tuple[int, ...]
    devices: tuple[int, ...]


def each_minute(values: Minutes, series: int = 0) -> tuple[Message, ...]:
    """One reading a minute of one series, each a batch of its own."""
    return tuple(((series, 2 * minute, value, 0),) for minute, value in enumerate(values))


def with_ticks(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """After each batch a tick at its newest reading."""
    ticked: list[Message] = []
    for message in messages:
        ticked.append(message)
        if not isinstance(message, int) and message:
            ticked.append(max(t for _, t, _, _ in message))
    return tuple(ticked)


def same(**params: float) -> dict[str, tuple[float, ...]]:
    """One value of each parameter for all series."""
    return {name: (value,) * SERIES for name, value in params.items()}


_LADDER = same(rung_iv=5.0, rung_iii=15.0, hysteresis=2.0, hold_s=600.0)
_GRADE = same(
    heavy_kmh=20.0,
    light_level=0.0,
    moderate_level=4.0,
    heavy_level=3.0,
    hysteresis_kmh=5.0,
    confirm_s=120.0,
    hold_s=300.0,
)
_SIGHTINGS = same(min_confidence=0.6, confirm_count=2.0, window_s=120.0, quiet_s=600.0, level=2.0)
_MEAN = same(rung_iv=60.0, hysteresis=1.0, hold_s=0.0, bin_s=120.0, bins=5.0, energy=1.0)
_DROP = same(
    fall_iii=0.04,
    hysteresis=0.02,
    slew_per_min=0.002,
    confirm_s=60.0,
    hold_s=300.0,
    memory_s=7200.0,
    gap_s=1800.0,
)
_BAND = same(low_iii=19.5, high_iii=23.5, hysteresis=0.2, hold_s=300.0)
_ACCRUAL = same(
    least=0.5,
    most=0.9,
    prior=0.2,
    confirm=0.75,
    fade_s=180.0,
    apart_s=1.0,
    dwell_s=0.0,
    quiet_s=600.0,
    level=2.0,
)
_STATES = same(any_ii=2.0, unless=8.0, on_s=0.0, hold_s=300.0)
_TOGETHER = same(bits=2.0, unless=8.0, count=2.0, window_s=600.0, near_m=60.0, hold_s=300.0, level=1.0)
_SURGE = same(
    rung_iii=3.5, rung_iv=2.0, lead_s=180.0, smooth_s=60.0, counter=30.0, stale_s=120.0, hold_s=120.0
)
_NEAR = (0.0, 50.0, 500.0, 900.0)

_RISE = same(
    rung_iii=15.0,
    rung_ii=27.0,
    from_value=2.0,
    min_rate=0.3,
    lead_s=1200.0,
    smooth_s=90.0,
    gap_s=1800.0,
    hold_s=600.0,
    silence_s=3600.0,
)
_RAIN = same(mm_1h_iv=20.0, mm_3h_ii=50.0, calm_mm=0.5, calm_s=900.0, gap_s=900.0, most_mm_h=400.0)
_PUMPS = same(
    start_cm=80.0,
    rated_flow=400.0,
    flow_share=0.3,
    idle_s=180.0,
    weak_s=180.0,
    hold_s=300.0,
    fresh_s=600.0,
    idle_level=2.0,
    weak_level=2.0,
)
_SUMP: Roles = {"zones": (0, 0, 0, 0), "roles": (0, 1, 3, 1), "devices": (0, 0, 0, 1)}
_LOGGING = same(
    rung_iii=15.0,
    rung_ii=27.0,
    lead_s=1800.0,
    drain_mm_h=36.0,
    runoff_cm_per_mm=1.0,
    area_m2_per_cm=7.0,
    fall_cm_min=0.2,
    over_cm=1.0,
    spread=1.0,
    min_probability=0.6,
    confirm_s=60.0,
    hold_s=600.0,
    fresh_s=900.0,
    **{
        f"{of}_{i}": w
        for of in ("trend", "rain")
        for i, w in enumerate((2.4, 0.5, 0.0, -0.1, 0.3, -0.4, -1.0, 0.8, 0.1, 0.1))
    },
)


_CORRIDOR = same(
    enter=0.55,
    leave=0.7,
    jam_occupancy=15.0,
    evidence=3.0,
    confirm_s=60.0,
    clear_s=240.0,
    reach_m=3500.0,
    queue_ii_m=2000.0,
    queue_i_m=8000.0,
)


def driving(minutes: list[tuple[float, ...]]) -> tuple[Message, ...]:
    """Each minute the speeds at four stations along a road, 500 m apart, the last one furthest downstream."""
    return tuple(
        tuple((series, 2 * minute, value, 0) for series, value in enumerate(row))
        for minute, row in enumerate(minutes)
    )


_DEVIATE = same(
    worse=-1.0, least=25.0, margin=10.0, deviates=4.0, confirm_s=60.0, hold_s=300.0, level=3.0, isolated=0.0
)
_CALIFORNIA = same(variant=8.0, occdf=8.0, occrdf=0.5, docc=20.0, wave_docctd=-0.4, wave_docc=30.0, level=3.0)
_PROVISO = same(below=3.0, while_lo=1.0, while_hi=1.0, fresh_s=120.0, confirm_s=60.0, hold_s=60.0, level=3.0)
_LORRY: Roles = {"zones": (0, 0, 1, 1), "roles": (0, 1, 0, 1), "devices": (0, 0, 1, 1)}
_INDEX = same(
    free_kmh=60.0, length_m=500.0, heavy=8.0, fresh_s=300.0, confirm_s=120.0, hold_s=600.0, level=4.0
)


def pumping(rows: list[tuple[float, float, float]]) -> tuple[Message, ...]:
    """Each minute whether the pump runs, the sump's level and the pump's flow."""
    return tuple(
        tuple((series, 2 * minute, value, 0) for series, value in enumerate(row))
        for minute, row in enumerate(rows)
    )


_SEASONAL = same(bin_s=1800.0, learn_days=3.0, return_days=60.0)


def _half_hours(days: int, unlike: range) -> tuple[Message, ...]:
    """Readings every half hour that follow the day, with a little unrest, and a tick after each; 60 less in ``unlike``."""
    messages: list[Message] = []
    for k in range(48 * days):
        value = 100.0 + 40.0 * math.sin(k * math.pi / 24) + 3.0 * math.sin(k * k) - 60.0 * (k in unlike)
        messages += [((0, 60 * k, value, 0),), 60 * k + 30]
    return tuple(messages)


EXHIBITS: dict[str, Exhibit] = {
    **HEALTH,
    "ladder": Exhibit(
        quiet=Case(params=_LADDER, messages=each_minute([0.0, 1.0, 4.0, 2.0, 0.0])),
        labelled=Case(params=_LADDER, messages=each_minute([0.0, 3.0, 9.0, 16.0, 20.0])),
        series=0,
        begin=6,
        within_s=0.0,
        level=3,
    ),
    "ebbing": Exhibit(
        quiet=Case(params=_LADDER, messages=with_ticks(each_minute([0.0, 1.0, 4.0, 2.0, 0.0]))),
        labelled=Case(params=_LADDER, messages=with_ticks(each_minute([0.0, 3.0, 9.0, 16.0, 20.0]))),
        series=0,
        begin=6,
        within_s=0.0,
        level=3,
    ),
    "grade": Exhibit(
        quiet=Case(params=_GRADE, messages=each_minute([60.0, 18.0, 55.0, 61.0, 58.0])),
        labelled=Case(params=_GRADE, messages=each_minute([60.0, 18.0, 15.0, 12.0, 9.0])),
        series=0,
        begin=2,
        within_s=120.0,
        level=3,
    ),
    "sightings": Exhibit(
        quiet=Case(params=_SIGHTINGS, messages=with_ticks(each_minute([0.2, 0.1, 0.3, 0.2]))),
        labelled=Case(params=_SIGHTINGS, messages=with_ticks(each_minute([0.2, 0.8, 0.9, 0.9]))),
        series=0,
        begin=2,
        within_s=60.0,
        level=2,
    ),
    "deviate": Exhibit(  # a noisy day; then a fall to a crawl, when no day is known yet
        quiet=Case(params=_DEVIATE, messages=each_minute([90.0, 84.0, 93.0, 88.0, 70.0] * 30)),
        labelled=Case(params=_DEVIATE, messages=each_minute([90.0, 84.0, 93.0] * 25 + [22.0] * 5)),
        series=0,
        begin=150,
        within_s=60.0,
        level=3,
    ),
    "california": Exhibit(  # equal stations, then a wave that comes up the road; then a blocked lane between two
        quiet=Case(
            params=_CALIFORNIA,
            messages=with_ticks(
                driving(
                    [(12.0, 13.0, 12.0, 14.0)] * 3
                    + [(12.0, 13.0, 12.0, 40.0)]
                    + [(12.0, 13.0, 38.0, 40.0)]
                    + [(12.0, 39.0, 38.0, 40.0)] * 2
                )
            ),
        ),
        labelled=Case(
            params=_CALIFORNIA,
            messages=with_ticks(driving([(12.0, 13.0, 12.0, 14.0)] * 3 + [(12.0, 36.0, 8.0, 9.0)] * 3)),
        ),
        series=1,
        begin=6,
        within_s=60.0,
        level=3,
    ),
    "proviso": Exhibit(  # parked off the road, slow on it; then standing on the expressway
        quiet=Case(
            params=_PROVISO,
            messages=with_ticks(
                driving([(0.0, 0.0, 0.0, 0.0)] * 4 + [(30.0, 1.0, 2.0, 1.0)] + [(70.0, 1.0, 50.0, 1.0)] * 2)
            ),
            **_LORRY,
        ),
        labelled=Case(
            params=_PROVISO,
            messages=with_ticks(driving([(70.0, 1.0, 80.0, 1.0)] * 2 + [(70.0, 1.0, 0.0, 1.0)] * 3)),
            **_LORRY,
        ),
        series=2,
        begin=4,
        within_s=60.0,
        level=3,
    ),
    "index": Exhibit(  # one link jammed is no jammed area; then all are
        quiet=Case(params=_INDEX, messages=with_ticks(driving([(55.0, 60.0, 50.0, 20.0)] * 6))),
        labelled=Case(
            params=_INDEX,
            messages=with_ticks(driving([(55.0, 60.0, 50.0, 45.0)] * 3 + [(20.0, 25.0, 15.0, 20.0)] * 5)),
        ),
        series=0,
        begin=6,
        within_s=120.0,
        level=4,
    ),
    "corridor": Exhibit(  # a queue that grows up the road from downstream; then one that begins on it
        quiet=Case(
            params=_CORRIDOR,
            messages=with_ticks(
                driving(
                    [(100.0, 98.0, 101.0, 99.0)] * 20
                    + [(100.0, 98.0, 101.0, 20.0)] * 4
                    + [(100.0, 98.0, 20.0, 15.0)] * 4
                    + [(100.0, 20.0, 15.0, 25.0)] * 9
                )
            ),
        ),
        labelled=Case(
            params=_CORRIDOR,
            messages=with_ticks(
                driving(
                    [(100.0, 98.0, 101.0, 99.0)] * 20
                    + [(100.0, 30.0, 100.0, 99.0)]
                    + [(100.0, 10.0, 100.0, 99.0)] * 3
                    + [(30.0, 12.0, 100.0, 99.0)] * 6
                )
            ),
        ),
        series=1,
        begin=40,
        within_s=120.0,
        level=3,
    ),
    "band": Exhibit(
        quiet=Case(params=_BAND, messages=each_minute([20.9, 20.8, 21.0, 20.9])),
        labelled=Case(params=_BAND, messages=each_minute([20.9, 20.4, 19.4, 19.0])),
        series=0,
        begin=4,
        within_s=0.0,
        level=3,
    ),
    "mean": Exhibit(
        quiet=Case(
            params=_MEAN, messages=with_ticks(each_minute([50.0, 55.0, 66.0, 52.0, 51.0, 54.0, 50.0] * 5))
        ),
        labelled=Case(params=_MEAN, messages=with_ticks(each_minute([50.0] * 12 + [70.0] * 12))),
        series=0,
        begin=24,
        within_s=300.0,
    ),
    "drop": Exhibit(
        quiet=Case(params=_DROP, messages=each_minute([0.30, 0.31, 0.15, 0.30, 0.29, 0.28, 0.27])),
        labelled=Case(params=_DROP, messages=each_minute([0.30, 0.31, 0.30, 0.22, 0.21, 0.21])),
        series=0,
        begin=6,
        within_s=60.0,
        level=3,
    ),
    "accrual": Exhibit(  # now and then a leaf, never twice in a row; then a fire
        quiet=Case(
            params=_ACCRUAL, messages=with_ticks(each_minute([0.8, 0.3, 0.2, 0.2, 0.3, 0.8, 0.1, 0.6]))
        ),
        labelled=Case(params=_ACCRUAL, messages=with_ticks(each_minute([0.2, 0.85, 0.9, 0.9]))),
        series=0,
        begin=2,
        within_s=60.0,
        level=2,
    ),
    "states": Exhibit(  # running, faulty, under test; then fire
        quiet=Case(params=_STATES, messages=with_ticks(each_minute([1.0, 5.0, 1.0, 11.0, 1.0]))),
        labelled=Case(params=_STATES, messages=with_ticks(each_minute([1.0, 1.0, 3.0, 3.0]))),
        series=0,
        begin=4,
        within_s=0.0,
        level=2,
    ),
    "together": Exhibit(  # one alone, and two far apart; then two side by side
        quiet=Case(
            params=_TOGETHER,
            messages=with_ticks((((0, 2, 3.0, 0),), ((2, 4, 3.0, 0),), ((3, 6, 3.0, 0),))),
            at_m=_NEAR,
        ),
        labelled=Case(
            params=_TOGETHER,
            messages=with_ticks((((0, 2, 3.0, 0),), ((2, 4, 3.0, 0),), ((1, 6, 3.0, 0),))),
            at_m=_NEAR,
        ),
        series=1,
        begin=6,
        within_s=0.0,
        level=1,
    ),
    "surge": Exhibit(  # dense and steady; then thickening
        quiet=Case(params=_SURGE, messages=with_ticks(each_minute([2.4, 2.5, 2.4, 2.5, 2.4]))),
        labelled=Case(params=_SURGE, messages=with_ticks(each_minute([2.0, 2.1, 2.5, 2.9, 3.3]))),
        series=0,
        begin=4,
        within_s=120.0,
        level=3,
    ),
    "rise": Exhibit(  # a puddle, a splash, slow seepage; then a rise of 1 cm a minute
        quiet=Case(params=_RISE, messages=each_minute([0.0, 1.0, 3.0, 3.1, 30.0, 3.2, 3.2, 3.3, 3.3])),
        labelled=Case(params=_RISE, messages=each_minute([0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
        series=0,
        begin=6,
        within_s=240.0,
        level=3,
    ),
    "rain_rate": Exhibit(
        quiet=Case(params=_RAIN, messages=with_ticks(each_minute([0.0, 15.0, 18.0, 12.0, 30.0] * 15))),
        labelled=Case(params=_RAIN, messages=with_ticks(each_minute([0.0] * 5 + [60.0] * 30))),
        series=0,
        begin=10,
        within_s=1260.0,
    ),
    "rain_bins": Exhibit(  # one bin in five minutes, each a minute here: only the bins' stamps count
        quiet=Case(params=_RAIN, messages=with_ticks(tuple(((0, 10 * i, 1.2, 0),) for i in range(8)))),
        labelled=Case(params=_RAIN, messages=with_ticks(tuple(((0, 10 * i, 8.0, 0),) for i in range(8)))),
        series=0,
        begin=0,
        within_s=600.0,
    ),
    "rain_counter": Exhibit(  # a reset is no rain; then 8 mm every 5 min
        quiet=Case(
            params=_RAIN,
            messages=with_ticks(
                tuple(((0, 10 * i, v, 0),) for i, v in enumerate((980.0, 981.0, 0.0, 1.0, 2.0, 3.0)))
            ),
        ),
        labelled=Case(params=_RAIN, messages=with_ticks(tuple(((0, 10 * i, 8.0 * i, 0),) for i in range(8)))),
        series=0,
        begin=0,
        within_s=900.0,
    ),
    "pumps": Exhibit(  # starts when it is called for; then stands
        quiet=Case(
            params=_PUMPS,
            messages=with_ticks(
                pumping([(0, 60, 0), (0, 85, 0), (1, 88, 350), (1, 70, 390), (1, 50, 390), (0, 40, 0)])
            ),
            **_SUMP,
        ),
        labelled=Case(params=_PUMPS, messages=with_ticks(pumping([(0, 60, 0), *[(0, 90, 0)] * 5])), **_SUMP),
        series=0,
        begin=2,
        within_s=180.0,
        level=2,
    ),
    "waterlogging": Exhibit(  # a puddle that stays; then water that rises 1 cm a minute
        quiet=Case(params=_LOGGING, messages=with_ticks(each_minute([0.0, 2.0, 3.0, 3.0, 2.0, 3.0, 2.0]))),
        labelled=Case(
            params=_LOGGING, messages=with_ticks(each_minute([0.0, 0.0, *(1.0 * i for i in range(1, 15))]))
        ),
        series=0,
        begin=4,
        within_s=720.0,
        level=3,
    ),
    "seasonal": Exhibit(
        quiet=Case(params=_SEASONAL, messages=_half_hours(10, range(0))),
        labelled=Case(params=_SEASONAL, messages=_half_hours(10, range(400, 408))),
        series=0,
        begin=60 * 400,
        within_s=5400.0,
    ),
}
