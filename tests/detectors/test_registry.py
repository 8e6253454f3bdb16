"""The registry: which detectors there are, and whether packs use them rightly."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import detectors.registry as registry
from detectors.ladder import Ladder
from yiwang.domains import compile_rules, load_rules
from yiwang.errors import BadInput

OWN = """
domain: own
name: {zh: 自有, en: Own}
metrics:
  tilt: {name: {zh: 倾角, en: Tilt}, unit: deg, range: [0, 90], period_s: 60, source: P}
kinds:
  moved_cover:
    {name: {zh: 井盖位移, en: Moved cover}, by: place, linger_s: 60, case_at: II, category: cover, skill: grid,
     next_step: {zh: 查看, en: Look}}
categories:
  cover: {name: {zh: 井盖, en: Cover}, accept_s: 60, arrive_s: 60, handle_s: 60, check_s: 60, source: P}
detectors:
  cover.tilt:
    use: USE
    version: 1
    metric: tilt
    kind: moved_cover
    params: PARAMS
"""


@pytest.fixture(autouse=True)
def fresh_registry() -> Iterator[None]:
    """Each test reads the entry points anew."""
    registry.all_detectors.cache_clear()
    yield
    registry.all_detectors.cache_clear()


def pack(folder: Path, use: str = "ladder", params: str = "{rung_ii: 15, hysteresis: 1, hold_s: 60}") -> None:
    (folder / "own.yaml").write_text(OWN.replace("USE", use).replace("PARAMS", params), encoding="utf-8")


def plugin(folder: Path, monkeypatch: pytest.MonkeyPatch, target: str, code: str) -> None:
    """Install a package with one entry point, as pip would leave it."""
    (folder / "city_plugin.py").write_text(code, encoding="utf-8")
    info = folder / "city_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: city-plugin\nVersion: 1.0\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(f"[yiwang.detectors]\nmine = {target}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(__import__("sys").modules, "city_plugin", raising=False)


def test_built_in_detectors_are_found_by_name() -> None:
    """Names are what packs write behind use:."""
    assert list(registry.all_detectors()) == [kind.name for kind in registry.DETECTORS]
    assert registry.get("ladder") is Ladder


def test_unknown_detector_is_named_with_what_is_near() -> None:
    """A typo gets its remedy."""
    with pytest.raises(BadInput, match="no detector 'lader'; did you mean 'ladder'") as caught:
        registry.get("lader")
    assert caught.value.code == "detector.unknown"


def test_make_refuses_unknown_and_missing_parameters() -> None:
    """And makes a detector of right ones."""
    made = registry.make("ladder", {"rung_i": 1.0, "hysteresis": 0.0, "hold_s": 0.0})
    assert made.reasons == ("ladder.above", "ladder.below")
    with pytest.raises(BadInput, match="no parameter 'rung_l'; did you mean 'rung_i'"):
        registry.make("ladder", {"rung_l": 1.0})
    with pytest.raises(BadInput, match="ladder needs the parameter 'hold_s'"):
        registry.make("ladder", {"hysteresis": 1.0})


def test_packs_in_the_box_use_their_detectors_rightly() -> None:
    """Every entry, every parameter, every sentence."""
    registry.check(compile_rules(load_rules()))


@pytest.mark.parametrize(
    ("use", "params", "code", "message"),
    [
        (
            "lader",
            "{}",
            "domain.unknown",
            r"own.yaml:13: cover.tilt.use: there is no detector 'lader'; did you",
        ),
        (
            "ladder",
            "{hysteresis: 1}",
            "domain.field",
            r"own.yaml:13: cover.tilt.params: ladder needs 'hold_s'",
        ),
        (
            "ladder",
            "{hysteresis: 1, hold_s: 1, rung_v: 3}",
            "domain.field",
            "no parameter 'rung_v'; did you mean 'rung_",
        ),
        (
            "ladder",
            "{hysteresis: -1, hold_s: 1}",
            "domain.value",
            r"own.yaml:18.*must be 0 to 1e\+09 metric, not -1",
        ),
        ("ladder", "{hysteresis: null, hold_s: 1}", "domain.value", "may not be absent"),
        (
            "sightings",
            "{min_confidence: 0.5, confirm_count: 1.5, window_s: 1, quiet_s: 1, level: 2}",
            "domain.value",
            "must be a whole number, not 1.5",
        ),
        (
            "ladder",
            "{hysteresis: 1, hold_s: {place: x, default: 1, table: {1: 99999999}}}",
            "domain.value",
            "must be 0 to 86400 s, not 1e",
        ),
    ],
)
def test_wrong_use_of_a_detector_is_named_with_file_and_line(
    tmp_path: Path, use: str, params: str, code: str, message: str
) -> None:
    """What packs alone cannot know is checked where detectors are known."""
    pack(tmp_path, use, params)
    domains = compile_rules(load_rules(tmp_path))
    with pytest.raises(BadInput, match=message) as caught:
        registry.check(domains)
    assert caught.value.code == code
    assert caught.value.details["file"] == "own.yaml"
    assert caught.value.details["line"] in {13, 18}


def test_all_faults_are_listed_also_those_of_overrides(tmp_path: Path) -> None:
    """The message has the first and counts the others."""
    pack(tmp_path, params="{hysteresis: 1}")
    given = [{"entry": "cover.tilt", "params": {"hysteresis": -5}}]
    with pytest.raises(BadInput, match=r"and 1 more") as caught:
        registry.check(compile_rules(load_rules(tmp_path, overrides=given)))
    assert "override given: cover.tilt.params.hysteresis: must be" in caught.value.details["errors"][1]


def test_reason_without_sentence_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector's reasons need a text before an operator meets them."""
    code = (
        "from detectors.ladder import Ladder\n"
        "class Mine(Ladder):\n    name = 'mine'\n    reasons = ('mine.up', 'ladder.below')\n"
    )
    plugin(tmp_path, monkeypatch, "city_plugin:Mine", code)
    city = tmp_path / "city"
    city.mkdir()
    pack(city, use="mine")
    with pytest.raises(BadInput, match=r"reasons.mine.up: mine needs its sentence"):
        registry.check(compile_rules(load_rules(city)))


@pytest.mark.parametrize(
    ("target", "code", "error", "message"),
    [
        ("city_plugin:Gone", "", "detector.plugin", "Gone"),
        ("city_plugin:Half", "class Half:\n    name = 'half'\n", "detector.plugin", "lacks part of Detector"),
        ("city_plugin:THING", "THING = 5\n", "detector.plugin", "5 is no detector class"),
        (
            "city_plugin:Twin",
            "from detectors.ladder import Ladder\nclass Twin(Ladder):\n    pass\n",
            "detector.duplicate",
            "are both called 'ladder'",
        ),
    ],
)
def test_plugin_that_is_no_detector_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, code: str, error: str, message: str
) -> None:
    """Import errors are loud."""
    plugin(tmp_path, monkeypatch, target, code)
    with pytest.raises(BadInput, match=message) as caught:
        registry.all_detectors()
    assert caught.value.code == error
