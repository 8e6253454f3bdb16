"""Every metric of the project, and how a process shows them. Nothing else spells a metric's name.

A process makes one ``Metrics`` and gives it sources: functions that read plain attributes (counters, queues, states) at
the moment of a scrape and give samples. What works never knows of this module; it only counts. There is no state in
here beyond ``Metrics`` objects, so tests make as many as they like.

Names are ``yiwang_<role>_<what>_<unit>``, labels few and bounded. ``docs/operations.md`` says what to do about each.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Literal

import prometheus_client as prometheus
from prometheus_client import exposition
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from yiwang import logs
from yiwang.latency import BUCKETS_S, Latency

OFFENDERS = 100
"""So many names of sources at the most are told one by one; the rest is told as OTHERS."""
OTHERS = "(others)"

_log = logs.get("metrics")


@dataclass(frozen=True, slots=True)
class Spec:
    """A metric.

    Attributes:
        name: without the ``_total`` that a counter is written with.
        kind: counter: only grows, as long as the process lives; gauge: as it is now; histogram: of durations.
        help: one sentence.
        labels: their names.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()

    @property
    def written(self) -> tuple[str, ...]:
        """The names of the series it is written as."""
        if self.kind == "counter":
            return (f"{self.name}_total",)
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "count", "sum"))
        return (self.name,)


def _counter(name: str, text: str, *labels: str) -> Spec:
    return Spec(f"yiwang_{name}", "counter", text, labels)


def _gauge(name: str, text: str, *labels: str) -> Spec:
    return Spec(f"yiwang_{name}", "gauge", text, labels)


def _histogram(name: str, text: str, *labels: str) -> Spec:
    return Spec(f"yiwang_{name}", "histogram", text, labels)


# ---- every process ----
BUILD = _gauge(
    "process_build_info",
    "1; which program this is, and what it does",
    "role",
    "worker",
    "run",
    "version",
    "python",
)
RESTARTS = _counter("process_restarts", "How often this worker came back without having ended in order")
SCRAPE_ERRORS = _counter("process_scrape_errors", "Sources of metrics that could not be read", "source")
AWAY = _gauge(
    "process_service_away",
    "1 while a service this process needs is away and it waits with back-off",
    "service",
)
QUEUE = _gauge("queue_items", "What waits in a bounded queue", "queue", "district")
QUEUE_LIMIT = _gauge(
    "queue_limit_items", "What fits into that queue before whoever fills it has to wait", "queue", "district"
)
STAGE = _histogram(
    "stage_latency_seconds",
    "From stamps in the messages: ingest (arrival to broker has it), detect (arrival to judged), persist (arrival to "
    "committed), gateway (decided to handed to the sockets), values (arrival to the sockets, of newest values), "
    "screen (arrival to the painted frame, as pages tell it)",
    "stage",
    "district",
)
DEAD = _counter("dead_letters", "What could not be used, by where it came from and why", "source", "code")

# ---- ingest ----
INGEST_READINGS = _counter("ingest_readings", "Readings that Kafka has acknowledged")
INGEST_MESSAGES = _counter("ingest_messages", "Messages that Kafka has acknowledged, frames included")
INGEST_FAILED = _counter("ingest_failed_readings", "Readings whose senders were told to send again")
INGEST_ACCEPTED = _counter("ingest_accepted_rows", "Rows accepted, by way in", "source")
INGEST_CLOCKS = _counter("ingest_wrong_clock_rows", "Rows whose device has a wrong clock")
INGEST_DROPPED = _counter("ingest_mqtt_dropped_messages", "MQTT messages of quality 0 that came too fast")
INGEST_LIMITED = _counter(
    "ingest_limited_items",
    "Refused or left out because a source sent too many: bodies, readings of one series, letters (bad rows that were "
    "not kept); at most 100 names each",
    "what",
    "source",
)
INGEST_BUSY = _counter("ingest_busy_bodies", "Bodies refused because too many were under way")
INGEST_SPOOL = _gauge("ingest_spool_bytes", "What is kept on disk until Kafka is back")
INGEST_SPOOL_LIMIT = _gauge("ingest_spool_limit_bytes", "What may be kept on disk")
INGEST_SERIES = _gauge("ingest_registered_series", "Series that this process can look up")

