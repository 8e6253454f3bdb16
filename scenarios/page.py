"""The report of a scored scenario: one HTML file with everything in it, in Chinese and English, for any browser."""

from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files

from scenarios import alarms, figures
from scenarios.directly import Played
from scenarios.figures import Tally
from scenarios.model import Scenario
from scenarios.panels import Panel, panels
from scenarios.plots import ROMAN, local, svg
from scenarios.scorecard import OURS, Card
from scenarios.scoretables import ALARMS, COLUMNS, cell, share, telling
from scenarios.scoring import Judged, Verdict
from scenarios.traces import Traces
from yiwang.clock import SECOND
from yiwang.domains import Domains, compile_rules
from yiwang.model import Incident

Pair = tuple[str, str]
"""Chinese, English."""

MANY = 40
"""Longer tables are folded."""
SYSTEMS: dict[str, Pair] = {
    "ours": ("本系统", "ours"),
    "never": ("从不报", "never"),
    "always": ("总是报", "always"),
    "threshold": ("固定阈值", "threshold"),
    "gaussian": ("滑窗高斯", "gaussian"),
}
FIGURES: dict[str, str] = {
    "truths": "应报",
    "found": "报出",
    "recall": "查全率",
    "precision": "查准率",
    "false": "误报",
    "false_per_day": "误报/日",
    "false_per_operator_hour": "误报/席·时",
    "delay_median_s": "时延中位 s",
    "delay_p90_s": "时延 P90 s",
    "splits": "拆分",
    "merges": "误并",
    "level_errors": "级别错误",
    "brier": "Brier",
}
ALARM_NAMES: dict[str, str] = {
    "annunciations": "提示次数",
    "per_10_min": "每席每 10 分钟平均提示",
    "most_in_10_min": "任意 10 分钟内最多提示",
    "periods_over_10": "超过 10 次的 10 分钟时段占比",
    "flood_share": "处于报警洪水的时间占比",
    "chattering": "抖动事件",
    "stale": "持续超过 24 小时的事件",
    "top_10_share": "前 10 个来源占比",
    "priority_low": "低优先级 (IV) 占比",
    "priority_medium": "中优先级 (III) 占比",
    "priority_high": "高优先级 (II) 占比",
    "priority_critical": "最高优先级 (I) 占比",
    "findings_per_incident": "发现数 : 事件数",
    "findings_per_annunciation": "发现数 : 提示数",
}
STANDING: dict[str, Pair] = {
    "candidate": ("待确认", "candidate"),
    "confirmed": ("已确认", "confirmed"),
    "corroborated": ("多源印证", "corroborated"),
    "verified": ("人工核实", "verified"),
}
VERDICTS: dict[str, Pair] = {
    "right": ("正确", "right"),
    "false": ("误报", "false"),
    "optional": ("可报可不报", "optional"),
    "merged": ("已并入", "merged"),
}


def t(zh: str, en: str) -> str:
    """A text in both languages; the page shows one."""
    return f'<span class="zh" lang="zh-CN">{escape(zh)}</span><span class="en" lang="en">{escape(en)}</span>'


