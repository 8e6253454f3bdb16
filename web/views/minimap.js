// A small still picture of the way to the site, drawn from the same ground as the desk's map. No library, no network.
import { html, svg, nothing } from "../lit.js";
import { metres, plane } from "../lib/geo.js";
import { SHAPES, level } from "../lib/severity.js";

const W = 336;
const H = 132;
const EDGE = 30;

/** @typedef {{ geometry: { type: string, coordinates: any }, properties: Readonly<Record<string, any>> }} Feature */
/** @typedef {import("../lib/geo.js").Point} Point */

/**
 * @param {readonly Feature[]} ground
 * @param {Point} from the unit
 * @param {Point} to the site
 * @param {number} severity
 * @param {string} label
 */
export function minimap(ground, from, to, severity, label) {
  if (metres(from, to) > 60_000) return nothing; // not on one picture
  const centre = { lon: (from.lon + to.lon) / 2, lat: (from.lat + to.lat) / 2 };
  const flat = plane(centre);
  const [fx, fy] = /** @type {[number, number]} */ (flat(from.lon, from.lat));
  const scale = Math.min((W / 2 - EDGE) / Math.max(Math.abs(fx), 60), (H / 2 - EDGE) / Math.max(Math.abs(fy), 60), 0.12);
  const at = (/** @type {number} */ lon, /** @type {number} */ lat) => {
    const [x, y] = /** @type {[number, number]} */ (flat(lon, lat));
    return /** @type {const} */ ([W / 2 + x * scale, H / 2 + y * scale]);
  };
  const path = (/** @type {readonly [number, number][]} */ line) =>
    line.map(([lon, lat], n) => `${n ? "L" : "M"}${at(lon, lat).map((v) => v.toFixed(1)).join(" ")}`).join("");
  const near = ground.filter((f) => f.properties["layer"] !== "label" && f.properties["layer"] !== "district" && visible(f, at));
  const [ux, uy] = at(from.lon, from.lat);
  const [sx, sy] = at(to.lon, to.lat);
  const l = level(severity);
  return html`<svg class="minimap" viewBox="0 0 ${W} ${H}" role="img" aria-label=${label}>
    ${near.map((f) => {
      const layer = String(f.properties["layer"]);
      const wide = Number(f.properties["width"] ?? 2);
      if (f.geometry.type === "Polygon") return svg`<path class=${layer} d=${`${path(f.geometry.coordinates[0])}Z`} />`;
      const width = layer === "water" ? Math.max(6, 500 * scale) : layer === "road2" ? 2 : 2 + wide;
      return svg`<path class=${`way ${layer}`} stroke-width=${width} d=${path(f.geometry.coordinates)} />`;
    })}
    ${svg`<path class="route" d=${`M${ux} ${uy}L${sx} ${sy}`} />
      <circle class="me" cx=${ux} cy=${uy} r="8" />
      <g class=${`s-${l}`} transform=${`translate(${sx - 13} ${sy - 13}) scale(1.63)`}><path class="site" d=${SHAPES[l] ?? ""} /></g>`}
  </svg>`;
}

/**
 * Whether any corner lies in or near the picture; long lines are kept, they may cross it.
 * @param {Feature} f
 * @param {(lon: number, lat: number) => readonly [number, number]} at
 */
function visible(f, at) {
  if (f.geometry.type === "LineString") return true;
  if (f.geometry.type !== "Polygon") return false;
  return f.geometry.coordinates[0].some((/** @type {[number, number]} */ [lon, lat]) => {
    const [x, y] = at(lon, lat);
    return x > -20 && x < W + 20 && y > -20 && y < H + 20;
  });
}
