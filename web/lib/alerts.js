// The alert list: which rows, in which order, and which wait.
import { level } from "./severity.js";

/** @typedef {import("./messages.js").Incident} Incident */
/** @typedef {import("./types.js").World} World */

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
/** @typedef {One | Group} Row */

export const ROWS_AT_MOST = 200;
const FLOOD_COUNT = 10;
const FLOOD_MS = 600_000;

/** Nobody has taken note; what is closed can no longer be acknowledged. @param {Incident} i */
export const unacked = (i) => !i.acknowledged_by && i.state !== "closed";

/** Still something to watch, or a case to finish. @param {World} world @param {Incident} i */
export function active(world, i) {
  if (i.state !== "closed") return true;
  const kase = world.cases.get(i.case);
  return kase !== undefined && kase.stage !== "closed";
}

/**
 * Unacknowledged first, then severity, then the own district, then newest.
 * @param {World} world
 * @param {number} own district, -1 for none
 * @returns {(a: Incident, b: Incident) => number}
 */
export function order(world, own) {
  return (a, b) =>
    Number(!active(world, a)) - Number(!active(world, b)) ||
    Number(!unacked(a)) - Number(!unacked(b)) ||
    Number(a.state === "closed") - Number(b.state === "closed") ||
    shownLevel(a) - shownLevel(b) ||
    Number(a.district !== own) - Number(b.district !== own) ||
    b.opened_ns - a.opened_ns ||
    (a.id < b.id ? -1 : 1);
}

/** What an incident counts as: its level now, or its worst once it is over. @param {Incident} i */
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
 * Sorted incidents that match, and how many active or unacknowledged ones the filter hides.
 * @param {World} world
 * @param {Look} look
 * @param {(i: Incident) => string} text
 */
export function pick(world, look, text) {
  const shown = [];
  let hidden = 0;
  for (const incident of world.incidents.values()) {
    if (matches(world, incident, look, text)) shown.push(incident);
    else if (active(world, incident)) hidden += 1;
  }
  return { shown: shown.sort(order(world, look.district)), hidden };
}

/**
 * More than ten new ones in ten minutes of event time.
 * @param {Iterable<Incident>} incidents
 * @param {number} eventMs
 */
export function flooded(incidents, eventMs) {
  let count = 0;
  for (const i of incidents) if (eventMs - i.opened_ns / 1e6 <= FLOOD_MS) count += 1;
  return count > FLOOD_COUNT;
}

/**
 * Rows of the list. In a flood the milder ones of one kind and zone share a row; I and II stay single,
 * and so does what is chosen.
 * @param {readonly Incident[]} sorted
 * @param {{ flood: boolean, zone: (i: Incident) => string, open: ReadonlySet<string>, chosen: string | null }} how
 * @returns {Row[]}
 */
export function rows(sorted, how) {
  if (!how.flood) return sorted.map((i) => ({ type: "one", id: i.id }));
  /** @type {Map<string, Incident[]>} */
  const groups = new Map();
  const key = (/** @type {Incident} */ i) =>
    shownLevel(i) <= 2 || i.id === how.chosen || i.state === "closed" ? null : `${i.kind}|${how.zone(i)}|${unacked(i) ? 0 : 1}`;
  for (const i of sorted) {
    const k = key(i);
    if (k) groups.set(k, [...(groups.get(k) ?? []), i]);
  }
  /** @type {Row[]} */
  const out = [];
  const done = new Set();
  for (const i of sorted) {
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
  const by = { 1: 0, 2: 0, 3: 0, 4: 0, unacked: 0, active: 0, closed: 0, all: 0 };
  for (const i of world.incidents.values()) {
    if (district >= 0 && i.district !== district) continue;
    by.all += 1;
    if (!active(world, i)) {
      by.closed += 1;
      continue;
    }
    by.active += 1;
    if (unacked(i)) by.unacked += 1;
    if (i.state !== "closed") by[shownLevel(i)] += 1;
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
    if (i.state !== "open") continue;
    if (
      !found ||
      shownLevel(i) < shownLevel(found) ||
      (shownLevel(i) === shownLevel(found) && i.opened_ns < found.opened_ns)
    )
      found = i;
  }
  return found;
}

/** @typedef {"acknowledge" | "dispatch" | "accept" | "arrive" | "finish" | "check" | "watch" | "none"} Todo */

/**
 * What has to happen next.
 * @param {Incident} i
 * @param {World} world
 * @returns {Todo}
 */
export function todo(i, world) {
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
