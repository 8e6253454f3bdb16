"""An incident as its evidence makes it: confidence, standing, severity, and the lines of history about them."""

from msgspec.structs import replace

from dispatch import belief, evidence
from dispatch.belief import Belief
from dispatch.book import Book, grown
from dispatch.evidence import Facts
from dispatch.plans import Plan
from dispatch.state import State, Told, spot_key
from yiwang.model import Incident, Standing

RENEW_NS = 600 * 10**9
"""A severity that people were called upon for before calls them again only after so long: levels that swing to and
fro are one alarm (chattering, ISA-18.2). A severity worse than any so far calls at once."""
STANDINGS: tuple[Standing, ...] = ("candidate", "confirmed", "corroborated", "verified")


def judged(book: Book, row: Incident, t_ns: int, facts: Facts) -> Incident:
    """The incident with the confidence, standing and severity that its evidence gives it now.

    Standing only rises: what was confirmed, and is doubted later, is for a person to dismiss.

    Args:
        book: of this call; ``worse`` is told of what got worse.
        row: with its newest evidence; open or cleared.
        t_ns: of the finding, or whatever else it was, that is the cause.
        facts: of the cause, for the history.
    """
    plan = book.state.plans[row.kind]
    row = _with_warnings(book, row, plan)
    found = belief.believed(book.state, plan, row.id, row.zone, book.t_ns)
    confidence = found.confidence
    if row.standing == "verified":
        confidence = max(confidence, belief.CAP)
    row = replace(row, confidence=confidence, sources=found.sources)
    row = _standing(book, row, plan, found, t_ns, facts)
    return _severity(book, row, found, facts)


def enter(book: Book, row: Incident) -> None:
    """Put an incident on the books; one that has come to be believed speaks for its like in the zone."""
    state = book.state
    book.put(row)
    plan = state.plans[row.kind]
    if row.state == "closed":
        state.city.pop(row.id, None)
    elif plan.nature != "health":
        state.city.setdefault(row.id)
    if not plan.neighbours or not row.zone:
        return
    key = spot_key(row.kind, row.zone)
    sure = state.sure.get(key, {})
    is_sure = _speaks(state, row)
    if is_sure == (row.id in sure):
        return
    if not is_sure:
        del sure[row.id]
        if not sure:
            del state.sure[key]
        return
    state.sure.setdefault(key, {})[row.id] = None
    if len(state.sure[key]) > 1:
        return  # those in doubt had a neighbour already
    for other in [state.incidents[id_] for id_ in state.city]:
        if other.kind == row.kind and other.zone == row.zone and other.standing == "candidate":
            enter(book, judged(book, other, book.t_ns, {"neighbour": row.id}))


def refit(state: State) -> None:
    """Bring what is kept by kind in line with new plans; changes nothing where they say the same as before."""
    state.city = {
        row.id: None
        for row in state.incidents.values()
        if row.state != "closed" and state.plans[row.kind].nature != "health"
    }
    sure = {row.id: spot_key(row.kind, row.zone) for row in state.incidents.values() if _speaks(state, row)}
    for id_, key in sure.items():
        state.sure.setdefault(key, {}).setdefault(id_)
    state.sure = {
        key: still for key, ids in state.sure.items() if (still := {id_: None for id_ in ids if id_ in sure})
    }


def again(book: Book, incident: str, because: Facts) -> None:
    """Judge an incident anew because something around it has changed: a doubt, a warning, a neighbour."""
    row = book.state.incidents[incident]
    new = judged(book, row, book.t_ns, because)
    if new != row:
        enter(book, new)


def _speaks(state: State, row: Incident) -> bool:
    """Whether an incident is believed and so speaks for its like in its zone."""
    believed = row.state == "open" and row.standing != "candidate"
    return believed and bool(row.zone) and state.plans[row.kind].neighbours > 0


def worst(book: Book, incident: str) -> int:
    """Most severe level that any live evidence of an incident speaks of; 5 where none is live."""
    return min((c.level for c in book.state.live[incident].values()), default=5)


def _standing(book: Book, row: Incident, plan: Plan, found: Belief, t_ns: int, facts: Facts) -> Incident:
    if row.confidence < plan.confirm_at or row.standing == "verified":
        return row
    standing: Standing = "corroborated" if found.speaking > 1 else "confirmed"
    if STANDINGS.index(standing) <= STANDINGS.index(row.standing):
        return row
    args = {"confidence": row.confidence, "sources": list(row.sources), **facts}
    history = grown(row.history, book.step(standing, **args))
    return confirmed(book, replace(row, history=history), standing, t_ns)


def confirmed(book: Book, row: Incident, standing: Standing, t_ns: int) -> Incident:
    """The incident in a higher standing; from now on it is no mere candidate."""
    if row.standing != "candidate":
        return replace(row, standing=standing)
    book.worse[row.id] = None
    # How bad it looked while nobody believed it is not how bad it was; who saw the candidate has not seen this.
    return replace(
        row,
        standing=standing,
        confirmed_ns=max(t_ns, row.opened_ns),
        peak=row.severity,
        acknowledged_by="",
        acknowledged_ns=None,
    )


def _severity(book: Book, row: Incident, found: Belief, facts: Facts) -> Incident:
    """As severe as the worst evidence that is believed; a candidate as the worst there is."""
    severity = worst(book, row.id)
    if severity == 5:
        return row  # nothing is live: it stays as it was
    if row.standing != "candidate" and found.severity:
        severity = found.severity
    if severity == row.severity:
        return replace(row, peak=min(row.peak, severity))
    rises = severity < row.severity
    unseen = rises and bool(row.acknowledged_by) and renewed(book, row, severity)
    args: Facts = {"from": row.severity, "to": severity, "unacknowledged": unseen}
    history = grown(row.history, book.step("severity", **args, **facts))
    row = replace(row, severity=severity, peak=min(severity, row.peak), history=history)
    if not rises:
        return row
    book.worse[row.id] = None
    if unseen or (row.annunciated_ns is not None and not row.acknowledged_by):
        book.state.told[row.id] = Told(book.t_ns, severity)
    if not unseen:
        return row
    return replace(row, acknowledged_by="", acknowledged_ns=None)


def renewed(book: Book, row: Incident, severity: int) -> bool:
    """Whether a rise to this severity calls for people again.

    A site of an open situation calls only at level I; a severity that was told before only after ``RENEW_NS``.
    """
    state = book.state
    if row.situation in state.situations and severity > 1:
        return False
    told = state.told.get(row.id)
    return told is None or severity < min(told.severity, row.peak) or book.t_ns - told.t_ns >= RENEW_NS


def _with_warnings(book: Book, row: Incident, plan: Plan) -> Incident:
    """Its evidence with the outside warnings in force that speak for it, and those no longer so marked as over."""
    state = book.state
    known = {e.finding: e for e in row.evidence if e.source == "warning"}
    in_force = belief.matching(state, plan, row.zone)
    if not known and not in_force:
        return row
    shown = row.evidence
    for w in in_force:
        old = known.pop(w.warning_id, None)
        if old is None or (old.level, old.since_ns) != (w.level, w.t_ns):
            shown = evidence.added(shown, evidence.warned(w, w.level, row.zone))
    for old in known.values():
        if old.level:
            shown = evidence.added(shown, replace(old, level=0, t_ns=max(old.t_ns, book.t_ns)))
    return row if shown == row.evidence else replace(row, evidence=shown)
