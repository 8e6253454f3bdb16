// Distances and directions on the ground; degrees WGS 84, metres.

const RAD = Math.PI / 180;
const EARTH_M = 6_371_000;

/** @typedef {{ lon: number, lat: number }} Point */

/** Great-circle distance. @param {Point} a @param {Point} b */
export function metres(a, b) {
  const dLat = (b.lat - a.lat) * RAD;
  const dLon = (b.lon - a.lon) * RAD;
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(a.lat * RAD) * Math.cos(b.lat * RAD) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.sqrt(h));
}

/** Which of eight directions b lies in from a: n, ne, e, se, s, sw, w, nw. @param {Point} a @param {Point} b */
export function direction(a, b) {
  const east = (b.lon - a.lon) * Math.cos(a.lat * RAD);
  const north = b.lat - a.lat;
  const eighth = Math.round(Math.atan2(east, north) / (Math.PI / 4));
  return /** @type {const} */ (["n", "ne", "e", "se", "s", "sw", "w", "nw"])[(eighth + 8) % 8];
}

/**
 * A plane for a small picture: metres east and south of a centre.
 * @param {Point} centre
 */
export function plane(centre) {
  const perLon = EARTH_M * RAD * Math.cos(centre.lat * RAD);
  const perLat = EARTH_M * RAD;
  return (/** @type {number} */ lon, /** @type {number} */ lat) => [
    (lon - centre.lon) * perLon,
    (centre.lat - lat) * perLat,
  ];
}
