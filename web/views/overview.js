// When nothing is chosen: who is free, what runs against time. A quiet screen still answers "are we ready?"
import { html, nothing } from "../lit.js";
import { countdown, msOf } from "../lib/format.js";
import { districtName, kindName, placeName, skillName } from "../lib/words.js";

/** @typedef {import("./model.js").ConsoleModel} Model */
/** @typedef {import("./model.js").ConsoleActs} Acts */

/** @param {Model} m @param {Acts} act */
export function overview(m, act) {
  const { t } = m.book.tongue;
  const skills = [...new Set([...m.book.registry.units.values()].map((u) => u.skill))].sort();
  const cases = [...m.world.cases.values()]
    .filter((c) => c.stage !== "closed")
    .sort((a, b) => (a.deadline_ns ?? Infinity) - (b.deadline_ns ?? Infinity));
  return html`
    <div class="ready">
      <section>
        <h3>${t("overview.units")}</h3>
        <table>
          <thead>
            <tr><th scope="col">${t("overview.skill")}</th>${m.book.session.districts.map((d) => html`<th scope="col">${districtName(m.book, d.number)}</th>`)}</tr>
          </thead>
          <tbody>
            ${skills.map(
              (s) => html`<tr><th scope="row">${skillName(m.book, s)}</th>
                ${m.book.session.districts.map((d) => {
                  const units = [...m.book.registry.units.values()].filter((u) => u.skill === s && u.district === d.number);
                  const free = units.filter((u) => {
                    const state = m.world.units.get(u.id);
                    return (state?.on_duty ?? u.on_duty) && !state?.order;
                  });
                  return html`<td class=${free.length === 0 && units.length > 0 ? "short" : ""}><b class="num">${free.length}</b> / <span class="num">${units.length}</span></td>`;
                })}
              </tr>`,
            )}
          </tbody>
        </table>
      </section>
      <section>
        <h3>${t("overview.cases")} <span class="num">${cases.length}</span></h3>
        ${cases.length === 0 ? html`<p class="note">${t("overview.nocases")}</p>` : nothing}
        <ul class="plain">
          ${cases.slice(0, 8).map((c) => {
            const i = m.world.incidents.get(c.incident);
            const ms = c.deadline_ns === null ? null : msOf(c.deadline_ns) - m.now.event_ms;
            return html`<li><button class="link" @click=${() => act.choose(c.incident)}>
              ${i ? html`${kindName(m.book, i.kind)}<span class="dot">·</span>${placeName(m.book, i)}` : c.id}
            </button> <span class="muted">${t(`stage.${c.stage}`)}</span>
            ${ms === null ? nothing : html`<span class="left ${ms < 0 ? "overdue" : ""}">${t(ms < 0 ? "overdue" : "left")} <b class="num">${countdown(ms)}</b></span>`}</li>`;
          })}
        </ul>
      </section>
      <section>
        <h3>${t("overview.watch")}</h3>
        <dl>
          ${[
            ["overview.devices", m.book.registry.counts.devices],
            ["overview.places", m.book.registry.counts.places],
            ["overview.kinds", Object.keys(m.book.domains.kinds).length],
          ].map(([k, n]) => html`<div><dt>${t(String(k))}</dt><dd class="num">${n}</dd></div>`)}
        </dl>
        <p class="note">${t("overview.hint")}</p>
      </section>
    </div>
  `;
}
