"""A scenario played and held against its truth, ours and the baselines side by side; and cards added up.

``evaluate`` gives one scenario's card, ``summary`` the one JSON object of many.
"""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from scenarios import alarms, figures
from scenarios.alarms import AlarmTally
from scenarios.baselines import BASELINES, Material
from scenarios.directly import Played, Probe, play
from scenarios.figures import Figures, Tally
from scenarios.ground import Ground, watched_h
from scenarios.model import Scenario
from scenarios.scoring import Score, score
from yiwang.clock import iso
from yiwang.errors import BadInput
from yiwang.model import Finding

OURS = "ours"


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What a scenario showed.

    Attributes:
        hours: of event time watched.
        domains: domain to system (``ours`` and the baselines) to counts.
        kinds: incident kind to counts of ours, of kinds that were raised or had to be.
        kind_domains: incident kind to domain.
        troubles: code to how often something could not be used, or a detector was taken out.
        score: every verdict and incident of ours.
    """

    name: str
    title_zh: str
    title_en: str
    hours: float
    districts: int
    sensors: int
    readings: int
    truths: int
    seconds: float
    rules: str
    domains: dict[str, dict[str, Tally]]
    kinds: dict[str, Tally]
    kind_domains: dict[str, str]
    alarms: AlarmTally
    troubles: dict[str, int]
    score: Score


def evaluate(
    scenario: Scenario, *, baselines: bool = True, probes: Sequence[Probe] = ()
) -> tuple[Card, Played]:
    """Play a scenario directly and make its card.

    Raises:
        BadInput: ``score.rules`` when the district machines refuse the scenario's rules: then nothing was judged.
    """
    begin = time.perf_counter()
    played = play(scenario, probes=probes)
    seconds = time.perf_counter() - begin
    for _, trouble in played.troubles:
        if trouble.code == "rules.refused":
            raise BadInput(
                "score.rules",
                f"{scenario.name}: its rules are refused: {trouble.args['message']}",
                scenario=scenario.name,
            )
    ground = Ground.of(scenario)
    result = score(scenario, played.incidents, played.situations, confidence=played.confidence, ground=ground)
    hours, watched = watched_h(scenario), ground.watched(scenario)
    systems = {OURS: result}
    if baselines:
        material = Material.of(scenario, ground)
        for name, baseline in BASELINES.items():
            systems[name] = score(scenario, baseline(material), ground=ground)
    domains = sorted({*watched, *(i.domain for i in result.incidents)})
    episodes = {f.id: f for _, f in played.findings if f.level}
    tallies = {
        domain: {
            system: figures.tally(
                one,
                domain=domain,
                hours=hours,
                seats=len(scenario.districts),
                devices=watched.get(domain, 0),
            )
            for system, one in systems.items()
        }
        for domain in domains
    }
    for domain in domains:
        mine = [f for f in episodes.values() if ground.domain(f.kind) == domain]
        tallies[domain][OURS] = msgspec.structs.replace(tallies[domain][OURS], findings=len(mine))
    kinds = sorted({v.kind for v in result.verdicts} | {i.kind for i in result.incidents})
    card = Card(
        name=scenario.name,
        title_zh=scenario.title.zh,
        title_en=scenario.title.en,
        hours=hours,
        districts=len(scenario.districts),
        sensors=sum(len(r.devices) for r in scenario.registries.values()),
        readings=scenario.reading_count,
        truths=len(result.verdicts),
        seconds=round(seconds, 2),
        rules=scenario.rules.version,
        domains=tallies,
        kinds={k: _kind(result, k, episodes, hours, len(scenario.districts)) for k in kinds},
        kind_domains={k: ground.domain(k) for k in kinds},
        alarms=alarms.tally(played.bodies, begin_ns=scenario.start_ns, end_ns=scenario.end_ns, hours=hours),
        troubles=_troubles(played),
        score=result,
    )
    return card, played


def _troubles(played: Played) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for _, trouble in played.troubles:
        counted[trouble.code] += trouble.count
    return dict(sorted(counted.items()))


def _kind(result: Score, kind: str, episodes: dict[str, Finding], hours: float, seats: int) -> Tally:
    found = sum(f.kind == kind for f in episodes.values())
    return msgspec.structs.replace(figures.tally(result, kind=kind, hours=hours, seats=seats), findings=found)


# ---- many ----


def domains(cards: Sequence[Card]) -> dict[str, dict[str, Tally]]:
    """Counts of all cards, by domain and system."""
    added: dict[str, dict[str, Tally]] = {}
    for card in cards:
        for domain, systems in card.domains.items():
            for system, one in systems.items():
                mine = added.setdefault(domain, {})
                mine[system] = mine.get(system, Tally()) + one
    return dict(sorted(added.items()))


def kinds(cards: Sequence[Card]) -> dict[str, Tally]:
    """Counts of all cards, by incident kind, in the order of domains."""
    added: dict[str, Tally] = {}
    of: dict[str, str] = {}
    for card in cards:
        of |= card.kind_domains
        for kind, one in card.kinds.items():
            added[kind] = added.get(kind, Tally()) + one
    return dict(sorted(added.items(), key=lambda item: (of[item[0]], item[0])))


def summary(cards: Sequence[Card]) -> dict[str, Any]:  # Any: plain JSON values
    """The one JSON object of a scoring."""
    of: dict[str, str] = {}
    for card in cards:
        of |= card.kind_domains
    by_domain = domains(cards)
    return {
        "scenarios": len(cards),
        "domains": {
            domain: {
                **rounded(figures.figures(systems[OURS])),
                "kinds": {k: rounded(figures.figures(t)) for k, t in kinds(cards).items() if of[k] == domain},
                "baselines": _baselines(systems),
                "calibration": _bins(systems[OURS]),
            }
            for domain, systems in by_domain.items()
        },
        "alarms": rounded(alarms.figures(AlarmTally.total(c.alarms for c in cards))),
        "details": {card.name: detail(card) for card in cards},
    }


def detail(card: Card) -> dict[str, Any]:  # Any: plain JSON values
    """One scenario's part of the JSON object."""
    return {
        "title": {"zh": card.title_zh, "en": card.title_en},
        "hours": round(card.hours, 3),
        "sensors": card.sensors,
        "readings": card.readings,
        "seconds": card.seconds,
        "rules": card.rules,
        "met": card.score.met,
        **card.score.summary(),
        "domains": {
            domain: {
                **rounded(figures.figures(systems[OURS])),
                "baselines": _baselines(systems),
            }
            for domain, systems in card.domains.items()
        },
        "alarms": rounded(alarms.figures(card.alarms)),
        "troubles": card.troubles,
        "verdicts": msgspec.to_builtins(card.score.verdicts),
        "incidents": msgspec.to_builtins(card.score.incidents),
    }


