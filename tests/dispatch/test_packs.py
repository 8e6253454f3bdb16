"""The desk under the rules that are shipped."""

import pytest

from dispatch.desk import Desk
from dispatch.plans import plans_of
from tests.dispatch.town import PLACES, finding, unit
from yiwang.domains import compile_rules, load_rules
from yiwang.model import Case, Incident, Order, SupportNeeded, UnitState
from yiwang.registry import Registry

DOMAINS = compile_rules(load_rules())


@pytest.mark.parametrize("kind", [k for k in DOMAINS.kinds if DOMAINS.kinds[k].case_at is not None])
def test_every_kind_that_opens_cases_has_a_crew_and_limits(kind: str) -> None:
    """A kind with a case level has a skill and a category with all four limits."""
    plan = plans_of(DOMAINS)[kind]
    assert plan.skill
    assert None not in (plan.accept_ns, plan.arrive_ns, plan.handle_ns, plan.check_ns)


def test_a_flooded_underpass_at_level_one() -> None:
    """Case, the own drainage crew, and a request to the city for one more, in one call."""
    desk = Desk(0)
    desk.rules(DOMAINS)
    desk.registry(Registry(version=1, places=PLACES, units=(unit("p", "drainage", 113.0),)))
    bodies = desk.finding(finding(1, kind="road_flooding"), 0)
    assert [type(b) for b in bodies] == [Incident, Case, Order, UnitState, SupportNeeded]
