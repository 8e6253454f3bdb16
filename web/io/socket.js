// The live socket: comes back by itself and goes on from where it was.

/** @typedef {import("../lib/types.js").ServerMessage} ServerMessage */
/** @typedef {import("../lib/types.js").ServerError} ServerError */
/** @typedef {import("../lib/types.js").Link} Link */

const BEAT_MS = 2000;
const DEAF_MS = 2 * BEAT_MS + 1000; // two beats missed
const BACKOFF_MS = [250, 500, 1000, 2000, 4000];
const PING_MS = 5000;
const ANSWER_MS = 10_000;
const DRAWN_MS = 10_000;

/**
 * @typedef {object} Ears What the page wants to hear.
 * @property {(message: ServerMessage) => void} message
 * @property {(link: Link) => void} link every change of how well we hear
 * @property {() => { at: Readonly<Record<string, number>> | null, epoch: string }} position how far we have heard
 * @property {() => readonly (readonly [number, number])[]} drawn district and ms from sensor to screen of what was drawn since last asked
 */

export class Socket {
  /** @type {WebSocket | null} */ #ws = null;
  /** @type {Map<number, { ok: (answer: any) => void, bad: (e: ServerError) => void, timer: number }>} */ #asked = new Map();
  #id = 0;
  #tries = 0;
  /** @type {number | undefined} */ #retry;
  /** @type {number | undefined} */ #pulse;
  #closed = false;
  /** @type {readonly (readonly [number, number])[]} */ #watched = [];
  /** @type {Link} */ #link = { phase: "connecting", since_ms: Date.now(), heard_ms: 0, tries: 0, refused: null };

  /**
   * @param {string} url
   * @param {string} post
   * @param {Ears} ears
   */
  constructor(url, post, ears) {
    this.url = url;
    this.post = post;
    this.ears = ears;
    addEventListener("online", this.#hurry);
    document.addEventListener("visibilitychange", this.#hurry);
    this.#open();
  }

  get live() {
    return this.#link.phase === "live";
  }

  /** Ends it for good. */
  close() {
    this.#closed = true;
    removeEventListener("online", this.#hurry);
    document.removeEventListener("visibilitychange", this.#hurry);
    clearTimeout(this.#retry);
    clearInterval(this.#pulse);
    this.#ws?.close();
  }

  /**
   * Asks for something; resolves with the answer, rejects with the server's error, `net.lost` where the
   * line goes down first, or `net.silent` where no answer comes.
   * @param {Record<string, unknown>} request
   * @returns {Promise<any>}
   */
  ask(request) {
    return new Promise((ok, bad) => {
      const ws = this.#ws;
      if (!ws || ws.readyState !== WebSocket.OPEN) {
        bad({ code: "net.lost", message: "not connected" });
        return;
      }
      const id = ++this.#id;
      const timer = setTimeout(() => {
        this.#asked.delete(id);
        bad({ code: "net.silent", message: "no answer" });
      }, ANSWER_MS);
      this.#asked.set(id, { ok, bad, timer });
      ws.send(JSON.stringify({ id, ...request }));
    });
  }

  /**
   * Asks for the values of these series from now on, also after the line was down.
   * @param {readonly (readonly [number, number])[]} series
   */
  watch(series) {
    if (JSON.stringify(series) === JSON.stringify(this.#watched)) return;
    this.#watched = series;
    if (this.live) this.ask({ do: "watch", series }).catch(() => {});
  }

  #open() {
    clearTimeout(this.#retry);
    const ws = new WebSocket(this.url);
    this.#ws = ws;
    ws.onopen = () => this.#hello(ws);
    ws.onmessage = (event) => {
      if (ws === this.#ws) this.#hear(JSON.parse(event.data));
    };
    ws.onclose = () => {
      if (ws === this.#ws) this.#down();
    };
    clearInterval(this.#pulse);
    this.#pulse = setInterval(() => this.#check(), 1000);
  }

  /** @param {WebSocket} ws */
  async #hello(ws) {
    const { at, epoch } = this.ears.position();
    this.#link = { ...this.#link, heard_ms: Date.now() };
    try {
      await this.ask({ do: "hello", post: this.post, at, epoch });
    } catch (error) {
      const refused = /** @type {ServerError} */ (error);
      if (!refused.code.startsWith("net.")) this.#change({ refused });
      ws.close();
      return;
    }
    if (ws !== this.#ws) return;
    this.#tries = 0;
    this.#change({ phase: "live", since_ms: Date.now(), tries: 0, refused: null });
    if (this.#watched.length) this.ask({ do: "watch", series: this.#watched }).catch(() => {});
    this.#ping();
  }

  /** @param {any} message */
  #hear(message) {
    this.#link = { ...this.#link, heard_ms: Date.now() };
    if (typeof message.type === "string") {
      this.ears.message(message);
      return;
    }
    const asked = this.#asked.get(message.re);
    if (!asked) return;
    this.#asked.delete(message.re);
    clearTimeout(asked.timer);
    if (message.ok) asked.ok(message);
    else asked.bad(message.error);
  }

  #ping() {
    this.ask({ do: "ping", sent_ms: Date.now() }).catch(() => {});
  }

  #lastPing = 0;
  #lastDrawn = 0;

  #check() {
    const now = Date.now();
    if (this.#link.heard_ms && now - this.#link.heard_ms > DEAF_MS && this.#ws?.readyState === WebSocket.OPEN) {
      const ws = this.#ws;
      this.#down(); // the close handshake of a dead line can take minutes
      ws.close();
      return;
    }
    if (this.live && now - this.#lastPing >= PING_MS) {
      this.#lastPing = now;
      this.#ping();
    }
    if (this.live && now - this.#lastDrawn >= DRAWN_MS) {
      const took = this.ears.drawn();
      if (took.length === 0) return;
      this.#lastDrawn = now;
      this.ask({ do: "drawn", took }).catch(() => {}); // only for figures: what is lost is not told again
    }
  }

  #down() {
    this.#ws = null;
    clearInterval(this.#pulse);
    for (const { bad, timer } of this.#asked.values()) {
      clearTimeout(timer);
      bad({ code: "net.lost", message: "the line went down" });
    }
    this.#asked.clear();
    if (this.#closed) return;
    const wait = BACKOFF_MS[Math.min(this.#tries, BACKOFF_MS.length - 1)] ?? 1000;
    this.#tries += 1;
    this.#change({
      phase: "lost",
      since_ms: this.#link.phase === "lost" ? this.#link.since_ms : this.#link.heard_ms || Date.now(),
      tries: this.#tries,
    });
    this.#retry = setTimeout(() => this.#open(), wait * (0.75 + Math.random() / 2));
  }

  #hurry = () => {
    if (document.visibilityState === "visible" && !this.#ws && !this.#closed) this.#open();
  };

  /** @param {Partial<Link>} change */
  #change(change) {
    this.#link = { ...this.#link, ...change };
    this.ears.link(this.#link);
  }
}
