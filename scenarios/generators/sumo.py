"""A motorway corridor by SUMO, the microscopic simulator (Lopez et al. 2018, ITSC): every vehicle follows the one ahead.

Needs the extra ``yiwang[sim]``: the package ``eclipse-sumo`` brings the programs. They are run on files in a scratch folder;
nothing here talks to a running simulation. A crash is two vehicles that stop side by side. Recorded runs lie in the
library, so that nobody needs the simulator to play them.
"""

import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from scenarios.building import Builder
from scenarios.generators.corridor import Loops, Measured, Road
from scenarios.generators.traffic import QUEUE_M, Corridor, register, speak, station
from scenarios.model import Scenario
from yiwang.clock import SECOND
from yiwang.columns import F64
from yiwang.errors import BadInput
from yiwang.registry import Text

LEAD_M = 1_000.0
"""Of road before chainage 0, on which vehicles find their lanes."""
WARM_S = 900.0
"""The simulation begins on an empty road, so much earlier than the scenario."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Lanes blocked by vehicles that stop side by side.

    Attributes:
        at_m: chainage.
        begin_s: when they are sent to stop there; they do a minute or so later.
        for_s: how long they stand.
        lanes: how many.
    """

    at_m: float
    begin_s: float
    for_s: float
    lanes: int


def sumo_corridor(
    *,
    start_ns: int,
    seed: int,
    duration_s: float = 7_200.0,
    demand_veh_h: float = 3_900.0,
    lanes: float = 3.0,
    blocked: float = 2.0,
    spacing_m: float = 600.0,
    every_s: float = 60.0,
    lorries: float = 0.12,
    crest: float = 0.0,
) -> Scenario:
    """A crash on a motorway of 9 km, or a rush hour at a lane drop.

    Args:
        start_ns: event time of the first second.
        seed: SUMO's own.
        duration_s: length.
        demand_veh_h: all lanes together.
        lanes: of the road.
        blocked: lanes blocked by the crash; 0 for none.
        spacing_m: of the stations.
        every_s: reporting interval.
        lorries: share of lorries.
        crest: where above 0, a lane ends 1 km before the road does, and the demand is that of a rush hour: 70 % of
            ``demand_veh_h``, for an hour in the middle ``crest`` times it.

    Raises:
        BadInput: ``scenario.extra`` when SUMO is not installed, ``scenario.simulator`` when it fails.
    """
    home = sumo_home()
    b = Builder(
        "sumo_crash" if blocked else "sumo_rush",
        Text("SUMO 仿真：高速公路事故", "A crash on a motorway, by SUMO")
        if blocked
        else Text("SUMO 仿真：早高峰", "A rush hour on a motorway, by SUMO"),
        start_ns=start_ns,
        seed=seed,
        duration_s=duration_s,
        tick_s=10.0,
        settle_s=1800.0,
    )
    length_m = 9_000.0
    at_m = tuple(np.arange(400.0, length_m - 200.0, spacing_m).tolist())
    c = Corridor(
        zone="S1E",
        road=Road(length_m=length_m, lanes=int(lanes), free_kmh=110.0),
        loops=Loops(at_m=at_m, every_s=every_s),
        per_lane=not crest,  # where a lane ends there is none to be silent
        seed=seed,
    )
    crash = Blocked(
        at_m=6_900.0 + float(b.rng.uniform(-300, 300)),
        begin_s=2_400.0 + float(b.rng.uniform(0, 600)),
        for_s=1_800.0,
        lanes=int(blocked),
    )
    play = _Play(
        c=c,
        demand_veh_h=demand_veh_h,
        lorries=lorries,
        duration_s=duration_s,
        seed=seed,
        home=home,
        crest=crest,
    )
    seen = play.run(crash if blocked else None)
    register(b, c)
    for i in range(len(at_m)):
        speak(b, c, i, seen)
    if blocked:
        _truth(b, c, crash, seen, play.run(None))
    return b.build()


