"""What every detector must keep to, as property-based tests.

Whoever writes a detector runs ``check_all(TheDetector)`` in its tests; ours run it over the registry. Needs the
``hypothesis`` package, which the running system does not.

Parameters and values are drawn from a coarse grid within each parameter's ``Spec``, so that ties, crossings and
holds that end to the nanosecond are frequent rather than rare.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from detectors.protocol import Detector, Layout, Spec, is_joint, roles_of, specs
from detectors.rounds import NEVER, cut
from detectors.state import Write, commit, dump_state, grow, load_state
from yiwang.columns import FindingColumns, Quality, Readings, Round

SERIES = 4
STEP_NS = 30_000_000_000
ORIGIN_NS = 1_700_000_000_000_000_000

Row = tuple[int, int, float, int]
"""series, time in steps, value, quality."""
Message = tuple[Row, ...] | int
"""A batch of readings, or a tick at that many steps."""
Said = tuple[Any, ...]
"""One finding in a form that compares to the last bit. Any: ints and bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A detector's parameters for ``SERIES`` series, and what it is given.

    Attributes:
        zones: zone of each series; of a joint detector, those in one zone see each other.
        roles: role of each series.
        devices: device of each series.
        at_m: chainage of each series, metres or NaN.
    """

    params: Mapping[str, tuple[float, ...]]
    messages: tuple[Message, ...]
    zones: tuple[int, ...] = (0,) * SERIES
    roles: tuple[int, ...] = (0,) * SERIES
    devices: tuple[int, ...] = tuple(range(SERIES))
    at_m: tuple[float, ...] = tuple(500.0 * i for i in range(SERIES))

    def layout(self, only: tuple[int, ...], count: int) -> Layout:
        """Of the series ``only``, the first ``count`` of them."""
        i = list(only[:count])
        zone, device = np.array(self.zones, np.int32)[i], np.array(self.devices, np.int32)[i]
        return Layout(
            role=np.array(self.roles, np.int8)[i],
            device=device,
            place=device,
            zone=zone,
            metric=np.array(self.roles, np.int32)[i],
            x_m=np.array(self.at_m)[i],
            y_m=np.zeros(len(i)),
            at_m=np.array(self.at_m)[i],
            live=np.ones(len(i), np.bool_),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """What a detector must be silent on, and what it must find.

    Attributes:
        quiet: a case as it is every day.
        labelled: a case in which something happens.
        series: of whom it must be found.
        begin: when it begins, in steps of ``STEP_NS``.
        within_s: found no later than this after its begin, by event time.
        level: level that must have been said by then, or a more severe one.
    """

    quiet: Case
    labelled: Case
    series: int
    begin: int
    within_s: float
    level: int = 4


def check_all(kind: type[Detector[Any]], examples: int = 60, exhibit: Exhibit | None = None) -> None:
    """Run every law on a detector class; raises what hypothesis raises."""
    for law in LAWS:
        check(kind, law, examples)
    if exhibit is not None:
        silent_on_the_quiet(kind, exhibit)
        finds_the_labelled(kind, exhibit)


def silent_on_the_quiet(kind: type[Detector[Any]], exhibit: Exhibit) -> None:
    """On a day like any other nothing is said."""
    said = Bench(kind, exhibit.quiet).all(exhibit.quiet)
    assert said == [], f"{len(said)} findings on what is every day's"


def finds_the_labelled(kind: type[Detector[Any]], exhibit: Exhibit) -> None:
    """What happens is found within the stated delay, and not before it begins."""
    said = Bench(kind, exhibit.labelled).all(exhibit.labelled)
    begin_ns = ORIGIN_NS + exhibit.begin * STEP_NS
    hits = [f for f in said if f[0] == exhibit.series and 0 < f[3] <= exhibit.level]
    assert hits, "not found"
    late_s = (hits[0][1] - begin_ns) / 1e9
    assert 0 <= late_s <= exhibit.within_s, f"found {late_s:g} s after its begin"


def check(kind: type[Detector[Any]], law: "Law", examples: int = 60, *, shrink: bool = True) -> None:
    """Run one law on a detector class; the same examples each time.

    Args:
        kind: the detector.
        law: one of ``LAWS``.
        examples: how many to try.
        shrink: whether to look for the simplest case that breaks the law; without, the first is shown.
    """
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)

    @settings(max_examples=examples, phases=phases, deadline=None, derandomize=True, database=None)
    @given(case=cases(kind), data=st.data())
    def run(case: Case, data: st.DataObject) -> None:
        law(kind, case, data.draw)

    run()


def cases(kind: type[Detector[Any]]) -> st.SearchStrategy[Case]:
    """Parameters within their specs, and readings and ticks that meet them."""
    known = specs(kind)
    columns = {
        name: st.tuples(*(st.sampled_from(_grid(spec, absent=spec.absent)),) * SERIES)
        for name, (spec, _) in known.items()
    }
    values = sorted({v for spec, _ in known.values() for v in _grid(spec, absent=False)})
    row = st.tuples(
        st.integers(0, SERIES - 1),
        st.integers(0, 40),
        st.one_of(st.sampled_from(values), st.sampled_from([float("nan"), float("inf"), -1e300, 1e300])),
        st.sampled_from([0, 0, 0, int(Quality.SUSPECT), int(Quality.CLOCK)]),
    )
    message = st.one_of(st.lists(row, max_size=12).map(tuple), st.integers(0, 60))
    number = st.integers(0, SERIES - 1)
    return st.builds(
        lambda params, messages, zones, roles, devices, at_m: Case(
            params=params,
            messages=tuple(messages),
            zones=zones,
            roles=roles,
            # a device stands in one zone
            devices=tuple(d * SERIES + z for d, z in zip(devices, zones, strict=True)),
            at_m=at_m,
        ),
        st.fixed_dictionaries(columns),
        st.lists(message, max_size=10),
        st.tuples(*(st.integers(0, 1),) * SERIES),
        st.tuples(*(st.integers(0, len(roles_of(kind)) - 1),) * SERIES),
        st.tuples(*(number,) * SERIES),
        st.tuples(*(st.sampled_from([0.0, 400.0, 800.0, 1200.0, float("nan")]),) * SERIES),
    )


def _grid(spec: Spec, *, absent: bool) -> list[float]:
    """A few numbers within a spec; durations in steps of time."""
    unit = STEP_NS / 1e9 if spec.unit == "s" else 0.25 if spec.hi <= 1 else 1.0
    lo, hi = max(spec.lo, -2 * unit), min(spec.hi, 8 * unit)
    grid = [lo + i * unit for i in range(int((hi - lo) / unit) + 1)]
    return [*grid, float("nan")] if absent else grid


class Bench:
    """A detector at work as the district machine would have it."""

    def __init__(
        self,
        kind: type[Detector[Any]],
        case: Case,
        only: tuple[int, ...] | None = None,
        n: int | None = None,
        *,
        told: bool = False,
    ) -> None:
        only = tuple(range(len(case.zones))) if only is None else only
        count = len(only) if n is None else n
        self.kind = kind
        self.params = {p: np.array([v[i] for i in only], np.float64)[:count] for p, v in case.params.items()}
        self.told = told  # what the machine knows ahead is told the detector, and need not be found out
        if told:
            for name, column in self.params.items():
                if (
                    len(column)
                    and len({column.tobytes()[i : i + 8] for i in range(0, column.nbytes, 8)}) == 1
                ):
                    self.params[name] = np.broadcast_to(column[0], column.shape)
        joint: dict[str, Any] = {"layout": case.layout(only, count)} if is_joint(kind) else {}
        self.detector = kind(**self.params, **joint)
        self.row = {series: row for row, series in enumerate(only)}
        self.state = self.detector.start(count)
        self.newest = np.full(count, NEVER)
        self.said: list[Said] = []

    def take(self, message: Message, shift_ns: int = 0) -> None:
        """Give it a batch or a tick; remember what it says, with series by their own number."""
        if isinstance(message, int):
            rests = getattr(self.detector, "rests", None)
            still = dump_state(self.state) if rests and rests(self.state) else None
            found = self.detector.tick(self.state, ORIGIN_NS + message * STEP_NS + shift_ns)
            if still is not None:
                assert len(found) == 0, "it rests, and speaks"
                assert dump_state(self.state) == still, "it rests, and stirs"
            self._keep(found)
            return
        batch = Readings.of(
            [
                (self.row[s], ORIGIN_NS + t * STEP_NS + shift_ns, v, q)
                for s, t, v, q in message
                if s in self.row and self.row[s] < len(self.newest)
            ]
        )
        _, rounds = cut(batch.series, batch.t_ns, self.newest)
        heard: list[tuple[int, Said]] = []
        for i in rounds:
            r = Round(
                series=batch.series[i], t_ns=batch.t_ns[i], value=batch.value[i], quality=batch.quality[i]
            )
            if self.told:
                clean = bool(np.isfinite(r.value).all()) and not r.quality.any()
                r = replace(r, clean=clean, rows=r.series.astype(np.int64))
            before = _freeze(r, self.params)
            found = self.detector.step(self.state, r)
            assert _freeze(r, self.params) == before, "a detector may not change what it is given"
            position = {int(s): int(p) for s, p in zip(r.series, i, strict=True)}
            assert {int(s) for s in found.series} <= position.keys(), "a finding of a series not in the round"
            heard += [(position[int(row)], f) for row, f in zip(found.series, self._rows(found), strict=True)]
            self.newest[r.series] = r.t_ns
        self.said += [f for _, f in sorted(heard, key=lambda pair: pair[0])]

    def _keep(self, found: FindingColumns) -> None:
        self.said += sorted(self._rows(found), key=lambda f: int(f[0]))

    def _rows(self, found: FindingColumns) -> list[Said]:
        _well_formed(found, len(self.detector.reasons))
        series = {row: s for s, row in self.row.items()}
        return [
            (
                series[int(found.series[i])],
                int(found.t_ns[i]),
                int(found.since_ns[i]),
                int(found.level[i]),
                found.value[i].tobytes(),
                found.limit[i].tobytes(),
                int(found.reason[i]),
                tuple((name, column[i].tobytes()) for name, column in sorted(found.numbers.items())),
                b"" if found.confidence is None else found.confidence[i].tobytes(),
            )
            for i in range(len(found))
        ]

    def all(self, case: Case) -> list[Said]:
        """Everything it says of the whole case."""
        for message in case.messages:
            self.take(message)
        return self.said


def _freeze(r: Round, params: Mapping[str, Any]) -> bytes:  # Any: arrays
    arrays = (r.series, r.t_ns, r.value, r.quality, *params.values())
    for array in arrays:
        array.flags.writeable = False
    return b"".join(array.tobytes() for array in arrays)


def _well_formed(found: FindingColumns, reasons: int) -> None:
    n = len(found.series)
    columns = [getattr(found, c.name) for c in fields(found) if c.name not in ("numbers", "confidence")]
    further = [*found.numbers.values(), *([] if found.confidence is None else [found.confidence])]
    for column in (*columns, *further):
        assert column.shape == (n,), "a column has not one value a finding"
    assert all(column.dtype == np.float64 for column in further), "numbers and confidence are float64"
    assert found.confidence is None or ((found.confidence >= 0) & (found.confidence <= 1)).all()
    dtypes = [column.dtype.str for column in columns]
    assert dtypes == ["<i4", "<i8", "<i8", "|i1", "<f8", "<f8", "|u1"], f"dtypes {dtypes}"
    assert len(np.unique(found.series)) == n, "a series more than once"
    assert ((found.level >= 0) & (found.level <= 4)).all(), "a level beyond 0..4"
    assert (found.reason < reasons).all(), "a reason beyond the detector's"
    assert np.isfinite(found.value).all(), "a value that no screen can show"
    assert np.isfinite(found.limit).all(), "a limit that no screen can show"
    assert (found.since_ns <= found.t_ns).all(), "an episode that begins after its finding"


def same_in_same_out(kind: type[Detector[Any]], case: Case, draw: "Draw") -> None:
    """Equal inputs give equal findings, and a change of level each: an episode opens, changes, is over."""
    del draw
    said = Bench(kind, case).all(case)
    assert said == Bench(kind, case).all(case)
    now: dict[int, tuple[int, int]] = {}  # series to level and since
    for series, _, since_ns, level, *_ in said:
        old, since = now.get(series, (0, 0))
        assert level != old, "a finding without a change of level"
        assert old == 0 or since_ns == since, "the start of an episode changed within it"
        assert old != 0 or since_ns != since, "two episodes with one start"
        now[series] = (level, since_ns)


def cutting_changes_nothing(kind: type[Detector[Any]], case: Case, draw: "Draw") -> None:
    """Batches cut anywhere, or neighbouring batches joined, give the same findings in the same order."""
    whole = Bench(kind, case).all(case)
    pieces: list[Message] = []
    for message in case.messages:
        if isinstance(message, int):
            pieces.append(message)
        elif pieces and not isinstance(pieces[-1], int) and draw(st.booleans()):
            pieces[-1] += message
        else:
            at = draw(st.integers(0, len(message)))
            pieces += [message[:at], message[at:]]
    assert Bench(kind, case).all(replace(case, messages=tuple(pieces))) == whole


def series_are_strangers(kind: type[Detector[Any]], case: Case, draw: "Draw") -> None:
    """Alone, or with others in another order, a series gets the findings it gets among all.

    The series of one zone are no strangers to a joint detector: there whole zones are left out, and the order of
    rows stays.
    """
    if is_joint(kind):
        left = draw(st.sampled_from([0, 1]))
        kept = tuple(i for i in range(SERIES) if case.zones[i] != left)
    else:
        kept = tuple(draw(st.permutations(range(SERIES)))[: draw(st.integers(0, SERIES))])
    among = [f for f in Bench(kind, case).all(case) if f[0] in kept]
    alone = Bench(kind, case, only=kept).all(case)
    key: Callable[[Said], int] = lambda f: f[0]  # noqa: E731  of one series the order stays as it was said
    assert sorted(alone, key=key) == sorted(among, key=key)


def state_survives(kind: type[Detector[Any]], case: Case, draw: "Draw") -> None:
    """Dumped and loaded at any point, and grown by new series, the state says what it would have said."""
    whole = Bench(kind, case).all(case)
    bench = Bench(kind, case)
    at = draw(st.integers(0, len(case.messages)))
    for message in case.messages[:at]:
        bench.take(message)
    dumped = dump_state(bench.state)
    bench.state = load_state(bench.detector.start(0), dumped)
    assert dump_state(bench.state) == dumped
    for message in case.messages[at:]:
        bench.take(message)
    assert bench.said == whole


def growing_changes_nothing_old(kind: type[Detector[Any]], case: Case, draw: "Draw") -> None:
    """Series that are added later change nothing for those that were there (of a joint detector, in other zones)."""
    old = draw(st.integers(0, SERIES))
    if is_joint(kind):
        case = replace(case, zones=tuple(int(i >= old) for i in range(SERIES)), devices=tuple(range(SERIES)))
    at = draw(st.integers(0, len(case.messages)))
    bench = Bench(kind, case, n=old)
    for message in case.messages[:at]:
        bench.take(message)
    larger = Bench(kind, case)
    larger.state = grow(bench.state, larger.state)
    larger.newest[:old] = bench.newest
    for message in case.messages[at:]:
        larger.take(message)
    said = [f for f in (*bench.said, *larger.said) if f[0] < old]
    assert said == [f for f in Bench(kind, case).all(case) if f[0] < old]


def nothing_is_nothing(kind: type[Detector[Any]], case: Case, draw: "Draw") -> None:
    """An empty round says nothing and changes no state."""
    del draw
    bench = Bench(kind, case)
    bench.all(case)
    before = dump_state(bench.state)
    empty = Readings.of([])
    found = bench.detector.step(
        bench.state, Round(series=empty.series, t_ns=empty.t_ns, value=empty.value, quality=empty.quality)
    )
    assert len(found) == 0
    assert dump_state(bench.state) == before


def what_is_told_changes_nothing(kind: type[Detector[Any]], case: Case, draw: "Draw") -> None:
    """A round said to be clean, rows ready to index with, one number spread over all series: the same findings."""
    same = draw(st.lists(st.sampled_from(sorted(case.params)), unique=True)) if case.params else []
    case = replace(case, params={n: (v[0],) * SERIES if n in same else v for n, v in case.params.items()})
    calm = tuple(
        m if isinstance(m, int) else tuple(row for row in m if np.isfinite(row[2]) and not row[3])
        for m in case.messages
    )
    for messages in (case.messages, calm):
        one = replace(case, messages=messages)
        assert Bench(kind, one, told=True).all(one) == Bench(kind, one).all(one)


def all_or_nothing(kind: type[Detector[Any]], case: Case, draw: "Draw") -> None:
    """An ``atomic`` detector changes its state by one ``commit`` a call, of values that fit exactly.

    Its arrays cannot be written to here but by ``commit``.
    """
    del draw
    if not getattr(kind, "atomic", False):
        return
    bench = Bench(kind, case)
    own = {f.name: getattr(bench.state, f.name) for f in fields(bench.state)}
    for name, array in own.items():
        view = array.view()
        view.flags.writeable = False
        setattr(bench.state, name, view)
    base = {id(getattr(bench.state, name)): array for name, array in own.items()}
    calls: list[int] = []

    def carry_out(writes: list[Write]) -> None:
        calls.append(len(writes))
        for view, rows, value in writes:
            array = base[id(view)]
            if isinstance(value, np.ndarray):
                fits = value.dtype == array.dtype and value.shape == array[rows].shape
                assert fits, f"{value.dtype} {value.shape} for {array.dtype} {array[rows].shape}"
            array[rows] = value

    with ExitStack() as patched:
        for module in [m for m in sys.modules.values() if getattr(m, "commit", None) is commit]:
            patched.enter_context(patch.object(module, "commit", carry_out))
        for message in case.messages:
            before = len(calls)
            bench.take(message)
            rounds = 1 if isinstance(message, int) else len(message)
            assert len(calls) - before <= rounds, "more than one commit a call"


def time_has_no_origin(kind: type[Detector[Any]], case: Case, draw: "Draw") -> None:
    """Everything moved in time by a constant moves the findings by it and changes nothing else.

    A detector that knows the time of day, or closes bins on a grid, says so by ``calendar_s``: then the constant
    is a multiple of it.
    """
    grid_ns = round(getattr(kind, "calendar_s", 0) * 1e9) or 1
    shift_ns = draw(st.integers(-(10**17), 10**17)) // grid_ns * grid_ns
    bench = Bench(kind, case)
    for message in case.messages:
        bench.take(message, shift_ns)
    moved = [(f[0], f[1] - shift_ns, f[2] - shift_ns, *f[3:]) for f in bench.said]
    assert moved == Bench(kind, case).all(case)


def state_is_bounded(kind: type[Detector[Any]], case: Case, draw: "Draw") -> None:
    """The state's arrays keep their size whatever comes in, and have one row a series."""
    del draw
    bench = Bench(kind, case)
    before = {name: entry["shape"] for name, entry in dump_state(bench.state).items()}
    bench.all(case)
    assert {name: entry["shape"] for name, entry in dump_state(bench.state).items()} == before
    assert all(shape[0] == SERIES for shape in before.values())


Draw = Callable[[st.SearchStrategy[Any]], Any]  # Any: what the strategy makes
Law = Callable[[type[Detector[Any]], Case, Draw], None]  # Any: the detector's own state

LAWS: tuple[Law, ...] = (
    same_in_same_out,
    cutting_changes_nothing,
    series_are_strangers,
    state_survives,
    growing_changes_nothing_old,
    nothing_is_nothing,
    what_is_told_changes_nothing,
    all_or_nothing,
    time_has_no_origin,
    state_is_bounded,
)
