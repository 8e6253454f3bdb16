// What both pages share: words, the clock, the link, and a picture drawn at most once a frame.
import { beaten, eventNow, ponged, serverNow, startClock } from "../lib/clock.js";
import { choose, tongue } from "../lib/i18n.js";
import { took } from "../lib/latency.js";
import { emptyWorld, reduce } from "../lib/world.js";
import { words } from "../io/http.js";
import { asked, recall, remember } from "../io/prefs.js";

/** @typedef {import("../lib/types.js").ServerMessage} ServerMessage */
/** @typedef {import("../lib/types.js").Tongue} Tongue */

/** The tongue this person reads. @returns {Promise<Tongue>} */
export async function firstTongue() {
  return speak(choose(asked("lang") ?? recall("lang", null)));
}

/** @param {Tongue["lang"]} lang @returns {Promise<Tongue>} */
export async function speak(lang) {
  const spoken = tongue(lang, await words(lang));
  document.documentElement.lang = lang;
  return spoken;
}

/** The other of the two tongues, remembered. @param {Tongue} now */
export async function otherTongue(now) {
  const lang = now.lang === "en" ? "zh-CN" : "en";
  remember("lang", lang);
  return speak(lang);
}

/** Facts heard from the server. Messages wait for the next frame, so that a burst costs one drawing. */
export class Hearing {
  world = emptyWorld();
  clock;
  /** @type {import("../lib/types.js").Link} */ link = { phase: "connecting", since_ms: Date.now(), heard_ms: 0, tries: 0, refused: null };
  /** @type {{ kafka: boolean, database: boolean, fed_ms: number | null }} */
  services = { kafka: true, database: true, fed_ms: null };
  /** @type {import("../lib/latency.js").Samples} */ samples = [];
  /** @type {ServerMessage[]} */ #waiting = [];
  /** @type {number[]} */ #stamps = [];
  #livesNow; // event time is the wall clock's until told otherwise
  #since_ms = Infinity; // server time; older messages were caught up, not heard as they came

  /** @param {import("../lib/types.js").Session} session */
  constructor(session) {
    this.clock = startClock(session.speed);
    this.#livesNow = session.kind === "live";
  }

  /** @param {ServerMessage} message @returns {boolean} whether something is to be drawn */
  take(message) {
    const now = Date.now();
    if (message.type === "pong") {
      this.clock = ponged(this.clock, message.sent_ms, message.now_ms, now);
      return false;
    }
    if (message.type === "snapshot" && !this.#livesNow && this.clock.event_ms === null) {
      // In a replay event time is another time altogether; the newest change is near it until the first beat.
      const newest = Math.max(0, ...message.objects.map((b) => ("updated_ns" in b ? b.updated_ns : 0)));
      if (newest) this.clock = beaten(this.clock, { now_ms: message.now_ms, event_ms: newest / 1e6 }, now);
    }
    if (message.type === "beat") {
      this.clock = beaten(this.clock, message, now);
      const fed = Object.values(message.feeds ?? {}).flatMap((f) => f.ingest_ms ?? []);
      this.services = {
        kafka: message.kafka ?? true,
        database: message.database ?? true,
        fed_ms: fed.length ? Math.max(...fed) : null,
      };
    }
    if ((message.type === "delta" || message.type === "values") && message.ingest_ms && (message.gateway_ms ?? 0) > this.#since_ms)
      this.#stamps.push(message.ingest_ms);
    this.#waiting.push(message);
    return true;
  }

  /** @param {import("../lib/types.js").Link} link */
  heard(link) {
    this.link = link;
    this.#since_ms = link.phase === "live" ? serverNow(this.clock, Date.now()) : Infinity;
  }

  /** Messages since the last frame, taken into the world. @returns {readonly ServerMessage[]} */
  settle() {
    const messages = this.#waiting;
    this.#waiting = [];
    for (const message of messages) this.world = reduce(this.world, message);
    return messages;
  }

  /** The picture is on the screen: how long did it take from the sensor? */
  painted() {
    if (this.#stamps.length === 0) return;
    const now = serverNow(this.clock, Date.now());
    this.samples = took(this.samples, Date.now(), this.#stamps.map((at) => Math.max(0, now - at)));
    this.#stamps = [];
  }

  now() {
    const local_ms = Date.now();
    return {
      local_ms,
      server_ms: serverNow(this.clock, local_ms),
      event_ms: eventNow(this.clock, local_ms),
      offset_ms: this.clock.offset_ms,
    };
  }
}

/**
 * Draws at the next frame, however often it is asked; also where the page is hidden and has no frames.
 * @param {() => void} draw
 * @param {() => void} painted after the frame is on the screen
 */
export function painter(draw, painted) {
  let due = false;
  const channel = new MessageChannel();
  channel.port1.onmessage = painted;
  const run = () => {
    if (!due) return;
    due = false;
    draw();
    channel.port2.postMessage(null);
  };
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(run);
    if (document.hidden) setTimeout(run, 250);
  };
}

/**
 * Speaks to a live region, at most once a second; what piles up is said together.
 * @param {HTMLElement} region
 */
export function announcer(region) {
  /** @type {string[]} */ let lines = [];
  /** @type {number | undefined} */ let timer;
  const say = () => {
    timer = undefined;
    if (lines.length === 0) return;
    region.textContent = lines.slice(-3).join(" ");
    lines = [];
    timer = setTimeout(say, 1000);
  };
  return (/** @type {string} */ line) => {
    lines.push(line);
    timer ??= setTimeout(say, 0);
  };
}

/** @param {string} id */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no #${id} on this page`);
  return found;
}
