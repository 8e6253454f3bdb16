"""Scores many scenarios, in this process or in several."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import msgspec

from scenarios import seeds
from scenarios.comparing import Raised, raised
from scenarios.scorecard import Card, evaluate, finding_lines, incident_lines
from scenarios.sets import ParameterSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One scenario to be scored.

    Attributes:
        source: as on the command line.
        set: a parameter set over the scenario's own rules.
        lines: also the findings and incidents as JSON lines.
        html: also the report as a page.
        full: FloodNet, also the silence between the floods.
    """

    source: str
    set: ParameterSet | None = None
    lines: bool = False
    html: bool = False
    baselines: bool = True
    full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What came of it."""

    source: str
    card: Card
    findings: list[bytes]
    incidents: list[bytes]
    raised: list[Raised]
    html: str


def run(job: Job) -> Scored:
    """Load, play, score.

    Raises:
        BadInput: the scenario's or the set's.
    """
    scenario = seeds.load(job.source, full=job.full)
    if job.set is not None:
        scenario = job.set.on(scenario)
    html = ""
    if job.html:
        from scenarios.page import page
        from scenarios.traces import Traces

        traces = Traces(scenario)
        card, played = evaluate(scenario, baselines=job.baselines, probes=[traces.look])
        html = page(scenario, card, played, traces)
    else:
        card, played = evaluate(scenario, baselines=job.baselines)
    return Scored(
        source=job.source,
        card=card,
        findings=[msgspec.json.encode(x) for x in finding_lines(scenario, played)] if job.lines else [],
        incidents=[msgspec.json.encode(x) for x in incident_lines(scenario, played, card.score)]
        if job.lines
        else [],
        raised=raised(played.incidents),
        html=html,
    )


def run_all(jobs: Sequence[Job], processes: int = 1) -> Iterator[Scored]:
    """All jobs, in their order; each is given as soon as those before it are done.

    Raises:
        BadInput: of the first job that has one.
    """
    if processes <= 1 or len(jobs) <= 1:
        yield from map(run, jobs)
        return
    # spawn: a fork would copy whatever threads the caller has
    with ProcessPoolExecutor(min(processes, len(jobs)), mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(run, job) for job in jobs]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
