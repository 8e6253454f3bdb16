"""Packs and overrides to ``Domains``. Pure: no files, no clock; the same rules give the same domains."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, TypeVar

from yiwang.domains.reader import Document, Node, did_you_mean
from yiwang.domains.types import (
    VIDEO_PREFIX,
    Category,
    DeviceKind,
    Domains,
    Entry,
    IncidentKind,
    Keep,
    Metric,
    Override,
    Pack,
    Param,
    Reads,
    ReadsAs,
    SituationKind,
    VideoClass,
)
from yiwang.errors import BadInput
from yiwang.model import Severity
from yiwang.registry import Rules

T = TypeVar("T")
SECTIONS = ("metrics", "device_kinds", "kinds", "categories", "video", "detectors", "reasons", "situations")
_DAY_S = 86_400.0
_MATCHERS = ("entry", "kind", "zone", "place", "device")
_BELIEF = (
    "nature",
    "confirm_at",
    "situation",
    "near_m",
    "neighbours",
    "calibration",
    "doubt",
    "doubts",
    "device_wide",
    "refutes",
)
"""What a kind may say about how its incidents are believed and joined."""
_KEEP = ("keep", "keep_delta", "keep_every_s")
"""What a metric may say about which of its readings are stored."""
_SETTABLE = {
    "metric": _KEEP,
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
                health=False,
            )
            for v in video.values()
        }
        self._measures(metrics)
        entries = self._section("detectors", partial(self._entry, metrics))
        kinds = self._section("kinds", self._kind)
        categories = self._section("categories", self._category)
        overrides: list[Override] = []
        for document in (_document(o) for o in self.rules.overrides):
            for item in self._attempt([document], self._override_list):
                for node in item:
                    for override in self._attempt(
                        [node], lambda n: self._override(n, entries, metrics, kinds, categories)
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
            situations=self._section("situations", self._situation),
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
        node.fields(
            needs=("name", "unit", "range", "period_s", "source"),
            may=("units", "attributes", "health", "reads_as", *_KEEP),
        )
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
            attributes=self._attributes(node.get("attributes")),
            health=health.flag() if (health := node.get("health")) else True,
            reads_as=self._reads_as(target) if (target := node.get("reads_as")) else None,
            keep=_keep(node, f"{node.origin}"),
        )

    @staticmethod
    def _attributes(node: Node | None) -> dict[str, float]:
        """Name to number; one that is null is left out."""
        found = {name: _number_or_absent(child) for name, child in node.items()} if node else {}
        return {name: value for name, value in found.items() if not math.isnan(value)}

    def _reads_as(self, node: Node) -> ReadsAs:
        node.fields(needs=("metric",), may=("scale", "offset", "source"))
        scale, offset = node.get("scale"), node.get("offset")
        return ReadsAs(
            metric=node.child("metric").one_of(self.names["metrics"], "metric"),
            scale=_factor(scale) if scale else 1.0,
            offset=_param(offset, offset.origin, "") if offset else Param(value=0.0, origin="", source=""),
        )

    def _measures(self, metrics: Mapping[str, Metric]) -> None:
        """A metric reads as another that is measured itself, not as one that reads as a third."""
        for metric in metrics.values():
            target = metrics.get(metric.reads_as.metric) if metric.reads_as else None
            if target and (target is metric or target.reads_as):
                node = self.names["metrics"][metric.id].child("reads_as")
                self.errors.append(
                    node.error("domain.value", f"{target.id!r} itself reads as another metric; name that one")
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
            may=("support_skill", "source", *_BELIEF),
        )
        by = node.child("by").one_of(("place", "zone", "device", "district"))
        nature, confirm_at = node.get("nature"), node.get("confirm_at")
        situation, near_m = node.get("situation"), node.get("near_m")
        neighbours, doubt = node.get("neighbours"), node.get("doubt")
        calibration, wide, doubts = node.get("calibration"), node.get("device_wide"), node.get("doubts")
        refutes = node.get("refutes")
        if calibration:
            calibration.fields(needs=("slope", "shift"), may=("source",))
        support = node.get("support_skill")
        skill = node.child("skill").string()
        return IncidentKind(
            id=name,
            domain=domain,
            name=node.child("name").text(),
            by=by,  # type: ignore[arg-type]  # one of its four words
            linger_s=node.child("linger_s").number(0, 7 * _DAY_S),
            case_at=_severity(node.child("case_at")),
            category=node.child("category").one_of(self.names["categories"], "category"),
            skill=skill,
            support_skill=support.string() if support else skill,
            next_step=node.child("next_step").text(),
            nature=nature.one_of(("incident", "health", "warning")) if nature else "incident",  # type: ignore[arg-type]
            confirm_at=confirm_at.number(0, 1) if confirm_at else 0.7,
            situation=situation.one_of(self.names["situations"], "situation") if situation else "",
            near_m=near_m.number(0, 100_000) if near_m else 0.0,
            neighbours=neighbours.number(0, 1) if neighbours else 0.0,
            slope=calibration.child("slope").number(0.01, 100) if calibration else 1.0,
            shift=calibration.child("shift").number(-20, 20) if calibration else 0.0,
            doubt=doubt.number(0, 1) if doubt else 0.5,
            doubts={reason: n.number(0, 1) for reason, n in _named(doubts, self.names["reasons"], "reason")},
            device_wide=tuple(
                r.one_of(self.names["reasons"], "reason") for r in (wide.each() if wide else ())
            ),
            refutes=tuple(
                r.one_of(self.names["reasons"], "reason") for r in (refutes.each() if refutes else ())
            ),
        )

    def _situation(self, domain: str, name: str, node: Node) -> SituationKind:
        node.fields(
            needs=("name", "sites", "window_s", "linger_s", "next_step", "source"),
            may=("warnings", "warning_at", "many", "calls", "calls_s"),
        )
        warnings, many = node.get("warnings"), node.get("many")
        warning_at, calls, calls_s = node.get("warning_at"), node.get("calls"), node.get("calls_s")
        at = _severity(warning_at) if warning_at else Severity.II
        return SituationKind(
            id=name,
            domain=domain,
            name=node.child("name").text(),
            sites=node.child("sites").integer(1),
            window_s=node.child("window_s").number(0, 7 * _DAY_S),
            linger_s=node.child("linger_s").number(0, 7 * _DAY_S),
            warnings=(name, *(w.string() for w in (warnings.each() if warnings else ()))),
            warning_at=0 if at is None else int(at),
            many={
                int(Severity[level]): n.integer(1)
                for level, n in _named(many, Severity.__members__, "severity")
            },
            calls=calls.integer(0) if calls else 6,
            calls_s=calls_s.number(1, _DAY_S) if calls_s else 600.0,
            next_step=node.child("next_step").text(),
            source=node.child("source").string(),
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

    def _entry(self, metrics: Mapping[str, Metric], domain: str, name: str, node: Node) -> Entry:
        node.fields(
            needs=("use", "version", "metric", "kind", "params"),
            may=("also", "device_kinds", "source", "every_s", "reliability"),
        )
        watches = self._watches(metrics, node)
        main = [m for m, how in watches.items() if not how.role and how.metric == m]
        video = [m.startswith(VIDEO_PREFIX) for m in main]
        if any(video) and not all(video):
            raise node.child("metric").error(
                "domain.value", "mixes video classes with sensors; use two entries"
            )
        listed, own = node.get("device_kinds"), node.get("source")
        every_s, reliability = node.get("every_s"), node.get("reliability")
        source = own.string() if own else ""
        stated = node.value["metric"]
        return Entry(
            id=name,
            version=node.child("version").integer(1),
            domain=domain,
            use=node.child("use").string(),
            metric=stated if isinstance(stated, str) else ", ".join(main),
            watches=watches,
            kind=node.child("kind").one_of(self.names["kinds"], "incident kind"),
            source="video" if any(video) else "sensor",
            device_kinds=tuple(
                k.one_of(self.names["device_kinds"], "device kind") for k in (listed.each() if listed else ())
            ),
            params={p: _param(n, n.origin, source) for p, n in node.child("params").items()},
            origin=node.origin,
            every_s=every_s.number(0, _DAY_S) if every_s else 0.0,
            reliability=reliability.number(0, 1) if reliability else 0.9,
        )

    def _watches(self, metrics: Mapping[str, Metric], node: Node) -> dict[str, Reads]:
        """Metric of a series to how the entry reads it; a metric has one role."""
        stated = node.child("metric")
        if stated.value == "all":
            # One that reads as another is judged as that: what throws doubt on it must be said of the same metric
            # as what it then says of the city.
            return {m.id: _as_read(m) for m in metrics.values() if m.health}
        found = dict(self._named(metrics, stated, ""))
        also = node.get("also")
        for role, named in also.items() if also else ():
            for metric, how in self._named(metrics, named, role):
                if metric in found:
                    raise named.error(
                        "domain.duplicate", f"{metric!r} is read as {found[metric].metric!r} already"
                    )
                found[metric] = how
        return found

    def _named(self, metrics: Mapping[str, Metric], node: Node, role: str) -> Iterable[tuple[str, Reads]]:
        several = list(node.each()) if isinstance(node.value, list | tuple) else [node]
        names = [n.one_of(self._metrics(), "metric") for n in several]
        for name in names:
            yield name, Reads(metric=name, role=role)
        for metric in metrics.values():
            other = metric.reads_as
            if other and other.metric in names and metric.id not in names:
                yield metric.id, Reads(metric=other.metric, role=role, scale=other.scale, offset=other.offset)

    # ---- overrides ----

    def _override_list(self, node: Node) -> list[Node]:
        return list(node.fields(needs=("overrides",), may=("name", "version")).child("overrides").each())

    def _override(
        self,
        node: Node,
        entries: Mapping[str, Entry],
        metrics: dict[str, Metric],
        kinds: dict[str, IncidentKind],
        categories: dict[str, Category],
    ) -> Override | None:
        if "set" in node.mapping().value:
            if "metric" in node.value:
                self._set_keep(node, metrics)
            else:
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

    def _set_keep(self, node: Node, metrics: dict[str, Metric]) -> None:
        """An override of what is stored of a metric: the whole city's, later ones win."""
        node.fields(needs=("metric", "set"), may=("source",))
        name = node.child("metric").one_of(self._metrics(), "metric")
        keep = _keep(node.child("set").fields(needs=("keep",), may=_KEEP), f"override {node.origin}")
        if name in metrics:
            metrics[name] = replace(metrics[name], keep=keep)

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


