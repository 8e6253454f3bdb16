"""A desk's state held still: what is done later does not show, and its bytes are those of ``dump``."""

from random import Random

import msgspec
import pytest

from dispatch.freezing import Encoding
from dispatch.state import State
from tests.dispatch.town import Town
from yiwang.model import Acknowledge, CloseCase, Dispatch


def something(town: Town, chance: Random) -> None:
    """A finding, a fault, a report, a warning, a decision, or time that goes by."""
    id_ = f"F-{chance.randrange(12)}"
    match chance.randrange(8):
        case 0 | 1:
            town.find(chance.randrange(5), id_, at=chance.choice("abc"))
        case 2:
            town.fault(chance.choice((0, 4)), f"H-{id_}", device=f"dev-{id_}")
        case 3:
            town.report(f"R-{chance.randrange(5)}", place=chance.choice("abc"))
        case 4:
            town.warn(f"W-{chance.randrange(3)}", until_s=town.now_s + chance.choice((-1, 60, 5000)))
        case 5 if town.incidents:
            incident = chance.choice(list(town.incidents))
            town.command(
                chance.choice((Acknowledge(incident=incident), Dispatch(incident=incident, unit="pump2")))
            )
        case 6 if town.orders:
            order = chance.choice(list(town.orders.values()))
            town.receipt(order, chance.choice(("accepted", "en_route", "on_scene", "done", "declined")))
        case 7 if town.cases:
            town.command(CloseCase(case=chance.choice(list(town.cases))))
        case _:
            town.wait(chance.choice((1, 30, 1000)))


@pytest.mark.parametrize("seed", range(5))
def test_frozen_states_do_not_follow_the_desk_and_give_the_bytes_of_dump(seed: int) -> None:
    """Whatever has happened since; one encoding makes the bytes of all of them, in any order."""
    town, chance, encoding = Town(), Random(seed), Encoding()
    frozen: list[tuple[State, bytes]] = []
    for _ in range(150):
        something(town, chance)
        frozen.append((town.desk.freeze(), town.desk.dump()))
    assert len({data for _, data in frozen}) > 100
    chance.shuffle(frozen)
    for state, data in frozen:
        assert encoding.encode(state) == data


def test_tables_of_any_size_are_maps_as_messagepack_has_them() -> None:
    """Up to 15, up to 65 535, and more entries have heads of their own."""
    town, encoding = Town(), Encoding()
    for size in (15, 16, 65_535, 65_536):
        state = town.desk.freeze()
        one = next(iter(state.units.values()))
        state.units = {str(i): one for i in range(size)}
        state.calls = {str(i): [i] for i in range(size)}
        assert encoding.encode(state) == msgspec.msgpack.encode(state)
