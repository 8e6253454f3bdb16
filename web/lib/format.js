// Numbers and times as people at a desk read them. Times are local; what comes in is ns or ms UTC.

/** @typedef {import("./types.js").Say} Say */

/** @param {number} ns */
export const msOf = (ns) => ns / 1e6;

const two = (/** @type {number} */ n) => String(n).padStart(2, "0");

/**
 * 24-hour time with seconds.
 * @param {number} ms
 */
export function clock(ms) {
  const d = new Date(ms);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/**
 * Hours and minutes.
 * @param {number} ms
 */
export function hourMinute(ms) {
  return clock(ms).slice(0, 5);
}

/**
 * Year-month-day.
 * @param {number} ms
 */
export function day(ms) {
  const d = new Date(ms);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

/**
 * Time with seconds; with month and day before it where it was not today.
 * @param {number} ms
 * @param {number} nowMs
 */
export function stamp(ms, nowMs) {
  return day(ms) === day(nowMs) ? clock(ms) : `${day(ms).slice(5)} ${clock(ms)}`;
}

/**
 * How long ago, coarse: seconds under a minute, then minutes, hours, days.
 * @param {Say} t
 * @param {number} ms
 */
export function age(t, ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return t("age.s", { n: s });
  if (s < 3600) return t("age.min", { n: Math.floor(s / 60) });
  if (s < 86_400) return t("age.h", { n: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60) });
  return t("age.d", { n: Math.floor(s / 86_400) });
}

/**
 * What is left of a time limit, mm:ss or h:mm:ss; the sign is the caller's to say in words.
 * @param {number} ms
 */
export function countdown(ms) {
  const s = Math.floor(Math.abs(ms) / 1000);
  const h = Math.floor(s / 3600);
  const rest = `${two(Math.floor((s % 3600) / 60))}:${two(s % 60)}`;
  return h > 0 ? `${h}:${rest}` : rest;
}

/**
 * A measured value: three digits that matter, no trailing zeros, no exponent.
 * @param {number} value
 */
export function number(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const places = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return String(Number(value.toFixed(places)));
}

/**
 * @param {Say} t
 * @param {number} metres
 */
export function distance(t, metres) {
  if (metres < 950) return t("unit.m", { n: Math.round(metres / 10) * 10 });
  return t("unit.km", { n: (metres / 1000).toFixed(1) });
}

/**
 * Fills {name} and {name:.1f} with arguments; a name without an argument stays readable as itself.
 * @param {string} template
 * @param {Readonly<Record<string, unknown>>} args
 */
export function fill(template, args) {
  return template.replace(/\{(\w+)(?::\.?(\d*)[a-z%]?)?\}/g, (_, name, places) => {
    const value = args[name];
    if (typeof value === "number") return places ? value.toFixed(Number(places)) : number(value);
    return value === undefined || value === null || value === "" ? name : String(value);
  });
}
