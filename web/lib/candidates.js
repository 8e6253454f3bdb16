// Whom to send: free crews of the right skill first, nearest first; the others with the reason why not.
import { metres } from "./geo.js";

/** @typedef {import("./messages.js").Incident} Incident */
/** @typedef {import("./messages.js").Unit} Unit */
/** @typedef {"busy" | "off_duty" | "elsewhere"} WhyNot */
/** @typedef {{ unit: Unit, distance_m: number, fits: boolean, why: WhyNot | null, order: string }} Candidate */

/**
 * @param {Incident} incident
 * @param {import("./types.js").Registry} registry
 * @param {import("./types.js").World} world
 * @param {string} skill of the incident's kind
 * @returns {Candidate[]}
 */
export function candidates(incident, registry, world, skill) {
  /** @type {Candidate[]} */
  const out = [];
  for (const unit of registry.units.values()) {
    if (unit.district !== incident.district) continue;
    const state = world.units.get(unit.id);
    const onDuty = state ? state.on_duty : unit.on_duty;
    const order = state?.order ?? "";
    out.push({
      unit,
      distance_m: metres(unit, incident),
      fits: unit.skill === skill,
      why: !onDuty ? "off_duty" : order ? "busy" : null,
      order,
    });
  }
  return out.sort(
    (a, b) =>
      Number(a.why !== null) - Number(b.why !== null) ||
      Number(!a.fits) - Number(!b.fits) ||
      a.distance_m - b.distance_m,
  );
}
