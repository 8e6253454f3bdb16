// The one door to the map library.
export { Map, NavigationControl, ScaleControl } from "../vendor/maplibre-gl/maplibre-gl.mjs";
