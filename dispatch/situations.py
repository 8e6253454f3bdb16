"""Situations (态势): many incidents with one cause are told as one; and when people are called upon.

People are called once for a confirmed incident that is part of no situation, once for a situation and again when it
gets worse than ever, and for a site of a situation only at level I, and then no more than ``calls`` in ``calls_ns``.
Matters of the sensors themselves call nobody at the desk: they are work for maintenance.
"""

from msgspec.structs import replace

from dispatch.book import Book, grown
from dispatch.plans import SituationPlan
from dispatch.state import Site, State, Told
from yiwang.ids import derive
from yiwang.model import Incident, Severity, Situation
from yiwang.model import Warning as OutsideWarning

SITES = 1000
"""How many incidents a situation names."""


def review(book: Book) -> None:
    """Open, fill, change and close situations after what this call did to incidents, then call people."""
    state = book.state
    due: dict[str, list[Incident]] = {kind: [] for kind in state.situation_plans} if book.weather else {}
    for row, _ in book.incidents():
        kind = state.plans[row.kind].situation
        if kind not in state.situation_plans:
            continue
        sites = state.sites.setdefault(kind, {})
        old = sites.get(row.id)
        site = None
        if row.state == "open" and row.standing != "candidate":
            site = Site(row.confirmed_ns or row.opened_ns, row.severity, row.place)
            sites[row.id] = site
        elif old is not None:
            del sites[row.id]
        if site != old or (row.situation and row.state == "closed"):
            due.setdefault(kind, []).append(row)
    for kind, rows in due.items():
        _settle(book, state.situation_plans[kind], rows)
    for row, _ in book.incidents():
        _call(book, row.id)


def tick(book: Book) -> None:
    """Close the situations that have been without a site for long; call for those that had to wait their turn."""
    state = book.state
    for row in list(state.situations.values()):
        plan = state.situation_plans[row.kind]
        quiet = state.quiet.get(row.id)
        if quiet is not None and book.t_ns >= quiet + plan.linger_ns and _warning(book, plan) is None:
            _close(book, row)
            continue
        for site in state.sites.get(row.kind, {}):
            if state.incidents[site].severity == Severity.I:
                _call(book, site)


def refit(state: State) -> None:
    """Bring the sites in line with new plans: what is of another kind of situation now, or of none, is no site here."""
    state.sites = {
        kind: {id_: s for id_, s in sites.items() if state.plans[state.incidents[id_].kind].situation == kind}
        for kind, sites in state.sites.items()
        if kind in state.situation_plans
    }
    for row in state.situations.values():
        if not state.sites.get(row.kind):
            state.quiet.setdefault(row.id, state.now_ns)


def acknowledge(book: Book, situation: Situation, by: str) -> None:
    """Somebody at a desk has taken note of a situation."""
    if not situation.acknowledged_by:
        history = grown(situation.history, book.step("acknowledged", by, severity=situation.severity))
        book.put(replace(situation, acknowledged_by=by, acknowledged_ns=book.t_ns, history=history))


def _settle(book: Book, plan: SituationPlan, changed: list[Incident]) -> None:
    """Bring a kind of situation up to date with the sites of it that have changed, or with the warnings in force."""
    state = book.state
    sites = state.sites.get(plan.kind, {})
    warning = _warning(book, plan)
    severity = _severity(plan, sites, warning)
    id_ = state.storms.get(plan.kind)
    if id_ is not None:
        row = state.situations[id_]
    elif _opens(book, plan, sites, warning):
        row = _open(book, plan, sites, severity)
        changed = [state.incidents[site] for site in sites]
    else:
        return
    if sites:
        state.quiet.pop(row.id, None)
    else:
        state.quiet.setdefault(row.id, book.t_ns)
    for incident in changed:
        if incident.id in sites and incident.situation != row.id:
            row = _join(book, row, incident)
    over = {incident.id for incident in changed if incident.state == "closed"}
    if not over.isdisjoint(row.incidents):
        row = replace(row, incidents=tuple(id_ for id_ in row.incidents if id_ not in over))
    row = replace(row, warning=warning.warning_id if warning else "")
    book.put(_judged(book, row, severity or row.severity))


