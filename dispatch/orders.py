"""Orders (任务单): one table of the moves a receipt may make, and the unit that an order binds."""

from msgspec.structs import replace

from dispatch.book import Book, grown
from dispatch.plans import Plan, later
from dispatch.state import State
from yiwang.errors import Conflict
from yiwang.model import Order, Receipt
from yiwang.registry import Unit

MOVES: dict[Receipt, frozenset[Receipt]] = {
    # A phone that was out of reach may send a later receipt first; none ever goes back.
    "sent": frozenset(
        {"delivered", "seen", "accepted", "en_route", "on_scene", "done", "declined", "cancelled"}
    ),
    "delivered": frozenset({"seen", "accepted", "en_route", "on_scene", "done", "declined", "cancelled"}),
    "seen": frozenset({"accepted", "en_route", "on_scene", "done", "declined", "cancelled"}),
    "accepted": frozenset({"en_route", "on_scene", "done", "declined", "cancelled"}),
    "en_route": frozenset({"on_scene", "done", "declined", "cancelled"}),
    "on_scene": frozenset({"done", "cancelled"}),
    "done": frozenset({"verified"}),
    "verified": frozenset(),
    "declined": frozenset(),
    "cancelled": frozenset(),
}
WAITING: frozenset[Receipt] = frozenset({"sent", "delivered", "seen"})
COMING: frozenset[Receipt] = frozenset({"accepted", "en_route"})
LIVE: frozenset[Receipt] = WAITING | COMING | {"on_scene"}
"""Binds its unit."""
WORKED: frozenset[Receipt] = frozenset({"done", "verified"})


def moves(order: str, now: Receipt, to: Receipt) -> bool:
    """Whether a receipt changes anything; the same one again does not.

    Raises:
        Conflict: ``order.transition`` with ``from`` and ``to`` where the table does not allow it.
    """
    if to == now:
        return False
    if to not in MOVES[now]:
        allowed = ", ".join(sorted(MOVES[now])) or "nothing"
        message = f"order {order} is {now} and cannot become {to}; next may be: {allowed}"
        raise Conflict("order.transition", message, order=order, **{"from": now, "to": to})
    return True


def send(book: Book, order: Order, unit: Unit) -> None:
    """Bind the unit and put the order on the books."""
    step = book.step(
        "sent",
        unit=unit.id,
        unit_name_zh=unit.name.zh,
        unit_name_en=unit.name.en,
        distance_m=order.distance_m,
        offer=order.offer,
    )
    book.put(replace(order, receipts=(step,)))
    book.put(replace(book.state.units[unit.id], order=order.id))


def move(book: Book, order: str, to: Receipt, *, by: str, note: str = "") -> None:
    """Move an order to another state, set its next deadline, and free its unit where it is over.

    The move must be one that ``moves`` allows.
    """
    state = book.state
    row = state.orders[order]
    step = book.step(to, by, **({"note": note} if note else {}))
    deadline = row.deadline_ns if _phase(to) == _phase(row.state) else _deadline(book, row, to)
    overdue = row.overdue and _phase(to) == _phase(row.state)
    receipts = grown(row.receipts, step)
    book.put(replace(row, state=to, deadline_ns=deadline, overdue=overdue, receipts=receipts))
    if row.state in LIVE and to not in LIVE:
        book.put(replace(state.units[row.unit], order=""))


def overdue(book: Book, order: str) -> None:
    """Mark that the order's next receipt has not come by its deadline."""
    row = book.state.orders[order]
    step = book.step("overdue", state=row.state)
    book.put(replace(row, overdue=True, receipts=grown(row.receipts, step)))


def live_of(state: State, orders: tuple[str, ...]) -> list[Order]:
    """Those of the orders that bind a unit."""
    return [state.orders[id_] for id_ in orders if state.orders[id_].state in LIVE]


def _phase(receipt: Receipt) -> str:
    if receipt in WAITING:
        return "accept"
    if receipt in COMING:
        return "arrive"
    return "handle" if receipt == "on_scene" else "over"


def _deadline(book: Book, row: Order, to: Receipt) -> int | None:
    plan: Plan | None = book.state.plans.get(row.incident_kind)
    if plan is None:
        return None
    phase = _phase(to)
    limit = {"arrive": plan.arrive_ns, "handle": plan.handle_ns}.get(phase)
    return later(book.t_ns, limit)
