// Reading from the gateway over HTTP.

/** An answer that was not what we asked for; `code` is the gateway's, or http.NNN, or net.unreachable. */
export class HttpError extends Error {
  /** @param {string} code @param {string} message @param {Readonly<Record<string, unknown>>} args */
  constructor(code, message, args = {}) {
    super(message);
    this.code = code;
    this.args = args;
  }
}

/**
 * @template T
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export async function getJson(path, signal) {
  let response;
  try {
    response = await fetch(path, { headers: { accept: "application/json" }, ...(signal ? { signal } : {}) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new HttpError("net.unreachable", `${path}: ${error}`);
  }
  if (response.ok) return response.json();
  const said = await response.json().catch(() => null);
  throw new HttpError(said?.code ?? `http.${response.status}`, said?.message ?? `${path}: ${response.status}`, said?.args);
}

/**
 * Words of a language.
 * @param {string} lang
 * @returns {Promise<import("../lib/types.js").Dict>}
 */
export function words(lang) {
  return getJson(`${new URL(`../i18n/${lang}.json`, import.meta.url).pathname}`);
}

/**
 * All that a page needs before it can show anything.
 * @returns {Promise<{ session: import("../lib/types.js").Session, domains: import("../lib/types.js").Domains, registry: import("../lib/types.js").Registry }>}
 */
export async function bootstrap() {
  const [session, domains, registry] = await Promise.all([
    /** @type {Promise<import("../lib/types.js").Session>} */ (getJson("/api/session")),
    /** @type {Promise<import("../lib/types.js").Domains>} */ (getJson("/api/domains")),
    readRegistry(),
  ]);
  return { session, domains, registry };
}

/**
 * Places, devices and units by id.
 * @returns {Promise<import("../lib/types.js").Registry>}
 */
export async function readRegistry() {
  /** @type {{ places: import("../lib/messages.js").Place[], devices: import("../lib/messages.js").Device[], units: import("../lib/messages.js").Unit[] }} */
  const raw = await getJson("/api/registry");
  return {
    places: new Map(raw.places.map((p) => [p.id, p])),
    devices: new Map(raw.devices.map((d) => [d.id, d])),
    units: new Map(raw.units.map((u) => [u.id, u])),
  };
}
