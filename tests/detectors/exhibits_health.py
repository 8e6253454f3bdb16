"""Exhibits of the detectors of sensor health: what a sound sensor says, and what a faulty one does."""

import math
from dataclasses import replace

import numpy as np

from detectors.laws import SERIES, Case, Exhibit, Message
from yiwang.columns import Quality

HOUR = 120
"""In steps of 30 s."""
_FLOOD = [0.0, 0.0, 1.0, 4.0, 12.0, 31.0, 44.0, 46.0, 45.0, 42.0, 38.0, 33.0, 29.0, 24.0, 20.0, 16.0]


def _same(**params: float) -> dict[str, tuple[float, ...]]:
    return {name: (value,) * SERIES for name, value in params.items()}


def _minutes(values: list[float], quality: int = 0) -> tuple[Message, ...]:
    """One reading of series 0 a minute, and a tick after each."""
    return tuple(m for i, v in enumerate(values) for m in (((0, 2 * i, v, quality),), 2 * i))


def _days(value: list[list[float]], every: int = HOUR) -> tuple[Message, ...]:
    """Readings of the first series, ``every`` so many steps, and a tick after each."""
    return tuple(
        m
        for i, row in enumerate(value)
        for m in (tuple((k, every * i, v, 0) for k, v in enumerate(row)), every * i)
    )


_rng = np.random.default_rng(7)
_BREATH = [20.0 + float(v) for v in np.round(_rng.normal(0, 0.3, 120), 1)]
_SILENCE = Case(
    params=_same(missed=5.0, least_s=0.0, crowd=3.0, dark_s=7200.0, offline_level=3.0, dropout_level=4.0)
    | {"period_s": (60.0, math.nan, math.nan, math.nan)},
    messages=_minutes([1.0] * 12),
)
_STILL = Case(
    params=_same(still_s=600.0, still_band=0.05, idle=0.0, level=4.0),
    messages=_minutes([0.0] * 40 + [5.0, 4.0]),
)
_BOUNDS = Case(params=_same(least=0.0, most=500.0, hold_s=120.0, level=4.0), messages=_minutes(_FLOOD))
_CLOCK = Case(params=_same(count=3.0, level=4.0), messages=_minutes([1.0] * 5))
_JUMP = Case(
    params=_same(
        spike=5.0, shift=20.0, jump=60.0, jump_per_min=10.0, z=12.0, together=2.0, gap_s=86400.0, hold_s=600.0
    ),
    messages=_minutes([0.0, 0.2, 0.1, 0.3, 0.0, 0.1, *_FLOOD]),  # a flood is no fault
)
_NOISE = Case(
    params=_same(noise=0.2, ratio=6.0, window_s=900.0, level=4.0), messages=_minutes(_BREATH + _FLOOD)
)
_ROLLBACK = Case(
    params=_same(back=0.5, hold_s=300.0, level=4.0), messages=_minutes([10.0, 10.2, 10.2, 10.0, 11.0])
)
_FLAP = Case(
    params=_same(swing=0.5, turns=4.0, window_s=300.0, level=4.0), messages=_minutes([0.0, 1.0, 1.0, 0.0] * 2)
)
_DRIFT = Case(
    params=_same(drift=4.0, window_s=3600.0, hold_s=3600.0, level=4.0),
    # a flood that one of three sees is none either
    messages=_days([[20.0, 22.0, 25.0 + 30.0 * (60 < i < 70)] for i in range(120)], every=20),
    zones=(0, 0, 0, 1),
    devices=(0, 1, 2, 3),
    roles=(0, 0, 0, 0),
)
_FOULING = Case(
    params=_same(swing=1.0, creep=0.1, sign=-1.0, stirred=0.03, hold_s=172_800.0, level=4.0),
    messages=_days([[250 + i / 24 + float(_rng.normal())] for i in range(16 * 24)]),
)

HEALTH: dict[str, Exhibit] = {
    "silence": Exhibit(
        quiet=_SILENCE,
        labelled=replace(_SILENCE, messages=(*_minutes([1.0] * 3), *range(6, 24, 2))),
        series=0,
        begin=4,
        within_s=360.0,
        level=3,
    ),
    "still": Exhibit(
        quiet=_STILL,
        labelled=replace(_STILL, messages=_minutes([0.0] * 20 + [7.0] * 15)),
        series=0,
        begin=40,
        within_s=600.0,
    ),
    "bounds": Exhibit(
        quiet=_BOUNDS,
        labelled=replace(_BOUNDS, messages=_minutes([3.0, 2.0, -1.0])),
        series=0,
        begin=4,
        within_s=0.0,
    ),
    "clock": Exhibit(
        quiet=_CLOCK,
        labelled=replace(_CLOCK, messages=_minutes([1.0] * 4, int(Quality.CLOCK))),
        series=0,
        begin=0,
        within_s=120.0,
    ),
    "jump": Exhibit(
        quiet=_JUMP,
        labelled=replace(_JUMP, messages=_minutes([0.0, 0.2, 0.1, 0.3, 0.0, 0.1, 35.0, 0.2, 0.0])),
        series=0,
        begin=12,
        within_s=60.0,
    ),
    "noise": Exhibit(
        quiet=_NOISE,
        labelled=replace(_NOISE, messages=_minutes([*_BREATH, *(20 + 15 * (v - 20) for v in _BREATH[:30])])),
        series=0,
        begin=240,
        within_s=1500.0,
    ),
    "rollback": Exhibit(
        quiet=_ROLLBACK,
        labelled=replace(_ROLLBACK, messages=_minutes([10.0, 10.2, 10.2, 0.0])),
        series=0,
        begin=6,
        within_s=0.0,
    ),
    "flap": Exhibit(
        quiet=_FLAP,
        labelled=replace(_FLAP, messages=_minutes([0.0, 1.0, 0.0, 1.0, 0.0])),
        series=0,
        begin=2,
        within_s=180.0,
    ),
    "drift": Exhibit(
        quiet=_DRIFT,
        labelled=replace(
            _DRIFT, messages=_days([[20.0, 22.0, 25.0 + max(0, i - 30) / 6] for i in range(90)], every=20)
        ),
        series=2,
        begin=600,
        within_s=7 * 3600.0,
    ),
    "fouling": Exhibit(
        quiet=_FOULING,
        labelled=replace(
            _FOULING,
            messages=_days(
                [
                    [250 + float(_rng.normal()) + 4 * math.sin(i * math.pi / 12) * (i >= 10 * 24)]
                    for i in range(16 * 24)
                ]
            ),
        ),
        series=0,
        begin=10 * 24 * HOUR,
        within_s=4 * 86_400.0,
    ),
}
