"""What people say of an incident, and what it teaches about the devices whose evidence it was."""

from msgspec.structs import replace

from dispatch import belief, judging
from dispatch.book import Book, grown
from dispatch.state import Claim, Trust, remember


def learn(book: Book, incident: str, *, right: bool) -> None:
    """Count a verdict for each device and metric that spoke in an incident, once for each incident.

    A verdict that contradicts the one before takes that back. A device that was known to be at fault is not blamed.
    """
    state = book.state
    before = state.verdicts.get(incident)
    if before == right:
        return
    state.verdicts[incident] = right
    for claim in _voices(book, incident):
        if not claim.device or (not right and belief.weight(state, claim, book.t_ns)[1]):
            continue
        device = state.trust.get(claim.device, {})
        old = belief.faded(device.get(claim.metric, Trust(0.0, 0.0, book.t_ns)), book.t_ns)
        good, bad = old.right, old.wrong
        if before is not None:
            good, bad = (good, max(0.0, bad - 1.0)) if right else (max(0.0, good - 1.0), bad)
        good, bad = (good + 1.0, bad) if right else (good, bad + 1.0)
        device[claim.metric] = Trust(good, bad, old.t_ns)
        remember(state.trust, claim.device, device)


def verify(book: Book, incident: str, by: str) -> None:
    """A person says that an incident is real (核实): nothing is surer."""
    learn(book, incident, right=True)
    row = book.state.incidents[incident]
    if row.standing == "verified":
        return
    history = grown(row.history, book.step("verified", by, confidence=row.confidence))
    row = judging.confirmed(book, replace(row, history=history), "verified", book.t_ns)
    if not row.acknowledged_by:
        row = replace(row, acknowledged_by=by, acknowledged_ns=book.t_ns)
    judging.enter(book, judging.judged(book, row, book.t_ns, {}))


def _voices(book: Book, incident: str) -> list[Claim]:
    """One piece of evidence for each device and metric that spoke."""
    state = book.state
    claims = (*state.live.get(incident, {}).values(), *state.past.get(incident, {}).values())
    return list({(claim.device, claim.metric): claim for claim in claims}.values())
