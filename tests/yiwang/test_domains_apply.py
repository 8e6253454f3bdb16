"""``yiwang domains apply``: rules on their way into the districts of a real broker."""

import asyncio
import json
import os
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from yiwang import codec
from yiwang.broker import start_consumer
from yiwang.cli import cli
from yiwang.domains import load_rules
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.errors import BadInput
from yiwang.model import FeedMessage, RulesChange
from yiwang.topics import Topics

OVERRIDE = """
overrides:
  - entry: depth.ladder
    place: UP-003
    params: { rung_ii: 22 }
    source: survey
"""


@pytest.fixture
def run(pg_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a run that the database does not know yet; the working folder is an empty one."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("YIWANG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("YIWANG_DATABASE", pg_dsn)
    name = f"apply-{uuid.uuid4().hex[:10]}"
    monkeypatch.setenv("YIWANG_RUN", name)
    return name


def invoke(*args: str) -> Result:
    return CliRunner().invoke(cli, args)


async def first_of_feed(bootstrap: str, run: str, districts: int) -> dict[int, FeedMessage]:
    consumer = await start_consumer(bootstrap, Topics(run).feed, client_id="test")
    found = {}
    try:
        async with asyncio.timeout(30):
            while len(found) < districts:
                record = await consumer.getone()
                found.setdefault(record.partition, codec.decode_feed(record.value))
    finally:
        await consumer.stop()
    return found


def test_every_district_gets_the_city_s_rules(
    run: str, kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The packs with the city's overrides are the first message of each district's feed."""
    monkeypatch.setenv("YIWANG_KAFKA", kafka.bootstrap)
    (tmp_path / "city").mkdir()
    (tmp_path / "city" / "mine.yaml").write_text(OVERRIDE, "utf-8")
    assert invoke("migrate", "--districts", "2").exit_code == 0
    done = invoke("domains", "apply", "--domains", "city", "--json")
    assert done.exit_code == 0, done.output
    rules = load_rules(tmp_path / "city")
    assert json.loads(done.output) == {"run": run, "version": rules.version, "districts": 2}
    found = asyncio.run(first_of_feed(kafka.bootstrap, run, 2))
    assert found == {0: RulesChange(rules=rules), 1: RulesChange(rules=rules)}
    assert rules.overrides


def test_wrong_rules_reach_nobody(run: str, tmp_path: Path) -> None:
    """A fault is named with its line before anything is asked of database or broker."""
    (tmp_path / "city").mkdir()
    (tmp_path / "city" / "mine.yaml").write_text(OVERRIDE.replace("rung_ii", "rung_2"), "utf-8")
    error = invoke("domains", "apply", "--run", run, "--domains", "city").exception
    assert isinstance(error, BadInput)
    assert error.code == "domain.unknown"
    assert error.details["line"] == 5


def test_a_run_nobody_made_is_named(run: str) -> None:
    """An unknown run is an error that says which runs there are."""
    error = invoke("domains", "apply", "--run", f"{run}-x").exception
    assert isinstance(error, BadInput)
    assert error.code == "run.unknown"
