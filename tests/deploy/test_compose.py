"""The compose file agrees with the program that it runs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from yiwang.cli import COMMANDS
from yiwang.settings import Settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "yiwang:local"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_process_is_a_command_with_known_settings(name: str) -> None:
    """A renamed command or setting shows here, not at a user's first start."""
    assert OURS[name]["command"][0] in COMMANDS
    known = {f"YIWANG_{field.upper()}" for field in Settings.model_fields}
    assert set(OURS[name]["environment"]) <= known


def test_all_processes_are_there() -> None:
    """Migration and rules once, then ingest, both kinds of agents, persist and the gateway."""
    commands = sorted(" ".join(service["command"]) for service in OURS.values())
    assert commands == [
        "domains apply",
        "ingest",
        "migrate",
        "serve",
        "streams city",
        "streams district",
        "streams persist",
    ]


def test_nothing_is_reachable_from_outside() -> None:
    """Every published port is on 127.0.0.1, and so is the gateway in the host's network."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)
    in_hosts_network = {name for name, service in SERVICES.items() if service.get("network_mode") == "host"}
    assert in_hosts_network == {"serve", "prometheus", "grafana"}
    assert OURS["serve"]["environment"]["YIWANG_HOST"] == "127.0.0.1"
    assert "--web.listen-address=127.0.0.1:9090" in SERVICES["prometheus"]["command"]
    assert SERVICES["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


def test_what_is_waited_for_has_a_health_check() -> None:
    """A dependency on health without a check would wait for ever."""
    for service in SERVICES.values():
        waits = service.get("depends_on", {})
        for dependency, how in waits.items() if isinstance(waits, dict) else ():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[dependency]


def test_images_are_pinned() -> None:
    """No image floats, and the broker is the version that the jars are pinned to."""
    jars = (DEPLOY.parent / "yiwang" / "embedded" / "kafka-jars.lock").read_text("utf-8")
    version = re.search(r"kafka_2\.13:(\S+) ", jars)
    assert version is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version[1]}"
    assert re.fullmatch(r"timescale/timescaledb:\d+\.\d+\.\d+-pg17", SERVICES["timescaledb"]["image"])
    for service in SERVICES.values():
        assert service["image"] == "yiwang:local" or re.search(r":v?\d+\.\d+\.\d+", service["image"])
