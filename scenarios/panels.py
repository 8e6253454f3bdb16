"""What of a played scenario is worth a plot: signals, truths, findings and incidents of one place. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from scenarios.baselines import by_series, first_limit, sightings
from scenarios.directly import Played
from scenarios.ground import DISTRICT, Ground
from scenarios.model import Scenario, Truth
from scenarios.scoring import Judged, Score
from scenarios.traces import Traces
from yiwang.clock import SECOND
from yiwang.columns import F64, I64
from yiwang.domains import VIDEO_PREFIX, Entry
from yiwang.model import Finding, Incident
from yiwang.registry import Device, Place, Text

MOST = 24
"""Places that are plotted; those with a mistake come first."""
LINES = 6
"""Series in one plot; those that were found something of come first."""
NEAR = 0.08
"""What takes less than this share of the whole is plotted again from near."""
ZOOMS = 4

Line = tuple[str, I64, F64]
"""Device id, times, values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """A detector's statistic with its threshold over time."""

    entry: str
    device: str
    t_ns: I64
    statistic: F64
    threshold: F64


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One plot: a metric at a spot, and everything that was true and was said of it.

    Attributes:
        lines: device, times and values of each series.
        limits: level (0: no level) and limit, horizontal.
        begin_ns: left edge; ``end_ns`` right edge.
        near: it shows a part of another panel from near.
    """

    district: int
    spot: str
    name: Text
    metric: Text
    unit: str
    video: bool
    lines: tuple[Line, ...]
    gauges: tuple[Gauge, ...]
    limits: tuple[tuple[int, float], ...]
    truths: tuple[Truth, ...]
    findings: tuple[tuple[Finding, int | None], ...]  # with the moment at which each was over
    incidents: tuple[tuple[Incident, Judged | None], ...]
    begin_ns: int
    end_ns: int
    near: bool = False


def panels(scenario: Scenario, score: Score, played: Played, traces: Traces | None = None) -> list[Panel]:
    """The plots of a report, the most telling first."""
    ground = Ground.of(scenario)
    signals = {
        number: by_series(scenario.readings[number]) | sightings(scenario, number, registry.devices)
        for number, registry in scenario.registries.items()
    }
    spots = _spots(scenario, score, played, ground)
    if not spots:  # nothing true, nothing said: a look at some series all the same
        spots = {
            (n, kind, spot): 0
            for n, r in scenario.registries.items()
            for kind, spot in _calm(ground, r.devices)
        }
    chosen = sorted(spots, key=lambda s: (-spots[s], s))[:MOST]
    found: list[Panel] = []
    for key in chosen:
        for panel in _of_spot(scenario, score, played, ground, signals[key[0]], traces, *key):
            found.append(panel)
            found += _zooms(panel)
    return found


def _spots(
    scenario: Scenario, score: Score, played: Played, ground: Ground
) -> dict[tuple[int, str, str], int]:
    """(district, kind, spot) to how much it has to tell: mistakes weigh most."""
    weight: dict[tuple[int, str, str], int] = defaultdict(int)
    verdicts = {v.truth: v for v in score.verdicts}
    for truth in scenario.truth:
        verdict = verdicts.get(truth.id)
        wrong = verdict is not None and (len(verdict.incidents) != 1 or verdict.peak != truth.severity)
        spot = min(ground.spots_of_truth(msgspec.structs.replace(truth, also=())))
        weight[truth.district, truth.kind, spot] += 100 if wrong else 10
    judged = {j.id: j for j in score.incidents}
    for incident in played.incidents:
        worth = judged.get(incident.id)
        if worth is None:
            continue
        false = worth.verdict == "false" and worth.raised_ns is not None
        mine = ground.spots(incident)
        at = {
            key
            for key in weight
            if key[0] == incident.district and key[1] == incident.kind and key[2] in mine
        }
        spot = min(mine - {""}, default=incident.place)
        for key in at or {(incident.district, incident.kind, spot)}:
            weight[key] += 50 if false else 2
    return weight


def _calm(ground: Ground, devices: Iterable[Device]) -> list[tuple[str, str]]:
    """A few kinds, each with the spot of its first device."""
    found: dict[str, str] = {}
    for device in devices:
        for series in device.series:
            for entry in ground.domains.detectors:
                if entry.source == "sensor" and entry.reads(device.kind, series.metric):
                    found.setdefault(entry.kind, ground.spot(entry.kind, device))
    return list(found.items())[:6]


def _of_spot(
    scenario: Scenario,
    score: Score,
    played: Played,
    ground: Ground,
    signals: dict[int, tuple[I64, F64]],
    traces: Traces | None,
    district: int,
    kind: str,
    spot: str,
) -> list[Panel]:
    registry = scenario.registries[district]
    findings = [f for d, f in played.findings if d == district and f.kind == kind]
    by_device = {d.id: d for d in registry.devices}
    here = {d.id for d in registry.devices if spot == DISTRICT or ground.spot(kind, d) == spot}
    said = _episodes(f for f in findings if f.device in here)
    loud = {(f.device, f.metric) for f, _ in said}
    entries = [e for e in ground.domains.detectors if e.kind == kind]
    seen: dict[int, tuple[I64, F64]] = {}
    places = {p.id: p for p in registry.places}
    per_metric: dict[str, list[tuple[Device, int]]] = defaultdict(list)
    for id_ in sorted(here):
        device = by_device[id_]
        for series in device.series:
            entry = next((e for e in entries if e.reads(device.kind, series.metric)), None)
            if entry is None or series.number not in signals:
                continue
            # what reads as another metric is shown as that (a sonar's distance as a depth)
            scale, offset = ground.domains.transform(entry, device, places.get(device.place), series.metric)
            t_ns, value = signals[series.number]
            seen[series.number] = t_ns, value * scale + offset
            target = entry.watches[series.metric].metric or series.metric
            per_metric[target].append((device, series.number))
    judged = {j.id: j for j in score.incidents}
    truths = tuple(
        t
        for t in scenario.truth
        if t.kind == kind and t.district == district and spot in ground.spots_of_truth(t)
    )
    incidents = tuple(
        (i, judged.get(i.id))
        for i in played.incidents
        if i.kind == kind and i.district == district and spot in ground.spots(i)
    )
    named = places.get(spot)
    found = []
    for metric, numbered in sorted(per_metric.items(), key=lambda m: m[0].startswith(VIDEO_PREFIX)):
        numbered.sort(key=lambda s: ((s[0].id, metric) not in loud, s[0].id))
        known = ground.domains.metrics[metric]
        shown = numbered[:LINES]
        found.append(
            Panel(
                district=district,
                spot=spot,
                name=named.name if named else Text(spot, spot),
                metric=known.name,
                unit=known.unit,
                video=metric.startswith(VIDEO_PREFIX),
                lines=tuple((d.id, *seen[n]) for d, n in shown),
                gauges=_gauges(traces, district, shown, {e.id for e in entries}),
                limits=_limits(
                    ground, [f for f, _ in said if f.metric == metric], entries, shown[0][0], metric, places
                ),
                truths=truths,
                findings=tuple((f, end) for f, end in said if f.metric == metric),
                incidents=incidents,
                begin_ns=scenario.start_ns,
                end_ns=scenario.end_ns,
            )
        )
    # The metrics that decided come first; of the others one is enough to see that they were calm.
    telling = [p for p in found if p.findings]
    return telling or found[:1]


def _episodes(findings: Iterable[Finding]) -> list[tuple[Finding, int | None]]:
    """Every word of every episode that is not its end, with the moment at which that word was over."""
    open_: dict[str, int] = {}
    found: list[tuple[Finding, int | None]] = []
    for f in findings:
        before = open_.pop(f.id, None)
        if before is not None:
            found[before] = (found[before][0], f.t_ns)
        if f.level:
            open_[f.id] = len(found)
            found.append((f, None))
    return found


def _gauges(
    traces: Traces | None, district: int, series: list[tuple[Device, int]], entries: set[str]
) -> tuple[Gauge, ...]:
    if traces is None:
        return ()
    return tuple(
        Gauge(entry=entry, device=device.id, t_ns=t, statistic=s, threshold=h)
        for device, number in series[:2]
        for entry, (t, s, h) in traces.of(district, number).items()
        if entry in entries
    )


def _limits(
    ground: Ground,
    findings: list[Finding],
    entries: list[Entry],
    device: Device,
    metric: str,
    places: dict[str, Place],
) -> tuple[tuple[int, float], ...]:
    """Limits that readings were held against, with their level; of calm series the first limit."""
    worst: dict[str, int] = {}
    said: set[tuple[int, float]] = set()
    for f in findings:
        # on the way back a reading is held against the limit less its hysteresis, which would only clutter
        if f.level < worst.get(f.id, 5) and np.isfinite(f.limit) and _same_unit(f):
            said.add((f.level, round(f.limit, 6)))
        worst[f.id] = min(f.level, worst.get(f.id, 5))
    if said:
        return tuple(sorted(said))[:8]
    found = []
    for entry in entries:
        how = entry.watches.get(metric)
        if how is None or how.role or how.scale != 1.0 or how.offset is not None:
            continue
        params = ground.domains.params(entry, device, places.get(device.place), how.metric)
        limit, _ = first_limit(entry.use, {n: p.value for n, p in params.items()})
        if np.isfinite(limit):
            found.append((0, limit))
    return tuple(found[:2])


def _same_unit(f: Finding) -> bool:
    """Whether the limit is one of the reading itself; a statistic's limit belongs into the gauge."""
    return f.reason.split(".")[0] in {"ladder", "grade", "sightings", "band"}


def _zooms(panel: Panel) -> list[Panel]:
    """Short things of a long scenario once more, from near."""
    whole = panel.end_ns - panel.begin_ns
    spans = [t.extent_ns for t in panel.truths]
    spans += [
        (i.opened_ns, i.cleared_ns or i.closed_ns or panel.end_ns)
        for i, j in panel.incidents
        if j is not None and j.verdict == "false"
    ]
    found: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        margin = max(round(0.6 * (end - begin)), 600 * SECOND)
        begin, end = max(panel.begin_ns, begin - margin), min(panel.end_ns, end + margin)
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((begin, end))
    return [
        replace(panel, begin_ns=begin, end_ns=end, near=True)
        for begin, end in found
        if end - begin < NEAR * 3 * whole
    ][:ZOOMS]
