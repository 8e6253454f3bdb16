"""A panel as inline SVG: signal, statistic and threshold, and marks for what was true and what was said. Pure.

Signals are thinned to the least and the greatest value of each pixel column, so that a year looks as it would in full.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import numpy as np

from scenarios.panels import Gauge, Panel
from scenarios.scoring import levels, raised_ns
from yiwang.clock import SECOND, to_datetime
from yiwang.columns import F64, I64

WIDTH, LEFT, RIGHT = 1120, 64, 14
SIGNAL_H, GAUGE_H, LANE_H, AXIS_H, GAP = 150, 64, 16, 20, 8
COLUMNS = WIDTH - LEFT - RIGHT
CROWD = 60
"""More findings than this in a panel have no marks of their own, only their lane."""
LOCAL_NS = 8 * 3600 * SECOND
"""Times on pages are those of the centre, UTC+8."""
ROMAN = ("", "I", "II", "III", "IV")
_STEPS_S = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
_STEPS_D = (1, 2, 7, 14, 30, 60, 90, 180, 365)


def both(zh: str, en: str) -> str:
    """An SVG text in both languages; the page shows one."""
    return f'<tspan class="zh">{escape(zh)}</tspan><tspan class="en">{escape(en)}</tspan>'


def local(t_ns: int, form: str) -> str:
    """A moment in the centre's own time."""
    return to_datetime(t_ns + LOCAL_NS).strftime(form)


@dataclass(frozen=True, slots=True)
class Axis:
    """From values to pixels; ``a`` may lie below ``b`` on the screen."""

    lo: float
    hi: float
    a: float
    b: float

    def __call__(self, value: float) -> float:
        """The pixel."""
        return self.a + (value - self.lo) / (self.hi - self.lo) * (self.b - self.a)

    def clipped(self, value: float) -> float:
        """Within the axis."""
        return self(min(max(value, self.lo), self.hi))


def svg(panel: Panel) -> str:
    """One panel, WIDTH wide."""
    x = Axis(panel.begin_ns, max(panel.end_ns, panel.begin_ns + 1), LEFT, WIDTH - RIGHT)
    parts: list[str] = []
    y = 4.0
    parts += _signal(panel, x, y)
    y += SIGNAL_H + GAP
    for gauge in panel.gauges[:2]:
        parts += _gauge(gauge, x, y, panel)
        y += GAUGE_H + GAP
    for name, lane in (
        (("真相", "truth"), _truths(panel, x)),
        (("发现", "findings"), _findings(panel, x)),
        (("事件", "incidents"), _incidents(panel, x)),
    ):
        parts.append(
            f'<text class="lab" x="{LEFT - 8}" y="{y + 12:.0f}" text-anchor="end">{both(*name)}</text>'
        )
        parts.append(f'<rect class="lane" x="{LEFT}" y="{y:.0f}" width="{COLUMNS}" height="{LANE_H}"/>')
        parts.append(f'<g transform="translate(0 {y:.0f})">')
        parts += lane
        parts.append("</g>")
        y += LANE_H + 3
    parts += _time_axis(x, 4.0, y)
    height = y + AXIS_H
    title = escape(f"{panel.name.zh} {panel.metric.zh}")
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{title}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


# ---- signal and statistic ----


