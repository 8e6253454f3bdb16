"""``yiwang score`` and ``yiwang tune`` as people type them."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scenarios import files, sets
from tests.scenarios import small
from yiwang.cli import cli

LATER = [{"entry": "depth.ladder", "params": {"rung_iv": 14, "rung_iii": 15}}]


@pytest.fixture(scope="module")
def flood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("score") / "small"
    files.save(small.flood(), folder)
    return folder


def score(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["score", *map(str, arguments)])


def test_the_last_line_is_one_json_object(flood: Path) -> None:
    """With the number of scenarios and the figures of each domain, baselines beside them."""
    result = score(flood, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout.splitlines()[-1])
    assert summary["scenarios"] == 1
    flooding = summary["domains"]["flooding"]
    assert flooding["recall"] == 1.0
    assert list(flooding["baselines"])[:4] == ["never", "always", "threshold", "gaussian"]
    assert flooding["baselines"]["never"]["recall"] == 0.0
    assert summary["details"]["small"]["found"] == 1


def test_tables_have_the_baselines(flood: Path) -> None:
    """Ours first, the trivial ones below."""
    lines = score(flood).output.splitlines()
    ours = next(i for i, line in enumerate(lines) if "ours" in line)
    assert "never" in lines[ours + 1]


def test_findings_and_incidents_are_written_as_lines(flood: Path, tmp_path: Path) -> None:
    """Event times as ISO and nanoseconds, confidences, verdicts; of candidates too."""
    found, raised = tmp_path / "f.jsonl", tmp_path / "i.jsonl"
    assert score(flood, "--json", "--findings", found, "--incidents", raised).exit_code == 0
    finding = json.loads(found.read_text("utf-8").splitlines()[0])
    assert finding["time"].endswith("Z")
    assert isinstance(finding["time_ns"], int)
    assert 0 <= finding["confidence"] <= 1
    incidents = [json.loads(line) for line in raised.read_text("utf-8").splitlines()]
    flood_line = next(i for i in incidents if i["kind"] == "road_flooding")
    assert flood_line["verdict"] == "right"
    assert flood_line["confirmed_ns"] >= flood_line["opened_ns"]


def test_worse_than_before_is_exit_status_one(flood: Path, tmp_path: Path) -> None:
    """Against itself nothing is worse; under a deafer set the delay is, against the earlier figures and the floor."""
    before, floor, deaf = (tmp_path / n for n in ("before.json", "floor.json", "deaf.yaml"))
    first = score(flood, "--json", "--write-floor", floor, "--no-baselines")
    before.write_text(first.stdout, "utf-8")
    same = score(flood, "--against", before, "--floor", floor, "--json", "--no-baselines")
    assert same.exit_code == 0, same.output
    deaf.write_text(
        sets.text(
            sets.made(
                "deaf",
                [{"entry": "depth.ladder", "params": {"rung_iv": 500, "rung_iii": 500, "rung_ii": 500}}],
            )
        ),
        "utf-8",
    )
    worse = score(flood, "--against", before, "--set", deaf, "--json", "--no-baselines")
    assert worse.exit_code == 1
    assert "missed" in worse.stderr


def test_two_sets_are_compared(flood: Path, tmp_path: Path) -> None:
    """What the set raises otherwise than the packs alone."""
    later = tmp_path / "later.yaml"
    later.write_text(sets.text(sets.made("later", LATER)), "utf-8")
    result = score(flood, "--set", later, "--against-set", "none", "--json", "--no-baselines")
    found = [d for d in json.loads(result.stdout)["set"] if d["kind"] == "road_flooding"]
    assert [(d["scenario"], d["what"]) for d in found] == [("small", "later")]


def test_tables_go_between_the_marks_of_a_page(flood: Path, tmp_path: Path) -> None:
    """What stands around them stays; a page without marks is refused."""
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- score:begin -->\nold\n<!-- score:end -->\nbelow\n", "utf-8")
    assert score(flood, "--markdown", page, "--no-baselines").exit_code == 0
    text = page.read_text("utf-8")
    assert text.startswith("above\n")
    assert text.endswith("<!-- score:end -->\nbelow\n")
    assert "| flooding | ours |" in text
    assert "old" not in text
    page.write_text("nothing", "utf-8")
    assert getattr(score(flood, "--markdown", page).exception, "code", "") == "score.marks"


def test_reports_are_written(flood: Path, tmp_path: Path) -> None:
    """One page, or a folder with an index."""
    assert score(flood, "--html", tmp_path / "one.html", "--json").exit_code == 0
    assert score(flood, "--html", tmp_path / "all", "--json").exit_code == 0
    assert (tmp_path / "one.html").stat().st_size > 10_000
    assert {p.name for p in (tmp_path / "all").iterdir()} == {"small.html", "index.html"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nigth"], "scenario.unknown"),
        (["night", "quiet", "--html", "x.html"], "score.html"),
        (["night", "--against", "nowhere.json"], "score.file"),
        (["night", "--floor", "pyproject.toml"], "score.file"),
        (["night", "--set", "nowhere.yaml"], "set.file"),
        (["nigth@3"], "scenario.unknown"),
        (["night", "--html", "nowhere/x.html"], "score.html"),
        (["night", "--html", "pyproject.toml/reports"], "score.html"),
        (["night", "--findings", "nowhere/x.jsonl"], "score.file"),
        (["night", "--write-floor", "docs"], "score.file"),
    ],
)
def test_what_is_wrong_is_named(arguments: list[str], code: str) -> None:
    """Before anything is played."""
    assert getattr(score(*arguments).exception, "code", "") == code


def test_two_scenarios_of_one_name_are_refused(flood: Path, tmp_path: Path) -> None:
    """One's page and figures would stand under the other's name."""
    other = tmp_path / "other"
    shutil.copytree(flood, other)
    refused = score(flood, other, "--no-baselines").exception
    assert getattr(refused, "code", "") == "score.names"
    assert f"{flood} and {other} are both called 'small'" in str(refused)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["-o", "nowhere/set.yaml"], "tune.file"),
        (["--param", "hold_s=1:inf"], "tune.param"),
        (["--param", "hold_s=1:2:0"], "tune.param"),
    ],
)
def test_what_is_wrong_with_a_search_is_named(flood: Path, arguments: list[str], code: str) -> None:
    """Before anything is tried."""
    result = CliRunner().invoke(cli, ["tune", "depth.ladder", "--scenarios", str(flood), *arguments])
    assert getattr(result.exception, "code", "") == code


def test_nothing_named_says_what_there_is() -> None:
    """A usage error with the library."""
    result = score()
    assert result.exit_code == 2
    assert "night" in result.output


def test_tune_writes_a_set_that_scores(flood: Path, tmp_path: Path) -> None:
    """The file is a parameter set, and the JSON has the curve, the choice and the values in force before."""
    out = tmp_path / "set.yaml"
    result = CliRunner().invoke(
        cli,
        [
            "tune",
            "depth.ladder",
            "--scenarios",
            str(flood),
            "--param",
            "rung_iv=3:15",
            "--budget",
            "3",
            "--json",
            "-o",
            str(out),
        ],
    )
    assert result.exit_code == 0, result.output
    tuned = json.loads(result.stdout)
    assert tuned["before"]["params"] == {"rung_iv": 5.0}
    assert tuned["set"] == sets.load(out).version
    assert len(tuned["trials"]) == 3
    assert tuned["chosen"] in tuned["pareto"]
    assert score(flood, "--set", out, "--json", "--no-baselines").exit_code == 0
