"""Searches the parameters of one detector entry on scenarios, and says how well the choice does where it was not made.

Every trial replays every scenario once, under the entry's own values; what was true and raised is counted in **units**
(whole scenarios, or stretches of them in time), and units are dealt into folds. Choosing on all folds but one and
looking at that one costs no further replay. What is chosen at the end is chosen on all units; the hold-out figures
say what such a choice is worth on what it has not seen.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import msgspec
import numpy as np

import detectors.registry
from detectors.protocol import specs
from scenarios import seeds, sets
from scenarios.directly import play
from scenarios.figures import Tally, f1, figures, tally
from scenarios.ground import Ground, watched_h
from scenarios.model import Scenario
from scenarios.scoring import Score, score
from scenarios.searching import Point, Range, search
from yiwang.columns import Readings
from yiwang.domains import Entry
from yiwang.domains.reader import did_you_mean
from yiwang.errors import BadInput

Metric = Literal["f1", "cost"]
MISS_COST, FALSE_COST, DELAY_COST = 20.0, 1.0, 1.0 / 600.0
"""What a miss, a false incident and a second of delay cost, in false incidents: one patrol, and ten minutes."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One point with its counts, a tally a unit."""

    point: dict[str, float]
    units: tuple[Tally, ...]

    @property
    def whole(self) -> Tally:
        """All units together."""
        return Tally.total(self.units)


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """What the choice made without these units showed on them."""

    units: tuple[str, ...]
    chosen: dict[str, float]
    held_out: Tally


