// Sensor-to-screen times of the last minute.

/** @typedef {readonly { at_ms: number, took_ms: number }[]} Samples */

export const WINDOW_MS = 60_000;
const MOST = 4000;

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
