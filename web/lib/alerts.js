// The alert list: which rows, in which order, and which wait.
import { level } from "./severity.js";

/** @typedef {import("./messages.js").Incident} Incident */
/** @typedef {import("./messages.js").Situation} Situation */
/** @typedef {import("./types.js").World} World */
/** @typedef {Incident | Situation} Alert What people may be called upon for. */

/** @typedef {"all" | "unacked" | "active" | "closed"} Filter */
/**
 * @typedef {object} Look What the person wants to see.
 * @property {Filter} filter
 * @property {string} query
 * @property {number} district own district, -1 for the whole city
 * @property {boolean} own only the own district
 */
/** @typedef {{ type: "one", id: string }} One */
/** @typedef {{ type: "group", id: string, kind: string, zone: string, level: number, ids: readonly string[] }} Group */
/** @typedef {{ type: "situation", id: string, ids: readonly string[] }} Fold */
/** @typedef {One | Group | Fold} Row */

export const ROWS_AT_MOST = 200;
const FLOOD_COUNT = 10;
const FLOOD_MS = 600_000;

/** Not believed yet: shown, but nobody is called upon. @param {Alert} i */
export const doubtful = (i) => i.type === "incident" && i.standing === "candidate";

/** People were called upon and nobody has taken note; what is closed can no longer be acknowledged. @param {Alert} i */
export const unacked = (i) => !i.acknowledged_by && i.state !== "closed" && i.annunciated_ns !== null;

/**
 * The open situation that tells of an incident in its stead. Level I speaks for itself, and so does what people
 * were called upon for until one of them has taken note.
 * @param {World} world
 * @param {Incident} i
 * @returns {Situation | null}
 */
export function teller(world, i) {
  const s = i.situation ? world.situations.get(i.situation) : undefined;
  return s && s.state === "open" && i.state !== "closed" && shownLevel(i) > 1 && !unacked(i) ? s : null;
}

/** Still something to watch, or a case to finish. @param {World} world @param {Alert} i */
export function active(world, i) {
  if (i.state !== "closed") return true;
  if (i.type === "situation") return false;
  const kase = world.cases.get(i.case);
  return kase !== undefined && kase.stage !== "closed";
}

/**
 * Unacknowledged first, what is believed before what is not, then severity, the own district, newest.
 * @param {World} world
 * @param {number} own district, -1 for none
 * @returns {(a: Alert, b: Alert) => number}
 */
export function order(world, own) {
  return (a, b) =>
    Number(!active(world, a)) - Number(!active(world, b)) ||
    Number(!unacked(a)) - Number(!unacked(b)) ||
    Number(a.state === "closed") - Number(b.state === "closed") ||
    Number(doubtful(a)) - Number(doubtful(b)) ||
    shownLevel(a) - shownLevel(b) ||
    Number(a.district !== own) - Number(b.district !== own) ||
    b.opened_ns - a.opened_ns ||
    (a.id < b.id ? -1 : 1);
}

/** What an alert counts as: its level now, or its worst once it is over. @param {Alert} i */
export function shownLevel(i) {
  return level(i.state === "open" && i.severity ? i.severity : i.peak || i.severity);
}

/**
 * @param {World} world
 * @param {Incident} i
 * @param {Look} look
 * @param {(i: Incident) => string} text all words of the row, for the search
 */
export function matches(world, i, look, text) {
  if (look.own && look.district >= 0 && i.district !== look.district) return false;
  if (look.filter === "unacked" && !unacked(i)) return false;
  if (look.filter === "active" && !active(world, i)) return false;
  if (look.filter === "closed" && active(world, i)) return false;
  const query = look.query.trim().toLowerCase();
  return !query || query.split(/\s+/).every((word) => text(i).toLowerCase().includes(word));
}

/**
 * Sorted alerts that match, and how many active or unacknowledged ones the filter hides. What a situation tells of
 * stands in `told`, under its id; so does every open situation, though nothing under it matches.
 * @param {World} world
 * @param {Look} look
 * @param {(i: Incident) => string} text
 */
export function pick(world, look, text) {
  /** @type {Alert[]} */
  const shown = [];
  /** @type {Map<string, Incident[]>} */
  const told = new Map();
  let hidden = 0;
  for (const incident of world.incidents.values()) {
    const by = teller(world, incident);
    if (!matches(world, incident, look, text) && !(by && look.filter === "unacked" && !look.query && unacked(by)))
      hidden += active(world, incident) ? 1 : 0;
    else if (by) told.set(by.id, [...(told.get(by.id) ?? []), incident]);
    else shown.push(incident);
  }
  for (const s of world.situations.values()) {
    if (look.own && look.district >= 0 && s.district !== look.district) continue;
    const fits = look.filter === "all" || (look.filter === "closed" ? s.state === "closed" : s.state === "open" && (look.filter === "active" || unacked(s)));
    if (told.has(s.id) || (fits && !look.query.trim())) shown.push(s);
  }
  const by = order(world, look.district);
  for (const members of told.values()) members.sort(by);
  return { shown: shown.sort(by), told, hidden };
}

/**
 * More than ten new ones in ten minutes of event time.
 * @param {Iterable<Incident>} incidents
 * @param {number} eventMs
 */
