"""Domain packs: what is in the box, what a city may change, where each value comes from."""

import math
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml

import detectors.registry
from detectors.rounds import NEVER, cut
from tests.yiwang.domain_files import NOISE, city
from yiwang.columns import Readings, Round
from yiwang.domains import Domains, compile_rules, load_rules
from yiwang.errors import BadInput
from yiwang.model import Severity
from yiwang.registry import Device, Place, Rules, Series, Text


def device(kind: str = "road_water_level", id_: str = "d1", **attributes: float) -> Device:
    return Device(
        id=id_, district=0, kind=kind, place="p1", name=Text("x"), lon=0, lat=0,
        series=(Series(number=0, metric="water_depth"),), attributes=attributes,
    )  # fmt: skip


def place(zone: str = "z1", **attributes: float) -> Place:
    return Place(
        id="p1", district=0, zone=zone, kind="underpass", name=Text("x"), lon=0, lat=0, attributes=attributes
    )


def values(domains: Domains, entry: str, sensor: Device, site: Place | None = None) -> dict[str, float]:
    found = next(e for e in domains.detectors if e.id == entry)
    return {name: r.value for name, r in domains.params(found, sensor, site).items()}


def test_flooding_has_the_ladder_of_the_domain_reference() -> None:
    """domain.md C3: attention 5, III 15, II the site's closure depth (27 by default), I 50 cm."""
    domains = compile_rules(load_rules())
    plain = values(domains, "depth.ladder", device(), place())
    assert [plain[f"rung_{x}"] for x in ("iv", "iii", "ii", "i")] == [5, 15, 27, 50]
    assert values(domains, "depth.ladder", device(), place(closure_depth_cm=30))["rung_ii"] == 30
    kind = domains.kinds["road_flooding"]
    assert (kind.by, kind.case_at, kind.skill, kind.support_skill) == (
        "place",
        Severity.II,
        "drainage",
        "drainage",
    )


def test_traffic_is_graded_by_road_class() -> None:
    """domain.md D1: 快速路, 主干路, 次干路与支路."""
    domains = compile_rules(load_rules())
    for road_class, bounds in {1: (50, 35, 20), 2: (30, 20, 15), 3: (25, 15, 10)}.items():
        got = values(domains, "speed.grade", device(), place(road_class=road_class))
        assert (got["light_kmh"], got["moderate_kmh"], got["heavy_kmh"]) == bounds
    assert domains.kinds["traffic_incident"].by == "place"
    assert domains.kinds["congestion"].by == "zone"
    assert values(domains, "crash.sightings", device())["level"] == Severity.II


def test_congestion_alone_opens_no_case() -> None:
    """It is a kind of its own that never opens one; a traffic incident does."""
    domains = compile_rules(load_rules())
    grade = next(e for e in domains.detectors if e.id == "speed.grade")
    assert domains.kinds[grade.kind].case_at is None
    assert domains.kinds["traffic_incident"].case_at == Severity.III


def test_gas_levels_are_those_of_the_standard() -> None:
    """domain.md E1: 25 and 50 %LEL."""
    got = values(compile_rules(load_rules()), "gas.ladder", device())
    assert (got["rung_ii"], got["rung_i"]) == (25, 50)
    assert math.isnan(got["rung_iii"])


def test_every_number_in_the_box_says_where_it_was_taken_from() -> None:
    """Every parameter, metric and time limit has a source, but those that are absent."""
    domains = compile_rules(load_rules())
    for entry in domains.detectors:
        for name, resolved in domains.params(entry, device(), place()).items():
            assert resolved.source or math.isnan(resolved.value), f"{entry.id}.{name}"
    assert all(m.source for m in domains.metrics.values() if not m.id.startswith("video_"))
    assert all(c.source for c in domains.categories.values())


def test_every_text_in_the_box_is_in_both_languages() -> None:
    """Zh has Chinese characters, en has none."""

    def walk(value: object) -> None:
        if isinstance(value, dict):
            if set(value) == {"zh", "en"}:
                assert any("\u4e00" <= c <= "\u9fff" for c in value["zh"] + "一" * ("{" in value["zh"]))
                assert not any("\u4e00" <= c <= "\u9fff" for c in value["en"])
            for item in value.values():
                walk(item)

    walk(compile_rules(load_rules()).to_json())


def test_units_convert_to_the_metrics_own() -> None:
    """Own = value * factor + offset; the own unit is among them."""
    metrics = compile_rules(load_rules()).metrics

    def own(metric: str, value: float, unit: str) -> float:
        factor, offset = metrics[metric].units[unit]
        return value * factor + offset

    assert own("water_depth", 12, "in") == pytest.approx(30.48)
    assert own("water_depth", 305, "mm") == pytest.approx(30.5)
    assert own("water_depth", 7, "cm") == 7
    assert own("link_speed", 10, "m/s") == 36
    assert own("link_speed", 60, "mph") == pytest.approx(96.56, abs=0.01)
    assert own("gas_lel", 1.25, "%VOL") == 25
    assert own("gas_lel", 12_500, "ppm") == pytest.approx(25)
    assert own("rain_intensity", 2, "mm/min") == 120


