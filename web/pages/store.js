// What both pages share: words, the clock, the link, and a picture drawn at most once a frame.
import { beaten, eventNow, ponged, serverNow, startClock } from "../lib/clock.js";
import { choose, tongue } from "../lib/i18n.js";
import { MOST, took, toTell } from "../lib/latency.js";
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
  /** @type {{ district: number, ingest_ms: number }[]} */ #stamps = [];
  /** @type {readonly (readonly [number, number])[]} */ #untold = []; // district, ms from sensor to screen
  #livesNow; // event time is the wall clock's until told otherwise
  #since_ms = Infinity; // server time; older messages were caught up, or nobody could see them, and are not measured

  /** @param {import("../lib/types.js").Session} session */
  constructor(session) {
    this.clock = startClock(session.speed);
    this.#livesNow = session.kind === "live";
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#since_ms = Math.max(this.#since_ms, serverNow(this.clock, Date.now()));
    });
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
    if ((message.type === "delta" || message.type === "values") && message.ingest_ms && (message.gateway_ms ?? 0) > this.#since_ms) {
      // Values that are watched are of one incident and so of one district.
      const district = message.type === "delta" ? message.at[0] : message.rows[0]?.[0];
      if (district !== undefined) this.#stamps.push({ district, ingest_ms: message.ingest_ms });
    }
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
    const stamps = this.#stamps;
    this.#stamps = [];
    if (stamps.length === 0 || document.hidden) return; // a hidden page draws when it likes, on no screen
    const now = serverNow(this.clock, Date.now());
    const drawn = stamps.map((s) => /** @type {const} */ ([s.district, Math.max(0, now - s.ingest_ms)]));
    this.samples = took(this.samples, Date.now(), drawn.map(([, ms]) => ms));
    if (this.clock.trip_ms < Infinity) this.#untold = [...this.#untold, ...drawn].slice(-MOST); // else the offset is rough
  }

  /** What the socket asks the page for: how far it has heard, and what it has drawn since it was last asked. */
  ears() {
    return {
      position: () => ({ at: this.world.ready ? this.world.at : null, epoch: this.world.epoch }),
      drawn: () => {
        const drawn = toTell(this.#untold);
        this.#untold = [];
        return drawn;
      },
    };
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