def _signal(panel: Panel, x: Axis, top: float) -> Iterator[str]:
    shown = [(d, *_within(t, v, panel)) for d, t, v in panel.lines]
    values = [v for _, _, v in shown if len(v)]
    limits = [limit for _, limit in panel.limits]
    axis = _value_axis(values, limits, top, SIGNAL_H)
    yield from _frame(axis, top, SIGNAL_H)
    for t in panel.truths:
        a, b = x.clipped(t.begin_ns), x.clipped(t.end_ns)
        if b > LEFT and a < WIDTH - RIGHT:
            yield f'<rect class="true" x="{a:.1f}" y="{top}" width="{max(b - a, 1.5):.1f}" height="{SIGNAL_H}"/>'
    for i, (device, t_ns, value) in reversed(list(enumerate(shown))):
        label = f"<title>{escape(device)}</title>"
        if panel.video:
            for t, v in zip(t_ns.tolist(), value.tolist(), strict=True):
                if v > 0:
                    yield f'<line class="sig s{i}" x1="{x(t):.1f}" x2="{x(t):.1f}" y1="{axis(0):.1f}" y2="{axis(v):.1f}">{label}</line>'
        else:
            yield f'<path class="sig s{i}" d="{path(t_ns, value, x, axis)}">{label}</path>'
    labelled: list[tuple[float, float]] = []
    for level, limit in panel.limits:
        if axis.lo <= limit <= axis.hi:
            yy = axis(limit)
            at = WIDTH - RIGHT - 4.0
            while any(abs(yy - other) < 11 and at == x_other for other, x_other in labelled):
                at -= 48  # beside the one that is in the way
            labelled.append((yy, at))
            yield f'<line class="limit c{level}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{yy:.1f}" y2="{yy:.1f}"/>'
            text = f"{ROMAN[level]} {limit:g}".strip()
            yield f'<text class="num t{level}" x="{at:.0f}" y="{yy - 3:.1f}" text-anchor="end">{text}</text>'
    crowded = sum(panel.begin_ns <= f.t_ns <= panel.end_ns for f, _ in panel.findings) > CROWD
    for finding, _ in () if crowded else panel.findings:
        if panel.begin_ns <= finding.t_ns <= panel.end_ns and np.isfinite(finding.value):
            yy = (
                axis.clipped(finding.value)
                if _reads(panel, finding.device, finding.t_ns, finding.value)
                else top + 6
            )
            yield (
                f'<circle class="mark c{finding.level}" cx="{x(finding.t_ns):.1f}" cy="{yy:.1f}" r="3">'
                f"<title>{escape(_said(finding.detector, finding.device, finding.value, finding.limit, finding.t_ns))}</title></circle>"
            )


def _reads(panel: Panel, device: str, t_ns: int, value: float) -> bool:
    """Whether a finding's value is a reading, and not a statistic."""
    for name, times, values in panel.lines:
        if name == device and len(times):
            at = int(np.searchsorted(times, t_ns))
            near = values[max(0, at - 2) : at + 2]
            return bool(np.isclose(near, value).any())
    return False


def _said(detector: str, device: str, value: float, limit: float, t_ns: int) -> str:
    return f"{local(t_ns, '%m-%d %H:%M:%S')} {device} {detector}: {value:.4g} / {limit:.4g}"


def _gauge(gauge: Gauge, x: Axis, top: float, panel: Panel) -> Iterator[str]:
    t_ns, statistic = _within(gauge.t_ns, gauge.statistic, panel)
    _, threshold = _within(gauge.t_ns, gauge.threshold, panel)
    axis = _value_axis([statistic, threshold], [], top, GAUGE_H)
    yield from _frame(axis, top, GAUGE_H, ticks=2)
    yield f'<path class="stat" d="{path(t_ns, statistic, x, axis)}"/>'
    yield f'<path class="thr" d="{path(t_ns, threshold, x, axis)}"/>'
    text = both(f"统计量 {gauge.entry} · {gauge.device}", f"statistic {gauge.entry} · {gauge.device}")
    yield f'<text class="num" x="{LEFT + 6}" y="{top + 12:.0f}">{text}</text>'


def _within(t_ns: I64, value: F64, panel: Panel) -> tuple[I64, F64]:
    """What the panel shows, with one value to each side."""
    a = max(0, int(np.searchsorted(t_ns, panel.begin_ns)) - 1)
    b = int(np.searchsorted(t_ns, panel.end_ns, side="right")) + 1
    inside = (t_ns[a:b] >= panel.begin_ns) & (t_ns[a:b] <= panel.end_ns)
    return t_ns[a:b][inside], value[a:b][inside]


