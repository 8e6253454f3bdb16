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
    by: Literal["place", "zone"]
    linger_ns: int
    case_at: int  # 0: never opens a case by itself
    category: str
    skill: str
    support_skill: str
    accept_ns: int | None = None
    arrive_ns: int | None = None
    handle_ns: int | None = None
    check_ns: int | None = None


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
        )
    return plans
