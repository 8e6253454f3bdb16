"""What the pages of our processes say about the city, in rows: one a process, one a district, the worst first. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from yiwang import metrics
from yiwang.commands._pages import Between
from yiwang.processes import Entry

RATE = {
    "ingest": metrics.INGEST_READINGS,
    "district": metrics.DISTRICT_READINGS,
    "persist": metrics.PERSIST_READINGS,
    "gateway": metrics.GATEWAY_VALUES,
}
"""What a role's readings per second are counted by."""
LAG = {
    "district": metrics.DISTRICT_LAG,
    "city": metrics.CITY_LAG,
    "persist": metrics.PERSIST_LAG,
    "gateway": metrics.GATEWAY_LAG,
}
STAGE = {"ingest": "ingest", "district": "detect", "persist": "persist", "gateway": "gateway"}
"""The stage of which a role keeps the latency."""
SCREEN = "screen"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """A process. None is "not told", which is not 0.

    Attributes:
        reason: why nothing is known of it; empty where all is well.
        away: services it waits for.
        limited: names of the sources it holds back, the worst first.
        fullest: how full its fullest queue is, 0 to 1.
    """

    name: str
    role: str
    address: str
    reason: str = ""
    away: tuple[str, ...] = ()
    limited: tuple[str, ...] = ()
    readings_per_s: float | None = None
    lag_messages: float | None = None
    lag_s: float | None = None
    stage: str = ""
    p50_s: float | None = None
    p99_s: float | None = None
    snapshot_age_s: float | None = None
    dead_per_s: float | None = None
    fullest: float | None = None
    cpu: float | None = None
    rss_bytes: float | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DistrictRow:
    """A district, over all processes that have to do with it."""

    district: int
    worker: str
    readings_per_s: float | None = None
    lag_messages: float | None = None
    lag_s: float | None = None
    detect_p50_s: float | None = None
    detect_p99_s: float | None = None
    persist_lag_messages: float | None = None
    persist_p99_s: float | None = None
    gateway_lag_messages: float | None = None
    gateway_p99_s: float | None = None
    snapshot_age_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """All of it.

    Attributes:
        interval_s: over which the rates are.
        screen_p99_s: from arrival to drawn, as the screens report it, at the gateway where it is worst; None where
            none does.
    """

    run: str
    interval_s: float
    processes: list[ProcessRow]
    districts: list[DistrictRow]
    screen_p99_s: float | None = None

    def as_json(self) -> dict[str, Any]:  # Any: plain JSON values
        """For programs; ``missing`` names the processes of which nothing is known."""
        return asdict(self) | {"missing": [p.name for p in self.processes if p.reason]}


def city(
    run: str,
    entries: Sequence[Entry],
    pages: Sequence[Between | str],
    longer: Sequence[Between | str] | None = None,
) -> City:
    """Rows of everything, the worst first.

    Args:
        run: its name.
        entries: the processes.
        pages: what each says.
        longer: the same over a longer time, for screens, who report every ten seconds only.
    """
    processes = [_process(e, p) for e, p in zip(entries, pages, strict=True)]
    known = [(e, p) for e, p in zip(entries, pages, strict=True) if isinstance(p, Between)]
    reported = [p for p in (pages if longer is None else longer) if isinstance(p, Between)]
    screens = [s for p in reported if (s := p.latency(0.99, stage=SCREEN)) is not None]
    return City(
        run=run,
        interval_s=max((p.seconds for _, p in known), default=0.0),
        processes=sorted(processes, key=_badness_of_process, reverse=True),
        districts=sorted(_districts(known), key=lambda d: (d.lag_s or 0, d.detect_p99_s or 0), reverse=True),
        screen_p99_s=max(screens, default=None),
    )


def _badness_of_process(row: ProcessRow) -> tuple[object, ...]:
    return (
        bool(row.reason),
        bool(row.away),
        row.lag_s or 0.0,
        row.p99_s or 0.0,
        row.dead_per_s or 0.0,
        row.cpu or 0.0,
    )


def _process(entry: Entry, page: Between | str) -> ProcessRow:
    if isinstance(page, str):
        return ProcessRow(
            name=entry.name, role=entry.role, address=entry.address, reason=page, restarts=entry.restarts
        )
    about = {key: value for have in page.now.rows(metrics.BUILD) for key, value in have}
    role = about.get("role", entry.role)
    worker = about.get("worker") or entry.worker
    stage = STAGE.get(role, "")
    return ProcessRow(
        name=f"{role} {worker or entry.pid or entry.address}",
        role=role,
        address=entry.address,
        away=tuple(
            sorted(dict(have)["service"] for have, value in page.now.rows(metrics.AWAY).items() if value)
        ),
        limited=tuple(page.grown(metrics.INGEST_LIMITED, "source")),
        readings_per_s=page.rate(RATE[role]) if role in RATE else None,
        lag_messages=page.now.total(LAG[role]) if role in LAG else None,
        lag_s=max(page.now.rows(metrics.DISTRICT_LAG_S).values(), default=None),
        stage=stage,
        p50_s=page.latency(0.5, stage=stage) if stage else None,
        p99_s=page.latency(0.99, stage=stage) if stage else None,
        snapshot_age_s=max(page.now.rows(metrics.SNAPSHOT_AGE).values(), default=None),
        dead_per_s=page.rate(metrics.DEAD),
        fullest=_fullest(page),
        cpu=page.cpu(),
        rss_bytes=page.now.process("yiwang_process_resident_memory_bytes"),
        restarts=round(page.now.total(metrics.RESTARTS) or 0),
    )


def _fullest(page: Between) -> float | None:
    limits = page.now.rows(metrics.QUEUE_LIMIT)
    shares = [n / limits[have] for have, n in page.now.rows(metrics.QUEUE).items() if limits.get(have)]
    return max(shares, default=None)


def _districts(known: Sequence[tuple[Entry, Between]]) -> list[DistrictRow]:
    """One row a district that a worker holds."""
    pages = [page for _, page in known]
    return [
        _district(name, entry.worker or str(entry.pid), page, pages)
        for entry, page in known
        for name in page.now.label(metrics.DISTRICT_LAG, "district")
    ]


def _district(name: str, worker: str, own: Between, pages: Sequence[Between]) -> DistrictRow:
    """What its worker says of it, and the worst of what the others say."""
    return DistrictRow(
        district=int(name),
        worker=worker,
        readings_per_s=own.rate(metrics.DISTRICT_READINGS, district=name),
        lag_messages=own.now.total(metrics.DISTRICT_LAG, district=name),
        lag_s=own.now.total(metrics.DISTRICT_LAG_S, district=name),
        detect_p50_s=own.latency(0.5, stage="detect", district=name),
        detect_p99_s=own.latency(0.99, stage="detect", district=name),
        persist_lag_messages=_most([p.now.total(metrics.PERSIST_LAG, district=name) for p in pages]),
        persist_p99_s=_most([p.latency(0.99, stage="persist", district=name) for p in pages]),
        gateway_lag_messages=_most([p.now.total(metrics.GATEWAY_LAG, district=name) for p in pages]),
        gateway_p99_s=_most([p.latency(0.99, stage="gateway", district=name) for p in pages]),
        snapshot_age_s=own.now.total(metrics.SNAPSHOT_AGE, district=name),
    )


def _most(values: Sequence[float | None]) -> float | None:
    return max((v for v in values if v is not None), default=None)
