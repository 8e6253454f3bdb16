"""Where all devices are, as columns: what a map of a large city is drawn from. Pure.

A million devices are 10 MB here; as objects they would be a gigabyte. The order is a random one, so that the first
so many of a view are an even sample of it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yiwang.errors import BadInput

_COPY_HEAD = 19  # signature, flags, length of the extension, by PostgreSQL's binary COPY
_COPY_SIGNATURE, _COPY_TAIL = b"PGCOPY\n\xff\r\n\0", b"\xff\xff"
_ROW = np.dtype(
    [
        ("n", ">i2"),
        ("l1", ">i4"),
        ("lon", ">f4"),
        ("l2", ">i4"),
        ("lat", ">f4"),
        ("l3", ">i4"),
        ("kind", ">i2"),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class DevicePoints:
    """Devices in a random order that is always the same.

    Attributes:
        kinds: names.
        lon, lat: float32 (n,), degrees.
        kind: int16 (n,), index into ``kinds``.
    """

    kinds: tuple[str, ...]
    lon: NDArray[np.float32]
    lat: NDArray[np.float32]
    kind: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.lon)

    @classmethod
    def of_copy(cls, data: bytes, kinds: tuple[str, ...]) -> "DevicePoints":
        """From what a binary COPY of ``gateway/device_points`` gives.

        Raises:
            BadInput: ``registry.copy``: it is something else.
        """
        n, rest = divmod(len(data) - _COPY_HEAD - len(_COPY_TAIL), _ROW.itemsize)
        framed = data.startswith(_COPY_SIGNATURE) and data.endswith(_COPY_TAIL)
        rows = np.frombuffer(data, _ROW, n, _COPY_HEAD) if framed and rest == 0 and n >= 0 else None
        if rows is None or not (rows["n"] == 3).all():
            raise BadInput("registry.copy", f"{len(data)} bytes are no binary COPY of positions of devices")
        rows = rows[np.random.default_rng(1).permutation(n)]
        return cls(
            kinds=kinds,
            lon=rows["lon"].astype(np.float32),
            lat=rows["lat"].astype(np.float32),
            kind=(rows["kind"] - 1).astype(np.int16),
        )

    def inside(
        self, west: float, south: float, east: float, north: float, most: int
    ) -> tuple[list[tuple[str, float, float]], int]:
        """Devices in a rectangle of degrees: kind, longitude, latitude of ``most`` of them, and how many there are."""
        hits = np.flatnonzero(
            (self.lon >= west) & (self.lon <= east) & (self.lat >= south) & (self.lat <= north)
        )
        shown = hits[:most]
        lon, lat = self.lon[shown].round(6).tolist(), self.lat[shown].round(6).tolist()
        names = [self.kinds[k] for k in self.kind[shown].tolist()]
        return list(zip(names, lon, lat, strict=True)), len(hits)
