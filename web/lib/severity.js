// Severity is shape, text and colour together: I diamond, II triangle, III square, IV circle.

/** @typedef {1 | 2 | 3 | 4} Level */

/** @type {readonly Level[]} */
export const LEVELS = [1, 2, 3, 4];

/** The law's own numerals. @type {Readonly<Record<number, string>>} */
export const ROMAN = { 1: "I", 2: "II", 3: "III", 4: "IV" };

/** Outlines in a box of 16 by 16. @type {Readonly<Record<number, string>>} */
export const SHAPES = {
  1: "M8 0 16 8 8 16 0 8Z",
  2: "M8 1 16 15H0Z",
  3: "M1 1H15V15H1Z",
  4: "M8 0A8 8 0 1 1 8 16 8 8 0 1 1 8 0Z",
};

/**
 * Any number as a level; what is no level becomes IV, the mildest, so that nothing vanishes.
 * @param {number} n
 * @returns {Level}
 */
export function level(n) {
  return n === 1 || n === 2 || n === 3 ? n : 4;
}
