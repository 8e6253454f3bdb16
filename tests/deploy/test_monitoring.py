"""Prometheus, its alerts and the dashboard speak of metrics and processes that there are."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from yiwang.metrics import SPECS, series_names

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
PROMETHEUS: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "yiwang.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")


def expressions() -> Iterator[tuple[str, str]]:
    """Every query of the dashboard and of the alerts, with its place."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]


EXPRESSIONS = sorted(set(expressions()))


@pytest.mark.parametrize(("place", "expression"), EXPRESSIONS, ids=[p for p, _ in EXPRESSIONS])
def test_what_is_asked_for_is_shown(place: str, expression: str) -> None:
    """Each metric in a query is one of ours, each label one of its own or of its target; brackets are closed."""
    names = set(re.findall(r"\byiwang_\w+", expression))
    assert names <= series_names(), place
    assert names or "up{" in expression
    for opening, closing in ("()", "[]", "{}"):
        assert expression.count(opening) == expression.count(closing)
    labels = {label for spec in SPECS.values() for label in spec.labels} | {
        "role",
        "worker",
        "instance",
        "job",
        "le",
    }
    for inside in re.findall(r"\{(.*?)\}", expression):
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside)) <= labels, place
    for listed in re.findall(r"\b(?:by|on|without)\s*\(([^)]*)\)", expression):
        assert {label.strip() for label in listed.split(",")} <= labels, place


def test_a_counter_is_asked_for_its_rate() -> None:
    """The height of a counter says nothing; restarts alone are looked at as they stand."""
    counters = {name for spec in SPECS.values() if spec.kind == "counter" for name in spec.written}
    counters -= {"yiwang_process_restarts_total"}
    for place, expression in EXPRESSIONS:
        for name in counters:
            for found in re.finditer(rf"\b{name}\b", expression):
                assert re.search(r"(rate|increase)\($", expression[: found.start()]), f"{place}: {name}"


def test_the_dashboard_covers_every_metric() -> None:
    """What is measured is to be seen; told in the page of the process alone: what it is, and reading errors."""
    shown = " ".join(expression for _, expression in EXPRESSIONS)
    unseen = {
        name
        for name, spec in SPECS.items()
        if not any(re.search(rf"\b{written}\b", shown) for written in spec.written)
    }
    assert unseen == {
        "yiwang_process_build_info",
        "yiwang_ingest_registered_series",
        "yiwang_ingest_spool_limit_bytes",
        "yiwang_gateway_outputs",
        "yiwang_gateway_values",
        "yiwang_city_commands",
        "yiwang_district_event_time_seconds",
        "yiwang_persist_late_readings",
        "yiwang_persist_statements",
        "yiwang_persist_batches",
        "yiwang_persist_skipped_messages",
        "yiwang_persist_overtaken_outputs",
        "yiwang_persist_thinned_readings",
        "yiwang_persist_repeated_readings",
        "yiwang_persist_minute_rows",
        "yiwang_persist_unreadable_messages",
        "yiwang_snapshot_writes",
    }


def test_the_dashboard_is_whole() -> None:
    """Ids differ, panels do not overlap and stay inside, titles are in Chinese and English, units are known to Grafana."""
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
        chinese, _, english = panel["title"].partition(" · ")
        assert english
        assert re.search(r"[\u4e00-\u9fff]", chinese) or chinese == english, panel["title"]
    for panel in PANELS:
        assert re.search(r"[\u4e00-\u9fff]", panel["description"]), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in {"short", "s", "bytes", "percentunit"}
        assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)


@pytest.mark.parametrize("rule", ALERTS, ids=[rule["alert"] for rule in ALERTS])
def test_every_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    """A summary in both languages, a severity, and a heading in docs/operations.md of the same name."""
    assert rule["labels"]["severity"] in {"warning", "critical"}
    chinese, _, english = rule["annotations"]["summary"].partition(" · ")
    assert re.search(r"[\u4e00-\u9fff]", chinese)
    assert english
    assert f"`{rule['alert']}`" in OPERATIONS


@pytest.mark.parametrize("name", sorted(SPECS))
def test_every_metric_is_explained(name: str) -> None:
    """docs/operations.md names each of them as it is written."""
    written = SPECS[name].written if SPECS[name].kind != "histogram" else (name,)
    assert all(f"`{one}`" in OPERATIONS for one in written)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize(
    "check", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")]
)
def test_prometheus_itself_agrees(check: tuple[str, ...]) -> None:
    """Its own tool reads the configuration, and the alerts fire when they should and only then."""
    done = subprocess.run(
        ["promtool", *check], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_process_is_scraped_where_it_listens() -> None:
    """Targets of Prometheus are the ports that compose.yaml publishes on 127.0.0.1, one a process that serves."""
    targets = {t for g in PROMETHEUS["scrape_configs"][0]["static_configs"] for t in g["targets"]}
    published = {
        port.rpartition(":")[0]
        for name in ("ingest", "streams", "streams-city", "persist")
        for port in SERVICES[name]["ports"]
    }
    gateway = SERVICES["serve"]["environment"]
    assert targets == published | {f"{gateway['YIWANG_HOST']}:{gateway['YIWANG_PORT']}"}
    for name in ("streams", "streams-city", "persist"):
        inside = SERVICES[name]["ports"][0].rpartition(":")[2]
        assert SERVICES[name]["environment"]["YIWANG_METRICS_PORT"] == int(inside)


def test_what_is_mounted_is_there() -> None:
    """Every file and folder of ours that a container reads exists, and the rules are those that are read."""
    for name in ("prometheus", "grafana"):
        assert SERVICES[name]["profiles"] == ["monitoring"]
        for volume in SERVICES[name]["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith(".") or (DEPLOY / source).is_dir()
    assert all((DEPLOY / "prometheus" / file).is_file() for file in PROMETHEUS["rule_files"])
    source = yaml.safe_load(
        (DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yml").read_text("utf-8")
    )["datasources"][0]
    assert source["url"] == "http://127.0.0.1:9090"
    provider = yaml.safe_load(
        (DEPLOY / "grafana" / "provisioning" / "dashboards" / "yiwang.yml").read_text("utf-8")
    )["providers"][0]
    assert any(
        volume.split(":")[1] == provider["options"]["path"] for volume in SERVICES["grafana"]["volumes"]
    )
