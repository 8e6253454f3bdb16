// The worker's phone. What is done without a line waits in the outbox and goes out by itself, once and in order.
import { render } from "../lit.js";
import { quantile } from "../lib/latency.js";
import * as outbox from "../lib/outbox.js";
import { errorText, kindName, placeName } from "../lib/words.js";
import { bootstrap, getJson, HttpError } from "../io/http.js";
import { loadOutbox, saveOutbox } from "../io/idb.js";
import { asked, recall, remember, uuid } from "../io/prefs.js";
import { Socket } from "../io/socket.js";
import * as boot from "../views/boot.js";
import { line, sheet, tasks, top } from "../views/tasks.js";
import { announcer, byId, firstTongue, Hearing, otherTongue, painter } from "./store.js";

/** @typedef {import("../lib/messages.js").Order} Order */
/** @typedef {import("../lib/messages.js").Receipt} Receipt */
/** @typedef {import("../lib/types.js").ServerError} ServerError */
/** @typedef {import("../lib/types.js").ServerMessage} ServerMessage */

const RESEND_MS = 15_000;
const DONE_KEPT = 20;
const RETRY_MS = 3000;

/** @type {number | undefined} */
let retry;

async function start() {
  clearTimeout(retry);
  let tongue;
  try {
    tongue = await firstTongue();
  } catch (error) {
    byId("boot").textContent = String(error); // without words there is nothing better to show
    return;
  }
  if (!byId("boot").hasChildNodes()) render(boot.loading(tongue), byId("boot"));
  try {
    const known = await bootstrap();
    const kept = await loadOutbox().catch(() => []); // a private window has no storage: the outbox lives in memory then
    render("", byId("boot"));
    run(known, tongue, kept);
  } catch (error) {
    const why = error instanceof HttpError ? errorText(tongue, error) : String(error);
    render(boot.failed(tongue, why, start), byId("boot"));
    retry = setTimeout(start, RETRY_MS); // a gateway that is starting will be there soon
  }
}

/**
 * @param {Awaited<ReturnType<typeof bootstrap>>} known
 * @param {import("../lib/types.js").Tongue} tongue
 * @param {outbox.Outbox} kept
 */
