"""Packs and overrides to ``Domains``. Pure: no files, no clock; the same rules give the same domains."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from yiwang.domains.reader import Document, Node, did_you_mean
from yiwang.domains.types import (
    VIDEO_PREFIX,
    Category,
    DeviceKind,
    Domains,
    Entry,
    IncidentKind,
    Metric,
    Override,
    Pack,
    Param,
    VideoClass,
)
from yiwang.errors import BadInput
from yiwang.model import Severity
from yiwang.registry import Rules

T = TypeVar("T")
SECTIONS = ("metrics", "device_kinds", "kinds", "categories", "video", "detectors", "reasons")
_DAY_S = 86_400.0
_MATCHERS = ("entry", "kind", "zone", "place", "device")
_SETTABLE = {
    "kind": ("linger_s", "case_at", "category", "skill", "support_skill"),
    "category": ("accept_s", "arrive_s", "handle_s", "check_s"),
}


def compile_rules(rules: Rules) -> Domains:
    """Check the rules whole and make them quick to ask.

    Raises:
        BadInput: ``domain.…``, the first thing that is wrong, with file, line and field;
            ``details["errors"]`` lists all of them as messages.
    """
    return _Compiler(rules).run()


@dataclass
class _Compiler:
    """Goes through the sections; one wrong item does not hide the next."""

    rules: Rules
    errors: list[BadInput] = field(default_factory=list)
    names: dict[str, dict[str, Node]] = field(default_factory=lambda: {s: {} for s in SECTIONS})

    def run(self) -> Domains:
        packs = [_document(p) for p in self.rules.packs]
        found: dict[str, Pack] = {}
        self._attempt(packs, lambda node: self._pack(node, found))
        self._attempt(packs, self._collect)
        video = self._section("video", self._video)
        metrics = self._section("metrics", self._metric) | {
            v.metric: Metric(
                id=v.metric,
                domain=v.domain,
                name=v.name,
                unit="",
                lo=0.0,
                hi=1.0,
                period_s=0.0,
                units={"": (1.0, 0.0)},
            )
            for v in video.values()
        }
        entries = self._section("detectors", self._entry)
        kinds = self._section("kinds", self._kind)
        categories = self._section("categories", self._category)
        overrides: list[Override] = []
        for document in (_document(o) for o in self.rules.overrides):
            for item in self._attempt([document], self._override_list):
                for node in item:
                    for override in self._attempt(
                        [node], lambda n: self._override(n, entries, kinds, categories)
                    ):
                        overrides += [override] if override else []
        domains = Domains(
            version=self.rules.version,
            packs=found,
            metrics=metrics,
            device_kinds=self._section("device_kinds", self._device_kind),
            detectors=tuple(entries.values()),
            kinds=kinds,
            categories=categories,
            video=video,
            reasons=self._section("reasons", lambda _domain, _name, node: node.text()),
            overrides={
                e: tuple(sorted((o for o in overrides if e in o.entries), key=lambda o: o.rank))
                for e in entries
            },
        )
        if self.errors:
            first = self.errors[0]
            more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
            details = first.details | {"errors": [e.message for e in self.errors]}
            raise BadInput(first.code, first.message + more, **details)
        return domains

    # ---- plumbing ----

    def _attempt(self, nodes: Iterable[Node], read: Callable[[Node], T]) -> list[T]:
        done: list[T] = []
        for node in nodes:
            try:
                done.append(read(node))
            except BadInput as error:
                self.errors.append(error)
        return done

    def _collect(self, document: Node) -> None:
        """Note every item's name first, so that an item with a fault is not also called unknown elsewhere."""
        for section in SECTIONS:
            node = document.get(section)
            for name, item in node.items() if node else ():
                if name in self.names[section]:
                    other = self.names[section][name].origin
                    self.errors.append(
                        item.error("domain.duplicate", f"{name!r} is already there, in {other}")
                    )
                else:
                    self.names[section][name] = item

    def _section(self, section: str, read: Callable[[str, str, Node], T]) -> dict[str, T]:
        found: dict[str, T] = {}
        for name, item in self.names[section].items():
            try:
                found[name] = read(str(item.document.body.get("domain")), name, item)
            except BadInput as error:
                self.errors.append(error)
        return found

    def _metrics(self) -> Collection[str]:
        return {*self.names["metrics"], *(VIDEO_PREFIX + v for v in self.names["video"])}

    # ---- sections of a pack ----

    def _pack(self, node: Node, found: dict[str, Pack]) -> None:
        node.fields(needs=("domain", "name"), may=SECTIONS)
        pack = Pack(id=node.child("domain").string(), name=node.child("name").text(), file=node.document.file)
        if pack.id in found:
            other = found[pack.id].file
            raise node.child("domain").error("domain.duplicate", f"{pack.id!r} is already there, in {other}")
        found[pack.id] = pack

    def _metric(self, domain: str, name: str, node: Node) -> Metric:
        node.fields(needs=("name", "unit", "range", "period_s", "source"), may=("units",))
        source = node.child("source").string()
        unit = node.child("unit").string()
        units = {unit: (1.0, 0.0)}
        accepted = node.get("units")
        for other, conversion in accepted.items() if accepted else ():
            if isinstance(conversion.value, Mapping):
                conversion.fields(needs=("factor",), may=("offset", "source"))
                offset = conversion.get("offset")
                units[other] = (_factor(conversion.child("factor")), offset.number() if offset else 0.0)
                own = conversion.get("source")
                source += f"; {other}: {own.string()}" if own else ""
            else:
                units[other] = (_factor(conversion), 0.0)
        limits = list(node.child("range").each())
        if len(limits) != 2 or not limits[0].number() < limits[1].number():
            raise node.child("range").error("domain.value", "must be [least, greatest], least first")
        return Metric(
            id=name,
            domain=domain,
            name=node.child("name").text(),
            unit=unit,
            lo=limits[0].number(),
            hi=limits[1].number(),
            period_s=node.child("period_s").number(0, _DAY_S),
            units=units,
            source=source,
        )

    def _device_kind(self, domain: str, name: str, node: Node) -> DeviceKind:
        node.fields(needs=("name", "icon"), may=("metrics", "video"))
        listed = node.get("metrics")
        metrics = [m.one_of(self._metrics(), "metric") for m in listed.each()] if listed else []
        video = node.get("video")
        if video and video.flag():
            metrics += [VIDEO_PREFIX + v for v in self.names["video"]]
        if not metrics:
            raise node.error("domain.field", "has no metric; list metrics:, or video: true for a camera")
        return DeviceKind(
            id=name,
            domain=domain,
            name=node.child("name").text(),
            metrics=tuple(dict.fromkeys(metrics)),
            icon=node.child("icon").string(),
        )

    def _kind(self, domain: str, name: str, node: Node) -> IncidentKind:
        node.fields(
            needs=("name", "by", "linger_s", "case_at", "category", "skill", "next_step"),
            may=("support_skill", "source"),
        )
        by: Literal["place", "zone"] = (
            "zone" if node.child("by").one_of(("place", "zone")) == "zone" else "place"
        )
        support = node.get("support_skill")
        skill = node.child("skill").string()
        return IncidentKind(
            id=name,
            domain=domain,
            name=node.child("name").text(),
            by=by,
            linger_s=node.child("linger_s").number(0, 7 * _DAY_S),
            case_at=_severity(node.child("case_at")),
            category=node.child("category").one_of(self.names["categories"], "category"),
            skill=skill,
            support_skill=support.string() if support else skill,
            next_step=node.child("next_step").text(),
        )

    def _category(self, domain: str, name: str, node: Node) -> Category:
        limits = _SETTABLE["category"]
        node.fields(needs=("name", *limits, "source"))
        accept_s, arrive_s, handle_s, check_s = (node.child(x).number(1, 365 * _DAY_S) for x in limits)
        return Category(
            id=name,
            domain=domain,
            name=node.child("name").text(),
            accept_s=accept_s,
            arrive_s=arrive_s,
            handle_s=handle_s,
            check_s=check_s,
            source=node.child("source").string(),
        )

    def _video(self, domain: str, name: str, node: Node) -> VideoClass:
        node.fields(needs=("name", "kind"), may=("source",))
        return VideoClass(
            id=name,
            domain=domain,
            name=node.child("name").text(),
            metric=VIDEO_PREFIX + name,
            kind=node.child("kind").one_of(self.names["kinds"], "incident kind"),
        )

    def _entry(self, domain: str, name: str, node: Node) -> Entry:
        node.fields(needs=("use", "version", "metric", "kind", "params"), may=("device_kinds", "source"))
        metric = node.child("metric").one_of(self._metrics(), "metric")
        listed = node.get("device_kinds")
        own = node.get("source")
        source = own.string() if own else ""
        return Entry(
            id=name,
            version=node.child("version").integer(1),
            domain=domain,
            use=node.child("use").string(),
            metric=metric,
            kind=node.child("kind").one_of(self.names["kinds"], "incident kind"),
            source="video" if metric.startswith(VIDEO_PREFIX) else "sensor",
            device_kinds=tuple(
                k.one_of(self.names["device_kinds"], "device kind") for k in (listed.each() if listed else ())
            ),
            params={p: _param(n, n.origin, source) for p, n in node.child("params").items()},
            origin=node.origin,
        )

    # ---- overrides ----

    def _override_list(self, node: Node) -> list[Node]:
        return list(node.fields(needs=("overrides",), may=("name",)).child("overrides").each())

    def _override(
        self,
        node: Node,
        entries: Mapping[str, Entry],
        kinds: dict[str, IncidentKind],
        categories: dict[str, Category],
    ) -> Override | None:
        if "set" in node.mapping().value:
            self._set(node, kinds, categories)
            return None
        node.fields(needs=("params",), may=(*_MATCHERS, "source"))
        given = {m: child.string() for m in _MATCHERS if (child := node.get(m))}
        if "entry" in given:
            node.child("entry").one_of(self.names["detectors"], "detector entry")
        if "kind" in given:
            node.child("kind").one_of(self.names["kinds"], "incident kind")
        meant = {
            e.id: e
            for e in entries.values()
            if given.get("entry", e.id) == e.id and given.get("kind", e.kind) == e.kind
        }
        own = node.get("source")
        params: dict[str, Param] = {}
        for name, child in node.child("params").items():
            having = [e for e in meant.values() if name in e.params]
            if not having:
                known = {p for e in meant.values() for p in e.params}
                where = "of " + ", ".join(meant) if meant else "of any entry meant here"
                raise child.error("domain.unknown", f"is no parameter {where}{did_you_mean(name, known)}")
            if len(having) > 1 and "entry" not in given and "kind" not in given:
                several = ", ".join(e.id for e in having)
                raise child.error("domain.override", f"is a parameter of {several}: say which with entry:")
            params[name] = _param(child, f"override {child.origin}", own.string() if own else "")
        return Override(
            entries=frozenset(e.id for e in meant.values() if set(params) & set(e.params)),
            zone=given.get("zone", ""),
            place=given.get("place", ""),
            device=given.get("device", ""),
            params=params,
        )

    def _set(self, node: Node, kinds: dict[str, IncidentKind], categories: dict[str, Category]) -> None:
        """An override of an incident kind or a case category: the whole city's, later ones win."""
        what: Literal["kind", "category"] = "category" if "category" in node.value else "kind"
        node.fields(needs=(what, "set"), may=("source",))
        name = node.child(what).one_of(self.names["kinds" if what == "kind" else "categories"], what)
        changes = node.child("set").fields(may=_SETTABLE[what])
        new: dict[str, Any] = {}  # Any: fields of IncidentKind or Category, checked here one by one
        for key, child in changes.items():
            if key == "case_at":
                new[key] = _severity(child)
            elif key == "category":
                new[key] = child.one_of(self.names["categories"], "category")
            elif key.endswith("_s"):
                new[key] = child.number(0 if what == "kind" else 1, 365 * _DAY_S)
            else:
                new[key] = child.string()
        if what == "kind" and name in kinds:
            kinds[name] = replace(kinds[name], **new)
        if what == "category" and name in categories:
            own = node.get("source")
            source = own.string() if own else f"override {node.origin}"
            categories[name] = replace(categories[name], **new, source=source)


