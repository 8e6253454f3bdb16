// Which limits of a series an incident has met, for the lines in its curve.

/** @typedef {import("./messages.js").Incident} Incident */
/** @typedef {import("./messages.js").Evidence} Evidence */

/** Steps that tell of things getting worse. */
const RISING = new Set(["opened", "reopened", "evidence"]);

/**
 * Limit to level. The limit that a falling value has gone below is another one (it has the hysteresis off)
 * and is left out: a reason counts only where it has raised something in this incident.
 * @param {Incident} i
 * @param {Evidence} e
 * @returns {Map<number, number>}
 */
export function limitsOf(i, e) {
  /** @type {Map<number, number>} */
  const limits = new Map();
  const raising = new Set();
  for (const step of i.history) {
    const a = /** @type {Record<string, any>} */ (step.args);
    const worse = RISING.has(step.what) || (step.what === "severity" && a["to"] < a["from"]);
    if (!worse) continue;
    raising.add(a["reason"]);
    if (a["device"] === e.device && a["metric"] === e.metric && a["level"] && Number.isFinite(a["limit"]))
      limits.set(a["limit"], a["level"]);
  }
  if (e.level && raising.has(e.reason)) limits.set(e.limit, e.level);
  return limits;
}
