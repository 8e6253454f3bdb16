// The map itself. It never moves by itself: only "go to", "whole city" and the person's own hand do that.
import { GROUPS, mapStyle } from "./style.js";
import { addImages } from "./images.js";
import * as features from "./features.js";

/** @typedef {import("../lib/types.js").World} World */
/** @typedef {import("../lib/words.js").Book} Book */
/** @typedef {import("./style.js").Group} Group */
/** @typedef {import("./maplibre.js").GeoJSONSource} Source */
/**
 * @typedef {object} Given
 * @property {World} world
 * @property {Book} book
 * @property {string | null} chosen
 * @property {string} theme
 * @property {Readonly<Record<Group, boolean>>} layers
 */

/** @typedef {(box: { west: number, south: number, east: number, north: number }) => Promise<[string, number, number][] | null>} Around */

const CALM = matchMedia("(prefers-reduced-motion: reduce)");

/** Colours come from the tokens, also here. @param {string} name */
const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

export class CityMap {
  /** @type {Given | null} */ #shown = null;
  #styled = "";
  #ready = false;
  #whole = true;
  #turn = 0;

  /**
   * @param {import("./maplibre.js").Map} map
   * @param {any} ground GeoJSON
   * @param {(id: string) => void} choose
   * @param {Around} around
   */
  constructor(map, ground, choose, around) {
    this.map = map;
    this.ground = ground;
    this.around = around;
    map.on("moveend", () => this.#lookAround());
    for (const layer of ["high", "low"]) {
      map.on("click", layer, (e) => {
        const id = e.features?.[0]?.properties?.["id"];
        if (id) choose(String(id));
      });
      map.on("mouseenter", layer, () => (map.getCanvas().style.cursor = "pointer"));
      map.on("mouseleave", layer, () => (map.getCanvas().style.cursor = ""));
    }
  }

  /**
   * Loads the library and the ground and draws both.
   * @param {HTMLElement} box
   * @param {any} ground
   * @param {Given} given
   * @param {(id: string) => void} choose
   * @param {Around} around
   * @returns {Promise<CityMap>}
   */
  static async open(box, ground, given, choose, around) {
    const { Map, NavigationControl, ScaleControl } = await import("./maplibre.js");
    const bounds = features.bounds(ground) ?? undefined;
    const map = new Map({
      container: box,
      style: mapStyle(colour, given.book.tongue.lang === "en" ? "en" : "zh"),
      ...(bounds ? { bounds } : {}),
      fitBoundsOptions: { padding: 20 },
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      maxZoom: 18,
      fadeDuration: 0,
      localIdeographFontFamily: "Noto Sans CJK SC, Microsoft YaHei, PingFang SC, sans-serif",
    });
    map.addControl(new NavigationControl({ showCompass: false }), "top-left");
    map.addControl(new ScaleControl({ maxWidth: 120 }), "bottom-right");
    const city = new CityMap(map, ground, choose, around);
    await map.once("load");
    city.#ready = true;
    city.#styled = city.#key(given);
    city.#dress(given);
    return city;
  }

  /** @param {Given} given */
  #key(given) {
    return `${given.theme}|${given.book.tongue.lang}`;
  }

  /** After a style was set: images, ground, everything. @param {Given} given */
  #dress(given) {
    this.#label(given.book.tongue.t);
    addImages(this.map, colour);
    this.#data("ground", this.ground);
    this.#whole = given.book.registry.whole;
    if (this.#whole) this.#data("devices", features.devices(given.book));
    else this.#lookAround();
    this.#shown = null;
    this.show(given);
  }

  /** Of a large city only what is in view is asked for; the newest view counts. */
  async #lookAround() {
    if (this.#whole || !this.#ready) return;
    const turn = ++this.#turn;
    const view = this.map.getBounds();
    const found = await this.around({ west: view.getWest(), south: view.getSouth(), east: view.getEast(), north: view.getNorth() });
    if (found && turn === this.#turn) this.#data("devices", features.sampled(found));
  }

  /** The library's own parts speak the page's language. @param {import("../lib/types.js").Say} t */
  #label(t) {
    const box = this.map.getContainer();
    const parts = { ".maplibregl-canvas": "map.label", ".maplibregl-ctrl-zoom-in": "map.in", ".maplibregl-ctrl-zoom-out": "map.out" };
    for (const [part, key] of Object.entries(parts)) {
      const found = box.querySelector(part);
      found?.setAttribute("aria-label", t(key));
      if (found?.tagName === "BUTTON") found.setAttribute("title", t(key));
    }
  }

  /** Brings what changed onto the map. @param {Given} given */
  show(given) {
    if (!this.#ready) return;
    if (this.#styled !== this.#key(given)) {
      this.#styled = this.#key(given);
      this.#ready = false;
      this.map.setStyle(mapStyle(colour, given.book.tongue.lang === "en" ? "en" : "zh"), { diff: false });
      this.map.once("style.load", () => {
        this.#ready = true;
        this.#dress(this.#next ?? given);
      });
    }
    if (!this.#ready) {
      this.#next = given;
      return;
    }
    const old = this.#shown;
    this.#shown = given;
    const { world, book, chosen, layers } = given;
    if (!old || old.world.incidents !== world.incidents || old.chosen !== chosen) {
      const { high, low } = features.incidents(world, book, chosen);
      this.#data("high", high);
      this.#data("low", low);
    }
    if (!old || old.world.units !== world.units || old.book !== book) this.#data("units", features.units(world, book));
    if (!old || old.world.orders !== world.orders) this.#data("orders", features.orders(world, book));
    if (!old || old.layers !== layers)
      for (const [group, ids] of Object.entries(GROUPS))
        for (const id of ids) this.map.setLayoutProperty(id, "visibility", layers[/** @type {Group} */ (group)] ? "visible" : "none");
  }

  /** @type {Given | null} */ #next = null;

  /** @param {string} source @param {any} data */
  #data(source, data) {
    const found = /** @type {Source | undefined} */ (this.map.getSource(source));
    found?.setData(data);
  }

  /** Where the person asked to look. @param {{ lon: number, lat: number }} at */
  goTo(at) {
    const to = { center: /** @type {[number, number]} */ ([at.lon, at.lat]), zoom: Math.max(14, this.map.getZoom()) };
    if (CALM.matches) this.map.jumpTo(to);
    else this.map.easeTo({ ...to, duration: 600 });
  }

  whole() {
    const bounds = features.bounds(this.ground);
    if (bounds) this.map.fitBounds(bounds, { padding: 20, animate: !CALM.matches });
  }
}
