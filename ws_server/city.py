"""What is known of the city besides what happens in it: registry, posts, base map, domain packs. Pure."""

from dataclasses import dataclass, field

from ws_server.messages import encode
from ws_server.points import DevicePoints
from ws_server.posts import Post, posts_of
from ws_server.store import CityTables
from yiwang.domains import compile_rules
from yiwang.registry import District, Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """One state of it; replaced as a whole. The ``*_json`` are what the HTTP API answers.

    Attributes:
        version: rises with every registered change, over all districts.
        points: of a large city, where its devices are; ``registry_json`` is without places and devices then.
    """

    districts: tuple[District, ...] = ()
    posts: dict[str, Post] = field(default_factory=dict)
    version: int = 0
    points: DevicePoints | None = None
    registry_json: bytes = (
        b'{"places":[],"devices":[],"units":[],"whole":true,"counts":{"places":0,"devices":{}}}'
    )
    map_json: bytes = b'{"type":"FeatureCollection","features":[]}'
    domains_json: bytes = b"{}"


def city_of(tables: CityTables, built_in: Rules) -> City:
    """From the database's tables.

    Args:
        tables: as they are now.
        built_in: rules to show as long as the database has none.

    Raises:
        BadInput: ``domain.…``: the rules are of a release that this one does not understand.
    """
    registries = [tables.registries[n] for n in sorted(tables.registries)]
    features = [f for name in sorted(tables.layers) for f in tables.layers[name].get("features", [])]
    return City(
        districts=tables.districts,
        posts=posts_of(tables.districts, tables.registries),
        version=sum(r.version for r in registries),
        points=tables.points,
        registry_json=encode(
            {
                "places": [p for r in registries for p in r.places],
                "devices": [d for r in registries for d in r.devices],
                "units": [u for r in registries for u in r.units],
                "whole": tables.points is None,
                "counts": {"places": tables.places, "devices": tables.kinds},
            }
        ),
        map_json=encode({"type": "FeatureCollection", "features": features}),
        domains_json=encode(compile_rules(tables.rules or built_in).to_json()),
    )