export function flooded(incidents, eventMs) {
  let count = 0;
  for (const i of incidents) if (i.annunciated_ns !== null && eventMs - i.opened_ns / 1e6 <= FLOOD_MS) count += 1;
  return count > FLOOD_COUNT;
}

/**
 * Rows of the list. In a flood the milder ones of one kind and zone share a row; I and II stay single,
 * and so does what is chosen. What a situation tells of is under its row, where that is unfolded.
 * @param {readonly Alert[]} sorted
 * @param {{ flood: boolean, zone: (i: Incident) => string, open: ReadonlySet<string>, chosen: string | null, told: ReadonlyMap<string, readonly Incident[]> }} how
 * @returns {Row[]}
 */
export function rows(sorted, how) {
  /** @type {Map<string, Incident[]>} */
  const groups = new Map();
  const key = (/** @type {Alert} */ i) =>
    !how.flood || i.type === "situation" || shownLevel(i) <= 2 || i.id === how.chosen || i.state === "closed" ? null : `${i.kind}|${how.zone(i)}|${unacked(i) ? 0 : 1}`;
  for (const i of sorted) {
    const k = key(i);
    if (k && i.type === "incident") groups.set(k, [...(groups.get(k) ?? []), i]);
  }
  /** @type {Row[]} */
  const out = [];
  const done = new Set();
  for (const i of sorted) {
    if (i.type === "situation") {
      const ids = (how.told.get(i.id) ?? []).map((m) => m.id);
      out.push({ type: "situation", id: i.id, ids });
      if (how.open.has(i.id)) for (const id of ids) out.push({ type: "one", id });
      continue;
    }
    const k = key(i);
    const members = k ? (groups.get(k) ?? []) : [];
    if (!k || members.length < 2) {
      out.push({ type: "one", id: i.id });
      continue;
    }
    if (done.has(k)) continue;
    done.add(k);
    const worst = Math.min(...members.map(shownLevel));
    out.push({ type: "group", id: k, kind: i.kind, zone: how.zone(i), level: worst, ids: members.map((m) => m.id) });
    if (how.open.has(k)) for (const m of members) out.push({ type: "one", id: m.id });
  }
  return out;
}

/**
 * Rows that stay where they are while somebody points at, has the focus in, or has scrolled the list.
 * `held` is the list as it was when holding began; what came since waits and is counted.
 * @param {readonly Row[]} fresh
 * @param {readonly Row[] | null} held
 * @returns {{ rows: readonly Row[], waiting: readonly Row[] }}
 */
export function hold(fresh, held) {
  if (!held) return { rows: fresh, waiting: [] };
  const byId = new Map(fresh.map((r) => [r.id, r]));
  const had = new Set(held.map((r) => r.id));
  const rows = held.map((r) => byId.get(r.id) ?? r);
  return { rows, waiting: fresh.filter((r) => !had.has(r.id)) };
}

/**
 * Counts of what is still going on, by level.
 * @param {World} world
 * @param {number} district only this one, or -1 for all
 */
export function counts(world, district) {
  const by = { 1: 0, 2: 0, 3: 0, 4: 0, unacked: 0, active: 0, closed: 0, all: 0, doubtful: 0 };
  for (const i of world.incidents.values()) {
    if (district >= 0 && i.district !== district) continue;
    by.all += 1;
    if (!active(world, i)) {
      by.closed += 1;
      continue;
    }
    by.active += 1;
    if (unacked(i)) by.unacked += 1;
    if (i.state !== "closed" && doubtful(i)) by.doubtful += 1;
    else if (i.state !== "closed") by[shownLevel(i)] += 1;
  }
  return by;
}

/**
 * The worst that is open, the earliest of its level: what the foot of the day is about.
 * @param {Iterable<Incident>} incidents
 * @returns {Incident | null}
 */
export function worst(incidents) {
  let found = null;
  for (const i of incidents) {
    if (i.state !== "open" || doubtful(i)) continue;
    if (
      !found ||
      shownLevel(i) < shownLevel(found) ||
      (shownLevel(i) === shownLevel(found) && i.opened_ns < found.opened_ns)
    )
      found = i;
  }
  return found;
}

/** @typedef {"verify" | "acknowledge" | "dispatch" | "accept" | "arrive" | "finish" | "check" | "watch" | "none"} Todo */

/**
 * What has to happen next.
 * @param {Incident} i
 * @param {World} world
 * @returns {Todo}
 */
export function todo(i, world) {
  if (doubtful(i) && i.state === "open") return "verify";
  if (unacked(i)) return "acknowledge";
  const kase = world.cases.get(i.case);
  if (!kase || kase.stage === "closed") return i.state === "closed" ? "none" : "watch";
  /** @type {Todo | null} */
  let waits = null;
  for (const id of kase.orders) {
    const state = world.orders.get(id)?.state;
    if (state === "on_scene") waits = "finish";
    else if (state === "accepted" || state === "en_route") waits ??= "arrive";
    else if (state === "sent" || state === "delivered" || state === "seen") waits ??= "accept";
  }
  return waits ?? (kase.stage === "checking" ? "check" : "dispatch");
}
