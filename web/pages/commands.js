// Commands on their way: pending until their result, or the reason why not, is here.
import { clock, msOf } from "../lib/format.js";
import { errorText } from "../lib/words.js";
import { uuid } from "../io/prefs.js";

/** @typedef {import("../lib/messages.js").Action} Action */
/** @typedef {import("../lib/types.js").ServerError} ServerError */
/** @typedef {import("../lib/types.js").Pending} Pending */

const NOTICE_MS = { ok: 6000, bad: 15_000 };
const RESULT_MS = 10_000;

/** Sends commands and tells what became of them. */
export class Commands {
  /** @type {ReadonlyMap<string, Pending>} */ pending = new Map();
  /** @type {readonly import("../lib/types.js").Notice[]} */ told = [];
  #next = 1;
  #page;

  /**
   * @param {object} page
   * @param {() => void} page.paint
   * @param {() => import("../io/socket.js").Socket | null} page.socket
   * @param {() => import("../lib/types.js").Tongue} page.tongue
   * @param {(id: string) => string} page.name of what a command is about
   */
  constructor(page) {
    this.#page = page;
  }

  /** @param {Action} action @param {string} subject */
  send(action, subject) {
    const id = uuid();
    this.pending = new Map(this.pending).set(id, { id, action, subject, sent_ms: Date.now(), phase: "sent" });
    this.#page.paint();
    this.#transmit(id);
  }

  /** The line is back: what was not taken goes again; the server drops repeats. */
  again() {
    for (const p of this.pending.values()) if (p.phase === "sent") this.#transmit(p.id);
  }

  /** @param {import("../lib/messages.js").CommandResult} result */
  settle(result) {
    const p = this.pending.get(result.command_id);
    if (!p) return;
    if (!result.ok) {
      this.#roll(p.id, { code: result.code, message: result.message, args: result.args });
      return;
    }
    this.#drop(p.id);
    const said = { what: this.#page.name(p.subject), at: clock(msOf(result.t_ns)) };
    this.#tell("ok", this.#page.tongue().t(`notice.${p.action.do}`, said));
  }

  /** @param {number} id of a notice */
  dismiss(id) {
    this.told = this.told.filter((n) => n.id !== id);
    this.#page.paint();
  }

  /** @param {string} id */
  async #transmit(id) {
    const p = this.pending.get(id);
    const socket = this.#page.socket();
    if (!p || !socket) return;
    try {
      await socket.ask({ do: "command", command_id: id, action: p.action });
      if (this.pending.has(id)) this.pending = new Map(this.pending).set(id, { ...p, phase: "accepted" });
      setTimeout(() => {
        if (this.pending.has(id)) this.#roll(id, { code: "net.noresult", message: "no result" });
      }, RESULT_MS);
    } catch (error) {
      const e = /** @type {ServerError} */ (error);
      if (e.code === "net.lost") return; // goes again after the line is back
      if (e.code === "net.silent") this.#transmit(id);
      else this.#roll(id, e);
    }
    this.#page.paint();
  }

  /** @param {string} id @param {ServerError} error */
  #roll(id, error) {
    const p = this.pending.get(id);
    if (!p) return;
    this.#drop(id);
    const tongue = this.#page.tongue();
    this.#tell("bad", tongue.t("notice.failed", { what: this.#page.name(p.subject), why: errorText(tongue, error) }));
  }

  /** @param {string} id */
  #drop(id) {
    const rest = new Map(this.pending);
    rest.delete(id);
    this.pending = rest;
  }

  /** @param {"ok" | "bad"} tone @param {string} text */
  #tell(tone, text) {
    const id = this.#next++;
    this.told = [...this.told.slice(-4), { id, tone, text }];
    setTimeout(() => this.dismiss(id), NOTICE_MS[tone]);
    this.#page.paint();
  }
}
