"""The tables of ``yiwang top``, in Chinese and English, within 80 columns. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from yiwang.commands._city_rows import City, DistrictRow, ProcessRow

Language = Literal["zh-CN", "en"]

# What promises say (design.md, operations.md): beyond the first it is told in yellow, beyond the second in red.
LAG_S = (2.0, 15.0)
P99_S = (0.3, 1.0)
SNAPSHOT_S = (60.0, 300.0)
DEAD_PER_S = (0.001, 10.0)
CPU = (0.8, 0.95)
FULL = (0.5, 0.9)

_TEXT: Mapping[str, tuple[str, str]] = {
    "processes": ("进程", "processes"),
    "districts": ("区", "districts"),
    "run": ("运行", "run"),
    "over": ("速率取自", "rates over"),
    "screen": ("感知到屏幕 p99", "sensor to screen p99"),
    "process": ("进程", "process"),
    "rate": ("读数/秒", "rdgs/s"),
    "lag": ("积压", "lag"),
    "lag_s": ("落后", "behind"),
    "p50": ("p50", "p50"),
    "p99": ("p99", "p99"),
    "snapshot": ("快照龄", "snap"),
    "dead": ("死信/秒", "dead/s"),
    "full": ("队列", "queue"),
    "cpu": ("CPU", "CPU"),
    "rss": ("内存", "RSS"),
    "district": ("区", "no."),
    "worker": ("进程", "worker"),
    "detect": ("p99", "p99"),
    "stored": ("入库积压", "unstored"),
    "persist": ("入库p99", "st p99"),
    "gateway": ("网关p99", "gw p99"),
    "none": ("没有区在运行", "no district is being worked on"),
    "missing": ("无应答", "no answer"),
    "waits": ("等待恢复", "waits for"),
    "limited": ("限速来源", "holds back"),
    "restarts": ("重启次数", "restarts"),
    "gone": ("进程已不在", "the process is gone"),
    "keys": ("Ctrl-C 结束", "Ctrl-C ends"),
}
"""Chinese, English."""

_STYLE = ("", "yellow", "bold red")


def tables(city: City, language: Language, *, live: bool = False) -> RenderableType:
    """Everything: a headline, the processes, what is the matter with them, the districts."""
    t = _Words(language)
    parts: list[RenderableType] = [_headline(city, t, live=live), _processes(city.processes, t)]
    parts += [Text(line, "bold red", overflow="fold") for line in _matters(city.processes, t)]
    parts.append(_districts(city.districts, t) if city.districts else Text(t("none"), "dim"))
    return Group(*parts)


class _Words:
    def __init__(self, language: Language) -> None:
        self._at = 0 if language == "zh-CN" else 1

    def __call__(self, key: str) -> str:
        return _TEXT[key][self._at]


def _headline(city: City, t: _Words, *, live: bool) -> Text:
    parts = [f"{t('run')} {city.run}", f"{t('over')} {city.interval_s:.1f} s"]
    if city.screen_p99_s is not None:
        parts.append(f"{t('screen')} {_time(city.screen_p99_s)}")
    if live:
        parts.append(t("keys"))
    return Text("   ".join(parts), "dim")


def _table(title: str, columns: Sequence[str], first: int) -> Table:
    """``first`` columns stand left, the rest, being figures, right."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1, 0, 0), pad_edge=False
    )
    for n, name in enumerate(columns):
        table.add_column(name, justify="left" if n < first else "right", no_wrap=True, overflow="ellipsis")
    return table


