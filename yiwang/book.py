"""What is registered in a district, merged from all changes: devices and places kept compactly, and as columns.

Whoever asks for one device gets it as an object; whoever works on all of them works on arrays.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from yiwang.columns import F64, I32
from yiwang.kept import Kept
from yiwang.registry import Device, Place, Registry, Series, Text

I16 = NDArray[np.int16]
U16 = NDArray[np.uint16]

NO_PAIR = 0
"""``pair`` of a series that is not registered."""

_encoder = msgspec.msgpack.Encoder()
_device = msgspec.msgpack.Decoder(
    tuple[int, str, str, str, str, float, float, list[tuple[int, str]], dict[str, float]]
)
_place = msgspec.msgpack.Decoder(tuple[int, str, str, str, str, float, float, dict[str, float]])


@dataclass(slots=True)
class Names:
    """Texts as small numbers, in the order in which they came."""

    names: list[Any] = field(default_factory=list)  # Any: str, or a tuple of two
    codes: dict[Any, int] = field(default_factory=dict)

    def code(self, name: Any) -> int:
        """The number of a name."""
        code = self.codes.get(name)
        if code is None:
            code = self.codes[name] = len(self.names)
            self.names.append(name)
        return code

    def load(self, names: Iterable[Any]) -> None:
        """These names, numbered in order."""
        self.names = list(names)
        self.codes = {name: code for code, name in enumerate(self.names)}


class Book:
    """All places, devices and series of a district.

    Attributes:
        version: of the newest change.
        changes: how often something was changed.
        places: id to place. A place that devices name and nobody registered has a bare row.
        devices: id to device.
        kind: int16 by row of device, into ``kinds``.
        place: int32 by row of device, row of its place.
        lon: float64 by row of device, degrees. Likewise ``lat``.
        zone: int32 by row of place, numbers of zones; a bare place is a zone of its own.
        place_lat: float64 by row of place, degrees; NaN of a bare one.
        attributes: ``device`` and ``place`` to name of an attribute to float64 by row, NaN where there is none.
        device: int32 by number of series, row of its device; -1 where none is registered.
        pair: int16 by number of series, into ``pairs``; ``NO_PAIR`` where none is registered.
        seat: uint16 by number of series, which one of its device it is.
        pairs: (kind of device, metric); the first is no pair.
    """

    def __init__(self) -> None:
        self.version = 0
        self.changes = 0
        self.places: Kept[Place] = Kept(_pack_place, _unpack_place)
        self.devices: Kept[Device] = Kept(_pack_device, _unpack_device)
        self.kind: I16 = np.empty(0, np.int16)
        self.place: I32 = np.empty(0, np.int32)
        self.lon: F64 = np.empty(0, np.float64)
        self.lat: F64 = np.empty(0, np.float64)
        self.zone: I32 = np.empty(0, np.int32)
        self.place_lat: F64 = np.empty(0, np.float64)
        self.attributes: dict[str, dict[str, F64]] = {"device": {}, "place": {}}
        self.device: I32 = np.empty(0, np.int32)
        self.pair: I16 = np.empty(0, np.int16)
        self.seat: U16 = np.empty(0, np.uint16)
        self._kinds, self._zones, self._pairs = Names(), Names(), Names()
        self._pairs.code(("", ""))

    # ---- questions ----

    @property
    def size(self) -> int:
        """One more than the highest number of a series ever registered."""
        return len(self.pair)

    @property
    def registered(self) -> NDArray[np.bool_]:
        """By row of place, whether it is registered, and not only spoken of by devices."""
        return self.places.full

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(kind of device, metric) by ``pair``."""
        return self._pairs.names

    def zone_name(self, code: int) -> str:
        """The zone of that number."""
        name: str = self._zones.names[code]
        return name

    def zone_code(self, name: str) -> int:
        """The number of a zone; -1 where nobody has heard of it."""
        return self._zones.codes.get(name, -1)

    def zone_of(self, series: I32) -> I32:
        """Zones of registered series, as numbers: that of their device's place."""
        return self.zone[self.place[self.device[series]]]

    def owner(self, series: int) -> tuple[Device, str]:
        """The device of a registered series, and what it measures."""
        return self.devices.at(int(self.device[series])), self.pairs[self.pair[series]][1]

    def places_near(self, lat: float, degrees: float) -> Iterator[Place]:
        """Places no further north or south than that, in order of registration."""
        return (self.places.at(row) for row in np.flatnonzero(abs(self.place_lat - lat) <= degrees).tolist())

    def series(self) -> I32:
        """Numbers of all registered series, by device in order of registration."""
        numbers = np.flatnonzero(self.pair).astype(np.int32)
        device = self.device[numbers]
        if (np.diff(device) > 0).all():
            return numbers
        return numbers[np.lexsort((self.seat[numbers], device))]

    def registry(self) -> Registry:
        """All of it as one message; units are not kept here."""
        return Registry(
            version=self.version, places=tuple(self.places.values()), devices=tuple(self.devices.values())
        )

    # ---- changes ----

    def apply(self, change: Registry) -> I32:
        """Take a change.

        Returns:
            Numbers of the series that may be watched otherwise now: new ones, those of other devices, kinds,
            places or attributes, and those that are gone. By id of the device as far as they are its own now.
        """
        renamed, self.version = change.version != self.version, change.version
        moved = self._put_places({p.id: p for p in change.places})
        own, gone = self._put_devices({d.id: d for d in change.devices})
        if len(moved):
            at = np.zeros(self.places.rows, np.bool_)
            at[moved] = True
            here = np.flatnonzero(self.pair)
            gone = np.concatenate((gone, here[at[self.place[self.device[here]]]]))
        if renamed or len(moved) or len(own) or len(gone):
            self.changes += 1
        if len(gone) == 0:
            return own
        others = np.unique(gone).astype(np.int32)
        return np.concatenate((own, others[~np.isin(others, own)]))

    def _put_places(self, places: Mapping[str, Place]) -> I32:
        """Rows of those that are new or others now."""
        rows, changed = self.places.put(places)
        self._room_for_places()
        for row, place in zip(rows, places.values(), strict=True):
            self.zone[row], self.place_lat[row] = self._zones.code(place.zone), place.lat
        given = zip(rows, (p.attributes for p in places.values()), strict=True)
        self._note("place", self.places.rows, given)
        return np.array([row for row, other in zip(rows, changed, strict=True) if other], np.int32)

    def _room_for_places(self) -> None:
        """Bare ones are zones of their own."""
        before = len(self.zone)
        if self.places.rows > before:
            self.zone = _longer(self.zone, self.places.rows, 0)
            self.place_lat = _longer(self.place_lat, self.places.rows, np.nan)
            self.zone[before:] = [
                self._zones.code(self.places.id(row)) for row in range(before, self.places.rows)
            ]
            self._note("place", self.places.rows, ())

    def _put_devices(self, devices: Mapping[str, Device]) -> tuple[I32, I32]:
        """Series that new and changed devices have now, by id; and those that they had."""
        before = self.devices.rows
        rows, changed = self.devices.put(devices)
        both = sorted(
            ((d, row) for d, row, other in zip(devices.values(), rows, changed, strict=True) if other),
            key=lambda one: one[0].id,
        )
        nothing = np.empty(0, np.int32)
        if not both:
            return nothing, nothing
        at = np.array([row for _, row in both], np.int64)
        ids = list(dict.fromkeys(d.place for d, _ in both))
        place = dict(zip(ids, self.places.name(ids), strict=True))
        self._room_for_places()
        count = self.devices.rows
        self.kind = _longer(self.kind, count, 0)
        self.place = _longer(self.place, count, 0)
        self.lon, self.lat = _longer(self.lon, count, 0.0), _longer(self.lat, count, 0.0)
        kinds = self._kinds.code
        self.kind[at] = [kinds(d.kind) for d, _ in both]
        self.place[at] = [place[d.place] for d, _ in both]
        self.lon[at] = [d.lon for d, _ in both]
        self.lat[at] = [d.lat for d, _ in both]
        self._note("device", count, ((row, d.attributes) for d, row in both))
        gone = nothing
        if (at < before).any():
            mine = np.zeros(count, np.bool_)
            mine[at] = True
            here = np.flatnonzero(self.pair).astype(np.int32)
            gone = here[mine[self.device[here]]]
            self.device[gone], self.pair[gone] = -1, NO_PAIR
        pairs = self._pairs.code
        listed = [
            (s.number, row, pairs((d.kind, s.metric)), seat)
            for d, row in both
            for seat, s in enumerate(d.series)
            if s.number >= 0
        ]
        if not listed:
            return nothing, gone
        number, row, pair, seat = np.array(listed, np.int32).T
        size = max(self.size, 1 + int(number.max()))
        self.device = _longer(self.device, size, -1)
        self.pair = _longer(self.pair, size, NO_PAIR)
        self.seat = _longer(self.seat, size, 0)
        self.device[number], self.pair[number], self.seat[number] = row, pair, seat
        return np.ascontiguousarray(number), gone

    def _note(self, of: str, count: int, given: Iterable[tuple[int, Mapping[str, float]]]) -> None:
        """Attributes of rows, instead of what they had."""
        columns = self.attributes[of]
        for name, column in columns.items():
            columns[name] = _longer(column, count, np.nan)
        for row, attributes in given:
            for column in columns.values():
                column[row] = np.nan
            for name, value in attributes.items():
                if name not in columns:
                    columns[name] = np.full(count, np.nan)
                columns[name][row] = value

    # ---- as data ----

    def dump(self) -> bytes:
        """Everything, exact; ``changes`` tells whether it is still the same."""
        return _encoder.encode(
            {
                "version": self.version,
                "places": self.places.dump(),
                "devices": self.devices.dump(),
                "names": [self._kinds.names, self._zones.names, self._pairs.names],
                "columns": {name: getattr(self, name).tobytes() for name in _COLUMNS},
                "attributes": {
                    of: {name: column.tobytes() for name, column in columns.items()}
                    for of, columns in self.attributes.items()
                },
            }
        )

    @classmethod
    def load(cls, data: bytes) -> "Book":
        """The book that ``dump`` described."""
        dumped = msgspec.msgpack.decode(data)
        book = cls()
        book.version = dumped["version"]
        book.places.load(dumped["places"])
        book.devices.load(dumped["devices"])
        kinds, zones, pairs = dumped["names"]
        book._kinds.load(kinds)
        book._zones.load(zones)
        book._pairs.load((kind, metric) for kind, metric in pairs)
        for name in _COLUMNS:
            dtype = getattr(book, name).dtype
            setattr(book, name, np.frombuffer(dumped["columns"][name], dtype).copy())
        book.attributes = {
            of: {name: np.frombuffer(raw, np.float64).copy() for name, raw in columns.items()}
            for of, columns in dumped["attributes"].items()
        }
        return book


