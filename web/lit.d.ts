export { html, svg, render, nothing, type TemplateResult } from "lit-html";
export { repeat } from "lit-html/directives/repeat.js";
export { guard } from "lit-html/directives/guard.js";
export { live } from "lit-html/directives/live.js";
export { ifDefined } from "lit-html/directives/if-defined.js";