def _join(book: Book, row: Situation, incident: Incident) -> Situation:
    history = grown(incident.history, book.step("joined", situation=row.id))
    book.put(replace(incident, situation=row.id, history=history))
    known = not incident.zone or incident.zone in row.zones
    return replace(
        row,
        sites=row.sites + 1,
        zones=row.zones if known else (*row.zones, incident.zone),
        incidents=(*row.incidents, incident.id)[-SITES:],
        history=grown(row.history, book.step("site", incident=incident.id, severity=incident.severity)),
    )


def _opens(book: Book, plan: SituationPlan, sites: dict[str, Site], warning: OutsideWarning | None) -> bool:
    if warning is not None and sites and warning.level <= plan.warning_at:
        return True
    since = book.t_ns - plan.window_ns
    recent = {site.place for site in sites.values() if site.since_ns >= since}
    return len(recent) >= plan.sites


def _open(book: Book, plan: SituationPlan, sites: dict[str, Site], severity: int) -> Situation:
    state = book.state
    first = next(iter(sites))
    id_ = derive("T", plan.kind, state.district, first)
    if id_ in state.gone:
        id_ = derive("T", plan.kind, state.district, first, book.t_ns)
    state.storms[plan.kind] = id_
    return Situation(
        id=id_,
        rev=0,
        district=state.district,
        kind=plan.kind,
        state="open",
        severity=severity,
        peak=severity,
        opened_ns=book.t_ns,
        updated_ns=book.t_ns,
        history=(book.step("opened", severity=severity, sites=len(sites)),),
        annunciated_ns=book.t_ns,
    )


def _judged(book: Book, row: Situation, severity: int) -> Situation:
    """The situation with its severity; worse than ever, it calls people again."""
    if severity == row.severity:
        return row
    worse = severity < row.peak
    args = {"from": row.severity, "to": severity, "unacknowledged": worse and bool(row.acknowledged_by)}
    row = replace(row, severity=severity, history=grown(row.history, book.step("severity", **args)))
    if not worse:
        return row
    return replace(row, peak=severity, annunciated_ns=book.t_ns, acknowledged_by="", acknowledged_ns=None)


def _severity(plan: SituationPlan, sites: dict[str, Site], warning: OutsideWarning | None) -> int:
    """That of the worst site or of the warning, or by their number; 0 where there is no site."""
    if not sites:
        return 0
    found = min([site.severity for site in sites.values()])
    found = min([found, *(level for level, number in plan.many.items() if len(sites) >= number)])
    return min(found, warning.level) if warning else found


def _warning(book: Book, plan: SituationPlan) -> OutsideWarning | None:
    """The most severe outside warning in force that belongs to a kind of situation, the first of equals."""
    found = [w for id_ in book.state.in_force if (w := book.state.warnings[id_]).event in plan.warnings]
    return min(found, key=lambda w: w.level, default=None)


def _close(book: Book, row: Situation) -> None:
    state = book.state
    del state.storms[row.kind]
    state.quiet.pop(row.id, None)
    state.calls.pop(row.id, None)
    step = book.step("closed", sites=row.sites)
    book.put(
        replace(row, state="closed", closed_ns=book.t_ns, incidents=(), history=grown(row.history, step))
    )


def _call(book: Book, incident: str) -> None:
    """Call people for an incident that needs it and for which nobody was called yet."""
    row = book.state.incidents[incident]
    if (
        row.annunciated_ns is not None
        or row.state != "open"
        or row.standing == "candidate"
        or row.acknowledged_by
        or book.state.plans[row.kind].nature == "health"
        or not _turn(book, row)
    ):
        return
    book.state.told[incident] = Told(book.t_ns, row.severity)
    book.put(replace(row, annunciated_ns=book.t_ns))


def _turn(book: Book, row: Incident) -> bool:
    """Whether people may be called for a single incident now: one that is part of a situation has to wait."""
    state = book.state
    if row.situation not in state.situations:
        return True
    if row.severity > Severity.I:
        return False
    plan = state.situation_plans[state.situations[row.situation].kind]
    calls = [t for t in state.calls.get(row.situation, []) if t > book.t_ns - plan.calls_ns]
    if len(calls) < plan.calls:
        calls.append(book.t_ns)
        state.calls[row.situation] = calls
        return True
    return False
