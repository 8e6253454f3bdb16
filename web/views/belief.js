// How far an incident is believed, by whom, and what it is part of.
import { html, nothing } from "../lit.js";
import { clock, msOf } from "../lib/format.js";
import { percent, placeName, situationName } from "../lib/words.js";

/** @typedef {import("./model.js").ConsoleModel} Model */
/** @typedef {import("./model.js").ConsoleActs} Acts */
/** @typedef {import("../lib/messages.js").Incident} Incident */

/** @param {Model} m @param {Acts} act @param {Incident} i */
export function belief(m, act, i) {
  const { t } = m.book.tongue;
  const s = i.situation ? m.world.situations.get(i.situation) : undefined;
  return html`<p class="belief">
    <b class="standing ${i.standing}">${t(`standing.${i.standing}`)}</b>
    <span title=${t("belief.title")}>${t("belief")} <meter min="0" max="1" .value=${i.confidence}></meter> <b class="num">${percent(i.confidence)}</b></span>
    ${i.sources.length ? html`<span>${t("belief.sources", { n: i.sources.length, names: i.sources.map((x) => t(`source.${x}`)).join(t("list.comma")) })}</span>` : nothing}
    ${i.confirmed_ns === null ? nothing : html`<span>${t("belief.since", { at: clock(msOf(i.confirmed_ns)) })}</span>`}
    ${s ? html`<span>${t("belief.situation")} <button class="link" @click=${() => act.choose(s.id)}>${situationName(m.book, s)}</button></span>` : nothing}
    ${i.merged_into ? html`<span>${t("belief.into")} ${other(m, act, i.merged_into)}</span>` : nothing}
    ${i.merged_from.length ? html`<span>${t("belief.from")} ${i.merged_from.map((id) => other(m, act, id))}</span>` : nothing}
    ${i.split_from ? html`<span>${t("belief.split")} ${other(m, act, i.split_from)}</span>` : nothing}
  </p>`;
}

/** Another incident, to go to where it is still on the page. @param {Model} m @param {Acts} act @param {string} id */
function other(m, act, id) {
  const found = m.world.incidents.get(id);
  return found ? html`<button class="link" @click=${() => act.choose(id)}>${placeName(m.book, found)}</button> ` : html`<span class="num">${id.slice(0, 8)}</span> `;
}
