// Sensor-to-screen times of the last minute.

/** @typedef {readonly { at_ms: number, took_ms: number }[]} Samples */

export const WINDOW_MS = 60_000;
export const MOST = 4000;
const MOST_TOLD = 200; // as many as the gateway takes in one message
const LONGEST_MS = 3_600_000; // and as long

/**
 * @param {Samples} samples
 * @param {number} nowMs
 * @param {readonly number[]} took
 * @returns {Samples}
 */
export function took(samples, nowMs, took) {
  const fresh = samples.filter((s) => nowMs - s.at_ms <= WINDOW_MS);
  return [...fresh, ...took.map((took_ms) => ({ at_ms: nowMs, took_ms }))].slice(-MOST);
}

/**
 * Quantile by nearest rank, null without samples in the window.
 * @param {Samples} samples
 * @param {number} nowMs
 * @param {number} q 0..1
 * @returns {number | null}
 */
export function quantile(samples, nowMs, q) {
  const sorted = samples
    .filter((s) => nowMs - s.at_ms <= WINDOW_MS)
    .map((s) => s.took_ms)
    .sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? null;
}

/**
 * What the gateway is told. Of too many, evenly from the quickest to the slowest, which is always among them, so that
 * the quantiles stay.
 * @param {readonly (readonly [number, number])[]} drawn district, ms
 * @returns {[number, number][]}
 */
export function toTell(drawn) {
  const sorted = [...drawn].sort((a, b) => a[1] - b[1]);
  const told = Math.min(sorted.length, MOST_TOLD);
  /** @type {[number, number][]} */ const out = [];
  for (let k = 1; k <= told; k += 1) {
    const [district, ms] = /** @type {readonly [number, number]} */ (sorted[Math.ceil((k * sorted.length) / told) - 1]);
    out.push([district, Math.min(Math.round(ms * 10) / 10, LONGEST_MS)]);
  }
  return out;
}
