"""One detector entry at work in a district: its own dense rows, its parameters, its state. Pure."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

import detectors.registry
from detectors.protocol import ALONE, Detector, Quiet, is_joint, roles_of
from detectors.state import lengthen, take_state
from streams.machine_layout import layout
from streams.machine_params import Value, alike, params, transform
from streams.machine_rules import Rulebook
from yiwang.book import NO_PAIR, Book
from yiwang.clock import SECOND
from yiwang.columns import F64, I32, I64, NO_FINDINGS, FindingColumns, Round
from yiwang.domains import Domains, Entry
from yiwang.errors import BadInput
from yiwang.ids import derive
from yiwang.model import Finding

State = Any  # a detector's own dataclass of arrays; only the detector knows its fields


@dataclass(frozen=True, slots=True)
class Failure:
    """A detector raised while it worked on a zone.

    Attributes:
        position: of the reading in the batch at which it did; 0 in a tick.
        zone: which is now left out.
        error: name of the exception's class.
        message: the exception's text.
    """

    position: int
    zone: str
    error: str
    message: str


class Lane:
    """A detector entry with everything it needs.

    Rows are the detector's own dense numbers. A row, once given, stays the series' row. Arrays that say which row
    is whose are replaced and never changed in place: lanes that watch the same series share them.

    Attributes:
        series: int32 by row, the series.
        zone: int32 by row, the zone as the book numbers it.
        row_of: int32 by series of the district, -1 where it does not watch the series or the series' zone is out.
        params: name to float64 by row; of stride 0 where all rows have the same.
        out: names of the zones that are left out.
        open: series to its newest finding that is not over.
    """

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.kind: type[Detector[Any]] = detectors.registry.get(entry.use)
        self.book = Book()
        self.series: I32 = np.empty(0, np.int32)
        self.zone: I32 = np.empty(0, np.int32)
        self.row_of: I32 = np.empty(0, np.int32)
        self.params: dict[str, F64] = {}
        self.out: set[str] = set()
        self.open: dict[int, Finding] = {}
        self.scale: F64 = np.empty(0, np.float64)  # row -> what the detector sees is value * scale + offset
        self.offset: F64 = np.empty(0, np.float64)
        self.plain = True  # whether no row is transformed
        self.joint = is_joint(self.kind)
        self.layout = ALONE
        self._live: I64 | None = None
        self.part: Detector[Any] | None = None  # of the live rows, where those are not all
        self._as_stated()
        self.detector: Detector[Any] = self._make()
        self.state: State = self.detector.start(0)
        self._room: dict[str, NDArray[Any]] = {}  # the arrays of which the state's are the beginnings
        self.atomic: bool = getattr(self.kind, "atomic", False)  # whether it changes all or nothing
        tick: object = self.kind.tick
        self.ticks = tick is not Quiet.tick  # a class may have a tick of its own over a quiet base
        # whether it may not tick while the feed is silent
        self.needs_feed: bool = getattr(self.kind, "needs_feed", False)
        self.every_ns = round(entry.every_s * SECOND)
        self.rests: Callable[[State], bool] | None = None

    @property
    def live(self) -> I64:
        """Rows that are watched and not out."""
        if self._live is None:
            self._live = np.flatnonzero(self.row_of[self.series] >= 0)
        return self._live

    # ---- registry and rules ----

    def watches(self, book: Book) -> NDArray[np.bool_]:
        """By ``pair`` of the book, whether it reads such series."""
        reads = [self.entry.reads(kind, metric) for kind, metric in book.pairs]
        reads[NO_PAIR] = False
        return np.array(reads, np.bool_)

    def assign(self, book: Book, domains: Domains, only: I32 | None = None) -> list[Finding]:
        """Bring rows and parameters up to date for the series ``only``, or for all.

        Returns:
            Findings that end because their series is no longer watched.

        Raises:
            BadInput: the detector refuses the parameters; nothing has changed then but the parameters.
        """
        self.book = book
        reads = self.watches(book)
        asked = book.series() if only is None else only
        wanted = asked[reads[book.pair[asked]]]
        row = np.full(book.size, -1, np.int32)
        row[self.series] = np.arange(len(self.series), dtype=np.int32)
        rows = row[wanted]
        new = rows < 0
        before, count = len(self.series), len(self.series) + int(new.sum())
        others = self.series if only is None else only
        others = others[~reads[book.pair[others]]]
        unwatched = np.sort(row[others[row[others] >= 0]])  # whose rows nobody watches any more
        if len(wanted) == 0 and len(unwatched) == 0 and only is not None:
            return []
        rows[new] = np.arange(before, count, dtype=np.int32)
        self.series = np.concatenate((self.series, wanted[new]))
        self.zone = np.concatenate((self.zone, np.zeros(count - before, np.int32)))
        self.zone[rows] = book.zone_of(wanted)
        if len(wanted):
            for name, value in params(domains, self.entry, book, wanted).items():
                self.params[name] = _set(self.params[name], count, rows, value)
            scale, offset = transform(self.entry, book, wanted)
            self.scale = _set(self.scale, count, rows, scale)
            self.offset = _set(self.offset, count, rows, offset)
            self.plain = _uniform(self.scale, 1.0) and _uniform(self.offset, 0.0)
        if self.joint:
            live = reads[book.pair[self.series]]
            self.layout = layout(self.entry, roles_of(self.kind), book, self.series, self.zone, live)
        self.detector = self._make()
        self.rests = getattr(self.detector, "rests", None)
        lengthen(self.state, self.detector.start(count - before), self._room)
        row_of = np.full(book.size, -1, np.int32)
        if only is not None:
            row_of[: len(self.row_of)] = self.row_of
        row_of[wanted] = rows
        row_of[self.series[unwatched]] = -1
        self.row_of = row_of
        self._leave_out()
        ended = self.series[unwatched].tolist() if self.open else []
        return [self.open.pop(s) for s in ended if s in self.open]

    def succeed(self, old: "Lane") -> list[Finding]:
        """Take over rows and state of the same entry under older rules; zones that were out begin afresh.

        Returns:
            Findings that end with the zones that begin afresh.
        """
        self.book = old.book
        self.series, self.zone, self.row_of = old.series, old.zone, old.row_of
        self.scale, self.offset = old.scale, old.offset
        self._as_stated()
        self.open = old.open
        self.state, self._room = old.state, old._room
        rows = old._rows_out()
        if len(rows) == 0:
            return []
        _put(self.state, rows, old.detector.start(len(rows)))
        afresh = set(self.series[rows].tolist())
        return [self.open.pop(s) for s in list(self.open) if s in afresh]

    def _as_stated(self) -> None:
        """As the pack states them; ``assign`` then fills in what is in force where somebody watches."""
        stated = self.entry.params.items()
        self.params = {name: _one(param.value, len(self.series)) for name, param in stated}

    def fits(self, entry: Entry) -> bool:
        """Whether the state goes on under a newer version of the entry."""
        mine = self.entry
        return (mine.id, mine.use, mine.version, mine.metric) == (
            entry.id,
            entry.use,
            entry.version,
            entry.metric,
        )

    def _make(self, rows: I64 | None = None) -> Detector[Any]:
        columns, joint = self.params, {}
        if rows is not None:
            columns = {name: _pick_rows(column, rows) for name, column in columns.items()}
        if self.joint:
            joint["layout"] = self.layout if rows is None else self.layout.pick(rows)
        try:
            return self.kind(**columns, **joint)
        except Exception as error:  # whatever a detector raises about its parameters
            raise BadInput(
                "detector.parameters",
                f"{self.entry.id}: {self.entry.use} does not take its parameters: {error}",
                entry=self.entry.id,
            ) from error

    def share(self, known: dict[tuple[str, int], list[I32]]) -> None:
        """Use arrays of rows that another lane has too; ``known`` are those of the others, by name and length.

        Equal arrays are one array in the end, whoever came first: what is kept of them does not depend on history.
        """
        for name in ("series", "zone", "row_of"):
            own: I32 = getattr(self, name)
            others = known.setdefault((name, len(own)), [])
            same = next((a for a in others if a is own or np.array_equal(a, own)), None)
            if same is None:
                others.append(own)
            else:
                setattr(self, name, same)

    def _rows_out(self) -> I64:
        codes = [self.book.zone_code(zone) for zone in sorted(self.out)]
        return np.flatnonzero(np.isin(self.zone, codes)) if codes else np.empty(0, np.int64)

    def _leave_out(self) -> None:
        if self.out:
            self.row_of = self.row_of.copy()
            self.row_of[self.series[self._rows_out()]] = -1
        self._live = self.part = None

    def zone_name(self, row: int) -> str:
        """The zone of a row."""
        return self.book.zone_name(int(self.zone[row]))

    # ---- work ----

    def rows(self, series: I32) -> I32:
        """Rows of some registered series, -1 where a series is not watched or its zone is out."""
        return self.row_of.take(series)

    def seen(self, rows: I32 | I64, value: F64) -> F64:
        """What the detector sees of some values: their metric's own, or that of the metric it reads as."""
        if self.plain:
            return value
        return value * self.scale[rows] + self.offset[rows]

    def due(self, t_ns: int) -> bool:
        """Whether it ticks at that grid point."""
        return self.ticks and (self.every_ns == 0 or t_ns % self.every_ns == 0)

    def step(self, r: Round, positions: I64) -> tuple[FindingColumns, list[Failure]]:
        """Give a round to the detector.

        Args:
            r: ``series`` are rows of this lane.
            positions: of the readings in the batch, for failures.

        Returns:
            Findings, and failures where it raised; the state is then as if the failing readings, and
            in their zones all later ones of the batch, had not been.
        """
        good = self._try(r)
        if good is not None:
            return good, []
        found: list[FindingColumns] = []
        failures: dict[str, Failure] = {}
        zones = self.zone[r.series]
        for code in dict.fromkeys(zones.tolist()):
            zone, part = self.book.zone_name(code), np.flatnonzero(zones == code)
            good = self._try(pick(r, part))
            if good is not None:
                found.append(good)
                continue
            for one in part[np.argsort(positions[part], kind="stable")].tolist():
                try:
                    found.append(self.detector.step(self.state, pick(r, np.array([one]))))
                except Exception as error:  # noqa: BLE001  as above
                    failures[zone] = Failure(int(positions[one]), zone, type(error).__name__, str(error))
                    break
        return _join(found), list(failures.values())

    def tick(self, t_ns: int) -> tuple[FindingColumns, list[Failure]]:
        """Give a grid point of event time to the detector; failures as in ``step``."""
        try:
            if self.rests is not None and self.rests(self.state):
                return NO_FINDINGS, []
            return self._tick(self.live, t_ns), []
        except Exception:  # noqa: BLE001  a task boundary: whatever a detector raises
            found: list[FindingColumns] = []
        failures: list[Failure] = []
        zones = self.zone[self.live]
        for code in dict.fromkeys(zones.tolist()):
            try:
                found.append(self._tick(self.live[zones == code], t_ns))
            except Exception as error:  # noqa: BLE001  as above
                zone = self.book.zone_name(code)
                failures.append(Failure(0, zone, type(error).__name__, str(error)))
        return _join(found), failures

    def _tick(self, rows: I64, t_ns: int) -> FindingColumns:
        """A tick for some rows; whatever it raises, the state is as before then."""
        if len(rows) == len(self.series):
            if self.atomic:
                return self.detector.tick(self.state, t_ns)
            before = _copy(self.state)
            try:
                return self.detector.tick(self.state, t_ns)
            except Exception:
                self.state = before
                self._room = {}
                raise
        state = _take(self.state, rows)
        columns = self._for(rows).tick(state, t_ns)
        _put(self.state, rows, state)
        return dataclasses.replace(columns, series=rows[columns.series].astype(np.int32))

    def _for(self, rows: I64) -> Detector[Any]:
        """The detector of some rows; every tick asks for that of the live ones."""
        if rows is not self.live:
            return self._make(rows)
        if self.part is None:
            self.part = self._make(rows)
        return self.part

    def take_out(self, zone: str) -> None:
        """Leave a zone's series out from now on."""
        self.out.add(zone)
        self._leave_out()

    def _try(self, r: Round) -> FindingColumns | None:
        """Findings; ``None`` where the detector raised, and the state is as before."""
        before = None if self.atomic else _take(self.state, r.series)
        try:
            return self.detector.step(self.state, r)
        except Exception:  # noqa: BLE001  a task boundary: whatever a detector raises; the caller looks for the reading
            if before is not None:
                _put(self.state, r.series, before)
            return None

    def finding(self, columns: FindingColumns, i: int, rulebook: Rulebook, image_url: str) -> Finding:
        """Row ``i`` of the detector's columns as a finding of the district."""
        row = int(columns.series[i])
        series = int(self.series[row])
        device, metric = self.book.owner(series)
        since_ns = int(columns.since_ns[i])
        reason = int(columns.reason[i])
        given = {p: float(self.params[p][row]) for p in rulebook.numbers(self.entry.id)[reason]}
        given |= {name: float(column[i]) for name, column in columns.numbers.items()}
        found = Finding(
            id=derive("F", self.entry.id, self.entry.version, device.id, metric, since_ns),
            detector=self.entry.id,
            version=rulebook.rules.version,
            domain=self.entry.domain,
            kind=self.entry.kind,
            series=series,
            device=device.id,
            metric=self.entry.watches[metric].metric if metric in self.entry.watches else metric,
            place=device.place,
            level=int(columns.level[i]),
            since_ns=since_ns,
            t_ns=int(columns.t_ns[i]),
            value=float(columns.value[i]),
            limit=float(columns.limit[i]),
            reason=self.kind.reasons[reason],
            source=self.entry.source,
            numbers={p: v for p, v in given.items() if np.isfinite(v)},
            image_url=image_url,
            confidence=self._confidence(columns, i),
        )
        if found.level:
            self.open[series] = found
        else:
            self.open.pop(series, None)
        return found

    def _confidence(self, columns: FindingColumns, i: int) -> float:
        own = self.entry.reliability if columns.confidence is None else float(columns.confidence[i])
        return min(1.0, max(0.0, own)) if np.isfinite(own) else self.entry.reliability

    # ---- snapshot ----

    def columns(self) -> dict[str, NDArray[Any]]:
        """The arrays that cannot be worked out again from rules and registry, one row of each a row of the lane.

        They are those at work: whoever keeps them longer than until the next step copies them.
        """
        state = {f"state.{name}": getattr(self.state, name) for name in _names(self.state)}
        return {"series": self.series, "zone": self.zone, **state}

    def rest(self) -> dict[str, Any]:  # Any: msgpack values
        """What else cannot be worked out again."""
        return {
            "id": self.entry.id,
            "out": sorted(self.out),
            "open": list(self.open.values()),
        }

    def restore(
        self,
        columns: Mapping[str, NDArray[Any]],
        rest: Mapping[str, Any],  # Any: msgpack values
        book: Book,
        domains: Domains,
    ) -> None:
        """Take over what ``columns`` and ``rest`` gave; rules and registry are those of that time.

        Args:
            columns: those that may be written to are used as they are. Without ``zone`` the zones are those of
                the registry.
            rest: as it was.
            book: what is registered.
            domains: the rules in force.

        Raises:
            BadInput: ``state.shape`` when it is the state of another detector, or of another release of it.
        """
        self.book = book
        self.series = np.asarray(columns["series"], np.int32)
        count = len(self.series)
        zone = columns.get("zone")
        self.zone = np.zeros(count, np.int32) if zone is None else np.asarray(zone, np.int32)
        self.scale, self.offset = _one(1.0, count), _one(0.0, count)
        self._as_stated()
        self.out = set(rest["out"])
        self.open = {f.series: f for f in msgspec.convert(rest["open"], list[Finding])}
        given = {n.removeprefix("state."): a for n, a in columns.items() if n.startswith("state.")}
        self.state = take_state(self.state, given, count)
        self._room = {}
        self.assign(book, domains)


