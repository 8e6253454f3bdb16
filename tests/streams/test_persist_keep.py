"""What is kept of the readings of a metric."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import persist_keep
from streams.persist_keep import Plan, marks_of
from streams.persist_memory import Memory
from streams.persist_memory_codec import dump, load
from streams.persist_rows import NEVER, by_series
from tests.streams.test_persist_minutes import Row, cut
from yiwang.columns import Readings
from yiwang.domains import Keep

PLAN = Plan.of(
    {
        "depth": Keep(what="changes", delta=0.5, every_s=0.05),
        "door": Keep(what="changes", delta=0.0, every_s=1.0),
        "noise": Keep(what="rollup"),
        "rain": Keep(),
    }
)
METRICS = {0: "depth", 1: "door", 2: "noise", 3: "rain"}
MS = 1_000_000
_ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(1, 60).map(lambda k: k * 7 * MS),
        st.integers(0, 8).map(lambda k: k / 4),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=60,
)


def taken(memory: Memory, rows: list[Row]) -> list[Row]:
    """What is stored of a batch: (series, t_ns, value, quality with the late mark)."""
    readings = by_series(Readings.of(rows))
    fresh = memory.unknown(readings)
    memory.meet(fresh, np.full(len(fresh), NEVER, np.int64), marks_of(fresh, METRICS, memory.plan))
    made = memory.take(readings, store=True)
    if made is None:
        return []
    from streams.persist_rows import _READING

    out = np.frombuffer(made.body, _READING.dtype)
    t_ns = (out["t"].astype(np.int64) + 946_684_800_000_000) * 1000
    return list(
        zip(
            out["series"].tolist(),
            t_ns.tolist(),
            out["value"].tolist(),
            out["quality"].tolist(),
            strict=True,
        )
    )


def reference(rows: list[Row]) -> list[Row]:
    """The rule of the page, one reading after the other."""
    newest: dict[int, int] = {}
    said: dict[int, tuple[int, float]] = {}
    last: dict[int, tuple[int, float, int]] = {}
    out = []
    for series, t, value, quality in rows:
        if said.get(series) == (t, value):
            continue  # sent again
        late = series in newest and t <= newest[series]
        if not late:
            said[series] = (t, value)
        newest[series] = max(t, newest.get(series, t))
        keep = PLAN.mark.get(METRICS[series], 0)
        delta, every_ns = float(PLAN.delta[keep]), int(PLAN.every_us[keep]) * 1000
        if METRICS[series] == "noise":
            continue
        if METRICS[series] != "rain" and not late:
            if series in last:
                then, before, how = last[series]
                change = abs(value - before)
                new = (change >= delta and change > 0) or t - then >= every_ns or quality != how
                if not new:
                    continue
            last[series] = (t, value, quality)
        out.append((series, t, value, quality | (4 if late else 0)))
    return out


@pytest.mark.parametrize("few", [0, 8])
@given(rows=_ROWS, cuts=st.lists(st.integers(0, 60), max_size=6))
def test_what_is_stored_is_what_the_rule_says_however_it_is_cut(
    few: int, rows: list[Row], cuts: list[int]
) -> None:
    """By arrays and one by one; and also when the memory is kept and read back between batches."""
    memory = Memory(0)
    memory.follow("v", PLAN, np.empty(0, np.int16))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(persist_keep, "_FEW", few)
        stored: list[Row] = []
        for part in cut(rows, cuts):
            stored += taken(memory, part)
            again = load(0, dict(enumerate(dump(memory))))
            again.plan, again.marks = PLAN, memory.marks
            memory = again
    assert sorted(stored) == sorted(reference(rows))


def test_the_counts_of_what_is_left_out() -> None:
    """Readings that are not stored are counted, and are in the roll-ups all the same."""
    memory = Memory(0)
    memory.follow("v", PLAN, np.empty(0, np.int16))
    taken(memory, [(2, MS, 1.0, 0), (0, MS, 1.0, 0), (0, 2 * MS, 1.0, 0)])
    assert memory.thinned == 2
    new, _ = memory.roll(1)
    assert dict(zip(new.series.tolist(), new.count.tolist(), strict=True)) == {0: 2, 2: 1}


def test_other_rules_begin_anew_where_they_thin() -> None:
    """A metric that is thinned from now on stores its next reading; one that stays thinned goes on."""
    memory = Memory(0)
    memory.follow("v", PLAN, np.empty(0, np.int16))
    rows = [(0, MS, 1.0, 0), (3, MS, 1.0, 0)]
    assert len(taken(memory, rows)) == 2
    other = Plan.of(
        {"depth": Keep(what="changes", delta=9, every_s=9), "rain": Keep(what="changes", delta=9, every_s=9)}
    )
    memory.follow("w", other, marks_of(memory.series, METRICS, other))
    later = [(series, t + MS, value, quality) for series, t, value, quality in rows]
    assert [series for series, *_ in taken(memory, later)] == [3]


def test_a_series_that_is_registered_after_its_first_readings_is_thinned_from_then_on() -> None:
    """A feed may run ahead of the registry; series that were not met, and others, stay as they are."""
    memory = Memory(0)
    memory.follow("v", PLAN, np.empty(0, np.int16))
    readings = by_series(Readings.of([(5, MS, 1.0, 0), (7, MS, 1.0, 0)]))
    memory.meet(np.array([5, 7], np.int32), np.full(2, NEVER), np.zeros(2, np.int16))
    memory.take(readings, store=True)
    memory.register({7: "noise", 9: "noise"})
    assert memory.marks.tolist() == [0, PLAN.mark["noise"]]


def test_a_plan_of_raw_metrics_is_empty() -> None:
    """The common case costs nothing: no metric is looked up."""
    plan = Plan.of({"rain": Keep()})
    assert not plan.mark
    assert math.isnan(plan.delta[0])
