// Before there is anything to show: loading, or why not.
import { html } from "../lit.js";

/** @param {import("../lib/types.js").Tongue} tongue */
export const loading = (tongue) => html`<div class="boot" aria-busy="true"><b>${tongue.t("loading")}</b></div>`;

/** @param {import("../lib/types.js").Tongue} tongue @param {string} why @param {() => void} retry */
export const failed = (tongue, why, retry) =>
  html`<div class="boot" role="alert"><b>${tongue.t("boot.failed")}</b><span>${why}</span><button class="btn primary" @click=${retry}>${tongue.t("retry")}</button></div>`;
