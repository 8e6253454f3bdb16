// The alert list: each row says what, where, since when, why, who has it and what is next.
import { html, nothing, repeat, live } from "../lit.js";
import { age, msOf, stamp } from "../lib/format.js";
import { counts, doubtful, shownLevel, todo, unacked } from "../lib/alerts.js";
import { LEVELS } from "../lib/severity.js";
import { districtName, holder, kindName, lead, levelName, percent, placeName, reason, situationName, whoName } from "../lib/words.js";
import { mark } from "./mark.js";

/** @typedef {import("./model.js").ConsoleModel} Model */
/** @typedef {import("./model.js").ConsoleActs} Acts */
/** @typedef {import("../lib/messages.js").Incident} Incident */

const FILTERS = /** @type {const} */ (["active", "unacked", "closed", "all"]);

/** @param {Model} m @param {Acts} act */
export function list(m, act) {
  const { t } = m.book.tongue;
  const n = counts(m.world, m.look.own ? m.look.district : -1);
  return html`
    <div class="bar">
      <h2 class="unseen">${t("list.title")}</h2>
      <ul class="tally" aria-label=${t("list.tally")}>
        ${LEVELS.map((l) => html`<li class=${n[l] ? "" : "none"} title=${levelName(m.book, l)}>${mark(m.book, l)}<b class="num">${n[l]}</b></li>`)}
        ${n.doubtful ? html`<li title=${t("list.doubtful")}>${t("standing.candidate")} <b class="num">${n.doubtful}</b></li>` : nothing}
      </ul>
      ${m.waiting
        ? html`<button class="pill strong" @click=${act.release}>${t("list.new", { n: m.waiting })} <kbd>n</kbd></button>`
        : nothing}
    </div>
    <div class="bar tools" role="group" aria-label=${t("list.filters")}>
      ${FILTERS.map(
        (f) => html`<button class="chip" aria-pressed=${m.look.filter === f} @click=${() => act.filter(f)}>
          ${t(`filter.${f}`)} <span class="num">${n[f]}</span>
        </button>`,
      )}
      ${m.look.district >= 0
        ? html`<button class="chip" aria-pressed=${m.look.own} @click=${() => act.scope(!m.look.own)}>${t("filter.own")}</button>`
        : nothing}
      <input
        id="search"
        type="search"
        autocomplete="off"
        spellcheck="false"
        placeholder=${t("list.search")}
        aria-label=${t("list.search")}
        .value=${live(m.look.query)}
        @input=${(/** @type {InputEvent} */ e) => act.search(/** @type {HTMLInputElement} */ (e.target).value)}
      />
    </div>
    ${m.flood || m.hidden
      ? html`<p class="bar say">
          ${m.flood ? html`<b>${t("list.flood")}</b>` : nothing}
          ${m.hidden ? html`<span>${t("list.hidden", { n: m.hidden })}</span>` : nothing}
        </p>`
      : nothing}
    <ol
      class="rows"
      @pointerenter=${() => act.hover(true)}
      @pointerleave=${() => act.hover(false)}
      @focusin=${() => act.focusIn(true)}
      @focusout=${() => act.focusIn(false)}
      @scroll=${(/** @type {Event} */ e) => act.scrolled(/** @type {HTMLElement} */ (e.currentTarget).scrollTop)}
    >
      ${repeat(
        m.rows,
        (r) => r.id,
        (r, at) => (r.type === "group" ? group(m, act, r) : r.type === "situation" ? fold(m, act, r, at) : one(m, act, r.id, at)),
      )}
      ${m.beyond ? html`<li class="say">${t("list.beyond", { n: m.beyond })}</li>` : nothing}
      ${m.rows.length === 0 ? empty(m) : nothing}
    </ol>
  `;
}

/** @param {Model} m */
function empty(m) {
  const { t } = m.book.tongue;
  if (!m.world.ready) return html`<li class="blank" aria-busy="true"><b>${t("list.loading")}</b></li>`;
  const key = m.look.query ? "list.none" : m.look.filter === "closed" ? "list.noclosed" : "list.quiet";
  return html`<li class="blank">
    <b>${t(key)}</b>
    ${key === "list.quiet"
      ? html`<span>${t("list.watching", { devices: m.book.registry.counts.devices, units: m.book.registry.units.size })}</span>`
      : nothing}
  </li>`;
}

