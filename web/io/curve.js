// The curve of one series around an incident: history from the gateway, then what comes in live.
import { clock, hourMinute, msOf, number } from "../lib/format.js";
import { level } from "../lib/severity.js";
import { getJson } from "./http.js";

/** @typedef {import("../lib/types.js").ValueRow} ValueRow */
/**
 * @typedef {object} Wish
 * @property {string} key what is shown; another key loads anew
 * @property {number} district
 * @property {number} series
 * @property {number} fromMs event time
 * @property {number} toMs
 * @property {readonly { value: number, level: number, text: string }[]} limits
 * @property {readonly { ms: number, text: string }[]} marks
 */
/** @typedef {{ state: "loading" | "ready" | "empty" | "failed", error: string, last: { value: number, t_ms: number } | null }} Report */

const POINTS = 600;
const KEPT = 4000;
const FONT_PX = 12;

const token = (/** @type {string} */ name) => getComputedStyle(document.body).getPropertyValue(name).trim();

export class Curve {
  /** @type {import("./uplot.js").default | null} */ #plot = null;
  /** @type {number[]} */ #t = [];
  /** @type {(number | null)[]} */ #v = [];
  /** @type {Wish | null} */ #wish = null;
  /** @type {AbortController | null} */ #loading = null;
  #drawn = "";

  /**
   * @param {HTMLElement} box
   * @param {(report: Report) => void} report
   */
  constructor(box, report) {
    this.box = box;
    this.report = report;
    new ResizeObserver(() => this.#size()).observe(box);
  }

  /** @param {Wish | null} wish */
  async show(wish) {
    const same = wish && this.#wish && wish.key === this.#wish.key;
    this.#wish = wish;
    if (!wish) {
      this.#loading?.abort();
      this.#t = [];
      this.#v = [];
      this.#drop();
      return;
    }
    if (same) {
      this.#draw();
      return;
    }
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    this.#t = [];
    this.#v = [];
    this.#drop();
    this.report({ state: "loading", error: "", last: null });
    const { district, series, fromMs, toMs } = wish;
    const query = `district=${district}&series=${series}&from_ms=${Math.floor(fromMs)}&to_ms=${Math.ceil(toMs)}&points=${POINTS}`;
    try {
      /** @type {{ t_ms: number[], value: (number | null)[] }} */
      const got = await getJson(`/api/readings?${query}`, loading.signal);
      if (this.#loading !== loading) return;
      const live = this.#t.map((t, i) => /** @type {const} */ ([t, this.#v[i] ?? null]));
      this.#t = got.t_ms.map((t) => t / 1000);
      this.#v = [...got.value];
      for (const [t, v] of live) this.#push(t, v);
      this.#draw();
      this.#tell();
    } catch (error) {
      if (loading.signal.aborted) return;
      this.report({ state: "failed", error: String(/** @type {Error} */ (error).message), last: null });
      this.#draw();
    }
  }

  /** Live values. @param {readonly ValueRow[]} rows */
  take(rows) {
    const wish = this.#wish;
    if (!wish) return;
    let news = false;
    for (const [district, series, t_ms, value] of rows) {
      if (district !== wish.district || series !== wish.series) continue;
      news = this.#push(t_ms / 1000, value) || news;
    }
    if (!news) return;
    this.#draw();
    this.#tell();
  }

  /** Colours have changed. */
  redress() {
    this.#drop();
    this.#draw();
  }

  /** @param {number} t s @param {number | null} v */
  #push(t, v) {
    const last = this.#t.at(-1);
    if (last !== undefined && t <= last) return false;
    this.#t.push(t);
    this.#v.push(v);
    if (this.#t.length > KEPT) {
      this.#t.splice(0, KEPT / 4);
      this.#v.splice(0, KEPT / 4);
    }
    return true;
  }

  #tell() {
    const i = this.#v.findLastIndex((v) => v !== null);
    const value = this.#v[i];
    const t = this.#t[i];
    if (value === undefined || value === null || t === undefined) this.report({ state: "empty", error: "", last: null });
    else this.report({ state: "ready", error: "", last: { value, t_ms: t * 1000 } });
  }