def rounded(values: Figures) -> Figures:
    """Six digits are enough for anybody, and the same on every machine."""
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in values.items()}


def _baselines(systems: dict[str, Tally]) -> dict[str, Figures]:
    """Baselines know no levels, so theirs are not held against the truth."""
    return {
        name: rounded(figures.figures(t) | {"level_errors": None})
        for name, t in systems.items()
        if name != OURS
    }


def _bins(t: Tally) -> list[dict[str, float | int | None]]:
    return [
        rounded({"from": a, "to": b, "incidents": n, "confidence": mean, "right": right})
        for a, b, n, mean, right in figures.bins(t.sure)
        if n
    ]


# ---- JSON lines ----


def finding_lines(scenario: Scenario, played: Played) -> list[dict[str, Any]]:  # Any: plain JSON values
    """Every word of every finding."""
    return [
        {
            "scenario": scenario.name,
            "district": district,
            "id": f.id,
            "detector": f.detector,
            "domain": f.domain,
            "kind": f.kind,
            "place": f.place,
            "device": f.device,
            "metric": f.metric,
            "level": f.level,
            "since": iso(f.since_ns),
            "since_ns": f.since_ns,
            "time": iso(f.t_ns),
            "time_ns": f.t_ns,
            "value": _number(f.value),
            "limit": _number(f.limit),
            "confidence": f.confidence,
            "reason": f.reason,
            "numbers": {k: _number(v) for k, v in f.numbers.items()},
        }
        for district, f in played.findings
    ]


def incident_lines(scenario: Scenario, played: Played, result: Score) -> list[dict[str, Any]]:  # Any: JSON
    """Every incident, candidates too, with its highest confidence and what it was worth."""
    judged = {j.id: j for j in result.incidents}
    lines = []
    for i in played.incidents:
        worth = judged.get(i.id)
        line: dict[str, Any] = {  # Any: plain JSON values
            "scenario": scenario.name,
            "district": i.district,
            "id": i.id,
            "domain": i.domain,
            "kind": i.kind,
            "place": i.place,
            "severity": i.severity,
            "peak": i.peak,
            "state": i.state,
            "standing": i.standing,
            "confidence": round(played.confidence[i.id], 6),
            "sources": list(i.sources),
            "evidence": len(i.evidence),
            "situation": i.situation,
            "merged_into": i.merged_into,
            "verdict": worth.verdict if worth else "merged",
            "truths": list(worth.truths) if worth else [],
        }
        for name in ("opened", "confirmed", "annunciated", "cleared", "closed"):
            t_ns = getattr(i, f"{name}_ns")
            line[name] = None if t_ns is None else iso(t_ns)
            line[f"{name}_ns"] = t_ns
        lines.append(line)
    return lines


def _number(value: float) -> float | None:
    """JSON has neither NaN nor infinity."""
    return value if value - value == 0 else None
