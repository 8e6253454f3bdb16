"""Things that speak in state words: lifts with people in them, manhole covers, fences; and a day on which all is well.

Words come when something changes. Lifts run all day, covers tremble under lorries, fences in the wind.
"""

import numpy as np

from scenarios.building import Builder
from scenarios.generators.cameras import add_cameras, add_wrong
from scenarios.generators.crowd import Surge, add_promenade
from scenarios.generators.panels import add_faults, add_house, add_words
from scenarios.generators.safety import add_gas, add_sites
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.registry import Text

Says = list[tuple[float, int]]
"""What a thing says: (second, word)."""

MOVING, INSIDE, BETWEEN, OPEN, STOPPED, BUTTON, SERVICE = 1, 2, 4, 8, 16, 32, 128
MISSING, BROKEN, SHIFTED, TILTED, WATER, PERMIT = 1, 2, 4, 8, 16, 128
ALARM = 1
TRAPPED_S, LONG_S = 60.0, 1800.0
"""How long people sit in a lift before it is an entrapment, and a grave one; a test holds both to the pack."""
COVER_S = 60.0
"""How long a cover must be out of order before it counts."""


def lifts_and_covers(
    *,
    start_ns: int,
    seed: int,
    duration_s: float = 28_800.0,
    lifts: int = 30,
    covers: int = 40,
    fences: int = 12,
) -> Scenario:
    """A night on which people are trapped, covers stolen and fences climbed, among everything harmless.

    Args:
        start_ns: first second.
        seed: of everything.
        duration_s: length.
        lifts: at least 6; four trap people, one of them for long.
        covers: at least 9; six are missing, broken, shifted, tilted or under water.
        fences: at least 6; four are climbed.
    """
    b = Builder(
        "lifts_and_covers",
        Text("困人、井盖与周界之夜", "Lifts, covers and fences at night"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        tick_s=10.0,
        settle_s=4500.0,
    )
    _lifts(b, lifts, duration_s, trapped=4)
    _covers(b, covers, duration_s, bad=6)
    _fences(b, fences, duration_s, climbed=4)
    return b.build()


def safety_quiet(*, start_ns: int, seed: int, duration_s: float = 86_400.0) -> Scenario:
    """A day of all these sensors and cameras on which nothing happens; whatever is raised is false."""
    b = Builder(
        "safety_quiet",
        Text("公共安全平静日", "A quiet day of public safety"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        tick_s=60.0,
        settle_s=600.0,
    )
    add_gas(b, add_sites(b), period_s=120.0)
    houses = [add_house(b, i) for i in range(6)]
    add_faults(b, houses, 20, duration_s)
    for house in houses:
        add_words(b, house, duration_s)
    begin_s = 0.75 * duration_s
    add_promenade(
        b, Surge(zone="WF-1", dense=0.0, begin_s=begin_s, lasts_s=3600.0), 0, cells=8, period_s=60.0
    )
    _lifts(b, 12, duration_s, trapped=0)
    _covers(b, 20, duration_s, bad=0)
    _fences(b, 6, duration_s, climbed=0)
    add_wrong(b, add_cameras(b, 18), duration_s)
    return b.build()


def _lifts(b: Builder, count: int, duration_s: float, *, trapped: int) -> None:
    """Trips up and down, stops between floors that last seconds, one lift under maintenance; and entrapments."""
    for i in range(count):
        place = f"LIFT-{i + 1:02d}"
        lon, lat = 113.28 + b.rng.uniform(0, 0.04), 23.13 + b.rng.uniform(0, 0.03)
        b.place(
            place, "lift", Text(f"{i + 1}号电梯", f"Lift {i + 1}"), zone=f"EST-{i % 5 + 1}", lon=lon, lat=lat
        )
        b.device(f"{place}-D", "lift_monitor", place)
        says: Says = []
        stuck = (0.0, 0.0)
        if i < trapped:
            begin = b.rng.uniform(0.1, 0.7) * duration_s
            stuck = (begin, begin + (b.rng.uniform(2400, 4000) if i == 0 else b.rng.uniform(400, 1500)))
            says += _trapped(b, place, *stuck)
        served = (0.3 * duration_s, 0.3 * duration_s + 2700) if i == count - 1 else (0.0, 0.0)
        if served[1]:
            says += [(served[0], SERVICE), (served[0] + 600, SERVICE | INSIDE | BETWEEN), (served[1], 0)]
        at = b.rng.uniform(0, 300)
        while at < duration_s:
            trip = _trip(b, at)
            end = trip[-1][0]
            if not any(first - 5 < end and at < last + 5 for first, last in (stuck, served) if last):
                says += trip
            at = end + b.rng.exponential(420.0)
        _say(b, f"{place}-D", "lift_state", says)


def _trip(b: Builder, at: float) -> Says:
    """Somebody rides some floors; one trip in thirty stops short of a floor for some seconds."""
    ride = b.rng.uniform(12, 50)
    says = [(at, OPEN), (at + 4, OPEN | INSIDE), (at + 9, MOVING | INSIDE)]
    if b.rng.random() < 1 / 30:
        says.append((at + 9 + 0.5 * ride, INSIDE | BETWEEN))
        pause = b.rng.uniform(5, 35)
        says.append((at + 9 + 0.5 * ride + pause, MOVING | INSIDE))
        ride += pause
    return [*says, (at + 9 + ride, OPEN | INSIDE), (at + 15 + ride, OPEN), (at + 22 + ride, 0)]


def _trapped(b: Builder, place: str, begin: float, end: float) -> Says:
    says = [(begin - 20, MOVING | INSIDE), (begin, INSIDE | BETWEEN | STOPPED)]
    pressed = begin + b.rng.uniform(40, 200)
    says += [(pressed, INSIDE | BETWEEN | STOPPED | BUTTON), (end, OPEN | STOPPED), (end + 900, 0)]
    reaches = {2: begin + TRAPPED_S, 3: begin + TRAPPED_S}
    if end - begin > LONG_S:
        reaches[1] = begin + LONG_S
    at = {level: b.start_ns + round(t * SECOND) for level, t in reaches.items()}
    until_ns = b.start_ns + round(end * SECOND)
    b.truth("lift_entrapment", place, min(at), at[2], until_ns, within_s=25.0, reaches_ns=at)
    return says


def _covers(b: Builder, count: int, duration_s: float, *, bad: int) -> None:
    """Lorries shake covers for seconds, workers open them by permit; some are really gone."""
    states = ((MISSING, 2), (TILTED, 3), (BROKEN, 3), (WATER, 4), (MISSING, 2), (SHIFTED, 3))
    for i in range(count):
        place = f"COVER-{i + 1:03d}"
        lon, lat = 113.25 + b.rng.uniform(0, 0.05), 23.16 + b.rng.uniform(0, 0.03)
        b.place(
            place,
            "manhole",
            Text(f"{i + 1}号井盖", f"Cover {i + 1}"),
            zone=f"ROAD-{i % 6 + 1}",
            lon=lon,
            lat=lat,
        )
        b.device(f"{place}-D", "manhole_monitor", place)
        says: Says = []
        gone = (0.0, 0.0)
        if i < bad:
            word, level = states[i % len(states)]
            begin = b.rng.uniform(0.1, 0.7) * duration_s
            gone = (begin, min(begin + b.rng.uniform(3600, 9000), 0.98 * duration_s))
            says += [(gone[0], word), (gone[1], 0)]
            begin_ns, end_ns = (b.start_ns + round(t * SECOND) for t in (begin + COVER_S, gone[1]))
            b.truth("manhole_cover", place, level, begin_ns, end_ns, within_s=25.0)
        elif i % 13 == 12:  # opened by permit
            begin = b.rng.uniform(0.1, 0.7) * duration_s
            gone = (begin, begin + 3000)
            says += [
                (gone[0], PERMIT),
                (gone[0] + 120, PERMIT | MISSING),
                (gone[1] - 60, PERMIT),
                (gone[1], 0),
            ]
        for at in np.sort(b.rng.uniform(0, duration_s, b.rng.poisson(duration_s / 3600))).tolist():
            if not gone[0] - 60 < at < gone[1] + 60 and (not says or abs(at - says[-1][0]) > 30):
                says += [(at, TILTED if b.rng.random() < 0.8 else SHIFTED), (at + b.rng.uniform(0.5, 8), 0)]
        _say(b, f"{place}-D", "manhole_state", says)


def _fences(b: Builder, count: int, duration_s: float, *, climbed: int) -> None:
    """Wind, birds and cats all night; who climbs is felt by the fence and seen by the camera, or by the camera alone."""
    for i in range(count):
        place = f"FENCE-{i + 1:02d}"
        lon, lat = 113.36 + b.rng.uniform(0, 0.03), 23.10 + b.rng.uniform(0, 0.03)
        b.place(
            place,
            "fence",
            Text(f"{i + 1}号防区", f"Fence {i + 1}"),
            zone=f"WORKS-{i % 3 + 1}",
            lon=lon,
            lat=lat,
        )
        b.device(f"{place}-D", "perimeter_alarm", place)
        b.device(f"{place}-CAM", "camera", place)
        says: Says = []
        begin = b.rng.uniform(0.1, 0.9) * duration_s if i < climbed else -1e9
        lasts = b.rng.uniform(50, 150)
        if i < climbed:
            felt = i % 2 == 0
            if felt:
                says += [(begin, ALARM), (begin + lasts, 0)]
            for at in np.arange(begin + b.rng.uniform(3, 8), begin + lasts, 5.0).tolist():
                sure = float(np.clip(b.rng.normal(0.84, 0.05), 0.5, 0.97))
                b.video(f"{place}-CAM", "perimeter_intrusion", b.start_ns + round(at * SECOND), sure)
            begin_ns, end_ns = (b.start_ns + round(t * SECOND) for t in (begin, begin + lasts))
            b.truth("intrusion", place, 2, begin_ns, end_ns, within_s=30.0)
        gusts = b.rng.uniform(0, duration_s, b.rng.poisson(duration_s / 3600 * (2.0 if i % 4 == 3 else 0.4)))
        for at in np.sort(gusts).tolist():
            if abs(at - begin) > 900 and (not says or at > says[-1][0] + 5):
                says += [(at, ALARM), (at + b.rng.uniform(1, 20), 0)]
        _say(b, f"{place}-D", "perimeter_state", says)


def _say(b: Builder, device: str, metric: str, says: Says) -> None:
    """These words in order of time, after the one that all is well."""
    end_s = (b.end_ns - b.start_ns) / SECOND
    ordered = sorted((t, w) for t, w in [(0.0, 0), *says] if 0 <= t < end_s)
    t_ns, first = np.unique(
        b.start_ns + np.rint(np.array([t for t, _ in ordered]) * SECOND).astype(np.int64), return_index=True
    )
    b.readings(device, metric, t_ns, np.array([float(w) for _, w in ordered])[first])