  #drop() {
    this.#plot?.destroy();
    this.#plot = null;
  }

  #size() {
    if (this.#plot && this.box.clientWidth && this.box.clientHeight)
      this.#plot.setSize({ width: this.box.clientWidth, height: this.box.clientHeight });
  }

  async #draw() {
    const wish = this.#wish;
    if (!wish || this.#t.length === 0 || !this.box.clientWidth) return;
    const drawn = `${wish.key}|${JSON.stringify(wish.limits)}|${JSON.stringify(wish.marks)}`;
    if (this.#plot && this.#drawn !== drawn) this.#drop();
    /** @type {import("uplot").AlignedData} */
    const data = [this.#t, this.#v];
    if (this.#plot) {
      this.#plot.setData(data);
      return;
    }
    const { default: UPlot } = await import("./uplot.js");
    if (this.#wish !== wish || this.#plot) return;
    this.#drawn = drawn;
    this.#plot = new UPlot(this.#options(wish), data, this.box);
  }

  /** @param {Wish} wish @returns {import("uplot").Options} */
  #options(wish) {
    const grid = { stroke: token("--line"), width: 1 };
    const font = `${FONT_PX}px ${token("--mono")}`;
    const axis = { stroke: token("--muted"), font, ticks: { show: false } };
    return {
      width: this.box.clientWidth,
      height: this.box.clientHeight,
      padding: [12, 12, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: true, size: 8 }, drag: { x: false, y: false } },
      scales: {
        x: { time: true, range: () => this.#span(wish) },
        y: {
          range: (_u, low, high) => {
            const near = wish.limits.map((l) => l.value).filter((v) => v <= (high || 1) * 2.5 || v === Math.min(...wish.limits.map((l) => l.value)));
            const top = Math.max(high ?? 0, ...near);
            const bottom = Math.min(0, low ?? 0);
            return [bottom, top + (top - bottom) * 0.12 || 1];
          },
        },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 26, values: (_u, splits) => splits.map((s) => hourMinute(s * 1000)), space: 70 },
        { ...axis, grid, size: 46, values: (_u, splits) => splits.map(number), space: 34 },
      ],
      series: [{}, { stroke: token("--text"), width: 2, points: { show: this.#t.length < 40, size: 5, fill: token("--text") }, spanGaps: false }],
      hooks: {
        draw: [(u) => this.#lines(u, wish)],
        setCursor: [(u) => this.#read(u)],
      },
    };
  }

  /** The time shown, s; its end goes on with event time and with what comes in. @param {Wish} first @returns {[number, number]} */
  #span(first) {
    const { fromMs, toMs } = this.#wish ?? first;
    return [fromMs / 1000, Math.max(toMs / 1000, this.#t.at(-1) ?? 0)];
  }

  /** Limits with colour and word, and what happened when. @param {import("./uplot.js").default} u @param {Wish} wish */
  #lines(u, wish) {
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top - 12 * ratio, bbox.width + 12 * ratio, bbox.height + 12 * ratio);
    ctx.clip();
    ctx.font = `600 ${FONT_PX * ratio}px ${token("--font")}`;
    ctx.lineWidth = ratio;
    for (const m of wish.marks) {
      const x = u.valToPos(m.ms / 1000, "x", true);
      ctx.strokeStyle = token("--edge");
      ctx.setLineDash([]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.fillStyle = token("--muted");
      ctx.textAlign = "left";
      ctx.fillText(m.text, x + 4 * ratio, bbox.top + FONT_PX * ratio);
    }
    for (const l of wish.limits) {
      const y = u.valToPos(l.value, "y", true);
      const hue = token(`--s-${level(l.level)}`);
      ctx.strokeStyle = hue;
      ctx.setLineDash([5 * ratio, 4 * ratio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.textAlign = "left";
      const x = bbox.left + 4 * ratio;
      ctx.lineWidth = 4 * ratio;
      ctx.strokeStyle = token("--panel");
      ctx.strokeText(l.text, x, y - 6 * ratio);
      ctx.lineWidth = ratio;
      ctx.fillStyle = hue;
      ctx.fillText(l.text, x, y - 6 * ratio);
    }
    ctx.restore();
  }

  /** The reading under the pointer. @param {import("./uplot.js").default} u */
  #read(u) {
    const i = u.cursor.idx;
    const value = i === null || i === undefined ? null : this.#v[i];
    const t = i === null || i === undefined ? undefined : this.#t[i];
    this.box.title = value === null || value === undefined || t === undefined ? "" : `${clock(t * 1000)}  ${number(value)}`;
  }
}

/**
 * The time around an incident: a quarter of an hour before it, up to now or a while after its end.
 * @param {import("../lib/messages.js").Incident} i
 * @param {number} eventMs
 */
export function around(i, eventMs) {
  const fromMs = msOf(i.opened_ns) - 15 * 60_000;
  const end = i.closed_ns ? msOf(i.closed_ns) + 5 * 60_000 : eventMs;
  return { fromMs, toMs: Math.max(Math.min(end, eventMs), msOf(i.opened_ns) + 60_000) };
}
