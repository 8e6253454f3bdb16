"""The project's metrics: names, the page, sources that fail."""

import re
import tracemalloc

import pytest
from prometheus_client.parser import text_string_to_metric_families

from yiwang import metrics
from yiwang.latency import BUCKETS_S, Latency
from yiwang.metrics import SPECS, Metrics, bounded, series_names


def samples(page: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What a scraper reads."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_names_follow_the_rule(spec: metrics.Spec) -> None:
    """``yiwang_<role>_<what>_<unit>``, a sentence of help, few labels, and never one that has no bound."""
    assert re.fullmatch(r"yiwang_[a-z]+(_[a-z]+)+", spec.name)
    assert not spec.name.endswith("_total")
    assert spec.help[0].isupper() or spec.help[0].isdigit()
    known = {
        "role",
        "worker",
        "run",
        "version",
        "python",
        "service",
        "queue",
        "district",
        "stage",
        "source",
        "what",
    }
    assert set(spec.labels) <= known | {"code", "kind", "log", "topic"}
    assert len(spec.labels) <= 2 or spec is metrics.BUILD
    if spec.kind == "histogram":
        assert spec.name.endswith("_seconds")


def test_the_page_says_what_the_process_is_and_uses() -> None:
    """Build and process figures are there without anybody adding them."""
    page, content_type = Metrics("district", "live", "a", restarts=3).text()
    found = {name: (dict(labels), value) for (name, labels), value in samples(page).items()}
    labels, one = found["yiwang_process_build_info"]
    assert one == 1
    assert (labels["role"], labels["run"], labels["worker"]) == ("district", "live", "a")
    assert found["yiwang_process_restarts_total"][1] == 3
    assert found["yiwang_process_resident_memory_bytes"][1] > 1e6
    assert found["yiwang_process_cpu_seconds_total"][1] > 0
    assert content_type.startswith("text/plain")
    assert {name for name, _ in samples(page)} <= series_names()


def test_sources_are_read_at_each_scrape() -> None:
    """A source tells how things are when it is asked; a histogram is written with sums of its buckets."""
    waiting = [1]
    latency = Latency()
    shown = Metrics("district", "live")
    shown.add("district", lambda: [(metrics.DISTRICT_LAG, ("3", "feed"), waiting[0])])
    shown.add("stages", lambda: [(metrics.STAGE, ("detect", "3"), latency)])
    assert samples(shown.text()[0])["yiwang_district_lag_messages", (("district", "3"), ("log", "feed"))] == 1
    waiting[0] = 7
    latency.observe(0.004, 10)
    latency.observe(0.04, 5)
    latency.observe(100.0)
    found = samples(shown.text()[0])
    assert found["yiwang_district_lag_messages", (("district", "3"), ("log", "feed"))] == 7

    def bucket(le: str) -> float:
        labels = (("district", "3"), ("le", le), ("stage", "detect"))
        return found["yiwang_stage_latency_seconds_bucket", labels]

    assert [bucket(le) for le in ("0.002", "0.005", "0.02", "0.05", "60.0", "+Inf")] == [
        0,
        10,
        10,
        15,
        15,
        16,
    ]
    labels = (("district", "3"), ("stage", "detect"))
    assert found["yiwang_stage_latency_seconds_count", labels] == 16
    assert found["yiwang_stage_latency_seconds_sum", labels] == pytest.approx(100.24)


def test_a_source_that_fails_costs_only_itself() -> None:
    """Its samples are missing and its failures are counted; the others stay."""
    shown = Metrics("district", "live")
    shown.add("broken", lambda: [(metrics.DISTRICT_LAG_S, ("1",), 1 / 0)])
    shown.add("well", lambda: [(metrics.CITY_LAG, ("1",), 5.0)])
    shown.text()
    found = samples(shown.text()[0])
    assert found["yiwang_city_lag_messages", (("district", "1"),)] == 5
    assert found["yiwang_process_scrape_errors_total", (("source", "broken"),)] == 2


def test_two_processes_share_nothing() -> None:
    """There is no registry of the module: what one object shows, another does not."""
    one, other = Metrics("district", "live"), Metrics("persist", "live")
    one.add("x", lambda: [(metrics.PERSIST_BATCHES, (), 1)])
    assert b"yiwang_persist_batches" in one.text()[0]
    assert b"yiwang_persist_batches" not in other.text()[0]


def test_openmetrics_for_those_who_ask() -> None:
    """Prometheus asks for OpenMetrics first, and gets it."""
    page, content_type = Metrics("district", "live").text("application/openmetrics-text;version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert page.endswith(b"# EOF\n")


def test_label_values_are_escaped() -> None:
    """The name of a source comes from outside and may be anything."""
    shown = Metrics("ingest", "live")
    evil = 'a"b\\c\nd'
    shown.add("x", lambda: [(metrics.INGEST_LIMITED, ("bodies", evil), 2)])
    assert (
        samples(shown.text()[0])["yiwang_ingest_limited_items_total", (("source", evil), ("what", "bodies"))]
        == 2
    )


def test_names_from_outside_are_bounded() -> None:
    """Of a million sources the hundred worst are named and the rest is one number; nothing is lost in the sum."""
    counts = {f"s{n}": n for n in range(1000)}
    told = dict(bounded(counts))
    assert len(told) == metrics.OFFENDERS + 1
    assert told["s999"] == 999
    assert sum(told.values()) == sum(counts.values())
    assert dict(bounded({"a": 1})) == {"a": 1}


def test_counting_a_frame_keeps_no_memory() -> None:
    """A hundred thousand observations leave no more behind than the first."""
    latency = Latency()
    latency.observe(0.1, 5000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for n in range(100_000):
        latency.observe(BUCKETS_S[n % len(BUCKETS_S)], 5000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 4096
    assert latency.n == 5000 * 100_001
