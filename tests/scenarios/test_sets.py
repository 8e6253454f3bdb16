"""Parameter sets: overrides with a name and a version."""

from pathlib import Path

import pytest

from scenarios import directly, sets
from scenarios.comparing import as_json, compare, raised
from tests.scenarios import small
from tests.scenarios.incidents import incident
from yiwang.domains import compile_rules
from yiwang.errors import BadInput

LATER = [{"entry": "depth.ladder", "params": {"rung_iv": 20}, "source": "a test"}]


def test_a_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Name, version and overrides survive the file, and the version is that of the content."""
    made = sets.made("later", LATER)
    (tmp_path / "set.yaml").write_text(sets.text(made, about=["found by hand"]), "utf-8")
    read = sets.load(tmp_path / "set.yaml")
    assert (read.name, read.version) == ("later", made.version)
    assert read.document["body"]["overrides"] == LATER


def test_a_set_wins_over_the_rules_and_gives_them_another_version() -> None:
    """The scenario under the set has the set's value and a rules version of its own."""
    scenario = small.flood()
    changed = sets.made("later", LATER).on(scenario)
    domains = compile_rules(changed.rules)
    entry = next(e for e in domains.detectors if e.id == "depth.ladder")
    device = scenario.registries[0].devices[0]
    assert domains.params(entry, device)["rung_iv"].value == 20
    assert changed.rules.version != scenario.rules.version
    assert sets.made("renamed", LATER).on(scenario).rules.version == changed.rules.version


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("name: x\n", "set.overrides"),
        ("overrides: []\n", "set.overrides"),
        ("version: 000000000000\noverrides: [{entry: depth.ladder, params: {hold_s: 60}}]\n", "set.version"),
        ("overrides: [\n", "domain.syntax"),
    ],
)
def test_a_wrong_set_is_refused_with_its_file(tmp_path: Path, text: str, code: str) -> None:
    """Whatever is wrong is named with the file."""
    path = tmp_path / "set.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(BadInput, match=r"set\.yaml") as caught:
        sets.load(path)
    assert caught.value.code == code


def test_a_set_for_an_entry_that_is_not_there_is_refused() -> None:
    """A misspelt entry is not silently without effect."""
    wrong = sets.made("wrong", [{"entry": "depth.lader", "params": {"hold_s": 60}}])
    with pytest.raises(BadInput, match=r"depth\.ladder"):
        wrong.on(small.flood())


def test_two_sets_differ_by_what_they_raise() -> None:
    """A higher first rung raises the flood later; the same set twice differs in nothing."""
    scenario = small.flood()
    now = raised(directly.play(scenario).incidents)
    later = raised(directly.play(sets.made("later", LATER).on(scenario)).incidents)
    changes = [c for c in compare(now, later) if c.a and c.a.kind == "road_flooding"]
    assert [c.what for c in changes] == ["later"]
    assert changes[0].seconds > 0
    assert compare(now, now) == []


def test_each_difference_is_named() -> None:
    """Only in one, only in the other, later, and at another level."""
    a = raised([incident("I-1", 0, 100, {0: 2}), incident("I-2", 5000, 5100, {5000: 3})])
    b = raised([incident("J-1", 30, 100, {30: 3}), incident("J-3", 9000, 9100, {9000: 3})])
    found = as_json(compare(a, b))
    assert [(x["what"], x["incident_a"], x["incident_b"]) for x in found] == [
        ("later", "I-1", "J-1"),
        ("level", "I-1", "J-1"),
        ("only_a", "I-2", None),
        ("only_b", None, "J-3"),
    ]
    assert found[0]["seconds"] == 30


def test_pairs_are_the_closest_ones() -> None:
    """Two incidents of a place close together are not crossed."""
    a = raised([incident("I-1", 0, 100, {0: 2}), incident("I-2", 400, 500, {400: 2})])
    b = raised([incident("J-1", 0, 100, {0: 2}), incident("J-2", 400, 500, {400: 2})])
    assert compare(a, b) == []
