"""Fire alarm panels on a bad evening: one real fire among faults, tests and detectors that cry wolf.

Every part of every building is a device of its own; its readings are the part status words of GB 26875.3 (domain.md
F4), which come when something changes, and once an hour as a sign of life.
"""

from dataclasses import dataclass, field

import numpy as np

from scenarios.building import Builder
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.registry import Text

RUNNING, FIRE, FAULT, SHIELDED, STARTED, FEEDBACK, MAINS = 1, 2, 4, 8, 32, 64, 256
METRE = 1 / 111_320.0
"""Of latitude, degrees."""
POLL_S = 3600.0
FAULT_S = 60.0
"""How long a part is in fault before it counts; a test holds it to the pack."""


@dataclass(slots=True, kw_only=True)
class Part:
    """A detector or call point: where it hangs (m) and what it says when, [(second, word)]."""

    id: str
    x_m: float
    y_m: float
    button: bool
    says: list[tuple[float, int]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class House:
    """A building with its parts."""

    id: str
    parts: list[Part]


def fire_panels(
    *,
    start_ns: int,
    seed: int,
    duration_s: float = 21_600.0,
    houses: int = 16,
    faults: int = 40,
    cries: int = 5,
    wolves: int = 2,
) -> Scenario:
    """One great fire, one small fire, and everything that only looks like one.

    Args:
        start_ns: first second.
        seed: of buildings and everything else.
        duration_s: length, at least four hours.
        houses: buildings, at least 8.
        faults: parts that report a fault for a while, besides one whole loop and one mains failure.
        cries: detectors that alarm once, for steam or dust; whoever raises them is not wrong.
        wolves: detectors that alarm again and again; after the first time they ought to be known.
    """
    b = Builder(
        "fire_panels",
        Text("消防主机报警风暴", "Fire panel storm"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        tick_s=5.0,
        settle_s=2700.0,
    )
    town = [add_house(b, i) for i in range(houses)]
    order = [town[int(i)] for i in b.rng.permutation(houses)]
    _great_fire(b, order[0], b.rng.uniform(0.25, 0.5) * duration_s)
    _small_fire(b, order[1], b.rng.uniform(0.15, 0.7) * duration_s)
    _test(order[2], b.rng.uniform(0.1, 0.6) * duration_s)
    _loop(b, order[3], b.rng.uniform(0.1, 0.8) * duration_s)
    for house in order[3:5]:
        _mains(b, house, b.rng.uniform(0.1, 0.8) * duration_s)
    for k in range(cries):
        _cry(b, order[5 + k % (houses - 5)], b.rng.uniform(0.05, 0.9) * duration_s)
    for k in range(wolves):
        _wolf(b, order[-1 - k], duration_s)
    add_faults(b, town, faults, duration_s)
    for house in town:
        add_words(b, house, duration_s)
    return b.build()


def add_house(b: Builder, i: int, parts: int = 30, buttons: int = 6) -> House:
    """A building of 30 detectors in a grid of 8 m, five storeys over each other, and call points at the stairs."""
    id_ = f"TOWER-{i + 1:02d}"
    lon, lat = 113.32 + 0.004 * (i % 4), 23.12 + 0.004 * (i // 4)
    name = Text(f"{i + 1}号楼", f"Tower {i + 1}")
    b.place(id_, "building", name, zone=f"BLOCK-{i // 4 + 1}", lon=lon, lat=lat)
    b.device(f"{id_}-CAM", "camera", id_)
    found = []
    for k in range(parts + buttons):
        button = k >= parts
        x, y = (8.0 * (k % 6), 8.0 * (k // 6 % 5)) if not button else (24.0, 16.0)
        part = Part(id=f"{id_}-{'B' if button else 'S'}{k:02d}", x_m=x, y_m=y, button=button)
        b.device(
            part.id,
            "fire_button" if button else "fire_detector",
            id_,
            lon=lon + x * METRE / np.cos(np.radians(lat)),
            lat=lat + y * METRE,
        )
        found.append(part)
    return House(id=id_, parts=found)


def add_faults(b: Builder, town: list[House], count: int, duration_s: float) -> None:
    """Parts that are dirty or lose contact for some minutes."""
    idle = [part for house in town for part in house.parts if not part.says]
    for i in b.rng.choice(len(idle), min(count, len(idle)), replace=False).tolist():
        begin = b.rng.uniform(0.02, 0.9) * duration_s
        end = min(begin + b.rng.uniform(300, 3600), duration_s - 1)
        idle[i].says += [(begin, RUNNING | FAULT), (end, RUNNING)]
        _faulty(b, idle[i], begin, end)


def add_words(b: Builder, house: House, duration_s: float) -> None:
    """The words of a building's parts, with a sign of life each hour that repeats the word in force."""
    for part in house.parts:
        phase = b.rng.uniform(0, POLL_S)
        polls = np.arange(phase, duration_s, POLL_S)
        says = sorted((t, w) for t, w in part.says if t < duration_s)
        at = np.array([0.0, *(t for t, _ in says)])
        word = np.array([RUNNING, *(w for _, w in says)])
        repeated = word[np.searchsorted(at, polls, side="right") - 1]
        t_s = np.concatenate([at[1:], polls])
        t_ns, first = np.unique(b.start_ns + np.rint(t_s * SECOND).astype(np.int64), return_index=True)
        b.readings(part.id, "fire_part_state", t_ns, np.concatenate([word[1:], repeated])[first])


def _great_fire(b: Builder, house: House, begin: float) -> None:
    """Smoke spreads from one detector over the floor: dozens of alarms, burnt loops, pumps, a person at a button."""
    smoke = [p for p in house.parts if not p.button]
    seat = smoke[int(b.rng.integers(len(smoke)))]
    speed, end = b.rng.uniform(0.04, 0.09), begin + 3000.0
    alarmed = []
    for part in smoke:
        far = float(np.hypot(part.x_m - seat.x_m, part.y_m - seat.y_m))
        at = begin + far / speed * b.rng.uniform(0.8, 1.3)
        if at < begin + 1500:
            part.says += [(at, RUNNING | FIRE), (end + b.rng.uniform(0, 240), RUNNING)]
            if far > 0 and b.rng.random() < 0.3:  # its loop burns through
                burnt = at + b.rng.uniform(120, 600)
                part.says.append((burnt, FIRE | FAULT))
                _faulty(b, part, burnt, end + 240, optional=True)
            alarmed.append(at)
    for part in house.parts:
        if part.button and b.rng.random() < 0.5:
            at = begin + b.rng.uniform(60, 400)
            part.says += [(at, RUNNING | FIRE), (at + 30, RUNNING | FIRE | FEEDBACK), (end, RUNNING)]
            alarmed.append(at)
    for k in range(60):
        t_ns = b.start_ns + round((begin + 90 + 15 * k) * SECOND)
        b.video(f"{house.id}-CAM", "fire" if k > 8 else "smoke", t_ns, float(b.rng.uniform(0.7, 0.95)))
    at_ns = [b.start_ns + round(at * SECOND) for at in sorted(alarmed)]
    b.truth(
        "fire",
        house.id,
        1,
        at_ns[0],
        b.start_ns + round((end + 240) * SECOND),
        within_s=15.0,
        reaches_ns={2: at_ns[0], 1: at_ns[1]},
    )


def _small_fire(b: Builder, house: House, begin: float) -> None:
    """A kitchen: one detector, and the camera sees it; put out by hand."""
    part = house.parts[int(b.rng.integers(30))]
    end = begin + b.rng.uniform(600, 900)
    part.says += [(begin, RUNNING | FIRE), (end, RUNNING)]
    for k in range(24):
        t_ns = b.start_ns + round((begin + 40 + 15 * k) * SECOND)
        b.video(f"{house.id}-CAM", "smoke", t_ns, float(b.rng.uniform(0.65, 0.9)))
    begin_ns, end_ns = (b.start_ns + round(t * SECOND) for t in (begin, end))
    b.truth("fire", house.id, 2, begin_ns, end_ns, within_s=15.0)


def _test(house: House, begin: float) -> None:
    """The yearly test: everything shielded, then smoke at one part after the other."""
    for k, part in enumerate(house.parts):
        at = begin + 600 + 45.0 * k
        part.says += [
            (begin, RUNNING | SHIELDED),
            (at, RUNNING | SHIELDED | FIRE),
            (at + 30, RUNNING | SHIELDED),
            (begin + 3000, RUNNING),
        ]


def _loop(b: Builder, house: House, begin: float) -> None:
    """A loop is cut: ten parts in fault within a second."""
    for part in house.parts[10:20]:
        at = begin + b.rng.uniform(0, 1)
        part.says += [(at, FAULT), (at + 2400, RUNNING)]
        _faulty(b, part, at, at + 2400)


def _mains(b: Builder, house: House, begin: float) -> None:
    """The mains fail and come back: each call point says so."""
    for part in house.parts:
        if part.button:
            part.says += [(begin, RUNNING | MAINS), (begin + 1200, RUNNING)]
            _faulty(b, part, begin, begin + 1200)


def _cry(b: Builder, house: House, begin: float) -> None:
    """Steam or dust: one detector, for a minute or two. Somebody must look, so it may be raised."""
    idle = [p for p in house.parts if not p.says and not p.button]
    part = idle[int(b.rng.integers(len(idle)))]
    end = begin + b.rng.uniform(40, 200)
    part.says += [(begin, RUNNING | FIRE), (end, RUNNING)]
    _may(b, house, begin, end)


def _wolf(b: Builder, house: House, duration_s: float) -> None:
    """A dirty detector: once or twice an hour, for a minute. Only its first alarm is worth a look."""
    idle = [p for p in house.parts if not p.says and not p.button]
    part = idle[int(b.rng.integers(len(idle)))]
    at = b.rng.uniform(0, 0.1) * duration_s
    for k in range(8):
        if at > 0.95 * duration_s:
            break
        end = at + b.rng.uniform(20, 120)
        part.says += [(at, RUNNING | FIRE), (end, RUNNING)]
        if k == 0:
            _may(b, house, at, end)
        at = end + b.rng.uniform(2400, 4200)


def _may(b: Builder, house: House, begin: float, end: float) -> None:
    begin_ns, end_ns = (b.start_ns + round(t * SECOND) for t in (begin, end))
    b.truth("fire", house.id, 2, begin_ns, end_ns, within_s=60.0, optional=True)


def _faulty(b: Builder, part: Part, begin: float, end: float, *, optional: bool = False) -> None:
    begin_ns, end_ns = (b.start_ns + round(t * SECOND) for t in (begin + FAULT_S, end))
    b.truth("sensor_fault", part.id, 4, begin_ns, end_ns, within_s=90.0, optional=optional)
