// What this browser remembers of its person's choices.

const PREFIX = "yiwang.";

/**
 * @template T
 * @param {string} key
 * @param {T} otherwise
 * @returns {T}
 */
export function recall(key, otherwise) {
  try {
    const raw = localStorage.getItem(PREFIX + key);
    return raw === null ? otherwise : JSON.parse(raw);
  } catch {
    return otherwise; // storage forbidden or garbled: the page works without memory
  }
}

/** @param {string} key @param {unknown} value */
export function remember(key, value) {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // storage forbidden or full: nothing depends on it
  }
}

/** A value of the page's address, such as ?post=desk-0. @param {string} name */
export function asked(name) {
  return new URLSearchParams(location.search).get(name);
}

/** A new command id. randomUUID needs a secure context, which a phone on plain HTTP is not. */
export function uuid() {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = ((b[6] ?? 0) & 0x0f) | 0x40;
  b[8] = ((b[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...b].map((x) => x.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