/** @param {Model} m @param {Acts} act @param {string} id @param {number} at */
function one(m, act, id, at) {
  const i = m.world.incidents.get(id);
  if (!i) return nothing;
  const { t } = m.book.tongue;
  const chosen = m.chosen?.id === id;
  const waits = unacked(i);
  const e = lead(i);
  const busy = [...m.pending.values()].some((p) => p.subject === id);
  return html`<li>
    <button
      class="row ${waits ? "unacked" : ""} ${i.state} ${doubtful(i) ? "doubtful" : ""} ${chosen ? "chosen" : ""}"
      data-id=${id}
      aria-current=${chosen ? "true" : "false"}
      tabindex=${chosen || (!m.chosen && at === 0) ? 0 : -1}
      @click=${() => act.choose(id)}
    >
      <span class="icon">${mark(m.book, shownLevel(i))}</span>
      <span class="title" title=${placeName(m.book, i)}>${kindName(m.book, i.kind)}<span class="dot">·</span>${placeName(m.book, i)}</span>
      <span class="since num">${stamp(msOf(i.opened_ns), m.now.event_ms)}</span>
      <span class="why">${e ? reason(m.book, e) : ""}</span>
      <span class="age">${age(t, m.now.event_ms - msOf(i.opened_ns))}</span>
      <span class="who">
        ${m.look.district !== i.district ? html`<span class="tag">${districtName(m.book, i.district)}</span>` : nothing}
        <span class="tag">${status(m, i)}</span>
        <span class="hold">${busy ? t("pending") : holder(m.book, i, m.world)}</span>
        <span class="next">${i.state === "open" ? t("belief.short", { p: percent(i.confidence) }) : ""} ${t("evidence.n", { n: i.evidence.length })} <b>${t(`todo.${todo(i, m.world)}`)}</b></span>
      </span>
    </button>
  </li>`;
}

/** @param {Model} m @param {Incident} i */
function status(m, i) {
  const { t } = m.book.tongue;
  if (i.state === "open" && doubtful(i)) return t("standing.candidate");
  if (i.state === "open" && i.annunciated_ns === null) return t("status.told");
  if (i.state === "open") return unacked(i) ? t("status.unacked") : t("status.acked");
  return t(i.state === "cleared" ? (unacked(i) ? "status.cleared_unacked" : "status.cleared") : "status.closed");
}

/** A situation: one row for all it tells of. @param {Model} m @param {Acts} act @param {import("../lib/alerts.js").Fold} f @param {number} at */
function fold(m, act, f, at) {
  const s = m.world.situations.get(f.id);
  if (!s) return nothing;
  const { t } = m.book.tongue;
  const open = m.openGroups.has(f.id);
  const chosen = m.situation?.id === f.id;
  const places = f.ids.flatMap((id) => m.world.incidents.get(id) ?? []).map((i) => placeName(m.book, i));
  const busy = [...m.pending.values()].some((p) => p.subject === f.id);
  return html`<li class="fold">
    <button
      class="row situation ${unacked(s) ? "unacked" : ""} ${s.state} ${chosen ? "chosen" : ""}"
      data-id=${f.id}
      aria-current=${chosen ? "true" : "false"}
      tabindex=${chosen || (!m.chosen && !m.situation && at === 0) ? 0 : -1}
      @click=${() => act.choose(f.id)}
    >
      <span class="icon">${mark(m.book, shownLevel(s))}</span>
      <span class="title">${situationName(m.book, s)} <b class="num">${t("situation.sites", { n: s.sites })}</b></span>
      <span class="since num">${stamp(msOf(s.opened_ns), m.now.event_ms)}</span>
      <span class="why">${places.slice(0, 3).join(t("list.comma"))}${places.length > 3 ? t("list.more") : ""}</span>
      <span class="age">${age(t, m.now.event_ms - msOf(s.opened_ns))}</span>
      <span class="who">
        ${m.look.district !== s.district ? html`<span class="tag">${districtName(m.book, s.district)}</span>` : nothing}
        <span class="tag">${t(s.state === "closed" ? "status.closed" : unacked(s) ? "status.unacked" : "status.acked")}</span>
        <span class="hold">${busy ? t("pending") : s.acknowledged_by ? t("holder.acked", { by: whoName(m.book, s.acknowledged_by) }) : ""}</span>
      </span>
    </button>
    ${f.ids.length
      ? html`<button class="unfold" data-fold=${f.id} aria-expanded=${open} @click=${() => act.toggleGroup(f.id)}>
          ${t(open ? "situation.fold" : "situation.unfold", { n: f.ids.length })}
        </button>`
      : nothing}
  </li>`;
}

/** @param {Model} m @param {Acts} act @param {import("../lib/alerts.js").Group} g */
function group(m, act, g) {
  const { t } = m.book.tongue;
  const open = m.openGroups.has(g.id);
  const members = g.ids.flatMap((id) => m.world.incidents.get(id) ?? []);
  const newest = Math.max(...members.map((i) => msOf(i.opened_ns)));
  const places = [...new Set(members.map((i) => placeName(m.book, i)))];
  return html`<li>
    <button class="row group ${members.some(unacked) ? "unacked" : ""}" data-id=${g.id} tabindex="-1" aria-expanded=${open} @click=${() => act.toggleGroup(g.id)}>
      <span class="icon">${mark(m.book, g.level)}</span>
      <span class="title">${kindName(m.book, g.kind)} <b class="num">× ${members.length}</b></span>
      <span class="since num">${stamp(newest, m.now.event_ms)}</span>
      <span class="why">${places.slice(0, 3).join(t("list.comma"))}${places.length > 3 ? t("list.more") : ""}</span>
      <span class="age">${age(t, m.now.event_ms - newest)}</span>
      <span class="who"><span class="tag">${t("group.zone", { zone: g.zone })}</span><span class="next">${t(open ? "group.fold" : "group.unfold")}</span></span>
    </button>
  </li>`;
}
