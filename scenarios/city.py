"""An invented city of two districts, made by a seeded generator: ground, devices, cameras, people.

Nothing in it exists. It is drawn in metres on a plane (x east, y south) and laid on WGS 84 where no real
city is copied, so no map licence or approval question arises.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from yiwang.registry import Device, District, Place, Text, Unit

LON0, LAT0 = 112.62, 23.98  # north-west corner of the plane
_M_PER_DEG_LAT = 111_320.0
_M_PER_DEG_LON = _M_PER_DEG_LAT * math.cos(math.radians(LAT0))
WIDTH_M, HEIGHT_M = 10_000.0, 8_000.0  # of one district

Geo = dict[str, Any]  # Any: GeoJSON is plain JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """Everything that is registered, without series numbers (the registry gives those), and the base map."""

    districts: tuple[District, ...]
    places: tuple[Place, ...]
    devices: tuple[Device, ...]  # series empty
    units: tuple[Unit, ...]
    base_map: Geo  # FeatureCollection; properties.layer, name_zh, name_en


def position(x_m: float, y_m: float) -> tuple[float, float]:
    """Plane to (lon, lat) in degrees."""
    return round(LON0 + x_m / _M_PER_DEG_LON, 6), round(LAT0 - y_m / _M_PER_DEG_LAT, 6)


def ring(cx: float, cy: float, rx: float, ry: float, n: int) -> list[tuple[float, float]]:
    """N points of a ring road round (cx, cy): a softened ellipse, clockwise from its west end."""
    points = []
    for i in range(n):
        a = math.pi + 2 * math.pi * i / n
        soft = 1 + 0.08 * math.cos(3 * a + 0.6) + 0.04 * math.sin(5 * a)
        points.append((cx + rx * soft * math.cos(a), cy + ry * soft * math.sin(a)))
    return points


def river(x_m: float) -> float:
    """Y of the river's middle at x, metres; one river runs through both districts."""
    u = x_m / 1000.0
    return 5200 + 750 * math.sin(u * 0.55 + 0.4) + 320 * math.sin(u * 1.3)


_DISTRICTS = (
    (0, "900101", Text("云溪区", "Yunxi"), ("科创", "老城", "望江", "南湖")),
    (1, "900102", Text("澄湖区", "Chenghu"), ("北岸", "书院", "东港", "湖滨")),
)
_STREET_EN = {
    "科创": "Kechuang",
    "老城": "Laocheng",
    "望江": "Wangjiang",
    "南湖": "Nanhu",
    "北岸": "Bei'an",
    "书院": "Shuyuan",
    "东港": "Donggang",
    "湖滨": "Hubin",
}
LINKS = 24  # of each ring road
_UNDERPASS_LINKS = (3, 9, 15, 21)  # where an arterial passes under the ring


def generate(seed: int = 20261123) -> City:
    """The city; equal seeds give equal cities."""
    rng = np.random.default_rng(seed)
    districts, places, devices, units = [], [], [], []
    features: list[Geo] = []
    for number, code, name, streets in _DISTRICTS:
        districts.append(District(number=number, code=code, name=name))
        x0 = number * WIDTH_M
        features += _ground(number, name, streets, x0, rng)
        path = ring(x0 + WIDTH_M * 0.5, HEIGHT_M * 0.46, WIDTH_M * 0.36, HEIGHT_M * 0.34, LINKS)
        features.append(_line([*path, path[0]], "road", "环城路", "Ring Road", width=3))
        made = _Maker(number, streets, x0, rng, path)
        made.underpasses()
        made.roads()
        made.links()
        made.valve_chambers()
        made.rain()
        made.people()
        places += made.places
        devices += made.devices
        units += made.units
    xs = np.linspace(-300, 2 * WIDTH_M + 300, 90)
    features.insert(
        0, _line([(float(x), river(float(x))) for x in xs], "water", "云溪河", "Yunxi River", width=6)
    )
    return City(
        districts=tuple(districts),
        places=tuple(places),
        devices=tuple(devices),
        units=tuple(units),
        base_map={"type": "FeatureCollection", "features": features},
    )