def sumo_home() -> Path:
    """Where SUMO is installed.

    Raises:
        BadInput: ``scenario.extra``.
    """
    try:
        home = Path(str(import_module("sumo").SUMO_HOME))
    except ImportError:
        raise BadInput(
            "scenario.extra",
            "this scenario is made by SUMO, which is not installed: pip install 'yiwang[sim]'; its recorded runs in "
            "the library need no simulator",
            extra="sim",
        ) from None
    return home


@dataclass(frozen=True, slots=True, kw_only=True)
class _Play:
    c: Corridor
    demand_veh_h: float
    lorries: float
    duration_s: float
    seed: int
    home: Path
    crest: float

    def run(self, crash: Blocked | None) -> Measured:
        """What the loops say, with a crash or without."""
        with tempfile.TemporaryDirectory(prefix="yiwang-sumo-") as scratch:
            folder = Path(scratch)
            self._write(folder, crash)
            self._program("netconvert", "-n", "n.xml", "-e", "e.xml", "-o", "net.xml", folder=folder)
            self._program(
                "sumo", "-n", "net.xml", "-r", "r.xml", "-a", "a.xml", "--seed", str(self.seed),
                "-e", str(WARM_S + self.duration_s), "--time-to-teleport", "-1", "--no-step-log",
                "--collision.action", "none", folder=folder,
            )  # fmt: skip
            return self._read(folder / "d.xml")

    def _program(self, name: str, *arguments: str, folder: Path) -> None:
        done = subprocess.run(  # its arguments are ours
            [str(self.home / "bin" / name), *arguments],
            cwd=folder,
            env={"SUMO_HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BadInput("scenario.simulator", f"{name} failed: {done.stderr.strip()[-500:]}", program=name)

    def _write(self, folder: Path, crash: Blocked | None) -> None:
        road = self.c.road
        end = LEAD_M + road.length_m
        drop = end - 1_000.0 if self.crest else end - 100.0
        nodes = (("a", 0.0), ("b", drop), ("c", end))
        _xml(folder / "n.xml", "nodes", [f'<node id="{name}" x="{x}" y="0"/>' for name, x in nodes])
        edges = (("m", "a", "b", road.lanes), ("o", "b", "c", road.lanes - bool(self.crest)))
        speed = f'speed="{road.free_kmh / 3.6:.2f}"'
        _xml(
            folder / "e.xml",
            "edges",
            [f'<edge id="{i}" from="{x}" to="{y}" numLanes="{n}" {speed}/>' for i, x, y, n in edges],
        )
        loops = [
            f'<inductionLoop id="{i}_{k}" lane="{edge}_{k}" pos="{pos:.1f}" period="{self.c.loops.every_s}" file="d.xml"/>'
            for i, at_m in enumerate(self.c.loops.at_m)
            for edge, pos, count in [
                ("m", LEAD_M + at_m, road.lanes)
                if LEAD_M + at_m < drop
                else ("o", LEAD_M + at_m - drop, edges[1][3])
            ]
            for k in range(count)
        ]
        _xml(folder / "a.xml", "additional", loops)
        kinds = [
            '<vType id="car" length="4.8" maxSpeed="45" speedFactor="normc(0.98,0.10,0.7,1.3)" sigma="0.6" tau="1.15"/>',
            '<vType id="lorry" length="14" maxSpeed="25" speedFactor="normc(0.95,0.06,0.8,1.1)" accel="1.2" tau="1.5"/>',
            '<route id="r" edges="m o"/>',
        ]
        whole = WARM_S + self.duration_s
        third = whole / 3
        parts = ((0.0, third, 0.7), (third, 2 * third, self.crest), (2 * third, whole, 0.7))
        flows = [
            f'<flow id="{kind}{n}" type="{kind}" route="r" begin="{begin:.0f}" end="{until:.0f}" departLane="best" '
            f'departSpeed="desired" period="exp({self.demand_veh_h * part * share / 3600:.4f})"/>'
            for n, (begin, until, part) in enumerate(parts if self.crest else ((0.0, whole, 1.0),))
            for kind, share in (("car", 1 - self.lorries), ("lorry", self.lorries))
        ]
        stops = [
            f'<vehicle id="crash{k}" type="car" route="r" depart="{WARM_S + crash.begin_s:.0f}" departLane="{k}" '
            f'departPos="{LEAD_M + crash.at_m - 400:.0f}" departSpeed="20">'
            f'<stop lane="m_{k}" endPos="{LEAD_M + crash.at_m:.0f}" duration="{crash.for_s:.0f}"/></vehicle>'
            for k in range(crash.lanes if crash else 0)
            if crash
        ]
        # SUMO wants departures in order of time
        _xml(folder / "r.xml", "routes", [*kinds, *flows, *stops])

    def _read(self, path: Path) -> Measured:
        lanes, stations = self.c.road.lanes, len(self.c.loops.at_m)
        count = int(self.duration_s // self.c.loops.every_s)
        shape = (count, stations, lanes)
        flow, occupancy, speed = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
        for element in ET.parse(path).getroot().iter("interval"):  # noqa: S314  SUMO's own file
            i, k = (int(part) for part in element.attrib["id"].split("_"))
            row = round((float(element.attrib["begin"]) - WARM_S) / self.c.loops.every_s)
            if 0 <= row < count:
                flow[row, i, k] = float(element.attrib["flow"])
                occupancy[row, i, k] = round(float(element.attrib["occupancy"]), 1)
                kmh = float(element.attrib["speed"]) * 3.6
                speed[row, i, k] = round(kmh) if kmh >= 0 else np.nan  # -1: nobody passed
        with np.errstate(invalid="ignore", divide="ignore"):
            vehicles = np.where(np.isfinite(speed), flow, 0.0)
            mean = (np.nan_to_num(speed) * vehicles).sum(axis=2) / vehicles.sum(axis=2)
            standing = np.nanmax(occupancy, axis=2) > 50
        true: F64 = np.where(np.isfinite(mean), mean, np.where(standing, 0.0, self.c.road.free_kmh))
        t_s = (np.arange(count, dtype=np.float64) + 1) * self.c.loops.every_s
        return Measured(t_s=t_s, flow=flow, occupancy=occupancy, speed=speed, true_speed=true)


def _xml(path: Path, root: str, lines: Sequence[str]) -> None:
    path.write_text(f"<{root}>\n" + "\n".join(lines) + f"\n</{root}>\n", encoding="utf-8")


def _truth(b: Builder, c: Corridor, crash: Blocked, seen: Measured, calm: Measured) -> None:
    """First change upstream of the crash against the run without it; level by the longest queue."""
    at_m = np.asarray(c.loops.at_m)
    upstream = np.flatnonzero(at_m <= crash.at_m)
    slow = (calm.true_speed - seen.true_speed > 0.3 * c.road.free_kmh) & (seen.t_s > crash.begin_s)[:, None]
    first = int(slow[:, upstream[-2:]].any(axis=1).argmax())
    queue = np.zeros(len(seen.t_s))
    for row in range(len(seen.t_s)):
        behind = slow[row, upstream][::-1]
        length = len(behind) if behind.all() else int(behind.argmin())
        queue[row] = crash.at_m - at_m[upstream[-length]] if length else 0.0
    severity = min((level for level, least in QUEUE_M.items() if queue.max() >= least), default=3)
    place = station(c, int(upstream[-1]))
    begin_s = float(seen.t_s[first])
    near = [i for i in range(len(at_m)) if -4_000.0 <= at_m[i] - crash.at_m <= 1_500.0]
    b.truth(
        "traffic_incident",
        place,
        severity,
        b.start_ns + round(begin_s * SECOND),
        b.start_ns + round((crash.begin_s + crash.for_s + 60.0) * SECOND),
        within_s=240.0 + c.loops.every_s,
        also=tuple(station(c, i) for i in near if station(c, i) != place),
    )
