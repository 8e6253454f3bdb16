"""Cameras and their algorithms: some good, some poor, one that is wrong all evening; and what really happens.

A class of events is seen by a frame with a probability and a confidence that depend on the camera. Wrong sightings
come alone (a leaf, a reflection), in short runs (a spider on the lens, headlights), or without end (a hoarding that
looks like fire).
"""

from dataclasses import dataclass

import numpy as np

from scenarios.building import Builder
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.registry import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class What:
    """A class of events as it happens.

    Attributes:
        event_class: of the packs' video section.
        kind: the incident kind it must become.
        severity: of the incident.
        every_s: between two looks of the algorithm.
        lasts_s: how long it goes on, least and most.
        dwell_s: how long it must have gone on to matter.
        rise: added to the camera's confidence: some things are easier to see.
    """

    event_class: str
    kind: str
    severity: int
    every_s: float
    lasts_s: tuple[float, float]
    dwell_s: float = 0.0
    rise: float = 0.0


WHAT = (
    What(event_class="fire", kind="fire", severity=2, every_s=5, lasts_s=(400, 1500)),
    What(event_class="smoke", kind="fire", severity=3, every_s=5, lasts_s=(400, 1500)),
    What(event_class="perimeter_intrusion", kind="intrusion", severity=2, every_s=5, lasts_s=(40, 200)),
    What(
        event_class="falling_object", kind="falling_object", severity=2, every_s=1, lasts_s=(2, 3), rise=0.12
    ),
    What(
        event_class="fire_lane_blocked",
        kind="fire_hazard",
        severity=3,
        every_s=30,
        lasts_s=(900, 4000),
        dwell_s=300,
    ),
    What(
        event_class="illegal_parking",
        kind="illegal_parking",
        severity=4,
        every_s=30,
        lasts_s=(900, 4000),
        dwell_s=300,
    ),
    What(
        event_class="street_vendor",
        kind="street_vending",
        severity=4,
        every_s=30,
        lasts_s=(600, 4000),
        dwell_s=120,
    ),
    What(
        event_class="exposed_garbage", kind="exposed_garbage", severity=4, every_s=120, lasts_s=(3000, 9000)
    ),
    What(event_class="manhole_missing", kind="manhole_cover", severity=2, every_s=30, lasts_s=(1200, 6000)),
    What(event_class="crowd_gathering", kind="crowd_danger", severity=4, every_s=10, lasts_s=(900, 2400)),
)
"""Levels and dwells as in the packs; a test holds both together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eye:
    """How good a camera's algorithm is.

    Attributes:
        sees: probability that it sees in a frame what is there.
        sure: its mean confidence in what is there.
        stray_h: lone wrong sightings an hour and class.
        runs_h: short runs of wrong sightings an hour and class.
    """

    sees: float
    sure: float
    stray_h: float
    runs_h: float


GOOD = Eye(sees=0.93, sure=0.86, stray_h=0.1, runs_h=0.0)
FAIR = Eye(sees=0.8, sure=0.8, stray_h=0.5, runs_h=0.02)
POOR = Eye(sees=0.65, sure=0.74, stray_h=2.0, runs_h=0.15)


def video_classes(
    *, start_ns: int, seed: int, duration_s: float = 28_800.0, cameras: int = 48, events: int = 40
) -> Scenario:
    """A shift before ``cameras`` cameras, on which ``events`` things really happen.

    Args:
        start_ns: first second.
        seed: of everything.
        duration_s: length.
        cameras: half are good, a third fair, the others poor; one of the poor takes a hoarding for a fire.
        events: of all classes in turn.
    """
    b = Builder(
        "video_classes",
        Text("视频识别与误报", "Video classes, true and false"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        tick_s=10.0,
        settle_s=5400.0,
    )
    eyes = add_cameras(b, cameras)
    busy: set[tuple[str, str]] = set()
    for k in range(events):
        what = WHAT[k % len(WHAT)]
        poor = k % 5 == 0
        free = [c for c in eyes if (c, what.kind) not in busy and (poor or eyes[c] is not POOR)]
        camera = str(b.rng.choice(free))
        busy.add((camera, what.kind))
        _happens(b, camera, eyes[camera], what, duration_s)
    add_wrong(b, eyes, duration_s)
    _hoarding(b, [c for c in eyes if eyes[c] is POOR and (c, "fire") not in busy][-1], duration_s)
    return b.build()


def add_cameras(b: Builder, count: int) -> dict[str, Eye]:
    """Places with a camera each; camera to how good it is."""
    eyes = {}
    for i in range(count):
        place = f"CORNER-{i + 1:02d}"
        lon, lat = 113.34 + 0.003 * (i % 8), 23.14 + 0.003 * (i // 8)
        b.place(
            place,
            "corner",
            Text(f"{i + 1}号路口", f"Corner {i + 1}"),
            zone=f"GRID-{i // 12 + 1}",
            lon=lon,
            lat=lat,
        )
        b.device(f"{place}-CAM", "camera", place)
        eyes[f"{place}-CAM"] = GOOD if i % 6 < 3 else FAIR if i % 6 < 5 else POOR
    return eyes


def add_wrong(b: Builder, eyes: dict[str, Eye], duration_s: float) -> None:
    """Sightings of what is not there: alone, and in short runs of the same shadow."""
    hours = duration_s / 3600.0
    for camera, eye in eyes.items():
        for what in WHAT:
            for _ in range(b.rng.poisson(eye.stray_h * hours)):
                _sighting(b, camera, what.event_class, b.rng.uniform(0, duration_s), b.rng.normal(0.6, 0.08))
            for _ in range(b.rng.poisson(eye.runs_h * hours)):
                at, sure = b.rng.uniform(0, duration_s), b.rng.normal(0.6, 0.05)
                for k in range(int(b.rng.integers(2, 4))):
                    _sighting(b, camera, what.event_class, at + what.every_s * k, b.rng.normal(sure, 0.04))


def _happens(b: Builder, camera: str, eye: Eye, what: What, duration_s: float) -> None:
    """One thing before one camera, seen frame by frame, with pauses where somebody stands in the way."""
    lasts = b.rng.uniform(*what.lasts_s)
    begin = b.rng.uniform(0.02 * duration_s, max(0.95 * duration_s - lasts, 0.03 * duration_s))
    looks = np.arange(begin + b.rng.uniform(0, 0.5) * what.every_s, begin + lasts, what.every_s)
    hidden = begin + lasts * b.rng.uniform(0.4, 0.6)
    for at in looks.tolist():
        behind = hidden <= at < hidden + 0.15 * lasts
        unseen = b.rng.random() >= eye.sees or behind
        if (
            unseen and what.dwell_s + what.lasts_s[0] > 10
        ):  # what falls is before the camera for a moment only
            continue
        _sighting(b, camera, what.event_class, at, b.rng.normal(eye.sure + what.rise, 0.05))
    begin_ns = b.start_ns + round((begin + what.dwell_s) * SECOND)
    end_ns = b.start_ns + round((begin + lasts) * SECOND)
    b.truth(
        what.kind,
        camera.removesuffix("-CAM"),
        what.severity,
        begin_ns,
        end_ns,
        within_s=8.0 * what.every_s + 10.0,
        episode_ns=(b.start_ns + round(begin * SECOND), end_ns),
    )


def _hoarding(b: Builder, camera: str, duration_s: float) -> None:
    """Lit at dusk, taken for a fire frame after frame: nothing but a person can tell."""
    for at in np.arange(0.6 * duration_s, 0.9 * duration_s, 10.0).tolist():
        if b.rng.random() < 0.7:
            _sighting(b, camera, "fire", at, b.rng.normal(0.78, 0.05))


def _sighting(b: Builder, camera: str, event_class: str, at_s: float, sure: float) -> None:
    if 0 <= at_s < (b.end_ns - b.start_ns) / SECOND:
        t_ns = b.start_ns + round(at_s * SECOND)
        b.video(camera, event_class, t_ns, round(float(np.clip(sure, 0.3, 0.99)), 3))
