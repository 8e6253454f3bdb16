"""Alarm-management figures of a run, as an operator's seat lives it (ISA-18.2, IEC 62682; domain.md G). Pure.

What calls a person is an **annunciation**: a confirmed incident that is not part of a situation, a situation when it
opens or becomes more severe, and an incident within a situation at level I. One district is one seat.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import msgspec

from yiwang.clock import SECOND
from yiwang.model import Body, Finding, Incident, Situation

TEN_MIN_S = 600
FLOOD_FROM = 10
"""More than so many in ten minutes begin a flood, fewer than ``FLOOD_UNDER`` end it."""
FLOOD_UNDER = 5
CHATTER = 3
"""So many changes between active and over within ``CHATTER_S`` are chattering."""
CHATTER_S = 60
STALE_S = 24 * 3600


class Annunciation(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One call upon people."""

    t_ns: int
    district: int
    severity: int
    source: str  # device of the first evidence, or the situation
    of: str  # id of the incident or situation


class AlarmTally(msgspec.Struct, kw_only=True):
    """Counts that add up over scenarios.

    Attributes:
        seat_hours: hours watched, a seat for each district.
        most: most annunciations that any seat had in ten minutes.
        over: ten-minute periods of a seat with more than ten; ``periods`` of so many.
        flood_s: seconds of seats in flood.
        sources: annunciations by source.
        priority: annunciations by severity, I first.
        chattering: incidents that changed three times in a minute.
        stale: incidents active for more than a day.
        findings: episodes of findings; ``incidents`` confirmed.
    """

    seat_hours: float = 0.0
    annunciations: int = 0
    most: int = 0
    over: int = 0
    periods: int = 0
    flood_s: float = 0.0
    sources: dict[str, int] = {}
    priority: tuple[int, int, int, int] = (0, 0, 0, 0)
    chattering: int = 0
    stale: int = 0
    findings: int = 0
    incidents: int = 0

    def __add__(self, other: Self) -> "AlarmTally":
        return AlarmTally(
            seat_hours=self.seat_hours + other.seat_hours,
            annunciations=self.annunciations + other.annunciations,
            most=max(self.most, other.most),
            over=self.over + other.over,
            periods=self.periods + other.periods,
            flood_s=self.flood_s + other.flood_s,
            sources=dict(Counter(self.sources) + Counter(other.sources)),
            priority=_added(self.priority, other.priority),
            chattering=self.chattering + other.chattering,
            stale=self.stale + other.stale,
            findings=self.findings + other.findings,
            incidents=self.incidents + other.incidents,
        )

    @classmethod
    def total(cls, parts: Iterable["AlarmTally"]) -> "AlarmTally":
        """All of them together."""
        return sum(parts, start=cls())


def annunciations(bodies: Iterable[Body]) -> list[Annunciation]:
    """Every call upon people in a district's outputs, in order of time.

    Each new moment at which an incident or a situation says it called is one.
    """
    found: dict[tuple[str, int], Annunciation] = {}
    for body in bodies:
        if isinstance(body, Incident | Situation) and body.annunciated_ns is not None:
            source = body.id
            if isinstance(body, Incident) and body.evidence:
                source = body.evidence[0].device or body.id
            found.setdefault(
                (body.id, body.annunciated_ns),
                Annunciation(
                    t_ns=body.annunciated_ns,
                    district=body.district,
                    severity=body.severity,
                    source=source,
                    of=body.id,
                ),
            )
    return sorted(found.values())


def tally(bodies: Mapping[int, Sequence[Body]], *, begin_ns: int, end_ns: int, hours: float) -> AlarmTally:
    """The figures of a run.

    Args:
        bodies: by district, all outputs in order.
        begin_ns: first moment of the run.
        end_ns: last moment of the run.
        hours: of event time that was watched, without silent stretches left out.
    """
    return AlarmTally.total(
        _seat(outputs, begin_ns=begin_ns, end_ns=end_ns, hours=hours) for outputs in bodies.values()
    )


def _seat(outputs: Sequence[Body], *, begin_ns: int, end_ns: int, hours: float) -> AlarmTally:
    calls = annunciations(outputs)
    times = [c.t_ns for c in calls]
    step = TEN_MIN_S * SECOND
    per_period = Counter((t - begin_ns) // step for t in times)
    last = {b.id: b for b in outputs if isinstance(b, Incident)}
    raised = [i for i in last.values() if i.confirmed_ns is not None]
    return AlarmTally(
        seat_hours=hours,
        annunciations=len(calls),
        most=_most(times),
        over=sum(n > FLOOD_FROM for n in per_period.values()),
        periods=max(1, round(hours * 3600 / TEN_MIN_S)),
        flood_s=_flood_s(times),
        sources=dict(Counter(c.source for c in calls)),
        priority=_priority(calls),
        chattering=sum(_chatters(i) for i in raised),
        stale=sum((i.cleared_ns or i.closed_ns or end_ns) - i.opened_ns > STALE_S * SECOND for i in raised),
        findings=len({b.id for b in outputs if isinstance(b, Finding) and b.level}),
        incidents=len(raised),
    )


def _most(times: list[int]) -> int:
    """Most of them in any ten minutes, wherever those begin."""
    most, first = 0, 0
    for i, t in enumerate(times):
        while times[first] <= t - TEN_MIN_S * SECOND:
            first += 1
        most = max(most, i - first + 1)
    return most


def _flood_s(times: list[int]) -> float:
    """Seconds in flood: from the annunciation that makes more than ten in ten minutes to fewer than five."""
    step = TEN_MIN_S * SECOND
    moments = sorted([(t, 1) for t in times] + [(t + step, -1) for t in times])
    now, since, total = 0, None, 0
    for t, change in moments:
        now += change
        if since is None and now > FLOOD_FROM:
            since = t
        elif since is not None and now < FLOOD_UNDER:
            total += t - since
            since = None
    return total / SECOND


def _chatters(incident: Incident) -> bool:
    changes = [s.t_ns for s in incident.history if s.what in ("opened", "cleared", "reopened")]
    return any(
        changes[i + CHATTER - 1] - changes[i] <= CHATTER_S * SECOND for i in range(len(changes) - CHATTER + 1)
    )


def _priority(calls: list[Annunciation]) -> tuple[int, int, int, int]:
    by = Counter(c.severity for c in calls)
    return by[1], by[2], by[3], by[4]


def _added(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]


def figures(t: AlarmTally) -> dict[str, float | int | None]:
    """What is shown, by the names of domain.md G. Priority: IV low, III medium, II high, I critical."""
    calls = t.annunciations
    top = sum(n for _, n in Counter(t.sources).most_common(10))

    def share(part: float, whole: float) -> float | None:
        return part / whole if whole else None

    return {
        "annunciations": calls,
        "per_10_min": share(calls * TEN_MIN_S / 3600, t.seat_hours),
        "per_day": share(calls * 24, t.seat_hours),
        "most_in_10_min": t.most,
        "periods_over_10": share(t.over, t.periods),
        "flood_share": share(t.flood_s, t.seat_hours * 3600),
        "chattering": t.chattering,
        "stale": t.stale,
        "top_10_share": share(top, calls),
        "priority_critical": share(t.priority[0], calls),
        "priority_high": share(t.priority[1], calls),
        "priority_medium": share(t.priority[2], calls),
        "priority_low": share(t.priority[3], calls),
        "findings": t.findings,
        "incidents": t.incidents,
        "findings_per_incident": share(t.findings, t.incidents),
        "findings_per_annunciation": share(t.findings, calls),
    }
