// A situation: what it is, how it goes, and the incidents it tells of.
import { html, nothing } from "../lit.js";
import { shownLevel, unacked } from "../lib/alerts.js";
import { age, clock, msOf, stamp } from "../lib/format.js";
import { districtName, kindName, lead, levelName, placeName, reason, sentence, situationName, whoName } from "../lib/words.js";
import { shape, spelled } from "./mark.js";

/** @typedef {import("./model.js").ConsoleModel} Model */
/** @typedef {import("./model.js").ConsoleActs} Acts */
/** @typedef {import("../lib/messages.js").Situation} Situation */

const MEMBERS = 100;
const HISTORY = 30;

/** @param {Model} m @param {Acts} act @param {Situation} s */
export function situation(m, act, s) {
  const { t, name } = m.book.tongue;
  const pending = [...m.pending.values()].some((p) => p.subject === s.id);
  const kind = m.book.domains.situations[s.kind];
  return html`
    <div class="headline">
      ${shape(shownLevel(s), "big")}
      <h2>${situationName(m.book, s)}<span class="dot">·</span>${t("situation.sites", { n: s.sites })}</h2>
    </div>
    <p class="facts">
      ${spelled(m.book, shownLevel(s))}
      ${s.peak < s.severity && s.state === "open" ? html`<span>${t("detail.peak")} ${spelled(m.book, s.peak)}</span>` : nothing}
      <span>${t("detail.since")} <b class="num">${stamp(msOf(s.opened_ns), m.now.event_ms)}</b> (${age(t, m.now.event_ms - msOf(s.opened_ns))})</span>
      <span>${districtName(m.book, s.district)}</span>
      <span>${t(s.state === "open" ? "state.open" : "state.closed")}</span>
      ${s.warning ? html`<span>${t("situation.warning")}</span>` : nothing}
    </p>
    <div class="acts">
      ${unacked(s)
        ? html`<button class="btn primary" data-act="acknowledge" ?disabled=${!m.canAct || !m.mayAct || pending} @click=${() => act.acknowledge(s.id)}>
            ${pending ? t("pending") : t("act.acknowledge")} <kbd>a</kbd>
          </button>`
        : s.acknowledged_by
          ? html`<span class="done-by">${t("detail.acked", { by: whoName(m.book, s.acknowledged_by), at: clock(msOf(s.acknowledged_ns ?? s.updated_ns)) })}</span>`
          : nothing}
    </div>
    ${s.state === "open" && kind ? html`<p class="nextstep"><span>${t("next")}</span> ${name(kind.next_step)}</p>` : nothing}
  `;
}

/** The incidents of the chosen situation, worst first. @param {Model} m @param {Acts} act */
export function members(m, act) {
  const s = m.situation;
  if (!s) return nothing;
  const { t } = m.book.tongue;
  const all = s.incidents.flatMap((id) => m.world.incidents.get(id) ?? []).sort((a, b) => shownLevel(a) - shownLevel(b) || a.opened_ns - b.opened_ns);
  return html`<h3>${t("situation.members")} <span class="num">${all.length}</span></h3>
    <ul class="members">
      ${all.slice(0, MEMBERS).map((i) => {
        const e = lead(i);
        return html`<li><button @click=${() => act.choose(i.id)}>
          ${shape(shownLevel(i))}<b>${placeName(m.book, i)}</b><span class="muted">${kindName(m.book, i.kind)}</span><span class="say">${e ? reason(m.book, e) : ""}</span>
        </button></li>`;
      })}
    </ul>
    ${all.length > MEMBERS ? html`<p class="note">${t("list.beyond", { n: all.length - MEMBERS })}</p>` : nothing}`;
}

/** One line of its course; the place of a site is named while it is on the page. @param {Model} m @param {import("../lib/messages.js").Step} step */
function told(m, step) {
  const { t } = m.book.tongue;
  if (step.what === "opened") return t("situation.opened", { n: Number(step.args["sites"] ?? 0) });
  if (step.what === "closed") return t("situation.closed", { n: Number(step.args["sites"] ?? 0) });
  if (step.what !== "site") return sentence(m.book, step);
  const site = m.world.incidents.get(String(step.args["incident"]));
  return t("situation.site", { place: site ? placeName(m.book, site) : "", level: levelName(m.book, Number(step.args["severity"])) });
}

/** What has happened to the chosen situation. @param {Model} m */
export function course(m) {
  const s = m.situation;
  if (!s) return nothing;
  const { t } = m.book.tongue;
  return html`<h3>${t("history.title")}</h3>
    <ol class="history plain">
      ${[...s.history].reverse().slice(0, HISTORY).map((step) => html`<li><span class="num">${clock(msOf(step.t_ns))}</span><span>${told(m, step)}</span></li>`)}
    </ol>
    ${s.history.length > HISTORY ? html`<p class="note">${t("history.more", { n: s.history.length - HISTORY })}</p>` : nothing}`;
}
