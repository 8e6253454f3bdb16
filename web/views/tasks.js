// The worker's phone: one order large, one big button, and always whether what was done has been sent.
import { guard, html, nothing, repeat } from "../lit.js";
import { clock, countdown, distance, hourMinute, msOf } from "../lib/format.js";
import { direction, metres } from "../lib/geo.js";
import { FAR, nextReceipt } from "../lib/outbox.js";
import { districtName, errorText, kindName, lead, levelName, nextStep, placeName, reason, skillName } from "../lib/words.js";
import { shape } from "./mark.js";
import { minimap } from "./minimap.js";

/** @typedef {import("../lib/messages.js").Order} Order */
/**
 * @typedef {object} Model
 * @property {import("../lib/words.js").Book} book
 * @property {import("../lib/types.js").World} world
 * @property {import("../lib/messages.js").Unit | null} unit
 * @property {readonly Order[]} orders open ones as the person knows them, the most pressing first
 * @property {readonly Order[]} done
 * @property {string} opened id of the order shown large
 * @property {{ event_ms: number, local_ms: number }} now
 * @property {import("../lib/types.js").Link} link
 * @property {number} queue
 * @property {readonly import("../lib/types.js").OutboxItem[]} refused
 * @property {string} declining id of the order whose refusal is being explained
 * @property {readonly import("./minimap.js").Feature[]} ground
 */
/**
 * @typedef {object} Acts
 * @property {(order: string, receipt: import("../lib/messages.js").Receipt, note?: string) => void} say
 * @property {(order: string) => void} open
 * @property {(order: string) => void} decline
 * @property {(unit: string) => void} pick
 * @property {() => void} change
 * @property {() => void} language
 * @property {(id: string) => void} dismiss
 */

const STEPS = /** @type {const} */ (["accepted", "en_route", "on_scene", "done"]);
const REASONS = /** @type {const} */ (["busy", "tools", "route", "person"]);

/** @param {Model} m @param {Acts} act */
export function top(m, act) {
  const { t, name } = m.book.tongue;
  return html`<h1>${m.unit ? name(m.unit.name) : t("app.worker")}</h1>
    ${m.book.session.kind === "live" ? nothing : html`<span class="runkind ${m.book.session.kind}">${t(`run.${m.book.session.kind}`)}</span>`}
    <span class="grow"></span>
    <button class="btn quiet" id="language" @click=${act.language} lang=${m.book.tongue.lang === "en" ? "zh-CN" : "en"}>${t("language.other")}</button>
    ${m.unit ? html`<button class="btn quiet" id="change" @click=${act.change}>${t("w.me")}</button>` : nothing}`;
}

/** Connection and queue, always there. @param {Model} m */
export function line(m) {
  if (!m.unit) return nothing;
  const { t } = m.book.tongue;
  const words =
    m.link.phase === "live"
      ? t("w.online")
      : m.link.phase === "connecting"
        ? t("w.connecting")
        : t("w.offline", { at: hourMinute(m.link.since_ms) });
  return html`<div class="line ${m.link.phase}" data-phase=${m.link.phase}>
    <span>${m.link.phase === "live" ? html`<span class="num">${hourMinute(m.now.event_ms)}</span> ` : nothing}${words}</span><b id="queue" data-waiting=${m.queue}>${m.queue ? t("w.queue", { n: m.queue }) : t("w.sent")}</b>
  </div>`;
}

/** @param {Model} m @param {Acts} act */
export function tasks(m, act) {
  if (!m.unit) return picker(m, act);
  const { t } = m.book.tongue;
  return html`
    ${m.refused.map((item) => refused(m, act, item))}
    <h2 class="unseen">${t("w.orders")}</h2>
    ${m.orders.length === 0
      ? html`<div class="none">${m.world.ready ? html`<b>${t("w.none")}</b><span>${t("w.none.more")}</span>` : html`<b aria-busy="true">${t("loading")}</b>`}</div>`
      : nothing}
    ${repeat(
      m.orders,
      (o) => o.id,
      (o) => (o.id === m.opened ? large(m, act, o) : small(m, act, o)),
    )}
    ${m.done.length
      ? html`<h2>${t("w.done")} <span class="num">${m.done.length}</span></h2>
          <ul class="past">
            ${m.done.map(
              (o) => html`<li data-order=${o.id}>${shape(o.severity, "small")}
                <span class="grow"><b>${kindName(m.book, o.incident_kind)}</b> ${placeName(m.book, o)}</span>
                <span class="muted">${t(`receipt.short.${o.state}`)} <span class="num">${hourMinute(msOf(o.updated_ns))}</span></span></li>`,
            )}
          </ul>`
      : nothing}
  `;
}

/** @param {Model} m @param {Acts} act */
function picker(m, act) {
  const { t, name } = m.book.tongue;
  return html`<h2>${t("w.post.title")}</h2>
    <p class="muted">${t("w.post.say")}</p>
    ${m.book.session.districts.map(
      (d) => html`<h3>${name(d.name)}</h3>
        <ul class="units">
          ${m.book.session.posts
            .filter((p) => p.role === "unit" && p.district === d.number)
            .map(
              (p) => html`<li><button class="choice" data-unit=${p.id} @click=${() => act.pick(p.id)}>
                <b>${name(p.name)}</b><span class="muted">${skillName(m.book, p.skill ?? "")}</span></button></li>`,
            )}
        </ul>`,
    )}`;
}