def _document(parsed: Mapping[str, Any]) -> Node:  # Any: parsed YAML
    try:
        document = Document(parsed["file"], parsed["lines"], parsed["body"])
    except KeyError as error:
        raise BadInput("domain.rules", f"rules without {error}: they are made by load_rules") from None
    return Node(document, document.body)


def _factor(node: Node) -> float:
    factor = node.number()
    if factor == 0:
        raise node.error("domain.value", "must not be 0: it is what a value is multiplied by")
    return factor


def _severity(node: Node) -> Severity | None:
    if node.value is None:
        return None
    return Severity[node.one_of([s.name for s in Severity], "severity")]


def _param(node: Node, origin: str, source: str) -> Param:
    """A number, ``null`` (absent), or a map with value or place/device and default, and perhaps source."""
    if not isinstance(node.value, Mapping):
        return Param(value=_number_or_absent(node), origin=origin, source=source)
    own = node.get("source")
    source = own.string() if own else source
    of: Literal["", "place", "device"] = (
        "place" if "place" in node.value else "device" if "device" in node.value else ""
    )
    if not of:
        node.fields(needs=("value",), may=("source",))
        return Param(value=_number_or_absent(node.child("value")), origin=origin, source=source)
    node.fields(needs=(of, "default"), may=("table", "source"))
    table = node.get("table")
    return Param(
        value=_number_or_absent(node.child("default")),
        of=of,
        attribute=node.child(of).string(),
        table={key: _number_or_absent(n) for key, n in table.items()} if table else None,
        origin=origin,
        source=source,
    )


def _number_or_absent(node: Node) -> float:
    return math.nan if node.value is None else node.number()