_COLUMNS = ("kind", "place", "lon", "lat", "zone", "place_lat", "device", "pair", "seat")


def _longer(array: NDArray[Any], size: int, fill: float) -> NDArray[Any]:  # Any: of whatever dtype
    """The array itself, or a longer one that begins with it."""
    if len(array) >= size:
        return array
    longer = np.full(size, fill, array.dtype)
    longer[: len(array)] = array
    return longer


def _pack_device(d: Device) -> bytes:
    series = [(s.number, s.metric) for s in d.series]
    return _encoder.encode(
        (d.district, d.kind, d.place, d.name.zh, d.name.en, d.lon, d.lat, series, d.attributes)
    )


def _unpack_device(id_: str, raw: bytes) -> Device:
    district, kind, place, zh, en, lon, lat, series, attributes = _device.decode(raw)
    return Device(
        id=id_,
        district=district,
        kind=kind,
        place=place,
        name=Text(zh, en),
        lon=lon,
        lat=lat,
        series=tuple(Series(number=n, metric=m) for n, m in series),
        attributes=attributes,
    )


def _pack_place(p: Place) -> bytes:
    return _encoder.encode((p.district, p.zone, p.kind, p.name.zh, p.name.en, p.lon, p.lat, p.attributes))


def _unpack_place(id_: str, raw: bytes) -> Place:
    district, zone, kind, zh, en, lon, lat, attributes = _place.decode(raw)
    return Place(
        id=id_,
        district=district,
        zone=zone,
        kind=kind,
        name=Text(zh, en),
        lon=lon,
        lat=lat,
        attributes=attributes,
    )
