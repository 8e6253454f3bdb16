"""What the fake city goes through: a cloudburst over an underpass, a crash on the ring road, a gas alarm."""

import math

from tests.web.fake_city import FakeCity
from tests.web.fake_gateway import FakeGateway

LEVELS = ((50.0, 1), (27.0, 2), (15.0, 3), (5.0, 4))


def calm(gateway: FakeGateway) -> None:
    """A quarter of an hour of ordinary readings of the sensors that the night is about."""

    def work(fake: FakeCity) -> None:
        for minute in range(20, 0, -1):
            for k, device in enumerate(("WL-0201", "WL-0202", "WL-0101")):
                fake.reading(
                    device, "water_depth", round(0.6 + 0.5 * math.sin(minute + k), 1), ago_s=minute * 60
                )
            fake.reading("SP-005", "link_speed", round(71 + 4 * math.sin(minute * 1.7), 1), ago_s=minute * 60)
            fake.reading("GD-004", "gas_lel", round(1.2 + 0.4 * math.sin(minute * 2.1), 1), ago_s=minute * 60)

    gateway.do(work)


def water(gateway: FakeGateway, device: str, value: float) -> None:
    """A reading of a level sensor, and what the ladder says about it."""
    gateway.reading(device, "water_depth", value)
    reached = [rung for rung in LEVELS if value >= rung[0]]
    if reached:
        limit, level = reached[0]
        gateway.do(lambda city: city.found(device, "water_depth", level, value, limit))


def crash(gateway: FakeGateway) -> None:
    """A jam by the radars, then the crash by a camera."""
    gateway.reading("SP-005", "link_speed", 11.0)
    gateway.do(
        lambda city: city.found(
            "SP-005", "link_speed", 3, 11, 30, reason="grade.slow", numbers={"confirm_s": 120}
        )
    )
    gateway.do(lambda city: city.tick(25))
    gateway.do(
        lambda city: city.found(
            "CAM-006R",
            "video_traffic_crash",
            2,
            0.94,
            0.7,
            reason="sightings.confirmed",
            source="video",
            numbers={"window_s": 30, "confirm_count": 3},
        )
    )


def gas(gateway: FakeGateway) -> None:
    """A valve chamber's detector goes over its high alarm."""
    gateway.reading("GD-004", "gas_lel", 36.0)
    gateway.do(lambda city: city.found("GD-004", "gas_lel", 2, 36, 25))


def night(gateway: FakeGateway) -> None:
    """All of it, some minutes of event time, told in a second."""
    calm(gateway)
    for step in range(11):
        gateway.do(lambda city: city.tick(60))
        water(gateway, "WL-0201", round(2.0 + 4.4 * step, 1))
        if step >= 3:
            water(gateway, "WL-0202", round(1.0 + 3.1 * step, 1))
        if step == 4:
            crash(gateway)
        if step == 6:
            gas(gateway)
        if step >= 5:
            water(gateway, "WL-0R06", round(4.0 * (step - 3), 1))
        if step >= 7:
            water(gateway, "WL-0101", round(6.5 * (step - 6), 1))
        if step == 8:
            water(gateway, "WL-0R11", 6.2)