def thinned(t_ns: I64, value: F64, begin: float, end: float, columns: int = COLUMNS) -> tuple[I64, F64]:
    """At most four points a pixel column: first, least, greatest, last, in order of time."""
    if len(t_ns) <= 4 * columns:
        return t_ns, value
    column = ((t_ns - begin) / (end - begin) * columns).astype(np.int64)
    order = np.lexsort((value, column))
    first = np.flatnonzero(np.diff(column, prepend=column[0] - 1))
    last = np.append(first[1:], len(column)) - 1
    keep = np.unique(np.concatenate((first, last, order[first], order[last])))
    return t_ns[keep], value[keep]


def path(t_ns: I64, value: F64, x: Axis, y: Axis) -> str:
    """A line through the readings, broken where nothing was heard for long or a value is missing."""
    if len(t_ns) == 0:
        return ""
    usual = float(np.median(np.diff(t_ns))) if len(t_ns) > 2 else float("inf")
    t_ns, value = thinned(t_ns, value, x.lo, x.hi)
    pixel_ns = (x.hi - x.lo) / COLUMNS
    points: list[str] = []
    pen, before = "M", t_ns[0]
    for t, v in zip(t_ns.tolist(), value.tolist(), strict=True):
        if not np.isfinite(v):
            pen = "M"
            continue
        if t - before > max(6 * usual, 3 * pixel_ns):
            pen = "M"
        points.append(f"{pen}{x(t):.1f} {y.clipped(v):.1f}")
        pen, before = "L", t
    return "".join(points)


# ---- lanes ----


def _truths(panel: Panel, x: Axis) -> Iterator[str]:
    for t in panel.truths:
        first, last = t.extent_ns
        if last >= panel.begin_ns and first <= panel.end_ns:
            yield _bar(x, first, last, "trace", 6, 4, "")
        if t.end_ns >= panel.begin_ns and t.begin_ns <= panel.end_ns:
            style = "may" if t.optional else f"truth c{t.severity}"
            yield _bar(x, t.begin_ns, t.end_ns, style, 2, 12, f"{t.id}: {ROMAN[t.severity]}")
            a, b = x.clipped(t.begin_ns), x.clipped(t.end_ns)
            if b - a > 22:
                yield f'<text class="on" x="{(a + b) / 2:.1f}" y="12" text-anchor="middle">{ROMAN[t.severity]}</text>'


def _findings(panel: Panel, x: Axis) -> Iterator[str]:
    for f, end in panel.findings:
        end_ns = panel.end_ns if end is None else end
        if end_ns >= panel.begin_ns and f.t_ns <= panel.end_ns:
            title = _said(f.detector, f.device, f.value, f.limit, f.t_ns)
            yield _bar(x, f.t_ns, end_ns, f"said c{f.level}", 6, 4, title)


def _incidents(panel: Panel, x: Axis) -> Iterator[str]:
    for incident, judged in panel.incidents:
        end_ns = incident.cleared_ns or incident.closed_ns or panel.end_ns
        closed_ns = incident.closed_ns or panel.end_ns
        if closed_ns < panel.begin_ns or incident.opened_ns > panel.end_ns:
            continue
        raised = raised_ns(incident)
        title = f"{incident.id} {incident.standing} {incident.confidence:.2f}"
        yield _bar(x, incident.opened_ns, min(raised or end_ns, end_ns), "candidate", 3, 10, title)
        yield _bar(x, end_ns, closed_ns, "linger", 7, 2, title)
        if raised is not None:
            steps = [s for s in levels(incident) if s[0] <= end_ns] or [
                (incident.opened_ns, incident.severity)
            ]
            for (a, level), (b, _) in pairwise([*steps, (end_ns, 0)]):
                if b > raised:
                    yield _bar(x, max(a, raised), b, f"incident c{level}", 3, 10, title)
            if panel.begin_ns <= raised <= panel.end_ns:
                yield f'<path class="flag c{incident.peak}" d="M{x(raised):.1f} 0v16"/>'
            if judged is not None and judged.verdict == "false":
                yield (
                    f'<text class="false" x="{min(x.clipped(raised) + 4, WIDTH - RIGHT - 34):.1f}" y="12">'
                    f"{both('误报', 'false')}</text>"
                )


