"""How the demo's night is judged."""

import msgspec

from scenarios.demo import all_done, supported
from tests.ws_server.bodies import order


def test_orders_are_done_when_every_unit_that_took_one_on_is() -> None:
    """An order that was declined or withdrawn is nobody's; without any order nothing was done."""
    done, gone = order("a", state="verified"), order("b", state="declined")
    assert all_done([done, gone])
    assert not all_done([done, order("c", state="on_scene")])
    assert not all_done([gone])


def test_support_counts_when_it_is_done() -> None:
    """A crew on its way for a neighbour has not helped yet."""
    on_way = order("a", state="en_route", for_district=1)
    assert not supported([on_way])
    assert supported([msgspec.structs.replace(on_way, state="done")])
    assert not supported([order("a", state="done")])
