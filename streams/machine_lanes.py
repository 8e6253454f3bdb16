"""One detector entry at work in a district: its own dense rows, its parameters, its state. Pure."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

import detectors.registry
from detectors.protocol import ALONE, Detector, Layout, Quiet, is_joint, roles_of
from detectors.state import dump_state, grow, load_state
from streams.machine_rules import Book, Rulebook
from yiwang.clock import SECOND
from yiwang.columns import F64, I32, I64, NO_FINDINGS, FindingColumns, Round
from yiwang.domains import Domains, Entry
from yiwang.errors import BadInput
from yiwang.ids import derive
from yiwang.model import Finding

METRES_PER_DEGREE = 111_195.0
"""Of latitude, on a sphere of 6 371 km."""

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

    Rows are the detector's own dense numbers; ``row_of`` int32 by series of the district, -1 where it does not
    watch the series or the series' zone is out. A row, once given, stays the series' row.
    """

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.kind: type[Detector[Any]] = detectors.registry.get(entry.use)
        self.series: list[int] = []  # row -> series
        self.zones: list[str] = []  # row -> zone
        self.row: dict[int, int] = {}  # series -> row, also of rows in zones that are out
        self.params: dict[str, list[float]] = {name: [] for name in entry.params}
        self.out: set[str] = set()
        self.open: dict[int, Finding] = {}  # series -> newest finding that is not over
        self.row_of: I32 = np.empty(0, np.int32)
        self.live: I64 = np.empty(0, np.int64)  # rows that are watched and not out
        self.scale: list[float] = []  # row -> what the detector sees is value * scale + offset
        self.offset: list[float] = []
        self.plain = True  # whether no row is transformed
        self.transform = np.empty((0, 2))  # scale and offset of each row
        self.joint = is_joint(self.kind)
        self.layout = ALONE
        self.part: Detector[Any] | None = (
            None  # of the live rows, where those are not all; made when it is asked for
        )
        self.detector: Detector[Any] = self._make()
        self.state: State = self.detector.start(0)
        tick: object = self.kind.tick
        self.ticks = tick is not Quiet.tick  # a class may have a tick of its own over a quiet base
        # whether it may not tick while the feed is silent
        self.needs_feed: bool = getattr(self.kind, "needs_feed", False)
        self.every_ns = round(entry.every_s * SECOND)
        self.rests: Callable[[State], bool] | None = None

    # ---- registry and rules ----

    def assign(self, book: Book, domains: Domains, only: set[str] | None = None) -> list[Finding]:
        """Bring rows and parameters up to date for devices ``only``, or for all.

        Returns:
            Findings that end because their series is no longer watched.

        Raises:
            BadInput: the detector refuses the parameters; nothing has changed then but the parameters.
        """
        watched = dict(book.rows(self.entry, only))
        for series, device in watched.items():
            place = book.places.get(device.place)
            metric = book.series[series][1]
            # numbers of a metric are those of the one the values are read as: they are in its unit
            values = domains.params(self.entry, device, place, self.entry.watches[metric].metric)
            scale, offset = domains.transform(self.entry, device, place, metric)
            row = self.row.get(series)
            if row is None:
                self.row[series] = len(self.series)
                self.series.append(series)
                self.zones.append(book.zone(device))
                self.scale.append(scale)
                self.offset.append(offset)
                for name, column in self.params.items():
                    column.append(values[name].value)
            else:
                self.zones[row] = book.zone(device)
                self.scale[row], self.offset[row] = scale, offset
                for name, column in self.params.items():
                    column[row] = values[name].value
        self.transform = np.array([self.scale, self.offset], np.float64).T
        self.plain = bool((self.transform == (1.0, 0.0)).all())
        if self.joint:
            self.layout = self._layout(book)
        self.detector = self._make()
        self.rests = getattr(self.detector, "rests", None)
        self.state = grow(self.state, self.detector.start(len(self.series)))
        self.row_of = np.full(1 + max((*self.series, *book.series), default=-1), -1, np.int32)
        self.row_of[self.series] = np.arange(len(self.series), dtype=np.int32)
        unwatched = [s for s in self.series if not self._watches(book, s)]
        self.row_of[unwatched] = -1
        self._leave_out()
        return [self.open.pop(s) for s in unwatched if s in self.open]

    def _watches(self, book: Book, series: int) -> bool:
        device, metric = book.series.get(series, ("", ""))
        return bool(device) and self.entry.reads(book.devices[device].kind, metric)

    def succeed(self, old: "Lane") -> list[Finding]:
        """Take over rows and state of the same entry under older rules; zones that were out begin afresh.

        Returns:
            Findings that end with the zones that begin afresh.
        """
        self.series, self.zones, self.row = old.series, old.zones, old.row
        self.scale, self.offset = old.scale, old.offset
        self._forget_params()
        self.open = old.open
        self.state = old.state
        rows = np.array([r for r, zone in enumerate(self.zones) if zone in old.out], np.int64)
        if len(rows):
            _put(self.state, rows, old.detector.start(len(rows)))
        ended = [s for s in self.open if self.zones[self.row[s]] in old.out]
        return [self.open.pop(s) for s in ended]

    def _forget_params(self) -> None:
        """As the pack states them; ``assign`` then fills in what is in force where somebody watches."""
        self.params = {name: [param.value] * len(self.series) for name, param in self.entry.params.items()}

    def fits(self, entry: Entry) -> bool:
        """Whether the state goes on under a newer version of the entry."""
        mine = self.entry
        return (mine.id, mine.use, mine.version, mine.metric) == (
            entry.id,
            entry.use,
            entry.version,
            entry.metric,
        )

    def _make(self, rows: list[int] | None = None) -> Detector[Any]:
        columns = {
            name: np.array(values if rows is None else [values[r] for r in rows], np.float64)
            for name, values in self.params.items()
        }
        joint = {}
        if self.joint:
            joint["layout"] = self.layout if rows is None else self.layout.pick(np.array(rows, np.int64))
        try:
            return self.kind(**columns, **joint)
        except Exception as error:  # whatever a detector raises about its parameters
            raise BadInput(
                "detector.parameters",
                f"{self.entry.id}: {self.entry.use} does not take its parameters: {error}",
                entry=self.entry.id,
            ) from error

    def _layout(self, book: Book) -> Layout:
        """How the rows stand to each other; rows that nobody watches any more are not live."""
        roles = roles_of(self.kind)
        names = [book.series.get(s, ("", "")) for s in self.series]
        devices = [book.devices.get(device) for device, _ in names]
        places = [book.places.get(d.place) if d else None for d in devices]
        how = [self.entry.watches.get(metric) for _, metric in names]
        chainage = [
            next((o.attributes["chainage_m"] for o in (p, d) if o and "chainage_m" in o.attributes), np.nan)
            for d, p in zip(devices, places, strict=True)
        ]
        # of a device that is watched: whatever moves it makes the layout anew
        origin = next((d for d in devices if d), None)
        lon0, lat0 = (origin.lon, origin.lat) if origin else (0.0, 0.0)
        lon = np.array([d.lon if d else np.nan for d in devices], np.float64)
        lat = np.array([d.lat if d else np.nan for d in devices], np.float64)
        return Layout(
            role=np.array([roles.index(h.role) if h and h.role else 0 for h in how], np.int8),
            device=_dense([device for device, _ in names]),
            place=_dense([d.place if d else "" for d in devices]),
            zone=_dense(self.zones),
            metric=_dense([h.metric if h else "" for h in how]),
            x_m=(lon - lon0) * METRES_PER_DEGREE * np.cos(np.radians(lat0)),
            y_m=(lat - lat0) * METRES_PER_DEGREE,
            at_m=np.array(chainage, np.float64),
            live=np.array([self._watches(book, s) for s in self.series], np.bool_),
        )

    def _leave_out(self) -> None:
        series = np.array(self.series, np.int64)
        if self.out:
            rows = [r for r, zone in enumerate(self.zones) if zone in self.out]
            self.row_of[series[rows]] = -1
        self.live = np.flatnonzero(self.row_of[series] >= 0)
        self.part = None

    # ---- work ----

    def rows(self, series: I32) -> I32:
        """Rows of some registered series, -1 where a series is not watched or its zone is out."""
        return self.row_of[series]

    def seen(self, rows: I32, value: F64) -> F64:
        """What the detector sees of some values: their metric's own, or that of the metric it reads as."""
        if self.plain:
            return value
        transform = self.transform[rows]
        return value * transform[:, 0] + transform[:, 1]

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
        before = _take(self.state, r.series)
        try:
            return self.detector.step(self.state, r), []
        except Exception:  # noqa: BLE001  a task boundary: whatever a detector raises
            _put(self.state, r.series, before)
        found: list[FindingColumns] = []
        failures: dict[str, Failure] = {}
        zones = np.array([self.zones[row] for row in r.series.tolist()])
        for zone in dict.fromkeys(zones.tolist()):
            part = np.flatnonzero(zones == zone)
            good = self._try(r, part)
            if good is not None:
                found.append(good)
                continue
            for one in part[np.argsort(positions[part], kind="stable")].tolist():
                try:
                    found.append(self.detector.step(self.state, _pick(r, np.array([one]))))
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
        zones = np.array(self.zones)[self.live]
        for zone in dict.fromkeys(zones.tolist()):
            try:
                found.append(self._tick(self.live[zones == zone], t_ns))
            except Exception as error:  # noqa: BLE001  as above
                failures.append(Failure(0, zone, type(error).__name__, str(error)))
        return _join(found), failures

    def _tick(self, rows: I64, t_ns: int) -> FindingColumns:
        """A tick for some rows; whatever it raises, the state is as before then."""
        if len(rows) == len(self.series):
            state = _copy(self.state)
            columns = self.detector.tick(state, t_ns)
            self.state = state
            return columns
        state = _take(self.state, rows)
        columns = self._for(rows).tick(state, t_ns)
        _put(self.state, rows, state)
        return dataclasses.replace(columns, series=rows[columns.series].astype(np.int32))

    def _for(self, rows: I64) -> Detector[Any]:
        """The detector of some rows; every tick asks for that of the live ones."""
        if rows is not self.live:
            return self._make(rows.tolist())
        if self.part is None:
            self.part = self._make(rows.tolist())
        return self.part

    def take_out(self, zone: str) -> None:
        """Leave a zone's series out from now on."""
        self.out.add(zone)
        self._leave_out()

    def _try(self, r: Round, part: I64) -> FindingColumns | None:
        sub = _pick(r, part)
        before = _take(self.state, sub.series)
        try:
            return self.detector.step(self.state, sub)
        except Exception:  # noqa: BLE001  the caller looks for the reading
            _put(self.state, sub.series, before)
            return None

    def finding(
        self, columns: FindingColumns, i: int, book: Book, rulebook: Rulebook, image_url: str
    ) -> Finding:
        """Row ``i`` of the detector's columns as a finding of the district."""
        row = int(columns.series[i])
        series = self.series[row]
        name, metric = book.series[series]
        device = book.devices[name]
        since_ns = int(columns.since_ns[i])
        reason = int(columns.reason[i])
        given = {p: self.params[p][row] for p in rulebook.numbers(self.entry.id)[reason]}
        given |= {name: float(column[i]) for name, column in columns.numbers.items()}
        found = Finding(
            id=derive("F", self.entry.id, self.entry.version, name, metric, since_ns),
            detector=self.entry.id,
            version=rulebook.rules.version,
            domain=self.entry.domain,
            kind=self.entry.kind,
            series=series,
            device=name,
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

    def dump(self) -> dict[str, Any]:  # Any: msgpack values
        """Everything that cannot be worked out again from rules and registry."""
        return {
            "id": self.entry.id,
            "series": np.array(self.series, "<i4").tobytes(),
            "out": sorted(self.out),
            "open": msgspec.to_builtins(list(self.open.values())),
            "state": dump_state(self.state),
        }

    def restore(self, data: Mapping[str, Any], book: Book, domains: Domains) -> None:  # Any: msgpack values
        """Take over what ``dump`` gave; rules and registry are those of the dump."""
        self.series = np.frombuffer(data["series"], "<i4").tolist()
        self.row = {s: r for r, s in enumerate(self.series)}
        self.zones = [""] * len(self.series)
        self.scale, self.offset = [1.0] * len(self.series), [0.0] * len(self.series)
        self._forget_params()
        self.out = set(data["out"])
        for series in self.row:
            if series in book.series:
                self.zones[self.row[series]] = book.zone(book.devices[book.series[series][0]])
        self.state = load_state(self.state, data["state"])
        self.open = {f.series: f for f in msgspec.convert(data["open"], list[Finding])}
        self.assign(book, domains)


def ended(finding: Finding, t_ns: int, rules: str) -> Finding:
    """A finding closed because nobody watches its series any more."""
    return replace(finding, level=0, t_ns=max(t_ns, finding.t_ns), version=rules)


def _pick(r: Round, part: I64) -> Round:
    return Round(series=r.series[part], t_ns=r.t_ns[part], value=r.value[part], quality=r.quality[part])


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


def _dense(names: list[str]) -> I32:
    """Equal names to equal numbers, in order of appearance."""
    number: dict[str, int] = {}
    return np.array([number.setdefault(name, len(number)) for name in names], np.int32)
