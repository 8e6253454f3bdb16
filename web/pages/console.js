// The duty desk. Wires state, views and the outside; what things mean is in lib, how they look in views.
import { render } from "../lit.js";
import { due, quiet, silence } from "../lib/alarm.js";
import { flooded, hold, pick, ROWS_AT_MOST, rows, shownLevel } from "../lib/alerts.js";
import { candidates } from "../lib/candidates.js";
import { msOf, number } from "../lib/format.js";
import { limitsOf } from "../lib/limits.js";
import { missing, renewed, withSome } from "../lib/lookup.js";
import { quantile } from "../lib/latency.js";
import { errorText, kindName, lead, levelName, placeName, situationName, unitOf } from "../lib/words.js";
import { ROMAN } from "../lib/severity.js";
import { around, Curve } from "../io/curve.js";
import { bootstrap, devicesAround, getJson, HttpError, lookUp, readRegistry } from "../io/http.js";
import { asked, recall, remember } from "../io/prefs.js";
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
import { course, members } from "../views/situation.js";
import { work } from "../views/work.js";
import { Commands } from "./commands.js";
import { listenKeys } from "./keys.js";
import { announcer, byId, firstTongue, Hearing, otherTongue, painter } from "./store.js";

/** @typedef {import("../lib/messages.js").Incident} Incident */
/** @typedef {import("../lib/alerts.js").Alert} Alert */
/** @typedef {import("../views/model.js").ConsoleModel} Model */
/** @typedef {import("../views/model.js").ConsoleActs} Acts */
/** @typedef {import("../lib/types.js").ServerMessage} ServerMessage */

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
  let alarm = quiet();
  let theme = /** @type {"dark" | "light"} */ (recall("theme.console", "dark"));
  let keysOn = recall("keys", true);
  /** @type {Model["layers"]} */
  let layers = { ...{ incidents: true, orders: true, units: true, cameras: true, sensors: true }, ...recall("layers", {}) };
  /** @type {Model["mapState"]} */ let mapState = "loading";
  /** @type {Model["curve"]} */ let curveState = { state: "empty", error: "", last: null };
  let evidence = "";
  /** @type {import("../lib/types.js").Sample | null} */ let sample = null;
  /** @type {Set<string>} */ const asking = new Set();
  let announced = new Set();
  const say = announcer(byId("polite"));
  const cry = announcer(byId("urgent"));
  const curve = new Curve(byId("curve"), (report) => {
    curveState = report;
    paint();
  });

  const words = (/** @type {Incident} */ i) =>
    `${kindName(book, i.kind)} ${placeName(book, i)} ${i.place} ${i.id} ${i.evidence.map((e) => e.device).join(" ")}`;
  const zone = (/** @type {Incident} */ i) => i.zone || i.place;
  const title = (/** @type {Alert} */ i) => (i.type === "situation" ? situationName(book, i) : `${kindName(book, i.kind)} ${placeName(book, i)}`);
  const incident = () => (chosen ? (hearing.world.incidents.get(chosen) ?? null) : null);
  const situation = () => (chosen ? (hearing.world.situations.get(chosen) ?? null) : null);
  const alerts = () => [...hearing.world.incidents.values(), ...hearing.world.situations.values()];
  const commands = new Commands({
    paint: () => paint(),
    socket: () => socket,
    tongue: () => book.tongue,
    name(id) {
      const found = hearing.world.incidents.get(id) ?? hearing.world.situations.get(id);
      return found ? title(found) : id;
    },
  });

  /** The facts as the views want them. @returns {Model} */
  function model() {
    const { world } = hearing;
    const now = hearing.now();
    const { shown: sorted, told, hidden } = pick(world, look, words);
    const flood = flooded(world.incidents.values(), now.event_ms);
    const fresh = rows(sorted, { flood, zone, open: openGroups, chosen, told });
    const holding = touch.hover || touch.focus || touch.scroll;
    held = holding ? (held ?? shown) : null;
    const list = hold(fresh, held && held.length ? held : null);
    shown = list.rows;
    const here = new Set(shown.flatMap((r) => (r.type === "group" ? r.ids : [r.id])));
    const wait = new Set(list.waiting.flatMap((r) => (r.type === "group" ? r.ids : [r.id])).filter((id) => !here.has(id)));
    const top = shown[0];
    if (!chosen && !left && top && top.type !== "group" && world.ready) choose(top.id);
    const i = incident();
    const s = i ? null : situation();
    const where = (i ?? s)?.district;
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
      situation: s,
      now,
      link: hearing.link,
      services: hearing.services,
      latency: { p50: quantile(hearing.samples, now.local_ms, 0.5), p99: quantile(hearing.samples, now.local_ms, 0.99) },
      pending: commands.pending,
      notices: commands.told,
      dialog,
      candidates: dialog?.type === "dispatch" ? crews(dialog.incident) : [],
      layers,
      mapState,
      sound: { awake: sound.awake, muted: sound.muted, volume: sound.volume, ringing: ringing(), alarm },
      theme,
      keys: keysOn,
      canAct: hearing.link.phase === "live" && world.ready && post !== null,
      mayAct: post !== null && where !== undefined && (post.district < 0 || post.district === where),
      curve: curveState,
      evidence,
      sample,
    };
  }

  /** Names of the chosen incident that a page of a large city does not have yet. */
  async function learn() {
    const ids = missing(incident(), book.registry, asking);
    if (!ids.devices.length && !ids.places.length) return;
    for (const id of [...ids.devices, ...ids.places]) asking.add(id);
    try {
      const some = await lookUp(ids);
      book = { ...book, registry: withSome(book.registry, some) };
    } catch {
      for (const id of [...ids.devices, ...ids.places]) asking.delete(id); // ids are shown; the next change asks again
    }
    paint();
  }

  /** @type {import("../map/map.js").Around} */
  async function nearby(box) {
    try {
      const found = await devicesAround(box);
      sample = { shown: found.devices.length, total: found.total };
      paint();
      return found.devices;
    } catch {
      return null; // what is drawn stays; the next move asks again
    }
  }

  /** @param {string} id */
  function crews(id) {
    const i = hearing.world.incidents.get(id);
    return i ? candidates(i, book.registry, hearing.world, book.domains.kinds[i.kind]?.skill ?? "") : [];
  }

  const ringing = () => due(alarm, alerts(), post?.district ?? -1).repeat.length;

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
      learn();
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
    const nothing = m.chosen === null && m.situation === null;
    byId("detail").hidden = nothing;
    byId("detail").classList.toggle("wide", m.situation !== null);
    byId("overview").hidden = !nothing;
    put("head", head(m, acts));
    put("banners", banners(m, acts));
    put("list", list(m, acts));
    put("over", over(m, acts));
    put("what", what(m, acts));
    put("signalhead", m.situation ? members(m, acts) : signal(m));
    put("work", m.situation ? course(m) : work(m));
    put("overview", nothing ? overview(m, acts) : "");
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
    if (message.type === "snapshot") announced = new Set(alerts().flatMap((i) => (i.annunciated_ns === null ? [] : [`${i.id}:${i.severity}`])));
    if (message.type === "delta" && (message.body.type === "incident" || message.body.type === "situation")) announce(message.body);
    if (message.type === "result") commands.settle(message.body);
  }

  /** @param {Alert} i */
  function announce(i) {
    const key = `${i.id}:${i.severity}`;
    if (i.annunciated_ns === null || i.state !== "open" || i.acknowledged_by || announced.has(key)) return;
    announced.add(key);
    const line = book.tongue.t("announce.new", { level: levelName(book, shownLevel(i)), what: title(i) });
    if (shownLevel(i) === 1) cry(line);
    else say(line);
  }

  function ring() {
    const now = due(alarm, alerts(), post?.district ?? -1);
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
  function choose(id) {
    if (chosen === id) return;
    chosen = id;
    evidence = "";
    curveState = { state: "loading", error: "", last: null };
    watch();
    learn();
    paint();
  }

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
          commands.again();
        }
        paint();
      },
      ...hearing.ears(),
    });
  }

  /** @type {Acts} */
  const acts = {
    choose(id) {
      left = id === null;
      choose(id);
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
    acknowledge: (id) => commands.send({ do: "acknowledge", incident: id }, id),
    confirm: (id) => commands.send({ do: "confirm_incident", incident: id }, id),
    reject(id, note) {
      acts.openDialog(null);
      commands.send({ do: "dismiss_incident", incident: id, note }, id);
    },
    merge(id, into) {
      acts.openDialog(null);
      commands.send({ do: "merge_incidents", incident: id, into }, id);
    },
    split(id, findings) {
      acts.openDialog(null);
      commands.send({ do: "split_incident", incident: id, findings }, id);
    },
    openDialog(next) {
      byId("dialogs").querySelector("dialog")?.close();
      dialog = next;
      paint();
    },
    dispatch(id, unit) {
      acts.openDialog(null);
      commands.send({ do: "dispatch", incident: id, unit }, id);
    },
    closeCase(id, result, note) {
      acts.openDialog(null);
      const found = hearing.world.incidents.get(id);
      if (found?.case) commands.send({ do: "close_case", case: found.case, result, note }, id);
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
      alarm = silence(alarm, alerts(), post?.district ?? -1);
      ring();
      paint();
    },
    keys(on) {
      keysOn = on;
      remember("keys", on);
      paint();
    },
    dismiss: (id) => commands.dismiss(id),
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
      map = await CityMap.open(byId("map"), ground, { world: hearing.world, book, chosen, theme, layers }, acts.choose, nearby);
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
      const fresh = await readRegistry();
      book = { ...book, registry: renewed(book.registry, fresh) };
    } catch {
      // the next round will do; what is shown stays usable
    }
  }, 60_000);
}

start();