function run(known, tongue, kept) {
  const { session, domains, registry } = known;
  let book = { tongue, domains, registry, session };
  const hearing = new Hearing(session);
  /** @type {Socket | null} */ let socket = null;
  let unit = registry.units.get(asked("post") ?? recall("post.worker", "")) ?? null;
  /** @type {outbox.Outbox} */ let box = outbox.unsent(kept);
  /** @type {Promise<unknown>} */ let saved = Promise.resolve();
  let opened = "";
  let declining = "";
  let lastMade = 0;
  /** @type {readonly import("../views/minimap.js").Feature[]} */ let ground = [];
  const say = announcer(byId("polite"));
  const told = new Set();

  /** @param {outbox.Outbox} next */
  function change(next) {
    if (next === box) return;
    const before = box;
    box = next;
    saved = saved.then(() => saveOutbox(before, next)).catch(() => {}); // memory still has it
    paint();
  }

  /** Orders of this unit as the person knows them. */
  function mine() {
    const all = [...hearing.world.orders.values()].filter((o) => o.unit === unit?.id).map((o) => outbox.foreseen(o, box));
    const open = all.filter(outbox.open).sort((a, b) => (outbox.FAR[b.state] ?? 0) - (outbox.FAR[a.state] ?? 0) || a.severity - b.severity || a.sent_ns - b.sent_ns);
    const done = all.filter((o) => !outbox.open(o)).sort((a, b) => b.updated_ns - a.updated_ns);
    return { open, done: done.slice(0, DONE_KEPT) };
  }

  const paint = painter(draw, () => hearing.painted());

  function draw() {
    for (const message of hearing.settle()) hear(message);
    const { open, done } = mine();
    if (!open.some((o) => o.id === opened)) opened = open[0]?.id ?? "";
    receipts(open);
    const model = {
      book,
      world: hearing.world,
      unit,
      orders: open,
      done,
      opened,
      now: hearing.now(),
      link: hearing.link,
      queue: unit ? outbox.waiting(box, unit.id).length : 0,
      refused: box.filter((item) => item.phase === "refused" && item.post === unit?.id),
      declining,
      ground,
    };
    document.title = book.tongue.t("app.worker");
    document.body.dataset["run"] = session.kind;
    document.body.dataset["p99"] = String(quantile(hearing.samples, Date.now(), 0.99) ?? "");
    render(top(model, acts), byId("top"));
    render(line(model), byId("line"));
    render(tasks(model, acts), byId("tasks"));
    render(sheet(model, acts), byId("sheet"));
    const dialog = byId("sheet").querySelector("dialog");
    if (dialog && !dialog.open) dialog.showModal();
  }

  /** @param {ServerMessage} message */
  function hear(message) {
    if (message.type === "result") settled(message.body);
    if (message.type !== "delta" || message.body.type !== "order") return;
    const o = message.body;
    if (o.unit !== unit?.id || o.state !== "sent" || told.has(o.id)) return;
    told.add(o.id);
    say(`${kindName(book, o.incident_kind)} ${placeName(book, o)}`);
    navigator.vibrate?.(200);
  }

  /** Delivered when it is here, seen when it was on the screen. @param {readonly Order[]} open */
  function receipts(open) {
    for (const o of open) {
      const visible = document.visibilityState === "visible" && o.id === opened;
      const due = outbox.automatic(o, visible);
      if (due) queueMicrotask(() => send(o.id, due));
    }
  }

  /** @param {string} order @param {Receipt} receipt @param {string} [note] */
  function send(order, receipt, note = "") {
    if (!unit) return;
    lastMade = Math.max(hearing.now().server_ms, lastMade + 0.001); // the order of acting is the order of sending
    change(
      outbox.put(box, {
        id: uuid(),
        post: unit.id,
        action: { do: "receipt", order, receipt, note },
        made_ms: lastMade,
        phase: "waiting",
        tries: 0,
        error: null,
      }),
    );
    pump();
  }

  /** Sends the oldest that waits; the next goes when it is answered. */
  async function pump() {
    const item = unit && socket?.live ? outbox.next(box, unit.id) : null;
    if (!item || !socket) return;
    change(outbox.sending(box, item.id));
    try {
      await socket.ask({ do: "command", command_id: item.id, action: item.action, t_ms: item.made_ms });
    } catch (error) {
      const e = /** @type {ServerError} */ (error);
      change(e.code.startsWith("net.") ? outbox.unsent(box) : outbox.answered(box, item.id, e));
      if (!e.code.startsWith("net.")) pump();
    }
  }

  /** @param {import("../lib/messages.js").CommandResult} result */
  function settled(result) {
    const item = box.find((i) => i.id === result.command_id);
    if (!item) return;
    change(outbox.answered(box, item.id, result.ok ? null : { code: result.code, message: result.message, args: result.args }));
    pump();
  }

  /** What was sent and never answered goes again; the server drops repeats. */
  function again() {
    change(outbox.unsent(box));
    pump();
  }

  function connect() {
    socket?.close();
    socket = null;
    if (!unit) return;
    socket = new Socket(session.socket, unit.id, {
      message: (message) => {
        if (hearing.take(message)) paint();
      },
      link: (link) => {
        const back = link.phase === "live" && hearing.link.phase !== "live";
        hearing.heard(link);
        if (back) again();
        else if (link.phase === "lost") change(outbox.unsent(box));
        paint();
      },
      ...hearing.ears(),
    });
  }

  /** @type {import("../views/tasks.js").Acts} */
  const acts = {
    say(order, receipt, note) {
      byId("sheet").querySelector("dialog")?.close();
      declining = "";
      send(order, receipt, note);
    },
    open(order) {
      opened = order;
      paint();
      byId("tasks").scrollIntoView();
    },
    decline(order) {
      byId("sheet").querySelector("dialog")?.close();
      declining = order;
      paint();
    },
    pick(id) {
      remember("post.worker", id);
      unit = registry.units.get(id) ?? null;
      hearing.world = { ...hearing.world, ready: false };
      connect();
      paint();
    },
    change() {
      unit = null;
      connect();
      paint();
    },
    async language() {
      book = { ...book, tongue: await otherTongue(book.tongue) };
      paint();
    },
    dismiss: (id) => change(outbox.dismiss(box, id)),
  };

  connect();
  paint();
  setInterval(paint, 1000); // countdowns
  setInterval(again, RESEND_MS);
  addEventListener("online", again);
  document.addEventListener("visibilitychange", () => {
    again();
    paint();
  });
  getJson("/api/map").then(
    (/** @type {any} */ map) => {
      ground = map.features;
      paint();
    },
    () => {}, // without the picture, direction and distance still say where
  );
}

start();
