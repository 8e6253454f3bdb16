import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST, missing, renewed, withSome } from "../../../web/lib/lookup.js";
import { incident } from "./make.mjs";

const large = { places: new Map(), devices: new Map(), units: new Map(), whole: false, counts: { places: 0, devices: 0, cameras: 0 } };
const device = (id) => ({ id, name: { zh: id, en: id } });
const seen = (...ids) => incident({ evidence: ids.map((id) => ({ device: id })), place: "P1" });

test("of a large city the names that an incident needs are asked for, each once", () => {
  const i = { ...seen("A", "B", "A", ""), history: [{ args: { device: "C", place: "P2" } }, { args: { device: 7 } }] };
  assert.deepEqual(missing(i, large, new Set()), { devices: ["A", "B", "C"], places: ["P1", "P2"] });
  const known = withSome(large, { devices: [device("A")], places: [device("P1")] });
  assert.deepEqual(missing(i, known, new Set(["B"])), { devices: ["C"], places: ["P2"] });
});

test("a small city is known, and nothing is asked without an incident", () => {
  assert.deepEqual(missing(seen("A"), { ...large, whole: true }, new Set()), { devices: [], places: [] });
  assert.deepEqual(missing(null, large, new Set()), { devices: [], places: [] });
});

test("never more at once than the gateway allows", () => {
  const ids = Array.from({ length: 3 * MOST }, (_, k) => `D${k}`);
  assert.equal(missing(seen(...ids), large, new Set()).devices.length, MOST);
});

test("a registry read again keeps what was looked up; a city that became small replaces it", () => {
  const known = withSome(large, { devices: [device("A")], places: [] });
  assert.deepEqual([...renewed(known, large).devices.keys()], ["A"]);
  assert.equal(renewed(known, { ...large, whole: true }).devices.size, 0);
});