def test_a_camera_has_a_series_for_every_video_class() -> None:
    """The metric of a class is video_ and its name, between 0 and 1."""
    domains = compile_rules(load_rules())
    assert set(domains.device_kinds["camera"].metrics) == {v.metric for v in domains.video.values()}
    assert domains.video["traffic_crash"].metric == "video_traffic_crash"
    assert domains.video["traffic_crash"].kind == "traffic_incident"
    assert (domains.metrics["video_smoke"].lo, domains.metrics["video_smoke"].hi) == (0, 1)
    assert {e.source for e in domains.detectors if e.metric in domains.device_kinds["camera"].metrics} == {
        "video"
    }


def test_rules_survive_their_message_with_all_origins() -> None:
    """A RulesChange is JSON: what is compiled from it is what was compiled before."""
    rules = load_rules()
    again = msgspec.json.decode(msgspec.json.encode(rules), type=Rules)
    assert again == rules
    assert compile_rules(again) == compile_rules(rules)


def test_version_follows_content(tmp_path: Path) -> None:
    """Equal content, equal version; any change, another."""
    assert load_rules().version == load_rules().version
    versions = {
        load_rules().version,
        load_rules(tick_s=60).version,
        load_rules(lateness_s=30).version,
        load_rules(city(tmp_path, noise=NOISE)).version,
        load_rules(overrides=[{"entry": "gas.ladder", "params": {"rung_iii": 10}}]).version,
    }
    assert len(versions) == 5


def test_origin_is_the_line_where_the_value_stands() -> None:
    """For each value of the packs in the box the named line holds the parameter's name."""
    domains = compile_rules(load_rules())
    for entry in domains.detectors:
        for name, resolved in domains.params(entry, device(), place()).items():
            file, line = resolved.origin.split(":")
            text = files("yiwang.domains").joinpath(file).read_text(encoding="utf-8").splitlines()
            assert text[int(line) - 1].strip().startswith(f"{name}:")


# ---- a new domain without a line of Python ----


def test_a_new_domain_is_a_file_and_nothing_else(tmp_path: Path) -> None:
    """A pack in the city's folder: its sensor is judged by the ladder there is, limits by the site's class."""
    domains = compile_rules(load_rules(city(tmp_path, noise=NOISE)))
    detectors.registry.check(domains)
    entry = next(e for e in domains.detectors if e.id == "noise.ladder")
    assert entry.reads("sound_meter", "sound_level")
    assert not entry.reads("phone", "sound_level")
    params = domains.params(entry, device("sound_meter"), place(sound_class=1))
    assert params["rung_iii"].value == 55
    assert params["rung_iii"].origin == "noise.yaml:34 by place.sound_class=1"
    assert params["rung_iii"].source.startswith("GB 3096")
    ladder = detectors.registry.make(entry.use, {name: p.value for name, p in params.items()})
    state = ladder.start(1)
    batch = Readings.of([(0, m * 60_000_000_000, v, 0) for m, v in enumerate([40, 54.9, 55, 51, 51, 51, 51])])
    levels = []
    for i in cut(batch.series, batch.t_ns, np.array([NEVER]))[1]:
        r = Round(series=batch.series[i], t_ns=batch.t_ns[i], value=batch.value[i], quality=batch.quality[i])
        levels += [int(x) for x in ladder.step(state, r).level]
    assert levels == [3, 0]


def test_attributes_that_fit_nothing_leave_the_default(tmp_path: Path) -> None:
    """A class that is not in the table, no attribute, NaN, no place: the default, with the line of the pack."""
    domains = compile_rules(load_rules(city(tmp_path, noise=NOISE)))
    for site in (place(sound_class=9), place(), place(sound_class=math.nan), None):
        assert values(domains, "noise.ladder", device(), site)["rung_iii"] == 60
    assert values(domains, "noise.ladder", device(attention_db=45))["rung_iv"] == 45


# ---- overrides ----


