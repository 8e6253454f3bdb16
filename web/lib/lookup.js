// Names that a page of a large city does not have yet: what to ask for, and taking in what came. Pure.

/** @typedef {import("./types.js").Registry} Registry */
/** @typedef {{ devices: string[], places: string[] }} Ids */

export const MOST = 200; // of each at once, as the gateway allows

/**
 * Devices and places that an incident names and the page does not know.
 * @param {import("./messages.js").Incident | null} i
 * @param {Registry} registry
 * @param {ReadonlySet<string>} asked what was asked for already, known or not
 * @returns {Ids}
 */
export function missing(i, registry, asked) {
  if (!i || registry.whole) return { devices: [], places: [] };
  const named = (/** @type {string} */ key) => i.history.flatMap((s) => (typeof s.args[key] === "string" ? [String(s.args[key])] : []));
  const wanted = (/** @type {string[]} */ ids, /** @type {ReadonlyMap<string, unknown>} */ known) =>
    [...new Set(ids)].filter((id) => id && !id.includes(",") && !known.has(id) && !asked.has(id)).slice(0, MOST);
  return {
    devices: wanted([...i.evidence.map((e) => e.device), ...named("device")], registry.devices),
    places: wanted([i.place, ...named("place")], registry.places),
  };
}

/**
 * The registry with what was looked up.
 * @param {Registry} registry
 * @param {{ devices: readonly import("./messages.js").Device[], places: readonly import("./messages.js").Place[] }} some
 * @returns {Registry}
 */
export function withSome(registry, some) {
  return {
    ...registry,
    devices: new Map([...registry.devices, ...some.devices.map((d) => /** @type {const} */ ([d.id, d]))]),
    places: new Map([...registry.places, ...some.places.map((p) => /** @type {const} */ ([p.id, p]))]),
  };
}

/** A registry read again keeps what was looked up before. @param {Registry} old @param {Registry} fresh @returns {Registry} */
export function renewed(old, fresh) {
  return fresh.whole ? fresh : { ...fresh, devices: old.devices, places: old.places };
}
