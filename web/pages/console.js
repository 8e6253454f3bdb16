// The duty desk. Wires state, views and the outside; what things mean is in lib, how they look in views.
import { render } from "../lit.js";
import { due, quiet, silence } from "../lib/alarm.js";
import { flooded, hold, pick, ROWS_AT_MOST, rows, shownLevel } from "../lib/alerts.js";
import { candidates } from "../lib/candidates.js";
import { clock, msOf, number } from "../lib/format.js";
import { limitsOf } from "../lib/limits.js";
import { quantile } from "../lib/latency.js";
import { errorText, kindName, lead, levelName, placeName, unitOf } from "../lib/words.js";
import { ROMAN } from "../lib/severity.js";
import { around, Curve } from "../io/curve.js";
import { bootstrap, getJson, HttpError, readRegistry } from "../io/http.js";
import { asked, recall, remember, uuid } from "../io/prefs.js";
import { Socket } from "../io/socket.js";
import { Sound } from "../io/sound.js";
import { CityMap } from "../map/map.js";
import * as boot from "../views/boot.js";
import { signal, what } from "../views/detail.js";
import { dialogs, notices } from "../views/dialogs.js";
import { banners, foot, head } from "../views/head.js";
import { list } from "../views/list.js";
import { over } from "../views/over.js";
import { overview } from "../views/overview.js";
import { work } from "../views/work.js";
import { listenKeys } from "./keys.js";
import { announcer, byId, firstTongue, Hearing, otherTongue, painter } from "./store.js";

/** @typedef {import("../lib/messages.js").Incident} Incident */
/** @typedef {import("../lib/messages.js").Action} Action */
/** @typedef {import("../views/model.js").ConsoleModel} Model */
/** @typedef {import("../views/model.js").ConsoleActs} Acts */
/** @typedef {import("../lib/types.js").ServerMessage} ServerMessage */
/** @typedef {import("../lib/types.js").ServerError} ServerError */

const NOTICE_MS = { ok: 6000, bad: 15_000 };
const RESULT_MS = 10_000;
const RETRY_MS = 3000;
const MAP_MS = 200;

const PLACES = /** @type {const} */ (["head", "banners", "list", "over", "what", "signalhead", "work", "overview", "foot", "dialogs", "notices"]);
const at = Object.fromEntries(PLACES.map((id) => [id, byId(id)]));
/** @param {typeof PLACES[number]} id @param {unknown} view */
const put = (id, view) => render(view, /** @type {HTMLElement} */ (at[id]));

/** @type {number | undefined} */
let again;

async function start() {
  clearTimeout(again);
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
    render("", byId("boot"));
    run(known, tongue);
  } catch (error) {
    const why = error instanceof HttpError ? errorText(tongue, error) : String(error);
    render(boot.failed(tongue, why, start), byId("boot"));
    again = setTimeout(start, RETRY_MS); // a gateway that is starting will be there soon
  }
}

/**
 * @param {Awaited<ReturnType<typeof bootstrap>>} known
 * @param {import("../lib/types.js").Tongue} tongue
 */