def _keep(node: Node, origin: str) -> Keep:
    """What is stored, of a map with ``keep``; a change that counts and a time must be given with ``changes``."""
    given = node.get("keep")
    what: Literal["raw", "changes", "rollup"] = "raw"
    for word in ("raw", "changes", "rollup"):
        if given and given.one_of(("raw", "changes", "rollup"), "way to keep readings") == word:
            what = word
    delta, every = node.get("keep_delta"), node.get("keep_every_s")
    if what != "changes":
        for other in (delta, every):
            if other:
                raise other.error("domain.field", "has a meaning with keep: changes only")
        return Keep(what=what, origin=origin if given else "")
    node.fields(needs=("keep", "keep_delta", "keep_every_s"), may=node.value)
    # At least one a day: retention drops whole days, and what was stored last must be known.
    return Keep(
        what=what,
        delta=node.child("keep_delta").number(0),
        every_s=node.child("keep_every_s").number(1, _DAY_S),
        origin=origin,
    )


def _as_read(metric: Metric) -> Reads:
    """A metric as itself, or as the one it reads as."""
    how = metric.reads_as
    return Reads(metric=how.metric, scale=how.scale, offset=how.offset) if how else Reads(metric=metric.id)


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


def _named(node: Node | None, known: Collection[str], what: str) -> Iterable[tuple[str, Node]]:
    """A map whose names must be known ones; nothing where it is left out."""
    for name, item in node.items() if node else ():
        if name not in known:
            raise item.error("domain.unknown", f"is no known {what}{did_you_mean(name, known)}")
        yield name, item


def _param(node: Node, origin: str, source: str) -> Param:
    """A number, ``null`` (absent), or a map with value or place/device/metric and default, and perhaps source."""
    if not isinstance(node.value, Mapping):
        return Param(value=_number_or_absent(node), origin=origin, source=source)
    own = node.get("source")
    source = own.string() if own else source
    of: Literal["", "place", "device", "metric"] = next(
        (word for word in ("place", "device", "metric") if word in node.value),
        "",
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
