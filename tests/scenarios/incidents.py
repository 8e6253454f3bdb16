"""Hand-made incidents and truths for tests of scoring, figures and comparisons."""

from typing import Any

from scenarios.model import Truth
from yiwang.clock import SECOND
from yiwang.model import Evidence, Incident, Step

T0 = 1_000 * SECOND


def at(seconds: float) -> int:
    return T0 + round(seconds * SECOND)


def truth(id_: str, begin_s: float, end_s: float, **more: Any) -> Truth:
    fields: dict[str, Any] = {
        "id": id_,
        "kind": "road_flooding",
        "district": 0,
        "place": "P",
        "severity": 2,
        "begin_ns": at(begin_s),
        "end_ns": at(end_s),
        "within_s": 10.0,
    }
    return Truth(**{**fields, **more})


def incident(id_: str, opened_s: float, cleared_s: float, levels: dict[float, int], **more: Any) -> Incident:
    steps = [
        Step(
            t_ns=at(t),
            what="opened" if k == 0 else "severity",
            args={"severity": s} if k == 0 else {"to": s},
        )
        for k, (t, s) in enumerate(levels.items())
    ]
    closed_ns = at(cleared_s + 60)
    fields: dict[str, Any] = {
        "id": id_,
        "rev": 1,
        "district": 0,
        "domain": "flooding",
        "kind": "road_flooding",
        "place": "P",
        "place_name_zh": "",
        "place_name_en": "",
        "lon": 0.0,
        "lat": 0.0,
        "state": "closed",
        "severity": 2,
        "peak": min(levels.values()),
        "opened_ns": at(opened_s),
        "updated_ns": closed_ns,
        "cleared_ns": at(cleared_s),
        "closed_ns": closed_ns,
        "history": (*steps, Step(t_ns=closed_ns, what="closed")),
    }
    return Incident(**{**fields, **more})


def evidence(device: str, place: str, reason: str = "ladder.above") -> Evidence:
    return Evidence(
        finding=f"F-{device}",
        device=device,
        metric="water_depth",
        source="sensor",
        level=2,
        peak=2,
        since_ns=T0,
        t_ns=T0,
        value=30.0,
        limit=27.0,
        reason=reason,
        place=place,
    )
