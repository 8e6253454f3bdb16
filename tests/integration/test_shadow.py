"""``yiwang shadow`` beside a run that is really there: Kafka, workers, kept states."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from scenarios import sets
from scenarios.shadowing import Shadowing
from tests.real_run import carry
from tests.scenarios import small
from yiwang.cli import cli
from yiwang.embedded.kafka import EmbeddedKafka
from yiwang.topics import Topics

pytestmark = pytest.mark.slow

SAME = [{"entry": "depth.ladder", "params": {"hold_s": 600}}]
LATER = [{"entry": "depth.ladder", "params": {"rung_iv": 14, "rung_iii": 15}}]


def test_a_set_beside_a_real_run(
    kafka: EmbeddedKafka, pg_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same values differ in nothing, others as expected, and what only comes is followed from the kept state."""
    outcome = carry(small.flood(), "shadowed", bootstrap=kafka.bootstrap, dsn=pg_dsn, folder=tmp_path)
    monkeypatch.setenv("YIWANG_KAFKA", kafka.bootstrap)
    monkeypatch.setenv("YIWANG_DATABASE", pg_dsn)

    def shadow(overrides: list[dict[str, Any]], *options: str) -> Result:
        path = tmp_path / "set.yaml"
        path.write_text(sets.text(sets.made("tried", overrides)), "utf-8")
        return CliRunner().invoke(cli, ["shadow", str(path), "--run", "shadowed", *options])

    same = json.loads(shadow(SAME, "--since", "start", "--json").stdout)
    assert same["differences"] == []
    raised = [i for i in outcome.stored.incidents if i.confirmed_ns is not None]
    assert same["live_raised"] == same["shadow_raised"] == len(raised) > 0
    later = json.loads(shadow(LATER, "--since", "start", "--json").stdout)
    floods = [d for d in later["differences"] if d["kind"] == "road_flooding"]
    assert [d["what"] for d in floods] == ["later"]
    assert "tried later" in shadow(LATER, "--since", "start").output
    refused = shadow(LATER, "--since", "1h")
    assert getattr(refused.exception, "code", "") == "shadow.replay"

    async def follow() -> tuple[int, int]:
        chosen = sets.made("tried", LATER)
        async with await Shadowing.start(
            chosen, Topics("shadowed"), bootstrap=kafka.bootstrap, dsn=pg_dsn, since_ns=None
        ) as shadowing:
            return await shadowing.catch_up(), len(shadowing.districts[0].changes())

    assert asyncio.run(follow()) == (0, 0)


def test_a_run_that_is_not_there_is_named(
    kafka: EmbeddedKafka, pg_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With those there are."""
    monkeypatch.setenv("YIWANG_KAFKA", kafka.bootstrap)
    monkeypatch.setenv("YIWANG_DATABASE", pg_dsn)
    path = tmp_path / "set.yaml"
    path.write_text(sets.text(sets.made("tried", SAME)), "utf-8")
    result = CliRunner().invoke(cli, ["shadow", str(path), "--run", "nowhere"])
    assert getattr(result.exception, "code", "") == "run.unknown"
