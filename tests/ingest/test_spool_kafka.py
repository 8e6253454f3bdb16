"""The ingest process with a real broker that goes away and comes back, and signals in between."""

import asyncio
import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.ingest.test_service import JSON, Town, now
from tests.ingest.town import row
from yiwang.broker import ensure_topics
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.embedded.ports import free_port

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


class Patient(Town):
    """A town whose ingest spools quickly."""

    folder: Path
    more: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        return (
            super().environment
            | {
                "YIWANG_SPOOL": str(self.folder),
                "YIWANG_SPOOL_AFTER_S": "0.5",
                "YIWANG_DATA": str(self.folder / "data"),
            }
            | self.more
        )


@pytest.fixture
def broker(tmp_path: Path) -> Any:
    found = EmbeddedKafka(tmp_path / "kafka", port=free_port(), controller_port=free_port())
    found.start()
    yield found
    found.stop()


def town_of(broker: EmbeddedKafka, dsn: str, folder: Path, **more: str) -> Patient:
    town = Patient(broker.bootstrap, dsn, "spooled")
    town.folder, town.more = folder / "spool", more
    asyncio.run(ensure_topics(broker.bootstrap, town.topics, 2))
    return town


def post(line: dict[str, Any], *values: float, bad: bool = False) -> httpx.Response:
    """One body for both districts."""
    rows = [row(device=device, value=v, time=now()) for v in values for device in ("WL-1", "WL-9")]
    if bad:
        rows.append(row(unit="ell"))
    return httpx.post(
        f"http://{line['http']}/v1/readings", content=json.dumps(rows), headers=JSON, timeout=20
    )


def health(line: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"http://{line['http']}/healthz").json()
    return found


def wait_until_empty(line: dict[str, Any], child: "subprocess.Popen[str]") -> None:
    while health(line)["spool"]["messages"]:
        assert child.poll() is None


def test_what_is_accepted_while_kafka_is_away_arrives_once_and_in_order(
    broker: EmbeddedKafka, pg_dsn: str, tmp_path: Path
) -> None:
    """Answered 202 from the disk, dead letters included; told by health; sent when Kafka is back."""
    town = town_of(broker, pg_dsn, tmp_path)
    with town.process() as (child, line):
        assert post(line, 1.0).status_code == 202
        assert health(line)["kafka"] == "answers"
        broker.stop()
        for value in (2.0, 3.0, 4.0):
            answer = post(line, value, bad=value == 3.0)
            assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
        told = health(line)
        assert told["kafka"] == "away"
        assert told["spool"]["messages"] >= 7
        broker.start()
        assert post(line, 5.0).status_code == 202
        wait_until_empty(line, child)
        assert post(line, 6.0).status_code == 202
        assert health(line)["kafka"] == "answers"
    assert town.feed() == {d: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0] for d in (0, 1)}
    letters = town.cli("deadletters", "list", "--json").stdout.splitlines()
    assert [json.loads(x)["code"] for x in letters] == ["reading.unit_unknown"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_ends_while_kafka_is_away_leaves_what_it_accepted_to_the_next(
    broker: EmbeddedKafka, pg_dsn: str, tmp_path: Path, number: signal.Signals
) -> None:
    """Killed or asked to end: the next process sends it before anything new; nothing twice."""
    town = town_of(broker, pg_dsn, tmp_path)
    with town.process() as (child, line):
        assert post(line, 1.0).status_code == 202
        broker.stop()
        for value in (2.0, 3.0, 4.0):
            assert post(line, value).status_code == 202
        child.send_signal(number)
        child.wait(60)
    broker.start()
    with town.process() as (child, line):
        assert post(line, 5.0).status_code == 202
        wait_until_empty(line, child)
        assert post(line, 6.0).status_code == 202
    assert town.feed() == {d: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0] for d in (0, 1)}


def test_a_process_that_starts_while_kafka_is_away_takes_what_comes(
    broker: EmbeddedKafka, pg_dsn: str, tmp_path: Path
) -> None:
    """Ready, and says that Kafka is away; what was left and what is new go out in order when it comes, each once."""
    town = town_of(broker, pg_dsn, tmp_path)
    with town.process() as (child, line):
        assert post(line, 1.0).status_code == 202
        broker.stop()
        assert post(line, 2.0).status_code == 202
        child.kill()
        child.wait(60)
    with town.process() as (child, line):
        assert line["kafka"] == "away"
        told = health(line)
        assert (told["kafka"], told["spool"]["messages"]) == ("away", 2)
        assert post(line, 3.0).status_code == 202
        assert health(line)["spool"]["messages"] == 4
        assert 'service_away{service="kafka"} 1.0' in httpx.get(f"http://{line['http']}/metrics").text
        broker.start()
        wait_until_empty(line, child)
        assert post(line, 4.0).status_code == 202
        assert health(line)["kafka"] == "answers"
    assert town.feed() == {d: [1.0, 2.0, 3.0, 4.0] for d in (0, 1)}


def test_the_topics_of_a_run_are_made_when_kafka_comes(
    broker: EmbeddedKafka, pg_dsn: str, tmp_path: Path
) -> None:
    """The very first start, without Kafka: nothing is there yet but the registry. Asked to end, it ends in order."""
    broker.stop()
    town = Patient(broker.bootstrap, pg_dsn, "first")
    town.folder, town.more = tmp_path / "spool", {}
    with town.process() as (child, line):
        assert health(line)["kafka"] == "away"
        assert post(line, 1.0).status_code == 202
        child.terminate()
        assert child.wait(30) == 0
    with town.process() as (child, line):
        assert post(line, 2.0).status_code == 202
        broker.start()
        wait_until_empty(line, child)
        assert post(line, 3.0).status_code == 202
    assert town.feed() == {d: [1.0, 2.0, 3.0] for d in (0, 1)}


def test_without_a_spool_senders_are_told_to_wait(broker: EmbeddedKafka, pg_dsn: str, tmp_path: Path) -> None:
    """503 with Retry-After; nothing is written to disk."""
    town = town_of(broker, pg_dsn, tmp_path, YIWANG_SPOOL_MB="0")
    with town.process() as (_, line):
        assert health(line)["spool"] is None
        broker.stop()
        answer = post(line, 1.0)
        assert (answer.status_code, answer.json()["code"]) == (503, "kafka.unavailable")
        assert int(answer.headers["retry-after"]) > 0
    assert not (tmp_path / "spool" / "spooled").exists()
