// Words of a language. Sentences live in i18n/*.json, never in code.
import { fill } from "./format.js";

/** @typedef {import("./types.js").Tongue} Tongue */
/** @typedef {import("./types.js").Dict} Dict */

/** @type {readonly Tongue["lang"][]} */
export const LANGUAGES = ["zh-CN", "en"];

/**
 * A tongue from its dictionary. A key without a sentence shows as the key, so that a gap is seen, not hidden.
 * @param {Tongue["lang"]} lang
 * @param {Dict} dict
 * @returns {Tongue}
 */
export function tongue(lang, dict) {
  return {
    lang,
    t: (key, args = {}) => fill(dict[key] ?? key, args),
    name: (text) => (text ? (lang === "en" ? text.en || text.zh : text.zh || text.en) : ""),
  };
}

/**
 * Whether the dictionary has the key.
 * @param {Tongue} tongue
 * @param {string} key
 */
export function knows(tongue, key) {
  return tongue.t(key) !== key;
}

/**
 * A choice of language: the wish where we have it, else Chinese.
 * @param {string | null | undefined} wish
 * @returns {Tongue["lang"]}
 */
export function choose(wish) {
  return wish?.toLowerCase().startsWith("en") ? "en" : "zh-CN";
}
