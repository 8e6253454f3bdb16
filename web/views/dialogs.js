// Questions that must be answered before going on. The browser's own dialog keeps the focus inside.
import { html, nothing } from "../lit.js";
import { clock, distance, msOf, number } from "../lib/format.js";
import { metres } from "../lib/geo.js";
import { deviceName, districtName, kindName, placeName, skillName, unitOf, whoName } from "../lib/words.js";
import { spelled } from "./mark.js";
import { shownLevel } from "../lib/alerts.js";

/** @typedef {import("./model.js").ConsoleModel} Model */
/** @typedef {import("./model.js").ConsoleActs} Acts */

/** @param {Model} m @param {Acts} act */
export function dialogs(m, act) {
  const d = m.dialog;
  if (!d) return nothing;
  const { t } = m.book.tongue;
  const title = {
    post: () => t("post.title"),
    help: () => t("help.title"),
    dispatch: () => t("dispatch.title"),
    close: () => t(d.type === "close" && d.result === "false_alarm" ? "false.title" : "close.title"),
    reject: () => t("false.title"),
    merge: () => t("merge.title"),
    split: () => t("split.title"),
  }[d.type]();
  return html`<dialog
    class=${d.type}
    aria-labelledby="dialog-title"
    @cancel=${(/** @type {Event} */ e) => {
      if (d.type === "post" && !m.post) e.preventDefault();
      else act.openDialog(null);
    }}
  >
    <h2 id="dialog-title">${title}</h2>
    ${d.type === "post" ? posts(m, act) : nothing} ${d.type === "help" ? help(m, act) : nothing}
    ${d.type === "dispatch" ? dispatch(m, act, d.incident) : nothing}
    ${d.type === "close" ? close(m, act, d.incident, d.result) : nothing}
    ${d.type === "reject" ? reject(m, act, d.incident) : nothing} ${d.type === "merge" ? merge(m, act, d.incident) : nothing}
    ${d.type === "split" ? split(m, act, d.incident) : nothing}
  </dialog>`;
}

/** @param {Model} m @param {Acts} act */
function posts(m, act) {
  const { t, name } = m.book.tongue;
  const desks = m.book.session.posts.filter((p) => p.role === "desk");
  return html`<p class="muted">${t("post.say")}</p>
    <ul class="choices">
      ${desks.map(
        (p) => html`<li><button class="choice" data-post=${p.id} aria-current=${m.post?.id === p.id ? "true" : "false"} @click=${() => act.pickPost(p.id)}>
          <b>${name(p.name)}</b><span class="muted">${p.district < 0 ? t("post.city") : districtName(m.book, p.district)}</span>
        </button></li>`,
      )}
    </ul>
    <p class="endrow"><button class="btn quiet" @click=${act.language}>${t("language.other")}</button>
    ${m.post ? html`<button class="btn" @click=${() => act.openDialog(null)}>${t("cancel")} <kbd>Esc</kbd></button>` : nothing}</p>`;
}

