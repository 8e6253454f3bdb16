// Which sounds are due: I repeats until silenced or acknowledged, II sounds once, III and IV never.
import { shownLevel, unacked } from "./alerts.js";

/** @typedef {import("./alerts.js").Alert} Alert */
/** @typedef {{ heard: ReadonlySet<string>, silenced: ReadonlySet<string> }} Alarm */

/** @returns {Alarm} */
export const quiet = () => ({ heard: new Set(), silenced: new Set() });

/** @param {Alert} i @param {number} district -1: the whole city */
const ours = (i, district) => i.state === "open" && unacked(i) && (district < 0 || i.district === district);

/** Key of one sounding: rising to a worse level sounds again. @param {Alert} i */
const key = (i) => `${i.id}:${shownLevel(i)}`;

/**
 * @param {Alarm} alarm
 * @param {Iterable<Alert>} incidents incidents and situations
 * @param {number} district
 * @returns {{ alarm: Alarm, repeat: readonly Alert[], once: boolean }}
 */
export function due(alarm, incidents, district) {
  const heard = new Set(alarm.heard);
  const repeat = [];
  let once = false;
  for (const i of incidents) {
    if (!ours(i, district)) continue;
    if (shownLevel(i) === 1 && !alarm.silenced.has(key(i))) repeat.push(i);
    if (shownLevel(i) === 2 && !heard.has(key(i))) {
      once = true;
      heard.add(key(i));
    }
  }
  return { alarm: once ? { ...alarm, heard } : alarm, repeat, once };
}

/**
 * Stops what sounds now; silence is not acknowledgement, and a new one sounds again.
 * @param {Alarm} alarm
 * @param {Iterable<Alert>} incidents
 * @param {number} district
 * @returns {Alarm}
 */
export function silence(alarm, incidents, district) {
  const silenced = new Set(alarm.silenced);
  for (const i of incidents) if (ours(i, district) && shownLevel(i) === 1) silenced.add(key(i));
  return { ...alarm, silenced };
}
