"""What packs say of how far incidents are believed, and of situations."""

from pathlib import Path

import pytest

from tests.yiwang.domain_files import NOISE, city
from yiwang.domains import compile_rules, load_rules
from yiwang.errors import BadInput
from yiwang.registry import Text

FIELDS = """
    confirm_at: 0.6
    near_m: 250
    neighbours: 0.3
    situation: uproar
    calibration: {slope: 0.8, shift: -0.1, source: P}
    nature: health
    doubt: 0.4
    doubts: {ladder.above: 0.9}
    device_wide: [ladder.below]
"""
SITUATION = """
situations:
  uproar:
    name: {zh: 噪声态势, en: Uproar}
    sites: 4
    window_s: 1200
    linger_s: 600
    warnings: [festival]
    warning_at: null
    many: {I: 20, II: 8}
    calls: 3
    calls_s: 300
    next_step: {zh: 统一处置, en: Lead it as one}
    source: P
"""
PACK = NOISE.replace("    skill: grid\n", "    skill: grid" + FIELDS, 1) + SITUATION


def test_a_kind_says_how_far_it_is_believed(tmp_path: Path) -> None:
    """All fields in force; left out, each has its default."""
    domains = compile_rules(load_rules(city(tmp_path, noise=PACK)))
    kind = domains.kinds["loud_site"]
    assert (kind.confirm_at, kind.near_m, kind.neighbours, kind.situation) == (0.6, 250, 0.3, "uproar")
    assert (kind.slope, kind.shift, kind.nature) == (0.8, -0.1, "health")
    assert (kind.doubt, kind.doubts, kind.device_wide) == (0.4, {"ladder.above": 0.9}, ("ladder.below",))
    plain = domains.kinds["gas_leak"]
    assert (plain.confirm_at, plain.nature, plain.doubt, plain.doubts) == (0.7, "incident", 0.5, {})


def test_a_situation_is_compiled_and_told_to_screens(tmp_path: Path) -> None:
    """Its own id is a warning's event too; null: no warning opens it."""
    domains = compile_rules(load_rules(city(tmp_path, noise=PACK)))
    s = domains.situations["uproar"]
    assert (s.name, s.sites, s.window_s, s.linger_s) == (Text("噪声态势", "Uproar"), 4, 1200, 600)
    assert (s.warnings, s.warning_at, s.many, s.calls, s.calls_s) == (
        ("uproar", "festival"),
        0,
        {1: 20, 2: 8},
        3,
        300,
    )
    assert domains.to_json()["situations"]["uproar"]["name"] == {"zh": "噪声态势", "en": "Uproar"}
    storm = domains.situations["storm"]
    assert storm.warning_at == 2
    assert domains.kinds["road_flooding"].situation == "storm"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("confirm_at: 0.6", "confirm_at: 60", "must be 0 to 1, not 60"),
        ("near_m: 250", "near_m: -1", "must be 0 to 100000, not -1"),
        ("situation: uproar", "situation: uproor", "'uproor' is no known situation; did you mean 'uproar'?"),
        ("slope: 0.8, ", "", "lacks the field 'slope'"),
        ("slope: 0.8", "slope: 0", "must be 0.01 to 100, not 0"),
        ("nature: health", "nature: sick", "'sick' is no known word"),
        ("{ladder.above: 0.9}", "{ladder.abov: 0.9}", "is no known reason; did you mean 'ladder.above'?"),
        ("{ladder.above: 0.9}", "{ladder.above: 9}", "must be 0 to 1, not 9"),
        ("[ladder.below]", "[ladder.belo]", "did you mean 'ladder.below'?"),
        ("sites: 4", "sites: 0", "must be a whole number of at least 1"),
        ("sites: 4", "size: 4", "'size'"),
        ("warning_at: null", "warning_at: red", "'red' is no known severity"),
        ("{I: 20, II: 8}", "{V: 20}", "is no known severity"),
        ("linger_s: 600\n    warnings", "warnings", "lacks the field 'linger_s'"),
    ],
)
def test_fault_in_them_is_named_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Each by itself in a pack that is right without it."""
    assert old in PACK
    with pytest.raises(BadInput) as caught:
        load_rules(city(tmp_path, noise=PACK.replace(old, new, 1)))
    error = caught.value
    if message.startswith("'size'"):
        assert "size" in str(error.details["field"]) + error.message
    else:
        assert message in error.message
    assert error.message.startswith(f"noise.yaml:{error.details['line']}: ")
