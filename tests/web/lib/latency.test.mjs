import assert from "node:assert/strict";
import { test } from "node:test";
import { quantile, toTell, took, WINDOW_MS } from "../../../web/lib/latency.js";

test("a few are told as they are, tenths of a millisecond, the quickest first", () => {
  assert.deepEqual(toTell([]), []);
  assert.deepEqual(toTell([[1, 40.06], [0, 0], [3, 12]]), [[0, 0], [3, 12], [1, 40.1]]);
});

test("of too many as many as the gateway takes, the slowest among them, with the same quantiles", () => {
  const drawn = Array.from({ length: 1234 }, (_, k) => /** @type {[number, number]} */ ([k % 2, (k * 389) % 1234]));
  const told = toTell(drawn).map(([, ms]) => ms);
  assert.equal(told.length, 200);
  assert.equal(told.at(-1), 1233);
  for (const q of [0.5, 0.9, 0.99]) assert.ok(Math.abs((told[Math.ceil(q * 200) - 1] ?? 0) - q * 1234) < 2, String(q));
});

test("what took longer than the gateway believes is told as the longest it does", () => {
  assert.deepEqual(toTell([[0, 9e9]]), [[0, 3_600_000]]);
});

test("quantiles are of the last minute", () => {
  const samples = took(took([], 0, [900]), WINDOW_MS + 1, [10, 30, 20]);
  assert.equal(quantile(samples, WINDOW_MS + 1, 0.5), 20);
  assert.equal(quantile(samples, WINDOW_MS + 1, 0.99), 30);
  assert.equal(quantile(samples, 3 * WINDOW_MS, 0.5), null);
});