function run(known, tongue) {
  const { session, domains } = known;
  /** @type {import("../lib/words.js").Book} */
  let book = { tongue, domains, registry: known.registry, session };
  const hearing = new Hearing(session);
  const sound = new Sound();
  sound.muted = recall("muted", false);
  sound.volume = recall("volume", 0.6);
  /** @type {Socket | null} */ let socket = null;
  /** @type {CityMap | null} */ let map = null;

  const desks = session.posts.filter((p) => p.role === "desk");
  const wish = asked("post") ?? recall("post.console", null);
  let post = desks.find((p) => p.id === wish) ?? null;
  /** @type {import("../lib/alerts.js").Look} */
  let look = { filter: "active", query: "", district: post?.district ?? -1, own: false };
  /** @type {string | null} */ let chosen = null;
  let left = false; // the person closed the detail: do not choose for them again
  /** @type {readonly import("../lib/alerts.js").Row[] | null} */ let held = null;
  /** @type {readonly import("../lib/alerts.js").Row[]} */ let shown = [];
  const touch = { hover: false, focus: false, scroll: false };
  /** @type {ReadonlySet<string>} */ let openGroups = new Set();
  /** @type {Model["dialog"]} */ let dialog = post ? null : { type: "post" };
  /** @type {ReadonlyMap<string, import("../lib/types.js").Pending>} */ let pending = new Map();
  /** @type {readonly import("../lib/types.js").Notice[]} */ let told = [];
  let nextNotice = 1;
  let alarm = quiet();
  let theme = /** @type {"dark" | "light"} */ (recall("theme.console", "dark"));
  let keysOn = recall("keys", true);
  /** @type {Model["layers"]} */
  let layers = { ...{ incidents: true, orders: true, units: true, cameras: true, sensors: true }, ...recall("layers", {}) };
  /** @type {Model["mapState"]} */ let mapState = "loading";
  /** @type {Model["curve"]} */ let curveState = { state: "empty", error: "", last: null };
  let evidence = "";
  let announced = new Set();
  const say = announcer(byId("polite"));
  const cry = announcer(byId("urgent"));
  const curve = new Curve(byId("curve"), (report) => {
    curveState = report;
    paint();
  });

  const words = (/** @type {Incident} */ i) =>
    `${kindName(book, i.kind)} ${placeName(book, i)} ${i.place} ${i.id} ${i.evidence.map((e) => e.device).join(" ")}`;
  const zone = (/** @type {Incident} */ i) => book.registry.places.get(i.place)?.zone ?? i.place;
  const title = (/** @type {Incident} */ i) => `${kindName(book, i.kind)} ${placeName(book, i)}`;
  const incident = () => (chosen ? (hearing.world.incidents.get(chosen) ?? null) : null);

  /** The facts as the views want them. @returns {Model} */
  function model() {
    const { world } = hearing;
    const now = hearing.now();
    const { shown: sorted, hidden } = pick(world, look, words);
    const flood = flooded(world.incidents.values(), now.event_ms);
    const fresh = rows(sorted, { flood, zone, open: openGroups, chosen });
    const holding = touch.hover || touch.focus || touch.scroll;
    held = holding ? (held ?? shown) : null;
    const list = hold(fresh, held && held.length ? held : null);
    shown = list.rows;
    const here = new Set(shown.flatMap((r) => (r.type === "group" ? r.ids : [r.id])));
    const wait = new Set(list.waiting.flatMap((r) => (r.type === "group" ? r.ids : [r.id])).filter((id) => !here.has(id)));
    const top = shown[0];
    if (!chosen && !left && top?.type === "one" && world.ready) pickIncident(top.id);
    const i = incident();
    return {
      book,
      world,
      post,
      look,
      rows: shown.slice(0, ROWS_AT_MOST),
      beyond: Math.max(0, shown.length - ROWS_AT_MOST),
      waiting: wait.size,
      hidden,
      flood,
      openGroups,
      chosen: i,
      now,
      link: hearing.link,
      services: hearing.services,
      latency: { p50: quantile(hearing.samples, now.local_ms, 0.5), p99: quantile(hearing.samples, now.local_ms, 0.99) },
      pending,
      notices: told,
      dialog,
      candidates: dialog?.type === "dispatch" ? crews(dialog.incident) : [],
      layers,
      mapState,
      sound: { awake: sound.awake, muted: sound.muted, volume: sound.volume, ringing: ringing(), alarm },
      theme,
      keys: keysOn,
      canAct: hearing.link.phase === "live" && world.ready && post !== null,
      mayAct: post !== null && i !== null && (post.district < 0 || post.district === i.district),
      curve: curveState,
      evidence,
    };
  }

  /** @param {string} id */
  function crews(id) {
    const i = hearing.world.incidents.get(id);
    return i ? candidates(i, book.registry, hearing.world, book.domains.kinds[i.kind]?.skill ?? "") : [];
  }

  const ringing = () => due(alarm, hearing.world.incidents.values(), post?.district ?? -1).repeat.length;

  let mapShown = 0;
  /** @type {number | undefined} */ let mapDue;
  /** The list comes first: the map follows when the list is on the screen, a few times a second at most. */
  function showMap() {
    mapDue ??= setTimeout(
      () => {
        mapDue = undefined;
        mapShown = Date.now();
        map?.show({ world: hearing.world, book, chosen, theme, layers });
      },
      Math.max(0, mapShown + MAP_MS - Date.now()),
    );
  }

  const paint = painter(draw, () => {
    hearing.painted();
    showMap();
  });

  function draw() {
    const messages = hearing.settle();
    for (const message of messages) hear(message);
    if (messages.some((message) => message.type !== "beat" && message.type !== "values")) {
      ring();
      watch();
    }
    const m = model();
    const { t } = book.tongue;
    document.title = `${m.world.incidents.size && m.chosen ? `${ROMAN[shownLevel(m.chosen)]} ` : ""}${t("app.title")}`;
    document.body.classList.toggle("lost", m.link.phase === "lost");
    document.body.dataset["run"] = session.kind;
    document.body.dataset["map"] = mapState;
    byId("skip").textContent = t("skip");
    byId("list").setAttribute("aria-label", t("list.title"));
    byId("detail").setAttribute("aria-label", t("detail.label"));
    byId("detail").hidden = m.chosen === null;
    byId("overview").hidden = m.chosen !== null;
    put("head", head(m, acts));
    put("banners", banners(m, acts));
    put("list", list(m, acts));
    put("over", over(m, acts));
    put("what", what(m, acts));
    put("signalhead", signal(m));
    put("work", work(m));
    put("overview", m.chosen ? "" : overview(m, acts));
    put("foot", foot(m, acts));
    put("dialogs", dialogs(m, acts));
    put("notices", notices(m.notices, book.tongue, acts.dismiss));
    const open = byId("dialogs").querySelector("dialog");
    if (open && !open.open) open.showModal();
    drawCurve(m);
  }

  /** @param {Model} m */
  function drawCurve(m) {
    const i = m.chosen;
    const e = i ? (i.evidence.find((x) => x.finding === evidence) ?? lead(i)) : null;
    if (!i || !e || e.series < 0) {
      if (!i) curve.show(null);
      return;
    }
    const { t } = book.tongue;
    const span = around(i, m.now.event_ms);
    const limits = limitsOf(i, e);
    curve.show({
      key: `${i.id}|${e.finding}|${book.tongue.lang}|${theme}`,
      district: i.district,
      series: e.series,
      ...span,
      limits: [...limits].map(([value, level]) => ({
        value,
        level,
        text: t("curve.limit", { level: ROMAN[level] ?? "", limit: `${number(value)} ${unitOf(book, e.metric)}` }),
      })),
      marks: [{ ms: msOf(e.since_ns), text: t("curve.event") }],
    });
  }

  /** What a message means beside the picture: sounds, announcements, results, the live curve. @param {ServerMessage} message */
  function hear(message) {
    if (message.type === "values") curve.take(message.rows);
    if (message.type === "snapshot") announced = new Set([...hearing.world.incidents.values()].map((i) => `${i.id}:${i.severity}`));
    if (message.type === "delta" && message.body.type === "incident") announce(message.body);
    if (message.type === "result") settle(message.body);
  }

  /** @param {Incident} i */
  function announce(i) {
    const key = `${i.id}:${i.severity}`;
    if (i.state !== "open" || i.acknowledged_by || announced.has(key)) return;
    announced.add(key);
    const line = book.tongue.t("announce.new", { level: levelName(book, shownLevel(i)), what: title(i) });
    if (shownLevel(i) === 1) cry(line);
    else say(line);
  }

  function ring() {
    const now = due(alarm, hearing.world.incidents.values(), post?.district ?? -1);
    alarm = now.alarm;
    sound.repeat(now.repeat.length > 0 && !sound.muted);
    if (now.once) sound.chime();
  }

  /** Live values of the chosen incident's evidence. */
  function watch() {
    const i = incident();
    const series = (i?.evidence ?? []).filter((e) => e.series >= 0).map((e) => /** @type {const} */ ([i?.district ?? 0, e.series]));
    socket?.watch([...new Map(series.map((s) => [s.join(":"), s])).values()]);
  }

  /** @param {string | null} id */
  function pickIncident(id) {
    if (chosen === id) return;
    chosen = id;
    evidence = "";
    curveState = { state: "loading", error: "", last: null };
    watch();
    paint();
  }

  /** @param {"ok" | "bad"} tone @param {string} text */
  function tell(tone, text) {
    const id = nextNotice++;
    told = [...told.slice(-4), { id, tone, text }];
    setTimeout(() => acts.dismiss(id), NOTICE_MS[tone]);
    paint();
  }

  /** Sends a command; it shows as pending until its result, or the reason why not, is here. @param {Action} action @param {string} subject */
  function command(action, subject) {
    const id = uuid();
    pending = new Map(pending).set(id, { id, action, subject, sent_ms: Date.now(), phase: "sent" });
    paint();
    transmit(id);
  }

  /** @param {string} id */
  async function transmit(id) {
    const p = pending.get(id);
    if (!p || !socket) return;
    try {
      await socket.ask({ do: "command", command_id: id, action: p.action });
      if (pending.has(id)) pending = new Map(pending).set(id, { ...p, phase: "accepted" });
      setTimeout(() => {
        if (pending.has(id)) roll(id, { code: "net.noresult", message: "no result" });
      }, RESULT_MS);
    } catch (error) {
      const e = /** @type {ServerError} */ (error);
      if (e.code === "net.lost") return; // goes again after the line is back; the server drops repeats
      if (e.code === "net.silent") transmit(id);
      else roll(id, e);
    }
    paint();
  }

  /** @param {import("../lib/messages.js").CommandResult} result */
  function settle(result) {
    const p = pending.get(result.command_id);
    if (!p) return;
    if (!result.ok) {
      roll(p.id, { code: result.code, message: result.message, args: result.args });
      return;
    }
    const rest = new Map(pending);
    rest.delete(p.id);
    pending = rest;
    tell("ok", book.tongue.t(`notice.${p.action.do}`, { what: subjectName(p.subject), at: clock(msOf(result.t_ns)) }));
  }

  /** @param {string} id @param {ServerError} error */
  function roll(id, error) {
    const p = pending.get(id);
    if (!p) return;
    const rest = new Map(pending);
    rest.delete(id);
    pending = rest;
    tell("bad", book.tongue.t("notice.failed", { what: subjectName(p.subject), why: errorText(book.tongue, error) }));
  }

  /** @param {string} id */
  const subjectName = (id) => {
    const i = hearing.world.incidents.get(id);
    return i ? title(i) : id;
  };

  function connect() {
    socket?.close();
    socket = null;
    if (!post) return;
    socket = new Socket(session.socket, post.id, {
      message: (message) => {
        if (hearing.take(message)) paint();
      },
      link: (link) => {
        const back = link.phase === "live" && hearing.link.phase !== "live";
        hearing.heard(link);
        if (back) {
          watch();
          for (const p of pending.values()) if (p.phase === "sent") transmit(p.id);
        }
        paint();
      },
      position: () => ({ at: hearing.world.ready ? hearing.world.at : null, epoch: hearing.world.epoch }),
    });
  }

  /** @type {Acts} */
  const acts = {
    choose(id) {
      left = id === null;
      pickIncident(id);
      paint();
    },
    filter(filter) {
      look = { ...look, filter };
      acts.release();
    },
    search(query) {
      look = { ...look, query };
      held = null;
      shown = [];
      paint();
    },
    scope(own) {
      look = { ...look, own };
      acts.release();
    },
    release() {
      held = null;
      shown = [];
      const rows = byId("list").querySelector(".rows");
      if (rows) rows.scrollTop = 0;
      touch.scroll = false;
      paint();
    },
    hover(on) {
      touch.hover = on;
      paint();
    },
    focusIn(on) {
      touch.focus = on;
      paint();
    },
    scrolled(top) {
      touch.scroll = top > 4;
      paint();
    },
    toggleGroup(id) {
      const next = new Set(openGroups);
      if (!next.delete(id)) next.add(id);
      openGroups = next;
      held = null;
      shown = [];
      paint();
    },
    acknowledge: (id) => command({ do: "acknowledge", incident: id }, id),
    openDialog(next) {
      byId("dialogs").querySelector("dialog")?.close();
      dialog = next;
      paint();
    },
    dispatch(id, unit) {
      acts.openDialog(null);
      command({ do: "dispatch", incident: id, unit }, id);
    },
    closeCase(id, result, note) {
      acts.openDialog(null);
      const found = hearing.world.incidents.get(id);
      if (found?.case) command({ do: "close_case", case: found.case, result, note }, id);
    },
    goTo() {
      const i = incident();
      if (i) map?.goTo(i);
    },
    wholeCity: () => map?.whole(),
    layer(name) {
      layers = { ...layers, [name]: !layers[name] };
      remember("layers", layers);
      paint();
    },
    pickPost(id) {
      post = desks.find((p) => p.id === id) ?? post;
      remember("post.console", id);
      look = { ...look, district: post?.district ?? -1, own: false };
      acts.openDialog(null);
      connect();
    },
    async language() {
      book = { ...book, tongue: await otherTongue(book.tongue) };
      paint();
    },
    theme() {
      theme = theme === "dark" ? "light" : "dark";
      remember("theme.console", theme);
      dress();
      curve.redress();
      paint();
    },
    async startSound() {
      await sound.start();
      ring();
      paint();
    },
    mute() {
      sound.muted = !sound.muted;
      remember("muted", sound.muted);
      ring();
      paint();
    },
    volume(v) {
      sound.volume = v;
      remember("volume", v);
      sound.chime();
      paint();
    },
    silence() {
      alarm = silence(alarm, hearing.world.incidents.values(), post?.district ?? -1);
      ring();
      paint();
    },
    keys(on) {
      keysOn = on;
      remember("keys", on);
      paint();
    },
    dismiss(id) {
      told = told.filter((n) => n.id !== id);
      paint();
    },
    evidence(finding) {
      evidence = finding;
      paint();
    },
    retry: connect,
  };

  function dress() {
    document.body.classList.toggle("dark", theme === "dark");
    document.body.classList.toggle("light", theme === "light");
  }

  async function drawMap() {
    try {
      const ground = await getJson("/api/map");
      map = await CityMap.open(byId("map"), ground, { world: hearing.world, book, chosen, theme, layers }, acts.choose);
      mapState = "ready";
    } catch {
      mapState = "failed"; // no WebGL 2, or no map: the lists say the same
    }
    paint();
  }

  dress();
  listenKeys({ acts, keysOn: () => keysOn, dialog: () => dialog, chosen: incident, crews, canAct: () => hearing.link.phase === "live" && post !== null });
  connect();
  paint();
  drawMap();
  setInterval(paint, 1000); // ages and countdowns
  setInterval(async () => {
    try {
      book = { ...book, registry: await readRegistry() };
    } catch {
      // the next round will do; what is shown stays usable
    }
  }, 60_000);
}

start();
