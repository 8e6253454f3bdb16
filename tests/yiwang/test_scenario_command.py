"""``yiwang scenario`` as people type it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scenarios import files
from yiwang.cli import main


def yiwang(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    with pytest.raises(SystemExit) as ended:
        main(["scenario", *arguments])
    out, err = capfd.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.fixture
def folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    status, out, _ = yiwang(capfd, "new", "mine", str(tmp_path / "mine"))
    assert status == 0
    assert "yiwang scenario check" in out
    return tmp_path / "mine"


def test_a_new_scenario_passes_and_is_refused_twice(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The template is right; nothing is written over."""
    assert yiwang(capfd, "check", str(folder))[:2] == (
        0,
        f"{folder}: 3 devices, 180 readings, 1 events, 1 truths in 1.5 h\n",
    )
    status, _, err = yiwang(capfd, "new", "mine", str(folder))
    assert (status, "scenario.exists" in err) == (2, True)
    status, _, err = yiwang(capfd, "new", "a name", str(folder.parent / "other"))
    assert (status, "scenario.name" in err) == (2, True)


def test_check_lists_everything_and_ends_with_2(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """On standard error a line for each mistake, with its code; or all as JSON."""
    for file, old, new in (("devices.csv", "camera", "kamera"), ("readings.csv", ",WL-2,", ",WL-3,")):
        text = (folder / file).read_text(encoding="utf-8").replace(old, new)
        (folder / file).write_text(text, encoding="utf-8")
    status, out, err = yiwang(capfd, "check", str(folder), "quiet")
    assert status == 2
    assert f"{folder}/devices.csv:4: kind: no pack has device kind 'kamera'" in err
    assert f"{folder}/readings.csv:3: device: there is no device 'WL-3'" in err
    assert "(90 rows) [scenario.device]" in err
    assert "quiet: 152 devices" in out
    status, out, _ = yiwang(capfd, "check", str(folder), "--json")
    (told,) = json.loads(out)
    assert (status, told["path"]) == (2, str(folder))
    assert {p["code"] for p in told["problems"]} == {
        "scenario.device_kind",
        "scenario.device",
        "scenario.event",
    }
    status, _, err = yiwang(capfd, "check", "nigth")
    assert (status, "did you mean 'night'" in err) == (2, True)


def test_generate_writes_what_the_generator_makes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With its seed on record, so that anybody can make it again."""
    out = tmp_path / "made"
    status, told, _ = yiwang(capfd, "generate", "quiet", "--seed", "7", "--duration", "10m", "-o", str(out))
    assert (status, "152 devices" in told) == (0, True)
    spec = files.about(str(out))
    assert spec.made_by is not None
    assert (spec.made_by.generator, spec.made_by.seed, spec.made_by.duration_s) == ("quiet", 7, 600.0)
    assert files.load(str(out)).reading_count > 5_000
    for arguments, code in (
        (("generate", "quiett", "--duration", "1h"), "scenario.generator"),
        (("generate", "quiet", "--duration", "1h", "--param", "rain=3"), "scenario.param"),
        (("generate", "quiet", "--duration", "soon"), "90m"),
        (("generate", "quiet", "--duration", "1h", "--param", "rain"), "NAME=VALUE"),
    ):
        status, _, err = yiwang(capfd, *arguments, "-o", str(tmp_path / "none"))
        assert (status, code in err) == (2, True), err


def test_three_tables_in_one_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Other people's columns, units and zone; what comes out passes the check."""
    (tmp_path / "d.csv").write_text("sensor,type,closure_depth_cm\nA,road_water_level,25\n")
    rows = "".join(f"2026-06-01 20:{m:02d}:00,A,depth,{m * 10}\n" for m in range(30))
    (tmp_path / "r.csv").write_text(
        "ts,sensor,parameter,reading\n" + rows + "2026-06-01 20:30:00,B,depth,0\n"
    )
    (tmp_path / "t.csv").write_text(
        "event,sensor,start,stop,level\nroad_flooding,A,2026-06-01 20:05:00,2026-06-01 20:29:00,2\n"
    )
    out = tmp_path / "out"
    given = ["import", "--devices", str(tmp_path / "d.csv"), "--readings", str(tmp_path / "r.csv")]
    given += ["--truth", str(tmp_path / "t.csv"), "--tz", "+08:00", "--map", "depth=water_depth"]
    given += ["--unit", "water_depth=mm", "-o", str(out)]
    status, _, err = yiwang(capfd, *given)
    assert (status, "1 of 31 rows" in err, "no device 'B'" in err) == (2, True, True)
    assert not out.exists()
    status, told, _ = yiwang(capfd, *given, "--most-bad", "0.05", "--json")
    answer = json.loads(told)
    assert (status, answer["readings"], answer["unusable"], answer["truths"]) == (0, 30, 1, 1)
    assert [(b["code"], b["row"]) for b in answer["bad"]] == [("scenario.device", 32)]
    scenario = files.load(str(out))
    assert scenario.readings[0].value.max() == 29.0
    assert yiwang(capfd, "check", str(out))[0] == 0
    status, _, err = yiwang(capfd, *given)
    assert (status, "scenario.exists" in err) == (2, True)


def test_a_name_that_would_lead_out_of_a_folder_is_refused(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Reports and parameter sets are files called by it: neither --name nor scenario.yaml may hold a slash."""
    out = folder.parent / "out"
    status, _, err = yiwang(capfd, "generate", "quiet", "--duration", "60", "--name", "../x", "-o", str(out))
    assert (status, out.exists()) == (2, False)
    assert "no / and no" in err
    spec = folder / "scenario.yaml"
    spec.write_text(spec.read_text("utf-8").replace("scenario: mine", "scenario: ../mine"), "utf-8")
    status, _, err = yiwang(capfd, "check", str(folder))
    assert status == 2
    assert "scenario: '../mine' is no name" in err


def test_list_names_the_library_and_the_generators(capfd: pytest.CaptureFixture[str]) -> None:
    """For people and for programs."""
    status, out, _ = yiwang(capfd, "list")
    assert status == 0
    assert "暴雨之夜" in out
    status, out, _ = yiwang(capfd, "list", "--json")
    listed = json.loads(out)
    assert {"night", "quiet"} <= {s["name"] for s in listed["scenarios"]}
    assert {"night", "quiet"} <= set(listed["generators"])


def test_help_of_every_subcommand() -> None:
    """Nothing heavy is imported to be helped."""
    from yiwang.commands.scenario import command

    runner = CliRunner()
    results: list[Result] = [runner.invoke(command, [name, "--help"]) for name in command.commands]
    assert [r.exit_code for r in results] == [0] * 6
