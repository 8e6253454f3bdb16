"""Whom to send."""

import pytest

from dispatch.assign import distance_m
from tests.dispatch.town import Town, unit
from yiwang.model import UnitState
from yiwang.registry import Registry


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        ((113.0, 23.0), (113.0, 23.0), 0.0),
        # Beijing to Guangzhou, and one degree of latitude on a sphere of the mean radius.
        ((116.4074, 39.9042), (113.2644, 23.1291), 1_889_000.0),
        ((113.0, 23.0), (113.0, 24.0), 111_195.1),
        ((0.0, 0.0), (180.0, 0.0), 20_015_114.4),
    ],
)
def test_distance(a: tuple[float, float], b: tuple[float, float], metres: float) -> None:
    """Great-circle distances agree with the known ones."""
    assert distance_m(*a, *b) == pytest.approx(metres, rel=2e-3)
    assert distance_m(*a, *b) == distance_m(*b, *a)


@pytest.mark.parametrize(
    ("units", "sent"),
    [
        ((unit("far", "drainage", 114.0), unit("near", "drainage", 113.1)), "near"),
        ((unit("near", "traffic", 113.1), unit("far", "drainage", 114.0)), "far"),
        ((unit("near", "drainage", 113.1, on_duty=False), unit("far", "drainage", 114.0)), "far"),
        ((unit("b", "drainage", 113.1), unit("a", "drainage", 113.1)), "a"),
    ],
)
def test_the_nearest_on_duty_with_the_skill_is_sent(units: tuple[object, ...], sent: str) -> None:
    """Nearest first; skill and duty count; a tie is decided by the id."""
    town = Town(units)  # type: ignore[arg-type]  # the table's type is wide
    town.find(2)
    assert town.order.unit == sent
    assert town.units[sent].order == town.order.id


def test_a_busy_unit_is_not_sent_twice() -> None:
    """The second incident gets the second nearest."""
    town = Town()
    town.find(2)
    town.find(2, "F-2", at="b")
    assert [o.unit for o in town.orders.values()] == ["pump1", "pump2"]


def test_units_are_told_when_they_are_new_or_their_duty_changes() -> None:
    """A registry change speaks of units whose state it changes, and keeps the order of one at work."""
    town = Town()
    assert [u.id for u in town.units.values()] == ["pump1", "pump2", "tow1", "gas1"]
    assert all(u.rev == 1 and u.order == "" for u in town.units.values())
    town.find(2)
    same = Registry(version=2, units=(unit("pump1", "drainage", 113.05),))
    assert town.desk.registry(same) == []
    off = Registry(version=3, units=(unit("pump1", "drainage", 113.05, on_duty=False),))
    (state,) = town.desk.registry(off)
    assert isinstance(state, UnitState)
    assert (state.rev, state.on_duty, state.order) == (3, False, town.order.id)
