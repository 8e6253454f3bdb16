// Layers of the map in their fixed order: ground, devices, cameras, crews, orders, incidents on top.

/** @typedef {(name: string) => string} Colour token name to colour */
/** @typedef {"incidents" | "orders" | "units" | "cameras" | "sensors"} Group */

/** Names of fonts of the machine itself; nothing is fetched. */
const FONT = ["Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", "sans-serif"];
/** The library takes the weight from the first name and the face from the first that exists. */
const BOLD = ["Bold", ...FONT];

/** Which style layers belong to which switch. @type {Readonly<Record<Group, readonly string[]>>} */
export const GROUPS = {
  sensors: ["sensors"],
  cameras: ["cameras"],
  units: ["units"],
  orders: ["orders"],
  incidents: ["low", "low-cluster", "high"],
};

const empty = () => ({ type: /** @type {const} */ ("geojson"), data: { type: /** @type {const} */ ("FeatureCollection"), features: [] } });
const of = (/** @type {string} */ layer) => /** @type {any} */ (["==", ["get", "layer"], layer]);
const by = (/** @type {number} */ near, /** @type {number} */ far) =>
  /** @type {any} */ (["interpolate", ["exponential", 1.7], ["zoom"], 10, far, 16, near]);

/**
 * @param {Colour} colour
 * @param {"zh" | "en"} lang
 * @returns {import("./maplibre.js").StyleSpecification}
 */
export function mapStyle(colour, lang) {
  const name = /** @type {any} */ (["coalesce", ["get", `name_${lang}`], ["get", "name_zh"], ""]);
  const wide = /** @type {any} */ (["coalesce", ["get", "width"], 2]);
  const halo = { "text-halo-color": colour("--land"), "text-halo-width": 1.6 };
  const mark = /** @type {any} */ ({
    "icon-image": ["get", "icon"],
    "icon-allow-overlap": true,
    "icon-ignore-placement": true,
    "text-field": ["get", "label"],
    "text-font": BOLD,
    "text-size": 13,
    "text-anchor": "left",
    "text-justify": "left",
    "text-variable-anchor": ["left", "right", "top", "bottom"],
    "text-radial-offset": 1.3,
    "text-optional": true,
    "symbol-sort-key": ["get", "level"],
  });
  return {
    version: 8,
    sources: {
      ground: empty(),
      devices: empty(),
      units: empty(),
      orders: empty(),
      high: empty(),
      low: {
        ...empty(),
        cluster: true,
        clusterRadius: 36,
        clusterMaxZoom: 15,
        clusterProperties: { worst: ["min", ["get", "level"]] },
      },
    },
    layers: [
      { id: "land", type: "background", paint: { "background-color": colour("--land") } },
      { id: "park", type: "fill", source: "ground", filter: of("park"), paint: { "fill-color": colour("--park") } },
      { id: "block", type: "fill", source: "ground", filter: of("block"), paint: { "fill-color": colour("--block") } },
      {
        id: "water-area",
        type: "fill",
        source: "ground",
        filter: ["all", of("water"), ["==", ["geometry-type"], "Polygon"]],
        paint: { "fill-color": colour("--water") },
      },
      {
        id: "water",
        type: "line",
        source: "ground",
        filter: ["all", of("water"), ["==", ["geometry-type"], "LineString"]],
        layout: { "line-cap": "round", "line-join": "round" },
        paint: { "line-color": colour("--water"), "line-width": by(300, 9) },
      },
      {
        id: "road2",
        type: "line",
        source: "ground",
        filter: of("road2"),
        paint: { "line-color": colour("--road-minor"), "line-width": by(9, 1) },
      },
      {
        id: "road",
        type: "line",
        source: "ground",
        filter: of("road"),
        layout: { "line-cap": "round", "line-join": "round" },
        paint: {
          "line-color": colour("--road"),
          "line-width": ["interpolate", ["exponential", 1.7], ["zoom"], 10, ["*", wide, 0.9], 16, ["*", wide, 7]],
        },
      },
      {
        id: "district",
        type: "line",
        source: "ground",
        filter: of("district"),
        paint: { "line-color": colour("--boundary"), "line-width": 1.2, "line-dasharray": [4, 3] },
      },
      {
        id: "way-names",
        type: "symbol",
        source: "ground",
        filter: ["all", ["in", ["get", "layer"], ["literal", ["road", "water"]]], ["!=", name, ""]],
        layout: { "symbol-placement": "line", "symbol-spacing": 420, "text-field": name, "text-font": FONT, "text-size": 12, "text-letter-spacing": 0.1 },
        paint: { "text-color": colour("--faint"), ...halo },
      },
      {
        id: "names",
        type: "symbol",
        source: "ground",
        filter: of("label"),
        layout: {
          "text-field": name,
          "text-font": FONT,
          "text-size": ["case", ["==", ["get", "rank"], 1], 17, 13],
          "text-letter-spacing": ["case", ["==", ["get", "rank"], 1], 0.2, 0.05],
          "symbol-sort-key": ["-", 0, ["coalesce", ["get", "rank"], 0]],
        },
        paint: { "text-color": ["case", ["==", ["get", "rank"], 1], colour("--muted"), colour("--faint")], ...halo },
      },
      {
        id: "sensors",
        type: "symbol",
        source: "devices",
        filter: ["!=", ["get", "kind"], "camera"],
        layout: { "icon-image": "sensor", "icon-allow-overlap": true, "icon-ignore-placement": true },
      },
      {
        id: "cameras",
        type: "symbol",
        source: "devices",
        filter: ["==", ["get", "kind"], "camera"],
        layout: { "icon-image": "camera", "icon-allow-overlap": true, "icon-ignore-placement": true },
      },
      {
        id: "units",
        type: "symbol",
        source: "units",
        layout: {
          "icon-image": ["case", ["get", "busy"], "unit-busy", "unit-free"],
          "icon-allow-overlap": true,
          "icon-ignore-placement": true,
          "text-field": ["step", ["zoom"], ["case", ["get", "busy"], ["get", "name"], ""], 12.5, ["get", "name"]],
          "text-font": FONT,
          "text-size": 11,
          "text-anchor": "top",
          "text-offset": [0, 0.8],
          "text-optional": true,
        },
        paint: { "text-color": colour("--text"), ...halo },
      },
      {
        id: "orders",
        type: "line",
        source: "orders",
        layout: { "line-cap": "round" },
        paint: { "line-color": colour("--text"), "line-width": 2, "line-dasharray": [0.4, 2.4], "line-opacity": 0.9 },
      },
      {
        id: "low-cluster",
        type: "symbol",
        source: "low",
        filter: ["has", "point_count"],
        layout: {
          "icon-image": ["concat", "s-", ["to-string", ["get", "worst"]]],
          "icon-allow-overlap": true,
          "text-field": ["concat", "× ", ["to-string", ["get", "point_count"]]],
          "text-font": BOLD,
          "text-size": 13,
          "text-anchor": "left",
          "text-offset": [1.1, 0],
          "text-allow-overlap": true,
        },
        paint: { "text-color": colour("--text"), ...halo },
      },
      {
        id: "low",
        type: "symbol",
        source: "low",
        filter: ["!", ["has", "point_count"]],
        layout: mark,
        paint: { "text-color": colour("--text"), ...halo },
      },
      {
        id: "high",
        type: "symbol",
        source: "high",
        layout: mark,
        paint: { "text-color": colour("--text"), ...halo },
      },
    ],
  };
}
