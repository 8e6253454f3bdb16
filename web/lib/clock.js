// Three clocks: the page's, the server's, and event time. Pure: the local time is always an argument.

/** @typedef {import("./types.js").Clock} Clock */

/** Event time runs on by itself for this long after the last beat, then stands still. */
const COAST_MS = 5000;

/** @param {number} speed @returns {Clock} */
export function startClock(speed) {
  return { offset_ms: 0, trip_ms: Infinity, event_ms: null, event_at_ms: 0, speed };
}

/**
 * A ping came back. The shortest round trip tells the offset best; an old one fades by 1 ms a pong.
 * @param {Clock} clock
 * @param {number} sentMs local
 * @param {number} serverMs
 * @param {number} nowMs local
 * @returns {Clock}
 */
export function ponged(clock, sentMs, serverMs, nowMs) {
  const trip = nowMs - sentMs;
  if (trip < 0 || trip > clock.trip_ms + 1) return { ...clock, trip_ms: clock.trip_ms + 1 };
  return { ...clock, trip_ms: trip, offset_ms: serverMs - (sentMs + trip / 2) };
}

/**
 * @param {Clock} clock
 * @param {{ now_ms: number, event_ms: number | null }} beat
 * @param {number} nowMs local
 * @returns {Clock}
 */
export function beaten(clock, beat, nowMs) {
  const rough = clock.trip_ms === Infinity ? { offset_ms: beat.now_ms - nowMs } : {};
  return { ...clock, ...rough, event_ms: beat.event_ms || null, event_at_ms: nowMs };
}

/** @param {Clock} clock @param {number} nowMs local */
export function serverNow(clock, nowMs) {
  return nowMs + clock.offset_ms;
}

/**
 * Event time now: the newest told, run on at the run's speed for a short while.
 * @param {Clock} clock
 * @param {number} nowMs local
 */
export function eventNow(clock, nowMs) {
  if (clock.event_ms === null) return serverNow(clock, nowMs);
  return clock.event_ms + Math.min(Math.max(0, nowMs - clock.event_at_ms), COAST_MS) * clock.speed;
}
