"""Tuning: the search, the trade-off, hold-out, and what is written."""

from pathlib import Path

import pytest

from scenarios import files, searching, sets, tuning
from scenarios.figures import Tally
from scenarios.searching import Range, search
from tests.scenarios import small
from yiwang.errors import BadInput


def test_the_search_finds_a_bowl_and_keeps_its_budget() -> None:
    """Thirty trials come close to the least of a smooth cost in two parameters; none is tried twice."""
    box = [Range(name="a", lo=0, hi=10), Range(name="b", lo=-1, hi=1)]
    tried = list(
        search(box, {"a": 0.0, "b": -1.0}, 30, lambda p: (p["a"] - 7) ** 2 + 10 * (p["b"] - 0.2) ** 2)
    )
    assert len(tried) <= 30
    assert len({tuple(p.values()) for p, _ in tried}) == len(tried)
    assert tried[0][0] == {"a": 0.0, "b": -1.0}
    best, least = min(tried, key=lambda t: t[1])
    assert least < 0.5, best


def test_steps_and_whole_numbers_are_kept() -> None:
    """A parameter in steps takes only those values, a whole one only whole ones, and all lie in the range."""
    box = [Range(name="a", lo=0, hi=10, steps=3), Range(name="n", lo=1, hi=4, whole=True)]
    points = [p for p, _ in search(box, {"a": 5.0, "n": 2.0}, 40, lambda p: p["a"] + p["n"])]
    assert {p["a"] for p in points} <= {0.0, 5.0, 10.0}
    assert {p["n"] for p in points} <= {1.0, 2.0, 3.0, 4.0}
    assert len(points) == 12


def test_points_are_spread_over_the_box() -> None:
    """The first eight values of base two fall into eight different eighths."""
    assert len({int(searching.halton(k, 2) * 8) for k in range(1, 9)}) == 8


def test_what_another_point_beats_is_not_on_the_curve() -> None:
    """Fewer false incidents at the same recall and delay is better; less recall for fewer false ones is a trade."""
    found = [
        Tally(truths=4, found=4, raised=6, right=4, false=2, hours=24, delays_s=[10.0] * 4),
        Tally(truths=4, found=4, raised=5, right=4, false=1, hours=24, delays_s=[10.0] * 4),
        Tally(truths=4, found=3, raised=3, right=3, false=0, hours=24, delays_s=[10.0] * 3),
        Tally(truths=4, found=4, raised=5, right=4, false=1, hours=24, delays_s=[10.0] * 4),
    ]
    assert tuning.pareto(found) == (1, 2)


def test_costs() -> None:
    """By f1 the quicker of two equal ones is better; by cost a miss outweighs false incidents."""
    quick, slow = (Tally(truths=1, found=1, raised=1, right=1, delays_s=[s]) for s in (1.0, 60.0))
    assert tuning.cost(quick, "f1") < tuning.cost(slow, "f1") < 0.01
    missed, noisy = Tally(truths=1), Tally(truths=1, found=1, raised=6, right=1, false=5, delays_s=[0.0])
    assert tuning.cost(noisy, "cost") < tuning.cost(missed, "cost")


@pytest.mark.parametrize(
    ("param", "problem"),
    [
        ("hold=60:120", "hold_s"),
        ("hold_s=60", "LO:HI"),
        ("hold_s=120:60", "LO:HI"),
        ("hold_s=a:b", "LO:HI"),
        ("hold_s=-5:60", "0 to 86400"),
    ],
)
def test_a_wrong_range_is_refused(param: str, problem: str) -> None:
    """With what would be right."""
    entry = tuning.entry_of(small.flood(), "depth.ladder")
    with pytest.raises(BadInput, match=problem):
        tuning.ranges(entry, [param])


def test_without_ranges_plain_numbers_are_searched() -> None:
    """Numbers of a place (its closure depth) and absent ones are left alone."""
    names = {r.name for r in tuning.ranges(tuning.entry_of(small.flood(), "depth.ladder"), [])}
    assert "hold_s" in names
    assert "rung_ii" not in names


def test_an_entry_that_is_not_there_is_named() -> None:
    """With the likely one."""
    with pytest.raises(BadInput, match=r"depth\.ladder"):
        tuning.entry_of(small.flood(), "depth.lader")


def test_tuning_undoes_a_bad_value_and_says_so_on_what_it_has_not_seen(tmp_path: Path) -> None:
    """Three floods of 12 cm and rules that wait for 15: the search finds a rung that raises them, also those held out."""
    deaf = sets.made("deaf", [{"entry": "depth.ladder", "params": {"rung_iv": 14}}])
    sources = []
    for seed in (1, 2, 3):
        folder = tmp_path / f"flood{seed}"
        files.save(deaf.on(small.flood(peak_cm=12.0, seed=seed, name=f"flood{seed}")), folder)
        sources.append(str(folder))
    found, units = tuning.materials(sources, "depth.ladder", 3)
    box = tuning.ranges(tuning.entry_of(found[0].scenario, "depth.ladder"), ["rung_iv=3:15"])
    tuned = tuning.tune(found, units, "depth.ladder", box, folds=3, budget=5, metric="f1")
    before, chosen = tuned.trials[0], tuned.trials[tuned.chosen]
    assert (before.whole.found, chosen.whole.found) == (0, 3)
    assert len(tuned.folds) == 3
    assert tuned.held_out.found == 3
    assert tuned.chosen in tuned.pareto
    made = tuning.parameter_set(tuned)
    assert made.on(found[0].scenario).rules.version != found[0].scenario.rules.version


def test_a_single_scenario_is_held_out_in_time(tmp_path: Path) -> None:
    """Its truths are dealt into stretches, and each incident counts in the stretch of its truth."""
    import dataclasses

    from tests.scenarios.incidents import truth
    from yiwang.clock import SECOND

    one = small.flood()
    t = one.truth[0]
    later = truth("x", 0, 0, begin_ns=t.end_ns + 300 * SECOND, end_ns=t.end_ns + 400 * SECOND, within_s=60.0)
    scenario = dataclasses.replace(one, truth=(t, later))
    files.save(scenario, tmp_path / "one")
    found, units = tuning.materials([str(tmp_path / "one")], "depth.ladder", 2)
    assert units == ["small[0]", "small[1]"]
    counted = tuning.run(found[0], "depth.ladder", {"hold_s": 60.0})
    assert [(c.truths, c.found) for c in counted] == [(1, 1), (1, 0)]
    assert sum(c.hours for c in counted) == pytest.approx(2400 / 3600, abs=0.02)
