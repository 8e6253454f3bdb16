// Marks for the map, drawn once: severity shapes, crews, cameras, sensors.
import { LEVELS, SHAPES } from "../lib/severity.js";

/** @typedef {import("./maplibre.js").Map} GlMap */
/** @typedef {(name: string) => string} Colour token name to colour */

const RATIO = 2;

/**
 * @param {GlMap} map
 * @param {string} name
 * @param {number} width css px
 * @param {number} height css px
 * @param {(c: CanvasRenderingContext2D) => void} draw
 */
function put(map, name, width, height, draw) {
  const canvas = new OffscreenCanvas(width * RATIO, height * RATIO);
  const c = /** @type {CanvasRenderingContext2D} */ (/** @type {unknown} */ (canvas.getContext("2d", { willReadFrequently: true })));
  c.scale(RATIO, RATIO);
  draw(c);
  const image = c.getImageData(0, 0, width * RATIO, height * RATIO);
  if (map.hasImage(name)) map.removeImage(name);
  map.addImage(name, image, { pixelRatio: RATIO });
}

/** @param {GlMap} map @param {Colour} colour */
export function addImages(map, colour) {
  for (const l of LEVELS) {
    const path = new Path2D(SHAPES[l]);
    const hue = colour(`--s-${l}`);
    // over: hollow; chosen: with a ring
    for (const over of [false, true])
      for (const chosen of [false, true])
        put(map, `s-${l}${over ? "-over" : ""}${chosen ? "-chosen" : ""}`, 46, 46, (c) => {
          if (chosen) {
            c.beginPath();
            c.arc(23, 23, 20, 0, 2 * Math.PI);
            c.lineWidth = 2;
            c.strokeStyle = colour("--text");
            c.stroke();
          }
          c.translate(11, 11);
          c.scale(1.5, 1.5);
          c.lineJoin = "round";
          c.lineWidth = 3;
          c.strokeStyle = colour("--ground");
          c.stroke(path);
          c.fillStyle = over ? colour("--ground") : hue;
          c.fill(path);
          if (!over) return;
          c.lineWidth = 1.6;
          c.strokeStyle = hue;
          c.stroke(path);
        });
  }
  // a crew: a filled dot when free, hollow when it has an order
  for (const busy of [false, true]) {
    put(map, busy ? "unit-busy" : "unit-free", 18, 18, (c) => {
      c.beginPath();
      c.arc(9, 9, 5.5, 0, 2 * Math.PI);
      c.fillStyle = busy ? colour("--ground") : colour("--text");
      c.fill();
      c.lineWidth = 2;
      c.strokeStyle = busy ? colour("--text") : colour("--ground");
      c.stroke();
    });
  }
  put(map, "camera", 16, 14, (c) => {
    c.fillStyle = colour("--faint");
    c.beginPath();
    c.roundRect(2, 3, 8, 8, 1.5);
    c.moveTo(10.5, 7);
    c.lineTo(14.5, 4);
    c.lineTo(14.5, 10);
    c.closePath();
    c.fill();
  });
  put(map, "sensor", 8, 8, (c) => {
    c.beginPath();
    c.arc(4, 4, 2, 0, 2 * Math.PI);
    c.fillStyle = colour("--faint");
    c.fill();
  });
}