def test_the_narrowest_override_wins_whatever_the_order(tmp_path: Path) -> None:
    """Device over place over zone over everywhere; at equal reach the later one."""
    text = """
overrides:
  - {entry: depth.ladder, device: d1, params: {rung_i: 44}}
  - {entry: depth.ladder, place: p1, params: {rung_i: 33, rung_iii: 13}}
  - {entry: depth.ladder, zone: z1, params: {rung_i: 22, rung_iii: 12, rung_iv: 2}}
  - {kind: road_flooding, params: {rung_i: 11, rung_iii: 11, rung_iv: 1, hysteresis: 4}, source: 区防办 2026-03}
  - {kind: road_flooding, params: {hysteresis: 3}, source: 区防办 2026-05}
"""
    domains = compile_rules(load_rules(city(tmp_path, ours=text)))
    got = values(domains, "depth.ladder", device(), place())
    assert (got["rung_i"], got["rung_iii"], got["rung_iv"], got["hysteresis"]) == (44, 13, 2, 3)
    elsewhere = values(domains, "depth.ladder", device(id_="d2"), place(zone="z2"))
    assert elsewhere["rung_i"] == 33  # the same place
    entry = next(e for e in domains.detectors if e.id == "depth.ladder")
    origins = {n: r.origin for n, r in domains.params(entry, device(), place()).items()}
    assert origins["rung_i"] == "override ours.yaml:3"
    assert origins["hysteresis"] == "override ours.yaml:7"
    assert domains.params(entry, device(), place())["hysteresis"].source == "区防办 2026-05"


def test_an_override_may_take_a_rung_away_or_tie_it_to_an_attribute() -> None:
    """Null is absent; the forms of a pack are those of an override."""
    given = [
        {"entry": "depth.ladder", "params": {"rung_iv": None, "rung_i": {"place": "lid_cm", "default": 70}}},
    ]
    domains = compile_rules(load_rules(overrides=given))
    got = values(domains, "depth.ladder", device(), place(lid_cm=65))
    assert math.isnan(got["rung_iv"])
    assert got["rung_i"] == 65


def test_overrides_given_by_a_program_come_last(tmp_path: Path) -> None:
    """After those of files, at equal reach."""
    folder = city(tmp_path, ours="overrides: [{entry: gas.ladder, params: {hold_s: 10}}]")
    given = [{"entry": "gas.ladder", "params": {"hold_s": 20}}]
    assert values(compile_rules(load_rules(folder, overrides=given)), "gas.ladder", device())["hold_s"] == 20


def test_a_kinds_override_touches_only_entries_that_have_the_parameter() -> None:
    """The ladder's rung is not given to the camera of the same kind."""
    given = [{"kind": "road_flooding", "params": {"rung_i": 40, "min_confidence": 0.9}}]
    domains = compile_rules(load_rules(overrides=given))
    assert values(domains, "depth.ladder", device())["rung_i"] == 40
    assert values(domains, "flood.sightings", device())["min_confidence"] == 0.9
    assert "rung_i" not in values(domains, "flood.sightings", device())
    assert "min_confidence" not in values(domains, "depth.ladder", device())


def test_a_city_sets_its_own_time_limits_and_kinds(tmp_path: Path) -> None:
    """domain.md 0, finding 1: limits are the city's, not constants."""
    text = """
name: 区的时限
overrides:
  - {category: road_water, set: {handle_s: 28800, arrive_s: 900}, source: 区办〔2026〕3号}
  - {category: gas_leak, set: {accept_s: 30}}
  - {kind: road_flooding, set: {linger_s: 600, case_at: III, skill: grid, support_skill: pump, category: river_water}}
  - {kind: heavy_rain, set: {case_at: null}}
"""
    domains = compile_rules(load_rules(city(tmp_path, ours=text)))
    water = domains.categories["road_water"]
    assert (water.accept_s, water.arrive_s, water.handle_s, water.source) == (
        120,
        900,
        28800,
        "区办〔2026〕3号",
    )
    assert domains.categories["gas_leak"].source == "override ours.yaml:5"
    kind = domains.kinds["road_flooding"]
    assert (kind.linger_s, kind.case_at, kind.skill, kind.support_skill) == (
        600,
        Severity.III,
        "grid",
        "pump",
    )
    assert kind.category == "river_water"
    assert domains.kinds["heavy_rain"].case_at is None


# ---- packages with packs ----


def test_an_installed_package_brings_packs_by_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry point names a package; its YAML files are packs."""
    city(tmp_path / "quiet_city", noise=NOISE)
    (tmp_path / "quiet_city" / "__init__.py").write_text("")
    info = tmp_path / "quiet_city-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: quiet-city\nVersion: 1.0\n")
    points = info / "entry_points.txt"
    points.write_text("[yiwang.domains]\nnoise = quiet_city\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "noise" in compile_rules(load_rules()).packs
    points.write_text("[yiwang.domains]\nnoise = loud_city\n")
    with pytest.raises(BadInput, match="names loud_city, which cannot be imported") as caught:
        load_rules()
    assert caught.value.code == "domain.plugin"


def test_every_yaml_in_the_box_is_plain_yaml() -> None:
    """Our reader and the usual one agree on what a pack says."""
    for parsed in load_rules().packs:
        text = files("yiwang.domains").joinpath(parsed["file"]).read_bytes()
        usual = yaml.safe_load(text)
        assert msgspec.json.decode(msgspec.json.encode(usual)) == parsed["body"]