class Tuned(msgspec.Struct, frozen=True, kw_only=True):
    """The whole search.

    Attributes:
        units: names of the units, as in each trial.
        trials: in order; the first has the values in force.
        pareto: indices of trials that no other one beats in recall, false incidents and delay at once.
        chosen: index of the trial with the least cost on all units.
    """

    entry: str
    kind: str
    metric: str
    units: tuple[str, ...]
    trials: tuple[Trial, ...]
    pareto: tuple[int, ...]
    chosen: int
    folds: tuple[Fold, ...]

    @property
    def held_out(self) -> Tally:
        """All folds together, each judged by the choice made without it."""
        return Tally.total(f.held_out for f in self.folds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A scenario cut down to what matters to one kind of incident, and its units.

    Attributes:
        cuts: moments between its units, ns; none: it is one unit.
    """

    scenario: Scenario
    kind: str
    cuts: tuple[int, ...] = ()


def cost(t: Tally, metric: Metric) -> float:
    """Less is better. Ties of ``f1`` are broken by delay, so that of two equal ones the quicker is taken."""
    delay = sum(t.delays_s) / len(t.delays_s) if t.delays_s else 0.0
    if metric == "f1":
        return 1.0 - (f1(t) if f1(t) is not None else 1.0) + min(delay, 1e5) * 1e-7  # type: ignore[operator]
    missed = t.truths - t.found
    return MISS_COST * missed + FALSE_COST * (t.false + t.split) + DELAY_COST * sum(t.delays_s)


def narrowed(scenario: Scenario, entry: Entry) -> Scenario:
    """The scenario with only the readings and truths that bear upon the entry's kind of incident.

    All entries of the kind, and those that judge the same sensors' health, hear what they heard before: the
    confidence of an incident hangs on them.
    """
    own = [e for e in Ground.of(scenario).domains.detectors if e.kind == entry.kind]
    readings, arrivals = {}, {}
    for number, registry in scenario.registries.items():
        keep = np.zeros(1 + max((s.number for d in registry.devices for s in d.series), default=0), np.bool_)
        for device in registry.devices:
            for series in device.series:
                keep[series.number] = any(e.reads(device.kind, series.metric) for e in own)
        r = scenario.readings[number]
        rows = keep[r.series]
        readings[number] = Readings(
            series=r.series[rows], t_ns=r.t_ns[rows], value=r.value[rows], quality=r.quality[rows]
        )
        if number in scenario.arrivals:
            arrivals[number] = scenario.arrivals[number][rows]
    return replace(
        scenario,
        readings=readings,
        arrivals=arrivals,
        truth=tuple(t for t in scenario.truth if t.kind == entry.kind),
    )


def entry_of(scenario: Scenario, name: str) -> Entry:
    """The entry of that id.

    Raises:
        BadInput: ``tune.entry``.
    """
    entries = {e.id: e for e in Ground.of(scenario).domains.detectors}
    if name not in entries:
        raise BadInput(
            "tune.entry", f"there is no detector entry {name!r}{did_you_mean(name, entries)}", name=name
        )
    return entries[name]


def in_force(scenario: Scenario, entry: Entry) -> dict[str, float]:
    """The entry's values for the first device that it watches, the city's overrides among them."""
    domains = Ground.of(scenario).domains
    for registry in scenario.registries.values():
        places = {p.id: p for p in registry.places}
        for device in registry.devices:
            for series in device.series:
                if entry.reads(device.kind, series.metric):
                    metric = entry.watches[series.metric].metric
                    values = domains.params(entry, device, places.get(device.place), metric)
                    return {name: p.value for name, p in values.items()}
    return {name: p.value for name, p in entry.params.items()}


def ranges(entry: Entry, stated: Sequence[str]) -> list[Range]:
    """From ``name=lo:hi[:n]``; without any, every plain number of the entry from a third to three times of itself.

    Raises:
        BadInput: ``tune.param``.
    """
    known = specs(detectors.registry.get(entry.use))
    found = [_range(text, entry, known) for text in stated]
    if not found:
        for name, param in entry.params.items():
            spec = known[name][0]
            # levels and counts are decisions, and attributes of places are not one number
            if param.of or spec.whole or not np.isfinite(param.value) or param.value == 0:
                continue
            lo, hi = sorted((param.value / 3, param.value * 3))
            found.append(Range(name=name, lo=max(lo, spec.lo), hi=min(hi, spec.hi)))
    if not 1 <= len(found) <= 8:
        raise BadInput(
            "tune.param",
            f"{entry.id}: one to eight parameters can be searched at once, not {len(found)}; name them with --param",
            entry=entry.id,
        )
    return found


def _range(text: str, entry: Entry, known: Mapping[str, Any]) -> Range:  # Any: of ``specs``
    name, _, rest = text.partition("=")
    parts = rest.split(":")
    if name not in known:
        raise BadInput(
            "tune.param",
            f"--param {text}: {entry.use} has no parameter {name!r}{did_you_mean(name, known)}",
            name=name,
        )
    spec = known[name][0]
    try:
        lo, hi = float(parts[0]), float(parts[1])
        steps = int(parts[2]) if len(parts) > 2 else 0
    except (IndexError, ValueError):
        lo, hi, steps = 1.0, 0.0, 0
    if not -np.inf < lo < hi < np.inf or len(parts) > 3 or (len(parts) == 3 and steps < 2):
        raise BadInput(
            "tune.param", f"--param {text}: write {name}=LO:HI or {name}=LO:HI:STEPS, two or more", name=name
        )
    if lo < spec.lo or hi > spec.hi:
        raise BadInput(
            "tune.param", f"--param {text}: {name} may be {spec.lo:g} to {spec.hi:g} {spec.unit}", name=name
        )
    return Range(name=name, lo=lo, hi=hi, steps=steps, whole=spec.whole)


def materials(sources: Sequence[str], name: str, folds: int) -> tuple[list[Material], list[str]]:
    """Scenarios cut down for an entry, and the names of their units.

    With fewer scenarios than folds each scenario is cut in time, between its truths.

    Raises:
        BadInput: the scenarios' own, or ``tune.truth`` where none has a truth of the entry's kind.
    """
    found, units = [], []
    for source in sources:
        scenario = seeds.load(source)
        entry = entry_of(scenario, name)
        small = narrowed(scenario, entry)
        pieces = -(-folds // len(sources))
        cuts = _cuts(small, pieces)
        found.append(Material(scenario=small, kind=entry.kind, cuts=cuts))
        units += [scenario.name] if not cuts else [f"{scenario.name}[{k}]" for k in range(len(cuts) + 1)]
    if not any(m.scenario.truth for m in found):
        raise BadInput(
            "tune.truth",
            f"none of {', '.join(sources)} has a truth of kind {found[0].kind}: every choice would be as good",
            kind=found[0].kind,
        )
    return found, units


def _cuts(scenario: Scenario, pieces: int) -> tuple[int, ...]:
    """Moments that cut a scenario into pieces with about as many truths each, in the middle of the gaps."""
    truths = sorted(scenario.truth, key=lambda t: t.extent_ns)
    pieces = min(pieces, len(truths))
    cuts = []
    for k in range(1, pieces):
        at = k * len(truths) // pieces
        last = max(t.extent_ns[1] for t in truths[:at])
        if last < truths[at].extent_ns[0]:
            cuts.append((last + truths[at].extent_ns[0]) // 2)
    return tuple(cuts)


def run(material: Material, name: str, point: Point) -> tuple[Tally, ...]:
    """The counts of one scenario under one point, a tally a unit."""
    chosen = sets.made("trial", [{"entry": name, "params": dict(point), "source": "yiwang tune"}])
    scenario = chosen.on(material.scenario)
    played = play(scenario)
    ground = Ground.of(scenario)
    result = score(scenario, played.incidents, played.situations, confidence=played.confidence, ground=ground)
    return tuple(
        tally(_within(result, a, b), kind=material.kind, hours=hours) for a, b, hours in _stretches(material)
    )


def _stretches(material: Material) -> Iterator[tuple[float, float, float]]:
    edges = [-np.inf, *material.cuts, np.inf]
    scenario = material.scenario
    watched = watched_h(scenario)
    times = np.concatenate([r.t_ns for r in scenario.readings.values()])
    for a, b in pairwise(edges):
        share = float(((times >= a) & (times < b)).mean()) if len(times) else 1.0
        yield a, b, watched * share


def _within(result: Score, a: float, b: float) -> Score:
    """The part of a score whose truths begin, and whose other incidents open, between two moments."""
    verdicts = tuple(v for v in result.verdicts if a <= v.begin_ns < b)
    mine = {v.truth for v in verdicts}
    every = {v.truth for v in result.verdicts}
    incidents = tuple(
        i
        for i in result.incidents
        if (mine & set(i.truths) if every & set(i.truths) else a <= i.opened_ns < b)
    )
    ids = {i.id for i in incidents}
    return Score(
        verdicts=verdicts,
        incidents=incidents,
        false=tuple(i for i in result.false if i in ids),
        merged=tuple(i for i in result.merged if i in ids),
    )


def tune(
    found: Sequence[Material],
    units: Sequence[str],
    name: str,
    box: list[Range],
    *,
    folds: int,
    budget: int,
    metric: Metric,
    pool: Executor | None = None,
    tell: Callable[[int, Trial], None] = lambda _n, _t: None,
) -> Tuned:
    """Search, and judge the search.

    Args:
        found: the scenarios.
        units: names of their units, in order.
        name: of the entry.
        box: what is searched.
        folds: into how many parts the units are dealt; fewer than two: no hold-out.
        budget: most trials.
        metric: what is made least.
        pool: where scenarios are replayed side by side.
        tell: called after each trial.
    """
    entry = entry_of(found[0].scenario, name)
    start = in_force(found[0].scenario, entry)
    trials: list[Trial] = []

    def judged(point: Point) -> float:
        if pool is None:
            parts = [run(m, name, point) for m in found]
        else:
            parts = [f.result() for f in [pool.submit(run, m, name, point) for m in found]]
        trials.append(Trial(point=dict(point), units=tuple(t for part in parts for t in part)))
        tell(len(trials), trials[-1])
        return cost(trials[-1].whole, metric)

    inside = {r.name: start[r.name] if np.isfinite(start.get(r.name, np.nan)) else r.at(0.5) for r in box}
    for _ in search(box, inside, budget, judged):
        pass
    indices = range(len(trials))
    dealt = _dealt(len(units), folds)
    return Tuned(
        entry=name,
        kind=entry.kind,
        metric=metric,
        units=tuple(units),
        trials=tuple(trials),
        pareto=pareto([t.whole for t in trials]),
        chosen=min(indices, key=lambda i: cost(trials[i].whole, metric)),
        folds=tuple(_fold(trials, units, out, metric) for out in dealt),
    )


def _dealt(units: int, folds: int) -> list[set[int]]:
    if folds < 2 or units < 2:
        return []
    n = min(folds, units)
    return [set(range(k, units, n)) for k in range(n)]


def _fold(trials: Sequence[Trial], units: Sequence[str], out: set[int], metric: Metric) -> Fold:
    def part(trial: Trial, *, held: bool) -> Tally:
        return Tally.total(t for i, t in enumerate(trial.units) if (i in out) == held)

    chosen = min(trials, key=lambda t: cost(part(t, held=False), metric))
    return Fold(
        units=tuple(units[i] for i in sorted(out)), chosen=chosen.point, held_out=part(chosen, held=True)
    )


def pareto(found: Sequence[Tally]) -> tuple[int, ...]:
    """Indices of those that no other one beats in recall, false incidents a day and median delay at once."""
    points = []
    for t in found:
        f = figures(t)
        delay = f["delay_median_s"]
        points.append((-(f["recall"] or 0.0), f["false_per_day"] or 0.0, np.inf if delay is None else delay))
    return tuple(
        i
        for i, p in enumerate(points)
        if not any(
            all(a <= b for a, b in zip(q, p, strict=True)) and (q != p or j < i)
            for j, q in enumerate(points)
            if j != i
        )
    )


def parameter_set(tuned: Tuned, name: str = "") -> sets.ParameterSet:
    """The chosen point as overrides."""
    point = tuned.trials[tuned.chosen].point
    source = f"yiwang tune {tuned.entry} on {', '.join(tuned.units)}"
    override = {"entry": tuned.entry, "params": point, "source": source}
    return sets.made(name or f"{tuned.entry} tuned", [override])