def page(scenario: Scenario, card: Card, played: Played, traces: Traces | None = None) -> str:
    """The whole report of one scenario."""
    domains = compile_rules(scenario.rules)
    title = t(card.title_zh, card.title_en or card.title_zh)
    when = f"{local(scenario.start_ns, '%Y-%m-%d %H:%M')} – {local(scenario.end_ns, '%Y-%m-%d %H:%M')} UTC+8"
    facts = (
        f"<p class='facts'>{escape(card.name)} · {when} · "
        + t(
            f"{card.hours:.1f} 小时 · {card.sensors} 台设备 · {card.readings:,} 条读数 · 规则版本 {card.rules}",
            f"{card.hours:.1f} h · {card.sensors} devices · {card.readings:,} readings · rules {card.rules}",
        )
        + "</p>"
    )
    parts = [
        f"<header><div><h1>{title}</h1>{facts}</div>{_switch()}</header>",
        "<main>",
        _verdict(card),
        _troubles(card),
        _section(t("与基线对比", "Beside the baselines"), _by_system(card)),
        _section(
            t("信号与判定", "Signals and what was said"),
            _legend() + _plots(panels(scenario, card.score, played, traces), domains),
        ),
        _section(t("应报的每一件", "What had to be raised"), _verdicts(card.score.verdicts, domains)),
        _section(
            t("报出的每一件", "What was raised"), _incidents(played.incidents, card.score.incidents, domains)
        ),
        _section(
            t("置信度校准", "Calibration"), _calibration(Tally.total(s[OURS] for s in card.domains.values()))
        ),
        _section(t("报警管理（每席）", "Alarm management, per seat"), _alarms(card)),
        "</main>",
    ]
    return _document(f"{card.title_zh} · {card.title_en}", "".join(parts))


def index(cards: Sequence[Card]) -> str:
    """A page that leads to the reports of a folder."""
    head = _row(
        "th",
        [
            t("场景", "scenario"),
            t("应报", "expected"),
            t("报出", "found"),
            t("漏报", "missed"),
            t("误报", "false"),
            t("拆分", "split"),
            t("误并", "merged"),
            t("迟报", "late"),
            t("10 分钟最多提示", "most in 10 min"),
            t("读数", "readings"),
            t("小时", "hours"),
            t("全部符合", "met"),
        ],
    )
    rows = []
    for card in cards:
        s = card.score.summary()
        rows.append(
            _row(
                "td",
                [
                    f'<a href="{escape(card.name)}.html">{t(card.title_zh, card.title_en or card.title_zh)}</a><small>{escape(card.name)}</small>',
                    *(
                        _n(s[k], bad=k in ("missed", "false", "split", "merged", "late"))
                        for k in ("expected", "found", "missed", "false", "split", "merged", "late")
                    ),
                    _n(card.alarms.most),
                    f"{card.readings:,}",
                    f"{card.hours:.1f}",
                    t("是", "yes") if card.score.met else f"<b>{t('否', 'no')}</b>",
                ],
            )
        )
    body = (
        f"<header><div><h1>{t('评分报告', 'Scoring report')}</h1><p class='facts'>"
        + t(f"{len(cards)} 个场景", f"{len(cards)} scenarios")
        + f"</p></div>{_switch()}</header><main>{_section('', _table(head, rows))}</main>"
    )
    return _document("评分报告 · Scoring report", body)


# ---- sections ----


def _verdict(card: Card) -> str:
    s = card.score.summary()
    whole = Tally.total(systems[OURS] for systems in card.domains.values())
    f = figures.figures(whole)
    tiles: list[tuple[str, str, str]] = [
        (t("查全率", "recall"), cell(f["recall"], _share), f"{s['found']} / {s['expected']}"),
        (
            t("查准率", "precision"),
            cell(f["precision"], _share),
            t(f"误报 {s['false']}", f"{s['false']} false"),
        ),
        (
            t("发现时延中位", "median time to detect"),
            cell(f["delay_median_s"], _seconds),
            t(f"P90 {cell(f['delay_p90_s'], _seconds)}", f"p90 {cell(f['delay_p90_s'], _seconds)}"),
        ),
        (
            t("拆分 / 误并", "splits / merges"),
            f"{s['split']} / {s['merged']}",
            t(f"迟报 {s['late']}", f"{s['late']} late"),
        ),
        (t("级别错误", "level errors"), cell(f["level_errors"], _share), ""),
        (
            t("发现 → 事件 → 提示", "findings → incidents → annunciations"),
            f"{card.alarms.findings} → {card.alarms.incidents} → {card.alarms.annunciations}",
            t(f"任意 10 分钟最多 {card.alarms.most} 次", f"at most {card.alarms.most} in any 10 min"),
        ),
    ]
    state = (
        t("全部符合真相", "the truth is met") if card.score.met else t("与真相不符", "the truth is not met")
    )
    mark = "met" if card.score.met else "unmet"
    return (
        f'<p class="state {mark}">{state}</p><div class="tiles">'
        + "".join(
            f'<div class="tile"><div class="name">{name}</div><div class="value">{value}</div><div class="note">{note}</div></div>'
            for name, value, note in tiles
        )
        + "</div>"
    )


