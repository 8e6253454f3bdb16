// Facts to sentences: names from the registry and the domain packs, everything else from i18n.
import { fill, number } from "./format.js";
import { ROMAN, level } from "./severity.js";

/** @typedef {import("./types.js").Tongue} Tongue */
/** @typedef {import("./messages.js").Incident} Incident */
/** @typedef {import("./messages.js").Evidence} Evidence */
/** @typedef {import("./messages.js").Step} Step */
/**
 * @typedef {object} Book Where names are looked up.
 * @property {Tongue} tongue
 * @property {import("./types.js").Domains} domains
 * @property {import("./types.js").Registry} registry
 * @property {import("./types.js").Session} session
 */

/** @param {Book} book @param {string} kind */
export function kindName(book, kind) {
  return book.tongue.name(book.domains.kinds[kind]?.name) || kind;
}

/** @param {Book} book @param {import("./messages.js").Situation} s */
export function situationName(book, s) {
  return book.tongue.name(book.domains.situations[s.kind]?.name) || s.kind;
}

/** A share as a whole per cent; never 100 % or 0 %, nothing is that sure. @param {number} share */
export const percent = (share) => `${Math.min(99, Math.max(1, Math.round(share * 100)))}%`;

/** Why a piece of evidence counts less; empty where nothing speaks against it. @param {Book} book @param {Evidence} e */
export function doubt(book, e) {
  if (!e.doubt) return "";
  const key = `doubt.${e.doubt}`;
  const said = book.tongue.t(key);
  return said === key ? book.tongue.t("doubt.other") : said;
}

/** @param {Book} book @param {{ place_name_zh: string, place_name_en: string }} body */
export function placeName(book, body) {
  return book.tongue.name({ zh: body.place_name_zh, en: body.place_name_en });
}

/** @param {Book} book @param {number} n */
export function levelName(book, n) {
  return book.tongue.t(`severity.${level(n)}`);
}

/** @param {Book} book @param {number} number */
export function districtName(book, number) {
  if (number < 0) return book.tongue.t("city");
  const found = book.session.districts.find((d) => d.number === number);
  return found ? book.tongue.name(found.name) : String(number);
}

/** Unit, post or the system itself. @param {Book} book @param {string} id */
export function whoName(book, id) {
  if (!id) return "";
  const unit = book.registry.units.get(id);
  if (unit) return book.tongue.name(unit.name);
  const post = book.session.posts.find((p) => p.id === id);
  if (post) return book.tongue.name(post.name);
  return id.startsWith("city") ? book.tongue.t("city.agent") : id;
}

/** @param {Book} book @param {string} skill */
export function skillName(book, skill) {
  const key = `skill.${skill}`;
  const said = book.tongue.t(key);
  return said === key ? skill : said;
}

/** @param {Book} book @param {Evidence} e */
export function deviceName(book, e) {
  return book.tongue.name(book.registry.devices.get(e.device)?.name) || e.device;
}

/** @param {Book} book @param {string} metric */
export function metricName(book, metric) {
  return book.tongue.name(book.domains.metrics[metric]?.name) || metric;
}

/** @param {Book} book @param {string} metric */
export function unitOf(book, metric) {
  return book.domains.metrics[metric]?.unit ?? "";
}

/** The evidence that carries the incident: the worst now, sensors before video, the newest. @param {Incident} i */
export function lead(i) {
  const rank = (/** @type {Evidence} */ e) =>
    (e.level || 9) * 4 + (e.source === "sensor" ? 0 : e.source === "video" ? 1 : 2);
  return [...i.evidence].sort((a, b) => rank(a) - rank(b) || b.t_ns - a.t_ns)[0] ?? null;
}

/** Why, with the number against its limit. @param {Book} book @param {Evidence} e */
export function reason(book, e) {
  const template = book.tongue.name(book.domains.reasons[e.reason]);
  const unit = unitOf(book, e.metric);
  const metric = metricName(book, e.metric);
  if (template) return fill(template, { unit, metric, device: e.device, ...e.numbers, value: e.value, limit: e.limit });
  return book.tongue.t("reason.plain", {
    metric,
    value: number(e.value),
    limit: number(e.limit),
    unit,
  });
}

