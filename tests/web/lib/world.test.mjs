import assert from "node:assert/strict";
import { test } from "node:test";
import { beaten, eventNow, ponged, serverNow, startClock } from "../../../web/lib/clock.js";
import { quantile, took } from "../../../web/lib/latency.js";
import { CLOSED_KEPT, emptyWorld, reduce } from "../../../web/lib/world.js";
import { incident, situation } from "./make.mjs";

const delta = (body, at = [0, 1]) => ({ type: "delta", at, body });

test("a snapshot replaces everything and says where it ends", () => {
  const before = reduce(emptyWorld(), delta(incident({ id: "old" })));
  const i = incident();
  const after = reduce(before, { type: "snapshot", at: { 0: 7 }, epoch: "e", now_ms: 0, objects: [i], values: [[0, 1, 5, 2.5, 0]] });
  assert.deepEqual([...after.incidents.keys()], [i.id]);
  assert.deepEqual([after.at, after.epoch, after.ready], [{ 0: 7 }, "e", true]);
  assert.deepEqual(after.values.get("0:1"), [0, 1, 5, 2.5, 0]);
});

test("the higher revision wins, whatever comes last", () => {
  const i = incident({ rev: 3 });
  let world = reduce(emptyWorld(), delta(i));
  world = reduce(world, delta({ ...i, rev: 2, severity: 1 }, [0, 2]));
  assert.equal(world.incidents.get(i.id).severity, 3);
  assert.equal(world.at["0"], 2);
});

test("reduce changes nothing in place", () => {
  const world = emptyWorld();
  Object.freeze(world);
  reduce(world, delta(incident()));
  reduce(world, { type: "values", rows: [[0, 1, 5, 1, 0]] });
  assert.equal(world.incidents.size + world.values.size, 0);
});

test("older values do not replace newer ones", () => {
  let world = reduce(emptyWorld(), { type: "values", rows: [[0, 1, 10, 1, 0]] });
  world = reduce(world, { type: "values", rows: [[0, 1, 9, 2, 0]] });
  assert.equal(world.values.get("0:1")[3], 1);
});

test("closed incidents are let go of, open ones never", () => {
  let world = emptyWorld();
  const open = incident();
  world = reduce(world, delta(open));
  for (let k = 0; k < CLOSED_KEPT * 2; k += 1) world = reduce(world, delta(incident({ state: "closed" })));
  assert.ok(world.incidents.size <= CLOSED_KEPT * 1.1 + 1);
  assert.ok(world.incidents.has(open.id));
});

test("the shortest round trip tells the server's clock", () => {
  let clock = ponged(startClock(1), 1000, 6100, 1200); // trip 200, offset 5000
  assert.equal(serverNow(clock, 2000), 7000);
  clock = ponged(clock, 2000, 9000, 3000); // slow: ignored
  assert.equal(clock.offset_ms, 5000);
  clock = ponged(clock, 4000, 8960, 4020);
  assert.equal(clock.offset_ms, 4950);
});

test("event time runs on at the run's speed for a short while only", () => {
  const clock = beaten(startClock(10), { now_ms: 0, event_ms: 1e6 }, 500);
  assert.equal(eventNow(clock, 1500), 1e6 + 10_000);
  assert.equal(eventNow(clock, 1e9), 1e6 + 50_000);
  assert.equal(eventNow(beaten(startClock(0), { now_ms: 0, event_ms: 1e6 }, 0), 4000), 1e6);
});

test("quantiles are of the last minute", () => {
  let samples = took([], 0, [500]);
  samples = took(samples, 61_000, [10, 20, 30, 40]);
  assert.equal(quantile(samples, 61_000, 0.5), 20);
  assert.equal(quantile(samples, 61_000, 0.99), 40);
  assert.equal(quantile(samples, 200_000, 0.5), null);
});

test("situations are kept by revision, and let go of with their last incident", () => {
  let world = reduce(emptyWorld(), delta(situation({ id: "S", rev: 2, sites: 5 })));
  world = reduce(world, delta(situation({ id: "S", rev: 1, sites: 3 })));
  assert.equal(world.situations.get("S").sites, 5);
  world = reduce(world, delta(situation({ id: "over", state: "closed" })));
  const closed = Array.from({ length: CLOSED_KEPT * 1.2 }, () => incident({ state: "closed" }));
  world = closed.reduce((w, i) => reduce(w, delta(i)), world);
  assert.deepEqual([...world.situations.keys()], ["S"]);
});