/** @param {Model} m @param {Acts} act @param {string} id */
function dispatch(m, act, id) {
  const { t, name } = m.book.tongue;
  const i = m.world.incidents.get(id);
  if (!i) return nothing;
  const skill = m.book.domains.kinds[i.kind]?.skill ?? "";
  let n = 0;
  return html`<p>${spelled(m.book, shownLevel(i))} ${kindName(m.book, i.kind)}<span class="dot">·</span>${placeName(m.book, i)}
      <span class="muted needs">${t("dispatch.needs", { skill: skillName(m.book, skill) })}</span></p>
    <ul class="choices crews">
      ${m.candidates.map((c) => {
        const key = c.why === null && n < 9 ? ++n : 0;
        const order = c.order ? m.world.orders.get(c.order) : undefined;
        return html`<li class=${c.why ? "out" : ""}>
          <span class="crew"><b>${name(c.unit.name)}</b>
            <span class="muted">${skillName(m.book, c.unit.skill)}${c.fits ? "" : t("dispatch.unfit")}</span></span>
          <span class="num">${distance(t, c.distance_m)}</span>
          ${c.why
            ? html`<span class="muted">${t(`why.${c.why}`, { place: order ? placeName(m.book, order) : "" })}</span>`
            : html`<button class="btn ${c.fits ? "primary" : ""}" data-unit=${c.unit.id} ?disabled=${!m.canAct} @click=${() => act.dispatch(id, c.unit.id)}>
                ${t("dispatch.send")} ${key ? html`<kbd>${key}</kbd>` : nothing}
              </button>`}
        </li>`;
      })}
    </ul>
    ${m.candidates.every((c) => c.why) ? html`<p class="note">${t("dispatch.nobody")}</p>` : nothing}
    <p class="endrow"><button class="btn" @click=${() => act.openDialog(null)}>${t("cancel")} <kbd>Esc</kbd></button></p>`;
}

/** @param {Model} m @param {Acts} act @param {string} id @param {"pass" | "false_alarm"} result */
function close(m, act, id, result) {
  const { t } = m.book.tongue;
  const i = m.world.incidents.get(id);
  if (!i) return nothing;
  const orders = [...m.world.orders.values()].filter((o) => o.incident === id && !["done", "verified", "declined", "cancelled"].includes(o.state));
  return html`<form
    method="dialog"
    @submit=${(/** @type {SubmitEvent} */ e) => {
      e.preventDefault();
      const note = /** @type {HTMLTextAreaElement} */ (/** @type {HTMLFormElement} */ (e.target).elements.namedItem("note")).value.trim();
      act.closeCase(id, result, note);
    }}
  >
    <p><b>${kindName(m.book, i.kind)}<span class="dot">·</span>${placeName(m.book, i)}</b></p>
    <p>${t(result === "pass" ? "close.say" : "false.say")}</p>
    ${orders.length ? html`<p>${t("close.recall", { units: orders.map((o) => whoName(m.book, o.unit)).join(t("list.comma")) })}</p>` : nothing}
    <label class="field">${t("close.note")}<textarea name="note" rows="3" maxlength="200" ?required=${result === "false_alarm"}></textarea></label>
    <p class="endrow">
      <button type="button" class="btn" @click=${() => act.openDialog(null)}>${t("cancel")} <kbd>Esc</kbd></button>
      <button type="submit" class="btn primary">${t(result === "pass" ? "act.close" : "act.false_alarm")}</button>
    </p>
  </form>`;
}

/** @param {Model} m @param {Acts} act @param {string} id */
function reject(m, act, id) {
  const { t } = m.book.tongue;
  const i = m.world.incidents.get(id);
  if (!i) return nothing;
  return html`<form
    method="dialog"
    @submit=${(/** @type {SubmitEvent} */ e) => {
      e.preventDefault();
      act.reject(id, /** @type {HTMLTextAreaElement} */ (/** @type {HTMLFormElement} */ (e.target).elements.namedItem("note")).value.trim());
    }}
  >
    <p><b>${kindName(m.book, i.kind)}<span class="dot">·</span>${placeName(m.book, i)}</b></p>
    <p>${t("reject.say")}</p>
    <label class="field">${t("close.note")}<textarea name="note" rows="3" maxlength="200" required></textarea></label>
    <p class="endrow">
      <button type="button" class="btn" @click=${() => act.openDialog(null)}>${t("cancel")} <kbd>Esc</kbd></button>
      <button type="submit" class="btn primary">${t("act.false_alarm")}</button>
    </p>
  </form>`;
}