class _Maker:
    """Places, devices and people of one district."""

    def __init__(
        self,
        number: int,
        streets: tuple[str, ...],
        x0: float,
        rng: np.random.Generator,
        path: list[tuple[float, float]],
    ) -> None:
        self.number, self.streets, self.x0, self.rng, self.path = number, streets, x0, rng, path
        self.places: list[Place] = []
        self.devices: list[Device] = []
        self.units: list[Unit] = []

    def _street(self, x: float, y: float) -> str:
        east, south = x > self.x0 + WIDTH_M / 2, y > HEIGHT_M / 2
        return self.streets[(0, 2, 1, 3)[2 * south + east]]

    def _place(
        self, id_: str, kind: str, zone: str, name: Text, x: float, y: float, **attributes: float
    ) -> Place:
        lon, lat = position(x, y)
        place = Place(
            id=id_,
            district=self.number,
            zone=zone,
            kind=kind,
            name=name,
            lon=lon,
            lat=lat,
            attributes=attributes,
        )
        self.places.append(place)
        return place

    def _device(self, id_: str, kind: str, place: Place, name: Text, dx: float = 0, dy: float = 0) -> None:
        self.devices.append(
            Device(
                id=id_,
                district=self.number,
                kind=kind,
                place=place.id,
                name=name,
                lon=round(place.lon + dx / _M_PER_DEG_LON, 6),
                lat=round(place.lat - dy / _M_PER_DEG_LAT, 6),
                series=(),
            )
        )

    def underpasses(self) -> None:
        """Four underpasses with two level sensors and a camera each."""
        for k, link in enumerate(_UNDERPASS_LINKS, 1):
            x, y = self.path[link]
            street = self._street(x, y)
            place = self._place(
                f"UP-{self.number}{k:02d}",
                "underpass",
                f"CA-{self.number}{link // 6 + 1}",
                Text(f"环城路{street}段下穿隧道", f"Ring Road underpass, {_STREET_EN[street]}"),
                x,
                y,
                closure_depth_cm=27.0,
            )
            for s, (dx, dy) in enumerate(((-60.0, 20.0), (70.0, -25.0)), 1):
                self._device(
                    f"WL-{self.number}{k}{s:02d}",
                    "underpass_water_level",
                    place,
                    Text(f"{street}隧道水位{s}", f"{_STREET_EN[street]} underpass level {s}"),
                    dx,
                    dy,
                )
            self._device(
                f"CAM-{self.number}{k:02d}U",
                "camera",
                place,
                Text(f"{street}隧道口摄像机", f"{_STREET_EN[street]} underpass camera"),
                110.0,
                60.0,
            )

    def roads(self) -> None:
        """Sixteen low spots on ordinary roads with a level sensor each."""
        spots = ("小学门口", "菜市场", "医院东门", "公交总站")
        spots_en = ("primary school", "market", "hospital east gate", "bus terminal")
        for k in range(16):
            x = self.x0 + WIDTH_M * (0.14 + 0.72 * (k % 4 + float(self.rng.uniform(0.2, 0.8))) / 4)
            y = HEIGHT_M * (0.1 + 0.78 * (k // 4 + float(self.rng.uniform(0.2, 0.8))) / 4)
            street = self._street(x, y)
            place = self._place(
                f"RD-{self.number}{k + 1:02d}",
                "road",
                f"CA-{self.number}{k // 4 + 1}",
                Text(
                    f"{street}街道{spots[k % 4]}{k // 4 + 1}号点",
                    f"{_STREET_EN[street]} {spots_en[k % 4]} {k // 4 + 1}",
                ),
                x,
                y,
                closure_depth_cm=30.0,
            )
            self._device(
                f"WL-{self.number}R{k + 1:02d}",
                "road_water_level",
                place,
                Text(f"{street}积水监测{k + 1}", f"{_STREET_EN[street]} road level {k + 1}"),
            )

    def links(self) -> None:
        """The ring road's links with a radar each, a camera on every third."""
        for k in range(LINKS):
            (xa, ya), (xb, yb) = self.path[k], self.path[(k + 1) % LINKS]
            x, y = (xa + xb) / 2, (ya + yb) / 2
            place = self._place(
                f"LK-{self.number}{k + 1:02d}",
                "corridor_link",
                f"RING-{self.number}{k // 12 + 1}",
                Text(f"环城路 K{k}+500", f"Ring Road K{k}+500"),
                x,
                y,
                road_class=1.0,
            )
            self._device(
                f"SP-{self.number}{k + 1:02d}",
                "speed_radar",
                place,
                Text(f"环城路测速雷达{k + 1}", f"Ring Road radar {k + 1}"),
            )
            if k % 3 == 2:
                self._device(
                    f"CAM-{self.number}{k + 1:02d}R",
                    "camera",
                    place,
                    Text(f"环城路 K{k} 摄像机", f"Ring Road camera K{k}"),
                    40.0,
                    40.0,
                )

    def valve_chambers(self) -> None:
        """Twelve gas valve chambers with a detector each."""
        for k in range(12):
            x = self.x0 + WIDTH_M * float(self.rng.uniform(0.12, 0.88))
            y = HEIGHT_M * float(self.rng.uniform(0.1, 0.9))
            street = self._street(x, y)
            place = self._place(
                f"VC-{self.number}{k + 1:02d}",
                "valve_chamber",
                f"GAS-{self.number}{k // 6 + 1}",
                Text(
                    f"{street}街道燃气阀井 {k + 1:02d}", f"{_STREET_EN[street]} gas valve chamber {k + 1:02d}"
                ),
                x,
                y,
            )
            self._device(
                f"GD-{self.number}{k + 1:02d}",
                "gas_detector",
                place,
                Text(f"阀井燃气探测器{k + 1:02d}", f"Chamber gas detector {k + 1:02d}"),
            )

    def rain(self) -> None:
        """Four rain gauges, one a street."""
        for k, street in enumerate(self.streets):
            x = self.x0 + WIDTH_M * (0.3, 0.7, 0.3, 0.7)[k]
            y = HEIGHT_M * (0.25, 0.25, 0.72, 0.72)[k]
            place = self._place(
                f"ST-{self.number}{k + 1}",
                "station",
                f"CA-{self.number}{k + 1}",
                Text(f"{street}街道雨量站", f"{_STREET_EN[street]} rain station"),
                x,
                y,
            )
            self._device(
                f"RG-{self.number}{k + 1}",
                "rain_gauge",
                place,
                Text(f"{street}雨量计", f"{_STREET_EN[street]} rain gauge"),
            )

    def people(self) -> None:
        """Crews and grid workers: few enough that a bad night needs the neighbour's pump crew."""
        crews: tuple[tuple[str, str, str, int], ...] = (
            ("drainage", "排水", "Drainage crew", 2),
            ("traffic", "交警", "Traffic patrol", 3),
            ("gas", "燃气抢修", "Gas repair crew", 2),
            ("fire", "消防", "Fire crew", 1),
            ("grid", "网格员", "Grid worker", 4),
        )
        for skill, zh, en, count in crews:
            for k in range(1, count + 1):
                x = self.x0 + WIDTH_M * float(self.rng.uniform(0.2, 0.8))
                y = HEIGHT_M * float(self.rng.uniform(0.2, 0.8))
                lon, lat = position(x, y)
                name = f"{zh}{k}" if skill == "grid" else f"{zh}{'一二三四'[k - 1]}组"
                self.units.append(
                    Unit(
                        id=f"{skill.upper()}-{self.number}{k}",
                        district=self.number,
                        name=Text(
                            f"{_DISTRICTS[self.number][2].zh[:2]}{name}",
                            f"{_DISTRICTS[self.number][2].en} {en} {k}",
                        ),
                        skill=skill,
                        lon=lon,
                        lat=lat,
                    )
                )


def _ground(
    number: int, name: Text, streets: tuple[str, ...], x0: float, rng: np.random.Generator
) -> list[Geo]:
    """District outline, blocks, parks, streets, labels."""
    features = [
        _polygon(
            [(x0, 0), (x0 + WIDTH_M, 0), (x0 + WIDTH_M, HEIGHT_M), (x0, HEIGHT_M)],
            "district",
            name.zh,
            name.en,
        )
    ]
    columns, rows = 18, 15
    cw, ch = WIDTH_M / columns, HEIGHT_M / rows
    for row in range(rows):
        for column in range(columns):
            if rng.random() < 0.05:
                continue
            x, y = x0 + column * cw + 45, row * ch + 45
            w, h = cw - 90 - float(rng.uniform(0, 50)), ch - 90 - float(rng.uniform(0, 40))
            if abs(y + h / 2 - river(x + w / 2)) < 380:
                continue
            layer = "park" if rng.random() < 0.07 else "block"
            features.append(_polygon([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], layer))
    features += [_line([(x0, r * ch), (x0 + WIDTH_M, r * ch)], "road2") for r in range(1, rows, 3)]
    features += [_line([(x0 + c * cw, 0), (x0 + c * cw, HEIGHT_M)], "road2") for c in range(1, columns, 3)]
    y = HEIGHT_M * 0.42
    features.append(
        _line(
            [(x0, y), (x0 + WIDTH_M * 0.5, y + 260), (x0 + WIDTH_M, y)],
            "road",
            "云澄大道",
            "Yuncheng Avenue",
            width=2,
        )
    )
    x = x0 + WIDTH_M * 0.5
    features.append(
        _line([(x, 0), (x + 240, HEIGHT_M * 0.5), (x, HEIGHT_M)], "road", "中轴路", "Axis Road", width=2)
    )
    for k, street in enumerate(streets):
        at = (
            x0 + WIDTH_M * (0.3, 0.7, 0.3, 0.7)[(0, 2, 1, 3)[k]],
            HEIGHT_M * (0.2, 0.2, 0.82, 0.82)[(0, 2, 1, 3)[k]],
        )
        features.append(_point(at, "label", f"{street}街道", f"{_STREET_EN[street]} Subdistrict"))
    features.append(
        _point((x0 + WIDTH_M * 0.5, HEIGHT_M * 0.06), "label", name.zh, f"{name.en} District", rank=1)
    )
    return features


def _feature(geometry: Geo, layer: str, zh: str, en: str, **extra: float) -> Geo:
    return {
        "type": "Feature",
        "geometry": geometry,
        "properties": {"layer": layer, "name_zh": zh, "name_en": en, **extra},
    }


def _polygon(points: list[tuple[float, float]], layer: str, zh: str = "", en: str = "") -> Geo:
    outline = [position(*p) for p in [*points, points[0]]]
    return _feature({"type": "Polygon", "coordinates": [outline]}, layer, zh, en)


def _line(points: list[tuple[float, float]], layer: str, zh: str = "", en: str = "", **extra: float) -> Geo:
    return _feature(
        {"type": "LineString", "coordinates": [position(*p) for p in points]}, layer, zh, en, **extra
    )


def _point(at: tuple[float, float], layer: str, zh: str, en: str, **extra: float) -> Geo:
    return _feature({"type": "Point", "coordinates": position(*at)}, layer, zh, en, **extra)
