"""Feeding joint detectors by hand: several series of one zone, ticks, findings out."""

from typing import Any

import numpy as np

from detectors.protocol import Detector, Layout
from tests.detectors.feeding import MINUTE, Said, round_of, said


def zone_of(n: int, *, devices: tuple[int, ...] = (), roles: tuple[int, ...] = ()) -> Layout:
    """``n`` series of one zone and, for each role, one metric; each a device of its own unless said."""
    same = np.zeros(n, np.int32)
    device = np.array(devices or range(n), np.int32)
    role = np.array(roles or (0,) * n, np.int8)
    return Layout(
        role=role,
        device=device,
        place=device,
        zone=same,
        metric=role.astype(np.int32),
        x_m=np.zeros(n),
        y_m=np.zeros(n),
        at_m=np.full(n, np.nan),
        live=np.ones(n, np.bool_),
    )


def play(
    detector: Detector[Any], state: Any, minutes: list[float], columns: list[list[float | None]]
) -> list[tuple[int, Said]]:
    """(series, finding) of readings, one column a series with None where there is none, a tick after each minute."""
    heard: list[tuple[int, Said]] = []
    for i, minute in enumerate(minutes):
        rows = [(s, minute, v, 0) for s, column in enumerate(columns) if (v := column[i]) is not None]
        for found in (
            detector.step(state, round_of(*rows)),
            detector.tick(state, round(minute * MINUTE)),
        ):
            heard += list(zip(found.series.tolist(), said(detector, found), strict=True))
    return heard
