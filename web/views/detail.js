// What is known about the chosen incident, and what can be done about it now.
import { html, nothing } from "../lit.js";
import { age, clock, msOf, number, stamp } from "../lib/format.js";
import { doubtful, shownLevel, unacked } from "../lib/alerts.js";
import { belief } from "./belief.js";
import { situation } from "./situation.js";
import { deviceName, doubt, percent, districtName, kindName, lead, metricName, nextStep, placeName, reason, unitOf, whoName } from "../lib/words.js";
import { shape, spelled } from "./mark.js";

/** @typedef {import("./model.js").ConsoleModel} Model */
/** @typedef {import("./model.js").ConsoleActs} Acts */
/** @typedef {import("../lib/messages.js").Incident} Incident */

/** States of an order that bind its unit. */
const LIVE = new Set(["sent", "delivered", "seen", "accepted", "en_route", "on_scene"]);

/** @param {Model} m @param {Acts} act */
export function what(m, act) {
  const i = m.chosen;
  const { t } = m.book.tongue;
  if (!i) return m.situation ? situation(m, act, m.situation) : nothing;
  const e = lead(i);
  const skill = m.book.domains.kinds[i.kind]?.skill ?? "";
  return html`
    <div class="headline">
      ${shape(shownLevel(i), "big")}
      <h2>${kindName(m.book, i.kind)}<span class="dot">·</span>${placeName(m.book, i)}</h2>
    </div>
    <p class="facts">
      ${spelled(m.book, shownLevel(i))}
      ${i.peak && i.peak < i.severity && i.state === "open" ? html`<span>${t("detail.peak")} ${spelled(m.book, i.peak)}</span>` : nothing}
      <span>${t("detail.since")} <b class="num">${stamp(msOf(i.opened_ns), m.now.event_ms)}</b> (${age(t, m.now.event_ms - msOf(i.opened_ns))})</span>
      <span>${districtName(m.book, i.district)}</span>
      <span>${t(`state.${i.state}`)}</span>
    </p>
    <p class="reason">${e ? reason(m.book, e) : t("detail.noreason")}</p>
    ${belief(m, act, i)}
    ${actions(m, act, i)}
    ${i.state === "open" ? html`<p class="nextstep"><span>${t("next")}</span> ${nextStep(m.book, skill, i)}</p>` : nothing}
    ${evidence(m, act, i)}
  `;
}

/** @param {Model} m @param {Acts} act @param {Incident} i */
function actions(m, act, i) {
  const { t } = m.book.tongue;
  const kase = i.case ? m.world.cases.get(i.case) : undefined;
  const caseOpen = Boolean(kase && kase.stage !== "closed");
  const mine = [...m.pending.values()].filter((p) => p.subject === i.id);
  const off = !m.canAct || !m.mayAct;
  const doing = (/** @type {string} */ what) => mine.some((p) => p.action.do === what);
  const over = i.state === "closed";
  const busy = [...m.world.orders.values()].some((o) => o.case && o.case === i.case && LIVE.has(o.state));
  return html`
    <div class="acts">
      ${doubtful(i) && !over
        ? html`<button class="btn primary" data-act="confirm" ?disabled=${off || doing("confirm_incident")} @click=${() => act.confirm(i.id)}>
            ${doing("confirm_incident") ? t("pending") : t("act.confirm")} <kbd>v</kbd>
          </button>`
        : nothing}
      ${unacked(i)
        ? html`<button class="btn primary" data-act="acknowledge" ?disabled=${off || doing("acknowledge")} @click=${() => act.acknowledge(i.id)}>
            ${doing("acknowledge") ? t("pending") : t("act.acknowledge")} <kbd>a</kbd>
          </button>`
        : i.acknowledged_by === ""
          ? nothing
          : html`<span class="done-by">${t("detail.acked", { by: whoName(m.book, i.acknowledged_by), at: clock(msOf(i.acknowledged_ns ?? i.updated_ns)) })}</span>`}
      <button class="btn" data-act="dispatch" ?disabled=${off || over || doing("dispatch")} @click=${() => act.openDialog({ type: "dispatch", incident: i.id })}>
        ${doing("dispatch") ? t("pending") : t("act.dispatch")} <kbd>d</kbd>
      </button>
      ${caseOpen
        ? html`<button
              data-act="close"
              class="btn ${kase?.stage === "checking" ? "primary" : ""}"
              ?disabled=${off || doing("close_case") || busy}
              title=${busy ? t("act.close.early") : ""}
              @click=${() => act.openDialog({ type: "close", incident: i.id, result: "pass" })}
            >
              ${doing("close_case") ? t("pending") : t("act.close")} <kbd>c</kbd>
            </button>
            <button class="btn" data-act="false_alarm" ?disabled=${off || doing("close_case")} @click=${() => act.openDialog({ type: "close", incident: i.id, result: "false_alarm" })}>
              ${t("act.false_alarm")}
            </button>`
        : over || i.case
          ? nothing
          : html`<button class="btn" data-act="reject" ?disabled=${off || doing("dismiss_incident")} @click=${() => act.openDialog({ type: "reject", incident: i.id })}>
              ${doing("dismiss_incident") ? t("pending") : t("act.false_alarm")}
            </button>`}
      ${over
        ? nothing
        : html`<button class="btn quiet" data-act="merge" ?disabled=${off || doing("merge_incidents")} @click=${() => act.openDialog({ type: "merge", incident: i.id })}>${t("act.merge")}</button>
            ${i.evidence.length > 1
              ? html`<button class="btn quiet" data-act="split" ?disabled=${off || doing("split_incident")} @click=${() => act.openDialog({ type: "split", incident: i.id })}>${t("act.split")}</button>`
              : nothing}`}
      <button class="btn quiet" @click=${act.goTo}>${t("act.goto")} <kbd>m</kbd></button>
    </div>
    ${!m.mayAct && m.post ? html`<p class="note">${t("act.elsewhere", { district: districtName(m.book, i.district) })}</p>` : nothing}
  `;
}

