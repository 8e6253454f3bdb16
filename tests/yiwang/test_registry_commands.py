"""``yiwang migrate``, ``devices`` and ``check`` against real services."""

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
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.embedded.ports import free_port
from yiwang.model import RegistryChange
from yiwang.topics import Topics

DISTRICTS = "number,code,name\n0,110101,东区\n1,110102,西区\n"
PLACES = (
    "id,kind,district,zone,name,lon,lat\np1,underpass,0,z,一桥,120.1,30.2\np2,underpass,1,z,二桥,30.2,120.1\n"
)
DEVICES = "id,kind,district,place,name,lon,lat\nd1,underpass_water_level,0,p1,水位计,120.1,30.2\n"


@pytest.fixture
def run(pg_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a run in an empty database; the working folder is an empty one."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("YIWANG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("YIWANG_DATABASE", pg_dsn)
    monkeypatch.setenv("YIWANG_DATA", str(tmp_path))
    name = f"cli-{uuid.uuid4().hex[:10]}"
    monkeypatch.setenv("YIWANG_RUN", name)
    return name


def invoke(*args: str) -> Result:
    """The command line."""
    return CliRunner().invoke(cli, args)


def files(**texts: str) -> list[str]:
    """Files in the working folder."""
    for name, text in texts.items():
        Path(f"{name}.csv").write_text(text, "utf-8")
    return [f"{name}.csv" for name in texts]


def test_migrate_says_what_it_did_and_at_which_level(run: str) -> None:
    """First nothing but words, then the work, then nothing to do."""
    dry = invoke("migrate", "--dry-run")
    assert "would apply" in dry.output
    first = invoke("migrate", "--districts", "2")
    assert first.exit_code == 0, first.output
    assert f"run {run}" in first.output
    assert "level plain" in first.output
    assert "readings: kept for ever\nminute roll-ups: kept for ever\n" in first.output
    assert "compression: none at this level" in first.output
    again = json.loads(invoke("migrate", "--json", "--keep-days", "30").output)
    assert (again["applied"], again["level"], again["dropped"]) == ([], "plain", 0)


def test_devices_reach_database_and_feed(
    run: str, kafka: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Good rows are stored and told to their district; the bad one is reported; the exit status is 3."""
    monkeypatch.setenv("YIWANG_KAFKA", kafka.bootstrap)
    invoke("migrate", "--districts", "2")
    done = invoke("devices", "import", "--json", *files(districts=DISTRICTS, places=PLACES, devices=DEVICES))
    assert done.exit_code == 3, done.output
    answer = json.loads(done.output)
    assert answer["taken"] == {"districts": 2, "map_layers": 0, "places": 1, "devices": 1, "units": 0}
    assert [(p["file"], p["row"], p["field"]) for p in answer["rejected"]] == [("places.csv", 3, "lon")]

    listed = json.loads(invoke("devices", "list", "--json").output)
    assert [d["id"] for d in listed[0]["registry"]["devices"]] == ["d1"]

    (message,) = asyncio.run(_feed(kafka.bootstrap, run, 1))
    assert isinstance(message, RegistryChange)
    assert message.registry.version == 1
    assert [(d.id, d.series[0].number) for d in message.registry.devices] == [("d1", 0)]
    assert [p.id for p in message.registry.places] == ["p1"]

    again = invoke("devices", "import", *files(devices=DEVICES))
    assert again.exit_code == 0
    assert "new or changed: 0" in again.output


async def _feed(bootstrap: str, run: str, count: int) -> list[object]:
    consumer = await start_consumer(bootstrap, Topics(run).feed, client_id="test")
    try:
        async with asyncio.timeout(30):
            return [codec.decode_feed((await consumer.getone()).value) for _ in range(count)]
    finally:
        await consumer.stop()


def test_without_a_broker_nothing_is_registered(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Database and feed change together or not at all."""
    monkeypatch.setenv("YIWANG_KAFKA", f"127.0.0.1:{free_port()}")
    invoke("migrate", "--districts", "2")
    done = invoke("devices", "import", *files(districts=DISTRICTS, places=PLACES))
    assert getattr(done.exception, "code", "") == "kafka.unavailable"
    assert json.loads(invoke("devices", "list", "--json").output) == []


def test_check_names_what_is_wrong_and_the_remedy(
    run: str, kafka: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before migrate something fails; afterwards broker, database, clocks and level are fine."""
    monkeypatch.setenv("YIWANG_KAFKA", kafka.bootstrap)
    monkeypatch.setenv("YIWANG_PORT", str(free_port()))
    before = invoke("check")
    assert before.exit_code == 1
    assert f"-> yiwang migrate --run {run}" in before.output
    invoke("migrate")
    invoke("devices", "import", *files(districts=DISTRICTS.splitlines()[0] + "\n0,1,x\n", places=PLACES))
    found = {r["what"]: r for r in json.loads(invoke("check", "--json").output)}
    for what in ("broker", "topics", "clock, broker", "database", "clock, database", "migrations", "run"):
        assert found[what]["status"] == "OK", found[what]
    assert found["sql level"]["found"] == "plain"


def test_check_goes_on_when_services_are_away(
    run: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each missing service is one failed line with its address; the password is in none."""
    del run, caplog
    port = free_port()
    monkeypatch.setenv("YIWANG_KAFKA", f"127.0.0.1:{port}")
    monkeypatch.setenv("YIWANG_DATABASE", f"postgresql://me:hunter2@127.0.0.1:{port}/city")
    done = invoke("check", "--json")
    assert done.exit_code == 1
    failed = {r["what"]: r["found"] for r in json.loads(done.stdout) if r["status"] == "FAIL"}
    assert {"broker", "database"} <= set(failed)
    assert f"127.0.0.1:{port}" in failed["broker"]
    assert f"127.0.0.1:{port}/city" in failed["database"]
    assert "hunter2" not in done.output