def _processes(rows: Sequence[ProcessRow], t: _Words) -> Table:
    names = ("process", "rate", "lag", "p50", "p99", "snapshot", "dead", "full", "cpu", "rss")
    table = _table(t("processes"), [t(n) for n in names], 1)
    for row in rows:
        if row.reason:
            table.add_row(Text(row.name, "bold red"), *[Text("-", "dim")] * (len(names) - 1))
            continue
        table.add_row(
            Text(row.name, "bold red" if row.away else ""),
            Text(_number(row.readings_per_s)),
            _marked(_number(row.lag_messages), row.lag_s, LAG_S),
            Text(_time(row.p50_s)),
            _marked(_time(row.p99_s), row.p99_s, P99_S),
            _marked(_time(row.snapshot_age_s), row.snapshot_age_s, SNAPSHOT_S),
            _marked(_number(row.dead_per_s), row.dead_per_s, DEAD_PER_S),
            _marked(_percent(row.fullest), row.fullest, FULL),
            _marked(_percent(row.cpu), row.cpu, CPU),
            Text(_bytes(row.rss_bytes)),
        )
    return table


def _matters(rows: Sequence[ProcessRow], t: _Words) -> list[str]:
    """One line a process that needs somebody."""
    out = []
    for row in rows:
        if row.reason:
            reason = t("gone") if row.reason == "gone" else row.reason
            out.append(f"{t('missing')}: {row.name} ({row.address or '-'}): {reason}")
        if row.away:
            out.append(f"{row.name}: {t('waits')} {', '.join(row.away)}")
        if row.limited:
            more = f" +{len(row.limited) - 5}" if len(row.limited) > 5 else ""
            out.append(f"{row.name}: {t('limited')} {', '.join(row.limited[:5])}{more}")
        if row.restarts:
            out.append(f"{row.name}: {t('restarts')} {row.restarts}")
    return out


def _districts(rows: Sequence[DistrictRow], t: _Words) -> Table:
    names = (
        "district",
        "worker",
        "rate",
        "lag",
        "lag_s",
        "p50",
        "detect",
        "stored",
        "persist",
        "gateway",
        "snapshot",
    )
    table = _table(t("districts"), [t(n) for n in names], 2)
    for row in rows:
        table.add_row(
            str(row.district),
            row.worker,
            _number(row.readings_per_s),
            _number(row.lag_messages),
            _marked(_time(row.lag_s), row.lag_s, LAG_S),
            _time(row.detect_p50_s),
            _marked(_time(row.detect_p99_s), row.detect_p99_s, P99_S),
            _number(row.persist_lag_messages),
            _time(row.persist_p99_s),
            _time(row.gateway_p99_s),
            _marked(_time(row.snapshot_age_s), row.snapshot_age_s, SNAPSHOT_S),
        )
    return table


def _marked(text: str, value: float | None, limits: tuple[float, float]) -> Text:
    return Text(text, _STYLE[0 if value is None else sum(value > limit for limit in limits)])


def _number(value: float | None) -> str:
    """Five characters at the most: 7, 0.2, 812, 12.3k, 1.24M."""
    if value is None:
        return "-"
    for limit, divisor, unit in ((1e3, 1.0, ""), (1e6, 1e3, "k"), (1e9, 1e6, "M"), (1e12, 1e9, "G")):
        if abs(value) < limit * 0.9995:
            scaled = value / divisor
            if not unit and (scaled >= 10 or scaled == int(scaled)):
                return f"{scaled:.0f}"
            return f"{scaled:.{2 if scaled < 9.995 and unit else 1 if scaled < 99.95 else 0}f}{unit}"
    return f"{value:.0e}"


def _time(seconds: float | None) -> str:
    """Five characters at the most: 3ms, 0.9ms, 1.25s, 47s, 12m, 3h."""
    if seconds is None:
        return "-"
    if seconds < 0.9995:
        milliseconds = seconds * 1e3
        return f"{milliseconds:.1f}ms" if 0 < milliseconds < 10 else f"{milliseconds:.0f}ms"
    if seconds < 10:
        return f"{seconds:.2f}s"
    if seconds < 120:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}m" if seconds < 7200 else f"{seconds / 3600:.0f}h"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _bytes(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / 2**20:.0f}M" if value < 1000 * 2**20 else f"{value / 2**30:.1f}G"