/** @param {Model} m @param {Acts} act @param {Incident} i */
function evidence(m, act, i) {
  const { t } = m.book.tongue;
  const rows = [...i.evidence].sort((a, b) => (a.level || 9) - (b.level || 9) || a.since_ns - b.since_ns);
  return html`
    <h3>${t("evidence.title")} <span class="num">${rows.length}</span></h3>
    <ul class="evidence">
      ${rows.map(
        (e) => html`<li class=${e.level ? "" : "over"}>
          <button
            aria-pressed=${m.evidence === e.finding}
            ?disabled=${e.series < 0}
            title=${e.series < 0 ? "" : t("evidence.show")}
            @click=${() => act.evidence(e.finding)}
          >
            ${e.level ? shape(e.level) : html`<span class="gone" aria-hidden="true">–</span>`}
            <span class="num">${clock(msOf(e.since_ns))}</span>
            <span class="src">${t(`source.${e.source}`)}</span>
            <span class="dev">${e.text || deviceName(m.book, e)}</span>
            <b class="num">${e.metric ? html`${number(e.value)} ${unitOf(m.book, e.metric)}` : percent(e.confidence)}</b>
            <span class="say">${e.level ? reason(m.book, e) : t("evidence.over", { at: clock(msOf(e.t_ns)) })}</span>
            ${e.doubt && e.level ? html`<span class="doubt">${t("evidence.doubt", { why: doubt(m.book, e) })}</span>` : nothing}
          </button>
        </li>`,
      )}
    </ul>
  `;
}

/** Title and state of the curve; the curve itself is drawn by the page. @param {Model} m */
export function signal(m) {
  const i = m.chosen;
  const { t } = m.book.tongue;
  if (!i) return nothing;
  const e = i.evidence.find((x) => x.finding === m.evidence) ?? lead(i);
  if (!e) return html`<h3>${t("curve.none")}</h3>`;
  const unit = unitOf(m.book, e.metric);
  const last = m.curve.last;
  const quietFor = last ? m.now.event_ms - last.t_ms : 0;
  const period = (m.book.domains.metrics[e.metric]?.period_s || 60) * 1000;
  const stale = last !== null && quietFor > Math.max(3 * period, 10_000);
  return html`
    <div class="curvehead">
      <h3>${metricName(m.book, e.metric)}<span class="dot">·</span>${deviceName(m.book, e)} <span class="num faint">${e.device}</span></h3>
      ${last
        ? html`<p class="now ${stale ? "stale" : ""}">
            <b class="num">${number(last.value)}</b> ${unit}
            <span>${stale ? t("curve.stale", { age: age(t, quietFor) }) : t("curve.at", { at: clock(last.t_ms) })}</span>
          </p>`
        : nothing}
    </div>
    ${m.curve.state === "loading" ? html`<p class="note" aria-busy="true">${t("curve.loading")}</p>` : nothing}
    ${m.curve.state === "empty" ? html`<p class="note">${t("curve.empty")}</p>` : nothing}
    ${m.curve.state === "failed" ? html`<p class="note">${t("curve.failed", { why: m.curve.error })}</p>` : nothing}
  `;
}
