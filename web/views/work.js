// What is being done: the case's stages, orders with their receipts, help from next door, the history.
import { html, nothing } from "../lit.js";
import { clock, countdown, distance, msOf } from "../lib/format.js";
import { districtName, sentence, skillName, whoName } from "../lib/words.js";

/** @typedef {import("./model.js").ConsoleModel} Model */
/** @typedef {import("../lib/messages.js").Incident} Incident */
/** @typedef {import("../lib/messages.js").Case} Case */
/** @typedef {import("../lib/messages.js").Order} Order */

const STAGES = /** @type {const} */ (["accepted", "dispatched", "handling", "checking", "closed"]);
const RECEIPTS = /** @type {const} */ (["delivered", "seen", "accepted", "on_scene", "done"]);
const FAR = { sent: 0, delivered: 1, seen: 2, accepted: 3, en_route: 3.5, on_scene: 4, done: 5, verified: 6, declined: -1, cancelled: -1 };
const HISTORY = 40;

/** @param {Model} m */
export function work(m) {
  const i = m.chosen;
  if (!i) return nothing;
  const kase = i.case ? (m.world.cases.get(i.case) ?? null) : null;
  const orders = [...m.world.orders.values()].filter((o) => o.incident === i.id).sort((a, b) => b.sent_ns - a.sent_ns);
  return html`${kase ? stages(m, kase) : noCase(m)} ${orders.map((o) => order(m, o))} ${support(m, i)} ${history(m, i, kase)}`;
}

/** @param {Model} m */
function noCase(m) {
  const { t } = m.book.tongue;
  return html`<h3>${t("case.title")}</h3><p class="note">${t("case.none")}</p>`;
}

/** Time left, or how long overdue. @param {Model} m @param {number | null} deadline_ns */
function left(m, deadline_ns) {
  if (deadline_ns === null) return nothing;
  const { t } = m.book.tongue;
  const ms = msOf(deadline_ns) - m.now.event_ms;
  return ms >= 0
    ? html`<span class="left">${t("left")} <b class="num">${countdown(ms)}</b></span>`
    : html`<span class="left overdue">${t("overdue")} <b class="num">${countdown(ms)}</b></span>`;
}

/** @param {Model} m @param {Case} k */
function stages(m, k) {
  const { t, name } = m.book.tongue;
  const at = STAGES.indexOf(k.stage);
  return html`
    <div class="casehead">
      <h3>${t("case.title")}<span class="dot">·</span>${name(m.book.domains.categories[k.category]?.name) || k.category}</h3>
      ${k.stage === "closed" ? html`<span>${t(`result.${k.result || "pass"}`)}</span>` : left(m, k.deadline_ns)}
    </div>
    <ol class="steps">
      ${STAGES.map(
        (s, n) => html`<li class=${n < at || k.stage === "closed" ? "ok" : n === at ? "now" : ""} aria-current=${n === at ? "step" : "false"}>
          ${t(`stage.${s}`)}
        </li>`,
      )}
    </ol>
  `;
}

/** @param {Model} m @param {Order} o */
function order(m, o) {
  const { t } = m.book.tongue;
  const far = FAR[o.state];
  const when = (/** @type {string} */ what) => o.receipts.find((r) => r.what === what);
  const over = far < 0;
  const open = far >= 0 && far < 5;
  return html`<section class="order ${over ? "void" : ""}" data-order=${o.id}>
    <div class="ordertop">
      <b>${whoName(m.book, o.unit)}</b>
      ${o.for_district >= 0 ? html`<span class="tag">${t("order.support", { from: districtName(m.book, o.district) })}</span>` : nothing}
      ${o.offer > 1 ? html`<span class="tag">${t("order.offer", { n: o.offer })}</span>` : nothing}
      <span class="muted">${o.distance_m ? distance(t, o.distance_m) : ""}</span>
      <span class="grow"></span>
      ${over || !open ? html`<b>${t(`receipt.short.${o.state}`)}</b>` : left(m, o.deadline_ns)}
    </div>
    ${over
      ? nothing
      : html`<ol class="receipts">
          ${RECEIPTS.map((r, n) => {
            const step = when(r);
            return html`<li class=${far >= n + 1 ? "ok" : far >= n ? "now" : ""}>
              ${t(r === "on_scene" && o.state === "en_route" ? "receipt.short.en_route" : `receipt.mark.${r}`)}
              <span class="num">${step ? clock(msOf(step.t_ns)) : ""}</span>
            </li>`;
          })}
        </ol>`}
  </section>`;
}

/** @param {Model} m @param {Incident} i */
function support(m, i) {
  const { t } = m.book.tongue;
  const asked = [...m.world.support.values()].filter((s) => (s.need?.incident ?? s.offers[0]?.incident) === i.id);
  if (asked.length === 0 && !i.support) return nothing;
  return html`<h3>${t("support.title")}</h3>
    <ul class="plain">
      ${asked.map((s) => {
        const yes = s.offers.find((o) => o.granted);
        const skill = s.need ? skillName(m.book, s.need.skill) : "";
        if (yes)
          return html`<li>
            ${t("support.granted", { district: districtName(m.book, yes.district), unit: m.book.tongue.name({ zh: yes.unit_name_zh, en: yes.unit_name_en }) })}
          </li>`;
        const no = s.offers.map((o) => districtName(m.book, o.district));
        return html`<li>${no.length ? t("support.declined", { district: no.join(" ") }) : t("support.asked", { skill })}</li>`;
      })}
      ${asked.length === 0 ? html`<li>${t("support.coming", { unit: i.support })}</li>` : nothing}
    </ul>`;
}

/** Steps of a case that its incident does not tell as well. */
const OF_CASE = new Set(["checking", "rework"]);

/** Steps of the incident and its case in one line of time, newest first. @param {Model} m @param {Incident} i @param {Case | null} kase */
function history(m, i, kase) {
  const { t } = m.book.tongue;
  const steps = [...i.history, ...(kase?.history ?? []).filter((s) => OF_CASE.has(s.what))];
  const lines = steps.map((step, n) => ({ step, n })).sort((a, b) => b.step.t_ns - a.step.t_ns || b.n - a.n);
  return html`<h3>${t("history.title")}</h3>
    <ol class="history">
      ${lines
        .slice(0, HISTORY)
        .map(({ step }) => html`<li><span class="num">${clock(msOf(step.t_ns))}</span><span>${sentence(m.book, step)}</span></li>`)}
      ${lines.length > HISTORY ? html`<li class="muted">${t("history.more", { n: lines.length - HISTORY })}</li>` : nothing}
    </ol>`;
}
