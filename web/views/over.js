// What lies over the map: layers with counts, legend, and what to do when there is no map.
import { html, nothing } from "../lit.js";
import { number } from "../lib/format.js";
import { LEVELS } from "../lib/severity.js";
import { levelName } from "../lib/words.js";
import { shape } from "./mark.js";

/** @typedef {import("./model.js").ConsoleModel} Model */
/** @typedef {import("./model.js").ConsoleActs} Acts */

/** Top layer first, as they lie. */
const ORDER = /** @type {const} */ (["incidents", "orders", "units", "cameras", "sensors"]);

/** @param {Model} m @param {Acts} act */
export function over(m, act) {
  const { t } = m.book.tongue;
  if (m.mapState === "failed") return html`<p class="nomap">${t("map.failed")}</p>`;
  const { devices, cameras } = m.book.registry.counts;
  const n = {
    incidents: [...m.world.incidents.values()].filter((i) => i.state !== "closed").length,
    orders: [...m.world.orders.values()].filter((o) => ["accepted", "en_route", "sent", "delivered", "seen"].includes(o.state)).length,
    units: m.book.registry.units.size,
    cameras,
    sensors: devices - cameras,
  };
  return html`
    ${m.mapState === "loading" ? html`<p class="nomap" aria-busy="true">${t("map.loading")}</p>` : nothing}
    <fieldset class="layers">
      <legend>${t("map.layers")}</legend>
      ${ORDER.map(
        (l) => html`<label><input type="checkbox" .checked=${m.layers[l]} @change=${() => act.layer(l)} /> ${t(`layer.${l}`)} <span class="num">${n[l]}</span></label>`,
      )}
      <button class="btn quiet" @click=${act.wholeCity}>${t("map.whole")}</button>
      ${m.sample && m.sample.shown < m.sample.total ? html`<p class="note">${t("map.sample", { shown: number(m.sample.shown), total: number(m.sample.total) })}</p>` : nothing}
    </fieldset>
    <ul class="legend" aria-label=${t("map.legend")}>
      ${LEVELS.map((l) => html`<li>${shape(l, "small")} ${levelName(m.book, l)}</li>`)}
      <li><span class="lg-unit"></span>${t("legend.free")}</li>
      <li><span class="lg-unit busy"></span>${t("legend.busy")}</li>
      <li><span class="lg-order"></span>${t("legend.order")}</li>
    </ul>
  `;
}
