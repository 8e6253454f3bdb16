"""``yiwang domains list|show|check``."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.yiwang.domain_files import NOISE, city
from yiwang.commands.domains import command
from yiwang.errors import BadInput


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(command, [str(a) for a in args])


def ok(*args: str | Path) -> str:
    result = run(*args)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(autouse=True)
def plain_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the machine that runs the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("YIWANG_DOMAINS", raising=False)


def test_list_shows_packs_with_kinds_and_detectors(tmp_path: Path) -> None:
    """Built-in ones and the city's."""
    out = ok("list", "--domains", city(tmp_path / "c", noise=NOISE))
    for part in (
        "flooding  内涝 / Flooding",
        "detector  speed.grade",
        "incident  loud_site",
        "rules version",
    ):
        assert part in out
    shown = json.loads(ok("list", "--json"))
    assert {"common", "flooding", "traffic", "safety", "city_order"} <= set(shown["packs"])
    assert "road_flooding" in shown["kinds"]


def test_show_prints_each_value_with_origin_and_source(tmp_path: Path) -> None:
    """With attributes and ids as a place and a device would have them."""
    ours = "overrides: [{entry: depth.ladder, place: p9, params: {rung_i: 45}, source: 区防办}]"
    folder = city(tmp_path / "c", ours=ours)
    args = ("show", "flooding", "--domains", folder, "--attr", "place.closure_depth_cm=30", "--place", "p9")
    out = ok(*args)
    assert "rung_ii            30 cm            place.closure_depth_cm" in out
    assert "override ours.yaml:1" in out
    assert "rung_iv            absent" in out
    assert "water_depth  -5…1000 cm every 60 s" in out
    shown = json.loads(ok(*args, "--json"))
    params = shown["detectors"]["depth.ladder"]["params"]
    assert params["rung_i"] == {
        "value": 45,
        "unit": "cm",
        "origin": "override ours.yaml:1",
        "source": "区防办",
    }
    assert params["rung_ii"]["value"] == 30
    assert shown["detectors"]["river.ladder"]["params"]["rung_i"]["value"] is None
    assert shown["categories"]["road_water"]["handle_s"] == 14400
    assert shown["kinds"]["road_flooding"]["linger_s"] == 1800


def test_show_takes_attributes_of_the_device(tmp_path: Path) -> None:
    """device.NAME=N beside place.NAME=N."""
    out = ok(
        "show", "noise", "--domains", city(tmp_path / "c", noise=NOISE), "--attr", "device.attention_db=45"
    )
    assert "device.attention_db" in out


@pytest.mark.parametrize("attr", ["closure=3", "place.=3", "street.x=3", "place.x=deep", "place.x"])
def test_show_refuses_an_attribute_it_cannot_read(attr: str) -> None:
    """With the form that is right."""
    error = run("show", "flooding", "--attr", attr).exception
    assert isinstance(error, BadInput)
    assert error.code == "domain.attribute"


def test_show_of_an_unknown_domain_names_the_near_one() -> None:
    """A typo gets its remedy."""
    error = run("show", "floding").exception
    assert isinstance(error, BadInput)
    assert "did you mean 'flooding'?" in error.message


def test_check_says_right_or_every_fault_with_file_and_line(tmp_path: Path) -> None:
    """Exit 0 or 1; faults that only the detectors know are among them."""
    folder = city(
        tmp_path / "c",
        noise=NOISE,
        typo=NOISE.replace("use: ladder", "use: lader"),
        broken="a: [",
        wrong="overrides: [{entry: gas.ladder, params: {rung_i: x, rung_v: 3}}, {kind: fier, params: {rung_i: 3}}]",
    )
    assert ok("check", folder / "noise.yaml") == "1 file(s) right\n"
    assert json.loads(ok("check", folder / "noise.yaml", "--json")) == {"ok": True, "errors": []}
    typo = run("check", folder / "typo.yaml")
    assert typo.exit_code == 1
    assert (
        "typo.yaml:26: noise.ladder.use: there is no detector 'lader'; did you mean 'ladder'?" in typo.output
    )
    assert "lader" in "".join(json.loads(run("check", folder / "typo.yaml", "--json").output)["errors"])
    two = run("check", folder / "broken.yaml", folder / "gone.yaml", "--json")
    assert two.exit_code == 1
    assert json.loads(two.output)["errors"][0].startswith("broken.yaml:1: ")
    assert "gone.yaml is no file" in json.loads(two.output)["errors"][1]
    wrong = run("check", folder / "wrong.yaml")
    assert [line.split(": ")[1] for line in wrong.output.splitlines()] == [
        "overrides.0.params.rung_i",
        "overrides.1.kind",
    ]


def test_help_of_each_subcommand_says_what_it_is_for() -> None:
    """Worth reading: examples in the group's."""
    assert "yiwang domains show flooding --attr" in ok("--help")
    for sub in ("list", "show", "check"):
        assert len(ok(sub, "--help")) > 200
