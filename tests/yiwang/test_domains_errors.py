"""What is wrong with a pack or an override is said with file, line, field and remedy."""

from pathlib import Path

import pytest

from tests.yiwang.domain_files import NOISE, city
from yiwang.domains import compile_rules, load_rules
from yiwang.errors import BadInput
from yiwang.registry import Rules


def fault(folder: Path, **texts: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        load_rules(city(folder, **texts))
    return caught.value


def line_of(text: str, part: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), 1) if part in line)


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        (
            "period_s: 60",
            "period: 60",
            "domain.field",
            "'period'... is no field here; did you mean 'period_s'?",
        ),
        ("unit: dB(A)", "unit:", "domain.value", "must be a text, not nothing"),
        ("unit: dB(A)", "unit: 5", "domain.value", "must be a text, not 5"),
        ("unit: dB(A)", "unit: {dB: 1}", "domain.value", "must be a text, not a map"),
        ("range: [0, 160]", "range: [160, 0]", "domain.value", "must be [least, greatest], least first"),
        ("range: [0, 160]", "range: 160", "domain.value", "must be a list, not 160"),
        ("range: [0, 160]", "range: [0, .inf]", "domain.value", "must be a number, not inf"),
        ("period_s: 60", "period_s: -1", "domain.value", "must be 0 to 86400, not -1"),
        ("period_s: 60", "period_s: true", "domain.value", "must be a number, not True"),
        ("period_s: 60", "period_s: 2026-01-01", "domain.value", "must be a number, not '2026-01-01'"),
        ("units: {B(A): 10}", "units: {B(A): 0}", "domain.value", "must not be 0"),
        (
            "units: {B(A): 10}",
            "units: [B(A)]",
            "domain.value",
            "must be a map of names to values, not a list",
        ),
        ("units: {B(A): 10}", "units: {B(A): {offset: 3}}", "domain.field", "lacks the field 'factor'"),
        ("metrics: [sound_level]", "metrics: [sound_lvl]", "domain.unknown", "did you mean 'sound_level'?"),
        ("metrics: [sound_level]", "metrics: []", "domain.field", "has no metric"),
        ("metrics: [sound_level]", "video: yes please", "domain.value", "must be true or false"),
        (
            "by: place",
            "by: street",
            "domain.unknown",
            "'street' is no known word; there is device, district, place, zone",
        ),
        ("case_at: III", "case_at: 3", "domain.value", "must be a text, not 3"),
        ("case_at: III", "case_at: V", "domain.unknown", "'V' is no known severity"),
        (
            "category: noise",
            "category: nois",
            "domain.unknown",
            "'nois' is no known category; did you mean 'noise'?",
        ),
        ("skill: grid", "", "domain.field", "lacks the field 'skill'"),
        ("zh: 到现场核实, ", "", "domain.field", "lacks the field 'zh'"),
        ("accept_s: 600", "accept_s: 0", "domain.value", "must be 1 to"),
        ("version: 1", "version: 1.5", "domain.value", "must be a whole number of at least 1, not 1.5"),
        ("metric: sound_level", "metric: sound", "domain.unknown", "did you mean 'sound_level'?"),
        ("kind: loud_site", "kind: loud", "domain.unknown", "'loud' is no known incident kind"),
        ("[sound_meter]", "[soundmeter]", "domain.unknown", "did you mean 'sound_meter'?"),
        ("hold_s: 120", "hold_s: [120]", "domain.value", "must be a number, not a list"),
        ("hold_s: 120", "hold_s: {default: 3}", "domain.field", "'default'... is no field here"),
        ("hold_s: 120", "hold_s: {place: x}", "domain.field", "lacks the field 'default'"),
        (
            "hold_s: 120",
            "hold_s: {place: x, default: 1, table: {1: a}}",
            "domain.value",
            "must be a number, not 'a'",
        ),
        (
            "domain: noise",
            "domain: flooding",
            "domain.duplicate",
            "'flooding' is already there, in flooding.yaml",
        ),
        (
            "sound_level:\n",
            "water_depth:\n",
            "domain.duplicate",
            "'water_depth' is already there, in flooding.yaml:8",
        ),
        ("detectors:", "detector:", "domain.field", "did you mean 'detectors'?"),
        ("hold_s: 120", "hold_s: 120\n      hold_s: 130", "domain.syntax", "'hold_s' stands here twice"),
        ("hold_s: 120", "hold_s: *x", "domain.syntax", "undefined alias"),
        ("hold_s: 120", "hold_s: &x [*x]", "domain.syntax", "an alias may not hold itself"),
        ("hold_s: 120", "hold_s: !!python/name:os", "domain.syntax", "could not determine a constructor"),
        ("hold_s: 120", "hold_s: 2026-13-45", "domain.syntax", "month must be in 1..12"),
        ("hold_s: 120", "? [a]\n      : 3", "domain.syntax", "a name must be a plain text or number"),
        ("hold_s: 120", "hold_s: {", "domain.syntax", "expected"),
        ("hold_s: 120", "hold_s: \t120", "domain.syntax", "cannot start any token"),
    ],
)
def test_fault_in_a_pack_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, code: str, message: str
) -> None:
    """Each fault by itself in a pack that is right without it (another test loads it)."""
    assert old in NOISE
    text = NOISE.replace(old, new, 1)
    error = fault(tmp_path, noise=text)
    assert error.code == code
    field, _, rest = message.partition("... ")
    assert (rest or message) in error.message
    if rest:
        assert field.strip("'") in str(error.details["field"])
    assert error.message.startswith(f"noise.yaml:{error.details['line']}: ")
    if new and code != "domain.syntax" and "\n" not in new:
        inside = line_of(text, new.strip())
        assert error.details["line"] in {inside, inside + 1} or "lacks" in message or "no metric" in message


