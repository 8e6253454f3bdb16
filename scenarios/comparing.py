"""Two runs over the same readings, incident by incident: only in one, earlier or later, at another level. Pure.

Incidents of two runs need not have the same ids (an id follows from the start of the first finding), so they are
paired by kind, district and place, and by being open at the same time; of several, those raised closest together.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from scenarios.scoretables import Sheet
from scenarios.scoring import raised_ns
from yiwang.clock import SECOND, iso
from yiwang.model import Incident

NEAR_S = 900.0
"""Incidents of which one is over before the other is raised are still one thing up to so far apart."""
SAME_S = 1.0
"""A difference in time that is none."""


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """What of an incident is compared. ``until_ns`` None: it still is."""

    id: str
    district: int
    kind: str
    place: str
    raised_ns: int
    until_ns: int | None
    peak: int
    confidence: float


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference.

    Attributes:
        what: ``only_a``, ``only_b``, ``earlier`` or ``later`` (b against a), ``level``.
        seconds: how much later b is; 0 unless that is the difference.
    """

    what: Literal["only_a", "only_b", "earlier", "later", "level"]
    a: Raised | None = None
    b: Raised | None = None
    seconds: float = 0.0


def raised(incidents: Iterable[Incident]) -> list[Raised]:
    """Of confirmed incidents that were not merged into others, in order of time."""
    found = [
        Raised(
            id=i.id,
            district=i.district,
            kind=i.kind,
            place=i.place,
            raised_ns=t_ns,
            until_ns=i.cleared_ns or i.closed_ns,
            peak=i.peak,
            confidence=i.confidence,
        )
        for i in incidents
        if not i.merged_into and (t_ns := raised_ns(i)) is not None
    ]
    return sorted(found, key=lambda r: (r.raised_ns, r.id))


def compare(a: Sequence[Raised], b: Sequence[Raised]) -> list[Change]:
    """What b says otherwise than a, in order of time."""
    there: dict[tuple[int, str, str], list[Raised]] = defaultdict(list)
    for one in b:
        there[one.district, one.kind, one.place].append(one)
    pairs = sorted(
        (
            (abs(x.raised_ns - y.raised_ns), x, y)
            for x in a
            for y in there[x.district, x.kind, x.place]
            if _together(x, y)
        ),
        key=lambda p: (p[0], p[1].id, p[2].id),
    )
    of_a: dict[str, Raised] = {}
    of_b: set[str] = set()
    for _, x, y in pairs:
        if x.id not in of_a and y.id not in of_b:
            of_a[x.id] = y
            of_b.add(y.id)
    changes = [Change(what="only_b", b=y) for y in b if y.id not in of_b]
    for x in a:
        partner = of_a.get(x.id)
        if partner is None:
            changes.append(Change(what="only_a", a=x))
            continue
        later_s = (partner.raised_ns - x.raised_ns) / SECOND
        if abs(later_s) > SAME_S:
            what: Literal["earlier", "later"] = "later" if later_s > 0 else "earlier"
            changes.append(Change(what=what, a=x, b=partner, seconds=later_s))
        if partner.peak != x.peak:
            changes.append(Change(what="level", a=x, b=partner))
    return sorted(changes, key=lambda c: (_either(c).raised_ns, _either(c).id, c.what))


def _together(x: Raised, y: Raised) -> bool:
    near = round(NEAR_S * SECOND)
    return (x.until_ns is None or y.raised_ns <= x.until_ns + near) and (
        y.until_ns is None or x.raised_ns <= y.until_ns + near
    )


def _either(change: Change) -> Raised:
    found = change.a or change.b
    assert found is not None  # every change is of at least one
    return found


def as_json(changes: Iterable[Change]) -> list[dict[str, Any]]:  # Any: plain JSON
    """One flat object a change."""
    lines = []
    for change in changes:
        one = _either(change)
        lines.append(
            {
                "what": change.what,
                "district": one.district,
                "kind": one.kind,
                "place": one.place,
                "time": iso(one.raised_ns),
                "time_ns": one.raised_ns,
                "seconds": change.seconds,
                "level_a": change.a.peak if change.a else None,
                "level_b": change.b.peak if change.b else None,
                "incident_a": change.a.id if change.a else None,
                "incident_b": change.b.id if change.b else None,
            }
        )
    return lines


def sheet(lines: Sequence[dict[str, Any]], names: tuple[str, str]) -> Sheet:  # Any: of ``as_json``
    """As a table; ``names`` of the two runs."""
    a, b = names
    words = {
        "only_a": f"only {a}",
        "only_b": f"only {b}",
        "earlier": f"{b} earlier",
        "later": f"{b} later",
        "level": "other level",
    }
    return Sheet(
        title=f"{b} against {a}: {len(lines)} difference(s)",
        header=("time (UTC)", "kind", "place", "difference", "s", f"level {a}", f"level {b}"),
        rows=tuple(
            (
                x["time"][:19].replace("T", " "),
                x["kind"],
                x["place"],
                words[x["what"]],
                f"{x['seconds']:+.0f}" if x["seconds"] else "",
                "" if x["level_a"] is None else str(x["level_a"]),
                "" if x["level_b"] is None else str(x["level_b"]),
            )
            for x in lines
        ),
        names=4,
    )
