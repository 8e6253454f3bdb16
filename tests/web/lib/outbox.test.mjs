import assert from "node:assert/strict";
import { test } from "node:test";
import * as outbox from "../../../web/lib/outbox.js";
import { item, order } from "./make.mjs";

test("receipts leave one at a time and in order", () => {
  const first = item("O1", "accepted");
  const second = item("O1", "on_scene");
  let box = outbox.put(outbox.put([], first), second);
  assert.equal(outbox.next(box, "U1").id, first.id);
  box = outbox.sending(box, first.id);
  assert.equal(outbox.next(box, "U1"), null);
  box = outbox.answered(box, first.id, null);
  assert.equal(outbox.next(box, "U1").id, second.id);
});

test("what was on its way when the line broke goes again under the same id", () => {
  const one = item("O1", "accepted");
  const box = outbox.unsent(outbox.sending([one], one.id));
  assert.equal(outbox.next(box, "U1").id, one.id);
  assert.equal(box[0].tries, 1);
});

test("the same receipt is put in once", () => {
  const box = outbox.put([item("O1", "seen")], item("O1", "seen"));
  assert.equal(box.length, 1);
});

test("a refused receipt stays to be read, an automatic one does not", () => {
  const asked = item("O1", "accepted");
  const automatic = item("O1", "seen");
  const error = { code: "order.transition", message: "" };
  let box = outbox.answered([asked, automatic], asked.id, error);
  box = outbox.answered(box, automatic.id, error);
  assert.deepEqual(box.map((i) => [i.id, i.phase]), [[asked.id, "refused"]]);
  assert.equal(outbox.next(box, "U1"), null);
  assert.deepEqual(outbox.dismiss(box, asked.id), []);
});

test("another post's items are left alone", () => {
  const other = item("O1", "accepted", { post: "U2" });
  assert.equal(outbox.next([other], "U1"), null);
  assert.equal(outbox.waiting([other], "U1").length, 0);
});

test("an order is shown as far as the person has taken it", () => {
  const o = order();
  assert.equal(outbox.foreseen(o, [item(o.id, "accepted"), item(o.id, "on_scene")]).state, "on_scene");
  assert.equal(outbox.foreseen({ ...o, state: "done" }, [item(o.id, "accepted")]).state, "done");
  assert.equal(outbox.foreseen(o, [item(o.id, "declined")]).state, "declined");
  assert.equal(outbox.foreseen(o, [item(o.id, "accepted", { phase: "refused" })]).state, "sent");
});

test("one button at a time: accept, here, done", () => {
  const walk = ["sent", "accepted", "en_route", "on_scene", "done"].map(outbox.nextReceipt);
  assert.deepEqual(walk, ["accepted", "on_scene", "on_scene", "done", null]);
});

test("delivered when it is here, seen when it was on the screen", () => {
  assert.equal(outbox.automatic(order(), false), "delivered");
  assert.equal(outbox.automatic(order({ state: "delivered" }), false), null);
  assert.equal(outbox.automatic(order({ state: "delivered" }), true), "seen");
  assert.equal(outbox.automatic(order({ state: "accepted" }), true), null);
});