/** @param {Model} m @param {Acts} act @param {string} id */
function merge(m, act, id) {
  const { t } = m.book.tongue;
  const i = m.world.incidents.get(id);
  if (!i) return nothing;
  const others = [...m.world.incidents.values()]
    .filter((o) => o.id !== id && o.kind === i.kind && o.district === i.district && o.state !== "closed")
    .map((o) => ({ o, m: metres(i, o) }))
    .sort((a, b) => a.m - b.m)
    .slice(0, 9);
  return html`<p><b>${kindName(m.book, i.kind)}<span class="dot">·</span>${placeName(m.book, i)}</b></p>
    <p>${t(others.length ? "merge.say" : "merge.none")}</p>
    <ul class="choices">
      ${others.map(
        ({ o, m: far }) => html`<li><button class="choice" data-into=${o.id} ?disabled=${!m.canAct} @click=${() => act.merge(id, o.id)}>
          <b>${placeName(m.book, o)}</b><span class="muted">${spelled(m.book, shownLevel(o))} ${clock(msOf(o.opened_ns))} ${distance(t, far)}</span>
        </button></li>`,
      )}
    </ul>
    <p class="endrow"><button class="btn" @click=${() => act.openDialog(null)}>${t("cancel")} <kbd>Esc</kbd></button></p>`;
}

/** @param {Model} m @param {Acts} act @param {string} id */
function split(m, act, id) {
  const { t } = m.book.tongue;
  const i = m.world.incidents.get(id);
  if (!i) return nothing;
  return html`<form
    method="dialog"
    @submit=${(/** @type {SubmitEvent} */ e) => {
      e.preventDefault();
      const picked = new FormData(/** @type {HTMLFormElement} */ (e.target)).getAll("finding").map(String);
      if (picked.length > 0 && picked.length < i.evidence.length) act.split(id, picked);
    }}
  >
    <p>${t("split.say")}</p>
    ${i.evidence.map(
      (e) => html`<label class="check"><input type="checkbox" name="finding" value=${e.finding} /> ${t(`source.${e.source}`)} ${deviceName(m.book, e)}
        <b class="num">${number(e.value)} ${unitOf(m.book, e.metric)}</b></label>`,
    )}
    <p class="endrow">
      <button type="button" class="btn" @click=${() => act.openDialog(null)}>${t("cancel")} <kbd>Esc</kbd></button>
      <button type="submit" class="btn primary">${t("act.split.do")}</button>
    </p>
  </form>`;
}

/** @param {Model} m @param {Acts} act */
function help(m, act) {
  const { t } = m.book.tongue;
  const keys = [
    ["j", "key.down"],
    ["k", "key.up"],
    ["Enter", "key.open"],
    ["a", "key.acknowledge"],
    ["v", "key.confirm"],
    ["d", "key.dispatch"],
    ["c", "key.close"],
    ["m", "key.map"],
    ["n", "key.new"],
    ["s", "key.silence"],
    ["/", "key.search"],
    ["?", "key.help"],
    ["Esc", "key.escape"],
  ];
  return html`<dl class="keys">
      ${keys.map(([k, w]) => html`<div><dt><kbd>${k}</kbd></dt><dd>${t(w ?? "")}</dd></div>`)}
    </dl>
    <label class="check"><input type="checkbox" .checked=${m.keys} @change=${(/** @type {Event} */ e) => act.keys(/** @type {HTMLInputElement} */ (e.target).checked)} /> ${t("keys.on")}</label>
    <p class="endrow"><button class="btn" @click=${() => act.openDialog(null)}>${t("ok")} <kbd>Esc</kbd></button></p>`;
}

/** Short words about what became of a command. @param {readonly import("../lib/types.js").Notice[]} notices @param {import("../lib/types.js").Tongue} tongue @param {(id: number) => void} dismiss */
export function notices(notices, tongue, dismiss) {
  return html`${notices.map(
    (n) => html`<div class="notice ${n.tone}"><span>${n.text}</span><button class="btn quiet" aria-label=${tongue.t("dismiss")} @click=${() => dismiss(n.id)}>×</button></div>`,
  )}`;
}
