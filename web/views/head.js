// Top and bottom of the console: who and where we are, how bad it is, how fresh what we see is, the time.
import { html, nothing, svg } from "../lit.js";
import { age, clock, day, hourMinute, msOf } from "../lib/format.js";
import { counts, shownLevel, unacked, worst } from "../lib/alerts.js";
import { SHAPES } from "../lib/severity.js";
import { districtName, kindName, levelName, placeName } from "../lib/words.js";
import { shape } from "./mark.js";

/** @typedef {import("./model.js").ConsoleModel} Model */
/** @typedef {import("./model.js").ConsoleActs} Acts */

/** @param {Model} m @param {Acts} act */
export function head(m, act) {
  const { t, name } = m.book.tongue;
  const own = m.post?.district ?? -1;
  return html`
    <h1>${t("app.name")}<span class="dot">·</span>${own >= 0 ? t("app.district", { district: districtName(m.book, own) }) : t("app.city")}</h1>
    <button class="btn quiet" @click=${() => act.openDialog({ type: "post" })} title=${t("post.change")}>
      ${m.post ? name(m.post.name) : t("post.none")}
    </button>
    ${footing(m)} ${run(m)}
    <span class="grow"></span>
    ${freshness(m)}
    <span class="kv" title=${t("latency.title")}>
      ${t("latency")} <b class="num" id="p50">${ms(m.latency.p50)}</b><span>p99</span><b class="num" id="p99">${ms(m.latency.p99)}</b>ms
    </span>
    ${sound(m, act)}
    <button class="btn quiet" @click=${act.theme} title=${t("theme.title")} id="theme">${t(m.theme === "dark" ? "theme.light" : "theme.dark")}</button>
    <button class="btn quiet" id="language" @click=${act.language} lang=${m.book.tongue.lang === "en" ? "zh-CN" : "en"}>${t("language.other")}</button>
    <span class="time" title=${t("time.title", { server: clock(m.now.server_ms) })}>
      <b class="num">${clock(m.now.event_ms)}</b>
      <span class="num">${day(m.now.event_ms)}</span>
    </span>
  `;
}

/** @param {number | null} v */
const ms = (v) => (v === null ? "–" : String(Math.round(v)));

/** How bad the day is, from the worst that is open. @param {Model} m */
function footing(m) {
  const { t } = m.book.tongue;
  const own = m.post?.district ?? -1;
  const open = [...m.world.incidents.values()].filter((i) => own < 0 || i.district === own);
  const top = worst(open);
  if (!top) return html`<span class="footing calm">${m.world.ready ? t("footing.calm") : t("loading")}</span>`;
  const l = shownLevel(top);
  return html`<span class="footing s-${l}">
    ${shape(l, "small")} ${t(l <= 2 ? "footing.war" : "footing.watch")}<span class="dot">·</span>${levelName(m.book, l)}<span class="dot">·</span>${t("footing.since", { at: hourMinute(msOf(top.opened_ns)) })}
  </span>`;
}

/** @param {Model} m */
function run(m) {
  const { t } = m.book.tongue;
  const s = m.book.session;
  if (s.kind === "live") return nothing;
  const speed = s.speed === 0 ? t("run.max") : s.speed === 1 ? "" : `×${s.speed}`;
  return html`<span class="runkind ${s.kind}">${t(`run.${s.kind}`)} ${speed}</span>`;
}

/** @param {Model} m */
function freshness(m) {
  const { t } = m.book.tongue;
  if (m.link.phase === "live") {
    const fed = m.services.fed_ms;
    const old = fed === null ? null : Math.max(0, m.now.server_ms - fed);
    return html`<span class="kv" id="link" data-phase="live">
      ${t("link.live")} ${old === null ? nothing : html`<span>${t("link.data", { age: age(t, old) })}</span>`}
    </span>`;
  }
  if (!m.post) return nothing;
  return html`<span class="kv off" id="link" data-phase=${m.link.phase}>${t(`link.${m.link.phase}`)}</span>`;
}

/** @param {Model} m @param {Acts} act */
function sound(m, act) {
  const { t } = m.book.tongue;
  if (!m.sound.awake) return html`<button class="btn" id="shift" @click=${act.startSound}>${t("sound.start")}</button>`;
  return html`<span class="kv sound">
    ${m.sound.ringing ? html`<button class="btn strong" @click=${act.silence}>${t("sound.silence")} <kbd>s</kbd></button>` : nothing}
    <button class="btn quiet" aria-pressed=${!m.sound.muted} @click=${act.mute}>${t(m.sound.muted ? "sound.off" : "sound.on")}</button>
    <input
      type="range"
      min="10"
      max="100"
      step="10"
      aria-label=${t("sound.volume")}
      .value=${String(Math.round(m.sound.volume * 100))}
      @change=${(/** @type {Event} */ e) => act.volume(Number(/** @type {HTMLInputElement} */ (e.target).value) / 100)}
    />
  </span>`;
}

