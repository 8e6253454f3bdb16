// What a phone has to say and could not say yet. Pure rules; where it is kept is io's affair.

/** @typedef {import("./types.js").OutboxItem} OutboxItem */
/** @typedef {import("./messages.js").Order} Order */
/** @typedef {import("./messages.js").Receipt} Receipt */
/** @typedef {readonly OutboxItem[]} Outbox */

/**
 * Adds an action; the same receipt for the same order is said once.
 * @param {Outbox} box
 * @param {OutboxItem} item
 * @returns {Outbox}
 */
export function put(box, item) {
  return box.some((old) => same(old, item) && old.phase !== "refused") ? box : [...box, item];
}

/** @param {OutboxItem} a @param {OutboxItem} b */
function same(a, b) {
  if (a.id === b.id) return true;
  return (
    a.post === b.post &&
    a.action.do === "receipt" &&
    b.action.do === "receipt" &&
    a.action.order === b.action.order &&
    a.action.receipt === b.action.receipt
  );
}

/**
 * What to send now: the oldest of this post that waits, and only while nothing is on its way,
 * so that receipts arrive in the order in which they were made.
 * @param {Outbox} box
 * @param {string} post
 * @returns {OutboxItem | null}
 */
export function next(box, post) {
  const mine = box.filter((item) => item.post === post && item.phase !== "refused");
  return mine[0]?.phase === "waiting" ? mine[0] : null;
}

/** @param {Outbox} box @param {string} id @returns {Outbox} */
export function sending(box, id) {
  return box.map((item) => (item.id === id ? { ...item, phase: "sent", tries: item.tries + 1 } : item));
}

/** The line went down: what was on its way may not have arrived; the server drops repeats. @param {Outbox} box @returns {Outbox} */
export function unsent(box) {
  return box.map((item) => (item.phase === "sent" ? { ...item, phase: "waiting" } : item));
}

/**
 * The server answered. Kept means it will never be lost; refused stays until the person has seen why.
 * An automatic receipt that is refused is dropped: nobody asked for it.
 * @param {Outbox} box
 * @param {string} id
 * @param {import("./types.js").ServerError | null} error
 * @returns {Outbox}
 */
export function answered(box, id, error) {
  if (!error) return box.filter((item) => item.id !== id);
  return box.flatMap((item) => {
    if (item.id !== id) return [item];
    if (item.action.do === "receipt" && AUTOMATIC.has(item.action.receipt)) return [];
    return [{ ...item, phase: /** @type {const} */ ("refused"), error }];
  });
}

/** @param {Outbox} box @param {string} id @returns {Outbox} */
export function dismiss(box, id) {
  return box.filter((item) => item.id !== id);
}

/** Receipts the page sends by itself. @type {ReadonlySet<Receipt>} */
export const AUTOMATIC = new Set(/** @type {Receipt[]} */ (["delivered", "seen"]));

/** How far a receipt is along the way. @type {Readonly<Partial<Record<Receipt, number>>>} */
export const FAR = { sent: 0, delivered: 1, seen: 2, accepted: 3, en_route: 4, on_scene: 5, done: 6, verified: 7 };

/** What the person still has to be told or to send. @param {Outbox} box @param {string} post */
export function waiting(box, post) {
  return box.filter((item) => item.post === post && item.phase !== "refused");
}

/**
 * An order as the person knows it: the server's word plus what is still in the outbox.
 * @param {Order} order
 * @param {Outbox} box
 * @returns {Order}
 */
export function foreseen(order, box) {
  let state = order.state;
  for (const item of box) {
    if (item.phase === "refused" || item.action.do !== "receipt" || item.action.order !== order.id) continue;
    if (item.action.receipt === "declined") state = "declined";
    else if ((FAR[item.action.receipt] ?? 0) > (FAR[state] ?? 99)) state = item.action.receipt;
  }
  return state === order.state ? order : { ...order, state, deadline_ns: null }; // the next limit is the server's to say
}

/** The step the one big button offers. @param {Receipt} state @returns {Receipt | null} */
export function nextReceipt(state) {
  switch (state) {
    case "sent":
    case "delivered":
    case "seen":
      return "accepted";
    case "accepted":
    case "en_route":
      return "on_scene";
    case "on_scene":
      return "done";
    default:
      return null;
  }
}

/** An order that still wants something from the unit. @param {Order} order */
export function open(order) {
  return nextReceipt(order.state) !== null;
}

/**
 * Receipts due without anybody's doing: delivered when the page has the order, seen when it was on the screen.
 * @param {Order} order
 * @param {boolean} visible
 * @returns {Receipt | null}
 */
export function automatic(order, visible) {
  if (order.state === "sent") return "delivered";
  if (order.state === "delivered" && visible) return "seen";
  return null;
}
