export { Map, NavigationControl, ScaleControl, type StyleSpecification, type GeoJSONSource } from "maplibre-gl";
