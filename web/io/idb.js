// The outbox on disk: what a person has done is not lost when the phone dies.

/** @typedef {import("../lib/types.js").OutboxItem} OutboxItem */

const NAME = "yiwang-outbox";
const STORE = "items";

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((ok, bad) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    request.onsuccess = () => ok(request.result);
    request.onerror = () => bad(request.error);
  });
}

/**
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<T> | void} work
 * @returns {Promise<T | undefined>}
 */
async function within(mode, work) {
  const db = await open();
  try {
    return await new Promise((ok, bad) => {
      const transaction = db.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => ok(request ? request.result : undefined);
      transaction.onerror = () => bad(transaction.error);
      transaction.onabort = () => bad(transaction.error);
    });
  } finally {
    db.close();
  }
}

/** In the order in which they were made. @returns {Promise<OutboxItem[]>} */
export async function loadOutbox() {
  const items = (await within("readonly", (store) => store.getAll())) ?? [];
  return items.sort((a, b) => a.made_ms - b.made_ms);
}

/**
 * Writes what changed between two states of the outbox; items of another tab are left alone.
 * @param {readonly OutboxItem[]} before
 * @param {readonly OutboxItem[]} after
 */
export async function saveOutbox(before, after) {
  const kept = new Set(after.map((item) => item.id));
  const old = new Set(before);
  await within("readwrite", (store) => {
    for (const item of before) if (!kept.has(item.id)) store.delete(item.id);
    for (const item of after) if (!old.has(item)) store.put(item);
  });
}
