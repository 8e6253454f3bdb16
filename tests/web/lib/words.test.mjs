import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { candidates } from "../../../web/lib/candidates.js";
import * as format from "../../../web/lib/format.js";
import { direction, metres } from "../../../web/lib/geo.js";
import { tongue } from "../../../web/lib/i18n.js";
import { limitsOf } from "../../../web/lib/limits.js";
import { errorText, reason, sentence } from "../../../web/lib/words.js";
import { emptyWorld } from "../../../web/lib/world.js";
import { incident } from "./make.mjs";

const en = tongue("en", JSON.parse(readFileSync(new URL("../../../web/i18n/en.json", import.meta.url), "utf8")));
const text = (en) => ({ zh: "", en });
const book = {
  tongue: en,
  domains: {
    metrics: { water_depth: { unit: "cm", name: text("Water depth"), period_s: 60 } },
    kinds: {},
    categories: {},
    reasons: { "ladder.above": text("{metric} {value} {unit} has reached {limit} {unit}") },
    device_kinds: {},
  },
  registry: {
    places: new Map([["P1", { id: "P1", name: text("Long Lane") }]]),
    devices: new Map([["WL-1", { id: "WL-1", name: text("Gauge 1") }]]),
    units: new Map([["U1", { id: "U1", name: text("Crew 1") }]]),
  },
  session: { districts: [], posts: [{ id: "desk-0", name: text("Yunxi desk") }] },
};
const facts = { device: "WL-1", metric: "water_depth", value: 31.24, limit: 27, reason: "ladder.above", level: 2 };

test("a reason is a sentence with the number against its limit", () => {
  assert.equal(reason(book, { ...facts, numbers: {} }), "Water depth 31.2 cm has reached 27 cm");
  assert.equal(reason(book, { ...facts, reason: "new.one", numbers: {} }), "Water depth 31.2 cm, limit 27 cm");
});

test("histories are sentences in words", () => {
  const say = (what, args = {}, by = "") => sentence(book, { t_ns: 0, what, by, args });
  assert.equal(say("severity", { ...facts, from: 3, to: 2 }), "Level from III to II: Water depth 31.2 cm has reached 27 cm");
  assert.equal(say("acknowledged", {}, "desk-0"), "Acknowledged by Yunxi desk");
  assert.equal(say("order_sent", { unit: "U1", unit_name_en: "Crew 1" }), "Order sent to Crew 1");
  assert.equal(say("closed", { reason: "false_alarm" }), "Ended (false alarm)");
  assert.equal(say("closed", { reason: "unconfirmed" }), "Ended (never confirmed, evidence is over)");
  assert.equal(say("closed", { reason: "merged", into: "I-2" }), "Ended (part of another incident now)");
  assert.equal(say("case_closed", { result: "merged" }, "desk-0"), "Case closed by Yunxi desk: Merged into another case");
  assert.equal(say("merged", { incident: "I-2", place: "P1" }), "Took in an incident: Long Lane");
  assert.equal(say("doubted", { device: "WL-1", reason: "still.stuck", from: 0.9, to: 0.45 }), "Gauge 1 is in doubt: confidence 90% to 45%");
  assert.equal(say("something_new"), "something_new");
});

test("an error known here is said in the page's language, another in the server's words", () => {
  assert.equal(errorText(en, { code: "unit.busy", message: "x" }), "The crew has an order, choose another");
  assert.equal(errorText(en, { code: "no.such", message: "its own words" }), "its own words");
});

test("numbers keep the digits that matter", () => {
  assert.deepEqual([43, 8.30001, 0.9444, 123.4, NaN].map(format.number), ["43", "8.3", "0.94", "123", "–"]);
  assert.equal(format.countdown(-65_000), "01:05");
  assert.equal(format.countdown(3_725_000), "1:02:05");
  assert.equal(format.distance(en.t, 312), "310 m");
  assert.equal(format.distance(en.t, 2440), "2.4 km");
  assert.equal(format.age(en.t, 125_000), "2 min ago");
  assert.equal(format.fill("{a} {b:.1f} {c}", { a: "x", b: 2.345 }), "x 2.3 c");
});

test("distance and direction on the ground", () => {
  const a = { lon: 113, lat: 23 };
  assert.ok(Math.abs(metres(a, { lon: 113, lat: 24 }) - 111_195) < 5);
  assert.deepEqual([[113, 24], [114, 24], [112, 23], [113, 22]].map(([lon, lat]) => direction(a, { lon, lat })), ["n", "ne", "w", "s"]);
});

test("free crews of the right skill come first, nearest first; the others say why not", () => {
  const unit = (id, skill, lon, more = {}) => [id, { id, district: 0, skill, lon, lat: 23.9, name: text(id), on_duty: true, ...more }];
  const registry = {
    ...book.registry,
    units: new Map([unit("far", "drainage", 112.9), unit("near", "drainage", 112.61), unit("busy", "drainage", 112.6), unit("gas", "gas", 112.6), unit("home", "drainage", 112.6, { on_duty: false }), unit("next", "drainage", 112.6, { district: 1 })]),
  };
  const world = { ...emptyWorld(), units: new Map([["busy", { id: "busy", on_duty: true, order: "O1" }]]) };
  const found = candidates(incident(), registry, world, "drainage");
  assert.deepEqual(found.map((c) => [c.unit.id, c.why]), [["near", null], ["far", null], ["gas", null], ["busy", "busy"], ["home", "off_duty"]]);
});

test("limits in the curve are those that raised the incident, not those it fell below", () => {
  const step = (what, args) => ({ t_ns: 0, what, by: "", args: { device: "WL-1", metric: "water_depth", ...args } });
  const i = incident({
    history: [
      step("opened", { level: 3, limit: 15, reason: "ladder.above" }),
      step("severity", { from: 3, to: 2, level: 2, limit: 27, reason: "ladder.above" }),
      step("severity", { from: 2, to: 3, level: 3, limit: 24, reason: "ladder.below" }),
    ],
  });
  const e = { ...facts, level: 3, limit: 24, reason: "ladder.below" };
  assert.deepEqual([...limitsOf(i, e)], [[15, 3], [27, 2]]);
});