def ended(finding: Finding, t_ns: int, rules: str) -> Finding:
    """A finding closed because nobody watches its series any more."""
    return replace(finding, level=0, t_ns=max(t_ns, finding.t_ns), version=rules)


def pick(r: Round, part: I64) -> Round:
    """Some readings of a round."""
    return Round(
        series=r.series[part], t_ns=r.t_ns[part], value=r.value[part], quality=r.quality[part], clean=r.clean
    )


def _take(state: State, rows: I64 | I32) -> State:
    """A copy of some rows of a state, as a state of its own."""
    return type(state)(**{name: getattr(state, name)[rows] for name in _names(state)})


def _copy(state: State) -> State:
    """A copy of a whole state."""
    return type(state)(**{name: getattr(state, name).copy() for name in _names(state)})


def _put(state: State, rows: I64 | I32, part: State) -> None:
    for name in _names(state):
        getattr(state, name)[rows] = getattr(part, name)


def _names(state: State) -> tuple[str, ...]:
    kind: type = type(state)
    if kind not in _NAMES:
        _NAMES[kind] = tuple(f.name for f in dataclasses.fields(kind))
    return _NAMES[kind]


_NAMES: dict[type, tuple[str, ...]] = {}  # asked for at every step


def _join(parts: list[FindingColumns]) -> FindingColumns:
    if not parts:
        return NO_FINDINGS
    names = dict.fromkeys(name for p in parts for name in p.numbers)
    sure = None
    if any(p.confidence is not None for p in parts):
        nothing = [np.full(len(p), np.nan) for p in parts]
        sure = np.concatenate(
            [n if p.confidence is None else p.confidence for p, n in zip(parts, nothing, strict=True)]
        )
    return FindingColumns(
        series=np.concatenate([p.series for p in parts]),
        t_ns=np.concatenate([p.t_ns for p in parts]),
        since_ns=np.concatenate([p.since_ns for p in parts]),
        level=np.concatenate([p.level for p in parts]),
        value=np.concatenate([p.value for p in parts]),
        limit=np.concatenate([p.limit for p in parts]),
        reason=np.concatenate([p.reason for p in parts]),
        numbers={
            name: np.concatenate([p.numbers.get(name, np.full(len(p), np.nan)) for p in parts])
            for name in names
        },
        confidence=sure,
    )


def _one(value: float, count: int) -> F64:
    """The same for all rows, in the memory of one."""
    return np.ndarray((count,), np.float64, np.float64(value).tobytes(), strides=(0,))


def _uniform(column: F64, value: float) -> bool:
    """Whether all rows are known to have that value."""
    return len(column) == 0 or (column.strides == (0,) and alike(float(column[0]), value))


def _set(column: F64, count: int, rows: I32, value: Value) -> F64:
    """A column of ``count`` rows that begins with the given one and has ``value`` in some rows."""
    if not isinstance(value, np.ndarray) and (len(rows) == count or _uniform(column, value)):
        return _one(value, count)
    spread = np.empty(count)
    spread[: len(column)] = column
    spread[rows] = value
    first = float(spread[0]) if count else 0.0
    same = np.isnan(spread) if first != first else spread == first
    return _one(first, count) if same.all() else spread


def _pick_rows(column: F64, rows: I64) -> F64:
    return _one(float(column[0]), len(rows)) if column.strides == (0,) and len(column) else column[rows]