@pytest.mark.parametrize(
    ("override", "code", "message"),
    [
        ("entry: depth.lader, params: {rung_i: 1}", "domain.unknown", "did you mean 'depth.ladder'?"),
        (
            "entry: depth.ladder, params: {rung_v: 1}",
            "domain.unknown",
            "is no parameter of depth.ladder; did you mean 'rung_i",
        ),
        ("kind: road_flodding, params: {rung_i: 1}", "domain.unknown", "did you mean 'road_flooding'?"),
        (
            "kind: fire, params: {rung_i: 1}",
            "domain.unknown",
            "is no parameter of fire.part, fire.button, fire.together, smoke.sightings, fire.sightings",
        ),
        (
            "kind: fire, entry: gas.ladder, params: {rung_i: 1}",
            "domain.unknown",
            "of any entry meant here; there is none",
        ),
        ("zone: z1, params: {rung_i: 1}", "domain.override", "say which with entry:"),
        ("place: p1, parms: {rung_i: 1}", "domain.field", "did you mean 'params'?"),
        ("entry: gas.ladder", "domain.field", "lacks the field 'params'"),
        ("entry: gas.ladder, zone: 5, params: {rung_i: 1}", "domain.value", "must be a text, not 5"),
        ("entry: gas.ladder, params: {rung_i: high}", "domain.value", "must be a number, not 'high'"),
        ("kind: fire, set: {linger: 5}", "domain.field", "did you mean 'linger_s'?"),
        ("kind: fier, set: {linger_s: 5}", "domain.unknown", "did you mean 'fire'?"),
        ("category: fire, set: {accept_s: -5}", "domain.value", "must be 1 to"),
        ("category: water, set: {accept_s: 5}", "domain.unknown", "is no known category"),
        ("zone: z1, set: {accept_s: 5}", "domain.field", "is no field here"),
    ],
)
def test_fault_in_an_override_is_named_with_its_line(
    tmp_path: Path, override: str, code: str, message: str
) -> None:
    """An override that means nothing is an error, not silence."""
    error = fault(tmp_path, ours=f"name: ours\noverrides:\n  - {{{override}}}\n")
    assert error.code == code
    assert message in error.message
    assert (error.details["file"], error.details["line"]) == ("ours.yaml", 3)


