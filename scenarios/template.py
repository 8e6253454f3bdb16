"""``yiwang scenario new``: a small scenario to change, with comments; it passes the check and its truth is met."""

from pathlib import Path

from scenarios.writing import begin
from yiwang.errors import BadInput

_SPEC = """\
# A scenario: who is there (places.csv, devices.csv, units.csv), what they say (readings.csv, events.jsonl) and what
# is true. Check it with:  yiwang scenario check {folder}
# Score it with:           yiwang score {folder}
# All fields: docs/reference/scenarios.md
scenario: {name}
title: {{zh: 新场景, en: New scenario}}

# Event time of the feed's begin and end, with a zone.
start: 2026-06-12T20:00:00+08:00
end: 2026-06-12T21:30:00+08:00

tick_s: 1          # grid of event time on which detectors tick and incidents age
settle_s: 2700     # ticks go on so long after the end, so that incidents can be closed
merge_s: 0         # truths of one place closer than this may be found as one incident
lateness_s: 10     # how long ticks wait for late readings

# The city's own values; see docs/reference/domain-packs.md. Files with packs of your own: files: [rules/mine.yaml]
rules:
  overrides:
    - entry: depth.ladder
      place: UP-1
      params: {{rung_iii: 12}}
      source: "an example: this underpass is watched from 12 cm on"

# Faults of transport, laid over the readings; remove the marks to try:
# faults:
#   seed: 1
#   late: [{{share: 0.1, by_s: [1, 5]}}]
#   duplicated: [{{share: 0.1, within_s: 5}}]
#   shuffled: {{window_s: 1}}
#   dropped: [{{share: 0.01}}]
#   clock: [{{devices: [WL-2], by_s: 30}}]

# What really happens, and must be raised as one incident each. begin and end: first and last moment at which the
# lowest level holds; severity: the worst level, 1 (I, red) to 4 (IV, blue); reaches: when each level is reached.
truth:
  - id: flood
    kind: road_flooding
    place: UP-1
    severity: 3
    begin: 2026-06-12T20:25:00+08:00
    end: 2026-06-12T20:50:00+08:00
    within_s: 60
    reaches: {{"4": 2026-06-12T20:25:00+08:00, "3": 2026-06-12T20:32:00+08:00}}
"""

_PLACES = """\
id,kind,district,zone,name,name_en,lon,lat,attr:closure_depth_cm
UP-1,underpass,0,CA-1,示例下穿隧道,Example underpass,112.66,23.95,27
RD-1,road,0,CA-1,示例路口,Example junction,112.68,23.96,30
"""

_DEVICES = """\
id,kind,district,place,name,name_en,lon,lat
WL-1,underpass_water_level,0,UP-1,隧道水位计,Underpass gauge,112.66,23.95
WL-2,road_water_level,0,RD-1,路口水位计,Junction gauge,112.68,23.96
CAM-1,camera,0,RD-1,路口摄像机,Junction camera,112.68,23.96
"""

_UNITS = """\
id,skill,district,name,name_en,lon,lat,on_duty
DRAINAGE-1,drainage,0,排水一组,Drainage crew 1,112.67,23.955,true
"""

_EVENTS = """\
{"time": "2026-06-12T20:20:00+08:00", "type": "video", "device": "CAM-1", "class": "road_flooding", "confidence": 0.3}
"""

# Depth in cm over minutes: dry, 5 cm at 25 min, 12 cm at 32 min, 18 cm at most, below 5 cm after 50 min.
_COURSE = (
    (0, 0.0),
    (18, 0.0),
    (25, 5.0),
    (32, 12.0),
    (38, 18.0),
    (43, 18.0),
    (50, 5.0),
    (54, 0.0),
    (90, 0.0),
)


def new(name: str, folder: Path) -> list[str]:
    """Write the template.

    Returns:
        Names of the files.

    Raises:
        BadInput: ``scenario.exists`` or ``scenario.folder``, as ``writing.begin``; ``scenario.name``.
    """
    if not name or len(name) > 60 or not name.replace("_", "").replace("-", "").isalnum():
        raise BadInput(
            "scenario.name", f"{name!r} is no name: letters, digits, _ and -, at most 60", name=name
        )
    begin(folder)
    contents = {
        "scenario.yaml": _SPEC.format(name=name, folder=folder),
        "places.csv": _PLACES,
        "devices.csv": _DEVICES,
        "units.csv": _UNITS,
        "readings.csv": _readings(),
        "events.jsonl": _EVENTS,
    }
    for file, text in contents.items():
        (folder / file).write_text(text, encoding="utf-8")
    return list(contents)


def _readings() -> str:
    lines = ["time,device,metric,value,unit"]
    for minute in range(90):
        stamp = f"2026-06-12T{20 + minute // 60}:{minute % 60:02d}:00+08:00"
        lines.append(f"{stamp},WL-1,water_depth,{_depth(minute):g},cm")
        lines.append(f"{stamp},WL-2,water_depth,{2 + minute % 3},mm")
    return "\n".join(lines) + "\n"


def _depth(minute: int) -> float:
    after = next(k for k, (m, _) in enumerate(_COURSE) if m > minute)
    (m0, d0), (m1, d1) = _COURSE[after - 1], _COURSE[after]
    return round(d0 + (d1 - d0) * (minute - m0) / (m1 - m0), 1)
