"""The end of incidents, and what is kept of their evidence."""

from msgspec.structs import replace

from dispatch.book import Book, grown
from dispatch.judging import enter
from dispatch.state import Claim, remember


def close(
    book: Book, incident: str, keys: list[str] | None = None, /, *, by: str = "", reason: str, **args: str
) -> None:
    """Close an incident for good.

    Args:
        book: of this call.
        incident: open or cleared.
        keys: what it holds in ``open``, where that has been looked up.
        by: who says so, empty for the evidence itself.
        reason: ``evidence``, ``unconfirmed`` (a candidate whose evidence is over), ``merged`` or ``false_alarm``.
            After a false alarm its findings raise nothing until they are over, unless they become more severe than
            the incident was.
        args: more for the line of history.
    """
    state = book.state
    row = state.incidents[incident]
    for finding, claim in state.live.pop(incident).items():
        # Only a person closes over evidence that is not over, and only as a false alarm.
        del state.found[finding]
        past(book, incident, claim)
        remember(state.dismissed, finding, row.severity)
        state.reports.pop(finding, None)
        doubt = forget(book, claim.device, finding)
        if doubt:
            book.trusted[claim.device] = doubt
    if keys is None:
        keys = [key for key, owner in state.open.items() if owner == incident]
    for key in keys:
        del state.open[key]
    history = grown(row.history, book.step("closed", by, reason=reason, **args))
    enter(book, replace(row, state="closed", closed_ns=book.t_ns, history=history))


def close_over(book: Book) -> None:
    """Close the incidents whose evidence has been over for as long as their kind lingers."""
    over: dict[str, list[str]] = {}
    for row in book.state.incidents.values():
        # A closed one keeps its cleared_ns while its case goes on.
        since = row.cleared_ns if row.state == "cleared" else None
        if since is not None and book.t_ns >= since + book.state.plans[row.kind].linger_ns:
            over[row.id] = []
    if not over:
        return
    # One pass for all: thousands of sensors that were silent together are over together.
    for key, owner in book.state.open.items():
        if owner in over:
            over[owner].append(key)
    for id_, keys in over.items():
        candidate = book.state.incidents[id_].standing == "candidate"
        close(book, id_, keys, reason="unconfirmed" if candidate else "evidence")


def past(book: Book, incident: str, claim: Claim) -> None:
    """Evidence that is over counts on for as long as its kind lingers; of one source the strongest that still does."""
    kept = book.state.past.setdefault(incident, {})
    key = f"{claim.source}\x1f{claim.metric}"
    old = kept.get(key)
    linger_ns = book.state.plans[book.state.incidents[incident].kind].linger_ns
    if old is not None and old.confidence > claim.confidence and claim.t_ns - old.t_ns <= linger_ns:
        return
    kept[key] = claim


def forget(book: Book, device: str, finding: str) -> str:
    """Take away the doubt of a health finding; returns its reason, empty where there was none."""
    doubts = book.state.doubts.get(device)
    doubt = doubts.pop(finding, None) if doubts else None
    if not doubts:
        book.state.doubts.pop(device, None)
    return doubt.reason if doubt else ""
