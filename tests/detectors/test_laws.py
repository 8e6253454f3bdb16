"""Every detector keeps the laws; and the laws catch those that do not."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest

from detectors import laws
from detectors.ladder import Ladder
from detectors.latch import LatchState
from detectors.protocol import Detector, Param, Quiet, Spec, specs
from detectors.registry import DETECTORS
from tests.detectors.exhibits import EXHIBITS
from yiwang.columns import NO_FINDINGS, FindingColumns, Round


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("kind", DETECTORS, ids=lambda kind: kind.name)
def test_detector_keeps_law(kind: type[Detector[Any]], law: laws.Law) -> None:
    """Each registered detector keeps each law on what hypothesis makes up."""
    laws.check(kind, law, examples=60)


@pytest.mark.parametrize("kind", DETECTORS, ids=lambda kind: kind.name)
def test_detector_is_silent_on_the_quiet_exhibit(kind: type[Detector[Any]]) -> None:
    """Nothing is said of an ordinary day; every registered detector has an exhibit."""
    laws.silent_on_the_quiet(kind, EXHIBITS[kind.name])


@pytest.mark.parametrize("kind", DETECTORS, ids=lambda kind: kind.name)
def test_detector_finds_the_labelled_exhibit(kind: type[Detector[Any]]) -> None:
    """What happens is found within the delay the exhibit states."""
    laws.finds_the_labelled(kind, EXHIBITS[kind.name])


def test_all_laws_are_run_by_one_call() -> None:
    """What the author of a plug-in calls."""
    laws.check_all(Ladder, examples=2, exhibit=EXHIBITS["ladder"])


@dataclass(frozen=True, kw_only=True)
class _Ladder(Ladder):
    name: ClassVar[str] = "spoilt"


class _Hoarder(_Ladder):
    """Changes its input."""

    def step(self, state: LatchState, r: Round) -> FindingColumns:
        r.value[:] = 0
        return super().step(state, r)


class _Gossip(_Ladder):
    """Lets the highest value of a round speak for all its series."""

    def step(self, state: LatchState, r: Round) -> FindingColumns:
        if len(r):
            r = replace(r, value=np.full(len(r), np.nanmax(np.where(np.isfinite(r.value), r.value, -9.0))))
        return super().step(state, r)


class _Clerk(_Ladder):
    """Looks at the time of day."""

    def step(self, state: LatchState, r: Round) -> FindingColumns:
        return super().step(state, replace(r, value=np.where(r.t_ns > laws.ORIGIN_NS, r.value, 9.0)))


class _Chatterer(_Ladder):
    """Speaks at every reading."""

    def step(self, state: LatchState, r: Round) -> FindingColumns:
        found = super().step(state, r)
        n = len(r) if not len(found) else 0
        return (
            found
            if not n
            else FindingColumns(
                series=r.series,
                t_ns=r.t_ns,
                since_ns=r.t_ns,
                level=np.ones(n, np.int8),
                value=np.zeros(n),
                limit=np.zeros(n),
                reason=np.zeros(n, np.uint8),
            )
        )


class _Sloppy(_Ladder):
    """Says values that are no numbers."""

    def step(self, state: LatchState, r: Round) -> FindingColumns:
        found = super().step(state, r)
        return replace(found, value=np.full(len(found), np.nan))


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        (_Hoarder, laws.same_in_same_out),
        (_Chatterer, laws.same_in_same_out),
        (_Sloppy, laws.same_in_same_out),
        (_Gossip, laws.cutting_changes_nothing),
        (_Gossip, laws.series_are_strangers),
        (_Clerk, laws.time_has_no_origin),
    ],
)
def test_law_catches_the_detector_that_breaks_it(kind: type[Detector[Any]], law: laws.Law) -> None:
    """A law is worth something only if it can be broken."""
    with pytest.raises((AssertionError, ValueError, ExceptionGroup)):
        laws.check(kind, law, examples=300, shrink=False)


def test_a_quiet_detector_says_nothing_on_ticks() -> None:
    """``Quiet`` is for detectors without a tick."""
    assert Quiet().tick(None, 5) is NO_FINDINGS


def test_parameter_without_spec_is_an_error_of_its_author() -> None:
    """Units and ranges are part of a detector."""

    @dataclass(frozen=True, kw_only=True)
    class Vague(Quiet):
        good: Annotated[Param, Spec(unit="s", lo=0, hi=1)]
        bad: Param

    with pytest.raises(TypeError, match=r"Vague\.bad lacks its Spec"):
        specs(Vague)