/** @param {Book} book @param {string} skill @param {Incident} i */
export function nextStep(book, skill, i) {
  return book.tongue.name(book.domains.kinds[i.kind]?.next_step) || skillName(book, skill);
}

/**
 * One line of a history. Arguments that are ids, levels or names in two languages become words.
 * @param {Book} book
 * @param {Step} step
 */
export function sentence(book, step) {
  /** @type {Record<string, unknown>} */
  const args = {};
  for (const [key, value] of Object.entries(step.args)) {
    if (key.endsWith("_zh")) args[key.slice(0, -3)] = book.tongue.name({ zh: String(value), en: String(step.args[`${key.slice(0, -3)}_en`] ?? "") });
    else if (!key.endsWith("_en")) args[key] ??= word(book, key, value);
  }
  if (typeof step.args.metric === "string" && typeof step.args.reason === "string") {
    const said = /** @type {Evidence} */ (/** @type {unknown} */ ({ numbers: {}, value: NaN, limit: NaN, ...step.args }));
    args.why = reason(book, said);
  }
  if (typeof step.args.device === "string") args.device = book.tongue.name(book.registry.devices.get(step.args.device)?.name) || step.args.device;
  if (step.what === "doubted" || step.what === "trusted") for (const key of ["from", "to"]) args[key] = percent(Number(step.args[key]));
  if (typeof step.args.confidence === "number") args.confidence = percent(step.args.confidence);
  const base = { ...blanks, by: step.by ? whoName(book, step.by) : book.tongue.t("by.system"), ...args };
  const key = `step.${step.what}`;
  const said = book.tongue.t(key, base);
  return said === key ? step.what : said.trim();
}

/** What a sentence may name without the sender having said it. */
const blanks = { unit: " ", note: " ", reason: " ", why: " ", from: " ", to: " ", severity: " ", district: " ", skill: " " };

/** @param {Book} book @param {string} key @param {unknown} value */
function word(book, key, value) {
  if (typeof value === "number" && /severity|level|from|to|peak/.test(key)) return ROMAN[value] ?? value;
  if (typeof value === "number" && /district/.test(key)) return districtName(book, value);
  if (typeof value === "string" && /unit|by/.test(key)) return whoName(book, value);
  if (key === "place" && typeof value === "string") return book.tongue.name((book.registry.places.get(value) ?? book.registry.devices.get(value))?.name) || value;
  if (key === "skill" && typeof value === "string") return skillName(book, value);
  if (key === "result" || key === "stage" || key === "reason" || key === "note") {
    const said = book.tongue.t(`${key}.${value}`);
    return said === `${key}.${value}` ? value : said;
  }
  return value;
}

/** An error as a sentence in the page's language; the server's own words only where we have none. @param {Tongue} tongue @param {import("./types.js").ServerError} e */
export function errorText(tongue, e) {
  const key = `error.${e.code}`;
  const said = tongue.t(key, e.args ?? {});
  return said === key ? e.message || e.code : said;
}

/** Who has it, in a word or two. @param {Book} book @param {Incident} i @param {import("./types.js").World} world */
export function holder(book, i, world) {
  const orders = [...world.orders.values()].filter((o) => o.incident === i.id);
  const live = orders.filter((o) => !["declined", "cancelled"].includes(o.state));
  const best = live.sort((a, b) => b.sent_ns - a.sent_ns)[0];
  if (best) {
    const more = new Set(live.map((o) => o.unit)).size - 1;
    return book.tongue.t(more > 0 ? "holder.units" : "holder.unit", {
      unit: whoName(book, best.unit),
      state: book.tongue.t(`receipt.short.${best.state}`),
      n: more,
    });
  }
  if (i.acknowledged_by) return book.tongue.t("holder.acked", { by: whoName(book, i.acknowledged_by) });
  return book.tongue.t("holder.none");
}
