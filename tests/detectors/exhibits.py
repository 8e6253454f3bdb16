"""What each detector must be silent on, and what it must find; by its name."""

from detectors.laws import SERIES, Case, Exhibit, Message

Minutes = list[float]


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

EXHIBITS: dict[str, Exhibit] = {
    "ladder": Exhibit(
        quiet=Case(params=_LADDER, messages=each_minute([0.0, 1.0, 4.0, 2.0, 0.0])),
        labelled=Case(params=_LADDER, messages=each_minute([0.0, 3.0, 9.0, 16.0, 20.0])),
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
}