# ---- district ----
DISTRICT_READINGS = _counter("district_readings", "Readings judged", "district")
DISTRICT_MESSAGES = _counter("district_messages", "Messages of feed and commands worked on", "district")
DISTRICT_OUTPUTS = _counter("district_outputs", "What the district has put out, by kind", "district", "kind")
DISTRICT_TROUBLES = _counter(
    "district_troubles",
    "Readings or devices that could not be judged, such as late ones, by code",
    "district",
    "code",
)
DISTRICT_LAG = _gauge(
    "district_lag_messages", "Messages in the log that are not worked on yet", "district", "log"
)
DISTRICT_LAG_S = _gauge(
    "district_lag_seconds",
    "Age of the newest message worked on while others wait; 0 when none waits",
    "district",
)
DISTRICT_EVENT_S = _gauge(
    "district_event_time_seconds", "Event time up to which ticks have been run, since 1970", "district"
)
DISTRICT_DIFFERING = _counter(
    "district_differing_outputs", "Outputs that were other ones before a crash: a defect", "district"
)

# ---- snapshots: of a district by its number, of the city worker as "city" ----
SNAPSHOT_AGE = _gauge("snapshot_age_seconds", "Since the state of the newest snapshot was taken", "district")
SNAPSHOT_STATE = _gauge("snapshot_state_bytes", "The whole state", "district")
SNAPSHOT_BYTES = _gauge("snapshot_stored_bytes", "What the newest snapshot wrote, packed", "district")
SNAPSHOT_PAUSE = _gauge("snapshot_pause_seconds", "For how long the newest snapshot held up work", "district")
SNAPSHOT_PAUSE_MAX = _gauge("snapshot_longest_pause_seconds", "The longest of these pauses", "district")
SNAPSHOT_INTERVAL = _gauge("snapshot_interval_seconds", "Between the newest two snapshots", "district")
SNAPSHOT_SHARE = _gauge("snapshot_cpu_ratio", "Part of one core that keeping this state takes", "district")
SNAPSHOTS = _counter("snapshot_writes", "Snapshots kept", "district")
SNAPSHOTS_MISSED = _counter("snapshot_misses", "Snapshots not kept because the database was away", "district")

# ---- city ----
CITY_LAG = _gauge(
    "city_lag_messages", "Outputs of the district that the city worker has not read yet", "district"
)
CITY_COMMANDS = _counter("city_commands", "Commands the city worker has sent to the district", "district")

# ---- persist ----
PERSIST_READINGS = _counter("persist_readings", "Readings stored")
PERSIST_LATE = _counter("persist_late_readings", "Late ones among them")
PERSIST_STATEMENTS = _counter("persist_statements", "Other rows stored or changed")
PERSIST_BATCHES = _counter("persist_batches", "Transactions")
PERSIST_SKIPPED = _counter("persist_skipped_messages", "Messages left out because they were stored before")
PERSIST_THINNED = _counter("persist_thinned_readings", "Readings not stored because their metric keeps less")
PERSIST_REPEATED = _counter(
    "persist_repeated_readings", "Readings not stored again because they say their series' newest one again"
)
PERSIST_MINUTES = _counter("persist_minute_rows", "Rows of minutes stored")
PERSIST_OVERTAKEN = _counter(
    "persist_overtaken_outputs", "Outputs left out because their worker had lost the district"
)
PERSIST_UNREADABLE = _counter("persist_unreadable_messages", "Messages that became dead letters here")
PERSIST_LAG = _gauge(
    "persist_lag_messages", "Messages in the log that are not stored yet", "topic", "district"
)
PERSIST_WRITE = _histogram("persist_write_seconds", "How long a transaction took")

# ---- gateway ----
GATEWAY_CLIENTS = _gauge("gateway_clients", "Live sockets that are open")
GATEWAY_OUTPUTS = _counter("gateway_outputs", "Outputs of the districts taken into the live view")
GATEWAY_VALUES = _counter("gateway_values", "Readings taken in for screens")
GATEWAY_DELIVERIES = _counter("gateway_delivered_messages", "Messages handed to live sockets")
GATEWAY_COALESCED = _counter(
    "gateway_coalesced_values",
    "Rounds of values that a screen was too slow for and got together with later ones",
)
GATEWAY_DROPPED = _counter(
    "gateway_dropped_changes",
    "Changes that waited for a slow screen and were replaced by a snapshot of everything",
)
GATEWAY_RESETS = _counter("gateway_snapshots_owed", "How often a screen was that slow")
GATEWAY_SKIPPED = _counter(
    "gateway_skipped_messages", "Messages of telemetry left out for screens because the gateway was behind"
)
GATEWAY_LAG = _gauge(
    "gateway_lag_messages", "Outputs of the district that are not in the live view yet", "district"
)