/** @param {Model} m @param {Acts} act @param {import("../lib/types.js").OutboxItem} item */
function refused(m, act, item) {
  const { t } = m.book.tongue;
  const said = item.action.do === "receipt" ? t(`receipt.short.${item.action.receipt}`) : item.action.do;
  const why = item.error ? errorText(m.book.tongue, item.error) : "";
  return html`<div class="refused" role="alert"><span>${t("w.refused", { what: said, why })}</span>
    <button class="btn" @click=${() => act.dismiss(item.id)}>${t("ok")}</button></div>`;
}

/** @param {Model} m @param {Order} o */
function deadline(m, o) {
  if (o.deadline_ns === null) return nothing;
  const { t } = m.book.tongue;
  const ms = msOf(o.deadline_ns) - m.now.event_ms;
  const key = (FAR[o.state] ?? 0) < 3 ? "accept" : o.state === "on_scene" ? "handle" : "arrive";
  return ms >= 0
    ? html`<span class="due">${t(`w.deadline.${key}`)} <b class="num">${countdown(ms)}</b></span>`
    : html`<span class="due overdue">${t("w.overdue")} <b class="num">${countdown(ms)}</b></span>`;
}

/** @param {Model} m @param {Order} o */
function away(m, o) {
  if (!m.unit) return "";
  const { t } = m.book.tongue;
  return t("w.away", { direction: t(`direction.${direction(m.unit, o)}`), distance: distance(t, metres(m.unit, o)) });
}

/** @param {Model} m @param {Acts} act @param {Order} o */
function large(m, act, o) {
  const { t } = m.book.tongue;
  const incident = m.world.incidents.get(o.incident);
  const e = incident ? lead(incident) : null;
  const next = nextReceipt(o.state);
  const far = FAR[o.state] ?? 0;
  const unit = m.unit;
  return html`<article class="card" data-order=${o.id} data-state=${o.state}>
    ${unit ? guard([o.id, o.severity, m.ground, m.book.tongue.lang], () => minimap(m.ground, unit, o, o.severity, `${t("w.map")} ${away(m, o)}`)) : nothing}
    <div class="body">
      <div class="what">${shape(o.severity, "big")}<h3>${kindName(m.book, o.incident_kind)}</h3>
        <span class="grow"></span><span class="muted">${levelName(m.book, o.severity)}</span>
        </div>
      <p class="place">${placeName(m.book, o)} ${o.for_district >= 0 ? html`<span class="tag">${t("w.support", { district: districtName(m.book, o.for_district) })}</span>` : nothing}</p>
      ${e ? html`<p class="why">${reason(m.book, e)}</p>` : nothing}
      ${incident ? html`<p class="muted">${nextStep(m.book, "", incident)}</p>` : nothing}
      <p class="ends"><span>${away(m, o)}</span>${deadline(m, o)}</p>
      <ol class="steps">
        ${STEPS.map((s) => {
          const mine = FAR[s] ?? 0;
          const now = next !== null && (s === next || (s === "en_route" && o.state === "accepted"));
          return html`<li class=${far >= mine ? "ok" : now ? "now" : ""} aria-current=${now ? "step" : "false"}>${t(`w.step.${s}`)}</li>`;
        })}
      </ol>
      ${next ? html`<button class="act" data-receipt=${next} @click=${() => act.say(o.id, next)}>${t(`w.next.${next}`)}</button>` : nothing}
      <div class="two">
        ${o.state === "accepted" ? html`<button class="btn" data-receipt="en_route" @click=${() => act.say(o.id, "en_route")}>${t("w.enroute")}</button>` : nothing}
        ${far < 5 ? html`<button class="btn" data-decline @click=${() => act.decline(o.id)}>${t("w.decline")}</button>` : nothing}
      </div>
      <p class="muted sent">${t("w.received", { at: clock(msOf(o.sent_ns)) })}</p>
    </div>
  </article>`;
}

/** @param {Model} m @param {Acts} act @param {Order} o */
function small(m, act, o) {
  const { t } = m.book.tongue;
  return html`<button class="card other" data-order=${o.id} data-state=${o.state} @click=${() => act.open(o.id)}>
    ${shape(o.severity)}<span class="grow"><b>${kindName(m.book, o.incident_kind)}</b><span>${placeName(m.book, o)}</span></span>
    <span class="end"><span>${t(`receipt.short.${o.state}`)}</span>${deadline(m, o)}</span>
  </button>`;
}

/** Why an order is declined: one tap. @param {Model} m @param {Acts} act */
export function sheet(m, act) {
  const { t } = m.book.tongue;
  const o = m.world.orders.get(m.declining);
  if (!o) return nothing;
  return html`<dialog aria-labelledby="why" @cancel=${() => act.decline("")}>
    <h2 id="why">${t("w.decline.title")}</h2>
    <p class="muted">${kindName(m.book, o.incident_kind)} ${placeName(m.book, o)}</p>
    ${REASONS.map((r) => html`<button class="btn" data-reason=${r} @click=${() => act.say(o.id, "declined", t(`w.decline.${r}`))}>${t(`w.decline.${r}`)}</button>`)}
    <button class="btn quiet" @click=${() => act.decline("")}>${t("cancel")}</button>
  </dialog>`;
}
