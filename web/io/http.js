// Reading from the gateway over HTTP.

/** An answer that was not what we asked for; `code` is the gateway's, or http.NNN, or net.unreachable. */
export class HttpError extends Error {
  /** @param {string} code @param {string} message @param {Readonly<Record<string, unknown>>} args */
  constructor(code, message, args = {}) {
    super(message);
    this.code = code;
    this.args = args;
  }
}

/**
 * @template T
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export async function getJson(path, signal) {
  let response;
  try {
    response = await fetch(path, { headers: { accept: "application/json" }, ...(signal ? { signal } : {}) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new HttpError("net.unreachable", `${path}: ${error}`);
  }
  if (response.ok) return response.json();
  const said = await response.json().catch(() => null);
  throw new HttpError(said?.code ?? `http.${response.status}`, said?.message ?? `${path}: ${response.status}`, said?.args);
}

/**
 * Words of a language.
 * @param {string} lang
 * @returns {Promise<import("../lib/types.js").Dict>}
 */
export function words(lang) {
  return getJson(`${new URL(`../i18n/${lang}.json`, import.meta.url).pathname}`);
}

/**
 * All that a page needs before it can show anything.
 * @returns {Promise<{ session: import("../lib/types.js").Session, domains: import("../lib/types.js").Domains, registry: import("../lib/types.js").Registry }>}
 */
export async function bootstrap() {
  const [session, domains, registry] = await Promise.all([
    /** @type {Promise<import("../lib/types.js").Session>} */ (getJson("/api/session")),
    /** @type {Promise<import("../lib/types.js").Domains>} */ (getJson("/api/domains")),
    readRegistry(),
  ]);
  return { session, domains, registry };
}

/** @typedef {{ places: import("../lib/messages.js").Place[], devices: import("../lib/messages.js").Device[] }} Some */

/**
 * Places, devices and units by id; of a large city only units and how much there is.
 * @returns {Promise<import("../lib/types.js").Registry>}
 */
export async function readRegistry() {
  /** @type {Some & { units: import("../lib/messages.js").Unit[], whole: boolean, counts: { places: number, devices: Readonly<Record<string, number>> } }} */
  const raw = await getJson("/api/registry");
  const kinds = Object.entries(raw.counts.devices);
  return {
    places: new Map(raw.places.map((p) => [p.id, p])),
    devices: new Map(raw.devices.map((d) => [d.id, d])),
    units: new Map(raw.units.map((u) => [u.id, u])),
    whole: raw.whole,
    counts: {
      places: raw.counts.places,
      devices: kinds.reduce((sum, [, n]) => sum + n, 0),
      cameras: raw.counts.devices["camera"] ?? 0,
    },
  };
}

/**
 * Devices and places of a large city by id.
 * @param {import("../lib/lookup.js").Ids} ids
 * @returns {Promise<Some>}
 */
export function lookUp(ids) {
  return getJson(`/api/registry/some?${new URLSearchParams({ devices: ids.devices.join(","), places: ids.places.join(",") })}`);
}

/**
 * Devices of a large city in a part of the map.
 * @param {{ west: number, south: number, east: number, north: number }} box degrees
 * @returns {Promise<{ devices: [string, number, number][], total: number }>} kind, longitude, latitude
 */
export function devicesAround(box) {
  return getJson(`/api/registry/around?west=${box.west}&south=${box.south}&east=${box.east}&north=${box.north}`);
}
