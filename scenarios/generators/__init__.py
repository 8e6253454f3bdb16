"""Generators of scenarios: functions ``(*, start_ns, seed, duration_s, **params) -> Scenario``, by name.

Equal arguments give equal scenarios, to the last bit.
"""

from collections.abc import Callable
from importlib import import_module

from scenarios.model import Scenario
from yiwang.domains.reader import did_you_mean
from yiwang.errors import BadInput

Generator = Callable[..., Scenario]

GENERATORS: dict[str, str] = {
    "night": "scenarios.night:night",
    "quiet": "scenarios.night:quiet",
    "sensor_fault_zoo": "scenarios.generators.health:sensor_fault_zoo",
    "faults_in_flood": "scenarios.generators.health:faults_in_flood",
    "gas_leaks": "scenarios.generators.safety:gas_leaks",
    "fire_panels": "scenarios.generators.panels:fire_panels",
    "crowd_surge": "scenarios.generators.crowd:crowd_surge",
    "video_classes": "scenarios.generators.cameras:video_classes",
    "lifts_and_covers": "scenarios.generators.things:lifts_and_covers",
    "safety_quiet": "scenarios.generators.things:safety_quiet",
    "environment": "scenarios.generators.environment:environment",
    "hazmat": "scenarios.generators.hazmat:hazmat",
    "sites": "scenarios.generators.sites:sites",
    "lifelines": "scenarios.generators.lifelines:lifelines",
    "quiet_week": "scenarios.generators.quiet_week:quiet_week",
    "mixed_storm_night": "scenarios.generators.storm_night:mixed_storm_night",
    "traffic_crash": "scenarios.generators.traffic:crash",
    "traffic_breakdown": "scenarios.generators.traffic:breakdown",
    "traffic_rush": "scenarios.generators.traffic:rush_hour",
    "traffic_works": "scenarios.generators.traffic:road_works",
    "traffic_outage": "scenarios.generators.traffic:outage",
    "key_vehicles": "scenarios.generators.vehicles:key_vehicles",
    "lone_stations": "scenarios.generators.lone_station:lone_stations",
    "sumo_corridor": "scenarios.generators.sumo:sumo_corridor",
    "cloudburst": "scenarios.generators.floods:cloudburst",
    "underpass": "scenarios.generators.floods:underpass",
    "burst_main": "scenarios.generators.floods:burst_main",
    "tide": "scenarios.generators.floods:tide",
    "wet_day": "scenarios.generators.floods:wet_day",
    "pump_failure": "scenarios.generators.pumping:pump_failure",
    "swmm_storm": "scenarios.generators.swmm:swmm_storm",
}
"""Name to module and function; a module is imported when its generator is asked for."""


def generator(name: str) -> Generator:
    """The generator of that name.

    Raises:
        BadInput: ``scenario.generator``.
    """
    if name not in GENERATORS:
        raise BadInput(
            "scenario.generator", f"there is no generator {name!r}{did_you_mean(name, GENERATORS)}", name=name
        )
    module, _, function = GENERATORS[name].partition(":")
    found: Generator = getattr(import_module(module), function)
    return found
