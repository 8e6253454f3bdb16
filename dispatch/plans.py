"""What dispatch needs to know of the domain packs, and a copy of it small enough to live in the state."""

from typing import Literal

import msgspec

from yiwang.domains import Domains


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of incident is handled.

    It is kept in the desk's state, so that an incident whose kind a change of rules takes away goes on as before.
    ``*_ns`` limits are None where the kind has no category: then nothing is ever overdue.
    """

    kind: str
    domain: str = ""
    by: Literal["place", "zone", "device", "district"]
    linger_ns: int
    case_at: int  # 0: never opens a case by itself
    category: str
    skill: str
    support_skill: str
    accept_ns: int | None = None
    arrive_ns: int | None = None
    handle_ns: int | None = None
    check_ns: int | None = None
    nature: Literal["incident", "health", "warning"] = "incident"
    confirm_at: float = 0.7
    situation: str = ""
    near_m: float = 0.0
    neighbours: float = 0.0
    slope: float = 1.0
    shift: float = 0.0
    doubt: float = 0.5
    doubts: dict[str, float] = {}
    device_wide: tuple[str, ...] = ()
    refutes: tuple[str, ...] = ()


class SituationPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of situation opens, closes and calls; kept in the state like a ``Plan``."""

    kind: str
    sites: int
    window_ns: int
    linger_ns: int
    warnings: tuple[str, ...]
    warning_at: int
    many: dict[int, int]
    calls: int
    calls_ns: int


def ns(seconds: float) -> int:
    """Seconds as whole nanoseconds."""
    return round(seconds * 1e9)


def later(t_ns: int, *spans_ns: int | None) -> int | None:
    """``t_ns`` plus all spans, or None where one of them has no limit."""
    total = t_ns
    for span in spans_ns:
        if span is None:
            return None
        total += span
    return total


def plans_of(domains: Domains) -> dict[str, Plan]:
    """One plan for each incident kind of the rules in force."""
    plans = {}
    for name, kind in domains.kinds.items():
        limits = domains.categories.get(kind.category)
        plans[name] = Plan(
            kind=name,
            domain=kind.domain,
            by=kind.by,
            linger_ns=ns(kind.linger_s),
            case_at=int(kind.case_at or 0),
            category=kind.category,
            skill=kind.skill,
            support_skill=kind.support_skill,
            accept_ns=None if limits is None else ns(limits.accept_s),
            arrive_ns=None if limits is None else ns(limits.arrive_s),
            handle_ns=None if limits is None else ns(limits.handle_s),
            check_ns=None if limits is None else ns(limits.check_s),
            nature=kind.nature,
            confirm_at=kind.confirm_at,
            situation=kind.situation,
            near_m=kind.near_m,
            neighbours=kind.neighbours,
            slope=kind.slope,
            shift=kind.shift,
            doubt=kind.doubt,
            doubts=dict(kind.doubts),
            device_wide=kind.device_wide,
            refutes=kind.refutes,
        )
    return plans


def situations_of(domains: Domains) -> dict[str, SituationPlan]:
    """One plan for each kind of situation of the rules in force."""
    return {
        name: SituationPlan(
            kind=name,
            sites=kind.sites,
            window_ns=ns(kind.window_s),
            linger_ns=ns(kind.linger_s),
            warnings=kind.warnings,
            warning_at=kind.warning_at,
            many=dict(kind.many),
            calls=kind.calls,
            calls_ns=ns(kind.calls_s),
        )
        for name, kind in domains.situations.items()
    }
