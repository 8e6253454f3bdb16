"""What other people call our columns, and kinds for devices that are given by what they measure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from yiwang.domains import Domains

DEVICE_NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("device", "device_id", "sensor", "sensor_id", "station", "station_id", "设备", "设备编号", "编号"),
    "kind": ("device_kind", "type", "device_type", "设备类型", "类型"),
    "metrics": ("metric", "parameters", "variables", "指标"),
    "district": ("区县",),
    "place": ("place_id", "site", "site_id", "location", "点位"),
    "zone": ("area", "catchment", "corridor", "片区"),
    "name": ("name_zh", "title", "名称"),
    "name_en": (),
    "lon": ("lng", "longitude", "x", "经度"),
    "lat": ("latitude", "y", "纬度"),
}
TRUTH_NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("event_id", "label_id"),
    "kind": ("event", "incident_kind", "label", "类型"),
    "district": ("区县",),
    "place": ("place_id", "site", "zone", "location", "点位"),
    "device": ("device_id", "sensor", "sensor_id", "station", "设备"),
    "begin": ("start", "from", "begins", "start_time", "begin_time", "开始", "开始时间"),
    "end": ("stop", "to", "ends", "end_time", "结束", "结束时间"),
    "severity": ("level", "grade", "级别", "等级"),
    "within_s": ("tolerance", "tolerance_s", "within", "容差"),
    "also": (),
    "optional": (),
    "reasons": ("reason",),
}
EVENT_NAMES: Mapping[str, tuple[str, ...]] = {
    "time": ("timestamp", "ts", "t", "时间"),
    "type": (),
    "event_class": ("class", "label"),
    "device": ("device_id", "camera", "camera_id", "sensor"),
    "confidence": ("score", "probability"),
    "until": ("end", "ends"),
}


def attributes(domains: Domains) -> frozenset[str]:
    """Every attribute of a place or device that a threshold, a transform of a metric or the layout refers to."""
    params = [p for entry in domains.detectors for p in entry.params.values()]
    params += [m.reads_as.offset for m in domains.metrics.values() if m.reads_as]
    return frozenset({"chainage_m", *(p.attribute for p in params if p.of and p.attribute)})


@dataclass(slots=True)
class Kinds:
    """Device kinds for sets of metrics: one of the packs where it fits exactly, else one of our own.

    A kind with more metrics than the device has would make its silent channels look broken.

    Attributes:
        made: id to metrics, of kinds that no pack has.
    """

    domains: Domains
    made: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, metrics: Collection[str]) -> str:
        """The kind of a device with these metrics."""
        wanted = frozenset(metrics)
        for kind in self.domains.device_kinds.values():
            if frozenset(kind.metrics) == wanted:
                return kind.id
        ordered = tuple(m for m in self.domains.metrics if m in wanted)
        for id_, have in self.made.items():
            if have == ordered:
                return id_
        id_ = f"imported_{len(self.made) + 1}"
        self.made[id_] = ordered
        return id_

    def pack(self) -> dict[str, Any]:  # Any: the body of a pack
        """A pack with the kinds that were made."""
        return {
            "domain": "imported",
            "name": {"zh": "导入", "en": "Imported"},
            "device_kinds": {
                id_: {
                    "name": {
                        "zh": f"导入设备（{'、'.join(metrics)}）",
                        "en": f"Imported ({', '.join(metrics)})",
                    },
                    "metrics": list(metrics),
                    "icon": "sensor",
                }
                for id_, metrics in self.made.items()
            },
        }
