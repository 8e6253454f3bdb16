// Severity as it looks everywhere: shape and words together.
import { html, svg } from "../lit.js";
import { ROMAN, SHAPES, level } from "../lib/severity.js";
import { levelName } from "../lib/words.js";

/** The bare shape; the words must stand beside it. @param {number} n @param {string} [size] class: small, big */
export function shape(n, size = "") {
  const l = level(n);
  return html`<svg class="shape ${size} s-${l}" viewBox="0 0 16 16" aria-hidden="true">${svg`<path d=${SHAPES[l] ?? ""} />`}</svg>`;
}

/** Shape with the words for those who cannot see it. @param {import("../lib/words.js").Book} book @param {number} n @param {string} [size] */
export function mark(book, n, size = "") {
  return html`${shape(n, size)}<span class="unseen">${levelName(book, n)}</span>`;
}

/** Shape and numeral with name, as in a title. @param {import("../lib/words.js").Book} book @param {number} n */
export function spelled(book, n) {
  return html`<span class="spelled">${shape(n, "small")}<b>${ROMAN[level(n)]}</b> ${levelName(book, n).replace(/^\S+\s/, "")}</span>`;
}
