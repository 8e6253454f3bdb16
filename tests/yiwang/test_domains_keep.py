"""What packs and cities say about which readings are stored."""

from pathlib import Path

import pytest

from tests.yiwang.domain_files import NOISE, city
from yiwang.domains import Keep, compile_rules, load_rules
from yiwang.errors import BadInput

CHANGES = "period_s: 60\n    keep: changes\n    keep_delta: 1.5\n    keep_every_s: 300"


def test_everything_is_stored_unless_it_is_said() -> None:
    """No metric in the box thins its readings."""
    assert {metric.keep for metric in compile_rules(load_rules()).metrics.values()} == {Keep()}


def test_a_pack_says_what_is_stored_and_where_it_says_so(tmp_path: Path) -> None:
    """With file and line."""
    folder = city(tmp_path, noise=NOISE.replace("period_s: 60", CHANGES))
    keep = compile_rules(load_rules(folder)).metrics["sound_level"].keep
    assert (keep.what, keep.delta, keep.every_s) == ("changes", 1.5, 300)
    assert keep.origin.startswith("noise.yaml:")


def test_a_city_stores_what_it_wants(tmp_path: Path) -> None:
    """Its word replaces the pack's whole, the last one wins, and cameras' metrics can be meant too."""
    ours = """
overrides:
  - metric: sound_level
    set: {keep: raw}
  - metric: sound_level
    set: {keep: rollup}
  - metric: video_smoke
    set: {keep: changes, keep_delta: 0, keep_every_s: 60}
"""
    folder = city(tmp_path, noise=NOISE.replace("period_s: 60", CHANGES), ours=ours)
    metrics = compile_rules(load_rules(folder)).metrics
    assert metrics["sound_level"].keep == Keep(what="rollup", origin="override ours.yaml:5")
    assert metrics["video_smoke"].keep.every_s == 60


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("keep: change", "no known way to keep readings; did you mean 'changes'?"),
        ("keep: changes", "lacks the field 'keep_delta'"),
        ("keep: changes\n    keep_delta: 1", "lacks the field 'keep_every_s'"),
        ("keep: changes\n    keep_delta: -1\n    keep_every_s: 9", "must be at least 0, not -1"),
        ("keep: changes\n    keep_delta: 1\n    keep_every_s: 100000", "must be 1 to 86400, not 100000"),
        ("keep: rollup\n    keep_delta: 1", "keep_delta: has a meaning with keep: changes only"),
        ("keep_every_s: 1", "keep_every_s: has a meaning with keep: changes only"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, said: str, message: str) -> None:
    """With the field and what would be right."""
    folder = city(tmp_path, noise=NOISE.replace("period_s: 60", f"period_s: 60\n    {said}"))
    with pytest.raises(BadInput) as caught:
        load_rules(folder)
    assert message in caught.value.message


def test_an_override_needs_a_metric_that_is_there_and_a_word(tmp_path: Path) -> None:
    """A misspelt metric is told apart from the right one."""
    for said, message in (
        ("{metric: sound_lvl, set: {keep: raw}}", "did you mean 'sound_level'?"),
        ("{metric: sound_level, set: {}}", "lacks the field 'keep'"),
        ("{metric: sound_level, set: {keep: raw}, place: p}", "is no field here"),
    ):
        folder = city(tmp_path, noise=NOISE, ours=f"overrides:\n  - {said}\n")
        with pytest.raises(BadInput) as caught:
            load_rules(folder)
        assert message in caught.value.message
