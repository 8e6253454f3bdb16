// The world as GeoJSON for the map. Pure.
import { shownLevel } from "../lib/alerts.js";
import { number } from "../lib/format.js";
import { kindName, lead, unitOf } from "../lib/words.js";

/** @typedef {import("../lib/types.js").World} World */
/** @typedef {import("../lib/words.js").Book} Book */

const point = (/** @type {{ lon: number, lat: number }} */ at, /** @type {Record<string, unknown>} */ properties) => ({
  type: /** @type {const} */ ("Feature"),
  geometry: { type: /** @type {const} */ ("Point"), coordinates: [at.lon, at.lat] },
  properties,
});

/** @template T @param {T[]} features */
const collection = (features) => ({ type: /** @type {const} */ ("FeatureCollection"), features });

/**
 * Incidents that go on; I and II apart, since they are never clustered away.
 * @param {World} world
 * @param {Book} book
 * @param {string | null} chosen
 */
export function incidents(world, book, chosen) {
  /** @type {ReturnType<typeof point>[]} */ const high = [];
  /** @type {ReturnType<typeof point>[]} */ const low = [];
  for (const i of world.incidents.values()) {
    if (i.state === "closed" && i.id !== chosen) continue;
    const level = shownLevel(i);
    const e = lead(i);
    const value = e && i.state === "open" && e.source === "sensor" ? ` ${number(e.value)} ${unitOf(book, e.metric)}` : "";
    const feature = point(i, {
      id: i.id,
      level,
      label: `${kindName(book, i.kind)}${value}`,
      icon: `s-${level}${i.state === "open" ? "" : "-over"}${i.id === chosen ? "-chosen" : ""}`,
    });
    (level <= 2 || i.id === chosen ? high : low).push(feature);
  }
  return { high: collection(high), low: collection(low) };
}

/** @param {World} world @param {Book} book */
export function units(world, book) {
  return collection(
    [...book.registry.units.values()]
      .filter((u) => world.units.get(u.id)?.on_duty ?? u.on_duty)
      .map((u) => point(u, { id: u.id, name: book.tongue.name(u.name), busy: Boolean(world.units.get(u.id)?.order) })),
  );
}

const ON_THE_WAY = new Set(["sent", "delivered", "seen", "accepted", "en_route", "on_scene"]);

/** A line from the crew to where it is sent. @param {World} world @param {Book} book */
export function orders(world, book) {
  return collection(
    [...world.orders.values()].flatMap((o) => {
      const unit = book.registry.units.get(o.unit);
      if (!unit || !ON_THE_WAY.has(o.state)) return [];
      return [
        {
          type: /** @type {const} */ ("Feature"),
          geometry: { type: /** @type {const} */ ("LineString"), coordinates: [[unit.lon, unit.lat], [o.lon, o.lat]] },
          properties: { id: o.id },
        },
      ];
    }),
  );
}

/** Devices in a part of a large city. @param {readonly (readonly [string, number, number])[]} rows kind, longitude, latitude */
export function sampled(rows) {
  return collection(rows.map(([kind, lon, lat]) => point({ lon, lat }, { kind })));
}

/** @param {Book} book */
export function devices(book) {
  return collection([...book.registry.devices.values()].map((d) => point(d, { id: d.id, kind: d.kind })));
}

/**
 * South-west and north-east corner of everything in a collection.
 * @param {{ features: readonly { geometry: any }[] }} all
 * @returns {[[number, number], [number, number]] | null}
 */
export function bounds(all) {
  let [w, s, e, n] = [Infinity, Infinity, -Infinity, -Infinity];
  const walk = (/** @type {any} */ c) => {
    if (typeof c[0] === "number") {
      w = Math.min(w, c[0]);
      e = Math.max(e, c[0]);
      s = Math.min(s, c[1]);
      n = Math.max(n, c[1]);
    } else c.forEach(walk);
  };
  for (const f of all.features) walk(f.geometry.coordinates);
  return w <= e ? [[w, s], [e, n]] : null;
}
