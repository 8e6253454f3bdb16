import assert from "node:assert/strict";
import { test } from "node:test";
import * as alerts from "../../../web/lib/alerts.js";
import { due, quiet, silence } from "../../../web/lib/alarm.js";
import { emptyWorld } from "../../../web/lib/world.js";
import { incident, order, situation } from "./make.mjs";

const world = (...incidents) => ({ ...emptyWorld(), incidents: new Map(incidents.map((i) => [i.id, i])) });
const look = { filter: "active", query: "", district: 0, own: false };
const ids = (list) => list.map((i) => i.id);

test("unacknowledged first, then severity, then the own district, then the newest", () => {
  const acked = incident({ severity: 1, acknowledged_by: "desk-0" });
  const old = incident({ severity: 2 });
  const far = incident({ severity: 2, district: 1 });
  const mild = incident({ severity: 4 });
  const fresh = incident({ severity: 2 });
  const { shown } = alerts.pick(world(acked, old, far, mild, fresh), look, () => "");
  assert.deepEqual(ids(shown), ids([fresh, old, far, mild, acked]));
});

test("a filter says how many active ones it hides, and a closed one with an open case is active", () => {
  const acked = incident({ acknowledged_by: "desk-0" });
  const open = incident();
  const over = incident({ state: "closed" });
  const working = incident({ state: "closed", case: "C9" });
  const w = world(acked, open, over, working);
  w.cases = new Map([["C9", { id: "C9", stage: "checking" }]]);
  const { shown, hidden } = alerts.pick(w, { ...look, filter: "unacked" }, () => "");
  assert.deepEqual(ids(shown), [open.id]);
  assert.equal(hidden, 2);
  assert.deepEqual(ids(alerts.pick(w, { ...look, filter: "closed" }, () => "").shown), [over.id]);
});

test("what is over counts with its peak", () => {
  assert.equal(alerts.shownLevel(incident({ state: "cleared", severity: 3, peak: 1 })), 1);
  assert.equal(alerts.shownLevel(incident({ severity: 3, peak: 1 })), 3);
});

test("held rows keep their places and new ones wait", () => {
  const row = (id) => ({ type: "one", id });
  const { rows, waiting } = alerts.hold([row("new"), row("b"), row("a")], [row("a"), row("b"), row("gone")]);
  assert.deepEqual(ids(rows), ["a", "b", "gone"]);
  assert.deepEqual(ids(waiting), ["new"]);
  assert.deepEqual(alerts.hold([row("x")], null).waiting, []);
});

test("a flood is more than ten in ten minutes", () => {
  const many = Array.from({ length: 11 }, () => incident({ opened_ns: 1e12 }));
  assert.equal(alerts.flooded(many, 1e6 + 1000), true);
  assert.equal(alerts.flooded(many.slice(1), 1e6 + 1000), false);
  assert.equal(alerts.flooded(many, 1e6 + 600_001), false);
});

test("in a flood mild ones of a kind and zone share a row, grave and chosen ones stay single", () => {
  const mild = [incident(), incident(), incident()];
  const grave = incident({ severity: 2 });
  const chosen = incident();
  const how = { flood: true, zone: () => "Z1", open: new Set(), chosen: chosen.id, told: new Map() };
  const rows = alerts.rows([grave, chosen, ...mild], how);
  assert.deepEqual(rows.map((r) => r.type), ["one", "one", "group"]);
  assert.deepEqual(rows[2].ids, ids(mild));
  const unfolded = alerts.rows([...mild], { ...how, open: new Set([rows[2].id]) });
  assert.equal(unfolded.length, 4);
});

test("what is next follows the case and its orders", () => {
  const i = incident({ acknowledged_by: "desk-0", case: "C1" });
  const w = world(i);
  const o = order();
  w.cases = new Map([["C1", { id: "C1", stage: "dispatched", orders: [o.id] }]]);
  const todo = (state) => alerts.todo(i, { ...w, orders: new Map([[o.id, { ...o, state }]]) });
  assert.deepEqual(["seen", "en_route", "on_scene", "declined"].map(todo), ["accept", "arrive", "finish", "dispatch"]);
  assert.equal(alerts.todo(incident(), w), "acknowledge");
});

test("I sounds until silenced, II once, III never, and a new I sounds again", () => {
  const one = incident({ severity: 1 });
  const two = incident({ severity: 2 });
  const three = incident();
  let { alarm, repeat, once } = due(quiet(), [one, two, three], 0);
  assert.deepEqual([ids(repeat), once], [[one.id], true]);
  assert.equal(due(alarm, [one, two], 0).once, false);
  alarm = silence(alarm, [one], 0);
  assert.deepEqual(due(alarm, [one], 0).repeat, []);
  assert.equal(due(alarm, [one, incident({ severity: 1 })], 0).repeat.length, 1);
  assert.equal(due(quiet(), [incident({ severity: 1, district: 1 })], 0).repeat.length, 0);
  assert.equal(due(quiet(), [incident({ severity: 1, district: 1 })], -1).repeat.length, 1);
});

test("what a situation tells of is under its row, and level I stands beside it", () => {
  const storm = situation({ id: "S", severity: 2 });
  const told = [incident({ situation: "S", annunciated_ns: null }), incident({ situation: "S", severity: 4, annunciated_ns: null })];
  const grave = incident({ situation: "S", severity: 1 });
  const apart = incident({ severity: 3 });
  const w = { ...world(...told, grave, apart), situations: new Map([["S", storm]]) };
  const picked = alerts.pick(w, look, () => "");
  assert.deepEqual(ids(picked.shown), ids([grave, storm, apart]));
  const how = { flood: false, zone: () => "", open: new Set(), chosen: null, told: picked.told };
  const row = alerts.rows(picked.shown, how)[1];
  assert.deepEqual([row.type, row.ids], ["situation", ids(told)]);
  const open = alerts.rows(picked.shown, { ...how, open: new Set(["S"]) });
  assert.deepEqual(ids(open), [grave.id, "S", ...ids(told), apart.id]);
});

test("over, a situation lets its incidents speak for themselves", () => {
  const late = incident({ situation: "S", annunciated_ns: null });
  const w = { ...world(late), situations: new Map([["S", situation({ id: "S", state: "closed" })]]) };
  assert.deepEqual(ids(alerts.pick(w, look, () => "").shown), [late.id]);
});

test("a candidate comes after what is believed, calls upon nobody and is to be verified", () => {
  const doubtful = incident({ severity: 1, standing: "candidate", annunciated_ns: null, confirmed_ns: null });
  const mild = incident({ severity: 4 });
  const w = world(doubtful, mild);
  assert.deepEqual(ids(alerts.pick(w, look, () => "").shown), ids([mild, doubtful]));
  assert.equal(alerts.unacked(doubtful), false);
  assert.equal(alerts.todo(doubtful, w), "verify");
  assert.deepEqual([alerts.counts(w, -1).doubtful, alerts.counts(w, -1)[1]], [1, 0]);
  assert.equal(alerts.worst([doubtful]), null);
  assert.deepEqual(due(quiet(), [doubtful], -1).repeat, []);
});

test("a situation rings for what it tells of", () => {
  const folded = incident({ severity: 2, situation: "S", annunciated_ns: null });
  assert.equal(due(quiet(), [folded], -1).once, false);
  assert.equal(due(quiet(), [folded, situation({ id: "S", severity: 2 })], -1).once, true);
});
