// The one door to the view library, so that where it lies is said once.
export { html, svg, render, nothing } from "./vendor/lit-html/lit-html.js";
export { repeat } from "./vendor/lit-html/directives/repeat.js";
export { guard } from "./vendor/lit-html/directives/guard.js";
export { live } from "./vendor/lit-html/directives/live.js";
export { ifDefined } from "./vendor/lit-html/directives/if-defined.js";