def _bar(x: Axis, begin: int, end: int, style: str, y: int, height: int, title: str) -> str:
    a, b = x.clipped(begin), x.clipped(end)
    inner = f"<title>{escape(title)}</title>" if title else ""
    return f'<rect class="{style}" x="{a:.1f}" y="{y}" width="{max(b - a, 1.5):.1f}" height="{height}">{inner}</rect>'


# ---- axes ----


def _value_axis(values: Sequence[F64], limits: Sequence[float], top: float, height: float) -> Axis:
    every = np.concatenate([*values, np.array([], np.float64)])
    every = every[np.isfinite(every)]
    lo, hi = (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)
    for limit in limits:  # a limit far above all readings would press them flat
        if lo - 1.5 * (hi - lo) <= limit <= hi + 1.5 * (hi - lo) or hi == lo:
            lo, hi = min(lo, limit), max(hi, limit)
    if hi - lo < 1e-9:
        lo, hi = lo - 1, hi + 1
    room = 0.06 * (hi - lo)
    return Axis(lo - (0 if lo == 0 else room), hi + room, top + height, top)


def _frame(axis: Axis, top: float, height: float, *, ticks: int = 4) -> Iterator[str]:
    yield f'<rect class="box" x="{LEFT}" y="{top}" width="{COLUMNS}" height="{height}"/>'
    for value in nice(axis.lo, axis.hi, ticks):
        y = axis(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="num" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'


def nice(lo: float, hi: float, ticks: int) -> list[float]:
    """Round values between two, about so many.

    >>> nice(0.0, 58.0, 4)
    [0.0, 20.0, 40.0]
    """
    rough = (hi - lo) / ticks
    size = 10.0 ** np.floor(np.log10(rough))
    step = float(next(m * size for m in (1, 2, 5, 10) if m * size >= rough))
    first = int(np.ceil(lo / step - 1e-9))
    return [round(k * step, 10) for k in range(first, int(np.floor(hi / step + 1e-9)) + 1)]


def moments(begin: int, end: int) -> tuple[list[int], str]:
    """Round moments of the centre's day between two, at most about ten, and how to write them."""
    whole_s = (end - begin) / SECOND
    for step_s in _STEPS_S:
        if whole_s / step_s <= 10:
            step, form = step_s * SECOND, "%H:%M" if step_s >= 60 else "%H:%M:%S"
            break
    else:
        days = next((d for d in _STEPS_D if whole_s / 86400 / d <= 12), _STEPS_D[-1])
        step, form = days * 86400 * SECOND, "%m-%d" if days < 180 else "%Y-%m"
    first = -(-(begin + LOCAL_NS) // step) * step - LOCAL_NS
    return list(range(first, end + 1, step)), form


def _time_axis(x: Axis, top: float, bottom: float) -> Iterator[str]:
    times, form = moments(int(x.lo), int(x.hi))
    for t in times:
        at = x(t)
        yield f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom:.0f}"/>'
        if LEFT + 24 < at < WIDTH - RIGHT - 20:
            yield f'<text class="num" x="{at:.1f}" y="{bottom + 13:.0f}" text-anchor="middle">{local(t, form)}</text>'
    day = local(int(x.lo), "%Y-%m-%d")
    yield f'<text class="num" x="{LEFT}" y="{bottom + 13:.0f}" text-anchor="middle">{day[5:] if form != "%m-%d" else day[:4]}</text>'