SPECS: Mapping[str, Spec] = {spec.name: spec for spec in list(globals().values()) if isinstance(spec, Spec)}
"""All of them, by name."""

PROCESS_SERIES = (
    "yiwang_process_cpu_seconds_total",
    "yiwang_process_resident_memory_bytes",
    "yiwang_process_virtual_memory_bytes",
    "yiwang_process_start_time_seconds",
    "yiwang_process_open_fds",
    "yiwang_process_max_fds",
)
"""What prometheus_client itself reads of the process, where there is a ``/proc``."""

Value = float | Latency
Sample = tuple[Spec, tuple[str, ...], Value]
"""Metric, values of its labels, value."""
Source = Callable[[], Iterable[Sample]]


def series_names() -> frozenset[str]:
    """Every name that a ``/metrics`` of ours may hold; dashboards and rules are held against it."""
    return frozenset(name for spec in SPECS.values() for name in spec.written) | frozenset(PROCESS_SERIES)


class Metrics:
    """The metrics of one process.

    Args:
        role: ingest, district, city, persist or gateway.
        run: name of the run.
        worker: name of the worker, or empty.
        restarts: how often it came back without having ended in order.
    """

    def __init__(self, role: str, run: str, worker: str = "", *, restarts: int = 0) -> None:
        self._sources: dict[str, Source] = {}
        self._errors: dict[str, int] = {}
        self._registry = prometheus.CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        prometheus.ProcessCollector(namespace="yiwang", registry=self._registry)
        about = (role, worker, run, _version(), python_version())
        self.add("process", lambda: [(BUILD, about, 1), (RESTARTS, (), restarts)])

    def add(self, name: str, source: Source) -> None:
        """Read ``source`` at every scrape; one of the same name is replaced.

        A source that raises costs its own samples only, and is counted in SCRAPE_ERRORS.
        """
        self._sources[name] = source

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """The page.

        Args:
            accept: the reader's Accept header; OpenMetrics for those who ask for it.

        Returns:
            The body and its Content-Type.
        """
        encode, content_type = exposition.choose_encoder(accept)
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client asks for: all samples by metric."""
        found: dict[str, list[tuple[tuple[str, ...], Value]]] = {}
        for name, source in self._sources.items():
            try:
                samples = list(source())
            except Exception as error:  # noqa: BLE001  one part's mistake must not hide all the others
                if name not in self._errors:
                    _log.error("metrics_source_failed", source=name, reason=repr(error))
                self._errors[name] = self._errors.get(name, 0) + 1
                continue
            for spec, labels, value in samples:
                found.setdefault(spec.name, []).append((labels, value))
        found[SCRAPE_ERRORS.name] = [((name,), n) for name, n in self._errors.items()]
        for name, rows in found.items():
            yield _family(SPECS[name], rows)


def bounded(counts: Mapping[str, int], most: int = OFFENDERS) -> Iterator[tuple[str, int]]:
    """Names with their counts: the largest ``most`` of them, and what is left as OTHERS.

    Raising the number of names is how a label becomes a burden to whoever stores it.
    """
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    yield from ranked[:most]
    if len(ranked) > most:
        yield OTHERS, sum(n for _, n in ranked[most:])


def _family(spec: Spec, rows: Iterable[tuple[tuple[str, ...], Value]]) -> Metric:
    if spec.kind == "histogram":
        histogram = HistogramMetricFamily(spec.name, spec.help, labels=spec.labels)
        for labels, value in rows:
            assert isinstance(value, Latency)
            histogram.add_metric(labels, list(_summed(value)), value.sum_s)
        return histogram
    make = CounterMetricFamily if spec.kind == "counter" else GaugeMetricFamily
    family = make(spec.name, spec.help, labels=spec.labels)
    for labels, value in rows:
        assert not isinstance(value, Latency)
        family.add_metric(labels, value)
    return family


def _summed(latency: Latency) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), latency.counts, strict=True):
        total += count
        yield bound, total


def _version() -> str:
    try:
        return version("yiwang")
    except PackageNotFoundError:  # from a checkout that is not installed
        return "unknown"