def _troubles(card: Card) -> str:
    if not card.troubles:
        return ""
    items = "".join(f"<li><code>{escape(code)}</code> × {n}</li>" for code, n in card.troubles.items())
    return _section(t("运行中的问题", "Troubles on the way"), f"<ul>{items}</ul>")


def _by_system(card: Card) -> str:
    head = _row(
        "th", [t("领域", "domain"), t("系统", "system"), *(t(FIGURES[k], title) for k, title, _ in COLUMNS)]
    )
    rows = []
    for domain, systems in card.domains.items():
        if not telling(one.truths + one.raised for one in systems.values()):
            continue
        for name, one in systems.items():
            values = figures.figures(one)
            if name != OURS:
                values["level_errors"] = None
            rows.append(
                _row(
                    "td",
                    [
                        escape(domain) if name == OURS else "",
                        t(*SYSTEMS.get(name, (name, name))),
                        *(cell(values[k], form) for k, _, form in COLUMNS),
                    ],
                    style="ours" if name == OURS else "",
                )
            )
    return _table(head, rows, names=2)


def _plots(shown: Sequence[Panel], domains: Domains) -> str:
    if not shown:
        return f"<p>{t('没有可画的信号', 'nothing to plot')}</p>"
    found = []
    for panel in shown:
        names = ", ".join(escape(d) for d, _, _ in panel.lines)
        kinds = {x.kind for x in panel.truths} | {i.kind for i, _ in panel.incidents}
        what = " ".join(t(k.name.zh, k.name.en) for i in sorted(kinds) if (k := domains.kinds.get(i)))
        near = f" · {t('放大', 'from near')}" if panel.near else ""
        found.append(
            f'<figure class="{"near" if panel.near else ""}"><figcaption><b>{t(panel.name.zh, panel.name.en or panel.name.zh)}</b>'
            f" {t(panel.metric.zh, panel.metric.en)}{f' [{escape(panel.unit)}]' if panel.unit else ''}{near} <span class='what'>{what}</span><small>{names}</small></figcaption>{svg(panel)}</figure>"
        )
    return "".join(found)


def _legend() -> str:
    levels = "".join(f'<span><i class="box c{n}"></i>{ROMAN[n]}</span>' for n in (1, 2, 3, 4))
    return (
        f'<p class="legend">{levels}'
        f'<span><i class="band"></i>{t("真相成立的时段", "the truth holds")}</span>'
        f'<span><i class="dash"></i>{t("限值", "limit")}</span>'
        f'<span><i class="dot"></i>{t("发现", "finding")}</span>'
        f'<span><i class="cand"></i>{t("待确认", "candidate")}</span>'
        f'<span><i class="bar"></i>{t("事件（竖线为确认时刻）", "incident; its upright line is the confirmation")}</span>'
        f'<span><i class="tail"></i>{t("证据已消失，尚未关闭", "evidence over, not yet closed")}</span></p>'
    )