/** Lines under the head that cannot be overlooked. @param {Model} m @param {Acts} act */
export function banners(m, act) {
  const { t } = m.book.tongue;
  const own = m.post?.district ?? -1;
  const top = [...m.world.incidents.values()]
    .filter((i) => i.state === "open" && shownLevel(i) === 1 && unacked(i) && (own < 0 || i.district === own))
    .sort((a, b) => b.opened_ns - a.opened_ns);
  const first = top[0];
  return html`
    ${m.link.phase === "lost"
      ? html`<div class="banner off" id="lost">
          <b>${t("lost", { at: clock(m.link.since_ms) })}</b> <span>${m.link.refused ? t("lost.refused", { why: m.link.refused.message }) : t("lost.more")}</span>
          <button class="btn" @click=${act.retry}>${t("retry")}</button>
        </div>`
      : nothing}
    ${m.link.phase === "live" && !m.services.kafka ? html`<div class="banner off"><b>${t("services.kafka")}</b></div>` : nothing}
    ${m.link.phase === "live" && !m.services.database ? html`<div class="banner off"><b>${t("services.database")}</b></div>` : nothing}
    ${Math.abs(m.now.offset_ms) > 2000
      ? html`<div class="banner off"><span>${t("offset", { s: (m.now.offset_ms / 1000).toFixed(1) })}</span></div>`
      : nothing}
    ${m.sound.awake && m.sound.muted ? html`<div class="banner off"><b>${t("sound.muted")}</b> <button class="btn" @click=${act.mute}>${t("sound.unmute")}</button></div>` : nothing}
    ${first
      ? html`<div class="banner top s-1" id="topmost">
          ${shape(1, "small")} <b>${levelName(m.book, 1)}</b>
          <span>${kindName(m.book, first.kind)}<span class="dot">·</span>${placeName(m.book, first)}</span>
          <span class="num">${clock(msOf(first.opened_ns))}</span>
          ${top.length > 1 ? html`<span>${t("banner.more", { n: top.length - 1 })}</span>` : nothing}
          <span class="grow"></span>
          <button class="btn onfill" @click=${() => act.choose(first.id)}>${t("banner.show")}</button>
          ${m.post && m.canAct
            ? html`<button class="btn onfill" @click=${() => act.acknowledge(first.id)}>${t("act.acknowledge")}</button>`
            : nothing}
        </div>`
      : nothing}
  `;
}

const SPAN_MS = 3_600_000;

/** The last hour at a glance, and the keys. @param {Model} m @param {Acts} act */
export function foot(m, act) {
  const { t } = m.book.tongue;
  const end = m.now.event_ms;
  const x = (/** @type {number} */ at) => Math.max(0, Math.min(100, ((at - end + SPAN_MS) / SPAN_MS) * 100));
  const shown = [...m.world.incidents.values()]
    .filter((i) => (i.closed_ns ? msOf(i.closed_ns) : end) > end - SPAN_MS)
    .sort((a, b) => b.severity - a.severity)
    .slice(0, 200);
  const n = counts(m.world, -1);
  return html`
    <span class="muted">${t("timeline.title")}</span>
    <svg class="timeline" role="img" aria-label=${t("timeline.label", { n: n.active })}>
      ${svg`<line x1="0" x2="100%" y1="25" y2="25" class="axis" />`}
      ${[0, 15, 30, 45].map((ago) => svg`<line x1=${`${x(end - ago * 60_000)}%`} x2=${`${x(end - ago * 60_000)}%`} y1="21" y2="25" class="axis" />`)}
      ${shown.map((i) => {
        const from = x(msOf(i.opened_ns));
        const to = x(i.closed_ns ? msOf(i.closed_ns) : i.cleared_ns ? msOf(i.cleared_ns) : end);
        const l = shownLevel(i);
        return svg`<line x1=${`${from}%`} x2=${`${to}%`} y1=${4 + l * 4} y2=${4 + l * 4} class="span s-${l}" />`;
      })}
      ${shown.map((i) => {
        const l = shownLevel(i);
        return svg`<svg x=${`${x(msOf(i.opened_ns))}%`} y=${l * 4 - 1} width="10" height="10" viewBox="0 0 16 16" class="s-${l} tick" @click=${() => act.choose(i.id)}>
          <title>${`${clock(msOf(i.opened_ns))} ${levelName(m.book, l)} ${kindName(m.book, i.kind)} ${placeName(m.book, i)}`}</title><path d=${SHAPES[l] ?? ""} /></svg>`;
      })}
    </svg>
    <span class="hints">
      ${m.keys
        ? [
            ["j k", "key.move"],
            ["a", "key.acknowledge"],
            ["d", "key.dispatch"],
            ["m", "key.map"],
            ["/", "key.search"],
          ].map(([k, w]) => html`<span>${(k ?? "").split(" ").map((one) => html`<kbd>${one}</kbd>`)} ${t(w ?? "")}</span>`)
        : html`<span>${t("keys.off")}</span>`}
      <button class="btn quiet" @click=${() => act.openDialog({ type: "help" })}><kbd>?</kbd> ${t("key.help")}</button>
    </span>
  `;
}
