// The state of the city as the districts tell it: reduce(world, message) -> world.
import { active } from "./alerts.js";

/** @typedef {import("./types.js").World} World */
/** @typedef {import("./types.js").ServerMessage} ServerMessage */
/** @typedef {import("./types.js").ValueRow} ValueRow */
/** @typedef {import("./messages.js").Body} Body */

/** Closed incidents kept on the page; older ones are in the history of the server. */
export const CLOSED_KEPT = 300;

/** @returns {World} */
export function emptyWorld() {
  return {
    ready: false,
    incidents: new Map(),
    situations: new Map(),
    cases: new Map(),
    orders: new Map(),
    units: new Map(),
    support: new Map(),
    values: new Map(),
    at: {},
    epoch: "",
  };
}

/**
 * Takes one message; what it does not concern comes back as the same object.
 * @param {World} world
 * @param {ServerMessage} message
 * @returns {World}
 */
export function reduce(world, message) {
  switch (message.type) {
    case "snapshot": {
      const { at, epoch = "", values, objects } = message;
      let next = { ...emptyWorld(), ready: true, at: { ...at }, epoch, values: withRows(new Map(), values) };
      for (const body of objects) next = withBody(next, body);
      return prune(next);
    }
    case "delta":
    case "result": {
      const [district, offset] = message.at;
      const next = withBody(world, message.body);
      return prune({ ...next, at: { ...next.at, [String(district)]: offset } });
    }
    case "beat":
      return message.at && world.ready ? { ...world, at: { ...world.at, ...message.at } } : world;
    case "values":
      return { ...world, values: withRows(world.values, message.rows) };
    default:
      return world;
  }
}

/**
 * @template {{ id: string, rev: number }} T
 * @param {ReadonlyMap<string, T>} map
 * @param {T} body
 * @returns {ReadonlyMap<string, T>}
 */
function newest(map, body) {
  const old = map.get(body.id);
  if (old && old.rev > body.rev) return map;
  return new Map(map).set(body.id, body);
}

/**
 * @param {World} world
 * @param {Body} body
 * @returns {World}
 */
function withBody(world, body) {
  switch (body.type) {
    case "incident":
      return { ...world, incidents: newest(world.incidents, body) };
    case "situation":
      return { ...world, situations: newest(world.situations, body) };
    case "case":
      return { ...world, cases: newest(world.cases, body) };
    case "order":
      return { ...world, orders: newest(world.orders, body) };
    case "unit":
      return { ...world, units: newest(world.units, body) };
    case "support_needed": {
      const old = world.support.get(body.id);
      return { ...world, support: new Map(world.support).set(body.id, { need: body, offers: old?.offers ?? [] }) };
    }
    case "support_offer": {
      const old = world.support.get(body.request) ?? { need: null, offers: [] };
      const others = old.offers.filter((o) => o.district !== body.district);
      return { ...world, support: new Map(world.support).set(body.request, { ...old, offers: [...others, body] }) };
    }
    default:
      return world; // findings are inside their incident; results and troubles are told elsewhere
  }
}

/**
 * @param {ReadonlyMap<string, ValueRow>} values
 * @param {readonly ValueRow[]} rows
 */
function withRows(values, rows) {
  if (rows.length === 0) return values;
  const next = new Map(values);
  for (const row of rows) {
    const key = `${row[0]}:${row[1]}`;
    const old = next.get(key);
    if (!old || old[2] <= row[2]) next.set(key, row);
  }
  return next;
}

/**
 * Lets go of the oldest closed incidents with all that hangs on them, so that a page can stay open for days.
 * @param {World} world
 * @returns {World}
 */
function prune(world) {
  if (world.incidents.size <= CLOSED_KEPT) return world;
  const closed = [...world.incidents.values()].filter((i) => !active(world, i));
  if (closed.length <= CLOSED_KEPT * 1.1) return world; // in lumps, not one at a time
  closed.sort((a, b) => a.updated_ns - b.updated_ns);
  const gone = new Set(closed.slice(0, closed.length - CLOSED_KEPT).map((i) => i.id));
  /** @template T @param {ReadonlyMap<string, T>} map @param {(v: T) => string} of */
  const keep = (map, of) => new Map([...map].filter(([, v]) => !gone.has(of(v))));
  const used = new Set([...world.incidents.values()].map((i) => i.situation));
  return {
    ...world,
    situations: new Map([...world.situations].filter(([id, s]) => s.state === "open" || used.has(id))),
    incidents: keep(world.incidents, (i) => i.id),
    cases: keep(world.cases, (c) => c.incident),
    orders: keep(world.orders, (o) => o.incident),
    support: keep(world.support, (s) => s.need?.incident ?? s.offers[0]?.incident ?? ""),
  };
}