def _verdicts(verdicts: Sequence[Verdict], domains: Domains) -> str:
    if not verdicts:
        return f"<p>{t('没有应报的：凡报出即误报', 'nothing: whatever is raised is false')}</p>"
    head = _row(
        "th",
        [
            t("开始", "begin"),
            t("类别", "kind"),
            t("地点", "place"),
            t("应报级别", "level"),
            t("结果", "result"),
            t("报出级别", "raised level"),
            t("时延 s", "delay s"),
            t("各级时延 s", "levels late s"),
            t("只关闭一次", "closed once"),
        ],
    )
    rows = []
    for v in sorted(verdicts, key=lambda v: (len(v.incidents) == 1 and v.on_time, v.begin_ns)):
        kind = domains.kinds.get(v.kind)
        result = (
            t("漏报", "missed")
            if not v.incidents
            else t("报出", "found")
            if len(v.incidents) == 1
            else t(f"拆成 {len(v.incidents)}", f"split in {len(v.incidents)}")
        )
        good = len(v.incidents) == 1
        rows.append(
            _row(
                "td",
                [
                    local(v.begin_ns, "%m-%d %H:%M:%S"),
                    t(kind.name.zh, kind.name.en) if kind else escape(v.kind),
                    escape(v.place),
                    _level(v.severity),
                    result if good else f"<b>{result}</b>",
                    _level(v.peak) if v.incidents else "",
                    ""
                    if v.delay_s is None
                    else f"{v.delay_s:.0f}"
                    if v.on_time
                    else f"<b>{v.delay_s:.0f}</b>",
                    " ".join("–" if s is None else f"{s:.0f}" for s in v.level_delays_s.values()),
                    "" if not v.incidents else t("是", "yes") if v.closed_once else f"<b>{t('否', 'no')}</b>",
                ],
            )
        )
    return _table(head, rows, names=3)


def _incidents(incidents: Sequence[Incident], judged: Sequence[Judged], domains: Domains) -> str:
    if not incidents:
        return f"<p>{t('没有报出任何事件', 'nothing was raised')}</p>"
    worth = {j.id: j for j in judged}
    order = {"false": 0, "right": 1, "optional": 2, "merged": 3}
    head = _row(
        "th",
        [
            t("发生", "opened"),
            t("确认", "confirmed"),
            t("类别", "kind"),
            t("地点", "place"),
            t("最高级别", "peak"),
            t("置信度", "confidence"),
            t("状态", "standing"),
            t("证据", "evidence"),
            t("历时 min", "lasted min"),
            t("判定", "verdict"),
        ],
    )
    rows = []

    def rank(i: Incident) -> tuple[bool, int, int]:
        j = worth.get(i.id)
        return i.confirmed_ns is None, order[j.verdict if j else "merged"], i.opened_ns

    shown = sorted(incidents, key=rank)
    for i in shown[:300]:
        j = worth.get(i.id)
        kind = domains.kinds.get(i.kind)
        end = i.cleared_ns or i.closed_ns
        verdict = t(*VERDICTS[j.verdict if j else "merged"])
        wrong = j is not None and j.verdict == "false" and j.raised_ns is not None
        rows.append(
            _row(
                "td",
                [
                    local(i.opened_ns, "%m-%d %H:%M:%S"),
                    "" if i.confirmed_ns is None else local(i.confirmed_ns, "%H:%M:%S"),
                    t(kind.name.zh, kind.name.en) if kind else escape(i.kind),
                    t(i.place_name_zh, i.place_name_en or i.place_name_zh)
                    + f"<small>{escape(i.place)}</small>",
                    _level(i.peak),
                    f"{j.confidence if j else i.confidence:.2f}",
                    t(*STANDING[i.standing]),
                    str(len(i.evidence)),
                    "" if end is None else f"{(end - i.opened_ns) / SECOND / 60:.0f}",
                    f"<b>{verdict}</b>" if wrong else verdict,
                ],
            )
        )
    more = len(shown) - 300
    note = f"<p>{t(f'另有 {more} 件未列出', f'{more} more are not listed')}</p>" if more > 0 else ""
    return _table(head, rows, names=4) + note