def test_an_override_of_one_entry_needs_no_name_where_it_is_clear(tmp_path: Path) -> None:
    """Closure rungs exist thrice, a window by light_kmh once."""
    load_rules(city(tmp_path, ours="overrides: [{zone: z1, params: {light_kmh: 40}}]"))


def test_every_fault_is_listed_and_one_does_not_make_others(tmp_path: Path) -> None:
    """A metric with a fault is still known to those who name it."""
    text = (
        NOISE.replace("period_s: 60", "period_s: x")
        .replace("by: place", "by: x")
        .replace("hold_s: 120", "hold_s: x")
    )
    error = fault(tmp_path, noise=text, ours="overrides: [{category: noise, set: {accept_s: x}}, 5]")
    assert error.message.endswith("(and 4 more)")
    listed = error.details["errors"]
    assert [m.split(": ")[1] for m in listed] == [
        "metrics.sound_level.period_s",
        "detectors.noise.ladder.params.hold_s",
        "kinds.loud_site.by",
        "overrides.0.set.accept_s",
        "overrides.1",
    ]


def test_settings_of_items_with_faults_are_left_alone(tmp_path: Path) -> None:
    """An override of a kind or category that is itself wrong adds no fault."""
    text = NOISE.replace("by: place", "by: x").replace("accept_s: 600", "accept_s: x")
    ours = "overrides: [{category: noise, set: {check_s: 5}}, {kind: loud_site, set: {skill: gas}}]"
    assert len(fault(tmp_path, noise=text, ours=ours).details["errors"]) == 2


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", "domain.syntax", "must be a map"),
        ("- a", "domain.syntax", "must be a map"),
        ("a: 1\n b: 2", "domain.syntax", "own.yaml:2: "),
        ("a: 1\n---\nb: 2", "domain.syntax", "own.yaml:2: "),
        ("name: x", "domain.file", "neither a pack"),
        ("overrides: 5", "domain.value", "must be a list"),
        ("domain: x\nname: {zh: x, en: x}\nmetrics: 5", "domain.value", "own.yaml:3: metrics: must be a map"),
        (
            "domain: x\nname: {zh: x, en: x}\nvideo:\n  boat: {kind: x, name: {zh: x, en: x}}",
            "domain.unknown",
            "own.yaml:4",
        ),
    ],
)
def test_file_that_is_no_pack_is_named(tmp_path: Path, text: str, code: str, message: str) -> None:
    """Also an empty one."""
    error = fault(tmp_path, own=text)
    assert error.code == code
    assert message in error.message


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """Bytes that are no UTF-8."""
    (tmp_path / "own.yaml").write_bytes(b"a: \xff\xfe\xff")
    with pytest.raises(BadInput, match=r"own.yaml:1: not YAML in UTF-8") as caught:
        load_rules(tmp_path)
    assert caught.value.code == "domain.syntax"


def test_folder_or_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the setting that names it."""
    with pytest.raises(BadInput, match="is no folder; set YIWANG_DOMAINS"):
        load_rules(tmp_path / "gone")
    with pytest.raises(BadInput, match="is no file"):
        load_rules(None, [tmp_path / "gone.yaml"])


def test_fault_in_an_override_given_by_a_program_has_no_line() -> None:
    """There is no file; the field is named all the same."""
    with pytest.raises(BadInput, match=r"given: overrides.0.params.rung_v: is no parameter"):
        load_rules(overrides=[{"entry": "gas.ladder", "params": {"rung_v": 3}}])


def test_rules_not_made_by_the_loader_are_refused() -> None:
    """A message in the feed may hold anything."""
    with pytest.raises(BadInput, match="rules without 'file'") as caught:
        compile_rules(Rules(version="x", packs=({"body": {}},)))
    assert caught.value.code == "domain.rules"
