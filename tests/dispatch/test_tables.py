"""The two tables of moves: receipts of an order, stages of a case."""

from typing import get_args

import pytest

from dispatch import cases, orders
from dispatch.state import REMEMBERED, remember
from tests.dispatch.town import Town
from yiwang.errors import Conflict
from yiwang.model import Receipt, Stage

RECEIPTS: tuple[Receipt, ...] = get_args(Receipt)
WAY: tuple[Receipt, ...] = ("sent", "delivered", "seen", "accepted", "en_route", "on_scene", "done")


def allowed(now: Receipt, to: Receipt) -> bool:
    """The rule in words: forward on the way, decline before arriving, cancel before done, verify after done."""
    if now in WAY and to in WAY:
        return WAY.index(to) > WAY.index(now)
    if to == "declined":
        return now in WAY[:5]
    if to == "cancelled":
        return now in WAY[:6]
    return (now, to) == ("done", "verified")


@pytest.mark.parametrize("to", RECEIPTS)
@pytest.mark.parametrize("now", RECEIPTS)
def test_every_move_of_a_receipt(now: Receipt, to: Receipt) -> None:
    """The table is the rule in words; the same receipt again is no move; anything else names both ends."""
    if now == to:
        assert orders.moves("O-1", now, to) is False
    elif allowed(now, to):
        assert orders.moves("O-1", now, to) is True
    else:
        with pytest.raises(Conflict, match=f"O-1 is {now} and cannot become {to}") as caught:
            orders.moves("O-1", now, to)
        assert caught.value.code == "order.transition"
        assert caught.value.details == {"order": "O-1", "from": now, "to": to}


def test_the_tables_are_complete() -> None:
    """Each state of the model has its row."""
    assert set(orders.MOVES) == set(RECEIPTS)
    assert set(cases.MOVES) == set(get_args(Stage))
    assert set(WAY[:6]) == orders.LIVE


@pytest.mark.parametrize(
    ("receipts", "stage"),
    [
        ([], "dispatched"),
        (["delivered"], "dispatched"),
        (["seen"], "dispatched"),
        (["accepted"], "handling"),
        (["en_route"], "handling"),
        (["on_scene"], "handling"),
        (["accepted", "en_route", "on_scene"], "handling"),
        (["done"], "checking"),
        (["seen", "on_scene", "done"], "checking"),
    ],
)
def test_receipts_drive_the_case(receipts: list[Receipt], stage: Stage) -> None:
    """Accept and arrive: 处置; done: 核查; a receipt may skip others that the phone could not send."""
    town = Town()
    town.find(2)
    for receipt in receipts:
        assert town.receipt(town.order, receipt).ok
    assert town.stage == stage


def test_a_memory_forgets_the_oldest() -> None:
    """It never holds more than its size, and a key kept again is new again."""
    memory: dict[str, int] = {}
    for i in range(REMEMBERED):
        remember(memory, str(i), i)
    remember(memory, "0", 0)
    remember(memory, "new", 1)
    assert len(memory) == REMEMBERED
    assert "0" in memory
    assert "1" not in memory