def _calibration(whole: Tally) -> str:
    """A reliability diagram: the nearer to the diagonal the better; the circles' area is the number of incidents."""
    if not whole.sure:
        return f"<p>{t('没有事件', 'no incident')}</p>"
    size, left = 240, 34
    marks = []
    for _, _, n, mean, right in figures.bins(whole.sure):
        if mean is not None and right is not None:
            radius = min(4 + 2 * n**0.5, 16)
            marks.append(
                f'<circle class="cal" cx="{left + mean * size:.0f}" cy="{10 + size - right * size:.0f}" r="{radius:.1f}"><title>{n}: {mean:.2f} → {right:.2f}</title></circle>'
            )
    grid = "".join(
        f'<line class="grid" x1="{left}" x2="{left + size}" y1="{10 + size * k / 4}" y2="{10 + size * k / 4}"/>'
        f'<line class="grid" y1="10" y2="{10 + size}" x1="{left + size * k / 4}" x2="{left + size * k / 4}"/>'
        f'<text class="num" x="{left - 6}" y="{14 + size - size * k / 4}" text-anchor="end">{k / 4:g}</text>'
        f'<text class="num" x="{left + size * k / 4}" y="{size + 26}" text-anchor="middle">{k / 4:g}</text>'
        for k in range(5)
    )
    f = figures.figures(whole)
    picture = (
        f'<svg class="square" viewBox="0 0 {size + 60} {size + 34}" role="img" aria-label="calibration">{grid}'
        f'<line class="diagonal" x1="{left}" y1="{10 + size}" x2="{left + size}" y2="10"/>{"".join(marks)}</svg>'
    )
    words = t(
        f"横轴：给出的置信度；纵轴：其中属实的比例。{len(whole.sure)} 件（含待确认），Brier {cell(f['brier'], share)}，校准误差 {cell(f['calibration_error'], share)}。",
        f"Across: the confidence that was stated; up: the share that was true. {len(whole.sure)} incidents, candidates too; Brier {cell(f['brier'], share)}, calibration error {cell(f['calibration_error'], share)}.",
    )
    return f'<div class="beside">{picture}<p>{words}</p></div>'


def _alarms(card: Card) -> str:
    values = alarms.figures(card.alarms)
    head = _row("th", [t("指标", "figure"), t("值", "value"), t("目标", "goal")])
    rows = [
        _row("td", [t(ALARM_NAMES[k], title), cell(values[k], form), escape(goal)])
        for k, title, form, goal in ALARMS
    ]
    return _table(head, rows)


# ---- pieces ----


def _share(v: float) -> str:
    return f"{v * 100:.0f} %" if v in (0, 1) else f"{v * 100:.1f} %"


def _seconds(v: float) -> str:
    return f"{v:.1f} s" if v < 10 else f"{v:.0f} s" if v < 600 else f"{v / 60:.0f} min"


def _n(value: int, *, bad: bool = False) -> str:
    return f"<b>{value}</b>" if bad and value else str(value)


def _level(n: int) -> str:
    return f'<span class="lv l{n}">{ROMAN[n]}</span>' if 1 <= n <= 4 else "–"


def _row(tag: str, cells: Iterable[str], style: str = "") -> str:
    return f'<tr class="{style}">' + "".join(f"<{tag}>{c}</{tag}>" for c in cells) + "</tr>"


def _table(head: str, rows: Sequence[str], names: int = 1) -> str:
    table = f'<div class="wide"><table class="n{names}"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'
    if len(rows) <= MANY:
        return table
    return f"<details><summary>{t(f'{len(rows)} 行', f'{len(rows)} rows')}</summary>{table}</details>"


def _section(title: str, body: str) -> str:
    return f"<section>{f'<h2>{title}</h2>' if title else ''}{body}</section>"


def _switch() -> str:
    return '<button id="language" type="button"><span class="zh">English</span><span class="en">中文</span></button>'


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="zh-CN" data-show="zh"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{_asset('report.css')}</style></head>"
        f"<body>{body}<script>{_asset('report.js')}</script></body></html>"
    )


@cache
def _asset(name: str) -> str:
    return files("scenarios").joinpath(name).read_text("utf-8")
