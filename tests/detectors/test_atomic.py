"""Detectors that say they change their state all at once: nothing can fail once they have begun to."""

import ast
import inspect
from collections.abc import Iterator

import numpy as np
import pytest

from detectors import laws
from detectors.ladder import Ladder
from detectors.latch import LatchState
from detectors.registry import all_detectors
from detectors.state import commit
from yiwang.columns import FindingColumns, Round

ATOMIC = [kind for kind in all_detectors().values() if getattr(kind, "atomic", False)]


def _blocks(kind: type) -> Iterator[list[ast.stmt]]:
    """Every sequence of statements in a detector's class and those it is made of."""
    for base in kind.__mro__:
        if base.__module__.startswith("detectors."):
            for node in ast.walk(ast.parse(inspect.getsource(base))):
                yield from (
                    block for name in ("body", "orelse") if isinstance(block := getattr(node, name, 0), list)
                )


@pytest.mark.parametrize("kind", ATOMIC, ids=lambda kind: kind.__name__)
def test_after_a_commit_a_ready_answer_is_returned(kind: type) -> None:
    """What is worked out after the state has changed could raise, and the finding would be lost."""
    behind = [
        block[i + 1 : i + 2]
        for block in _blocks(kind)
        for i, statement in enumerate(block)
        if ast.unparse(statement).startswith("commit(")
    ]
    assert behind
    for rest in behind:
        assert [type(r) for r in rest] == [ast.Return]
        assert isinstance(rest[0], ast.Return)
        assert isinstance(rest[0].value, ast.Name)


class _Hasty(Ladder):
    """Says it is atomic, and writes as it goes."""

    def step(self, state: LatchState, r: Round) -> FindingColumns:
        """Counts its readings where the start of an episode belongs."""
        state.since_ns[r.series] = r.t_ns
        return super().step(state, r)


class _Coarse(Ladder):
    """Has levels of another type than its state."""

    def step(self, state: LatchState, r: Round) -> FindingColumns:
        """Commits floats."""
        found = super().step(state, r)
        commit([(state.level, found.series, found.level.astype(np.float64))])
        return found


@pytest.mark.parametrize("kind", [_Hasty, _Coarse])
def test_the_law_catches_who_breaks_it(kind: type) -> None:
    """Writes beside ``commit``, values that do not fit."""
    with pytest.raises((AssertionError, ValueError)):
        laws.check(kind, laws.all_or_nothing, examples=200, shrink=False)


def test_some_are() -> None:
    """Else there is nothing to check."""
    assert len(ATOMIC) >= 5
